package agent

import (
	"context"
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"time"

	"github.com/tandem-ha/tandem/config"
	"github.com/tandem-ha/tandem/health"
	"github.com/tandem-ha/tandem/internal/control"
	"github.com/tandem-ha/tandem/internal/desired"
	"github.com/tandem-ha/tandem/internal/journal"
	"github.com/tandem-ha/tandem/ipvs"
)

const (
	// drainPace is how often the connections of a drained server are counted.
	drainPace = 200 * time.Millisecond
	// applyLimit bounds the wait for the kernel's table.
	applyLimit = 5 * time.Second
)

// target is a real server of a virtual server, as an order names it.
type target struct {
	service string
	server  netip.AddrPort
	// vs is nil where only an override is left of it.
	vs *config.VirtualServer
}

// Server orders something of a real server.
func (a *Agent) Server(ctx context.Context, r control.ServerRequest) (control.ServerResponse, error) {
	begun := time.Now()
	targets, warning, err := a.overrideServer(ctx, r)
	if err != nil {
		return control.ServerResponse{}, err
	}
	resp := control.ServerResponse{Warning: a.warn(warning)}
	trouble := a.applied(ctx)
	// A count that the end of the wait cuts short would tell of an error, and not of
	// what is left.
	counting := context.WithoutCancel(ctx)
	for {
		resp.Outcomes = nil
		left := 0
		for _, t := range targets {
			o := a.balancer.outcome(counting, r, t, trouble)
			o.Took = time.Since(begun)
			if !o.Done {
				left++
			}
			resp.Outcomes = append(resp.Outcomes, o)
		}
		if left == 0 || !r.Wait || trouble != nil {
			return resp, nil
		}
		if !wait(ctx, drainPace) {
			for i := range resp.Outcomes {
				if o := &resp.Outcomes[i]; !o.Done {
					o.Text += fmt.Sprintf(" after %s; the drain stands", o.Took.Round(100*time.Millisecond))
				}
			}
			return resp, nil
		}
	}
}

// overrideServer finds what is meant and puts the order in force.
func (a *Agent) overrideServer(ctx context.Context, r control.ServerRequest) ([]target, string, error) {
	a.reloading.Lock()
	defer a.reloading.Unlock()
	targets, err := a.balancer.targets(r.Server, r.VirtualServers, a.overrides.get(), r.Action == control.Undrain || r.Action == control.Unweight)
	if err != nil {
		return nil, "", err
	}
	change := func(o desired.Overrides) desired.Overrides {
		for _, t := range targets {
			s := o.Server(t.service, t.server)
			switch r.Action {
			case control.Drain:
				s.Drain = ordered(ctx, r.Reason)
			case control.Undrain:
				s.Drain = nil
			case control.Weight:
				s.Weight = &desired.WeightOverride{Override: *ordered(ctx, r.Reason), Weight: *r.Weight}
			case control.Unweight:
				s.Weight = nil
			}
			o = o.WithServer(s)
		}
		return o
	}
	if err := a.balancer.refuse(r, targets, change(a.overrides.get())); err != nil {
		return nil, "", err
	}
	now, warning := a.overrides.change(change)
	a.balancer.override(now)
	for _, t := range targets {
		a.journal.Add(journal.Event{Area: journal.Checks, Kind: string(r.Action), Level: journal.Notice, By: ordered(ctx, "").By,
			Subject: t.service, Cause: r.Reason, Text: fmt.Sprintf("%s of %s: %s", t.server, t.service, orderText(r))})
	}
	return targets, warning, nil
}

func orderText(r control.ServerRequest) string {
	switch r.Action {
	case control.Drain:
		return "drained, no new connections"
	case control.Undrain:
		return "drained no longer"
	case control.Weight:
		return fmt.Sprintf("weight %d by order", *r.Weight)
	default:
		return "weight as configured and checked again"
	}
}

// applied waits until the kernel's table is what is desired.
func (a *Agent) applied(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, applyLimit)
	defer cancel()
	return a.balancer.reconciler.Applied(ctx)
}

