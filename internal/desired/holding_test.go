package desired

import (
	"net/netip"
	"reflect"
	"slices"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/tandem-ha/tandem/config"
	"github.com/tandem-ha/tandem/internal/host"
)

func noVRF(string) (uint32, bool) { return 0, false }

func holder() *config.Instance {
	return &config.Instance{
		Name: "VI_1", Interface: "eth0",
		Addresses: []config.Address{{Prefix: netip.MustParsePrefix("192.0.2.10/24"), Interface: "eth0"}},
		Excluded:  []config.Address{{Prefix: netip.MustParsePrefix("fe80::10/64"), Interface: "eth1"}},
		Routes: []config.Route{
			{Type: "unicast", Destination: netip.MustParsePrefix("10.1.0.0/16"), Source: ip("192.0.2.10"), Hop: config.NextHop{Interface: "eth2"}, Scope: -1},
			{Type: "unicast", Destination: netip.MustParsePrefix("10.2.0.0/16"), Hop: config.NextHop{Interface: "eth3"}, NoTrack: true, Scope: -1},
			{Type: "unicast", Destination: netip.MustParsePrefix("10.3.0.0/16"), VRF: "red", NoTrack: true, Scope: -1},
		},
		Rules: []config.Rule{{Preference: 7, Action: "lookup", Table: 100, In: "eth4", SuppressGroup: -1, SuppressPrefixLength: -1}},
	}
}

func destinations(h Holding) []string {
	var out []string
	for _, r := range h.Routes {
		out = append(out, r.Thing.Destination.String())
	}
	return out
}

func TestRoutesStayUntilTheLastAddressGoes(t *testing.T) {
	in := holder()
	for _, c := range []struct {
		name   string
		held   []string
		routes []string
		deny   int
	}{
		{"all", []string{"192.0.2.10", "fe80::10"}, []string{"10.1.0.0/16", "10.2.0.0/16"}, 2},
		{"a route from an address goes with it", []string{"fe80::10"}, []string{"10.2.0.0/16"}, 1},
		{"none", nil, nil, 0},
	} {
		t.Run(c.name, func(t *testing.T) {
			h := Mastership(in, true, func(a netip.Addr) bool { return slices.Contains(c.held, a.String()) }, noVRF)
			if got := destinations(h); !slices.Equal(got, c.routes) {
				t.Errorf("routes %v, want %v", got, c.routes)
			}
			if len(h.Deny) != c.deny || (len(h.Rules) == 0) != (c.held == nil) {
				t.Errorf("denied %v, rules %v", h.Deny, h.Rules)
			}
		})
	}
}

func TestRoutesWithoutAddressesComeWithTheState(t *testing.T) {
	in := holder()
	in.Addresses, in.Excluded = nil, nil
	none := func(netip.Addr) bool { return false }
	if h := Mastership(in, true, none, noVRF); len(h.Routes) != 2 || len(h.Rules) != 1 {
		t.Errorf("a master without addresses has %+v", h)
	}
	if h := Mastership(in, false, none, noVRF); !h.Empty() {
		t.Errorf("a backup has %+v", h)
	}
}

func TestARouteInAVRFIsInItsTableOnceThatIsThere(t *testing.T) {
	h := All(holder(), func(name string) (uint32, bool) { return 1001, name == "red" })
	if n := len(h.Routes); n != 3 || h.Routes[2].Thing.Table != 1001 {
		t.Errorf("routes %+v", h.Routes)
	}
}

func TestOnlyLinkLocalAddressesAreDeniedByInterface(t *testing.T) {
	in := holder()
	want := []host.DeniedAddress{{Addr: ip("192.0.2.10")}, {Addr: ip("fe80::10"), Interface: "eth1"}}
	if got := All(in, noVRF).Deny; !slices.Equal(got, want) {
		t.Errorf("denied %v, want %v", got, want)
	}
	in.Accept = true
	if got := All(in, noVRF).Deny; got != nil {
		t.Errorf("an owner, or one that accepts, denies %v", got)
	}
}

func TestImpliedLinks(t *testing.T) {
	in := holder()
	cfg := &config.Config{
		Instances:       []*config.Instance{in},
		TrackGroups:     []*config.TrackGroup{{Name: "TG", Instances: []string{"VI_1"}}, {Name: "OTHER", Instances: []string{"VI_2"}}},
		StaticAddresses: []config.Address{{Interface: "eth5", TrackGroup: "TG"}, {Interface: "eth6"}, {Interface: "eth7", TrackGroup: "OTHER"}},
		StaticRoutes:    []config.Route{{Hop: config.NextHop{Interface: "eth8"}, TrackGroup: "TG"}, {Hop: config.NextHop{Interface: "eth0"}, TrackGroup: "TG"}},
		StaticRules:     []config.Rule{{In: "eth9", TrackGroup: "TG"}},
	}
	var got []string
	for _, l := range impliedLinks(cfg, in) {
		got = append(got, l.Name)
	}
	// Its own is tracked anyway, and eth3's route is not.
	if want := []string{"eth1", "eth2", "eth4", "eth5", "eth8", "eth9"}; !slices.Equal(got, want) {
		t.Errorf("tracks %v, want %v", got, want)
	}
}

