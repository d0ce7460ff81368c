package agent

import (
	"context"
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

	mu        sync.Mutex
	overrides desired.Overrides
	// services are the checks as configured, without any pause.
	services []health.ServiceConfig
	conf     *config.Config
	byName   map[string]*config.VirtualServer
	pools    map[string]health.Pool
	masters  map[string]bool
	// active is set once there has been something of ours to keep in the table.
	active bool
}

func newBalancer(j *journal.Journal) *balancer {
	return &balancer{
		journal: j, conf: &config.Config{},
		byName:  map[string]*config.VirtualServer{},
		pools:   map[string]health.Pool{},
		masters: map[string]bool{},
	}
}

// apply makes cfg the configuration of the virtual servers and returns a line
// for each change.
func (b *balancer) apply(cfg *config.Config, services []health.ServiceConfig) []string {
	var changes []string
	b.mu.Lock()
	b.conf = cfg
	old := b.byName
	b.byName = map[string]*config.VirtualServer{}
	var keys []ipvs.ServiceKey
	for _, vs := range cfg.VirtualServers {
		b.byName[vs.Name] = vs
		keys = append(keys, desired.ServiceKey(vs))
		if was := old[vs.Name]; was == nil {
			changes = append(changes, fmt.Sprintf("virtual server %s added", vs.Name))
		} else if !sameService(was, vs) {
			changes = append(changes, fmt.Sprintf("virtual server %s changed", vs.Name))
		}
	}
	for _, name := range slices.Sorted(maps.Keys(old)) {
		if b.byName[name] == nil {
			changes = append(changes, fmt.Sprintf("virtual server %s removed", name))
		}
	}
	maps.DeleteFunc(b.pools, func(name string, _ health.Pool) bool { return b.byName[name] == nil })
	b.active = b.active || len(keys) > 0
	if b.active {
		b.reconciler.Own(keys)
	}
	b.services = services
	services = b.overrides.Pause(services)
	b.mu.Unlock()
	b.scheduler.Apply(services)
	b.push()
	return changes
}

// heard is told all that the health machines put out.
func (b *balancer) heard(service string, out health.Output) {
	switch o := out.(type) {
	case health.PoolChanged:
		b.mu.Lock()
		if b.byName[service] != nil {
			b.pools[service] = o.Pool
		}
		b.mu.Unlock()
		b.push()
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
	b.mu.Unlock()
	b.push()
}

// push gives the kernel's keepers what should be. While the pool of a
// service is not known there is none: to the services that an earlier process
// left, connections and all, it would look like an order to go.
func (b *balancer) push() {
	b.mu.Lock()
	defer b.mu.Unlock()
	master := func(instance string) bool { return b.masters[instance] }
	b.globals.Set(desired.Globals(b.conf, master))
	if !b.active {
		return
	}
	for name := range b.byName {
		if _, known := b.pools[name]; !known {
			return
		}
	}
	b.reconciler.Set(desired.Table(b.conf, b.overrides.Pools(b.pools), master))
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
	return health.NewServerRef(rs.Addr, rs.Port, protocol).Name
}

// repaired tells of what the reconciler put right in the kernel's table.
func (b *balancer) repaired(changes []ipvs.Change) {
	for _, c := range changes {
		b.journal.Add(journal.Event{Area: journal.Checks, Kind: "ipvs-repaired", Level: journal.Warning,
			Text: fmt.Sprintf("IPVS was changed by somebody else; put right: %s", c)})
	}
}

// sameService compares apart from where in a file something stands.
func sameService(a, b *config.VirtualServer) bool {
	return config.Equal(&config.Config{VirtualServers: []*config.VirtualServer{a}},
		&config.Config{VirtualServers: []*config.VirtualServer{b}})
}
