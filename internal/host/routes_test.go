package host

import (
	"net/netip"
	"testing"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/sys/unix"

	"github.com/tandem-ha/tandem/ipvs/nlmsg"
)

func to(prefix string) Route { return Route{Destination: netip.MustParsePrefix(prefix)} }

func via(prefix, gateway string) Route {
	r := to(prefix)
	r.Via.Gateway = netip.MustParseAddr(gateway)
	return r
}

func on(prefix, link string) Route {
	r := to(prefix)
	r.Via.Interface = link
	return r
}

// alter returns r after change.
func alter[T any](r T, change func(*T)) T {
	change(&r)
	return r
}

// testRouteTable is what any RouteTable does. The host has link v0 with
// 192.0.2.1/24 and 2001:db8::1/64 on it and a route to 10.9.0.0/24 that is not
// ours.
func testRouteTable(t *testing.T, table RouteTable, lose func(Route)) {
	t.Helper()
	apply := func(changes ...RouteChange) {
		t.Helper()
		if err := table.Apply(changes); err != nil {
			t.Errorf("apply %v: %v", changes, err)
		}
	}
	owned := func(want ...Route) {
		t.Helper()
		have, err := table.Owned()
		if err != nil {
			t.Fatal(err)
		}
		if d := DiffRoutes(have, want); len(d) != 0 || len(have) != len(want) {
			t.Errorf("owned: %v, to go from there to what is expected: %v", have, d)
		}
	}
	one, two, six := on("10.1.0.0/24", "v0"), on("10.2.0.0/24", "v0"), on("2001:db8:1::/64", "v0")
	two.Table = 5000
	hole := to("10.3.0.0/24")
	hole.Type = unix.RTN_BLACKHOLE
	marked := on("10.4.0.0/24", "v0")
	marked.Protocol = 44
	foreign := on("10.9.0.0/24", "v0")

	owned()
	apply()
	apply(RouteChange{Add, one}, RouteChange{Add, two}, RouteChange{Add, six}, RouteChange{Add, hole}, RouteChange{Add, marked})
	owned(one, two, six, hole)
	if have, err := table.Present([]Route{one, marked, foreign, on("10.8.0.0/24", "v0"), alter(one, func(r *Route) { r.Table = 7000 })}); err != nil || len(have) != 2 {
		t.Errorf("present: %v, %v; want the first two", have, err)
	}
	// What is there already, and what is gone already, are no errors.
	apply(RouteChange{Add, one}, RouteChange{Add, hole}, RouteChange{Remove, on("10.8.0.0/24", "v0")})
	owned(one, two, six, hole)
	lose(one)
	owned(two, six, hole)
	apply(RouteChange{Remove, one})
	apply(DiffRoutes([]Route{two, six, hole}, []Route{one, six})...)
	owned(one, six)
	apply(RouteChange{Remove, marked})
	if have, err := table.Present([]Route{marked}); err != nil || len(have) != 0 {
		t.Errorf("present after removal: %v, %v", have, err)
	}
	apply(RouteChange{Remove, six}, RouteChange{Remove, one})
	owned()
}

