package keeper

import (
	"fmt"
	"time"

	"github.com/tandem-ha/tandem/internal/host"
)

// What is lost more than lossLimit times within lossWindow is put back only after
// lossPace, so as not to fight with whoever takes it away.
const (
	lossLimit  = 3
	lossWindow = time.Minute
	lossPace   = 10 * time.Second
)

// pacing says when what somebody took away is put back.
type pacing struct {
	losses map[host.Place]*loss
}

// loss counts how often a place has lost what it should hold.
type loss struct {
	since time.Time
	times int
	// until is when it is put back, zero for at once.
	until time.Time
}

func newPacing() pacing { return pacing{map[host.Place]*loss{}} }

// lost counts a loss and says in words what follows.
func (p pacing) lost(at host.Place, now time.Time) string {
	l := p.losses[at]
	if l == nil || now.Sub(l.since) > lossWindow {
		l = &loss{since: now}
		p.losses[at] = l
	}
	if l.times++; l.times <= lossLimit {
		return "put back"
	}
	l.until = now.Add(lossPace)
	return fmt.Sprintf("%d times in %v, put back in %v", l.times, now.Sub(l.since).Round(time.Second), lossPace)
}

// waits is whether a place is not to be served yet. Once it is, it waits no more.
func (p pacing) waits(at host.Place, now time.Time) bool {
	l := p.losses[at]
	switch {
	case l == nil:
		return false
	case now.Before(l.until):
		return true
	}
	l.until = time.Time{}
	return false
}

// next is when the first of those that wait is to be served; zero is never.
func (p pacing) next() time.Time {
	var next time.Time
	for _, l := range p.losses {
		if !l.until.IsZero() && (next.IsZero() || l.until.Before(next)) {
			next = l.until
		}
	}
	return next
}

// forget ends the account of a place.
func (p pacing) forget(at host.Place) { delete(p.losses, at) }
