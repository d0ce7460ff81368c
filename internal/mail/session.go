package mail

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/textproto"
	"strconv"
	"strings"
	"time"
)

// Relay is whom messages are given to, and for whom they are.
type Relay struct {
	// Server is a name or an address.
	Server string
	Port   uint16
	// HELO is how this host names itself.
	HELO string
	From string
	To   []string
	// Timeout bounds the connection, and each answer.
	Timeout time.Duration
}

// RefusedError says that the relay will not take something, now or ever: it
// answered with a code of 5xx.
type RefusedError struct {
	// What was refused: "the message", "a@example.com".
	What string
	Err  error
}

// Error says what was refused and how.
func (e *RefusedError) Error() string { return "the relay refuses " + e.What + ": " + e.Err.Error() }

// Unwrap returns the relay's answer.
func (e *RefusedError) Unwrap() error { return e.Err }

// session is one connection to a relay.
type session struct {
	relay Relay
	conn  net.Conn
	text  *textproto.Conn
	stop  func() bool
}

// dial connects to the relay and greets it. The session ends with ctx.
func dial(ctx context.Context, r Relay) (*session, error) {
	d := net.Dialer{Timeout: r.Timeout}
	conn, err := d.DialContext(ctx, "tcp", net.JoinHostPort(r.Server, strconv.Itoa(int(r.Port))))
	if err != nil {
		return nil, err
	}
	s := &session{relay: r, conn: conn, text: textproto.NewConn(conn)}
	s.stop = context.AfterFunc(ctx, func() { _ = conn.SetDeadline(time.Now()) })
	if err := s.extend(ctx); err != nil {
		s.close()
		return nil, err
	}
	if _, _, err := s.text.ReadResponse(220); err != nil {
		s.close()
		return nil, fmt.Errorf("greeting: %w", err)
	}
	if err := s.command(ctx, 250, "HELO "+oneLine(r.HELO)); err != nil {
		s.close()
		return nil, err
	}
	return s, nil
}

// extend gives the next answer its time.
func (s *session) extend(ctx context.Context) error {
	if err := s.conn.SetDeadline(time.Now().Add(s.relay.Timeout)); err != nil {
		return err
	}
	return ctx.Err()
}

// command sends a line and takes an answer.
func (s *session) command(ctx context.Context, want int, line string) error {
	if err := s.extend(ctx); err != nil {
		return err
	}
	if err := s.text.PrintfLine("%s", line); err != nil {
		return err
	}
	_, _, err := s.text.ReadResponse(want)
	if err != nil {
		verb, _, _ := strings.Cut(line, " ")
		return fmt.Errorf("%s: %w", verb, err)
	}
	return nil
}

// send gives the relay one message. A *RefusedError of the whole message is
// final; refused are the recipients that it will not take.
func (s *session) send(ctx context.Context, m Message) (refused []error, err error) {
	if err := final("the sender", s.command(ctx, 250, "MAIL FROM:<"+address(s.relay.From)+">")); err != nil {
		return nil, err
	}
	for _, to := range s.relay.To {
		err := final(to, s.command(ctx, 25, "RCPT TO:<"+address(to)+">"))
		if _, never := errors.AsType[*RefusedError](err); never {
			refused = append(refused, err)
			continue
		}
		if err != nil {
			return nil, err
		}
	}
	if len(refused) == len(s.relay.To) {
		return nil, &RefusedError{What: "every recipient", Err: errors.Join(refused...)}
	}
	if err := final("the message", s.command(ctx, 354, "DATA")); err != nil {
		return nil, err
	}
	if err := s.extend(ctx); err != nil {
		return nil, err
	}
	w := s.text.DotWriter()
	if _, err := w.Write([]byte(m.text(s.relay))); err != nil {
		return nil, err
	}
	if err := w.Close(); err != nil {
		return nil, err
	}
	if _, _, err := s.text.ReadResponse(250); err != nil {
		return nil, final("the message", err)
	}
	return refused, nil
}

// reset lets the next message begin anew after one that was refused.
func (s *session) reset(ctx context.Context) error { return s.command(ctx, 250, "RSET") }

// quit says farewell; whatever becomes of that, the messages are delivered.
func (s *session) quit(ctx context.Context) {
	_ = s.command(ctx, 221, "QUIT")
	s.close()
}

func (s *session) close() {
	s.stop()
	_ = s.conn.Close()
}

// final marks an answer of 5xx (RFC 5321 4.2.1).
func final(what string, err error) error {
	if answer, ok := errors.AsType[*textproto.Error](err); ok && answer.Code >= 500 {
		return &RefusedError{What: what, Err: err}
	}
	return err
}

// address is what stands between the angle brackets: "Name <a@b>" is a@b.
func address(s string) string {
	if i := strings.LastIndexByte(s, '<'); i >= 0 {
		s, _, _ = strings.Cut(s[i+1:], ">")
	}
	return oneLine(strings.TrimSpace(s))
}
