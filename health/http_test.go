package health

import (
	"bytes"
	"context"
	"crypto/md5"
	"crypto/tls"
	"encoding/hex"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"testing"
	"time"
)

const abcDigest = "900150983cd24fb0d6963f7d28e17f72" // of "abc"

func getting(c Connect, u HTTPURL) HTTPConfig {
	if u.Path == "" {
		u.Path = "/x"
	}
	return HTTPConfig{Connect: c, Protocol: "1.0", URLs: []HTTPURL{u}}
}

// answering serves one answer to each request and closes.
func answering(answer string) func(*net.TCPConn) {
	return func(c *net.TCPConn) {
		readRequest(c)
		_, _ = io.WriteString(c, answer)
	}
}

// Section 8: the request, byte for byte as keepalived 2.2.7 sent it to a
// listener.
func TestHTTPRequestAsKeepalived(t *testing.T) {
	v4 := Connect{Addr: netip.MustParseAddr("127.0.0.1"), Port: 9104}
	v6 := Connect{Addr: netip.MustParseAddr("::1"), Port: 9105}
	tests := []struct {
		protocol string
		connect  Connect
		url      HTTPURL
		want     string
	}{
		{"1.0", v6, HTTPURL{Path: "/x"}, "GET /x HTTP/1.0\r\nUser-Agent: KeepAliveClient\r\nHost: [::1]:9105\r\n\r\n"},
		{"1.0", v4, HTTPURL{Path: "/x", Host: "sni.example"}, "GET /x HTTP/1.0\r\nUser-Agent: KeepAliveClient\r\nHost: sni.example\r\n\r\n"},
		{"1.0C", v4, HTTPURL{Path: "/x"}, "GET /x HTTP/1.0\r\nUser-Agent: KeepAliveClient\r\nConnection: close\r\nHost: 127.0.0.1:9104\r\n\r\n"},
		{"1.1", v4, HTTPURL{Path: "/x?y=1&z=%20", Host: "foo.example"}, "GET /x?y=1&z=%20 HTTP/1.1\r\nUser-Agent: KeepAliveClient\r\nConnection: close\r\nHost: foo.example\r\n\r\n"},
		{"1.1", v4, HTTPURL{Path: "nolead"}, "GET nolead HTTP/1.1\r\nUser-Agent: KeepAliveClient\r\nConnection: close\r\nHost: 127.0.0.1:9104\r\n\r\n"},
	}
	for _, tt := range tests {
		got := make(chan string, 1)
		c := listen(t, func(c *net.TCPConn) {
			got <- readRequest(c)
			_, _ = io.WriteString(c, "HTTP/1.0 200 OK\r\n\r\n")
		})
		cfg := getting(c, tt.url)
		cfg.Protocol = tt.protocol
		if r := NewHTTP(cfg).Run(t.Context()); r.Err != nil {
			t.Fatal(r.Err)
		}
		// The listener's own address stands where keepalived's listener had another.
		want := strings.Replace(tt.want, tt.connect.remote().String(), c.remote().String(), 1)
		if heard := <-got; heard != want {
			t.Errorf("sent %q\nwant %q", heard, want)
		}
		made := httpCheck{cfg: HTTPConfig{Connect: tt.connect, Protocol: tt.protocol}}
		line, _, _ := strings.Cut(tt.want, "\r\n")
		if made := made.request(line, tt.url); made != tt.want {
			t.Errorf("request %q\nwant %q", made, tt.want)
		}
	}
}

