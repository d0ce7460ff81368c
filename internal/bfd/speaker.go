package bfd

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/netip"
	"sync"
	"time"
)

// The ports of RFC 5881 4 and RFC 5883 5.
const (
	SingleHopPort = 3784
	MultihopPort  = 4784
)

// Peering is one session and the way to its neighbour.
type Peering struct {
	Config
	// Neighbour is the far end. Source is the near one; invalid is the kernel's
	// choice.
	Neighbour, Source netip.Addr
	// TTL is that of the packets sent. A packet that is received may have crossed
	// MaxHops routers, if its sender began with the same TTL; -1 is any number.
	TTL, MaxHops int
	// Multihop uses the port of RFC 5883.
	Multihop bool
}

// port is where both ends listen.
func (p Peering) port() uint16 {
	if p.Multihop {
		return MultihopPort
	}
	return SingleHopPort
}

// near is whether a packet with this TTL comes from near enough: with the
// defaults of IPv4 the check of RFC 5881 5, that nobody but a neighbour on the
// link can have sent it.
func (p Peering) near(ttl int) bool { return p.MaxHops < 0 || ttl >= p.TTL-p.MaxHops }

// same says whether a session configured so goes on as one that was configured
// as old.
func (p Peering) same(old Peering) bool {
	return p.Name == old.Name && p.Neighbour == old.Neighbour && p.Source == old.Source && p.Multihop == old.Multihop
}

// Event is a session's change of state, or trouble with its sockets.
type Event struct {
	Name string
	// Changed is nil where Err tells of trouble; a nil Err then is its end.
	Changed *Changed
	Err     error
}

// Counters are a session's packets.
type Counters struct {
	Sent       uint64 `json:"sent"`
	SendErrors uint64 `json:"send_errors,omitempty"`
	Received   uint64 `json:"received"`
	// TooFar counts packets that came with too low a TTL.
	TooFar uint64 `json:"too_far,omitempty"`
}

// PeeringStatus is a session as it stands.
type PeeringStatus struct {
	Peering
	Status
	Counters
}

// Speaker runs sessions. Its methods are safe for use by several goroutines.
type Speaker struct {
	wire    wire
	handler func(Event)
	kick    chan struct{}

	mu sync.Mutex
	// wanted is what Apply gave last; the loop takes it over.
	wanted  []Peering
	changed bool
	runs    []*run
	// invalid counts packets that Parse refused, strange those for no session.
	invalid, strange uint64

	// These are the loop's own.
	ears map[ear]*listener
	out  []Output
	buf  []byte
}

// run is one session with its sending socket.
type run struct {
	peering  Peering
	session  *Session
	sender   sender
	counters Counters
	// trouble is set while the socket cannot be had.
	trouble bool
}

// ear is a place to listen at.
type ear struct {
	port uint16
	ipv6 bool
}

// listener is an open ear, or the reason why it is not.
type listener struct {
	receiver receiver
	err      error
	retry    time.Time
}

// datagram is a packet as it came.
type datagram struct {
	from netip.Addr
	ttl  int
	port uint16
	data []byte
}

// retryDelay is the pause before a socket that could not be opened is tried again.
const retryDelay = time.Second

// NewSpeaker returns a Speaker whose sessions run once Run is called. The handler
// gets every event in order, from one goroutine, on which the packets wait: it
// must not block. It may call the Speaker.
func NewSpeaker(handler func(Event)) *Speaker { return newSpeaker(hostWire{}, handler) }

func newSpeaker(w wire, handler func(Event)) *Speaker {
	return &Speaker{wire: w, handler: handler, kick: make(chan struct{}, 1), ears: map[ear]*listener{}}
}

// Apply makes these the sessions that run. One with the name and the ends of a
// session that runs already goes on; the others are ended or begin. It does not
// wait.
func (s *Speaker) Apply(peerings []Peering) {
	s.mu.Lock()
	s.wanted, s.changed = peerings, true
	s.mu.Unlock()
	s.wake()
}

// Status returns the sessions in the order of Apply.
func (s *Speaker) Status() []PeeringStatus {
	s.mu.Lock()
	defer s.mu.Unlock()
	out := make([]PeeringStatus, 0, len(s.runs))
	for _, r := range s.runs {
		out = append(out, PeeringStatus{Peering: r.peering, Status: r.session.Status(), Counters: r.counters})
	}
	return out
}

// Run runs the sessions until ctx is done, then tells each neighbour of the end
// and returns ctx's error.
func (s *Speaker) Run(ctx context.Context) error {
	timer := time.NewTimer(0)
	defer timer.Stop()
	for ctx.Err() == nil {
		events, next := s.turn(time.Now())
		for _, e := range events {
			s.handler(e)
		}
		wait := time.Hour
		if !next.IsZero() {
			wait = max(time.Until(next), 0)
		}
		timer.Reset(wait)
		select {
		case <-ctx.Done():
		case <-timer.C:
		case <-s.kick:
		}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, r := range s.runs {
		// Nobody is left who would be told.
		s.end(time.Now(), r, nil)
	}
	s.runs = nil
	for k, l := range s.ears {
		if l.receiver != nil {
			l.receiver.close()
		}
		delete(s.ears, k)
	}
	return ctx.Err()
}

// turn does all that is to be done now: what has come is heard before any session
// is found silent, also where this goroutine was late. It returns what there is
// to report and when the next turn is due.
func (s *Speaker) turn(now time.Time) (events []Event, next time.Time) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.changed {
		events = s.replace(now, events)
	}
	earliest := func(t time.Time) {
		if !t.IsZero() && (next.IsZero() || t.Before(next)) {
			next = t
		}
	}
	for k, l := range s.ears {
		if l.receiver == nil && !now.Before(l.retry) {
			events = s.listen(now, k, l, events)
		}
		if l.receiver == nil {
			earliest(l.retry)
			continue
		}
		for _, d := range l.receiver.take() {
			events = s.receive(now, d, events)
		}
	}
	for _, r := range s.runs {
		if d := r.session.Deadline(); !d.IsZero() && !now.Before(d) {
			events = s.step(now, r, TimerFired{Random: rand.Float64()}, events)
		}
		earliest(r.session.Deadline())
	}
	return events, next
}

