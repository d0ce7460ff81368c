package agent

import (
	"context"
	"errors"
	"os"
	"slices"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"github.com/tandem-ha/tandem/config"
	"github.com/tandem-ha/tandem/health"
	"github.com/tandem-ha/tandem/internal/control"
	"github.com/tandem-ha/tandem/internal/desired"
	"github.com/tandem-ha/tandem/internal/gc"
	"github.com/tandem-ha/tandem/internal/journal"
	"github.com/tandem-ha/tandem/internal/script"
	"github.com/tandem-ha/tandem/internal/track"
)

// Reload reads the configuration again. One that means what the last one meant
// changes nothing, nor does one that cannot run or that changes what cannot
// change; of any other only what differs is carried out.
func (a *Agent) Reload(ctx context.Context, req control.ReloadRequest) control.ReloadResponse {
	a.reloading.Lock()
	defer a.reloading.Unlock()
	old := a.conf.Load()
	if old == nil {
		return control.ReloadResponse{Time: time.Now(), Err: "tandem is still starting"}
	}
	if a.calm.Load() {
		// What a reload makes is seldom enough for the garbage collector to begin, and
		// where it is, what changes would wait for that.
		defer gc.Defer()()
	}
	read := a.markReading(old.config)
	cfg, diagnostics := a.load()
	read()
	a.keepCopy(cfg)
	r := control.ReloadResponse{Time: time.Now(), Diagnostics: diagnostics}
	e := journal.Event{Kind: "reload", Level: journal.Notice}
	refused := a.refusal(old.config, cfg, diagnostics)
	if refused == "" && req.Plan != "" {
		refused = a.otherThan(ctx, req.Plan, old.config, cfg)
	}
	switch {
	case refused != "":
		r.Err = refused
		e.Level, e.Text = journal.Error, "Not reloaded, nothing was changed: "+refused
	case config.Equal(old.config, cfg):
		r.OK = true
		e.Text = "Reload complete, the configuration means what it meant before"
	default:
		a.log(diagnostics)
		r.OK, r.Changed = true, true
		r.Changes = a.inForce(ctx, cfg)
		e.Text = "Reload complete"
	}
	if r.OK && cfg.Global.FIFOs.StatesOnReload {
		a.herald.retell(a.Status())
	}
	a.last.Store(&r)
	a.journal.Add(e)
	return r
}

// refusal says why a configuration cannot take the place of the one in force, ""
// where it can.
func (a *Agent) refusal(old, next *config.Config, diagnostics []config.Diagnostic) string {
	if r := old.Global.Reload; r.Check && faulty(diagnostics) {
		text := "New config failed validation"
		if r.CheckLog == "" {
			return text
		}
		if err := writeFaults(r.CheckLog, diagnostics); err != nil {
			a.opts.Log.Warn("reload_check_config: " + err.Error())
			return text
		}
		return text + ", see " + r.CheckLog + " for details"
	}
	if !config.Runnable(diagnostics) {
		return "New config failed validation: " + (&ConfigError{Diagnostics: diagnostics}).Error()
	}
	return strings.Join(desired.Fixed(old, next), "; ")
}

// faulty says whether a test of a configuration finds anything at all
// (reload_check_config); a notice is no fault.
func faulty(diagnostics []config.Diagnostic) bool {
	return slices.ContainsFunc(diagnostics, func(d config.Diagnostic) bool { return d.Severity != config.Notice })
}

// writeFaults adds what a test has found to a file.
func writeFaults(path string, diagnostics []config.Diagnostic) error {
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_APPEND|unix.O_NOFOLLOW, 0o644)
	if err != nil {
		return err
	}
	config.Render(f, diagnostics)
	return f.Close()
}

// inForce makes cfg the configuration of every part and returns a line for each
// change.
func (a *Agent) inForce(ctx context.Context, cfg *config.Config) []string {
	// Before anything is started that has its umask from us.
	a.schedule(cfg)
	resolve := func(c config.Command) (health.Script, error) {
		return script.Resolve(c, cfg.Global.ScriptUser, cfg.Global.ScriptSecurity)
	}
	var scripts []track.ScriptConfig
	var errs []error
	for _, s := range desired.TrackedScripts(cfg) {
		command, err := resolve(s.Command)
		if err != nil {
			errs = append(errs, err)
			continue
		}
		scripts = append(scripts, track.ScriptConfig{
			Name: s.Name, Script: command, Interval: s.Interval, Timeout: s.Timeout,
			Rise: s.Rise, Fall: s.Fall, InitFail: s.InitFail,
		})
	}
	a.runner.AllGroups.Store(cfg.Global.SupplementaryGroups)
	services, bad := a.services.Services(cfg, desired.Scripts{Exec: a.runner.Run, Resolve: resolve}, a.watchers.sources())
	errs = append(errs, bad...)
	errs = append(errs, a.herald.apply(cfg, resolve)...)
	for _, err := range errs {
		a.journal.Add(journal.Event{Kind: "script-unusable", Level: journal.Warning, Text: err.Error() + " - disabling"})
	}
	a.runner.Forget()
	a.watchers.apply(cfg, scripts)
	var changes []string
	var placed desired.Placement
	a.elector.keeper.Relink(func() {
		placed = a.place(cfg)
		arp, na := desired.AnnounceSpacing(cfg.Global)
		a.announce.SetSpacing(arp, na, desired.AnnounceGroups(cfg, placed.Parents())...)
		a.promotion.set(desired.Promoted(placed.Config))
		a.elector.do(context.WithoutCancel(ctx), func(now time.Time) {
			a.elector.made = placed.Parents()
			changes = a.elector.apply(now, placed.Config)
		})
	})
	a.vmacs.settle()
	a.hush(placed)
	changes = append(changes, a.balancer.apply(cfg, services)...)
	a.herald.forget(cfg)
	a.store.Resize(journalBytes(cfg))
	if err := errors.Join(a.server.Configure(cfg.Tandem.API), a.pages.configure(cfg.Tandem)); err != nil {
		a.journal.Add(journal.Event{Kind: "api", Level: journal.Error, Text: err.Error()})
	}
	a.peer.configure(cfg)
	a.conf.Store(&loaded{config: cfg, at: time.Now()})
	return changes
}

// place makes the links that the instances need, and gives the configuration as it
// is carried out with them.
func (a *Agent) place(cfg *config.Config) desired.Placement {
	placed, err := a.vmacs.place(cfg)
	if err != nil {
		a.journal.Add(journal.Event{Area: journal.VRRP, Kind: "vmac", Level: journal.Error, Text: "the host's links cannot be listed: " + err.Error()})
		return desired.Placement{Config: cfg}
	}
	ctx, cancel := context.WithTimeout(context.Background(), quietLimit)
	defer cancel()
	names, own := placed.VMACs()
	if old := a.vmacs.names(); len(old) > 0 {
		// Those that are to go say nothing when they do.
		names = slices.Compact(slices.Sorted(slices.Values(append(old, names...))))
	}
	a.elector.keeper.Quiet(ctx, names, own)
	a.vmacs.provide(placed)
	return placed
}

// quietLimit bounds the wait for the packet filter.
const quietLimit = 2 * time.Second

// hush has the VMACs of a placement stay quiet, and none besides.
func (a *Agent) hush(placed desired.Placement) {
	ctx, cancel := context.WithTimeout(context.Background(), quietLimit)
	defer cancel()
	names, own := placed.VMACs()
	a.elector.keeper.Quiet(ctx, names, own)
}
