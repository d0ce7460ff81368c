// Package publish serves pages over plain HTTP on addresses that a reload may
// change. What is served here only shows: there is no way to know who asks, so
// nothing here commands.
package publish

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"sync"
	"time"

	"golang.org/x/net/netutil"
)

// The limits that keep a client from holding the agent's resources. An answer
// may be a stream, so that its length in time is its handler's matter.
const (
	maxConnections = 64
	headerLimit    = 5 * time.Second
	idleLimit      = 30 * time.Second
	maxHeader      = 16 << 10
	shutdownLimit  = time.Second
)

// Listener serves one handler on one address, or on none.
type Listener struct {
	name    string
	handler http.Handler
	failed  func(error)

	mu     sync.Mutex
	addr   netip.AddrPort
	server *http.Server
	closed bool
}

// NewListener returns a listener that listens nowhere yet. Its name is for
// errors; failed is told where serving ends by itself.
func NewListener(name string, handler http.Handler, failed func(error)) *Listener {
	return &Listener{name: name, handler: handler, failed: failed}
}

// Configure listens on addr from now on, nowhere where it is invalid. Where that
// is where it listens already, nothing changes and no client notices. An address
// that cannot be had is an error, and is tried again with the next call.
func (l *Listener) Configure(addr netip.AddrPort) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.closed || addr == l.addr {
		return nil
	}
	l.end()
	if !addr.IsValid() {
		return nil
	}
	tcp, err := net.Listen("tcp", addr.String())
	if err != nil {
		return fmt.Errorf("%s: %w", l.name, err)
	}
	l.addr = addr
	server := &http.Server{Handler: l.handler, ReadHeaderTimeout: headerLimit, ReadTimeout: headerLimit, IdleTimeout: idleLimit, MaxHeaderBytes: maxHeader}
	l.server = server
	go func() {
		if err := server.Serve(netutil.LimitListener(tcp, maxConnections)); !errors.Is(err, http.ErrServerClosed) {
			l.failed(fmt.Errorf("%s on %s: %w", l.name, addr, err))
		}
	}()
	return nil
}

// Addr is where it listens, invalid for nowhere.
func (l *Listener) Addr() netip.AddrPort {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.addr
}

// Close ends it for good.
func (l *Listener) Close() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.closed = true
	l.end()
}

// end gives answers under way a moment and then cuts them off: a stream does
// not end by itself.
func (l *Listener) end() {
	l.addr = netip.AddrPort{}
	if l.server == nil {
		return
	}
	limit, cancel := context.WithTimeout(context.Background(), shutdownLimit)
	defer cancel()
	if err := l.server.Shutdown(limit); err != nil {
		// Cut off: there is nobody left to tell.
		_ = l.server.Close()
	}
	l.server = nil
}
