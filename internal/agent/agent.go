// Package agent is one running node: it reads the configuration, starts the
// parts, passes what happens from one to the other, and ends them in order. It
// schedules and decides nothing: what to do is decided by the pure machines of
// vrrp and health, what to hold by internal/desired.
//
// The parts are the elector (VRRP machines and their sockets), the balancer (health
// checks and the table of IPVS), the herald (notify scripts) and the scribe (files);
// internal/keeper has the addresses, routes and rules, and the journal ties them all
// together for people.
package agent

import (
	"context"
	"errors"
	"fmt"
	"os"
	"sync"
	"sync/atomic"
	"time"

	"github.com/hashicorp/go-hclog"

	"github.com/tandem-ha/tandem/config"
	"github.com/tandem-ha/tandem/health"
	"github.com/tandem-ha/tandem/internal/control"
	"github.com/tandem-ha/tandem/internal/daemon"
	"github.com/tandem-ha/tandem/internal/desired"
	"github.com/tandem-ha/tandem/internal/host"
	"github.com/tandem-ha/tandem/internal/journal"
	"github.com/tandem-ha/tandem/internal/logging"
	"github.com/tandem-ha/tandem/internal/mail"
	"github.com/tandem-ha/tandem/internal/metrics"
	"github.com/tandem-ha/tandem/internal/notify"
	"github.com/tandem-ha/tandem/internal/sched"
	"github.com/tandem-ha/tandem/internal/script"
	"github.com/tandem-ha/tandem/ipvs"
)

// The agent's own limits.
const (
	// offerLimit bounds the offer that a stopping master makes.
	offerLimit = 5 * time.Second
	// scriptLimit bounds the wait for notify scripts at the end, drainLimit that for
	// each of the other parts.
	scriptLimit = 8 * time.Second
	drainLimit  = 2 * time.Second
	// clearLimit bounds taking the table of IPVS away at the end. What is left of it
	// forwards on, so that it is far above what thousands of services take.
	clearLimit = 30 * time.Second
	// journalSize is how many events are kept for tandem events.
	journalSize = 4096
	// ipvsTimeout bounds each wait for the kernel's answer.
	ipvsTimeout = 5 * time.Second
)

// errStopped says that the agent is at its end.
var errStopped = errors.New("tandem is stopping")

// Options say what an agent is to run, and how.
type Options struct {
	// ConfigFile is the keepalived.conf, ConfigID the id for its @ID lines.
	ConfigFile, ConfigID string
	// Reader is what has read the file before, nil for nothing.
	Reader *config.Reader
	// Read is what the file says, where it has just been read by Reader in this
	// namespace; nil has it read.
	Read *Read
	// Settled, where it is not nil, is called once when the first configuration
	// has been carried out as far as it can be.
	Settled func()
	// RunDir holds the record, StateDir what outlives a boot, Socket is the
	// control socket's path.
	RunDir, StateDir, Socket string
	// Version is shown by tandem status.
	Version string
	// ReloadFile is what reload_file without a name means.
	ReloadFile string
	// Umask, where it is not nil, counts in the place of the configuration's.
	Umask *int
	// VRRP and Checkers say which halves of the configuration to run.
	VRRP, Checkers bool
	// BFD says whether sessions run; they are down otherwise.
	BFD bool
	// KeepVIPs and KeepIPVS leave addresses or the table behind at the end.
	KeepVIPs, KeepIPVS bool
	Log                hclog.Logger
	// Levels is how much Log writes.
	Levels *logging.Levels
}

// Read is a configuration with what there is to say about it.
type Read struct {
	Config      *config.Config
	Diagnostics []config.Diagnostic
}

// ConfigError says that a configuration cannot run, and why.
type ConfigError struct {
	Diagnostics []config.Diagnostic
}

// Error names the first fatal fault and counts the others.
func (e *ConfigError) Error() string {
	n := 0
	text := "configuration cannot run"
	for _, d := range e.Diagnostics {
		if d.Severity == config.Fatal {
			if n == 0 {
				text = fmt.Sprintf("%s:%d:%d: %s", d.Pos.File, d.Pos.Line, d.Pos.Column, d.Message)
			}
			n++
		}
	}
	if n > 1 {
		text += fmt.Sprintf(" (and %d more)", n-1)
	}
	return text
}

