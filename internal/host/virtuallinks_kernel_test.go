//go:build kernel

package host

import (
	"encoding/json"
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// namespaced reads and writes settings in a namespace.
type namespaced struct{ n *testNS }

func (s namespaced) Read(names []string) (out map[string]string, err error) {
	err = s.n.try(func() error {
		out, err = NewSysctls().Read(names)
		return err
	})
	return out, err
}

func (s namespaced) Write(settings []Sysctl) error {
	return s.n.try(func() error { return NewSysctls().Write(settings) })
}

func (n *testNS) virtualLinks() *VirtualLinks {
	n.t.Helper()
	var v *VirtualLinks
	n.do(func() (err error) {
		v, err = NewVirtualLinks(namespaced{n})
		return err
	})
	n.t.Cleanup(func() { _ = v.Close() })
	return v
}

func TestKernelLinkTable(t *testing.T) {
	n, _ := pair(t, "v0", "x0")
	n.run("ip", "link", "add", "w0", "type", "veth", "peer", "name", "w1")
	testLinkTable(t, n.virtualLinks(), func(name string) { n.run("ip", "link", "del", name) })
}

// The kernel puts a VMAC upon a macvlan beside that, which is no reason to make it
// again and again.
func TestKernelVMACUponAMacvlan(t *testing.T) {
	n, _ := pair(t, "v0", "w0")
	n.run("ip", "link", "add", "link", "v0", "name", "mv0", "type", "macvlan", "mode", "bridge")
	v := n.virtualLinks()
	link := vmac("vrrp.51", 51)
	link.Parent = "mv0"
	for range 2 {
		if err := v.Apply([]LinkChange{{Add, link}}); err != nil {
			t.Fatal(err)
		}
	}
	have, err := v.List()
	if err != nil {
		t.Fatal(err)
	}
	if d := DiffLinks(have, []VirtualLink{link}, []VirtualLink{link}); len(d) != 0 {
		t.Errorf("a second time: %v", d)
	}
	if d := DiffLinks(have, nil, []VirtualLink{link}); len(d) != 1 {
		t.Errorf("at the end: %v", d)
	}
}

// settings is all there is below net/ipv4/conf and net/ipv6/conf, but for what
// no two namespaces share.
func (n *testNS) settings() map[string]string {
	n.t.Helper()
	out := map[string]string{}
	text := n.run("sh", "-c", "cd /proc/sys && grep -rs '' net/ipv4/conf net/ipv6/conf || true")
	for line := range strings.Lines(text) {
		name, value, _ := strings.Cut(strings.TrimSpace(line), ":")
		if !strings.HasSuffix(name, "stable_secret") {
			out[name] = value
		}
	}
	return out
}

// macvlans is what "ip -j -d link" shows of the macvlans.
func (n *testNS) macvlans() (out []string) {
	n.t.Helper()
	var links []map[string]any
	text := n.run("ip", "-j", "-d", "link", "show", "type", "macvlan")
	if err := json.Unmarshal([]byte(text), &links); err != nil {
		n.t.Fatalf("ip -j link: %v: %s", err, text)
	}
	for _, l := range links {
		delete(l, "ifindex")
		delete(l, "operstate") // UNKNOWN at first
		b, _ := json.Marshal(l)
		out = append(out, string(b))
	}
	slices.Sort(out)
	return out
}

// Links and settings are the same as keepalived's, and all are put back at the
// end, which keepalived's are not.
func TestKernelVMACsLikeKeepalived(t *testing.T) {
	config := `
vrrp_instance V4 {
 interface v0
 use_vmac
 state MASTER
 priority 255
 virtual_router_id 51
 virtual_ipaddress { 192.0.2.10 }
}
vrrp_instance V6 {
 interface v0
 use_vmac
 state MASTER
 priority 255
 version 3
 virtual_router_id 51
 virtual_ipaddress { fe80::99 }
}
vrrp_instance Named {
 interface v0
 use_vmac mine 02:11:22:33:44:55
 state MASTER
 priority 255
 virtual_router_id 52
 virtual_ipaddress { 192.0.2.20 }
}
vrrp_instance Plain {
 interface v1
 promote_secondaries
 state MASTER
 priority 255
 virtual_router_id 53
 virtual_ipaddress { 192.0.2.30 }
}
`
	prepared := func() *testNS {
		n, peer := pair(t, "v0", "w0", [2]string{"192.0.2.1/24", "192.0.2.2/24"}, [2]string{"fe80::1/64", "fe80::2/64"})
		cable(t, n, peer, "v1", "w1")
		n.run("ip", "addr", "add", "198.51.100.1/24", "dev", "v1")
		n.run("sysctl", "-qw", "net.ipv4.conf.all.rp_filter=1", "net.ipv4.conf.v1.rp_filter=2")
		return n
	}
	theirs := prepared()
	stop := theirs.keepalived(config)
	waitFor(t, "keepalived's VMACs", func() bool {
		out := theirs.run("ip", "addr")
		return strings.Contains(out, "192.0.2.20") && strings.Contains(out, "192.0.2.30") && strings.Contains(out, "fe80::99")
	})
	wantLinks, wantSettings := theirs.macvlans(), theirs.settings()
	stop()

	ours := prepared()
	before := ours.settings()
	v := ours.virtualLinks()
	links := []VirtualLink{
		vmac("vrrp.51", 51),
		{Name: "vrrp6.51", Parent: "v0", Kind: Macvlan, Mode: Private, MAC: VirtualMAC(51, true), IPv6: true},
		alter(vmac("mine", 0), func(l *VirtualLink) { l.MAC = MAC{0x02, 0x11, 0x22, 0x33, 0x44, 0x55} }),
	}
	sysctls := namespaced{ours}
	bases := []string{"v0", "v1"}
	plan := func(saved []SavedSysctl, want []Sysctl) SysctlPlan {
		t.Helper()
		names := RPFilterNames(bases)
		for _, s := range want {
			names = append(names, s.Name)
		}
		for _, s := range saved {
			names = append(names, s.Name)
		}
		have, err := sysctls.Read(names)
		if err != nil {
			t.Fatal(err)
		}
		if want != nil {
			want = append(want, RPFilterSysctls(have, saved, bases)...)
		}
		return PlanSysctls(have, want, saved)
	}
	wanted := append(VMACBaseSysctls("v0"), PromoteSecondariesSysctls("v1")...)
	made := plan(nil, wanted)
	if err := sysctls.Write(made.Changes); err != nil {
		t.Fatal(err)
	}
	if err := v.Apply(DiffLinks(nil, links, nil)); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(wantLinks, ours.macvlans()); diff != "" {
		t.Errorf("links (-keepalived +tandem):\n%s", diff)
	}
	// The filter of a VMAC of IPv6 does not matter, since it has no IPv4; newer
	// versions have it answer no ARP.
	got := ours.settings()
	for _, s := range []map[string]string{got, wantSettings} {
		maps.DeleteFunc(s, func(name, _ string) bool {
			return name == "net/ipv4/conf/vrrp6.51/rp_filter" || name == "net/ipv4/conf/vrrp6.51/arp_ignore"
		})
	}
	if diff := cmp.Diff(wantSettings, got); diff != "" {
		t.Errorf("settings (-keepalived +tandem):\n%s", diff)
	}
	if again := plan(made.After, wanted); len(again.Changes) != 0 {
		t.Errorf("changes the second time: %v", again.Changes)
	}

	have, err := v.List()
	if err != nil {
		t.Fatal(err)
	}
	if err := v.Apply(DiffLinks(have, nil, links)); err != nil {
		t.Fatal(err)
	}
	if err := sysctls.Write(plan(made.After, nil).Changes); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(before, ours.settings()); diff != "" {
		t.Errorf("put back (-before +after):\n%s", diff)
	}
	if left := ours.macvlans(); len(left) != 0 {
		t.Errorf("left behind: %v", left)
	}
}
