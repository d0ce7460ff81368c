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
func Table(cfg *config.Config, pools map[string]health.Pool, master func(instance string) bool) ipvs.Table {
	t := ipvs.Table{}
	for _, vs := range cfg.VirtualServers {
		if vs.FollowInstance != "" && !master(vs.FollowInstance) {
			continue
		}
		e := ipvs.Entry{Service: service(vs)}
		for _, m := range pools[vs.Name] {
			e.Destinations = append(e.Destinations, destination(vs, m))
		}
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

func destination(vs *config.VirtualServer, m health.Member) ipvs.Destination {
	d := ipvs.Destination{
		DestinationKey: ipvs.DestinationKey{Addr: m.Addr, Port: m.Port},
		Weight:         uint32(m.Weight),
	}
	if m.Sorry && vs.Sorry != nil {
		forward(&d, vs.Sorry.Forwarding)
		return d
	}
	if rs := RealServer(vs, m.Addr, m.Port); rs != nil {
		forward(&d, rs.Forwarding)
		d.UpperThreshold, d.LowerThreshold = rs.UpperThreshold, rs.LowerThreshold
	}
	return d
}

// RealServer finds a virtual server's real server by address and port.
func RealServer(vs *config.VirtualServer, addr netip.Addr, port uint16) *config.RealServer {
	for _, rs := range vs.RealServers {
		if rs.Addr == addr && rs.Port == port {
			return rs
		}
	}
	return nil
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
