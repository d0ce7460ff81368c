package health

import (
	"context"
	"fmt"
	"net/netip"
	"time"
)

// This file is what an operator orders of a check: one at once, or none until
// told otherwise. A check that is paused keeps counting as it counted.

// CheckNow asks for a whole round of one check at once, whatever its schedule.
type CheckNow struct {
	Server netip.AddrPort
	Check  int
}

func (CheckNow) input() {}

// Follows says that the check is told what to think rather than asked (see
// Traits): there is nothing to ask at once, and nothing to pause.
func (c CheckConfig) Follows() bool {
	t, ok := c.Check.(interface{ Traits() Traits })
	return ok && t.Traits().Follows
}

// Target is what the check asks, as CheckStatus.Target has it.
func (c CheckConfig) Target() string { return target(c.Check) }

// checkNow has the round of a check begin, or the one under way go on without a
// pause.
func (s *Server) checkNow(now time.Time, check int) {
	if check < 0 || check >= len(s.probes) {
		return
	}
	p := s.probes[check]
	if p.cfg.Paused || p.traits.Follows {
		return
	}
	p.urgent = true
	if p.attempt == 0 {
		p.deadline = now
	}
}

// pause begins and ends the pause of a check that was configured anew. An attempt
// under way is cancelled: what it finds must not count.
func (p *probe) pause(now time.Time, was bool, out []Output) []Output {
	switch {
	case p.cfg.Paused && !was:
		p.urgent = false
		return p.cancel(out)
	case was && !p.cfg.Paused && !p.traits.Follows:
		p.deadline = now
	}
	return out
}

// hurry is whether the next step of an urgent round is due at once. The round ends
// with a failure, or with the success of its last step.
func (p *probe) hurry(r Result) bool {
	if !p.urgent {
		return false
	}
	p.urgent = r.Err == nil && (p.step > 0 || p.confirm)
	return p.urgent
}

// waiter is somebody who waits for the end of an urgent round.
type waiter struct {
	entry  *entry
	server netip.AddrPort
	check  int
	done   chan CheckStatus
}

// CheckNow has a check run now, and returns what it found once the round is over.
// The check is named by its service, its server and its place among the server's.
// What it finds counts as always. A check that is paused, or that is told rather
// than asked, is an error, and so is one that does not exist or goes meanwhile.
func (s *Scheduler) CheckNow(ctx context.Context, service string, server netip.AddrPort, check int) (CheckStatus, error) {
	w, err := s.await(service, server, check)
	if err != nil {
		return CheckStatus{}, err
	}
	s.poke()
	select {
	case st, ok := <-w.done:
		if !ok {
			return st, fmt.Errorf("check %d of %s of %s has gone", check, server, service)
		}
		return st, nil
	case <-ctx.Done():
		s.mu.Lock()
		defer s.mu.Unlock()
		delete(s.waiters, w)
		return CheckStatus{}, fmt.Errorf("check %d of %s of %s has not ended: %w", check, server, service, ctx.Err())
	}
}

func (s *Scheduler) await(service string, server netip.AddrPort, check int) (*waiter, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	e := s.services[service]
	if e == nil || s.stopped {
		return nil, fmt.Errorf("no virtual server %s", service)
	}
	p := e.service.probe(server, check)
	switch {
	case p == nil:
		return nil, fmt.Errorf("no check %d of %s of %s", check, server, service)
	case p.cfg.Paused:
		return nil, fmt.Errorf("%s of %s is paused", p.cfg.Kind, server)
	case p.traits.Follows:
		return nil, fmt.Errorf("%s of %s is told what to think, and cannot be asked", p.cfg.Kind, server)
	}
	w := &waiter{entry: e, server: server, check: check, done: make(chan CheckStatus, 1)}
	s.waiters[w] = struct{}{}
	s.step(e, time.Now(), CheckNow{Server: server, Check: check})
	return w, nil
}

// probe is a check of a server, nil where there is none.
func (s *Service) probe(server netip.AddrPort, check int) *probe {
	srv := s.byAddr[server]
	if srv == nil || check < 0 || check >= len(srv.probes) {
		return nil
	}
	return srv.probes[check]
}

// answerWaiters tells those whose round has ended. The lock is held.
func (s *Scheduler) answerWaiters() {
	for w := range s.waiters {
		p := w.entry.service.probe(w.server, w.check)
		switch {
		case p == nil || s.services[w.entry.name] != w.entry:
			close(w.done)
		case p.urgent:
			continue
		default:
			w.done <- p.status()
		}
		delete(s.waiters, w)
	}
}
