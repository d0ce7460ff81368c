package health

import (
	"container/heap"
	"context"
	"math/rand/v2"
	"slices"
	"sync"
	"sync/atomic"
	"time"
)

// The scheduler's bounds.
const (
	// defaultConcurrency is how many attempts run at once unless told otherwise.
	defaultConcurrency = 4096
	// granularity is the least time between two looks at the clock: what falls
	// due meanwhile starts together. Checks are never early and at most so late.
	granularity = 10 * time.Millisecond
	// lull is the least time between two turns: what ends meanwhile is told of
	// together.
	lull = 5 * time.Millisecond
	// breath is the pause after a crowd of attempts has been begun: with one CPU
	// nothing else would run until the last of thousands is.
	breath = 50 * time.Microsecond
	// portion is how many services are made before those made are told of.
	portion = 32
)

// Scheduler runs the checks of services: it owns their machines, starts the
// attempts that they ask for and gives what follows to a handler. It keeps no
// goroutine and no timer for a check that is idle.
//
// Its methods are safe for use by several goroutines and never wait for a check
// or for the handler.
type Scheduler struct {
	handler func(service string, out Output)
	results func(service, kind string, r Result)
	seed    func() uint64
	limit   int
	wake    chan struct{}
	// poller runs the attempts that only connect, in Run; it says by ready that
	// some have ended.
	poller *poller
	ready  chan struct{}

	// applying is held by Apply; adding is set while it makes services, which comes
	// before what is told of them.
	applying sync.Mutex
	adding   atomic.Bool
	// untold is what Run has still to tell.
	untold []event

	mu       sync.Mutex
	services map[string]*entry
	order    []*entry
	due      entries
	queue    []event
	finished []finished
	follows  []*follow
	told     []*follow
	running  map[key]*attempt
	// waiters wait for checks that were ordered by hand.
	waiters map[*waiter]struct{}
	waiting []*attempt
	// cancels are those of the poller that are of no use any more, free are for the
	// next ones.
	cancels, free []*attempt
	// starts and ends are what Run begins and ends; they are its own.
	starts, ends []*attempt

	active   int
	stopped  bool
	scratch  []Output
	orders   []StartCheck
	attempts sync.WaitGroup
}

// entry is one service under the scheduler.
type entry struct {
	name      string
	service   *Service
	at        time.Time
	heapIndex int
}

// event is an output on its way to the handler.
type event struct {
	service string
	out     Output
}

// key identifies an attempt.
type key struct {
	entry  *entry
	number uint64
}

// Option sets something about a Scheduler.
type Option func(*Scheduler)

// WithConcurrency bounds how many attempts run at once; others wait their turn.
func WithConcurrency(n int) Option {
	return func(s *Scheduler) { s.limit = max(n, 1) }
}

// WithSeed sets where the seeds come from that spread first attempts; without
// it they are random.
func WithSeed(seed func() uint64) Option {
	return func(s *Scheduler) { s.seed = seed }
}

// WithResults has f told of every attempt that ended by itself, with the check's
// kind, whatever the machines make of it. f must not block, and not call the
// scheduler.
func WithResults(f func(service, kind string, r Result)) Option {
	return func(s *Scheduler) { s.results = f }
}

// NewScheduler returns a scheduler without services. The handler receives every
// output but StartCheck and CancelCheck from the goroutine of Run: of what comes at
// once the pools first, so that what is done waits for nothing that is told, and
// each of the two in order. It must not block: while it does, no check starts.
func NewScheduler(handler func(service string, out Output), opts ...Option) *Scheduler {
	s := &Scheduler{
		handler: handler, results: func(string, string, Result) {}, seed: rand.Uint64, limit: defaultConcurrency,
		wake: make(chan struct{}, 1), ready: make(chan struct{}, 1), services: map[string]*entry{}, running: map[key]*attempt{}, waiters: map[*waiter]struct{}{},
	}
	s.poller = newPoller(func() { poke(s.ready) })
	for _, o := range opts {
		o(s)
	}
	return s
}

