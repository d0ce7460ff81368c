package host

import (
	"errors"
	"fmt"
	"net"
	"os"
	"sync"

	"golang.org/x/sys/unix"
)

// Poller waits for packets on many sockets. Unlike the runtime's own poller,
// which wakes a thread for every packet that arrives, it reports a socket once
// and is silent about it until that is armed again: whoever reads the socket
// takes in what has gathered, when it suits him.
type Poller struct {
	fd   int
	file *os.File
	done chan struct{}
	once sync.Once

	mu    sync.Mutex
	last  int32
	ready map[int32]func()
}

// NewPoller starts a poller, which runs until Close.
func NewPoller() (*Poller, error) {
	fd, err := unix.EpollCreate1(unix.EPOLL_CLOEXEC)
	if err != nil {
		return nil, fmt.Errorf("make an epoll instance: %w", err)
	}
	// An epoll instance can be polled itself. One that does not block is taken
	// up by the runtime's poller, so that no thread waits in it.
	if err := unix.SetNonblock(fd, true); err != nil {
		return nil, errors.Join(fmt.Errorf("make an epoll instance: %w", err), unix.Close(fd))
	}
	p := &Poller{fd: fd, file: os.NewFile(uintptr(fd), "epoll"), done: make(chan struct{}), ready: map[int32]func(){}}
	raw, err := p.file.SyscallConn()
	if err != nil {
		return nil, errors.Join(fmt.Errorf("poll an epoll instance: %w", err), p.file.Close())
	}
	go func() {
		defer close(p.done)
		var events [16]unix.EpollEvent
		n := 0
		wait := func(fd uintptr) bool {
			var err error
			n, err = unix.EpollWait(int(fd), events[:], 0)
			return n > 0 || err != nil && !errors.Is(err, unix.EINTR)
		}
		for raw.Read(wait) == nil {
			for _, e := range events[:max(n, 0)] {
				p.report(e.Fd)
			}
		}
	}()
	return p, nil
}

// report tells of one socket; one that was removed meanwhile is not told of.
func (p *Poller) report(token int32) {
	p.mu.Lock()
	ready := p.ready[token]
	p.mu.Unlock()
	if ready != nil {
		ready()
	}
}

// Close ends the poller and waits until ready has returned for the last time.
func (p *Poller) Close() error {
	var err error
	p.once.Do(func() {
		err = p.file.Close()
		<-p.done
	})
	return err
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
	return p.control(unix.EPOLL_CTL_MOD, fd, token, unix.EPOLLIN|unix.EPOLLONESHOT)
}

func (p *Poller) remove(fd int, token int32) {
	p.mu.Lock()
	defer p.mu.Unlock()
	delete(p.ready, token)
	// Closing the socket would do too.
	_ = p.control(unix.EPOLL_CTL_DEL, fd, token, 0)
}

func (p *Poller) control(op, fd int, token int32, events uint32) error {
	select {
	case <-p.done:
		return net.ErrClosed
	default:
	}
	if err := unix.EpollCtl(p.fd, op, fd, &unix.EpollEvent{Events: events, Fd: token}); err != nil {
		return fmt.Errorf("wait for packets: %w", err)
	}
	return nil
}
