package agent

import (
	"context"
	"slices"
	"time"

	"github.com/tandem-ha/tandem/config"
	"github.com/tandem-ha/tandem/internal/host"
	"github.com/tandem-ha/tandem/internal/journal"
	"github.com/tandem-ha/tandem/vrrp"
)

const (
	// burst is how many groups are stepped by their timers at once, each of which
	// may send an advert, and breath the pause after so many: two hundred adverts
	// that come at once are more than a peer's socket holds.
	burst  = 32
	breath = time.Millisecond

	// gatherMost is how long a socket that had packets is left alone at most, so
	// that many of them cost one turn, and gatherPart the part of an advert
	// interval that this may take.
	gatherMost = 20 * time.Millisecond
	gatherPart = 5

	// readMost inboxes hold more than a socket's buffer does.
	readMost = 256
)

// run is the loop. It ends when ctx is done.
func (e *elector) run(ctx context.Context) {
	defer close(e.done)
	life, end := context.WithCancel(ctx)
	defer end()
	e.life = life
	defer context.AfterFunc(ctx, e.wire.Wake)()
	for ctx.Err() == nil {
		e.turn(time.Now())
		if err := e.wire.Wait(e.next()); err != nil {
			// Nothing would be heard any more, and nobody would wake the loop.
			e.journal.Add(journal.Event{Kind: "part-ended", Level: journal.Error, Text: "the loop of VRRP has ended: " + err.Error()})
			return
		}
		e.woken(time.Now())
		for range len(e.calls) {
			call := <-e.calls
			call(time.Now())
		}
	}
	e.hand()
	e.flush()
}

// turn does what is due now.
func (e *elector) turn(now time.Time) {
	e.fire(now)
	e.hear()
	e.hand()
	e.attune()
	e.flush()
	e.scribe.turn(now)
}

// fire steps the groups whose moment has come, the most overdue first, and a
// burst of them at most.
func (e *elector) fire(now time.Time) {
	if now.Before(e.breathe) {
		return
	}
	caughtUp := false
	for range burst {
		a := e.agenda.first()
		if a == nil || a.at.After(now) {
			return
		}
		if !caughtUp && masterDown(a.group, now) {
			// Whoever kept this process from running kept it from its sockets
			// too: the advert that it waits for may be in there.
			e.catchUp()
			caughtUp, now = true, time.Now()
			continue
		}
		if !a.at.Equal(e.noted) {
			e.punctual(now, now.Sub(a.at))
		}
		e.step(now, a, fired())
	}
	e.breathe = now.Add(breath)
}

// woken takes note of a timer that should have been served by now: a call that is
// served before it may set it again, and how late it was would never be known.
func (e *elector) woken(now time.Time) {
	a := e.agenda.first()
	if a == nil || now.Sub(a.at) <= e.time.seen.Limit || a.at.Equal(e.noted) {
		return
	}
	e.noted = a.at
	e.punctual(now, now.Sub(a.at))
}

// masterDown is whether a group is about to find its master gone.
func masterDown(g *vrrp.Group, now time.Time) bool {
	for _, m := range g.Members() {
		if at := m.MasterDownAt(); !at.IsZero() && !at.After(now) {
			return true
		}
	}
	return false
}

// next is when there is something to do again; zero for never.
func (e *elector) next() time.Time {
	var next time.Time
	if a := e.agenda.first(); a != nil {
		next = a.at
		if next.Before(e.breathe) {
			next = e.breathe
		}
	}
	for _, h := range e.attended {
		if next.IsZero() || h.nextRead.Before(next) {
			next = h.nextRead
		}
	}
	if at := e.scribe.next(); !at.IsZero() && (next.IsZero() || at.Before(next)) {
		next = at
	}
	return next
}

// ear is what the loop reads, a VRRP socket or a watch: armed, or attended and read
// from time to time.
type ear struct {
	// read takes in what is there, one inbox of it at most, and says how much that
	// was; rest is called with it where that was not nothing, arm where it was.
	read func() int
	arm  func()
	// rest is how long it is left alone after a read that emptied it.
	rest     func() time.Duration
	nextRead time.Time
}

// attend begins to read an ear.
func (e *elector) attend(h *ear) {
	if !slices.Contains(e.attended, h) {
		h.nextRead = time.Now()
		e.attended = append(e.attended, h)
	}
}

// hear reads the ears that have something, each at most once, so that no timer
// waits for more than one read of each. One that is empty is armed.
func (e *elector) hear() {
	for i := 0; i < len(e.attended); i++ {
		h := e.attended[i]
		now := time.Now()
		if h.nextRead.After(now) {
			continue
		}
		switch n := h.read(); {
		case n == 0:
			e.attended = slices.Delete(e.attended, i, i+1)
			i--
			h.arm()
		case n < host.InboxSize:
			h.nextRead = now.Add(h.rest())
		default:
			h.nextRead = now
		}
	}
}

// read takes in what a socket has, one inbox of it at most, and says how much
// that was.
func (e *elector) read(s *socket) int {
	if s.conn == nil {
		return 0
	}
	e.now, e.reading = time.Now(), s
	return s.conn.Receive(e.inbox, e.receiveFn)
}

// catchUp reads all that the sockets have now.
func (e *elector) catchUp() {
	for _, s := range e.sockets {
		e.readAll(s)
	}
}

// readAll reads what a socket has; what keeps coming meanwhile does not keep it.
func (e *elector) readAll(s *socket) {
	for range readMost {
		if s == nil || e.read(s) < host.InboxSize {
			return
		}
	}
}

// gatherTime is how long packets may gather, so that none of these instances
// takes notice of it.
func gatherTime(instances []*config.Instance) time.Duration {
	t := gatherMost
	for _, in := range instances {
		t = min(t, in.AdvertInterval/gatherPart)
	}
	return t
}
