package ipvs

import (
	"errors"
	"fmt"
	"os"
	"time"

	"github.com/vishvananda/netlink/nl"
	"golang.org/x/sys/unix"
)

// netlinkLink is a generic netlink socket.
//
// The kernel works through what is sent before the send returns, so the answers
// of one exchange are in the receive queue at once; waiting is the exception,
// and a plain poll does for it.
type netlinkLink struct {
	sock *nl.NetlinkSocket
	fd   int
}

var _ link = (*netlinkLink)(nil)

// openNetlink opens the socket in the calling thread's network namespace.
func openNetlink() (*netlinkLink, error) {
	s, err := nl.Subscribe(unix.NETLINK_GENERIC)
	if err != nil {
		return nil, fmt.Errorf("open generic netlink socket: %w", err)
	}
	// An error without a copy of the message it answers: a batch that fails as
	// a whole fits the receive queue. Kernels before 4.2 answer with the copy.
	if err := unix.SetsockoptInt(s.GetFd(), unix.SOL_NETLINK, unix.NETLINK_CAP_ACK, 1); err != nil && !errors.Is(err, unix.ENOPROTOOPT) {
		s.Close()
		return nil, fmt.Errorf("set NETLINK_CAP_ACK: %w", err)
	}
	return &netlinkLink{sock: s, fd: s.GetFd()}, nil
}

func (l *netlinkLink) close() { l.sock.Close() }

func (l *netlinkLink) send(b []byte) error {
	for {
		err := unix.Sendto(l.fd, b, 0, &unix.SockaddrNetlink{Family: unix.AF_NETLINK})
		if !errors.Is(err, unix.EINTR) {
			return os.NewSyscallError("send to netlink", err)
		}
	}
}

func (l *netlinkLink) receive(b []byte, wait time.Duration) (int, error) {
	for waited := false; ; {
		n, from, err := unix.Recvfrom(l.fd, b, unix.MSG_DONTWAIT|unix.MSG_TRUNC)
		switch {
		case err == nil:
			if sender, ok := from.(*unix.SockaddrNetlink); ok && sender.Pid != nl.PidKernel {
				continue // another process may write to our port; it is not the kernel
			}
			if n > len(b) {
				return 0, fmt.Errorf("netlink datagram of %d bytes is longer than %d", n, len(b))
			}
			return n, nil
		case errors.Is(err, unix.EINTR):
		case errors.Is(err, unix.EAGAIN) && (waited || wait == 0):
			return 0, os.ErrDeadlineExceeded
		case errors.Is(err, unix.EAGAIN):
			waited = true
			fds := []unix.PollFd{{Fd: int32(l.fd), Events: unix.POLLIN}}
			if _, err := unix.Poll(fds, int(wait.Milliseconds())); err != nil && !errors.Is(err, unix.EINTR) {
				return 0, os.NewSyscallError("poll netlink", err)
			}
		default:
			return 0, os.NewSyscallError("receive from netlink", err)
		}
	}
}
