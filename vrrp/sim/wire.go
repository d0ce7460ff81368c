package sim

import (
	"net/netip"
	"slices"
	"time"

	"github.com/tandem-ha/tandem/vrrp"
)

// transmit sends an advert through the codec to every member that it reaches.
func (m *member) transmit(p *vrrp.Packet) {
	if m.check.sent(m, p) {
		m.record = m.node.clock()
	}
	if p.Priority == 0 {
		m.record = time.Time{}
	}
	m.auth.Stamp(m.node.clock())
	if len(m.conf.Peers) == 0 && !m.conf.Unicast {
		m.send(p, m.conf.Group, func(other *member) bool {
			return len(other.conf.Peers) == 0 && !other.conf.Unicast && other.conf.Group == m.conf.Group
		})
		return
	}
	for _, peer := range m.conf.Peers {
		m.send(p, peer.Addr, func(other *member) bool { return other.source == peer.Addr })
	}
}

// send sends a packet to one destination, which is that of the members for which to
// is true.
func (m *member) send(p *vrrp.Packet, dst netip.Addr, to func(*member) bool) {
	w := m.node.w
	wire, err := m.auth.Append(nil, p, m.source, dst)
	if err != nil {
		w.fail("codec", "%s cannot send: %v", m.node.conf.Name, err)
		return
	}
	meta := vrrp.Meta{Source: m.source, Destination: dst, TTL: 255, Unicast: !dst.IsMulticast(),
		AH: m.auth.AH(), ID: vrrp.AHIdentification}
	for _, other := range m.seg.members {
		if other == m || !to(other) || !w.reach(m, other) || w.drops() {
			continue
		}
		copies := 1
		if w.net.duplicate > 0 && w.rng.Float64() < w.net.duplicate {
			copies = 2
		}
		for range copies {
			other.node.soon(w.now+w.travels(), func() {
				if w.reach(m, other) {
					other.hear(wire, meta)
				}
			})
		}
	}
}

// reach is whether packets of one member come to another.
func (w *world) reach(from, to *member) bool {
	if from.down > 0 || to.down > 0 || from.cut > 0 || to.cut > 0 {
		return false
	}
	return w.parted[pairOf(from.node, to.node)] == 0
}

// pair is two nodes, in order.
type pair [2]string

func pairOf(a, b *node) pair {
	if a.conf.Name > b.conf.Name {
		a, b = b, a
	}
	return pair{a.conf.Name, b.conf.Name}
}

// hear parses a packet and gives it to the router.
func (m *member) hear(wire []byte, meta vrrp.Meta) {
	if !m.node.running {
		return
	}
	w := m.node.w
	meta.ChecksumV2Style = m.conf.ChecksumV2Style
	in := vrrp.Advert{Source: meta.Source, Destination: meta.Destination, TTL: meta.TTL}
	if err := m.auth.Parse(&in.Packet, wire, meta, m.node.clock()); err != nil {
		m.unread(meta.Source, err)
		return
	}
	m.check.dropped = false
	before := m.phase
	m.put(&in)
	if !m.check.dropped && !w.ended {
		m.check.heard(m, &in, before)
	}
}

// unread takes note of a packet that authentication or the codec refuses.
func (m *member) unread(from netip.Addr, err error) {
	w := m.node.w
	w.tracef("%s %s: %v", m.node.conf.Name, m.conf.Name, err)
	if !slices.Contains(m.check.unread, from) {
		m.check.unread = append(m.check.unread, from)
		w.tell(m.node, m, "ignores adverts of "+w.nameOf(from)+": "+err.Error())
	}
}

// announce tells the others that these addresses are here.
func (m *member) announce(addrs []netip.Addr) {
	w := m.node.w
	for _, other := range m.seg.members {
		if other == m || !w.reach(m, other) {
			continue
		}
		for _, a := range addrs {
			other.node.soon(w.now+w.travels(), func() {
				if w.reach(m, other) && other.node.running {
					other.put(vrrp.PeerAnnounced{Addr: a})
				}
			})
		}
	}
}

// nameOf is the name of the node with a source address.
func (w *world) nameOf(a netip.Addr) string {
	for _, n := range w.nodes {
		for _, m := range n.members {
			if m.source == a {
				return n.conf.Name
			}
		}
	}
	return a.String()
}
