package vrrp

import (
	"fmt"
	"net/netip"
	"slices"
	"time"
)

// This file is how a master leaves without losing a packet, which the RFC does
// not describe and any VRRP peer understands. A master that has offered, or heard
// a better one, sends no more adverts, but goes on serving until its peer serves:
// each address goes when the peer announces it, and all that are left with the
// peer's second advert, one interval after its first. keepalived sends an advert
// before it adds its addresses, and the next when it has added them all, which with
// hundreds takes longer than an interval: a clock alone would let go too early. A
// peer that is not heard a second time has not taken over: we are master still.
// Where both send from the virtual router's Ethernet address (Config.SharedMAC) the
// first advert has already turned the switches to the peer: all goes at once.

// handover is a master on its way out.
type handover struct {
	kind handoverKind
	// why is the cause of an offer, for people.
	why string
	// until is the end of the wait, for a peer or for its second advert.
	until time.Time
	// peer is who takes over, and first the moment of its first advert; invalid
	// while nobody does. Of several it is the best: the others will yield to it.
	peer         netip.Addr
	peerPriority uint8
	first        time.Time
	// announced is when the peer last announced an address that was ours. It was
	// alive then, however long ago its advert is.
	announced time.Time
	// rival is the last advert of a worse one, and rivalAdverts how many it sent.
	// Once there was one, an address may have been announced by a node that is
	// about to let it go again, so that announcements count for nothing.
	rival        heard
	rivalAdverts int
	contested    bool
}

type handoverKind uint8

const (
	notHandingOver handoverKind = iota
	// offering: priority 0 was sent, by order or to stop. Afterwards we hold.
	offering
	// following: as offering, since another member of our sync group leaves.
	following
	// ineligible: as offering, since the condition for taking over is lost. Nobody
	// holds afterwards: the condition keeps us backup.
	ineligible
	// yielding: a better master was heard. There is nothing to wait for.
	yielding
)

// handingOver is whether the router is a master on its way out, which counts as
// the worse one against any other.
func (r *Router) handingOver() bool { return r.handover.kind != notHandingOver }

// offer tells the backups with priority 0 that the first of them may take over.
func (r *Router) offer(kind handoverKind, why string) {
	r.sendPriority0()
	r.emit(Noticed{Kind: NoticeOffer, Detail: fmt.Sprintf("offered to any peer (%s): serving until one takes over", why)})
	r.handOver(handover{kind: kind, why: why, until: r.now.Add(r.answerWindow())})
}

// yield leaves to a better master (RFC 9568 6.4.3: "transition to the Backup
// state"), which the priority of its advert decided already.
func (r *Router) yield(p *Packet, from netip.Addr) {
	r.followServing(p, from)
	r.handOver(handover{kind: yielding, until: r.now.Add(r.patience(interval(p))), peer: from, peerPriority: p.Priority, first: r.now})
	if r.cfg.SharedMAC && r.handingOver() {
		r.leaveTo(p, from)
	}
}

// handOver begins: no adverts, no announcements. Addresses whose duplicate
// detection is on go at once: a peer that finds us answering for such an address
// would never use it.
func (r *Router) handOver(h handover) {
	r.handover = h
	r.advertAt = time.Time{}
	r.clearAnnouncements()
	clear(r.peerAnnounced)
	r.release(r.cfg.Detecting)
	r.leaveEmpty()
}

// leaveEmpty leaves when there is nothing more to serve, to a peer that was heard
// or to stop.
func (r *Router) leaveEmpty() {
	if r.handingOver() && len(r.held) == 0 && (r.handover.peer.IsValid() || r.stopping) {
		r.leave()
	}
}

// peerAnnouncedAddress takes note that a peer answers for one of our addresses. It
// does not before its first advert: what is announced earlier is what a master
// that we have relieved had still queued.
func (r *Router) peerAnnouncedAddress(in PeerAnnounced) {
	addr := in.Addr.Unmap()
	if r.state != Master || !slices.Contains(r.held, addr) {
		return
	}
	if r.handingOver() {
		if r.handover.peer.IsValid() && !r.handover.contested {
			r.handover.announced = r.now
			r.letGo([]netip.Addr{addr})
		}
		return
	}
	if r.peerAnnounced == nil {
		r.peerAnnounced = make(map[netip.Addr]time.Time)
	}
	r.peerAnnounced[addr] = r.now
	r.reclaim()
}

// letGo releases addresses that the peer serves; with the last of them we leave.
func (r *Router) letGo(addrs []netip.Addr) {
	if len(addrs) == 0 {
		return
	}
	r.release(addrs)
	if len(r.held) == 0 {
		r.leave()
	}
}

// receiveHandingOver takes an advert while we are the worse master against any.
func (r *Router) receiveHandingOver(p *Packet, from netip.Addr) {
	h := &r.handover
	known := h.peer.IsValid()
	switch {
	case p.Priority == 0:
		if from == h.peer {
			r.peerGone(fmt.Sprintf("%v gave up again", from))
		}
		return
	case from == h.peer && h.kind == yielding && !r.better(p.Priority, from):
		// It was better when it was heard first, or what we heard was old.
		r.rollBack(fmt.Sprintf("%v has priority %d now, ours is %d", from, p.Priority, r.priority()))
		return
	case from == h.peer:
		// Less than half an interval apart they are one: a copy, or the answer to
		// somebody's advert, given before the addresses are there.
		if r.now.Sub(h.first) >= interval(p)/2 {
			r.leaveTo(p, from)
			return
		}
	case known && (p.Priority < h.peerPriority || p.Priority == h.peerPriority && from.Less(h.peer)):
		r.hearRival(p, from)
		return
	default:
		h.peer, h.first, h.contested = from, r.now, known
	}
	h.peerPriority = p.Priority
	if r.cfg.SharedMAC {
		r.leaveTo(p, from)
		return
	}
	r.followServing(p, from)
	r.waitUntil(r.now.Add(r.patience(interval(p))))
	r.leaveEmpty()
}

