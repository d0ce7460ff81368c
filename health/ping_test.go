package health

import (
	"bytes"
	"context"
	"errors"
	"net"
	"net/netip"
	"os"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// pingable skips nothing: where the kernel lets us make no ICMP socket at all,
// the check must say so and blame nobody.
func pingable(t *testing.T, r Result) bool {
	t.Helper()
	if errors.Is(r.Err, unix.EPERM) || errors.Is(r.Err, unix.EACCES) {
		if !errors.Is(r.Err, ErrNotAttempted) {
			t.Errorf("a want of privilege counts against the server: %v", r.Err)
		}
		return false
	}
	return true
}

func TestPing(t *testing.T) {
	for _, addr := range []string{"127.0.0.1", "::1"} {
		r := NewPing(Connect{Addr: netip.MustParseAddr(addr), Port: 80, Timeout: ample}).Run(t.Context())
		if pingable(t, r) && (r.Err != nil || r.Took <= 0 || r.Transcript != "echo request to "+addr) {
			t.Errorf("%s: %+v", addr, r)
		}
	}
}

// Both kinds of socket hear the answer that is theirs.
func TestPingSockets(t *testing.T) {
	for _, addr := range []string{"127.0.0.1", "::1"} {
		for _, kind := range []int{unix.SOCK_DGRAM, unix.SOCK_RAW} {
			p := pingCheck{Connect{Addr: netip.MustParseAddr(addr), BindAddr: netip.MustParseAddr(addr), Timeout: ample}}
			s, err := p.open(kind)
			if err != nil {
				if !errors.Is(err, ErrNotAttempted) {
					t.Errorf("%s: %v", addr, err)
				}
				continue
			}
			if err := p.echoOn(t.Context(), s); err != nil {
				t.Errorf("%s raw=%t: %v", addr, s.raw, err)
			}
		}
	}
}

// What a network says of a host that is not there is the answer.
func TestPingUnreachable(t *testing.T) {
	// A broadcast address without the permission to send there, or a network
	// without a route to it, whichever socket net.ipv4.ping_group_range lets us have.
	allowed := NewPing(Connect{Addr: netip.MustParseAddr("127.0.0.1"), Timeout: ample}).Run(t.Context()).Err == nil
	r := NewPing(Connect{Addr: netip.MustParseAddr("255.255.255.255"), Timeout: 200 * time.Millisecond}).Run(t.Context())
	if r.Err == nil || allowed == errors.Is(r.Err, ErrNotAttempted) {
		t.Errorf("error %v, and we can ping: %t", r.Err, allowed)
	}
	r = NewPing(Connect{Addr: netip.MustParseAddr("127.0.0.1"), BindAddr: netip.MustParseAddr("203.0.113.9"), Timeout: time.Second}).Run(t.Context())
	if !errors.Is(r.Err, ErrNotAttempted) {
		t.Errorf("no such local address: %v", r.Err)
	}
	r = NewPing(Connect{Addr: netip.MustParseAddr("127.0.0.1"), BindInterface: "nosuchif0", Timeout: time.Second}).Run(t.Context())
	if !errors.Is(r.Err, ErrNotAttempted) {
		t.Errorf("no such interface: %v", r.Err)
	}
}

// scriptedConn is a connection whose answers are made from what is sent.
type scriptedConn struct {
	net.Conn
	answer func([]byte) [][]byte
	sent   []byte
	queue  [][]byte
	read   int
}

func (c *scriptedConn) Write(b []byte) (int, error) {
	c.sent = b
	c.queue = c.answer(b)
	return len(b), nil
}

func (c *scriptedConn) Read(b []byte) (int, error) {
	if len(c.queue) == 0 {
		return 0, os.ErrDeadlineExceeded
	}
	n := copy(b, c.queue[0])
	c.queue = c.queue[1:]
	c.read++
	return n, nil
}

func (c *scriptedConn) SetDeadline(time.Time) error { return nil }
func (c *scriptedConn) Close() error                { return nil }

// Answers of another sequence, another kind, or none at all are passed over.
func TestPingIgnoresOthers(t *testing.T) {
	for _, raw := range []bool{false, true} {
		c := &scriptedConn{}
		p := pingCheck{Connect{Addr: netip.MustParseAddr("192.0.2.1"), Timeout: time.Second}}
		c.answer = func(b []byte) [][]byte {
			ip := func(b []byte) []byte {
				if !raw {
					return b
				}
				return append(append([]byte{0x46}, make([]byte, 23)...), b...)
			}
			other := append([]byte(nil), b...)
			other[0], other[7] = 0, other[7]+1
			reply := append([]byte(nil), b...)
			reply[0] = 0
			return [][]byte{{}, {0x45}, ip([]byte{0}), ip(b), ip(other), ip(reply)}
		}
		if err := p.echoOn(t.Context(), pingSocket{conn: c, raw: raw}); err != nil {
			t.Errorf("raw=%t: %v", raw, err)
		}
		if c.read != 6 {
			t.Errorf("raw=%t: %d of 6 datagrams read", raw, c.read)
		}
		// Section 8: as keepalived 2.2.7 sends it but for identifier and sequence.
		if len(c.sent) != 8+128 || c.sent[0] != 8 || c.sent[1] != 0 || !bytes.Equal(c.sent[8:], filler(128)) ||
			!bytes.HasSuffix(c.sent, []byte(" - keepalived che")) {
			t.Errorf("sent %x", c.sent)
		}
	}
}

func TestPingNames(t *testing.T) {
	p := NewPing(Connect{Addr: netip.MustParseAddr("192.0.2.1"), Port: 80, BindPort: 7, Timeout: time.Second})
	if p.String() != "PING_CHECK [192.0.2.1]" || attemptLimit(p) <= time.Second {
		t.Error(p)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if r := p.Run(ctx); r.Err == nil {
		t.Error("an attempt succeeds whose time is over")
	}
}