// Agent is one running node. It implements control.Agent.
type Agent struct {
	opts    Options
	started time.Time
	reader  *config.Reader
	// services makes the settings of the checks.
	services desired.ServiceMaker
	sched    *sched.Keeper
	runner   script.Runner
	journal  *journal.Journal
	store    *journal.Store

	elector   *elector
	balancer  *balancer
	herald    *herald
	watchers  *watchers
	notifier  *notify.Notifier
	announce  *host.Announcer
	server    *control.Server
	pages     *pages
	peer      *peerWatch
	table     *ipvs.Client
	metrics   *metrics.Metrics
	vmacs     *vmacs
	promotion *promotion

	// reloading serialises reloads and the orders that change the overrides of
	// servers and checks, maintaining those of maintenance.
	reloading, maintaining sync.Mutex
	overrides              *overrides
	conf                   atomic.Pointer[loaded]
	last                   atomic.Pointer[control.ReloadResponse]

	// calm is set once the start is over, which has garbage collected in its own way.
	calm atomic.Bool
	// lateness carries how late a timer was to who raises the priority.
	lateness chan time.Duration

	// copies is how many configurations are in config_save_dir.
	copies int

	stopNow chan struct{}
	once    sync.Once
}

// loaded is a configuration in force and when it was read.
type loaded struct {
	config *config.Config
	at     time.Time
}

// New returns an agent that does nothing until Run.
func New(o Options) *Agent {
	reader := o.Reader
	if reader == nil {
		reader = new(config.Reader)
	}
	return &Agent{opts: o, reader: reader, started: time.Now(), stopNow: make(chan struct{}), lateness: make(chan time.Duration, 1)}
}

var (
	_ control.Agent  = (*Agent)(nil)
	_ metrics.Source = (*Agent)(nil)
)

// StopNow cuts the offer of a stopping agent short. It may be called at any
// time, and more than once.
func (a *Agent) StopNow() { a.once.Do(func() { close(a.stopNow) }) }

// Well says whether the loop that elects takes its turns. It returns false when
// ctx ends first.
func (a *Agent) Well(ctx context.Context) bool {
	return a.elector.do(ctx, func(time.Time) {})
}

// Run runs the agent until ctx is done, and then lets its masters offer, at
// most five seconds, and puts everything back. ready is called once, when the
// configuration is in force. A configuration that cannot run is a *ConfigError.
func (a *Agent) Run(ctx context.Context, ready func()) error {
	cfg, diagnostics := a.first()
	a.keepCopy(cfg)
	a.log(diagnostics)
	if !config.Runnable(diagnostics) {
		return &ConfigError{Diagnostics: diagnostics}
	}
	// Who waits for reload_file to go may change the configuration from here on.
	a.markReading(cfg)()
	defer a.shutdown(cfg)
	a.startup(ctx, cfg)
	p, err := a.build(cfg)
	if err != nil {
		return err
	}
	defer p.close()
	if a.server, err = control.Listen(a.opts.Socket, a); err != nil {
		return err
	}

	a.pages = newPages(a)
	a.peer = newPeerWatch(a.journal)
	defer a.pages.close()

	life, end := context.WithCancel(context.Background())
	defer end()
	var running sync.WaitGroup
	spawn := func(run part) {
		running.Go(func() {
			if err := run(life); err != nil && life.Err() == nil {
				a.journal.Add(journal.Event{Kind: "part-ended", Level: journal.Error, Text: err.Error()})
			}
		})
	}
	synced := make(chan struct{})
	for _, run := range a.parts(cfg, synced) {
		spawn(run)
	}
	stopKeeping := alone(a.elector.keeper.Run)
	stopWriting := alone(a.elector.scribe.run)
	stopChecking := alone(a.balancer.scheduler.Run)
	stopStoring := alone(a.store.Run)
	defer stopStoring()

	select {
	case <-synced:
		a.begin(ctx, cfg, p)
		a.journal.Add(journal.Event{Kind: "started", Level: journal.Notice, Text: "Startup complete"})
		ready()
		spawn(a.settled)
		<-ctx.Done()
	case <-ctx.Done():
	}
	a.journal.Add(journal.Event{Kind: "stopping", Level: journal.Notice, Text: "Stopping"})
	err = a.stop(stopChecking)
	stopKeeping()
	if !a.opts.KeepVIPs {
		a.promotion.set(nil)
		err = errors.Join(err, a.vmacs.stop())
		a.elector.keeper.Unquiet()
	}
	end()
	stopWriting()
	running.Wait()
	return err
}

