package wording

import (
	"fmt"
	"net/netip"
	"slices"
	"time"

	"github.com/tandem-ha/tandem/health"
	"github.com/tandem-ha/tandem/internal/control"
	"github.com/tandem-ha/tandem/internal/desired"
)

// Overrides are what keeps the ordinary rules from deciding about an instance.
func Overrides(i control.InstanceStatus, now time.Time) []string {
	var out []string
	if i.Offering {
		out = append(out, "offered: this node serves until a peer has taken over")
	}
	if i.Hold {
		out = append(out, fmt.Sprintf("held by an operator: it stays backup while a peer is there; tandem resume %s ends it", i.Name))
	}
	if i.Forced {
		out = append(out, fmt.Sprintf("forced by an operator: it advertises %d instead of %d; tandem resume %s ends it", i.Priority, i.BasePriority, i.Name))
	}
	if !i.DampedUntil.IsZero() {
		out = append(out, fmt.Sprintf("damped for another %v: it lost mastership too often and leaves it to its peers; tandem resume %s ends it",
			i.DampedUntil.Sub(now).Round(time.Second), i.Name))
	}
	if i.Ineligible != "" && !i.Maintenance {
		out = append(out, "may not take over: "+i.Ineligible)
	}
	return out
}

// orders lists what operators have ordered of the node and of real servers to be
// otherwise than configured, with how to end it.
func orders(s control.Status, now time.Time) []string {
	var out []string
	if m := s.Maintenance; m != nil {
		out = append(out, fmt.Sprintf("maintenance%s: this node does not become master; tandem maintenance off ends it", orderText(*m, now)))
	}
	for _, v := range s.Services {
		out = append(out, serverOrders(v.Overrides, v.Name, now)...)
	}
	for _, d := range s.Dormant {
		out = append(out, serverOrders([]control.ServerOverrides{d}, d.Service+" (not configured)", now)...)
	}
	return out
}

func serverOrders(list []control.ServerOverrides, service string, now time.Time) []string {
	var out []string
	for _, o := range list {
		if d := o.Drain; d != nil {
			left := ""
			if c := o.Connections; c != nil {
				left = fmt.Sprintf(": %d connections left, %d closing", c.Active, c.Inactive)
			}
			out = append(out, fmt.Sprintf("%s of %s: drained%s%s; tandem undrain %s ends it", o.Server, service, orderText(*d, now), left, o.Server))
		}
		if w := o.Weight; w != nil {
			out = append(out, fmt.Sprintf("%s of %s: weight %d%s; tandem weight %s reset ends it", o.Server, service, w.Weight, orderText(w.Override, now), o.Server))
		}
		for _, p := range o.Checks {
			counts := "good"
			if p.Failed {
				counts = "failed"
			}
			out = append(out, fmt.Sprintf("%s of %s: %s paused%s, counts as %s; tandem unpause %s ends it", o.Server, service, p.Kind, orderText(p.Override, now), counts, o.Server))
		}
	}
	return out
}

// orderText says when an order was given, by whom and why.
func orderText(o desired.Override, now time.Time) string {
	text := fmt.Sprintf(" %s ago by %s", Age(now, o.Since), o.By)
	if o.Reason != "" {
		text += " (" + o.Reason + ")"
	}
	return text
}

// Ordered is what is ordered of a real server, empty where nothing is.
func Ordered(v control.ServiceStatus, r health.ServerStatus) control.ServerOverrides {
	at := netip.AddrPortFrom(r.Addr, r.Port)
	i := slices.IndexFunc(v.Overrides, func(o control.ServerOverrides) bool { return o.Server == at })
	if i < 0 || r.Sorry {
		return control.ServerOverrides{}
	}
	return v.Overrides[i]
}

// Weight is a real server's weight, with what is ordered in its place.
func Weight(v control.ServiceStatus, r health.ServerStatus) string {
	o := Ordered(v, r)
	switch {
	case o.Drain != nil:
		return fmt.Sprintf("0 (not %d)", r.Weight)
	case o.Weight != nil:
		return fmt.Sprintf("%d (not %d)", o.Weight.Weight, r.Weight)
	}
	return fmt.Sprint(r.Weight)
}
