package desired

import (
	"net/netip"
	"slices"

	"github.com/tandem-ha/tandem/config"
)

// Mark is what nftables_ipvs has the packet filter do: packets of a protocol to
// a port of the addresses from First to Last get a firewall mark.
type Mark struct {
	Protocol    string
	First, Last netip.Addr
	// Port is 0 for any.
	Port uint16
	Mark uint32
}

// Marked are the services as the kernel's table has them where the packet filter
// marks the packets for groups: the addresses of a group in each family are one
// service, for a mark. Without nftables_ipvs they are those of the configuration.
//
// before are the marks that groups have had; they keep them, so that a group
// that comes or goes costs no other its connections. after are those of now.
func Marked(cfg *config.Config, before map[string]uint32) (services []*config.VirtualServer, marks []Mark, after map[string]uint32) {
	f := cfg.Global.Firewall
	if f.IPVSTable == "" {
		return cfg.VirtualServers, nil, nil
	}
	after = map[string]uint32{}
	taken, marked := map[uint32]bool{}, map[string]bool{}
	for _, vs := range cfg.VirtualServers {
		switch mark, had := before[vs.Group]; {
		case vs.FWMark != 0:
			taken[vs.FWMark] = true
			// As in keepalived, a group with a mark of its own stays as it is.
			marked[vs.Group] = true
		case vs.Group != "" && had && mark >= f.IPVSMark:
			after[vs.Group] = mark
		}
	}
	for _, mark := range after {
		taken[mark] = true
	}
	next := f.IPVSMark
	type part struct {
		group string
		ipv6  bool
	}
	done := map[part]bool{}
	for _, vs := range cfg.VirtualServers {
		if vs.Group == "" || marked[vs.Group] {
			services = append(services, vs)
			continue
		}
		mark := after[vs.Group]
		if mark == 0 {
			for taken[next] {
				next++
			}
			mark = next
			taken[mark], after[vs.Group] = true, mark
		}
		marks = addMark(marks, Mark{Protocol: vs.Protocol, First: vs.Addr, Last: vs.Addr, Port: vs.Port, Mark: mark})
		if p := (part{vs.Group, vs.IPv6}); !done[p] {
			done[p] = true
			services = append(services, forMark(vs, mark))
		}
	}
	return services, marks, after
}

// addMark adds one, to the last where that ends just below it.
func addMark(marks []Mark, m Mark) []Mark {
	if n := len(marks); n > 0 {
		if last := &marks[n-1]; last.Last.Next() == m.First && last.Protocol == m.Protocol && last.Port == m.Port && last.Mark == m.Mark {
			last.Last = m.Last
			return marks
		}
	}
	return append(marks, m)
}

// forMark is a service of a group as it is for the group's mark: its servers
// have the ports that their blocks give them where the method can change it.
func forMark(vs *config.VirtualServer, mark uint32) *config.VirtualServer {
	out := *vs
	out.Addr, out.Port, out.FWMark = netip.Addr{}, 0, mark
	out.RealServers = slices.Clone(vs.RealServers)
	for i, r := range out.RealServers {
		server := *r
		if server.Port = 0; server.Forwarding.Method == "NAT" {
			server.Port = r.Checked().Port()
		}
		out.RealServers[i] = &server
	}
	if out.Sorry != nil && out.Sorry.Forwarding.Method != "NAT" {
		sorry := *out.Sorry
		sorry.Port = 0
		out.Sorry = &sorry
	}
	return &out
}
