package control

import (
	"net"
	"sync"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// stage is what a connection is at.
type stage uint8

const (
	// waiting: for a request, or the rest of one.
	waiting stage = iota
	// working: the agent is at it.
	working
	// answering: the client is reading, or not.
	answering
	// streaming: events, as they come.
	streaming
)

// patience is how long a connection may wait for its client, or answer it,
// before another that finds no room may take its place.
const patience = 250 * time.Millisecond

// clientConn is a connection that takes one of a bounded number of places.
type clientConn struct {
	net.Conn
	places *boundedListener
	once   sync.Once

	// Guarded by places.mu. since is when the stage began, which for waiting is
	// the first call; reads and writes are how many are under way.
	stage         stage
	since         time.Time
	reads, writes int
}

// Read implements net.Conn.
func (c *clientConn) Read(b []byte) (int, error) {
	c.under(&c.reads)
	defer c.over(&c.reads)
	return c.Conn.Read(b)
}

// Write implements net.Conn.
func (c *clientConn) Write(b []byte) (int, error) {
	c.under(&c.writes)
	defer c.over(&c.writes)
	return c.Conn.Write(b)
}

// under notes that a call is under way.
func (c *clientConn) under(calls *int) {
	c.places.mu.Lock()
	if *calls++; c.since.IsZero() {
		c.since = time.Now()
	}
	c.places.mu.Unlock()
}

// over notes that a call has ended.
func (c *clientConn) over(calls *int) {
	c.places.mu.Lock()
	*calls--
	c.places.mu.Unlock()
}

// stuck is whether it is the client that is waited for, and has been for its
// time: on a busy machine it may be us who have not come to read what is there.
// The caller holds places.mu.
func (c *clientConn) stuck(now time.Time) bool {
	events := int16(0)
	switch {
	case c.stage != waiting && c.stage != answering, c.since.IsZero(), now.Sub(c.since) < patience:
		return false
	case c.writes > 0:
		events = unix.POLLOUT
	case c.stage == waiting && c.reads > 0:
		events = unix.POLLIN
	default:
		return false
	}
	raw, ok := c.Conn.(syscall.Conn)
	if !ok {
		return true
	}
	socket, err := raw.SyscallConn()
	if err != nil {
		return true
	}
	ready := 0
	_ = socket.Control(func(fd uintptr) {
		ready, _ = unix.Poll([]unix.PollFd{{Fd: int32(fd), Events: events}}, 0)
	})
	return ready == 0
}

// Close gives the place back.
func (c *clientConn) Close() error {
	c.once.Do(func() { c.places.leave(c) })
	return c.Conn.Close()
}

// at notes what the connection is at from now on.
func (c *clientConn) at(s stage) {
	if c == nil {
		return
	}
	c.places.mu.Lock()
	if c.stage, c.since = s, time.Now(); s == waiting {
		c.since = time.Time{}
	}
	c.places.mu.Unlock()
	if s == waiting || s == answering {
		c.places.changed()
	}
}

// boundedListener accepts connections up to a number. When it is full, the one
// that has been waiting for its client for longest goes, once it has had its
// time; while all are being worked on, the next ones wait in the kernel's queue.
// So neither half-open connections nor slow readers keep anybody out.
type boundedListener struct {
	net.Listener
	limit int

	mu    sync.Mutex
	conns map[*clientConn]struct{}
	wake  chan struct{}
	done  chan struct{}
	end   sync.Once
}

func newBoundedListener(l net.Listener, limit int) *boundedListener {
	return &boundedListener{
		Listener: l, limit: limit,
		conns: map[*clientConn]struct{}{}, wake: make(chan struct{}, 1), done: make(chan struct{}),
	}
}

// Accept waits for room, then for a connection.
func (b *boundedListener) Accept() (net.Conn, error) {
	for !b.room() {
		timer := time.NewTimer(patience / 4)
		select {
		case <-b.wake:
		case <-timer.C:
		case <-b.done:
			timer.Stop()
			return nil, net.ErrClosed
		}
		timer.Stop()
	}
	c, err := b.Listener.Accept()
	if err != nil {
		return nil, err
	}
	out := &clientConn{Conn: c, places: b}
	b.mu.Lock()
	b.conns[out] = struct{}{}
	b.mu.Unlock()
	return out, nil
}

// Close ends the listener.
func (b *boundedListener) Close() error {
	b.end.Do(func() { close(b.done) })
	return b.Listener.Close()
}

// room makes room where it can, and says whether there is any.
func (b *boundedListener) room() bool {
	b.mu.Lock()
	if len(b.conns) < b.limit {
		b.mu.Unlock()
		return true
	}
	var oldest *clientConn
	now := time.Now()
	for c := range b.conns {
		if (oldest == nil || c.since.Before(oldest.since)) && c.stuck(now) {
			oldest = c
		}
	}
	b.mu.Unlock()
	if oldest == nil {
		return false
	}
	// The error of a connection that is given up is nobody's concern.
	_ = oldest.Close()
	return true
}

func (b *boundedListener) leave(c *clientConn) {
	b.mu.Lock()
	delete(b.conns, c)
	b.mu.Unlock()
	b.changed()
}

func (b *boundedListener) changed() {
	select {
	case b.wake <- struct{}{}:
	default:
	}
}
