package host

import (
	"errors"
	"net"
	"sync"
	"syscall"
	"unsafe"

	"golang.org/x/sys/unix"
)

// gathered is a raw socket in which packets gather until somebody comes for them.
type gathered struct {
	poller *Poller
	token  int32

	// mu guards fd against being closed while it is used.
	mu     sync.RWMutex
	fd     int
	closed bool
}

// detach gives a socket of its own to what the runtime has open, and has the
// runtime close its own: its poller would be woken by every packet.
func detach(conn interface {
	syscall.Conn
	Close() error
}) (fd int, err error) {
	defer func() { err = errors.Join(err, conn.Close()) }()
	raw, err := conn.SyscallConn()
	if err != nil {
		return -1, err
	}
	cerr := raw.Control(func(from uintptr) { fd, err = unix.FcntlInt(from, unix.F_DUPFD_CLOEXEC, 0) })
	return fd, errors.Join(cerr, err)
}

// gather hands the socket to the poller, whose Wait calls ready once after each
// Arm; one that cannot be taken up is closed.
func (g *gathered) gather(fd int, p *Poller, ready func()) (err error) {
	g.poller, g.fd = p, fd
	if g.token, err = p.add(fd, ready); err != nil {
		return errors.Join(err, unix.Close(fd))
	}
	return nil
}

// Arm has the poller's Wait call ready once, as soon as there is something to
// receive.
func (g *gathered) Arm() error {
	return g.use(func() error { return g.poller.arm(g.fd, g.token) })
}

// use calls f while the socket is open.
func (g *gathered) use(f func() error) error {
	g.mu.RLock()
	defer g.mu.RUnlock()
	if g.closed {
		return net.ErrClosed
	}
	return f()
}

// Close closes the socket.
func (g *gathered) Close() error {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.closed {
		return nil
	}
	g.closed = true
	g.poller.remove(g.fd, g.token)
	return unix.Close(g.fd)
}

// read takes in what has gathered, at most InboxSize packets, and does not wait.
func (g *gathered) read(in *Inbox) (int, error) {
	g.mu.RLock()
	defer g.mu.RUnlock()
	if g.closed {
		return 0, net.ErrClosed
	}
	in.clear()
	for {
		n, _, errno := unix.RawSyscall6(unix.SYS_RECVMMSG, uintptr(g.fd),
			uintptr(unsafe.Pointer(&in.messages[0])), InboxSize, unix.MSG_DONTWAIT, 0, 0)
		switch errno {
		case 0:
			return int(n), nil
		case unix.EAGAIN:
			return 0, nil
		case unix.EINTR:
		default:
			return 0, errno
		}
	}
}

// sendMessages is sendmmsg(2), for sockets that do not wait. The error is that of
// the message after those that were sent.
func sendMessages(fd int, messages []mmsghdr, flags int) (sent int, err error) {
	for {
		n, _, errno := unix.RawSyscall6(unix.SYS_SENDMMSG, uintptr(fd),
			uintptr(unsafe.Pointer(&messages[0])), uintptr(len(messages)), uintptr(flags), 0, 0)
		switch errno {
		case 0:
			return int(n), nil
		case unix.EINTR:
		default:
			return 0, errno
		}
	}
}
