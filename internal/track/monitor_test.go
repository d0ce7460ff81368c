package track

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/tandem-ha/tandem/health"
	"github.com/tandem-ha/tandem/internal/script"
)

// fake is an exec whose scripts do what their first argument says: "ok" and
// "fail" after a millisecond, "hang" until they are ended, "stuck" until two
// seconds after that, and "deaf" ends well when it is ended.
type fake struct {
	mu      sync.Mutex
	runs    map[string]int
	running map[string]int
	overlap bool
	answer  map[string]int
}

func newFake() *fake {
	return &fake{runs: make(map[string]int), running: make(map[string]int), answer: map[string]int{"fail": 1}}
}

func (f *fake) exec(ctx context.Context, s health.Script) (int, error) {
	name := s.Args[0]
	f.mu.Lock()
	f.runs[name]++
	f.running[name]++
	f.overlap = f.overlap || f.running[name] > 1
	f.mu.Unlock()
	defer func() {
		f.mu.Lock()
		defer f.mu.Unlock()
		f.running[name]--
	}()
	switch name {
	case "stuck":
		<-ctx.Done()
		time.Sleep(2 * time.Second)
		return -1, ctx.Err()
	case "deaf":
		<-ctx.Done()
		return 0, nil
	case "hang":
		<-ctx.Done()
		return -1, ctx.Err()
	}
	select {
	case <-ctx.Done():
		return -1, ctx.Err()
	case <-time.After(time.Millisecond):
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.answer[name], nil
}

// alive is how many runs of a script go on.
func (f *fake) alive(name string) int {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.running[name]
}

func (f *fake) count(name string) int {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.runs[name]
}

func config(name, command string) ScriptConfig {
	return ScriptConfig{Name: name, Script: health.Script{Args: []string{command}}, Interval: time.Second, Rise: 1, Fall: 1}
}

// rig is a Monitor that runs within a synctest bubble.
type rig struct {
	*Monitor
	*fake
	mu      sync.Mutex
	results []string
	stop    func()
}

func newRig(t *testing.T) *rig {
	t.Helper()
	r := &rig{fake: newFake()}
	r.Monitor = NewMonitor(r.fake.exec, func(s ScriptResult) {
		r.mu.Lock()
		defer r.mu.Unlock()
		if s.Changed {
			r.results = append(r.results, fmt.Sprintf("%s %v", s.Name, s.Up))
		}
		// The handler may call the Monitor.
		r.Status()
	})
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

func (r *rig) got() string {
	r.mu.Lock()
	defer r.mu.Unlock()
	s := strings.Join(r.results, ", ")
	r.results = nil
	return s
}

// after lets time pass and everything settle.
func after(d time.Duration) {
	time.Sleep(d)
	synctest.Wait()
}

func TestMonitorRunsEachInItsRhythm(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t)
		defer r.stop()
		slow := config("slow", "fail")
		slow.Interval = 3 * time.Second
		r.Apply([]ScriptConfig{config("fast", "ok"), slow})
		after(6*time.Second + time.Millisecond*500)
		if got := r.got(); got != "fast true, slow false" && got != "slow false, fast true" {
			t.Errorf("results %q", got)
		}
		if fast, slow := r.count("ok"), r.count("fail"); fast != 7 || slow != 3 {
			t.Errorf("%d and %d runs in 6.5 s, want 7 and 3", fast, slow)
		}
		want := []ScriptState{
			{Name: "fast", Up: true, Known: true, Last: "exited with status 0"},
			{Name: "slow", Known: true, Last: "exited with status 1"},
		}
		got := r.Status()
		for i := range got {
			if got[i].Since.IsZero() {
				t.Errorf("%s has no since", got[i].Name)
			}
			got[i].Since = time.Time{}
		}
		if !slices.Equal(got, want) {
			t.Errorf("status %+v, want %+v", got, want)
		}
	})
}

func TestMonitorEndsWhatLastsTooLong(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t)
		defer r.stop()
		c := config("chk", "stuck")
		c.Timeout = time.Second / 2
		r.Apply([]ScriptConfig{c})
		after(time.Second/2 + time.Millisecond)
		if got := r.got(); got != "chk false" {
			t.Errorf("results %q at the timeout", got)
		}
		// Ended at 2.5 s, so the next run is at 3 s.
		after(2*time.Second + time.Second/4)
		if n := r.count("stuck"); n != 1 {
			t.Errorf("%d runs while the first was not gone", n)
		}
		after(time.Second / 2)
		if n := r.count("stuck"); n != 2 || r.overlap {
			t.Errorf("%d runs, overlap %v", n, r.overlap)
		}
	})
}

