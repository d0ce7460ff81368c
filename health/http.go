package health

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"strings"
	"time"
)

// HTTPConfig is an HTTP_GET or an SSL_GET.
type HTTPConfig struct {
	Connect Connect
	// TLS makes it an SSL_GET.
	TLS bool
	// Protocol is "1.0", "1.0C" (with Connection: close) or "1.1".
	Protocol string
	// EnableSNI sends the virtual host as the TLS server name; SNIName, if set,
	// is sent instead and needs no EnableSNI.
	EnableSNI bool
	SNIName   string
	// FastRecovery asks the urls back to back in the first round and while the
	// server recovers.
	FastRecovery bool
	// URLs are asked one at each interval.
	URLs []HTTPURL
}

// HTTPURL is one url of an HTTPConfig, and what its answer must be.
type HTTPURL struct {
	// Path is sent as it is.
	Path string
	// Host is the Host header, empty for the address and port.
	Host string
	// Digest is the MD5 of the body in hex, empty for any.
	Digest string
	// Status are the codes that are accepted; none stands for 200 to 299.
	Status []StatusRange
}

// StatusRange is a closed range of status codes.
type StatusRange struct{ First, Last int }

func (r StatusRange) String() string {
	if r.First == r.Last {
		return fmt.Sprint(r.First)
	}
	return fmt.Sprintf("%d-%d", r.First, r.Last)
}

// longestExchange is the most that a request and its answer may last, however
// steadily the answer drips; a longer timeout of the check extends it.
const longestExchange = time.Minute

// NewHTTP returns HTTP_GET or SSL_GET: a request on a new connection, whose
// answer is read to its end and compared.
func NewHTTP(cfg HTTPConfig) Check { return httpCheck{cfg} }

type httpCheck struct{ cfg HTTPConfig }

// Run makes one attempt at each url in turn.
func (h httpCheck) Run(ctx context.Context) Result {
	var r Result
	for i := range h.cfg.URLs {
		one := h.RunStep(ctx, i)
		one.Took += r.Took
		if r = one; r.Err != nil {
			break
		}
	}
	return r
}

// RunStep makes one attempt at one url.
func (h httpCheck) RunStep(ctx context.Context, step int) Result {
	if step >= len(h.cfg.URLs) {
		return Result{Err: fmt.Errorf("%s has no url %d: %w", h, step, ErrNotAttempted)}
	}
	start := time.Now()
	url := h.cfg.URLs[step]
	var r Result
	r.Transcript, r.Err = h.get(ctx, url)
	r.Took = time.Since(start)
	return r
}

// get makes the request and judges the answer.
func (h httpCheck) get(ctx context.Context, url HTTPURL) (string, error) {
	line := "GET " + url.Path + " HTTP/" + strings.TrimSuffix(h.cfg.Protocol, "C")
	tcp, err := h.cfg.Connect.dial(ctx)
	if err != nil {
		return "", err
	}
	defer func() { _ = tcp.Close() }()
	// Whoever cancels the attempt ends what it waits for.
	defer context.AfterFunc(ctx, func() { _ = tcp.SetDeadline(time.Unix(1, 0)) })()
	conn := &patient{Conn: tcp, ctx: ctx, timeout: h.cfg.Connect.Timeout}
	stream := io.ReadWriter(conn)
	if h.cfg.TLS {
		if stream, err = h.handshake(ctx, conn, url); err != nil {
			return "", err
		}
	}
	if _, err := io.WriteString(stream, h.request(line, url)); err != nil {
		return line, conn.explain("send request", err)
	}
	a := answer{hash: url.Digest != ""}
	if err := a.read(stream); err != nil {
		return a.transcript(line), conn.explain("read answer", err)
	}
	return a.transcript(line), a.judge(url)
}

// request is what is sent, byte for byte what keepalived sends, so that access
// rules and logs on the servers stay as they are.
func (h httpCheck) request(line string, url HTTPURL) string {
	var b strings.Builder
	b.WriteString(line + "\r\nUser-Agent: KeepAliveClient\r\n")
	if h.cfg.Protocol != "1.0" {
		b.WriteString("Connection: close\r\n")
	}
	host := url.Host
	if host == "" {
		host = h.cfg.Connect.remote().String()
	}
	b.WriteString("Host: " + host + "\r\n\r\n")
	return b.String()
}

// handshake begins TLS, with whatever version, cipher and certificate the
// server offers: the check asks whether it works, not who it is.
func (h httpCheck) handshake(ctx context.Context, conn *patient, url HTTPURL) (io.ReadWriter, error) {
	ctx, cancel := context.WithTimeout(ctx, h.cfg.Connect.Timeout)
	defer cancel()
	name := h.cfg.SNIName
	if name == "" && h.cfg.EnableSNI {
		name = url.Host
	}
	c := tls.Client(conn, &tls.Config{
		ServerName:         name,
		InsecureSkipVerify: true,
		MinVersion:         tls.VersionTLS10,
		CipherSuites:       everyCipher(),
		Renegotiation:      tls.RenegotiateOnceAsClient,
	})
	if err := c.HandshakeContext(ctx); err != nil {
		return nil, conn.explain("tls handshake", err)
	}
	return c, nil
}

// everyCipher lists all cipher suites that can be had for old servers; TLS 1.3
// has its own.
func everyCipher() []uint16 {
	var ids []uint16
	for _, c := range append(tls.CipherSuites(), tls.InsecureCipherSuites()...) {
		ids = append(ids, c.ID)
	}
	return ids
}

// patient is a connection on which each read and write may take the timeout.
type patient struct {
	net.Conn
	ctx     context.Context
	timeout time.Duration
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
	switch {
	case errors.Is(p.ctx.Err(), context.DeadlineExceeded):
		return fmt.Errorf("%s from %s: %s: the answer did not end", what, p.RemoteAddr(), timedOut)
	case isTimeout(err):
		return fmt.Errorf("%s from %s: %s after %s", what, p.RemoteAddr(), timedOut, p.timeout)
	}
	return fmt.Errorf("%s from %s: %w", what, p.RemoteAddr(), unwrapOp(err))
}

// Target is the address that is connected to.
func (h httpCheck) Target() string { return h.cfg.Connect.name() }

// String names the check for logs.
func (h httpCheck) String() string {
	if h.cfg.TLS {
		return "SSL_GET " + h.cfg.Connect.name()
	}
	return "HTTP_GET " + h.cfg.Connect.name()
}

// Traits says how the urls make up a round.
func (h httpCheck) Traits() Traits {
	return Traits{Steps: len(h.cfg.URLs), Fast: h.cfg.FastRecovery, Confirm: true}
}

// Limit is the most that an attempt may last.
func (h httpCheck) Limit() time.Duration {
	return max(longestExchange, 10*h.cfg.Connect.Timeout)
}
