package host

import (
	"encoding/json"
	"errors"
	"net/netip"
	"os"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/sys/unix"
)

func vmac(name string, vrid uint8) VirtualLink {
	return VirtualLink{Name: name, Parent: "v0", Kind: Macvlan, Mode: Private, MAC: VirtualMAC(vrid, false), IPv4: true}
}

func up(l VirtualLink) LinkState { return LinkState{VirtualLink: l, Up: true} }

// testLinkTable is what any LinkTable does. The host has link v0, and w0 which is
// no virtual link.
func testLinkTable(t *testing.T, table LinkTable, lose func(name string)) {
	t.Helper()
	var ours []VirtualLink
	change := func(want ...VirtualLink) []LinkChange {
		t.Helper()
		have, err := table.List()
		if err != nil {
			t.Fatal(err)
		}
		changes := DiffLinks(have, want, ours)
		if err := table.Apply(changes); err != nil {
			t.Errorf("apply %v: %v", changes, err)
		}
		ours = want
		return changes
	}
	one, two := vmac("vrrp.51", 51), vmac("vrrp.52", 52)
	if n := len(change(one, two)); n != 2 {
		t.Errorf("%d changes make two links", n)
	}
	if changes := change(one, two); len(changes) != 0 {
		t.Errorf("a second time: %v", changes)
	}
	// What is there already, and what is gone already, are no errors.
	if err := table.Apply([]LinkChange{{Add, one}, {Remove, vmac("vrrp.99", 99)}}); err != nil {
		t.Error(err)
	}
	lose("vrrp.51")
	if changes := change(one, two); len(changes) != 1 || changes[0].Link != one {
		t.Errorf("after a loss: %v", changes)
	}
	other := alter(two, func(l *VirtualLink) { l.MAC = MAC{2, 1, 2, 3, 4, 5} })
	if changes := change(other); len(changes) != 3 {
		t.Errorf("one less, one another: %v", changes)
	}
	err := table.Apply([]LinkChange{{Add, vmac("w0", 51)}, {Add, alter(one, func(l *VirtualLink) { l.Parent = "nosuch" })}})
	var failed *LinkError
	if !errors.Is(err, ErrForeignLink) || !errors.Is(err, unix.ENODEV) || !errors.As(err, &failed) {
		t.Errorf("a taken name and a missing parent: %v", err)
	}
	change()
	have, err := table.List()
	if err != nil {
		t.Fatal(err)
	}
	for _, h := range have {
		if h.Kind == Macvlan {
			t.Errorf("left behind: %v", h)
		}
	}
}

func TestVirtualMAC(t *testing.T) {
	if got := VirtualMAC(51, false).String(); got != "00:00:5e:00:01:33" {
		t.Errorf("IPv4: %s", got)
	}
	if got := VirtualMAC(255, true).String(); got != "00:00:5e:00:02:ff" {
		t.Errorf("IPv6: %s", got)
	}
	for _, bad := range []string{`"00:00:5e:00:01"`, `"00:00:5e:00:01:33:44"`, `"0:0:5e:0:1:33"`, `""`} {
		var m MAC
		if err := json.Unmarshal([]byte(bad), &m); err == nil {
			t.Errorf("%s was read as %s", bad, m)
		}
	}
}

