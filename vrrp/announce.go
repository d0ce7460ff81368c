package vrrp

import (
	"net/netip"
	"slices"
	"time"
)

// This file times the gratuitous ARP and unsolicited Neighbour Advertisements of
// RFC 9568 6.4.2 and their repeats. All of it ends with being master, so that an
// announcement never calls hosts back from the router that took over.

// announce asks for rounds of announcements.
func (r *Router) announce(addrs []netip.Addr, rounds int) {
	if len(addrs) > 0 && rounds > 0 {
		r.emit(Announce{Addresses: slices.Clone(addrs), Rounds: rounds})
	}
}

// announceAll is what a new master owes: a burst now, another after Delay, and
// from then on the refreshing ones.
func (r *Router) announceAll() {
	c := r.cfg.Announcements
	r.announce(r.held, c.Repeat)
	r.unannounced = nil
	r.clearAnnouncements()
	if c.Delay > 0 {
		r.burstAt = r.now.Add(c.Delay)
	}
	if c.Refresh > 0 {
		r.refreshAt = r.now.Add(c.Delay + c.Refresh)
	}
}

// announceLower tells hosts where the addresses are after a worse master was heard.
func (r *Router) announceLower() {
	c := r.cfg.Announcements
	r.announce(r.held, c.LowerPrioRepeat)
	if c.LowerPrioRepeat > 0 && c.LowerPrioDelay > 0 {
		r.lowerBurstAt = r.now.Add(c.LowerPrioDelay)
	}
}

// A master that has been relieved may still announce what it has queued: 200
// addresses of a keepalived for seconds. So may a worse one that took itself for
// master for a moment: it adverts first, is answered, and announces after that. As
// long as reclaimWindow after becoming master, or after the first advert of a worse
// one, we answer, reclaimDelay later and so together for all addresses; what goes on
// for longer is a second master, and no announcement ends that.
const (
	reclaimWindow = 10 * time.Second
	reclaimDelay  = 100 * time.Millisecond
)

// reclaim takes note that another node has just announced an address of ours.
func (r *Router) reclaim() {
	if r.reclaimAt.IsZero() && (r.now.Sub(r.since) < reclaimWindow || r.now.Sub(r.rivalSince) < reclaimWindow) {
		r.reclaimAt = r.now.Add(reclaimDelay)
	}
}

// rival takes note of an advert of a worse master. One that has been silent for
// reclaimWindow was relieved, and is another one when it comes again.
func (r *Router) rival() {
	if r.now.Sub(r.rivalAt) >= reclaimWindow {
		r.rivalSince = r.now
	}
	r.rivalAt = r.now
}

// taken are the addresses that were announced by others since reclaimAt was
// set.
func (r *Router) taken() []netip.Addr {
	var out []netip.Addr
	for _, a := range r.held {
		if at, ok := r.peerAnnounced[a]; ok && !at.Before(r.reclaimAt.Add(-reclaimDelay)) {
			out = append(out, a)
		}
	}
	return out
}

// sharedMACDelay is how long a master waits with its announcements where its
// predecessor lives and has the same Ethernet address. The advert has turned the
// switches, and hosts know no other address; but the predecessor's kernel answers
// an announcement of what is its own address still, and turns the switches back.
// Afterwards the announcements turn them for good, whatever it has sent meanwhile.
const sharedMACDelay = 50 * time.Millisecond

// announceDue sends the announcements whose time has come.
func (r *Router) announceDue() {
	c := r.cfg.Announcements
	if r.due(r.announceAt) {
		r.announceAll()
	}
	if r.due(r.burstAt) {
		r.burstAt = time.Time{}
		r.announce(r.held, c.Repeat)
	}
	if r.due(r.lowerBurstAt) {
		r.lowerBurstAt = time.Time{}
		r.announce(r.held, c.LowerPrioRepeat)
	}
	if r.due(r.reclaimAt) {
		again := r.taken()
		r.reclaimAt = time.Time{}
		r.announce(again, 1)
	}
	if r.due(r.refreshAt) {
		r.refreshAt = r.now.Add(c.Refresh)
		r.announce(r.held, max(c.RefreshRepeat, 1))
	}
}

// clearAnnouncements cancels what is still to come.
func (r *Router) clearAnnouncements() {
	r.burstAt, r.refreshAt, r.lowerBurstAt, r.reclaimAt = time.Time{}, time.Time{}, time.Time{}, time.Time{}
	r.announceAt = time.Time{}
}
