package health

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"net/netip"
	"os"
	"time"

	"golang.org/x/net/icmp"
	"golang.org/x/net/ipv4"
	"golang.org/x/net/ipv6"
	"golang.org/x/sys/unix"
)

// NewPing returns PING_CHECK: one echo request, to be answered within the
// timeout. The ports of the configuration are of no account.
func NewPing(cfg Connect) Check {
	cfg.BindPort = 0
	return pingCheck{cfg}
}

type pingCheck struct{ cfg Connect }

// pingData is how many bytes keepalived sends in an echo request.
const pingData = 128

// Run makes one attempt.
func (p pingCheck) Run(ctx context.Context) Result {
	start := time.Now()
	r := Result{Transcript: "echo request to " + p.cfg.remote().Addr().String()}
	r.Err = p.echo(ctx)
	r.Took = time.Since(start)
	return r
}

func (p pingCheck) echo(ctx context.Context) error {
	s, err := p.socket()
	if err != nil {
		return err
	}
	return p.echoOn(ctx, s)
}

// echoOn makes the exchange on a socket, and closes it.
func (p pingCheck) echoOn(ctx context.Context, s pingSocket) error {
	defer func() { _ = s.conn.Close() }()
	id, seq := int(uint16(rand.Uint32())), int(uint16(rand.Uint32()))
	protocol, request, reply := 1, icmp.Type(ipv4.ICMPTypeEcho), icmp.Type(ipv4.ICMPTypeEchoReply)
	if p.cfg.Addr.Is6() {
		protocol, request, reply = 58, ipv6.ICMPTypeEchoRequest, ipv6.ICMPTypeEchoReply
	}
	m := icmp.Message{Type: request, Body: &icmp.Echo{ID: id, Seq: seq, Data: filler(pingData)}}
	// The kernel writes the checksum of IPv6, and the identifier where the
	// socket is not raw.
	b, err := m.Marshal(nil)
	if err != nil {
		return err
	}
	d := datagrams{conn: s.conn, ctx: ctx, connect: p.cfg}
	return d.exchange(b, func(b []byte) (bool, error) {
		if s.raw && protocol == 1 {
			b = afterIPv4(b)
		}
		m, err := icmp.ParseMessage(protocol, b)
		if err != nil || m.Type != reply {
			return false, nil
		}
		e, ok := m.Body.(*icmp.Echo)
		return ok && e.Seq == seq && (!s.raw || e.ID == id), nil
	})
}

// afterIPv4 is what follows the header of a packet, which a raw socket of IPv4
// receives whole.
func afterIPv4(b []byte) []byte {
	if len(b) == 0 || len(b) < int(b[0]&0xf)*4 {
		return nil
	}
	return b[int(b[0]&0xf)*4:]
}

// pingSocket is a connected socket for ICMP.
type pingSocket struct {
	conn net.Conn
	raw  bool
}

// socket opens one that needs no privilege, or where net.ipv4.ping_group_range
// does not let us, a raw one.
func (p pingCheck) socket() (pingSocket, error) {
	s, err := p.open(unix.SOCK_DGRAM)
	if !errors.Is(err, ErrNotAttempted) ||
		!errors.Is(err, unix.EACCES) && !errors.Is(err, unix.EPERM) && !errors.Is(err, unix.EPROTONOSUPPORT) {
		return s, err
	}
	s, rawErr := p.open(unix.SOCK_RAW)
	if errors.Is(rawErr, ErrNotAttempted) {
		return s, fmt.Errorf("%w; raw socket: %w", err, rawErr)
	}
	return s, rawErr
}

// open opens, binds and connects a socket.
func (p pingCheck) open(kind int) (pingSocket, error) {
	family, protocol := unix.AF_INET, unix.IPPROTO_ICMP
	if p.cfg.Addr.Is6() {
		family, protocol = unix.AF_INET6, unix.IPPROTO_ICMPV6
	}
	fd, err := unix.Socket(family, kind|unix.SOCK_CLOEXEC|unix.SOCK_NONBLOCK, protocol)
	if err != nil {
		return pingSocket{}, fmt.Errorf("icmp socket: %w: %w", err, ErrNotAttempted)
	}
	f := os.NewFile(uintptr(fd), "icmp")
	defer func() { _ = f.Close() }()
	if err := p.prepare(fd); err != nil {
		return pingSocket{}, err
	}
	// net takes a copy of the descriptor.
	conn, err := net.FileConn(f)
	if err != nil {
		return pingSocket{}, fmt.Errorf("icmp socket: %w: %w", err, ErrNotAttempted)
	}
	return pingSocket{conn: conn, raw: kind == unix.SOCK_RAW}, nil
}

func (p pingCheck) prepare(fd int) error {
	if err := p.cfg.setOptions(fd); err != nil {
		return err
	}
	if err := p.cfg.hearErrors(fd); err != nil {
		return fmt.Errorf("icmp socket: %w: %w", err, ErrNotAttempted)
	}
	if p.cfg.BindAddr.IsValid() {
		if err := unix.Bind(fd, sockaddr(p.cfg.local())); err != nil {
			return fmt.Errorf("bind %s: %w: %w", p.cfg.BindAddr, err, ErrNotAttempted)
		}
	}
	if err := unix.Connect(fd, sockaddr(netip.AddrPortFrom(p.cfg.remote().Addr(), 0))); err != nil {
		return fmt.Errorf("connect %s: %w", p.cfg.remote().Addr(), err)
	}
	return nil
}

// sockaddr is an address as system calls take it. A zone that is no interface
// is none.
func sockaddr(a netip.AddrPort) unix.Sockaddr {
	if a.Addr().Is4() {
		return &unix.SockaddrInet4{Addr: a.Addr().As4(), Port: int(a.Port())}
	}
	s := &unix.SockaddrInet6{Addr: a.Addr().As16(), Port: int(a.Port())}
	if zone := a.Addr().Zone(); zone != "" {
		if i, err := net.InterfaceByName(zone); err == nil {
			s.ZoneId = uint32(i.Index)
		}
	}
	return s
}

// Target is the address that is asked.
func (p pingCheck) Target() string { return "[" + p.cfg.Addr.String() + "]" }

// String names the check for logs.
func (p pingCheck) String() string { return "PING_CHECK " + p.Target() }

// Limit leaves the timeout to the check.
func (p pingCheck) Limit() time.Duration { return p.cfg.Timeout + longestTurn }