// part is what runs beside the others until its context is done.
type part func(context.Context) error

// parts are those that may end in any order, once all else is over. synced is closed
// when the host's links are known.
func (a *Agent) parts(cfg *config.Config, synced chan struct{}) []part {
	list := []part{
		func(ctx context.Context) error { return a.watchHost(ctx, synced) },
		func(ctx context.Context) error { a.elector.run(ctx); return nil },
		func(ctx context.Context) error { a.sched.Guard(ctx, a.schedTrouble); return nil },
		a.vmacs.run, a.elector.watchAlarms, a.peer.run,
		a.announce.Run, a.notifier.Run, a.herald.mail.Run,
		a.balancer.run, a.balancer.reconciler.Run, a.balancer.globals.Run,
		func(ctx context.Context) error { return a.balancer.patience.run(ctx, cfg, a.balancer.unsynced) },
		a.server.Serve, a.reloadByClock, a.raisePriority,
	}
	if os.Getpid() == 1 {
		list = append(list, func(ctx context.Context) error { daemon.Reap(ctx, a.runner.Waits); return nil })
	}
	return append(list, a.watchers.parts()...)
}

// settled waits for the kernel's table, for a while, and says that the start is over.
func (a *Agent) settled(ctx context.Context) error {
	if a.opts.Settled == nil {
		return nil
	}
	limited, cancel := context.WithTimeout(ctx, applyLimit)
	defer cancel()
	// Whether it could be set is reported elsewhere.
	_ = a.balancer.reconciler.Applied(limited)
	a.opts.Settled()
	a.calm.Store(true)
	return nil
}

// first is the configuration to begin with.
func (a *Agent) first() (*config.Config, []config.Diagnostic) {
	if r := a.opts.Read; r != nil {
		a.halve(r.Config)
		a.opts.Read = nil
		return r.Config, r.Diagnostics
	}
	return a.load()
}

// load reads the configuration, leaving out the half that is not to be run.
func (a *Agent) load() (*config.Config, []config.Diagnostic) {
	cfg, diagnostics := a.reader.Load(a.opts.ConfigFile, config.Options{ID: a.opts.ConfigID, Environment: script.Environment{}})
	a.halve(cfg)
	return cfg, diagnostics
}

// halve leaves out of a configuration the half that is not to be run.
func (a *Agent) halve(cfg *config.Config) {
	if !a.opts.VRRP {
		cfg.Instances, cfg.SyncGroups, cfg.Scripts = nil, nil, nil
		cfg.StaticAddresses, cfg.StaticRoutes, cfg.StaticRules = nil, nil, nil
	}
	if !a.opts.Checkers {
		cfg.VirtualServers = nil
	}
}

// log writes what there is to say about a configuration, advice in detail alone.
func (a *Agent) log(diagnostics []config.Diagnostic) {
	for _, d := range diagnostics {
		line := fmt.Sprintf("(%s: Line %d) %s", d.Pos.File, d.Pos.Line, d.Message)
		switch {
		case d.Severity == config.Fatal, d.Severity == config.Error:
			a.opts.Log.Error(line)
		case d.Severity == config.Warning:
			a.opts.Log.Warn(line)
		case d.Advice():
			a.opts.Log.Debug(line)
		default:
			a.opts.Log.Info(line)
		}
	}
}

// resources are what a run opens and closes.
type resources struct {
	record  *host.Record
	left    host.Contents
	closers []func() error
}