// replace puts the wanted sessions in the place of those that run, and opens and
// closes ears for them. The lock is held.
func (s *Speaker) replace(now time.Time, events []Event) []Event {
	old := s.runs
	s.runs, s.changed = nil, false
	kept := map[*run]bool{}
	needed := map[ear]bool{}
	for _, p := range s.wanted {
		needed[ear{p.port(), p.Neighbour.Is6()}] = true
		r := findRun(old, p)
		if r == nil || kept[r] {
			p.Local = s.discriminator()
			r = &run{peering: p, session: NewSession(p.Config)}
			events = s.step(now, r, Start{}, events)
		} else {
			kept[r] = true
			p.Local = r.peering.Local
			if p.TTL != r.peering.TTL && r.sender != nil {
				r.sender.close()
				r.sender = nil
			}
			r.peering = p
			events = s.step(now, r, Reconfigure{p.Config}, events)
		}
		s.runs = append(s.runs, r)
	}
	for _, r := range old {
		if !kept[r] {
			events = s.end(now, r, events)
		}
	}
	for k, l := range s.ears {
		if !needed[k] {
			if l.receiver != nil {
				l.receiver.close()
			}
			delete(s.ears, k)
		}
	}
	for k := range needed {
		if s.ears[k] == nil {
			s.ears[k] = &listener{}
		}
	}
	return events
}

func findRun(runs []*run, p Peering) *run {
	for _, r := range runs {
		if p.same(r.peering) {
			return r
		}
	}
	return nil
}

// discriminator is a number that no session has.
func (s *Speaker) discriminator() uint32 {
	for {
		d := rand.Uint32()
		taken := d == 0
		for _, r := range s.runs {
			taken = taken || r.peering.Local == d
		}
		if !taken {
			return d
		}
	}
}

// end tells the neighbour that the session ends.
func (s *Speaker) end(now time.Time, r *run, events []Event) []Event {
	events = s.step(now, r, Shutdown{}, events)
	if r.sender != nil {
		r.sender.close()
		r.sender = nil
	}
	return events
}

// listen opens an ear.
func (s *Speaker) listen(now time.Time, k ear, l *listener, events []Event) []Event {
	r, err := s.wire.listen(k.port, k.ipv6, s.wake)
	if err == nil {
		if l.err != nil {
			events = append(events, Event{})
		}
		l.receiver, l.err = r, nil
		return events
	}
	l.retry = now.Add(retryDelay)
	if l.err == nil {
		events = append(events, Event{Err: err})
	}
	l.err = err
	return events
}

// receive hands a packet to the session that it is for (RFC 5880 6.8.6): by our
// discriminator, where it says it, and by its sender.
func (s *Speaker) receive(now time.Time, d datagram, events []Event) []Event {
	p, err := Parse(d.data)
	if err != nil {
		s.invalid++
		return events
	}
	for _, r := range s.runs {
		if r.peering.Neighbour != d.from || r.peering.port() != d.port || p.Yours != 0 && p.Yours != r.peering.Local {
			continue
		}
		if !r.peering.near(d.ttl) {
			r.counters.TooFar++
			return events
		}
		r.counters.Received++
		return s.step(now, r, Received{p}, events)
	}
	s.strange++
	return events
}

// step gives a session an input and carries out what it answers.
func (s *Speaker) step(now time.Time, r *run, in Input, events []Event) []Event {
	s.out = r.session.Step(now, in, s.out[:0])
	for _, o := range s.out {
		switch o := o.(type) {
		case Send:
			events = s.send(r, o.Packet, events)
		case Changed:
			events = append(events, Event{Name: r.peering.Name, Changed: &o})
		}
	}
	return events
}

// send puts a packet on the wire. Where there is no socket yet, because the
// source address is not there, it is tried again with the next packet.
func (s *Speaker) send(r *run, p Packet, events []Event) []Event {
	if r.sender == nil {
		sender, err := s.wire.dial(r.peering)
		if err != nil {
			r.counters.SendErrors++
			if !r.trouble {
				events = append(events, Event{Name: r.peering.Name, Err: fmt.Errorf("bfd session %s: %w", r.peering.Name, err)})
			}
			r.trouble = true
			return events
		}
		if r.trouble {
			events = append(events, Event{Name: r.peering.Name})
		}
		r.sender, r.trouble = sender, false
	}
	s.buf = p.Append(s.buf[:0])
	if err := r.sender.send(s.buf); err != nil {
		r.counters.SendErrors++
		if errors.Is(err, errStale) {
			r.sender.close()
			r.sender = nil
		}
		return events
	}
	r.counters.Sent++
	return events
}

func (s *Speaker) wake() {
	select {
	case s.kick <- struct{}{}:
	default:
	}
}