func TestDiffRoutes(t *testing.T) {
	v4 := via("10.1.0.0/24", "192.0.2.9")
	kernel4 := alter(v4, func(r *Route) { r.Type, r.Table, r.Protocol, r.Via.Interface = 1, 254, 18, "v0" })
	v6 := via("2001:db8:1::/64", "fe80::9")
	v6.Via.Interface = "v0"
	kernel6 := alter(v6, func(r *Route) { r.Type, r.Table, r.Protocol, r.Metric = 1, 254, 18, 1024 })
	expiring := alter(v6, func(r *Route) { r.Expires = 300 })
	hole := alter(to("2001:db8:2::/64"), func(r *Route) { r.Type = unix.RTN_UNREACHABLE })
	holeKernel := alter(hole, func(r *Route) { r.Metric, r.Via.Interface = 1024, "lo" })
	ways := to("10.2.0.0/24")
	ways.NextHops = []NextHop{{Hop: via("0.0.0.0/0", "192.0.2.8").Via}, {Hop: via("0.0.0.0/0", "192.0.2.7").Via, Weight: 4}}
	kernelWays := to("10.2.0.0/24")
	kernelWays.NextHops = []NextHop{
		{Hop{Gateway: netip.MustParseAddr("192.0.2.7"), Interface: "v0"}, 4},
		{Hop{Gateway: netip.MustParseAddr("192.0.2.8"), Interface: "v0"}, 1},
	}
	single := to("10.1.0.0/24")
	single.NextHops = []NextHop{{Hop: v4.Via, Weight: 3}}
	tests := []struct {
		name       string
		have, want []Route
		out        []string
	}{
		{name: "nothing"},
		{"as the kernel has them", []Route{kernel4, kernel6, holeKernel, kernelWays}, []Route{v4, v6, hole, ways}, nil},
		{"one way of one", []Route{kernel4}, []Route{single}, nil},
		{"come and go", []Route{v4}, []Route{v6}, []string{"remove route 10.1.0.0/24 via 192.0.2.9", "add route 2001:db8:1::/64 via fe80::9 on v0"}},
		{"another gateway", []Route{kernel4}, []Route{via("10.1.0.0/24", "192.0.2.8")},
			[]string{"remove route 10.1.0.0/24 via 192.0.2.9 on v0", "add route 10.1.0.0/24 via 192.0.2.8"}},
		{"another metric", []Route{v4}, []Route{v4, alter(v4, func(r *Route) { r.Metric = 7 })}, []string{"add route 10.1.0.0/24 via 192.0.2.9 metric 7"}},
		{"another weight", []Route{kernelWays}, []Route{alter(ways, func(r *Route) {
			r.NextHops = []NextHop{ways.NextHops[0], {Hop: ways.NextHops[1].Hop, Weight: 5}}
		})}, []string{"remove route 10.2.0.0/24 by 2 ways", "add route 10.2.0.0/24 by 2 ways"}},
		{"another metric of TCP", []Route{v4}, []Route{alter(v4, func(r *Route) { r.Metrics.MTU = 1400 })},
			[]string{"remove route 10.1.0.0/24 via 192.0.2.9", "add route 10.1.0.0/24 via 192.0.2.9"}},
		{"a bounded one", []Route{alter(v4, func(r *Route) { r.Metrics.MTU = 65520 })}, []Route{alter(v4, func(r *Route) { r.Metrics.MTU = 70000 })}, nil},
		{"less time left", []Route{alter(expiring, func(r *Route) { r.Expires = 2 })}, []Route{expiring}, nil},
		{"no longer for ever", []Route{v6}, []Route{expiring}, []string{"remove route 2001:db8:1::/64 via fe80::9 on v0", "add route 2001:db8:1::/64 via fe80::9 on v0"}},
		{"host bits", []Route{to("10.1.0.0/24")}, []Route{to("10.1.0.7/24")}, nil},
		{"twice", nil, []Route{v4, v4, single}, []string{"add route 10.1.0.0/24 via 192.0.2.9"}},
		{"two to one place", []Route{v4}, []Route{via("10.1.0.0/24", "192.0.2.8"), v4}, []string{"add route 10.1.0.0/24 via 192.0.2.8"}},
		{"one of two in a place", []Route{v4, via("10.1.0.0/24", "192.0.2.8")}, []Route{v4}, []string{
			"remove route 10.1.0.0/24 via 192.0.2.9", "remove route 10.1.0.0/24 via 192.0.2.8", "add route 10.1.0.0/24 via 192.0.2.9"}},
		{"unreachable", nil, []Route{alter(hole, func(r *Route) { r.Table = 9 })}, []string{"add route unreachable 2001:db8:2::/64 table 9"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			var got []string
			for _, c := range DiffRoutes(tt.have, tt.want) {
				got = append(got, c.String())
			}
			if diff := cmp.Diff(tt.out, got); diff != "" {
				t.Errorf("changes (-want +got):\n%s", diff)
			}
		})
	}
}

