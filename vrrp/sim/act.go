package sim

import (
	"slices"
	"time"

	"github.com/tandem-ha/tandem/vrrp"
)

// stopLimit is how long a process that is stopped offers, as the agent's.
const stopLimit = 5 * time.Second

// begin begins an action, and plans its end.
func (w *world) begin(a Action) {
	if w.healed {
		return
	}
	w.calm = w.now
	w.tracef("ACTION %s", a)
	w.moment(Moment{Node: a.Node, Instance: a.Instance, Text: a.describe()})
	end := w.act(a)
	if end == nil || a.For <= 0 {
		return
	}
	w.after(a.For, func() {
		if w.healed {
			return
		}
		w.calm = w.now
		w.tracef("END OF %s", a)
		w.moment(Moment{Node: a.Node, Instance: a.Instance, Text: "end of: " + a.describe()})
		end()
	})
}

// describe is an action for people.
func (a Action) describe() string {
	a.At = 0
	return a.String()[len("0s "):]
}

// act carries an action out and gives back what ends it, nil where it has no end.
func (w *world) act(a Action) (end func()) {
	switch a.Kind {
	case Loss:
		return w.changeLoss(a.Value)
	case Delay:
		return w.changeDelay(time.Duration(a.Value * float64(time.Second)))
	}
	n := w.nodeNamed(a.Node)
	var on []*member
	for _, m := range n.members {
		if a.Instance == "" || m.conf.Name == a.Instance {
			on = append(on, m)
		}
	}
	switch a.Kind {
	case Kill, Stop:
		n.keep++
		n.endBy(a.Kind)
		return func() { n.keep--; n.start() }
	case Pause:
		n.paused++
		return n.unpause
	case Cut:
		return w.cutOff(n, on, a.Peer)
	case BadHost:
		n.bad++
		return func() { n.bad-- }
	case Switchover, Failover, Force, Resume:
		n.command(a.Kind)
		return nil
	default:
		return onMembers(on, a)
	}
}

// endBy ends the process by a crash or a SIGTERM.
func (n *node) endBy(k Kind) {
	if k == Kill {
		n.crash()
		return
	}
	for _, mc := range n.machines {
		mc.whenAwake(func() { mc.step(vrrp.GroupInput{Input: vrrp.Shutdown{Limit: stopLimit}}) })
	}
}

// whenAwake does something in the process, at once unless the node is paused.
func (mc *machine) whenAwake(do func()) {
	if mc.node.paused > 0 {
		mc.node.soon(mc.node.w.now, do)
		return
	}
	do()
}

func (n *node) command(k Kind) {
	c := vrrp.Command{Kind: vrrp.CommandKind(k)}
	if k == Force {
		c = vrrp.Command{Kind: vrrp.Failover, Force: true}
	}
	if !n.running {
		return
	}
	for _, mc := range n.machines {
		mc.whenAwake(func() { mc.step(vrrp.GroupInput{Input: c}) })
	}
}

// unpause lets a paused node catch up, in order.
func (n *node) unpause() {
	if n.paused--; n.paused > 0 {
		return
	}
	for _, m := range n.members {
		m.check.awake(n.w.now)
	}
	waiting := n.deferred
	n.deferred = nil
	for _, do := range waiting {
		do()
	}
	if !n.running {
		n.start()
	}
}

// cutOff loses the packets between a node and another, or every other.
func (w *world) cutOff(n *node, on []*member, peer string) (end func()) {
	if peer != "" {
		key := pairOf(n, w.nodeNamed(peer))
		w.parted[key]++
		return func() {
			if w.parted[key]--; w.parted[key] == 0 {
				delete(w.parted, key)
			}
		}
	}
	for _, m := range on {
		if m.cut++; m.cut == 1 {
			m.check.cutAt = w.now
		}
	}
	return func() {
		for _, m := range on {
			m.cut--
		}
	}
}

// changeLoss and changeDelay make the network worse: of several at a time the worst
// counts.
func (w *world) changeLoss(part float64) (end func()) {
	w.net.losses = append(w.net.losses, part)
	return func() {
		i := slices.Index(w.net.losses, part)
		w.net.losses = slices.Delete(w.net.losses, i, i+1)
	}
}

func (w *world) changeDelay(most time.Duration) (end func()) {
	w.net.delays = append(w.net.delays, most)
	w.net.worst = max(w.net.worst, most)
	return func() {
		i := slices.Index(w.net.delays, most)
		w.net.delays = slices.Delete(w.net.delays, i, i+1)
	}
}

// onMembers carries out an action on single routers.
func onMembers(on []*member, a Action) (end func()) {
	var ends []func()
	for _, m := range on {
		tell := func(in vrrp.Input) {
			if m.node.running {
				m.machine.whenAwake(func() { m.put(in) })
			}
		}
		switch a.Kind {
		case LinkDown:
			m.down++
			tell(m.linkState())
			ends = append(ends, func() { m.down--; tell(m.linkState()) })
		case Priority:
			m.bias += int(a.Value)
			tell(m.priority())
			ends = append(ends, func() { m.bias -= int(a.Value); tell(m.priority()) })
		case Fault:
			m.faults++
			tell(vrrp.Fault{Cause: "a tracked script fails", Active: true})
			ends = append(ends, func() {
				if m.faults--; m.faults == 0 {
					tell(vrrp.Fault{Cause: "a tracked script fails"})
				}
			})
		case Blind:
			m.blind++
			ends = append(ends, func() { m.blind-- })
		case Reload:
			if m.reload != nil {
				was := m.conf
				m.reconfigure(*m.reload)
				ends = append(ends, func() { m.reconfigure(was) })
			}
		case LoseVIP:
			m.loseAddress()
		}
	}
	return func() {
		for _, end := range ends {
			end()
		}
	}
}

// reconfigure is a reload, or, where nothing runs, an edited file.
func (m *member) reconfigure(c vrrp.Config) {
	m.conf = c
	m.seg.longest = max(m.seg.longest, c.AdvertInterval)
	m.seg.downs = max(m.seg.downs, c.DownTimerAdverts)
	if !m.node.running {
		return
	}
	m.machine.whenAwake(func() {
		m.auth.Reconfigure(c)
		m.put(vrrp.Reconfigure{Config: c})
		if m.bias != 0 {
			m.put(m.priority())
		}
	})
}

// loseAddress removes an address behind the agent's back.
func (m *member) loseAddress() {
	n := m.node
	if !n.running || n.pending > 0 || n.paused > 0 {
		return
	}
	for _, a := range m.check.held {
		if m.present[a] {
			delete(m.present, a)
			m.check.lost[a] = n.w.now
			m.put(vrrp.AddressLost{Addr: a})
			return
		}
	}
}

func (w *world) nodeNamed(name string) *node {
	for _, n := range w.nodes {
		if n.conf.Name == name {
			return n
		}
	}
	return nil
}

// heal ends all that ails the network and its nodes.
func (w *world) heal() {
	w.healed = true
	w.calm = w.now
	w.tracef("HEAL")
	w.net.losses, w.net.delays = nil, w.net.delays[:1]
	clear(w.parted)
	for _, n := range w.nodes {
		n.keep, n.bad = 0, 0
		if n.paused > 0 {
			n.paused = 1
			n.unpause()
		}
		n.start()
		for _, m := range n.members {
			m.cut, m.blind, m.faults, m.down, m.bias = 0, 0, 0, 0, 0
			if n.running {
				m.put(m.linkState())
				m.put(vrrp.Fault{Cause: "a tracked script fails"})
				m.put(m.priority())
			}
		}
		n.command(Resume)
	}
}
