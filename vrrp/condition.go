package vrrp

import (
	"fmt"
	"strings"
)

// Condition makes of single answers of targets, a gateway or a peer, whether a node
// may take over: what Eligibility inputs tell. It is pure, like a Router: who asks
// the targets lives elsewhere. An answer that comes and goes does not count until it
// has stayed for some time: Rise and Fall are how many alike in sequence it takes,
// of a target's first answers one.
type Condition struct {
	rise, fall int
	all        bool
	targets    []conditionTarget
}

type conditionTarget struct {
	name string
	// known is false before the first answer; streak counts answers that differ
	// from up.
	known, up bool
	// fresh is whether it has answered since the condition was last confirmed.
	fresh  bool
	streak int
	why    string
}

// AnyOf is the condition that one of the targets answers. Rise and fall below 1 count
// as 1.
func AnyOf(rise, fall int, targets ...string) *Condition {
	c := &Condition{rise: max(rise, 1), fall: max(fall, 1)}
	for _, name := range targets {
		c.targets = append(c.targets, conditionTarget{name: name})
	}
	return c
}

// AllOf is the condition that every target answers. Rise and fall below 1 count as 1.
func AllOf(rise, fall int, targets ...string) *Condition {
	c := AnyOf(rise, fall, targets...)
	c.all = true
	return c
}

// Answer takes one answer of a target: "" for a good one, or else what was wrong. It
// is true where a Router is to be told of it: where that changed what State says, and
// where the condition has been found to be met once more.
func (c *Condition) Answer(target, wrong string) bool {
	before, knownBefore := c.State()
	for i := range c.targets {
		if t := &c.targets[i]; t.name == target {
			t.answer(wrong, c.rise, c.fall)
		}
	}
	after, known := c.State()
	confirmed := known && after.Eligible && c.confirmed()
	return known != knownBefore || known && after.Eligible != before.Eligible || confirmed
}

// confirmed is whether enough targets that count have answered anew.
func (c *Condition) confirmed() bool {
	fresh := 0
	for _, t := range c.targets {
		if t.up && t.fresh {
			fresh++
		}
	}
	if fresh == 0 || c.all && fresh < len(c.targets) {
		return false
	}
	for i := range c.targets {
		c.targets[i].fresh = false
	}
	return true
}

func (t *conditionTarget) answer(wrong string, rise, fall int) {
	up := wrong == ""
	t.fresh = up
	if !up {
		t.why = wrong
	}
	switch {
	case !t.known:
		t.known, t.up = true, up
	case t.up == up:
		t.streak = 0
	default:
		t.streak++
		if up && t.streak >= rise || !up && t.streak >= fall {
			t.up, t.streak = up, 0
		}
	}
}

// State is what a Router is to be told; it is false while the answers that have come
// do not decide it.
func (c *Condition) State() (Eligibility, bool) {
	unknown := 0
	var up, down []string
	for _, t := range c.targets {
		switch {
		case !t.known:
			unknown++
		case t.up:
			up = append(up, t.name)
		default:
			down = append(down, fmt.Sprintf("%s does not answer (%s)", t.name, t.why))
		}
	}
	switch {
	case c.all && len(down) > 0, !c.all && len(up) == 0 && unknown == 0:
		return Eligibility{Cause: strings.Join(down, ", ")}, true
	case c.all && unknown == 0, !c.all && len(up) > 0:
		return Eligibility{Eligible: true, Cause: strings.Join(up, ", ") + " answers"}, true
	default:
		return Eligibility{}, false
	}
}
