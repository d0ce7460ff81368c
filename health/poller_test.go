package health

import (
	"context"
	"errors"
	"net"
	"net/netip"
	"os"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// sockets counts the open descriptors of this process.
func sockets(t *testing.T) int {
	t.Helper()
	dirs, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		t.Fatal(err)
	}
	return len(dirs)
}

// A mix of good, refused, silent and cancelled attempts, many at once, ends
// with one result each and no descriptor left.
func TestPollerMany(t *testing.T) {
	good, bad, silent := listen(t, func(*net.TCPConn) {}), closedPort(t), fullBacklog(t)
	before := sockets(t)
	p := newPoller(goroutines{})
	var done sync.WaitGroup
	var counts [4]atomic.Int32
	ctx, cancel := context.WithCancel(t.Context())
	for i := range 800 {
		kind := i % 4
		cfg := [4]Connect{good, bad, silent, silent}[kind]
		attempt, end := context.WithTimeout(ctx, cfg.Timeout)
		if kind == 3 {
			end()
			attempt, end = context.WithTimeout(ctx, time.Hour)
		}
		done.Add(1)
		p.launch(attempt, NewTCP(cfg), 0, func(r Result) {
			defer done.Done()
			defer end()
			switch {
			case kind == 0 && r.Err == nil,
				kind == 1 && r.Err != nil && strings.HasSuffix(r.Err.Error(), "connection refused"),
				kind == 2 && r.Err != nil && strings.Contains(r.Err.Error(), timedOut),
				kind == 3 && errors.Is(r.Err, context.Canceled):
				counts[kind].Add(1)
			default:
				t.Errorf("kind %d: %v", kind, r.Err)
			}
		})
	}
	for end := time.Now().Add(10 * time.Second); counts[2].Load() < 200 && time.Now().Before(end); {
		time.Sleep(time.Millisecond)
	}
	cancel()
	done.Wait()
	p.close()
	for kind := range counts {
		if n := counts[kind].Load(); n != 200 {
			t.Errorf("%d results of kind %d", n, kind)
		}
	}
	if len(p.open) != 0 {
		t.Errorf("%d open", len(p.open))
	}
	// The listener's own end of a connection may close a little later.
	after := sockets(t)
	for end := time.Now().Add(10 * time.Second); after > before && time.Now().Before(end); after = sockets(t) {
		time.Sleep(time.Millisecond)
	}
	if after > before {
		t.Errorf("%d descriptors, %d before", after, before)
	}
}

// IPv6, and a check that does more than connect, work as ever; a poller that
// was closed begins anew.
func TestPollerOthers(t *testing.T) {
	l, err := net.ListenTCP("tcp6", &net.TCPAddr{IP: net.IPv6loopback})
	if err != nil {
		t.Fatal(err)
	}
	six := serveOn(t, l, drain)
	p := newPoller(goroutines{})
	defer p.close()
	for range 2 {
		if r := attempted(t.Context(), p, NewTCP(six)); r.Err != nil {
			t.Error(r.Err)
		}
		if r := attempted(t.Context(), p, fake{run: func(context.Context) Result { return Result{Transcript: "x"} }}); r.Transcript != "x" {
			t.Errorf("%+v", r)
		}
		p.close()
	}
	unreachable := Connect{Addr: netip.MustParseAddr("255.255.255.255"), Port: 9, Timeout: time.Second}
	for _, l := range launchers(t) {
		if r := attempted(t.Context(), l, NewTCP(unreachable)); r.Err == nil {
			t.Errorf("%T: connected to the broadcast address", l)
		}
	}
}
