package health

import (
	"errors"
	"fmt"
	"math"
	"net/netip"
	"strings"
	"testing"
	"time"
)

// Section 2: the first attempt comes 1 s after the start plus a random part of
// the warm-up.
func TestFirstCheckAfterBootstrapDelayAndWarmup(t *testing.T) {
	var first, last time.Duration = math.MaxInt64, 0
	for n := range byte(200) {
		c := check(func(c *CheckConfig) { c.Warmup = 10 * sec })
		s := newSim(t, service(server(n, 1, c)))
		at := s.service.Deadline().Sub(epoch)
		if at < 1*sec || at >= 11*sec {
			t.Fatalf("first check of server %d at %s, want from 1s to 11s", n, at)
		}
		first, last = min(first, at), max(last, at)
	}
	if first > 2*sec || last < 10*sec {
		t.Errorf("200 first checks between %s and %s: not spread over the warm-up", first, last)
	}
	s := newSim(t, service(server(1, 1, check())))
	if at := s.service.Deadline().Sub(epoch); at != sec {
		t.Errorf("without warm-up the first check is at %s, want 1s", at)
	}
}

// The spread follows from the seed alone, so that a run can be repeated.
func TestSpreadFollowsSeed(t *testing.T) {
	c := check(func(c *CheckConfig) { c.Warmup = time.Hour })
	deadline := func(seed uint64) time.Time {
		m := NewService(service(server(1, 1, c)))
		m.Step(epoch, Start{Seed: seed}, nil)
		return m.Deadline()
	}
	if !deadline(7).Equal(deadline(7)) || deadline(7).Equal(deadline(8)) {
		t.Error("want equal deadlines for equal seeds, others for others")
	}
}

// Section 2: when attempts start, and when the server goes down and up again.
func TestRetries(t *testing.T) {
	tests := []struct {
		name     string
		change   func(*CheckConfig)
		from, to time.Duration
		took     time.Duration
		until    time.Duration
		starts   string
		changes  string
	}{
		{
			name: "first run: one failure is enough; while down every delay_loop, first success brings it up",
			from: 0, to: 8 * sec, until: 14 * sec,
			starts: "1.0 4.0 7.0 10.0 13.0", changes: "down@1.0 up@10.0",
		},
		{
			name: "later retry+1 failures, spaced delay_before_retry",
			from: 3 * sec, to: 9 * sec, until: 12 * sec,
			starts: "1.0 4.0 5.0 8.0 11.0", changes: "down@5.0 up@11.0",
		},
		{
			name:   "retry 2",
			change: func(c *CheckConfig) { c.Retries = 2 },
			from:   3 * sec, to: 9 * sec, until: 13 * sec,
			starts: "1.0 4.0 5.0 6.0 9.0 12.0", changes: "down@6.0 up@9.0",
		},
		{
			name:   "retry 0: the first failure decides",
			change: func(c *CheckConfig) { c.Retries = 0 },
			from:   3 * sec, to: 5 * sec, until: 8 * sec,
			starts: "1.0 4.0 7.0", changes: "down@4.0 up@7.0",
		},
		{
			name:   "failures must be consecutive",
			change: func(c *CheckConfig) { c.Retries = 1 },
			from:   3 * sec, to: 4500 * time.Millisecond, until: 9 * sec,
			starts: "1.0 4.0 5.0 8.0", changes: "",
		},
		{
			name:   "delay_before_retry above delay_loop does not slow a TCP_CHECK that is down",
			change: func(c *CheckConfig) { c.DelayBeforeRetry = 5 * sec; c.Retries = 0 },
			from:   3 * sec, to: 9 * sec, until: 11 * sec,
			starts: "1.0 4.0 7.0 10.0", changes: "down@4.0 up@10.0",
		},
		{
			name: "the interval counts from the end of an attempt",
			took: 500 * time.Millisecond, until: 9 * sec,
			starts: "1.0 4.5 8.0", changes: "",
		},
		{
			name:   "MISC_CHECK: the interval counts from the start of an attempt",
			change: func(c *CheckConfig) { c.Check = idle{traits: Traits{StartToStart: true}} },
			took:   700 * time.Millisecond, until: 9 * sec,
			starts: "1.0 4.0 7.0", changes: "",
		},
		{
			name:   "MISC_CHECK: retries count from the start, too",
			change: func(c *CheckConfig) { c.Check = idle{traits: Traits{StartToStart: true}} },
			from:   4 * sec, to: 5 * sec, took: 700 * time.Millisecond, until: 9 * sec,
			starts: "1.0 4.0 5.0 8.0", changes: "",
		},
		{
			name:   "MISC_CHECK: a script longer than the interval runs again at once, never twice",
			change: func(c *CheckConfig) { c.Check = idle{traits: Traits{StartToStart: true}} },
			took:   4 * sec, until: 14 * sec,
			starts: "1.0 5.0 9.0 13.0", changes: "",
		},
		{
			name:   "alpha: down until the first success",
			change: func(c *CheckConfig) { c.Alpha = true },
			from:   0, to: 2 * sec, until: 5 * sec,
			starts: "1.0 4.0", changes: "up@4.0",
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			c := check()
			if tt.change != nil {
				tt.change(&c)
			}
			s := newSim(t, service(server(1, 1, c)))
			s.took = tt.took
			s.answer = failing(1, tt.from, tt.to)
			if up := !c.Alpha; s.service.servers[0].Up() != up {
				t.Errorf("at the start up is %t, want %t", !up, up)
			}
			s.until(tt.until)
			if got := strings.ReplaceAll(strings.Join(s.starts, " "), " 0/0", ""); got != tt.starts {
				t.Errorf("attempts at %q, want %q", got, tt.starts)
			}
			if got := changes(s); got != tt.changes {
				t.Errorf("changes %q, want %q", got, tt.changes)
			}
		})
	}
}

