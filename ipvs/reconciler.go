package ipvs

import (
	"context"
	"errors"
	"maps"
	"slices"
	"sync"
	"time"
)

// ErrStopped says that the Reconciler was stopped before a table was applied.
var ErrStopped = errors.New("reconciler is stopped")

// Reconciler keeps what is ours in the kernel's table equal to the table last
// Set: at once when another is Set, and within the watch period when somebody
// else changes the kernel's.
//
// Ours are the services ever Set, those named by Own, and those given at the
// start as WithOwned; every other is left alone. What a crashed run left of
// ours is adopted: it is edited to what is wanted, and so keeps its connections.
type Reconciler struct {
	conn   Conn
	config options

	wake chan struct{} // of one place: something to do
	work chan struct{} // of one place: held by who uses conn and mirror
	mirror

	mu      sync.Mutex
	asked   Table // what was Set or Updated since it was last taken into want
	anew    bool  // asked takes the place of what was wanted before
	whole   bool  // what is wanted is all that is wanted
	set     uint64
	applied uint64
	changed chan struct{} // closed and replaced when applied or stopped change
	names   map[ServiceKey]bool
	takeAll bool
	err     error
	stopped bool
}

// NewReconciler returns a Reconciler of conn. It does nothing until it Runs and
// a table is Set.
func NewReconciler(conn Conn, opts ...Option) *Reconciler {
	r := &Reconciler{
		conn:    conn,
		config:  defaultOptions(),
		wake:    make(chan struct{}, 1),
		work:    make(chan struct{}, 1),
		changed: make(chan struct{}),
	}
	for _, o := range opts {
		o(&r.config)
	}
	r.mirror = newMirror(r.config.owned)
	return r
}

// Set makes the table the wanted one. It never waits for the kernel; of several
// tables Set in a row only the last need reach it. The table is copied.
func (r *Reconciler) Set(t Table) {
	t = t.Normal()
	r.mu.Lock()
	r.asked, r.anew, r.whole = t, true, true
	r.set++
	r.mu.Unlock()
	r.kick()
}

// Update makes the entries those of their keys in the wanted table, and leaves the
// rest of it as it is. It costs what it changes, and is otherwise as Set. Before the
// first Set no service goes by it, as the rest is not known.
func (r *Reconciler) Update(entries Table) {
	entries = entries.Normal()
	r.mu.Lock()
	if r.asked == nil {
		r.asked = entries
	} else {
		maps.Copy(r.asked, entries)
	}
	r.set++
	r.mu.Unlock()
	r.kick()
}

// TakeAll makes every service that is in the kernel ours once, when the table is
// next applied: of those of others, what is not wanted goes then.
func (r *Reconciler) TakeAll() {
	r.mu.Lock()
	r.takeAll = true
	r.mu.Unlock()
}

// Own says which services are ours beside those of the table: those that the
// configuration names, whether or not they are to be in the kernel now. From
// then on a service that is neither named nor wanted any more is forgotten as
// soon as it is gone from the kernel, and is foreign if somebody adds it later.
// Without Own every service ever Set stays ours.
func (r *Reconciler) Own(keys []ServiceKey) {
	names := make(map[ServiceKey]bool, len(keys))
	for _, k := range keys {
		names[k.normal()] = true
	}
	r.mu.Lock()
	r.names = names
	r.set++
	r.mu.Unlock()
	r.kick()
}

func (r *Reconciler) kick() {
	select {
	case r.wake <- struct{}{}:
	default:
	}
}

// Applied waits until the whole table last Set before the call, or a later one, is in
// the kernel. If ctx ends before, the error says why it is not, where that is
// known.
func (r *Reconciler) Applied(ctx context.Context) error {
	r.mu.Lock()
	goal := r.set
	for r.applied < goal {
		if r.stopped {
			r.mu.Unlock()
			return ErrStopped
		}
		changed := r.changed
		r.mu.Unlock()
		select {
		case <-changed:
		case <-ctx.Done():
			return errors.Join(ctx.Err(), r.Err())
		}
		r.mu.Lock()
	}
	r.mu.Unlock()
	return nil
}

// Err returns what keeps the kernel's table from being kept, or nil.
func (r *Reconciler) Err() error {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.err
}

