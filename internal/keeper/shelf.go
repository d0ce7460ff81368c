package keeper

import (
	"cmp"
	"fmt"
	"maps"
	"reflect"
	"slices"
	"time"

	"github.com/tandem-ha/tandem/internal/desired"
	"github.com/tandem-ha/tandem/internal/host"
)

// placed is what can be on a shelf: an address, a route or a rule.
type placed interface {
	Place() host.Place
	String() string
}

// shelf is the account of the host's things of one kind: who wants what in which
// place, and what is there. It belongs to the keeper's goroutine.
type shelf[T placed, C any] struct {
	table interface {
		Apply(changes []C) error
		Present(want []T) ([]T, error)
	}
	diff  func(have, want []T) []C
	split func(C) (host.Op, T)
	// blame takes the change that failed out of an error of the table's.
	blame func(error) (C, bool)
	// decides is whether the owner itself says when what it lost comes back.
	decides func(owner string) bool

	// claims are who wants what, those who came first first; owned are the
	// places of each owner in the order of its wish.
	claims map[host.Place][]claim[T]
	owned  map[string][]host.Place
	// there is what the host holds, as far as it has been looked at, and order are
	// its places.
	there map[host.Place][]T
	order []host.Place
	// failing are the places that could not be served, and why.
	failing map[host.Place]string
	paced   pacing
}

// claim is what one owner wants in a place.
type claim[T any] struct {
	owner string
	thing T
	// noTrack leaves the thing away once it is gone.
	noTrack, gone bool
}

// places are places in order, each once.
type places struct {
	list []host.Place
	in   map[host.Place]bool
}

func (p *places) add(place host.Place) {
	if p.in[place] {
		return
	}
	if p.in == nil {
		p.in = map[host.Place]bool{}
	}
	p.in[place] = true
	p.list = append(p.list, place)
}

func newShelf[T placed, C any](table interface {
	Apply(changes []C) error
	Present(want []T) ([]T, error)
}, diff func(have, want []T) []C, split func(C) (host.Op, T), blame func(error) (C, bool)) *shelf[T, C] {
	return &shelf[T, C]{
		table: table, diff: diff, split: split, blame: blame,
		decides: func(string) bool { return false },
		claims:  map[host.Place][]claim[T]{},
		owned:   map[string][]host.Place{},
		there:   map[host.Place][]T{},
		failing: map[host.Place]string{},
		paced:   newPacing(),
	}
}

// adopt finds out which of an owner's things are on the host, as far as that is
// not known; the places of those that are get touched.
func (s *shelf[T, C]) adopt(all []T, touched *places) error {
	var unknown []T
	for _, t := range all {
		if _, known := s.there[t.Place()]; !known {
			unknown = append(unknown, t)
		}
	}
	if len(unknown) > 0 {
		present, err := s.table.Present(unknown)
		if err != nil {
			return err
		}
		for _, t := range unknown {
			s.put(t.Place(), nil)
		}
		for _, t := range present {
			p := t.Place()
			s.put(p, append(s.there[p], t))
		}
	}
	for _, t := range all {
		if p := t.Place(); len(s.there[p]) > 0 {
			touched.add(p)
		}
	}
	return nil
}

// claim replaces what an owner wants. Who had a claim to a place keeps its turn
// among those who want it, and what is gone for good stays gone.
func (s *shelf[T, C]) claim(owner string, want []desired.Item[T], touched *places) {
	before := map[host.Place][]claim[T]{}
	for _, p := range s.owned[owner] {
		for _, c := range s.claims[p] {
			if c.owner == owner {
				before[p] = append(before[p], c)
			}
		}
	}
	now := map[host.Place][]claim[T]{}
	var order []host.Place
	for _, item := range want {
		c := claim[T]{owner: owner, thing: item.Thing, noTrack: item.NoTrack}
		p := item.Thing.Place()
		for _, old := range before[p] {
			c.gone = c.gone || old.gone && c.noTrack && reflect.DeepEqual(old.thing, c.thing)
		}
		if len(now[p]) == 0 {
			order = append(order, p)
		}
		now[p] = append(now[p], c)
		touched.add(p)
	}
	for _, p := range slices.Concat(order, s.owned[owner]) {
		touched.add(p)
		mine, placed := now[p], false
		var list []claim[T]
		for _, c := range s.claims[p] {
			switch {
			case c.owner != owner:
				list = append(list, c)
			case !placed:
				list, placed = append(list, mine...), true
			}
		}
		if !placed {
			list = append(list, mine...)
		}
		s.claims[p] = list
		if len(list) == 0 {
			delete(s.claims, p)
			delete(s.failing, p)
			s.paced.forget(p)
		}
	}
	if s.owned[owner] = order; len(order) == 0 {
		delete(s.owned, owner)
	}
}