// Names as keepalived chooses them.
func TestNameVMAC(t *testing.T) {
	four, mine := vmac("", 51), vmac("mine", 51)
	six := alter(four, func(l *VirtualLink) { l.MAC, l.IPv4, l.IPv6 = VirtualMAC(51, true), false, true })
	is := func(name string, change func(*VirtualLink)) LinkState {
		l := vmac(name, 51)
		l.IPv4 = false
		return up(alter(l, change))
	}
	same := func(*VirtualLink) {}
	bridge := func(l *VirtualLink) { l.Mode = Bridge }
	veth := func(l *VirtualLink) { l.Kind, l.Mode = "veth", "" }
	tests := []struct {
		name  string
		link  VirtualLink
		host  []LinkState
		taken []string
		want  string
	}{
		{"IPv4", four, nil, nil, "vrrp.51"},
		{"IPv6 alone", six, nil, nil, "vrrp.51"},
		{"IPv6 beside IPv4", six, nil, []string{"vrrp.51"}, "vrrp6.51"},
		{"IPv6 twice beside IPv4", six, nil, []string{"vrrp.51", "vrrp6.51"}, "vrrp1.51"},
		{"IPv4 on a second base", four, nil, []string{"vrrp.51"}, "vrrp1.51"},
		{"IPv4 on a third", four, nil, []string{"vrrp.51", "vrrp1.51"}, "vrrp2.51"},
		{"one that a crash left", four, []LinkState{is("vrrp.51", same)}, nil, "vrrp.51"},
		{"one of another name", four, []LinkState{is("foo", same)}, nil, "foo"},
		{"one that another instance has", four, []LinkState{is("vrrp.51", same)}, []string{"vrrp.51"}, "vrrp1.51"},
		{"one of another mode", four, []LinkState{is("vrrp.51", bridge)}, nil, "vrrp1.51"},
		{"one of another address", four, []LinkState{is("vrrp.51", func(l *VirtualLink) { l.MAC = MAC{2} })}, nil, "vrrp1.51"},
		{"one of another kind", four, []LinkState{is("vrrp.51", veth)}, nil, "vrrp1.51"},
		{"configured", mine, nil, nil, "mine"},
		{"configured, there with another address", mine, []LinkState{is("mine", func(l *VirtualLink) { l.MAC = MAC{2} })}, nil, "mine"},
		{"configured, of another kind", mine, []LinkState{is("mine", veth)}, nil, "vrrp.51"},
	}
	for _, tt := range tests {
		if got := NameVMAC(tt.link, "vrrp", 51, tt.host, tt.taken); got != tt.want {
			t.Errorf("%s: %s, want %s", tt.name, got, tt.want)
		}
	}
}

func TestDiffLinks(t *testing.T) {
	one := vmac("vrrp.51", 51)
	kernel := alter(one, func(l *VirtualLink) { l.IPv4 = false })
	add, remove := "add macvlan vrrp.51 (00:00:5e:00:01:33) on v0", "remove macvlan vrrp.51 (00:00:5e:00:01:33) on v0"
	wrongMAC := alter(kernel, func(l *VirtualLink) { l.MAC = MAC{2} })
	bridge := alter(kernel, func(l *VirtualLink) { l.Mode = Bridge })
	tests := []struct {
		name       string
		have       []LinkState
		want, ours []VirtualLink
		out        []string
	}{
		{name: "nothing"},
		{"made", []LinkState{up(kernel)}, []VirtualLink{one}, []VirtualLink{one}, nil},
		{"missing", nil, []VirtualLink{one}, []VirtualLink{one}, []string{add}},
		{"down", []LinkState{{VirtualLink: kernel}}, []VirtualLink{one}, []VirtualLink{one}, []string{add}},
		{"adopted", []LinkState{up(kernel)}, []VirtualLink{one}, nil, []string{add}},
		{"no longer wanted", []LinkState{up(kernel)}, nil, []VirtualLink{one}, []string{remove}},
		{"never ours", []LinkState{up(kernel)}, nil, nil, nil},
		{"another of that name", []LinkState{up(bridge)}, nil, []VirtualLink{one}, nil},
		{"another address", []LinkState{up(wrongMAC)}, []VirtualLink{one}, nil, []string{"remove macvlan vrrp.51 (02:00:00:00:00:00) on v0", add}},
		{"another mode", []LinkState{up(bridge)}, []VirtualLink{one}, nil, []string{add}},
		{"the wanted changed", []LinkState{up(kernel)}, []VirtualLink{alter(one, func(l *VirtualLink) { l.Parent = "v1" })}, []VirtualLink{one},
			[]string{remove, "add macvlan vrrp.51 (00:00:5e:00:01:33) on v1"}},
		{"upon a macvlan", []LinkState{up(VirtualLink{Name: "v1", Parent: "v0", Kind: Macvlan, Mode: Bridge}), up(kernel)},
			[]VirtualLink{alter(one, func(l *VirtualLink) { l.Parent = "v1" })}, []VirtualLink{alter(one, func(l *VirtualLink) { l.Parent = "v1" })}, nil},
		{"ipvlan", []LinkState{up(VirtualLink{Name: "i", Parent: "v0", Kind: Ipvlan, Mode: Bridge, MAC: MAC{2}})},
			[]VirtualLink{{Name: "i", Parent: "v0", Kind: Ipvlan, Mode: Bridge}}, []VirtualLink{{Name: "i", Parent: "v0", Kind: Ipvlan, Mode: Bridge}}, nil},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			var got []string
			for _, c := range DiffLinks(tt.have, tt.want, tt.ours) {
				got = append(got, c.String())
			}
			if diff := cmp.Diff(tt.out, got); diff != "" {
				t.Errorf("changes (-want +got):\n%s", diff)
			}
		})
	}
}

