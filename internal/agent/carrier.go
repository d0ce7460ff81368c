package agent

import (
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/tandem-ha/tandem/config"
	"github.com/tandem-ha/tandem/internal/desired"
	"github.com/tandem-ha/tandem/internal/host"
	"github.com/tandem-ha/tandem/vrrp"
)

// This file is what the elector does about an instance that has a link of its own,
// a VMAC or an ipvlan: it advertises from there, and hears there what the kernel takes
// for that link's. Who makes the links is vmacs.

// openOwn makes sure that the instance has the socket of its own link, if it has
// such a link, and says what the router is to know when base is true of its
// interface.
func (e *elector) openOwn(in *instance, base vrrp.LinkState) vrrp.LinkState {
	name, mac := desired.OwnLink(in.conf)
	if name == "" {
		in.own = e.leave(in, in.own)
		return base
	}
	link, known := e.links[name]
	switch {
	case !known && e.unmade[name] != nil:
		in.own = e.leave(in, in.own)
		return vrrp.LinkState{Source: base.Source, Cause: fmt.Sprintf("interface %s: %v", name, e.unmade[name])}
	case !known:
		in.own = e.leave(in, in.own)
		return vrrp.LinkState{Source: base.Source, Cause: fmt.Sprintf("interface %s missing", name)}
	}
	if mac == (host.MAC{}) && len(link.MAC) == len(mac) {
		mac = host.MAC(link.MAC)
	}
	key := host.AdvertKey{Interface: name, Index: link.Index, IPv6: in.conf.IPv6, AH: in.auth.AH(), From: mac}
	if !in.conf.Unicast() {
		key.Group = in.conf.Group
	}
	if in.own == nil || in.own.key != key {
		in.own = e.leave(in, in.own)
		in.own = e.join(in, key)
	}
	if in.own.conn == nil {
		e.open(in.own)
	}
	switch {
	case in.own.conn == nil:
		return vrrp.LinkState{Source: base.Source, Cause: in.own.err.Error()}
	case base.Up && !link.Up && in.conf.TrackPrimary:
		return vrrp.LinkState{Source: base.Source, Cause: fmt.Sprintf("interface %s down", name)}
	}
	return base
}

// sender is the socket that adverts leave by.
func (in *instance) sender() *socket {
	if in.own != nil && !in.conf.XmitBase {
		return in.own
	}
	return in.socket
}

// linksPending says whether a link that is made for the instance is still on its
// way: it has been asked for before the instance, and the host tells of it any
// moment.
func (e *elector) linksPending(in *instance) bool {
	return slices.ContainsFunc(desired.Links(in.conf, in.trackers), func(name string) bool {
		parent, ours := e.made[name]
		base, there := e.links[parent]
		link, known := e.links[name]
		return ours && there && e.unmade[name] == nil && (!known || base.Up && !link.Up)
	})
}

// linksComing says whether a link that was made is still on its way: the host has
// not told of it yet, or only that it is not up, which comes before the rest.
func (e *elector) linksComing(in *instance) bool {
	return slices.ContainsFunc(desired.Links(in.conf, in.trackers), func(name string) bool {
		parent, ours := e.made[name]
		base, there := e.links[parent]
		link, known := e.links[name]
		return ours && there && e.unmade[name] == nil && (!known || base.Up && !link.Up && e.up[name] != link.Index)
	})
}

// suspends says whether to wait with an event: a link of ours that goes, while
// what it is upon is well, has been deleted, and is made again at once; as long as
// that takes the routers need not know. Before it goes the kernel says that it is
// down. carriersMade brings the event back if it was meant otherwise.
func (e *elector) suspends(ev host.Event) bool {
	name := ""
	switch ev := ev.(type) {
	case host.LinkChanged:
		if ev.Link.Up {
			return false
		}
		// That may also be the new one, which has not come up yet.
		name = ev.Link.Name
	case host.LinkGone:
		name = ev.Name
	default:
		return false
	}
	parent, ours := e.made[name]
	was := e.links[name]
	if !ours || !e.links[parent].Up || e.unmade[name] != nil || !was.Up {
		return false
	}
	e.suspended[name] = ev
	return true
}

// carriersMade hears what became of the links.
func (e *elector) carriersMade(now time.Time, r carriersReport) {
	before := e.unmade
	e.unmade = r.failed
	for _, name := range slices.Sorted(maps.Keys(e.suspended)) {
		ev, down := e.suspended[name].(host.LinkChanged)
		if r.failed[name] != nil || down && r.there[name] == ev.Link.Index {
			again := e.suspended[name]
			delete(e.suspended, name)
			e.follow(now, again)
		}
	}
	for name := range r.failed {
		if before[name] == nil {
			e.refresh(now, e.index.byLink[name])
		}
	}
	for name := range before {
		if r.failed[name] == nil {
			e.refresh(now, e.index.byLink[name])
		}
	}
}

// announceOn announces the addresses that an instance holds on its links that are
// there, or on one of them alone, after the links have changed under it.
func (e *elector) announceOn(in *instance, only string) {
	if in.router.Status().State != vrrp.Master || in.router.Status().Offering {
		return
	}
	for name, addrs := range in.byLink(slices.Collect(maps.Keys(in.held))) {
		if link, ok := e.links[name]; ok && (only == "" || only == name) {
			e.wire.Announce(link, addrs, in.conf.GARP.Repeat)
		}
	}
}

// relinked says whether an instance's addresses have another Ethernet address, or
// another link, than before, so that the segment has to hear of it.
func relinked(before, after *config.Instance) bool {
	name, mac := desired.OwnLink(before)
	newName, newMAC := desired.OwnLink(after)
	return name != newName || mac != newMAC
}
