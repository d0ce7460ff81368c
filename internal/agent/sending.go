package agent

import (
	"cmp"
	"net/netip"
	"time"

	"github.com/tandem-ha/tandem/internal/control"
	"github.com/tandem-ha/tandem/internal/host"
	"github.com/tandem-ha/tandem/vrrp"
)

// sending is what an instance needs to send an advert. Hundreds of instances send
// one after the other and find nothing of themselves in the processor's cache: what
// it costs is how much memory they look at, so this stands together.
type sending struct {
	auth  *vrrp.Authenticator
	stamp host.Stamp
	// socket is shared by the instances of a link; own is that of the instance's own
	// link, where it has one.
	socket, own *socket
	// source is the last address that there was to send from: priority 0 goes from
	// there when that address is what was lost.
	source netip.Addr
	// to is where each advert goes: to the group, or to each peer.
	to       []destination
	counters control.Counters
}

// posting is what is on its way out; it serves again.
type posting struct {
	// unsent are the sockets with adverts in their queues.
	unsent []*socket
	buf    []byte
	// stampErrors counts the times that the moments of adverts could not be noted.
	stampErrors uint64
}

// destination is an address, and the TTL or hop limit of adverts to it.
type destination struct {
	addr netip.Addr
	ttl  int
}

// defaultHopLimit is the hop limit of IPv6 unicast adverts that configure none,
// where keepalived leaves it to the kernel: the kernel's default.
const defaultHopLimit = 64

// groupHopLimit is RFC 9568 5.1.1.3.
const groupHopLimit = 255

// address works out where the adverts of an instance go.
func (in *instance) address() {
	in.to = nil
	if !in.conf.Unicast() {
		in.to = append(in.to, destination{in.conf.Group, groupHopLimit})
	}
	for _, p := range in.peers {
		in.to = append(in.to, destination{p.Addr, cmp.Or(in.conf.UnicastTTL, defaultHopLimit)})
	}
}

// send has an advert sent, once for the group or once for each peer. An
// advert that cannot be sent is counted; the next one is tried in its turn.
func (e *elector) send(now time.Time, in *instance, p vrrp.Packet) {
	s := in.sender()
	if s == nil || s.conn == nil || !in.source.IsValid() {
		in.counters.SendErrors++
		return
	}
	in.auth.Stamp(now)
	for _, to := range in.to {
		e.sendTo(in, s, &p, to)
	}
	in.counters.AdvertsSent++
	if p.Priority == 0 {
		in.counters.PriorityZeroSent++
		e.clear(in)
	} else {
		e.scribe.mark(in.stamp, now)
	}
}

// sendTo queues an advert; the turn of the loop ends with sending them.
func (e *elector) sendTo(in *instance, s *socket, p *vrrp.Packet, to destination) {
	b, err := in.auth.Append(e.buf[:0], p, in.source, to.addr)
	if err == nil {
		e.buf = b
		err = s.conn.Queue(in.source, to.addr, to.ttl, b)
	}
	if err != nil {
		in.counters.SendErrors++
		return
	}
	if len(s.queued) == 0 {
		e.unsent = append(e.unsent, s)
	}
	s.queued = append(s.queued, in)
}

// clear forgets the last advert, since somebody else may be master from now on.
func (e *elector) clear(in *instance) { e.scribe.clear(in.stamp) }

// flush sends the adverts that are queued.
func (e *elector) flush() {
	for i, s := range e.unsent {
		if s.conn != nil {
			s.conn.Flush(s.failed)
		}
		s.queued = s.queued[:0]
		e.unsent[i] = nil
	}
	e.unsent = e.unsent[:0]
}
