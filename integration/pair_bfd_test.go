//go:build kernel

package integration

import (
	"encoding/json"
	"fmt"
	"net/netip"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/tandem-ha/tandem/integration/lab"
)

// bfdPace is the interval of the sessions of these tests, bfdMultiplier how many
// packets may be missing: a busy machine is late at times, and a session that
// fails by itself is no fault of ours.
const (
	bfdPace       = 100 * time.Millisecond
	bfdMultiplier = 25
)

// bfdEnd is the far end of a session: whatever speaks BFD.
type bfdEnd interface {
	// state is "up" or something else.
	state() (string, error)
}

// far is how two ends reach each other.
type far struct {
	name     string
	v6       bool
	multihop bool
	local    bool // link-local addresses
}

// addresses are those of the tandem and of its neighbour.
func (f far) addresses(t *testing.T, a, b *lab.Host) (netip.Addr, netip.Addr) {
	switch {
	case f.local:
		x, err := a.LinkLocal()
		must(t, err)
		y, err := b.LinkLocal()
		must(t, err)
		return x, y
	case f.multihop && f.v6:
		return netip.MustParseAddr("2001:db8:1::1"), netip.MustParseAddr("2001:db8:2::2")
	case f.multihop:
		return netip.MustParseAddr("198.51.100.1"), netip.MustParseAddr("203.0.113.2")
	case f.v6:
		return a.IPv6(), b.IPv6()
	}
	return a.IPv4(), b.IPv4()
}

// route puts a router between the two.
func (f far) route(t *testing.T, a, router, b *lab.Host) {
	t.Helper()
	if !f.multihop {
		return
	}
	must(t, router.Sysctl("net/ipv4/ip_forward", "1", "net/ipv6/conf/all/forwarding", "1",
		"net/ipv4/conf/all/send_redirects", "0", "net/ipv4/conf/"+lab.NIC+"/send_redirects", "0"))
	own, other := f.addresses(t, a, b)
	for _, end := range []struct {
		h       *lab.Host
		own, to netip.Addr
	}{{a, own, other}, {b, other, own}} {
		via := router.IPv4()
		if f.v6 {
			via = router.IPv6()
		}
		must(t, end.h.Sysctl("net/ipv6/conf/all/accept_redirects", "0", "net/ipv6/conf/"+lab.NIC+"/accept_redirects", "0"))
		must(t, end.h.IP(
			fmt.Sprintf("addr add %s dev lo", netip.PrefixFrom(end.own, end.own.BitLen())),
			fmt.Sprintf("route add %s via %s dev %s", netip.PrefixFrom(end.to, end.to.BitLen()), via, lab.NIC)))
		back := end.h.IPv4()
		if f.v6 {
			back = end.h.IPv6()
		}
		must(t, router.IP(fmt.Sprintf("route add %s via %s dev %s", netip.PrefixFrom(end.own, end.own.BitLen()), back, lab.NIC)))
	}
}

// bfdConf is a session in keepalived's language.
func (f far) bfdConf(name string, own, other netip.Addr, extra ...string) string {
	var b strings.Builder
	fmt.Fprintf(&b, "bfd_instance %s {\n  source_ip %s\n  neighbor_ip %s\n  min_rx %d\n  min_tx %d\n  multiplier %d\n",
		name, own, other, bfdPace.Milliseconds(), bfdPace.Milliseconds(), bfdMultiplier)
	if f.multihop {
		b.WriteString("  multihop true\n  max_hops 2\n")
	}
	if f.v6 {
		b.WriteString("  hoplimit 255\n")
	}
	for _, l := range extra {
		fmt.Fprintf(&b, "  %s\n", l)
	}
	b.WriteString("}\n")
	return b.String()
}

