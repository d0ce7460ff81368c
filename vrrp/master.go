package vrrp

import (
	"fmt"
	"net/netip"
	"time"
)

// This file is RFC 9568 6.4.3: the router in MASTER sends adverts and keeps the
// others off. That "the Adver_Timer fires" is seen at every input: see handle.

// receiveMaster is "If an ADVERTISEMENT is received" of RFC 9568 6.4.3.
func (r *Router) receiveMaster(p *Packet, from netip.Addr) {
	switch {
	case p.Priority == 0:
		// "If the Priority in the ADVERTISEMENT is 0, then send an ADVERTISEMENT,
		// reset the Adver_Timer": whoever waits for its skew learns that we are here.
		if r.answers() {
			r.sendAdvert()
		}
	case r.better(p.Priority, from):
		// "If the Priority in the ADVERTISEMENT is greater than the local Priority,
		// or equal and the primary IPvX address of the sender is greater": we yield.
		r.reduce(p, from)
		if r.cfg.HigherPrioSendAdvert {
			r.sendAdvert()
		}
		r.yield(p, from)
	default:
		// "Else discard the ADVERTISEMENT", and assert ourselves at once.
		r.rival()
		if r.answers() {
			r.assert(p, from)
		}
	}
}

// assert answers a worse master: it must hear us, and hosts that listened to it
// must be told where the addresses are.
func (r *Router) assert(p *Packet, from netip.Addr) {
	r.noticeTwoOwners(p, from)
	r.emit(Noticed{Kind: NoticeLowerPriority, Peer: from,
		Detail: fmt.Sprintf("advert from %v with lower priority %d, ours %d: forcing a new election", from, p.Priority, r.priority())})
	if !r.cfg.LowerPrioNoAdvert {
		r.sendAdvert()
	}
	r.lowerHeard = true
	r.announceLower()
}

// noticeTwoOwners tells of another owner, which there must not be (RFC 9568 5.2.4:
// 255 is "the router that owns the IPvX address").
func (r *Router) noticeTwoOwners(p *Packet, from netip.Addr) {
	if p.Priority == ownerPriority && r.priority() == ownerPriority {
		r.noticeOnce(Noticed{Kind: NoticeTwoOwners, Peer: from,
			Detail: fmt.Sprintf("%v has priority 255 as we have: only one may be configured as address owner", from)})
	}
}

// reduce lowers the priority of an owner that leaves to another owner to 254, as
// keepalived does, until the other is gone.
func (r *Router) reduce(p *Packet, from netip.Addr) {
	r.noticeTwoOwners(p, from)
	if p.Priority == ownerPriority && r.priority() == ownerPriority {
		r.changePriority("another address owner", func() { r.reduced = true })
	}
}

// ownAgain ends what reduce began.
func (r *Router) ownAgain() {
	if r.reduced {
		r.changePriority("the other address owner is gone", func() { r.reduced = false })
	}
}

// late is whether our advert is overdue for so long that a backup must have taken
// over, where the configuration leaves mastership to it then.
func (r *Router) late() bool {
	other := r.cfg.TimerExpiredBackup
	if other == 0 || r.state != Master {
		return false
	}
	return r.now.Sub(r.sentAt) > time.Duration(r.cfg.DownTimerAdverts)*r.cfg.AdvertInterval+r.skewOf(other)
}

// stepBack makes a backup of a master that was late. Priority 0 would only have the
// new master answer.
func (r *Router) stepBack() {
	silence := r.now.Sub(r.sentAt)
	r.releaseAll()
	r.clearMastership()
	r.gaveUp = true
	r.enterBackup(Cause{CauseLate, fmt.Sprintf("kept from running for %v: a backup must have taken over", seconds(silence))},
		r.now, r.cfg.DownTimerAdverts)
}

// clearMastership stops all that only a master does. The addresses are released
// by whoever calls it.
func (r *Router) clearMastership() {
	r.acquiring, r.handover = acquiring{}, handover{}
	r.advertAt = time.Time{}
	r.condition.offerAt, r.condition.wanted = time.Time{}, false
	r.clearAnnouncements()
	r.unannounced = nil
	r.lost, r.reacquireAt = nil, time.Time{}
	clear(r.losses)
	clear(r.peerAnnounced)
	r.masterInterval = r.cfg.AdvertInterval
}
