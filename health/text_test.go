package health

import (
	"net/netip"
	"testing"
)

// The lines are keepalived's, letter for letter.
func TestText(t *testing.T) {
	srv := NewServerRef(netip.MustParseAddr("192.0.2.1"), 80, "TCP")
	six := NewServerRef(netip.MustParseAddr("2001:db8::1"), 80, "udp")
	mark := NewServerRef(netip.MustParseAddr("192.0.2.1"), 80, "")
	ref := func(kind string) CheckRef { return CheckRef{ServerRef: srv, Kind: kind, Target: "/m.sh"} }
	at := func(kind, target string) CheckRef { return CheckRef{ServerRef: srv, Kind: kind, Target: target} }
	const status = "exited with status 4"
	tests := []struct {
		out  Output
		want string
	}{
		{CheckActivated{ref("TCP_CHECK")}, "Activating healthchecker for service [192.0.2.1]:tcp:80 for VS FWM 3"},
		{CheckDeactivated{ref("TCP_CHECK")}, "Deactivating healthchecker for service [192.0.2.1]:tcp:80 for VS FWM 3"},
		{CheckSucceeded{CheckRef: ref("TCP_CHECK"), Decisive: true}, "TCP connection to [192.0.2.1]:tcp:80 success."},
		{CheckSucceeded{CheckRef: ref("TCP_CHECK")}, ""},
		{CheckSucceeded{CheckRef: ref("HTTP_GET"), Decisive: true}, "Remote Web server [192.0.2.1]:tcp:80 succeed on service."},
		{CheckSucceeded{CheckRef: ref("MISC_CHECK"), Decisive: true}, "Misc check for [[192.0.2.1]:tcp:80 VS FWM 3] by [/m.sh] succeeded."},
		{CheckSucceeded{CheckRef: ref("OTHER"), Decisive: true}, "OTHER on service [192.0.2.1]:tcp:80 succeeded."},
		{CheckFailed{CheckRef: ref("TCP_CHECK"), Decisive: true, First: true, Retries: 2}, "TCP_CHECK on service [192.0.2.1]:tcp:80 failed."},
		{CheckFailed{CheckRef: ref("TCP_CHECK"), First: true}, "TCP_CHECK on service [192.0.2.1]:tcp:80 failed."},
		{CheckFailed{CheckRef: ref("TCP_CHECK"), Decisive: true}, "TCP_CHECK on service [192.0.2.1]:tcp:80 failed."},
		{CheckFailed{CheckRef: ref("TCP_CHECK"), Decisive: true, Retries: 1}, "TCP_CHECK on service [192.0.2.1]:tcp:80 failed after 1 retries."},
		{CheckFailed{CheckRef: ref("TCP_CHECK"), Retrying: true, Retries: 1}, ""},
		{CheckFailed{CheckRef: ref("TCP_CHECK"), Retrying: true, LogAll: true, Err: "connect: connection refused"}, "TCP connection to [192.0.2.1]:tcp:80 failed."},
		{CheckFailed{CheckRef: ref("TCP_CHECK"), Retrying: true, LogAll: true, Err: "connect: timed out after 5s"}, "TCP connection to [192.0.2.1]:tcp:80 timeout."},
		{CheckFailed{CheckRef: ref("TCP_CHECK"), LogAll: true}, ""},
		{CheckFailed{CheckRef: ref("HTTP_GET"), Decisive: true, First: true, Retries: 2}, "HTTP_CHECK on service [192.0.2.1]:tcp:80 failed after 2 retries."},
		{CheckFailed{CheckRef: ref("SSL_GET"), Decisive: true}, "SSL_CHECK on service [192.0.2.1]:tcp:80 failed after 0 retries."},
		{CheckFailed{CheckRef: ref("HTTP_GET"), First: true}, ""},
		{CheckFailed{CheckRef: ref("HTTP_GET"), Retrying: true, LogAll: true, Err: "status 503, want 200-299"}, "HTTP_GET of service [192.0.2.1]:tcp:80 failed: status 503, want 200-299."},
		{CheckFailed{CheckRef: ref("MISC_CHECK"), Decisive: true, Err: status}, "Misc check for [[192.0.2.1]:tcp:80 VS FWM 3] by [/m.sh] failed with retry disabled (exited with status 4)."},
		{CheckFailed{CheckRef: ref("MISC_CHECK"), Decisive: true, Err: "killed by signal 9"}, "Misc check for [[192.0.2.1]:tcp:80 VS FWM 3] by [/m.sh] failed with retry disabled (due to signal 9)."},
		{CheckFailed{CheckRef: ref("MISC_CHECK"), Decisive: true, First: true, Retries: 1, Failures: 1, Err: status}, "Misc check for [[192.0.2.1]:tcp:80 VS FWM 3] by [/m.sh] failed after 1 retry (exited with status 4)."},
		{CheckFailed{CheckRef: ref("MISC_CHECK"), Retrying: true, LogAll: true, Retries: 2, Failures: 1, Err: status}, "Misc check for [[192.0.2.1]:tcp:80 VS FWM 3] by [/m.sh] failed, will do 2 retries (exited with status 4)."},
		{CheckFailed{CheckRef: ref("MISC_CHECK"), Retrying: true, LogAll: true, Retries: 2, Failures: 2, Err: status}, "Misc check for [[192.0.2.1]:tcp:80 VS FWM 3] by [/m.sh] failed on retry 1/2 (exited with status 4)."},
		{CheckFailed{CheckRef: ref("MISC_CHECK"), Retrying: true, Retries: 2, Failures: 1, Err: status}, ""},
		{CheckFailed{CheckRef: ref("MISC_CHECK"), Decisive: true, Retries: 1, Failures: 2, Err: "timed out after 1s"}, "Misc check for [[192.0.2.1]:tcp:80 VS FWM 3] by [/m.sh] timed out after 1 retry."},
		{CheckFailed{CheckRef: ref("MISC_CHECK"), Decisive: true, Err: "timed out after 1s"}, "Misc check for [[192.0.2.1]:tcp:80 VS FWM 3] by [/m.sh] timed out with retry disabled."},
		{CheckSucceeded{CheckRef: ref("SMTP_CHECK"), Decisive: true}, "Remote SMTP server [192.0.2.1]:tcp:80 succeed on service."},
		{CheckSucceeded{CheckRef: ref("UDP_CHECK"), Decisive: true}, "UDP connection to [192.0.2.1]:tcp:80 success."},
		{CheckSucceeded{CheckRef: ref("PING_CHECK"), Decisive: true}, "ICMP connection to [192.0.2.1]:tcp:80 success."},
		{CheckSucceeded{CheckRef: ref("DNS_CHECK"), Decisive: true}, ""},
		{CheckFailed{CheckRef: ref("UDP_CHECK"), Decisive: true, Retries: 2}, "UDP_CHECK on service [192.0.2.1]:tcp:80 failed after 2 retries."},
		{CheckFailed{CheckRef: ref("UDP_CHECK"), Decisive: true, First: true, Retries: 2}, "UDP_CHECK on service [192.0.2.1]:tcp:80 failed."},
		{CheckFailed{CheckRef: ref("UDP_CHECK"), Retrying: true, LogAll: true, Err: "no reply"}, "UDP connection to [192.0.2.1]:tcp:80 failed."},
		{CheckFailed{CheckRef: ref("UDP_CHECK"), Retrying: true, LogAll: true, Err: "reply data mismatch at byte 0: 78"}, "UDP check to [192.0.2.1]:tcp:80 reply data mismatch."},
		{CheckFailed{CheckRef: ref("UDP_CHECK"), Retrying: true}, ""},
		{CheckFailed{CheckRef: ref("GRPC_CHECK"), Retrying: true, LogAll: true, Err: "x"}, "GRPC_CHECK on service [192.0.2.1]:tcp:80 failed: x."},
		{CheckFailed{CheckRef: ref("PING_CHECK"), Decisive: true, Retries: 2}, "ICMP CHECK on service [192.0.2.1]:tcp:80 of FWM 3 failed after 2 retries."},
		{CheckFailed{CheckRef: ref("PING_CHECK"), Decisive: true}, "ICMP CHECK on service [192.0.2.1]:tcp:80 failed."},
		{CheckFailed{CheckRef: ref("PING_CHECK"), Retrying: true, LogAll: true, Err: "no reply: timed out after 2s"}, "ICMP connection to address [192.0.2.1]:tcp:80 timeout."},
		{CheckFailed{CheckRef: ref("PING_CHECK"), Retrying: true, LogAll: true}, "ICMP connection to [192.0.2.1]:tcp:80 failed."},
		{CheckFailed{CheckRef: at("DNS_CHECK", "[192.0.2.1]:udp:53"), Decisive: true, Retries: 2, Err: "rcode 3 (NameError)"}, "DNS_CHECK ([192.0.2.1]:udp:53) read error occurred. (rcode = 3) after 2 retries"},
		{CheckFailed{CheckRef: at("DNS_CHECK", "[192.0.2.1]:udp:53"), Decisive: true, First: true, Retries: 2, Err: "rcode 3 (NameError)"}, "DNS_CHECK ([192.0.2.1]:udp:53) read error occurred. (rcode = 3)"},
		{CheckFailed{CheckRef: at("DNS_CHECK", "[192.0.2.1]:udp:53"), Retrying: true, LogAll: true, Err: "no reply: timed out after 2s"}, "DNS_CHECK ([192.0.2.1]:udp:53) read timeout from socket"},
		{CheckFailed{CheckRef: at("DNS_CHECK", "[192.0.2.1]:udp:53"), Decisive: true, Err: "connection refused"}, "DNS_CHECK ([192.0.2.1]:udp:53) failed: connection refused"},
		{CheckFailed{CheckRef: at("DNS_CHECK", "[192.0.2.1]:udp:53"), Retrying: true}, ""},
		{CheckFailed{CheckRef: at("SMTP_CHECK", "[192.0.2.1]:tcp:25"), Decisive: true, Retries: 2, Err: `greeting is "554 no", want 220`}, "SMTP_CHECK Bad greeting banner from server [192.0.2.1]:25"},
		{CheckFailed{CheckRef: at("SMTP_CHECK", "[192.0.2.1]:tcp:25"), Decisive: true, Err: `answer to HELO is "501 no", want 250`}, "SMTP_CHECK Bad HELO response from server [192.0.2.1]:25"},
		{CheckFailed{CheckRef: at("SMTP_CHECK", "[192.0.2.1]:tcp:25"), Decisive: true, Err: "read greeting from x: timed out after 2s"}, "SMTP_CHECK Read timeout from server [192.0.2.1]:25"},
		{CheckFailed{CheckRef: at("SMTP_CHECK", "[192.0.2.1]:tcp:25"), Decisive: true, Err: "read greeting from x: connection closed"}, "SMTP_CHECK Read failure from server [192.0.2.1]:25"},
		{CheckFailed{CheckRef: at("SMTP_CHECK", "[192.0.2.1]:tcp:25"), Decisive: true, Err: "connect x: connection refused"}, "SMTP_CHECK Could not connect to server [192.0.2.1]:25"},
		{CheckFailed{CheckRef: at("SMTP_CHECK", "[192.0.2.1]:tcp:25"), Decisive: true, Err: "connect x: timed out after 2s"}, "SMTP_CHECK Connection timeout to server [192.0.2.1]:25"},
		{CheckSkipped{CheckRef: ref("TCP_CHECK"), Err: "bind 192.0.2.9:0: cannot assign requested address"}, "TCP_CHECK on service [192.0.2.1]:tcp:80: bind 192.0.2.9:0: cannot assign requested address. Rescheduling."},
		{ServerAdded{ServerRef: srv}, ""},
		{ServerRemoved{ServerRef: srv}, "service [192.0.2.1]:tcp:80 no longer exist"},
		{ServerStopped{ServerRef: mark}, "Shutting down service [192.0.2.1]:none:80 from VS FWM 3"},
		{ServerUp{ServerRef: six}, "Adding service [2001:db8::1]:udp:80 to VS FWM 3"},
		{ServerDown{ServerRef: srv}, "Removing service [192.0.2.1]:tcp:80 from VS FWM 3"},
		{ServerUp{ServerRef: srv, Inhibit: true}, "Enabling service [192.0.2.1]:tcp:80 of VS FWM 3"},
		{ServerDown{ServerRef: srv, Inhibit: true}, "Disabling service [192.0.2.1]:tcp:80 of VS FWM 3"},
		{WeightChanged{ServerRef: srv, From: 4, To: 3, Active: true}, "Changing weight from 4 to 3 for active service [192.0.2.1]:tcp:80 of VS FWM 3"},
		{WeightChanged{ServerRef: srv, From: 4, To: 3}, "Changing weight from 4 to 3 for inactive service [192.0.2.1]:tcp:80 of VS FWM 3"},
		{QuorumGained{Quorum: 5, Hysteresis: 1, Weight: 7}, "Gained quorum 5+1=6 <= 7 for VS FWM 3"},
		{QuorumLost{Quorum: 5, Hysteresis: 1, Weight: 3}, "Lost quorum 5-1=4 > 3 for VS FWM 3"},
		{QuorumLost{Quorum: 1, Initial: true}, "Starting with quorum down 1-0=1 > 0 for VS FWM 3"},
		{SorryAdded{ServerRef: srv}, "Adding sorry server [192.0.2.1]:tcp:80 to VS FWM 3"},
		{SorryRemoved{ServerRef: srv}, "Removing sorry server [192.0.2.1]:tcp:80 from VS FWM 3"},
		{SorryAdded{ServerRef: srv, Inhibit: true}, "Enabling sorry server [192.0.2.1]:tcp:80 to VS FWM 3"},
		{SorryRemoved{ServerRef: srv, Inhibit: true}, "Disabling sorry server [192.0.2.1]:tcp:80 from VS FWM 3"},
		{AliveAdded{}, "Adding alive servers to the pool for VS FWM 3"},
		{AliveRemoved{}, "Removing alive servers from the pool for VS FWM 3"},
		{ServiceRemoved{}, "Removing Virtual Server FWM 3"},
		{PoolChanged{}, ""},
	}
	for _, tt := range tests {
		if got := Text("FWM 3", tt.out); got != tt.want {
			t.Errorf("%T\n got %q\nwant %q", tt.out, got, tt.want)
		}
	}
}