// fullRoute has every option.
func fullRoute() Route {
	r := via("10.1.12.0/24", "192.0.2.9")
	r.Table, r.Metric, r.TOS, r.Type, r.Scope, r.Protocol = 5000, 9, 16, unix.RTN_UNICAST, unix.RT_SCOPE_LINK, 44
	r.Source = netip.MustParseAddr("192.0.2.1")
	r.Via.OnLink, r.Via.Realms = true, 3<<16|4
	r.Via.Encap = Encap{Type: EncapIP, ID: 30, Source: netip.MustParseAddr("192.0.2.1"), Destination: netip.MustParseAddr("192.0.2.77"), TOS: 4, TTL: 9, Flags: 1}
	r.Metrics = Metrics{
		MTU: 1400, Window: 9000, RTT: 1600, RTTVar: 800, SSThresh: 77, Cwnd: 12, AdvMSS: 1300, Reordering: 5, HopLimit: 33,
		InitCwnd: 11, Features: 1, RTOMin: 200, InitRwnd: 13, QuickAck: 1, FastOpenNoCookie: 1, CongestionControl: "cubic",
		Locked: 1<<unix.RTAX_MTU | 1<<unix.RTAX_CC_ALGO,
	}
	return r
}

func TestRouteCodecRoundTrip(t *testing.T) {
	six := alter(on("2001:db8:3::/64", "v0"), func(r *Route) {
		r.From, r.Preference, r.Metric = netip.MustParsePrefix("2001:db8:9::/64"), 1, 77
	})
	ways := to("10.2.0.0/24")
	ways.NextHops = []NextHop{
		{Hop{Gateway: netip.MustParseAddr("192.0.2.7"), Interface: "v0", Realms: 4, OnLink: true}, 2},
		{Hop{Gateway: netip.MustParseAddr("fe80::9"), Interface: "v1"}, 256},
		{Hop{Interface: "v1", Encap: Encap{Type: EncapMPLS, Labels: []uint32{100, 200}, TTL: 9}}, 1},
	}
	across := alter(on("10.3.0.0/24", "v0"), func(r *Route) { r.Via.Gateway = netip.MustParseAddr("fe80::1") })
	ila := alter(on("2001:db8:4::/64", "v0"), func(r *Route) { r.Via.Encap = Encap{Type: EncapILA, Locator: 0x1000200030004} })
	ip6 := alter(on("2001:db8:5::/64", "v0"), func(r *Route) {
		r.Via.Encap = Encap{Type: EncapIP6, ID: 1, Destination: netip.MustParseAddr("2001:db8::5"), TOS: 4, TTL: 9}
	})
	index := map[string]int{"v0": 3, "v1": 4}
	name := func(i int) string { return map[int]string{3: "v0", 4: "v1"}[i] }
	full := fullRoute()
	full.Via.Interface = "v0"
	for _, r := range []Route{to("0.0.0.0/0"), to("::/0"), full, six, ways, across, ila, ip6} {
		m, rest, ok := nlmsg.Next(appendRoute(nil, Add, unix.NLM_F_ACK, 7, r, index))
		if !ok || len(rest) != 0 || m.Type != unix.RTM_NEWROUTE || m.Seq != 7 || m.Flags&unix.NLM_F_EXCL != 0 {
			t.Fatalf("%s: message %+v, rest %d, %v", r, m, len(rest), ok)
		}
		k, ok := parseRoute(m.Data)
		if !ok {
			t.Errorf("%s: not read", r)
		}
		if diff := cmp.Diff(r.normal(), k.resolve(name).normal(), compareNetip); diff != "" {
			t.Errorf("%s (-asked +read):\n%s", r, diff)
		}
		// What the kernel may have changed does not keep a removal from matching.
		m, _, _ = nlmsg.Next(appendRoute(nil, Remove, 0, 8, r, index))
		k, ok = parseRoute(m.Data)
		if !ok || m.Type != unix.RTM_DELROUTE || k.Metrics != (Metrics{}) || k.Scope != unix.RT_SCOPE_NOWHERE || k.resolve(name).Via.Interface != r.Via.Interface {
			t.Errorf("%s: removal %+v of type %d", r, k, m.Type)
		}
	}
	for mode, want := range map[RouteMode]uint16{Prepend: 0, Append: unix.NLM_F_APPEND, Only: unix.NLM_F_EXCL} {
		m, _, _ := nlmsg.Next(appendRoute(nil, Add, 0, 1, alter(full, func(r *Route) { r.Mode = mode }), index))
		if want |= unix.NLM_F_REQUEST | unix.NLM_F_CREATE; m.Flags != want {
			t.Errorf("mode %d: flags %#x, want %#x", mode, m.Flags, want)
		}
	}
}

