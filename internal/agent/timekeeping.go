package agent

import (
	"fmt"
	"slices"
	"time"

	"github.com/tandem-ha/tandem/config"
	"github.com/tandem-ha/tandem/internal/alarm"
	"github.com/tandem-ha/tandem/internal/control"
	"github.com/tandem-ha/tandem/internal/journal"
)

const (
	// lateInterval is between two events that tell of late timers.
	lateInterval = time.Minute
	// lateFloor is what no interval makes a lateness that is told of.
	lateFloor = 5 * time.Millisecond
)

// timekeeping measures how late timers are. It belongs to the elector's loop.
type timekeeping struct {
	seen   control.Timekeeping
	told   time.Time
	since  time.Time // of the first late timer with no quiet minute since
	untold uint64
	worst  time.Duration // since it was told
}

func newTimekeeping() timekeeping {
	var k timekeeping
	for _, ms := range []int{1, 2, 5, 10, 20, 50, 100, 200, 500, 1000, 2000, 5000} {
		k.seen.Buckets = append(k.seen.Buckets, control.LatenessBucket{Within: time.Duration(ms) * time.Millisecond})
	}
	return k
}

// configure sets what is late for these instances: a tenth of the shortest
// interval, of which a backup allows three and its skew.
func (k *timekeeping) configure(instances []*config.Instance) {
	limit := time.Second
	for _, in := range instances {
		limit = min(limit, in.AdvertInterval/10)
	}
	k.seen.Limit = max(limit, lateFloor)
}

// note takes down that a timer was served so late. The event is to be told where
// the second result is true: the first one at once, more of them each minute.
func (k *timekeeping) note(now time.Time, late time.Duration) (journal.Event, bool) {
	s := &k.seen
	late = max(late, 0)
	s.Timers++
	s.Total += late
	for i := range s.Buckets {
		if late <= s.Buckets[i].Within {
			s.Buckets[i].Count++
			break
		}
	}
	if late > s.Worst {
		s.Worst, s.WorstAt = late, now
	}
	if late <= s.Limit {
		return journal.Event{}, false
	}
	if now.Sub(s.LastAt) > lateInterval {
		k.since = now
	}
	s.Late++
	s.Last, s.LastAt = late, now
	k.untold++
	k.worst = max(k.worst, late)
	if !k.told.IsZero() && now.Sub(k.told) < lateInterval {
		return journal.Event{}, false
	}
	e := journal.Event{Area: journal.VRRP, Kind: "timer-late", Level: journal.Warning,
		Text: fmt.Sprintf("a timer was served %v late: this host kept the process from running", k.worst.Round(time.Millisecond))}
	if k.untold > 1 {
		e.Text = fmt.Sprintf("%d timers were served up to %v late: this host kept the process from running", k.untold, k.worst.Round(time.Millisecond))
	}
	k.told, k.untold, k.worst = now, 0, 0
	return e, true
}

// alarm says whether timers were late within the last minute.
func (k *timekeeping) alarm(now time.Time) (alarm.Alarm, bool) {
	s := &k.seen
	if s.LastAt.IsZero() || now.Sub(s.LastAt) > lateInterval {
		return alarm.Alarm{}, false
	}
	return alarm.Alarm{
		Kind: alarm.Late, Since: k.since, Last: s.LastAt, Count: s.Late,
		Text:   fmt.Sprintf("timers are served late, the last one by %v", s.Last.Round(time.Millisecond)),
		Advice: "this host does not give the process its turns: look for load and steal time, or give it vrrp_rt_priority",
	}, true
}

// report is what was measured so far.
func (k *timekeeping) report() *control.Timekeeping {
	s := k.seen
	s.Buckets = slices.Clone(s.Buckets)
	return &s
}

// punctual measures a timer that is being served.
func (e *elector) punctual(now time.Time, late time.Duration) {
	if ev, tell := e.time.note(now, late); tell {
		e.journal.Add(ev)
	}
	if e.late != nil && late > e.time.seen.Limit {
		e.late(late)
	}
}

// noteMargin notes how much of Active_Down_Timer was left when an advert set it
// again; before is when it would have expired.
func (in *instance) noteMargin(now, before time.Time) {
	if before.IsZero() || !in.router.MasterDownAt().After(before) {
		return
	}
	if left := before.Sub(now); !in.watched || left < in.margin {
		in.watched, in.margin = true, left
	}
}