// Run reconciles until ctx is done or Stop is called, and then returns nil. It
// leaves the kernel's table as it is.
func (r *Reconciler) Run(ctx context.Context) error {
	timer := time.NewTimer(0)
	defer timer.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-r.wake:
		case <-timer.C:
		}
		next, ok := r.turn(ctx)
		if !ok {
			return nil
		}
		timer.Reset(time.Until(next))
	}
}

// turn does what is due now and returns when something will be; false when
// there will be nothing.
func (r *Reconciler) turn(ctx context.Context) (next time.Time, ok bool) {
	select {
	case r.work <- struct{}{}:
		defer func() { <-r.work }()
	case <-ctx.Done():
		return time.Time{}, false
	}
	r.mu.Lock()
	r.take()
	g := goal{want: r.want, names: r.names, set: r.set, fresh: r.set != r.applied, whole: r.whole, all: r.takeAll && r.whole}
	stopped := r.stopped
	r.mu.Unlock()
	if stopped || ctx.Err() != nil {
		return time.Time{}, false
	}
	if g.want == nil {
		return time.Now().Add(fullPeriod), true
	}
	r.pursue(ctx, g)
	return r.nextDue(), true
}

// take makes what was asked for a part of what is wanted. mu is held, and work.
func (r *Reconciler) take() {
	if r.anew || r.want == nil {
		r.want = r.asked
	} else {
		maps.Copy(r.want, r.asked)
	}
	r.asked, r.anew = nil, false
}

// goal is what one turn works towards.
type goal struct {
	want  Table
	names map[ServiceKey]bool
	set   uint64
	// whole says that want is all that is wanted: what else is ours goes.
	whole bool
	// all makes ours whatever is in the kernel.
	all bool
	// fresh says that it has not been applied yet, so that changes are its
	// doing and not repairs.
	fresh bool
}

// pursue brings the kernel to the goal where something is due.
func (r *Reconciler) pursue(ctx context.Context, g goal) {
	now := time.Now()
	newGoal := g.set != r.tried
	retry := r.failing && !now.Before(r.retryAt)
	switch {
	case !r.loaded && (newGoal || retry):
		if r.settle(ctx, r.load(ctx), g) {
			r.reach(ctx, g)
		}
	case newGoal || retry:
		if r.settle(ctx, r.refresh(ctx), g) {
			r.reach(ctx, g)
		}
	case r.loaded && !now.Before(r.fullAt):
		if r.settle(ctx, r.load(ctx), g) {
			r.repair(ctx, g)
		}
	case r.loaded && !now.Before(r.watchAt):
		if r.settle(ctx, r.watch(ctx, g), g) {
			r.repair(ctx, g)
		}
	}
}

// settle takes note of an error of reading the kernel's table; true if there is
// none.
func (r *Reconciler) settle(ctx context.Context, err error, g goal) bool {
	if err == nil {
		return true
	}
	r.tried = g.set
	r.loaded = false
	r.fail(ctx, err)
	return false
}

// reach makes a wanted table the kernel's.
func (r *Reconciler) reach(ctx context.Context, g goal) {
	r.tried = g.set
	r.adopt(g)
	made, err := r.apply(ctx, g, nil)
	if drifted(err) && r.refresh(ctx) == nil {
		// Somebody removed what we knew to be there: look, and try once more.
		made, err = r.apply(ctx, g, nil)
	}
	if !g.fresh {
		r.repaired(made)
	}
	if err != nil {
		r.fail(ctx, err)
		return
	}
	r.release(g)
	r.succeed(g)
}

// repair undoes what somebody else changed. What the kernel refuses of the
// wanted table is not tried here but at the pace of retries.
func (r *Reconciler) repair(ctx context.Context, g goal) {
	made, err := r.apply(ctx, g, r.refused)
	r.repaired(made)
	if err != nil {
		r.fail(ctx, err)
	}
}

func (r *Reconciler) repaired(made []Change) {
	if len(made) > 0 && r.config.onRepair != nil {
		r.config.onRepair(made)
	}
}

// adopt makes the goal's services ours, and has that recorded before the kernel
// is changed.
func (r *Reconciler) adopt(g goal) {
	grown := false
	own := func(k ServiceKey) {
		if !r.owned[k] {
			r.owned[k] = true
			grown = true
		}
	}
	for k := range g.want {
		own(k)
	}
	for k := range g.names {
		own(k)
	}
	if g.all {
		for k := range r.have {
			own(k)
		}
	}
	if grown {
		r.record()
	}
}

