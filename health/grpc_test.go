package health

import (
	"encoding/hex"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
)

// grpcServer answers every call with a handler, over TLS or in the clear.
func grpcServer(t *testing.T, secured bool, handler http.HandlerFunc) Connect {
	srv := httptest.NewUnstartedServer(handler)
	srv.Config.ErrorLog = log.New(io.Discard, "", 0)
	srv.Config.Protocols = new(http.Protocols)
	if secured {
		srv.EnableHTTP2 = true
		srv.Config.Protocols.SetHTTP2(true)
		srv.StartTLS()
	} else {
		srv.Config.Protocols.SetUnencryptedHTTP2(true)
		srv.Start()
	}
	t.Cleanup(srv.Close)
	at := netAddrPort(srv.Listener.Addr())
	return Connect{Addr: at.Addr(), Port: at.Port(), Timeout: ample}
}

// answers sends a message, in hex, and a status.
func answers(message, status string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/grpc")
		w.Header().Set("Trailer", "Grpc-Status")
		b, err := hex.DecodeString(message)
		if err != nil {
			panic(err)
		}
		_, _ = w.Write(b)
		w.Header().Set("Grpc-Status", status)
	}
}

func TestGRPC(t *testing.T) {
	const serving = "00000000020801"
	tests := []struct {
		name    string
		handler http.HandlerFunc
		err     string
	}{
		{"serving", answers(serving, "0"), ""},
		{"serving, and what we do not know", answers("000000001512036162631d01020304"+"2101020304050607080801", "0"), ""},
		{"not serving", answers("00000000020802", "0"), "grpc health: NOT_SERVING, want SERVING"},
		{"unknown", answers("0000000000", "0"), "grpc health: UNKNOWN, want SERVING"},
		{"service unknown", answers("00000000020803", "0"), "grpc health: SERVICE_UNKNOWN, want SERVING"},
		{"another", answers("0000000002087f", "0"), "grpc health: status 127, want SERVING"},
		{"no such service", answers("", "5"), "grpc call: status 5: the server does not know the service"},
		{"not implemented", func(w http.ResponseWriter, _ *http.Request) { w.Header().Set("Grpc-Status", "12") },
			"grpc call: status 12: the server does not implement grpc.health.v1"},
		{"other status", func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Grpc-Status", "14")
			w.Header().Set("Grpc-Message", "try\tlater")
		}, "grpc call: status 14: try?later"},
		{"no status", func(w http.ResponseWriter, _ *http.Request) {}, "grpc call: the answer has no grpc-status"},
		{"http status", func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(503) }, "grpc call: http status 503"},
		{"compressed", answers("01000000020801", "0"), "grpc answer: not a HealthCheckResponse"},
		{"cut", answers("000000000208", "0"), "grpc answer: not a HealthCheckResponse"},
		{"no protobuf", answers("000000000208ff", "0"), "grpc answer: not a HealthCheckResponse"},
		{"silent", func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() }, "grpc call from 127.0.0.1:*: timed out after 1s"},
	}
	for _, secured := range []bool{false, true} {
		for _, tt := range tests {
			t.Run(tt.name, func(t *testing.T) {
				t.Parallel()
				cfg := GRPCConfig{Connect: grpcServer(t, secured, tt.handler)}
				if secured {
					cfg.TLS = &TLSOptions{}
				}
				if strings.Contains(tt.err, "timed out") {
					cfg.Connect.Timeout = brief
				}
				r := NewGRPC(cfg).Run(t.Context())
				wantErr(t, r.Err, tt.err)
				if r.Took <= 0 {
					t.Errorf("took %s", r.Took)
				}
			})
		}
	}
}

// The request is what grpc.health.v1 says.
func TestGRPCRequest(t *testing.T) {
	type request struct{ line, host, kind, te, body string }
	got := make(chan request, 1)
	c := grpcServer(t, false, func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		got <- request{r.Method + " " + r.URL.Path + " " + r.Proto, r.Host, r.Header.Get("Content-Type"), r.Header.Get("Te"), hex.EncodeToString(body)}
		answers("00000000020801", "0")(w, r)
	})
	for _, tt := range []struct {
		cfg  GRPCConfig
		want request
	}{
		{GRPCConfig{}, request{"POST /grpc.health.v1.Health/Check HTTP/2.0", c.remote().String(), "application/grpc", "trailers", "0000000000"}},
		{GRPCConfig{Service: "abc", Authority: "api.example"},
			request{"POST /grpc.health.v1.Health/Check HTTP/2.0", "api.example", "application/grpc", "trailers", "00000000050a03616263"}},
	} {
		tt.cfg.Connect = c
		r := NewGRPC(tt.cfg).Run(t.Context())
		if wantErr(t, r.Err, ""); <-got != tt.want {
			t.Errorf("%+v: %+v", tt.cfg, tt.want)
		}
		if !strings.HasSuffix(r.Transcript, " -> SERVING") {
			t.Errorf("transcript %q", r.Transcript)
		}
	}
}

// A server that does not speak HTTP/2 fails, by its silence at the latest.
func TestGRPCNotHTTP2(t *testing.T) {
	c := listen(t, func(c *net.TCPConn) {
		_, _ = io.WriteString(c, "HTTP/1.1 400 Bad Request\r\n\r\n")
		drain(c)
	})
	c.Timeout = brief
	if r := NewGRPC(GRPCConfig{Connect: c}).Run(t.Context()); r.Err == nil {
		t.Error("HTTP/1.1 is gRPC")
	}
	old, _ := tlsServer(t, 0, 0)
	r := NewGRPC(GRPCConfig{Connect: old, TLS: &TLSOptions{}}).Run(t.Context())
	if r.Err == nil || !strings.Contains(r.Err.Error(), "h2") && !strings.Contains(r.Err.Error(), "protocol") {
		t.Errorf("error %v", r.Err)
	}
	refused := closedPort(t)
	g := NewGRPC(GRPCConfig{Connect: refused})
	wantErr(t, g.Run(t.Context()).Err, "connect "+refused.remote().String()+": connection refused")
	if g.String() != "GRPC_CHECK "+refused.name() {
		t.Error(g)
	}
}

// FuzzHealthAnswer: no answer, however malformed, panics or reads beyond its end.
func FuzzHealthAnswer(f *testing.F) {
	f.Add([]byte{0, 0, 0, 0, 2, 8, 1})
	f.Add([]byte{0, 0, 0, 0, 3, 0x12, 1, 0})
	f.Fuzz(func(_ *testing.T, b []byte) { _, _ = parseHealth(b) })
}
