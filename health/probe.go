package health

import (
	"errors"
	"net/netip"
	"time"
)

// bootstrapDelay is how long after the start the first attempt is due at the
// earliest.
const bootstrapDelay = time.Second

// probe is the state of one check of one server: when the next attempt is due,
// what the last ones found, and whether the check counts against the server.
type probe struct {
	cfg    CheckConfig
	traits Traits
	ref    CheckRef

	// known is set by the first round that decided something; until then one
	// failure is enough.
	known bool
	// failed is whether the check counts against the server.
	failed   bool
	failures int
	// step is the step that comes next; confirm is set while it has failed and
	// must succeed before a round begins anew.
	step    int
	confirm bool

	// urgent is set while a round that was asked for by hand goes on.
	urgent bool

	// attempt numbers the attempt that runs, 0 for none.
	attempt uint64
	started time.Time
	// deadline is when the next attempt is due, zero while one runs.
	deadline time.Time

	// assigned is the weight that the last success assigned, if dynamic; added
	// is what it adds to the configured one.
	assigned int
	dynamic  bool
	added    int
	// following is set once a check with Traits.Follows is told of.
	following bool

	last    time.Time
	result  Result
	skipped string
}

func newProbe(cfg CheckConfig, ref CheckRef) *probe {
	p := &probe{failed: cfg.Alpha && !cfg.Paused || cfg.Paused && cfg.PausedFailed}
	p.configure(cfg, ref)
	return p
}

// configure gives the probe its configuration and keeps its state.
func (p *probe) configure(cfg CheckConfig, ref CheckRef) {
	p.cfg, p.ref = cfg, ref
	p.traits = Traits{}
	if t, ok := cfg.Check.(interface{ Traits() Traits }); ok {
		p.traits = t.Traits()
	}
	p.traits.Steps = max(p.traits.Steps, 1)
	if p.traits.Follows {
		// What is told is true: there is nothing to ask again.
		p.cfg.Retries = 0
	}
	if p.step >= p.traits.Steps {
		p.step, p.confirm = 0, false
	}
}

// target is what a check asks, where it says so.
func target(c Check) string {
	if t, ok := c.(interface{ Target() string }); ok {
		return t.Target()
	}
	if c == nil {
		return ""
	}
	return c.String()
}

// schedule sets the first deadline, at most the warm-up after the bootstrap
// delay, as far along as fraction (0 to 1) says.
func (p *probe) schedule(now time.Time, fraction float64) {
	if p.traits.Follows {
		p.following = true
		return
	}
	p.deadline = now.Add(bootstrapDelay + time.Duration(fraction*float64(p.cfg.Warmup)))
}

// start begins an attempt.
func (p *probe) start(now time.Time, attempt uint64) StartCheck {
	p.attempt, p.started, p.deadline = attempt, now, time.Time{}
	return StartCheck{CheckRef: p.ref, Attempt: attempt, Step: p.step, Run: p.cfg.Check}
}

// cancel ends the attempt that runs, if any, and the schedule.
func (p *probe) cancel(out []Output) []Output {
	if p.attempt != 0 {
		out = append(out, CancelCheck{Server: p.ref.Server, Attempt: p.attempt})
	}
	p.attempt, p.deadline = 0, time.Time{}
	return out
}

// done takes the result of the attempt and sets the next deadline.
func (p *probe) done(now time.Time, r Result, out []Output) []Output {
	p.attempt, p.last, p.result = 0, now, r
	var delay time.Duration
	switch {
	case r.Err == nil:
		p.skipped = ""
		out, delay = p.succeeded(r, out)
	case p.traits.Follows && errors.Is(r.Err, ErrNotAttempted):
		// Nothing is known yet.
	case errors.Is(r.Err, ErrNotAttempted):
		// Told once, not at every interval.
		if text := r.Err.Error(); text != p.skipped {
			p.skipped = text
			out = append(out, CheckSkipped{CheckRef: p.ref, Err: text})
		}
		delay = p.cfg.Interval
	default:
		p.skipped = ""
		out, delay = p.hasFailed(r, out)
	}
	if p.traits.Follows {
		return out
	}
	if p.cfg.Paused {
		return out
	}
	if p.hurry(r) {
		p.deadline = now
		return out
	}
	p.deadline = now.Add(delay)
	if p.traits.StartToStart {
		p.deadline = p.started.Add(delay)
		if p.deadline.Before(now) {
			p.deadline = now
		}
	}
	return out
}

