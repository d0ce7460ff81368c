package host

import (
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"syscall"
	"time"

	"golang.org/x/net/bpf"
	"golang.org/x/sys/unix"
)

// receiveBuffer is what the netlink sockets ask of the kernel: room for the
// notifications of some ten thousand addresses while the reader is busy.
const receiveBuffer = 8 << 20

// rtnl is one rtnetlink socket with its buffers. It is used by one goroutine at
// a time, and belongs to the network namespace of the thread that opened it.
type rtnl struct {
	file *os.File
	raw  syscall.RawConn
	seq  uint32
	in   []byte
	// out is what requests are written in.
	out []byte
}

// dialRTNL opens an rtnetlink socket, in the network namespace of the calling
// thread.
func dialRTNL() (*rtnl, error) {
	fd, err := unix.Socket(unix.AF_NETLINK, unix.SOCK_RAW|unix.SOCK_CLOEXEC|unix.SOCK_NONBLOCK, unix.NETLINK_ROUTE)
	if err != nil {
		return nil, fmt.Errorf("open rtnetlink socket: %w", err)
	}
	if err := unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_RCVBUFFORCE, receiveBuffer); err != nil {
		// Without CAP_NET_ADMIN the kernel's limit holds.
		_ = unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_RCVBUF, receiveBuffer)
	}
	// Short acknowledgements with the kernel's own words; a kernel that knows
	// neither (before 4.12) sends long ones without.
	_ = unix.SetsockoptInt(fd, unix.SOL_NETLINK, unix.NETLINK_CAP_ACK, 1)
	_ = unix.SetsockoptInt(fd, unix.SOL_NETLINK, unix.NETLINK_EXT_ACK, 1)
	if err := unix.Bind(fd, &unix.SockaddrNetlink{Family: unix.AF_NETLINK}); err != nil {
		_ = unix.Close(fd)
		return nil, fmt.Errorf("bind rtnetlink socket: %w", err)
	}
	c := &rtnl{file: os.NewFile(uintptr(fd), "rtnetlink"), in: make([]byte, 64<<10)}
	if c.raw, err = c.file.SyscallConn(); err != nil {
		_ = c.file.Close()
		return nil, fmt.Errorf("rtnetlink socket: %w", err)
	}
	return c, nil
}

// strict has the kernel heed the filters in requests for listings; one that does
// not know how (before 4.20) lists all.
func (c *rtnl) strict() {
	_ = c.raw.Control(func(fd uintptr) {
		_ = unix.SetsockoptInt(int(fd), unix.SOL_NETLINK, unix.NETLINK_GET_STRICT_CHK, 1)
	})
}

// hear has the kernel tell of what happens in the groups (RTNLGRP_*), as far as
// the filter lets it through.
func (c *rtnl) hear(filter []bpf.Instruction, groups ...int) error {
	var err error
	cerr := c.raw.Control(func(fd uintptr) {
		err = attachFilter(int(fd), filter)
		for _, g := range groups {
			if err == nil {
				err = unix.SetsockoptInt(int(fd), unix.SOL_NETLINK, unix.NETLINK_ADD_MEMBERSHIP, g)
			}
		}
	})
	if err := errors.Join(cerr, err); err != nil {
		return fmt.Errorf("hear the kernel's notifications: %w", err)
	}
	return nil
}

// attachFilter has the kernel drop what a filter rejects before a socket sees it.
func attachFilter(fd int, filter []bpf.Instruction) error {
	program, err := bpf.Assemble(filter)
	if err != nil {
		return fmt.Errorf("assemble filter: %w", err)
	}
	code := make([]unix.SockFilter, 0, len(program))
	for _, p := range program {
		code = append(code, unix.SockFilter{Code: p.Op, Jt: p.Jt, Jf: p.Jf, K: p.K})
	}
	err = unix.SetsockoptSockFprog(fd, unix.SOL_SOCKET, unix.SO_ATTACH_FILTER, &unix.SockFprog{Len: uint16(len(code)), Filter: &code[0]})
	if err != nil {
		return fmt.Errorf("attach filter: %w", err)
	}
	return nil
}

func (c *rtnl) close() error { return c.file.Close() }

// next is the sequence number of the next request.
func (c *rtnl) next() uint32 {
	c.seq++
	if c.seq == 0 { // the kernel's own notifications carry 0
		c.seq = 1
	}
	return c.seq
}

// send hands the kernel one buffer of messages; it carries them out before
// send returns.
func (c *rtnl) send(b []byte) error {
	var err error
	to := &unix.SockaddrNetlink{Family: unix.AF_NETLINK}
	cerr := c.raw.Write(func(fd uintptr) bool {
		err = unix.Sendto(int(fd), b, 0, to)
		return !errors.Is(err, unix.EAGAIN)
	})
	return errors.Join(cerr, err)
}

// receive waits for one datagram; the bytes are good until the next receive.
// The error is unix.ENOBUFS where the kernel had to drop some.
func (c *rtnl) receive() ([]byte, error) { return c.read(true) }

// poll is receive without waiting: nil where nothing is there.
func (c *rtnl) poll() ([]byte, error) { return c.read(false) }

func (c *rtnl) read(wait bool) ([]byte, error) {
	var n int
	var err error
	for {
		var from unix.Sockaddr
		cerr := c.raw.Read(func(fd uintptr) bool {
			n, from, err = unix.Recvfrom(int(fd), c.in, unix.MSG_TRUNC)
			return !wait || !errors.Is(err, unix.EAGAIN)
		})
		switch {
		case cerr != nil:
			return nil, cerr
		case errors.Is(err, unix.EINTR):
			continue
		case errors.Is(err, unix.EAGAIN):
			return nil, nil
		case err != nil:
			return nil, err
		case n > len(c.in):
			// Larger than any message the kernel makes today: make room, and
			// let the caller ask again.
			c.in = make([]byte, 2*n)
			return nil, unix.ENOBUFS
		}
		if sa, ok := from.(*unix.SockaddrNetlink); ok && sa.Pid != 0 {
			continue // not from the kernel
		}
		return c.in[:n], nil
	}
}

// deadline bounds the receives that follow; zero removes the bound.
func (c *rtnl) deadline(d time.Duration) error {
	if d == 0 {
		return c.file.SetReadDeadline(time.Time{})
	}
	return c.file.SetReadDeadline(time.Now().Add(d))
}

// Numbers of an attribute; 0 where it is too short.
func attr8(b []byte) uint8 {
	if len(b) < 1 {
		return 0
	}
	return b[0]
}

func attr16(b []byte) uint16 {
	if len(b) < 2 {
		return 0
	}
	return binary.NativeEndian.Uint16(b)
}

func attr32(b []byte) uint32 {
	if len(b) < 4 {
		return 0
	}
	return binary.NativeEndian.Uint32(b)
}

func attr64big(b []byte) uint64 {
	if len(b) < 8 {
		return 0
	}
	return binary.BigEndian.Uint64(b)
}
