package desired

import (
	"errors"
	"net/netip"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/sys/unix"

	"github.com/tandem-ha/tandem/config"
	"github.com/tandem-ha/tandem/health"
	"github.com/tandem-ha/tandem/internal/host"
	"github.com/tandem-ha/tandem/ipvs"
	"github.com/tandem-ha/tandem/vrrp"
)

var ip = netip.MustParseAddr

func prefixes(list ...string) []netip.Prefix {
	var out []netip.Prefix
	for _, p := range list {
		out = append(out, netip.MustParsePrefix(p))
	}
	return out
}

func instance() *config.Instance {
	return &config.Instance{
		Name: "VI_1", Interface: "eth0", VRID: 51, Version: 3, Priority: 100, AdvertInterval: time.Second,
		DownTimerAdverts: 3, Group: ip("224.0.0.18"), TrackPrimary: true,
		Addresses: []config.Address{{Prefix: netip.MustParsePrefix("192.0.2.10/24"), Interface: "eth0"}},
		Excluded: []config.Address{
			{Prefix: netip.MustParsePrefix("2001:db8::10/64"), Interface: "eth1", NoDAD: true, Deprecated: true},
			{Prefix: netip.MustParsePrefix("2001:db8::11/64"), Interface: "eth2", NoTrack: true},
		},
	}
}

// unicastFrom makes an instance send to a peer from an address.
func unicastFrom(source string) func(*config.Instance) {
	return func(in *config.Instance) {
		in.Source, in.Peers = ip(source), []config.UnicastPeer{{Addr: ip("192.0.2.2")}}
	}
}

func TestLinkState(t *testing.T) {
	up := host.Link{Name: "eth0", Index: 2, Up: true, Multicast: true, Addresses: prefixes("192.0.2.10/32", "192.0.2.1/24")}
	vip := func(a netip.Addr) bool { return a == ip("192.0.2.10") }
	for _, c := range []struct {
		name   string
		conf   func(*config.Instance)
		link   func(*host.Link) *host.Link
		up     bool
		source string
		cause  string
	}{
		{"all is well, and a VIP is never the source", nil, nil, true, "192.0.2.1", ""},
		{"missing", nil, func(*host.Link) *host.Link { return nil }, false, "", "interface eth0 missing"},
		{"down", nil, func(l *host.Link) *host.Link { l.Up = false; return l }, false, "192.0.2.1", "interface eth0 down"},
		{"down, of an instance without an interface", func(in *config.Instance) { in.Interface, in.Source = "", ip("192.0.2.1") },
			func(l *host.Link) *host.Link { l.Up = false; return l }, false, "192.0.2.1", "interface eth0 down"},
		{"on no interface", func(in *config.Instance) { in.Interface, in.Source = "", ip("192.0.2.1") },
			func(*host.Link) *host.Link { return nil }, false, "", "source address 192.0.2.1 is on no interface"},
		{"on no interface of the VRF", func(in *config.Instance) { in.Interface, in.VRF, in.Source = "", "red", ip("192.0.2.1") },
			func(*host.Link) *host.Link { return nil }, false, "", "source address 192.0.2.1 is on no interface of VRF red"},
		{"down, dont_track_primary", func(in *config.Instance) { in.TrackPrimary = false },
			func(l *host.Link) *host.Link { l.Up = false; return l }, true, "192.0.2.1", ""},
		{"without multicast", nil, func(l *host.Link) *host.Link { l.Multicast = false; return l }, false, "192.0.2.1", "interface eth0 has no multicast"},
		{"without multicast, unicast", func(in *config.Instance) { in.Peers = []config.UnicastPeer{{Addr: ip("192.0.2.2")}} },
			func(l *host.Link) *host.Link { l.Multicast = false; return l }, true, "192.0.2.1", ""},
		{"unicast without a peer, unicast_fault_no_peer", func(in *config.Instance) { in.FaultWithoutPeer = true }, nil,
			false, "192.0.2.1", "unicast is asked for without a peer"},
		{"an ipvlan without an address of its own", func(in *config.Instance) { in.IPVLAN = &config.IPVLAN{Mode: "bridge"} }, nil,
			false, "192.0.2.1", "use_ipvlan has no address to send from"},
		{"without an address", nil, func(l *host.Link) *host.Link { l.Addresses = prefixes("192.0.2.10/32"); return l },
			false, "", "no IPv4 address for interface"},
		{"a source of its own, wherever it is", func(in *config.Instance) { in.Source = ip("198.51.100.1") }, nil, true, "198.51.100.1", ""},
		{"a source of its own, unicast, on the link", unicastFrom("192.0.2.1"), nil, true, "192.0.2.1", ""},
		{"a source of its own, unicast, on another link", unicastFrom("203.0.113.1"), nil, true, "203.0.113.1", ""},
		{"a source of its own, unicast, that nobody can send to", unicastFrom("198.51.100.1"), nil,
			false, "", "source address 198.51.100.1 is on no interface"},
		{"a source of its own that is tracked", func(in *config.Instance) { in.Source, in.TrackSource = ip("198.51.100.1"), true }, nil,
			false, "", "src address not configured"},
	} {
		t.Run(c.name, func(t *testing.T) {
			in, l := instance(), up
			l.Addresses = slices.Clone(up.Addresses)
			if c.conf != nil {
				c.conf(in)
			}
			link := &l
			if c.link != nil {
				link = c.link(link)
			}
			want := vrrp.LinkState{Up: c.up, Cause: c.cause}
			if c.source != "" {
				want.Source = ip(c.source)
			}
			here := func(a netip.Addr) bool { return a == ip("203.0.113.1") }
			if got := LinkState(in, link, vip, here); got != want {
				t.Errorf("got %+v, want %+v", got, want)
			}
		})
	}
}

