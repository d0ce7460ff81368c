package track

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/tandem-ha/tandem/health"
)

var epoch = time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)

// bench drives a Script by hand and writes down what it asks for.
type bench struct {
	t   *testing.T
	s   *Script
	now time.Time
}

func newBench(t *testing.T, c ScriptConfig) *bench {
	t.Helper()
	c.Name = "chk"
	b := &bench{t: t, s: NewScript(c), now: epoch}
	b.expect(Start{}, "launch")
	return b
}

// expect gives one input and compares what comes of it, "; " between outputs.
func (b *bench) expect(in ScriptInput, want string) {
	b.t.Helper()
	var got []string
	for _, o := range b.s.Step(b.now, in, nil) {
		switch o := o.(type) {
		case Launch:
			got = append(got, "launch")
		case Cancel:
			got = append(got, "cancel")
		case ScriptResult:
			text := o.Text
			if o.Changed {
				text = fmt.Sprintf("%s => %v", text, o.Up)
			}
			if o.Changed && o.Up != b.s.Up() || o.Name != "chk" {
				b.t.Errorf("result %+v of a script that is up: %v", o, b.s.Up())
			}
			got = append(got, text)
		}
	}
	if s := strings.Join(got, "; "); s != want {
		b.t.Errorf("at %v, %T%+v gave\n  %q, want\n  %q", b.now.Sub(epoch), in, in, s, want)
	}
}

// at moves to a moment and fires the timer.
func (b *bench) at(d time.Duration, want string) {
	b.t.Helper()
	b.now = epoch.Add(d)
	b.expect(TimerFired{}, want)
}

// run ends the run that goes on and starts the next.
func (b *bench) run(status int, want string) {
	b.t.Helper()
	b.expect(Done{Status: status}, want)
	b.now = b.s.Deadline()
	b.expect(TimerFired{}, "launch")
}

const second = time.Second

func TestScriptFirstRunDecidesAtOnce(t *testing.T) {
	b := newBench(t, ScriptConfig{Interval: second, Rise: 3, Fall: 3})
	if b.s.Known() {
		t.Error("known before the first result")
	}
	b.run(0, "VRRP_Script(chk) succeeded => true")

	b = newBench(t, ScriptConfig{Interval: second, Rise: 3, Fall: 3})
	b.run(1, "VRRP_Script(chk) failed (exited with status 1) => false")
	if !b.s.Known() || b.s.Up() {
		t.Error("a script that failed first is not down")
	}
}

func TestScriptInitFailNeedsEveryRise(t *testing.T) {
	b := newBench(t, ScriptConfig{Interval: second, Rise: 3, Fall: 1, InitFail: true})
	if !b.s.Known() || b.s.Up() {
		t.Error("not down from the start")
	}
	b.run(0, "")
	b.run(0, "")
	b.run(0, "VRRP_Script(chk) succeeded => true")

	b = newBench(t, ScriptConfig{Interval: second, Rise: 2, Fall: 1, InitFail: true})
	b.run(1, "")
}

func TestScriptRiseAndFallCountRunsInARow(t *testing.T) {
	b := newBench(t, ScriptConfig{Interval: second, Rise: 2, Fall: 3})
	b.run(0, "VRRP_Script(chk) succeeded => true")
	b.run(1, "Script `chk` now returning 1")
	b.run(1, "")
	b.run(0, "Script `chk` now returning 0")
	b.run(1, "Script `chk` now returning 1")
	b.run(1, "")
	b.run(1, "VRRP_Script(chk) failed (exited with status 1) => false")
	b.run(2, "Script `chk` now returning 2")
	b.run(0, "Script `chk` now returning 0")
	b.run(1, "Script `chk` now returning 1")
	b.run(0, "Script `chk` now returning 0")
	b.run(0, "VRRP_Script(chk) succeeded => true")
}

func TestScriptStatusWords(t *testing.T) {
	for done, want := range map[Done]string{
		{Status: 1}:   "exited with status 1",
		{Status: 137}: "exited with status 137",
		{Status: 255}: "exited with status 255",
		{Status: -1, Err: &health.SignalError{Signal: 9}}: "due to signal 9",
	} {
		b := newBench(t, ScriptConfig{Interval: second})
		b.expect(done, "VRRP_Script(chk) failed ("+want+") => false")
		if b.s.last != want {
			t.Errorf("last is %q, want %q", b.s.last, want)
		}
	}
}

