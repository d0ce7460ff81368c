//go:build kernel

package integration

import (
	"fmt"
	"slices"
	"strings"
	"syscall"
	"testing"

	"github.com/tandem-ha/tandem/integration/lab"
)

// held is what comes with the instance of a pair, in every form that both
// keepalived and the kernel of the tests know.
const held = `promote_secondaries
virtual_ipaddress_excluded {
  10.2.2.4/24 brd + label %[1]s:x scope link noprefixroute
  10.2.2.9 brd 10.2.2.255
  10.1.1.1/24 dev up0
  10.1.1.2/24 dev up0 no_track
  2001:db8:9::10/64 preferred_lft 1000 home mngtmpaddr noprefixroute
  2001:db8:9::11/64 preferred_lft 0
  2001:db8:9::12 preferred_lft forever
  2001:db8:9::13/64 -nodad
  2001:db8:9::14 peer 2001:db8:9::15
}
virtual_routes {
  10.80.0.0/16 via 192.0.2.9 dev %[1]s
  10.81.0.0/16 via 172.31.0.9 dev %[1]s
  10.82.0.0/16 via 10.5.0.9 dev up0 no_track
  src 192.0.2.100 10.84.0.0/16 via 192.0.2.9 dev %[1]s
  10.85.0.0/16 via 192.0.2.9 dev %[1]s table 300 metric 10 mtu lock 1400 advmss 1200 rtt 300ms rto_min 200ms window 1000 initcwnd 20 initrwnd 30 quickack 1 features ecn congctl reno hoplimit 9 realms 3/4 reordering 5 cwnd lock 6 ssthresh 7 fastopen_no_cookie 1
  10.86.0.0/16 nexthop via 192.0.2.9 dev %[1]s weight 2 nexthop via 10.5.0.9 dev up0 weight 3 onlink
  unreachable 10.87.0.0/16
  prohibit 10.88.0.0/16
  throw 10.89.0.0/16 metric 3
  10.90.0.0/16 dev %[1]s scope link
  10.92.0.0/16 tos 0x10 via 192.0.2.9 dev %[1]s
  10.93.0.0/16 via 10.99.99.9 dev %[1]s onlink
  10.101.0.0/16 via 192.0.2.9
  default via 192.0.2.9 dev %[1]s table 301
  10.94.0.0/16 via 192.0.2.9 dev %[1]s protocol 99 no_track
  2001:db8:80::/48 via 2001:db8::9 dev %[1]s pref high
  2001:db8:81::/48 via 2001:db8::9 dev %[1]s expires 1000
  unreachable 2001:db8:82::/48
  2001:db8:83::/48 nexthop via 2001:db8::9 dev %[1]s nexthop via 2001:db8:5::9 dev up0
  2001:db8:84::/48 from 2001:db8:f::/64 via 2001:db8::9 dev %[1]s
  10.96.0.0/16 via 192.0.2.9 dev %[1]s append
  10.97.0.0/16 via 192.0.2.9 dev %[1]s add
}
virtual_rules {
  from 10.80.0.0/16 table 101 preference 1
  from 10.81.0.0/16 to 10.82.0.0/16 fwmark 0x5/0xff iif up0 tos 0x10 table 300 preference 2
  not from 10.83.0.0/16 table 102 preference 3
  from 10.83.0.0/16 unreachable preference 12
  ipproto tcp dport 80-90 sport 1000-1001 blackhole preference 4
  uidrange 100-200 to 10.85.0.0/16 prohibit preference 5
  suppress_prefixlength 0 table main preference 6
  from 2001:db8:80::/48 table 302 preference 7
  realms 3/4 from 10.1.0.0/16 table 301 preference 8
  suppress_ifgroup 5 table 303 preference 9
  fwmark 7 table 301 preference 10
  tunnel-id 33 table 301 preference 11
  oif up0 goto 200 preference 100
  nop preference 200
}`

