package vrrp

import (
	"container/heap"
	"fmt"
	"math/rand/v2"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"
)

// The simulation runs two to five nodes in virtual time: packets through the real
// codec with delay and loss, a host that takes its time over addresses, crashes,
// cuts, faults and orders. After every event it asserts the invariants of the
// design; at the end, healed and left alone, exactly one node must be master.

const (
	simDelay   = 2 * time.Millisecond  // at most, of a packet
	simAcquire = 30 * time.Millisecond // at most, of a batch of addresses
	simSlack   = 150 * time.Millisecond
)

// event is something that happens in a simulation.
type event struct {
	at  time.Time
	seq int
	do  func()
}

type eventQueue []event

func (q eventQueue) Len() int { return len(q) }
func (q eventQueue) Less(i, j int) bool {
	return q[i].at.Before(q[j].at) || q[i].at.Equal(q[j].at) && q[i].seq < q[j].seq
}
func (q eventQueue) Swap(i, j int) { q[i], q[j] = q[j], q[i] }
func (q *eventQueue) Push(x any)   { *q = append(*q, x.(event)) }
func (q *eventQueue) Pop() any {
	old := *q
	e := old[len(old)-1]
	*q = old[:len(old)-1]
	return e
}

// sim is one run.
type sim struct {
	t        *testing.T
	seed     uint64
	rng      *rand.Rand
	now      time.Time
	seq      int
	events   eventQueue
	nodes    []*simNode
	segments int // one for each member of a node's sync group
	longest  time.Duration
	loss     float64
	calm     time.Time   // since when there was no loss and no change of cuts
	two      []time.Time // since when a segment has two masters, per segment
	shared   []time.Time // since when an address is on two nodes, per segment
	log      []string
}

// simNode is one host with its agent.
type simNode struct {
	s        *sim
	id       int
	cfgs     []Config
	addrs    []netip.Addr
	g        *Group
	life     int // counts starts, so that events of an earlier process are void
	running  bool
	present  []map[netip.Addr]bool // on the interface; outlives the process
	linkUp   []bool
	cut      []bool // the network loses this node, and its link does not tell
	record   []time.Time
	holds    []bool
	busy     time.Time // the host works on addresses until then
	pending  int       // batches that the host has still to carry out
	wake     time.Time
	eligible []time.Time // since when a member could become master
	served   []time.Time // when there was a master last that this node could hear, or itself
	sent     []time.Time // when a master last adverted
}

func (s *sim) after(d time.Duration, do func()) {
	s.seq++
	heap.Push(&s.events, event{s.now.Add(d), s.seq, do})
}

func (s *sim) between(a, b time.Duration) time.Duration {
	return a + time.Duration(s.rng.Int64N(int64(b-a)+1))
}

func (s *sim) logf(format string, args ...any) {
	s.log = append(s.log, fmt.Sprintf("%9v ", s.now.Sub(epoch).Round(time.Microsecond))+fmt.Sprintf(format, args...))
}

func (s *sim) fail(format string, args ...any) {
	s.t.Helper()
	s.t.Fatalf("seed %d at %v: %s\n%s", s.seed, s.now.Sub(epoch), fmt.Sprintf(format, args...),
		strings.Join(s.log[max(0, len(s.log)-60):], "\n"))
}