func TestScriptErrors(t *testing.T) {
	b := newBench(t, ScriptConfig{Interval: second})
	busy := fmt.Errorf("run script: %w", syscall.EAGAIN)
	b.expect(Done{Status: -1, Err: busy}, "VRRP_Script(chk) not counted: run script: resource temporarily unavailable")
	if b.s.Known() {
		t.Error("counted a want of resources as a result")
	}
	b.at(second, "launch")
	missing := fmt.Errorf("run script: %w", fs.ErrNotExist)
	b.expect(Done{Status: -1, Err: missing}, "VRRP_Script(chk) failed (run script: file does not exist) => false")
	b.at(2*second, "launch")
	b.expect(Done{Status: -1, Err: context.Canceled}, "")
	// What we have ended ourselves says nothing of a script that succeeds.
	b = newBench(t, ScriptConfig{})
	b.run(0, "VRRP_Script(chk) succeeded => true")
	if b.now != epoch.Add(second) {
		t.Errorf("runs each %v where no interval is set, want each second", b.now.Sub(epoch))
	}
	b.expect(Done{Status: -1, Err: context.Canceled}, "")
	if !b.s.Up() {
		t.Error("a run that was cancelled counts as failed")
	}
}

// The next run starts an interval after the last start, not after its end.
func TestScriptKeepsItsRhythm(t *testing.T) {
	b := newBench(t, ScriptConfig{Interval: 2 * second})
	b.at(second, "")
	b.expect(Done{}, "VRRP_Script(chk) succeeded => true")
	b.expect(Done{Status: 1}, "")
	b.at(2*second-1, "")
	b.at(2*second, "launch")
}

func TestScriptNeverOverlaps(t *testing.T) {
	b := newBench(t, ScriptConfig{Interval: second, Timeout: 10 * second})
	skip := "Track script chk is already running, expect idle - skipping run"
	b.at(second, skip)
	b.at(2*second, skip)
	// The loop was late: the runs that it missed are skipped as one.
	b.at(5*second+1, skip)
	b.expect(Done{}, "VRRP_Script(chk) succeeded => true")
	b.at(6*second-1, "")
	b.at(6*second, "launch")
}

// A run that lasts too long counts as failed at that moment, not when it has
// been ended, and what it says after that counts for nothing.
func TestScriptTimeout(t *testing.T) {
	b := newBench(t, ScriptConfig{Interval: 4 * second, Timeout: second})
	b.at(second-1, "")
	b.at(second, "VRRP_Script(chk) timed_out => false; cancel")
	if b.s.last != "timed out after 1s" {
		t.Errorf("last is %q", b.s.last)
	}
	// It cannot be ended: nothing else is started, and it is not said each time.
	b.at(4*second, "")
	b.at(8*second, "")
	b.expect(Done{Status: 0}, "")
	if b.s.Up() {
		t.Error("a run that timed out counted as a success")
	}
	b.at(12*second, "launch")
}

func TestScriptTimeoutIsTheIntervalUnlessSet(t *testing.T) {
	b := newBench(t, ScriptConfig{Interval: 2 * second})
	b.at(2*second, "VRRP_Script(chk) timed_out => false; cancel")
	b.now = b.now.Add(second / 10)
	b.expect(Done{Err: context.Canceled}, "")
	b.at(4*second, "launch")
}

func TestScriptDeadline(t *testing.T) {
	if d := NewScript(ScriptConfig{}).Deadline(); !d.IsZero() {
		t.Errorf("deadline %v before the start", d)
	}
	b := newBench(t, ScriptConfig{Interval: 5 * second, Timeout: 2 * second})
	if d := b.s.Deadline().Sub(epoch); d != 2*second {
		t.Errorf("deadline %v, want the timeout", d)
	}
	b.expect(Done{}, "VRRP_Script(chk) succeeded => true")
	if d := b.s.Deadline().Sub(epoch); d != 5*second {
		t.Errorf("deadline %v, want the next run", d)
	}
}