// session is a BFD session as tandem status -o json tells of it.
type session struct {
	Name          string        `json:"name"`
	State         string        `json:"state"`
	Remote        string        `json:"remote"`
	Diag          string        `json:"diagnostic"`
	RemoteDiag    string        `json:"remote_diagnostic"`
	DetectionTime time.Duration `json:"detection_time"`
	Interval      time.Duration `json:"tx_interval"`
	Received      uint64        `json:"received"`
	TooFar        uint64        `json:"too_far"`
}

// sessions are the BFD sessions of a tandem, by name.
func sessions(a *lab.Agent) (map[string]session, error) {
	var s struct {
		BFD []session `json:"bfd"`
	}
	out, err := a.Ask("status", "-o", "json")
	if err == nil {
		err = json.Unmarshal([]byte(out), &s)
	}
	all := map[string]session{}
	for _, b := range s.BFD {
		all[b.Name] = b
	}
	return all, err
}

// tandemEnd is a tandem as one end.
type tandemEnd struct{ *lab.Agent }

func (e tandemEnd) state() (string, error) {
	all, err := sessions(e.Agent)
	return strings.ToLower(all["b1"].State), err
}

// keepalivedEnd is keepalived as the other: its log is all that tells.
type keepalivedEnd struct{ *lab.Agent }

func (e keepalivedEnd) state() (string, error) {
	state := "down"
	for l := range strings.Lines(e.Log()) {
		if _, rest, ok := strings.Cut(l, "(b1) Entering "); ok {
			state = strings.ToLower(strings.Fields(rest)[0])
		}
	}
	return state, nil
}

// frrEnd is FRR's bfdd.
type frrEnd struct{ *lab.FRR }

func (e frrEnd) state() (string, error) {
	out, err := e.Ask("show bfd peers json")
	if err != nil {
		return "", err
	}
	var peers []struct {
		Status string `json:"status"`
	}
	if err := json.Unmarshal([]byte(out), &peers); err != nil || len(peers) != 1 {
		return "", fmt.Errorf("FRR has %q: %w", out, err)
	}
	return peers[0].Status, nil
}

// frr starts bfdd with the session.
func (f far) frr(t *testing.T, h *lab.Host, own, other netip.Addr) frrEnd {
	t.Helper()
	peer := fmt.Sprintf("%s local-address %s", other, own)
	if f.multihop {
		peer = fmt.Sprintf("%s multihop local-address %s", other, own)
	} else {
		peer += " interface " + lab.NIC
	}
	e, err := h.FRR(map[string]string{"bfdd": fmt.Sprintf(
		"bfd\n peer %s\n  receive-interval %d\n  transmit-interval %d\n  detect-multiplier %d\n",
		peer, bfdPace.Milliseconds(), bfdPace.Milliseconds(), bfdMultiplier)})
	must(t, err)
	return frrEnd{e}
}

func sessionIs(t *testing.T, e bfdEnd, want string, limit time.Duration) {
	t.Helper()
	eventually(t, limit, fmt.Sprintf("session of %T %s", e, want), func() error {
		got, err := e.state()
		if err == nil && got != want {
			err = fmt.Errorf("it is %s", got)
		}
		return err
	})
}

