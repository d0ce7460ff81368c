package agent

import (
	"context"
	"time"

	"github.com/tandem-ha/tandem/internal/alarm"
	"github.com/tandem-ha/tandem/internal/journal"
	"github.com/tandem-ha/tandem/vrrp"
)

// alarmInterval is how often what was heard is looked through for alarms.
const alarmInterval = time.Second

// observe tells the instance's observer what its router put out.
func (in *instance) observe(now time.Time, out vrrp.Output) {
	switch o := out.(type) {
	case vrrp.StateChanged:
		in.observer.State(now, o.To)
	case vrrp.PriorityChanged:
		in.observer.Priority(o.To)
	case vrrp.Dropped:
		in.observer.Dropped(now, o.Reason, o.Source)
	case vrrp.Noticed:
		switch o.Kind {
		case vrrp.NoticeOffer:
			in.observer.Offering(true)
		case vrrp.NoticeRolledBack:
			in.observer.Offering(false)
		}
	}
}

// watchAlarms looks for alarms from time to time until ctx is done.
func (e *elector) watchAlarms(ctx context.Context) error {
	tick := time.NewTicker(alarmInterval)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-tick.C:
			e.post(e.raiseAlarms)
		}
	}
}

// raiseAlarms tells of the alarms that are new and of those that are over.
func (e *elector) raiseAlarms(now time.Time) {
	var current []alarm.Alarm
	for _, in := range e.instances {
		current = append(current, in.observer.Alarms(now)...)
	}
	if late, ok := e.time.alarm(now); ok {
		current = append(current, late)
	}
	raised, cleared := e.alarms.Update(current)
	for _, a := range raised {
		e.journal.Add(journal.Event{Area: journal.VRRP, Kind: "alarm", Level: journal.Warning, Subject: a.Instance,
			Text: a.String(), Cause: a.Advice, Data: a})
	}
	for _, a := range cleared {
		e.journal.Add(journal.Event{Area: journal.VRRP, Kind: "alarm-over", Level: journal.Notice, Subject: a.Instance,
			Text: a.String() + ": no longer", Data: a})
	}
}