func TestPlanSysctls(t *testing.T) {
	type settings = map[string]string
	tests := []struct {
		name  string
		have  settings
		want  []Sysctl
		saved []SavedSysctl
		plan  SysctlPlan
	}{
		{name: "nothing"},
		{"set", settings{"a": "0"}, []Sysctl{{"a", "1"}, {"a", "2"}}, nil,
			SysctlPlan{[]Sysctl{{"a", "1"}}, []SavedSysctl{{"a", "0", "1"}}, []SavedSysctl{{"a", "0", "1"}}}},
		{"as wanted before", settings{"a": "1"}, []Sysctl{{"a", "1"}}, nil, SysctlPlan{}},
		{"set already", settings{"a": "1"}, []Sysctl{{"a", "1"}}, []SavedSysctl{{"a", "0", "1"}},
			SysctlPlan{nil, []SavedSysctl{{"a", "0", "1"}}, []SavedSysctl{{"a", "0", "1"}}}},
		{"changed by others", settings{"a": "2"}, []Sysctl{{"a", "1"}}, []SavedSysctl{{"a", "0", "1"}},
			SysctlPlan{[]Sysctl{{"a", "1"}}, []SavedSysctl{{"a", "0", "1"}}, []SavedSysctl{{"a", "0", "1"}}}},
		{"wanted otherwise now", settings{"a": "1"}, []Sysctl{{"a", "2"}}, []SavedSysctl{{"a", "0", "1"}},
			SysctlPlan{[]Sysctl{{"a", "2"}}, []SavedSysctl{{"a", "0", "2"}}, []SavedSysctl{{"a", "0", "2"}}}},
		{"put back", settings{"a": "1"}, nil, []SavedSysctl{{"a", "0", "1"}},
			SysctlPlan{[]Sysctl{{"a", "0"}}, []SavedSysctl{{"a", "0", "1"}}, nil}},
		{"not put back, others changed it", settings{"a": "2"}, nil, []SavedSysctl{{"a", "0", "1"}}, SysctlPlan{}},
		{"not there", nil, []Sysctl{{"b", "1"}}, []SavedSysctl{{"a", "0", "1"}}, SysctlPlan{}},
	}
	for _, tt := range tests {
		if diff := cmp.Diff(tt.plan, PlanSysctls(tt.have, tt.want, tt.saved)); diff != "" {
			t.Errorf("%s (-want +got):\n%s", tt.name, diff)
		}
	}
}

