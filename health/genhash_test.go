package health

import (
	"bytes"
	"context"
	"io"
	"net"
	"net/netip"
	"strings"
	"testing"
	"time"
)

func TestParseGenhash(t *testing.T) {
	cfg, err := ParseGenhash(strings.Fields("-Ss ::1 -p8443 -u /x -V h.example --use-sni -m 0x10 -P 1.0c --timeout=1.5 --verb"))
	if err != nil {
		t.Fatal(err)
	}
	g := cfg.Get
	if !g.TLS || !g.EnableSNI || !cfg.Verbose || g.Connect.Addr != netip.MustParseAddr("::1") || g.Connect.Port != 8443 ||
		g.URLs[0].Path != "/x" || g.URLs[0].Host != "h.example" || g.Connect.FWMark != 16 || g.Protocol != "1.0C" ||
		g.Connect.Timeout != 1500*time.Millisecond {
		t.Errorf("%+v", cfg)
	}
	for args, want := range map[string]string{
		"":                                     "usage",
		"-h":                                   "usage",
		"--help":                               "usage",
		"-x":                                   "usage",
		"--use":                                "usage", // use-ssl, use-sni or use-virtualhost
		"--verbose=1":                          "usage",
		"-s":                                   "usage",
		"--port":                               "usage",
		"-s 127.0.0.1 -u /":                    "usage",
		"-s 127.0.0.1 -p 80":                   "usage",
		"-p 80 -u /":                           "usage",
		"-s localhost -p 80 -u /":              "server should be an IP, not localhost",
		"-s 127.0.0.1 -p 99999 -u /":           "invalid port number '99999'",
		"-s 127.0.0.1 -p 80 -u / -P 2":         "invalid HTTP protocol version '2'",
		"-s 127.0.0.1 -p 80 -u / -m x":         "invalid fwmark 'x'",
		"-s 127.0.0.1 -p 80 -u / -t 0":         "invalid timeout '0'",
		"-s 127.0.0.1 -p 80 -u / extra -- -v":  "Unexpected argument(s): extra -v",
		"-s 127.0.0.1 -p 80 -u / --nosuch=opt": "usage",
	} {
		if _, err := ParseGenhash(strings.Fields(args)); errText(err) != want {
			t.Errorf("%q: %q, want %q", args, errText(err), want)
		}
	}
}

// Section 9: what keepalived 2.2.7's genhash prints, where.
func TestGenhash(t *testing.T) {
	const fail = "no data received from remote webserver\n"
	serve := func(answer string) func(*testing.T) Connect {
		return func(t *testing.T) Connect { return listen(t, answering(answer)) }
	}
	silent := func(t *testing.T) Connect {
		return listen(t, func(c *net.TCPConn) {
			_, _ = io.WriteString(c, "HTTP/1.0 200 OK\r\nContent-Length: 3\r\n\r\nabc")
			drain(c)
		})
	}
	tests := []struct {
		name     string
		serve    func(*testing.T) Connect
		tls      bool
		out, err string
	}{
		{"digest", serve("HTTP/1.0 200 OK\r\nContent-Length: 3\r\n\r\nabc"), false, abcDigest + "\n", ""},
		{"any status", serve("HTTP/1.0 404 No\r\n\r\nabc"), false, abcDigest + "\n", ""},
		{"content length", serve("HTTP/1.0 200 OK\r\nContent-Length: 2\r\n\r\nabc"), false, "187ef4436122d1cc2f40dc2b92f0eba0\n", ""},
		{"no header", serve("garbage"), false, "", fail},
		{"nothing", serve(""), false, "", fail},
		{"kept open", silent, false, "Timeout HTTP read\n", ""},
		{"refused", closedPort, false, "Connection failed\n", ""},
		{"no TLS", serve("HTTP/1.0 200 OK\r\n\r\n"), true, "SSL handshake/communication error connecting to\n", ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			c := tt.serve(t)
			if tt.tls || strings.HasPrefix(tt.out, "Timeout") {
				c.Timeout = brief
			}
			var out, err bytes.Buffer
			cfg := HashConfig{Get: getting(c, HTTPURL{})}
			cfg.Get.TLS = tt.tls
			Genhash(t.Context(), cfg, &out, &err)
			if out.String() != tt.out || err.String() != tt.err {
				t.Errorf("printed %q and %q, want %q and %q", out.String(), err.String(), tt.out, tt.err)
			}
		})
	}
	c, _ := tlsServer(t, 0, 0)
	var out bytes.Buffer
	cfg := HashConfig{Get: getting(c, HTTPURL{})}
	cfg.Get.TLS = true
	if Genhash(context.Background(), cfg, &out, &out); out.String() != abcDigest+"\n" {
		t.Errorf("over TLS: %q", out.String())
	}
}

// With -v genhash prints what keepalived's printed on the same answer, but for
// the time.
func TestGenhashVerbose(t *testing.T) {
	const want = `-----------------------[    HTTP Header Buffer    ]-----------------------
0000  48 54 54 50 2f 31 2e 30 - 20 32 30 30 20 4f 4b 0d   HTTP/1.0 200 OK.
0016  0a 43 6f 6e 74 65 6e 74 - 2d 4c 65 6e 67 74 68 3a   .Content-Length:
0032  20 33 0d 0a 0d 0a       -                            3....          
-----------------------[ HTTP Header Ascii Buffer ]-----------------------
HTTP/1.0 200 OK
Content-Length: 3


-----------------------[        HTML Buffer        ]-----------------------
0000  61 62 63                -                           abc             

-----------------------[    HTML hash resulting    ]-----------------------
0000  90 01 50 98 3c d2 4f b0 - d6 96 3f 7d 28 e1 7f 72   ..P.<.O...?}(..r
-----------------------[ HTML hash final resulting ]-----------------------
900150983cd24fb0d6963f7d28e17f72

Global response time for [/] = `
	c := listen(t, answering("HTTP/1.0 200 OK\r\nContent-Length: 3\r\n\r\nabc"))
	var out bytes.Buffer
	Genhash(t.Context(), HashConfig{Get: getting(c, HTTPURL{Path: "/"}), Verbose: true}, &out, io.Discard)
	if got, ok := strings.CutPrefix(strings.ReplaceAll(out.String(), "\r\n", "\n"), want); !ok || !strings.HasSuffix(got, " usecs\n") {
		t.Errorf("printed\n%s\nwant\n%s", out.String(), want)
	}
}