// Section 8: which answers are good. The verdicts, but for the one that is
// marked, are keepalived 2.2.7's on the same bytes.
func TestHTTPAnswers(t *testing.T) {
	abc := HTTPURL{Digest: abcDigest}
	tests := []struct {
		name   string
		answer string
		url    HTTPURL
		err    string
	}{
		{"good", "HTTP/1.0 200 OK\r\nContent-Length: 3\r\n\r\nabc", abc, ""},
		{"digest in capitals", "HTTP/1.0 200 OK\r\n\r\nabc", HTTPURL{Digest: strings.ToUpper(abcDigest)}, ""},
		{"no body", "HTTP/1.0 204 No Content\r\nA: b\r\n\r\n", HTTPURL{}, ""},
		{"status", "HTTP/1.0 503 No\r\n\r\nabc", HTTPURL{}, "status 503, want 200-299"},
		{"redirect is not followed", "HTTP/1.0 301 Moved\r\nLocation: /\r\n\r\n", HTTPURL{}, "status 301, want 200-299"},
		{"1xx is the answer", "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\n\r\nabc", HTTPURL{}, "status 100, want 200-299"},
		{"status ranges", "HTTP/1.0 404 No\r\n\r\n", HTTPURL{Status: []StatusRange{{200, 200}, {400, 404}}}, ""},
		{"outside the ranges", "HTTP/1.0 201 Yes\r\n\r\n", HTTPURL{Status: []StatusRange{{200, 200}, {400, 404}}}, "status 201, want 200 400-404"},
		{"status before digest", "HTTP/1.0 503 No\r\n\r\n", abc, "status 503, want 200-299"},
		{"digest of nothing", "HTTP/1.0 200 OK\r\n\r\n", abc, "md5 digest d41d8cd98f00b204e9800998ecf8427e, want " + abcDigest},
		{"shorter than Content-Length", "HTTP/1.0 200 OK\r\nContent-Length: 10\r\n\r\nabc", abc, ""},
		{"longer: the digest covers Content-Length", "HTTP/1.0 200 OK\r\nContent-Length: 2\r\n\r\nabc", abc,
			"md5 digest 187ef4436122d1cc2f40dc2b92f0eba0, want " + abcDigest},
		{"chunks are not decoded", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n", abc,
			"md5 digest 8ce1d49e976186b949500395e2825116, want " + abcDigest},
		{"no header", "garbage\r\n\r\n", HTTPURL{}, `read answer from 127.0.0.1:*: not a status line: "garbage"`},
		{"no version", "200 OK\r\nA: b\r\n\r\n", HTTPURL{}, `read answer from 127.0.0.1:*: not a status line: "200 OK"`},
		{"another version", "ICY 200 OK\r\n\r\nabc", abc, ""},
		{"status alone", " 200 OK\r\n\r\n", HTTPURL{}, `read answer from 127.0.0.1:*: not a status line: " 200 OK"`},
		{"no code", "HTTP/9.9 200x OK\r\nA: b\r\n\r\n", HTTPURL{}, `read answer from 127.0.0.1:*: not a status line: "HTTP/9.9 200x OK"`},
		{"control characters", "\x1b[2J\xff\r\n\r\n", HTTPURL{}, `read answer from 127.0.0.1:*: not a status line: "?[2J?"`},
		{"bare line feeds", "HTTP/1.0 200 OK\n\nabc", HTTPURL{}, "read answer from 127.0.0.1:*: connection closed within the header"},
		{"half a header", "HTTP/1.0 200 OK\r\n", HTTPURL{}, "read answer from 127.0.0.1:*: connection closed within the header"},
		{"nothing", "", HTTPURL{}, "read answer from 127.0.0.1:*: connection closed without an answer"},
		{"no reason, good for us and bad for keepalived", "HTTP/1.0 200\r\n\r\n", HTTPURL{}, ""},
	}
	for _, tt := range tests {
		c := NewHTTP(getting(listen(t, answering(tt.answer)), tt.url))
		for name, run := range ways(t) {
			t.Run(tt.name+"/"+name, func(t *testing.T) {
				r := run(t.Context(), c)
				wantErr(t, r.Err, tt.err)
				if r.Took <= 0 || !strings.HasPrefix(r.Transcript, "GET /x HTTP/1.0") {
					t.Errorf("transcript %q, took %s", r.Transcript, r.Took)
				}
			})
		}
	}
}

// An answer may come in any pieces.
func TestHTTPAnswerInPieces(t *testing.T) {
	const text = "HTTP/1.0 200 OK\r\ncontent-length: 3\r\n\r\nabcd"
	for size := 1; size <= len(text); size++ {
		a := answer{hash: true}
		if err := a.read(pieces{strings.NewReader(text), size}); err != nil {
			t.Fatal(err)
		}
		if a.status != 200 || a.length != 3 || a.body != 4 || a.digest != abcDigest {
			t.Fatalf("in pieces of %d: %+v", size, a)
		}
	}
}

type pieces struct {
	io.Reader
	size int
}

func (p pieces) Read(b []byte) (int, error) { return p.Reader.Read(b[:min(p.size, len(b))]) }

// FuzzAnswer: no answer, however malformed and however cut, panics or is
// misread by pieces.
func FuzzAnswer(f *testing.F) {
	f.Add([]byte("HTTP/1.0 200 OK\r\nContent-Length: 3\r\n\r\nabc"), 1)
	f.Add([]byte("HTTP/1.1 200\r\n\r\n\r\n\r\n"), 3)
	f.Fuzz(func(t *testing.T, b []byte, size int) {
		whole, cut := answer{hash: true}, answer{hash: true}
		errWhole := whole.read(bytes.NewReader(b))
		errCut := cut.read(pieces{bytes.NewReader(b), max(size, 1)})
		if (errWhole == nil) != (errCut == nil) || errWhole == nil && (whole.digest != cut.digest || whole.status != cut.status) {
			t.Errorf("whole: %v %+v\ncut: %v %+v", errWhole, whole, errCut, cut)
		}
	})
}