// hearRival takes an advert of a node that is worse than the peer. With its second
// one it may not have heard the peer yet; with its third it has, and goes on: the
// peer is gone, or worse by now.
func (r *Router) hearRival(p *Packet, from netip.Addr) {
	h := &r.handover
	h.contested = true
	switch {
	case from != h.rival.from:
		h.rivalAdverts = 1
	case r.now.Sub(h.rival.at) >= interval(p)/2:
		h.rivalAdverts++
	default:
		return
	}
	h.rival = heard{from: from, priority: p.Priority, at: r.now, interval: interval(p)}
	if h.rivalAdverts > 2 {
		h.peer, h.peerPriority = from, p.Priority
		r.leaveTo(p, from)
	}
}

// leaveTo leaves to a node that serves by now.
func (r *Router) leaveTo(p *Packet, from netip.Addr) {
	r.followServing(p, from)
	r.releaseAll()
	r.leave()
}

// patience is how long a peer that takes over may be silent before it counts as
// gone: as long as any master, but not less than many addresses need.
func (r *Router) patience(interval time.Duration) time.Duration {
	return max(time.Duration(r.cfg.DownTimerAdverts)*interval, acquireTime)
}

// waitUntil ends the wait at a moment, but not later than we have to stop.
func (r *Router) waitUntil(t time.Time) {
	if r.stopping && t.After(r.stopBy) {
		t = r.stopBy
	}
	r.handover.until = t
}

// peerGone is reached when the peer gives up again, or falls silent, before we have
// left. If nobody else takes over we are master still; who stops, or is in a group
// that another member leaves, waits for one more peer.
func (r *Router) peerGone(why string) {
	h := &r.handover
	rival := h.rival
	h.rival = heard{}
	switch {
	case rival.from.IsValid() && r.now.Sub(rival.at) < r.patience(rival.interval):
		h.peer, h.peerPriority, h.first = rival.from, rival.priority, rival.at
		r.waitUntil(rival.at.Add(r.patience(rival.interval)))
	case r.stopping || r.groupAnswered:
		h.peer = netip.Addr{}
		r.waitUntil(r.now.Add(r.answerWindow()))
		r.leaveEmpty()
	default:
		r.rollBack(why)
	}
}

// followServing takes note of the master that takes over, and leaves
// Active_Down_Timer for when we are backup.
func (r *Router) followServing(p *Packet, from netip.Addr) {
	r.follow(p, from)
	r.down = downTimer{}
}

// handoverExpired ends the wait.
func (r *Router) handoverExpired() {
	h := r.handover
	switch {
	case h.peer.IsValid() && !(r.stopping && r.due(r.stopBy)):
		r.peerGone(fmt.Sprintf("%v began to take over and has been silent since", h.peer))
	case r.stopping || r.groupAnswered:
		r.releaseAll()
		r.leave()
	default:
		r.rollBack(fmt.Sprintf("nobody took over within %v", seconds(r.answerWindow())))
	}
}

// leave ends being master once everything is released.
func (r *Router) leave() {
	h := r.handover
	r.clearMastership()
	if r.stopping {
		r.stop()
		return
	}
	from := r.now
	if h.peer.IsValid() {
		// The peer's last sign of life counts, which came while we were still serving.
		from = r.heard.at
		if h.announced.After(from) {
			from = h.announced
		}
		if r.cfg.Version == 3 {
			r.masterInterval = r.heard.interval
		}
	}
	r.gaveUp = true
	r.enterBackup(h.cause(), from, r.cfg.DownTimerAdverts)
	if h.kind != offering {
		return
	}
	r.emit(Noticed{Kind: NoticeOfferTaken, Peer: h.peer, Detail: h.taken()})
	r.beginHold("backup until no peer is left or a resume")
}

// cause is why the router is backup after the handover.
func (h handover) cause() Cause {
	switch h.kind {
	case yielding:
		return Cause{CauseHigher, fmt.Sprintf("%v priority %d is the better master", h.peer, h.peerPriority)}
	case following:
		return Cause{CauseGroup, h.why}
	case ineligible:
		return Cause{CauseIneligible, h.why + ": " + h.taken()}
	default:
		return Cause{CauseOffer, h.why + ": " + h.taken()}
	}
}

// taken says who took an offer, and by which sign.
func (h handover) taken() string {
	if !h.peer.IsValid() {
		return "the rest of the group has left"
	}
	return fmt.Sprintf("%v priority %d has taken over", h.peer, h.peerPriority)
}

// rollBack stays master: hosts and peers are told so at once.
func (r *Router) rollBack(why string) {
	r.handover = handover{}
	r.offerAgain()
	r.ownAgain()
	r.masterInterval = r.cfg.AdvertInterval
	r.sendAdvert()
	r.announceAll()
	var missing []netip.Addr
	for _, a := range r.wanted() {
		if !slices.Contains(r.held, a) {
			missing = append(missing, a)
		}
	}
	r.acquire(missing)
	r.emit(Noticed{Kind: NoticeRolledBack, Detail: "still master: " + why})
}
