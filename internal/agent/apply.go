package agent

import (
	"fmt"
	"maps"
	"net/netip"
	"reflect"
	"slices"
	"time"

	"github.com/tandem-ha/tandem/config"
	"github.com/tandem-ha/tandem/internal/desired"
	"github.com/tandem-ha/tandem/internal/host"
	"github.com/tandem-ha/tandem/internal/journal"
	"github.com/tandem-ha/tandem/vrrp"
)

// apply makes cfg the configuration of the routers. What an instance is, not
// what it is called, decides whether it goes on: one that stays keeps its state
// and its counters, and only what differs is carried out. It returns a line for
// each change.
func (e *elector) apply(now time.Time, cfg *config.Config) []string {
	var changes []string
	next := map[string]*config.Instance{}
	for _, conf := range cfg.Instances {
		next[instanceID(conf)] = conf
	}
	for _, id := range slices.Sorted(maps.Keys(e.instances)) {
		if next[id] == nil {
			changes = append(changes, fmt.Sprintf("instance %s removed", e.instances[id].conf.Name))
			e.remove(now, e.instances[id])
		}
	}
	e.conf = cfg
	e.holdStatics()
	e.filterLinks(now, cfg)
	var list []*instance
	for _, conf := range cfg.Instances {
		id := instanceID(conf)
		in := e.instances[id]
		if in == nil {
			in = e.create(cfg, conf, id)
			changes = append(changes, fmt.Sprintf("instance %s added", conf.Name))
		} else if line := e.reconfigure(now, in, cfg, conf); line != "" {
			changes = append(changes, line)
		}
		list = append(list, in)
	}
	e.index = newIndex(list)
	e.attuned = false
	e.gather = gatherTime(cfg.Instances)
	e.time.configure(cfg.Instances)
	e.regroup(now, cfg, list)
	e.align(now, list)
	for _, in := range list {
		if e.maintenance != in.router.Status().Maintenance {
			e.feed(now, in, vrrp.Maintenance{On: e.maintenance})
		}
	}
	e.watchLinks()
	for _, in := range list {
		e.watchOutlook(in)
	}
	e.refresh(now, list)
	return changes
}

// create makes an instance; it starts when its link and trackers are known.
func (e *elector) create(cfg *config.Config, conf *config.Instance, id string) *instance {
	in := &instance{
		id:      id,
		hostUp:  host.Uptime(),
		sending: sending{stamp: e.record.Stamp(id)},
		held:    map[netip.Addr]bool{},
		counted: map[string]int{},
		stopped: make(chan struct{}),
		end:     journal.Stop,

		dampedUntil: e.kept.Damped.At(id),
	}
	in.priority = uint8(conf.Priority)
	in.configure(cfg, conf, e.vrfTable)
	settings := in.settings(cfg.Global)
	in.router, in.auth = vrrp.NewRouter(settings), vrrp.NewAuthenticator(settings)
	in.observer.Configure(settings)
	e.instances[id] = in
	return in
}

// reconfigure gives a running instance its new configuration and says what that
// changed, "" for nothing.
func (e *elector) reconfigure(now time.Time, in *instance, cfg *config.Config, conf *config.Instance) string {
	old, oldEvery, oldTrackers := in.conf, in.every, in.trackers
	before := in.router.Config()
	in.configure(cfg, conf, e.vrfTable)
	after := in.settings(cfg.Global)
	e.index.byName[conf.Name] = in
	changed := !reflect.DeepEqual(before, after)
	if changed {
		in.auth.Reconfigure(after)
		in.observer.Configure(after)
		e.step(now, in.company, vrrp.GroupInput{Member: old.Name, Input: vrrp.Reconfigure{Config: after}})
	}
	if reflect.DeepEqual(oldEvery, in.every) {
		in.every = oldEvery
	} else {
		e.hold(in)
	}
	if old.ExtraGARP != conf.ExtraGARP {
		e.repeatExtra(in)
	}
	if relinked(old, conf) {
		e.announceOn(in, "")
	}
	switch {
	case old.Name != conf.Name:
		return fmt.Sprintf("instance %s is now called %s", old.Name, conf.Name)
	case changed || !sameInstance(old, conf) || !sameTrackers(oldTrackers, in.trackers):
		return fmt.Sprintf("instance %s changed", conf.Name)
	}
	return ""
}

// remove ends an instance that is configured no longer.
func (e *elector) remove(now time.Time, in *instance) {
	in.end = journal.Deleted
	e.agenda.drop(in.company)
	e.step(now, newCompany(vrrp.NewGroup("", in.router), in), vrrp.GroupInput{Input: vrrp.Shutdown{}})
	in.outlook.endAsking()
	in.outlook.endReading()
	e.leaveSocket(in)
	delete(e.instances, in.id)
}

// regroup forms the sync groups anew around the routers; each router outside
// any group is a company of its own.
func (e *elector) regroup(now time.Time, cfg *config.Config, list []*instance) {
	e.companies = nil
	e.agenda.reset()
	grouped := map[*instance]bool{}
	form := func(name string, members []*instance) {
		var routers []*vrrp.Router
		for _, in := range members {
			routers = append(routers, in.router)
		}
		c := newCompany(vrrp.NewGroup(name, routers...), members...)
		for _, in := range members {
			in.company = c
		}
		e.companies = append(e.companies, c)
	}
	for _, sg := range cfg.SyncGroups {
		var members []*instance
		for _, name := range sg.Members {
			if in := e.index.byName[name]; in != nil && !grouped[in] {
				grouped[in] = true
				members = append(members, in)
			}
		}
		if len(members) > 0 {
			form(sg.Name, members)
		}
	}
	for _, in := range list {
		if !grouped[in] {
			form("", []*instance{in})
		}
	}
	for _, c := range e.companies {
		e.step(now, c, fired())
	}
}

// sameInstance compares apart from where in a file something stands.
func sameInstance(a, b *config.Instance) bool {
	return config.Equal(&config.Config{Instances: []*config.Instance{a}}, &config.Config{Instances: []*config.Instance{b}})
}

func sameTrackers(a, b desired.Trackers) bool {
	of := func(t desired.Trackers) *config.Instance {
		return &config.Instance{TrackScripts: t.Scripts, TrackInterfaces: t.Interfaces, TrackFiles: t.Files,
			TrackProcesses: t.Processes, TrackBFD: t.BFD}
	}
	return sameInstance(of(a), of(b))
}