func TestMonitorApplyKeepsWhatStays(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t)
		defer r.stop()
		first := config("a", "ok")
		first.Interval = 10 * time.Second
		r.Apply([]ScriptConfig{first, config("gone", "hang")})
		after(100 * time.Millisecond)
		r.got()
		r.Apply([]ScriptConfig{config("new", "fail"), first})
		synctest.Wait()
		if n := r.alive("hang"); n != 0 {
			t.Errorf("%d runs of a script that is configured no more", n)
		}
		s := r.Status()
		if len(s) != 2 || s[0].Name != "new" || s[0].Known || !s[0].Added || s[1].Name != "a" || !s[1].Up || s[1].Added {
			t.Errorf("status %+v", s)
		}
		after(100 * time.Millisecond)
		if s := r.Status(); !s[0].Known || s[0].Added {
			t.Errorf("status %+v once it has a result", s[0])
		}
		if got := r.got(); got != "new false" || r.count("ok") != 1 {
			t.Errorf("results %q, %d runs of what stayed", got, r.count("ok"))
		}
		// Another command under the name is another script.
		changed := first
		changed.Script.Args = []string{"fail"}
		r.Apply([]ScriptConfig{changed})
		after(100 * time.Millisecond)
		if got := r.got(); got != "a false" {
			t.Errorf("results %q", got)
		}
	})
}

func TestMonitorForgetsWhatIsGone(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t)
		defer r.stop()
		r.Apply([]ScriptConfig{config("a", "deaf")})
		after(time.Millisecond)
		r.Apply(nil)
		after(time.Second)
		if got := r.got(); got != "" || r.alive("deaf") != 0 {
			t.Errorf("results %q, %d runs of a script that is configured no more", got, r.alive("deaf"))
		}
	})
}

// An agent asks for the states before the first script can have run.
func TestMonitorStatusShowsWhatIsWanted(t *testing.T) {
	m := NewMonitor(newFake().exec, func(ScriptResult) {})
	failed := config("b", "ok")
	failed.InitFail = true
	m.Apply([]ScriptConfig{config("a", "ok"), failed})
	want := []ScriptState{{Name: "a"}, {Name: "b", Known: true}}
	if got := m.Status(); !slices.Equal(got, want) {
		t.Errorf("status %+v, want %+v", got, want)
	}
}

func TestMonitorEndsWithItsScripts(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t)
		r.Apply([]ScriptConfig{config("a", "stuck"), config("b", "hang")})
		after(time.Millisecond)
		begin := time.Now()
		r.stop()
		if r.alive("stuck") != 0 || r.alive("hang") != 0 || time.Since(begin) != 2*time.Second {
			t.Errorf("%v running after %v", r.running, time.Since(begin))
		}
		if got := r.got(); got != "" {
			t.Errorf("results %q of scripts that were ended", got)
		}
	})
}

func TestMonitorWithRealScripts(t *testing.T) {
	results := make(chan ScriptResult, 10)
	m := NewMonitor(new(script.Runner).Run, func(r ScriptResult) { results <- r })
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error)
	go func() { done <- m.Run(ctx) }()
	real := func(name string, args ...string) ScriptConfig {
		return ScriptConfig{Name: name, Script: health.Script{Args: args, UID: -1, GID: -1}, Interval: time.Minute, Timeout: 50 * time.Millisecond}
	}
	long := real("ok", "/bin/true")
	long.Timeout = time.Minute
	m.Apply([]ScriptConfig{long, real("late", "/bin/sleep", "60")})
	up := make(map[string]bool)
	for len(up) < 2 {
		select {
		case r := <-results:
			up[r.Name] = r.Up
		case <-time.After(time.Minute):
			t.Fatalf("only %v within a minute", up)
		}
	}
	if !up["ok"] || up["late"] {
		t.Errorf("results %v", up)
	}
	cancel()
	if err := <-done; !errors.Is(err, context.Canceled) {
		t.Errorf("Run returned %v", err)
	}
}
