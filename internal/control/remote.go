package control

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"net/netip"
	"os"
	"sync"
	"time"

	"github.com/tandem-ha/tandem/config"
	"github.com/tandem-ha/tandem/internal/journal"
)

// retryPace is how often a listener that cannot be opened is tried again.
const retryPace = 5 * time.Second

// remote is what is wanted of the TCP listener.
type remote struct {
	wake chan struct{}
	// retry is how long to wait before one that cannot be opened is tried again.
	retry time.Duration

	mu  sync.Mutex
	api config.API
}

func (t *remote) want(api config.API) {
	t.mu.Lock()
	t.api = api
	t.mu.Unlock()
	select {
	case t.wake <- struct{}{}:
	default:
	}
}

func (t *remote) wanted() config.API {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.api
}

// serveTCP has the wanted listener open until ctx is done. That it cannot be
// opened is told once, and once when it can.
func (s *Server) serveTCP(ctx context.Context, handler http.Handler) {
	var open netip.AddrPort
	trouble := ""
	stop := func() {}
	defer func() { stop() }()
	for {
		api := s.tcp.wanted()
		retry := make(<-chan time.Time)
		if api.Listen != open {
			stop()
			stop, open = func() {}, netip.AddrPort{}
		}
		if api.Listen.IsValid() && !open.IsValid() {
			end, err := s.openTCP(ctx, api.Listen, handler)
			if err == nil {
				stop, open = end, api.Listen
			} else {
				retry = time.After(s.tcp.retry)
			}
			s.tellTrouble(api.Listen, &trouble, err)
		}
		select {
		case <-s.tcp.wake:
		case <-retry:
		case <-ctx.Done():
			return
		}
	}
}

func (s *Server) tellTrouble(at netip.AddrPort, told *string, err error) {
	text, level := "", journal.Notice
	if err != nil {
		text, level = err.Error(), journal.Error
	}
	if text == *told {
		return
	}
	*told = text
	if text == "" {
		text = fmt.Sprintf("api: listening at %s", at)
	}
	s.agent.Journal().Add(journal.Event{Kind: "api-listener", Level: level, Text: text})
}

// openTCP answers at an address until the function that it returns is called.
func (s *Server) openTCP(ctx context.Context, at netip.AddrPort, handler http.Handler) (stop func(), err error) {
	if _, err := s.tlsConfig(); err != nil {
		return nil, err
	}
	var lc net.ListenConfig
	l, err := lc.Listen(ctx, "tcp", at.String())
	if err != nil {
		return nil, fmt.Errorf("api: %w", err)
	}
	// The files are read at each handshake: a certificate that was renewed
	// counts at once.
	conf := &tls.Config{GetConfigForClient: func(*tls.ClientHelloInfo) (*tls.Config, error) { return s.tlsConfig() }}
	ctx, cancel := context.WithCancel(ctx)
	done := make(chan struct{})
	go func() {
		defer close(done)
		if err := s.front(ctx, tls.NewListener(newBoundedListener(l, maxConnections), conf), handler); err != nil {
			s.agent.Journal().Add(journal.Event{Kind: "api-listener", Level: journal.Error, Text: "api: " + err.Error()})
		}
	}()
	return func() { cancel(); <-done }, nil
}

// tlsConfig reads what the listener shows, and whom it believes.
func (s *Server) tlsConfig() (*tls.Config, error) {
	own, pool, err := credentials(s.tcp.wanted())
	if err != nil {
		return nil, err
	}
	return &tls.Config{
		MinVersion:   tls.VersionTLS13,
		Certificates: []tls.Certificate{own},
		ClientAuth:   tls.RequireAndVerifyClientCert,
		ClientCAs:    pool,
		NextProtos:   []string{"http/1.1"},
		// A ticket would let in who was believed once.
		SessionTicketsDisabled: true,
	}, nil
}

// PeerClient returns a client for the other node's listener: it shows what our
// own would, and believes whom that believes.
func PeerClient(api config.API, addr string) (*Client, error) {
	own, pool, err := credentials(api)
	if err != nil {
		return nil, err
	}
	return NewRemoteClient(addr, &tls.Config{MinVersion: tls.VersionTLS13, Certificates: []tls.Certificate{own}, RootCAs: pool}), nil
}

// credentials reads who we are, and whom we believe.
func credentials(api config.API) (tls.Certificate, *x509.CertPool, error) {
	own, err := tls.LoadX509KeyPair(api.Certificate, api.Key)
	if err != nil {
		return own, nil, fmt.Errorf("api: certificate: %w", err)
	}
	pem, err := os.ReadFile(api.ClientCA)
	if err != nil {
		return own, nil, fmt.Errorf("api: client_ca: %w", err)
	}
	pool := x509.NewCertPool()
	if !pool.AppendCertsFromPEM(pem) {
		return own, nil, fmt.Errorf("api: client_ca: there is no certificate in %s", api.ClientCA)
	}
	return own, pool, nil
}

// silent is for what clients do wrong: they are told, and the log is not theirs
// to fill.
func silent() *log.Logger { return log.New(io.Discard, "", 0) }
