package notify

import (
	"context"
	"errors"
	"sync"
	"time"

	"github.com/hashicorp/go-hclog"

	"github.com/tandem-ha/tandem/health"
)

// The limits of a Notifier. Patience is what a script that takes the address
// over for a slow service may need; Detached is how many of a key's scripts may
// go on beside the queue.
const (
	DefaultQueue    = 64
	DefaultPatience = 30 * time.Second
	DefaultRunning  = 64
	maxDetached     = 4
)

// Exec runs a script with further environment variables (script.Runner.RunEnv).
type Exec func(ctx context.Context, s health.Script, env []string) (status int, err error)

// Notifier runs jobs: those of one key in the order given, one after the other,
// those of different keys at the same time. Its methods are safe for use by
// several goroutines, and Enqueue never waits.
//
// A job that outlasts its patience is left running and those behind it go on:
// some scripts become the service itself. Four such may be left of each key;
// the oldest of more is ended.
type Notifier struct {
	exec     Exec
	log      hclog.Logger
	queue    int
	patience time.Duration
	slots    chan struct{}
	kick     chan struct{}

	mu      sync.Mutex
	keys    map[string]*queue
	ready   []*queue
	idle    chan struct{}
	pending int
	dropped uint64
}

// queue is what is to be run for one key.
type queue struct {
	key      string
	jobs     []Job
	busy     bool
	dropped  uint64
	detached []*detached
}

// detached is a run that may come to be waited for by nothing.
type detached struct {
	cancel context.CancelFunc
	ended  bool
}

// Option changes a limit of a Notifier.
type Option func(*Notifier)

// WithQueue sets how many jobs of one key may wait; DefaultQueue otherwise.
func WithQueue(jobs int) Option { return func(n *Notifier) { n.queue = max(jobs, 1) } }

// WithPatience sets the Patience of jobs that have none of their own;
// DefaultPatience otherwise.
func WithPatience(d time.Duration) Option { return func(n *Notifier) { n.patience = d } }

// WithRunning sets how many keys may have a script running at the same time,
// so that a failover of hundreds of instances leaves room for adverts;
// DefaultRunning otherwise.
func WithRunning(scripts int) Option {
	return func(n *Notifier) { n.slots = make(chan struct{}, max(scripts, 1)) }
}

// New returns a Notifier whose jobs begin once Run is called. It logs each
// script that fails, is left behind or is dropped.
func New(exec Exec, log hclog.Logger, options ...Option) *Notifier {
	n := &Notifier{
		exec: exec, log: log, queue: DefaultQueue, patience: DefaultPatience,
		slots: make(chan struct{}, DefaultRunning), kick: make(chan struct{}, 1),
		keys: make(map[string]*queue),
	}
	for _, o := range options {
		o(n)
	}
	return n
}

// Enqueue adds jobs to the end of a key's queue. Where that is full the oldest
// waiting job is dropped, counted and logged: the last state is what a script
// must learn.
func (n *Notifier) Enqueue(key string, jobs ...Job) {
	if len(jobs) == 0 {
		return
	}
	n.mu.Lock()
	q := n.keys[key]
	if q == nil {
		q = &queue{key: key}
		n.keys[key] = q
	}
	if len(q.jobs) == 0 && !q.busy {
		n.ready = append(n.ready, q)
	}
	var lost []Job
	for _, j := range jobs {
		if len(q.jobs) >= n.queue {
			lost = append(lost, q.jobs[0])
			q.jobs = q.jobs[1:]
			q.dropped++
			n.dropped++
			n.pending--
		}
		q.jobs = append(q.jobs, j)
		n.pending++
	}
	dropped := q.dropped
	n.mu.Unlock()
	for _, j := range lost {
		n.log.Warn("notification dropped, too many wait behind a slow script", "script", j.Name, "queue", key, "dropped", dropped)
	}
	n.wake()
}

// Dropped returns how many jobs found their queue full.
func (n *Notifier) Dropped() uint64 {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.dropped
}

// Run runs what is enqueued until ctx is done; then it ends the scripts that
// still run and returns ctx's error when the last is gone.
func (n *Notifier) Run(ctx context.Context) error {
	var running sync.WaitGroup
	defer running.Wait()
	for {
		q := n.take()
		if q == nil {
			select {
			case <-ctx.Done():
				return ctx.Err()
			case <-n.kick:
			}
			continue
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case n.slots <- struct{}{}:
		}
		running.Go(func() { n.serve(ctx, q, &running) })
	}
}

