package track

import (
	"context"
	"sync"
	"time"

	"github.com/tandem-ha/tandem/health"
)

// Monitor runs vrrp_scripts, each at most once at a time. Its methods are safe
// for use by several goroutines.
type Monitor struct {
	exec    health.Exec
	handler func(ScriptResult)
	kick    chan struct{}

	mu sync.Mutex
	// wanted is what Apply gave last; the loop takes it over.
	wanted  []ScriptConfig
	changed bool
	started bool
	runs    []*run
	ended   []ended
}

// run is one script with its process, if there is one.
type run struct {
	script *Script
	added  bool
	cancel context.CancelFunc
	gone   bool
}

// ended is the end of a process.
type ended struct {
	run  *run
	done Done
}

// ScriptState is what the Monitor knows of one script.
type ScriptState struct {
	Name string
	// Known is false before the first result, and then Up is as well.
	Up, Known bool
	// Added is true for a script that was added while the Monitor ran and has
	// no result yet (see Tracked).
	Added bool
	// Last says how the last run ended: "exited with status 1".
	Last string
	// Since is when Up last changed.
	Since time.Time
	// Running is whether a run of it is under way.
	Running bool
}

// NewMonitor returns a Monitor that runs scripts with exec once Run is called.
// The handler gets every result in order, from one goroutine; it must not block
// and may call the Monitor.
func NewMonitor(exec health.Exec, handler func(ScriptResult)) *Monitor {
	return &Monitor{exec: exec, handler: handler, kick: make(chan struct{}, 1)}
}

// Apply makes these the scripts that run. One with the name, command and user
// of a script that runs already keeps its result and its rhythm; any other
// starts afresh. It does not wait.
func (m *Monitor) Apply(scripts []ScriptConfig) {
	m.mu.Lock()
	m.wanted, m.changed = scripts, true
	m.mu.Unlock()
	m.wake()
}

// Status returns the states of the scripts, in the order of Apply. It shows
// what Apply gave at once, also before Run.
func (m *Monitor) Status() []ScriptState {
	m.mu.Lock()
	defer m.mu.Unlock()
	runs := m.runs
	if m.changed {
		runs, _ = m.merge()
	}
	out := make([]ScriptState, 0, len(runs))
	for _, r := range runs {
		s := r.script
		out = append(out, ScriptState{
			Name: s.config.Name, Up: s.Up(), Known: s.Known(),
			Added: r.added && !s.Known(), Last: s.last, Since: s.since, Running: s.running,
		})
	}
	return out
}

// Run runs the scripts until ctx is done; then it ends those that are running
// and returns ctx's error when the last is gone.
func (m *Monitor) Run(ctx context.Context) error {
	var processes sync.WaitGroup
	timer := time.NewTimer(0)
	defer timer.Stop()
	for ctx.Err() == nil {
		results, next := m.turn(ctx, time.Now(), &processes)
		for _, r := range results {
			m.handler(r)
		}
		wait := time.Hour
		if !next.IsZero() {
			wait = time.Until(next)
		}
		timer.Reset(wait)
		select {
		case <-ctx.Done():
		case <-timer.C:
		case <-m.kick:
		}
	}
	processes.Wait()
	return ctx.Err()
}

// turn does all that is to be done now. It returns what there is to report and
// when the next turn is due.
func (m *Monitor) turn(ctx context.Context, now time.Time, processes *sync.WaitGroup) ([]ScriptResult, time.Time) {
	m.mu.Lock()
	defer m.mu.Unlock()
	var results []ScriptResult
	var out []ScriptOutput
	step := func(r *run, in ScriptInput) {
		out = r.script.Step(now, in, out[:0])
		for _, o := range out {
			switch o := o.(type) {
			case Launch:
				m.launch(ctx, r, processes)
			case Cancel:
				r.cancel()
			case ScriptResult:
				results = append(results, o)
			}
		}
	}
	for _, e := range m.ended {
		if !e.run.gone {
			step(e.run, e.done)
		}
	}
	m.ended = nil
	if m.changed {
		m.replace(step)
	}
	var next time.Time
	for _, r := range m.runs {
		if d := r.script.Deadline(); !d.IsZero() && !now.Before(d) {
			step(r, TimerFired{})
		}
		if d := r.script.Deadline(); next.IsZero() || d.Before(next) {
			next = d
		}
	}
	return results, next
}

// replace puts the wanted scripts in the place of those that run.
func (m *Monitor) replace(step func(*run, ScriptInput)) {
	old := m.runs
	var kept map[*run]bool
	m.runs, kept = m.merge()
	for i, r := range m.runs {
		if kept[r] {
			step(r, Reconfigure{Config: m.wanted[i]})
		} else {
			step(r, Start{})
		}
	}
	for _, r := range old {
		if !kept[r] {
			r.gone = true
			r.cancel()
		}
	}
	m.changed, m.started = false, true
}

// merge returns a run for each wanted script, and which of them exist already.
func (m *Monitor) merge() (runs []*run, kept map[*run]bool) {
	kept = make(map[*run]bool, len(m.runs))
	for _, c := range m.wanted {
		r := find(m.runs, c)
		if r == nil || kept[r] {
			r = &run{script: NewScript(c), added: m.started}
		} else {
			kept[r] = true
		}
		runs = append(runs, r)
	}
	return runs, kept
}

func find(runs []*run, c ScriptConfig) *run {
	for _, r := range runs {
		if c.same(r.script.config) {
			return r
		}
	}
	return nil
}

// launch starts a run in a goroutine of its own.
func (m *Monitor) launch(ctx context.Context, r *run, processes *sync.WaitGroup) {
	ctx, r.cancel = context.WithCancel(ctx)
	cancel, command := r.cancel, r.script.config.Script
	processes.Go(func() {
		defer cancel()
		status, err := m.exec(ctx, command)
		m.mu.Lock()
		m.ended = append(m.ended, ended{run: r, done: Done{Status: status, Err: err}})
		m.mu.Unlock()
		m.wake()
	})
}

func (m *Monitor) wake() {
	select {
	case m.kick <- struct{}{}:
	default:
	}
}
