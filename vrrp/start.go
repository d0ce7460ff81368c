package vrrp

import (
	"fmt"
	"time"
)

// start is the Startup event of RFC 9568 6.4.1. It waits for the link to be
// known, so as not to pass through FAULT on the way.
func (r *Router) start(in Start) {
	if r.started {
		return
	}
	if !r.linkKnown {
		r.pending = &in
		return
	}
	r.started, r.pending = true, nil
	r.hold = r.hold || in.Hold
	if r.hold {
		r.emit(Noticed{Kind: NoticeHold, Detail: "held since before the start: backup until no peer is left or a resume"})
	}
	r.restoreDamping(in.DampedUntil)
	switch {
	case r.faulty():
		r.enterFault(r.faultCause())
	case r.resumes(in):
		// Nobody can have taken over since our last advert, so that we are master
		// still; the next advert must be in time.
		r.wantMastership(Cause{CauseResumed, fmt.Sprintf("last advert %v ago", seconds(r.now.Sub(in.LastAdvert)))}, false)
	case r.cfg.StartupDelay > 0:
		r.setState(Backup, Cause{CauseStart, fmt.Sprintf("timers wait for the start-up delay of %v", seconds(r.cfg.StartupDelay))})
		r.startupUntil = r.now.Add(r.cfg.StartupDelay)
	default:
		r.stand()
	}
}

// resumes is whether an earlier process was master within one master down
// interval. A held router was not.
func (r *Router) resumes(in Start) bool {
	return !r.hold && !in.LastAdvert.IsZero() && r.now.Sub(in.LastAdvert) < r.masterDown()
}

// stand begins to take part: the owner of the addresses as master at once, unless
// it is configured as BACKUP; every other as backup with a full timer, whatever
// state is configured.
func (r *Router) stand() {
	if r.cfg.Priority == ownerPriority && r.cfg.StateMaster && !r.standsBack() && r.ineligible() == "" {
		r.wantMastership(Cause{CauseStart, "owner of the addresses (priority 255)"}, false)
		return
	}
	r.setState(Backup, Cause{CauseStart, fmt.Sprintf("waiting %v for a master's adverts", seconds(r.masterDown()))})
	r.setDown(r.now, r.cfg.DownTimerAdverts)
}

// shutdown is the Shutdown event of RFC 9568 6.4.2 and 6.4.3, but a master makes
// an offer first where it is given time.
func (r *Router) shutdown(in Shutdown) {
	atOnce := r.stopping || in.Limit <= 0
	r.stopping = true
	r.stopBy = r.now.Add(in.Limit)
	if atOnce || r.state != Master {
		r.stopNow()
		return
	}
	if !r.handingOver() {
		r.offer(offering, "shutting down")
	}
	if r.handover.until.After(r.stopBy) {
		r.handover.until = r.stopBy
	}
}

// stopNow ends the router: it says that it gives up, if anyone heard that it was
// master, and lets everything go.
func (r *Router) stopNow() {
	r.resign()
	r.stop()
}

// stop reports the end of a router that holds nothing any more.
func (r *Router) stop() {
	r.handover = handover{}
	r.setState(Init, Cause{CauseShutdown, "stopped"})
	r.leaveElection()
	r.startupUntil, r.retryAt = time.Time{}, time.Time{}
	r.flaps.until, r.condition.offerAt = time.Time{}, time.Time{}
	r.stopped = true
	r.emit(Stopped{})
}

// resign gives up being master, or becoming it, at once: priority 0 unless a peer
// already knows, then the addresses.
func (r *Router) resign() {
	if !r.advertAt.IsZero() {
		r.sendPriority0()
	}
	r.releaseAll()
	r.clearMastership()
}

// seconds rounds a duration for people.
func seconds(d time.Duration) time.Duration { return d.Round(time.Millisecond) }