// The effective filter of each link stays what it was, and planning again when
// the change is made finds nothing to do.
func TestRPFilterSysctls(t *testing.T) {
	const prefix = "net/ipv4/conf/"
	have := map[string]string{prefix + "all/rp_filter": "1", prefix + "default/rp_filter": "0", prefix + "v0/rp_filter": "0", prefix + "v1/rp_filter": "2"}
	links := []string{"v0", "v1"}
	want := []Sysctl{{prefix + "all/rp_filter", "0"}, {prefix + "default/rp_filter", "1"}, {prefix + "v0/rp_filter", "1"}, {prefix + "v1/rp_filter", "2"}}
	first := RPFilterSysctls(have, nil, links)
	if diff := cmp.Diff(want, first); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	plan := PlanSysctls(have, first, nil)
	for _, c := range plan.Changes {
		have[c.Name] = c.Value
	}
	again := RPFilterSysctls(have, plan.After, links)
	if diff := cmp.Diff(want, again); diff != "" {
		t.Errorf("the second time (-want +got):\n%s", diff)
	}
	if plan := PlanSysctls(have, again, plan.After); len(plan.Changes) != 0 {
		t.Errorf("changes the second time: %v", plan.Changes)
	}
	for _, c := range PlanSysctls(have, nil, plan.After).Changes {
		have[c.Name] = c.Value
	}
	if have[prefix+"all/rp_filter"] != "1" || have[prefix+"v0/rp_filter"] != "0" || have[prefix+"default/rp_filter"] != "0" || have[prefix+"v1/rp_filter"] != "2" {
		t.Errorf("put back: %v", have)
	}
	have[prefix+"all/rp_filter"] = "0"
	if s := RPFilterSysctls(have, nil, links); s != nil {
		t.Errorf("where no filter is for all: %v", s)
	}
}

func TestSysctlFiles(t *testing.T) {
	s := Sysctls{root: t.TempDir()}
	if err := os.MkdirAll(filepath.Join(s.root, "net", "x"), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(s.root, "net", "x", "a"), []byte("7\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	if got, err := s.Read([]string{"net/x/a", "net/y/a"}); err != nil || !cmp.Equal(got, map[string]string{"net/x/a": "7"}) {
		t.Errorf("read %v, %v", got, err)
	}
	if err := s.Write([]Sysctl{{"net/x/a", "8"}, {"net/y/a", "1"}}); err != nil {
		t.Error(err)
	}
	if got, _ := s.Read([]string{"net/x/a"}); got["net/x/a"] != "8" {
		t.Errorf("after writing: %v", got)
	}
	if _, err := os.Stat(filepath.Join(s.root, "net", "y")); err == nil {
		t.Error("a setting that does not exist was made")
	}
	// A record may not lead elsewhere.
	if err := s.Write([]Sysctl{{"../escape", "1"}}); err == nil {
		t.Error("a name outside was accepted")
	}
	if _, err := s.Read([]string{"/etc/passwd"}); err == nil {
		t.Error("an absolute name was accepted")
	}
}

func TestLinkLocal(t *testing.T) {
	base := Link{Addresses: []netip.Prefix{netip.MustParsePrefix("2001:db8::1/64"), netip.MustParsePrefix("fe80::99/128"), netip.MustParsePrefix("fe80::1/64")}}
	ours := func(a netip.Addr) bool { return a == netip.MustParseAddr("fe80::99") }
	want := Address{Prefix: netip.MustParsePrefix("fe80::1/64"), Interface: "vrrp.51", Flags: unix.IFA_F_NODAD, Deprecated: true}
	if a, ok := LinkLocal(base, "vrrp.51", ours); !ok || a != want {
		t.Errorf("%v, %v", a, ok)
	}
	if _, ok := LinkLocal(Link{}, "vrrp.51", nil); ok {
		t.Error("one of a base that has none")
	}
}

// Which addresses keepalived announces by garp_extra_if.
func TestExtraAnnouncements(t *testing.T) {
	addr := func(prefix, link string) Address {
		return Address{Prefix: netip.MustParsePrefix(prefix), Interface: link}
	}
	first, second := addr("192.0.2.12/24", "v1"), addr("192.0.2.13/24", "vrrp1.51")
	all := []Address{
		addr("192.0.2.10/32", "vrrp.51"), addr("192.0.2.11/24", "vrrp.51"), first, addr("192.0.2.14/24", "v1"),
		second, addr("192.0.2.15/24", "vrrp1.51"),
	}
	got := ExtraAnnouncements("vrrp.51", all, func(link string) bool { return link == "vrrp1.51" })
	if diff := cmp.Diff([]Address{second}, got, compareNetip); diff != "" {
		t.Errorf("VMACs alone (-want +got):\n%s", diff)
	}
	got = ExtraAnnouncements("vrrp.51", all, func(string) bool { return true })
	if diff := cmp.Diff([]Address{first, second}, got, compareNetip); diff != "" {
		t.Errorf("all (-want +got):\n%s", diff)
	}
}
