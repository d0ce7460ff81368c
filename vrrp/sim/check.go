package sim

import (
	"net/netip"
	"slices"
	"time"

	"github.com/tandem-ha/tandem/vrrp"
)

// The invariants, by the words that a Violation has for them.
const (
	// Addresses: one is on an interface if and only if its router is master there,
	// or on its way to be, at the end of every batch.
	Addresses = "addresses"
	// Masters: where nothing is lost, two masters never outlive one advert of the
	// better one.
	Masters = "two-masters"
	// NoMaster: a backup that may, and has heard no master for the master down
	// interval, is one.
	NoMaster = "no-master"
	// Shared: an address is not on two nodes for longer than whoever leaves needs to
	// hear, a second time, from who took over.
	Shared = "shared-address"
	// Pace: no advert of a master is late.
	Pace = "pace"
	// Isolated: a node that must reach something to take over does not while it is
	// cut off.
	Isolated = "isolated"
	// Rest: once all ails are healed there is one master, the best.
	Rest = "rest"
)

// slack is what is granted beyond timers: clocks are wrong by a little, and hosts
// take their time.
const slack = 150 * time.Millisecond

// instant is a moment, or none.
type instant struct {
	at  time.Duration
	set bool
}

func (i instant) none() bool { return !i.set }

func on(at time.Duration) instant { return instant{at, true} }

// memberCheck is what is known of a router from outside.
type memberCheck struct {
	// held are the addresses that it has asked for and not given up.
	held []netip.Addr
	// lost is since when addresses are missing that somebody removed.
	lost map[netip.Addr]time.Duration
	// begun is the start of the process, eligible since when it may become master,
	// and served when it last was, or was becoming it.
	begun, served, awakeAt time.Duration
	eligible               instant
	// heardAt is when an advert of a master last came, anyAt any advert.
	heardAt, anyAt time.Duration
	gaveUp         bool // the last one had priority 0
	// sentAt is when it last adverted, by its own clock, and promised the interval
	// in that advert.
	sentAt   time.Time
	promised time.Duration
	cutAt    time.Duration

	dropped, stopped bool
	dirty, serving   bool
	unread           []netip.Addr
}

// routerCheck is what is known of a virtual router.
type routerCheck struct {
	// two is since when each pair of its members are both masters.
	two map[[2]int]instant
	// shared is since when an address is on two nodes.
	shared instant
	// served is true once a node has held it, emptySince since when none does.
	served     bool
	emptySince instant
	unserved   time.Duration
}

// begin is the start of a process.
func (c *memberCheck) begin(now time.Duration) {
	*c = memberCheck{begun: now, served: now, heardAt: now, anyAt: now, awakeAt: now, cutAt: c.cutAt,
		lost: map[netip.Addr]time.Duration{}, dirty: true, unread: c.unread}
}

// awake is the end of a pause.
func (c *memberCheck) awake(now time.Duration) {
	c.awakeAt = now
	c.sentAt = time.Time{}
}

// acquire and release keep the account of addresses.
func (c *memberCheck) acquire(m *member, addrs []netip.Addr) {
	if len(c.held) == 0 {
		m.checkIsolated()
	}
	for _, a := range addrs {
		if !slices.Contains(c.held, a) {
			c.held = append(c.held, a)
		}
	}
}

func (c *memberCheck) release(addrs []netip.Addr) {
	c.held = slices.DeleteFunc(c.held, func(a netip.Addr) bool { return slices.Contains(addrs, a) })
	for _, a := range addrs {
		delete(c.lost, a)
	}
}

// checkIsolated asserts that a router that must reach something does not take over
// where it was cut off before the first missing advert, and for longer than an interval:
// of less nobody can know.
func (m *member) checkIsolated() {
	c, p := &m.check, m.router.Phase()
	w := m.node.w
	if m.cut == 0 || !m.conf.Conditional || p.Forced || m.phase.State != vrrp.Backup || c.gaveUp || c.awakeAt > c.cutAt {
		return
	}
	if c.cutAt <= c.anyAt+m.conf.AdvertInterval && w.now > c.cutAt+m.conf.AdvertInterval+w.net.worst {
		w.fail(Isolated, "%s %s takes over while it is cut off (since %v)", m.node.conf.Name, m.conf.Name, c.cutAt)
	}
}

// sent takes note of an advert; it is false for one of priority 0.
func (c *memberCheck) sent(m *member, p *vrrp.Packet) bool {
	w := m.node.w
	if p.Priority == 0 {
		c.sentAt = time.Time{}
		m.seg.check.shared = instant{} // the roles change: who leaves has its time anew
		return false
	}
	now := m.node.clock()
	if gap := now.Sub(c.sentAt); !c.sentAt.IsZero() && m.phase.State == vrrp.Master && gap > c.promised+time.Millisecond {
		w.fail(Pace, "%s %s adverts %v after its last, which promised %v", m.node.conf.Name, m.conf.Name, gap, c.promised)
	}
	c.sentAt, c.promised = now, m.conf.AdvertInterval
	return true
}

