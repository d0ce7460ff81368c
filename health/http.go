package health

import (
	"context"
	"crypto/tls"
	"fmt"
	"io"
	"slices"
	"strconv"
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
	// TLSOptions are of an SSL_GET: certificates, and what is wanted of the
	// server's.
	TLSOptions TLSOptions
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
	// Regex is searched in the body, of which at most 4 MiB are kept for it.
	Regex *Regex
	// ServerName is the name of the TLS handshake of this url; without it the
	// check's settings decide.
	ServerName string
	// TLSCompliant ends TLS with close_notify in both directions; otherwise the
	// connection is just closed.
	TLSCompliant bool

	// Method is GET unless it says otherwise. Header fields are sent after
	// those that always are, or in their place where they have the same name.
	Method string
	Header []HTTPField
	Body   []byte
	// Want are fields that the answer must have.
	Want []HTTPWant
}

// HTTPField is a field of a request's header.
type HTTPField struct{ Name, Value string }

// HTTPWant is a field that an answer's header must have, in any case of
// letters; one of that name must match Regex, if there is one.
type HTTPWant struct {
	Name  string
	Regex *Regex
}

// searches is whether the answer's text is searched.
func (u HTTPURL) searches() bool {
	return u.Regex != nil || slices.ContainsFunc(u.Want, func(w HTTPWant) bool { return w.Regex != nil })
}

func (u HTTPURL) method() string {
	if u.Method == "" {
		return "GET"
	}
	return u.Method
}

// sets reports whether the url itself sets a field of the header.
func (u HTTPURL) sets(name string) bool {
	return slices.ContainsFunc(u.Header, func(f HTTPField) bool { return strings.EqualFold(f.Name, name) })
}

// StatusRange is a closed range of status codes.
type StatusRange struct{ First, Last int }

func (r StatusRange) String() string {
	if r.First == r.Last {
		return fmt.Sprint(r.First)
	}
	return fmt.Sprintf("%d-%d", r.First, r.Last)
}

// NewHTTP returns HTTP_GET or SSL_GET: a request on a new connection, whose
// answer is read to its end and compared.
func NewHTTP(cfg HTTPConfig) Check {
	return &httpCheck{cfg: cfg, tls: newTLSClient(cfg.TLSOptions), connector: newConnector(cfg.Connect)}
}

type httpCheck struct {
	cfg       HTTPConfig
	tls       *tlsClient
	connector connector
}

