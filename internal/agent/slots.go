package agent

import (
	"time"

	"github.com/tandem-ha/tandem/vrrp"
)

// align has the adverts of instances with one interval go out together, in as
// many batches over the interval as keep each within what a peer's socket holds.
// An instance that is alone with its interval keeps its own time.
func (e *elector) align(now time.Time, list []*instance) {
	count := map[time.Duration]int{}
	for _, in := range list {
		count[in.conf.AdvertInterval]++
	}
	next := map[time.Duration]int{}
	for _, in := range list {
		interval := in.conf.AdvertInterval
		anchor := time.Time{}
		if n := count[interval]; n > 1 {
			anchor = e.agenda.epoch.Add(slot(interval, next[interval], n))
			next[interval]++
		}
		if anchor != in.anchor {
			in.anchor = anchor
			e.feed(now, in, vrrp.Align{Anchor: anchor})
		}
	}
}

// slot is where in an interval the adverts of number i of n instances belong.
func slot(interval time.Duration, i, n int) time.Duration {
	slots := (n + burst - 1) / burst
	return interval * time.Duration(i%slots) / time.Duration(slots)
}
