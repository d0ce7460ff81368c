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

// launchers are the ways to run an attempt.
func launchers(t *testing.T) []launcher {
	p := newPoller(goroutines{})
	t.Cleanup(p.close)
	return []launcher{goroutines{}, p}
}

// attempted runs an attempt to its end, within the bounds that the scheduler
// gives it.
func attempted(ctx context.Context, l launcher, c Check) Result {
	ctx, cancel := context.WithTimeout(ctx, attemptLimit(c))
	defer cancel()
	done := make(chan Result, 2)
	l.launch(ctx, c, 0, func(r Result) { done <- r })
	return <-done
}

// backlogSocket listens with a queue for one connection more than it is told
// and never accepts.
func backlogSocket(t testing.TB, queue int) uint16 {
	t.Helper()
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = unix.Close(fd) })
	if err := unix.Bind(fd, &unix.SockaddrInet4{Addr: [4]byte{127, 0, 0, 1}}); err != nil {
		t.Fatal(err)
	}
	if err := unix.Listen(fd, queue); err != nil {
		t.Fatal(err)
	}
	sa, err := unix.Getsockname(fd)
	if err != nil {
		t.Fatal(err)
	}
	return uint16(sa.(*unix.SockaddrInet4).Port)
}

// Section 8: TCP_CHECK connects and closes; nothing is sent.
func TestTCPSendsNothing(t *testing.T) {
	got := make(chan string, 1)
	cfg := listen(t, func(c *net.TCPConn) {
		b := make([]byte, 10)
		n, err := c.Read(b)
		got <- fmt.Sprintf("%d %v", n, err)
	})
	for _, l := range launchers(t) {
		r := attempted(t.Context(), l, NewTCP(cfg))
		if r.Err != nil || r.Took <= 0 || r.Transcript != "connected to "+cfg.remote().String() {
			t.Errorf("%T: result %+v", l, r)
		}
		if heard := <-got; heard != "0 EOF" {
			t.Errorf("%T: the server heard %q, want 0 bytes and the end", l, heard)
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
			for _, l := range launchers(t) {
				start := time.Now()
				r := attempted(t.Context(), l, NewTCP(cfg))
				wantErr(t, r.Err, tt.want)
				if errors.Is(r.Err, ErrNotAttempted) != tt.not {
					t.Errorf("%T: not attempted is %t for %v", l, !tt.not, r.Err)
				}
				if took := time.Since(start); took > 30*time.Second || r.Took <= 0 {
					t.Errorf("%T: took %s, says %s", l, took, r.Took)
				}
			}
		})
	}
}

// An attempt ends when its context does.
func TestTCPCancel(t *testing.T) {
	cfg := fullBacklog(t)
	cfg.Timeout = time.Hour
	for _, l := range launchers(t) {
		ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
		start := time.Now()
		if r := attempted(ctx, l, NewTCP(cfg)); r.Err == nil {
			t.Errorf("%T: connected to a port that answers nothing", l)
		}
		cancel()
		// It is over before it begins.
		if r := attempted(ctx, l, NewTCP(cfg)); r.Err == nil {
			t.Errorf("%T: connected after the end", l)
		}
		if took := time.Since(start); took > 30*time.Second {
			t.Errorf("%T: took %s", l, took)
		}
	}
}

// The near end is as configured.
func TestTCPBind(t *testing.T) {
	free := closedPort(t)
	from := make(chan string, 4)
	cfg := listen(t, func(c *net.TCPConn) { from <- c.RemoteAddr().String() })
	cfg.BindAddr, cfg.BindPort = netip.MustParseAddr("127.0.0.2"), free.Port
	// Twice: the port is not free at once after a connection.
	for _, l := range launchers(t) {
		if r := attempted(t.Context(), l, NewTCP(cfg)); r.Err != nil && !errors.Is(r.Err, ErrNotAttempted) {
			t.Fatal(r.Err)
		}
	}
	cameFrom(t, from, fmt.Sprintf("127.0.0.2:%d", free.Port))
	cfg.BindAddr = netip.Addr{}
	cfg.BindInterface = "lo"
	for _, l := range launchers(t) {
		cfg.BindPort = closedPort(t).Port
		if r := attempted(t.Context(), l, NewTCP(cfg)); r.Err != nil {
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
		case <-time.After(10 * time.Second):
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
	for name, launch := range map[string]func() launcher{
		"goroutines": func() launcher { return goroutines{} },
		"epoll":      func() launcher { return newPoller(goroutines{}) },
	} {
		b.Run(name, func(b *testing.B) { benchmarkTCP(b, launch()) })
	}
}

func benchmarkTCP(b *testing.B, launch launcher) {
	rounds := (b.N + 999) / 1000
	services := make([]ServiceConfig, rounds)
	var done sync.WaitGroup
	done.Add(rounds * 1000)
	for i := range services {
		services[i] = service()
		services[i].Name = fmt.Sprint(i)
		cfg := Connect{Addr: netip.MustParseAddr("127.0.0.1"), Port: backlogSocket(b, 2000), Timeout: 5 * time.Second}
		for n := range 1000 {
			c := check(func(c *CheckConfig) { c.Check, c.Interval = NewTCP(cfg), time.Hour })
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
	s.launch = launch
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
