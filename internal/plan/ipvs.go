package plan

import (
	"fmt"
	"net/netip"

	"github.com/tandem-ha/tandem/config"
	"github.com/tandem-ha/tandem/health"
	"github.com/tandem-ha/tandem/internal/desired"
	"github.com/tandem-ha/tandem/ipvs"
)

// table plans what becomes of the table of IPVS.
func (p *Plan) table(old, next *config.Config, s State) {
	// What the new configuration makes of mastership is not known yet: an
	// instance that stays keeps its state, by its new name.
	names := map[desired.RouterKey]string{}
	for _, in := range old.Instances {
		names[desired.KeyOf(in)] = in.Name
	}
	masters := map[string]bool{}
	for _, in := range next.Instances {
		if was, known := names[desired.KeyOf(in)]; known {
			masters[in.Name] = s.Master(was)
		}
	}
	before, _, marks := desired.Marked(old, s.Marks)
	after, _, _ := desired.Marked(next, marks)
	have := desired.Table(before, s.Pools, s.Master).Normal()
	want := desired.Table(after, pools(before, after, s.Pools), func(name string) bool { return masters[name] }).Normal()
	owned := func(ipvs.ServiceKey) bool { return true }
	for _, c := range ipvs.Diff(have, want, owned) {
		action := Modify
		switch c.Op {
		case ipvs.AddService, ipvs.AddDestination:
			action = Add
		case ipvs.DeleteService, ipvs.DeleteDestination:
			action = Remove
		}
		p.IPVS = append(p.IPVS, Step{action, c.String()})
		p.cut(c, have, s)
	}
}

// cut tells of connections that a change cuts off.
func (p *Plan) cut(c ipvs.Change, have ipvs.Table, s State) {
	if s.Connections == nil {
		return
	}
	key := c.Service.ServiceKey
	var n uint32
	switch c.Op {
	case ipvs.DeleteDestination:
		n = s.Connections(key, netip.AddrPortFrom(c.Destination.Addr, c.Destination.Port))
	case ipvs.DeleteService:
		for _, d := range have[key].Destinations {
			n += s.Connections(key, netip.AddrPortFrom(d.Addr, d.Port))
		}
	}
	if n > 0 {
		p.Traffic = append(p.Traffic, fmt.Sprintf("%s: cuts off %d established connections", c, n))
	}
}

// pools are those that a reload would come to before any new check has run: a
// server that stays is as it is, a new one serves unless its checks have to
// succeed first.
func pools(old, next []*config.VirtualServer, now map[string]health.Pool) map[string]health.Pool {
	before := map[string]*config.VirtualServer{}
	for _, vs := range old {
		before[vs.Checked()] = vs
	}
	out := map[string]health.Pool{}
	for _, vs := range next {
		var pool health.Pool
		for _, rs := range vs.RealServers {
			if m, in := member(before[vs.Checked()], rs, now[vs.Checked()]); in {
				pool = append(pool, m)
			}
		}
		for _, m := range now[vs.Checked()] {
			if m.Sorry && vs.Sorry != nil && m.Addr == vs.Sorry.Addr && m.Port == vs.Sorry.Port {
				pool = append(pool, m)
			}
		}
		out[vs.Checked()] = pool
	}
	return out
}

// member is what a real server is in the pool of its service after a reload.
func member(vs *config.VirtualServer, rs *config.RealServer, pool health.Pool) (health.Member, bool) {
	fresh := health.Member{Addr: rs.Addr, Port: rs.Port, Weight: rs.Weight}
	var was *config.RealServer
	if vs != nil {
		was = desired.RealServer(vs, rs.Addr, rs.Port)
	}
	if was == nil {
		for _, c := range rs.Checks {
			if c.Alpha {
				fresh.Weight, fresh.Inhibited = 0, true
				return fresh, rs.InhibitOnFailure
			}
		}
		return fresh, true
	}
	for _, m := range pool {
		if m.Sorry || m.Addr != rs.Addr || m.Port != rs.Port {
			continue
		}
		if m.Weight == was.Weight {
			m.Weight = rs.Weight
		}
		return m, true
	}
	return fresh, false
}