func (p *resources) close() {
	for _, c := range p.closers {
		// At the end there is nobody left to act on an error.
		_ = c()
	}
}

// build opens what a run needs and makes the parts, which do nothing yet. Where
// it fails nothing is left open.
func (a *Agent) build(cfg *config.Config) (_ *resources, err error) {
	p := &resources{}
	defer func() {
		if err != nil {
			p.close()
		}
	}()
	record, err := host.OpenRecord(a.opts.RunDir)
	if err != nil {
		return nil, err
	}
	p.record = record
	p.closers = append(p.closers, record.Close)
	left, err := record.Load()
	if err != nil {
		a.opts.Log.Warn("the record of the last run cannot be read, going on without it", "error", err)
	}
	p.left = left
	orders := host.OpenKept(a.opts.StateDir)
	if err := orders.Damaged(); err != nil {
		a.opts.Log.Warn("what was held is not known, going on without it", "error", err)
	}
	if a.overrides, err = openOverrides(a.opts.StateDir); err != nil {
		a.opts.Log.Warn("what operators have ordered is not known, going on without it", "error", err)
	}
	kept, err := p.openTables(cfg)
	if err != nil {
		return nil, err
	}
	links, err := host.NewVirtualLinks(host.NewSysctls())
	if err != nil {
		return nil, err
	}
	p.closers = append(p.closers, links.Close)
	table, err := openTable(cfg)
	if err != nil {
		return nil, err
	}
	p.closers = append(p.closers, table.Close)

	if a.sched, err = sched.New(); err != nil {
		return nil, err
	}
	a.runner.Child = a.sched.Child
	poller, err := host.NewPoller()
	if err != nil {
		return nil, err
	}
	p.closers = append(p.closers, poller.Close)

	a.notifier = notify.New(a.runner.RunEnv, a.opts.Log)
	a.herald = newHerald(a.notifier, notify.NewFIFOSet(a.runner.RunEnv, a.opts.Log), mail.NewQueue(a.opts.Log))
	a.table, a.metrics = table, metrics.New(a)
	a.openJournal(cfg, logging.NewSink(a.opts.Log), a.herald.sink, a.metrics.Sink)
	l := host.NewLedger(record, left, a.recordTrouble)
	arp, na := desired.AnnounceSpacing(cfg.Global)
	a.announce = host.NewAnnouncer(a.opts.Log, arp, na)
	settings := newSettings(host.NewSysctls(), l)
	a.promotion = newPromotion(settings, func(err error) {
		a.journal.Add(journal.Event{Kind: "setting", Level: journal.Error, Text: err.Error()})
	})
	a.vmacs = newVMACs(links, kept.Addresses, settings, l, a.journal)
	a.vmacs.report = func(r carriersReport) {
		a.elector.post(func(now time.Time) { a.elector.carriersMade(now, r) })
	}
	kept.Addresses = carriedAddresses{kept.Addresses, a.vmacs}
	a.elector = newElector(hostWire{a.announce, poller}, kept, record, l, orders, a.journal)
	a.elector.keeper.Inherit(left)
	a.elector.maintenance = a.overrides.get().Maintenance != nil
	a.buildBalancer(cfg, table, left.Services, l)
	a.watchers = newWatchers(a.runner.Run, a.elector, a.journal)
	a.watchers.silent = !a.opts.BFD
	return p, nil
}

// buildBalancer makes what keeps the table, in which an earlier run may have left
// services.
func (a *Agent) buildBalancer(cfg *config.Config, table *ipvs.Client, left []ipvs.ServiceKey, l *host.Ledger) {
	a.balancer = newBalancer(a.journal)
	a.balancer.overrides, a.balancer.usage = a.overrides.get(), table.UsageOf
	a.balancer.active = len(left) > 0
	a.elector.mastership, a.elector.taking, a.elector.late = a.balancer.mastership, a.balancer.taking, a.overslept
	a.balancer.scheduler = health.NewScheduler(a.balancer.heard, health.WithResults(func(service, kind string, r health.Result) {
		a.metrics.Checked(service, kind, r.Took, r.Err == nil)
	}))
	a.balancer.reconciler = ipvs.NewReconciler(table,
		ipvs.WithOwned(left),
		ipvs.OnOwned(func(keys []ipvs.ServiceKey) error {
			l.Update(func(c *host.Contents) { c.Services = keys })
			return nil
		}),
		ipvs.OnError(a.ipvsTrouble),
		ipvs.OnRepair(a.balancer.repaired),
	)
	a.balancer.globals = ipvs.NewGlobalsKeeper(table, a.ipvsTrouble)
	a.balancer.flush = table.Flush
	if cfg.Global.LVS.FlushAtStart {
		a.balancer.adopt()
	}
}

