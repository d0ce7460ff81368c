package sim

import (
	"net/netip"
	"slices"
	"time"

	"github.com/tandem-ha/tandem/vrrp"
)

// node is one host with its agent.
type node struct {
	w       *world
	conf    Node
	members []*member
	// machines are those of the process that runs, one a group.
	machines []*machine
	// life counts processes, so that what an earlier one began is void.
	life    int
	running bool
	// paused counts the pauses in force; what happens meanwhile is in deferred.
	paused   int
	deferred []func()
	// keep is how many actions keep the process from running.
	keep int
	// busy is until when the host works on addresses, pending how many batches it
	// has still to carry out.
	busy    time.Duration
	pending int
	bad     int // actions for which addresses cannot be had
}

// machine is a group of a process, with its one timer.
type machine struct {
	node    *node
	group   Group
	machine Machine
	members []*member
	wake    time.Time
}

// member is one router on a node; of it, present outlives the process.
type member struct {
	node    *node
	machine *machine
	index   int
	seg     *router
	network string
	conf    vrrp.Config
	source  netip.Addr
	iface   string
	reload  *vrrp.Config

	router *vrrp.Router
	auth   *vrrp.Authenticator
	phase  vrrp.Phase

	// What the host has.
	present map[netip.Addr]bool
	down    int // actions that keep the interface down
	cut     int // actions that cut the member off from everybody
	blind   int // actions that keep the gateway from answering
	bias    int // priority added by actions
	faults  int

	// What is written down for the next process.
	record time.Time
	hold   bool

	check memberCheck
}

// addNode makes a node and plans its start.
func (w *world) addNode(conf Node) {
	n := &node{w: w, conf: conf}
	for _, g := range conf.Groups {
		for _, c := range g.Members {
			m := &member{node: n, network: c.Network, conf: c.Config, source: c.Source, iface: c.Interface, reload: c.Reload,
				present: map[netip.Addr]bool{}, router: vrrp.NewRouter(c.Config)}
			m.seg = w.router(m)
			n.members = append(n.members, m)
		}
	}
	w.nodes = append(w.nodes, n)
	w.at(conf.StartAt, n.start)
}

// router finds the virtual router of a member, or makes it.
func (w *world) router(m *member) *router {
	i := slices.IndexFunc(w.routers, func(r *router) bool { return r.vrid == m.conf.VRID && r.ipv6 == m.conf.IPv6 && r.network == m.network })
	if i < 0 {
		i = len(w.routers)
		w.routers = append(w.routers, &router{vrid: m.conf.VRID, ipv6: m.conf.IPv6, network: m.network})
	}
	r := w.routers[i]
	m.index = len(r.members)
	r.members = append(r.members, m)
	r.longest = max(r.longest, m.conf.AdvertInterval)
	r.downs = max(r.downs, m.conf.DownTimerAdverts)
	return r
}

// clock is what the node's clock shows.
func (n *node) clock() time.Time {
	return epoch.Add(n.conf.Offset + n.w.now + time.Duration(float64(n.w.now)*n.conf.Drift))
}

// when is the moment at which the node's clock will show t, or a little later.
func (n *node) when(t time.Time) time.Duration {
	local := t.Sub(epoch) - n.conf.Offset
	at := time.Duration(float64(local) / (1 + n.conf.Drift))
	for at+time.Duration(float64(at)*n.conf.Drift) < local {
		at++
	}
	return at
}

// soon does something in the node's process, unless that has ended by then; while the
// node is paused it waits. As in a socket's buffer, there is room for some only.
func (n *node) soon(at time.Duration, do func()) {
	life := n.life
	n.w.at(at, func() {
		switch {
		case n.life != life:
		case n.paused > 0 && len(n.deferred) < 500:
			n.deferred = append(n.deferred, func() {
				if n.life == life {
					do()
				}
			})
		case n.paused == 0:
			do()
		}
	})
}

// start begins a process: what is known of an earlier one comes from its record.
func (n *node) start() {
	if n.running || n.keep > 0 || n.paused > 0 {
		return
	}
	n.running = true
	n.life++
	n.pending, n.busy = 0, n.w.now
	n.machines = nil
	i := 0
	for _, g := range n.conf.Groups {
		mc := &machine{node: n, group: g}
		var routers []*vrrp.Router
		for range g.Members {
			m := n.members[i]
			i++
			m.machine = mc
			m.router, m.auth = vrrp.NewRouter(m.conf), vrrp.NewAuthenticator(m.conf)
			m.sweep()
			m.check.begin(n.w.now)
			m.phase = m.router.Phase()
			mc.members = append(mc.members, m)
			routers = append(routers, m.router)
		}
		mc.machine = n.w.options.Build(n.conf.Name, g.Name, routers...)
		n.machines = append(n.machines, mc)
	}
	n.w.tracef("%s starts", n.conf.Name)
	n.w.tell(n, nil, "starts")
	for _, m := range n.members {
		m.put(m.linkState())
		if m.bias != 0 {
			m.put(m.priority())
		}
		if m.faults > 0 {
			m.put(vrrp.Fault{Cause: "a tracked script fails", Active: true})
		}
	}
	for _, m := range n.members {
		if m.conf.Conditional {
			m.ask(vrrp.AnyOf(2, 3, "gateway"))
		}
		m.put(vrrp.Start{LastAdvert: m.record, Hold: m.hold})
	}
}

// sweep removes what an earlier process left and the configuration does not know.
func (m *member) sweep() {
	for a := range m.present {
		if !slices.Contains(m.conf.Addresses, a) && !slices.Contains(m.conf.Excluded, a) {
			delete(m.present, a)
		}
	}
}

