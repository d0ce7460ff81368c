package agent

import (
	"time"

	"github.com/tandem-ha/tandem/internal/journal"
	"github.com/tandem-ha/tandem/vrrp"
)

// This file keeps what a node that starts again has to know of itself: that an
// operator holds it back, and that it stands back because it lost its mastership too
// often.

// noticed keeps the operator's holds where they outlive a boot.
func (e *elector) noticed(now time.Time, in *instance, o vrrp.Noticed) {
	switch o.Kind {
	case vrrp.NoticeHold:
		e.keep(in, "hold", func() error { return e.kept.Holds.Add(in.id, now) })
	case vrrp.NoticeHoldEnded:
		e.keep(in, "hold", func() error { return e.kept.Holds.Remove(in.id) })
	}
}

// keepDamping keeps until when an instance stands back. One that has not begun, or
// has stopped, says nothing about it.
func (e *elector) keepDamping(in *instance) {
	s := in.router.Status()
	if s.State == vrrp.Init || s.DampedUntil.Equal(in.dampedUntil) {
		return
	}
	until := s.DampedUntil
	in.dampedUntil = until
	if until.IsZero() {
		e.keep(in, "end of the damping", func() error { return e.kept.Damped.Remove(in.id) })
	} else {
		e.keep(in, "damping", func() error { return e.kept.Damped.Set(in.id, until) })
	}
}

// keep writes what an instance is to know after a restart, on a goroutine that may
// wait for the disk.
func (e *elector) keep(in *instance, what string, save func() error) {
	name := in.conf.Name
	e.scribe.write(func() {
		if err := save(); err != nil {
			e.journal.Add(journal.Event{Area: journal.VRRP, Kind: "hold-not-saved", Level: journal.Warning, Subject: name,
				Text: "(" + name + ") the " + what + " would not outlive a restart: " + err.Error()})
		}
	})
}
