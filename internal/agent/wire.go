package agent

import (
	"io"
	"net/netip"

	"github.com/tandem-ha/tandem/internal/host"
)

// wire is all that the elector does to the network: adverts, announcements and
// the watch for a peer's announcements. hostWire is the real one.
type wire interface {
	OpenAdverts(key host.AdvertKey, handler func(host.Received)) (advertConn, error)
	WatchPeers(link host.Link, handler func(host.Announced)) (io.Closer, error)
	Announce(link host.Link, addrs []netip.Addr, rounds int)
	Cancel(index int, addrs ...netip.Addr)
	Forget(index int)
}

// advertConn is an open VRRP socket.
type advertConn interface {
	Send(src, dst netip.Addr, ttl int, b []byte) error
	Close() error
}

// hostWire is this host's network.
type hostWire struct {
	*host.Announcer
}

func (hostWire) OpenAdverts(key host.AdvertKey, handler func(host.Received)) (advertConn, error) {
	return host.OpenAdverts(key, handler)
}

func (hostWire) WatchPeers(link host.Link, handler func(host.Announced)) (io.Closer, error) {
	return host.WatchPeers(link, handler)
}
