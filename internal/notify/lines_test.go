package notify

import (
	"testing"

	"github.com/tandem-ha/tandem/internal/journal"
)

// The bytes are those that keepalived 2.2.7 writes.
func TestLines(t *testing.T) {
	for got, want := range map[string]string{
		StateLine(journal.Instance, "VI_1", journal.Master, 150):       "INSTANCE \"VI_1\" MASTER 150\n",
		StateLine(journal.Instance, "VI_1", journal.Fault, 150):        "INSTANCE \"VI_1\" FAULT 150\n",
		StateLine(journal.Instance, "VI_1", journal.Deleted, 150):      "INSTANCE \"VI_1\" DELETED 150\n",
		StateLine(journal.Group, "G", journal.Stop, 7):                 "GROUP \"G\" STOP 0\n",
		StateLine(journal.Instance, "VI_1", journal.Init, 150):         "",
		PriorityLine("VI_1", journal.Backup, 130):                      "INSTANCE \"VI_1\" BACKUP_PRIORITY 130\n",
		PriorityLine("VI_1", journal.Master, 150):                      "INSTANCE \"VI_1\" MASTER_PRIORITY 150\n",
		PriorityLine("VI_1", journal.Fault, 157):                       "INSTANCE \"VI_1\" BACKUP_PRIORITY 157\n",
		PriorityLine("VI_1", journal.Init, 150):                        "",
		LowerPriorityLine("VI_1", 150):                                 "INSTANCE \"VI_1\" MASTER_RX_LOWER_PRI 150\n",
		ServerLine("[127.0.0.1]:tcp:8001", "[10.1.1.1]:tcp:80", false): "RS [127.0.0.1]:tcp:8001 [10.1.1.1]:tcp:80 DOWN\n",
		ServerLine("[127.0.0.1]:none:8001", "FWM 5", true):             "RS [127.0.0.1]:none:8001 FWM 5 UP\n",
		QuorumLine("[VG]:1", true):                                     "VS [VG]:1 UP\n",
		QuorumLine("[10.1.1.1]:tcp:80", false):                         "VS [10.1.1.1]:tcp:80 DOWN\n",
	} {
		if got != want {
			t.Errorf("%q, want %q", got, want)
		}
	}
}

// The texts are those of keepalived 2.2.7, but for a lost quorum, of which it
// says "5+1=4 <= 0".
func TestAlerts(t *testing.T) {
	check := func(kind string, up bool) *Alert {
		return CheckAlert(journal.CheckChange{Service: "FWM 5", Server: "[127.0.0.1]:none:8001", Kind: kind, Up: up, Cause: "no answer"})
	}
	const server = "Realserver [127.0.0.1]:none:8001 of virtual server FWM 5 - "
	for _, tc := range []struct {
		got           *Alert
		subject, body string
	}{
		{StateAlert(journal.Instance, "VI_1", journal.Master), "VRRP Instance VI_1 - Entering MASTER state", "VRRP Instance is now owning VRRP VIPs"},
		{StateAlert(journal.Instance, "VI_1", journal.Backup), "VRRP Instance VI_1 - Entering BACKUP state", "VRRP Instance is no longer owning VRRP VIPs"},
		{StateAlert(journal.Instance, "VI_1", journal.Fault), "VRRP Instance VI_1 - Entering FAULT state", "VRRP Instance is no longer owning VRRP VIPs"},
		{StateAlert(journal.Instance, "VI_1", journal.Deleted), "VRRP Instance VI_1 - Deleted", "VRRP Deleted at reload"},
		{StateAlert(journal.Group, "G", journal.Fault), "VRRP Group G - Entering FAULT state", "All VRRP group instances are now in FAULT state"},
		{check("TCP_CHECK", true), server + "UP", "TCP CHECK succeed on service"},
		{check("TCP_CHECK", false), server + "DOWN", "TCP CHECK failed on service"},
		{check("HTTP_GET", true), server + "UP", "CHECK succeed on service"},
		{check("SSL_GET", false), server + "DOWN", "CHECK failed on service : no answer"},
		{check("SMTP_CHECK", false), server + "DOWN", "CHECK failed on service : no answer"},
		{check("DNS_CHECK", false), server + "DOWN", "DNS_CHECK: failed on service"},
		{check("DNS_CHECK", true), server + "UP", "DNS_CHECK: succeed on service"},
		{check("MISC_CHECK", true), server + "UP", "MISC CHECK succeeded on service"},
		{check("MISC_CHECK", false), server + "DOWN", "MISC CHECK failed on service"},
		{check("PING_CHECK", false), server + "DOWN", "ICMP CHECK failed on service"},
		{check("UDP_CHECK", true), server + "UP", "UDP CHECK succeed on service"},
		{EndAlert("[127.0.0.1]:none:8001", "FWM 5", journal.EndRemoved), server + "DOWN", "Removing"},
		{EndAlert("[127.0.0.1]:none:8001", "FWM 5", journal.EndStopped), server + "DOWN", "Shutting down"},
		{QuorumAlert(journal.QuorumChange{Service: "[VG]:0", Up: true, Quorum: 5, Hysteresis: 1, Weight: 8}), "Virtualserver [VG]:0 - UP", "Gained quorum 5+1=6 <= 8"},
		{QuorumAlert(journal.QuorumChange{Service: "[VG]:0", Up: true, Quorum: 1, Weight: 2, Initial: true}), "Virtualserver [VG]:0 - UP", "Starting with quorum up 1+0=1 <= 2"},
		{QuorumAlert(journal.QuorumChange{Service: "[VG]:0", Quorum: 5, Hysteresis: 1, Initial: true}), "Virtualserver [VG]:0 - DOWN", "Starting with quorum down 5-1=4 > 0"},
		{QuorumAlert(journal.QuorumChange{Service: "[VG]:0", Quorum: 5, Hysteresis: 1}), "Virtualserver [VG]:0 - DOWN", "Lost quorum 5-1=4 > 0"},
	} {
		if tc.got == nil || tc.got.Subject != tc.subject || tc.got.Body != "=> "+tc.body+" <=\n" {
			t.Errorf("%+v, want %q and %q", tc.got, tc.subject, tc.body)
		}
	}
	for _, state := range []string{journal.Stop, journal.Init} {
		if a := StateAlert(journal.Instance, "VI_1", state); a != nil {
			t.Errorf("of %s keepalived sends nothing: %+v", state, a)
		}
	}
}
