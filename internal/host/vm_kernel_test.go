//go:build kernel && vm

package host

import (
	"bytes"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// The tests in this file need a kernel with nf_tables and ipvlan, which the one
// that runs may not be: hence the tag, and a virtual machine.

func (n *testNS) firewall(options FirewallOptions) *Firewall {
	n.t.Helper()
	var f *Firewall
	n.do(func() (err error) {
		f, err = NewFirewall(options)
		return err
	})
	n.t.Cleanup(func() { _ = f.Close() })
	return f
}

// reaches is whether a packet to a port where nobody listens gets the answer that
// there is none.
func (n *testNS) reaches(addr string) bool {
	n.t.Helper()
	reached := false
	n.do(func() error {
		c, err := net.Dial("udp", net.JoinHostPort(addr, "9"))
		if err != nil {
			return err
		}
		defer c.Close()
		if err := c.SetDeadline(time.Now().Add(2 * time.Second)); err != nil {
			return err
		}
		if _, err := c.Write([]byte("?")); err != nil {
			return err
		}
		_, err = c.Read(make([]byte, 1))
		reached = errors.Is(err, unix.ECONNREFUSED)
		return nil
	})
	return reached
}

// finds is whether an address comes to be reached, or not to be: on a busy machine
// an answer may come too late, and the kernel gives no more of them than so many a
// second.
func (n *testNS) finds(addr string, want bool) bool {
	n.t.Helper()
	for range 10 {
		if n.reaches(addr) == want {
			return true
		}
	}
	return false
}

// Denied addresses answer nothing but neighbour discovery, link-local ones on
// their link alone.
func TestVMFirewallDenies(t *testing.T) {
	a, b := pair(t, "v0", "w0", [2]string{"192.0.2.1/24", "192.0.2.2/24"}, [2]string{"2001:db8::1/64", "2001:db8::2/64"},
		[2]string{"fe80::1/64", "fe80::2/64"})
	for _, vip := range []string{"192.0.2.10/32", "192.0.2.11/32", "2001:db8::10/128", "fe80::99/128"} {
		a.run("ip", "addr", "add", vip, "dev", "v0", "nodad")
	}
	f := a.firewall(FirewallOptions{Table: "keepalived", Priority: -1, Counters: true})
	state := func(four, other, six, local bool) {
		t.Helper()
		for addr, want := range map[string]bool{
			"192.0.2.10": four, "192.0.2.11": other, "2001:db8::10": six, "fe80::99%w0": local,
			"192.0.2.1": true, "2001:db8::1": true,
		} {
			if !b.finds(addr, want) {
				t.Errorf("%s answers: %v, want %v", addr, !want, want)
			}
		}
	}
	state(true, true, true, true)
	rules := FirewallRules{Deny: []DeniedAddress{denied("192.0.2.10", "v0"), denied("2001:db8::10", "v0"), denied("fe80::99", "v0")}}
	if err := f.Apply(rules); err != nil {
		t.Fatal(err)
	}
	b.run("ip", "neigh", "flush", "dev", "w0")
	state(false, true, false, false)
	if out := b.run("ip", "neigh"); !strings.Contains(out, "2001:db8::10 dev w0 lladdr") {
		t.Errorf("neighbour discovery does not work:\n%s", out)
	}
	if out := a.run("nft", "list", "ruleset"); !strings.Contains(out, "counter packets") || !strings.Contains(out, "table ip keepalived") {
		t.Errorf("rules:\n%s", out)
	}
	rules.Deny[2].Interface = "other"
	rules.Deny = append(rules.Deny[1:], denied("192.0.2.11", ""))
	if err := f.Apply(rules); err != nil {
		t.Fatal(err)
	}
	state(true, false, false, true)
	a.run("nft", "delete", "table", "ip", "keepalived")
	if err := errors.Join(f.Apply(rules), f.Apply(rules)); err != nil {
		t.Errorf("after somebody took the table: %v", err)
	}
	state(true, false, false, true)
	if err := errors.Join(f.Remove(), f.Remove()); err != nil {
		t.Error(err)
	}
	state(true, true, true, true)
	if out := a.run("nft", "list", "ruleset"); out != "" {
		t.Errorf("left:\n%s", out)
	}
}

// No report of a membership leaves by a VMAC that is to be quiet; others do.
func TestVMFirewallQuietsVMACs(t *testing.T) {
	a, b := pair(t, "v0", "w0", [2]string{"192.0.2.1/24", "192.0.2.2/24"}, [2]string{"fe80::1/64", "fe80::2/64"})
	f := a.firewall(FirewallOptions{Table: "keepalived", Priority: -1})
	links := []VirtualLink{vmac("quiet", 51), vmac("loud", 52)}
	links[0].IPv6, links[1].IPv6 = true, true
	if err := f.Apply(FirewallRules{Quiet: []string{"quiet"}}); err != nil {
		t.Fatal(err)
	}
	wire := b.frames("w0")
	if err := a.virtualLinks().Apply(DiffLinks(nil, links, nil)); err != nil {
		t.Fatal(err)
	}
	a.run("ip", "-6", "addr", "add", "fe80::51/64", "dev", "quiet", "nodad")
	a.run("ip", "-6", "addr", "add", "fe80::52/64", "dev", "loud", "nodad")
	for _, l := range links {
		for _, group := range []netip.Addr{group4, group6} {
			k := a.key(l.Name, group, group.Is6())
			k.From = l.MAC
			a.adverts(k)
		}
	}
	four, six := false, false
	deadline := time.After(20 * time.Second)
	for !four || !six {
		select {
		case frame := <-wire:
			if bytes.Equal(frame[6:12], links[0].MAC[:]) {
				t.Fatalf("left by the quiet one: %x", frame)
			}
			if loud := bytes.Equal(frame[6:12], links[1].MAC[:]); loud {
				four = four || frame[12] == 0x08 && frame[13] == 0 && frame[23] == 2
				six = six || frame[12] == 0x86 && bytes.Contains(frame[54:], []byte{icmpReport2, 0})
			}
		case <-deadline:
			t.Fatalf("the other's reports: IGMP %v, MLD %v", four, six)
		}
	}
}

// ipvlans are made as keepalived makes them, and adverts leave by them.
func TestVMIpvlan(t *testing.T) {
	a, b := pair(t, "v0", "w0", [2]string{"192.0.2.1/24", "192.0.2.2/24"}, [2]string{"fe80::1/64", "fe80::2/64"})
	v := a.virtualLinks()
	link := VirtualLink{Name: "vrrp.77", Parent: "v0", Kind: Ipvlan, Mode: Bridge, Group: 7, IPv4: true}
	if err := v.Apply([]LinkChange{{Add, link}}); err != nil {
		t.Fatal(err)
	}
	out := a.run("ip", "-d", "link", "show", "vrrp.77")
	if !strings.Contains(out, "ipvlan") || !strings.Contains(out, "mode l2 bridge") || !strings.Contains(out, "group 7") || !strings.Contains(out, ",UP") {
		t.Errorf("made:\n%s", out)
	}
	have, err := v.List()
	if err != nil {
		t.Fatal(err)
	}
	if d := DiffLinks(have, []VirtualLink{link}, []VirtualLink{link}); len(d) != 0 {
		t.Errorf("a second time: %v", d)
	}
	own := Address{Prefix: netip.MustParsePrefix("192.0.2.77/24"), Interface: "vrrp.77"}
	if err := a.addresses().Apply([]AddressChange{{Add, own}}); err != nil {
		t.Fatal(err)
	}
	state := a.link("vrrp.77")
	k := a.key("vrrp.77", group4, false)
	k.From = MAC(state.MAC)
	through, echo := a.adverts(k)
	back, onBase := a.adverts(a.key("v0", group4, false))
	peer, in := b.adverts(b.key("w0", group4, false))
	if err := through.Send(own.Prefix.Addr(), group4, 255, []byte{0x31, 77, 100, 0, 0, 100, 0, 0}); err != nil {
		t.Fatal(err)
	}
	if r := receive(t, in); r.Meta.Source != own.Prefix.Addr() || r.Payload[1] != 77 {
		t.Errorf("the peer got %+v", r)
	}
	if err := peer.Send(netip.MustParseAddr("192.0.2.2"), group4, 255, []byte{0x31, 78, 100, 0, 0, 100, 0, 0}); err != nil {
		t.Fatal(err)
	}
	if r := receive(t, onBase); r.Payload[1] != 78 || r.Interface != back.Key().Index {
		t.Errorf("the base got %+v", r)
	}
	noneOf(t, echo, "on the ipvlan")
	noneOf(t, onBase, "more on the base")
	if err := v.Apply(DiffLinks(have, nil, []VirtualLink{link})); err != nil {
		t.Fatal(err)
	}
}

// A VMAC is put into the VRF of its parent.
func TestVMVRF(t *testing.T) {
	n, _ := pair(t, "v0", "w0")
	n.run("ip", "link", "add", "red", "type", "vrf", "table", "10")
	n.run("ip", "link", "set", "red", "up")
	n.run("ip", "link", "set", "v0", "master", "red")
	v := n.virtualLinks()
	link := vmac("vrrp.51", 51)
	link.VRF = "red"
	if err := v.Apply([]LinkChange{{Add, link}}); err != nil {
		t.Fatal(err)
	}
	have, err := v.List()
	if err != nil {
		t.Fatal(err)
	}
	if d := DiffLinks(have, []VirtualLink{link}, []VirtualLink{link}); len(d) != 0 {
		t.Errorf("a second time: %v", d)
	}
	mpls := on("10.1.24.0/24", "v0")
	mpls.Table = 10
	mpls.Via.Encap = Encap{Type: EncapMPLS, Labels: []uint32{100, 200}}
	r := n.routes()
	if err := r.Apply([]RouteChange{{Add, mpls}}); err != nil {
		t.Fatal(err)
	}
	owned, err := r.Owned()
	if d := DiffRoutes(owned, []Route{mpls}); err != nil || len(d) != 0 {
		t.Errorf("MPLS: %v, %v", d, err)
	}
}

// An address of a link in a VRF is looked for in the table of the VRF: nobody waits
// for it to come into another. On a busy machine the kernel may need that long.
func TestVMVRFIPv6AddressIsReachable(t *testing.T) {
	n, _ := pair(t, "v0", "w0")
	n.run("ip", "link", "add", "red", "type", "vrf", "table", "10")
	n.run("ip", "link", "set", "red", "up")
	n.run("ip", "link", "set", "v0", "master", "red")
	table, asker := n.addresses(), n.addresses()
	index, err := asker.batch.conn.index("v0")
	if err != nil {
		t.Fatal(err)
	}
	const tries = 4
	for i := range tries {
		vip := netip.MustParsePrefix(fmt.Sprintf("fd00:9::10%d/64", i))
		began := time.Now()
		if err := table.Apply([]AddressChange{{Op: AddAddress, Address: Address{Prefix: vip, Interface: "v0", Flags: unix.IFA_F_NODAD}}}); err != nil {
			t.Fatal(err)
		}
		took := time.Since(began)
		local, err := asker.local(vip.Addr(), index)
		if err != nil {
			t.Fatal(err)
		}
		if took < busyLimit && local {
			return
		}
		t.Logf("%s: reachable %v after %v", vip, local, took)
	}
	t.Errorf("no address was there at once, of %d", tries)
}