// fixed is what is there as long as the program runs.
const fixed = `track_group TG {
  group {
    VI_1
  }
}
static_ipaddress {
  10.5.0.1/24 dev up0 track_group TG
  10.6.0.1/24 brd + dev up0 label up0:s scope link
  2001:db8:5::1/64 dev up0
  10.7.0.1/24 dev up0 no_track
}
static_routes {
  10.50.0.0/16 via 10.5.0.2 dev up0
  10.51.0.0/16 via 10.5.0.2 dev up0 table 200 metric 7 mtu 1400
  blackhole 10.52.0.0/16
  2001:db8:50::/48 via 2001:db8:5::2 dev up0 metric 33
  10.53.0.0/16 via 10.99.0.2 dev up0
}
static_rules {
  from 10.50.0.0/16 table 200 preference 900
  iif up0 to 10.51.0.0/16 lookup 200 priority 901
}
`

// holdingConf is a pair's configuration with all of it.
func holdingConf(m mode, self, other *lab.Host, priority int, more ...string) string {
	extra := append(strings.Split(fmt.Sprintf(held, lab.NIC), "\n"), more...)
	return fixed + m.conf(self, other, priority, extra...)
}

// newHoldingPair is a pair whose nodes have a second interface, up0.
func newHoldingPair(t *testing.T, m mode, first, second string, more ...string) *pair {
	p := newPair(t, m, first, second)
	for _, a := range []*lab.Agent{p.lb1, p.lb2} {
		must(t, a.Host.IP("link add up0 type veth peer name up1", "link set up0 up", "link set up1 up",
			"addr add 198.51.100.1/24 dev up0"))
	}
	must(t, p.lb1.Write(holdingConf(m, p.lb1.Host, p.lb2.Host, 150, more...)))
	must(t, p.lb2.Write(holdingConf(m, p.lb2.Host, p.lb1.Host, 100, more...)))
	return p
}

// holding is all that mastership may bring to a host, as ip(8) shows it.
func holding(t testing.TB, h *lab.Host) []string {
	t.Helper()
	var out []string
	for _, args := range []string{
		"-o addr show", "-4 route show table all", "-6 route show table all", "-4 rule", "-6 rule",
	} {
		text, err := h.Run(append([]string{"ip"}, strings.Fields(args)...)...)
		must(t, err)
		for line := range strings.Lines(text) {
			if line = stable(line); line != "" {
				out = append(out, args[:2]+" "+line)
			}
		}
	}
	text, err := h.Run("sysctl", "-n", "net.ipv4.conf."+lab.NIC+".promote_secondaries")
	must(t, err)
	out = append(out, "promote_secondaries "+strings.TrimSpace(text))
	// The kernel keeps addresses in the order of their coming.
	slices.Sort(out)
	return out
}

// stable is a line without what differs between two hosts of the same standing,
// and empty for what the kernel makes by itself from what is looked at anyway.
func stable(line string) string {
	if strings.Contains(line, "fe80::") || strings.Contains(line, "ff00::") || strings.Contains(line, "table local") {
		return ""
	}
	line, _, _ = strings.Cut(line, "valid_lft")
	words := strings.Fields(line)
	var out []string
	for i := 0; i < len(words); i++ {
		switch words[i] {
		case "expires":
			i++ // what is left of the time
		case "secondary", "\\", "tentative":
		case "linkdown":
		default:
			out = append(out, words[i])
		}
	}
	if len(out) > 0 && strings.HasSuffix(out[0], ":") && strings.Contains(line, " inet") {
		out = out[1:] // the number of the interface
	}
	return strings.Join(out, " ")
}

// difference is what two lists do not have in common.
func difference(a, b []string) error {
	var out []string
	for _, x := range a {
		if !slices.Contains(b, x) {
			out = append(out, "- "+x)
		}
	}
	for _, x := range b {
		if !slices.Contains(a, x) {
			out = append(out, "+ "+x)
		}
	}
	if len(out) == 0 {
		return nil
	}
	return fmt.Errorf("\n%s", strings.Join(out, "\n"))
}

