package vrrp

import (
	"net/netip"
	"slices"
	"time"
)

// reconfigure takes a new configuration and keeps the state. What cannot change
// in a running router, VRID, family and interface, is the caller's concern.
func (r *Router) reconfigure(in Reconfigure) {
	old, barred, known := r.cfg, r.ineligible(), r.condition.known
	cfg := in.Config.clone()
	r.changePriority("configuration", func() {
		r.cfg = cfg
		r.reduced = r.reduced && cfg.Priority == ownerPriority
		if cfg.Priority != old.Priority {
			// The trackers' contributions stay; the caller's next Priority has the last word.
			r.tracked = EffectivePriority(cfg.Priority, int(r.tracked)-int(old.Priority))
		}
	})
	r.oldChecksum = r.oldChecksum && cfg.unicast()
	r.buildAdvert()

	// A backup goes by its master's interval where it learned one (version 3).
	learned := r.state == Backup && !r.acquiring.on && cfg.Version == 3 && old.Version == 3 && r.heard.accepted
	if !learned {
		r.masterInterval = cfg.AdvertInterval
	}
	// Peers count in the interval that our last advert named: the next one, with
	// the new, is not later than it promised.
	if next := r.now.Add(cfg.AdvertInterval); r.advertising() && next.Before(r.advertAt) {
		r.advertAt = next
	}
	if cfg.PreemptDelay == 0 || !cfg.Preempt {
		r.preemptAt = time.Time{}
	}
	if cfg.Damping != old.Damping {
		r.endDamping("configuration")
	}
	r.judgeEligibility(barred, known)
	r.changeAddresses()
	r.changeAnnouncements(old.Announcements)
}

// changeAddresses brings what we hold to what is configured. A master that hands
// over only gives up: what is new is its peer's.
func (r *Router) changeAddresses() {
	if !r.acquiring.on && r.state != Master {
		return
	}
	wanted := r.wanted()
	removed := without(r.held, wanted)
	if r.handingOver() {
		r.letGo(removed)
		return
	}
	r.release(removed)
	if r.acquire(without(wanted, r.held)) {
		return
	}
	if r.acquiring.on && len(r.held) == 0 {
		r.becomeMaster() // nothing is left to wait for
	}
}

// without is the members of a that are not in b.
func without(a, b []netip.Addr) []netip.Addr {
	var rest []netip.Addr
	for _, x := range a {
		if !slices.Contains(b, x) {
			rest = append(rest, x)
		}
	}
	return rest
}

// changeAnnouncements starts or stops the refreshing rounds of a running master.
func (r *Router) changeAnnouncements(old Announcements) {
	c := r.cfg.Announcements
	if c.Refresh == old.Refresh || r.state != Master || r.handingOver() {
		return
	}
	r.refreshAt = time.Time{}
	if c.Refresh > 0 {
		r.refreshAt = r.now.Add(c.Refresh)
	}
}
