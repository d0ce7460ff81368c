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

// poller runs the attempts that only connect, all of them in the goroutine of
// whoever uses it: without goroutine, context or timer for each. What is begun
// together is looked at together: most connections, those of a network nearby,
// have come about by then, and cost three system calls. The others wait in an
// epoll instance.
type poller struct {
	// wake is called, from another goroutine, when settle has something to do
	// before the time of deadline.
	wake func()

	// begun are attempts that no one has looked at since they were begun, polled
	// what the kernel is asked of them.
	begun  []*attempt
	polled []unix.PollFd
	// open are the attempts that epoll waits for, by the number that it knows
	// them under; expiry has them by the end of their time.
	open   map[int32]*attempt
	number int32
	expiry expiry
	loop   *pollLoop
	events [256]unix.EpollEvent

	ended []finished
}

// connection is what the poller has of an attempt.
type connection struct {
	fd        int
	start     time.Time
	expires   time.Time
	number    int32
	heapIndex int
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
)

func newPoller(wake func()) *poller {
	return &poller{wake: wake, open: map[int32]*attempt{}}
}

// takes says whether attempts of the check are the poller's.
func (p *poller) takes(c Check) bool {
	_, ok := c.(*tcpCheck)
	return ok
}

// begin begins an attempt of a check that the poller takes. It ends by a result of
// settle.
func (p *poller) begin(a *attempt) {
	tcp := a.order.Run.(*tcpCheck)
	a.start = time.Now()
	fd, pending, err := tcp.begin()
	a.connection = connection{fd: fd, start: a.start, heapIndex: -1}
	if !pending {
		p.end(a, err, time.Now())
		return
	}
	if p.begun = append(p.begun, a); len(p.begun)%crowd == 0 {
		p.look(len(p.begun) - crowd)
	}
}

// settle is what has ended since it was last called. It is valid until then.
func (p *poller) settle() []finished {
	p.look(0)
	if len(p.begun) > 0 {
		time.Sleep(gather)
		p.look(0)
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
			a := p.expiry[0]
			p.take(a)
			p.end(a, fmt.Errorf("connect %s: %s after %s", a.tcp().cfg.remote(), timedOut, a.tcp().cfg.Timeout), now)
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
	p.take(a)
	p.end(a, fmt.Errorf("connect %s: %w", a.tcp().cfg.remote(), context.Canceled), time.Now())
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

// look asks the kernel for the attempts begun, from one on.
func (p *poller) look(from int) {
	begun := p.begun[from:]
	if len(begun) == 0 {
		return
	}
	p.polled = p.polled[:0]
	for _, a := range begun {
		p.polled = append(p.polled, unix.PollFd{Fd: int32(a.fd), Events: unix.POLLOUT})
	}
	if err := poll(p.polled); err != nil {
		// It has no memory: epoll will know.
		return
	}
	now := time.Now()
	left := begun[:0]
	for i, a := range begun {
		if events := p.polled[i].Revents; events != 0 {
			p.end(a, a.outcome(events&^unix.POLLOUT != 0), now)
		} else {
			left = append(left, a)
		}
	}
	clear(begun[len(left):])
	p.begun = p.begun[:from+len(left)]
}

// await has epoll hear of the end of an attempt.
func (p *poller) await(a *attempt) {
	if p.loop == nil {
		loop, err := openLoop(p.wake)
		if err != nil {
			p.end(a, fmt.Errorf("%w for %s: %w", err, a.tcp().cfg.remote(), ErrNotAttempted), time.Now())
			return
		}
		p.loop = loop
	}
	p.number = max(p.number+1, 1)
	for p.open[p.number] != nil {
		p.number = max(p.number+1, 1)
	}
	err := unix.EpollCtl(p.loop.fd, unix.EPOLL_CTL_ADD, a.fd, &unix.EpollEvent{Events: unix.EPOLLOUT | unix.EPOLLET, Fd: p.number})
	if err != nil {
		p.end(a, fmt.Errorf("epoll for %s: %w: %w", a.tcp().cfg.remote(), err, ErrNotAttempted), time.Now())
		return
	}
	a.number, a.expires = p.number, a.start.Add(a.tcp().cfg.Timeout)
	p.open[a.number] = a
	heap.Push(&p.expiry, a)
}

// hear ends the attempts that epoll knows to have ended.
func (p *poller) hear() {
	for {
		n, err := unix.EpollWait(p.loop.fd, p.events[:], 0)
		if err != nil {
			// Should it ever fail, attempts end by their time.
			return
		}
		now := time.Now()
		for _, e := range p.events[:n] {
			if a := p.open[e.Fd]; a != nil {
				p.take(a)
				p.end(a, a.outcome(e.Events&^unix.EPOLLOUT != 0), now)
			}
		}
		if n < len(p.events) {
			return
		}
	}
}

// take takes an attempt from among those that wait.
func (p *poller) take(a *attempt) {
	delete(p.open, a.number)
	if a.heapIndex >= 0 {
		heap.Remove(&p.expiry, a.heapIndex)
	}
}

// end ends an attempt that nothing waits for any more.
func (p *poller) end(a *attempt, err error, now time.Time) {
	if a.fd >= 0 {
		closeSocket(a.fd)
		a.fd = -1
	}
	r := a.tcp().result(err)
	r.Took = now.Sub(a.start)
	p.ended = append(p.ended, finished{a, r})
}

// outcome is what became of a connection that the kernel has settled; doubtful is
// one that cannot merely be written to.
func (a *attempt) outcome(doubtful bool) error {
	if !doubtful {
		return nil
	}
	errno, err := unix.GetsockoptInt(a.fd, unix.SOL_SOCKET, unix.SO_ERROR)
	if err == nil && errno != 0 {
		err = syscall.Errno(errno)
	}
	if err != nil {
		return a.tcp().cfg.callError("connect", err)
	}
	return nil
}

// tcp is the check of an attempt that is the poller's.
func (a *attempt) tcp() *tcpCheck { return a.order.Run.(*tcpCheck) }

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