// targets finds the real servers that an order means; dormant adds those of which
// only an override is left.
func (b *balancer) targets(server string, services []string, o desired.Overrides, dormant bool) ([]target, error) {
	at, err := control.ParseServer(server)
	if err != nil {
		return nil, err
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	var out []target
	var meant, all []*config.VirtualServer
	for _, vs := range b.conf.VirtualServers {
		all = append(all, vs)
		if len(services) == 0 || anyNames(vs, services) {
			meant = append(meant, vs)
		}
	}
	for _, name := range services {
		if !anyOf(meant, name) && !dormant {
			return nil, &control.NotFoundError{Err: control.NoSuch("virtual server", name, serviceNames(all))}
		}
	}
	same := func(s netip.AddrPort) bool { return s.Addr() == at.Addr() && (at.Port() == 0 || at.Port() == s.Port()) }
	var servers []string
	for _, vs := range meant {
		for _, rs := range vs.RealServers {
			s := rs.Checked()
			servers = append(servers, s.String())
			// The services of a group share their servers.
			if same(s) && !slices.ContainsFunc(out, func(t target) bool { return t.service == vs.Checked() && t.server == s }) {
				out = append(out, target{vs.Checked(), s, vs})
			}
		}
	}
	if dormant {
		for _, s := range o.Servers {
			if b.real(s.Service, s.Server) == nil && same(s.Server) && (len(services) == 0 || contains(services, s.Service)) {
				out = append(out, target{s.Service, s.Server, nil})
			}
		}
	}
	if len(out) == 0 {
		return nil, &control.NotFoundError{Err: noServer(server, meant, servers)}
	}
	return out, nil
}

// real is a configured real server, nil where there is none. b.mu is held.
func (b *balancer) real(service string, server netip.AddrPort) *config.RealServer {
	if vs := b.byName[service]; vs != nil {
		return desired.RealServer(vs, server.Addr(), server.Port())
	}
	return nil
}

// configured is a virtual server by its name, nil where there is none.
func (b *balancer) configured(name string) *config.VirtualServer {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.byName[name]
}

func anyNames(vs *config.VirtualServer, names []string) bool {
	for _, n := range names {
		if named(vs, n) {
			return true
		}
	}
	return false
}

func anyOf(list []*config.VirtualServer, name string) bool {
	for _, vs := range list {
		if named(vs, name) {
			return true
		}
	}
	return false
}

func contains(names []string, name string) bool {
	for _, n := range names {
		if strings.EqualFold(n, name) {
			return true
		}
	}
	return false
}

func serviceNames(list []*config.VirtualServer) []string {
	var names []string
	for _, vs := range list {
		names = append(names, vs.Name)
	}
	return names
}

// noServer says that a real server is in none of the virtual servers meant, and
// which are.
func noServer(server string, meant []*config.VirtualServer, servers []string) error {
	switch {
	case len(meant) == 0:
		return fmt.Errorf("no real server %s: no virtual server is configured", server)
	case len(servers) == 0:
		return fmt.Errorf("no real server %s: %s has none", server, strings.Join(serviceNames(meant), ", "))
	}
	return fmt.Errorf("no real server %s in %s; configured: %s", server, strings.Join(serviceNames(meant), ", "), strings.Join(servers, ", "))
}

// refuse says why an order cannot be carried out: it changes nothing, or it would
// take the last weight of a virtual server.
func (b *balancer) refuse(r control.ServerRequest, targets []target, next desired.Overrides) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	idle := true
	for _, t := range targets {
		s := b.overrides.Server(t.service, t.server)
		switch r.Action {
		case control.Undrain:
			idle = idle && s.Drain == nil
		case control.Unweight:
			idle = idle && s.Weight == nil
		default:
			idle = false
		}
		if r.Action == control.Drain && s.Drain == nil || r.Action == control.Weight && *r.Weight == 0 {
			before, after := b.overrides.Pools(b.pools)[t.service], next.Pools(b.pools)[t.service]
			if takers(before) > 0 && takers(after) == 0 && !r.Force {
				return fmt.Errorf("%s is the last real server of %s that takes new connections; force does it all the same", t.server, t.service)
			}
		}
	}
	if idle {
		return fmt.Errorf("nothing to undo: %s is not under an order of %s", r.Server, strings.TrimPrefix(string(r.Action), "un"))
	}
	return nil
}

// takers counts the servers that get new connections.
func takers(p health.Pool) int {
	n := 0
	for _, m := range p {
		if m.Weight > 0 {
			n++
		}
	}
	return n
}

// override puts the overrides in force.
func (b *balancer) override(o desired.Overrides) {
	b.applying.Lock()
	b.mu.Lock()
	b.overrides, b.all = o, true
	services := o.Pause(b.suspendServices(b.services))
	b.mu.Unlock()
	b.scheduler.Apply(services)
	b.applying.Unlock()
	b.push()
}

