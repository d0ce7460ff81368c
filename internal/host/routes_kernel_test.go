//go:build kernel

package host

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/sys/unix"
)

func (n *testNS) routes() *Routes {
	n.t.Helper()
	var r *Routes
	n.do(func() (err error) {
		r, err = NewRoutes()
		return err
	})
	n.t.Cleanup(func() { _ = r.Close() })
	return r
}

func (n *testNS) rules() *Rules {
	n.t.Helper()
	var r *Rules
	n.do(func() (err error) {
		r, err = NewRules()
		return err
	})
	n.t.Cleanup(func() { _ = r.Close() })
	return r
}

// routed is a namespace with link v0 as testRouteTable wants it.
func routed(t *testing.T) *testNS {
	n, _ := pair(t, "v0", "w0", [2]string{"192.0.2.1/24", "192.0.2.2/24"}, [2]string{"2001:db8::1/64", "2001:db8::2/64"},
		[2]string{"fe80::1/64", "fe80::2/64"})
	// The kernel adds the routes of IPv6 addresses some time after these.
	waitFor(t, "the addresses' own routes", func() bool {
		out := n.run("ip", "-6", "route", "show", "table", "local")
		return strings.Contains(out, "local fe80::1 ") && strings.Contains(out, "local 2001:db8::1 ")
	})
	n.run("ip", "route", "add", "10.9.0.0/24", "dev", "v0")
	n.run("ip", "rule", "add", "pref", "900", "from", "10.9.0.0/24", "table", "9")
	return n
}

func TestKernelRouteTable(t *testing.T) {
	n := routed(t)
	testRouteTable(t, n.routes(), func(r Route) { n.run("ip", "route", "del", r.Destination.String()) })
	if out := n.run("ip", "route"); !strings.Contains(out, "10.9.0.0/24") {
		t.Errorf("the foreign route is gone:\n%s", out)
	}
}

func TestKernelRuleTable(t *testing.T) {
	n := routed(t)
	testRuleTable(t, n.rules(), func(r Rule) { n.run("ip", "rule", "del", "pref", fmt.Sprint(r.Priority), "from", r.From.String()) })
	if out := n.run("ip", "rule"); !strings.Contains(out, "900:") {
		t.Errorf("the foreign rule is gone:\n%s", out)
	}
}

// listed is what "ip -j -d" shows of our routes or rules of both families.
func (n *testNS) listed(object string, args ...string) (out []string) {
	n.t.Helper()
	for _, family := range []string{"-4", "-6"} {
		var things []map[string]any
		text := n.run("ip", append([]string{"-j", "-d", family, object, "show"}, args...)...)
		if err := json.Unmarshal([]byte(text), &things); err != nil {
			n.t.Fatalf("ip -j %s: %v: %s", object, err, text)
		}
		for _, thing := range things {
			if thing["protocol"] == "keepalived" {
				delete(thing, "expires")
				b, _ := json.Marshal(thing)
				out = append(out, string(b))
			}
		}
	}
	slices.Sort(out)
	return out
}

func encapsulated(prefix, link string, e Encap) Route {
	return alter(on(prefix, link), func(r *Route) { r.Via.Encap = e })
}

