package journal

import "sync/atomic"

// Subscription is a follower's own bounded queue of events.
type Subscription struct {
	journal *Journal
	events  chan Event
	dropped atomic.Uint64
}

// Subscribe returns the kept events with a Seq above after, oldest first, and a
// Subscription to every later one, none lost or repeated between the two. It
// queues up to size events; what comes while the queue is full is dropped and
// counted, and shows as a gap in Seq. The caller closes it.
func (j *Journal) Subscribe(after uint64, size int) ([]Event, *Subscription) {
	j.mu.Lock()
	defer j.mu.Unlock()
	s := &Subscription{journal: j, events: make(chan Event, max(size, 1))}
	if j.followers == nil {
		j.followers = make(map[*Subscription]struct{})
	}
	j.followers[s] = struct{}{}
	return j.kept(after), s
}

// Events delivers the events; Close closes it.
func (s *Subscription) Events() <-chan Event { return s.events }

// Dropped returns how many events found the queue full.
func (s *Subscription) Dropped() uint64 { return s.dropped.Load() }

// Close ends the subscription. What is queued can still be read. Closing twice
// is allowed.
func (s *Subscription) Close() {
	s.journal.mu.Lock()
	defer s.journal.mu.Unlock()
	if _, open := s.journal.followers[s]; open {
		delete(s.journal.followers, s)
		close(s.events)
	}
}

// offer queues e without waiting.
func (s *Subscription) offer(e Event) {
	select {
	case s.events <- e:
	default:
		s.dropped.Add(1)
	}
}
