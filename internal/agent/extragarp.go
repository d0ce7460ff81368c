package agent

import (
	"net/netip"
	"time"

	"github.com/tandem-ha/tandem/internal/desired"
	"github.com/tandem-ha/tandem/internal/host"
	"github.com/tandem-ha/tandem/vrrp"
)

// repeatExtra has what garp_extra_if asks for announced again and again, as long
// as the instance is master. It is called whenever one of the two may have
// changed.
func (e *elector) repeatExtra(in *instance) {
	if in.extra != nil {
		in.extra.Stop()
		in.extra = nil
	}
	every := in.conf.ExtraGARP.Interval
	if every <= 0 || in.router.Status().State != vrrp.Master {
		return
	}
	var timer *time.Timer
	timer = time.AfterFunc(every, func() {
		e.post(func(time.Time) {
			if in.extra == timer {
				e.announceExtra(in)
				e.repeatExtra(in)
			}
		})
	})
	in.extra = timer
}

// announceExtra announces one held address on each link that the instance's
// adverts do not leave by, so that switches do not forget what is behind it.
func (e *elector) announceExtra(in *instance) {
	if in.router.Status().Offering {
		return // the peer announces the same addresses now
	}
	own, _ := desired.OwnLink(in.conf)
	if own == "" {
		own = in.conf.Interface
	}
	var held []host.Address
	for _, a := range in.all {
		if in.held[a.Prefix.Addr()] {
			held = append(held, a)
		}
	}
	wanted := func(link string) bool {
		_, made := e.made[link]
		return made || in.conf.ExtraGARP.All
	}
	for _, a := range host.ExtraAnnouncements(own, held, wanted) {
		if link, ok := e.links[a.Interface]; ok {
			e.wire.Announce(link, []netip.Addr{a.Prefix.Addr()}, 1)
		}
	}
}
