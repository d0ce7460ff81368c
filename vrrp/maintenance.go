package vrrp

// setMaintenance begins or ends maintenance. It bars the router from becoming
// master as an unmet condition does (see ineligible), without Config.Conditional.
// A master stays master: to move it away first is another order.
func (r *Router) setMaintenance(in Maintenance) {
	if r.maintenance == in.On {
		return
	}
	r.maintenance = in.On
	if in.On {
		r.want = want{}
		if r.state != Master && !r.acquiring.on {
			r.endForce()
		}
		r.emit(Noticed{Kind: NoticeMaintenance, Detail: "in maintenance: not becoming master until its end"})
		return
	}
	r.emit(Noticed{Kind: NoticeMaintenanceEnded, Detail: "maintenance has ended: may become master again"})
	if r.ineligible() != "" {
		return
	}
	if r.condition.withheld && r.state == Backup && !r.acquiring.on {
		// Nobody is in a hurry: a master that we have not heard has its time.
		r.setDown(r.now, r.cfg.DownTimerAdverts)
	}
	r.condition.withheld = false
}
