package health

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"sync"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// A way runs an attempt to its end, within the bounds that the scheduler gives it.
type way func(ctx context.Context, c Check) Result

// ways are an attempt in a goroutine and one of a poller's.
func ways(t *testing.T) map[string]way {
	wake := make(chan struct{}, 1)
	p := newPoller(func() { poke(wake) })
	t.Cleanup(p.close)
	return map[string]way{
		"goroutine": inGoroutine,
		"poller":    func(ctx context.Context, c Check) Result { return polled(ctx, p, wake, c) },
	}
}

func inGoroutine(ctx context.Context, c Check) Result {
	ctx, cancel := context.WithTimeout(ctx, attemptLimit(c))
	defer cancel()
	done := make(chan Result, 2)
	a := &attempt{order: StartCheck{Run: c}, limited: ctx}
	go a.run(func(_ *attempt, r Result) { done <- r })
	return <-done
}

// polled has a poller make an attempt, which the end of ctx cancels.
func polled(ctx context.Context, p *poller, wake <-chan struct{}, c Check) Result {
	a := &attempt{order: StartCheck{Run: c}}
	p.begin(a)
	for cancelled := false; ; {
		for _, f := range p.settle() {
			return f.result
		}
		if cancelled {
			panic("cancelled, and not ended")
		}
		select {
		case <-wake:
		case <-time.After(time.Until(p.deadline())):
		case <-ctx.Done():
			cancelled = true
			p.cancel(a)
		}
	}
}

// backlogSocket listens with a queue for one connection more than it is told
// and never accepts.
func backlogSocket(t testing.TB, queue int) uint16 {
	t.Helper()
	_, port := backlog(t, queue)
	return port
}

// backlog is such a socket and its port.
func backlog(t testing.TB, queue int) (fd int, port uint16) {
	t.Helper()
	fd, port = bound(t, unix.SOCK_STREAM)
	if err := unix.Listen(fd, queue); err != nil {
		t.Fatal(err)
	}
	return fd, port
}

// Section 8: TCP_CHECK connects and closes; nothing is sent.
func TestTCPSendsNothing(t *testing.T) {
	got := make(chan string, 1)
	cfg := listen(t, func(c *net.TCPConn) {
		b := make([]byte, 10)
		n, err := c.Read(b)
		got <- fmt.Sprintf("%d %v", n, err)
	})
	for name, run := range ways(t) {
		r := run(t.Context(), NewTCP(cfg))
		if r.Err != nil || r.Took <= 0 || r.Transcript != "connected to "+cfg.remote().String() {
			t.Errorf("%s: result %+v", name, r)
		}
		if heard := <-got; heard != "0 EOF" {
			t.Errorf("%s: the server heard %q, want 0 bytes and the end", name, heard)
		}
	}
}

func TestTCPErrors(t *testing.T) {
	tests := []struct {
		name string
		cfg  func(t *testing.T) Connect
		want string
		not  bool // not attempted
	}{
		{"refused", closedPort, "connect 127.0.0.1:*: connection refused", false},
		{"no answer", fullBacklog, "connect 127.0.0.1:*: timed out after 200ms", false},
		{"no such local address", func(t *testing.T) Connect {
			c := closedPort(t)
			c.BindAddr = netip.MustParseAddr("203.0.113.9")
			return c
		}, "bind 203.0.113.9:0: cannot assign requested address*", true},
		{"no such interface", func(t *testing.T) Connect {
			c := closedPort(t)
			c.BindInterface = "nosuchif0"
			return c
		}, "connect 127.0.0.1:*", true},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			cfg := tt.cfg(t)
			for name, run := range ways(t) {
				start := time.Now()
				r := run(t.Context(), NewTCP(cfg))
				wantErr(t, r.Err, tt.want)
				if errors.Is(r.Err, ErrNotAttempted) != tt.not {
					t.Errorf("%s: not attempted is %t for %v", name, !tt.not, r.Err)
				}
				if took := time.Since(start); took > 30*time.Second || r.Took <= 0 {
					t.Errorf("%s: took %s, says %s", name, took, r.Took)
				}
			}
		})
	}
}

// An attempt ends when its context does.
func TestTCPCancel(t *testing.T) {
	cfg := fullBacklog(t)
	cfg.Timeout = time.Hour
	for name, run := range ways(t) {
		ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
		start := time.Now()
		if r := run(ctx, NewTCP(cfg)); r.Err == nil {
			t.Errorf("%s: connected to a port that answers nothing", name)
		}
		cancel()
		// It is over before it begins.
		if r := run(ctx, NewTCP(cfg)); r.Err == nil {
			t.Errorf("%s: connected after the end", name)
		}
		if took := time.Since(start); took > 30*time.Second {
			t.Errorf("%s: took %s", name, took)
		}
	}
}

