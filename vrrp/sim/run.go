package sim

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"time"

	"github.com/tandem-ha/tandem/vrrp"
)

// tickTime is the longest time between two rounds of checks.
const tickTime = 100 * time.Millisecond

// epoch is when every run begins.
var epoch = time.Unix(1_000_000_000, 0).UTC()

// Machine is what is driven on a node: a *vrrp.Group, or something that stands in
// for one.
type Machine interface {
	Step(now time.Time, in vrrp.GroupInput, out []vrrp.GroupOutput) []vrrp.GroupOutput
	Deadline() time.Time
	Members() []*vrrp.Router
}

// Options are how a scenario is run.
type Options struct {
	// Build makes the machine of a group on a node; nil is vrrp.NewGroup.
	Build func(node, group string, members ...*vrrp.Router) Machine
	// Trace has every step told in Result.Trace, which costs much.
	Trace bool
	// Timeline has what people want to know told in Result.Timeline.
	Timeline bool
	// All goes on after a violation, and collects them.
	All bool
}

// Result is how a run went.
type Result struct {
	// Steps counts the steps of all machines.
	Steps int `json:"steps"`
	// Violations are what did not hold; a run ends with the first one unless
	// Options.All.
	Violations []Violation `json:"violations,omitempty"`
	Timeline   []Moment    `json:"timeline,omitempty"`
	Trace      []string    `json:"-"`
	// Routers tells of each virtual router at the end.
	Routers []RouterResult `json:"routers,omitempty"`
}

// Violation is something that must hold and did not.
type Violation struct {
	At time.Duration `json:"at"`
	// Invariant is a short word for what did not hold.
	Invariant string `json:"invariant"`
	Text      string `json:"text"`
}

// String is the violation in one line.
func (v Violation) String() string { return fmt.Sprintf("%v: %s: %s", v.At, v.Invariant, v.Text) }

// Moment is one entry of a timeline.
type Moment struct {
	At time.Duration `json:"at"`
	// Node and Instance are empty for what concerns the whole network.
	Node     string `json:"node,omitempty"`
	Instance string `json:"instance,omitempty"`
	// From and To are given for a change of state.
	From string `json:"from,omitempty"`
	To   string `json:"to,omitempty"`
	Text string `json:"text"`
}

// RouterResult is one virtual router, over all nodes that have it.
type RouterResult struct {
	VRID    uint8  `json:"vrid"`
	IPv6    bool   `json:"ipv6,omitempty"`
	Network string `json:"network,omitempty"`
	// Masters are the nodes that are master at the end.
	Masters []string `json:"masters"`
	// Unserved is for how long, after it was first held, no node held its address.
	Unserved time.Duration `json:"unserved"`
	// Members are its routers on each node.
	Members []MemberResult `json:"members"`
}

// MemberResult is one router at the end.
type MemberResult struct {
	Node     string      `json:"node"`
	Instance string      `json:"instance"`
	Running  bool        `json:"running"`
	Status   vrrp.Status `json:"status"`
}

// world is one run.
type world struct {
	scenario Scenario
	options  Options
	rng      *rand.Rand
	now      time.Duration
	queue    queue
	nodes    []*node
	routers  []*router
	net      quality
	// parted counts the actions that keep two nodes apart.
	parted map[pair]int
	// calm is when something was last done to the network or to a node.
	calm   time.Duration
	healed bool
	result Result
	ended  bool
}

// router is a virtual router: the members that share a VRID and family.
type router struct {
	vrid    uint8
	ipv6    bool
	network string
	members []*member
	// longest is the longest advert interval of any member so far, and downs the
	// most adverts that one waits for.
	longest time.Duration
	downs   int
	check   routerCheck
}

// quality is the network now.
type quality struct {
	// losses are the parts of packets that are lost, delays the most that they take:
	// for each reason one, of which the worst counts.
	losses    []float64
	delays    []time.Duration
	duplicate float64
	host      time.Duration
	// worst is the longest delay that a packet under way may have.
	worst time.Duration
}