// Apply makes the configured services those given, matched by name: new ones
// start, others keep the state of what stays, and the rest end. A second
// service of the same name is left out. One that is given as it was, its servers
// in the very same memory, costs nothing: what has been given must not be changed.
// The first of thousands that are new are told of while the last are made.
// After Run has ended it does nothing.
func (s *Scheduler) Apply(configs []ServiceConfig) {
	s.applying.Lock()
	defer s.applying.Unlock()
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.stopped {
		return
	}
	now, seed := time.Now(), s.seed()
	before := s.services
	s.services = make(map[string]*entry, len(configs))
	order := make([]*entry, len(configs))
	var added []int
	for i, c := range configs {
		if _, twice := s.services[c.Name]; twice {
			continue
		}
		order[i] = before[c.Name]
		s.services[c.Name] = order[i]
		if order[i] == nil {
			added = append(added, i)
		}
	}
	for name, e := range before {
		if s.services[name] == nil {
			s.step(e, now, Remove{})
		}
	}
	for i, e := range order {
		if e != nil && !e.service.cfg.shares(configs[i]) {
			s.step(e, now, Reconfigure{Config: configs[i], Seed: mix(seed + uint64(i))})
		}
	}
	if s.add(configs, order, added, now, seed); s.stopped {
		return
	}
	s.follow()
	s.poke()
}

// add starts the services of those places. They are made without the lock, a portion
// at a time, so that those made are told of meanwhile. The lock is held.
func (s *Scheduler) add(configs []ServiceConfig, order []*entry, places []int, now time.Time, seed uint64) {
	s.adding.Store(true)
	defer s.adding.Store(false)
	started := make([][]Output, min(portion, len(places)))
	s.order = present(order)
	for len(places) > 0 {
		some := places[:min(portion, len(places))]
		places = places[len(some):]
		s.mu.Unlock()
		for n, i := range some {
			order[i] = &entry{name: configs[i].Name, service: NewService(configs[i]), heapIndex: -1}
			started[n] = order[i].service.Step(now, Start{Seed: mix(seed + uint64(i))}, started[n][:0])
		}
		s.mu.Lock()
		if s.stopped {
			return
		}
		for n, i := range some {
			s.services[order[i].name] = order[i]
			s.heed(order[i], started[n])
		}
		s.order = present(order)
		s.poke()
	}
}

// present are those that there are.
func present(order []*entry) []*entry {
	return slices.DeleteFunc(slices.Clone(order), func(e *entry) bool { return e == nil })
}

// Suspend puts the attempts of a service off, or no longer; what is not there is
// left alone.
func (s *Scheduler) Suspend(service string, on bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if e := s.services[service]; e != nil && !s.stopped {
		s.step(e, time.Now(), Suspend{On: on})
		s.poke()
	}
}

// Status is the state of every service, in configured order.
func (s *Scheduler) Status() []ServiceStatus {
	s.mu.Lock()
	defer s.mu.Unlock()
	st := make([]ServiceStatus, 0, len(s.order))
	for _, e := range s.order {
		st = append(st, e.service.Status())
	}
	return st
}

// Run runs the checks until ctx is done. Then it cancels what runs, gives the
// handler the outputs of the end, and returns when no attempt is left. It is
// called once.
func (s *Scheduler) Run(ctx context.Context) {
	timer := time.NewTimer(0)
	defer timer.Stop()
	attempts, cancel := context.WithCancel(context.WithoutCancel(ctx))
	defer cancel()
	for ctx.Err() == nil {
		began := time.Now()
		events, wait := s.turn(attempts, began)
		delivered := s.deliver(events, s.adding.Load())
		s.launch()
		if s.settled() || delivered {
			continue
		}
		if end := s.poller.deadline(); !end.IsZero() && (wait < 0 || time.Until(end) < wait) {
			wait = max(time.Until(end), granularity)
		}
		s.rest(ctx, timer, began, wait)
	}
	s.deliver(s.end(time.Now()), false)
	cancel()
	s.attempts.Wait()
	s.poller.close()
}

// launch begins the attempts whose turn it is, and ends those that are of no use
// any more.
func (s *Scheduler) launch() {
	for i, a := range s.starts {
		if i > 0 && i%crowd == 0 {
			time.Sleep(breath)
		}
		if a.limited == nil {
			s.poller.begin(a)
		} else {
			go a.run(s.finish)
		}
	}
	for _, a := range s.ends {
		s.poller.cancel(a)
	}
}