// routeLines are lines of virtual_routes and what they say.
func routeLines() []struct {
	line  string
	route Route
} {
	typed := func(prefix string, typ uint8) Route { return alter(to(prefix), func(r *Route) { r.Type = typ }) }
	hop := func(gateway string) Hop { return Hop{Gateway: netip.MustParseAddr(gateway), Interface: "v0"} }
	onlink := hop("192.0.2.7")
	onlink.OnLink = true
	return []struct {
		line  string
		route Route
	}{
		{"10.1.0.0/24 dev v0", on("10.1.0.0/24", "v0")},
		{"10.1.1.0/24 via 192.0.2.9", via("10.1.1.0/24", "192.0.2.9")},
		{"src 192.0.2.10 to 10.1.2.0/24 via 192.0.2.9 dev v0", alter(on("10.1.2.0/24", "v0"), func(r *Route) {
			r.Source, r.Via.Gateway = netip.MustParseAddr("192.0.2.10"), netip.MustParseAddr("192.0.2.9")
		})},
		{"blackhole 10.1.4.0/24", typed("10.1.4.0/24", unix.RTN_BLACKHOLE)},
		{"unreachable 10.1.5.0/24", typed("10.1.5.0/24", unix.RTN_UNREACHABLE)},
		{"prohibit 10.1.6.0/24", typed("10.1.6.0/24", unix.RTN_PROHIBIT)},
		{"throw 10.1.7.0/24", typed("10.1.7.0/24", unix.RTN_THROW)},
		{"10.1.10.0/24 dev v0 scope link tos 16", alter(on("10.1.10.0/24", "v0"), func(r *Route) { r.TOS, r.Scope = 16, unix.RT_SCOPE_LINK })},
		{"10.1.11.0/24 dev v0 table 7700 metric 9", alter(on("10.1.11.0/24", "v0"), func(r *Route) { r.Table, r.Metric = 7700, 9 })},
		{"10.1.12.0/24 dev v0 mtu lock 1400 advmss lock 1300 rtt lock 300ms rttvar 2s reordering lock 5 window 9000 cwnd lock 12 ssthresh lock 77 rto_min lock 200ms hoplimit 33 initcwnd 11 initrwnd 13 features ecn quickack 1 congctl lock cubic fastopen_no_cookie 1",
			alter(on("10.1.12.0/24", "v0"), func(r *Route) {
				r.Metrics = Metrics{
					MTU: 1400, Window: 9000, RTT: 300 * 8, RTTVar: 2000 * 4, SSThresh: 77, Cwnd: 12, AdvMSS: 1300, Reordering: 5,
					HopLimit: 33, InitCwnd: 11, Features: 1, RTOMin: 200, InitRwnd: 13, QuickAck: 1, FastOpenNoCookie: 1, CongestionControl: "cubic",
				}
				for _, typ := range []int{unix.RTAX_MTU, unix.RTAX_ADVMSS, unix.RTAX_RTT, unix.RTAX_REORDERING, unix.RTAX_CWND, unix.RTAX_SSTHRESH, unix.RTAX_RTO_MIN, unix.RTAX_CC_ALGO} {
					r.Metrics.Locked |= 1 << typ
				}
			})},
		{"10.1.13.0/24 dev v0 realms 3/4", alter(on("10.1.13.0/24", "v0"), func(r *Route) { r.Via.Realms = 3<<16 | 4 })},
		{"10.1.14.0/24 via 203.0.113.1 dev v0 onlink", alter(on("10.1.14.0/24", "v0"), func(r *Route) {
			r.Via.Gateway, r.Via.OnLink = netip.MustParseAddr("203.0.113.1"), true
		})},
		{"10.1.15.0/24 nexthop via 192.0.2.8 dev v0 weight 3 nexthop via 192.0.2.7 dev v0 weight 2 onlink", alter(to("10.1.15.0/24"), func(r *Route) {
			r.NextHops = []NextHop{{hop("192.0.2.8"), 3}, {onlink, 2}}
		})},
		{"10.1.16.0/24 encap ip id 30 dst 192.0.2.77 src 192.0.2.1 tos 4 ttl 9 dev v0", encapsulated("10.1.16.0/24", "v0", Encap{
			Type: EncapIP, ID: 30, Destination: netip.MustParseAddr("192.0.2.77"), Source: netip.MustParseAddr("192.0.2.1"), TOS: 4, TTL: 9})},
		{"10.1.17.0/24 encap ip6 id 30 dst 2001:db8::5 src 2001:db8::1 tc 4 hoplimit 9 dev v0", encapsulated("10.1.17.0/24", "v0", Encap{
			Type: EncapIP6, ID: 30, Destination: netip.MustParseAddr("2001:db8::5"), Source: netip.MustParseAddr("2001:db8::1"), TOS: 4, TTL: 9})},
		{"2001:db8:1::/64 via 2001:db8::9", via("2001:db8:1::/64", "2001:db8::9")},
		{"2001:db8:2::/64 dev v0 metric 77 pref high", alter(on("2001:db8:2::/64", "v0"), func(r *Route) { r.Metric, r.Preference = 77, 1 })},
		{"2001:db8:3::/64 from 2001:db8:9::/64 dev v0 expires 300", alter(on("2001:db8:3::/64", "v0"), func(r *Route) {
			r.From, r.Expires = netip.MustParsePrefix("2001:db8:9::/64"), 300
		})},
		{"unreachable 2001:db8:4::/64", typed("2001:db8:4::/64", unix.RTN_UNREACHABLE)},
		{"blackhole 2001:db8:5::/64", typed("2001:db8:5::/64", unix.RTN_BLACKHOLE)},
		{"2001:db8:6::/64 nexthop via 2001:db8::8 dev v0 weight 3 nexthop via 2001:db8::7 dev v0 weight 2", alter(to("2001:db8:6::/64"), func(r *Route) {
			r.NextHops = []NextHop{{hop("2001:db8::8"), 3}, {hop("2001:db8::7"), 2}}
		})},
		{"2001:db8:7::/64 dev v0 mtu 1400 hoplimit 9 src 2001:db8::1", alter(on("2001:db8:7::/64", "v0"), func(r *Route) {
			r.Metrics, r.Source = Metrics{MTU: 1400, HopLimit: 9}, netip.MustParseAddr("2001:db8::1")
		})},
		{"append 10.1.20.0/24 dev v0", alter(on("10.1.20.0/24", "v0"), func(r *Route) { r.Mode = Append })},
		{"add 10.1.21.0/24 dev v0", alter(on("10.1.21.0/24", "v0"), func(r *Route) { r.Mode = Only })},
		{"default via 192.0.2.9 table 98", alter(via("0.0.0.0/0", "192.0.2.9"), func(r *Route) { r.Table = 98 })},
		{"default via fe80::9 dev v0 table 98", alter(on("::/0", "v0"), func(r *Route) { r.Table, r.Via.Gateway = 98, netip.MustParseAddr("fe80::9") })},
		{"multicast 239.1.0.0/24 dev v0", alter(on("239.1.0.0/24", "v0"), func(r *Route) { r.Type = unix.RTN_MULTICAST })},
	}
}

