package hosttest

import (
	"errors"
	"slices"
	"sync"

	"github.com/tandem-ha/tandem/internal/host"
)

// table holds things of one kind in memory and does to them what it is told.
type table[T, C any] struct {
	mu      sync.Mutex
	held    []entry[T]
	refuse  func(C) error
	batches [][]C
	// check, where set, gives the error with which a change fails by itself.
	check func(C) error
	// same says that two are one and the same to the kernel.
	same func(a, b T) bool
}

type entry[T any] struct {
	thing T
	owned bool
}

// Refuse has each change for which refuse gives an error fail with it.
func (t *table[T, C]) Refuse(refuse func(C) error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.refuse = refuse
}

// Foreign puts something on the host that is not ours.
func (t *table[T, C]) Foreign(thing T) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.held = append(t.held, entry[T]{thing: thing})
}

// Lose takes something away, as somebody else would, and says whether it was
// there.
func (t *table[T, C]) Lose(thing T) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.take(thing)
}

func (t *table[T, C]) take(thing T) bool {
	i := slices.IndexFunc(t.held, func(e entry[T]) bool { return t.same(e.thing, thing) })
	if i < 0 {
		return false
	}
	t.held = slices.Delete(t.held, i, i+1)
	return true
}

// Batches returns what Apply was asked for, call by call.
func (t *table[T, C]) Batches() [][]C {
	t.mu.Lock()
	defer t.mu.Unlock()
	return slices.Clone(t.batches)
}

// All returns what is on the host in the order of its coming.
func (t *table[T, C]) All() []T { return t.list(func(entry[T]) bool { return true }) }

// Close implements the tables of package host.
func (t *table[T, C]) Close() error { return nil }

// refusal is why a change fails, nil where it does not.
func (t *table[T, C]) refusal(c C) error {
	for _, why := range []func(C) error{t.refuse, t.check} {
		if why == nil {
			continue
		}
		if err := why(c); err != nil {
			return err
		}
	}
	return nil
}

func (t *table[T, C]) list(keep func(entry[T]) bool) []T {
	t.mu.Lock()
	defer t.mu.Unlock()
	var out []T
	for _, e := range t.held {
		if keep(e) {
			out = append(out, e.thing)
		}
	}
	return out
}

// apply carries out a batch; split says what is done to what, failed wraps a
// refusal.
func (t *table[T, C]) apply(changes []C, split func(C) (host.Op, T), failed func(C, error) error) error {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.batches = append(t.batches, slices.Clone(changes))
	var errs []error
	for _, c := range changes {
		if err := t.refusal(c); err != nil {
			errs = append(errs, failed(c, err))
			continue
		}
		op, thing := split(c)
		switch {
		case op == host.Remove:
			t.take(thing)
		case !slices.ContainsFunc(t.held, func(e entry[T]) bool { return t.same(e.thing, thing) }):
			t.held = append(t.held, entry[T]{thing, true})
		}
	}
	return errors.Join(errs...)
}
