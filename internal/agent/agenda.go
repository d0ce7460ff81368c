package agent

import (
	"container/heap"
	"time"

	"github.com/tandem-ha/tandem/vrrp"
)

// agenda knows which group is due next. It belongs to the elector's loop.
type agenda struct {
	heap appointments
	of   map[*vrrp.Group]*appointment
}

// appointment is when a group wants a TimerFired; those that want none are not
// in the heap and have the place -1.
type appointment struct {
	group *vrrp.Group
	at    time.Time
	place int
}

// reset makes an agenda of these groups.
func (a *agenda) reset(groups []*vrrp.Group) {
	a.heap, a.of = nil, map[*vrrp.Group]*appointment{}
	for _, g := range groups {
		a.of[g] = &appointment{group: g, place: -1}
		a.note(g)
	}
}

// note takes down the group's deadline; a group that is not on the agenda is
// passed over.
func (a *agenda) note(g *vrrp.Group) {
	x := a.of[g]
	if x == nil {
		return
	}
	at := g.Deadline()
	switch {
	case at.Equal(x.at) && x.place >= 0:
	case at.IsZero():
		if x.place >= 0 {
			heap.Remove(&a.heap, x.place)
		}
	case x.place < 0:
		x.at = at
		heap.Push(&a.heap, x)
	default:
		x.at = at
		heap.Fix(&a.heap, x.place)
	}
}

// first is the group that is due first, or nil where none ever is.
func (a *agenda) first() *appointment {
	if len(a.heap) == 0 {
		return nil
	}
	return a.heap[0]
}

// appointments is a heap by moment.
type appointments []*appointment

// Len is part of heap.Interface.
func (h appointments) Len() int { return len(h) }

// Less is part of heap.Interface.
func (h appointments) Less(i, j int) bool { return h[i].at.Before(h[j].at) }

// Swap is part of heap.Interface.
func (h appointments) Swap(i, j int) {
	h[i], h[j] = h[j], h[i]
	h[i].place, h[j].place = i, j
}

// Push is part of heap.Interface.
func (h *appointments) Push(x any) {
	a := x.(*appointment)
	a.place = len(*h)
	*h = append(*h, a)
}

// Pop is part of heap.Interface.
func (h *appointments) Pop() any {
	last := len(*h) - 1
	a := (*h)[last]
	(*h)[last] = nil
	*h = (*h)[:last]
	a.place = -1
	return a
}
