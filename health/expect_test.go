package health

import (
	"bufio"
	"crypto/tls"
	"io"
	"net"
	"net/netip"
	"strings"
	"testing"
	"time"
)

func addressPort(s string) netip.AddrPort { return netip.MustParseAddrPort(s) }

func mustCompile(t *testing.T, pattern string) *Regex {
	t.Helper()
	r, err := CompileRegex(RegexConfig{Pattern: pattern})
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// redis answers PING and INFO as Redis does, after a banner in two pieces.
func redis(c io.ReadWriter) {
	r := bufio.NewReader(c)
	_, _ = io.WriteString(c, "hel")
	_, _ = io.WriteString(c, "lo\r\n")
	for {
		line, err := r.ReadString('\n')
		switch {
		case err != nil || line == "QUIT\r\n":
			return
		case line == "PING\r\n":
			_, _ = io.WriteString(c, "+PONG\r\n")
		case line == "INFO\r\n":
			_, _ = io.WriteString(c, "role:master\r\nrole:none\r\n")
		case line == "FLOOD\r\n":
			_, _ = io.WriteString(c, strings.Repeat("x", 100<<10))
		}
	}
}

func TestExpect(t *testing.T) {
	step := func(send, want string) ExpectStep {
		s := ExpectStep{Send: []byte(send)}
		if want != "" {
			s.Expect = mustCompile(t, want)
		}
		return s
	}
	tests := []struct {
		name  string
		steps []ExpectStep
		err   string
		said  string
	}{
		{"connection alone", nil, "", "connected to 127.0.0.1:*"},
		{"conversation", []ExpectStep{step("", "^hello"), step("PING\r\n", `^\s*\+PONG`), step("INFO\r\n", "role:master")}, "",
			`connected to 127.0.0.1:*; -> "hello"; sent 6 bytes; -> "??+PONG"; sent 6 bytes; -> "??role:master"`},
		{"two matches in one piece", []ExpectStep{step("INFO\r\n", "role:(?=m)"), step("", "^master"), step("", "role:none")}, "", ""},
		{"a match is not found again", []ExpectStep{step("PING\r\n", "PONG"), step("QUIT\r\n", "PONG")},
			`step 2: expect "PONG" from 127.0.0.1:*: connection closed after 2 bytes without a match`, ""},
		{"send alone", []ExpectStep{step("QUIT\r\n", "")}, "", ""},
		{"silence", []ExpectStep{step("", "hello\r\n$"), step("NOTHING\r\n", "x")}, `step 2: expect "x" from 127.0.0.1:*: timed out after 1s`, ""},
		{"flood", []ExpectStep{step("FLOOD\r\n", "y")}, `step 1: expect "y" from 127.0.0.1:*: no match in * bytes`, ""},
	}
	a := newAuthority(t, time.Hour)
	cert := a.issue("s", time.Hour)
	for _, secured := range []bool{false, true} {
		for _, tt := range tests {
			t.Run(tt.name, func(t *testing.T) {
				t.Parallel()
				cfg := ExpectConfig{Steps: tt.steps, Connect: listen(t, func(c *net.TCPConn) {
					if !secured {
						redis(c)
						return
					}
					s := tls.Server(c, &tls.Config{Certificates: []tls.Certificate{cert}})
					redis(s)
					_ = s.CloseWrite()
				})}
				if strings.Contains(tt.err, "timed out") {
					cfg.Connect.Timeout = brief
				}
				if secured {
					cfg.TLS = &TLSOptions{}
				}
				r := NewExpect(cfg).Run(t.Context())
				if strings.Contains(tt.err, "* bytes") {
					if err := errText(r.Err); !strings.Contains(err, "no match in") {
						t.Errorf("error %q", err)
					}
					return
				}
				wantErr(t, r.Err, tt.err)
				before, after, _ := strings.Cut(tt.said, "*")
				if !strings.HasPrefix(r.Transcript, before) || !strings.HasSuffix(r.Transcript, after) {
					t.Errorf("transcript %q, want %q", r.Transcript, tt.said)
				}
			})
		}
	}
	// A certificate is a condition without any conversation.
	cfg := ExpectConfig{TLS: &TLSOptions{ValidFor: 48 * time.Hour}, Connect: listen(t, func(c *net.TCPConn) {
		_ = tls.Server(c, &tls.Config{Certificates: []tls.Certificate{cert}}).Handshake()
		drain(c)
	})}
	if err := errText(NewExpect(cfg).Run(t.Context()).Err); !strings.Contains(err, "it expires in 0 days") {
		t.Errorf("error %q", err)
	}
	refused := closedPort(t)
	e := NewExpect(ExpectConfig{Connect: refused})
	wantErr(t, e.Run(t.Context()).Err, "connect "+refused.remote().String()+": connection refused")
	if e.String() != "TCP_EXPECT "+refused.name() {
		t.Error(e)
	}
}