// newSim draws a cluster.
func newSim(t *testing.T, seed uint64) *sim {
	s := &sim{t: t, seed: seed, rng: rand.New(rand.NewPCG(seed, 1)), now: epoch, calm: epoch, segments: 1}
	if s.rng.IntN(3) == 0 {
		s.segments = 2 + s.rng.IntN(2)
	}
	s.two, s.shared = make([]time.Time, s.segments), make([]time.Time, s.segments)
	version := uint8(2 + s.rng.IntN(2))
	interval := time.Second
	if version == 3 {
		interval = []time.Duration{time.Second, 100 * time.Millisecond, 500 * time.Millisecond}[s.rng.IntN(3)]
	}
	s.longest = interval
	preempt := s.rng.IntN(3) > 0
	delay := time.Duration(s.rng.IntN(2)*s.rng.IntN(5)) * time.Second
	for id := range 2 + s.rng.IntN(4) {
		n := &simNode{s: s, id: id}
		priority := uint8(50 + 10*s.rng.IntN(8))
		for seg := range s.segments {
			cfg := Config{
				Name: fmt.Sprintf("VI_%d", seg), VRID: uint8(seg + 1), Version: version, Priority: priority,
				AdvertInterval: interval, DownTimerAdverts: 3, Preempt: preempt, PreemptDelay: delay,
				Addresses:     []netip.Addr{vip(seg, 1), vip(seg, 2)},
				Excluded:      []netip.Addr{vip(seg, 3)},
				Group:         oldChecksumGroup,
				Announcements: Announcements{Repeat: 2, Delay: time.Second, Refresh: 10 * time.Second, LowerPrioRepeat: 1},
			}
			n.cfgs = append(n.cfgs, cfg)
			n.addrs = append(n.addrs, netip.AddrFrom4([4]byte{10, 0, byte(seg), byte(id + 1)}))
			n.present = append(n.present, map[netip.Addr]bool{})
			n.linkUp = append(n.linkUp, true)
		}
		n.cut = make([]bool, s.segments)
		n.record = make([]time.Time, s.segments)
		n.holds = make([]bool, s.segments)
		n.eligible = make([]time.Time, s.segments)
		n.served = make([]time.Time, s.segments)
		n.sent = make([]time.Time, s.segments)
		s.nodes = append(s.nodes, n)
		s.after(s.between(0, 2*time.Second), n.start)
	}
	return s
}

func vip(seg, i int) netip.Addr { return netip.AddrFrom4([4]byte{10, 1, byte(seg), byte(i)}) }

// run lets the cluster suffer, heals it, and judges how it ends.
func (s *sim) run() {
	for range 12 + s.rng.IntN(20) {
		s.after(s.between(0, 60*time.Second), s.disturb)
	}
	s.after(70*time.Second, s.heal)
	end := epoch.Add(110 * time.Second)
	for len(s.events) > 0 && !s.events[0].at.After(end) {
		e := heap.Pop(&s.events).(event)
		s.now = e.at
		e.do()
		s.check()
	}
	s.now = end
	s.checkEnd()
}

// start begins a process: what is known of an earlier one comes from its record.
func (n *simNode) start() {
	if n.running {
		return
	}
	n.running = true
	n.life++
	n.pending, n.busy, n.wake = 0, n.s.now, time.Time{}
	var routers []*Router
	for _, cfg := range n.cfgs {
		routers = append(routers, NewRouter(cfg))
	}
	name := ""
	if len(routers) > 1 {
		name = "G"
	}
	n.g = NewGroup(name, routers...)
	for seg := range routers {
		n.sent[seg] = time.Time{}
		n.put(seg, LinkState{Up: n.linkUp[seg], Source: n.addrs[seg]})
	}
	for seg := range routers {
		n.put(seg, Start{LastAdvert: n.record[seg], Hold: n.holds[seg]})
	}
}

// crash ends the process without a word; its addresses stay.
func (n *simNode) crash() {
	if !n.running {
		return
	}
	n.s.logf("node %d crashes", n.id)
	for seg, r := range n.g.Members() {
		n.holds[seg] = r.Status().Hold
	}
	n.running = false
	n.life++
}

// put gives one member an input and carries out what comes of it.
func (n *simNode) put(seg int, in Input) { n.step(n.cfgs[seg].Name, in) }

func (n *simNode) step(member string, in Input) {
	if !n.running {
		return
	}
	s := n.s
	out := n.g.Step(s.now, GroupInput{Member: member, Input: in}, nil)
	if _, quiet := in.(TimerFired); !quiet || len(out) > 0 {
		s.logf("node %d %s %T%v", n.id, member, in, in)
	}
	for _, o := range out {
		s.logf("    node %d %s: %s", n.id, o.Member, word(o.Output))
		if o.Member != "" {
			n.carryOut(n.segment(o.Member), o.Output)
		}
	}
	for seg, r := range n.g.Members() {
		if !r.adverting() {
			n.sent[seg] = time.Time{}
		}
	}
	n.arm()
}

