package desired

import (
	"cmp"
	"net/netip"
	"slices"
	"time"

	"github.com/tandem-ha/tandem/health"
)

// Override says who ordered that something is otherwise than configured, when and
// why.
type Override struct {
	Since time.Time `json:"since"`
	// By is who ordered it, as the journal names them.
	By string `json:"by"`
	// Reason is why, as the order says; empty where it does not.
	Reason string `json:"reason,omitempty"`
}

// Overrides are all that operators have ordered to be otherwise than configured,
// until they order the contrary. Holds and forced priorities are not among them:
// those are the routers' own. Values are not changed; a change makes a new one.
type Overrides struct {
	// Maintenance keeps this node from becoming master; nil is none.
	Maintenance *Override        `json:"maintenance,omitempty"`
	Servers     []ServerOverride `json:"servers,omitempty"`
	Checks      []CheckPause     `json:"checks,omitempty"`
}

// ServerOverride is what is ordered of one real server.
type ServerOverride struct {
	// Service is the virtual server's name, as logs have it.
	Service string         `json:"virtual_server"`
	Server  netip.AddrPort `json:"server"`
	// Drain gives it the weight 0, whatever Weight says; nil is none.
	Drain *Override `json:"drain,omitempty"`
	// Weight takes the place of the weight that configuration and checks give it.
	Weight *WeightOverride `json:"weight,omitempty"`
}

// WeightOverride is a weight that is ordered.
type WeightOverride struct {
	Override
	Weight int `json:"weight"`
}

// CheckPause is a check that is not made.
type CheckPause struct {
	Service string         `json:"virtual_server"`
	Server  netip.AddrPort `json:"server"`
	// Kind and Target name the check, as its status does.
	Kind   string `json:"check"`
	Target string `json:"target"`
	// Failed is how the check counted when it was paused, and counts since.
	Failed bool `json:"failed,omitempty"`
	Override
}

// Server is what is ordered of a real server, empty where nothing is.
func (o Overrides) Server(service string, server netip.AddrPort) ServerOverride {
	if i := o.server(service, server); i >= 0 {
		return o.Servers[i]
	}
	return ServerOverride{Service: service, Server: server}
}

func (o Overrides) server(service string, server netip.AddrPort) int {
	return slices.IndexFunc(o.Servers, func(s ServerOverride) bool { return s.Service == service && s.Server == server })
}

// WithServer is o with what is now ordered of one real server.
func (o Overrides) WithServer(s ServerOverride) Overrides {
	o.Servers = slices.Clone(o.Servers)
	i := o.server(s.Service, s.Server)
	switch empty := s.Drain == nil && s.Weight == nil; {
	case i >= 0 && empty:
		o.Servers = slices.Delete(o.Servers, i, i+1)
	case i >= 0:
		o.Servers[i] = s
	case !empty:
		o.Servers = append(o.Servers, s)
	}
	slices.SortFunc(o.Servers, func(a, b ServerOverride) int {
		return cmp.Or(cmp.Compare(a.Service, b.Service), a.Server.Compare(b.Server))
	})
	return o
}

// Paused is the pause of a check, and false where there is none.
func (o Overrides) Paused(service string, server netip.AddrPort, kind, target string) (CheckPause, bool) {
	for _, p := range o.Checks {
		if p.same(CheckPause{Service: service, Server: server, Kind: kind, Target: target}) {
			return p, true
		}
	}
	return CheckPause{}, false
}

func (p CheckPause) same(q CheckPause) bool {
	return p.Service == q.Service && p.Server == q.Server && p.Kind == q.Kind && p.Target == q.Target
}

// WithPause is o with a check paused, or not.
func (o Overrides) WithPause(p CheckPause, on bool) Overrides {
	o.Checks = slices.DeleteFunc(slices.Clone(o.Checks), p.same)
	if on {
		o.Checks = append(o.Checks, p)
	}
	slices.SortFunc(o.Checks, func(a, b CheckPause) int {
		return cmp.Or(cmp.Compare(a.Service, b.Service), a.Server.Compare(b.Server), cmp.Compare(a.Kind, b.Kind), cmp.Compare(a.Target, b.Target))
	})
	return o
}

// weight is what a real server's weight becomes.
func (s ServerOverride) weight(weight int) int {
	switch {
	case s.Drain != nil:
		return 0
	case s.Weight != nil:
		return s.Weight.Weight
	default:
		return weight
	}
}

// Pools are the pools with the weights that are ordered. Whether a server is in
// its pool, and whether with a weight at all, is for its checks to say.
func (o Overrides) Pools(pools map[string]health.Pool) map[string]health.Pool {
	out := make(map[string]health.Pool, len(pools))
	for name, pool := range pools {
		out[name] = pool
	}
	for _, s := range o.Servers {
		pool := slices.Clone(out[s.Service])
		for i, m := range pool {
			if !m.Sorry && !m.Inhibited && netip.AddrPortFrom(m.Addr, m.Port) == s.Server {
				pool[i].Weight = s.weight(m.Weight)
			}
		}
		if _, known := pools[s.Service]; known {
			out[s.Service] = pool
		}
	}
	return out
}

// Pause is the settings of the checks with the paused ones marked.
func (o Overrides) Pause(services []health.ServiceConfig) []health.ServiceConfig {
	if len(o.Checks) == 0 {
		return services
	}
	out := slices.Clone(services)
	for i := range out {
		out[i].Servers = slices.Clone(out[i].Servers)
		for j := range out[i].Servers {
			server := &out[i].Servers[j]
			server.Checks = slices.Clone(server.Checks)
			for k := range server.Checks {
				c := &server.Checks[k]
				p, paused := o.Paused(out[i].Name, netip.AddrPortFrom(server.Addr, server.Port), c.Kind, c.Target())
				c.Paused, c.PausedFailed = paused && !c.Follows(), p.Failed
			}
		}
	}
	return out
}
