package vrrp

import (
	"net/netip"
	"slices"
	"time"
)

// Router is one virtual router (RFC 9568 6): the state machine of one VRID and
// family on one interface. It is pure: Step is all that ever changes it, and it
// must not be used by two goroutines at once.
//
// The states are those of the RFC and FAULT. Two of them have a part of their own
// in which the addresses move:
//
//	BACKUP --timer--> acquiring --Acquired--> MASTER
//	MASTER --offer, or better advert--> handing over --released--> BACKUP
//
// While it acquires, a router is not yet master: that is said once the addresses
// are there. While it hands over it still is, and serves, but sends no adverts
// and counts as the worse master against any other (see handover).
type Router struct {
	beat
	cfg Config

	// Reported with every change.
	state State
	since time.Time
	cause Cause

	// The life of the router, apart from the protocol.
	started, stopped bool
	pending          *Start    // a Start that waits for the first LinkState
	startupUntil     time.Time // the end of StartupDelay
	stopping         bool      // a Shutdown is being carried out
	stopBy           time.Time // its limit

	// Reasons for FAULT.
	link         LinkState
	linkKnown    bool
	faults       []string // raised by Fault, in the order in which they came
	acquireFault string   // AcquireFailed, until retryAt
	retryAt      time.Time
	groupFault   string // the member of the sync group that is in FAULT

	// Priority and the operator's overrides.
	tracked uint8 // effective priority as the trackers have it
	hold    bool
	forced  bool
	// maintenance keeps the router from becoming master.
	maintenance bool
	reduced     bool // an owner that left to another owner

	// The election, as a backup sees it.
	masterInterval time.Duration // Active_Adver_Interval (RFC 9568 6.1)
	heard          heard
	down           downTimer
	preemptAt      time.Time // when PreemptDelay ends; zero: not begun
	offered        bool      // the last master to be heard sent priority 0
	want           want

	// Addresses.
	acquiring   acquiring
	held        []netip.Addr // on the interface, or asked for by an Acquire
	serial      uint64       // of the last Acquire
	firstSerial uint64       // of the first Acquire since held was last empty
	unannounced []netip.Addr // to be announced at the next Acquired
	losses      map[netip.Addr]loss
	lost        []netip.Addr // to be acquired again at reacquireAt
	reacquireAt time.Time

	// What an operator or the field asks for beyond the protocol.
	condition eligibility
	flaps     flaps

	// Being master, beside beat.
	answeredAt    time.Time // the last advert that was sent to answer another
	announceAt    time.Time // first burst of announcements, where it waits
	burstAt       time.Time // second burst of announcements
	refreshAt     time.Time // next refreshing announcements
	lowerBurstAt  time.Time // second burst after a worse master was heard
	reclaimAt     time.Time // answer to announcements of others
	rivalAt       time.Time // last advert of a worse master
	rivalSince    time.Time // the first of those
	peerAnnounced map[netip.Addr]time.Time
	handover      handover
	oldChecksum   bool // a peer uses Packet.OldChecksum

	// What has been told since the last change of state or master.
	dropsTold   []toldDrop
	refused     DropError // why the packet at hand was not used
	noticesTold []NoticeKind

	// Set by a Group of several members.
	grouped       bool
	groupWindow   time.Duration // the longest answerWindow of the members
	groupAnswered bool          // another member's peer has taken over
	gaveUp        bool          // became backup by handing over, or by being late
	lowerHeard    bool          // a worse master was heard in this Step

	// During Step.
	now time.Time
	out []Output
}

// heard is the last usable advert of another node with a priority above 0.
type heard struct {
	from     netip.Addr
	priority uint8
	at       time.Time
	interval time.Duration
	// accepted is true where it counts as our master, false where we are going to
	// preempt it.
	accepted bool
}

// NewRouter makes a router in INIT, which does nothing before Start.
func NewRouter(cfg Config) *Router {
	r := &Router{cfg: cfg.clone(), tracked: cfg.Priority}
	r.masterInterval = r.cfg.AdvertInterval
	r.buildAdvert()
	return r
}

