package agent

import (
	"time"

	"github.com/tandem-ha/tandem/vrrp"
)

// schedule is what the loop goes by to be in time, and how well it is.
type schedule struct {
	companies []*company
	agenda    agenda
	// breathe is when timers are looked at again after a burst of them.
	breathe time.Time
	// time is how late timers are; late, where it is set, is told, on the loop, of
	// those that are later than they may be.
	time timekeeping
	late func(time.Duration)
	// noted is the moment of the last timer whose lateness was noted before it fired.
	noted time.Time
}

func newSchedule() schedule {
	return schedule{agenda: agenda{epoch: time.Now()}, time: newTimekeeping()}
}

// company is a group as the loop drives it.
type company struct {
	group *vrrp.Group
	// lone is the instance of a router that is in no sync group, nil of a sync group.
	lone *instance
	// at is when the group wants a TimerFired, and place where it is on the agenda;
	// what wants none has the place -1.
	at    time.Time
	place int
}

func newCompany(g *vrrp.Group, members ...*instance) *company {
	c := &company{group: g, place: -1}
	if len(members) == 1 {
		c.lone = members[0]
	}
	return c
}

// fired is a TimerFired for all of a company.
func fired() vrrp.GroupInput { return vrrp.GroupInput{Input: vrrp.TimerFired{}} }

// agenda knows which company is due next: a heap by moment, in which the moments
// stand themselves, so that ordering it reads nothing else. It belongs to the
// elector's loop.
type agenda struct {
	// epoch is what these moments, and those of adverts, are reckoned from.
	epoch time.Time
	heap  []appointment
}

// appointment is when a company is due.
type appointment struct {
	at  time.Duration
	who *company
}

// reset empties the agenda.
func (a *agenda) reset() { a.heap = nil }

// note takes down when the company is due.
func (a *agenda) note(c *company) {
	at := c.group.Deadline()
	if at.Equal(c.at) && c.place >= 0 {
		return
	}
	c.at = at
	x := appointment{at.Sub(a.epoch), c}
	switch {
	case at.IsZero():
		a.drop(c)
		return
	case c.place < 0:
		c.place = len(a.heap)
		a.heap = append(a.heap, x)
	}
	a.settle(c.place, x)
}

// first is the company that is due first, or nil where none ever is.
func (a *agenda) first() *company {
	if len(a.heap) == 0 {
		return nil
	}
	return a.heap[0].who
}

// drop takes a company off the agenda, where it is on it.
func (a *agenda) drop(c *company) {
	place, last := c.place, len(a.heap)-1
	if place < 0 {
		return
	}
	c.place = -1
	x := a.heap[last]
	a.heap[last] = appointment{}
	a.heap = a.heap[:last]
	if place < last {
		a.settle(place, x)
	}
}

// settle puts an appointment in a place that is free, or in that where the order
// is right after it.
func (a *agenda) settle(place int, x appointment) {
	for place > 0 {
		above := (place - 1) / 2
		if a.heap[above].at <= x.at {
			break
		}
		a.put(place, a.heap[above])
		place = above
	}
	for {
		below := 2*place + 1
		if below+1 < len(a.heap) && a.heap[below+1].at < a.heap[below].at {
			below++
		}
		if below >= len(a.heap) || a.heap[below].at >= x.at {
			break
		}
		a.put(place, a.heap[below])
		place = below
	}
	a.put(place, x)
}

func (a *agenda) put(place int, x appointment) {
	a.heap[place] = x
	x.who.place = place
}
