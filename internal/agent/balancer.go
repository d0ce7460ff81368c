package agent

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"sync"

	"github.com/tandem-ha/tandem/config"
	"github.com/tandem-ha/tandem/health"
	"github.com/tandem-ha/tandem/internal/desired"
	"github.com/tandem-ha/tandem/internal/journal"
	"github.com/tandem-ha/tandem/ipvs"
)

// balancer joins the health checks to the kernel's table: what the checks make
// of a pool, and which instances this node is master of, goes into one desired
// table.
type balancer struct {
	journal    *journal.Journal
	scheduler  *health.Scheduler
	reconciler *ipvs.Reconciler
	globals    *ipvs.GlobalsKeeper
	// usage asks the kernel for a service with its counters.
	usage func(context.Context, ipvs.ServiceKey) (ipvs.ServiceUsage, bool, error)
	marks *marker
	// patience is with connections that the kernel has not been told of yet.
	patience *patience
	// flush empties the kernel's table.
	flush func(context.Context) error

	// changed wakes the loop.
	changed chan struct{}
	// applying is held while the checks are given what they are to do.
	applying sync.Mutex

	mu        sync.Mutex
	overrides desired.Overrides
	// services are the checks as configured, without any pause.
	services []health.ServiceConfig
	conf     *config.Config
	// byName are the services as they are checked, kernel those of the kernel's
	// table, and byPool where in kernel those are whose pool is of a name.
	byName  map[string]*config.VirtualServer
	kernel  []*config.VirtualServer
	byPool  map[string][]int
	pools   map[string]health.Pool
	masters map[string]bool
	links   presence
	// dirty are the pools that have changed; with all everything has.
	dirty map[string]bool
	all   bool
	// active is set once there has been something of ours to keep in the table,
	// and applied once it is known what that is.
	active, applied bool
}

func newBalancer(j *journal.Journal) *balancer {
	b := &balancer{
		journal: j, conf: &config.Config{}, changed: make(chan struct{}, 1), marks: newMarker(),
		byName:  map[string]*config.VirtualServer{},
		byPool:  map[string][]int{},
		pools:   map[string]health.Pool{},
		masters: map[string]bool{},
		links:   presence{},
		dirty:   map[string]bool{},
	}
	b.patience = newPatience(b.unsyncedTrouble)
	return b
}

// run hands on what has changed, all that has at once, until ctx is done.
func (b *balancer) run(ctx context.Context) error {
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-b.changed:
		}
		b.suspend()
		b.push()
	}
}

func (b *balancer) kick() {
	select {
	case b.changed <- struct{}{}:
	default:
	}
}

// apply makes cfg the configuration of the virtual servers and returns a line
// for each change.
func (b *balancer) apply(cfg *config.Config, services []health.ServiceConfig) []string {
	b.applying.Lock()
	defer b.applying.Unlock()
	b.mu.Lock()
	changes := describeServices(b.conf.VirtualServers, cfg.VirtualServers)
	b.conf = cfg
	b.byName = make(map[string]*config.VirtualServer, len(cfg.VirtualServers))
	keys := make([]ipvs.ServiceKey, 0, len(cfg.VirtualServers))
	for _, vs := range cfg.VirtualServers {
		if b.byName[vs.Checked()] == nil {
			b.byName[vs.Checked()] = vs
		}
	}
	before := b.kernel
	b.kernel = b.marks.apply(cfg, b.markTrouble)
	b.byPool = make(map[string][]int, len(b.kernel))
	for i, vs := range b.kernel {
		keys = append(keys, desired.ServiceKey(vs))
		b.byPool[vs.Checked()] = append(b.byPool[vs.Checked()], i)
	}
	maps.DeleteFunc(b.pools, func(name string, _ health.Pool) bool { return b.byName[name] == nil })
	b.active = b.active || len(keys) > 0
	if b.active {
		b.reconciler.Own(keys)
	}
	b.touch(before)
	b.applied, b.services = true, services
	services = b.overrides.Pause(b.suspendServices(services))
	b.mu.Unlock()
	b.scheduler.Apply(services)
	b.kick()
	return changes
}

// touch notes which pools have to be given to the kernel anew, as their services
// are not those that it has: all where a service has come, gone or moved. The
// lock is held.
func (b *balancer) touch(before []*config.VirtualServer) {
	if b.all = b.all || !b.applied || len(before) != len(b.kernel); b.all {
		return
	}
	for i, vs := range b.kernel {
		was := before[i]
		if was == vs {
			continue
		}
		if desired.ServiceKey(was) != desired.ServiceKey(vs) || was.FollowInstance != vs.FollowInstance {
			b.all = true
			return
		}
		b.dirty[vs.Checked()] = true
	}
}

// adopt makes all that is in the kernel's table ours, so that what is not wanted
// goes (lvs_flush): what is, an earlier process's, keeps its connections.
func (b *balancer) adopt() {
	b.mu.Lock()
	b.active = true
	b.mu.Unlock()
	b.reconciler.TakeAll()
}