// TestPairBFD takes sessions with keepalived and with FRR up, down when the path
// fails in either direction, and up again.
func TestPairBFD(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		peer string
		far
	}{
		{"keepalived", far{name: "ipv4"}}, {"keepalived", far{name: "ipv6", v6: true}},
		{"frr", far{name: "ipv4"}}, {"frr", far{name: "ipv6", v6: true}},
		{"frr", far{name: "ipv4-multihop", multihop: true}}, {"frr", far{name: "ipv6-multihop", v6: true, multihop: true}},
		{"frr", far{name: "ipv6-link-local", v6: true, local: true}},
		{"tandem", far{name: "ipv6-link-local", v6: true, local: true}},
		{"tandem", far{name: "ipv6-multihop", v6: true, multihop: true}},
	} {
		t.Run(tc.peer+"/"+tc.name, func(t *testing.T) {
			t.Parallel()
			l := newLab(t, "lb1", "lb2", "router")
			h1, h2 := l.Host("lb1"), l.Host("lb2")
			own, other := tc.addresses(t, h1, h2)
			tc.route(t, h1, l.Host("router"), h2)
			near := tandemEnd{agent(t, h1, "tandem", tc.bfdConf("b1", own, other))}
			start(t, near.Agent)
			var end bfdEnd
			switch tc.peer {
			case "frr":
				end = tc.frr(t, h2, other, own)
			case "keepalived":
				a := agent(t, h2, "keepalived", tc.bfdConf("b1", other, own))
				start(t, a)
				end = keepalivedEnd{a}
			default:
				a := agent(t, h2, "tandem", tc.bfdConf("b1", other, own))
				start(t, a)
				end = tandemEnd{a}
			}
			up := func(when string) {
				t.Helper()
				began := time.Now()
				sessionIs(t, near, "up", 2*slack)
				sessionIs(t, end, "up", slack)
				t.Logf("%s: up after %v", when, time.Since(began).Round(time.Millisecond))
			}
			up("start")
			// The timers are agreed on by a poll.
			eventually(t, slack, "timers", func() error {
				all, err := sessions(near.Agent)
				if s := all["b1"]; err == nil && (s.Interval != bfdPace || s.DetectionTime != bfdMultiplier*bfdPace) {
					err = fmt.Errorf("%+v", s)
				}
				return err
			})

			// The network of the neighbour is lost: both find out by themselves.
			must(t, h2.Part())
			began := time.Now()
			sessionIs(t, near, "down", slack)
			t.Logf("path lost: down after %v", time.Since(began).Round(time.Millisecond))
			all, err := sessions(near.Agent)
			must(t, err)
			if d := all["b1"].Diag; d != "Control Detection Time Expired" {
				t.Errorf("down because of %q", d)
			}
			sessionIs(t, end, "down", slack)
			must(t, h2.Rejoin())
			up("path back")

			// Ours is lost.
			must(t, h1.Part())
			sessionIs(t, end, "down", slack)
			sessionIs(t, near, "down", slack)
			must(t, h1.Rejoin())
			up("path back")

			// A planned end is told, and so found at once.
			must(t, near.Stop(slack))
			sessionIs(t, end, "down", slack)
		})
	}
}

// TestPairBFDTooFar refuses packets that have crossed a router, where none is
// allowed: nobody beyond it can bring a session up (RFC 5881 5).
func TestPairBFDTooFar(t *testing.T) {
	t.Parallel()
	l := newLab(t, "lb1", "lb2", "router")
	h1, h2 := l.Host("lb1"), l.Host("lb2")
	f := far{multihop: true}
	own, other := f.addresses(t, h1, h2)
	f.route(t, h1, l.Host("router"), h2)
	f.multihop = false
	near := agent(t, h1, "tandem", f.bfdConf("b1", own, other))
	start(t, near, agent(t, h2, "tandem", f.bfdConf("b1", other, own, "max_hops 1")))
	eventually(t, slack, "packets refused", func() error {
		all, err := sessions(near)
		if s := all["b1"]; err == nil && (s.TooFar < 3 || s.Received > 0 || s.State != "Down") {
			err = fmt.Errorf("%+v", s)
		}
		return err
	})
	// With one hop more they count.
	must(t, near.Write(f.bfdConf("b1", own, other, "max_hops 1")))
	must(t, near.Signal(syscall.SIGHUP))
	sessionIs(t, tandemEnd{near}, "up", 2*slack)
}

