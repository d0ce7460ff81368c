package vrrp

import (
	"reflect"
	"testing"
	"time"
)

// A Step that knows nothing but an advert to be due comes to what the whole of a
// Step comes to: the same outputs, the same moments.
func TestABeatIsAStep(t *testing.T) {
	const second = time.Second
	for name, of := range map[string]struct {
		change func(*Config)
		before []GroupInput
	}{
		"plain":        {},
		"refreshing":   {change: func(c *Config) { c.Announcements.Refresh, c.Announcements.RefreshRepeat = 3*second/2, 2 }},
		"second burst": {change: func(c *Config) { c.Announcements.Delay, c.Announcements.Repeat = 5*second, 5 }},
		"aligned":      {before: []GroupInput{{Input: Align{Anchor: epoch.Add(300 * time.Millisecond)}}}},
		"late":         {change: func(c *Config) { c.TimerExpiredBackup = 100 }},
		"address lost": {before: []GroupInput{{Input: AddressLost{Addr: vip1}}}},
		"offering":     {before: []GroupInput{{Input: Command{Kind: Switchover}}}},
		"fault":        {before: []GroupInput{{Input: Fault{Cause: "script", Active: true}}}},
		"stopping":     {before: []GroupInput{{Input: Shutdown{Limit: 3 * second}}}},
	} {
		t.Run(name, func(t *testing.T) {
			cfg := plain()
			if of.change != nil {
				of.change(&cfg)
			}
			short, long := NewGroup("", play(t, cfg, asMaster())), NewGroup("", play(t, cfg, asMaster()))
			now := epoch.Add(4 * second)
			step := func(in GroupInput) {
				t.Helper()
				a := short.Step(now, in, nil)
				b := long.whole(now, in, nil)
				for _, m := range long.members {
					m.reckon()
				}
				if len(a)+len(b) > 0 && !reflect.DeepEqual(a, b) {
					t.Fatalf("at %v: %+v\nwant %+v", now.Sub(epoch), a, b)
				}
				if x, y := short.Deadline(), long.Deadline(); !x.Equal(y) {
					t.Fatalf("at %v: next at %v, want %v", now.Sub(epoch), x.Sub(epoch), y.Sub(epoch))
				}
				if x, y := short.members[0].Status(), long.members[0].Status(); !reflect.DeepEqual(x, y) {
					t.Fatalf("at %v: %+v\nwant %+v", now.Sub(epoch), x, y)
				}
			}
			for _, in := range of.before {
				step(in)
			}
			// Early, in time, and so late that adverts are left out.
			for i := range 60 {
				step(GroupInput{Input: TimerFired{}})
				late := time.Duration(i%7-1) * 11 * time.Millisecond
				if i%20 == 19 {
					late = 7 * second / 2
				}
				next := short.Deadline()
				if next.IsZero() {
					next = now.Add(second)
				}
				if at := next.Add(late); at.After(now) {
					now = at
				}
			}
		})
	}
}