// Drain waits until everything that is enqueued has been run, or left behind
// after its patience, or until ctx is done. Run must be running.
func (n *Notifier) Drain(ctx context.Context) error {
	n.mu.Lock()
	if n.pending == 0 {
		n.mu.Unlock()
		return nil
	}
	if n.idle == nil {
		n.idle = make(chan struct{})
	}
	idle := n.idle
	n.mu.Unlock()
	select {
	case <-idle:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// take returns the next queue that nobody serves.
func (n *Notifier) take() *queue {
	n.mu.Lock()
	defer n.mu.Unlock()
	if len(n.ready) == 0 {
		return nil
	}
	q := n.ready[0]
	n.ready = n.ready[1:]
	q.busy = true
	return q
}

// serve runs one job of q and puts q back at the end of those that wait.
func (n *Notifier) serve(ctx context.Context, q *queue, running *sync.WaitGroup) {
	n.mu.Lock()
	j := q.jobs[0]
	q.jobs = q.jobs[1:]
	n.mu.Unlock()

	n.run(ctx, q, j, running)

	<-n.slots
	n.mu.Lock()
	q.busy = false
	n.pending--
	if len(q.jobs) > 0 {
		n.ready = append(n.ready, q)
	} else if len(q.detached) == 0 {
		delete(n.keys, q.key)
	}
	if n.pending == 0 && n.idle != nil {
		close(n.idle)
		n.idle = nil
	}
	n.mu.Unlock()
	n.wake()
}

// run runs j and returns when it has ended, or when patience has.
func (n *Notifier) run(ctx context.Context, q *queue, j Job, running *sync.WaitGroup) {
	ctx, cancel := context.WithCancel(ctx)
	d := &detached{cancel: cancel}
	ended := make(chan struct{})
	running.Go(func() {
		defer cancel()
		start := time.Now()
		status, err := n.exec(ctx, j.Script, j.Env)
		n.report(j, status, err, time.Since(start))
		n.forget(q, d)
		close(ended)
	})
	patience := j.Patience
	if patience <= 0 {
		patience = n.patience
	}
	t := time.NewTimer(patience)
	defer t.Stop()
	select {
	case <-ended:
	case <-t.C:
		if !n.detach(q, d) {
			return
		}
		n.log.Warn("notify script is still running, going on without it", "script", j.Name, "command", j.Script.Args[0], "after", patience)
	}
}

// detach lets go of a run that lasts, and ends the oldest of too many. It says
// whether the run was still going on.
func (n *Notifier) detach(q *queue, d *detached) bool {
	n.mu.Lock()
	defer n.mu.Unlock()
	if d.ended {
		return false
	}
	q.detached = append(q.detached, d)
	if len(q.detached) > maxDetached {
		q.detached[0].cancel()
		q.detached = q.detached[1:]
	}
	return true
}

// forget drops a run that has ended.
func (n *Notifier) forget(q *queue, d *detached) {
	n.mu.Lock()
	defer n.mu.Unlock()
	d.ended = true
	for i := range q.detached {
		if q.detached[i] == d {
			q.detached = append(q.detached[:i:i], q.detached[i+1:]...)
			break
		}
	}
	if len(q.detached) == 0 && len(q.jobs) == 0 && !q.busy && n.keys[q.key] == q {
		delete(n.keys, q.key)
	}
}

// report logs the end of a job that did not go well.
func (n *Notifier) report(j Job, status int, err error, took time.Duration) {
	took = took.Round(time.Millisecond)
	killed, bySignal := errors.AsType[*health.SignalError](err)
	switch {
	case bySignal:
		n.log.Warn("notify script died", "script", j.Name, "cause", killed, "took", took, "command", j.Script.Args)
	case errors.Is(err, context.Canceled):
		n.log.Warn("notify script was ended", "script", j.Name, "after", took)
	case err != nil:
		n.log.Error("notify script could not be run", "script", j.Name, "error", err)
	case status != 0:
		n.log.Warn("notify script failed", "script", j.Name, "status", status, "took", took, "command", j.Script.Args)
	}
}

func (n *Notifier) wake() {
	select {
	case n.kick <- struct{}{}:
	default:
	}
}
