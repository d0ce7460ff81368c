//go:build kernel

package integration

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/tandem-ha/tandem/integration/lab"
)

// syncDaemons is what runs of IPVS's sync daemons on a host.
func syncDaemons(h *lab.Host) (string, error) {
	out, err := h.Run("ipvsadm", "-l", "--daemon")
	return strings.TrimSpace(out), err
}

// TestIPVSSyncDaemon has the sync daemon follow an instance, beside keepalived's
// in either place: the master's sends, the backup's receives, also after a take
// over, and both have gone at the end.
func TestIPVSSyncDaemon(t *testing.T) {
	t.Parallel()
	m := mode{version: 3, advert: time.Second}
	settings := fmt.Sprintf("global_defs {\n  lvs_sync_daemon %s VI_1 id 7\n}\n", lab.NIC)
	var pairs []*pair
	for _, names := range [][2]string{{"keepalived", "tandem"}, {"tandem", "keepalived"}} {
		p := newPair(t, m, names[0], names[1])
		must(t, p.lb1.Write(settings+m.conf(p.lb1.Host, p.lb2.Host, 150)))
		must(t, p.lb2.Write(settings+m.conf(p.lb2.Host, p.lb1.Host, 100)))
		pairs = append(pairs, p)
	}
	alike := func(stage string, has ...string) {
		t.Helper()
		for i := range 2 {
			eventually(t, patience, fmt.Sprintf("%s, lb%d", stage, i+1), func() error {
				var seen [2]string
				for j, p := range pairs {
					out, err := syncDaemons([]*lab.Agent{p.lb1, p.lb2}[i].Host)
					if err != nil {
						return err
					}
					seen[j] = out
				}
				if seen[0] != seen[1] || !strings.Contains(seen[0], has[i]) {
					return fmt.Errorf("%q and %q, want both with %q", seen[0], seen[1], has[i])
				}
				return nil
			})
		}
	}
	for _, p := range pairs {
		p.lead()
	}
	alike("at rest", "master sync daemon", "backup sync daemon")
	for _, p := range pairs {
		must(t, p.lb1.Host.Cut())
	}
	for _, p := range pairs {
		p.holds(p.lb2, m.masterDown(100)+patience)
	}
	alike("the better one cut off", "backup sync daemon", "master sync daemon")
	for _, p := range pairs {
		must(t, p.lb2.Stop(patience))
		must(t, p.lb1.Stop(patience))
	}
	for _, p := range pairs {
		for _, n := range []*lab.Agent{p.lb1, p.lb2} {
			eventually(t, patience, "the end on "+n.Host.Name, func() error {
				if out, err := syncDaemons(n.Host); err != nil || out != "" {
					return fmt.Errorf("%q (%v)", out, err)
				}
				return nil
			})
		}
	}
}
