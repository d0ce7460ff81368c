package track

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"syscall"
	"time"

	"github.com/tandem-ha/tandem/health"
	"github.com/tandem-ha/tandem/internal/journal"
)

// ScriptConfig is one vrrp_script, defaults resolved.
type ScriptConfig struct {
	Name   string
	Script health.Script
	// Interval is from the start of a run to the start of the next.
	Interval time.Duration
	// Timeout is how long a run may last; the Interval unless configured.
	Timeout time.Duration
	// Rise and Fall are how many runs in a row, at least 1, must succeed or
	// fail to change the result. The first run decides at once.
	Rise, Fall int
	// InitFail makes the script count as failed until Rise successes.
	InitFail bool
}

// same says whether a script that is configured so now keeps the results that
// it had as old, as keepalived has it: name, command and user.
func (c ScriptConfig) same(old ScriptConfig) bool {
	return c.Name == old.Name && slices.Equal(c.Script.Args, old.Script.Args) &&
		c.Script.UID == old.Script.UID && c.Script.GID == old.Script.GID
}

// ScriptInput is something that happened to a Script. The set is closed.
type ScriptInput interface{ scriptInput() }

// Start is a Script's first input; its first run begins.
type Start struct{}

// TimerFired says that the moment of Deadline has come.
type TimerFired struct{}

// Done says how a run ended. Err is what kept it from being run, the context's
// error after a Cancel, or a *health.SignalError; else Status is the exit status.
type Done struct {
	Status int
	Err    error
}

// Reconfigure replaces the configuration; the result so far stays.
type Reconfigure struct{ Config ScriptConfig }

func (Start) scriptInput()       {}
func (TimerFired) scriptInput()  {}
func (Done) scriptInput()        {}
func (Reconfigure) scriptInput() {}

// ScriptOutput is something that a Script wants done or known. The set is
// closed.
type ScriptOutput interface{ scriptOutput() }

// Launch asks for a run, to be answered with Done.
type Launch struct{}

// Cancel asks for the run to be ended; its Done still comes.
type Cancel struct{}

// ScriptResult says something about a script: a changed result, or a notice.
type ScriptResult struct {
	Name string
	// Changed is true where Up is new, the first result included.
	Changed bool
	Up      bool
	// Cause says how the deciding run ended: "exited with status 1". It is empty for
	// a notice whose Text says it.
	Cause string
	// Text and Level are the line for people, in keepalived's words.
	Text  string
	Level journal.Level
}

func (Launch) scriptOutput()       {}
func (Cancel) scriptOutput()       {}
func (ScriptResult) scriptOutput() {}

// Script decides when a vrrp_script runs and what its result is. It is pure:
// time comes with each input.
type Script struct {
	config ScriptConfig
	// result counts from 0 to Rise+Fall-1; the script is up from Rise on.
	result int
	known  bool

	next    time.Time
	running bool
	// timeout is when the run now going on is to end, zero once it was told.
	timeout time.Time
	// timedOut marks a run that has been counted as failed already.
	timedOut bool

	status    int
	hasStatus bool
	last      string
	since     time.Time
}

// NewScript returns a Script that waits for Start.
func NewScript(c ScriptConfig) *Script {
	s := &Script{config: c.normal()}
	if c.InitFail {
		s.known = true
	} else {
		s.result = s.config.Rise - 1
	}
	return s
}

// normal puts the numbers into their ranges, so that the machine need not ask.
func (c ScriptConfig) normal() ScriptConfig {
	c.Rise, c.Fall = max(c.Rise, 1), max(c.Fall, 1)
	if c.Interval <= 0 {
		c.Interval = time.Second
	}
	if c.Timeout <= 0 {
		c.Timeout = c.Interval
	}
	return c
}

// Config returns the configuration in force.
func (s *Script) Config() ScriptConfig { return s.config }

// Up says whether the script counts as successful.
func (s *Script) Up() bool { return s.known && s.result >= s.config.Rise }

// Known says whether there is a result at all.
func (s *Script) Known() bool { return s.known }

// Deadline is when TimerFired is wanted, zero before Start.
func (s *Script) Deadline() time.Time {
	if s.running && !s.timeout.IsZero() && s.timeout.Before(s.next) {
		return s.timeout
	}
	return s.next
}

// Step takes one input and appends what follows from it to out.
func (s *Script) Step(now time.Time, in ScriptInput, out []ScriptOutput) []ScriptOutput {
	switch in := in.(type) {
	case Start:
		return s.launch(now, out)
	case TimerFired:
		return s.timer(now, out)
	case Done:
		return s.done(now, in, out)
	case Reconfigure:
		return s.reconfigure(now, in.Config, out)
	}
	return out
}

func (s *Script) launch(now time.Time, out []ScriptOutput) []ScriptOutput {
	s.running, s.timedOut = true, false
	s.next, s.timeout = now.Add(s.config.Interval), now.Add(s.config.Timeout)
	return append(out, Launch{})
}

