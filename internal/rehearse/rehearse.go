// Package rehearse makes of configurations the scenario of a simulation: which nodes
// there are, what their virtual routers are, and where their adverts come from. It is
// pure.
package rehearse

import (
	"fmt"
	"net/netip"
	"slices"

	"github.com/tandem-ha/tandem/config"
	"github.com/tandem-ha/tandem/internal/desired"
	"github.com/tandem-ha/tandem/vrrp"
	"github.com/tandem-ha/tandem/vrrp/sim"
)

// Node is a node and what its file says.
type Node struct {
	Name   string
	Config *config.Config
}

// Nodes makes the nodes of a scenario, and says what was assumed where the files do not
// say it. The error says that there is nothing to simulate.
func Nodes(list []Node) ([]sim.Node, []string, error) {
	b := builder{list: list, invented: map[netip.Addr]bool{}}
	out := make([]sim.Node, 0, len(list))
	for i, n := range list {
		node := sim.Node{Name: n.Name, Groups: b.groups(i)}
		if len(node.Groups) == 0 {
			return nil, nil, fmt.Errorf("%s has no vrrp_instance", n.Name)
		}
		out = append(out, node)
	}
	b.joinPeers(out)
	return out, b.notes, nil
}

type builder struct {
	list  []Node
	notes []string
	// invented are the sources that are made up.
	invented map[netip.Addr]bool
}

func (b *builder) note(format string, args ...any) {
	if text := fmt.Sprintf(format, args...); !slices.Contains(b.notes, text) {
		b.notes = append(b.notes, text)
	}
}

// groups are a node's sync groups, and each other instance by itself.
func (b *builder) groups(i int) []sim.Group {
	cfg := b.list[i].Config
	var out []sim.Group
	grouped := map[string]bool{}
	for _, sg := range cfg.SyncGroups {
		g := sim.Group{Name: sg.Name}
		for _, in := range cfg.Instances {
			if slices.Contains(sg.Members, in.Name) && !grouped[in.Name] {
				grouped[in.Name] = true
				g.Members = append(g.Members, b.member(i, in))
			}
		}
		if len(g.Members) > 0 {
			out = append(out, g)
		}
	}
	for _, in := range cfg.Instances {
		if !grouped[in.Name] {
			out = append(out, sim.Group{Members: []sim.Member{b.member(i, in)}})
		}
	}
	return out
}

// member is one instance.
func (b *builder) member(i int, in *config.Instance) sim.Member {
	m := sim.Member{Config: desired.Router(b.list[i].Config.Global, in), Interface: in.Interface, Source: b.source(i, in)}
	if b.several(in) {
		m.Network = in.Interface
	}
	if in.Takeover != nil {
		b.note("what takeover_requires names answers, but to a node that is cut off or blind")
	}
	return m
}

// several is whether some node has more than one virtual router of this number and
// family, which their interfaces tell apart then.
func (b *builder) several(in *config.Instance) bool {
	for _, n := range b.list {
		alike := 0
		for _, other := range n.Config.Instances {
			if sameRouter(in, other) {
				alike++
			}
		}
		if alike > 1 {
			return true
		}
	}
	return false
}

func sameRouter(a, b *config.Instance) bool { return a.VRID == b.VRID && a.IPv6 == b.IPv6 }

// source is where a node's adverts come from: what its file says, or what the others
// list as their peer and it does not, or else an address that is made up.
func (b *builder) source(i int, in *config.Instance) netip.Addr {
	if in.Source.IsValid() && b.only(i, in) {
		return in.Source
	}
	if a := b.listedByOthers(i, in); a.IsValid() {
		return a
	}
	b.note("addresses that adverts come from are made up, rising from node to node; they decide between equal priorities")
	a := netip.AddrFrom4([4]byte{192, 0, 2, byte(i + 1)})
	if in.IPv6 {
		a = netip.AddrFrom16([16]byte{0xfe, 0x80, 15: byte(i + 1)})
	}
	b.invented[a] = true
	return a
}

// only is whether no other node has the instance's source address too, as where one
// file stands for several nodes.
func (b *builder) only(i int, in *config.Instance) bool {
	for j, n := range b.list {
		for _, other := range n.Config.Instances {
			if j != i && sameRouter(in, other) && other.Source == in.Source {
				return false
			}
		}
	}
	return true
}

// listedByOthers is the one address that all others list as a peer, and this node does
// not.
func (b *builder) listedByOthers(i int, in *config.Instance) netip.Addr {
	var found []netip.Addr
	first := true
	for j, n := range b.list {
		for _, other := range n.Config.Instances {
			if j == i || !sameRouter(in, other) {
				continue
			}
			var theirs []netip.Addr
			for _, p := range other.Peers {
				if !lists(in, p.Addr) && (first || slices.Contains(found, p.Addr)) {
					theirs = append(theirs, p.Addr)
				}
			}
			found, first = theirs, false
		}
	}
	if len(found) != 1 {
		return netip.Addr{}
	}
	return found[0]
}

func lists(in *config.Instance, a netip.Addr) bool {
	return slices.ContainsFunc(in.Peers, func(p config.UnicastPeer) bool { return p.Addr == a })
}

// joinPeers makes the nodes each other's peers where unicast peers are found while the
// program runs, or where the files list addresses that no node has and do not say which
// they have.
func (b *builder) joinPeers(nodes []sim.Node) {
	members := func(yield func(n int, m *sim.Member) bool) {
		for n := range nodes {
			for g := range nodes[n].Groups {
				for m := range nodes[n].Groups[g].Members {
					if !yield(n, &nodes[n].Groups[g].Members[m]) {
						return
					}
				}
			}
		}
	}
	for n, m := range members {
		if !m.Config.Unicast {
			continue
		}
		var all []netip.Addr
		for k, other := range members {
			if k != n && other.Config.VRID == m.Config.VRID && other.Config.IPv6 == m.Config.IPv6 && other.Network == m.Network {
				all = append(all, other.Source)
			}
		}
		known := slices.ContainsFunc(m.Config.Peers, func(p vrrp.Peer) bool { return slices.Contains(all, p.Addr) })
		unknown := slices.ContainsFunc(all, func(a netip.Addr) bool { return b.invented[a] })
		if len(all) == 0 || b.fromFile(n, m.Config.Name) && (known || !unknown) {
			if len(all) > 0 && !known {
				b.note("%s of %s sends to none of the other nodes", m.Config.Name, nodes[n].Name)
			}
			continue
		}
		b.note("the nodes are taken to be each other's unicast peers")
		m.Config.Peers = nil
		for _, a := range all {
			m.Config.Peers = append(m.Config.Peers, vrrp.Peer{Addr: a})
		}
	}
}

// fromFile is whether the peers of an instance stand in its file.
func (b *builder) fromFile(n int, instance string) bool {
	for _, in := range b.list[n].Config.Instances {
		if in.Name == instance {
			return in.PeersFrom == nil
		}
	}
	return false
}