// heard judges a router after an advert that it used.
func (c *memberCheck) heard(m *member, in *vrrp.Advert, before vrrp.Phase) {
	w := m.node.w
	c.anyAt, c.gaveUp = w.now, in.Packet.Priority == 0
	if in.Packet.Priority == 0 {
		return
	}
	c.heardAt = w.now
	p := m.phase
	better := in.Packet.Priority > p.Priority || in.Packet.Priority == p.Priority && m.source.Less(in.Source)
	if before.State == vrrp.Master && p.State == vrrp.Master && !p.HandingOver && better {
		w.fail(Masters, "%s %s is master with priority %d after an advert with %d of %s",
			m.node.conf.Name, m.conf.Name, p.Priority, in.Packet.Priority, w.nameOf(in.Source))
	}
}

// note follows a router after each step of its machine.
func (c *memberCheck) note(m *member) {
	w, p := m.node.w, m.phase
	c.dirty = true
	serving := p.State == vrrp.Master || p.Acquiring
	if serving || c.serving {
		c.served = w.now
	}
	c.serving = serving
	if !serving || p.HandingOver {
		c.sentAt = time.Time{}
	}
	switch ok := m.node.running && p.Started && !p.Stopping && p.State != vrrp.Failed && p.MayTakeOver && p.Until.IsZero(); {
	case !ok:
		c.eligible = instant{}
	case c.eligible.none():
		c.eligible = on(w.now)
	}
}

// check asserts what must hold after every event.
func (w *world) check() {
	for _, n := range w.nodes {
		if !n.running || n.paused > 0 {
			continue
		}
		if n.pending == 0 {
			for _, m := range n.members {
				if m.check.dirty || len(m.check.lost) > 0 {
					m.check.dirty = false
					m.checkAddresses()
				}
			}
		}
		for _, mc := range n.machines {
			mc.checkSomeMaster()
		}
	}
	for _, r := range w.routers {
		w.checkTwoMasters(r)
		w.checkShared(r)
		w.account(r)
	}
}

// lossPace is a little more than the longest that an address that somebody removed
// may stay away.
const lossPace = 11 * time.Second

// checkAddresses is Addresses.
func (m *member) checkAddresses() {
	w, c, p := m.node.w, &m.check, m.phase
	if !p.Started || p.Stopping && p.State != vrrp.Master {
		return
	}
	name := m.node.conf.Name + " " + m.conf.Name
	if holds, may := len(c.held) > 0, p.State == vrrp.Master || p.Acquiring; holds && !may {
		w.fail(Addresses, "%s is %v and holds %s", name, p.State, addrText(c.held))
	} else if may && !p.HandingOver && len(c.held) != len(m.conf.Addresses)+len(m.conf.Excluded) {
		w.fail(Addresses, "%s is %v and holds only %s", name, p.State, addrText(c.held))
	}
	for _, a := range c.held {
		since, lost := c.lost[a]
		if !m.present[a] && (!lost || w.now-since > lossPace) {
			w.fail(Addresses, "%s holds %v, and it is not on the interface", name, a)
		}
	}
	for a := range m.present {
		if !slices.Contains(c.held, a) {
			w.fail(Addresses, "%s is %v and does not hold %v, which is on the interface", name, p.State, a)
		}
	}
}

// checkSomeMaster is NoMaster: by what its members heard, not by what was sent, so
// that it holds on any network.
func (mc *machine) checkSomeMaster() {
	w := mc.node.w
	var since, limit time.Duration
	serving := true
	for _, m := range mc.members {
		c := &m.check
		if c.eligible.none() {
			return
		}
		serving = serving && (m.phase.State == vrrp.Master || m.phase.Acquiring)
		since = max(since, c.eligible.at, c.heardAt, c.awakeAt, c.served)
		skew := m.seg.longest
		if m.conf.Version == 2 {
			skew = max(skew, time.Second)
		}
		if c.gaveUp && w.now-c.anyAt <= skew+skew/100+slack {
			return // it waits its skew, from the priority 0 on
		}
		down := time.Duration(m.seg.downs)*m.seg.longest + skew + slack
		if m.conf.Conditional {
			down += 2 * m.conf.AdvertInterval
		}
		limit = max(limit, down+down/100)
	}
	if !serving && w.now-since > limit {
		w.fail(NoMaster, "%s %s is %v and has heard no master for %v", mc.node.conf.Name, mc.members[0].conf.Name, mc.members[0].phase.State, w.now-since)
	}
}