// outcome is how an order stands for one real server.
func (b *balancer) outcome(ctx context.Context, r control.ServerRequest, t target, trouble error) control.ServerOutcome {
	out := control.ServerOutcome{VirtualServer: t.service, Server: t.server, Done: true}
	if t.vs == nil {
		out.Text = "not configured any more; the override is gone"
		return out
	}
	if trouble != nil {
		out.Done, out.Text = false, "the order stands, but the kernel's table does not show it: "+trouble.Error()
		return out
	}
	usage, there, err := b.destination(ctx, t.vs, t.server)
	switch {
	case err != nil:
		out.Done, out.Text = false, "the order stands, but the kernel's table cannot be read: "+err.Error()
		return out
	case !there:
		out.Text = "the order stands; the server is not in IPVS now"
		return out
	}
	weight := int(usage.Weight)
	out.Weight, out.Connections = &weight, connections(usage)
	out.Text = fmt.Sprintf("weight %d", weight)
	if r.Action != control.Drain {
		return out
	}
	open := usage.Stats.Active
	if t.vs.Protocol == "UDP" || t.vs.FWMark != 0 {
		// There is no end to be seen of what has no connections: it is idle for long
		// enough.
		open += usage.Stats.Inactive
	}
	switch {
	case open > 0:
		out.Done, out.Text = !r.Wait, fmt.Sprintf("weight 0, %d connections left", open)
	case usage.Stats.Inactive > 0:
		out.Text = fmt.Sprintf("weight 0, no connection left (%d closing)", usage.Stats.Inactive)
	default:
		out.Text = "weight 0, no connection left"
	}
	if usage.Stats.Persistent > 0 {
		out.Text += fmt.Sprintf(", %d persistent clients", usage.Stats.Persistent)
	}
	return out
}

// destination asks the kernel for a real server: its weight, and what it has in
// all services of the kernel's table that share its pool, as those of a group do.
func (b *balancer) destination(ctx context.Context, vs *config.VirtualServer, server netip.AddrPort) (ipvs.DestinationUsage, bool, error) {
	var sum ipvs.DestinationUsage
	there := false
	for _, part := range b.sharing(vs.Checked()) {
		rs := desired.RealServer(part, server.Addr(), server.Port())
		if rs == nil {
			continue
		}
		u, _, err := b.usage(ctx, desired.ServiceKey(part))
		if err != nil {
			return ipvs.DestinationUsage{}, false, err
		}
		for _, d := range u.Destinations {
			if d.Addr != rs.Addr || d.Port != rs.Port {
				continue
			}
			d.Stats.Active += sum.Stats.Active
			d.Stats.Inactive += sum.Stats.Inactive
			d.Stats.Persistent += sum.Stats.Persistent
			sum, there = d, true
		}
	}
	return sum, there, nil
}

// sharing are the services of the kernel's table whose pool is of a name.
func (b *balancer) sharing(name string) []*config.VirtualServer {
	b.mu.Lock()
	defer b.mu.Unlock()
	var out []*config.VirtualServer
	for _, i := range b.byPool[name] {
		out = append(out, b.kernel[i])
	}
	return out
}

func connections(d ipvs.DestinationUsage) *control.Connections {
	return &control.Connections{Active: d.Stats.Active, Inactive: d.Stats.Inactive, Persistent: d.Stats.Persistent}
}

// overridden is what is ordered of a virtual server's real servers, those with an
// order of any kind.
func (b *balancer) overridden(ctx context.Context, vs *config.VirtualServer) []control.ServerOverrides {
	b.mu.Lock()
	o := b.overrides
	b.mu.Unlock()
	var out []control.ServerOverrides
	if len(o.Servers) == 0 && len(o.Checks) == 0 {
		return nil
	}
	for _, rs := range vs.RealServers {
		at := rs.Checked()
		if s := ordersOf(o, vs.Checked(), at); s != nil {
			if s.Drain != nil {
				if d, there, err := b.destination(ctx, vs, at); err == nil && there {
					s.Connections = connections(d)
				}
			}
			out = append(out, *s)
		}
	}
	return out
}

// ordersOf collects what is ordered of one real server, nil for nothing.
func ordersOf(o desired.Overrides, service string, at netip.AddrPort) *control.ServerOverrides {
	s := control.ServerOverrides{ServerOverride: o.Server(service, at)}
	for _, p := range o.Checks {
		if p.Service == service && p.Server == at {
			s.Checks = append(s.Checks, p)
		}
	}
	if s.Drain == nil && s.Weight == nil && s.Checks == nil {
		return nil
	}
	return &s
}

// dormant is what is ordered of real servers that are not configured.
func (b *balancer) dormant() []control.ServerOverrides {
	b.mu.Lock()
	defer b.mu.Unlock()
	var out []control.ServerOverrides
	seen := map[target]bool{}
	add := func(service string, at netip.AddrPort) {
		if id := (target{service, at, nil}); b.real(service, at) == nil && !seen[id] {
			seen[id] = true
			out = append(out, *ordersOf(b.overrides, service, at))
		}
	}
	for _, s := range b.overrides.Servers {
		add(s.Service, s.Server)
	}
	for _, p := range b.overrides.Checks {
		add(p.Service, p.Server)
	}
	return out
}