func rule(priority uint32, from string) Rule {
	r := Rule{Priority: priority, Table: 99}
	if from != "" {
		r.From = netip.MustParsePrefix(from)
		r.IPv6 = r.From.Addr().Is6()
	}
	return r
}

// testRuleTable is what any RuleTable does. The host has a rule at 900 that is
// not ours.
func testRuleTable(t *testing.T, table RuleTable, lose func(Rule)) {
	t.Helper()
	apply := func(changes ...RuleChange) {
		t.Helper()
		if err := table.Apply(changes); err != nil {
			t.Errorf("apply %v: %v", changes, err)
		}
	}
	owned := func(want ...Rule) {
		t.Helper()
		have, err := table.Owned()
		if err != nil {
			t.Fatal(err)
		}
		if d := DiffRules(have, want); len(d) != 0 || len(have) != len(want) {
			t.Errorf("owned: %v, to go from there to what is expected: %v", have, d)
		}
	}
	one, two, six := rule(1000, "10.1.0.0/24"), rule(1001, ""), rule(1000, "2001:db8::/64")
	two.Not, two.Mark, two.Table = true, 7, 5000
	marked := alter(rule(1002, ""), func(r *Rule) { r.Protocol, r.Action = 44, RuleBlackhole })

	owned()
	apply()
	apply(RuleChange{Add, one}, RuleChange{Add, two}, RuleChange{Add, six}, RuleChange{Add, marked})
	owned(one, two, six)
	if have, err := table.Present([]Rule{two, marked, rule(1003, "")}); err != nil || len(have) != 2 {
		t.Errorf("present: %v, %v; want the first two", have, err)
	}
	apply(RuleChange{Add, one}, RuleChange{Remove, rule(1003, "")})
	owned(one, two, six)
	lose(one)
	owned(two, six)
	apply(RuleChange{Remove, one})
	apply(DiffRules([]Rule{two, six}, []Rule{one, six})...)
	owned(one, six)
	apply(RuleChange{Remove, marked}, RuleChange{Remove, one}, RuleChange{Remove, six})
	owned()
	if have, err := table.Present([]Rule{marked}); err != nil || len(have) != 0 {
		t.Errorf("present after removal: %v, %v", have, err)
	}
}

// ruleOptions is one rule for each option.
func ruleOptions() []Rule {
	source := netip.MustParsePrefix("10.2.0.0/24")
	alters := []func(*Rule){
		func(r *Rule) { r.To = netip.MustParsePrefix("10.3.0.0/24") },
		func(r *Rule) { r.Not, r.From = true, netip.MustParsePrefix("10.2.2.0/24") },
		func(r *Rule) { r.Mark = 7 },
		func(r *Rule) { r.Mark, r.Mask = 8, 15 },
		func(r *Rule) { r.TOS = 16 },
		func(r *Rule) { r.Input = "v0" },
		func(r *Rule) { r.Output = "v0" },
		func(r *Rule) { r.Action, r.Table, r.From = RuleBlackhole, 0, source },
		func(r *Rule) { r.Action, r.Table, r.From = RuleUnreachable, 0, source },
		func(r *Rule) { r.Action, r.Table, r.From = RuleProhibit, 0, source },
		func(r *Rule) { r.Action, r.Goto, r.Table, r.From = RuleGoto, 32766, 0, source },
		func(r *Rule) { r.Action, r.Table, r.From = RuleNop, 0, source },
		func(r *Rule) { r.L3MDev, r.Table = true, 0 },
		func(r *Rule) { r.SuppressPrefix, r.From = Setting{Set: true}, source },
		func(r *Rule) { r.SuppressGroup, r.From = Setting{Set: true}, source },
		func(r *Rule) { r.UIDs = UIDRange{Set: true, First: 5, Last: 9} },
		func(r *Rule) { r.UIDs = UIDRange{Set: true} },
		func(r *Rule) { r.IPProtocol, r.SourcePorts = 6, PortRange{10, 20} },
		func(r *Rule) { r.IPProtocol, r.DestinationPorts = 17, PortRange{99, 99} },
		func(r *Rule) { r.Realms = 3<<16 | 4 },
		func(r *Rule) { r.TunnelID = 12 },
		func(r *Rule) { r.Protocol = 44 },
		func(r *Rule) { r.Table, r.From = 990000, source },
		func(r *Rule) { r.Input = "nosuch" },
		func(r *Rule) { r.Action, r.Goto, r.Table, r.From = RuleGoto, 77777, 0, source },
		func(r *Rule) { r.IPv6, r.From = true, netip.MustParsePrefix("2001:db8:2::/64") },
		func(r *Rule) { r.IPv6, r.Mark = true, 9 },
	}
	var out []Rule
	for i, a := range alters {
		out = append(out, alter(rule(uint32(1000+i), ""), a))
	}
	return out
}

