package host

import (
	"cmp"
	"context"
	"errors"
	"maps"
	"net/netip"
	"os"
	"slices"
	"sync"
	"time"

	"github.com/hashicorp/go-hclog"
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

	// mu is held while frames are sent, so that Cancel can promise that none
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
	// taken are the frames on their way.
	taken []*pending
	// turn is when it was served last, in turns of all lanes.
	turn uint64
}

// frameSocket sends Ethernet frames on one interface without blocking, and says how
// many it sent; the error is that of the next.
type frameSocket interface {
	send(list []*pending) (sent int, err error)
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

// serveLane sends what is due on one interface, at most a burst. It says when the
// next frame is due, if there is one.
func (a *Announcer) serveLane(index int, now time.Time) (due time.Time, more bool) {
	a.mu.Lock()
	l := a.lanes[index]
	if l == nil || l.queue.empty() {
		a.mu.Unlock()
		return time.Time{}, false
	}
	var said []string
	if sending := a.takeDue(l, now); len(sending) > 0 {
		sent, err := a.send(l, sending)
		a.settle(l, now, sending, sent, err)
		a.served += uint64(sent)
		l.turn = a.served
		if a.log.IsDebug() {
			for _, p := range sending[:sent] {
				said = append(said, p.String())
			}
		}
	}
	if more = !l.queue.empty(); more {
		due = a.due(l)
	}
	a.mu.Unlock()
	for _, line := range said {
		a.log.Debug(line)
	}
	return due, more
}

// due is when the head of a queue may go out.
func (a *Announcer) due(l *lane) time.Time { return a.shared[l.queue.head().link].after(l.queue.next) }

// takeDue counts a round of those whose turn it is, at most a burst: as many as
// may go out at once.
func (a *Announcer) takeDue(l *lane, now time.Time) []*pending {
	taken := l.taken[:0]
	for len(taken) < burst && !l.queue.empty() && !a.due(l).After(now) {
		p := l.queue.head()
		gap := a.spacing(p)
		l.queue.done()
		l.queue.next = now.Add(gap)
		a.shared[p.link].sent(now, gap)
		taken = append(taken, p)
	}
	l.taken = taken
	return taken
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

// send puts frames on the wire, opening the socket where needed, and says how many
// it sent; the error is that of the next. An interface that was deleted and made
// anew has another index, so ENXIO means that this socket will never work again.
func (a *Announcer) send(l *lane, list []*pending) (sent int, err error) {
	if l.socket == nil {
		s, err := a.open(l.index)
		if err != nil {
			return 0, err
		}
		l.socket = s
	}
	for sent < len(list) && err == nil {
		var n int
		n, err = l.socket.send(list[sent:])
		sent += n
	}
	if errors.Is(err, unix.ENXIO) || errors.Is(err, unix.ENODEV) {
		l.closeSocket()
	}
	return sent, err
}

// settle updates the lane after frames were tried, the first of which were sent. A
// failure that concerns the interface is tried again; any other costs the address
// its round.
func (a *Announcer) settle(l *lane, now time.Time, tried []*pending, sent int, err error) {
	if sent > 0 {
		l.failures = 0
	}
	if err == nil {
		return
	}
	p := tried[sent]
	if l.failures++; l.failures == 1 {
		a.log.Info("announcement not sent", "interface", p.link, "address", p.addr, "error", err)
	}
	again := tried[sent:]
	if !ofInterface(err) {
		again = again[1:]
	}
	l.queue.undo(again)
	if ofInterface(err) && l.failures >= maxRetries {
		a.log.Warn("announcements given up", "interface", p.link, "addresses", l.queue.clear(), "error", err)
		l.failures = 0
		return
	}
	l.queue.next = now.Add(max(a.spacing(p), retryDelay))
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
