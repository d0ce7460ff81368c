package vrrp

import (
	"fmt"
	"net/netip"
	"time"
)

// This file is the way from BACKUP to MASTER (RFC 9568 6.4.2, "If the
// Active_Down_Timer fires"): advert, addresses, announcements. The RFC's order is
// right where nobody serves the addresses. Where a master still does, the advert
// waits until we can serve, or packets between its leaving and our arrival are lost.

// want is the wish to become master. A lone router's is granted at once, a sync
// group's member's when all the others wish it too.
type want struct {
	on    bool
	cause Cause
	// served is true where somebody serves the addresses still: a worse master, or
	// one that has offered. Our advert then comes after the addresses.
	served bool
}

// acquiring is the time between Acquire and Acquired of a router on its way to
// MASTER. Adver_Timer runs in it once an advert has gone out.
type acquiring struct {
	on    bool
	cause Cause
	// served is true where somebody served the addresses when it began.
	served bool
}

func (r *Router) wantMastership(cause Cause, served bool) {
	r.want = want{on: true, cause: cause, served: served}
}

// takeOver begins to become master, as wanted.
func (r *Router) takeOver() {
	w := r.want
	r.ownAgain()
	r.leaveElection()
	r.startupUntil = time.Time{}
	r.acquiring = acquiring{on: true, cause: w.cause, served: w.served}
	if !w.served {
		r.sendAdvert()
	}
	if !r.acquire(r.wanted()) {
		r.becomeMaster()
	}
}

// advertising is whether Adver_Timer runs, so that others have heard of us.
func (r *Router) advertising() bool { return !r.advertAt.IsZero() }

// becomeMaster is reached when the addresses are there.
func (r *Router) becomeMaster() {
	cause, served := r.acquiring.cause, r.acquiring.served
	r.acquiring = acquiring{}
	r.masterInterval = r.cfg.AdvertInterval
	r.gaveUp = false
	if !r.advertising() {
		r.sendAdvert()
	}
	if served && r.cfg.SharedMAC {
		r.clearAnnouncements()
		r.announceAt = r.now.Add(sharedMACDelay)
	} else {
		r.announceAll()
	}
	r.setState(Master, cause)
	if r.hold {
		r.endHold("no peer is left: master again")
	}
}

// receiveAcquiring is for adverts that come while the addresses are on their way.
// Once we advertise, the rules of a master hold, before that those of a backup.
func (r *Router) receiveAcquiring(p *Packet, from netip.Addr) {
	switch {
	case p.Priority == 0:
		if r.advertising() {
			r.sendAdvert()
		}
	case r.advertising() && r.better(p.Priority, from), !r.advertising() && r.accepts(p.Priority):
		r.reduce(p, from)
		r.abandon(Cause{CauseHigher, fmt.Sprintf("%v priority %d is master", from, p.Priority)})
		r.follow(p, from)
	case r.advertising() && !r.cfg.LowerPrioNoAdvert:
		r.sendAdvert()
	}
}

// abandon gives up what is being acquired. Nobody is told of a change of state, for
// we were not master yet, except on the way from INIT.
func (r *Router) abandon(cause Cause) {
	r.releaseAll()
	r.clearMastership()
	r.enterBackup(cause, r.now, r.cfg.DownTimerAdverts)
}

// acquireFailed puts the router into FAULT for a while: it cannot serve.
func (r *Router) acquireFailed(in AcquireFailed) {
	if in.Serial != 0 && in.Serial < r.firstSerial || len(r.held) == 0 {
		return
	}
	r.acquireFault = "addresses cannot be had: " + in.Cause
	r.retryAt = r.now.Add(acquireRetry)
	r.judgeFaults(Cause{CauseAcquire, r.acquireFault})
}
