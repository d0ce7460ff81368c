// Package journal is the one account of what happened: every change of state
// is an Event here first, and log lines, notify scripts, FIFOs and metrics are
// made from Events. Nothing else keeps its own idea of what happened.
package journal

import (
	"sync"
	"time"
)

// Event is one thing that happened.
type Event struct {
	// Seq numbers the events from 1, on across processes as long as the store of
	// the earlier ones can be read.
	Seq  uint64    `json:"seq"`
	Time time.Time `json:"time"`
	// Kind is a short stable word: "state", "server-down", "reload", ...
	Kind  string `json:"kind"`
	Level Level  `json:"level"`
	// Area is the part of the program; Add fills it in from Data where it is
	// empty.
	Area Area `json:"area,omitempty"`
	// Subject is what it happened to: an instance, a group, a real server.
	Subject string `json:"subject,omitempty"`
	// Text is the line for people, in keepalived's wording where it has one.
	Text string `json:"text"`
	// Cause says why, with its numbers.
	Cause string `json:"cause,omitempty"`
	// By is who ordered it, where somebody did.
	By string `json:"by,omitempty"`
	// Data is the kind's own detail; it marshals to JSON. Sinks that act on an
	// event type-switch on it.
	Data any `json:"data,omitempty"`
}

// Sink receives every event in order. It must not block: what can block keeps
// its own queue.
type Sink func(Event)

// Journal numbers events, keeps the last ones and hands each to every sink.
type Journal struct {
	now  func() time.Time
	mu   sync.Mutex
	seq  uint64
	ring []Event
	size int
	next int
	out  []Sink

	followers map[*Subscription]struct{}
}

// New returns a journal that keeps the last size events and passes each new one
// to the sinks in the order given.
func New(size int, now func() time.Time, sinks ...Sink) *Journal {
	return &Journal{now: now, size: max(size, 1), out: sinks}
}

// Resume begins with events of earlier processes: they are kept like any other,
// and new ones are numbered on from them, or from last where that is higher. It is
// called before the first Add.
func (j *Journal) Resume(events []Event, last uint64) {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.seq = max(j.seq, last)
	for _, e := range events {
		j.keep(e)
		j.seq = max(j.seq, e.Seq)
	}
}

// keep puts an event into the ring.
func (j *Journal) keep(e Event) {
	if len(j.ring) < j.size {
		j.ring = append(j.ring, e)
		return
	}
	j.ring[j.next] = e
	j.next = (j.next + 1) % j.size
}

// Add records an event; its Seq, and its Time and Area where they are zero, are
// set here. Sinks are called before Add returns and must not call the journal.
func (j *Journal) Add(e Event) {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.seq++
	e.Seq = j.seq
	if e.Time.IsZero() {
		e.Time = j.now()
	}
	if e.Area == Main {
		e.Area = e.area()
	}
	j.keep(e)
	for _, s := range j.out {
		s(e)
	}
	for s := range j.followers {
		s.offer(e)
	}
}

// Events returns the kept events with a Seq above after, oldest first.
func (j *Journal) Events(after uint64) []Event {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.kept(after)
}

func (j *Journal) kept(after uint64) []Event {
	var out []Event
	for i := range j.ring {
		if e := j.ring[(j.next+i)%len(j.ring)]; e.Seq > after {
			out = append(out, e)
		}
	}
	return out
}
