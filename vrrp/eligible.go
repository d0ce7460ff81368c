package vrrp

import (
	"fmt"
	"time"
)

// This file is the condition for taking over, which VRRP does not have: a node that
// is cut off from everybody hears no adverts and, by the RFC, claims addresses that
// its peer goes on serving. With Config.Conditional it becomes master only while
// something that must answer does, and has answered since adverts are missing: what
// cuts a node off from its master cuts it off from that too. A master stays master:
// the condition says who may take over, not who may serve.

// offerPace is how long a master without the condition waits before it offers again
// to peers that did not take over.
const offerPace = time.Minute

// eligibility is what is known of the condition.
type eligibility struct {
	known, met bool
	// why says what answers, or does not.
	why string
	// at is when it was last met, as far as it was found to be.
	at time.Time
	// overdue is why a takeover is due that waits for the next answer.
	overdue Cause
	// withheld is set when a takeover has been due and was not begun.
	withheld bool
	// offerAt is when a master that lost the condition offers, and wanted that it
	// is to do so in this Step.
	offerAt time.Time
	wanted  bool
}

// ineligible says why the router may not become master, "" where it may. What an
// operator orders by force needs no condition.
func (r *Router) ineligible() string {
	switch {
	case r.forced:
		return ""
	case r.maintenance:
		return "in maintenance by order of an operator"
	case !r.cfg.Conditional || r.condition.met:
		return ""
	case !r.condition.known:
		return "the condition for taking over is not known yet"
	default:
		return r.condition.why
	}
}

// setEligibility takes news of the condition.
func (r *Router) setEligibility(in Eligibility) {
	before, known := r.ineligible(), r.condition.known
	r.condition.known, r.condition.met, r.condition.why = true, in.Eligible, in.Cause
	if in.Eligible {
		r.condition.at = r.now
		if !in.Asked.IsZero() {
			r.condition.at = in.Asked
		}
	}
	r.judgeEligibility(before, known)
	if cause := r.condition.overdue; cause != (Cause{}) && r.ineligible() == "" {
		r.condition.overdue = Cause{}
		r.wantMastership(cause, false)
	}
}

// judgeEligibility follows a change of the condition: before is why the router was
// not eligible, and known whether anything had been known.
func (r *Router) judgeEligibility(before string, known bool) {
	after := r.ineligible()
	switch {
	case before == "" && after != "":
		r.want, r.condition.overdue = want{}, Cause{}
		if known {
			r.emit(Noticed{Kind: NoticeIneligible, Detail: after})
		}
		r.offerNow()
	case after != "" && !known:
		r.offerNow() // master since before the first answer
	case before != "" && after == "":
		r.condition.offerAt = time.Time{}
		if known {
			r.emit(Noticed{Kind: NoticeEligible, Detail: r.condition.why})
		}
		if r.condition.withheld && r.state == Backup && !r.acquiring.on {
			// What made us blind may have hidden a master too: it has its time to
			// be heard.
			r.setDown(r.now, r.cfg.DownTimerAdverts)
		}
		r.condition.withheld = false
	}
}

// offerNow has a master that may not take over offer, where it is configured to.
func (r *Router) offerNow() {
	if r.cfg.OfferIneligible && r.state == Master && r.condition.known {
		r.condition.offerAt = r.now
		r.offerDue()
	}
}

// withhold is whether a takeover that is due must not begin; the timer is then set
// again.
func (r *Router) withhold() bool {
	why := r.ineligible()
	if why == "" && r.confirmed() {
		return false
	}
	if why == "" {
		r.condition.overdue = r.whyMasterDown()
		r.setDown(r.now, r.cfg.DownTimerAdverts)
		return true
	}
	r.condition.withheld = true
	r.setDown(r.now, r.cfg.DownTimerAdverts)
	r.noticeOnce(Noticed{Kind: NoticeWithheld, Detail: "not taking over: " + why})
	return true
}

// confirmed is whether the condition was met at a moment when an advert was missing
// already, so that we cannot have been cut off between the last advert and the next. A
// master that was heard just now, and gives up or is worse, is as good as an answer.
func (r *Router) confirmed() bool {
	if !r.cfg.Conditional || r.forced || r.offered {
		return true
	}
	missing := r.since // backup since then
	if r.heard.at.After(missing) {
		missing = r.heard.at
	}
	missing = missing.Add(r.masterInterval)
	return !r.now.After(missing) || r.condition.at.After(missing)
}

// offerDue wishes for an offer where it is time for one. Routers of a sync group
// offer together, so that this only says so.
func (r *Router) offerDue() {
	if r.due(r.condition.offerAt) {
		r.condition.offerAt = time.Time{}
		r.condition.wanted = r.state == Master && !r.handingOver()
	}
}

// offerIneligible offers to any peer that may take over. If none does, we are
// master still, and better than nobody.
func (r *Router) offerIneligible() {
	r.condition.wanted = false
	if why := r.ineligible(); why != "" {
		r.offer(ineligible, why)
	}
}

// offerAgain sets the time of the next offer after one that nobody took.
func (r *Router) offerAgain() {
	if r.ineligible() != "" && r.cfg.OfferIneligible {
		r.condition.offerAt = r.now.Add(offerPace)
	}
}

// refuseIneligible says why a failover by hand needs force.
func (r *Router) refuseIneligible(force bool) string {
	if why := r.ineligible(); why != "" && !force {
		return fmt.Sprintf("this node may not take over: %s; use force to take over all the same", why)
	}
	return ""
}
