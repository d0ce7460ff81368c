package agent

import (
	"net/netip"
	"time"

	"github.com/tandem-ha/tandem/internal/host"
)

// wire is all that the elector does to the network: adverts, announcements and
// the watch for a peer's announcements. hostWire is the real one.
type wire interface {
	OpenAdverts(key host.AdvertKey, ready func()) (advertConn, error)
	WatchPeers(link host.Link, ready func()) (announcementConn, error)
	Announce(link host.Link, addrs []netip.Addr, rounds int)
	Cancel(index int, addrs ...netip.Addr)
	Forget(index int)
	// Wait and Wake are what the loop waits in: see host.Poller.
	Wait(until time.Time) error
	Wake()
}

// advertConn is an open VRRP socket: see host.AdvertConn.
type advertConn interface {
	Queue(src, dst netip.Addr, ttl int, b []byte) error
	Flush(failed func(i int, err error))
	Receive(in *host.Inbox, handler func(host.Received)) int
	Arm() error
	Lost() uint64
	Close() error
}

// announcementConn is an open watch for announcements: see host.PeerWatch.
type announcementConn interface {
	Listen(on bool) error
	Receive(in *host.Inbox, handler func(host.Announced)) int
	Arm() error
	Close() error
}

// hostWire is this host's network.
type hostWire struct {
	*host.Announcer
	*host.Poller
}

func (w hostWire) OpenAdverts(key host.AdvertKey, ready func()) (advertConn, error) {
	return host.OpenAdverts(key, w.Poller, ready)
}

func (w hostWire) WatchPeers(link host.Link, ready func()) (announcementConn, error) {
	return host.WatchPeers(link, w.Poller, ready)
}
