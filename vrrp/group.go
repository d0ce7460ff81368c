package vrrp

import (
	"fmt"
	"time"
)

// Group is a sync group: routers that are master together or not at all. A lone
// router is a group of one, so that a caller has one kind of thing to drive. Like
// a Router it is pure, and not for two goroutines at once.
//
// Its rules are in settle: a member becomes master only when all wish to; one
// member in FAULT puts all there; one that leaves to a better master has the
// others leave too, each when its own peer serves, or stay with one that stays.
type Group struct {
	name    string
	members []*Router
	lone    [1]*Router // what members is made of where there is one
	state   State
	outs    []Output // scratch
}

// GroupInput is an Input for one member, by its configuration's Name, or for
// every member where Member is empty. Command and Shutdown always go to all: a
// group moves whole.
type GroupInput struct {
	Member string
	Input  Input
}

// GroupOutput is an Output of one member, or, where Member is empty, the group's
// own StateChanged.
type GroupOutput struct {
	Member string
	Output Output
}

// NewGroup binds routers together, also ones that run already: after a reload new
// groups may be built around them, and a TimerFired lets the new company settle.
// A group without a name, as a lone router's, tells of no state of its own.
func NewGroup(name string, members ...*Router) *Group {
	g := &Group{name: name, members: members}
	if len(members) == 1 {
		g.members = append(g.lone[:0], members...)
	}
	g.introduce()
	g.state = g.initial()
	return g
}

// initial is the state of a group that is built around routers, running or not: a
// member that has not started yet does not count.
func (g *Group) initial() State {
	all := Init
	for _, m := range g.members {
		switch {
		case m.state == Failed:
			return Failed
		case m.state == Init:
		case all == Init:
			all = m.state
		case all != m.state:
			all = Backup
		}
	}
	return all
}

// introduce tells the members what they must know of each other.
func (g *Group) introduce() {
	var window time.Duration
	for _, m := range g.members {
		m.grouped, m.groupWindow = len(g.members) > 1, 0
		window = max(window, m.answerWindow())
	}
	for _, m := range g.members {
		m.groupWindow = window
	}
}

// Name is the group's name, empty for a lone router.
func (g *Group) Name() string { return g.name }

// Members are the group's routers, in order.
func (g *Group) Members() []*Router { return g.members }

// State is the group's state: what all its members are, and while they are on
// their way what they last all were; FAULT as soon as one of them is.
func (g *Group) State() State { return g.state }

// Deadline is when a member next wants a TimerFired; zero for never.
func (g *Group) Deadline() time.Time {
	var first time.Time
	for _, m := range g.members {
		first = sooner(first, m.Deadline())
	}
	return first
}

// Step tells the group what happened at now and appends to out what its members
// want done, in order.
func (g *Group) Step(now time.Time, in GroupInput, out []GroupOutput) []GroupOutput {
	if m := g.beatOf(now, in); m != nil {
		m.now = now
		m.advertSent()
		return append(out, GroupOutput{Member: m.cfg.Name, Output: m.advert})
	}
	out = g.whole(now, in, out)
	for _, m := range g.members {
		m.reckon()
	}
	return out
}

// whole is a Step that may move anything.
func (g *Group) whole(now time.Time, in GroupInput, out []GroupOutput) []GroupOutput {
	for _, m := range g.members {
		m.now = now
	}
	before, all := len(out), in.Member == ""
	for _, m := range g.members {
		if m.due(m.advertAt) && m.late() {
			out = g.deliver(now, m, TimerFired{}, out) // before another leaves to its new master
		}
	}
	switch x := in.Input.(type) {
	case Command:
		return g.report(before, g.settle(now, g.command(now, x, out)))
	case Shutdown:
		all = true
	}
	for _, m := range g.members {
		if all || m.cfg.Name == in.Member {
			out = g.deliver(now, m, in.Input, out)
		}
	}
	if _, ok := in.Input.(Reconfigure); ok {
		g.introduce()
	}
	return g.report(before, g.settle(now, out))
}

// deliver gives one member one input.
func (g *Group) deliver(now time.Time, m *Router, in Input, out []GroupOutput) []GroupOutput {
	m.lowerHeard = false
	m.groupAnswered = g.answeredBeside(m)
	m.begin(now, g.outs[:0])
	m.handle(in)
	out = g.collect(m, out)
	if !m.lowerHeard {
		return out
	}
	// A worse master for one address is probably one for the others too: hosts
	// must be told where those are as well.
	for _, other := range g.members {
		if other != m && other.state == Master && !other.handingOver() {
			other.begin(now, g.outs[:0])
			other.announceLower()
			out = g.collect(other, out)
		}
	}
	return out
}

// collect ends what m.begin began and puts the member's name to its outputs.
func (g *Group) collect(m *Router, out []GroupOutput) []GroupOutput {
	g.outs = m.end()
	for i, o := range g.outs {
		out = append(out, GroupOutput{Member: m.cfg.Name, Output: o})
		g.outs[i] = nil
	}
	return out
}

// command gives an order to every member, or to none where one must refuse it.
func (g *Group) command(now time.Time, in Command, out []GroupOutput) []GroupOutput {
	refusal := ""
	for _, m := range g.members {
		if err := m.refusal(in); err != "" {
			refusal = err
			if len(g.members) > 1 {
				refusal = m.cfg.Name + ": " + err
			}
			break
		}
	}
	for _, m := range g.members {
		if refusal != "" {
			out = append(out, GroupOutput{m.cfg.Name, CommandDone{Kind: in.Kind, Err: refusal}})
			continue
		}
		out = g.deliver(now, m, in, out)
	}
	return out
}

