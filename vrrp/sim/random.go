package sim

import (
	"fmt"
	"math/rand/v2"
	"net/netip"
	"slices"
	"time"

	"github.com/tandem-ha/tandem/vrrp"
)

// The lengths of a random scenario: it suffers, is healed, and comes to rest.
const (
	suffering = 60 * time.Second
	healing   = 70 * time.Second
	resting   = 110 * time.Second
)

// draw makes scenarios.
type draw struct {
	*rand.Rand
}

// Random is the scenario of a seed: two to five nodes with one to three virtual
// routers, and what befalls them.
func Random(seed uint64) Scenario {
	d := draw{rand.New(rand.NewPCG(seed, 1))}
	s := Scenario{Seed: seed, Duration: resting, HealAt: healing, Network: Network{
		Delay: pick(d, 0, 2*time.Millisecond, 20*time.Millisecond), HostDelay: pick(d, 0, 5*time.Millisecond, 30*time.Millisecond),
		Duplicate: pick(d, 0, 0, 0.05),
	}}
	routers := 1
	if d.one(3) {
		routers = 2 + d.IntN(2)
	}
	common := d.common()
	for id := range 2 + d.IntN(4) {
		s.Nodes = append(s.Nodes, d.node(id, routers, common))
	}
	if common.Unicast {
		joinPeers(s.Nodes)
	}
	return d.befall(s, 12+d.IntN(20), common.AdvertInterval)
}

// Disturb adds so many things that happen at random within a minute, all of which end
// before HealAt, and has the scenario come to rest.
func Disturb(s Scenario, n int) Scenario {
	d := draw{rand.New(rand.NewPCG(s.Seed, 2))}
	s.HealAt, s.Duration = healing, resting
	longest := time.Duration(0)
	for _, node := range s.Nodes {
		for _, g := range node.Groups {
			for _, m := range g.Members {
				longest = max(longest, m.Config.AdvertInterval)
			}
		}
	}
	return d.befall(s, n, longest)
}

// befall draws so many actions.
func (d draw) befall(s Scenario, n int, interval time.Duration) Scenario {
	s.Actions = slices.Clone(s.Actions)
	for range n {
		s.Actions = append(s.Actions, d.action(s, interval))
	}
	return s
}

// one is true once in n times.
func (d draw) one(n int) bool { return d.IntN(n) == 0 }

// upTo draws a time in whole milliseconds, which are short to write down.
func (d draw) upTo(most time.Duration) time.Duration {
	return time.Duration(d.Int64N(int64(most/time.Millisecond)+1)) * time.Millisecond
}

func pick[T any](d draw, from ...T) T { return from[d.IntN(len(from))] }

// common is what all routers of a scenario have in common.
func (d draw) common() vrrp.Config {
	c := vrrp.Config{
		Version: uint8(2 + d.IntN(2)), DownTimerAdverts: 3, Preempt: !d.one(3), AdvertInterval: time.Second,
		Unicast: d.one(4), Conditional: d.one(4),
		Announcements: vrrp.Announcements{Repeat: 2, Delay: time.Second, Refresh: 10 * time.Second, LowerPrioRepeat: 1},
	}
	if c.Version == 3 {
		c.AdvertInterval = pick(d, time.Second, 100*time.Millisecond, 500*time.Millisecond)
		c.IPv6 = d.one(4)
	} else if d.one(2) {
		c.Auth = vrrp.Auth{Type: vrrp.AuthPassword, Password: []byte("secret")}
	}
	if c.Preempt && d.one(4) {
		c.PreemptDelay = d.upTo(4 * time.Second)
	}
	if d.one(4) {
		c.HMAC = &vrrp.HMAC{Keys: []vrrp.HMACKey{{ID: 1, Secret: make([]byte, 32)}}, Active: 1, Mode: vrrp.HMACEnforce, Window: 5 * time.Second}
	}
	if d.one(4) {
		c.Damping = vrrp.Damping{Flaps: 2, Window: 20 * time.Second, Hold: 10 * time.Second}
	}
	c.OfferIneligible = c.Conditional && d.one(2)
	return c
}