// Section 8: connect_timeout applies to the connection and to each read, and an
// answer ends with the connection alone.
func TestHTTPTimeouts(t *testing.T) {
	tests := []struct {
		name  string
		serve func(*net.TCPConn)
		err   string
	}{
		{"silent", drain, "read answer from 127.0.0.1:*: timed out after 1s"},
		{"complete, connection kept open", func(c *net.TCPConn) {
			readRequest(c)
			_, _ = io.WriteString(c, "HTTP/1.0 200 OK\r\nContent-Length: 3\r\n\r\nabc")
			drain(c)
		}, "read answer from 127.0.0.1:*: timed out after 1s"},
		{"reset", func(c *net.TCPConn) {
			readRequest(c)
			_, _ = io.WriteString(c, "HTTP/1.0 200 OK\r\n\r\n")
			_ = c.SetLinger(0)
		}, "read answer from 127.0.0.1:*: read: connection reset by peer"},
		{"half open: it says no more but listens on", func(c *net.TCPConn) {
			readRequest(c)
			_, _ = io.WriteString(c, "HTTP/1.0 200 OK\r\n\r\nabc")
			_ = c.CloseWrite()
			drain(c)
		}, ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			c := listen(t, tt.serve)
			if strings.Contains(tt.err, "timed out") {
				c.Timeout = brief
			}
			for _, run := range ways(t) {
				wantErr(t, run(t.Context(), NewHTTP(getting(c, HTTPURL{}))).Err, tt.err)
			}
		})
	}
	refused := closedPort(t)
	for _, run := range ways(t) {
		r := run(t.Context(), NewHTTP(getting(refused, HTTPURL{})))
		wantErr(t, r.Err, "connect "+refused.remote().String()+": connection refused")
		if r.Transcript != "" {
			t.Errorf("transcript %q of nothing", r.Transcript)
		}
	}
}

// The timeout is of each read and not of the whole answer.
func TestHTTPSlowAnswer(t *testing.T) {
	t.Parallel()
	c := listen(t, func(c *net.TCPConn) {
		readRequest(c)
		tick := time.NewTicker(900 * time.Millisecond)
		defer tick.Stop()
		for _, b := range []string{"HTTP/1.0", " 200 OK\r\n", "\r\n", "abc"} {
			<-tick.C
			_, _ = io.WriteString(c, b)
		}
	})
	c.Timeout = 3 * time.Second
	r := inGoroutine(t.Context(), NewHTTP(getting(c, HTTPURL{Digest: abcDigest})))
	if wantErr(t, r.Err, ""); r.Took < c.Timeout {
		t.Errorf("took %s: too short to show anything", r.Took)
	}
}

// timed is a context whose time is over when over is closed.
type timed struct {
	context.Context
	over chan struct{}
}

func (c timed) Done() <-chan struct{} { return c.over }

func (c timed) Err() error {
	select {
	case <-c.over:
		return context.DeadlineExceeded
	default:
		return nil
	}
}

// The end of the context ends an exchange that is under way, however steadily
// the server drips.
func TestHTTPCancel(t *testing.T) {
	ctx := timed{t.Context(), make(chan struct{})}
	c := listen(t, func(c *net.TCPConn) {
		readRequest(c)
		_, _ = io.WriteString(c, "HTTP/1.0 200 OK\r\n\r\n")
		tick := time.NewTicker(10 * time.Millisecond)
		defer tick.Stop()
		for n := 0; ; n++ {
			if _, err := io.WriteString(c, "x"); err != nil {
				return
			}
			if n == 10 {
				close(ctx.over)
			}
			<-tick.C
		}
	})
	start := time.Now()
	r := NewHTTP(getting(c, HTTPURL{})).Run(ctx)
	wantErr(t, r.Err, "read answer from 127.0.0.1:*: timed out: the answer did not end")
	if took := time.Since(start); took > 30*time.Second {
		t.Errorf("took %s", took)
	}
}