// clone copies what a caller could change behind our back.
func (c Config) clone() Config {
	c.Addresses = slices.Clone(c.Addresses)
	c.Excluded = slices.Clone(c.Excluded)
	c.Detecting = slices.Clone(c.Detecting)
	c.Peers = slices.Clone(c.Peers)
	c.Auth.Password = slices.Clone(c.Auth.Password)
	if c.HMAC != nil {
		h := *c.HMAC
		h.Keys = slices.Clone(h.Keys)
		c.HMAC = &h
	}
	return c
}

// Config is the configuration in force.
func (r *Router) Config() Config { return r.cfg.clone() }

// Step tells the router what happened at now and appends to out what it wants
// done, in order. Moments must not go backwards.
func (r *Router) Step(now time.Time, in Input, out []Output) []Output {
	r.begin(now, out)
	r.handle(in)
	if r.want.on {
		r.takeOver()
	}
	if r.condition.wanted {
		r.offerIneligible()
	}
	r.reckon()
	return r.end()
}

// begin and end enclose everything that changes a router.
func (r *Router) begin(now time.Time, out []Output) { r.now, r.out = now, out }

func (r *Router) end() []Output {
	out := r.out
	r.out = nil
	return out
}

func (r *Router) emit(o Output) { r.out = append(r.out, o) }

// handle takes one input. Whatever it is, an advert of ours that is due goes
// first: no flood of packets may delay it.
func (r *Router) handle(in Input) {
	if r.stopped {
		return
	}
	switch {
	case !r.due(r.advertAt):
	case r.late():
		r.stepBack()
	default:
		r.sendDueAdvert()
	}
	switch in := in.(type) {
	case *Advert:
		r.receive(in)
	case Advert:
		r.receive(&in)
	case TimerFired:
		r.timerFired()
	case Start:
		r.start(in)
	case LinkState:
		r.linkState(in)
	case Fault:
		r.fault(in)
	case Priority:
		r.setTracked(in)
	case Eligibility:
		r.setEligibility(in)
	case Maintenance:
		r.setMaintenance(in)
	case Command:
		r.command(in)
	case Shutdown:
		r.shutdown(in)
	case Acquired:
		r.acquired(in)
	case AcquireFailed:
		r.acquireFailed(in)
	case AddressLost:
		r.addressLost(in)
	case PeerAnnounced:
		r.peerAnnouncedAddress(in)
	case Reconfigure:
		r.reconfigure(in)
	case Align:
		r.anchor = in.Anchor
	}
}

// setState moves to a state and says so; it is silent where nothing moves.
func (r *Router) setState(to State, cause Cause) {
	if r.state == to {
		return
	}
	from := r.state
	r.state, r.since, r.cause = to, r.now, cause
	r.forgetTold()
	r.emit(StateChanged{From: from, To: to, Cause: cause, Priority: r.priority()})
	if from == Master {
		r.countFlap(cause)
	}
}

// priority is the effective priority: what our adverts carry.
func (r *Router) priority() uint8 {
	switch {
	case r.cfg.Priority == ownerPriority && r.reduced:
		return ownerPriority - 1
	case r.cfg.Priority == ownerPriority:
		return ownerPriority
	case r.forced:
		return forcedPriority
	default:
		return r.tracked
	}
}

// setTracked takes what the trackers make of the priority. Running timers move
// with it: see downTimer.
func (r *Router) setTracked(in Priority) {
	r.changePriority(in.Cause, func() { r.tracked = EffectivePriority(min(in.Effective, ownerPriority-1)) })
}

// changePriority makes a change that may move the effective priority, and tells
// of it.
func (r *Router) changePriority(cause string, change func()) {
	before := r.priority()
	change()
	after := r.priority()
	if before == after {
		return
	}
	r.buildAdvert()
	r.emit(PriorityChanged{From: before, To: after, Cause: cause})
}

// buildAdvert boxes the advert that we send as master.
func (r *Router) buildAdvert() { r.advert = SendAdvert{r.packet(r.priority())} }