// Run makes one attempt at each url in turn.
func (h *httpCheck) Run(ctx context.Context) Result {
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
func (h *httpCheck) RunStep(ctx context.Context, step int) Result {
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
func (h *httpCheck) get(ctx context.Context, url HTTPURL) (string, error) {
	a := h.answer(url)
	stage, err := h.exchange(ctx, url, &a)
	if stage < requesting {
		return "", err
	}
	if err == nil {
		err = a.judge(url)
	}
	return a.transcript(h.line(url)), err
}

// answer is an empty one to a request for the url.
func (h *httpCheck) answer(url HTTPURL) answer {
	// keepalived takes whatever ends a TLS connection for the end of the answer.
	return answer{hash: url.Digest != "", keep: url.Regex != nil, resets: h.cfg.TLS, length: -1}
}

// way is how to connect for a dialogue. Handshakes and regexes take the processor for
// so long that other checks must not wait for them.
func (h *httpCheck) way() *connector {
	if h.cfg.TLS || slices.ContainsFunc(h.cfg.URLs, HTTPURL.searches) {
		return nil
	}
	return &h.connector
}

// talk is an attempt at one url.
func (h *httpCheck) talk(step int) dialogue {
	url := &h.cfg.URLs[step]
	return &httpTalk{check: h, url: url, answer: h.answer(*url)}
}

// httpTalk is a request and its answer.
type httpTalk struct {
	check  *httpCheck
	url    *HTTPURL
	answer answer
}

func (t *httpTalk) begin() (say []byte, over bool) {
	return []byte(t.check.request(t.check.line(*t.url), *t.url)), false
}

func (t *httpTalk) hear(b []byte) (say []byte, over bool, err error) {
	return nil, false, t.answer.take(b)
}

func (t *httpTalk) ended(err error) error { return t.answer.end(err) }

func (t *httpTalk) names() (sending, hearing string) { return httpSending, httpHearing }

func (t *httpTalk) result(err error) Result {
	if err == nil {
		err = t.answer.judge(*t.url)
	}
	return Result{Err: err, Transcript: t.answer.transcript(t.check.line(*t.url))}
}

// What is being done, as errors tell it.
const (
	httpSending = "send request"
	httpHearing = "read answer"
)

// line is the request's first line.
func (h *httpCheck) line(url HTTPURL) string {
	return url.method() + " " + url.Path + " HTTP/" + strings.TrimSuffix(h.cfg.Protocol, "C")
}

// stage is how far an exchange came.
type stage int

const (
	connecting stage = iota
	securing
	requesting
)

// exchange makes the request and reads the answer.
func (h *httpCheck) exchange(ctx context.Context, url HTTPURL, a *answer) (stage, error) {
	conn, err := h.cfg.Connect.open(ctx)
	if err != nil {
		return connecting, err
	}
	defer func() { _ = conn.Close() }()
	stream := io.ReadWriter(conn)
	var secured *tls.Conn
	if h.cfg.TLS {
		if secured, err = h.tls.handshake(ctx, conn, h.serverName(url)); err != nil {
			return securing, err
		}
		stream = secured
	}
	if _, err := io.WriteString(stream, h.request(h.line(url), url)); err != nil {
		return requesting, conn.explain(httpSending, err)
	}
	if err := a.read(stream); err != nil {
		return requesting, conn.explain(httpHearing, err)
	}
	if secured != nil && url.TLSCompliant {
		// The server's farewell was the end of the answer; this is ours.
		_ = secured.CloseWrite()
	}
	return requesting, nil
}

// serverName is the name of the TLS handshake, empty for none.
func (h *httpCheck) serverName(url HTTPURL) string {
	switch {
	case url.ServerName != "":
		return url.ServerName
	case h.cfg.SNIName != "":
		return h.cfg.SNIName
	case h.cfg.EnableSNI:
		return url.Host
	}
	return ""
}

// request is what is sent, byte for byte what keepalived sends unless the url
// says otherwise, so that access rules and logs on the servers stay as they are.
func (h *httpCheck) request(line string, url HTTPURL) string {
	var b strings.Builder
	header := func(name, value string) {
		if !url.sets(name) {
			b.WriteString(name + ": " + value + "\r\n")
		}
	}
	b.WriteString(line + "\r\n")
	header("User-Agent", "KeepAliveClient")
	if h.cfg.Protocol != "1.0" {
		header("Connection", "close")
	}
	host := url.Host
	if host == "" {
		host = h.cfg.Connect.remote().String()
	}
	header("Host", host)
	for _, f := range url.Header {
		b.WriteString(f.Name + ": " + f.Value + "\r\n")
	}
	if len(url.Body) > 0 {
		header("Content-Length", strconv.Itoa(len(url.Body)))
	}
	b.WriteString("\r\n")
	b.Write(url.Body)
	return b.String()
}

// Target is the address that is connected to.
func (h *httpCheck) Target() string { return h.cfg.Connect.name() }

// String names the check for logs.
func (h *httpCheck) String() string {
	if h.cfg.TLS {
		return "SSL_GET " + h.cfg.Connect.name()
	}
	return "HTTP_GET " + h.cfg.Connect.name()
}

// Traits says how the urls make up a round.
func (h *httpCheck) Traits() Traits {
	return Traits{Steps: len(h.cfg.URLs), Fast: h.cfg.FastRecovery, Confirm: true}
}

// Limit is the most that an attempt may last.
func (h *httpCheck) Limit() time.Duration { return h.cfg.Connect.exchangeLimit() }