// A header or a body without end is cut off.
func TestHTTPBounds(t *testing.T) {
	wantErr(t, (&answer{}).read(strings.NewReader("HTTP/1.0 200 OK\r\nA: "+strings.Repeat("x", 60<<10)+"\r\n\r\n")), "")
	err := (&answer{}).read(io.MultiReader(strings.NewReader("HTTP/1.0 200 OK\r\nA: "), endless{}))
	wantErr(t, err, "header longer than 65536 bytes")
	err = (&answer{}).read(io.MultiReader(strings.NewReader("HTTP/1.0 200 OK\r\n\r\n"), endless{}))
	wantErr(t, err, "body longer than 67108864 bytes")
}

type endless struct{}

func (endless) Read(b []byte) (int, error) {
	for i := range b {
		b[i] = 'x'
	}
	return len(b), nil
}

// A large body is hashed in passing.
func TestHTTPLargeBody(t *testing.T) {
	body := bytes.Repeat([]byte("0123456789abcdef"), 1<<18)
	sum := md5.Sum(body)
	c := listen(t, func(c *net.TCPConn) {
		readRequest(c)
		_, _ = io.WriteString(c, "HTTP/1.0 200 OK\r\n\r\n")
		_, _ = c.Write(body)
	})
	for name, run := range ways(t) {
		r := run(t.Context(), NewHTTP(getting(c, HTTPURL{Digest: hex.EncodeToString(sum[:])})))
		if want := "GET /x HTTP/1.0 -> HTTP/1.0 200 OK, 4194304 bytes, md5 " + hex.EncodeToString(sum[:]); r.Err != nil || r.Transcript != want {
			t.Errorf("%s: error %v, transcript %q, want %q", name, r.Err, r.Transcript, want)
		}
	}
}

// Each url is a step of its own; a check without urls is not made.
func TestHTTPSteps(t *testing.T) {
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/bad" {
			w.WriteHeader(http.StatusInternalServerError)
		}
	}))
	defer srv.Close()
	at := srv.Listener.Addr().(*net.TCPAddr).AddrPort()
	cfg := HTTPConfig{
		Connect:  Connect{Addr: at.Addr(), Port: at.Port(), Timeout: ample},
		Protocol: "1.1", URLs: []HTTPURL{{Path: "/good"}, {Path: "/bad"}},
	}
	c := NewHTTP(cfg).(Stepper)
	wantErr(t, c.RunStep(t.Context(), 0).Err, "")
	wantErr(t, c.RunStep(t.Context(), 1).Err, "status 500, want 200-299")
	wantErr(t, c.Run(t.Context()).Err, "status 500, want 200-299")
	wantErr(t, c.RunStep(t.Context(), 2).Err, c.String()+" has no url 2: check could not be made")
}

// tlsServer answers abc over TLS with versions up to max and one cipher suite,
// and tells the server names that it was asked for.
func tlsServer(t *testing.T, max uint16, cipher uint16) (Connect, <-chan string) {
	names := make(chan string, 10)
	srv := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		_, _ = io.WriteString(w, "abc")
	}))
	srv.TLS = &tls.Config{
		MinVersion: tls.VersionTLS10, MaxVersion: max,
		GetConfigForClient: func(h *tls.ClientHelloInfo) (*tls.Config, error) {
			names <- h.ServerName
			return nil, nil
		},
	}
	if cipher != 0 {
		srv.TLS.CipherSuites = []uint16{cipher}
	}
	srv.Config.ErrorLog = log.New(io.Discard, "", 0)
	srv.StartTLS()
	t.Cleanup(srv.Close)
	at := srv.Listener.Addr().(*net.TCPAddr).AddrPort()
	return Connect{Addr: at.Addr(), Port: at.Port(), Timeout: ample}, names
}

// Section 8: SSL_GET asks for no certificate that anybody has signed, and talks
// to old servers.
func TestSSLVersionsAndCiphers(t *testing.T) {
	for _, tt := range []struct {
		name        string
		max, cipher uint16
	}{
		{"TLS 1.0", tls.VersionTLS10, 0},
		{"TLS 1.1", tls.VersionTLS11, 0},
		{"TLS 1.2", tls.VersionTLS12, 0},
		{"TLS 1.3", tls.VersionTLS13, 0},
		{"RSA key exchange", tls.VersionTLS12, tls.TLS_RSA_WITH_AES_128_CBC_SHA},
		{"3DES", tls.VersionTLS12, tls.TLS_RSA_WITH_3DES_EDE_CBC_SHA},
		{"RC4", tls.VersionTLS12, tls.TLS_RSA_WITH_RC4_128_SHA},
	} {
		t.Run(tt.name, func(t *testing.T) {
			c, _ := tlsServer(t, tt.max, tt.cipher)
			cfg := getting(c, HTTPURL{Digest: abcDigest})
			cfg.TLS = true
			wantErr(t, NewHTTP(cfg).Run(t.Context()).Err, "")
		})
	}
}

