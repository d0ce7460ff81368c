package peers

import (
	"context"
	"fmt"
	"net"
	"net/netip"
	"sync"
	"time"

	"golang.org/x/net/dns/dnsmessage"
)

// resolve looks a name up as the host does, and says for how long the answer is good:
// zero where that is not known, as of a name in /etc/hosts.
func resolve(ctx context.Context, name string, ipv6 bool) ([]netip.Addr, time.Duration, error) {
	return resolveBy(ctx, new(net.Dialer).DialContext, name, ipv6)
}

type dialer func(ctx context.Context, network, address string) (net.Conn, error)

func resolveBy(ctx context.Context, dial dialer, name string, ipv6 bool) ([]netip.Addr, time.Duration, error) {
	var ttl lowest
	r := &net.Resolver{PreferGo: true, Dial: func(ctx context.Context, network, address string) (net.Conn, error) {
		conn, err := dial(ctx, network, address)
		if packets, ok := conn.(net.PacketConn); ok && err == nil {
			return listening{conn, packets, &ttl}, nil
		}
		return conn, err
	}}
	network := "ip4"
	if ipv6 {
		network = "ip6"
	}
	addrs, err := r.LookupNetIP(ctx, network, name)
	if err != nil {
		return nil, 0, fmt.Errorf("looking up %s: %w", name, err)
	}
	for i := range addrs {
		addrs[i] = addrs[i].Unmap().WithZone("")
	}
	return addrs, ttl.get(), nil
}

// lowest keeps the shortest life of the records that went by.
type lowest struct {
	mu  sync.Mutex
	ttl time.Duration
}

func (l *lowest) get() time.Duration {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.ttl
}

func (l *lowest) hear(answer []byte) {
	var p dnsmessage.Parser
	if _, err := p.Start(answer); err != nil || p.SkipAllQuestions() != nil {
		return
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	for {
		h, err := p.AnswerHeader()
		if err != nil || p.SkipAnswer() != nil {
			return
		}
		// A life of 0 asks for every use to be looked up: a second is the least here.
		ttl := max(time.Duration(h.TTL)*time.Second, time.Second)
		if l.ttl == 0 || ttl < l.ttl {
			l.ttl = ttl
		}
	}
}

// listening is a connection to a name server, whose answers are heard as well:
// net.Resolver does not tell how long they are good. Over TCP, after an answer that
// was cut, it is not known.
type listening struct {
	net.Conn
	net.PacketConn
	ttl *lowest
}

// Read reads an answer.
func (c listening) Read(b []byte) (int, error) {
	n, err := c.Conn.Read(b)
	if err == nil {
		c.ttl.hear(b[:n])
	}
	return n, err
}

// Both embedded connections are one and have these.
func (c listening) Close() error                       { return c.Conn.Close() }
func (c listening) LocalAddr() net.Addr                { return c.Conn.LocalAddr() }
func (c listening) SetDeadline(t time.Time) error      { return c.Conn.SetDeadline(t) }
func (c listening) SetReadDeadline(t time.Time) error  { return c.Conn.SetReadDeadline(t) }
func (c listening) SetWriteDeadline(t time.Time) error { return c.Conn.SetWriteDeadline(t) }
