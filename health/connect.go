package health

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// Connect is where and how a check connects.
type Connect struct {
	Addr netip.Addr
	Port uint16
	// BindAddr, BindPort and BindInterface are the near end, each optional.
	BindAddr      netip.Addr
	BindPort      uint16
	BindInterface string
	// FWMark is the firewall mark of the packets, 0 for none.
	FWMark uint32
	// Timeout bounds the connection, and for HTTP_GET and SSL_GET each read and
	// write after it.
	Timeout time.Duration
}

// remote is the far end; a link-local address gets the interface as its zone.
func (c Connect) remote() netip.AddrPort {
	addr := c.Addr
	if addr.Is6() && addr.IsLinkLocalUnicast() && addr.Zone() == "" {
		addr = addr.WithZone(c.BindInterface)
	}
	return netip.AddrPortFrom(addr, c.Port)
}

// local is the near end, not valid where the kernel is to choose.
func (c Connect) local() netip.AddrPort {
	if !c.BindAddr.IsValid() && c.BindPort == 0 {
		return netip.AddrPort{}
	}
	addr := c.BindAddr
	if !addr.IsValid() {
		addr = netip.IPv4Unspecified()
		if c.Addr.Is6() {
			addr = netip.IPv6Unspecified()
		}
	}
	return netip.AddrPortFrom(addr, c.BindPort)
}

// dial connects. An error names the far end and what was wrong; it wraps
// ErrNotAttempted where the fault is here and not there.
func (c Connect) dial(ctx context.Context) (*net.TCPConn, error) {
	// Keep-alive probes are of no use on a connection that lives for a second.
	d := net.Dialer{Timeout: c.Timeout, KeepAlive: -1}
	if c.FWMark != 0 || c.BindInterface != "" || c.BindPort != 0 {
		d.Control = c.control
	}
	if local := c.local(); local.IsValid() {
		d.LocalAddr = net.TCPAddrFromAddrPort(local)
	}
	// Not DialTCP: that one binds the socket also where nothing is said of the near
	// end, and takes a port for itself which others could have towards other servers.
	conn, err := d.DialContext(ctx, "tcp", c.remote().String())
	if err != nil {
		return nil, c.dialError(err)
	}
	return conn.(*net.TCPConn), nil
}

// dialUDP makes a socket that is connected to the far end, so that it hears of
// it from no one else but ICMP. Nothing is sent.
func (c Connect) dialUDP(ctx context.Context) (*net.UDPConn, error) {
	d := net.Dialer{Timeout: c.Timeout, Control: func(network, address string, raw syscall.RawConn) error {
		if err := c.control(network, address, raw); err != nil {
			return err
		}
		// Without it a host that cannot be reached is no news.
		return control(raw, func(fd int) error { return c.hearErrors(fd) })
	}}
	if local := c.local(); local.IsValid() {
		d.LocalAddr = net.UDPAddrFromAddrPort(local)
	}
	conn, err := d.DialContext(ctx, "udp", c.remote().String())
	if err != nil {
		return nil, c.dialError(err)
	}
	return conn.(*net.UDPConn), nil
}

// hearErrors makes every ICMP error an error of the socket.
func (c Connect) hearErrors(fd int) error {
	if c.Addr.Is6() {
		return unix.SetsockoptInt(fd, unix.IPPROTO_IPV6, unix.IPV6_RECVERR, 1)
	}
	return unix.SetsockoptInt(fd, unix.IPPROTO_IP, unix.IP_RECVERR, 1)
}

// control sets the socket's options before it is bound.
func (c Connect) control(_, _ string, raw syscall.RawConn) error {
	return control(raw, c.setOptions)
}

func control(raw syscall.RawConn, set func(fd int) error) error {
	var err error
	if e := raw.Control(func(fd uintptr) { err = set(int(fd)) }); e != nil {
		return e
	}
	return err
}

func (c Connect) setOptions(fd int) error {
	if c.FWMark != 0 {
		if err := unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_MARK, int(c.FWMark)); err != nil {
			return fmt.Errorf("set mark %d: %w: %w", c.FWMark, err, ErrNotAttempted)
		}
	}
	if c.BindInterface != "" {
		if err := unix.BindToDevice(fd, c.BindInterface); err != nil {
			return fmt.Errorf("bind to interface %s: %w: %w", c.BindInterface, err, ErrNotAttempted)
		}
	}
	if c.BindPort != 0 {
		// The last attempt's connection may still be in TIME_WAIT.
		if err := unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_REUSEADDR, 1); err != nil {
			return fmt.Errorf("reuse port %d: %w: %w", c.BindPort, err, ErrNotAttempted)
		}
	}
	return nil
}

// dialError says in one line what went wrong, without Go's own preamble.
func (c Connect) dialError(err error) error {
	if errors.Is(err, ErrNotAttempted) {
		return fmt.Errorf("connect %s: %w", c.remote(), unwrapOp(err))
	}
	if isTimeout(err) {
		return fmt.Errorf("connect %s: %s after %s", c.remote(), timedOut, c.Timeout)
	}
	var call *os.SyscallError
	if !errors.As(err, &call) {
		return fmt.Errorf("connect %s: %w", c.remote(), unwrapOp(err))
	}
	return c.callError(call.Syscall, call.Err)
}

// callError says what a failed system call means.
func (c Connect) callError(call string, err error) error {
	switch {
	case call == "bind":
		return fmt.Errorf("bind %s: %w: %w", c.local(), err, ErrNotAttempted)
	case call == "connect" && !localFault(err):
		return fmt.Errorf("connect %s: %w", c.remote(), err)
	}
	return fmt.Errorf("%s for %s: %w: %w", call, c.remote(), err, ErrNotAttempted)
}

// localFault tells a lack of ports or memory here from a fault of the server.
func localFault(err error) bool {
	for _, e := range []error{unix.EADDRNOTAVAIL, unix.EADDRINUSE, unix.EAGAIN, unix.ENOBUFS, unix.ENOMEM} {
		if errors.Is(err, e) {
			return true
		}
	}
	return false
}

// netAddrPort is an address of package net as netip has it.
func netAddrPort(a net.Addr) netip.AddrPort {
	if a, ok := a.(interface{ AddrPort() netip.AddrPort }); ok {
		ap := a.AddrPort()
		return netip.AddrPortFrom(ap.Addr().Unmap(), ap.Port())
	}
	return netip.AddrPort{}
}

// unwrapOp is what a net.OpError is about.
func unwrapOp(err error) error {
	var op *net.OpError
	if errors.As(err, &op) {
		return op.Err
	}
	return err
}

func isTimeout(err error) bool {
	var t net.Error
	return errors.As(err, &t) && t.Timeout() || errors.Is(err, context.DeadlineExceeded)
}