// advertises is whether a member is master and says so.
func (m *member) advertises() bool {
	return m.node.running && m.node.paused == 0 && m.phase.State == vrrp.Master && !m.phase.HandingOver
}

// checkTwoMasters is Masters, by the clock.
func (w *world) checkTwoMasters(r *router) {
	masters := 0
	for _, m := range r.members {
		if m.advertises() {
			masters++
		}
	}
	if masters < 2 {
		if len(r.check.two) > 0 {
			clear(r.check.two)
		}
		return
	}
	if r.check.two == nil {
		r.check.two = map[[2]int]instant{}
	}
	limit := r.longest + r.longest/100 + 2*w.net.worst + slack
	for i, a := range r.members {
		for j, b := range r.members[:i] {
			key := [2]int{j, i}
			since := r.check.two[key]
			switch {
			case !a.advertises() || !b.advertises() || len(w.net.losses) > 0 || !w.reach(a, b):
				delete(r.check.two, key)
			case since.none() || since.at < w.calm:
				r.check.two[key] = on(w.now)
			case w.now-since.at > limit:
				w.fail(Masters, "%s and %s are both master of VRID %d for %v", b.node.conf.Name, a.node.conf.Name, r.vrid, w.now-since.at)
				r.check.two[key] = on(w.now + time.Hour) // said once
			}
		}
	}
}

// checkShared is Shared. The worse master serves until the better's next advert, or, if
// that is worse itself by then, the third of who follows it.
func (w *world) checkShared(r *router) {
	holders, offers := 0, 0
	for _, m := range r.members {
		if !m.node.running || m.node.paused > 0 || m.down > 0 || m.cut > 0 {
			continue
		}
		if m.phase.Offering {
			offers++ // of two that offer to each other, one rolls back first
		}
		if m.phase.Started && len(m.present) > 0 {
			holders++
		}
	}
	c := &r.check
	switch {
	case holders < 2 || offers > 1 || len(w.net.losses) > 0 || len(w.parted) > 0:
		c.shared = instant{}
	case c.shared.none() || c.shared.at < w.calm:
		c.shared = on(w.now)
	case w.now-c.shared.at > 3*r.longest+3*r.longest/100+4*w.net.worst+slack:
		w.fail(Shared, "an address of VRID %d is on %d nodes for %v", r.vrid, holders, w.now-c.shared.at)
		c.shared = on(w.now + time.Hour) // said once
	}
}

// account adds up for how long nobody serves.
func (w *world) account(r *router) {
	c := &r.check
	held := false
	for _, m := range r.members {
		held = held || m.node.running && m.node.paused == 0 && m.down == 0 && m.cut == 0 && len(m.present) > 0
	}
	switch {
	case held && !c.emptySince.none():
		if c.served {
			c.unserved += w.now - c.emptySince.at
		}
		c.emptySince = instant{}
	case !held && c.emptySince.none():
		c.emptySince = on(w.now)
	}
	c.served = c.served || held
}

// checkEnd is Rest: how a healed network must end.
func (w *world) checkEnd() {
	if !w.healed {
		return
	}
	for _, n := range w.nodes {
		for _, m := range n.members {
			if !n.running || m.phase.State == vrrp.Failed {
				w.fail(Rest, "%s %s did not come back: %v", n.conf.Name, m.conf.Name, m.router.Status().Faults)
			}
			if m.phase.HandingOver {
				w.fail(Rest, "%s %s still hands over", n.conf.Name, m.conf.Name)
			}
		}
		for _, mc := range n.machines {
			for _, m := range mc.members {
				if m.phase.State != mc.members[0].phase.State {
					w.fail(Rest, "the members of a sync group on %s are not alike", n.conf.Name)
				}
			}
		}
	}
	for _, r := range w.routers {
		w.checkBest(r)
	}
}

// checkBest asserts that there is one master and, with preemption, that it is the best.
func (w *world) checkBest(r *router) {
	var master *member
	for _, m := range r.members {
		if m.phase.State != vrrp.Master {
			continue
		}
		if master != nil {
			w.fail(Rest, "%s and %s both are master of VRID %d", master.node.conf.Name, m.node.conf.Name, r.vrid)
		}
		master = m
	}
	if master == nil {
		w.fail(Rest, "nobody is master of VRID %d", r.vrid)
		return
	}
	for _, m := range r.members {
		if lone := len(m.machine.members) == 1; lone && m.conf.Preempt && m.phase.Priority > master.phase.Priority {
			w.fail(Rest, "%s with priority %d is master of VRID %d, and %s has %d",
				master.node.conf.Name, master.phase.Priority, r.vrid, m.node.conf.Name, m.phase.Priority)
		}
	}
}
