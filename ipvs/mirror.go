package ipvs

import (
	"context"
	"errors"
	"maps"
	"runtime"
	"slices"
	"time"

	"golang.org/x/sys/unix"
)

// mirror is what a Reconciler knows of the kernel's table, so that a change
// costs what changes and not a dump. It belongs to the holder of work.
type mirror struct {
	// want is the wanted table as far as it is worked towards; nil before the first.
	want  Table
	owned map[ServiceKey]bool
	// have is the kernel's table as last read and changed, while loaded.
	have   Table
	loaded bool
	// unordered says that have was read since it was last compared.
	unordered bool
	// suspect are services of which have may not tell the truth.
	suspect map[ServiceKey]bool
	// trusted are the fingerprints that went with what have tells: each was
	// taken before the service was read and found as have says. A service that
	// we changed has none until it was looked at again.
	trusted Digest
	// spare is the map for the next fingerprints.
	spare Digest
	// refused are the services of which the kernel refused a change.
	refused map[ServiceKey]bool

	tried   uint64 // the goal last tried
	failing bool
	backoff time.Duration

	retryAt, watchAt, fullAt time.Time
	// watchCost and fullCost are what the last fingerprints and the last table took.
	watchCost, fullCost time.Duration
}

func newMirror(owned []ServiceKey) mirror {
	m := mirror{
		owned:   make(map[ServiceKey]bool),
		suspect: make(map[ServiceKey]bool),
		refused: make(map[ServiceKey]bool),
	}
	for _, k := range owned {
		m.owned[k.normal()] = true
	}
	return m
}

// load reads the whole table.
func (r *Reconciler) load(ctx context.Context) error {
	var (
		digest Digest
		table  Table
	)
	digestCost, err := r.measured(func() (err error) {
		digest, err = r.digest(ctx)
		return err
	})
	if err != nil {
		return err
	}
	tableCost, err := r.measured(func() (err error) {
		table, err = r.conn.Table(ctx)
		return err
	})
	if err != nil {
		return err
	}
	r.have = table
	r.trust(digest)
	r.loaded, r.unordered = true, true
	clear(r.suspect)
	if digest == nil {
		// Only a dump shows a change here: as often as the budget allows.
		r.fullAt = pace(watchPeriod, tableCost, &r.fullCost)
		r.watchAt = r.fullAt
		return nil
	}
	r.watchAt = pace(watchPeriod, digestCost, &r.watchCost)
	r.fullAt = pace(fullPeriod, tableCost, &r.fullCost)
	return nil
}

// measured returns the processor time that f took. Time on a wall's clock would
// stretch the periods on a busy host, where nothing is saved by it.
func (r *Reconciler) measured(f func() error) (time.Duration, error) {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	begin := r.config.clock()
	err := f()
	return r.config.clock() - begin, err
}

// threadTime is the processor time of the calling thread.
func threadTime() time.Duration {
	var t unix.Timespec
	if err := unix.ClockGettime(unix.CLOCK_THREAD_CPUTIME_ID, &t); err != nil {
		return 0
	}
	return time.Duration(t.Nano())
}

// digest is the kernel's, or nil where there is none.
func (r *Reconciler) digest(ctx context.Context) (Digest, error) {
	d, err := r.conn.Digest(ctx, r.spare)
	if errors.Is(err, errors.ErrUnsupported) {
		return nil, nil
	}
	return d, err
}

// budget is the part of a core that watching may take: one hundredth.
const budget = 100

// pace is when to do again what has just taken cost, and took before the time
// before. What is dear once is an accident: in a virtual machine, the time that its
// host gives to others in the midst of it counts, too.
func pace(period, cost time.Duration, before *time.Duration) time.Time {
	steady := min(cost, *before)
	*before = cost
	return time.Now().Add(max(period, budget*steady))
}

// refresh reads the suspect services.
func (r *Reconciler) refresh(ctx context.Context) error {
	if len(r.suspect) == 0 {
		return nil
	}
	keys := slices.SortedFunc(maps.Keys(r.suspect), ServiceKey.Compare)
	table, err := r.conn.Entries(ctx, keys)
	if err != nil {
		return err
	}
	for _, k := range keys {
		delete(r.trusted, k)
		if e, exists := table[k]; exists {
			r.have[k] = e
		} else {
			delete(r.have, k)
		}
	}
	clear(r.suspect)
	r.unordered = true
	return nil
}

