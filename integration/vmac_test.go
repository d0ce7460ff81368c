//go:build kernel

package integration

import (
	"fmt"
	"maps"
	"os"
	"slices"
	"syscall"
	"testing"
	"time"

	"github.com/tandem-ha/tandem/integration/lab"
)

// vmacModes are pairs whose nodes have VMACs, each line of which is for both.
var vmacModes = []struct {
	mode
	lines []string
}{
	{mode{name: "v2", version: 2, advert: time.Second}, []string{"use_vmac"}},
	{mode{name: "v3", version: 3, advert: 200 * time.Millisecond}, []string{"use_vmac"}},
	{mode{name: "ipv6", version: 3, advert: 200 * time.Millisecond, v6: true}, []string{"use_vmac"}},
	{mode{name: "xmit-base", version: 3, advert: 200 * time.Millisecond}, []string{"use_vmac", "vmac_xmit_base"}},
	{mode{name: "named", version: 3, advert: 200 * time.Millisecond}, []string{"use_vmac virtual0 02:11:22:33:44:55"}},
	{mode{name: "unicast", version: 3, advert: 200 * time.Millisecond, unicast: true}, []string{"use_vmac"}},
	{mode{name: "one-side", version: 3, advert: 200 * time.Millisecond}, nil},
}

// virtualMAC is the Ethernet address of a mode's first virtual router.
func (m mode) virtualMAC() [6]byte {
	switch {
	case m.name == "named":
		return [6]byte{0x02, 0x11, 0x22, 0x33, 0x44, 0x55}
	case m.v6:
		return [6]byte{0, 0, 0x5e, 0, 2, 51}
	}
	return [6]byte{0, 0, 0x5e, 0, 1, 51}
}

// TestPairVMAC takes pairs with VMACs, tandem and keepalived each way round,
// through all that makes a master change, on a bridge that learns where the one
// Ethernet address of both is: each hears the other, though its adverts come from
// what is its own address too, and a client is answered by the master.
func TestPairVMAC(t *testing.T) {
	t.Parallel()
	for _, names := range [][2]string{{"tandem", "keepalived"}, {"keepalived", "tandem"}, {"tandem", "tandem"}} {
		for _, m := range vmacModes {
			if names[1] == names[0] && !slices.Contains([]string{"v3", "ipv6"}, m.name) && !thorough() {
				continue
			}
			t.Run(fmt.Sprintf("%s-%s/%s", names[0], names[1], m.name), func(t *testing.T) {
				t.Parallel()
				p := newPair(t, m.mode, names[0], names[1], m.lines...)
				if m.lines == nil {
					must(t, p.lb1.Write(m.conf(p.lb1.Host, p.lb2.Host, 150, "use_vmac")))
				}
				p.life()
				for _, n := range []*lab.Agent{p.lb1, p.lb2} {
					if left := macvlans(t, n.Host); len(left) > 0 {
						t.Errorf("%s has stopped and leaves %v", n.Host.Name, left)
					}
				}
				p.fromVirtualMAC()
			})
		}
	}
}

// thorough is whether to try what make test has no time for (TANDEM_LONG).
func thorough() bool { return os.Getenv("TANDEM_LONG") != "" }

// fromVirtualMAC asserts that whatever a node with a VMAC said as master came from
// the virtual router's address.
func (p *pair) fromVirtualMAC() {
	p.t.Helper()
	virtual := p.mode.virtualMAC()
	plain := p.mode.name == "xmit-base" || p.mode.unicast
	for _, a := range p.lab.Capture.Adverts(time.Time{}) {
		want := !plain && (p.mode.name != "one-side" || a.Source == p.from(p.lb1))
		if (a.MAC == virtual) != want {
			p.t.Errorf("advert of %s (priority %d) from the address %x", a.Source, a.Priority, a.MAC)
			break
		}
	}
	heard := map[[6]byte]bool{}
	for _, a := range p.lab.Capture.Announcements(time.Time{}) {
		if !slices.Contains(p.vips(), a.Addr) {
			continue
		}
		heard[a.MAC] = true
		if a.MAC != a.Told {
			p.t.Errorf("%s announced from %x as being at %x", a.Addr, a.MAC, a.Told)
		}
	}
	if !heard[virtual] || p.mode.name != "one-side" && len(heard) != 1 {
		p.t.Errorf("announced from %x, want %x", slices.Collect(maps.Keys(heard)), virtual)
	}
}

// TestPairVMACMove measures what a client loses when a VMAC moves, for the ways that
// it can move. Both nodes send from one address, and the first frame of the new
// master turns the bridge: what dies on the host of a keepalived that takes over, and
// adverts before it has its addresses, is no tandem's loss; nothing else may be lost.
func TestPairVMACMove(t *testing.T) {
	t.Parallel()
	m := mode{name: "vmac", version: 3, advert: 200 * time.Millisecond}
	for _, peer := range []string{"tandem", "keepalived"} {
		t.Run(peer, func(t *testing.T) {
			t.Parallel()
			limit := m.masterDown(100) + slack
			for range rounds(t, 1) {
				for _, name := range []string{"keepalived", "tandem"} {
					p := newPair(t, m, name, peer, "use_vmac")
					p.lead()
					end := func() { must(t, p.lb1.Signal(syscall.SIGTERM)) }
					if name == "tandem" {
						p.lossless("switchover to "+peer, p.lb1, p.lb2, limit, func() { ask(t, p.lb1, "switchover") })
						before := p.refused(p.lb2.Host)
						r := p.move(p.lb2, p.lb1, limit, func() { ask(t, p.lb1, "resume") })
						died := p.refused(p.lb2.Host) - before
						t.Logf("LOSS resume, %s yields: %v (%d of them came to %s too late)", peer, r, died, peer)
						if peer == "tandem" {
							died = 0
						}
						if r.Lost > vmacSpare(peer)+died {
							t.Errorf("resume: packets lost: %v", r)
						}
						p.lossless("SIGTERM, "+peer+" takes over", p.lb1, p.lb2, limit, end)
					} else {
						t.Logf("LOSS SIGTERM of keepalived, %s takes over: %v", peer, p.move(p.lb1, p.lb2, limit, end))
					}
					if _, err := p.lb1.Wait(within(t, slack)); err != nil {
						t.Fatal(err)
					}
					must(t, p.lb2.Stop(slack))
				}
			}
		})
	}
}

// vmacSpare is how many packets may be lost where a VMAC moves to a tandem: with a
// keepalived that yields those between the taking away of its addresses and the
// bridge's turn, of which its host counts what it had no address for.
func vmacSpare(peer string) int {
	if peer == "tandem" {
		return 0
	}
	return 50
}
