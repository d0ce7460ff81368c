package vrrp

import (
	"fmt"
	"net/netip"
	"slices"
	"time"
)

// This file keeps the account of the addresses that we hold: asked for by an
// Acquire and not yet given up by a Release.

// loss counts how often somebody removed an address that we hold.
type loss struct {
	since time.Time
	times int
}

// wanted is all the addresses of the router, in the order of the configuration.
func (r *Router) wanted() []netip.Addr {
	return slices.Concat(r.cfg.Addresses, r.cfg.Excluded)
}

// acquire asks for addresses; it is false where there is nothing to ask for.
func (r *Router) acquire(addrs []netip.Addr) bool {
	if len(addrs) == 0 {
		return false
	}
	r.serial++
	if len(r.held) == 0 {
		r.firstSerial = r.serial
		r.held, r.unannounced = slices.Clone(addrs), slices.Clone(addrs)
		r.emit(Acquire{Serial: r.serial, Addresses: addrs})
		return true
	}
	for _, a := range addrs {
		if !slices.Contains(r.held, a) {
			r.held = append(r.held, a)
		}
		if !slices.Contains(r.unannounced, a) {
			r.unannounced = append(r.unannounced, a)
		}
	}
	r.emit(Acquire{Serial: r.serial, Addresses: addrs})
	return true
}

// release gives addresses up, those of them that we hold.
func (r *Router) release(addrs []netip.Addr) {
	var gone []netip.Addr
	for _, a := range addrs {
		if i := slices.Index(r.held, a); i >= 0 {
			r.held = slices.Delete(r.held, i, i+1)
			gone = append(gone, a)
			delete(r.losses, a)
		}
	}
	if len(gone) == 0 {
		return
	}
	isGone := func(a netip.Addr) bool { return slices.Contains(gone, a) }
	r.unannounced = slices.DeleteFunc(r.unannounced, isGone)
	r.lost = slices.DeleteFunc(r.lost, isGone)
	r.emit(Release{Addresses: gone})
}

// releaseAll gives up everything, in one batch.
func (r *Router) releaseAll() {
	if len(r.held) > 0 {
		r.emit(Release{Addresses: r.held})
	}
	r.held, r.unannounced, r.lost = nil, nil, nil
	clear(r.losses)
}

// acquired takes note that the last Acquire was carried out: the way to master
// ends here, or addresses that came later are announced.
func (r *Router) acquired(in Acquired) {
	if in.Serial != 0 && in.Serial != r.serial {
		return
	}
	switch {
	case r.acquiring.on:
		r.becomeMaster()
	case r.state == Master && !r.handingOver():
		r.announce(r.unannounced, r.cfg.Announcements.Repeat)
		r.unannounced = nil
	}
}

// addressLost puts a held address back in place, at once for the first times and
// later at a slower pace, so as not to fight.
func (r *Router) addressLost(in AddressLost) {
	if !slices.Contains(r.held, in.Addr) || slices.Contains(r.lost, in.Addr) {
		return
	}
	l := r.losses[in.Addr]
	if l.times == 0 || r.now.Sub(l.since) > lossWindow {
		l = loss{since: r.now}
	}
	l.times++
	if r.losses == nil {
		r.losses = make(map[netip.Addr]loss)
	}
	r.losses[in.Addr] = l
	if l.times <= lossLimit {
		r.emit(Noticed{Kind: NoticeAddressLost, Detail: fmt.Sprintf("%v was removed by somebody else: put back", in.Addr)})
		r.acquire([]netip.Addr{in.Addr})
		return
	}
	r.emit(Noticed{Kind: NoticeAddressLost,
		Detail: fmt.Sprintf("%v was removed by somebody else, %d times in %v: put back in %v", in.Addr, l.times, seconds(r.now.Sub(l.since)), lossPace)})
	r.lost = append(r.lost, in.Addr)
	if r.reacquireAt.IsZero() {
		r.reacquireAt = r.now.Add(lossPace)
	}
}

// reacquire puts back the addresses that had to wait.
func (r *Router) reacquire() {
	lost := r.lost
	r.lost, r.reacquireAt = nil, time.Time{}
	r.acquire(lost)
}
