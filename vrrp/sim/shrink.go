package sim

import (
	"fmt"
	"slices"
	"strings"
	"time"
)

// Shrink makes a scenario that violates an invariant smaller, as long as it violates
// the same one: fewer actions, fewer nodes, a better network, a shorter time. One that
// violates none comes back as it is.
func Shrink(s Scenario, o Options) Scenario {
	o.Trace, o.Timeline, o.All = false, false, false
	first, failed := violates(s, o)
	if !failed {
		return s
	}
	sh := shrinker{options: o, invariant: first.Invariant, best: s}
	for changed := true; changed; {
		changed = sh.dropActions()
		changed = sh.dropNodes() || changed
		changed = sh.simplify() || changed
	}
	return sh.best
}

// violates is the first violation of a scenario.
func violates(s Scenario, o Options) (Violation, bool) {
	r, err := Run(s, o)
	if err != nil || len(r.Violations) == 0 {
		return Violation{}, false
	}
	return r.Violations[0], true
}

type shrinker struct {
	options   Options
	invariant string
	best      Scenario
}

// try takes a smaller scenario where that fails as well.
func (sh *shrinker) try(s Scenario) bool {
	v, failed := violates(s, sh.options)
	if !failed || v.Invariant != sh.invariant {
		return false
	}
	sh.best = s
	return true
}

// dropActions leaves actions out, first many at once and in the end each.
func (sh *shrinker) dropActions() bool {
	changed := false
	for size := max(len(sh.best.Actions)/2, 1); size > 0; size /= 2 {
		for from := 0; from < len(sh.best.Actions); {
			s := sh.best
			s.Actions = slices.Delete(slices.Clone(s.Actions), from, min(from+size, len(s.Actions)))
			if sh.try(s) {
				changed = true
			} else {
				from += size
			}
		}
	}
	return changed
}

// dropNodes leaves nodes out, with what befalls them.
func (sh *shrinker) dropNodes() bool {
	changed := false
	for i := 0; i < len(sh.best.Nodes); {
		name := sh.best.Nodes[i].Name
		s := sh.best
		s.Nodes = slices.Delete(slices.Clone(s.Nodes), i, i+1)
		s.Actions = slices.DeleteFunc(slices.Clone(s.Actions), func(a Action) bool { return a.Node == name || a.Peer == name })
		if len(s.Nodes) > 0 && sh.try(s) {
			changed = true
		} else {
			i++
		}
	}
	return changed
}

// simplify takes what ails the network and the clocks away, one after the other, and
// what comes after the violation.
func (sh *shrinker) simplify() bool {
	changed := false
	for _, change := range []func(*Scenario) bool{
		func(s *Scenario) bool { was := s.Network.Loss; s.Network.Loss = 0; return was != 0 },
		func(s *Scenario) bool { was := s.Network.Duplicate; s.Network.Duplicate = 0; return was != 0 },
		func(s *Scenario) bool { was := s.Network.Delay; s.Network.Delay = 0; return was != 0 },
		func(s *Scenario) bool { was := s.Network.HostDelay; s.Network.HostDelay = 0; return was != 0 },
		func(s *Scenario) bool {
			exact := slices.Clone(s.Nodes)
			for i := range exact {
				exact[i].Drift, exact[i].Offset, exact[i].StartAt = 0, 0, 0
			}
			differs := slices.ContainsFunc(s.Nodes, func(n Node) bool { return n.Drift != 0 || n.Offset != 0 || n.StartAt != 0 })
			s.Nodes = exact
			return differs
		},
		func(s *Scenario) bool {
			v, _ := violates(*s, sh.options)
			end := v.At + time.Millisecond
			shorter := end < s.Duration && sh.invariant != Rest
			if shorter {
				s.Duration = end
			}
			return shorter
		},
	} {
		if s := sh.best; change(&s) && sh.try(s) {
			changed = true
		}
	}
	return changed
}

// String is a scenario as lines that tell all of it but the configurations.
func (s Scenario) String() string {
	var b strings.Builder
	fmt.Fprintf(&b, "seed %d, %v, loss %g, duplicates %g, delay up to %v, addresses up to %v\n",
		s.Seed, s.Duration, s.Network.Loss, s.Network.Duplicate, s.Network.Delay, s.Network.HostDelay)
	for _, n := range s.Nodes {
		fmt.Fprintf(&b, "%s starts at %v, clock %+v and %+g", n.Name, n.StartAt, n.Offset, n.Drift)
		for _, g := range n.Groups {
			for _, m := range g.Members {
				fmt.Fprintf(&b, "; %s %s VRID %d version %d priority %d advert_int %v", g.Name, m.Config.Name, m.Config.VRID, m.Config.Version, m.Config.Priority, m.Config.AdvertInterval)
			}
		}
		b.WriteByte('\n')
	}
	for _, a := range s.Actions {
		fmt.Fprintln(&b, a)
	}
	return b.String()
}
