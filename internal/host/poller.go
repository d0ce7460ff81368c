package host

import (
	"encoding/binary"
	"errors"
	"fmt"
	"net"
	"os"
	"sync"
	"sync/atomic"
	"syscall"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"
)

// Poller is what one goroutine waits in: for packets on many sockets, for a
// moment, and for other goroutines. The runtime's own poller wakes a thread for
// every packet that arrives, and its timers wake two and are a millisecond late;
// this one reports a socket once and is silent about it until that is armed
// again, so that whoever reads it takes in what has gathered when it suits them.
type Poller struct {
	file  *os.File
	raw   syscall.RawConn
	fd    int
	timer int
	event int

	// mu guards the descriptors against being closed while they are used.
	mu     sync.RWMutex
	closed bool
	last   int32
	ready  map[int32]func()

	// woken is true from Wake until Wait has seen it.
	woken atomic.Bool
	// until is what the timer is set to, zero where it is not.
	until time.Time
	// looked is whether poll was called since Wait was.
	looked bool
	events [16]unix.EpollEvent
	n      int
	waitFn func(fd uintptr) bool
	spec   unix.ItimerSpec
	number [8]byte
}

// Tokens of what is no socket.
const (
	timerToken int32 = -1
	eventToken int32 = -2
)

// NewPoller opens a poller.
func NewPoller() (*Poller, error) {
	p := &Poller{fd: -1, timer: -1, event: -1, ready: map[int32]func(){}}
	p.waitFn = p.poll
	if err := p.open(); err != nil {
		return nil, errors.Join(fmt.Errorf("open a poller: %w", err), p.Close())
	}
	return p, nil
}

func (p *Poller) open() (err error) {
	if p.timer, err = unix.TimerfdCreate(unix.CLOCK_MONOTONIC, unix.TFD_NONBLOCK|unix.TFD_CLOEXEC); err != nil {
		return fmt.Errorf("timer: %w", err)
	}
	if p.event, err = unix.Eventfd(0, unix.EFD_NONBLOCK|unix.EFD_CLOEXEC); err != nil {
		return fmt.Errorf("event: %w", err)
	}
	if p.fd, err = unix.EpollCreate1(unix.EPOLL_CLOEXEC); err != nil {
		return fmt.Errorf("epoll: %w", err)
	}
	// An epoll instance can be polled itself. One that does not block is taken
	// up by the runtime's poller, so that no thread is kept waiting in it.
	if err := unix.SetNonblock(p.fd, true); err != nil {
		return err
	}
	p.file = os.NewFile(uintptr(p.fd), "epoll")
	if p.raw, err = p.file.SyscallConn(); err != nil {
		return err
	}
	err = p.control(unix.EPOLL_CTL_ADD, p.event, eventToken, unix.EPOLLIN)
	return errors.Join(err, p.control(unix.EPOLL_CTL_ADD, p.timer, timerToken, unix.EPOLLIN|unix.EPOLLET))
}

// Wait waits until a moment, for ever where that is zero, until Wake is called,
// or until an armed socket has packets, and calls the sockets' ready before it
// returns. Where the moment has passed it does not wait, but tells of the sockets
// all the same. Its error says that the poller is closed. Only one goroutine may
// call it.
func (p *Poller) Wait(until time.Time) error {
	wait := time.Duration(0)
	if !until.IsZero() {
		wait = time.Until(until)
	}
	p.looked = false
	if !until.IsZero() && wait <= 0 {
		p.poll(uintptr(p.fd))
	} else {
		if !until.Equal(p.until) {
			if err := p.setTimer(wait); err != nil {
				return err
			}
			p.until = until
		}
		if err := p.raw.Read(p.waitFn); err != nil {
			return err
		}
	}
	for _, e := range p.events[:p.n] {
		switch e.Fd {
		case timerToken:
			p.until = time.Time{}
		case eventToken:
			_, _ = unix.Read(p.event, p.number[:])
			p.woken.Store(false)
		default:
			p.report(e.Fd)
		}
	}
	return nil
}

