package agent

import (
	"cmp"
	"context"
	"maps"
	"os"
	"slices"
	"time"

	"github.com/tandem-ha/tandem/config"
	"github.com/tandem-ha/tandem/health"
	"github.com/tandem-ha/tandem/internal/control"
	"github.com/tandem-ha/tandem/internal/desired"
	"github.com/tandem-ha/tandem/internal/journal"
	"github.com/tandem-ha/tandem/ipvs"
)

// statusLimit bounds the wait for the elector; its loop never blocks, so that
// this is reached only while the agent starts or ends.
const statusLimit = 2 * time.Second

// Status is the agent's state now.
func (a *Agent) Status() control.Status {
	s := control.Status{
		Version: a.opts.Version, PID: os.Getpid(), Started: a.started,
		ConfigFile: a.opts.ConfigFile, LastReload: a.last.Load(),
	}
	conf := a.conf.Load()
	if conf == nil {
		return s
	}
	s.Config, s.ConfigLoaded, s.RouterID = conf.config, conf.at, conf.config.Global.RouterID
	ctx, cancel := context.WithTimeout(context.Background(), statusLimit)
	defer cancel()
	a.elector.do(ctx, func(time.Time) { a.elector.report(&s) })
	a.watchers.report(&s)
	s.Notify = a.herald.status()
	s.Services = serviceStatuses(conf.config, a.balancer.scheduler.Status())
	s.Maintenance, s.Dormant = a.overrides.get().Maintenance, a.balancer.dormant()
	for i := range s.Services {
		if vs := a.balancer.configured(s.Services[i].Name); vs != nil {
			s.Services[i].Overrides = a.balancer.overridden(ctx, vs)
		}
	}
	s.Peer = a.peer.now()
	if err := a.balancer.reconciler.Err(); err != nil {
		s.IPVS = err.Error()
	}
	return s
}

// Journal is the account of what happened.
func (a *Agent) Journal() *journal.Journal { return a.journal }

// Usage is the kernel's table of IPVS with its counters.
func (a *Agent) Usage(ctx context.Context) ([]ipvs.ServiceUsage, error) { return a.table.Usage(ctx) }

// Move carries out an operator's order.
func (a *Agent) Move(ctx context.Context, m control.MoveRequest) (control.MoveResponse, error) {
	return a.elector.move(ctx, m)
}

// report fills in what the elector knows. It is called on the loop.
func (e *elector) report(s *control.Status) {
	for _, conf := range e.conf.Instances {
		if in := e.index.byName[conf.Name]; in != nil {
			st := in.status()
			st.Tracks = e.trackStatus(in)
			s.Instances = append(s.Instances, st)
		}
	}
	s.StampErrors, s.Alarms = e.stampErrors, e.alarms.Active()
	s.Timekeeping = e.time.report()
	for _, c := range e.companies {
		g := c.group
		if g.Name() == "" {
			continue
		}
		gs := control.GroupStatus{Name: g.Name(), State: g.State()}
		for _, r := range g.Members() {
			gs.Members = append(gs.Members, r.Config().Name)
		}
		s.Groups = append(s.Groups, gs)
	}
	order := func(a, b foreignKey) int {
		return cmp.Or(cmp.Compare(a.iface, b.iface), cmp.Compare(a.reason, b.reason))
	}
	for key, lost := range e.lost() {
		s.Foreign = append(s.Foreign, control.DropCount{Interface: key, Reason: notRead, Count: lost})
	}
	for _, k := range slices.SortedFunc(maps.Keys(e.foreign), order) {
		s.Foreign = append(s.Foreign, control.DropCount{Interface: k.iface, Reason: k.reason, Count: e.foreign[k]})
	}
}

// serviceStatuses joins what the checks say with what the configuration says.
func serviceStatuses(cfg *config.Config, checked []health.ServiceStatus) []control.ServiceStatus {
	byName := map[string]*config.VirtualServer{}
	for _, vs := range cfg.VirtualServers {
		if byName[vs.Checked()] == nil {
			byName[vs.Checked()] = vs
		}
	}
	var out []control.ServiceStatus
	for _, c := range checked {
		s := control.ServiceStatus{ServiceStatus: c}
		if vs := byName[c.Name]; vs != nil {
			s.Key, s.Scheduler = desired.ServiceKey(vs), vs.Scheduler
		}
		out = append(out, s)
	}
	return out
}
