package reach

import (
	"context"
	"errors"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/tandem-ha/tandem/health"
	"github.com/tandem-ha/tandem/vrrp"
)

// switched is a target that answers, or does not, after a while.
type switched struct {
	mu    sync.Mutex
	wrong error
	takes time.Duration
	asked []time.Time
}

func (s *switched) Run(ctx context.Context) health.Result {
	s.mu.Lock()
	s.asked = append(s.asked, time.Now())
	r, takes := health.Result{Err: s.wrong}, s.takes
	s.mu.Unlock()
	select {
	case <-time.After(takes):
	case <-ctx.Done():
	}
	return r
}

func (s *switched) String() string { return "switched" }

func (s *switched) set(wrong error, takes time.Duration) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.wrong, s.takes = wrong, takes
}

// TestWatch follows a target that fails and comes back, and one that is slow.
func TestWatch(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a, b := &switched{}, &switched{wrong: errors.New("refused")}
		var mu sync.Mutex
		var told []vrrp.Eligibility
		confirmed := 0
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan struct{})
		go func() {
			defer close(done)
			Watch(ctx, Spec{Targets: []Target{{"a", a}, {"b", b}}, Interval: time.Second, Rise: 2, Fall: 3}, func(e vrrp.Eligibility) {
				mu.Lock()
				defer mu.Unlock()
				if asked := time.Since(e.Asked); asked != 0 && asked != 1500*time.Millisecond {
					t.Errorf("told of what was asked %v ago, want what the check has taken", asked)
				}
				e.Asked = time.Time{}
				if len(told) == 0 || told[len(told)-1] != e {
					told = append(told, e)
				}
				confirmed++
			})
		}()
		want := []vrrp.Eligibility{{Eligible: true, Cause: "a answers"}}
		expect := func(what string, more ...vrrp.Eligibility) {
			t.Helper()
			synctest.Wait()
			want = append(want, more...)
			mu.Lock()
			defer mu.Unlock()
			if !slices.Equal(told, want) {
				t.Fatalf("%s: told %+v, want %+v", what, told, want)
			}
		}
		expect("at the start")
		time.Sleep(1500 * time.Millisecond)
		expect("unchanged")
		mu.Lock()
		n := confirmed
		mu.Unlock()
		if n != 2 {
			t.Errorf("told %d times, want it each time that the condition is met again", confirmed)
		}
		a.set(errors.New("timeout"), 0)
		time.Sleep(2 * time.Second)
		expect("after two failures")
		time.Sleep(time.Second)
		expect("after three failures", vrrp.Eligibility{Cause: "a does not answer (timeout), b does not answer (refused)"})
		b.set(nil, 1500*time.Millisecond)
		time.Sleep(2200 * time.Millisecond)
		expect("after one slow answer")
		time.Sleep(2 * time.Second)
		expect("after two slow answers", vrrp.Eligibility{Eligible: true, Cause: "b answers"})
		a.mu.Lock()
		n = len(a.asked)
		a.mu.Unlock()
		if n < 8 || n > 10 {
			t.Errorf("asked %d times in 8.7 s, want once a second", n)
		}
		cancel()
		<-done
	})
}