// node draws one node.
func (d draw) node(id, routers int, common vrrp.Config) Node {
	n := Node{Name: fmt.Sprintf("n%d", id+1), StartAt: d.upTo(2 * time.Second),
		Offset: d.upTo(time.Second), Drift: float64(d.IntN(41)-20) / 20000}
	priority := uint8(50 + 10*d.IntN(8))
	g := Group{}
	if routers > 1 {
		g.Name = "G"
	}
	for seg := range routers {
		c := common
		c.Name, c.VRID, c.Priority = fmt.Sprintf("VI_%d", seg+1), uint8(seg+1), priority
		c.Group = netip.AddrFrom4([4]byte{224, 0, 0, 18})
		source := netip.AddrFrom4([4]byte{10, 0, byte(seg), byte(id + 1)})
		vip := func(i int) netip.Addr { return netip.AddrFrom4([4]byte{10, 1, byte(seg), byte(i)}) }
		if c.IPv6 {
			c.Group = netip.MustParseAddr("ff02::12")
			source = netip.AddrFrom16([16]byte{0xfe, 0x80, 14: byte(seg), 15: byte(id + 1)})
			vip = func(i int) netip.Addr { return netip.AddrFrom16([16]byte{0xfd, 14: byte(seg), 15: byte(i)}) }
		}
		c.Addresses, c.Excluded = []netip.Addr{vip(1), vip(2)}, []netip.Addr{vip(3)}
		other := c
		if d.one(2) {
			other.Excluded = []netip.Addr{vip(3 + d.IntN(3))}
		} else {
			other.Priority = uint8(50 + 10*d.IntN(8))
		}
		g.Members = append(g.Members, Member{Config: c, Interface: fmt.Sprintf("eth%d", seg), Source: source, Reload: &other})
	}
	n.Groups = []Group{g}
	return n
}

// joinPeers makes all members of a virtual router each other's peers.
func joinPeers(nodes []Node) {
	for i := range nodes {
		for k := range nodes[i].Groups[0].Members {
			m := &nodes[i].Groups[0].Members[k]
			for j := range nodes {
				if j != i {
					m.Config.Peers = append(m.Config.Peers, vrrp.Peer{Addr: nodes[j].Groups[0].Members[k].Source})
				}
			}
			m.Reload.Peers = m.Config.Peers
		}
	}
}

// action draws something that happens.
func (d draw) action(s Scenario, interval time.Duration) Action {
	n := s.Nodes[d.IntN(len(s.Nodes))]
	a := Action{At: d.upTo(suffering), Node: n.Name, For: d.upTo(8 * interval)}
	g := n.Groups[d.IntN(len(n.Groups))]
	some := g.Members[d.IntN(len(g.Members))].Config.Name
	switch d.IntN(19) {
	case 0:
		a.Kind = Kill
	case 1:
		a.Kind, a.For = Stop, 6*time.Second+d.upTo(4*time.Second)
	case 2:
		a.Kind = Pause
	case 3:
		a.Kind, a.Instance = LinkDown, some
	case 4, 5:
		a.Kind, a.Instance = Cut, some
	case 6:
		a.Kind, a.Peer = Cut, s.Nodes[d.IntN(len(s.Nodes))].Name
		if a.Peer == a.Node {
			a.Peer, a.Instance = "", some
		}
	case 7:
		a.Kind, a.Node, a.Value = Loss, "", pick(d, 0.1, 0.5, 0.9)
	case 8:
		a.Kind, a.Node, a.Value = Delay, "", pick(d, 0.01, 0.05)
	case 9:
		a.Kind, a.Instance, a.Value = Priority, some, float64(d.IntN(121)-60)
	case 10:
		a.Kind, a.Instance = Fault, some
	case 11:
		a.Kind, a.Instance = Reload, some
	case 12:
		a.Kind, a.Instance, a.For = LoseVIP, some, 0
	case 13:
		a.Kind = BadHost
	case 14:
		a.Kind = Blind
	case 15, 16:
		a.Kind, a.For = Switchover, 0
	case 17:
		a.Kind, a.For = pick(d, Failover, Force), 0
	default:
		a.Kind, a.For = Resume, 0
	}
	return a
}
