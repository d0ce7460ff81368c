package vrrp

import "fmt"

// This file is what an operator can order: a move by hand, and its end.

// command takes an order up, or says why it cannot be.
func (r *Router) command(in Command) {
	err := r.refusal(in)
	r.emit(CommandDone{Kind: in.Kind, Err: err})
	if err == "" {
		r.obey(in)
	}
}

// refusal says why an order cannot be taken up, in words for an operator.
func (r *Router) refusal(in Command) string {
	switch {
	case in.Kind == Resume:
		return ""
	case in.Kind != Switchover && in.Kind != Failover:
		return fmt.Sprintf("unknown command %q", string(in.Kind))
	case r.stopped || r.stopping:
		return "shutting down"
	case !r.started:
		return "not started yet"
	case r.state == Failed:
		return "in FAULT: " + r.faultCause().Detail
	case in.Kind == Switchover:
		return r.refuseSwitchover()
	default:
		return r.refuseFailover(in.Force)
	}
}

func (r *Router) refuseSwitchover() string {
	switch {
	case r.state != Master && r.acquiring.on:
		return "becoming master just now; try again"
	case r.state != Master:
		return fmt.Sprintf("not master here (%v): a switchover is ordered on the active node", r.state)
	case r.handingOver():
		return "already handing over"
	default:
		return ""
	}
}

func (r *Router) refuseFailover(force bool) string {
	if r.state == Master {
		if force {
			return ""
		}
		return "master here: a failover is ordered on a standby node; use switchover to hand over, or force to give up at once"
	}
	if err := r.refuseIneligible(force); err != "" {
		return err
	}
	if r.acquiring.on || r.heard.at.IsZero() || r.now.Sub(r.heard.at) >= r.masterDown() {
		return ""
	}
	ours := uint8(forcedPriority)
	if r.cfg.Priority == ownerPriority {
		ours = ownerPriority
	}
	switch m := r.heard; {
	case m.priority > ours:
		return fmt.Sprintf("the master %v owns the addresses (priority 255): %d cannot win against it", m.from, ours)
	case m.priority == ours && m.from.Compare(r.link.Source) > 0:
		return fmt.Sprintf("the master %v has priority %d and a higher address than our %v: %d cannot win against it",
			m.from, m.priority, r.link.Source, ours)
	default:
		return ""
	}
}

// obey carries out an order that was not refused.
func (r *Router) obey(in Command) {
	switch {
	case in.Kind == Resume:
		r.endHold("by order")
		r.endDamping("by order")
		r.endForce()
	case in.Kind == Switchover:
		r.offer(offering, "switchover")
	case r.state == Master:
		r.giveUp()
	default:
		r.force()
	}
}

// giveUp leaves at once, whether a peer is there or not.
func (r *Router) giveUp() {
	r.resign()
	r.enterBackup(Cause{CauseCommand, "gave up by order"}, r.now, r.cfg.DownTimerAdverts)
	r.beginHold("gave up by order: backup until no peer is left or a resume")
}

// force takes over now with a priority that wins. The master may live and serve,
// so the addresses come first.
func (r *Router) force() {
	r.endHold("by a failover")
	r.endDamping("by a failover")
	if !r.forced {
		r.changePriority("failover", func() { r.forced = true })
		r.emit(Noticed{Kind: NoticeForced, Detail: fmt.Sprintf("priority %d until a resume", r.priority())})
	}
	if !r.acquiring.on {
		r.wantMastership(Cause{CauseCommand, "failover"}, true)
	}
}

func (r *Router) beginHold(detail string) {
	r.endForce()
	if !r.hold {
		r.hold = true
		r.emit(Noticed{Kind: NoticeHold, Detail: detail})
	}
}

func (r *Router) endHold(why string) {
	if r.hold {
		r.hold = false
		r.emit(Noticed{Kind: NoticeHoldEnded, Detail: why})
	}
}

func (r *Router) endForce() {
	if r.forced {
		r.changePriority("failover ended", func() { r.forced = false })
		r.emit(Noticed{Kind: NoticeForcedEnded, Detail: fmt.Sprintf("priority %d again", r.priority())})
	}
}
