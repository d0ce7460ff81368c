package desired

import (
	"net/netip"
	"reflect"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/tandem-ha/tandem/config"
	"github.com/tandem-ha/tandem/internal/bfd"
	"github.com/tandem-ha/tandem/internal/host"
	"github.com/tandem-ha/tandem/internal/track"
	"github.com/tandem-ha/tandem/vrrp"
)

// TestRouterHasAllOfItsInstance changes one thing of an instance at a time, and what
// must follow from it in the machine.
func TestRouterHasAllOfItsInstance(t *testing.T) {
	compare := cmp.Comparer(func(a, b netip.Addr) bool { return a == b })
	for name, c := range map[string]struct {
		conf func(*config.Instance)
		want func(*vrrp.Config)
	}{
		"nothing": {func(*config.Instance) {}, func(*vrrp.Config) {}},
		"auth_type PASS": {func(in *config.Instance) { in.AuthType, in.AuthPass = "PASS", "secret" },
			func(c *vrrp.Config) { c.Auth = vrrp.Auth{Type: vrrp.AuthPassword, Password: []byte("secret")} }},
		"auth_type AH": {func(in *config.Instance) { in.AuthType, in.AuthPass = "AH", "secret" },
			func(c *vrrp.Config) { c.Auth = vrrp.Auth{Type: vrrp.AuthAH, Password: []byte("secret")} }},
		"auth_hmac": {func(in *config.Instance) {
			in.HMAC = &config.HMAC{Keys: []config.HMACKey{{ID: 3, Secret: []byte("three")}, {ID: 4, Secret: []byte("four")}},
				Active: 4, Mode: "permissive", Monotonic: true, Window: 7 * time.Second}
		}, func(c *vrrp.Config) {
			c.HMAC = &vrrp.HMAC{Keys: []vrrp.HMACKey{{ID: 3, Secret: []byte("three")}, {ID: 4, Secret: []byte("four")}},
				Active: 4, Mode: vrrp.HMACPermissive, Monotonic: true, Window: 7 * time.Second}
		}},
		"takeover_requires":        {func(in *config.Instance) { in.Takeover = &config.Takeover{} }, func(c *vrrp.Config) { c.Conditional = true }},
		"takeover_requires, offer": {func(in *config.Instance) { in.Takeover = &config.Takeover{Offer: true} }, func(c *vrrp.Config) { c.Conditional, c.OfferIneligible = true, true }},
		"damping": {func(in *config.Instance) {
			in.Damping = &config.Damping{Flaps: 3, Window: time.Minute, Hold: time.Hour}
		}, func(c *vrrp.Config) { c.Damping = vrrp.Damping{Flaps: 3, Window: time.Minute, Hold: time.Hour} }},
		"unicast": {func(in *config.Instance) {
			in.Peers = []config.UnicastPeer{{Addr: ip("192.0.2.2"), MinTTL: 9, MaxTTL: 10}}
		},
			func(c *vrrp.Config) {
				c.Unicast, c.Peers = true, []vrrp.Peer{{Addr: ip("192.0.2.2"), MinTTL: 9, MaxTTL: 10}}
			}},
		"use_vmac":                 {func(in *config.Instance) { in.VMAC = &config.VMAC{} }, func(c *vrrp.Config) { c.SharedMAC = true }},
		"use_vmac, vmac_xmit_base": {func(in *config.Instance) { in.VMAC, in.XmitBase = &config.VMAC{}, true }, func(*vrrp.Config) {}},
	} {
		want := Router(config.Global{}, instance())
		c.want(&want)
		in := instance()
		c.conf(in)
		if d := cmp.Diff(want, Router(config.Global{}, in), compare); d != "" {
			t.Errorf("%s (-want +got):\n%s", name, d)
		}
	}
}

// A link of its own makes another router of an instance.
func TestARouterIsItsLink(t *testing.T) {
	vmac, ipvlan := instance(), instance()
	vmac.VMAC, ipvlan.IPVLAN = &config.VMAC{}, &config.IPVLAN{}
	keys := []RouterKey{KeyOf(instance()), KeyOf(vmac), KeyOf(ipvlan)}
	if keys[0] == keys[1] || keys[1] == keys[2] || keys[0] == keys[2] {
		t.Errorf("alike: %+v", keys)
	}
}

