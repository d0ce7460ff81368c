package agent

import (
	"net/netip"
	"time"

	"github.com/tandem-ha/tandem/internal/control"
	"github.com/tandem-ha/tandem/vrrp"
)

// jitterBounds are the upper ends of what deviations are counted by.
func jitterBounds() [12]time.Duration {
	const ms = time.Millisecond
	return [...]time.Duration{ms, 2 * ms, 5 * ms, 10 * ms, 20 * ms, 50 * ms, 100 * ms, 200 * ms, 500 * ms, time.Second, 2 * time.Second, 5 * time.Second}
}

// jitter measures the rhythm of a master's adverts. It allocates nothing until it
// is reported.
type jitter struct {
	source netip.Addr
	last   time.Time
	counts [12]uint64
	all    uint64
	total  time.Duration
}

// heard takes down an advert of the master. The first one of a master, and those
// around a priority of 0, have no interval before them.
func (j *jitter) heard(now time.Time, a *vrrp.Advert) {
	before, same := j.last, j.source == a.Source
	j.source, j.last = a.Source, now
	if a.Packet.Priority == 0 {
		j.forget()
		return
	}
	if !same || before.IsZero() {
		return
	}
	off := (now.Sub(before) - time.Duration(a.Packet.Interval)*10*time.Millisecond).Abs()
	j.all++
	j.total += off
	for i, bound := range jitterBounds() {
		if off <= bound {
			j.counts[i]++
			break
		}
	}
}

// forget begins anew: there was no master, or we were it.
func (j *jitter) forget() { j.last = time.Time{} }

// report is what was measured so far, nil for nothing.
func (j *jitter) report() *control.Jitter {
	if j.all == 0 {
		return nil
	}
	out := control.Jitter{Adverts: j.all, Total: j.total}
	for i, bound := range jitterBounds() {
		out.Buckets = append(out.Buckets, control.LatenessBucket{Within: bound, Count: j.counts[i]})
	}
	return &out
}
