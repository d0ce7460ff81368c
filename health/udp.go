package health

import (
	"context"
	"errors"
	"fmt"
	"net"
	"strings"
	"time"
)

// UDPConfig is a UDP_CHECK.
type UDPConfig struct {
	Connect Connect
	// Payload is what is sent; nil stands for keepalived's own 32 bytes, and
	// an empty one that is not nil for an empty datagram.
	Payload []byte
	// RequireReply wants a reply. Without it, silence is success and only an
	// ICMP error a failure.
	RequireReply bool
	// Reply is what a reply must look like; MinLength and MaxLength, of its
	// length, count with it alone. Bytes of the pattern beyond the end of a
	// reply that is long enough are not looked at.
	Reply                []PatternByte
	MinLength, MaxLength int
}

// PatternByte is one byte of a pattern: those bits of it count that are in Mask.
type PatternByte struct{ Value, Mask byte }

// filler is the text that keepalived fills a datagram with.
func filler(n int) []byte {
	const text = "keepalived check - "
	return []byte(strings.Repeat(text, n/len(text)+1)[:n])
}

// NewUDP returns UDP_CHECK: a datagram, and what comes back.
func NewUDP(cfg UDPConfig) Check {
	if cfg.Payload == nil {
		cfg.Payload = filler(32)
	}
	return udpCheck{cfg}
}

type udpCheck struct{ cfg UDPConfig }

// Run makes one attempt.
func (u udpCheck) Run(ctx context.Context) Result {
	start := time.Now()
	r := u.probe(ctx)
	r.Took = time.Since(start)
	return r
}

func (u udpCheck) probe(ctx context.Context) Result {
	conn, err := u.cfg.Connect.dialUDP(ctx)
	if err != nil {
		return Result{Err: err}
	}
	defer func() { _ = conn.Close() }()
	d := datagrams{conn: conn, ctx: ctx, connect: u.cfg.Connect}
	r := Result{Transcript: fmt.Sprintf("sent %d bytes", len(u.cfg.Payload))}
	r.Err = d.exchange(u.cfg.Payload, func(b []byte) (bool, error) {
		r.Transcript += fmt.Sprintf(", received %d", len(b))
		return true, u.judge(b)
	})
	if errors.Is(r.Err, errSilence) && !u.cfg.RequireReply {
		r.Err = nil
	}
	return r
}

// judge says why a reply is not as wanted.
func (u udpCheck) judge(b []byte) error {
	if !u.cfg.RequireReply || len(u.cfg.Reply) == 0 {
		return nil
	}
	if len(b) < u.cfg.MinLength || len(b) > u.cfg.MaxLength {
		return fmt.Errorf("%s: %d bytes, want %d to %d", mismatch, len(b), u.cfg.MinLength, u.cfg.MaxLength)
	}
	for i, p := range u.cfg.Reply {
		if i == len(b) {
			break
		}
		if b[i]&p.Mask != p.Value {
			return fmt.Errorf("%s at byte %d: %02x", mismatch, i, b[i])
		}
	}
	return nil
}

// Target is the address that is asked.
func (u udpCheck) Target() string { return u.cfg.Connect.named("udp") }

// String names the check for logs.
func (u udpCheck) String() string { return "UDP_CHECK " + u.Target() }

// Limit leaves the timeout to the check: for it, silence can be success.
func (u udpCheck) Limit() time.Duration { return u.cfg.Connect.Timeout + longestTurn }

// longestTurn is what a check may take beyond its own timeout.
const longestTurn = 10 * time.Second

// errSilence says that nothing came within the timeout.
var errSilence = errors.New("no reply")

// datagrams is an exchange of datagrams on a connected socket.
type datagrams struct {
	conn    net.Conn
	ctx     context.Context
	connect Connect
}

// exchange sends one datagram and gives what comes back to accept, until it is
// done or the timeout has passed.
func (d datagrams) exchange(send []byte, accept func([]byte) (done bool, err error)) error {
	if d.ctx.Err() != nil {
		return d.explain("send to", d.ctx.Err())
	}
	if err := d.conn.SetDeadline(time.Now().Add(d.connect.Timeout)); err != nil {
		return err
	}
	defer context.AfterFunc(d.ctx, func() { _ = d.conn.SetDeadline(time.Unix(1, 0)) })()
	if _, err := d.conn.Write(send); err != nil {
		return d.explain("send to", err)
	}
	buf := make([]byte, 64<<10)
	for {
		n, err := d.conn.Read(buf)
		if err != nil {
			return d.explain("receive from", err)
		}
		if done, err := accept(buf[:n]); done || err != nil {
			return err
		}
	}
}

// explain says what failed. Only a timeout of our own is silence; the end of
// the context is not.
func (d datagrams) explain(what string, err error) error {
	switch {
	case d.ctx.Err() != nil:
		return fmt.Errorf("%s %s: %w", what, d.connect.remote(), d.ctx.Err())
	case isTimeout(err):
		return fmt.Errorf("%w from %s: %s after %s", errSilence, d.connect.remote(), timedOut, d.connect.Timeout)
	case localFault(err):
		return fmt.Errorf("%s %s: %w: %w", what, d.connect.remote(), unwrapOp(err), ErrNotAttempted)
	}
	return fmt.Errorf("%s %s: %w", what, d.connect.remote(), unwrapOp(err))
}