func TestDiffRules(t *testing.T) {
	one := rule(1000, "10.1.0.0/24")
	kernel := alter(one, func(r *Rule) { r.Protocol, r.Action = Protocol, RuleLookup })
	mark := alter(rule(1001, ""), func(r *Rule) { r.Mark = 7 })
	kernelMark := alter(mark, func(r *Rule) { r.Mask = ^uint32(0) })
	tests := []struct {
		name       string
		have, want []Rule
		out        []string
	}{
		{name: "nothing"},
		{"as the kernel has them", []Rule{kernel, kernelMark}, []Rule{mark, one}, nil},
		{"all there is to match", []Rule{{Priority: 1, Table: 9}}, []Rule{{Priority: 1, Table: 9, From: netip.MustParsePrefix("0.0.0.0/0")}}, nil},
		{"another table", []Rule{kernel}, []Rule{alter(one, func(r *Rule) { r.Table = 98 })},
			[]string{"remove rule 1000: from 10.1.0.0/24 table 99", "add rule 1000: from 10.1.0.0/24 table 98"}},
		{"twice", nil, []Rule{one, one, kernel}, []string{"add rule 1000: from 10.1.0.0/24 table 99"}},
		{"go", []Rule{alter(mark, func(r *Rule) { r.Action, r.Goto, r.Not = RuleGoto, 5, true })}, nil, []string{"remove rule 1001: not fwmark 0x7 goto 5"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			var got []string
			for _, c := range DiffRules(tt.have, tt.want) {
				got = append(got, c.String())
			}
			if diff := cmp.Diff(tt.out, got); diff != "" {
				t.Errorf("changes (-want +got):\n%s", diff)
			}
		})
	}
	// No option is one that a comparison overlooks.
	options := ruleOptions()
	for i, a := range options {
		b := rule(a.Priority, "")
		b.IPv6 = a.IPv6
		if len(DiffRules([]Rule{b}, []Rule{a})) != 2 && a != b {
			t.Errorf("option %d makes no difference: %s", i, a)
		}
	}
}

func TestRuleCodecRoundTrip(t *testing.T) {
	for _, r := range ruleOptions() {
		m, rest, ok := nlmsg.Next(appendRule(nil, Add, unix.NLM_F_ACK, 7, r))
		if want := uint16(unix.NLM_F_REQUEST | unix.NLM_F_ACK | unix.NLM_F_CREATE | unix.NLM_F_EXCL); !ok || len(rest) != 0 || m.Type != unix.RTM_NEWRULE || m.Flags != want {
			t.Fatalf("%s: message %+v, rest %d, %v", r, m, len(rest), ok)
		}
		k, ok := parseRule(m.Data)
		if diff := cmp.Diff(r.normal(), k.normal(), compareNetip); diff != "" || !ok {
			t.Errorf("%s (-asked +read):\n%s", r, diff)
		}
	}
}

func FuzzRouteMessages(f *testing.F) {
	f.Add(appendRoute(nil, Add, 0, 1, fullRoute(), nil)[unix.NLMSG_HDRLEN:])
	f.Add(appendRule(nil, Add, 0, 1, ruleOptions()[1])[unix.NLMSG_HDRLEN:])
	f.Fuzz(func(t *testing.T, b []byte) {
		if k, ok := parseRoute(b); ok {
			r := k.resolve(func(int) string { return "v0" })
			_ = r.String()
			if d := DiffRoutes([]Route{r}, []Route{r}); len(d) != 0 {
				t.Errorf("a route differs from itself: %v", d)
			}
		}
		if r, ok := parseRule(b); ok {
			_ = r.String()
			if d := DiffRules([]Rule{r}, []Rule{r}); len(d) != 0 {
				t.Errorf("a rule differs from itself: %v", d)
			}
		}
	})
}
