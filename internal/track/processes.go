package track

import (
	"context"
	"errors"
	"sync"
	"time"

	"golang.org/x/sys/unix"
)

// ProcessState is what is known of one tracked process.
type ProcessState struct {
	Name  string
	Up    bool
	Known bool
	// Count is how many run.
	Count int
	Since time.Time
}

// Processes counts processes. Its methods are safe for use by several goroutines.
type Processes struct {
	handler func(ProcessChange)
	proc    string
	open    func() (*connector, error)
	kick    chan struct{}

	mu       sync.Mutex
	census   *census
	machines []*Process
	// events is set while the kernel tells of every process.
	events bool
}

// scanDelay is the time between two looks at all processes where the kernel does
// not tell of them.
const scanDelay = time.Second

// NewProcesses returns a Processes that counts what Apply names. The handler gets
// each change, what is found first from Apply itself and then from Run's
// goroutine; it must not block, and must not call Processes.
func NewProcesses(handler func(ProcessChange)) *Processes {
	return &Processes{handler: handler, proc: "/proc", open: openConnector, kick: make(chan struct{}, 1), census: newCensus("/proc", nil)}
}

// Apply makes these what is counted, and counts at once: what is new is known when
// it returns. What is counted already keeps its state.
func (p *Processes) Apply(configs []ProcessConfig) {
	p.mu.Lock()
	defer p.mu.Unlock()
	old := p.machines
	p.machines = nil
	for _, c := range configs {
		m := NewProcess(c)
		for _, o := range old {
			if c.same(o.config) {
				m = o
				m.Reconfigure(c)
			}
		}
		p.machines = append(p.machines, m)
	}
	p.census = newCensus(p.proc, configs)
	if len(configs) > 0 {
		p.scan()
	}
	select {
	case p.kick <- struct{}{}:
	default:
	}
}

// Status returns what is counted, in the order of Apply.
func (p *Processes) Status() []ProcessState {
	p.mu.Lock()
	defer p.mu.Unlock()
	out := make([]ProcessState, 0, len(p.machines))
	for _, m := range p.machines {
		out = append(out, ProcessState{Name: m.config.Name, Up: m.Up(), Known: m.quorum.Known(), Count: m.count, Since: m.since})
	}
	return out
}

// Run counts until ctx is done, and returns ctx's error. It listens to the kernel,
// where that tells of processes, and otherwise looks at all of them every second.
func (p *Processes) Run(ctx context.Context) error {
	var reading sync.WaitGroup
	defer reading.Wait()
	timer := time.NewTimer(0)
	defer timer.Stop()
	batches := make(chan []procEvent)
	var source *connector
	defer func() {
		if source != nil {
			source.close()
		}
	}()
	for ctx.Err() == nil {
		if p.idle() {
			select {
			case <-ctx.Done():
			case <-p.kick:
			}
			continue
		}
		if source == nil && !p.listening() {
			if c, err := p.open(); err == nil {
				source = c
				p.set(true)
				reading.Go(func() { p.read(ctx, c, batches) })
			} else {
				// It will not be there later either.
				p.open = func() (*connector, error) { return nil, err }
			}
			p.look()
		}
		timer.Reset(p.wait(time.Now()))
		select {
		case <-ctx.Done():
		case <-p.kick:
		case events := <-batches:
			p.take(events)
		case <-timer.C:
			if p.listening() {
				p.judge(time.Now())
			} else {
				p.look()
			}
		}
	}
	return ctx.Err()
}

// read passes events on until the connector is closed. A nil batch says that some
// were lost.
func (p *Processes) read(ctx context.Context, c *connector, out chan<- []procEvent) {
	for {
		events, err := c.read()
		if err != nil && !errors.Is(err, unix.ENOBUFS) {
			return
		}
		select {
		case out <- events:
		case <-ctx.Done():
			return
		}
	}
}

func (p *Processes) idle() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return len(p.machines) == 0
}

func (p *Processes) listening() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.events
}

func (p *Processes) set(events bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.events = events
}

// wait is how long nothing is due.
func (p *Processes) wait(now time.Time) time.Duration {
	p.mu.Lock()
	defer p.mu.Unlock()
	wait := scanDelay
	if p.events {
		wait = time.Hour
	}
	for _, m := range p.machines {
		if d := m.Deadline(); !d.IsZero() {
			wait = min(wait, d.Sub(now))
		}
	}
	return max(wait, 0)
}

// look counts all anew.
func (p *Processes) look() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.scan()
}

// scan counts all anew. The lock is held.
func (p *Processes) scan() {
	if p.census.scan() == nil {
		p.step(time.Now())
	}
}

// take follows what the kernel told.
func (p *Processes) take(events []procEvent) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if events == nil {
		p.scan()
		return
	}
	for _, e := range events {
		switch e.kind {
		case procFork:
			p.census.fork(e.parent, e.pid)
		case procExec:
			p.census.look(e.pid)
		case procExit:
			p.census.forget(e.pid)
		default:
			continue
		}
		p.step(time.Now())
	}
}

func (p *Processes) judge(now time.Time) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.step(now)
}

// step tells the machines the counts. The lock is held.
func (p *Processes) step(now time.Time) {
	for i, m := range p.machines {
		if c, changed := m.Step(now, p.census.count(i)); changed {
			p.handler(c)
		}
	}
}
