package dump

import (
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/sys/unix"

	"github.com/tandem-ha/tandem/config"
	"github.com/tandem-ha/tandem/health"
	"github.com/tandem-ha/tandem/internal/control"
	"github.com/tandem-ha/tandem/ipvs"
)

// TestCheckData holds virtual servers against keepalived 2.2.7's lines for them,
// of which tandem has a part and some of its own.
func TestCheckData(t *testing.T) {
	first, second := netip.MustParseAddr("127.0.0.1"), netip.MustParseAddr("192.0.2.12")
	at := time.Unix(1795430025, 822349000)
	conf := &config.VirtualServer{
		Name: "[192.0.2.100]:tcp:80", Scheduler: "wrr", Protocol: "TCP", PersistenceTimeout: 50 * time.Second, Quorum: 1,
		Forwarding: config.Forwarding{Method: "NAT"}, QuorumUp: &config.Command{Args: []string{"/usr/bin/true"}},
		Sorry: &config.SorryServer{Addr: netip.MustParseAddr("192.0.2.50"), Port: 80, Forwarding: config.Forwarding{Method: "NAT"}},
		RealServers: []*config.RealServer{
			{Addr: first, Port: 8080, Weight: 3, Forwarding: config.Forwarding{Method: "NAT"}, SMTPAlert: true, Checks: []*config.Check{{
				Kind: "TCP_CHECK", Interval: 2 * time.Second, Warmup: 2 * time.Second, Retries: 1, DelayBeforeRetry: time.Second,
				Connect: config.Connect{Addr: first, Port: 8080, Timeout: time.Second}}}},
			{Addr: second, Port: 80, Weight: 1, Forwarding: config.Forwarding{Method: "NAT"}, InhibitOnFailure: true, SMTPAlert: true,
				NotifyDown: &config.Command{Args: []string{"/usr/bin/true"}}},
		},
	}
	s := sample()
	s.IPVS = "no ip_vs"
	s.Config.VirtualServers = []*config.VirtualServer{conf}
	s.Services = []control.ServiceStatus{
		{
			Scheduler: "wrr", Key: ipvs.ServiceKey{Protocol: unix.IPPROTO_TCP, Addr: netip.MustParseAddr("192.0.2.100"), Port: 80},
			ServiceStatus: health.ServiceStatus{Name: conf.Name, Quorum: 1, QuorumUp: true, LiveWeight: 3, Servers: []health.ServerStatus{
				{Addr: first, Port: 8080, Weight: 3, Up: true, InPool: true, Checks: []health.CheckStatus{{Kind: "TCP_CHECK", State: "up", Last: at, Took: time.Millisecond}}},
				{Addr: second, Port: 80, Weight: 1, InPool: true, Checks: []health.CheckStatus{{Kind: "HTTP_GET", State: "down", Failures: 3, Err: "refused"}}},
				{Addr: netip.MustParseAddr("192.0.2.50"), Port: 80, Sorry: true},
			}},
		},
		{Scheduler: "rr", Key: ipvs.ServiceKey{FWMark: 7}, ServiceStatus: health.ServiceStatus{Name: "FWM 7", Quorum: 1}},
	}
	const want = `------< LVS Topology >------
 IPVS error = no ip_vs
 ------< Virtual server >------
 VS VIP = 192.0.2.100, VPORT = 80
   lvs_sched = wrr
   One packet scheduling = disabled
   persistence timeout = 50
   protocol = TCP
   omega is OFF
   quorum = 1, hysteresis = 0
   live weight = 3
   Quorum up notify script = '/usr/bin/true'
   Using smtp notification = no
   default forwarding method = NAT
   sorry server = [192.0.2.50]:tcp:80
     forwarding method = NAT
     Inhibit on failure is OFF
   alive = 1
   quorum_state_up = 1
   ------< Real server >------
   RIP = 127.0.0.1, RPORT = 8080, WEIGHT = 3 EFF WEIGHT = 3
   forwarding method = NAT
   connection limit range = 0 -> 0
   Inhibit on failure is OFF
   Using smtp notification = yes
   initial weight = 3
   effective weight = 3
   alive = 1
   num failed checkers = 0
   RS set = 1
   ------< Real server >------
   RIP = 192.0.2.12, RPORT = 80, WEIGHT = 1 EFF WEIGHT = 1
   forwarding method = NAT
   connection limit range = 0 -> 0
   Inhibit on failure is ON
     RS down notify script = '/usr/bin/true'
   Using smtp notification = yes
   initial weight = 1
   effective weight = 1
   alive = 0
   num failed checkers = 1
   RS set = 1
 ------< Virtual server >------
 VS FWMARK = 7
   lvs_sched = rr
   quorum = 1, hysteresis = 0
   live weight = 0
   alive = 1
   quorum_state_up = 0
------< Health checkers >------
 [192.0.2.100]:tcp:80 -> [127.0.0.1]:tcp:8080
   Enabled = yes
   Up = yes
   Has run = yes
   Alpha = no
   Delay loop = 2000000 us
   Warmup = 2000000 us
   Retries = 1
   Delay before retry = 1000000 us
   Retries iterations = 0
   Connection
     Dest = [127.0.0.1]:8080
     Timeout = 1.000000
   Keepalive method = TCP_CHECK
   Last ran = 1795430025.822349, took 1ms
 [192.0.2.100]:tcp:80 -> [192.0.2.12]:tcp:80
   Enabled = yes
   Up = no
   Has run = no
   Retries iterations = 3
   Keepalive method = HTTP_GET
   Error = refused
`
	_, got, _ := strings.Cut(string(CheckData(s)), "------< LVS")
	if d := cmp.Diff(want, "------< LVS"+got); d != "" {
		t.Errorf("(-want +got):\n%s", d)
	}
}
