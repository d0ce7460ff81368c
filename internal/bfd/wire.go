package bfd

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"net/netip"
	"os"
	"sync"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// wire is all that a Speaker does to the network; hostWire is the real one.
type wire interface {
	// listen opens a port; wake is called, from any goroutine, when something has
	// come.
	listen(port uint16, ipv6 bool, wake func()) (receiver, error)
	dial(p Peering) (sender, error)
}

// receiver is an open port.
type receiver interface {
	// take returns what has come since the last call, in order, and waits for
	// nothing.
	take() []datagram
	close()
}

// sender sends to one neighbour, and waits for nothing.
type sender interface {
	// send fails with errStale where the socket is of no use any more.
	send(b []byte) error
	close()
}

// errStale says that a socket has to be opened anew.
var errStale = errors.New("source address gone")

// hostWire is this host's network.
type hostWire struct{}

const (
	// firstPort is the first source port of RFC 5881 4.
	firstPort = 49152
	// portTries is how many source ports are tried.
	portTries = 64
	// network control, as routing protocols send.
	trafficClass = 0xc0
	// backlog bounds what may wait for the loop.
	backlog = 1024
	// longest is more than any packet: what is longer is cut, and not valid.
	longest = 256
)

// hostReceiver reads in a goroutine of its own, and where the loop asks, in the
// loop: a packet that has come is never missed because a goroutine has not run.
type hostReceiver struct {
	port uint16
	file *os.File
	raw  syscall.RawConn
	wake func()
	done sync.WaitGroup

	mu      sync.Mutex
	waiting []datagram
	buf     [longest]byte
	control [128]byte
}

func (hostWire) listen(port uint16, ipv6 bool, wake func()) (receiver, error) {
	fd, err := listenSocket(port, ipv6)
	if err != nil {
		family := "IPv4"
		if ipv6 {
			family = "IPv6"
		}
		return nil, fmt.Errorf("bfd: listen on %s port %d: %w", family, port, err)
	}
	r := &hostReceiver{port: port, file: os.NewFile(uintptr(fd), "bfd"), wake: wake}
	if r.raw, err = r.file.SyscallConn(); err != nil {
		_ = r.file.Close()
		return nil, fmt.Errorf("bfd: %w", err)
	}
	r.done.Go(r.read)
	return r, nil
}

func listenSocket(port uint16, ipv6 bool) (int, error) {
	family, sa := unix.AF_INET, unix.Sockaddr(&unix.SockaddrInet4{Port: int(port)})
	if ipv6 {
		family, sa = unix.AF_INET6, &unix.SockaddrInet6{Port: int(port)}
	}
	fd, err := unix.Socket(family, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC|unix.SOCK_NONBLOCK, 0)
	if err != nil {
		return -1, err
	}
	if ipv6 {
		err = errors.Join(
			unix.SetsockoptInt(fd, unix.IPPROTO_IPV6, unix.IPV6_V6ONLY, 1),
			unix.SetsockoptInt(fd, unix.IPPROTO_IPV6, unix.IPV6_RECVHOPLIMIT, 1))
	} else {
		err = unix.SetsockoptInt(fd, unix.IPPROTO_IP, unix.IP_RECVTTL, 1)
	}
	if err = errors.Join(err, unix.Bind(fd, sa)); err != nil {
		_ = unix.Close(fd)
		return -1, err
	}
	return fd, nil
}

// read takes in what comes until the socket is closed.
func (r *hostReceiver) read() {
	for {
		err := r.raw.Read(func(fd uintptr) bool {
			r.mu.Lock()
			defer r.mu.Unlock()
			return r.drain(int(fd)) > 0
		})
		if err != nil {
			return
		}
		r.wake()
	}
}

func (r *hostReceiver) take() []datagram {
	r.mu.Lock()
	defer r.mu.Unlock()
	// After an error the socket is closed, and what waits is all there is.
	_ = r.raw.Control(func(fd uintptr) { r.drain(int(fd)) })
	out := r.waiting
	r.waiting = nil
	return out
}

// drain takes in all that has come, and returns how many datagrams. The lock is
// held.
func (r *hostReceiver) drain(fd int) int {
	n := 0
	for {
		size, extra, _, from, err := unix.Recvmsg(fd, r.buf[:], r.control[:], unix.MSG_DONTWAIT)
		if err != nil {
			return n
		}
		n++
		if len(r.waiting) >= backlog {
			continue
		}
		d := datagram{port: r.port, ttl: receivedTTL(r.control[:extra]), data: append([]byte(nil), r.buf[:size]...)}
		switch sa := from.(type) {
		case *unix.SockaddrInet4:
			d.from = netip.AddrFrom4(sa.Addr)
		case *unix.SockaddrInet6:
			d.from = netip.AddrFrom16(sa.Addr)
		}
		r.waiting = append(r.waiting, d)
	}
}

