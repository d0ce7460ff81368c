package control

import (
	"net"
	"sync"
	"time"
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

	// Guarded by places.mu.
	stage stage
	since time.Time
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
	c.stage, c.since = s, time.Now()
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
	out := &clientConn{Conn: c, places: b, since: time.Now()}
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
	for c := range b.conns {
		if (c.stage == waiting || c.stage == answering) && (oldest == nil || c.since.Before(oldest.since)) {
			oldest = c
		}
	}
	b.mu.Unlock()
	if oldest == nil || time.Since(oldest.since) < patience {
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
