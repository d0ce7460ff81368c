//go:build kernel

package integration

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/tandem-ha/tandem/integration/lab"
)

// TestPairUnicastRecovers has an instance of unicast leave FAULT: it announces the
// address that its peers send to, as keepalived does, also where it names no interface.
func TestPairUnicastRecovers(t *testing.T) {
	t.Parallel()
	m := quick
	m.unicast = true
	for _, c := range []struct{ name, program, iface string }{
		{"keepalived", "keepalived", "interface " + lab.NIC},
		{"tandem", "tandem", "interface " + lab.NIC},
		{"tandem-without-interface", "tandem", ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			p := newPair(t, m, c.program, "tandem")
			h := p.lb1.Host
			must(t, h.IP("link add up0 type veth peer name up1", "link set up0 up", "link set up1 up"))
			conf := strings.Replace(m.conf(h, p.lb2.Host, 150, "track_interface {", "  up0", "}"), "interface "+lab.NIC, c.iface, 1)
			must(t, p.lb1.Write(strings.ReplaceAll(conf, m.vip(0).String(), m.vip(0).String()+" dev "+lab.NIC)))
			start(t, p.lb1)
			p.holds(p.lb1, m.masterDown(150)+slack)
			must(t, h.IP("link set up1 down"))
			must(t, h.Addresses.Wait(within(t, slack), false, p.vips()...))
			began := time.Now()
			must(t, h.IP("link set up1 up"))
			eventually(t, slack, "its own address announced", func() error {
				all := p.lab.Capture.Announcements(began)
				if !slices.ContainsFunc(all, func(a lab.Announcement) bool { return a.Addr == h.IPv4() }) {
					return fmt.Errorf("announced: %v", all)
				}
				return nil
			})
			p.holds(p.lb1, m.masterDown(150)+slack)
		})
	}
}
