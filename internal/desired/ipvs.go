package desired

import (
	"net/netip"

	"golang.org/x/sys/unix"

	"github.com/tandem-ha/tandem/config"
	"github.com/tandem-ha/tandem/health"
	"github.com/tandem-ha/tandem/ipvs"
)

// The kernel's numbers of include/uapi/linux/ip_vs.h that a configuration
// turns into.
const (
	tunnelGUE     = 1   // IP_VS_CONN_F_TUNNEL_TYPE_GUE
	tunnelGRE     = 2   // IP_VS_CONN_F_TUNNEL_TYPE_GRE
	encapChecksum = 0x1 // IP_VS_TUNNEL_ENCAP_FLAG_CSUM
	encapRemote   = 0x2 // IP_VS_TUNNEL_ENCAP_FLAG_REMCSUM
)

// ServiceKey gives the kernel's identity of a virtual server.
func ServiceKey(vs *config.VirtualServer) ipvs.ServiceKey {
	if vs.FWMark != 0 {
		return ipvs.ServiceKey{IPv6: vs.IPv6, FWMark: vs.FWMark}
	}
	return ipvs.ServiceKey{IPv6: vs.IPv6, Protocol: protocol(vs.Protocol), Addr: vs.Addr, Port: vs.Port}
}

func protocol(name string) uint16 {
	switch name {
	case "TCP":
		return unix.IPPROTO_TCP
	case "SCTP":
		return unix.IPPROTO_SCTP
	default:
		return unix.IPPROTO_UDP
	}
}

// Table gives the table of IPVS: every virtual server with the pool that its
// health checks allow. A server that follows an instance is in it only while
// this node is that instance's master.
func Table(services []*config.VirtualServer, pools map[string]health.Pool, master func(instance string) bool) ipvs.Table {
	t := make(ipvs.Table, len(services))
	for _, vs := range services {
		if vs.FollowInstance != "" && !master(vs.FollowInstance) {
			continue
		}
		e := ipvs.Entry{Service: service(vs)}
		e.Destinations = poolDestinations(vs, pools[vs.Checked()])
		t[e.ServiceKey] = e
	}
	return t
}

// Globals gives what the kernel's IPVS should have beside its table. A sync
// daemon that follows an instance sends while this node is its master and
// receives otherwise; one that follows none does both.
func Globals(cfg *config.Config, master func(instance string) bool) ipvs.Globals {
	lvs := cfg.Global.LVS
	g := ipvs.Globals{Timeouts: ipvs.Timeouts{TCP: lvs.Timeouts.TCP, TCPFin: lvs.Timeouts.TCPFin, UDP: lvs.Timeouts.UDP}}
	if lvs.Sync == nil {
		return g
	}
	parts := []ipvs.DaemonState{ipvs.DaemonMaster, ipvs.DaemonBackup}
	if lvs.Sync.Instance != "" && master(lvs.Sync.Instance) {
		parts = parts[:1]
	} else if lvs.Sync.Instance != "" {
		parts = parts[1:]
	}
	for _, part := range parts {
		g.Daemons = append(g.Daemons, ipvs.Daemon{
			State:     part,
			Interface: lvs.Sync.Interface,
			SyncID:    uint32(lvs.Sync.ID),
			MaxLen:    uint16(lvs.Sync.MaxLength),
			Group:     lvs.Sync.Group,
			Port:      lvs.Sync.Port,
			TTL:       uint8(lvs.Sync.TTL),
		})
	}
	return g
}

func service(vs *config.VirtualServer) ipvs.Service {
	s := ipvs.Service{
		ServiceKey: ServiceKey(vs),
		Scheduler:  vs.Scheduler,
		Flags:      vs.SchedulerFlags,
		Timeout:    vs.PersistenceTimeout,
		Netmask:    vs.PersistenceNetmask,
		Engine:     vs.PersistenceEngine,
	}
	if s.Timeout > 0 {
		s.Flags |= ipvs.FlagPersistent
	}
	return s
}

// poolDestinations are those of a pool that the service has: one for a group may be
// of another family than some of the group's servers.
func poolDestinations(vs *config.VirtualServer, pool health.Pool) []ipvs.Destination {
	out := make([]ipvs.Destination, 0, len(pool))
	find := finder(vs.RealServers)
	for _, m := range pool {
		d := ipvs.Destination{Weight: uint32(m.Weight)}
		if m.Sorry {
			if vs.Sorry == nil {
				continue
			}
			d.DestinationKey = ipvs.DestinationKey{Addr: vs.Sorry.Addr, Port: vs.Sorry.Port}
			forward(&d, vs.Sorry.Forwarding)
			out = append(out, d)
			continue
		}
		rs := find(netip.AddrPortFrom(m.Addr, m.Port))
		if rs == nil {
			continue
		}
		d.DestinationKey = ipvs.DestinationKey{Addr: rs.Addr, Port: rs.Port}
		forward(&d, rs.Forwarding)
		d.UpperThreshold, d.LowerThreshold = rs.UpperThreshold, rs.LowerThreshold
		out = append(out, d)
	}
	return out
}

// finder looks up real servers by what they are checked by. A pool is in the
// order of the configuration, so that the next one asked for is mostly the next.
func finder(servers []*config.RealServer) func(netip.AddrPort) *config.RealServer {
	next := 0
	return func(at netip.AddrPort) *config.RealServer {
		for range servers {
			rs := servers[next]
			if next++; next == len(servers) {
				next = 0
			}
			if rs.Checked() == at {
				return rs
			}
		}
		return nil
	}
}

// RealServer finds a virtual server's real server by what it is checked by.
func RealServer(vs *config.VirtualServer, addr netip.Addr, port uint16) *config.RealServer {
	return finder(vs.RealServers)(netip.AddrPortFrom(addr, port))
}

func forward(d *ipvs.Destination, f config.Forwarding) {
	switch f.Method {
	case "DR":
		d.Forward = ipvs.Route
	case "TUN":
		d.Forward = ipvs.Tunnel
	default:
		d.Forward = ipvs.NAT
	}
	switch f.TunnelType {
	case "gue":
		d.TunnelType, d.TunnelPort = tunnelGUE, f.TunnelPort
	case "gre":
		d.TunnelType = tunnelGRE
	}
	switch f.Checksum {
	case "csum":
		d.TunnelFlags = encapChecksum
	case "remcsum":
		d.TunnelFlags = encapRemote
	}
}