func (n *simNode) segment(member string) int {
	return slices.IndexFunc(n.cfgs, func(c Config) bool { return c.Name == member })
}

// arm sets the one timer, as the agent does.
func (n *simNode) arm() {
	d := n.g.Deadline()
	if d.IsZero() || d.Equal(n.wake) {
		return
	}
	n.wake = d
	life := n.life
	n.s.after(max(d.Sub(n.s.now), 0), func() {
		if n.life == life && n.wake.Equal(d) {
			n.wake = time.Time{}
			n.step("", TimerFired{})
			n.arm()
		}
	})
}

func (n *simNode) carryOut(seg int, o Output) {
	s := n.s
	switch o := o.(type) {
	case SendAdvert:
		n.transmit(seg, o.Packet)
	case Acquire:
		n.host(s.between(0, simAcquire), func() {
			if s.rng.IntN(200) == 0 {
				n.put(seg, AcquireFailed{Serial: o.Serial, Cause: "simulated"})
				return
			}
			for _, a := range o.Addresses {
				n.present[seg][a] = true
			}
			n.put(seg, Acquired{Serial: o.Serial})
		})
	case Release:
		n.host(0, func() {
			for _, a := range o.Addresses {
				delete(n.present[seg], a)
			}
		})
	case Announce:
		for _, a := range o.Addresses {
			if !n.reaches(seg) {
				continue
			}
			for _, peer := range s.nodes {
				if peer != n && peer.reaches(seg) {
					s.after(s.between(0, simDelay), func() { peer.put(seg, PeerAnnounced{Addr: a}) })
				}
			}
		}
	case StateChanged:
		if o.From == Master {
			n.served[seg] = s.now
		}
		if o.To == Master {
			s.shared[seg] = time.Time{} // each new master has its time to be heard
		}
		if o.From == Init {
			// The agent's part: what an earlier process left and we do not hold goes.
			n.host(0, func() {
				held := n.g.Members()[seg].Status().Held
				for a := range n.present[seg] {
					if !slices.Contains(held, a) {
						delete(n.present[seg], a)
					}
				}
			})
		}
	case Stopped:
		n.holds[seg] = n.g.Members()[seg].Status().Hold
		if !slices.ContainsFunc(n.g.Members(), func(r *Router) bool { return !r.stopped }) {
			n.host(0, func() { n.running = false; n.life++ })
		}
	}
}

// host carries out work in order, each piece in its time.
func (n *simNode) host(takes time.Duration, work func()) {
	s, life := n.s, n.life
	if n.busy.Before(s.now) {
		n.busy = s.now
	}
	n.busy = n.busy.Add(takes)
	n.pending++
	s.after(n.busy.Sub(s.now), func() {
		if n.life == life {
			n.pending--
			work()
		}
	})
}

// reaches is whether the node's packets pass on a segment.
func (n *simNode) reaches(seg int) bool { return n.linkUp[seg] && !n.cut[seg] }

// transmit sends an advert through the codec to every node that it reaches.
func (n *simNode) transmit(seg int, p Packet) {
	s := n.s
	if p.Priority == 0 {
		s.shared[seg] = time.Time{} // the roles change: who leaves has its time anew
	}
	if p.Priority > 0 {
		n.checkPace(seg)
		n.record[seg] = s.now
	}
	n.sent[seg] = s.now
	wire, err := p.Append(nil, n.addrs[seg], oldChecksumGroup, false)
	if err != nil {
		s.fail("%v", err)
	}
	for _, peer := range s.nodes {
		if peer == n || !n.reaches(seg) || s.rng.Float64() < s.loss {
			continue
		}
		if p.Priority > 0 && peer.reaches(seg) {
			peer.served[seg] = s.now
		}
		s.after(s.between(0, simDelay), func() {
			if peer.reaches(seg) {
				peer.hear(seg, wire, n.addrs[seg])
			}
		})
	}
}