func (p *probe) succeeded(r Result, out []Output) ([]Output, time.Duration) {
	delay := p.cfg.Interval
	if p.traits.Fast && (p.failed || !p.known) {
		delay = 0
	}
	retried := p.failures > 0 && !p.failed
	p.failures = 0
	if p.confirm {
		p.confirm, p.step = false, 0
		return out, delay
	}
	if p.step++; p.step < p.traits.Steps {
		return out, delay
	}
	p.step = 0
	p.assigned, p.dynamic, p.added = r.Weight, r.Dynamic, r.Delta
	decisive, first := p.failed || !p.known, !p.known
	p.failed, p.known = false, true
	if decisive || retried {
		out = append(out, CheckSucceeded{
			CheckRef: p.ref, Took: r.Took, Transcript: r.Transcript, Decisive: decisive, First: first,
		})
	}
	return out, p.cfg.Interval
}

func (p *probe) hasFailed(r Result, out []Output) ([]Output, time.Duration) {
	tolerated := p.cfg.Retries
	if !p.known {
		tolerated = 0
	}
	p.failures++
	down := p.failed && p.known
	fails := down || p.failures > tolerated
	out = append(out, CheckFailed{
		CheckRef: p.ref, Err: r.Err.Error(), Took: r.Took, Transcript: r.Transcript,
		Decisive: fails && !p.failed, First: !p.known, Retrying: !fails,
		Failures: p.failures, Retries: p.cfg.Retries, LogAll: p.cfg.LogAllFailures,
	})
	if !fails {
		return out, p.cfg.DelayBeforeRetry
	}
	p.failed, p.known, p.dynamic, p.added = true, true, false, 0
	p.confirm = p.traits.Confirm
	delay := p.cfg.Interval
	if p.traits.Confirm {
		delay = max(delay, p.cfg.DelayBeforeRetry)
	}
	return out, delay
}

// delta is what the check adds to the configured weight.
func (p *probe) delta(configured int) int64 {
	if !p.dynamic {
		return int64(p.added)
	}
	return int64(p.assigned) - int64(configured) + int64(p.added)
}

func (p *probe) status() CheckStatus {
	s := CheckStatus{
		Kind: p.cfg.Kind, Target: p.ref.Target, State: "unknown", Failures: p.failures,
		Last: p.last, Took: p.result.Took, Transcript: p.result.Transcript, Next: p.deadline, Paused: p.cfg.Paused,
	}
	if p.result.Err != nil {
		s.Err = p.result.Err.Error()
	}
	switch {
	case p.failed && (p.known || p.failures > 0 || p.cfg.Paused):
		s.State = "down"
	case p.failures > 0:
		s.State = "retrying"
	case p.known:
		s.State = "up"
	}
	return s
}

// fraction is a number from 0 to 1, exclusive, that depends on nothing but the
// seed, the server and the check.
func fraction(seed uint64, server netip.AddrPort, check int) float64 {
	x := seed + uint64(server.Port()) + uint64(check)<<32
	for _, b := range server.Addr().As16() {
		x = mix(x ^ uint64(b))
	}
	return float64(mix(x)>>11) / (1 << 53)
}

// mix is the finalizer of splitmix64.
func mix(x uint64) uint64 {
	x += 0x9e3779b97f4a7c15
	x = (x ^ x>>30) * 0xbf58476d1ce4e5b9
	x = (x ^ x>>27) * 0x94d049bb133111eb
	return x ^ x>>31
}

// cause says why the check counts against its server.
func (p *probe) cause() string {
	name := p.cfg.Kind + " " + p.ref.Target
	if p.result.Err == nil {
		return name + ": has not succeeded yet"
	}
	return name + ": " + p.result.Err.Error()
}
