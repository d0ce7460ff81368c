package vrrp

import "time"

const (
	// ownerPriority is that of the router whose own addresses the VIPs are
	// (RFC 9568 5.2.4); nothing changes it.
	ownerPriority = 255
	// forcedPriority is what a failover by hand advertises: the best below an owner.
	forcedPriority = 254
	// heldPriority takes the place of the effective priority in the skew of a router
	// that stands back, so that every other backup goes first.
	heldPriority = 1

	// answerMargin is added to the wait for an answer to an offer. A peer's skew
	// is less than one interval; the margin is for what the peer does between its
	// timer and its advert (addresses first) and for latency. Waiting costs
	// nothing, since the addresses are served meanwhile.
	answerMargin = 500 * time.Millisecond
	// acquireTime is what a peer with many addresses may need between its first
	// advert and its second, however short its interval: keepalived sends none while
	// it adds them, at about five milliseconds each.
	acquireTime = 3 * time.Second
	// acquireRetry is how long addresses that cannot be had keep a router in FAULT.
	acquireRetry = 5 * time.Second
	// An address that is lost more than lossLimit times within lossWindow is put
	// back only after lossPace, so as not to fight with whoever removes it.
	lossLimit  = 3
	lossWindow = time.Minute
	lossPace   = 10 * time.Second
)

// EffectivePriority is base with the contributions of weighted trackers added.
// An owner's 255 stays; every other stays within 1 to 254.
func EffectivePriority(base uint8, contributions ...int) uint8 {
	if base == ownerPriority {
		return base
	}
	total := int(base)
	for _, c := range contributions {
		total += c
	}
	return uint8(min(max(total, 1), ownerPriority-1))
}

// downTimer is Active_Down_Timer (RFC 9568 6.2) as the moment it was set and the
// number of advert intervals it allows, so that a change of priority or interval
// moves the expiry of a running timer too.
type downTimer struct {
	from    time.Time
	adverts int
}

// skew is Skew_Time (RFC 9568 6.1): the better the priority, the shorter, so that
// the best backup's timer expires first. Version 2 counts in 256ths of a second
// (RFC 3768 6.1), version 3 of the master's interval.
func (r *Router) skew() time.Duration {
	p := r.priority()
	if r.standsBack() {
		p = heldPriority
	}
	return r.skewOf(p)
}

// skewOf is Skew_Time of any priority.
func (r *Router) skewOf(priority uint8) time.Duration {
	unit := time.Second
	if r.cfg.Version == 3 {
		unit = r.masterInterval
	}
	return time.Duration(256-int(priority)) * unit / 256
}

// masterDown is Active_Down_Interval (RFC 9568 6.1), with as many adverts as
// configured in place of the RFC's three.
func (r *Router) masterDown() time.Duration {
	return time.Duration(r.cfg.DownTimerAdverts)*r.masterInterval + r.skew()
}

// setDown sets Active_Down_Timer to so many advert intervals and the skew.
func (r *Router) setDown(from time.Time, adverts int) {
	r.down = downTimer{from: from, adverts: adverts}
}

// downAt is when Active_Down_Timer expires; zero where it is not running.
func (r *Router) downAt() time.Time {
	if r.down.from.IsZero() {
		return time.Time{}
	}
	return r.down.from.Add(time.Duration(r.down.adverts)*r.masterInterval + r.skew())
}

// MasterDownAt is when Active_Down_Timer expires, unless an advert comes first;
// zero where it is not running.
func (r *Router) MasterDownAt() time.Time { return r.masterDownAt }

// answerWindow is how long an offer waits for a peer's first advert.
func (r *Router) answerWindow() time.Duration {
	interval := time.Second
	if r.cfg.Version == 3 {
		interval = r.cfg.AdvertInterval
	}
	return max(interval+answerMargin, r.groupWindow)
}

// due is whether a timer is running and has expired.
func (r *Router) due(t time.Time) bool { return !t.IsZero() && !t.After(r.now) }

// Deadline is when the router next wants a TimerFired; zero for never. It may
// have passed already, where one TimerFired sets a timer that is late too.
func (r *Router) Deadline() time.Time { return sooner(r.advertAt, r.otherAt) }

// nextOther is when a timer other than Adver_Timer expires; zero for never.
func (r *Router) nextOther() time.Time {
	var first time.Time
	for _, t := range [...]time.Time{
		r.startupUntil, r.masterDownAt, r.handover.until, r.retryAt,
		r.reacquireAt, r.announceAt, r.burstAt, r.refreshAt, r.lowerBurstAt, r.reclaimAt,
		r.condition.offerAt, r.flaps.until,
	} {
		first = sooner(first, t)
	}
	return first
}

// sooner is the first of two moments, of which a zero one never comes.
func sooner(a, b time.Time) time.Time {
	if a.IsZero() || !b.IsZero() && b.Before(a) {
		return b
	}
	return a
}

// timerFired does what is due. Each timer is compared with now, so that a call
// that comes early or late does no harm.
func (r *Router) timerFired() {
	if r.due(r.handover.until) {
		r.handoverExpired()
	}
	if r.due(r.retryAt) {
		r.retryAt, r.acquireFault = time.Time{}, ""
		r.judgeFaults(Cause{CauseRecovered, "addresses are tried again"})
	}
	if r.due(r.startupUntil) {
		r.startupUntil = time.Time{}
		r.stand()
	}
	if r.due(r.reacquireAt) {
		r.reacquire()
	}
	if r.due(r.flaps.until) {
		r.endDamping("the time is over")
	}
	r.offerDue()
	r.announceDue()
	if r.due(r.downAt()) {
		r.downExpired()
	}
}
