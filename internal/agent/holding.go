package agent

import (
	"context"
	"slices"
	"time"

	"github.com/tandem-ha/tandem/config"
	"github.com/tandem-ha/tandem/internal/desired"
	"github.com/tandem-ha/tandem/internal/host"
	"github.com/tandem-ha/tandem/internal/journal"
	"github.com/tandem-ha/tandem/internal/keeper"
	"github.com/tandem-ha/tandem/vrrp"
)

// This file is what the elector tells the keeper, and hears from it.

// holdings are what is to be told to the keeper.
type holdings struct {
	// holding are the instances whose wish for addresses is to be given to it.
	holding []*instance
	// routed is whether there are any routes to be kept.
	routed bool
}

// tenant is the elector as the keeper's client: what it hears is a matter of the
// loop.
type tenant struct{ *elector }

// Served implements keeper.Client.
func (t tenant) Served(id string, serial uint64, err error) {
	t.post(func(now time.Time) { t.served(now, id, serial, err) })
}

// AddressLost implements keeper.Client.
func (t tenant) AddressLost(id string, a host.Address) {
	t.post(func(now time.Time) { t.addressLost(now, id, a) })
}

// Told implements keeper.Client.
func (t tenant) Told(n keeper.Notice) {
	t.post(func(time.Time) { t.keeperTold(n) })
}

// hold has the keeper give the host what the instance should have, at the end of
// the loop's turn: what many instances want then goes in one batch, and an instance
// that lets go of one address after the other is asked once.
func (e *elector) hold(in *instance) {
	if !slices.Contains(e.holding, in) {
		e.holding = append(e.holding, in)
	}
}

// hand gives the keeper the wishes of this turn.
func (e *elector) hand() {
	for i, in := range e.holding {
		e.keeper.Set(in.id, in.serial, in.wanted(e.vrfTable), in.every)
		e.holding[i] = nil
	}
	e.holding = e.holding[:0]
}

// holdStatics has the keeper give the host what is there as long as the program
// runs.
func (e *elector) holdStatics() {
	e.routed = hasRoutes(e.conf)
	s := desired.Statics(e.conf, e.vrfTable)
	e.keeper.Set(keeper.Statics, 0, s, &s)
}

// vrfTable is the routing table of a VRF.
func (e *elector) vrfTable(name string) (uint32, bool) {
	l := e.links[name]
	return l.VRFTable, l.VRFTable != 0
}

// vrfChanged works out anew what is in a VRF's table.
func (e *elector) vrfChanged() {
	e.holdStatics()
	for _, in := range e.instances {
		every := desired.All(in.conf, e.vrfTable)
		in.every = &every
		if in.router.Status().State != vrrp.Init {
			e.hold(in)
		}
	}
}

// hostLost has the keeper look for what has gone from the host, or may come back
// now. The kernel tells nothing of IPv4 routes that go with a link or an address.
func (e *elector) hostLost(ev host.Event) {
	switch ev := ev.(type) {
	case host.AddressChanged:
		// What comes back may be what a route has waited for.
		if ev.Present && !e.routed {
			return
		}
		if !ev.Present && !e.routed && len(e.conf.StaticAddresses) == 0 && len(e.index.byAddr[ev.Prefix.Addr()]) == 0 {
			return
		}
	case host.LinkChanged, host.LinkGone:
		if !e.routed && len(e.conf.StaticAddresses) == 0 {
			return
		}
	case host.RouteChanged:
		if ev.Present {
			return
		}
	case host.RuleChanged:
		if ev.Present {
			return
		}
	}
	e.keeper.Inspect()
}

// hasRoutes is whether there is any route that a change of a link or of an
// address could take away.
func hasRoutes(cfg *config.Config) bool {
	return len(cfg.StaticRoutes) > 0 || slices.ContainsFunc(cfg.Instances, func(in *config.Instance) bool { return len(in.Routes) > 0 })
}

// dropStatics takes away what was there as long as the program ran.
func (e *elector) dropStatics() {
	e.do(context.Background(), func(time.Time) {
		e.keeper.Set(keeper.Statics, 0, desired.Holding{}, &desired.Holding{})
	})
}

// keeperTold writes down what the keeper has to tell.
func (e *elector) keeperTold(n keeper.Notice) {
	ev := journal.Event{Kind: "host", Level: journal.Error, Text: n.Text}
	if n.Loss {
		ev.Kind, ev.Level = "lost", journal.Warning
	}
	if in := e.instances[n.Owner]; in != nil {
		ev.Area, ev.Subject, ev.Text = journal.VRRP, in.conf.Name, "("+in.conf.Name+") "+n.Text
	}
	e.journal.Add(ev)
}

// sweep removes what an earlier process recorded and this configuration does not
// know; what it knows is the instances' matter, and that of the statics.
func (e *elector) sweep(cfg *config.Config, recorded host.Contents) {
	known := map[host.Place]bool{}
	know := func(h desired.Holding) {
		for _, i := range h.Addresses {
			known[i.Thing.Place()] = true
		}
		for _, i := range h.Routes {
			known[i.Thing.Place()] = true
		}
		for _, i := range h.Rules {
			known[i.Thing.Place()] = true
		}
	}
	know(desired.Statics(cfg, e.vrfTable))
	for _, in := range cfg.Instances {
		know(desired.All(in, e.vrfTable))
	}
	left := keeper.Leftover(recorded)
	left.Addresses = unknown(left.Addresses, known)
	left.Routes = unknown(left.Routes, known)
	left.Rules = unknown(left.Rules, known)
	if !left.Empty() {
		e.keeper.Set("left over", 0, desired.Holding{}, &left)
	}
}

func unknown[T interface{ Place() host.Place }](list []desired.Item[T], known map[host.Place]bool) []desired.Item[T] {
	return slices.DeleteFunc(list, func(i desired.Item[T]) bool { return known[i.Thing.Place()] })
}

// strip takes from a link that has just got another name the virtual addresses of
// its old one: whoever was about to remove them has not found the link any more.
func (e *elector) strip(link host.Link) {
	was, renamed := e.former[link.Index]
	if !renamed {
		return
	}
	delete(e.former, link.Index)
	var left desired.Holding
	for _, p := range link.Addresses {
		for _, in := range e.index.byAddr[p.Addr()] {
			if a, ok := in.find(was, p.Addr()); ok {
				a.Interface = link.Name
				left.Addresses = append(left.Addresses, desired.Item[host.Address]{Thing: a})
				break
			}
		}
	}
	if len(left.Addresses) > 0 {
		e.keeper.Set("renamed "+link.Name, 0, desired.Holding{}, &left)
	}
}
