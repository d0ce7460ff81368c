package vrrp

import (
	"fmt"
	"slices"
	"time"
)

// This file damps a router that keeps losing its mastership, say because of a
// tracked script that fails and recovers for ever. Each of its moves costs its
// clients more than it gains them: after so many it stands back for a while, and
// is master in that time only where nobody else is.

// flaps is the account of lost masterships.
type flaps struct {
	lost []time.Time
	// until is the end of standing back; zero where the router does not.
	until time.Time
}

// countFlap counts the loss of mastership for a cause of this node's own. What an
// operator orders is no flap, nor what another member of the sync group brings.
func (r *Router) countFlap(cause Cause) {
	d := r.cfg.Damping
	switch cause.Kind {
	case CauseCommand, CauseOffer, CauseShutdown, CauseGroup, CauseReconfigure:
		return
	}
	if d.Flaps <= 0 {
		return
	}
	r.flaps.lost = slices.DeleteFunc(r.flaps.lost, func(at time.Time) bool { return r.now.Sub(at) >= d.Window })
	r.flaps.lost = append(r.flaps.lost, r.now)
	if len(r.flaps.lost) < d.Flaps {
		return
	}
	begun := r.flaps.until.IsZero()
	r.flaps.until = r.now.Add(d.Hold)
	if begun {
		r.emit(Noticed{Kind: NoticeDamped, Detail: fmt.Sprintf("lost mastership %d times in %v: backup for %v, unless no other master is heard",
			len(r.flaps.lost), d.Window, d.Hold)})
	}
}

// restoreDamping goes on with what an earlier process began. A clock that was set
// meanwhile makes it no longer than one that begins now.
func (r *Router) restoreDamping(until time.Time) {
	left := min(until.Sub(r.now), r.cfg.Damping.Hold)
	if r.cfg.Damping.Flaps <= 0 || left <= 0 {
		return
	}
	r.flaps.until = r.now.Add(left)
	r.emit(Noticed{Kind: NoticeDamped, Detail: fmt.Sprintf("damped since before the start: backup for %v, unless no other master is heard", left.Round(time.Second))})
}

// endDamping lets the router take part again as configured.
func (r *Router) endDamping(why string) {
	if r.flaps.until.IsZero() {
		return
	}
	r.flaps = flaps{}
	r.emit(Noticed{Kind: NoticeDampingEnded, Detail: why})
}

// standsBack is whether the router takes any master, by an operator's hold or
// because it is damped, and is the last of the backups to take over.
func (r *Router) standsBack() bool { return r.hold || !r.flaps.until.IsZero() }