// receivedTTL is the TTL or hop limit that the kernel tells of, 0 where it does not.
func receivedTTL(control []byte) int {
	for len(control) > 0 {
		h, data, rest, err := unix.ParseOneSocketControlMessage(control)
		if err != nil {
			return 0
		}
		ttl := h.Level == unix.IPPROTO_IP && h.Type == unix.IP_TTL || h.Level == unix.IPPROTO_IPV6 && h.Type == unix.IPV6_HOPLIMIT
		if ttl && len(data) >= 4 {
			return int(data[0]) | int(data[1])<<8 | int(data[2])<<16 | int(data[3])<<24
		}
		control = rest
	}
	return 0
}

func (r *hostReceiver) close() {
	_ = r.file.SetReadDeadline(time.Unix(1, 0))
	r.done.Wait()
	_ = r.file.Close()
}

// hostSender is a socket of its own for each session, since each has a source
// port of its own (RFC 5881 4).
type hostSender struct {
	fd int
	to unix.Sockaddr
}

func (hostWire) dial(p Peering) (sender, error) {
	family := unix.AF_INET
	if p.Neighbour.Is6() {
		family = unix.AF_INET6
	}
	fd, err := unix.Socket(family, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC|unix.SOCK_NONBLOCK, 0)
	if err != nil {
		return nil, fmt.Errorf("socket: %w", err)
	}
	if family == unix.AF_INET6 {
		err = errors.Join(
			unix.SetsockoptInt(fd, unix.IPPROTO_IPV6, unix.IPV6_UNICAST_HOPS, p.TTL),
			unix.SetsockoptInt(fd, unix.IPPROTO_IPV6, unix.IPV6_TCLASS, trafficClass))
	} else {
		err = errors.Join(
			unix.SetsockoptInt(fd, unix.IPPROTO_IP, unix.IP_TTL, p.TTL),
			unix.SetsockoptInt(fd, unix.IPPROTO_IP, unix.IP_TOS, trafficClass))
	}
	if err == nil {
		err = bindSource(fd, p)
	}
	if err != nil {
		_ = unix.Close(fd)
		return nil, err
	}
	to := sockaddr(p.Neighbour, p.port())
	if six, ok := to.(*unix.SockaddrInet6); ok {
		six.ZoneId = bound(fd)
	}
	return &hostSender{fd: fd, to: to}, nil
}

// bound is the link that a socket was bound to by its link-local source, 0 for none.
func bound(fd int) uint32 {
	if sa, err := unix.Getsockname(fd); err == nil {
		if six, ok := sa.(*unix.SockaddrInet6); ok {
			return six.ZoneId
		}
	}
	return 0
}

// linkOf is the interface that has a link-local address of this host.
func linkOf(source netip.Addr) (uint32, error) {
	interfaces, err := net.Interfaces()
	if err != nil {
		return 0, fmt.Errorf("list interfaces: %w", err)
	}
	for _, i := range interfaces {
		addrs, err := i.Addrs()
		if err != nil {
			continue
		}
		for _, a := range addrs {
			if p, err := netip.ParsePrefix(a.String()); err == nil && p.Addr() == source {
				return uint32(i.Index), nil
			}
		}
	}
	return 0, fmt.Errorf("no interface has %s: %w", source, unix.EADDRNOTAVAIL)
}

// bindSource binds to the source address and a free port of the range.
func bindSource(fd int, p Peering) error {
	source := p.Source
	if !source.IsValid() {
		source = netip.IPv4Unspecified()
		if p.Neighbour.Is6() {
			source = netip.IPv6Unspecified()
		}
	}
	var zone uint32
	var err error
	if source.Is6() && source.IsLinkLocalUnicast() {
		// Every link has such a network: the source says which is meant.
		if zone, err = linkOf(source); err != nil {
			return err
		}
	}
	for range portTries {
		to := sockaddr(source, uint16(firstPort+rand.IntN(1<<16-firstPort)))
		if six, ok := to.(*unix.SockaddrInet6); ok {
			six.ZoneId = zone
		}
		if err = unix.Bind(fd, to); !errors.Is(err, unix.EADDRINUSE) {
			break
		}
	}
	if err != nil {
		return fmt.Errorf("bind to %s: %w", source, err)
	}
	return nil
}

func sockaddr(a netip.Addr, port uint16) unix.Sockaddr {
	if a.Is6() {
		return &unix.SockaddrInet6{Addr: a.As16(), Port: int(port)}
	}
	return &unix.SockaddrInet4{Addr: a.As4(), Port: int(port)}
}

func (s *hostSender) send(b []byte) error {
	err := unix.Sendto(s.fd, b, unix.MSG_DONTWAIT|unix.MSG_NOSIGNAL, s.to)
	// An error that an earlier packet met is told now; this one is sent again.
	if errors.Is(err, unix.ECONNREFUSED) {
		err = unix.Sendto(s.fd, b, unix.MSG_DONTWAIT|unix.MSG_NOSIGNAL, s.to)
	}
	if errors.Is(err, unix.EADDRNOTAVAIL) || errors.Is(err, unix.EINVAL) {
		return fmt.Errorf("%w: %w", errStale, err)
	}
	return err
}

func (s *hostSender) close() { _ = unix.Close(s.fd) }