// promote_secondaries is for the interfaces that an instance's addresses are on itself,
// each once.
func TestPromoted(t *testing.T) {
	on := func(link string, change func(*config.Instance)) *config.Instance {
		in := &config.Instance{Interface: link, PromoteSecondaries: true}
		change(in)
		return in
	}
	same := func(*config.Instance) {}
	got := Promoted(&config.Config{Instances: []*config.Instance{
		on("eth0", same), on("eth1", func(in *config.Instance) { in.PromoteSecondaries = false }),
		on("eth2", func(in *config.Instance) { in.VMAC = &config.VMAC{} }), on("", same), on("eth0", same), on("eth3", same),
	}})
	if want := []string{"eth0", "eth3"}; !slices.Equal(got, want) {
		t.Errorf("promoted on %q, want %q", got, want)
	}
}

// A sync group's trackers of every kind are its members'; those of another are not.
func TestTrackersOfEveryKindJoinTheGroups(t *testing.T) {
	of := func(who, what string) []config.Track {
		return []config.Track{{Name: who + what, Weight: -5, Reverse: true}}
	}
	in := &config.Instance{Name: "VI_1", Interface: "eth0", VMAC: &config.VMAC{Name: "vrrp.51", MAC: []byte{0, 0, 0x5e, 0, 1, 51}},
		TrackScripts: of("own", "s"), TrackInterfaces: of("own", "i"), TrackFiles: of("own", "f"), TrackProcesses: of("own", "p"), TrackBFD: of("own", "b")}
	group := func(name, member string) *config.SyncGroup {
		return &config.SyncGroup{Name: name, Members: []string{member},
			TrackScripts: of(name, "s"), TrackInterfaces: of(name, "i"), TrackFiles: of(name, "f"), TrackProcesses: of(name, "p"), TrackBFD: of(name, "b")}
	}
	got := TrackersOf(&config.Config{SyncGroups: []*config.SyncGroup{group("G", "VI_1"), group("H", "VI_2")}}, in)
	both := func(what string) []config.Track { return append(of("own", what), of("G", what)...) }
	want := Trackers{Scripts: both("s"), Interfaces: both("i"), Files: both("f"), Processes: both("p"), BFD: both("b")}
	if d := cmp.Diff(want, got); d != "" {
		t.Errorf("(-want +got):\n%s", d)
	}
	for kind, list := range map[track.Kind][]config.Track{track.KindScript: got.Scripts, track.KindInterface: got.Interfaces,
		track.KindFile: got.Files, track.KindProcess: got.Processes, track.KindBFD: got.BFD} {
		if d := cmp.Diff(list, got.ByKind()[kind]); d != "" {
			t.Errorf("%v (-want +got):\n%s", kind, d)
		}
	}
	got.Interfaces = append(got.Interfaces, config.Track{Name: "owni"})
	if links := Links(in, got); !slices.Equal(links, []string{"eth0", "vrrp.51", "owni", "Gi"}) {
		t.Errorf("links %q", links)
	}
}

// An instance depends on the interfaces that it serves on whatever weight they are
// given, its own or its group's, as keepalived has it; where it asks for the opposite
// itself it has that.
func TestTheInterfacesServedAreTrackedWithoutWeight(t *testing.T) {
	for name, c := range map[string]struct {
		own, group config.Track
		noTrack    bool
		want       config.Track
	}{
		"a weight":                   {own: config.Track{Name: "eth1", Weight: -5}, want: config.Track{Name: "eth1"}},
		"a weight in reverse":        {own: config.Track{Name: "eth1", Weight: 5, Reverse: true}, want: config.Track{Name: "eth1"}},
		"the group's weight":         {group: config.Track{Name: "eth1", Weight: 7}, want: config.Track{Name: "eth1"}},
		"the group's in reverse":     {group: config.Track{Name: "eth1", Reverse: true}, want: config.Track{Name: "eth1"}},
		"the opposite":               {own: config.Track{Name: "eth1", Reverse: true}, want: config.Track{Name: "eth1", Reverse: true}},
		"no_track leaves the weight": {own: config.Track{Name: "eth1", Weight: -5}, noTrack: true, want: config.Track{Name: "eth1", Weight: -5}},
	} {
		in := &config.Instance{Name: "VI_1", Interface: "eth0", Routes: []config.Route{{Hop: config.NextHop{Interface: "eth1"}, NoTrack: c.noTrack}}}
		cfg := &config.Config{Instances: []*config.Instance{in}, SyncGroups: []*config.SyncGroup{{Name: "G", Members: []string{"VI_1"}}}}
		if c.own.Name != "" {
			in.TrackInterfaces = []config.Track{c.own}
		}
		if c.group.Name != "" {
			cfg.SyncGroups[0].TrackInterfaces = []config.Track{c.group}
		}
		if d := cmp.Diff([]config.Track{c.want}, TrackersOf(cfg, in).Interfaces); d != "" {
			t.Errorf("%s (-want +got):\n%s", name, d)
		}
		if c.own.Weight != 0 && in.TrackInterfaces[0] != c.own {
			t.Errorf("%s: the configuration is changed", name)
		}
	}
}

