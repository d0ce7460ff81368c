package notify

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/hashicorp/go-hclog"
	"go.uber.org/goleak"

	"github.com/tandem-ha/tandem/health"
	"github.com/tandem-ha/tandem/internal/script"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// fake runs a script whose argument is how long it takes; its exit status is
// the second argument's length.
type fake struct {
	mu      sync.Mutex
	began   []string
	running int
	most    int
	ended   []string
}

func (f *fake) exec(ctx context.Context, s health.Script, env []string) (int, error) {
	f.mu.Lock()
	f.began = append(f.began, strings.Join(append([]string{s.Args[0]}, env...), " "))
	f.running++
	f.most = max(f.most, f.running)
	f.mu.Unlock()
	defer func() {
		f.mu.Lock()
		defer f.mu.Unlock()
		f.running--
	}()
	d, err := time.ParseDuration(s.Args[1])
	if err != nil {
		return -1, err
	}
	select {
	case <-ctx.Done():
		f.mu.Lock()
		defer f.mu.Unlock()
		f.ended = append(f.ended, s.Args[0])
		return -1, ctx.Err()
	case <-time.After(d):
		return len(s.Args) - 2, nil
	}
}

func (f *fake) list() []string {
	f.mu.Lock()
	defer f.mu.Unlock()
	return slices.Clone(f.began)
}

func (f *fake) killed() []string {
	f.mu.Lock()
	defer f.mu.Unlock()
	return slices.Clone(f.ended)
}

// rig is a Notifier that runs within a synctest bubble.
type rig struct {
	*Notifier
	f    *fake
	log  bytes.Buffer
	stop func()
}

func newRig(t *testing.T, options ...Option) *rig {
	t.Helper()
	r := &rig{f: new(fake)}
	r.Notifier = New(r.f.exec, hclog.New(&hclog.LoggerOptions{Output: &r.log, DisableTime: true}), options...)
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error)
	go func() { done <- r.Run(ctx) }()
	r.stop = func() {
		cancel()
		if err := <-done; !errors.Is(err, context.Canceled) {
			t.Errorf("Run returned %v", err)
		}
	}
	return r
}

// takes is a job that takes some time.
func takes(name, duration string, more ...string) Job {
	return Job{Name: name, Script: health.Script{Args: append([]string{name, duration}, more...)}}
}

func after(d time.Duration) {
	time.Sleep(d)
	synctest.Wait()
}

func TestNotifierKeepsTheOrderOfAKey(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t)
		r.Enqueue("VI_1", takes("a", "3s"), takes("b", "1s"))
		r.Enqueue("VI_2", takes("x", "1s"))
		r.Enqueue("VI_1", takes("c", "0s"))
		r.Enqueue("VI_3")
		after(0)
		if got := r.f.list(); len(got) != 2 || !slices.Contains(got, "a") || !slices.Contains(got, "x") {
			t.Errorf("began with %v", got)
		}
		begin := time.Now()
		if err := r.Drain(t.Context()); err != nil {
			t.Error(err)
		}
		if took := time.Since(begin); took != 4*time.Second {
			t.Errorf("drained in %v", took)
		}
		got := slices.DeleteFunc(r.f.list(), func(s string) bool { return s == "x" })
		if !slices.Equal(got, []string{"a", "b", "c"}) {
			t.Errorf("ran %v", got)
		}
		if err := r.Drain(t.Context()); err != nil {
			t.Errorf("drain of nothing: %v", err)
		}
		r.stop()
		if n := len(r.keys); n != 0 {
			t.Errorf("%d queues are kept", n)
		}
		if r.log.Len() != 0 {
			t.Errorf("logged %s", &r.log)
		}
	})
}

func TestNotifierPassesTheEnvironment(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t)
		j := takes("a", "0s")
		j.Env = []string{"A=1"}
		r.Enqueue("k", j)
		after(time.Second)
		r.stop()
		if got := r.f.list(); !slices.Equal(got, []string{"a A=1"}) {
			t.Errorf("ran %v", got)
		}
	})
}

func TestNotifierTellsOfFailure(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t)
		r.Enqueue("k", takes("notify of instance VI_1", "20ms", "1", "2", "3"), takes("b", "no duration"), takes("c", "0s"))
		after(time.Second)
		r.stop()
		log := r.log.String()
		for _, want := range []string{
			"[WARN]  notify script failed: script=\"notify of instance VI_1\" status=3 took=20ms",
			"[ERROR] notify script could not be run: script=b error=",
		} {
			if !strings.Contains(log, want) {
				t.Errorf("log lacks %q:\n%s", want, log)
			}
		}
		if got := r.f.list(); len(got) != 3 {
			t.Errorf("ran %v", got)
		}
	})
}