// TestPairHolding takes the same files through the life of a pair twice, with
// keepalived and tandem in either place: at every stage the host of each place
// holds the same addresses, routes and rules, whichever of the two runs there.
func TestPairHolding(t *testing.T) {
	t.Parallel()
	a, b := newHoldingPair(t, quick, "keepalived", "tandem"), newHoldingPair(t, quick, "tandem", "keepalived")
	bare := [2][]string{holding(t, a.lb1.Host), holding(t, a.lb2.Host)}
	alike := func(stage string) {
		t.Helper()
		for i, of := range [][2]*lab.Host{{a.lb1.Host, b.lb1.Host}, {a.lb2.Host, b.lb2.Host}} {
			eventually(t, slack, fmt.Sprintf("%s, lb%d, the first pair's against the second's", stage, i+1), func() error {
				return difference(holding(t, of[0]), holding(t, of[1]))
			})
		}
	}
	both := func(do func(p *pair)) { do(a); do(b) }
	down1, down2 := quick.masterDown(150)+slack, quick.masterDown(100)+slack

	both((*pair).lead)
	alike("at rest")
	if got := holding(t, b.lb1.Host); len(got) < len(bare[0])+45 {
		t.Fatalf("the master holds only\n%s", strings.Join(got, "\n"))
	}
	both(func(p *pair) { must(t, p.lb1.Host.Cut()) })
	both(func(p *pair) { p.holds(p.lb2, down2) })
	alike("the better one cut off")
	both(func(p *pair) { must(t, p.lb1.Host.Mend()) })
	both(func(p *pair) { p.holds(p.lb1, down1) })
	alike("the better one back")

	// Somebody takes things away: keepalived gives up mastership and takes it back.
	both(func(p *pair) {
		for i, line := range []string{"route del 10.80.0.0/16", "rule del preference 8", "addr del 10.6.0.1/24 dev up0",
			"route del 10.50.0.0/16", "rule del preference 900"} {
			// With the first of them keepalived begins to take the others away itself.
			if err := p.lb1.Host.IP(line); err != nil && (i == 0 || p.lb1.Program == program(t, "tandem")) {
				t.Fatal(err)
			}
		}
	})
	alike("after deletions")
	both(func(p *pair) { p.holds(p.lb1, down1) })
	both(func(p *pair) { must(t, p.lb1.Host.IP("route del 10.82.0.0/16", "addr del 10.7.0.1/24 dev up0")) })
	alike("after deletions of what is not tracked")

	// Newer versions watch routes without an interface, too, as tandem does.
	must(t, b.lb1.Host.IP("route del 10.101.0.0/16", "route del 10.86.0.0/16", "route del unreachable 10.87.0.0/16", "route del blackhole 10.52.0.0/16"))
	alike("after deletions of routes without an interface")

	both(func(p *pair) {
		p.edit(replace(
			"10.90.0.0/16 dev", "10.190.0.0/16 dev",
			"fwmark 7 table 301", "fwmark 8 table 301",
			"metric 10 mtu", "metric 11 mtu",
			"10.50.0.0/16 via 10.5.0.2 dev up0\n", "10.50.0.0/16 via 10.5.0.3 dev up0\n",
			"from 10.50.0.0/16 table 200", "from 10.150.0.0/16 table 200",
			"10.1.1.2/24 dev", "10.1.1.3/24 dev",
			"10.6.0.1/24 brd", "10.6.0.2/24 brd",
		))
		for _, n := range []*lab.Agent{p.lb1, p.lb2} {
			must(t, n.Signal(syscall.SIGHUP))
		}
	})
	alike("after a reload")
	both(func(p *pair) { must(t, p.lb1.Stop(slack)); p.holds(p.lb2, down2) })
	alike("the better one stopped")
	both(func(p *pair) { must(t, p.lb2.Stop(slack)) })
	alike("both stopped")
	for i, h := range []*lab.Host{b.lb1.Host, a.lb2.Host} { // tandem's
		if err := difference(bare[i], holding(t, h)); err != nil {
			t.Errorf("tandem on lb%d has stopped and left the host changed: %v", i+1, err)
		}
	}
}
