package vrrp

import (
	"net/netip"
	"slices"
	"strings"
	"time"
)

// This file is FAULT, keepalived's state of a router that cannot take part: its
// link is down or without an address, something it tracks has failed, its
// addresses cannot be had, or another member of its sync group is in FAULT.

// linkState takes news of the interface.
func (r *Router) linkState(in LinkState) {
	in.Source = in.Source.Unmap().WithZone("")
	r.link, r.linkKnown = in, true
	if r.pending != nil {
		r.start(*r.pending)
		return
	}
	cause := Cause{CauseLink, r.linkFault()}
	if cause.Detail == "" {
		cause = Cause{CauseRecovered, "the link is up, with " + in.Source.String()}
	}
	r.judgeFaults(cause)
}

// fault raises or clears a named reason.
func (r *Router) fault(in Fault) {
	i := slices.Index(r.faults, in.Cause)
	switch {
	case in.Active && i < 0:
		r.faults = append(r.faults, in.Cause)
		r.judgeFaults(Cause{CauseFault, in.Cause})
	case !in.Active && i >= 0:
		r.faults = slices.Delete(r.faults, i, i+1)
		r.judgeFaults(Cause{CauseRecovered, "cleared: " + in.Cause})
	}
}

// setGroupFault is told by the group which other member is in FAULT, "" for none.
func (r *Router) setGroupFault(member string) {
	if r.groupFault == member {
		return
	}
	cleared := r.groupFault
	r.groupFault = member
	if member != "" {
		r.judgeFaults(Cause{CauseGroup, member + " is in FAULT"})
	} else {
		r.judgeFaults(Cause{CauseRecovered, cleared + " has left FAULT"})
	}
}

// judgeFaults moves to FAULT or out of it, for the given cause.
func (r *Router) judgeFaults(cause Cause) {
	if !r.started || r.stopped {
		return
	}
	switch faulty := r.faulty(); {
	case faulty && r.state != Failed:
		r.enterFault(cause)
	case !faulty && r.state == Failed:
		r.recover(cause)
	}
}

// enterFault gives up what there is. An offer or a yield under way ends at once.
func (r *Router) enterFault(cause Cause) {
	r.resign()
	if r.stopping {
		r.stop()
		return
	}
	r.leaveElection()
	r.ownAgain()
	r.startupUntil = time.Time{}
	r.gaveUp = false
	r.setState(Failed, cause)
}

// recover stands again, as backup and with a full timer whatever the priority; an
// owner allows one advert and its skew instead of being master at once.
func (r *Router) recover(cause Cause) {
	adverts := r.cfg.DownTimerAdverts
	if r.cfg.Priority == ownerPriority && !r.standsBack() {
		adverts = 1
	}
	r.enterBackup(cause, r.now, adverts)
	if r.cfg.unicast() {
		// Unicast peers send to our own address, which may have been elsewhere.
		r.announce([]netip.Addr{r.link.Source}, 1)
	}
}

// faulty is whether any reason for FAULT is in force.
func (r *Router) faulty() bool { return r.faultyItself() || r.groupFault != "" }

// faultyItself leaves out what comes from the sync group.
func (r *Router) faultyItself() bool {
	return r.linkFault() != "" || len(r.faults) > 0 || r.acquireFault != ""
}

// linkFault says why the link cannot carry adverts, if it cannot.
func (r *Router) linkFault() string {
	switch {
	case !r.linkKnown:
		return ""
	case !r.link.Up && r.link.Cause != "":
		return r.link.Cause
	case !r.link.Up:
		return "the link is down"
	case !r.link.Source.IsValid():
		return "the interface has no address to send adverts from"
	default:
		return ""
	}
}

// currentFaults lists the reasons in force, for people.
func (r *Router) currentFaults() []string {
	var all []string
	if f := r.linkFault(); f != "" {
		all = append(all, f)
	}
	all = append(all, r.faults...)
	if r.acquireFault != "" {
		all = append(all, r.acquireFault)
	}
	if r.groupFault != "" {
		all = append(all, "sync group member "+r.groupFault+" is in FAULT")
	}
	return all
}

// faultCause is the cause of a FAULT that was there from the start.
func (r *Router) faultCause() Cause {
	detail := strings.Join(r.currentFaults(), ", ")
	switch {
	case r.linkFault() != "":
		return Cause{CauseLink, detail}
	case len(r.faults) > 0:
		return Cause{CauseFault, detail}
	default:
		return Cause{CauseGroup, detail}
	}
}
