package health

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"
)

// ExpectConfig is a conversation over TCP: tandem's own TCP_EXPECT.
type ExpectConfig struct {
	Connect Connect
	// TLS, if set, is spoken from the start, with ServerName in the handshake.
	TLS        *TLSOptions
	ServerName string
	// Steps come one after the other. None makes a check of the connection, and
	// of the certificate, alone.
	Steps []ExpectStep
}

// ExpectStep sends something and waits for an answer.
type ExpectStep struct {
	// Send is sent as it is; it may be empty.
	Send []byte
	// Expect is searched in what is received after the last match, until it
	// matches; nil waits for nothing. Its NoMatch is of no account.
	Expect *Regex
}

// NewExpect returns TCP_EXPECT: a conversation that must go as its steps say.
func NewExpect(cfg ExpectConfig) Check {
	e := expectCheck{cfg: cfg}
	if cfg.TLS != nil {
		e.tls = newTLSClient(*cfg.TLS)
	}
	return e
}

type expectCheck struct {
	cfg ExpectConfig
	tls *tlsClient
}

// maxExpected bounds what is received without a match.
const maxExpected = 64 << 10

// Run makes one attempt.
func (e expectCheck) Run(ctx context.Context) Result {
	start := time.Now()
	said, err := e.converse(ctx)
	return Result{Err: err, Transcript: strings.Join(said, "; "), Took: time.Since(start)}
}

func (e expectCheck) converse(ctx context.Context) (said []string, err error) {
	conn, err := e.cfg.Connect.open(ctx)
	if err != nil {
		return nil, err
	}
	defer func() { _ = conn.Close() }()
	said = append(said, "connected to "+conn.RemoteAddr().String())
	stream := io.ReadWriter(conn)
	if e.tls != nil {
		if stream, err = e.tls.handshake(ctx, conn, e.cfg.ServerName); err != nil {
			return said, err
		}
	}
	var received []byte
	for i, step := range e.cfg.Steps {
		if len(step.Send) > 0 {
			if _, err := stream.Write(step.Send); err != nil {
				return said, conn.explain(fmt.Sprintf("step %d: send", i+1), err)
			}
			said = append(said, fmt.Sprintf("sent %d bytes", len(step.Send)))
		}
		if step.Expect == nil {
			continue
		}
		var end int
		received, end, err = expect(stream, received, step.Expect)
		if err != nil {
			said = append(said, fmt.Sprintf("-> %q", printable(string(received))))
			return said, conn.explain(fmt.Sprintf("step %d: expect %q", i+1, step.Expect), err)
		}
		said = append(said, fmt.Sprintf("-> %q", printable(string(received[:end]))))
		received = received[end:]
	}
	return said, nil
}

// expect reads until the pattern matches what has been received, and returns
// that and where the match ends.
func expect(r io.Reader, received []byte, want *Regex) ([]byte, int, error) {
	buf := buffers.Get().(*[16 << 10]byte)
	defer buffers.Put(buf)
	for {
		start, end, err := want.search(received)
		if err != nil || start >= 0 {
			return received, end, err
		}
		if len(received) >= maxExpected {
			return received, 0, fmt.Errorf("no match in %d bytes", len(received))
		}
		n, err := r.Read(buf[:])
		received = append(received, buf[:n]...)
		if n > 0 {
			continue
		}
		if errors.Is(err, io.EOF) {
			return received, 0, fmt.Errorf("connection closed after %d bytes without a match", len(received))
		}
		if err != nil {
			return received, 0, err
		}
	}
}

// Target is the address that is connected to.
func (e expectCheck) Target() string { return e.cfg.Connect.name() }

// String names the check for logs.
func (e expectCheck) String() string { return "TCP_EXPECT " + e.cfg.Connect.name() }

// Limit is the most that an attempt may last.
func (e expectCheck) Limit() time.Duration { return e.cfg.Connect.exchangeLimit() }
