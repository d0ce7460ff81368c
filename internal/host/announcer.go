package host

import (
	"cmp"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"maps"
	"net"
	"net/netip"
	"os"
	"slices"
	"sync"
	"syscall"
	"time"

	"github.com/hashicorp/go-hclog"
	"github.com/mdlayher/packet"
	"golang.org/x/sys/unix"
)

// retryDelay is the pause of one interface after a frame could not be sent, and
// maxRetries how often in a row that may happen before its queue is dropped: by
// then the link is down, or gone, and what comes next will announce anew.
const (
	retryDelay = 50 * time.Millisecond
	maxRetries = 20
)

// burst is how many frames may go out on one interface before the others get
// their turn.
const burst = 32

// Announcer tells the neighbours where addresses are: gratuitous ARP and
// unsolicited Neighbour Advertisements, on one packet socket per interface. Each
// interface has its own queue, in which one address stands at most once.
type Announcer struct {
	log  hclog.Logger
	open func(index int) (frameSocket, error)
	wake chan struct{}

	// mu is held while a frame is sent, so that Cancel can promise that none
	// follows; sending does not block.
	mu      sync.Mutex
	arp, na time.Duration
	shared  map[string]*pace // by the name of the interface
	lanes   map[int]*lane
	// served counts the turns of all lanes.
	served uint64
}

// lane is one interface's queue and socket.
type lane struct {
	index  int
	queue  *announceQueue
	socket frameSocket
	// failures counts the frames that could not be sent since the last that was.
	failures int
	// turn is when it was served last, in turns of all lanes.
	turn uint64
}

// frameSocket sends Ethernet frames on one interface without blocking.
type frameSocket interface {
	send(frame []byte) error
	close() error
}

// NewAnnouncer returns an announcer that leaves at least arp between two
// gratuitous ARPs, and na between two Neighbour Advertisements, of one
// interface. Every frame is logged at debug level, in keepalived's words.
func NewAnnouncer(log hclog.Logger, arp, na time.Duration) *Announcer {
	return &Announcer{
		log: log, open: openFrameSocket, wake: make(chan struct{}, 1),
		arp: arp, na: na, lanes: map[int]*lane{},
	}
}

// SetSpacing changes the intervals of NewAnnouncer, and says which interfaces
// have others, in common.
func (a *Announcer) SetSpacing(arp, na time.Duration, shared ...SharedSpacing) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.arp, a.na = arp, na
	a.shared = paces(shared, a.shared)
}

// Announce queues rounds announcements of each address on the link and returns
// at once. Links without ARP or without an Ethernet address are passed over.
func (a *Announcer) Announce(link Link, addrs []netip.Addr, rounds int) {
	if link.NoARP || rounds <= 0 || len(addrs) == 0 {
		return
	}
	type item struct {
		addr  netip.Addr
		frame []byte
	}
	items := make([]item, 0, len(addrs))
	router := slices.ContainsFunc(addrs, netip.Addr.Is6) && forwarding(link.Name)
	for _, addr := range addrs {
		frame, err := announcement(addr, link.MAC, router)
		if err != nil {
			a.log.Warn("address cannot be announced", "interface", link.Name, "error", err)
			continue
		}
		items = append(items, item{addr, frame})
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	l := a.lanes[link.Index]
	if l == nil {
		l = &lane{index: link.Index, queue: newAnnounceQueue()}
		a.lanes[link.Index] = l
	}
	for _, it := range items {
		l.queue.add(it.addr, link.Name, it.frame, rounds)
	}
	select {
	case a.wake <- struct{}{}:
	default:
	}
}

// Cancel drops what is queued for the addresses on the interface with this
// index. Once it has returned none of them is sent any more.
func (a *Announcer) Cancel(index int, addrs ...netip.Addr) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if l := a.lanes[index]; l != nil {
		for _, addr := range addrs {
			l.queue.remove(addr)
		}
	}
}

// Forget drops all that is queued for an interface that is gone, and its socket.
func (a *Announcer) Forget(index int) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.forget(index)
}

func (a *Announcer) forget(index int) {
	if l := a.lanes[index]; l != nil {
		l.closeSocket()
		delete(a.lanes, index)
	}
}

// Run sends what is queued until the context ends, and returns its error. The
// sockets belong to the network namespace of the thread that Run is on.
func (a *Announcer) Run(ctx context.Context) error {
	defer func() {
		a.mu.Lock()
		defer a.mu.Unlock()
		for index := range a.lanes {
			a.forget(index)
		}
	}()
	timer := time.NewTimer(0)
	defer timer.Stop()
	for {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-a.wake:
		case <-timer.C:
		}
		for ctx.Err() == nil {
			wait, idle := a.serve(time.Now())
			if idle {
				break
			}
			if wait > 0 {
				timer.Reset(wait)
				break
			}
		}
	}
}

// serve gives each interface one turn. It says how long nothing is due, or that
// nothing is queued.
func (a *Announcer) serve(now time.Time) (wait time.Duration, idle bool) {
	a.mu.Lock()
	turn := slices.SortedFunc(maps.Keys(a.lanes), func(x, y int) int {
		// Of those that share their spacing, who waited longest is next.
		return cmp.Or(cmp.Compare(a.lanes[x].turn, a.lanes[y].turn), cmp.Compare(x, y))
	})
	a.mu.Unlock()
	idle = true
	first := true
	for _, index := range turn {
		due, more := a.serveLane(index, now)
		if !more {
			continue
		}
		if d := due.Sub(now); first || d < wait {
			wait, first = d, false
		}
		idle = false
	}
	return wait, idle
}

