package vrrp

import "time"

// Phase is what a Router is at the moment, more finely than its State: what a
// simulation asks after every step. Unlike Status it costs nothing.
type Phase struct {
	State State
	// Started is true from the end of Start on, Stopping from a Shutdown on.
	Started, Stopping bool
	// Acquiring is the way to MASTER, HandingOver the way from it.
	Acquiring, HandingOver bool
	// Offering is a handover that the router began itself.
	Offering bool
	// MayTakeOver is false where a condition or an operator forbids it.
	MayTakeOver bool
	// StandsBack is an operator's hold, or damping; Forced a failover by hand.
	StandsBack, Forced bool
	Priority           uint8
	// Until is the end of the start-up delay, zero where there is none.
	Until time.Time
}

// Phase is the router's phase after the last Step.
func (r *Router) Phase() Phase {
	return Phase{
		State: r.state, Started: r.started, Stopping: r.stopping || r.stopped,
		Acquiring:   r.acquiring.on,
		HandingOver: r.handingOver(),
		Offering:    r.handingOver() && r.handover.kind != yielding,
		MayTakeOver: r.ineligible() == "",
		StandsBack:  r.standsBack(), Forced: r.forced,
		Priority: r.priority(),
		Until:    r.startupUntil,
	}
}
