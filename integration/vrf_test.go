//go:build kernel

package integration

import (
	"strings"
	"testing"
	"time"

	"github.com/tandem-ha/tandem/integration/lab"
)

// TestVMVRF has tandem name a VRF in the place of an interface, which keepalived
// 2.2.7 knows as a keyword and refuses: it is the peer, upon the interface. There is
// no route from one to the other outside the VRF.
func TestVMVRF(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		mode
		first, second string
	}{
		{mode{name: "IPv4", version: 3, advert: time.Second, unicast: true}, "tandem", "keepalived"},
		{mode{name: "IPv6", version: 3, advert: time.Second, unicast: true, v6: true}, "keepalived", "tandem"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			inVRF(t, newPair(t, c.mode, c.first, c.second))
		})
	}
}

func inVRF(t *testing.T, p *pair) {
	m := p.mode
	for _, n := range []*lab.Agent{p.lb1, p.lb2} {
		// What joins a VRF loses its global IPv6 addresses.
		must(t, n.Host.IP("link add red type vrf table 10", "link set red up", "link set "+lab.NIC+" master red",
			"addr replace "+n.Host.IPv6().String()+"/64 dev "+lab.NIC+" nodad"))
		priority := map[bool]int{true: 150, false: 100}[n == p.lb1]
		if strings.HasSuffix(n.Program, "keepalived") {
			must(t, n.Write(m.conf(n.Host, p.other(n).Host, priority)))
			continue
		}
		conf := m.conf(n.Host, p.other(n).Host, priority, "vrf red")
		conf = strings.ReplaceAll(conf, "  interface "+lab.NIC+"\n", "")
		conf = strings.ReplaceAll(conf, m.vip(0).String(), m.vip(0).String()+" dev "+lab.NIC)
		must(t, n.Write(strings.ReplaceAll(conf, "fe80::100/64", "fe80::100/64 dev "+lab.NIC)))
	}
	start(t, p.lb1)
	p.holds(p.lb1, m.masterDown(150)+slack)
	start(t, p.lb2)
	p.settle(p.lb1)
	must(t, p.lb1.Host.Part())
	must(t, p.lb2.Host.Addresses.Wait(within(t, m.masterDown(100)+slack), true, p.vips()...))
	must(t, p.lb1.Host.Rejoin())
	p.holds(p.lb1, m.masterDown(150)+slack)
	must(t, p.lb1.Stop(slack))
	p.holds(p.lb2, m.masterDown(100)+slack)
	must(t, p.lb2.Stop(slack))
}
