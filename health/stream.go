package health

import (
	"context"
	"errors"
	"fmt"
	"net"
	"time"
)

// longestExchange is the most that a request and its answer may last, however
// steadily the answer drips; a longer timeout of the check extends it.
const longestExchange = time.Minute

// exchangeLimit is the most that an attempt may last in which each read and
// write may take the timeout.
func (c Connect) exchangeLimit() time.Duration { return max(longestExchange, 10*c.Timeout) }

// patient is a connection on which each read and write may take the timeout.
// Whoever cancels its context ends what it waits for.
type patient struct {
	net.Conn
	ctx     context.Context
	timeout time.Duration
	stop    func() bool
}

// open connects for an exchange.
func (c Connect) open(ctx context.Context) (*patient, error) {
	tcp, err := c.dial(ctx)
	if err != nil {
		return nil, err
	}
	return newPatient(ctx, tcp, c.Timeout), nil
}

func newPatient(ctx context.Context, conn net.Conn, timeout time.Duration) *patient {
	stop := context.AfterFunc(ctx, func() { _ = conn.SetDeadline(time.Unix(1, 0)) })
	return &patient{Conn: conn, ctx: ctx, timeout: timeout, stop: stop}
}

// Read reads within the timeout.
func (p *patient) Read(b []byte) (int, error) {
	if err := p.extend(); err != nil {
		return 0, err
	}
	return p.Conn.Read(b)
}

// Write writes within the timeout.
func (p *patient) Write(b []byte) (int, error) {
	if err := p.extend(); err != nil {
		return 0, err
	}
	return p.Conn.Write(b)
}

// Close closes the connection.
func (p *patient) Close() error {
	p.stop()
	return p.Conn.Close()
}

// extend sets the next deadline. One that the context's end has put into the
// past is put there again.
func (p *patient) extend() error {
	if err := p.Conn.SetDeadline(time.Now().Add(p.timeout)); err != nil {
		return err
	}
	return p.ctx.Err()
}

// explain says what failed and with whom.
func (p *patient) explain(what string, err error) error {
	return explain(what, p.RemoteAddr(), p.timeout, errors.Is(p.ctx.Err(), context.DeadlineExceeded), err)
}

// explain says what failed and with whom: endless is an exchange that took too long,
// though none of its parts did.
func explain(what string, far fmt.Stringer, timeout time.Duration, endless bool, err error) error {
	switch {
	case errors.Is(err, ErrNotAttempted):
		return fmt.Errorf("%s: %w", what, err)
	case endless:
		return fmt.Errorf("%s from %s: %s: the answer did not end", what, far, timedOut)
	case isTimeout(err):
		return fmt.Errorf("%s from %s: %s after %s", what, far, timedOut, timeout)
	}
	return fmt.Errorf("%s from %s: %w", what, far, unwrapOp(err))
}