// What the two programs leave in the tables is the same, whatever the line.
func TestKernelRoutesLikeKeepalived(t *testing.T) {
	lines := routeLines()
	config := "vrrp_instance VI {\n interface v0\n state MASTER\n priority 255\n virtual_router_id 51\n virtual_ipaddress { 192.0.2.10 }\n virtual_routes {\n"
	var batch []RouteChange
	var wanted []Route
	for _, l := range lines {
		config += "  " + l.line + "\n"
		batch = append(batch, RouteChange{Add, l.route})
		wanted = append(wanted, l.route)
	}
	theirs := routed(t)
	stop := theirs.keepalived(config + " }\n}\n")
	waitFor(t, "keepalived's routes", func() bool { return len(theirs.listed("route", "table", "all")) == len(lines) })
	want := theirs.listed("route", "table", "all")
	stop()

	ours := routed(t)
	ours.run("ip", "addr", "add", "192.0.2.10/32", "dev", "v0")
	before := ours.run("ip", "route", "show", "table", "all")
	r := ours.routes()
	if err := r.Apply(batch); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want, ours.listed("route", "table", "all")); diff != "" {
		t.Errorf("routes (-keepalived +tandem):\n%s", diff)
	}
	// Each is found again as asked for, in either way, and taken out.
	owned, err := r.Owned()
	if err != nil {
		t.Fatal(err)
	}
	present, err := r.Present(wanted)
	if err != nil {
		t.Fatal(err)
	}
	for _, have := range [][]Route{owned, present} {
		if d := DiffRoutes(have, wanted); len(d) != 0 {
			t.Errorf("what was put there differs from what is found: %v", d)
		}
	}
	if err := r.Apply(DiffRoutes(owned, nil)); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(before, ours.run("ip", "route", "show", "table", "all")); diff != "" {
		t.Errorf("after removal (-before +after):\n%s", diff)
	}
	// Removal by what was asked for works as well as by what was found.
	if err := r.Apply(batch); err != nil {
		t.Fatal(err)
	}
	if err := r.Apply(DiffRoutes(wanted, nil)); err != nil {
		t.Fatal(err)
	}
	if left := ours.listed("route", "table", "all"); len(left) != 0 {
		t.Errorf("left after removal: %v", left)
	}
}

// What keepalived 2.2 cannot say, or what the kernel refuses it, works too.
func TestKernelRoutesBeyondKeepalived(t *testing.T) {
	n := routed(t)
	r := n.routes()
	across := alter(on("10.3.0.0/24", "v0"), func(r *Route) { r.Via.Gateway = netip.MustParseAddr("fe80::9") })
	local := alter(on("10.4.0.1/32", "v0"), func(r *Route) { r.Type, r.Scope, r.Table = unix.RTN_LOCAL, unix.RT_SCOPE_HOST, unix.RT_TABLE_LOCAL })
	first, second := on("10.5.0.0/24", "v0"), alter(via("10.5.0.0/24", "192.0.2.9"), func(r *Route) { r.Via.Interface = "v0" })
	wanted := []Route{across, local, first, second}
	if err := r.Apply(DiffRoutes(nil, wanted)); err != nil {
		t.Fatal(err)
	}
	owned, err := r.Owned()
	if d := DiffRoutes(owned, wanted); err != nil || len(d) != 0 || len(owned) != len(wanted) {
		t.Errorf("owned %v, %v, differs: %v", owned, err, d)
	}
	// Of two to one destination the right one goes.
	if err := r.Apply(DiffRoutes(owned, []Route{across, local, second})); err != nil {
		t.Fatal(err)
	}
	if left, err := r.Present([]Route{first}); err != nil || len(left) != 1 || !left[0].Via.Gateway.IsValid() || left[0].Via.Gateway != second.Via.Gateway {
		t.Errorf("left at the place of two: %v, %v", left, err)
	}
}