// serveLane sends what is due on one interface, at most a burst, releasing the
// lock between frames. It says when the next frame is due, if there is one.
func (a *Announcer) serveLane(index int, now time.Time) (due time.Time, more bool) {
	for range burst {
		a.mu.Lock()
		l := a.lanes[index]
		if l == nil || l.queue.empty() {
			a.mu.Unlock()
			return time.Time{}, false
		}
		p := l.queue.head()
		group := a.shared[p.link]
		if due = group.after(l.queue.next); due.After(now) {
			a.mu.Unlock()
			return due, true
		}
		addr, link, gap := p.addr, p.link, a.spacing(p)
		err := a.send(l, p.frame)
		a.settle(l, now, gap, err)
		if err == nil {
			group.sent(now, gap)
		}
		a.served++
		l.turn = a.served
		a.mu.Unlock()
		if err == nil && a.log.IsDebug() {
			a.logSent(link, addr)
		}
	}
	return now, true
}

func (a *Announcer) spacing(p *pending) time.Duration {
	arp, na := a.arp, a.na
	if group := a.shared[p.link]; group != nil {
		arp, na = group.ARP, group.NA
	}
	if p.addr.Is4() {
		return arp
	}
	return na
}

// send puts one frame on the wire, opening the socket where needed. An interface
// that was deleted and made anew has another index, so ENXIO means that this
// socket will never work again.
func (a *Announcer) send(l *lane, frame []byte) error {
	if l.socket == nil {
		s, err := a.open(l.index)
		if err != nil {
			return err
		}
		l.socket = s
	}
	err := l.socket.send(frame)
	if errors.Is(err, unix.ENXIO) || errors.Is(err, unix.ENODEV) {
		l.closeSocket()
	}
	return err
}

// settle updates the lane after the head of its queue was tried. A failure that
// concerns the interface is tried again; any other costs the address its round.
func (a *Announcer) settle(l *lane, now time.Time, gap time.Duration, err error) {
	if err == nil {
		l.failures = 0
		l.queue.done()
		l.queue.next = now.Add(gap)
		return
	}
	p := l.queue.head()
	if l.failures++; l.failures == 1 {
		a.log.Info("announcement not sent", "interface", p.link, "address", p.addr, "error", err)
	}
	switch {
	case !ofInterface(err):
		l.queue.done()
	case l.failures >= maxRetries:
		a.log.Warn("announcements given up", "interface", p.link, "addresses", l.queue.clear(), "error", err)
		l.failures = 0
		return
	}
	l.queue.next = now.Add(max(gap, retryDelay))
}

// ofInterface tells the errors that any frame on the interface would meet.
func ofInterface(err error) bool {
	for _, e := range []error{
		unix.ENETDOWN, unix.ENXIO, unix.ENODEV, unix.ENOBUFS, unix.EAGAIN, unix.ENETUNREACH, unix.ENOMEM,
	} {
		if errors.Is(err, e) {
			return true
		}
	}
	return false
}

func (a *Announcer) logSent(link string, addr netip.Addr) {
	if addr.Is4() {
		a.log.Debug(fmt.Sprintf("Sending gratuitous ARP on %s for %s", link, addr))
		return
	}
	a.log.Debug(fmt.Sprintf("Sending unsolicited Neighbour Advert on %s for %s", link, addr))
}

func (l *lane) closeSocket() {
	if l.socket != nil {
		_ = l.socket.close()
		l.socket = nil
	}
}

// forwarding says whether the host forwards IPv6 packets that come in on the
// link, in the network namespace of the calling thread.
func forwarding(link string) bool {
	b, err := os.ReadFile("/proc/sys/net/ipv6/conf/" + link + "/forwarding")
	return err == nil && len(b) > 0 && b[0] != '0'
}

// packetSocket is a frameSocket on AF_PACKET.
type packetSocket struct {
	conn  *packet.Conn
	raw   syscall.RawConn
	index int
}

// openFrameSocket opens a packet socket that receives nothing (protocol 0).
func openFrameSocket(index int) (frameSocket, error) {
	conn, err := packet.Listen(&net.Interface{Index: index}, packet.Raw, 0, nil)
	if err != nil {
		return nil, fmt.Errorf("open packet socket: %w", err)
	}
	raw, err := conn.SyscallConn()
	if err != nil {
		_ = conn.Close()
		return nil, fmt.Errorf("packet socket: %w", err)
	}
	return &packetSocket{conn, raw, index}, nil
}

// send does not wait where the interface's queue is full: that is an error.
func (s *packetSocket) send(frame []byte) error {
	// The protocol is in network byte order, as it is in the frame.
	to := &unix.SockaddrLinklayer{Ifindex: s.index, Protocol: binary.NativeEndian.Uint16(frame[12:])}
	var err error
	cerr := s.raw.Control(func(fd uintptr) {
		_, err = unix.SendmsgN(int(fd), frame, nil, to, unix.MSG_DONTWAIT)
	})
	return errors.Join(cerr, err)
}

func (s *packetSocket) close() error { return s.conn.Close() }
