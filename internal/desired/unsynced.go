package desired

import (
	"net/netip"
	"slices"

	"github.com/tandem-ha/tandem/config"
	"github.com/tandem-ha/tandem/internal/host"
)

// Awaits is whether connections of the kernel that was master are still to come
// by the sync daemon when this node becomes master of an instance.
func Awaits(cfg *config.Config, instance string) bool {
	sync := cfg.Global.LVS.Sync
	return sync != nil && sync.Instance == instance
}

// Unsynced gives what is to be dropped behind IPVS while connections are still to
// come: what is sent to the services, which are those of the kernel's table, and
// the untranslated answers of their real servers. A service that hands packets to
// this host itself leaves them to be answered, and a real server without a port
// has other connections, too.
func Unsynced(services []*config.VirtualServer, master func(instance string) bool, here func(netip.Addr) bool) host.UnsyncedRules {
	var r host.UnsyncedRules
	servers := map[netip.AddrPort]bool{}
	answer := func(at netip.AddrPort, f config.Forwarding) {
		if f.Method == "NAT" && at.Port() != 0 && !servers[at] {
			servers[at] = true
			r.Servers = append(r.Servers, at)
		}
	}
	for _, vs := range services {
		if vs.FollowInstance != "" && !master(vs.FollowInstance) || vs.FWMark == 0 && vs.Protocol != "TCP" {
			continue
		}
		switch {
		case stays(vs, here):
		case vs.FWMark != 0:
			if m := (host.FamilyMark{Mark: vs.FWMark, IPv6: vs.IPv6}); !slices.Contains(r.Marks, m) {
				r.Marks = append(r.Marks, m)
			}
		default:
			r.Services = append(r.Services, netip.AddrPortFrom(vs.Addr, vs.Port))
		}
		for _, rs := range vs.RealServers {
			answer(netip.AddrPortFrom(rs.Addr, rs.Port), rs.Forwarding)
		}
		if vs.Sorry != nil {
			answer(netip.AddrPortFrom(vs.Sorry.Addr, vs.Sorry.Port), vs.Sorry.Forwarding)
		}
	}
	return r
}

// stays is whether a service may hand packets, as they are, to this host.
func stays(vs *config.VirtualServer, here func(netip.Addr) bool) bool {
	local := func(a netip.Addr, f config.Forwarding) bool { return f.Method != "NAT" && (a.IsLoopback() || here(a)) }
	return vs.Sorry != nil && local(vs.Sorry.Addr, vs.Sorry.Forwarding) ||
		slices.ContainsFunc(vs.RealServers, func(rs *config.RealServer) bool { return local(rs.Addr, rs.Forwarding) })
}
