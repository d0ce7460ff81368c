package metrics

import (
	"net/netip"

	"github.com/tandem-ha/tandem/health"
	"github.com/tandem-ha/tandem/ipvs"
)

// serviceFamilies are tandem's own metrics of virtual servers: what the checks
// make of them, and what the kernel counts.
func serviceFamilies() []family {
	one, two := []string{"virtual_server"}, []string{"virtual_server", "real_server"}
	servers := func(value func(health.ServerStatus) float64) func(*snapshot, emit) {
		return func(s *snapshot, out emit) {
			for _, v := range s.Services {
				for _, r := range v.Servers {
					if !r.Sorry {
						out(value(r), v.Name, netip.AddrPortFrom(r.Addr, r.Port).String())
					}
				}
			}
		}
	}
	return []family{
		gauge("tandem_virtual_server_quorum_up", "Whether a virtual server has its quorum.", one, func(s *snapshot, out emit) {
			for _, v := range s.Services {
				out(boolean(v.QuorumUp), v.Name)
			}
		}),
		gauge("tandem_virtual_server_live_weight", "The weight of the real servers that are up.", one, func(s *snapshot, out emit) {
			for _, v := range s.Services {
				out(float64(v.LiveWeight), v.Name)
			}
		}),
		gauge("tandem_virtual_server_overrides", "Real servers and checks that an operator has ordered to be otherwise than configured.", one, func(s *snapshot, out emit) {
			for _, v := range s.Services {
				out(float64(len(v.Overrides)), v.Name)
			}
		}),
		gauge("tandem_virtual_server_sorry", "Whether the sorry server serves.", one, func(s *snapshot, out emit) {
			for _, v := range s.Services {
				for _, r := range v.Servers {
					if r.Sorry {
						out(boolean(r.InPool), v.Name)
					}
				}
			}
		}),
		gauge("tandem_real_server_up", "Whether no check of a real server fails.", two,
			servers(func(r health.ServerStatus) float64 { return boolean(r.Up) })),
		gauge("tandem_real_server_weight", "The effective weight of a real server.", two,
			servers(func(r health.ServerStatus) float64 { return float64(r.Weight) })),
		gauge("tandem_real_server_in_pool", "Whether a real server is in the kernel's pool.", two,
			servers(func(r health.ServerStatus) float64 { return boolean(r.InPool) })),
		gauge("tandem_real_server_check_failures", "Failures in a row of a real server's checks.", two,
			servers(func(r health.ServerStatus) float64 {
				n := 0
				for _, c := range r.Checks {
					n = max(n, c.Failures)
				}
				return float64(n)
			})),
		traffic("tandem_ipvs_connections_total", "Connections to a real server.", func(d ipvs.DestinationStats) uint64 { return d.Connections }),
		traffic("tandem_ipvs_in_packets_total", "Packets to a real server.", func(d ipvs.DestinationStats) uint64 { return d.InPackets }),
		traffic("tandem_ipvs_out_packets_total", "Packets from a real server that came back this way.", func(d ipvs.DestinationStats) uint64 { return d.OutPackets }),
		traffic("tandem_ipvs_in_bytes_total", "Bytes to a real server.", func(d ipvs.DestinationStats) uint64 { return d.InBytes }),
		traffic("tandem_ipvs_out_bytes_total", "Bytes from a real server that came back this way.", func(d ipvs.DestinationStats) uint64 { return d.OutBytes }),
		gauge("tandem_ipvs_active_connections", "Connections of a real server that are established.", two,
			destinations(func(d ipvs.DestinationStats) uint64 { return uint64(d.Active) })),
		gauge("tandem_ipvs_inactive_connections", "Connections of a real server that are opening or closing.", two,
			destinations(func(d ipvs.DestinationStats) uint64 { return uint64(d.Inactive) })),
		gauge("tandem_ipvs_error", "Whether something keeps the kernel's table from being kept.", nil, func(s *snapshot, out emit) {
			out(boolean(s.IPVS != "" || s.usageErr != nil))
		}),
	}
}

func traffic(name, help string, value func(ipvs.DestinationStats) uint64) family {
	return counter(name, help, []string{"virtual_server", "real_server"}, destinations(value))
}

// destinations gives a value of each destination of the services that the
// configuration knows, under the name that it has there.
func destinations(value func(ipvs.DestinationStats) uint64) func(*snapshot, emit) {
	return func(s *snapshot, out emit) {
		names := map[ipvs.ServiceKey]string{}
		for _, v := range s.Services {
			names[v.Key] = v.Name
		}
		for _, u := range s.usage {
			name, ours := names[u.ServiceKey]
			if !ours {
				continue
			}
			for _, d := range u.Destinations {
				out(float64(value(d.Stats)), name, netip.AddrPortFrom(d.Addr, d.Port).String())
			}
		}
	}
}