// end takes what is ours out of the kernel.
func (b *balancer) end(ctx context.Context) error {
	b.mu.Lock()
	all := b.conf.Global.LVS.FlushAtStop == config.FlushAll
	b.mu.Unlock()
	var err error
	if all {
		if err = b.flush(ctx); errors.Is(err, ipvs.ErrNoKernelSupport) {
			err = nil
		}
	}
	return errors.Join(err, b.reconciler.Stop(ctx), b.marks.remove())
}

// heard is told all that the health machines put out.
func (b *balancer) heard(service string, out health.Output) {
	switch o := out.(type) {
	case health.PoolChanged:
		b.mu.Lock()
		if b.byName[service] != nil {
			b.pools[service] = o.Pool
			b.dirty[service] = true
		}
		b.mu.Unlock()
		b.kick()
		return
	}
	text, data := health.Text(service, out), b.data(service, out)
	level := checkLevel(out)
	if text == "" && data != nil {
		// keepalived has no line for it.
		text, level = quietText(service, out), journal.Debug
	}
	if text != "" {
		b.journal.Add(journal.Event{
			Area: journal.Checks, Kind: checkKind(out), Level: level, Subject: service,
			Text: text, Data: data, Cause: checkCause(out),
		})
	}
}

// mastership is told which instances this node is master of.
func (b *balancer) mastership(instance string, master bool) {
	b.mu.Lock()
	b.masters[instance] = master
	b.all = true
	awaits := desired.Awaits(b.conf, instance)
	b.mu.Unlock()
	if awaits && master {
		b.patience.begin()
	} else if awaits {
		b.patience.end()
	}
	b.kick()
}

// push gives the kernel's keepers what should be. While the pool of a service is
// not known nothing goes, nor before there is a configuration, though a node that
// starts again may be master by then: to the services that an earlier process left,
// connections and all, it would look like an order to go. What is known comes at
// once: the kernel takes in the first of thousands while the last are still made.
func (b *balancer) push() {
	b.mu.Lock()
	defer b.mu.Unlock()
	master := func(instance string) bool { return b.masters[instance] }
	b.globals.Set(desired.Globals(b.conf, master))
	if !b.active || !b.applied {
		return
	}
	if b.all && len(b.pools) >= len(b.byName) {
		b.reconciler.Set(desired.Table(b.kernel, b.overrides.Pools(b.pools), master))
		b.all = false
	} else if len(b.dirty) > 0 {
		var services []*config.VirtualServer
		pools := make(map[string]health.Pool, len(b.dirty))
		for name := range b.dirty {
			pools[name] = b.pools[name]
			for _, i := range b.byPool[name] {
				services = append(services, b.kernel[i])
			}
		}
		b.reconciler.Update(desired.Table(services, b.overrides.Pools(pools), master))
	}
	clear(b.dirty)
}

func checkKind(out health.Output) string {
	switch out.(type) {
	case health.ServerUp:
		return "server-up"
	case health.ServerDown:
		return "server-down"
	case health.ServerAdded, health.ServerRemoved, health.ServerStopped:
		return "server"
	case health.WeightChanged:
		return "weight"
	case health.QuorumGained:
		return "quorum-gained"
	case health.QuorumLost, health.QuorumEnded:
		return "quorum-lost"
	case health.SorryAdded, health.SorryRemoved, health.AliveAdded, health.AliveRemoved:
		return "sorry"
	}
	return "check"
}

func checkLevel(out health.Output) journal.Level {
	switch out.(type) {
	case health.ServerDown, health.QuorumLost:
		return journal.Warning
	case health.ServerUp, health.QuorumGained, health.SorryAdded, health.SorryRemoved:
		return journal.Notice
	}
	return journal.Info
}

func checkCause(out health.Output) string {
	switch o := out.(type) {
	case health.ServerDown:
		return o.Cause
	case health.CheckFailed:
		return o.Err
	}
	return ""
}

// serverName is a real server as the health machines name it in what they put out.
func serverName(vs *config.VirtualServer, rs *config.RealServer) string {
	protocol := vs.Protocol
	if vs.FWMark != 0 {
		protocol = ""
	}
	at := rs.Checked()
	return health.NewServerRef(at.Addr(), at.Port(), protocol).Name
}

// repaired tells of what the reconciler put right in the kernel's table.
func (b *balancer) repaired(changes []ipvs.Change) {
	for _, c := range changes {
		b.journal.Add(journal.Event{Area: journal.Checks, Kind: "ipvs-repaired", Level: journal.Warning,
			Text: fmt.Sprintf("IPVS was changed by somebody else; put right: %s", c)})
	}
}

// describeServices says what differs between the services of two configurations,
// a line for each.
func describeServices(old, now []*config.VirtualServer) []string {
	before := make(map[string]*config.VirtualServer, len(old))
	for _, vs := range old {
		before[vs.Name] = vs
	}
	var changes []string
	for _, vs := range now {
		if was := before[vs.Name]; was == nil {
			changes = append(changes, fmt.Sprintf("virtual server %s added", vs.Name))
		} else if !config.SameService(was, vs) {
			changes = append(changes, fmt.Sprintf("virtual server %s changed", vs.Name))
		}
		delete(before, vs.Name)
	}
	for _, name := range slices.Sorted(maps.Keys(before)) {
		changes = append(changes, fmt.Sprintf("virtual server %s removed", name))
	}
	return changes
}
