package desired

import (
	"encoding/pem"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/tandem-ha/tandem/config"
)

// application answers as the conditions below want it: by HTTP, and to the health
// protocol of gRPC.
func application(w http.ResponseWriter, r *http.Request) {
	if r.URL.Path == "/grpc.health.v1.Health/Check" {
		request, _ := io.ReadAll(r.Body)
		w.Header().Set("Content-Type", "application/grpc")
		w.Header().Set("Trailer", "Grpc-Status")
		status := byte(2)
		if strings.HasSuffix(string(request), "shop") && strings.HasPrefix(r.Host, "authority") {
			status = 1
		}
		_, _ = w.Write([]byte{0, 0, 0, 0, 2, 8, status})
		w.Header().Set("Grpc-Status", "0")
		return
	}
	body, _ := io.ReadAll(r.Body)
	if r.Method != http.MethodPost || r.Header.Get("X-Probe") != "a b" || string(body) != "ping\n" || r.UserAgent() != "me" {
		w.WriteHeader(http.StatusTeapot)
	}
	w.Header().Set("X-Version", "v42")
}

// newServers starts what the checks talk to, and returns what stands for each in
// a file.
func newServers(t *testing.T) *strings.Replacer {
	plain := httptest.NewUnstartedServer(http.HandlerFunc(application))
	plain.Config.Protocols = new(http.Protocols)
	plain.Config.Protocols.SetHTTP1(true)
	plain.Config.Protocols.SetUnencryptedHTTP2(true)
	plain.Start()
	t.Cleanup(plain.Close)
	secure := httptest.NewUnstartedServer(http.HandlerFunc(application))
	secure.EnableHTTP2 = true
	secure.StartTLS()
	t.Cleanup(secure.Close)
	ca := filepath.Join(t.TempDir(), "ca.pem")
	text := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: secure.Certificate().Raw})
	if err := os.WriteFile(ca, text, 0o600); err != nil {
		t.Fatal(err)
	}
	lines, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = lines.Close() })
	go func() {
		for {
			conn, err := lines.Accept()
			if err != nil {
				return
			}
			_, _ = io.WriteString(conn, "+OK ready\r\n")
			buf := make([]byte, 64)
			n, _ := conn.Read(buf)
			if string(buf[:n]) == "PING\r\n" {
				_, _ = io.WriteString(conn, "+PONG\r\n")
			}
			_ = conn.Close()
		}
	}()
	port := func(a net.Addr) string { return fmt.Sprint(a.(*net.TCPAddr).Port) }
	return strings.NewReplacer("PLAIN", port(plain.Listener.Addr()), "SECURE", port(secure.Listener.Addr()),
		"LINES", port(lines.Addr()), "CA", ca)
}

// TestTandemChecks runs the checks that tandem's own keywords make of a file
// against real servers.
func TestTandemChecks(t *testing.T) {
	servers := newServers(t)
	const post = "method POST\nheader X-Probe \"a b\"\nheader User-Agent me\nbody \"ping\\n\"\n"
	for _, c := range []struct{ name, check, want string }{
		{"request", "HTTP_GET {\nconnect_port PLAIN\nurl {\npath /\n" + post + "}\n}", ""},
		{"without it", "HTTP_GET {\nconnect_port PLAIN\nurl {\npath /\n}\n}", "status 418"},
		{"header", "HTTP_GET {\nconnect_port PLAIN\nurl {\npath /\n" + post + "expect_header x-version \"^v[0-9]+$\"\n}\n}", ""},
		{"other header", "HTTP_GET {\nconnect_port PLAIN\nurl {\npath /\n" + post + "expect_header X-Version ^w\n}\n}", "X-Version"},
		{"no header", "HTTP_GET {\nconnect_port PLAIN\nurl {\npath /\n" + post + "expect_header X-None\n}\n}", "X-None"},
		{"tls", "SSL_GET {\nconnect_port SECURE\nurl {\npath /\n" + post + "}\n}", ""},
		{"unknown authority", "SSL_GET {\nconnect_port SECURE\ntls_verify\nurl {\npath /\n" + post + "}\n}", "unknown authority"},
		{"known authority", "SSL_GET {\nconnect_port SECURE\ntls_verify\ntls_ca CA\nurl {\npath /\n" + post + "}\n}", ""},
		{"other name", "SSL_GET {\nconnect_port SECURE\ntls_verify\ntls_ca CA\ntls_verify_name other.example\nurl {\npath /\n" + post + "}\n}", "other.example"},
		{"expires", "SSL_GET {\nconnect_port SECURE\ntls_min_days 36500\nurl {\npath /\n" + post + "}\n}", "expires in"},
		{"expires later", "SSL_GET {\nconnect_port SECURE\ntls_min_days 30\nurl {\npath /\n" + post + "}\n}", ""},
		{"talk", "TCP_EXPECT {\nconnect_port LINES\nexpect ^\\\\+OK\nsend \"PING\\r\\n\"\nexpect PONG\n}", ""},
		{"talk fails", "TCP_EXPECT {\nconnect_port LINES\nexpect ^\\\\+OK\nsend \"PING\\r\\n\"\nexpect NEVER\n}", "step 2"},
		{"talk, no tls there", "TCP_EXPECT {\nconnect_port LINES\ntls\n}", "tls handshake"},
		{"grpc", "GRPC_CHECK {\nconnect_port PLAIN\nservice shop\nauthority authority\n}", ""},
		{"grpc of another service", "GRPC_CHECK {\nconnect_port PLAIN\nservice none\nauthority authority\n}", "NOT_SERVING"},
		{"grpc over tls", "GRPC_CHECK {\nconnect_port SECURE\nservice shop\nauthority authority\ntls\nsni_name example.com\ntls_verify\ntls_ca CA\n}", ""},
		{"grpc, unknown authority", "GRPC_CHECK {\nconnect_port SECURE\nservice shop\nauthority authority\ntls\ntls_verify\n}", "unknown authority"},
	} {
		t.Run(c.name, func(t *testing.T) {
			text := "virtual_server 192.0.2.1 80 {\nprotocol TCP\nlvs_sched rr\nlvs_method NAT\nreal_server 127.0.0.1 80 {\n" +
				servers.Replace(c.check) + "\n}\n}\n"
			cfg, diagnostics := config.Parse("file", []byte(text), config.Options{})
			for _, d := range diagnostics {
				if d.Severity != config.Notice {
					t.Fatal(d)
				}
			}
			services, errs := new(ServiceMaker).Services(cfg, Scripts{}, Sources{})
			if len(errs) > 0 || len(services) != 1 || len(services[0].Servers[0].Checks) != 1 {
				t.Fatal(services, errs)
			}
			r := services[0].Servers[0].Checks[0].Check.Run(t.Context())
			if (r.Err == nil) != (c.want == "") || r.Err != nil && !strings.Contains(r.Err.Error(), c.want) {
				t.Errorf("%v, want %q", r.Err, c.want)
			}
		})
	}
}

// TestClientCertificate has SSL_GET show the certificate of the block SSL.
func TestClientCertificate(t *testing.T) {
	cfg, _ := config.Parse("file", []byte("SSL {\nca /ca\ncertificate /cert\nkey /key\npassword secret\n}\n"), config.Options{})
	got := tlsOptions(cfg.TLS, &config.Certificate{CA: "/own"})
	if got.CA != "/own" || got.Certificate != "/cert" || got.Key != "/key" || got.Password != "secret" {
		t.Errorf("%+v", got)
	}
	if got := tlsOptions(cfg.TLS, nil); got.CA != "/ca" || got.Verify {
		t.Errorf("%+v", got)
	}
}