// watch takes the fingerprints, and reads those of our services that they do
// not show to be as they were.
func (r *Reconciler) watch(ctx context.Context, g goal) error {
	cost, err := r.measured(func() error { return r.look(ctx, g) })
	r.watchAt = pace(watchPeriod, cost, &r.watchCost)
	return err
}

func (r *Reconciler) look(ctx context.Context, g goal) error {
	digest, err := r.digest(ctx)
	if err != nil {
		return err
	}
	if digest == nil {
		return r.load(ctx) // nothing to compare with: a dump has to do
	}
	ours := func(k ServiceKey) bool {
		_, wanted := g.want[k]
		return wanted || r.owned[k]
	}
	for k, sum := range digest {
		if before, ok := r.trusted[k]; (!ok || before != sum) && ours(k) && !r.told(k, sum) {
			r.suspect[k] = true
		}
	}
	for k := range r.have {
		if _, there := digest[k]; !there && ours(k) {
			r.suspect[k] = true
		}
	}
	if err := r.refresh(ctx); err != nil {
		return err
	}
	// What was read after its fingerprint was taken goes with it, unless apply
	// now finds it to be wrong and changes it.
	r.trust(digest)
	return nil
}

// told is whether a fingerprint shows a service to be as have tells: so it is after a
// change of ours, which needs no reading then.
func (r *Reconciler) told(k ServiceKey, sum uint64) bool {
	e, there := r.have[k]
	if !there {
		return false
	}
	own, ok := r.conn.Fingerprint(e)
	return ok && own == sum
}

// trust makes fingerprints those that go with what have tells. The map of the
// former ones is for the next.
func (r *Reconciler) trust(d Digest) {
	r.trusted, r.spare = d, r.trusted
}

// apply makes of the kernel's table what the goal is, as far as have is true,
// leaves the services in skip as they are, and returns the changes made.
func (r *Reconciler) apply(ctx context.Context, g goal, skip map[ServiceKey]bool) ([]Change, error) {
	changes := Diff(r.have, g.want, func(k ServiceKey) bool { return g.whole && r.owned[k] })
	if len(skip) > 0 {
		changes = slices.DeleteFunc(changes, func(c Change) bool { return skip[c.Service.ServiceKey] })
	} else {
		clear(r.refused)
	}
	err := r.conn.Apply(ctx, changes)
	var refusal *ApplyError
	if err != nil && !errors.As(err, &refusal) {
		r.loaded = false // it is not known what was made
		return nil, err
	}
	made := changes
	if refusal != nil {
		for _, f := range refusal.Failures {
			r.refused[f.Change.Service.ServiceKey] = true
			r.suspect[f.Change.Service.ServiceKey] = true
		}
		made = withoutFailed(changes, refusal)
	}
	r.learn(changes, g.want)
	return made, err
}

// learn notes in have what the changes have made of the kernel's table. The
// destinations of a dump are in the kernel's order; where nothing is to change
// the wanted entry takes their place, which the next Diff sees at a glance.
func (r *Reconciler) learn(changes []Change, want Table) {
	touched := make(map[ServiceKey]bool)
	for i, c := range changes {
		k := c.Service.ServiceKey
		if i > 0 && changes[i-1].Service.ServiceKey == k {
			continue
		}
		touched[k] = true
		delete(r.trusted, k)
		if e, wanted := want[k]; wanted {
			r.have[k] = e
		} else {
			delete(r.have, k)
		}
	}
	if !r.unordered {
		return
	}
	r.unordered = false
	for k, e := range want {
		if _, there := r.have[k]; there && !touched[k] && !r.refused[k] {
			r.have[k] = e
		}
	}
}

// withoutFailed returns the changes that the kernel has made.
func withoutFailed(changes []Change, refusal *ApplyError) []Change {
	failed := make(map[Change]bool, len(refusal.Failures))
	for _, f := range refusal.Failures {
		failed[f.Change] = true
	}
	return slices.DeleteFunc(slices.Clone(changes), func(c Change) bool { return failed[c] })
}

// drifted says whether changes were refused because the kernel's table is not
// what have tells.
func drifted(err error) bool {
	var refusal *ApplyError
	return errors.As(err, &refusal) && slices.ContainsFunc(refusal.Failures, func(f Failure) bool {
		return !f.Consequence && errors.Is(f.Err, ErrGone)
	})
}
