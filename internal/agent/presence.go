package agent

import (
	"net/netip"
	"slices"

	"github.com/tandem-ha/tandem/config"
	"github.com/tandem-ha/tandem/health"
	"github.com/tandem-ha/tandem/internal/host"
)

// presence is which addresses are on this host, by the index of their links.
type presence map[int][]netip.Prefix

// has says whether an address is on any link.
func (p presence) has(addr netip.Addr) bool {
	for _, prefixes := range p {
		if slices.ContainsFunc(prefixes, func(x netip.Prefix) bool { return x.Addr() == addr }) {
			return true
		}
	}
	return false
}

// hostEvent takes note of the addresses of this host, by which ha_suspend goes.
func (b *balancer) hostEvent(ev host.Event) {
	b.mu.Lock()
	switch ev := ev.(type) {
	case host.LinkChanged:
		b.links[ev.Link.Index] = ev.Link.Addresses
	case host.LinkGone:
		delete(b.links, ev.Index)
	}
	concerned := slices.ContainsFunc(b.conf.VirtualServers, func(vs *config.VirtualServer) bool { return vs.HASuspend })
	b.mu.Unlock()
	if concerned {
		b.kick()
	}
}

// suspend has the checks of the services with ha_suspend run only while the
// address is here, of a group while one of its addresses is.
func (b *balancer) suspend() {
	if len(b.suspensions()) == 0 {
		// What is being given its checks need not be waited for.
		return
	}
	b.applying.Lock()
	defer b.applying.Unlock()
	for name, suspended := range b.suspensions() {
		b.scheduler.Suspend(name, suspended)
	}
}

// suspensions are the services with ha_suspend, and whether their checks are to be
// put off.
func (b *balancer) suspensions() map[string]bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	var on map[string]bool
	for _, vs := range b.conf.VirtualServers {
		if vs.HASuspend {
			if on == nil {
				on = map[string]bool{}
			}
			name := vs.Checked()
			on[name] = b.suspended(name)
		}
	}
	return on
}

// suspendServices notes in the settings of checks which are to be put off. The
// lock is held.
func (b *balancer) suspendServices(services []health.ServiceConfig) []health.ServiceConfig {
	for i := range services {
		services[i].Suspended = b.suspended(services[i].Name)
	}
	return services
}

// suspended says whether the checks of a service are to be put off. The lock is
// held.
func (b *balancer) suspended(name string) bool {
	vs := b.byName[name]
	if vs == nil || !vs.HASuspend {
		return false
	}
	if vs.Group == "" {
		return !b.links.has(vs.Addr)
	}
	return !slices.ContainsFunc(b.conf.VirtualServers, func(member *config.VirtualServer) bool {
		return member.Group == vs.Group && b.links.has(member.Addr)
	})
}