func (s *Script) timer(now time.Time, out []ScriptOutput) []ScriptOutput {
	if s.running && !s.timeout.IsZero() && !now.Before(s.timeout) {
		s.timeout, s.timedOut = time.Time{}, true
		out = append(s.failure(now, "timed out after "+s.config.Timeout.String(), "timed_out", out), Cancel{})
	}
	if s.next.IsZero() || now.Before(s.next) {
		return out
	}
	if !s.running {
		return s.launch(now, out)
	}
	// A run that lasts costs the runs that it covers, and moves no later one.
	for !now.Before(s.next) {
		s.next = s.next.Add(s.config.Interval)
	}
	if s.timedOut {
		return out
	}
	return append(out, s.notice("Track script "+s.config.Name+" is already running, expect idle - skipping run", ""))
}

func (s *Script) done(now time.Time, in Done, out []ScriptOutput) []ScriptOutput {
	if !s.running {
		return out
	}
	s.running, s.timeout = false, time.Time{}
	signal, killed := errors.AsType[*health.SignalError](in.Err)
	switch {
	case s.timedOut:
		return out
	case errors.Is(in.Err, context.Canceled):
		return out
	case killed:
		cause := "due to signal " + strconv.Itoa(signal.Signal)
		return s.failure(now, cause, "failed ("+cause+")", out)
	case in.Err != nil && transient(in.Err):
		s.last = in.Err.Error()
		return append(out, s.notice("VRRP_Script("+s.config.Name+") not counted: "+in.Err.Error(), ""))
	case in.Err != nil:
		return s.failure(now, in.Err.Error(), "failed ("+in.Err.Error()+")", out)
	}
	if s.hasStatus && s.status != in.Status {
		out = append(out, s.notice("Script `"+s.config.Name+"` now returning "+strconv.Itoa(in.Status), ""))
	}
	s.status, s.hasStatus = in.Status, true
	if in.Status == 0 {
		return s.success(now, out)
	}
	cause := "exited with status " + strconv.Itoa(in.Status)
	return s.failure(now, cause, "failed ("+cause+")", out)
}

// transient says whether an error tells of this host's want of resources and
// nothing of what the script checks.
func transient(err error) bool {
	for _, errno := range []syscall.Errno{syscall.EAGAIN, syscall.ENOMEM, syscall.EMFILE, syscall.ENFILE, syscall.ETXTBSY} {
		if errors.Is(err, errno) {
			return true
		}
	}
	return false
}

func (s *Script) success(now time.Time, out []ScriptOutput) []ScriptOutput {
	s.last = "exited with status 0"
	if s.result < s.config.Rise-1 {
		s.result++
		return out
	}
	was := s.Up()
	s.result = s.config.Rise + s.config.Fall - 1
	if was {
		return out
	}
	return append(out, s.change(now, "succeeded", journal.Info))
}

func (s *Script) failure(now time.Time, cause, text string, out []ScriptOutput) []ScriptOutput {
	s.last = cause
	if s.Up() && s.result > s.config.Rise {
		s.result--
		return out
	}
	was := s.known && !s.Up()
	s.result = 0
	if was {
		return out
	}
	return append(out, s.change(now, text, journal.Warning))
}

func (s *Script) change(now time.Time, text string, level journal.Level) ScriptResult {
	s.known, s.since = true, now
	return ScriptResult{
		Name: s.config.Name, Changed: true, Up: s.Up(), Cause: s.last,
		Text: fmt.Sprintf("VRRP_Script(%s) %s", s.config.Name, text), Level: level,
	}
}

// notice tells of what changes no result, with a cause where the text has none.
func (s *Script) notice(text, cause string) ScriptResult {
	return ScriptResult{Name: s.config.Name, Up: s.Up(), Cause: cause, Text: text, Level: journal.Info}
}

// reconfigure keeps how many successes or failures there have been in a row, so
// that a new Rise or Fall alone changes no result.
func (s *Script) reconfigure(now time.Time, c ScriptConfig, out []ScriptOutput) []ScriptOutput {
	old := s.config
	s.config = c.normal()
	switch {
	case s.known && s.result >= old.Rise:
		failures := old.Rise + old.Fall - 1 - s.result
		s.result = s.config.Rise + s.config.Fall - 1 - min(failures, s.config.Fall-1)
		out = append(out, s.notice("VRRP_Script("+c.Name+") considered successful on reload", s.last))
	case s.known:
		s.result = min(s.result, s.config.Rise-1)
		out = append(out, s.notice("VRRP_Script("+c.Name+") considered unsuccessful on reload", s.last))
	default:
		s.result = s.config.Rise - 1
	}
	if s.next.IsZero() {
		return out
	}
	s.next = s.next.Add(s.config.Interval - old.Interval)
	if s.next.Before(now) {
		s.next = now
	}
	if !s.timeout.IsZero() {
		s.timeout = s.timeout.Add(s.config.Timeout - old.Timeout)
	}
	return out
}
