package agent

import (
	"context"
	"fmt"
	"maps"
	"net/netip"
	"time"

	"github.com/tandem-ha/tandem/config"
	"github.com/tandem-ha/tandem/internal/control"
	"github.com/tandem-ha/tandem/internal/plan"
	"github.com/tandem-ha/tandem/ipvs"
	"github.com/tandem-ha/tandem/vrrp"
)

// Plan says what a reload would change, and changes nothing.
func (a *Agent) Plan(ctx context.Context) control.PlanResponse {
	a.reloading.Lock()
	defer a.reloading.Unlock()
	old := a.conf.Load()
	if old == nil {
		return control.PlanResponse{Err: "tandem is still starting"}
	}
	cfg, diagnostics := a.load()
	r := control.PlanResponse{Diagnostics: diagnostics, Err: a.refusal(old.config, cfg, diagnostics)}
	if r.Err != "" {
		return r
	}
	p, err := a.plan(ctx, old.config, cfg)
	if err != nil {
		r.Err = err.Error()
		return r
	}
	r.OK, r.Plan = true, &p
	return r
}

// otherThan says why a reload would not do what the plan of that ID has said, ""
// where it would.
func (a *Agent) otherThan(ctx context.Context, id string, old, next *config.Config) string {
	p, err := a.plan(ctx, old, next)
	switch {
	case err != nil:
		return err.Error()
	case p.ID != id:
		return fmt.Sprintf("a reload would not do what plan %s showed, since the file or this node's state has changed; plan %s is what it would do now", id, p.ID)
	}
	return ""
}

// plan compares two configurations for the node as it is.
func (a *Agent) plan(ctx context.Context, old, next *config.Config) (plan.Plan, error) {
	masters := map[string]bool{}
	s := plan.State{Master: func(name string) bool { return masters[name] }}
	if !a.elector.do(ctx, func(time.Time) {
		for name, in := range a.elector.index.byName {
			masters[name] = in.router.Status().State == vrrp.Master
		}
		s.VRF = a.elector.vrfTable
	}) {
		return plan.Plan{}, errStopped
	}
	a.balancer.tell(&s)
	// Without the kernel's counters a plan tells less of the traffic.
	if usage, err := a.table.Usage(ctx); err == nil {
		s.Connections = established(usage)
	}
	return plan.Make(old, next, s), nil
}

// tell gives a plan what the balancer knows.
func (b *balancer) tell(s *plan.State) {
	b.mu.Lock()
	defer b.mu.Unlock()
	s.Pools = maps.Clone(b.overrides.Pools(b.pools))
	s.Marks = maps.Clone(b.marks.groups)
}

// established counts the connections of each destination.
func established(usage []ipvs.ServiceUsage) func(ipvs.ServiceKey, netip.AddrPort) uint32 {
	type destination struct {
		service ipvs.ServiceKey
		server  netip.AddrPort
	}
	counts := map[destination]uint32{}
	for _, u := range usage {
		for _, d := range u.Destinations {
			counts[destination{u.ServiceKey, netip.AddrPortFrom(d.Addr, d.Port)}] = d.Stats.Active
		}
	}
	return func(k ipvs.ServiceKey, server netip.AddrPort) uint32 { return counts[destination{k, server}] }
}
