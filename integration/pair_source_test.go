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

// TestPairSourceLost takes the address away that a master's adverts come from:
// its last advert, of priority 0, comes from there all the same, so that a
// keepalived peer need not wait for the silence to tell.
func TestPairSourceLost(t *testing.T) {
	t.Parallel()
	for name, v6 := range map[string]bool{"ipv4": false, "ipv6": true} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			m := quick
			m.v6 = v6
			p := newPair(t, m, "tandem", "keepalived")
			p.lead()
			source := p.from(p.lb1)
			began := time.Now()
			address := source.String() + "/24 dev " + lab.NIC
			if v6 {
				address = source.String() + "/64 dev " + lab.NIC + " nodad"
			}
			must(t, p.lb1.Host.IP("addr del "+address))
			eventually(t, slack, "priority 0 from the address that was lost", func() error {
				all := p.lab.Capture.Adverts(began)
				if !slices.ContainsFunc(all, func(a lab.Advert) bool { return a.Source == source && a.Priority == 0 }) {
					return fmt.Errorf("adverts: %v", all)
				}
				return nil
			})
			p.holds(p.lb2, m.masterDown(100)+slack)
			isIn(t, p.lb1, "VI_1", "FAULT", slack)
			must(t, p.lb1.Host.IP("addr add "+address))
			p.holds(p.lb1, m.masterDown(150)+slack)
		})
	}
}

// TestPairSourceElsewhere gives an instance of unicast a source address that is
// not on the host: nobody can send to it, so that it would hear no master and be
// one beside it. As with keepalived, it is in FAULT until the address is there,
// on whatever link.
func TestPairSourceElsewhere(t *testing.T) {
	t.Parallel()
	m := quick
	m.unicast = true
	p := newPair(t, m, "tandem", "keepalived")
	other := "192.0.2.77"
	p.edit(replace(p.lb1.Host.IPv4().String()+"\n", other+"\n"))
	start(t, p.lb1, p.lb2)
	isIn(t, p.lb1, "VI_1", "FAULT", slack)
	p.holds(p.lb2, m.masterDown(100)+slack)
	if s := instance(t, p.lb1, "VI_1"); !strings.Contains(strings.Join(s.Faults, " "), other) {
		t.Errorf("the faults %q do not name the address", s.Faults)
	}
	must(t, p.lb1.Host.IP("addr add "+other+"/32 dev lo"))
	p.holds(p.lb1, m.masterDown(150)+slack)
	must(t, p.lb1.Host.IP("addr del "+other+"/32 dev lo"))
	isIn(t, p.lb1, "VI_1", "FAULT", slack)
	p.holds(p.lb2, m.masterDown(100)+slack)
}

// TestPairSpareAddress has an address on a link that does not exist, and that nobody
// tracks: both programs become master without it.
func TestPairSpareAddress(t *testing.T) {
	t.Parallel()
	p := newPair(t, quick, "tandem", "keepalived")
	p.edit(global("dynamic_interfaces"))
	p.edit(into("virtual_ipaddress_excluded {\n    10.5.0.9/24 dev none0 no_track\n  }"))
	p.lead()
	p.steady(p.lb1)
	must(t, p.lb1.Stop(slack))
	p.holds(p.lb2, quick.masterDown(100)+slack)
}

// TestPairMoreThanFits gives a pair more addresses than an advert can carry within the
// MTU: both programs move the rest to the excluded ones, and no advert is in pieces,
// which the capture takes for none.
func TestPairMoreThanFits(t *testing.T) {
	t.Parallel()
	m := quick
	m.v6 = true
	p := newPair(t, m, "tandem", "keepalived")
	more := "    " + m.vip(0).String() + "\n"
	for i := range 100 {
		more += fmt.Sprintf("    2001:db8::2:%x/64\n", i+1)
	}
	p.edit(replace("    "+m.vip(0).String()+"\n", more))
	p.lead()
	p.steady(p.lb1)
	must(t, p.lb1.Stop(slack))
	p.holds(p.lb2, m.masterDown(100)+slack)
	p.steady(p.lb2)
	if log := p.lb2.Log(); strings.Contains(log, "expected") || strings.Contains(log, "mismatch") {
		t.Errorf("keepalived finds fault with the addresses of an advert:\n%s", log)
	}
}
