//go:build kernel

package host

import (
	"bytes"
	"net/netip"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

// Of the adverts of a peer, whether it has a VMAC or not, each comes in once, on
// the base or on the VMAC; and ours leave from the virtual address. The same for
// announcements.
func TestKernelAdvertsThroughVMACs(t *testing.T) {
	for _, tt := range []struct {
		name  string
		ipv6  bool
		group netip.Addr
		src   string
		vip   string
	}{
		{"IPv4", false, group4, "192.0.2.1", "192.0.2.10/32"},
		{"IPv6", true, group6, "fe80::1", "fe80::99/128"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			a, b := pair(t, "v0", "w0", [2]string{"192.0.2.1/24", "192.0.2.2/24"}, [2]string{"fe80::1/64", "fe80::2/64"})
			mac := VirtualMAC(51, tt.ipv6)
			add := func(n *testNS, base string) {
				l := VirtualLink{Name: "vrrp.51", Parent: base, Kind: Macvlan, Mode: Private, MAC: mac, IPv4: !tt.ipv6, IPv6: tt.ipv6}
				if err := n.virtualLinks().Apply([]LinkChange{{Add, l}}); err != nil {
					t.Fatal(err)
				}
				waitFor(t, "the VMAC", func() bool {
					return strings.Contains(n.run("ip", "link", "show", "vrrp.51"), "state UP")
				})
			}
			add(a, "v0")
			add(b, "w0")
			if ll, ok := LinkLocal(Link{Addresses: []netip.Prefix{netip.MustParsePrefix("fe80::1/64")}}, "vrrp.51", nil); tt.ipv6 {
				if err := a.addresses().Apply([]AddressChange{{Add, ll}}); !ok || err != nil {
					t.Fatal(err)
				}
			}
			through := func(n *testNS) AdvertKey {
				k := n.key("vrrp.51", tt.group, tt.ipv6)
				k.From = mac
				return k
			}
			base, onBase := b.adverts(b.key("w0", tt.group, tt.ipv6))
			virtual, onVMAC := b.adverts(through(b))
			sendVirtual, echoVirtual := a.adverts(through(a))
			sendPlain, echoPlain := a.adverts(a.key("v0", tt.group, tt.ipv6))
			wire := b.frames("w0")

			src := netip.MustParseAddr(tt.src)
			for i, c := range []*AdvertConn{sendVirtual, sendPlain, sendVirtual, sendPlain} {
				if err := c.Send(src, tt.group, 255, []byte{0x31, byte(i), 100, 0, 0, 100, 0, 0}); err != nil {
					t.Fatal(err)
				}
			}
			for _, w := range []struct {
				in    chan Received
				link  int
				first byte
			}{{onVMAC, virtual.Key().Index, 0}, {onBase, base.Key().Index, 1}} {
				for _, n := range []byte{w.first, w.first + 2} {
					r := receive(t, w.in)
					if r.Interface != w.link || r.Payload[1] != n || r.Meta.Source != src || r.Meta.TTL != 255 {
						t.Errorf("came in on %d: %+v; want number %d on %d", r.Interface, r, n, w.link)
					}
				}
			}
			frame(t, wire, func(f []byte) bool {
				return bytes.Equal(f[offsetSource:offsetSource+6], mac[:]) && bytes.HasSuffix(f, []byte{0x31, 2, 100, 0, 0, 100, 0, 0})
			})
			noneOf(t, onVMAC, "more on the VMAC")
			noneOf(t, onBase, "more on the base")
			noneOf(t, echoVirtual, "our own on the VMAC")
			noneOf(t, echoPlain, "our own on the base")

			vip := Address{Prefix: netip.MustParsePrefix(tt.vip), Interface: "vrrp.51"}
			an := a.announcer(0, 0)
			an.Announce(a.link("vrrp.51"), []netip.Addr{vip.Prefix.Addr()}, 1)
			got := frame(t, wire, func(f []byte) bool {
				return bytes.Equal(f[offsetSource:offsetSource+6], mac[:]) && (f[12] == 0x08 && f[13] == 0x06 || len(f) > icmpStart && f[icmpStart] == 136)
			})
			if !bytes.Contains(got[ethernetHeader:], mac[:]) || !bytes.Contains(got, vip.Prefix.Addr().AsSlice()) {
				t.Errorf("announcement %x does not tell %s", got, mac)
			}
		})
	}
}

// A VMAC of IPv6 answers no ARP for the host's own addresses: who asked would
// send to the virtual address, which leaves with the mastership.
func TestKernelIPv6VMACAnswersNoARP(t *testing.T) {
	a, b := pair(t, "v0", "w0", [2]string{"192.0.2.1/24", "192.0.2.2/24"}, [2]string{"2001:db8::1/64", "2001:db8::2/64"})
	mac := VirtualMAC(51, true)
	l := VirtualLink{Name: "vrrp.51", Parent: "v0", Kind: Macvlan, Mode: Private, MAC: mac, IPv6: true}
	if err := a.virtualLinks().Apply([]LinkChange{{Add, l}}); err != nil {
		t.Fatal(err)
	}
	if err := a.addresses().Apply([]AddressChange{{Add, Address{Interface: "vrrp.51", Prefix: netip.MustParsePrefix("2001:db8::99/128"), Flags: unix.IFA_F_NODAD}}}); err != nil {
		t.Fatal(err)
	}
	wire := b.frames("w0")
	b.knock("192.0.2.1")
	// What was asked before is answered before: the VMAC hears both in turn.
	b.knock("2001:db8::99")
	answered := map[MAC]bool{}
	frame(t, wire, func(f []byte) bool {
		if len(f) >= 42 && f[12] == 8 && f[13] == 6 && f[21] == 2 {
			answered[MAC(f[22:28])] = true
		}
		return len(f) > icmpStart && f[icmpStart] == 136 && bytes.Equal(f[offsetSource:offsetSource+6], mac[:])
	})
	if own := MAC(a.link("v0").MAC); !answered[own] || len(answered) != 1 {
		t.Errorf("ARP for 192.0.2.1 was answered by %v, not by %v alone", answered, own)
	}
}
