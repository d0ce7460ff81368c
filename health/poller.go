package health

import (
	"context"
	"errors"
	"fmt"
	"os"
	"sync"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// poller is a launcher that runs the checks that only connect in one loop over
// one epoll instance, and leaves all others to another launcher. A thousand
// connections cost a wake-up or a few instead of a goroutine and a wake-up each.
// The timeout of a connection is the end of its context.
type poller struct {
	others launcher

	mu sync.Mutex
	// open are the attempts that wait for their connection, by the number that
	// epoll knows them under.
	open   map[int32]*connection
	number int32
	loop   *pollLoop
}

// connection is an attempt to connect.
type connection struct {
	check   tcpCheck
	ctx     context.Context
	done    func(Result)
	start   time.Time
	fd      int
	release func() bool
}

// pollLoop is what the loop has of the kernel's.
type pollLoop struct {
	epoll *os.File
	raw   syscall.RawConn
	ended chan struct{}
}

// gather is how long the loop waits for more once it has been woken: a crowd of
// connections that begin together end together, and waking costs more than all
// else that is done for one.
const gather = time.Millisecond

func newPoller(others launcher) *poller {
	return &poller{others: others, open: map[int32]*connection{}}
}

// launch begins an attempt. Where there is no epoll instance to be had, the
// attempt is one of the others'. To connect does not block, so it is done here:
// another goroutine would have to be woken.
func (p *poller) launch(ctx context.Context, c Check, step int, done func(Result)) {
	tcp, ok := c.(tcpCheck)
	if !ok {
		p.others.launch(ctx, c, step, done)
		return
	}
	loop, err := p.looping()
	if err != nil {
		p.others.launch(ctx, c, step, done)
		return
	}
	p.begin(loop, &connection{check: tcp, ctx: ctx, done: done, start: time.Now(), fd: -1})
}

// looping is the loop, which runs from the first attempt on.
func (p *poller) looping() (*pollLoop, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.loop == nil {
		loop, err := openLoop()
		if err != nil {
			return nil, err
		}
		p.loop = loop
		go p.run(loop)
	}
	return p.loop, nil
}

// close ends the loop. No attempt may be left.
func (p *poller) close() {
	p.mu.Lock()
	loop := p.loop
	p.loop = nil
	p.mu.Unlock()
	if loop == nil {
		return
	}
	_ = loop.epoll.Close()
	<-loop.ended
}

// openLoop makes an epoll instance that Go's own poller waits for.
func openLoop() (*pollLoop, error) {
	fd, err := unix.EpollCreate1(unix.EPOLL_CLOEXEC)
	if err != nil {
		return nil, fmt.Errorf("epoll: %w", err)
	}
	// Only a file that does not block is one that Go polls.
	if err := unix.SetNonblock(fd, true); err != nil {
		_ = unix.Close(fd)
		return nil, fmt.Errorf("epoll: %w", err)
	}
	loop := &pollLoop{epoll: os.NewFile(uintptr(fd), "epoll"), ended: make(chan struct{})}
	if loop.raw, err = loop.epoll.SyscallConn(); err != nil {
		_ = loop.epoll.Close()
		return nil, fmt.Errorf("epoll: %w", err)
	}
	return loop, nil
}

// run serves events until the epoll instance is closed.
func (p *poller) run(loop *pollLoop) {
	defer close(loop.ended)
	events := make([]unix.EpollEvent, 256)
	for {
		var n int
		var failed error
		woken := false
		err := loop.raw.Read(func(fd uintptr) bool {
			if woken {
				time.Sleep(gather)
			}
			woken = true
			n, failed = unix.EpollWait(int(fd), events, 0)
			return n > 0 || failed != nil && !errors.Is(failed, unix.EINTR)
		})
		if err != nil || failed != nil {
			// It is closed. Should it ever fail, attempts end by their contexts.
			return
		}
		for _, e := range events[:n] {
			if c := p.take(e.Fd); c != nil {
				p.settle(c, e.Events)
			}
		}
	}
}

// begin connects for an attempt.
func (p *poller) begin(loop *pollLoop, c *connection) {
	if err := c.ctx.Err(); err != nil {
		c.finish(c.failure(err))
		return
	}
	pending, err := c.connect()
	if err == nil && pending {
		err = p.await(loop.raw, c)
		pending = err == nil
	}
	if !pending {
		c.close()
		c.finish(err)
	}
}

// await has the loop hear of the end of the attempt, whichever comes first: the
// connection or the context's end.
func (p *poller) await(epoll syscall.RawConn, c *connection) error {
	p.mu.Lock()
	p.number = max(p.number+1, 1)
	for p.open[p.number] != nil {
		p.number = max(p.number+1, 1)
	}
	n := p.number
	p.open[n] = c
	c.release = context.AfterFunc(c.ctx, func() {
		if p.take(n) != nil {
			c.close()
			c.finish(c.failure(c.ctx.Err()))
		}
	})
	p.mu.Unlock()
	var err error
	if e := epoll.Control(func(fd uintptr) {
		err = unix.EpollCtl(int(fd), unix.EPOLL_CTL_ADD, c.fd, &unix.EpollEvent{Events: unix.EPOLLOUT | unix.EPOLLET, Fd: n})
	}); e != nil {
		err = e
	}
	if err != nil && p.take(n) != nil {
		return fmt.Errorf("epoll for %s: %w: %w", c.check.cfg.remote(), err, ErrNotAttempted)
	}
	return nil
}

// take makes the caller the only one to end the attempt, unless it has ended.
func (p *poller) take(n int32) *connection {
	p.mu.Lock()
	defer p.mu.Unlock()
	c := p.open[n]
	delete(p.open, n)
	if c != nil {
		c.release()
	}
	return c
}

// settle ends an attempt that the kernel has settled.
func (p *poller) settle(c *connection, events uint32) {
	var err error
	if events&(unix.EPOLLERR|unix.EPOLLHUP) != 0 {
		errno, e := unix.GetsockoptInt(c.fd, unix.SOL_SOCKET, unix.SO_ERROR)
		if e == nil && errno != 0 {
			e = syscall.Errno(errno)
		}
		if e != nil {
			err = c.check.cfg.callError("connect", e)
		}
	}
	c.close()
	c.finish(err)
}

// connect begins to connect, and says whether the end is to be waited for.
func (c *connection) connect() (pending bool, err error) {
	cfg := c.check.cfg
	family := unix.AF_INET
	if cfg.Addr.Is6() {
		family = unix.AF_INET6
	}
	c.fd, err = unix.Socket(family, unix.SOCK_STREAM|unix.SOCK_CLOEXEC|unix.SOCK_NONBLOCK, 0)
	if err != nil {
		c.fd = -1
		return false, cfg.callError("socket", err)
	}
	if err := cfg.setOptions(c.fd); err != nil {
		return false, fmt.Errorf("connect %s: %w", cfg.remote(), err)
	}
	if local := cfg.local(); local.IsValid() {
		if err := unix.Bind(c.fd, sockaddr(local)); err != nil {
			return false, cfg.callError("bind", err)
		}
	}
	switch err := unix.Connect(c.fd, sockaddr(cfg.remote())); {
	case err == nil:
		return false, nil
	case errors.Is(err, unix.EINPROGRESS) || errors.Is(err, unix.EINTR):
		return true, nil
	default:
		return false, cfg.callError("connect", err)
	}
}

// failure is what the end of the context says of the server.
func (c *connection) failure(err error) error {
	if errors.Is(err, context.DeadlineExceeded) {
		return fmt.Errorf("connect %s: %s after %s", c.check.cfg.remote(), timedOut, c.check.cfg.Timeout)
	}
	return fmt.Errorf("connect %s: %w", c.check.cfg.remote(), err)
}

func (c *connection) close() {
	if c.fd >= 0 {
		_ = unix.Close(c.fd)
	}
}

func (c *connection) finish(err error) {
	r := c.check.result(err)
	r.Took = time.Since(c.start)
	c.done(r)
}
