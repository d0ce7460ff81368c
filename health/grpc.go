package health

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"time"
)

// GRPCConfig is tandem's own GRPC_CHECK: the protocol grpc.health.v1.
type GRPCConfig struct {
	Connect Connect
	// TLS, if set, is spoken; otherwise HTTP/2 in the clear. ServerName is sent
	// in the handshake.
	TLS        *TLSOptions
	ServerName string
	// Service is the name of the service that is asked for, empty for the
	// server as a whole.
	Service string
	// Authority is the host of the request, empty for the address and port.
	Authority string
}

// NewGRPC returns GRPC_CHECK: grpc.health.v1.Health/Check must answer SERVING.
func NewGRPC(cfg GRPCConfig) Check {
	g := grpcCheck{cfg: cfg}
	if cfg.TLS != nil {
		g.tls = newTLSClient(*cfg.TLS)
	}
	return g
}

type grpcCheck struct {
	cfg GRPCConfig
	tls *tlsClient
}

// maxHealthAnswer bounds an answer, which is of 7 bytes.
const maxHealthAnswer = 4 << 10

// Run makes one attempt.
func (g grpcCheck) Run(ctx context.Context) Result {
	start := time.Now()
	r := Result{Transcript: fmt.Sprintf("grpc.health.v1.Health/Check %q", g.cfg.Service)}
	status, err := g.ask(ctx)
	switch {
	case err != nil:
		r.Err = err
	case status != servingStatus:
		r.Err = fmt.Errorf("grpc health: %s, want SERVING", servingName(status))
	}
	if err == nil {
		r.Transcript += " -> " + servingName(status)
	}
	r.Took = time.Since(start)
	return r
}

// ask makes the call.
func (g grpcCheck) ask(ctx context.Context) (status uint64, err error) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	conn, err := g.cfg.Connect.open(ctx)
	if err != nil {
		return 0, err
	}
	defer func() { _ = conn.Close() }()
	// One connection carries one call.
	tr := &http.Transport{Protocols: new(http.Protocols), DisableCompression: true}
	defer tr.CloseIdleConnections()
	scheme := "http"
	if g.tls == nil {
		tr.Protocols.SetUnencryptedHTTP2(true)
		tr.DialContext = func(context.Context, string, string) (net.Conn, error) { return conn, nil }
	} else {
		scheme = "https"
		secured, err := g.tls.handshake(ctx, conn, g.cfg.ServerName, "h2")
		if err != nil {
			return 0, err
		}
		if p := secured.ConnectionState().NegotiatedProtocol; p != "h2" {
			return 0, errors.New("tls handshake: the server does not offer h2")
		}
		tr.Protocols.SetHTTP2(true)
		tr.DialTLSContext = func(context.Context, string, string) (net.Conn, error) { return secured, nil }
	}
	req := (&http.Request{
		Method: http.MethodPost,
		URL:    &url.URL{Scheme: scheme, Host: g.cfg.Connect.remote().String(), Path: "/grpc.health.v1.Health/Check"},
		Host:   g.cfg.Authority,
		Header: http.Header{"Content-Type": {"application/grpc"}, "Te": {"trailers"}, "User-Agent": {"KeepAliveClient"}},
		Body:   io.NopCloser(bytes.NewReader(healthRequest(g.cfg.Service))),
	}).WithContext(ctx)
	res, err := tr.RoundTrip(req)
	if err != nil {
		return 0, conn.explain("grpc call", err)
	}
	defer func() { _ = res.Body.Close() }()
	body, err := io.ReadAll(io.LimitReader(res.Body, maxHealthAnswer))
	if err != nil {
		return 0, conn.explain("grpc answer", err)
	}
	if res.StatusCode != http.StatusOK {
		return 0, fmt.Errorf("grpc call: http status %d", res.StatusCode)
	}
	if err := grpcStatus(res); err != nil {
		return 0, err
	}
	return parseHealth(body)
}

// grpcStatus is the outcome of a call: in the trailer, or in the header of an
// answer that is nothing else.
func grpcStatus(res *http.Response) error {
	code, message := res.Trailer.Get("Grpc-Status"), res.Trailer.Get("Grpc-Message")
	if code == "" {
		code, message = res.Header.Get("Grpc-Status"), res.Header.Get("Grpc-Message")
	}
	switch code {
	case "0":
		return nil
	case "":
		return errors.New("grpc call: the answer has no grpc-status")
	case "5":
		return errors.New("grpc call: status 5: the server does not know the service")
	case "12":
		return errors.New("grpc call: status 12: the server does not implement grpc.health.v1")
	}
	return fmt.Errorf("grpc call: status %s: %s", printable(code), printable(message))
}

// healthRequest is a HealthCheckRequest{service = 1} as one message of gRPC: a
// byte that says that it is not compressed, its length, and its protobuf.
func healthRequest(service string) []byte {
	var m []byte
	if service != "" {
		m = append(m, 1<<3|2)
		m = binary.AppendUvarint(m, uint64(len(service)))
		m = append(m, service...)
	}
	return append(binary.BigEndian.AppendUint32([]byte{0}, uint32(len(m))), m...)
}

// The values of HealthCheckResponse.ServingStatus.
const servingStatus = 1

func servingName(status uint64) string {
	switch status {
	case 0:
		return "UNKNOWN"
	case servingStatus:
		return "SERVING"
	case 2:
		return "NOT_SERVING"
	case 3:
		return "SERVICE_UNKNOWN"
	}
	return fmt.Sprintf("status %d", status)
}

var errHealthAnswer = errors.New("grpc answer: not a HealthCheckResponse")

// parseHealth reads a HealthCheckResponse{status = 1} in one message of gRPC.
// Fields that it does not know it passes over.
func parseHealth(b []byte) (status uint64, err error) {
	if len(b) < 5 || b[0] != 0 || uint64(binary.BigEndian.Uint32(b[1:])) != uint64(len(b)-5) {
		return 0, errHealthAnswer
	}
	for b = b[5:]; len(b) > 0; {
		tag, n := binary.Uvarint(b)
		if n <= 0 {
			return 0, errHealthAnswer
		}
		b = b[n:]
		var skip uint64
		switch tag & 7 {
		case 0:
			v, n := binary.Uvarint(b)
			if n <= 0 {
				return 0, errHealthAnswer
			}
			if tag>>3 == 1 {
				status = v
			}
			skip = uint64(n)
		case 1:
			skip = 8
		case 2:
			length, n := binary.Uvarint(b)
			if n <= 0 || length > uint64(len(b)) {
				return 0, errHealthAnswer
			}
			skip = uint64(n) + length
		case 5:
			skip = 4
		default:
			return 0, errHealthAnswer
		}
		if skip > uint64(len(b)) {
			return 0, errHealthAnswer
		}
		b = b[skip:]
	}
	return status, nil
}

// Target is the address that is connected to.
func (g grpcCheck) Target() string { return g.cfg.Connect.name() }

// String names the check for logs.
func (g grpcCheck) String() string { return "GRPC_CHECK " + g.cfg.Connect.name() }

// Limit is the most that an attempt may last.
func (g grpcCheck) Limit() time.Duration { return g.cfg.Connect.exchangeLimit() }