// Section 8: SNI only with enable_sni or sni_name, which wins.
func TestSSLServerName(t *testing.T) {
	c, names := tlsServer(t, tls.VersionTLS13, 0)
	for _, tt := range []struct {
		enable         bool
		sni, host, got string
	}{
		{false, "", "host.example", ""},
		{true, "", "host.example", "host.example"},
		{true, "sni.example", "host.example", "sni.example"},
		{false, "sni.example", "", "sni.example"},
		{true, "", "", ""},
		{true, "", "192.0.2.1", ""},
	} {
		cfg := getting(c, HTTPURL{Host: tt.host})
		cfg.TLS, cfg.EnableSNI, cfg.SNIName = true, tt.enable, tt.sni
		wantErr(t, NewHTTP(cfg).Run(t.Context()).Err, "")
		if got := <-names; got != tt.got {
			t.Errorf("%+v: server name %q", tt, got)
		}
	}
}

// A server that does not speak TLS, or begins and falls silent, fails.
func TestSSLErrors(t *testing.T) {
	plain := func(c *net.TCPConn) {
		_, _ = io.WriteString(c, "HTTP/1.0 200 OK\r\n\r\n")
		drain(c)
	}
	run := func(c Connect, timeout time.Duration) error {
		c.Timeout = timeout
		cfg := getting(c, HTTPURL{})
		cfg.TLS = true
		return NewHTTP(cfg).Run(t.Context()).Err
	}
	wantErr(t, run(listen(t, plain), ample), "tls handshake from 127.0.0.1:*: tls: first record does not look like a TLS handshake")
	wantErr(t, run(listen(t, drain), brief), "tls handshake from 127.0.0.1:*: timed out after 1s")
}

// A server that ends the connection without TLS's farewell has ended it.
func TestSSLWithoutCloseNotify(t *testing.T) {
	cert := httptest.NewTLSServer(nil)
	defer cert.Close()
	c := listen(t, func(c *net.TCPConn) {
		s := tls.Server(c, &tls.Config{Certificates: cert.TLS.Certificates})
		readRequest(s)
		_, _ = io.WriteString(s, "HTTP/1.0 200 OK\r\n\r\nabc")
		_ = c.CloseWrite()
	})
	cfg := getting(c, HTTPURL{Digest: abcDigest})
	cfg.TLS = true
	wantErr(t, NewHTTP(cfg).Run(t.Context()).Err, "")
}

// A server that resets a TLS connection behind its answer has answered, one that
// does so within the header has not: keepalived's verdicts.
func TestSSLReset(t *testing.T) {
	cert := httptest.NewTLSServer(nil)
	defer cert.Close()
	for _, tt := range []struct{ answer, digest, err string }{
		{"HTTP/1.0 200 OK\r\nContent-Length: 3\r\n\r\nabc", abcDigest, ""},
		{"HTTP/1.0 200 OK\r\n\r\nabcd", abcDigest, "md5 digest e2fc714c4727ee9395f324cd2e7f331f, want " + abcDigest},
		{"HTTP/1.0 200 OK\r\n", "", "read answer from 127.0.0.1:*: read: connection reset by peer"},
	} {
		c := listen(t, func(c *net.TCPConn) {
			s := tls.Server(c, &tls.Config{Certificates: cert.TLS.Certificates})
			readRequest(s)
			_, _ = io.WriteString(s, tt.answer)
			_ = c.SetLinger(0)
		})
		cfg := getting(c, HTTPURL{Digest: tt.digest})
		cfg.TLS = true
		wantErr(t, NewHTTP(cfg).Run(t.Context()).Err, tt.err)
	}
}

func TestHTTPNames(t *testing.T) {
	c := HTTPConfig{Connect: Connect{Addr: netip.MustParseAddr("192.0.2.1"), Port: 80, Timeout: 30 * time.Second}, FastRecovery: true, URLs: make([]HTTPURL, 3)}
	h := NewHTTP(c).(*httpCheck)
	if h.String() != "HTTP_GET [192.0.2.1]:tcp:80" || h.Target() != "[192.0.2.1]:tcp:80" || h.Limit() != 5*time.Minute {
		t.Errorf("%s, %s, %s", h, h.Target(), h.Limit())
	}
	if got, want := h.Traits(), (Traits{Steps: 3, Fast: true, Confirm: true}); got != want {
		t.Errorf("traits %+v", got)
	}
	c.TLS = true
	if got := NewHTTP(c).String(); got != "SSL_GET [192.0.2.1]:tcp:80" {
		t.Error(got)
	}
}