// settled files what has ended in the poller, if anything has.
func (s *Scheduler) settled() bool {
	ended := s.poller.settle()
	if len(ended) == 0 {
		return false
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.finished = append(s.finished, ended...)
	return true
}

// rest waits until there is something to do, for ever where wait is negative. A
// crowd of checks that end are told of together.
func (s *Scheduler) rest(ctx context.Context, timer *time.Timer, began time.Time, wait time.Duration) {
	if wait >= 0 {
		timer.Reset(wait)
	} else {
		timer.Stop()
	}
	for lulled := false; ; {
		select {
		case <-ctx.Done():
			return
		case <-timer.C:
			return
		case <-s.wake:
		case <-s.ready:
			if !s.settled() {
				continue
			}
		}
		if lulled {
			continue
		}
		soon := lull - time.Since(began)
		if soon <= 0 {
			return
		}
		lulled = true
		timer.Reset(soon)
	}
}

// deliver gives the events to the handler: what is to be done before what is told,
// and nothing is told while more is to be done. It returns whether it told of any.
func (s *Scheduler) deliver(events []event, more bool) bool {
	for _, e := range events {
		if _, is := e.out.(PoolChanged); is {
			s.handler(e.service, e.out)
		} else {
			s.untold = append(s.untold, e)
		}
	}
	if more {
		return false
	}
	told := s.untold
	s.untold = nil
	for _, e := range told {
		s.handler(e.service, e.out)
	}
	return len(events)+len(told) > 0
}

// poke makes the loop take a turn.
func (s *Scheduler) poke() { poke(s.wake) }

func poke(c chan struct{}) {
	select {
	case c <- struct{}{}:
	default:
	}
}

// turn does what is to be done now and returns what the handler is to be told, and
// how long nothing will fall due, negative for ever. It leaves the attempts to
// launch in starts, and those to cancel in ends.
func (s *Scheduler) turn(ctx context.Context, now time.Time) (events []event, wait time.Duration) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, f := range s.finished {
		s.conclude(f, now)
	}
	s.ends = s.ends[:0]
	for _, a := range s.cancels {
		if s.running[a.key] == a {
			s.ends = append(s.ends, a)
		}
	}
	s.cancels = s.cancels[:0]
	s.reuse()
	s.observe(ctx, now)
	for len(s.due) > 0 && !s.due[0].at.After(now) {
		s.fire(s.due[0], now)
	}
	s.startWaiting(ctx)
	s.answerWaiters()
	events, s.queue = s.queue, nil
	wait = -1
	if len(s.due) > 0 {
		wait = max(s.due[0].at.Sub(now), granularity)
	}
	return events, wait
}

// conclude tells its machine of an attempt that has ended. The lock is held.
func (s *Scheduler) conclude(f finished, now time.Time) {
	a, e := f.attempt, f.attempt.key.entry
	s.active--
	delete(s.running, a.key)
	if a.cancel != nil {
		a.cancel()
	}
	if !a.cancelled {
		s.results(e.name, a.order.Kind, f.result)
		s.scratch = e.service.checkDone(now, CheckDone{Server: a.order.Server, Attempt: a.key.number, Result: f.result}, s.scratch[:0])
		s.heed(e, s.scratch)
	}
}

// reuse keeps the attempts that are concluded for the next ones: not before nobody
// takes them any more for what they were. The lock is held.
func (s *Scheduler) reuse() {
	for _, f := range s.finished {
		if len(s.free) < s.limit {
			s.free = append(s.free, f.attempt)
		}
	}
	clear(s.finished)
	s.finished = s.finished[:0]
}

// fire has a machine start the checks that are due. The lock is held.
func (s *Scheduler) fire(e *entry, now time.Time) {
	s.orders = e.service.fire(now, s.orders[:0])
	for i, o := range s.orders {
		s.queueStart(e, o)
		s.orders[i] = StartCheck{}
	}
	s.rearm(e)
}