// The near end is as configured.
func TestTCPBind(t *testing.T) {
	free := freePort(t)
	from := make(chan string, 4)
	cfg := listen(t, func(c *net.TCPConn) { from <- c.RemoteAddr().String() })
	cfg.BindAddr, cfg.BindPort = netip.MustParseAddr("127.0.0.2"), free
	// Twice: the port is not free at once after a connection.
	for _, run := range ways(t) {
		if r := run(t.Context(), NewTCP(cfg)); r.Err != nil && !errors.Is(r.Err, ErrNotAttempted) {
			t.Fatal(r.Err)
		}
	}
	cameFrom(t, from, fmt.Sprintf("127.0.0.2:%d", free))
	cfg.BindAddr = netip.Addr{}
	cfg.BindInterface = "lo"
	for _, run := range ways(t) {
		cfg.BindPort = freePort(t)
		if r := run(t.Context(), NewTCP(cfg)); r.Err != nil {
			t.Fatal(r.Err)
		}
		cameFrom(t, from, fmt.Sprintf("127.0.0.1:%d", cfg.BindPort))
	}
}

// cameFrom waits for a connection from an address.
func cameFrom(t *testing.T, from <-chan string, want string) {
	t.Helper()
	for {
		select {
		case got := <-from:
			if got == want {
				return
			}
		case <-time.After(time.Minute):
			t.Fatalf("no connection from %s", want)
		}
	}
}

// A mark needs a privilege: with it the check works, without it the check says
// so and blames nobody else.
func TestTCPMark(t *testing.T) {
	cfg := listen(t, drain)
	cfg.FWMark = 7
	r := NewTCP(cfg).Run(t.Context())
	if r.Err != nil && !(errors.Is(r.Err, ErrNotAttempted) && errors.Is(r.Err, unix.EPERM)) {
		t.Error(r.Err)
	}
}

// An IPv6 link-local address is reached through the interface that is bound.
func TestConnectZone(t *testing.T) {
	c := Connect{Addr: netip.MustParseAddr("fe80::1"), Port: 80, BindInterface: "eth0"}
	if got := c.remote().String(); got != "[fe80::1%eth0]:80" {
		t.Errorf("remote %s", got)
	}
	if got := c.name(); got != "[fe80::1]:tcp:80" {
		t.Errorf("name %s", got)
	}
}

// BenchmarkScheduler1000TCP runs rounds of 1000 TCP_CHECKs through the
// scheduler, each round of a listener whose queue the kernel fills and nobody
// empties, so that nothing but the checks is measured; ns/op is one check.
func BenchmarkScheduler1000TCP(b *testing.B) {
	b.Run("goroutines", func(b *testing.B) { benchmarkTCP(b, func(c Check) Check { return struct{ Check }{c} }) })
	b.Run("poller", func(b *testing.B) { benchmarkTCP(b, func(c Check) Check { return c }) })
}

func benchmarkTCP(b *testing.B, as func(Check) Check) {
	rounds := (b.N + 999) / 1000
	services := make([]ServiceConfig, rounds)
	var done sync.WaitGroup
	done.Add(rounds * 1000)
	for i := range services {
		services[i] = service()
		services[i].Name = fmt.Sprint(i)
		cfg := Connect{Addr: netip.MustParseAddr("127.0.0.1"), Port: backlogSocket(b, 2000), Timeout: 5 * time.Second}
		for n := range 1000 {
			c := check(func(c *CheckConfig) { c.Check, c.Interval = as(NewTCP(cfg)), time.Hour })
			services[i].Servers = append(services[i].Servers, ServerConfig{
				Addr: netip.AddrFrom4([4]byte{10, 0, byte(n >> 8), byte(n)}), Port: 80, Weight: 1, Checks: []CheckConfig{c},
			})
		}
	}
	b.ReportAllocs()
	s := NewScheduler(func(_ string, o Output) {
		switch o := o.(type) {
		case CheckSucceeded:
			done.Done()
		case CheckFailed:
			b.Errorf("%s", o.Err)
			done.Done()
		case CheckSkipped:
			b.Errorf("%s", o.Err)
			done.Done()
		}
	}, WithConcurrency(256))
	s.Apply(services)
	end := begin(s)
	var before, after unix.Rusage
	_ = unix.Getrusage(unix.RUSAGE_SELF, &before)
	b.ResetTimer()
	done.Wait()
	b.StopTimer()
	_ = unix.Getrusage(unix.RUSAGE_SELF, &after)
	cpu := time.Duration(after.Utime.Nano() + after.Stime.Nano() - before.Utime.Nano() - before.Stime.Nano())
	b.ReportMetric(float64(cpu.Nanoseconds())/float64(rounds*1000), "cpu-ns/check")
	end()
}