// revive forgets that what an owner has is gone for good.
func (s *shelf[T, C]) revive(owner string) {
	for _, p := range s.owned[owner] {
		for i := range s.claims[p] {
			s.claims[p][i].gone = s.claims[p][i].gone && s.claims[p][i].owner != owner
		}
	}
}

// claimed is whether anybody wants anything.
func (s *shelf[T, C]) claimed() bool { return len(s.claims) > 0 }

// changes are what is to be done, removals apart.
type changes[C any] struct {
	removals, additions []C
}

// plan says how the places come to hold what is claimed.
func (s *shelf[T, C]) plan(touched places, now time.Time) changes[C] {
	var have, want []T
	for _, p := range touched.list {
		if s.paced.waits(p, now) {
			continue
		}
		have = append(have, s.there[p]...)
		want = append(want, s.wanted(p)...)
	}
	var out changes[C]
	for _, c := range s.diff(have, want) {
		if op, _ := s.split(c); op == host.Remove {
			out.removals = append(out.removals, c)
		} else {
			out.additions = append(out.additions, c)
		}
	}
	return out
}

// wanted is what a place should hold.
func (s *shelf[T, C]) wanted(p host.Place) []T {
	var out []T
	for _, c := range s.claims[p] {
		if !c.gone {
			out = append(out, c.thing)
		}
	}
	return out
}

// failure is a change that was not carried out, or with all set a whole batch. It
// is news where the same has not been said before, and spared where nobody tracks
// what could not be had.
type failure struct {
	owner  string
	err    error
	news   bool
	all    bool
	spared bool
}

// apply carries changes out and keeps account of them.
func (s *shelf[T, C]) apply(list []C) []failure {
	if len(list) == 0 {
		return nil
	}
	type step struct {
		op host.Op
		at host.Place
	}
	bad := map[step]bool{}
	all := false
	var out []failure
	for _, err := range host.Failures(s.table.Apply(list)) {
		c, ok := s.blame(err)
		if !ok {
			all = true
			out = append(out, failure{err: err, news: true, all: true})
			continue
		}
		op, t := s.split(c)
		p := t.Place()
		bad[step{op, p}] = true
		out = append(out, failure{owner: s.ownerOf(p), err: err, news: s.failing[p] != err.Error(), spared: op == host.Add && s.spare(p)})
		s.failing[p] = err.Error()
	}
	for _, c := range list {
		op, t := s.split(c)
		p := t.Place()
		if all || bad[step{op, p}] {
			continue
		}
		if op == host.Remove {
			i := slices.IndexFunc(s.there[p], func(o T) bool { return reflect.DeepEqual(o, t) })
			if i >= 0 {
				s.put(p, slices.Delete(slices.Clone(s.there[p]), i, i+1))
			}
			continue
		}
		s.put(p, append(s.there[p], t))
		delete(s.failing, p)
	}
	return out
}

// spare leaves a place away that could not be served, as what somebody took away,
// where its owners track nothing there. Who does not say when it comes back goes on
// trying.
func (s *shelf[T, C]) spare(p host.Place) bool {
	if slices.ContainsFunc(s.claims[p], func(c claim[T]) bool { return !c.noTrack || !s.decides(c.owner) }) {
		return false
	}
	for i := range s.claims[p] {
		s.claims[p][i].gone = true
	}
	return true
}

