package vrrp

import "time"

// beat is what a master needs to send one advert after the other. Hundreds of them
// do so ten times a second and find nothing of themselves in the processor's cache:
// what it costs is how much memory they look at, so this stands together.
type beat struct {
	advert   Output    // our advert, boxed once so that sending allocates nothing
	advertAt time.Time // Adver_Timer (RFC 9568 6.2)
	sentAt   time.Time // our last advert
	anchor   time.Time // see Align
	// masterDownAt is when Active_Down_Timer expires, and otherAt when any timer but
	// Adver_Timer does; zero for never, as of the last Step.
	masterDownAt, otherAt time.Time
	// steady is whether nothing but an advert can come of a TimerFired before
	// otherAt, as of the last Step.
	steady bool
}

// reckon ends a Step: it works out what is to come, for Deadline and beats.
func (r *Router) reckon() {
	r.masterDownAt = r.downAt()
	r.otherAt = r.nextOther()
	r.steady = r.state == Master && r.handover.kind == notHandingOver && r.cfg.TimerExpiredBackup == 0
}

// beats is whether an advert is due, and nothing else is to be thought of.
func (r *Router) beats(now time.Time) bool {
	return r.steady && !r.advertAt.IsZero() && !r.advertAt.After(now) && (r.otherAt.IsZero() || r.otherAt.After(now))
}

// beatOf is the router whose advert is all that comes of an input, or nil. In a
// group of several a moment matters to the others too.
func (g *Group) beatOf(now time.Time, in GroupInput) *Router {
	if _, fired := in.Input.(TimerFired); !fired || in.Member != "" || len(g.members) != 1 || !g.members[0].beats(now) {
		return nil
	}
	return g.members[0]
}