// crash ends the process without a word; its addresses stay.
func (n *node) crash() {
	if !n.running {
		return
	}
	for _, m := range n.members {
		m.hold = m.router.Status().Hold
	}
	n.end()
}

// end is the end of the process.
func (n *node) end() {
	n.running = false
	n.life++
	n.pending, n.busy, n.deferred = 0, 0, nil
	for _, m := range n.members {
		m.phase = vrrp.Phase{}
	}
}

func (m *member) linkState() vrrp.LinkState {
	if m.down > 0 {
		return vrrp.LinkState{Source: m.source, Cause: "interface " + m.iface + " down"}
	}
	return vrrp.LinkState{Up: true, Source: m.source}
}

func (m *member) priority() vrrp.Priority {
	return vrrp.Priority{Effective: vrrp.EffectivePriority(m.conf.Priority, m.bias), Cause: "tracking"}
}

// ask asks the gateway for ever, each advert interval.
func (m *member) ask(c *vrrp.Condition) {
	wrong := ""
	if m.blind > 0 || m.cut > 0 || m.down > 0 {
		wrong = "timed out"
	}
	if c.Answer("gateway", wrong) {
		e, _ := c.State()
		m.put(e)
	}
	m.node.soon(m.node.w.now+m.conf.AdvertInterval, func() { m.ask(c) })
}

// put gives a member an input.
func (m *member) put(in vrrp.Input) {
	m.machine.step(vrrp.GroupInput{Member: m.conf.Name, Input: in})
}

// step gives the machine an input and carries out what comes of it.
func (mc *machine) step(in vrrp.GroupInput) {
	n := mc.node
	w := n.w
	if !n.running || w.ended {
		return
	}
	w.result.Steps++
	out := mc.machine.Step(n.clock(), in, nil)
	if w.options.Trace {
		w.traceStep(mc, in, out)
	}
	life := n.life
	for _, o := range out {
		if n.life != life {
			return
		}
		if o.Member == "" {
			continue
		}
		i := slices.IndexFunc(mc.members, func(m *member) bool { return m.conf.Name == o.Member })
		if i >= 0 {
			mc.members[i].carryOut(o.Output)
		}
	}
	for _, m := range mc.members {
		m.phase = m.router.Phase()
		m.check.note(m)
	}
	mc.arm()
}

// arm sets the one timer, as an agent does.
func (mc *machine) arm() {
	d := mc.machine.Deadline()
	if d.IsZero() || d.Equal(mc.wake) || !mc.node.running {
		return
	}
	mc.wake = d
	mc.node.soon(mc.node.when(d), func() {
		if mc.wake.Equal(d) {
			mc.wake = time.Time{}
			mc.step(vrrp.GroupInput{Input: vrrp.TimerFired{}})
		}
	})
}

// carryOut does what a router asks for.
func (m *member) carryOut(o vrrp.Output) {
	n := m.node
	w := n.w
	switch o := o.(type) {
	case vrrp.SendAdvert:
		m.transmit(&o.Packet)
	case vrrp.Acquire:
		m.check.acquire(m, o.Addresses)
		m.host(w.upTo(w.net.host), func() {
			if n.bad > 0 {
				m.put(vrrp.AcquireFailed{Serial: o.Serial, Cause: "the host refuses"})
				return
			}
			for _, a := range o.Addresses {
				m.present[a] = true
				delete(m.check.lost, a)
			}
			m.put(vrrp.Acquired{Serial: o.Serial})
		})
	case vrrp.Release:
		m.check.release(o.Addresses)
		m.host(0, func() {
			for _, a := range o.Addresses {
				delete(m.present, a)
			}
		})
	case vrrp.Announce:
		m.announce(o.Addresses)
	case vrrp.StateChanged:
		m.moved(o)
	case vrrp.Dropped:
		m.check.dropped = true
		if o.Detail != "" {
			w.tell(n, m, "ignores adverts of "+w.nameOf(o.Source)+": "+string(o.Reason)+" ("+o.Detail+")")
		}
	case vrrp.Noticed:
		w.tell(n, m, o.Detail)
	case vrrp.CommandDone:
		if o.Err != "" {
			w.tell(n, m, string(o.Kind)+" refused: "+o.Err)
		}
	case vrrp.Stopped:
		m.hold = m.router.Status().Hold
		m.stopped()
	}
}

// moved follows a change of state.
func (m *member) moved(o vrrp.StateChanged) {
	m.node.w.moment(Moment{Node: m.node.conf.Name, Instance: m.conf.Name, From: o.From.String(), To: o.To.String(), Text: o.Cause.Detail})
	if o.To == vrrp.Master {
		m.seg.check.shared = instant{} // each new master has its time to be heard
	}
	if o.From != vrrp.Init || o.To == vrrp.Master {
		return
	}
	// What an earlier process left and this one does not hold goes.
	m.host(0, func() {
		for a := range m.present {
			if !slices.Contains(m.check.held, a) {
				delete(m.present, a)
			}
		}
	})
}

// stopped ends the process when the last of its routers has stopped.
func (m *member) stopped() {
	n := m.node
	m.check.stopped = true
	for _, other := range n.members {
		if !other.check.stopped {
			return
		}
	}
	m.host(0, func() {
		n.end()
		n.start() // where its time to stay away is over
	})
}

// host carries out work in order, each piece in its time.
func (m *member) host(takes time.Duration, work func()) {
	n := m.node
	n.busy = max(n.busy, n.w.now) + takes
	n.pending++
	n.soon(n.busy, func() {
		n.pending--
		m.check.dirty = true
		work()
	})
}
