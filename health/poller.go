package health

import (
	"container/heap"
	"context"
	"fmt"
	"os"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// poller runs the attempts that connect and say little, all of them in the goroutine
// of whoever uses it: without goroutine, context or timer for each. What is begun
// together is looked at together: most connections, those of a network nearby,
// have come about by then, and most answers a moment later. The others wait in an
// epoll instance.
type poller struct {
	// wake is called, from another goroutine, when settle has something to do
	// before the time of deadline.
	wake func()

	// begun are attempts that epoll knows nothing of, polled what the kernel is
	// asked of them.
	begun  []*attempt
	polled []unix.PollFd
	// open are the attempts that epoll waits for, by the number that it knows
	// them under; expiry has them by the end of their time.
	open   map[int32]*attempt
	number int32
	expiry expiry
	loop   *pollLoop
	events [256]unix.EpollEvent
	// heard is for what is read.
	heard [16 << 10]byte

	ended []finished
}

// pollLoop is what waits for the kernel.
type pollLoop struct {
	// fd is that of epoll, to be used until that is closed.
	fd    int
	epoll *os.File
	ended chan struct{}
}

// The poller's pace.
const (
	// crowd is how many attempts are begun before they are looked at.
	crowd = 32
	// gather is how long those that are not connected at once are left alone, and
	// then how long others may come to those that are: waking costs more than all
	// else that is done for one.
	gather = time.Millisecond
	// looks is how often those that go on are looked at in a row.
	looks = 4
	// swallow is how many times something is read of one attempt before others
	// have their turn.
	swallow = 64
)

func newPoller(wake func()) *poller {
	return &poller{wake: wake, open: map[int32]*attempt{}}
}

// takes says whether attempts of the check are the poller's.
func (p *poller) takes(c Check) bool {
	check, ok := c.(pollable)
	return ok && check.way() != nil
}

// begin begins an attempt of a check that the poller takes. It ends by a result of
// settle.
func (p *poller) begin(a *attempt) {
	a.connection = connection{start: time.Now(), heapIndex: -1}
	fd, pending, err := a.check().way().begin()
	a.fd = fd
	switch {
	case err != nil:
		p.end(a, err, time.Now())
		return
	case !pending && !p.connected(a, false, time.Now()):
		return
	}
	if p.begun = append(p.begun, a); len(p.begun)%crowd == 0 {
		p.look(len(p.begun) - crowd)
	}
}

// settle is what has ended since it was last called. It is valid until then.
func (p *poller) settle() []finished {
	p.look(0)
	for range looks {
		if len(p.begun) == 0 {
			break
		}
		time.Sleep(gather)
		if !p.look(0) {
			break
		}
	}
	for _, a := range p.begun {
		p.await(a)
	}
	clear(p.begun)
	p.begun = p.begun[:0]
	if p.loop != nil {
		p.hear()
		now := time.Now()
		for len(p.expiry) > 0 && !p.expiry[0].expires.After(now) {
			p.expire(p.expiry[0], now)
		}
	}
	ended := p.ended
	p.ended = p.ended[:0]
	return ended
}

// deadline is when settle has to be called at the latest, zero for never.
func (p *poller) deadline() time.Time {
	if len(p.expiry) == 0 {
		return time.Time{}
	}
	return p.expiry[0].expires
}

// cancel ends an attempt that was begun and has not ended: settle says so.
func (p *poller) cancel(a *attempt) {
	p.end(a, fmt.Errorf("connect %s: %w", a.address(), context.Canceled), time.Now())
}

// close ends all attempts, and gives back what the poller holds. It can be used
// again.
func (p *poller) close() {
	for len(p.expiry) > 0 {
		p.cancel(p.expiry[0])
	}
	if p.loop != nil {
		_ = p.loop.epoll.Close()
		<-p.loop.ended
		p.loop = nil
	}
}

// look asks the kernel for the attempts begun, from one on, and says whether any has
// come further.
func (p *poller) look(from int) bool {
	begun := p.begun[from:]
	if len(begun) == 0 {
		return false
	}
	p.polled = p.polled[:0]
	for _, a := range begun {
		p.polled = append(p.polled, unix.PollFd{Fd: int32(a.fd), Events: a.awaited()})
	}
	if err := poll(p.polled); err != nil {
		// It has no memory: epoll will know.
		return false
	}
	now, moved := time.Now(), false
	left := begun[:0]
	for i, a := range begun {
		events := p.polled[i].Revents
		moved = moved || events != 0
		if events == 0 || p.advance(a, uint32(uint16(events)), now) {
			left = append(left, a)
		}
	}
	clear(begun[len(left):])
	p.begun = p.begun[:from+len(left)]
	return moved
}

// await has epoll hear of what becomes of an attempt.
func (p *poller) await(a *attempt) {
	if p.loop == nil {
		loop, err := openLoop(p.wake)
		if err != nil {
			p.end(a, fmt.Errorf("%w for %s: %w", err, a.address(), ErrNotAttempted), time.Now())
			return
		}
		p.loop = loop
	}
	p.number = max(p.number+1, 1)
	for p.open[p.number] != nil {
		p.number = max(p.number+1, 1)
	}
	since := a.start
	if a.talk != nil {
		since = time.Now()
	}
	a.number, a.expires = p.number, a.patience(since)
	p.open[a.number] = a
	heap.Push(&p.expiry, a)
	p.watch(a, unix.EPOLL_CTL_ADD)
}

// watch has epoll tell of an attempt's socket whenever there is something new, and of
// what there is now.
func (p *poller) watch(a *attempt, op int) {
	a.more = false
	err := unix.EpollCtl(p.loop.fd, op, a.fd, &unix.EpollEvent{
		Events: unix.EPOLLIN | unix.EPOLLOUT | unix.EPOLLRDHUP | unix.EPOLLET, Fd: a.number,
	})
	if err != nil {
		p.end(a, fmt.Errorf("epoll for %s: %w: %w", a.address(), err, ErrNotAttempted), time.Now())
	}
}

// hear goes on with the attempts of which epoll knows something.
func (p *poller) hear() {
	for {
		n, err := unix.EpollWait(p.loop.fd, p.events[:], 0)
		if err != nil {
			// Should it ever fail, attempts end by their time.
			return
		}
		now := time.Now()
		for _, e := range p.events[:n] {
			a := p.open[e.Fd]
			if a == nil || !p.advance(a, e.Events, now) {
				continue
			}
			a.expires = a.patience(now)
			heap.Fix(&p.expiry, a.heapIndex)
			if a.more {
				p.watch(a, unix.EPOLL_CTL_MOD)
			}
		}
		if n < len(p.events) {
			return
		}
	}
}

// end ends an attempt.
func (p *poller) end(a *attempt, err error, now time.Time) {
	if a.heapIndex >= 0 {
		delete(p.open, a.number)
		heap.Remove(&p.expiry, a.heapIndex)
	}
	if a.fd >= 0 {
		closeSocket(a.fd)
		a.fd = -1
	}
	r := Result{Err: err}
	if a.talk != nil {
		r = a.talk.result(err)
		a.talk = nil
	}
	r.Took = now.Sub(a.start)
	p.ended = append(p.ended, finished{a, r})
}

// openLoop makes an epoll instance that Go's own poller waits for, and a goroutine
// that tells when it has something.
func openLoop(wake func()) (*pollLoop, error) {
	fd, err := unix.EpollCreate1(unix.EPOLL_CLOEXEC)
	if err != nil {
		return nil, fmt.Errorf("epoll: %w", err)
	}
	// Only a file that does not block is one that Go polls.
	if err := unix.SetNonblock(fd, true); err != nil {
		_ = unix.Close(fd)
		return nil, fmt.Errorf("epoll: %w", err)
	}
	loop := &pollLoop{fd: fd, epoll: os.NewFile(uintptr(fd), "epoll"), ended: make(chan struct{})}
	raw, err := loop.epoll.SyscallConn()
	if err != nil {
		_ = loop.epoll.Close()
		return nil, fmt.Errorf("epoll: %w", err)
	}
	go loop.run(raw, wake)
	return loop, nil
}

// run tells of events until the epoll instance is closed.
func (l *pollLoop) run(raw syscall.RawConn, wake func()) {
	defer close(l.ended)
	first := true
	_ = raw.Read(func(uintptr) bool {
		if !first {
			time.Sleep(gather)
		}
		first = false
		wake()
		return false
	})
}

// expiry is a heap of the attempts that wait, the first to expire first.
type expiry []*attempt

func (h expiry) Len() int           { return len(h) }
func (h expiry) Less(i, j int) bool { return h[i].expires.Before(h[j].expires) }
func (h expiry) Swap(i, j int) {
	h[i], h[j] = h[j], h[i]
	h[i].connection.heapIndex, h[j].connection.heapIndex = i, j
}

// Push is for container/heap.
func (h *expiry) Push(x any) {
	a := x.(*attempt)
	a.connection.heapIndex = len(*h)
	*h = append(*h, a)
}

// Pop is for container/heap.
func (h *expiry) Pop() any {
	last := len(*h) - 1
	a := (*h)[last]
	(*h)[last] = nil
	*h = (*h)[:last]
	a.connection.heapIndex = -1
	return a
}
