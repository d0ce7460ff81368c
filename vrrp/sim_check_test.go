package vrrp

import (
	"testing"
	"time"
)

// check asserts what must hold after every event.
func (s *sim) check() {
	for _, n := range s.nodes {
		n.checkAddresses()
		n.noteEligible()
	}
	lossless := s.loss == 0
	for seg := range s.segments {
		s.checkTwoMasters(seg, lossless)
		if s.segments == 1 {
			s.checkSomeMaster(seg, lossless)
		}
	}
}

// checkAddresses is invariant 1: an address is on the interface if and only if the
// instance is master there, or on its way to be.
func (n *simNode) checkAddresses() {
	if !n.running || n.pending > 0 {
		return
	}
	for seg, r := range n.g.Members() {
		if !r.started {
			continue
		}
		if holds, may := len(r.held) > 0, r.state == Master || r.acquiring.on; holds != may {
			n.s.fail("invariant 1: node %d is %v and holds %v", n.id, r.state, r.held)
		}
		waiting := 0
		for _, a := range r.held {
			if !n.present[seg][a] {
				waiting++
			}
		}
		if waiting != len(r.lost) || len(n.present[seg]) != len(r.held)-waiting {
			n.s.fail("invariant 1: node %d holds %v, on the interface is %v, lost %v", n.id, r.held, n.present[seg], r.lost)
		}
	}
}

// noteEligible remembers since when a member could become master.
func (n *simNode) noteEligible() {
	for seg := range n.cfgs {
		ok := n.running
		if ok {
			r := n.g.Members()[seg]
			ok = r.started && !r.stopping && r.state != Failed
		}
		switch {
		case !ok:
			n.eligible[seg] = time.Time{}
		case n.eligible[seg].IsZero():
			n.eligible[seg] = n.s.now
		}
	}
}

// checkTwoMasters is invariant 2 by the clock: where nothing is lost, two masters
// that advert last one advert of the better. The worse serves until the better's
// next advert, or, if that is worse itself by then, the third of who follows it; an
// address is on two nodes no longer than that.
func (s *sim) checkTwoMasters(seg int, lossless bool) {
	masters, holders, offers := 0, 0, 0
	for _, n := range s.nodes {
		if !n.reaches(seg) || !n.running {
			continue
		}
		r := n.g.Members()[seg]
		if r.state == Master && r.handover.kind == notHandingOver {
			masters++
		}
		if r.handover.kind == offering {
			offers++ // of two that offer to each other, one rolls back first
		}
		if len(n.present[seg]) > 0 && r.started {
			holders++
		}
	}
	limit := s.longest + simSlack
	s.bound(&s.two[seg], masters > 1 && lossless, limit, "invariant 2: two masters")
	s.bound(&s.shared[seg], holders > 1 && offers < 2 && lossless, limit+2*s.longest, "invariant 2: an address is on two nodes")
}

// bound fails where something has been so for longer than a limit.
func (s *sim) bound(since *time.Time, so bool, limit time.Duration, what string) {
	switch {
	case !so:
		*since = time.Time{}
	case since.IsZero() || since.Before(s.calm):
		*since = s.now
	case s.now.Sub(*since) > limit:
		s.fail("%s for %v", what, s.now.Sub(*since))
	}
}

// checkSomeMaster is invariant 3, for the nodes that reach each other and for each
// that is cut off: without a master for three adverts and the skew, some backup
// that can has become one.
func (s *sim) checkSomeMaster(seg int, lossless bool) {
	if !lossless {
		return
	}
	var together []*simNode
	for _, n := range s.nodes {
		if n.reaches(seg) {
			together = append(together, n)
		} else if n.linkUp[seg] {
			s.checkPart(seg, []*simNode{n})
		}
	}
	s.checkPart(seg, together)
}

func (s *sim) checkPart(seg int, part []*simNode) {
	for _, n := range part {
		if !n.running {
			continue
		}
		if r := n.g.Members()[seg]; r.state == Master || r.acquiring.on {
			for _, peer := range part {
				peer.served[seg] = s.now
			}
			return
		}
	}
	for _, n := range part {
		last := s.calm
		for _, t := range []time.Time{n.served[seg], n.eligible[seg]} {
			if t.After(last) {
				last = t
			}
		}
		if !n.eligible[seg].IsZero() && s.now.Sub(last) > 4*s.longest+simSlack {
			s.fail("invariant 3: node %d has had no master for %v", n.id, s.now.Sub(last))
		}
	}
}

// checkEnd is how a healed cluster must end.
func (s *sim) checkEnd() {
	holder := -1
	for seg := range s.segments {
		masters := 0
		for _, n := range s.nodes {
			r := n.g.Members()[seg]
			if r.state == Failed || !n.running {
				s.fail("node %d did not come back: %v", n.id, r.Status().Faults)
			}
			if r.state != Master {
				continue
			}
			masters++
			if r.Status().Offering {
				s.fail("node %d still hands over", n.id)
			}
			if holder >= 0 && holder != n.id {
				s.fail("node %d and node %d share a sync group's masters", holder, n.id)
			}
			holder = n.id
		}
		if masters != 1 {
			s.fail("segment %d ends with %d masters", seg, masters)
		}
	}
	s.checkBest(holder)
}

// checkBest asserts that with preemption the best node is master in the end.
func (s *sim) checkBest(holder int) {
	if !s.nodes[0].cfgs[0].Preempt || s.segments > 1 {
		return
	}
	master := s.nodes[holder].g.Members()[0]
	for _, n := range s.nodes {
		if r := n.g.Members()[0]; r.priority() > master.priority() {
			s.fail("node %d with priority %d is master, node %d has %d", holder, master.priority(), n.id, r.priority())
		}
	}
}

func TestSimulation(t *testing.T) {
	const seeds = 300
	for seed := range uint64(seeds) {
		newSim(t, seed).run()
	}
}
