package agent

import (
	"fmt"
	"sync"

	"github.com/tandem-ha/tandem/config"
	"github.com/tandem-ha/tandem/health"
	"github.com/tandem-ha/tandem/internal/journal"
	"github.com/tandem-ha/tandem/internal/notify"
)

// herald runs the notify scripts: a sink of the journal that queues, for each
// event, what the configuration wants run.
type herald struct {
	notifier *notify.Notifier

	mu       sync.Mutex
	vrrp     map[string]notify.Scripts // by kind and name
	services map[string]serviceScripts
}

// serviceScripts are the scripts of a virtual server and its real servers.
type serviceScripts struct {
	quorumUp, quorumDown *health.Script
	up, down             map[string]*health.Script // by the server's name in logs
}

func newHerald(n *notify.Notifier) *herald {
	return &herald{notifier: n, vrrp: map[string]notify.Scripts{}, services: map[string]serviceScripts{}}
}

// apply takes the scripts of a configuration. What cannot be run is left out
// and returned. Scripts of what the configuration no longer has stay, since its
// end is still to be told.
func (h *herald) apply(cfg *config.Config, resolve func(config.Command) (health.Script, error)) []error {
	var errs []error
	one := func(c *config.Command) *health.Script {
		if c == nil {
			return nil
		}
		s, err := resolve(*c)
		if err != nil {
			errs = append(errs, err)
			return nil
		}
		return &s
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	for _, in := range cfg.Instances {
		s, bad := notify.ResolveScripts(in.Notify, resolve)
		h.vrrp[journal.Instance+in.Name] = s
		errs = append(errs, bad...)
	}
	for _, g := range cfg.SyncGroups {
		s, bad := notify.ResolveScripts(g.Notify, resolve)
		h.vrrp[journal.Group+g.Name] = s
		errs = append(errs, bad...)
	}
	for _, vs := range cfg.VirtualServers {
		s := serviceScripts{
			quorumUp: one(vs.QuorumUp), quorumDown: one(vs.QuorumDown),
			up: map[string]*health.Script{}, down: map[string]*health.Script{},
		}
		for _, rs := range vs.RealServers {
			name := serverName(vs, rs)
			s.up[name], s.down[name] = one(rs.NotifyUp), one(rs.NotifyDown)
		}
		h.services[vs.Name] = s
	}
	return errs
}

// sink queues the scripts of an event.
func (h *herald) sink(e journal.Event) {
	h.mu.Lock()
	defer h.mu.Unlock()
	switch d := e.Data.(type) {
	case journal.StateChange:
		h.notifier.Enqueue(d.Kind+d.Name, notify.VRRPJobs(h.vrrp[d.Kind+d.Name], d.Kind, d.Name, d.To, d.Priority)...)
	case journal.LowerPriority:
		h.notifier.Enqueue(journal.Instance+d.Name, notify.LowerPriorityJobs(h.vrrp[journal.Instance+d.Name], d.Name)...)
	case journal.ServerChange:
		s := h.services[d.Service]
		script, keyword := s.down[d.Server], "notify_down"
		if d.Up {
			script, keyword = s.up[d.Server], "notify_up"
		}
		h.notifier.Enqueue(d.Service+d.Server, notify.ServerJobs(script, keyword, fmt.Sprintf("%s of %s", d.Server, d.Service))...)
	case journal.QuorumChange:
		s := h.services[d.Service]
		script, keyword := s.quorumDown, "quorum_down"
		if d.Up {
			script, keyword = s.quorumUp, "quorum_up"
		}
		h.notifier.Enqueue(d.Service, notify.ServerJobs(script, keyword, d.Service)...)
	}
}
