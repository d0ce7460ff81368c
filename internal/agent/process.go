package agent

import (
	"context"
	"fmt"
	"time"

	"golang.org/x/sys/unix"

	"github.com/tandem-ha/tandem/config"
	"github.com/tandem-ha/tandem/internal/journal"
	"github.com/tandem-ha/tandem/internal/sched"
)

// schedule gives the process what a configuration says of it. What the kernel
// refuses is told, and keeps nothing from running.
func (a *Agent) schedule(cfg *config.Config) {
	if a.opts.Umask == nil {
		unix.Umask(cfg.Process.Umask)
	}
	if err := a.sched.Apply(sched.Of(cfg)); err != nil {
		a.schedTrouble(fmt.Sprintf("not scheduled as configured: %v", err))
	}
	if name := sched.Name(cfg); name != "" {
		if err := sched.SetName(name); err != nil {
			a.schedTrouble(err.Error())
		}
	}
}

// overslept is told, on the loop, how late a timer was. It waits for nothing.
func (a *Agent) overslept(late time.Duration) {
	conf := a.conf.Load()
	if conf == nil || conf.config.Process.MaxAutoPriority <= 0 || late < conf.config.Process.AutoPriorityDelay {
		return
	}
	select {
	case a.lateness <- late:
	default:
	}
}

// raisePriority raises the priority in real time with each timer that is too
// late, up to max_auto_priority.
func (a *Agent) raisePriority(ctx context.Context) error {
	for {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case late := <-a.lateness:
			priority, raised, err := a.sched.Raise(a.conf.Load().config.Process.MaxAutoPriority)
			switch {
			case err != nil:
				a.schedTrouble(fmt.Sprintf("not raised to priority %d in real time: %v", priority, err))
			case raised:
				a.schedTrouble(fmt.Sprintf("a timer was %v late: going on with priority %d in real time", late.Round(time.Millisecond), priority))
			}
		}
	}
}

func (a *Agent) schedTrouble(text string) {
	a.journal.Add(journal.Event{Kind: "scheduling", Level: journal.Warning, Text: text})
}
