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
// each address goes when the peer announces it, and all that are left one advert
// interval after the peer's first advert.

// handover is a master on its way out.
type handover struct {
	kind handoverKind
	// why is the cause of an offer, for people.
	why string
	// until is, before a peer is heard, the end of the wait for one, and after it
	// the end of serving.
	until time.Time
	// peer is who took over; invalid while nobody has.
	peer         netip.Addr
	peerPriority uint8
}

type handoverKind uint8

const (
	notHandingOver handoverKind = iota
	// offering: priority 0 was sent, by order or to stop. Afterwards we hold.
	offering
	// following: as offering, since another member of our sync group leaves.
	following
	// yielding: a better master was heard. There is nothing to wait for.
	yielding
)

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
	r.handOver(handover{kind: yielding, until: r.now.Add(r.cfg.AdvertInterval), peer: from, peerPriority: p.Priority})
}

// handOver begins: no adverts, no announcements. Addresses that the peer announced
// a moment ago go at once, for packets of two sockets may overtake each other. So
// do those whose duplicate detection is on: a peer that finds us answering for
// such an address would never use it.
func (r *Router) handOver(h handover) {
	r.handover = h
	r.advertAt = time.Time{}
	r.clearAnnouncements()
	r.release(r.cfg.Detecting)
	var gone []netip.Addr
	for _, a := range r.held {
		if at, ok := r.peerAnnounced[a]; ok && r.now.Sub(at) <= r.cfg.AdvertInterval {
			gone = append(gone, a)
		}
	}
	clear(r.peerAnnounced)
	r.letGo(gone)
	r.leaveEmpty()
}

// leaveEmpty leaves to a peer that was heard when there is nothing more to serve.
func (r *Router) leaveEmpty() {
	if r.handover.peer.IsValid() && len(r.held) == 0 {
		r.leave()
	}
}

// peerAnnouncedAddress takes note that a peer answers for one of our addresses.
func (r *Router) peerAnnouncedAddress(in PeerAnnounced) {
	addr := in.Addr.Unmap()
	if r.state != Master || !slices.Contains(r.held, addr) {
		return
	}
	if r.handover.kind != notHandingOver {
		r.letGo([]netip.Addr{addr})
		return
	}
	if r.peerAnnounced == nil {
		r.peerAnnounced = make(map[netip.Addr]time.Time)
	}
	r.peerAnnounced[addr] = r.now
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
	switch {
	case p.Priority == 0:
		// The peer gives up again before we have left: we are master still.
		if from == h.peer && !r.grouped && !r.stopping {
			r.rollBack(fmt.Sprintf("%v gave up again", from))
		}
		return
	case !h.peer.IsValid():
		h.peer, h.peerPriority = from, p.Priority
		h.until = r.now.Add(r.cfg.AdvertInterval)
		if r.stopping && h.until.After(r.stopBy) {
			h.until = r.stopBy
		}
	}
	r.followServing(p, from)
	r.leaveEmpty()
}

// followServing takes note of the master that takes over, and leaves
// Active_Down_Timer for when we are backup.
func (r *Router) followServing(p *Packet, from netip.Addr) {
	r.follow(p, from)
	r.down = downTimer{}
}

// handoverExpired ends the wait: a peer that was heard has had its time; without
// one we stay master, unless we stop or the rest of our group has left.
func (r *Router) handoverExpired() {
	h := r.handover
	if !h.peer.IsValid() && !r.stopping && !r.groupAnswered {
		r.rollBack(fmt.Sprintf("nobody took over within %v", seconds(r.answerWindow())))
		return
	}
	r.releaseAll()
	r.leave()
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
		// The peer's last advert counts, heard while we were still serving.
		from = r.heard.at
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
	default:
		return Cause{CauseOffer, h.why + ": " + h.taken()}
	}
}

// taken says who took an offer, and by which sign.
func (h handover) taken() string {
	if !h.peer.IsValid() {
		return "a peer announced every address"
	}
	return fmt.Sprintf("%v priority %d has taken over", h.peer, h.peerPriority)
}

// rollBack stays master: hosts and peers are told so at once.
func (r *Router) rollBack(why string) {
	r.handover = handover{}
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