func TestAddresses(t *testing.T) {
	in := instance()
	got := Addresses(in, func(a netip.Addr) bool { return a != ip("2001:db8::11") })
	want := []host.Address{
		{Prefix: netip.MustParsePrefix("192.0.2.10/24"), Interface: "eth0"},
		{Prefix: netip.MustParsePrefix("2001:db8::10/64"), Interface: "eth1", Flags: unix.IFA_F_NODAD, Deprecated: true},
	}
	if diff := cmp.Diff(want, got, cmp.Comparer(func(a, b netip.Prefix) bool { return a == b }), cmp.Comparer(func(a, b netip.Addr) bool { return a == b })); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}
	r := Router(config.Global{}, in)
	if !slices.Equal(r.Detecting, []netip.Addr{ip("2001:db8::11")}) {
		t.Errorf("under duplicate detection: %v, want the one IPv6 address without nodad", r.Detecting)
	}
	if len(r.Addresses) != 1 || len(r.Excluded) != 2 {
		t.Errorf("the router has %v and %v", r.Addresses, r.Excluded)
	}
}

func TestTrackersJoinTheGroupsAndTheAddressesInterfaces(t *testing.T) {
	in := instance()
	in.TrackScripts = []config.Track{{Name: "own"}}
	cfg := &config.Config{Instances: []*config.Instance{in}, SyncGroups: []*config.SyncGroup{
		{Name: "G", Members: []string{"VI_1"}, TrackScripts: []config.Track{{Name: "groups"}}, TrackInterfaces: []config.Track{{Name: "eth9", Weight: 5}}},
		{Name: "H", Members: []string{"VI_2"}, TrackScripts: []config.Track{{Name: "others"}}},
	}}
	got := TrackersOf(cfg, in)
	want := Trackers{
		Scripts:    []config.Track{{Name: "own"}, {Name: "groups"}},
		Interfaces: []config.Track{{Name: "eth9", Weight: 5}, {Name: "eth1"}},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}
	if links := Links(in, got); !slices.Equal(links, []string{"eth0", "eth9", "eth1"}) {
		t.Errorf("links %v", links)
	}
}

