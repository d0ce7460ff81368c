package agent

import (
	"fmt"

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

func (a *Agent) schedTrouble(text string) {
	a.journal.Add(journal.Event{Kind: "scheduling", Level: journal.Warning, Text: text})
}