func (a *Agent) recordTrouble(err error) {
	e := journal.Event{Kind: "record", Level: journal.Notice, Text: "the record of this run is being written again"}
	if err != nil {
		e.Level = journal.Error
		e.Text = "a crash of this process may leave things behind: " + err.Error()
	}
	a.journal.Add(e)
}

func (a *Agent) ipvsTrouble(err error) {
	e := journal.Event{Area: journal.Checks, Kind: "ipvs", Level: journal.Notice, Text: "IPVS: the kernel's table is being kept again"}
	if err != nil {
		e.Level, e.Text = journal.Error, "IPVS: "+err.Error()
	}
	a.journal.Add(e)
}

// watchHost passes the host's events to the elector.
func (a *Agent) watchHost(ctx context.Context, synced chan struct{}) error {
	var once sync.Once
	return host.NewMonitor(a.opts.Log).Run(ctx, func(ev host.Event) {
		a.vmacs.event(ev)
		a.promotion.event(ev)
		if _, all := ev.(host.Synced); all {
			once.Do(func() { close(synced) })
		}
		a.elector.post(func(now time.Time) { a.elector.hostEvent(now, ev) })
		a.balancer.hostEvent(ev)
	})
}

// begin puts the first configuration in force, and removes what an earlier
// process left that this configuration does not know.
func (a *Agent) begin(ctx context.Context, cfg *config.Config, p *resources) {
	placed := a.place(cfg)
	a.elector.do(ctx, func(time.Time) { a.elector.sweep(placed.Config, p.left) })
	a.inForce(ctx, cfg)
}

// stop lets the masters offer, then ends the checks and takes the table away,
// and waits for the scripts that tell of it.
func (a *Agent) stop(stopChecking func()) error {
	a.watchers.scripts.Apply(nil)
	if !a.opts.KeepVIPs {
		a.elector.stop(offerLimit, a.stopNow)
	}
	a.elector.dropStatics()
	stopChecking()
	clearing, cancel := context.WithTimeout(context.Background(), clearLimit)
	defer cancel()
	var err error
	if a.opts.KeepIPVS {
		a.balancer.globals.Leave()
		err = a.balancer.reconciler.Leave(clearing)
	} else {
		err = a.balancer.end(clearing)
	}
	a.lastScripts()
	limit, cancel := context.WithTimeout(context.Background(), drainLimit)
	defer cancel()
	if drained := a.herald.mail.Drain(limit); drained != nil {
		a.opts.Log.Warn("e-mail is still waiting at the end", "messages", a.herald.mail.Status().Waiting)
	}
	err = errors.Join(err, a.herald.fifos.Close(limit))
	if !a.opts.KeepIPVS {
		// Last: the kernel may still have connections to tell the new master of.
		err = errors.Join(err, a.balancer.globals.Stop(a.stopNow))
	}
	return err
}

// lastScripts waits for the scripts that tell of the end, unless it has to be now.
func (a *Agent) lastScripts() {
	limit, cancel := context.WithTimeout(context.Background(), scriptLimit)
	defer cancel()
	go func() {
		select {
		case <-a.stopNow:
			cancel()
		case <-limit.Done():
		}
	}()
	if a.notifier.Drain(limit) != nil {
		a.opts.Log.Warn("notify scripts are still running at the end")
	}
}

// alone runs a part that ends at a moment of its own; the function returned ends
// it and waits until it has ended.
func alone(run func(context.Context)) (stop func()) {
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() { defer close(done); run(ctx) }()
	return func() { cancel(); <-done }
}
