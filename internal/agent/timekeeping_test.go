package agent

import (
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/tandem-ha/tandem/config"
	"github.com/tandem-ha/tandem/vrrp"
)

// What is late is counted each time, and told at once the first time and each
// minute thereafter.
func TestLateTimersAreToldOncePerMinute(t *testing.T) {
	k := newTimekeeping()
	k.configure([]*config.Instance{{AdvertInterval: 100 * time.Millisecond}, {AdvertInterval: time.Second}})
	now := time.Unix(1_000_000, 0)
	var told []string
	note := func(after, late time.Duration) {
		now = now.Add(after)
		if e, tell := k.note(now, late); tell {
			told = append(told, e.Text)
		}
	}
	note(0, -time.Millisecond)
	note(time.Second, 10*time.Millisecond)
	if len(told) != 0 {
		t.Errorf("told of what is not late: %q", told)
	}
	note(time.Second, 11*time.Millisecond)
	for range 50 {
		note(time.Second, 30*time.Millisecond)
	}
	note(time.Second, 70*time.Millisecond)
	note(20*time.Second, 12*time.Millisecond)
	if len(told) != 2 || !strings.Contains(told[0], "11ms late") || !strings.Contains(told[1], "52 timers were served up to 70ms late") {
		t.Errorf("told %q", told)
	}
	s := k.report()
	if s.Timers != 55 || s.Late != 53 || s.Worst != 70*time.Millisecond || s.Last != 12*time.Millisecond || s.Limit != 10*time.Millisecond || !s.LastAt.Equal(now) {
		t.Errorf("measured %+v", s)
	}
	counts := map[time.Duration]uint64{}
	for _, b := range s.Buckets {
		counts[b.Within] = b.Count
	}
	if counts[time.Millisecond] != 1 || counts[10*time.Millisecond] != 1 || counts[20*time.Millisecond] != 2 || counts[50*time.Millisecond] != 50 || counts[100*time.Millisecond] != 1 {
		t.Errorf("buckets %+v", s.Buckets)
	}
}

// A backup knows how near it was to taking over from a master that lives.
func TestABackupKnowsItsMargin(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		better, worse := pair(t)
		margin := func() (left time.Duration) {
			worse.do(func(time.Time) {
				for _, in := range worse.elector.instances {
					left = in.status().DownMargin
				}
			})
			return left
		}
		// The election itself was a narrow matter.
		worse.do(func(time.Time) {
			for _, in := range worse.elector.instances {
				in.watched = false
			}
		})
		time.Sleep(settled)
		// The timer is three intervals and the skew of priority 100.
		timer := 3*time.Second + 156*time.Second/256
		if left := margin(); left > timer-time.Second || left < timer-time.Second-50*time.Millisecond {
			t.Errorf("%v were left with adverts each second, the timer is %v", left, timer)
		}
		better.isolate(true)
		time.Sleep(2 * time.Second)
		better.isolate(false)
		time.Sleep(settled)
		expect(t, worse, vrrp.Backup)
		if left := margin(); left > timer-3*time.Second || left <= 0 {
			t.Errorf("%v were left after two lost adverts, the timer is %v", left, timer)
		}
	})
}

// A process that was kept from running may be woken by something else than its
// timers, an announcement of the peer which has taken over: that sets them again,
// and they were late all the same.
func TestATimerThatIsSetAgainWasLate(t *testing.T) {
	b := newSolo(t, 100, time.Second)
	b.master(t)
	e := b.elector
	var told []time.Duration
	e.late = func(late time.Duration) { told = append(told, late) }
	due := e.agenda.first().at
	e.woken(due.Add(-time.Second))
	e.woken(due.Add(e.time.seen.Limit))
	if len(told) != 0 {
		t.Errorf("late by %v before any was", told)
	}
	e.woken(due.Add(time.Minute))
	e.woken(due.Add(time.Hour))
	e.fire(due.Add(time.Hour))
	if len(told) != 1 || told[0] != time.Minute {
		t.Errorf("late by %v, want %v once", told, time.Minute)
	}
}
