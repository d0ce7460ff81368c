package desired

import (
	"net/netip"

	"github.com/tandem-ha/tandem/config"
)

// company is what is checked as one: a virtual server, or the services that a
// virtual_server for a group was expanded into, whose servers are the same but
// for what follows from each address: the family, the port.
type company []*config.VirtualServer

// companies gathers services in configured order.
func companies(services []*config.VirtualServer) []company {
	out := make([]company, 0, len(services))
	at := map[string]int{}
	for _, vs := range services {
		if vs.Group != "" {
			if i, known := at[vs.Group]; known {
				out[i] = append(out[i], vs)
				continue
			}
			at[vs.Group] = len(out)
		}
		out = append(out, company{vs})
	}
	return out
}

// servers are the real servers of all the services, each once: as the first
// service that it serves has it.
func (c company) servers() []*config.RealServer {
	if len(c) == 1 {
		return c[0].RealServers
	}
	seen := map[netip.AddrPort]bool{}
	var out []*config.RealServer
	for _, vs := range c {
		for _, rs := range vs.RealServers {
			if !seen[rs.Checked()] {
				seen[rs.Checked()] = true
				out = append(out, rs)
			}
		}
	}
	return out
}

// protocol is that of the services, by which logs name the servers: empty where
// all of them are for marks.
func (c company) protocol() string {
	for _, vs := range c {
		if vs.FWMark == 0 {
			return vs.Protocol
		}
	}
	return ""
}