func TestARouterIsWhatItIsAndNotItsName(t *testing.T) {
	a, b := instance(), instance()
	b.Name, b.Priority, b.Version = "OTHER", 7, 2
	if KeyOf(a) != KeyOf(b) {
		t.Error("a name or a version makes another router of it")
	}
	for what, change := range map[string]func(*config.Instance){
		"interface": func(in *config.Instance) { in.Interface = "eth1" },
		"VRID":      func(in *config.Instance) { in.VRID++ },
		"family":    func(in *config.Instance) { in.IPv6 = true },
		"group":     func(in *config.Instance) { in.Group = ip("224.0.0.19") },
		"mode":      func(in *config.Instance) { in.Peers = []config.UnicastPeer{{Addr: ip("192.0.2.2")}} },
	} {
		c := instance()
		change(c)
		if KeyOf(a) == KeyOf(c) {
			t.Errorf("another %s is the same router", what)
		}
	}
	unicast := func(iface, vrf string) *config.Instance {
		in := instance()
		in.Interface, in.VRF, in.Source = iface, vrf, ip("192.0.2.1")
		in.Peers = []config.UnicastPeer{{Addr: ip("192.0.2.2")}}
		return in
	}
	if KeyOf(unicast("", "red")) == KeyOf(unicast("", "blue")) {
		t.Error("another VRF is the same router")
	}
	if KeyOf(unicast("eth0", "red")) != KeyOf(unicast("eth0", "")) {
		t.Error("a VRF counts beside an interface")
	}
}

func services() *config.Config {
	return &config.Config{VirtualServers: []*config.VirtualServer{
		{
			Name: "[192.0.2.10]:tcp:80", Addr: ip("192.0.2.10"), Port: 80, Protocol: "TCP", Scheduler: "wlc", PersistenceNetmask: 32,
			PersistenceTimeout: 300 * time.Second, Forwarding: config.Forwarding{Method: "NAT"},
			RealServers: []*config.RealServer{{Addr: ip("10.0.0.1"), Port: 8080, Weight: 3, UpperThreshold: 9,
				Forwarding: config.Forwarding{Method: "TUN", TunnelType: "gue", TunnelPort: 6080, Checksum: "csum"}}},
			Sorry: &config.SorryServer{Addr: ip("10.0.0.9"), Port: 80, Forwarding: config.Forwarding{Method: "DR"}},
		},
		{Name: "FWM 3", FWMark: 3, IPv6: true, Scheduler: "rr", PersistenceNetmask: 128, FollowInstance: "VI_1"},
	}}
}

func TestTable(t *testing.T) {
	pools := map[string]health.Pool{"[192.0.2.10]:tcp:80": {
		{Addr: ip("10.0.0.1"), Port: 8080, Weight: 2},
		{Addr: ip("10.0.0.9"), Port: 80, Weight: 1, Sorry: true},
	}}
	web := ipvs.ServiceKey{Protocol: unix.IPPROTO_TCP, Addr: ip("192.0.2.10"), Port: 80}
	mark := ipvs.ServiceKey{FWMark: 3, IPv6: true}
	got := Table(services().VirtualServers, pools, func(string) bool { return false })
	if _, there := got[mark]; there || len(got) != 1 {
		t.Fatalf("services %v, want the one that follows an instance out while this node is not master", got.Keys())
	}
	e := got[web]
	if e.Flags != ipvs.FlagPersistent || e.Timeout != 300*time.Second || e.Scheduler != "wlc" {
		t.Errorf("service %+v", e.Service)
	}
	want := []ipvs.Destination{
		{DestinationKey: ipvs.DestinationKey{Addr: ip("10.0.0.1"), Port: 8080}, Forward: ipvs.Tunnel, Weight: 2, UpperThreshold: 9,
			TunnelType: tunnelGUE, TunnelPort: 6080, TunnelFlags: encapChecksum},
		{DestinationKey: ipvs.DestinationKey{Addr: ip("10.0.0.9"), Port: 80}, Forward: ipvs.Route, Weight: 1},
	}
	if !slices.Equal(e.Destinations, want) {
		t.Errorf("destinations %+v, want %+v", e.Destinations, want)
	}
	if _, there := Table(services().VirtualServers, pools, func(i string) bool { return i == "VI_1" })[mark]; !there {
		t.Error("the master's service is missing")
	}
}