// A script runs where something tracks it, an instance itself or its group.
func TestTrackedScripts(t *testing.T) {
	named := func(names ...string) (list []config.Track) {
		for _, n := range names {
			list = append(list, config.Track{Name: n})
		}
		return list
	}
	cfg := &config.Config{
		Instances: []*config.Instance{{Name: "A", TrackScripts: named("own", "both")}, {Name: "B", TrackScripts: named("both")}},
		SyncGroups: []*config.SyncGroup{
			{Name: "G", Members: []string{"B"}, TrackScripts: named("groups")},
			{Name: "H", Members: []string{"C"}, TrackScripts: named("nobodys")},
		},
	}
	for _, n := range []string{"nobodys", "groups", "unused", "both", "own"} {
		cfg.Scripts = append(cfg.Scripts, &config.Script{Name: n})
	}
	var got []string
	for _, s := range TrackedScripts(cfg) {
		got = append(got, s.Name)
	}
	if want := []string{"groups", "both", "own"}; !slices.Equal(got, want) {
		t.Errorf("run are %q, want %q", got, want)
	}
}

// What is tracked has all of its block.
func TestTrackedHasAllOfItsBlock(t *testing.T) {
	cfg := &config.Config{
		TrackFiles: []*config.TrackFile{{Name: "f", Path: "/f", Init: true, Overwrite: true, InitValue: 7}},
		TrackProcesses: []*config.TrackProcess{{Name: "p", Process: "/bin/p", Params: []string{"a"}, FullCommand: true, Match: "initial",
			Quorum: 2, QuorumMax: 4, ForkDelay: time.Second, TerminateDelay: time.Minute}},
		BFD: []*config.BFDSession{{Name: "b", Neighbour: ip("192.0.2.2"), Source: ip("192.0.2.1"), MinRx: 1, MinTx: 2, IdleTx: 3, Multiplier: 4,
			Passive: true, TTL: 5, MaxHops: 6, Multihop: true}},
	}
	files := []track.FileConfig{{Name: "f", Path: "/f", Init: true, Overwrite: true, InitValue: 7}}
	processes := []track.ProcessConfig{{Name: "p", Process: "/bin/p", Params: []string{"a"}, FullCommand: true, Match: "initial",
		Quorum: 2, QuorumMax: 4, ForkDelay: time.Second, TerminateDelay: time.Minute}}
	peerings := []bfd.Peering{{Config: bfd.Config{Name: "b", MinRx: 1, MinTx: 2, IdleTx: 3, Multiplier: 4, Passive: true},
		Neighbour: ip("192.0.2.2"), Source: ip("192.0.2.1"), TTL: 5, MaxHops: 6, Multihop: true}}
	addr := cmp.Comparer(func(a, b netip.Addr) bool { return a == b })
	for _, d := range []string{cmp.Diff(files, Files(cfg)), cmp.Diff(processes, Processes(cfg)), cmp.Diff(peerings, Peerings(cfg), addr)} {
		if d != "" {
			t.Errorf("(-want +got):\n%s", d)
		}
	}
}