func TestRouteHasAllOfItsLine(t *testing.T) {
	yes, no := true, false
	got := Route(config.Route{
		Type: "unicast", Destination: netip.MustParsePrefix("2001:db8::/32"), From: netip.MustParsePrefix("2001:db8:1::/48"),
		Source: ip("2001:db8::1"), TOS: 4, Table: 300, Protocol: 99, Scope: -1, Metric: 5, Expires: time.Minute, Preference: 3,
		PropagateTTL: "disabled", Mode: "append",
		Hop: config.NextHop{Via: ip("fe80::1"), Interface: "eth0", OnLink: true, Realms: 7, Encap: &config.Encap{Kind: "mpls", Labels: []uint32{16, 17}}},
		Metrics: config.RouteMetrics{
			MTU: 1400, HopLimit: 9, AdvMSS: 1200, Reordering: 5, Window: 1000, CWnd: 6, SSThresh: 7, InitCWnd: 20, InitRWnd: 30,
			RTT: 300 * time.Millisecond, RTTVar: 40 * time.Millisecond, RTOMin: 200 * time.Millisecond,
			ECN: true, QuickACK: &yes, NoCookie: &no, CongCtl: "reno", Locked: []string{"mtu", "cwnd"},
		},
	})
	want := host.Route{
		Destination: netip.MustParsePrefix("2001:db8::/32"), From: netip.MustParsePrefix("2001:db8:1::/48"), Type: unix.RTN_UNICAST,
		Table: 300, Metric: 5, TOS: 4, Protocol: 99, Source: ip("2001:db8::1"),
		Via: host.Hop{Gateway: ip("fe80::1"), Interface: "eth0", OnLink: true, Realms: 7,
			Encap: host.Encap{Type: host.EncapMPLS, Labels: []uint32{16, 17}}},
		Metrics: host.Metrics{
			MTU: 1400, Window: 1000, RTT: 2400, RTTVar: 160, SSThresh: 7, Cwnd: 6, AdvMSS: 1200, Reordering: 5, HopLimit: 9, InitCwnd: 20,
			Features: 1, RTOMin: 200, InitRwnd: 30, QuickAck: 1, CongestionControl: "reno",
			Locked: 1<<unix.RTAX_MTU | 1<<unix.RTAX_CWND,
		},
		Expires: 60, Preference: 3, TTLPropagate: host.Setting{Set: true}, Mode: host.Append,
	}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("got  %+v\nwant %+v", got, want)
	}
}

func TestTheScopeOfARouteFitsItsKind(t *testing.T) {
	for kind, want := range map[string]uint8{
		"unicast": unix.RT_SCOPE_UNIVERSE, "blackhole": unix.RT_SCOPE_UNIVERSE,
		"local": unix.RT_SCOPE_HOST, "broadcast": unix.RT_SCOPE_LINK,
	} {
		if got := Route(config.Route{Type: kind, Scope: -1}).Scope; got != want {
			t.Errorf("%s: scope %d, want %d", kind, got, want)
		}
	}
	if got := Route(config.Route{Type: "unicast", Scope: unix.RT_SCOPE_LINK}).Scope; got != unix.RT_SCOPE_LINK {
		t.Errorf("a scope that is given became %d", got)
	}
}

func TestRuleHasAllOfItsLine(t *testing.T) {
	got := Rule(config.Rule{
		IPv6: true, Not: true, From: netip.MustParsePrefix("2001:db8::/32"), To: netip.MustParsePrefix("2001:db8:1::/48"), TOS: 4,
		FWMark: 5, FWMask: 0, HasFWMark: true, HasFWMask: true, In: "eth0", Out: "eth1", TunnelID: 33,
		UIDs: &config.UIDRange{First: 0, Last: 9}, IPProto: 6, Sport: &config.PortRange{First: 1, Last: 2}, Dport: &config.PortRange{First: 3, Last: 4},
		Preference: 7, Action: "goto", Goto: 99, SuppressPrefixLength: 0, SuppressGroup: -1, Protocol: 18,
	})
	want := host.Rule{
		IPv6: true, Priority: 7, Not: true, From: netip.MustParsePrefix("2001:db8::/32"), To: netip.MustParsePrefix("2001:db8:1::/48"), TOS: 4,
		Mark: 5, Input: "eth0", Output: "eth1", TunnelID: 33, UIDs: host.UIDRange{Set: true, Last: 9}, IPProtocol: 6,
		SourcePorts: host.PortRange{First: 1, Last: 2}, DestinationPorts: host.PortRange{First: 3, Last: 4},
		Action: host.RuleGoto, Goto: 99, SuppressPrefix: host.Setting{Set: true}, Protocol: 18,
	}
	if got != want {
		t.Errorf("got  %+v\nwant %+v", got, want)
	}
	if got := Rule(config.Rule{FWMark: 5, HasFWMark: true}).Mask; got != ^uint32(0) {
		t.Errorf("a mark without a mask has the mask %#x", got)
	}
}

func TestFirewallIsKeepalivedsByDefault(t *testing.T) {
	if got := Firewall(config.Global{}); got != (host.FirewallOptions{Table: "keepalived", Priority: -1}) {
		t.Errorf("options %+v", got)
	}
}
