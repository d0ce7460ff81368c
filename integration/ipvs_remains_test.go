//go:build kernel

package integration

import (
	"errors"
	"fmt"
	"net/netip"
	"strings"
	"testing"

	"github.com/tandem-ha/tandem/integration/lab"
)

// TestVerifyIPVSReloadRemains takes out of the file, while the quorum is lost, what
// keepalived then leaves in the kernel: servers with weight 0 that are no longer to
// be inhibited, a sorry server with weight 0 that is another's or nobody's, and the
// sync daemon.
func TestVerifyIPVSReloadRemains(t *testing.T) {
	t.Parallel()
	const service = "  delay_loop 1\n  lvs_sched rr\n  quorum 2\n%s"
	const server = "  real_server RS%d 80 {\n%s    TCP_CHECK {\n      connect_timeout 20\n      retry 0\n      warmup 0\n    }\n  }\n"
	conf := func(sorry, inhibit string) string {
		return fmt.Sprintf(service, sorry) + fmt.Sprintf(server, 1, inhibit) + fmt.Sprintf(server, 2, inhibit)
	}
	const first, second = "192.0.2.201:80", "192.0.2.202:80"
	const inhibited = "  sorry_server 192.0.2.201 80\n  sorry_server_inhibit\n"
	f := newFarm(t, netip.MustParseAddr("192.0.2.100"), conf(inhibited, "    inhibit_on_failure\n"))
	rs1, rs2 := f.address("rs1"), f.address("rs2")
	put := strings.NewReplacer("RS1", f.lb.Host.Neighbour("rs1").IPv4().String(), "RS2", f.lb.Host.Neighbour("rs2").IPv4().String())
	reload := func(global, sorry, inhibit string) {
		t.Helper()
		must(t, f.lb.Write(global+put.Replace("virtual_server 192.0.2.100 80 {\n  lvs_method DR\n  protocol TCP\n"+conf(sorry, inhibit)+"}\n")))
		ask(t, f.lb, "reload")
	}
	daemons := func(n int) {
		t.Helper()
		eventually(t, patience, fmt.Sprintf("%d sync daemons", n), func() error {
			out, err := syncDaemons(f.lb.Host)
			if err == nil && strings.Count(out, "sync daemon") != n {
				err = errors.New(out)
			}
			return err
		})
	}
	start(t, f.lb)
	f.has("rr", rs1+" 1", rs2+" 1", first+" 0")
	reload("global_defs {\n  lvs_sync_daemon "+lab.NIC+" id 3\n}\n", inhibited, "    inhibit_on_failure\n")
	daemons(2)
	must(t, f.web["rs1"].Close())
	f.has("rr", rs1+" 0", rs2+" 0", first+" 1")
	reload("", inhibited, "")
	f.has("rr", first+" 1")
	daemons(0)
	reload("", "  sorry_server 192.0.2.202 80\n  sorry_server_inhibit\n", "")
	f.has("rr", second+" 1")
	reload("", "", "")
	f.has("rr", rs2+" 1")
	must(t, f.web["rs1"].Start())
	f.has("rr", rs1+" 1", rs2+" 1")
	reload("", inhibited, "")
	f.has("rr", rs1+" 1", rs2+" 1", first+" 0")
	reload("", "", "")
	f.has("rr", rs1+" 1", rs2+" 1")
}
