package agent

import (
	"testing"
	"time"

	"github.com/tandem-ha/tandem/internal/alarm"
)

// TestLateTimersAreAnAlarm for as long as they come, and a minute more.
func TestLateTimersAreAnAlarm(t *testing.T) {
	k := newTimekeeping()
	k.configure(nil)
	now := time.Now()
	k.note(now, k.seen.Limit)
	if a, ok := k.alarm(now); ok {
		t.Errorf("a timer that is in time: %v", a)
	}
	k.note(now, k.seen.Limit+time.Millisecond)
	k.note(now.Add(50*time.Second), 2*k.seen.Limit)
	a, ok := k.alarm(now.Add(100 * time.Second))
	if !ok || a.Kind != alarm.Late || !a.Since.Equal(now) || a.Count != 2 || a.Advice == "" {
		t.Errorf("late timers: %+v, %v", a, ok)
	}
	if a, ok := k.alarm(now.Add(50*time.Second + lateInterval + time.Millisecond)); ok {
		t.Errorf("after a quiet minute: %v", a)
	}
}