// TestPairTrackBFD moves the addresses by the state of a session, with tandem and
// with keepalived as the one that tracks it.
func TestPairTrackBFD(t *testing.T) {
	t.Parallel()
	for _, names := range [][2]string{{"tandem", "keepalived"}, {"keepalived", "tandem"}} {
		t.Run(names[0]+"-tracks", func(t *testing.T) {
			t.Parallel()
			l := newLab(t, "lb1", "lb2", "gateway")
			h1, h2, gw := l.Host("lb1"), l.Host("lb2"), l.Host("gateway")
			p := &pair{t: t, lab: l, mode: quick}
			f := far{}
			p.lb1 = agent(t, h1, names[0], f.bfdConf("b1", h1.IPv4(), gw.IPv4())+quick.conf(h1, h2, 150, "track_bfd {", "  b1 weight -60", "}"))
			p.lb2 = agent(t, h2, names[1], quick.conf(h2, h1, 100))
			start(t, p.lb1, p.lb2)
			// Without its session it is the worse one: 90.
			p.holds(p.lb2, quick.masterDown(100)+slack)
			p.priorityIs(p.lb2, 100)

			far := agent(t, gw, "keepalived", f.bfdConf("b1", gw.IPv4(), h1.IPv4()))
			start(t, far)
			p.holds(p.lb1, quick.masterDown(150)+2*slack)
			p.priorityIs(p.lb1, 150)
			p.steady(p.lb1)

			far.Kill()
			began := time.Now()
			p.holds(p.lb2, quick.masterDown(100)+slack)
			t.Logf("gateway died: taken over after %v", time.Since(began).Round(time.Millisecond))
			p.steady(p.lb2)
			if names[0] == "tandem" {
				if s := instance(t, p.lb1, "VI_1"); s.Priority != 90 {
					t.Errorf("priority %d without the session, want 90", s.Priority)
				}
				says(t, p.lb1, "VRRP_Instance(VI_1) Tracked BFD instance b1 is DOWN")
			}
		})
	}
}

// priorityIs waits until the node adverts that priority.
func (p *pair) priorityIs(a *lab.Agent, want uint8) {
	p.t.Helper()
	source := p.from(a)
	_, err := p.lab.Capture.WaitAdvert(within(p.t, slack), 1, func(ad lab.Advert) bool { return ad.Source == source && ad.Priority == want })
	if err != nil {
		p.t.Fatalf("%s does not advert priority %d: %v", a.Host.Name, want, err)
	}
}

// TestPairWithoutBFD starts a node that tracks a session which cannot come up:
// because of the option that runs none, or because its block lacks the neighbour.
// Nothing is sent to the neighbour, and the instance is in FAULT as keepalived's
// is, which makes its peer the master.
func TestPairWithoutBFD(t *testing.T) {
	t.Parallel()
	for _, name := range []string{"tandem", "keepalived"} {
		for why, args := range map[string][]string{"option": {"-B"}, "neighbour": nil} {
			t.Run(name+"-"+why, func(t *testing.T) {
				t.Parallel()
				l := newLab(t, "lb1", "lb2", "gateway")
				h1, h2, gw := l.Host("lb1"), l.Host("lb2"), l.Host("gateway")
				p := &pair{t: t, lab: l, mode: quick}
				f := far{}
				session := f.bfdConf("b1", h1.IPv4(), gw.IPv4())
				if why == "neighbour" {
					session = "bfd_instance b1 {\n  source_ip " + h1.IPv4().String() + "\n}\n"
				}
				p.lb1 = agent(t, h1, name, session+quick.conf(h1, h2, 150, "track_bfd {", "  b1", "}"), args...)
				p.lb2 = agent(t, h2, "tandem", quick.conf(h2, h1, 100))
				end := agent(t, gw, "tandem", f.bfdConf("b1", gw.IPv4(), h1.IPv4()))
				start(t, end, p.lb1, p.lb2)
				p.holds(p.lb2, quick.masterDown(100)+slack)
				p.steady(p.lb2)
				all, err := sessions(end)
				must(t, err)
				if s := all["b1"]; s.State != "Down" || s.Received != 0 {
					t.Errorf("the gateway's session: %+v", s)
				}
			})
		}
	}
}