// ownerOf is who wants the place first.
func (s *shelf[T, C]) ownerOf(p host.Place) string {
	if len(s.claims[p]) == 0 {
		return ""
	}
	return s.claims[p][0].owner
}

// refresh looks what of all that is claimed the host still has, and touches what
// it has not.
func (s *shelf[T, C]) refresh(touched *places) []failure {
	if err := s.compare(func(p host.Place, _ []T, _ bool) { touched.add(p) }); err != nil {
		return []failure{{err: err, news: true}}
	}
	return nil
}

// retry touches the places that could not be served.
func (s *shelf[T, C]) retry(touched *places) {
	for p := range s.failing {
		touched.add(p)
	}
}

// compare brings the account in line with the host and calls visit for each place
// that lacks something, with what is missing, and whether it was there before.
func (s *shelf[T, C]) compare(visit func(p host.Place, lack []T, was bool)) error {
	var want []T
	order := slices.SortedFunc(maps.Keys(s.owned), cmp.Compare[string])
	for _, owner := range order {
		for _, p := range s.owned[owner] {
			if s.ownerOf(p) == owner {
				want = append(want, s.wanted(p)...)
			}
		}
	}
	if len(want) == 0 {
		return nil
	}
	present, err := s.table.Present(want)
	if err != nil {
		return err
	}
	now := map[host.Place][]T{}
	for _, t := range present {
		now[t.Place()] = append(now[t.Place()], t)
	}
	for _, owner := range order {
		for _, p := range s.owned[owner] {
			if s.ownerOf(p) != owner {
				continue
			}
			wanted, before := s.wanted(p), s.there[p]
			s.put(p, now[p])
			if lack := s.lack(now[p], wanted); len(lack) > 0 {
				visit(p, lack, len(s.lack(before, wanted)) == 0)
			}
		}
	}
	return nil
}

// lack is what is wanted and not there.
func (s *shelf[T, C]) lack(have, want []T) []T {
	var out []T
	for _, c := range s.diff(have, want) {
		if op, t := s.split(c); op == host.Add {
			out = append(out, t)
		}
	}
	return out
}

// missing is something that somebody took away, and what to say of it. With ask
// set, its owner says when it comes back.
type missing[T any] struct {
	owner string
	thing T
	text  string
	ask   bool
}

// missing finds what is not there any more. What is to come back now is touched:
// what was taken away, at once for the first times and later at a slower pace, so
// as not to fight, and what could not be had before.
func (s *shelf[T, C]) missing(touched *places, now time.Time) ([]missing[T], error) {
	var out []missing[T]
	err := s.compare(func(p host.Place, lack []T, was bool) {
		for i := range s.claims[p] {
			c := &s.claims[p][i]
			if !slices.ContainsFunc(lack, func(t T) bool { return reflect.DeepEqual(t, c.thing) }) {
				continue
			}
			l := missing[T]{owner: c.owner, thing: c.thing}
			switch {
			case c.noTrack && was:
				c.gone = true
				l.text = fmt.Sprintf("%s is gone, and stays away (no_track)", c.thing)
			case s.decides(c.owner) && was:
				l.ask = true
			case s.decides(c.owner):
				continue
			case was:
				l.text = fmt.Sprintf("%s was removed by somebody else: %s", c.thing, s.paced.lost(p, now))
				touched.add(p)
			default:
				touched.add(p)
				continue
			}
			out = append(out, l)
		}
	})
	return out, err
}

// account is what is there and what is about to come, in the order of its coming.
// What is neither there nor claimed is forgotten.
func (s *shelf[T, C]) account(coming []C) []T {
	var out []T
	s.order = slices.DeleteFunc(s.order, func(p host.Place) bool {
		out = append(out, s.there[p]...)
		idle := len(s.there[p]) == 0 && len(s.claims[p]) == 0
		if idle {
			delete(s.there, p)
		}
		return idle
	})
	for _, c := range coming {
		_, t := s.split(c)
		out = append(out, t)
	}
	return out
}

// put makes list what is in a place.
func (s *shelf[T, C]) put(p host.Place, list []T) {
	if _, known := s.there[p]; !known {
		s.order = append(s.order, p)
	}
	s.there[p] = list
}