// What the links of virtual routers are called, are made upon, send from and need of the
// kernel.
func TestCarriers(t *testing.T) {
	link := func(name, parent string, kind host.LinkKind, vrid uint8, ipv4 bool) Carrier {
		c := Carrier{Link: host.VirtualLink{Name: name, Parent: parent, Kind: kind, IPv4: ipv4, IPv6: !ipv4}}
		if kind == host.Macvlan {
			c.Link.MAC = host.VirtualMAC(vrid, false)
		}
		return c
	}
	four, again := link("vrrp.51", "eth0", host.Macvlan, 51, true), link("vrrp1.51", "eth1", host.Macvlan, 51, true)
	six, flat := link("vrrp.52", "eth0", host.Macvlan, 52, false), link("vrrp.53", "eth0", host.Ipvlan, 53, true)
	have := []host.LinkState{{VirtualLink: host.VirtualLink{Name: "lo"}}, {VirtualLink: host.VirtualLink{Name: "eth0"}}, {VirtualLink: host.VirtualLink{Name: "eth1"}}, {VirtualLink: four.Link}}
	all := Placement{Carriers: []Carrier{four, again, six, flat}}
	names, own := all.VMACs()
	if !slices.Equal(names, []string{"vrrp.51", "vrrp1.51", "vrrp.52"}) || !slices.Equal(own, []host.MAC{host.VirtualMAC(51, false), host.VirtualMAC(52, false)}) {
		t.Errorf("VMACs %q of %v", names, own)
	}
	if p := all.Parents(); len(p) != 4 || p["vrrp1.51"] != "eth1" || p["vrrp.53"] != "eth0" {
		t.Errorf("parents %v", p)
	}
	for i, want := range []bool{false, false, true, false} {
		if got := all.Carriers[i].LinkLocal(); got != want {
			t.Errorf("%s has its parent's link-local address: %v, want %v", all.Carriers[i].Link.Name, got, want)
		}
	}
	for name, c := range map[string]struct {
		carriers  []Carrier
		settings  []host.Sysctl
		filtering []string
	}{
		"a VMAC of IPv4":       {[]Carrier{four}, host.VMACBaseSysctls("eth0"), []string{"eth0", "eth1"}},
		"of IPv6, or ipvlan":   {[]Carrier{six, flat}, nil, nil},
		"beside one of IPv6":   {[]Carrier{six, four}, host.VMACBaseSysctls("eth0"), []string{"eth0", "eth1"}},
		"on two, of both sort": {[]Carrier{four, again, flat}, slices.Concat(host.VMACBaseSysctls("eth0"), host.VMACBaseSysctls("eth1")), []string{"eth0", "eth1"}},
	} {
		settings, filtering := CarrierSettings(c.carriers, have)
		if !slices.Equal(settings, c.settings) || !slices.Equal(filtering, c.filtering) || (filtering == nil) != (c.filtering == nil) {
			t.Errorf("%s: %v, filtering stays on %q", name, settings, filtering)
		}
	}
}

// What a name is given to is called by it, whoever comes first, and nothing else is.
func TestGivenNamesAreNobodyElses(t *testing.T) {
	vmac := &config.Instance{Name: "A", VRID: 51, Interface: "eth0", VMAC: &config.VMAC{}}
	flat := &config.Instance{Name: "B", VRID: 52, Interface: "eth0", IPVLAN: &config.IPVLAN{Name: "vrrp.51", Mode: "bridge", Address: netip.MustParsePrefix("192.0.2.9/24")}}
	cfg := &config.Config{Global: config.Global{VMACPrefix: "vrrp"}, Instances: []*config.Instance{vmac, flat}}
	p := Place(cfg, nil)
	if a, b := p.Carriers[0].Link.Name, p.Carriers[1].Link.Name; a == "vrrp.51" || b != "vrrp.51" {
		t.Errorf("called %s and %s, want the second vrrp.51", a, b)
	}
	if name, _ := OwnLink(p.Config.Instances[1]); name != "vrrp.51" {
		t.Errorf("B sends from %q", name)
	}
	if vmac.VMAC.Name != "" || cfg.Instances[0] != vmac {
		t.Error("the configuration that was given is changed")
	}
}

// What a route may have besides: several next hops, and the other words of its settings.
func TestRouteCorners(t *testing.T) {
	yes := true
	got := Route(config.Route{
		Type: "unicast", Destination: netip.MustParsePrefix("10.0.0.0/8"), Scope: 0, PropagateTTL: "enabled", Mode: "add",
		NextHops: []config.NextHop{{Via: ip("192.0.2.1"), Interface: "eth0", Weight: 3}, {Via: ip("192.0.2.2"), Interface: "eth1", Weight: 5, OnLink: true}},
		Metrics:  config.RouteMetrics{NoCookie: &yes},
	})
	hops := []host.NextHop{{Hop: host.Hop{Gateway: ip("192.0.2.1"), Interface: "eth0"}, Weight: 3}, {Hop: host.Hop{Gateway: ip("192.0.2.2"), Interface: "eth1", OnLink: true}, Weight: 5}}
	if !reflect.DeepEqual(got.NextHops, hops) || got.TTLPropagate != (host.Setting{Set: true, Value: 1}) || got.Mode != host.Only ||
		got.Metrics.FastOpenNoCookie != 1 || got.Metrics.QuickAck != 0 || got.Metrics.Features != 0 {
		t.Errorf("%+v", got)
	}
	if m := Rule(config.Rule{FWMark: 5, SuppressGroup: -1, SuppressPrefixLength: -1}); m.Mark != 0 || m.Mask != 0 || m.SuppressGroup.Set || m.SuppressPrefix.Set {
		t.Errorf("a rule without a mark, %+v", m)
	}
}