// hear parses a packet and asserts at once that a worse master gives way.
func (n *simNode) hear(seg int, wire []byte, src netip.Addr) {
	if !n.running {
		return
	}
	p, err := Parse(wire, Meta{Source: src, Destination: oldChecksumGroup, TTL: 255})
	if err != nil {
		n.s.fail("node %d cannot read %x: %v", n.id, wire, err)
	}
	n.put(seg, Advert{Packet: p, Source: src, Destination: oldChecksumGroup, TTL: 255})
	r := n.g.Members()[seg]
	st := r.Status()
	if st.State == Master && !st.Offering && p.Priority > 0 && r.better(p.Priority, src) {
		n.s.fail("invariant 2: node %d is master with priority %d after an advert with %d from %v", n.id, st.Priority, p.Priority, src)
	}
}

// checkPace asserts that no advert of a master is late (invariant 4).
func (n *simNode) checkPace(seg int) {
	r := n.g.Members()[seg]
	if last := n.sent[seg]; r.state == Master && !last.IsZero() && n.s.now.Sub(last) > n.cfgs[seg].AdvertInterval {
		n.s.fail("invariant 4: node %d adverts %v after its last", n.id, n.s.now.Sub(last))
	}
}

// disturb does one thing to the cluster.
func (s *sim) disturb() {
	n := s.nodes[s.rng.IntN(len(s.nodes))]
	seg := s.rng.IntN(s.segments)
	switch s.rng.IntN(14) {
	case 0:
		n.crash()
		s.after(s.between(0, 8*s.longest), n.start)
	case 1:
		s.logf("node %d link of %d toggles", n.id, seg)
		n.linkUp[seg] = !n.linkUp[seg]
		s.disturbed()
		n.put(seg, LinkState{Up: n.linkUp[seg], Source: n.addrs[seg]})
	case 2:
		s.logf("node %d is cut off or back on %d", n.id, seg)
		n.cut[seg] = !n.cut[seg]
		s.disturbed()
	case 3:
		s.loss = []float64{0, 0, 0.1, 0.5}[s.rng.IntN(4)]
		s.disturbed()
	case 4, 5, 6:
		n.step("", Command{Kind: Switchover})
	case 7:
		n.step("", Command{Kind: Failover, Force: s.rng.IntN(3) == 0})
	case 8:
		n.step("", Command{Kind: Resume})
	case 9:
		n.step("", Shutdown{Limit: time.Duration(s.rng.IntN(3)) * time.Second})
		s.after(s.between(2*time.Second, 6*time.Second), n.start)
	case 10:
		n.put(seg, Priority{Effective: uint8(20 + s.rng.IntN(200)), Cause: "simulated"})
	case 11:
		n.put(seg, Fault{Cause: "script", Active: true})
		s.after(s.between(0, 5*time.Second), func() { n.put(seg, Fault{Cause: "script"}) })
	case 12:
		n.reload(seg)
	case 13:
		n.loseAddress(seg)
	}
}

// reload gives one member a configuration that differs in one thing or none.
func (n *simNode) reload(seg int) {
	c := n.cfgs[seg].clone()
	switch n.s.rng.IntN(3) {
	case 0:
		c.Excluded = []netip.Addr{vip(seg, 3+n.s.rng.IntN(3))}
	case 1:
		c.Priority = uint8(50 + 10*n.s.rng.IntN(8))
	}
	n.cfgs[seg] = c
	n.put(seg, Reconfigure{Config: c})
}

// loseAddress removes an address behind the agent's back.
func (n *simNode) loseAddress(seg int) {
	for _, a := range n.cfgs[seg].Addresses {
		if n.present[seg][a] && n.pending == 0 {
			delete(n.present[seg], a)
			n.put(seg, AddressLost{Addr: a})
			return
		}
	}
}

func (s *sim) disturbed() {
	s.calm = s.now
}

// heal ends all that ails the cluster.
func (s *sim) heal() {
	s.logf("heal")
	s.loss = 0
	s.disturbed()
	for _, n := range s.nodes {
		for seg := range n.cfgs {
			n.cut[seg] = false
			if !n.linkUp[seg] {
				n.linkUp[seg] = true
				n.put(seg, LinkState{Up: true, Source: n.addrs[seg]})
			}
		}
		n.start()
		n.step("", Command{Kind: Resume})
		for seg := range n.cfgs {
			n.put(seg, Priority{Effective: n.cfgs[seg].Priority})
		}
	}
}