// packet is our advert with a priority.
func (r *Router) packet(priority uint8) Packet {
	p := Packet{
		Version:     r.cfg.Version,
		VRID:        r.cfg.VRID,
		Priority:    priority,
		Interval:    uint16(r.cfg.AdvertInterval / (10 * time.Millisecond)),
		Addresses:   r.cfg.Addresses,
		OldChecksum: r.sendsOldChecksum(),
	}
	switch {
	case p.Version != 2:
	case r.cfg.Auth.Type == AuthPassword:
		p.Auth = r.cfg.Auth
	default:
		p.Auth.Type = r.cfg.Auth.Type // of AH the password is a key, and stays here
	}
	return p
}

// sendsOldChecksum is whether our adverts have the old checksum, which unicast alone
// ever had.
func (r *Router) sendsOldChecksum() bool {
	switch r.cfg.OldUnicastChecksum {
	case OldChecksumOn:
		return r.cfg.Version == 3 && !r.cfg.IPv6 && r.cfg.unicast()
	case OldChecksumNever:
		return false
	default:
		return r.oldChecksum
	}
}

// sendAdvert sends our advert and sets Adver_Timer.
func (r *Router) sendAdvert() {
	r.emit(r.advert)
	r.sentAt, r.advertAt = r.now, r.nextAdvert(r.now)
}

// sendDueAdvert sends an advert whose timer expired (RFC 9568 6.4.3).
func (r *Router) sendDueAdvert() {
	r.emit(r.advert)
	r.advertSent()
}

// advertSent sets Adver_Timer after an advert that was due: the next one counts from
// when this one was, so that the period does not drift.
func (r *Router) advertSent() {
	r.sentAt, r.advertAt = r.now, r.nextAdvert(r.advertAt)
	if !r.advertAt.After(r.now) {
		r.advertAt = r.nextAdvert(r.now)
	}
}

// nextAdvert is when the advert after one at a moment is due.
func (r *Router) nextAdvert(at time.Time) time.Time { return r.aligned(at.Add(r.cfg.AdvertInterval)) }

// sendPriority0 gives up being master: backups need only wait for their skew.
func (r *Router) sendPriority0() { r.emit(SendAdvert{r.packet(0)}) }

// better is whether another master wins against us (RFC 9568 6.4.3): a higher
// priority, or the same and a higher address.
func (r *Router) better(priority uint8, from netip.Addr) bool {
	own := r.priority()
	return priority > own || priority == own && from.Compare(r.link.Source) > 0
}

// told is whether noticeOnce would be silent; asking first spares the making of
// the sentence.
func (r *Router) told(kind NoticeKind) bool { return slices.Contains(r.noticesTold, kind) }

// forgetTold lets notices and details of drops be told again.
func (r *Router) forgetTold() {
	r.dropsTold, r.noticesTold = r.dropsTold[:0], r.noticesTold[:0]
}

// noticeOnce tells of something once until the state or the master changes.
func (r *Router) noticeOnce(n Noticed) {
	if r.told(n.Kind) {
		return
	}
	r.noticesTold = append(r.noticesTold, n.Kind)
	r.emit(n)
}

// State is that of Status.
func (r *Router) State() State { return r.state }

// Status is the router's state at the last Step.
func (r *Router) Status() Status {
	s := Status{
		Name:           r.cfg.Name,
		State:          r.state,
		Offering:       r.handingOver(),
		Hold:           r.hold,
		Forced:         r.forced,
		Since:          r.since,
		Cause:          r.cause,
		Priority:       r.priority(),
		MasterInterval: r.masterInterval,
		LastAdvert:     r.heard.at,
		Ineligible:     r.ineligible(),
		Maintenance:    r.maintenance,
		DampedUntil:    r.flaps.until,
		Faults:         r.currentFaults(),
		GroupFault:     r.groupFault,
		Held:           slices.Clone(r.held),
	}
	if r.state != Master || s.Offering {
		s.Master, s.MasterPriority = r.heard.from, r.heard.priority
	}
	return s
}