// changes writes when servers went down and up, from their log lines.
func changes(s *sim) string {
	var parts []string
	for _, l := range s.lines {
		at, text, _ := strings.Cut(l, " ")
		switch {
		case strings.HasPrefix(text, "Adding service"):
			parts = append(parts, "up@"+at)
		case strings.HasPrefix(text, "Removing service"):
			parts = append(parts, "down@"+at)
		}
	}
	return strings.Join(parts, " ")
}

// Section 2: a server is up only while none of its checks fails.
func TestUpOnlyWithoutFailedCheck(t *testing.T) {
	second := check(func(c *CheckConfig) { c.Key = "other"; c.Retries = 0 })
	s := newSim(t, service(server(1, 1, check(func(c *CheckConfig) { c.Retries = 0 }), second)))
	s.answer = func(at time.Duration, o StartCheck) Result {
		// The first fails from 3 to 9 s, the second from 6 to 12 s.
		from := time.Duration(3+3*o.Check) * sec
		if at >= from && at < from+6*sec {
			return Result{Err: fmt.Errorf("check %d", o.Check)}
		}
		return Result{}
	}
	s.until(20 * sec)
	if got, want := changes(s), "down@4.0 up@13.0"; got != want {
		t.Errorf("changes %q, want %q", got, want)
	}
	for _, o := range s.outputs {
		if d, ok := o.(ServerDown); ok && !strings.HasSuffix(d.Cause, "check 0") {
			t.Errorf("cause %q, want that of the check that failed", d.Cause)
		}
	}
}

// Section 2: a socket or a script that cannot be made is no failure.
func TestNotAttemptedCountsAsNothing(t *testing.T) {
	s := newSim(t, service(server(1, 1, check())))
	s.answer = func(time.Duration, StartCheck) Result {
		return Result{Err: fmt.Errorf("bind: %w", ErrNotAttempted)}
	}
	s.until(11 * sec)
	if got, want := len(s.starts), 4; got != want {
		t.Errorf("%d attempts, want %d, an interval apart", got, want)
	}
	if got := changes(s); got != "" {
		t.Errorf("changes %q, want none", got)
	}
	skipped := 0
	for _, o := range s.outputs {
		if _, ok := o.(CheckSkipped); ok {
			skipped++
		}
	}
	if skipped != 1 {
		t.Errorf("told %d times, want once", skipped)
	}
}

