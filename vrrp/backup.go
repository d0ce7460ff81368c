package vrrp

import (
	"fmt"
	"net/netip"
	"time"
)

// This file is RFC 9568 6.4.2: the router in BACKUP watches the master and takes
// over when it is gone, or is worse than us for long enough.

// receiveBackup is "If an ADVERTISEMENT is received" of RFC 9568 6.4.2.
func (r *Router) receiveBackup(p *Packet, from netip.Addr) {
	r.condition.overdue = Cause{}
	// "If the Priority in the ADVERTISEMENT is 0, then set the Active_Down_Timer
	// to Skew_Time": the master gives up, and the best of us is first to follow.
	if p.Priority == 0 {
		r.offered = true
		r.heard.from, r.heard.priority, r.heard.accepted = from, 0, false
		r.setDown(r.now, 0)
		return
	}
	// "If Preempt_Mode is False, or if the Priority in the ADVERTISEMENT is greater
	// than or equal to the local Priority": it is our master. Addresses are not
	// compared, so that of equals the one that is master stays.
	r.runPreemptDelay(p.Priority)
	if r.accepts(p.Priority) {
		r.follow(p, from)
		return
	}
	// "Else discard the ADVERTISEMENT": the timer goes on, so that we preempt when
	// it expires, and never at once.
	r.offered = false
	r.heard = heard{from: from, priority: p.Priority, at: r.now, interval: interval(p)}
	if !r.told(NoticeLowerPriority) {
		r.noticeOnce(Noticed{Kind: NoticeLowerPriority, Peer: from,
			Detail: fmt.Sprintf("advert with lower priority %d than our %d: not accepted as master", p.Priority, r.priority())})
	}
}

// follow takes an advert's sender as master: Active_Adver_Interval is its
// interval (version 3 only), Active_Down_Timer starts again.
func (r *Router) follow(p *Packet, from netip.Addr) {
	if r.state == Init {
		// A member of a sync group that would have been master from the start.
		r.setState(Backup, Cause{CauseStart, fmt.Sprintf("%v priority %d is master", from, p.Priority)})
	}
	r.want = want{}
	r.offered = false
	r.heard = heard{from: from, priority: p.Priority, at: r.now, interval: interval(p), accepted: true}
	if p.Version == 3 {
		r.masterInterval = interval(p)
	}
	r.setDown(r.now, r.cfg.DownTimerAdverts)
}

// accepts is whether a backup takes a master of this priority.
func (r *Router) accepts(priority uint8) bool {
	return !r.preempts() || priority >= r.priority() || r.preemptAt.After(r.now)
}

// preempts is Preempt_Mode (RFC 9568 6.1) with the operator's overrides: a held
// router, or a damped one, takes any master, one forced by a failover none that is worse.
func (r *Router) preempts() bool {
	return !r.standsBack() && (r.cfg.Preempt || r.forced)
}

// runPreemptDelay starts PreemptDelay's clock at the first worse advert and stops
// it at one that is not worse.
func (r *Router) runPreemptDelay(priority uint8) {
	switch {
	case priority >= r.priority() || r.forced:
		r.preemptAt = time.Time{}
	case r.cfg.PreemptDelay > 0 && r.preemptAt.IsZero():
		r.preemptAt = r.now.Add(r.cfg.PreemptDelay)
	}
}

// downExpired is "If the Active_Down_Timer fires" of RFC 9568 6.4.2. The timer is
// set again, for a sync group in which the others are not ready to follow.
func (r *Router) downExpired() {
	if r.withhold() {
		return
	}
	cause := r.whyMasterDown()
	r.wantMastership(cause, cause.Kind != CauseMasterDown)
	r.setDown(r.now, r.cfg.DownTimerAdverts)
}

// whyMasterDown tells a master that gave up and one that still lives, but is
// worse, from one that has failed.
func (r *Router) whyMasterDown() Cause {
	last := r.heard.at
	if last.Before(r.down.from) {
		last = r.down.from
	}
	silence := r.now.Sub(last)
	switch {
	case r.offered:
		return Cause{CausePriority0, fmt.Sprintf("%v gave up (priority 0)", r.heard.from)}
	case r.heard.at.IsZero():
		return Cause{CauseMasterDown, fmt.Sprintf("no advert for %v since %v", seconds(silence), r.cause.Kind)}
	case !r.heard.accepted && silence < r.masterDown():
		return Cause{CausePreempt, fmt.Sprintf("our priority %d against %d of %v", r.priority(), r.heard.priority, r.heard.from)}
	default:
		return Cause{CauseMasterDown, fmt.Sprintf("no advert for %v, last from %v priority %d", seconds(silence), r.heard.from, r.heard.priority)}
	}
}

// enterBackup moves to BACKUP with a timer of so many adverts from a moment on.
func (r *Router) enterBackup(cause Cause, from time.Time, adverts int) {
	r.leaveElection()
	r.setState(Backup, cause)
	r.setDown(from, adverts)
}

// leaveElection forgets what a backup waits for.
func (r *Router) leaveElection() {
	r.down, r.preemptAt, r.offered, r.want = downTimer{}, time.Time{}, false, want{}
	r.condition.overdue = Cause{}
}

// hasMaster is whether a master that we accept is alive, as far as we know.
func (r *Router) hasMaster() bool {
	return r.heard.accepted && r.now.Sub(r.heard.at) < r.masterDown()
}