// queueStart has an attempt wait for its turn. The lock is held.
func (s *Scheduler) queueStart(e *entry, o StartCheck) {
	var a *attempt
	if n := len(s.free); n > 0 {
		a, s.free = s.free[n-1], s.free[:n-1]
	} else {
		a = new(attempt)
	}
	*a = attempt{key: key{e, o.Attempt}, order: o}
	s.running[a.key] = a
	s.waiting = append(s.waiting, a)
}

// step gives a machine an input and files what follows. The lock is held.
func (s *Scheduler) step(e *entry, now time.Time, in Input) {
	s.scratch = e.service.Step(now, in, s.scratch[:0])
	s.heed(e, s.scratch)
}

// heed files what a machine has put out, which is the machine's no longer. The lock
// is held.
func (s *Scheduler) heed(e *entry, out []Output) {
	for i, o := range out {
		switch o := o.(type) {
		case StartCheck:
			s.queueStart(e, o)
		case CancelCheck:
			s.cancel(key{e, o.Attempt})
		default:
			s.queue = append(s.queue, event{e.name, o})
		}
		out[i] = nil
	}
	s.rearm(e)
}

// cancel ends an attempt. One that runs holds its place until it has ended.
func (s *Scheduler) cancel(k key) {
	a := s.running[k]
	if a == nil {
		return
	}
	a.cancelled = true
	switch {
	case a.cancel != nil:
		a.cancel()
	case a.launched:
		s.cancels = append(s.cancels, a)
	}
}

// startWaiting takes as many of the waiting attempts as the bound allows: they
// are to be launched without the lock.
func (s *Scheduler) startWaiting(ctx context.Context) {
	clear(s.starts)
	s.starts = s.starts[:0]
	looked := 0
	for _, a := range s.waiting {
		if !a.cancelled && s.active >= s.limit {
			break
		}
		looked++
		if a.cancelled {
			delete(s.running, a.key)
			continue
		}
		s.active++
		a.launched = true
		if !s.poller.takes(a.order.Run) {
			s.attempts.Add(1)
			a.limited, a.cancel = context.WithTimeout(ctx, attemptLimit(a.order.Run))
		}
		s.starts = append(s.starts, a)
	}
	if looked > 0 {
		s.waiting = slices.Delete(s.waiting, 0, looked)
	}
}

// finish takes the result of an attempt, from the goroutine that it ran in.
func (s *Scheduler) finish(a *attempt, r Result) {
	s.mu.Lock()
	s.finished = append(s.finished, finished{a, r})
	first := len(s.finished) == 1
	s.mu.Unlock()
	if first {
		s.poke()
	}
	s.attempts.Done()
}

// end stops every service and everything that runs.
func (s *Scheduler) end(now time.Time) []event {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.stopped = true
	s.unfollow()
	for _, e := range s.order {
		s.step(e, now, Stop{})
	}
	s.waiting = nil
	for w := range s.waiters {
		delete(s.waiters, w)
		close(w.done)
	}
	events := s.queue
	s.queue = nil
	return events
}

// rearm files the service under its deadline.
func (s *Scheduler) rearm(e *entry) {
	e.at = e.service.Deadline()
	switch {
	case e.at.IsZero() && e.heapIndex >= 0:
		heap.Remove(&s.due, e.heapIndex)
	case e.at.IsZero():
	case e.heapIndex >= 0:
		heap.Fix(&s.due, e.heapIndex)
	default:
		heap.Push(&s.due, e)
	}
}

// entries is a heap of services, the earliest deadline first.
type entries []*entry

func (h entries) Len() int           { return len(h) }
func (h entries) Less(i, j int) bool { return h[i].at.Before(h[j].at) }
func (h entries) Swap(i, j int) {
	h[i], h[j] = h[j], h[i]
	h[i].heapIndex, h[j].heapIndex = i, j
}

// Push is for container/heap.
func (h *entries) Push(x any) {
	e := x.(*entry)
	e.heapIndex = len(*h)
	*h = append(*h, e)
}

// Pop is for container/heap.
func (h *entries) Pop() any {
	last := len(*h) - 1
	e := (*h)[last]
	(*h)[last] = nil
	*h = (*h)[:last]
	e.heapIndex = -1
	return e
}