// settle applies the rules of the group until nothing moves any more. Each rule
// moves a member one way only, so that a few rounds are enough.
func (g *Group) settle(now time.Time, out []GroupOutput) []GroupOutput {
	for range 2 + len(g.members) {
		before := len(out)
		out = g.shareFaults(now, out)
		out = g.grant(now, out)
		out = g.offerTogether(now, out)
		out = g.leaveTogether(now, out)
		out = g.stayTogether(now, out)
		if len(out) == before {
			break
		}
	}
	return out
}

// shareFaults puts every member into FAULT while another is in FAULT of itself.
func (g *Group) shareFaults(now time.Time, out []GroupOutput) []GroupOutput {
	for _, m := range g.members {
		faulty := ""
		for _, other := range g.members {
			if other != m && other.started && !other.stopped && other.faultyItself() {
				faulty = other.cfg.Name
				break
			}
		}
		if m.groupFault != faulty {
			m.begin(now, g.outs[:0])
			m.setGroupFault(faulty)
			out = g.collect(m, out)
		}
	}
	return out
}

// grant lets the members that wish to become master do so once all of them wish
// it or are there already. A wish may be older than what has cut the member off
// since (see confirmed). A member that has to wait does so as a backup.
func (g *Group) grant(now time.Time, out []GroupOutput) []GroupOutput {
	anyone, everyone, allStarted := false, true, true
	for _, m := range g.members {
		serving := m.acquiring.on || m.state == Master && !m.handingOver()
		anyone = anyone || m.want.on
		everyone = everyone && (m.want.on && m.confirmed() || serving)
		allStarted = allStarted && m.started
	}
	if !anyone {
		return out
	}
	for _, m := range g.members {
		switch {
		case !m.want.on:
		case everyone:
			m.begin(now, g.outs[:0])
			m.takeOver()
			out = g.collect(m, out)
		case m.state == Init && allStarted:
			m.begin(now, g.outs[:0])
			m.setState(Backup, Cause{CauseStart, "waiting for the rest of the sync group"})
			m.setDown(now, m.cfg.DownTimerAdverts)
			out = g.collect(m, out)
		}
	}
	return out
}

// offerTogether makes the offer of a member that lost the condition for taking over
// the whole group's: a part of it could not move.
func (g *Group) offerTogether(now time.Time, out []GroupOutput) []GroupOutput {
	var first *Router
	for _, m := range g.members {
		if m.condition.wanted {
			first = m
			break
		}
	}
	if first == nil {
		return out
	}
	why := first.ineligible()
	for _, m := range g.members {
		if m.state != Master || m.handingOver() {
			continue
		}
		m.begin(now, g.outs[:0])
		if m.condition.wanted {
			m.offerIneligible()
		} else {
			m.offer(following, first.cfg.Name+": "+why)
		}
		out = g.collect(m, out)
	}
	return out
}

// leaveTogether has every member leave once one of them follows another master.
func (g *Group) leaveTogether(now time.Time, out []GroupOutput) []GroupOutput {
	var first *Router
	for _, m := range g.members {
		if m.answered() {
			first = m
			break
		}
	}
	if first == nil {
		return out
	}
	for _, m := range g.members {
		if m == first {
			continue
		}
		switch {
		case m.acquiring.on:
			m.begin(now, g.outs[:0])
			m.resign()
			m.enterBackup(Cause{CauseGroup, first.cfg.Name + " has a better master"}, now, m.cfg.DownTimerAdverts)
			out = g.collect(m, out)
		case m.state == Master && !m.handingOver():
			m.begin(now, g.outs[:0])
			m.offer(following, fmt.Sprintf("%s leaves to %v", first.cfg.Name, first.heard.from))
			out = g.collect(m, out)
		}
	}
	return out
}

// stayTogether rolls back every member's offer once one is rolled back and nobody
// has answered another's.
func (g *Group) stayTogether(now time.Time, out []GroupOutput) []GroupOutput {
	var first *Router
	for _, m := range g.members {
		if m.answered() || m.stopping {
			return out
		}
		if first == nil && m.state == Master && !m.handingOver() {
			first = m
		}
	}
	if first == nil {
		return out
	}
	for _, m := range g.members {
		if m.handingOver() {
			m.begin(now, g.outs[:0])
			m.rollBack(first.cfg.Name + " is master still")
			out = g.collect(m, out)
		}
	}
	return out
}

// answered is whether another node has taken over from this member, or has it as
// backup. A backup that hears nobody has not left: it only has to wait.
func (r *Router) answered() bool {
	if r.handingOver() {
		return r.handover.peer.IsValid()
	}
	return r.state == Backup && !r.acquiring.on && !r.want.on && (r.gaveUp || r.hasMaster())
}

// answeredBeside is whether another member than m has answered.
func (g *Group) answeredBeside(m *Router) bool {
	for _, other := range g.members {
		if other != m && other.answered() {
			return true
		}
	}
	return false
}

// common is the state that the members have in common, or else the group's last.
func (g *Group) common() State {
	if len(g.members) == 0 {
		return g.state
	}
	common := g.members[0].state
	for _, m := range g.members {
		if m.state == Failed {
			return Failed
		}
		if m.state != common {
			common = g.state
		}
	}
	return common
}

// report tells of the group's own change of state, after its members'. Its cause
// is that of the first member to move there in this Step, whose outputs begin at
// before.
func (g *Group) report(before int, out []GroupOutput) []GroupOutput {
	to := g.common()
	if to == g.state {
		return out
	}
	change := StateChanged{From: g.state, To: to}
	g.state = to
	if g.name == "" {
		return out
	}
	for _, o := range out[before:] {
		if c, ok := o.Output.(StateChanged); ok && c.To == to {
			change.Cause = Cause{c.Cause.Kind, o.Member + ": " + c.Cause.Detail}
			break
		}
	}
	return append(out, GroupOutput{Output: change})
}
