package health

import (
	"context"
	"errors"
	"net/netip"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
)

// A check that is ordered now does not wait for its interval, and what it finds
// counts: the server goes down with it.
func TestCheckNow(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var broken atomic.Bool
		var runs atomic.Int32
		s := NewScheduler(newRecorder().handle)
		cfg := fakeService("a", checking(func(context.Context) Result {
			runs.Add(1)
			if broken.Load() {
				return Result{Err: errors.New("refused"), Transcript: "SYN, RST"}
			}
			return Result{}
		}))
		cfg.Servers[0].Checks[0].Interval = time.Hour
		cfg.Servers[0].Checks[0].Retries = 0
		at := netip.AddrPortFrom(cfg.Servers[0].Addr, cfg.Servers[0].Port)
		s.Apply([]ServiceConfig{cfg})
		end := begin(s)
		defer end()
		time.Sleep(time.Minute)
		if n := runs.Load(); n != 1 {
			t.Fatalf("%d attempts before the order", n)
		}
		broken.Store(true)
		asked := time.Now()
		st, err := s.CheckNow(context.Background(), "a", at, 0)
		if err != nil || st.State != "down" || st.Err != "refused" || st.Transcript != "SYN, RST" {
			t.Errorf("found %+v, %v", st, err)
		}
		if took := time.Since(asked); took > time.Second {
			t.Errorf("it took %v", took)
		}
		if up := s.Status()[0].Servers[0].Up; up {
			t.Error("what was found does not count")
		}
		for _, tc := range []struct {
			service string
			server  netip.AddrPort
			check   int
			want    string
		}{
			{"b", at, 0, "no virtual server b"},
			{"a", netip.MustParseAddrPort("192.0.2.99:1"), 0, "no check 0"},
			{"a", at, 1, "no check 1"},
			{"a", at, -1, "no check -1"},
		} {
			if _, err := s.CheckNow(context.Background(), tc.service, tc.server, tc.check); err == nil || !strings.Contains(err.Error(), tc.want) {
				t.Errorf("%+v: %v", tc, err)
			}
		}
	})
}

// A round of several steps runs back to back, and is over with its last step.
func TestCheckNowRunsTheWholeRound(t *testing.T) {
	c := check(func(c *CheckConfig) {
		c.Interval = time.Hour
		c.Check = idle{traits: Traits{Steps: 3}}
	})
	s := newSim(t, service(server(1, 1, c)))
	asked := ""
	s.answer = func(_ time.Duration, o StartCheck) Result {
		asked += string(rune('a' + o.Step))
		return Result{}
	}
	s.until(time.Minute)
	before := asked
	s.feed(CheckNow{Server: s.service.servers[0].ref.Server})
	s.until(2 * time.Minute)
	if got := strings.TrimPrefix(asked, before); got != "bc" {
		t.Errorf("after %q the order asked %q", before, got)
	}
	if s.service.servers[0].probes[0].urgent {
		t.Error("the round is not over")
	}
}

// A paused check is not made, counts as it counted, and says so; whoever orders it
// now is refused. Afterwards it is made at once.
func TestPause(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var broken atomic.Bool
		var runs atomic.Int32
		s := NewScheduler(newRecorder().handle)
		cfg := fakeService("a", checking(func(context.Context) Result {
			runs.Add(1)
			if broken.Load() {
				return Result{Err: errors.New("refused")}
			}
			return Result{}
		}))
		cfg.Servers[0].Checks[0].Retries = 0
		at := netip.AddrPortFrom(cfg.Servers[0].Addr, cfg.Servers[0].Port)
		paused := func(on bool) []ServiceConfig {
			c := cfg
			c.Servers = []ServerConfig{cfg.Servers[0]}
			c.Servers[0].Checks = []CheckConfig{cfg.Servers[0].Checks[0]}
			c.Servers[0].Checks[0].Paused = on
			return []ServiceConfig{c}
		}
		s.Apply(paused(false))
		end := begin(s)
		defer end()
		time.Sleep(time.Minute)
		s.Apply(paused(true))
		broken.Store(true)
		synctest.Wait()
		n := runs.Load()
		time.Sleep(time.Hour)
		st := s.Status()[0].Servers[0]
		if runs.Load() != n || !st.Up || !st.Checks[0].Paused || !st.Checks[0].Next.IsZero() {
			t.Errorf("paused: %d attempts more, %+v", runs.Load()-n, st)
		}
		if _, err := s.CheckNow(context.Background(), "a", at, 0); err == nil || !strings.Contains(err.Error(), "is paused") {
			t.Errorf("a paused check now: %v", err)
		}
		s.Apply(paused(false))
		time.Sleep(time.Second)
		if st := s.Status()[0].Servers[0]; st.Up || st.Checks[0].Paused {
			t.Errorf("afterwards: %+v", st)
		}
	})
}

// A check that is paused from its start counts as the pause says.
func TestPausedFromTheStart(t *testing.T) {
	for _, failed := range []bool{false, true} {
		c := check(func(c *CheckConfig) { c.Paused, c.PausedFailed, c.Alpha = true, failed, true })
		s := newSim(t, service(server(1, 1, c)))
		s.until(time.Minute)
		if srv := s.service.servers[0]; srv.Up() == failed || srv.status().Checks[0].State == "up" {
			t.Errorf("paused as failed %v: up %v, %+v", failed, srv.Up(), srv.status().Checks[0])
		}
	}
}