func TestScriptReconfigureKeepsTheResult(t *testing.T) {
	up, down := "VRRP_Script(chk) considered successful on reload", "VRRP_Script(chk) considered unsuccessful on reload"
	b := newBench(t, ScriptConfig{Interval: second, Rise: 1, Fall: 3})
	b.run(0, "VRRP_Script(chk) succeeded => true")
	b.run(1, "Script `chk` now returning 1")
	// One failure has been counted; of five, four are left.
	b.expect(Reconfigure{ScriptConfig{Name: "chk", Interval: second, Rise: 2, Fall: 5}}, up)
	for range 3 {
		b.run(1, "")
	}
	b.run(1, "VRRP_Script(chk) failed (exited with status 1) => false")
	b.run(0, "Script `chk` now returning 0")
	b.expect(Reconfigure{ScriptConfig{Name: "chk", Interval: second, Rise: 1, Fall: 1}}, down)
	b.run(0, "VRRP_Script(chk) succeeded => true")
	b.expect(Reconfigure{ScriptConfig{Name: "chk", Interval: second, Rise: 1, Fall: 1}}, up)
	b.run(1, "Script `chk` now returning 1; VRRP_Script(chk) failed (exited with status 1) => false")

	// Fewer failures allowed than there have been: up until the next one.
	b = newBench(t, ScriptConfig{Interval: second, Rise: 1, Fall: 9})
	b.run(0, "VRRP_Script(chk) succeeded => true")
	for range 5 {
		b.s.Step(b.now, Done{Status: 1}, nil)
		b.now = b.s.Deadline()
		b.expect(TimerFired{}, "launch")
	}
	b.expect(Reconfigure{ScriptConfig{Name: "chk", Interval: second, Rise: 1, Fall: 2}}, up)
	b.run(1, "VRRP_Script(chk) failed (exited with status 1) => false")

	// Without a result yet the first run still decides.
	b = newBench(t, ScriptConfig{Interval: second, Rise: 2})
	b.expect(Reconfigure{ScriptConfig{Name: "chk", Interval: second, Rise: 5}}, "")
	b.run(0, "VRRP_Script(chk) succeeded => true")
}

func TestScriptReconfigureMovesTheRhythm(t *testing.T) {
	b := newBench(t, ScriptConfig{Interval: 60 * second, Timeout: 50 * second})
	b.now = epoch.Add(10 * second)
	b.expect(Reconfigure{ScriptConfig{Name: "chk", Interval: 20 * second, Timeout: 15 * second}}, "")
	if d := b.s.Deadline().Sub(epoch); d != 15*second {
		t.Errorf("timeout at %v", d)
	}
	b.expect(Done{}, "VRRP_Script(chk) succeeded => true")
	if d := b.s.Deadline().Sub(epoch); d != 20*second {
		t.Errorf("next run at %v", d)
	}
	b.expect(Reconfigure{ScriptConfig{Name: "chk", Interval: second}}, "VRRP_Script(chk) considered successful on reload")
	if d := b.s.Deadline().Sub(epoch); d != 10*second {
		t.Errorf("next run at %v, want now", d)
	}
}

func TestSame(t *testing.T) {
	a := ScriptConfig{Name: "chk", Interval: second}
	a.Script.Args = []string{"/bin/check", "x"}
	b := a
	b.Interval, b.Rise = 2*second, 4
	if !a.same(b) {
		t.Error("a new interval makes another script")
	}
	for name, change := range map[string]func(*ScriptConfig){
		"name":    func(c *ScriptConfig) { c.Name = "other" },
		"command": func(c *ScriptConfig) { c.Script.Args = slices.Clone(c.Script.Args); c.Script.Args[1] = "y" },
		"user":    func(c *ScriptConfig) { c.Script.UID = 5 },
		"group":   func(c *ScriptConfig) { c.Script.GID = 5 },
	} {
		c := a
		change(&c)
		if a.same(c) {
			t.Errorf("another %s makes the same script", name)
		}
	}
}

func TestTransient(t *testing.T) {
	for err, want := range map[error]bool{
		syscall.EAGAIN: true, syscall.ENOMEM: true, syscall.ETXTBSY: true, syscall.EMFILE: true,
		syscall.ENOENT: false, syscall.EACCES: false, errors.New("other"): false,
	} {
		if got := transient(fmt.Errorf("run: %w", err)); got != want {
			t.Errorf("%v: %v", err, got)
		}
	}
}