func TestKernelRouteErrorsNameTheRoute(t *testing.T) {
	n := routed(t)
	r := n.routes()
	good := on("10.1.0.0/24", "v0")
	err := r.Apply([]RouteChange{
		{Add, via("10.2.0.0/24", "203.0.113.9")},
		{Add, on("10.3.0.0/24", "nosuch")},
		{Add, Route{}},
		{Add, good},
		{Remove, on("10.3.0.0/24", "nosuch")},
		{Add, alter(on("10.9.0.0/24", "v0"), func(r *Route) { r.Mode = Only })},
	})
	for _, want := range []string{"add route 10.2.0.0/24 via 203.0.113.9: ", "add route 10.3.0.0/24 on nosuch: no such interface", "add route 10.9.0.0/24 on v0: file exists"} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("error %v does not say %q", err, want)
		}
	}
	for _, want := range []error{unix.ENODEV, unix.EINVAL, unix.EEXIST} {
		if !errors.Is(err, want) {
			t.Errorf("error %v is not %v", err, want)
		}
	}
	if owned, err := r.Owned(); err != nil || len(owned) != 1 || !owned[0].SamePlace(good) {
		t.Errorf("owned: %v, %v", owned, err)
	}
}

// ruleLines are lines of virtual_rules; the rules they say are those of
// ruleOptions at the same priority.
var ruleLines = map[int]string{
	1000: "to 10.3.0.0/24 table 99",
	1001: "not from 10.2.2.0/24 table 99",
	1002: "fwmark 7 table 99",
	1003: "fwmark 8/15 table 99",
	1004: "tos 16 table 99",
	1005: "iif v0 table 99",
	1006: "oif v0 table 99",
	1007: "from 10.2.0.0/24 blackhole",
	1008: "from 10.2.0.0/24 unreachable",
	1009: "from 10.2.0.0/24 prohibit",
	1010: "from 10.2.0.0/24 goto 32766",
	1011: "from 10.2.0.0/24 nop",
	1012: "l3mdev",
	1013: "from 10.2.0.0/24 table 99 suppress_prefixlength 0",
	1014: "from 10.2.0.0/24 table 99 suppress_ifgroup default",
	1015: "uidrange 5-9 table 99",
	1017: "ipproto tcp sport 10-20 table 99",
	1018: "ipproto udp dport 99-99 table 99",
	1019: "realms 3/4 table 99",
	1020: "tunnel-id 12 table 99",
	1022: "from 10.2.0.0/24 table 990000",
	1024: "from 10.2.0.0/24 goto 77777",
	1025: "from 2001:db8:2::/64 table 99",
}

func TestKernelRulesLikeKeepalived(t *testing.T) {
	config := "vrrp_instance VI {\n interface v0\n state MASTER\n priority 255\n virtual_router_id 51\n virtual_ipaddress { 192.0.2.10 }\n virtual_rules {\n"
	var both, all []Rule
	for _, rule := range ruleOptions() {
		all = append(all, rule)
		if line, ok := ruleLines[int(rule.Priority)]; ok {
			both = append(both, rule)
			config += fmt.Sprintf("  preference %d %s\n", rule.Priority, line)
		}
	}
	theirs := routed(t)
	stop := theirs.keepalived(config + " }\n}\n")
	defer stop()
	waitFor(t, "keepalived's rules", func() bool { return len(theirs.listed("rule")) >= len(both) })
	want := theirs.listed("rule")

	ours := routed(t)
	r := ours.rules()
	if err := r.Apply(DiffRules(nil, both)); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want, ours.listed("rule")); diff != "" {
		t.Errorf("rules (-keepalived +tandem):\n%s", diff)
	}
	before, err := r.Owned()
	if err != nil {
		t.Fatal(err)
	}
	if err := r.Apply(DiffRules(before, all)); err != nil {
		t.Fatal(err)
	}
	have, err := r.Present(all)
	if d := DiffRules(have, all); err != nil || len(d) != 0 {
		t.Errorf("present differs by %v, %v", d, err)
	}
	if err := r.Apply(DiffRules(all, nil)); err != nil {
		t.Fatal(err)
	}
	if out := ours.run("ip", "rule"); strings.Count(out, "\n") != 4 {
		t.Errorf("rules left:\n%s", out)
	}
}
