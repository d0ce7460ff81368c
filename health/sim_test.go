package health

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"
)

var (
	epoch   = time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	errDown = errors.New("connect: connection refused")
)

// idle is a check whose results the simulation makes up.
type idle struct {
	target string
	traits Traits
}

func (c idle) Run(context.Context) Result { panic("the simulation runs no checks") }
func (c idle) String() string             { return c.target }
func (c idle) Target() string             { return c.target }
func (c idle) Traits() Traits             { return c.traits }

// sim drives a Service through simulated time.
type sim struct {
	t       *testing.T
	now     time.Time
	service *Service
	// answer is the result of the attempt that starts at a time after epoch.
	answer func(at time.Duration, o StartCheck) Result
	// took is how long every attempt lasts.
	took time.Duration
	ends []simEnd
	// outputs are the outputs that are neither StartCheck nor CancelCheck, starts
	// the StartChecks with their times, lines the log.
	outputs   []Output
	starts    []string
	lines     []string
	cancelled int
}

type simEnd struct {
	at time.Time
	in CheckDone
}

// newSim starts a service whose checks succeed at once.
func newSim(t *testing.T, cfg ServiceConfig) *sim {
	t.Helper()
	s := &sim{t: t, now: epoch, service: NewService(cfg)}
	s.answer = func(time.Duration, StartCheck) Result { return Result{} }
	s.feed(Start{Seed: 1})
	return s
}

func (s *sim) feed(in Input) []Output {
	s.t.Helper()
	out := s.service.Step(s.now, in, nil)
	for _, o := range out {
		switch o := o.(type) {
		case StartCheck:
			at := s.now.Sub(epoch)
			s.starts = append(s.starts, fmt.Sprintf("%.1f %d/%d", at.Seconds(), o.Check, o.Step))
			s.ends = append(s.ends, simEnd{s.now.Add(s.took), CheckDone{Server: o.Server, Attempt: o.Attempt, Result: s.answer(at, o)}})
		case CancelCheck:
			s.cancelled++
		default:
			s.outputs = append(s.outputs, o)
			if line := Text(s.service.cfg.Name, o); line != "" {
				s.lines = append(s.lines, fmt.Sprintf("%.1f %s", s.now.Sub(epoch).Seconds(), line))
			}
		}
	}
	s.agrees(out)
	return out
}

// agrees checks that the last PoolChanged is what Pool says.
func (s *sim) agrees(out []Output) {
	s.t.Helper()
	for _, o := range out {
		if p, ok := o.(PoolChanged); ok && !slices.Equal(p.Pool, s.service.Pool()) {
			s.t.Errorf("PoolChanged says %v, Pool says %v", p.Pool, s.service.Pool())
		}
	}
}

// until lets everything happen that is due up to d after the epoch.
func (s *sim) until(d time.Duration) {
	s.t.Helper()
	limit := epoch.Add(d)
	for range 100000 {
		next, end := s.service.Deadline(), -1
		for i, e := range s.ends {
			if next.IsZero() || e.at.Before(next) || end < 0 && e.at.Equal(next) {
				next, end = e.at, i
			}
		}
		if next.IsZero() || next.After(limit) {
			s.now = limit
			return
		}
		s.now = next
		if end < 0 {
			s.feed(TimerFired{})
			continue
		}
		in := s.ends[end].in
		s.ends = slices.Delete(s.ends, end, end+1)
		s.feed(in)
	}
	s.t.Fatal("the machine does not come to rest")
}

// check is a TCP_CHECK every 3 s without warm-up.
func check(change ...func(*CheckConfig)) CheckConfig {
	c := CheckConfig{
		Kind: "TCP_CHECK", Check: idle{target: "[192.0.2.1]:tcp:80"}, Key: "tcp",
		Interval: 3 * time.Second, Retries: 1, DelayBeforeRetry: time.Second,
	}
	for _, f := range change {
		f(&c)
	}
	return c
}

// server is a real server 192.0.2.n:80 with a weight and checks.
func server(n byte, weight int, checks ...CheckConfig) ServerConfig {
	return ServerConfig{Addr: netip.AddrFrom4([4]byte{192, 0, 2, n}), Port: 80, Weight: weight, Checks: checks}
}

func inhibited(c ServerConfig) ServerConfig {
	c.InhibitOnFailure = true
	return c
}

// service is a virtual server with quorum 1.
func service(servers ...ServerConfig) ServiceConfig {
	return ServiceConfig{Name: "[10.0.0.1]:tcp:80", Protocol: "TCP", Quorum: 1, Servers: servers}
}

func withSorry(c ServiceConfig, inhibit bool) ServiceConfig {
	c.Sorry = &SorryConfig{Addr: netip.MustParseAddr("10.1.1.1"), Port: 80, Inhibit: inhibit}
	return c
}

// failing makes the checks of server n fail from a to b.
func failing(n byte, a, b time.Duration) func(time.Duration, StartCheck) Result {
	return func(at time.Duration, o StartCheck) Result {
		if o.Server.Addr().As4()[3] == n && at >= a && at < b {
			return Result{Err: errDown}
		}
		return Result{}
	}
}

// pool writes a pool as "1=4 2=0 sorry=1".
func pool(p Pool) string {
	var parts []string
	for _, m := range p {
		name := fmt.Sprint(m.Addr.As4()[3])
		if m.Sorry {
			name = "sorry"
		}
		parts = append(parts, fmt.Sprintf("%s=%d", name, m.Weight))
	}
	return strings.Join(parts, " ")
}

func wantPool(t *testing.T, s *sim, want string) {
	t.Helper()
	if got := pool(s.service.Pool()); got != want {
		t.Errorf("at %s the pool is %q, want %q", s.now.Sub(epoch), got, want)
	}
}

func wantLines(t *testing.T, what string, got, want []string) {
	t.Helper()
	if !slices.Equal(got, want) {
		t.Errorf("%s:\n got\n  %s\n want\n  %s", what, strings.Join(got, "\n  "), strings.Join(want, "\n  "))
	}
}

// news leaves the lines about activation out.
func news(lines []string) []string {
	return slices.DeleteFunc(slices.Clone(lines), func(l string) bool { return strings.Contains(l, "ctivating healthchecker") })
}

const sec = time.Second

// errExit is the error of a script that ended with a status.
func errExit(status int) error { return fmt.Errorf("exited with status %d", status) }