// drops draws whether a packet is lost.
func (w *world) drops() bool {
	return len(w.net.losses) > 0 && w.rng.Float64() < slices.Max(w.net.losses)
}

// travels draws how long a packet takes.
func (w *world) travels() time.Duration { return w.upTo(slices.Max(w.net.delays)) }

// Run runs a scenario. The error says that it is none.
func Run(s Scenario, o Options) (Result, error) {
	if err := s.Validate(); err != nil {
		return Result{}, err
	}
	if o.Build == nil {
		o.Build = func(_, group string, members ...*vrrp.Router) Machine { return vrrp.NewGroup(group, members...) }
	}
	w := &world{scenario: s, options: o, rng: rand.New(rand.NewPCG(s.Seed, 0)), parted: map[pair]int{}}
	w.net = quality{delays: []time.Duration{s.Network.Delay}, worst: s.Network.Delay, duplicate: s.Network.Duplicate, host: s.Network.HostDelay}
	if s.Network.Loss > 0 {
		w.net.losses = append(w.net.losses, s.Network.Loss)
	}
	for _, n := range s.Nodes {
		w.addNode(n)
	}
	for _, a := range s.Actions {
		w.at(a.At, func() { w.begin(a) })
	}
	if s.HealAt > 0 {
		w.at(s.HealAt, w.heal)
	}
	w.at(0, w.tick)
	for !w.ended && len(w.queue.heap) > 0 && w.queue.heap[0].at <= s.Duration {
		e := w.queue.pop()
		w.now = e.at
		e.do()
		w.check()
	}
	w.now = s.Duration
	if !w.ended {
		w.checkEnd()
	}
	w.sum()
	return w.result, nil
}

// tick has the checks made also while nothing happens.
func (w *world) tick() { w.after(tickTime, w.tick) }

// at has something done at a moment, after what was planned for it already.
func (w *world) at(when time.Duration, do func()) { w.queue.push(max(when, w.now), do) }

func (w *world) after(d time.Duration, do func()) { w.at(w.now+d, do) }

// upTo draws a time.
func (w *world) upTo(most time.Duration) time.Duration {
	if most <= 0 {
		return 0
	}
	return time.Duration(w.rng.Int64N(int64(most) + 1))
}

func (w *world) tracef(format string, args ...any) {
	if w.options.Trace {
		w.result.Trace = append(w.result.Trace, fmt.Sprintf("%12v  ", w.now.Round(time.Microsecond))+fmt.Sprintf(format, args...))
	}
}

// saidLately is whether the same did not hold in the last ten seconds: who goes on wants
// to know of it, and not a thousand times.
func (w *world) saidLately(invariant string) bool {
	for _, v := range slices.Backward(w.result.Violations) {
		if v.Invariant == invariant {
			return w.now-v.At < 10*time.Second
		}
	}
	return false
}

// fail takes note of what does not hold.
func (w *world) fail(invariant, format string, args ...any) {
	if w.ended || w.saidLately(invariant) {
		return
	}
	v := Violation{At: w.now, Invariant: invariant, Text: fmt.Sprintf(format, args...)}
	w.result.Violations = append(w.result.Violations, v)
	w.tracef("VIOLATION %s: %s", v.Invariant, v.Text)
	w.ended = !w.options.All
}

// sum fills in how the routers ended.
func (w *world) sum() {
	for _, r := range w.routers {
		out := RouterResult{VRID: r.vrid, IPv6: r.ipv6, Network: r.network, Unserved: r.check.unserved, Masters: []string{}}
		if !r.check.emptySince.none() && r.check.served {
			out.Unserved += w.now - r.check.emptySince.at
		}
		for _, m := range r.members {
			st := m.router.Status()
			if m.node.running && st.State == vrrp.Master {
				out.Masters = append(out.Masters, m.node.conf.Name)
			}
			out.Members = append(out.Members, MemberResult{Node: m.node.conf.Name, Instance: m.conf.Name, Running: m.node.running, Status: st})
		}
		w.result.Routers = append(w.result.Routers, out)
	}
}