// release forgets the services that are neither wanted nor named, now that they
// are gone from the kernel.
func (r *Reconciler) release(g goal) {
	if g.names == nil || !g.whole {
		return
	}
	before := len(r.owned)
	maps.DeleteFunc(r.owned, func(k ServiceKey, _ bool) bool {
		_, wanted := g.want[k]
		return !wanted && !g.names[k]
	})
	if len(r.owned) < before {
		r.record()
	}
}

// record hands the keys of what is ours to their keeper. That the record cannot
// be written is reported and no reason not to serve.
func (r *Reconciler) record() {
	if r.config.onOwned == nil {
		return
	}
	err := r.config.onOwned(slices.SortedFunc(maps.Keys(r.owned), ServiceKey.Compare))
	if err != nil && r.config.onError != nil {
		r.config.onError(err)
	}
}

// succeed notes that the goal is reached.
func (r *Reconciler) succeed(g goal) {
	failed := r.failing
	r.failing, r.backoff = false, 0
	r.mu.Lock()
	if g.whole {
		r.applied = g.set
	}
	r.takeAll = r.takeAll && !g.all
	r.err = nil
	close(r.changed)
	r.changed = make(chan struct{})
	r.mu.Unlock()
	if failed && r.config.onError != nil {
		r.config.onError(nil)
	}
}

// fail notes an error and when to try again, and reports it if it is news. The
// end of ctx is no error of the kernel's.
func (r *Reconciler) fail(ctx context.Context, err error) {
	if ctx.Err() != nil {
		r.tried = 0
		return
	}
	r.backoff = min(max(2*r.backoff, retryFirst), retryMost)
	if errors.Is(err, ErrNoKernelSupport) {
		r.backoff = retryMost
	}
	r.failing = true
	r.retryAt = time.Now().Add(r.backoff)
	r.mu.Lock()
	news := r.err == nil || r.err.Error() != err.Error()
	r.err = err
	r.mu.Unlock()
	if news && r.config.onError != nil {
		r.config.onError(err)
	}
}

// nextDue is when pursue has something to do again.
func (r *Reconciler) nextDue() time.Time {
	switch {
	case !r.loaded:
		return r.retryAt
	case r.failing:
		return earliest(r.retryAt, r.watchAt, r.fullAt)
	}
	return earliest(r.watchAt, r.fullAt)
}

func earliest(first time.Time, others ...time.Time) time.Time {
	for _, t := range others {
		if t.Before(first) {
			first = t
		}
	}
	return first
}

// Leave ends Run and leaves the kernel's table as it is. Run need not be running.
func (r *Reconciler) Leave(ctx context.Context) error {
	done, err := r.halt(ctx)
	if err == nil {
		done()
	}
	return err
}

// halt ends Run and waits until nobody works on the table; done has to be called when
// the caller does so no more either.
func (r *Reconciler) halt(ctx context.Context) (done func(), err error) {
	r.mu.Lock()
	if !r.stopped {
		r.stopped = true
		close(r.changed)
		r.changed = make(chan struct{})
	}
	r.mu.Unlock()
	r.kick()
	select {
	case r.work <- struct{}{}:
		return func() { <-r.work }, nil
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

// Stop ends Run and removes from the kernel all that is ours. It asks the kernel for
// nothing before, so it removes also what was left undone, in as little time as there
// may be. A kernel without IPVS has nothing to remove. Run need not be running.
func (r *Reconciler) Stop(ctx context.Context) error {
	done, err := r.halt(ctx)
	if err != nil {
		return err
	}
	defer done()
	r.mu.Lock()
	r.take()
	names := r.names
	r.mu.Unlock()
	for k := range r.want {
		r.owned[k] = true
	}
	for k := range names {
		r.owned[k] = true
	}
	changes := make([]Change, 0, len(r.owned))
	for _, k := range slices.SortedFunc(maps.Keys(r.owned), ServiceKey.Compare) {
		changes = append(changes, Change{Op: DeleteService, Service: Service{ServiceKey: k}})
	}
	if err := r.conn.Apply(ctx, changes); err != nil {
		if errors.Is(err, ErrNoKernelSupport) {
			return nil
		}
		return err
	}
	if len(r.owned) > 0 {
		clear(r.owned)
		r.record()
	}
	return nil
}