// setTimer sets the timer, or with 0 stops it.
func (p *Poller) setTimer(wait time.Duration) error {
	p.spec.Value = unix.NsecToTimespec(wait.Nanoseconds())
	_, _, errno := unix.RawSyscall6(unix.SYS_TIMERFD_SETTIME, uintptr(p.timer), 0, uintptr(unsafe.Pointer(&p.spec)), 0, 0, 0)
	if errno != 0 {
		return fmt.Errorf("set the timer: %w", errno)
	}
	return nil
}

// poll looks what there is; false means that nothing is. The call is raw, here
// as where packets are sent and received: none of them blocks, and a call that the
// runtime knows of wakes its monitor, a thousand times a second where adverts are
// many.
//
// Woken at the moment that is waited for it does not look: what else there is, is told
// by the next Wait, which begins by looking.
func (p *Poller) poll(fd uintptr) bool {
	if p.looked && !p.until.IsZero() && !time.Now().Before(p.until) {
		p.until, p.n = time.Time{}, 0
		return true
	}
	p.looked = true
	n, _, errno := unix.RawSyscall6(unix.SYS_EPOLL_PWAIT, fd,
		uintptr(unsafe.Pointer(&p.events[0])), uintptr(len(p.events)), 0, 0, 0)
	p.n = int(n)
	if errno != 0 || p.n == 1 && p.events[0].Fd == timerToken && p.until.IsZero() {
		p.n = 0 // at most the event of a timer that was served and has not been set again
	}
	return p.n > 0 || errno != 0 && errno != unix.EINTR
}

// report tells of one socket; one that was removed meanwhile is not told of.
func (p *Poller) report(token int32) {
	p.mu.RLock()
	ready := p.ready[token]
	p.mu.RUnlock()
	if ready != nil {
		ready()
	}
}

// Wake has Wait return, the next one where none waits.
func (p *Poller) Wake() {
	if p.woken.Swap(true) {
		return
	}
	p.mu.RLock()
	defer p.mu.RUnlock()
	if !p.closed {
		var b [8]byte
		binary.NativeEndian.PutUint64(b[:], 1)
		// It cannot fail: the number in it is 0 or 1.
		_, _ = unix.Write(p.event, b[:])
	}
}

// Close closes the poller, in which nobody may wait any more.
func (p *Poller) Close() error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.closed {
		return nil
	}
	p.closed = true
	var errs []error
	switch {
	case p.file != nil:
		errs = append(errs, p.file.Close())
	case p.fd >= 0:
		errs = append(errs, unix.Close(p.fd))
	}
	for _, fd := range []int{p.timer, p.event} {
		if fd >= 0 {
			errs = append(errs, unix.Close(fd))
		}
	}
	return errors.Join(errs...)
}

// add takes up a socket, not armed.
func (p *Poller) add(fd int, ready func()) (token int32, err error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.last++
	if err := p.control(unix.EPOLL_CTL_ADD, fd, p.last, 0); err != nil {
		return 0, err
	}
	p.ready[p.last] = ready
	return p.last, nil
}

// arm has the socket reported once, at once where something is there already.
func (p *Poller) arm(fd int, token int32) error {
	p.mu.RLock()
	defer p.mu.RUnlock()
	return p.control(unix.EPOLL_CTL_MOD, fd, token, unix.EPOLLIN|unix.EPOLLONESHOT)
}

func (p *Poller) remove(fd int, token int32) {
	p.mu.Lock()
	defer p.mu.Unlock()
	delete(p.ready, token)
	// Closing the socket would do too.
	_ = p.control(unix.EPOLL_CTL_DEL, fd, token, 0)
}

// control is called with mu held, or before anybody else knows of p.
func (p *Poller) control(op, fd int, token int32, events uint32) error {
	if p.closed {
		return net.ErrClosed
	}
	if err := unix.EpollCtl(p.fd, op, fd, &unix.EpollEvent{Events: events, Fd: token}); err != nil {
		return fmt.Errorf("wait for packets: %w", err)
	}
	return nil
}