func TestNotifierDropsTheOldest(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, WithQueue(2))
		r.Enqueue("k", takes("slow", "5s"))
		after(time.Second)
		begin := time.Now()
		for i := range 5 {
			r.Enqueue("k", takes(fmt.Sprint("n", i), "0s"))
		}
		if took := time.Since(begin); took != 0 {
			t.Errorf("Enqueue waited %v", took)
		}
		if n := r.Dropped(); n != 3 {
			t.Errorf("%d dropped, want 3", n)
		}
		if err := r.Drain(t.Context()); err != nil {
			t.Error(err)
		}
		r.stop()
		if got := r.f.list(); !slices.Equal(got, []string{"slow", "n3", "n4"}) {
			t.Errorf("ran %v", got)
		}
		if log := r.log.String(); !strings.Contains(log, "script=n0 queue=k dropped=1") || !strings.Contains(log, "script=n2 queue=k dropped=3") {
			t.Errorf("logged %s", log)
		}
	})
}

func TestNotifierGoesOnWithoutAScriptThatLasts(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, WithPatience(10*time.Second))
		hasty := takes("hasty", "1h")
		hasty.Patience = time.Second
		r.Enqueue("k", takes("daemon", "1h"), hasty, takes("next", "0s"))
		after(10*time.Second - time.Millisecond)
		if got := r.f.list(); !slices.Equal(got, []string{"daemon"}) {
			t.Errorf("ran %v before patience ended", got)
		}
		after(2 * time.Second)
		if got := r.f.list(); !slices.Equal(got, []string{"daemon", "hasty", "next"}) {
			t.Errorf("ran %v", got)
		}
		if err := r.Drain(t.Context()); err != nil {
			t.Error(err)
		}
		if got := r.f.killed(); got != nil {
			t.Errorf("ended %v", got)
		}
		r.stop()
		if got := r.f.killed(); len(got) != 2 {
			t.Errorf("ended %v at the end", got)
		}
		if log := r.log.String(); !strings.Contains(log, "still running, going on without it: script=daemon command=daemon after=10s") {
			t.Errorf("logged %s", log)
		}
	})
}

func TestNotifierEndsTheOldestOfManyThatLast(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, WithPatience(time.Second))
		for i := range maxDetached + 2 {
			r.Enqueue("k", takes(fmt.Sprint("d", i), "1h"))
		}
		after(time.Minute)
		if got := r.f.killed(); !slices.Equal(got, []string{"d0", "d1"}) {
			t.Errorf("ended %v", got)
		}
		after(2 * time.Hour)
		r.mu.Lock()
		if n := len(r.keys); n != 0 {
			t.Errorf("%d queues are kept", n)
		}
		r.mu.Unlock()
		r.stop()
	})
}

// A run can end at the moment its patience does.
func TestNotifierDetachesNothingThatEnded(t *testing.T) {
	n := New(new(fake).exec, hclog.NewNullLogger())
	q, d := &queue{busy: true}, &detached{cancel: func() {}}
	n.forget(q, d)
	if n.detach(q, d) || len(q.detached) != 0 {
		t.Error("a run that has ended is left running")
	}
}

func TestNotifierBoundsWhatRunsAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, WithRunning(3))
		for i := range 10 {
			r.Enqueue(fmt.Sprint("k", i), takes("a", "1s"))
		}
		begin := time.Now()
		if err := r.Drain(t.Context()); err != nil {
			t.Error(err)
		}
		r.stop()
		if took := time.Since(begin); r.f.most != 3 || took != 4*time.Second {
			t.Errorf("%d at once, all in %v", r.f.most, took)
		}
	})
}

func TestNotifierDrainIsBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t)
		r.Enqueue("k", takes("a", "1h"), takes("b", "0s"))
		ctx, cancel := context.WithTimeout(t.Context(), 3*time.Second)
		defer cancel()
		begin := time.Now()
		if err := r.Drain(ctx); !errors.Is(err, context.DeadlineExceeded) || time.Since(begin) != 3*time.Second {
			t.Errorf("error %v after %v", err, time.Since(begin))
		}
		r.stop()
		if got := r.f.list(); !slices.Equal(got, []string{"a"}) || !slices.Equal(r.f.killed(), got) {
			t.Errorf("ran %v, ended %v", got, r.f.killed())
		}
	})
}

func TestNotifierWithRealScripts(t *testing.T) {
	file := filepath.Join(t.TempDir(), "out")
	n := New(new(script.Runner).RunEnv, hclog.NewNullLogger())
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error)
	go func() { done <- n.Run(ctx) }()
	sh := func(text string) *health.Script {
		return &health.Script{Args: []string{"/bin/sh", "-c", text + " >> " + file, "sh"}, UID: -1, GID: -1}
	}
	s := Scripts{Master: sh("sleep 0.2; echo m"), Any: sh(`echo "$@"`), Backup: sh("echo b")}
	n.Enqueue("VI_1", VRRPJobs(s, "INSTANCE", "VI_1", "MASTER", 150)...)
	n.Enqueue("VI_1", VRRPJobs(s, "INSTANCE", "VI_1", "BACKUP", 140)...)
	limit, end := context.WithTimeout(t.Context(), time.Minute)
	defer end()
	if err := n.Drain(limit); err != nil {
		t.Fatal(err)
	}
	cancel()
	<-done
	b, err := os.ReadFile(file)
	if want := "m\nINSTANCE VI_1 MASTER 150\nb\nINSTANCE VI_1 BACKUP 140\n"; err != nil || string(b) != want {
		t.Errorf("%q, error %v; want %q", b, err, want)
	}
}
