package health

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
)

// fake is a check that a test answers.
type fake struct {
	run   func(ctx context.Context) Result
	limit time.Duration
}

func (f fake) Run(ctx context.Context) Result { return f.run(ctx) }
func (f fake) String() string                 { return "fake" }
func (f fake) Limit() time.Duration           { return max(f.limit, time.Second) }

// hang waits for the end of its context.
func hang(ctx context.Context) Result {
	<-ctx.Done()
	return Result{Err: context.Cause(ctx)}
}

// recorder is a handler that keeps the log.
type recorder struct {
	mu    sync.Mutex
	start time.Time
	lines []string
	pools map[string]Pool
}

func newRecorder() *recorder { return &recorder{start: time.Now(), pools: map[string]Pool{}} }

func (r *recorder) handle(service string, o Output) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if p, ok := o.(PoolChanged); ok {
		r.pools[service] = p.Pool
	}
	if line := Text(service, o); line != "" && !strings.Contains(line, "healthchecker") {
		r.lines = append(r.lines, fmt.Sprintf("%.0f %s", time.Since(r.start).Seconds(), line))
	}
}

func (r *recorder) take() []string {
	r.mu.Lock()
	defer r.mu.Unlock()
	lines := r.lines
	r.lines = nil
	return lines
}

// begin runs a scheduler until the function that it returns is called.
func begin(s *Scheduler) (end func()) {
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() { defer close(done); s.Run(ctx) }()
	return func() { cancel(); <-done }
}

func fakeService(name string, c ...CheckConfig) ServiceConfig {
	cfg := service(server(1, 1, c...))
	cfg.Name = name
	return cfg
}

func checking(run func(context.Context) Result) CheckConfig {
	return check(func(c *CheckConfig) { c.Check = fake{run: run} })
}

// The machines' rules hold in real time: retries are spaced, the handler hears
// of it in order, and the end leaves nothing behind.
func TestSchedulerRetries(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRecorder()
		var fails atomic.Bool
		var at []string
		c := checking(func(context.Context) Result {
			at = append(at, fmt.Sprintf("%.0f", time.Since(r.start).Seconds()))
			if fails.Load() {
				return Result{Err: errDown}
			}
			return Result{}
		})
		s := NewScheduler(r.handle)
		s.Apply([]ServiceConfig{fakeService("VS", c)})
		end := begin(s)
		time.Sleep(3 * sec)
		fails.Store(true)
		time.Sleep(3 * sec)
		fails.Store(false)
		time.Sleep(3 * sec)
		if st := s.Status(); len(st) != 1 || !st[0].Servers[0].Up || st[0].Servers[0].Checks[0].State != "up" {
			t.Errorf("status %+v", st)
		}
		end()
		wantLines(t, "log", r.take(), []string{
			"0 Gained quorum 1+0=1 <= 1 for VS VS",
			"1 TCP connection to [192.0.2.1]:tcp:80 success.",
			"5 TCP_CHECK on service [192.0.2.1]:tcp:80 failed after 1 retries.",
			"5 Removing service [192.0.2.1]:tcp:80 from VS VS",
			"5 Lost quorum 1-0=1 > 0 for VS VS",
			"8 TCP connection to [192.0.2.1]:tcp:80 success.",
			"8 Adding service [192.0.2.1]:tcp:80 to VS VS",
			"8 Gained quorum 1+0=1 <= 1 for VS VS",
			"9 Shutting down service [192.0.2.1]:tcp:80 from VS VS",
		})
		wantLines(t, "attempts", at, []string{"1", "4", "5", "8"})
		s.Apply([]ServiceConfig{fakeService("late", c)})
		if len(s.Status()) != 1 {
			t.Error("a scheduler that has ended took a service")
		}
	})
}

// First attempts are spread over the warm-up, and stay spread.
func TestSchedulerSpreads(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		start := time.Now()
		var mu sync.Mutex
		perSecond := map[int]int{}
		cfg := service()
		for n := range byte(250) {
			c := checking(func(context.Context) Result {
				mu.Lock()
				defer mu.Unlock()
				perSecond[int(time.Since(start).Seconds())]++
				return Result{}
			})
			c.Warmup, c.Interval = 10*sec, 10*sec
			cfg.Servers = append(cfg.Servers, server(n, 1, c))
		}
		s := NewScheduler(func(string, Output) {})
		s.Apply([]ServiceConfig{cfg})
		end := begin(s)
		time.Sleep(41 * sec)
		end()
		for second := 1; second < 41; second++ {
			if n := perSecond[second]; n < 8 || n > 50 {
				t.Errorf("%d of 250 checks in second %d, want about 25", n, second)
			}
		}
	})
}

// No more attempts run at once than the bound, and all get their turn.
func TestSchedulerBoundsConcurrency(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var now, most, total atomic.Int32
		cfg := service()
		for n := range byte(40) {
			cfg.Servers = append(cfg.Servers, server(n, 1, checking(func(context.Context) Result {
				most.Store(max(most.Load(), now.Add(1)))
				time.Sleep(100 * time.Millisecond)
				now.Add(-1)
				total.Add(1)
				return Result{}
			})))
		}
		s := NewScheduler(func(string, Output) {}, WithConcurrency(4))
		s.Apply([]ServiceConfig{cfg})
		end := begin(s)
		time.Sleep(2500 * time.Millisecond)
		end()
		if most.Load() != 4 || total.Load() != 40 {
			t.Errorf("%d at once and %d in all, want 4 and 40", most.Load(), total.Load())
		}
	})
}