func TestASyncDaemonFollowsItsInstance(t *testing.T) {
	cfg := &config.Config{}
	cfg.Global.LVS.Sync = &config.SyncDaemon{Interface: "eth0", Instance: "VI_1", ID: 51}
	parts := func(master bool) []ipvs.DaemonState {
		var out []ipvs.DaemonState
		for _, d := range Globals(cfg, func(string) bool { return master }).Daemons {
			out = append(out, d.State)
		}
		return out
	}
	if got := parts(true); !slices.Equal(got, []ipvs.DaemonState{ipvs.DaemonMaster}) {
		t.Errorf("master: %v", got)
	}
	if got := parts(false); !slices.Equal(got, []ipvs.DaemonState{ipvs.DaemonBackup}) {
		t.Errorf("backup: %v", got)
	}
	cfg.Global.LVS.Sync.Instance = ""
	if got := parts(false); len(got) != 2 {
		t.Errorf("of no instance: %v, want both", got)
	}
}

func TestServices(t *testing.T) {
	cfg := services()
	rs := cfg.VirtualServers[0].RealServers[0]
	rs.Checks = []*config.Check{
		{Kind: "TCP_CHECK", Interval: time.Second, Connect: config.Connect{Addr: rs.Addr, Port: rs.Port}},
		{Kind: "MISC_CHECK", Misc: &config.MiscCheck{Command: config.Command{Args: []string{"/gone"}}}},
	}
	missing := errors.New("script /gone: not found")
	scripts := Scripts{Resolve: func(config.Command) (health.Script, error) { return health.Script{}, missing }}
	got, errs := new(ServiceMaker).Services(cfg, scripts, Sources{})
	if len(errs) != 1 || !errors.Is(errs[0], missing) {
		t.Errorf("errors %v, want the script's", errs)
	}
	if len(got) != 2 || len(got[0].Servers) != 1 || len(got[0].Servers[0].Checks) != 1 {
		t.Fatalf("services %+v, want one server with the one check that can be made", got)
	}
	key := got[0].Servers[0].Checks[0].Key
	rs.Checks[0].Interval = time.Minute
	again, _ := new(ServiceMaker).Services(cfg, scripts, Sources{})
	if again[0].Servers[0].Checks[0].Key != key {
		t.Error("another interval makes another check of it")
	}
	rs.Checks[0].Connect.Port++
	if again, _ = new(ServiceMaker).Services(cfg, scripts, Sources{}); again[0].Servers[0].Checks[0].Key == key {
		t.Error("another port is the same check")
	}
}

func TestServicesMadeAgain(t *testing.T) {
	cfg := services()
	var m ServiceMaker
	scripts := Scripts{Resolve: func(config.Command) (health.Script, error) { return health.Script{}, nil }}
	again := func() (first, second *health.ServerConfig) {
		a, _ := m.Services(cfg, scripts, Sources{})
		b, _ := m.Services(cfg, scripts, Sources{})
		return &a[0].Servers[0], &b[0].Servers[0]
	}
	if a, b := again(); a != b {
		t.Error("the checks of a service that is the same are made anew")
	}
	vs := *cfg.VirtualServers[0]
	cfg.VirtualServers[0] = &vs
	vs.RealServers[0].Checks = []*config.Check{{Kind: "MISC_CHECK", Misc: &config.MiscCheck{}}}
	if a, b := again(); a == b {
		t.Error("a script is not looked for again")
	}
}
