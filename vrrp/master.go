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
		r.sendAdvert()
	case r.better(p.Priority, from):
		// "If the Priority in the ADVERTISEMENT is greater than the local Priority,
		// or equal and the primary IPvX address of the sender is greater": we yield.
		if r.cfg.HigherPrioSendAdvert {
			r.sendAdvert()
		}
		r.yield(p, from)
	default:
		// "Else discard the ADVERTISEMENT", and assert ourselves at once.
		r.assert(p, from)
	}
}

// assert answers a worse master: it must hear us, and hosts that listened to it
// must be told where the addresses are.
func (r *Router) assert(p *Packet, from netip.Addr) {
	r.emit(Noticed{Kind: NoticeLowerPriority, Peer: from,
		Detail: fmt.Sprintf("advert from %v with lower priority %d, ours %d: forcing a new election", from, p.Priority, r.priority())})
	if !r.cfg.LowerPrioNoAdvert {
		r.sendAdvert()
	}
	r.lowerHeard = true
	r.announceLower()
}

// clearMastership stops all that only a master does. The addresses are released
// by whoever calls it.
func (r *Router) clearMastership() {
	r.acquiring, r.handover = acquiring{}, handover{}
	r.advertAt = time.Time{}
	r.clearAnnouncements()
	r.unannounced = nil
	r.lost, r.reacquireAt = nil, time.Time{}
	clear(r.losses)
	clear(r.peerAnnounced)
	r.masterInterval = r.cfg.AdvertInterval
}
