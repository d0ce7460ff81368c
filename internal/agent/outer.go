package agent

import (
	"context"
	"fmt"

	"github.com/tandem-ha/tandem/config"
	"github.com/tandem-ha/tandem/internal/script"
)

// This file is what is run around everything: startup_script and shutdown_script.

// startup runs startup_script to its end, before anything is on the host, in the
// kernel's table or on the wire. Whatever becomes of it, the agent goes on, as
// keepalived does.
func (a *Agent) startup(ctx context.Context, cfg *config.Config) {
	a.around(ctx, cfg, "startup_script", cfg.Global.Startup)
}

// shutdown runs the shutdown_script of the configuration in force to its end,
// when nothing of the agent is left; of first where none has come into force.
func (a *Agent) shutdown(first *config.Config) {
	cfg := first
	if l := a.conf.Load(); l != nil {
		cfg = l.config
	}
	a.around(context.Background(), cfg, "shutdown_script", cfg.Global.Shutdown)
}

func (a *Agent) around(ctx context.Context, cfg *config.Config, keyword string, c *config.TimedCommand) {
	if c == nil {
		return
	}
	s, err := script.Resolve(c.Command, cfg.Global.ScriptUser, cfg.Global.ScriptSecurity)
	if err != nil {
		a.opts.Log.Warn(keyword + ": " + err.Error() + " - disabling")
		return
	}
	a.opts.Log.Info("Running " + keyword + " " + s.Args[0])
	limit, cancel := context.WithTimeout(ctx, c.Timeout)
	defer cancel()
	var runner script.Runner
	runner.AllGroups.Store(cfg.Global.SupplementaryGroups)
	status, err := runner.Run(limit, s)
	switch {
	case err != nil && limit.Err() != nil && ctx.Err() == nil:
		a.opts.Log.Error(fmt.Sprintf("%s %s was killed: it ran longer than %v", keyword, s.Args[0], c.Timeout))
	case err != nil:
		a.opts.Log.Error(fmt.Sprintf("%s: %v", keyword, err))
	case status != 0:
		a.opts.Log.Error(fmt.Sprintf("%s %s failed, status %d", keyword, s.Args[0], status))
	}
}