// An attempt that a reload or the end makes useless is cancelled, its place
// becomes free, and its result does not count; one that still waits for a place
// never starts.
func TestSchedulerCancels(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRecorder()
		var started, ended atomic.Int32
		c := checking(func(ctx context.Context) Result {
			started.Add(1)
			defer ended.Add(1)
			return hang(ctx)
		})
		c.Check = fake{run: c.Check.(fake).run, limit: time.Hour}
		s := NewScheduler(r.handle, WithConcurrency(1), WithSeed(func() uint64 { return 1 }))
		s.Apply([]ServiceConfig{fakeService("A", c), fakeService("B", c), fakeService("C")})
		end := begin(s)
		time.Sleep(2 * sec)
		if started.Load() != 1 {
			t.Fatalf("%d attempts started, want 1", started.Load())
		}
		r.take()
		s.Apply([]ServiceConfig{fakeService("C"), fakeService("D", checking(func(context.Context) Result { return Result{} }))})
		time.Sleep(2 * sec)
		if started.Load() != 1 || ended.Load() != 1 {
			t.Errorf("%d attempts started and %d ended, want 1 and 1", started.Load(), ended.Load())
		}
		got := r.take()
		slices.Sort(got)
		wantLines(t, "log", got, []string{
			"2 Gained quorum 1+0=1 <= 1 for VS D",
			"2 Removing Virtual Server A", "2 Removing Virtual Server B",
			"2 service [192.0.2.1]:tcp:80 no longer exist", "2 service [192.0.2.1]:tcp:80 no longer exist",
			"3 TCP connection to [192.0.2.1]:tcp:80 success.",
		})
		end()
		if names := s.Status(); names[0].Name != "C" || names[1].Name != "D" {
			t.Errorf("services %v, want C and D in configured order", names)
		}
	})
}

// The end of Run cancels what runs and waits for it.
func TestSchedulerEndWaits(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var ended atomic.Bool
		c := checking(func(ctx context.Context) Result {
			defer ended.Store(true)
			<-ctx.Done()
			time.Sleep(50 * time.Millisecond)
			return Result{Err: ctx.Err()}
		})
		s := NewScheduler(func(string, Output) {})
		s.Apply([]ServiceConfig{fakeService("VS", c)})
		end := begin(s)
		time.Sleep(1500 * time.Millisecond)
		end()
		if !ended.Load() {
			t.Error("Run returned before its attempts")
		}
	})
}

// A check that ignores its own timeout is held to its limit.
func TestSchedulerLimitsAttempt(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRecorder()
		s := NewScheduler(r.handle)
		s.Apply([]ServiceConfig{fakeService("VS", checking(hang))})
		end := begin(s)
		time.Sleep(3 * sec)
		end()
		if got := r.take()[1]; got != "2 TCP_CHECK on service [192.0.2.1]:tcp:80 failed." {
			t.Errorf("line %q", got)
		}
	})
}

// A reload keeps the state and the attempts of what stays; Apply and Status
// answer while the handler is stuck, and from within it.
func TestSchedulerReload(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRecorder()
		stuck := make(chan struct{})
		var s *Scheduler
		s = NewScheduler(func(service string, o Output) {
			r.handle(service, o)
			if _, ok := o.(ServerDown); ok {
				s.Status()
				<-stuck
			}
		})
		var runs atomic.Int32
		c := checking(func(context.Context) Result { runs.Add(1); return Result{Err: errDown} })
		s.Apply([]ServiceConfig{fakeService("VS", c), fakeService("VS", c)})
		end := begin(s)
		time.Sleep(2 * sec)
		s.Apply([]ServiceConfig{fakeService("VS", c), fakeService("new")})
		if st := s.Status(); len(st) != 2 || st[0].Servers[0].Up {
			t.Errorf("status %+v", st)
		}
		close(stuck)
		time.Sleep(sec)
		if n := runs.Load(); n != 1 {
			t.Errorf("%d attempts, want 1: a reload starts no check anew", n)
		}
		end()
		if got := pool(r.pools["new"]); got != "1=1" {
			t.Errorf("pool of the new service %q", got)
		}
	})
}

// A check with steps is asked for the step that is due.
type stepped struct{ steps *[]int }

func (stepped) Run(context.Context) Result { panic("asked for no step") }
func (stepped) String() string             { return "stepped" }
func (stepped) Traits() Traits             { return Traits{Steps: 3, Fast: true} }
func (c stepped) RunStep(_ context.Context, step int) Result {
	*c.steps = append(*c.steps, step)
	return Result{}
}

func TestSchedulerSteps(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var steps []int
		s := NewScheduler(func(string, Output) {})
		s.Apply([]ServiceConfig{fakeService("VS", check(func(c *CheckConfig) { c.Check = stepped{&steps} }))})
		end := begin(s)
		time.Sleep(2 * sec)
		end()
		if !slices.Equal(steps, []int{0, 1, 2}) {
			t.Errorf("steps %v", steps)
		}
	})
}