// Section 3: the effective weight is the configured one plus the checks'
// deltas, from 0 to 2147483647; a success without a weight gives the
// configured one back; the weight counts for the quorum.
func TestDynamicWeight(t *testing.T) {
	tests := []struct {
		name       string
		configured int
		assigned   [2]int // by each check; -1 for none
		want       int
	}{
		{"none", 4, [2]int{-1, -1}, 4},
		{"one assigns", 4, [2]int{10, -1}, 10},
		{"two add up", 4, [2]int{10, 5}, 11},
		{"not below 0", 4, [2]int{0, 0}, 0},
		{"not above 2147483647", math.MaxInt32, [2]int{math.MaxInt32, math.MaxInt32}, math.MaxInt32},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			other := check(func(c *CheckConfig) { c.Key = "other" })
			s := newSim(t, service(server(1, tt.configured, check(), other)))
			assigned := tt.assigned
			s.answer = func(_ time.Duration, o StartCheck) Result {
				w := assigned[o.Check]
				return Result{Weight: max(w, 0), Dynamic: w >= 0}
			}
			s.until(2 * sec)
			if got := s.service.servers[0].Weight(); got != tt.want {
				t.Errorf("weight %d, want %d", got, tt.want)
			}
			wantPool(t, s, fmt.Sprintf("1=%d", tt.want))
			if up := s.service.Status().QuorumUp; up != (tt.want > 0) {
				t.Errorf("quorum up is %t with weight %d", up, tt.want)
			}
			assigned = [2]int{-1, -1}
			s.until(5 * sec)
			wantPool(t, s, fmt.Sprintf("1=%d", tt.configured))
		})
	}
}

// A Server alone takes the same inputs, and ignores the result of an attempt
// that it did not ask for or has cancelled.
func TestServerAlone(t *testing.T) {
	s := newServer(server(1, 3, check(func(c *CheckConfig) { c.Alpha = true })), "UDP", new(uint64))
	if !s.Deadline().IsZero() || s.Up() || s.Weight() != 3 {
		t.Fatalf("before the start: deadline %v, up %t, weight %d", s.Deadline(), s.Up(), s.Weight())
	}
	out := s.Step(epoch, Start{}, nil)
	if got, want := out[0].(ServerAdded).Name, "[192.0.2.1]:udp:80"; got != want {
		t.Errorf("name %q, want %q", got, want)
	}
	now := s.Deadline()
	start := s.Step(now, TimerFired{}, nil)[0].(StartCheck)
	addr := netip.MustParseAddrPort("192.0.2.1:80")
	if out := s.Step(now, CheckDone{Server: addr, Attempt: start.Attempt + 1}, nil); len(out) != 0 || s.Up() {
		t.Errorf("an unknown attempt gave %v", out)
	}
	if out := s.Step(now, TimerFired{}, nil); len(out) != 0 {
		t.Errorf("a running check was started again: %v", out)
	}
	s.Step(now, CheckDone{Server: addr, Attempt: start.Attempt}, nil)
	if !s.Up() {
		t.Error("down after a success")
	}
	s.Step(s.Deadline(), TimerFired{}, nil)
	out = s.Step(now, Stop{}, nil)
	if _, ok := out[0].(CancelCheck); !ok || !s.Deadline().IsZero() {
		t.Errorf("after Stop: outputs %v, deadline %v", out, s.Deadline())
	}
}

// A result passes through JSON with all that the machines look at.
func TestResultJSON(t *testing.T) {
	for _, r := range []Result{
		{Took: sec, Transcript: "x"},
		{Weight: 3, Dynamic: true},
		{Err: errors.New("status 503, want 200-299")},
		{Err: fmt.Errorf("bind: %w", ErrNotAttempted)},
	} {
		b, err := r.MarshalJSON()
		if err != nil {
			t.Fatal(err)
		}
		var back Result
		if err := back.UnmarshalJSON(b); err != nil {
			t.Fatal(err)
		}
		if fmt.Sprint(back.Err) != fmt.Sprint(r.Err) || errors.Is(back.Err, ErrNotAttempted) != errors.Is(r.Err, ErrNotAttempted) {
			t.Errorf("error %v came back as %v", r.Err, back.Err)
		}
		if back.Err, r.Err = nil, nil; back != r {
			t.Errorf("%+v came back as %+v", r, back)
		}
	}
}
