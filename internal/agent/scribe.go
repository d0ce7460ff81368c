package agent

import (
	"context"
	"sync"
	"time"

	"github.com/tandem-ha/tandem/internal/host"
)

// stampRest is how old what is in the file may be before the moments of adverts are
// written again: those of many instances are written together, and in a turn of the
// loop that has something else to do, if there is one before twice that.
const stampRest = 100 * time.Millisecond

// writeLimit is how long an order waits for the disk.
const writeLimit = 2 * time.Second

// scribe writes to files what the elector wants remembered: a disk may take its
// time, and the loop must not wait for it.
type scribe struct {
	record *host.Record
	mu     sync.Mutex
	jobs   []func()
	// stamps says that the moments of adverts are to be written.
	stamps bool
	wake   chan struct{}
	// failed is called with the error of writing stamps.
	failed func(error)

	// marked belong to the loop: whether there are moments that are not to be
	// written yet, whether they must not wait, and when it was last said that they
	// be written.
	marked, urgent bool
	told           time.Time
}

func newScribe(r *host.Record, failed func(error)) *scribe {
	return &scribe{record: r, wake: make(chan struct{}, 1), failed: failed}
}

// mark has the moment of an advert noted. It is called by the loop, as clear, turn
// and next are.
func (s *scribe) mark(st host.Stamp, sent time.Time) {
	st.Mark(sent)
	s.marked = true
}

// clear has the moment of the last advert forgotten.
func (s *scribe) clear(st host.Stamp) {
	st.Clear()
	s.marked, s.urgent = true, true
}

// turn ends a turn of the loop.
func (s *scribe) turn(now time.Time) {
	if !s.marked || !s.urgent && now.Sub(s.told) < stampRest {
		return
	}
	s.marked, s.urgent, s.told = false, false, now
	s.mu.Lock()
	s.stamps = true
	s.mu.Unlock()
	s.kick()
}

// next is when the loop has to have another turn for what is marked; zero for never.
func (s *scribe) next() time.Time {
	if !s.marked {
		return time.Time{}
	}
	return s.told.Add(2 * stampRest)
}

// write has a job done, after those given before.
func (s *scribe) write(job func()) {
	s.mu.Lock()
	s.jobs = append(s.jobs, job)
	s.mu.Unlock()
	s.kick()
}

// written waits until the jobs given so far have been done: what an order leaves for
// the next start is there once the order is answered. A disk that is stuck holds no
// answer up for longer than the limit.
func (s *scribe) written(limit time.Duration) {
	done := make(chan struct{})
	s.write(func() { close(done) })
	late := time.NewTimer(limit)
	defer late.Stop()
	select {
	case <-done:
	case <-late.C:
	}
}

func (s *scribe) kick() {
	select {
	case s.wake <- struct{}{}:
	default:
	}
}

// run writes until ctx is done, and then what is still to be written.
func (s *scribe) run(ctx context.Context) {
	for {
		select {
		case <-s.wake:
			s.do()
		case <-ctx.Done():
			s.mu.Lock()
			s.stamps = true
			s.mu.Unlock()
			s.do()
			return
		}
	}
}

func (s *scribe) do() {
	s.mu.Lock()
	jobs, stamps := s.jobs, s.stamps
	s.jobs, s.stamps = nil, false
	s.mu.Unlock()
	for _, job := range jobs {
		job()
	}
	if !stamps {
		return
	}
	if err := s.record.WriteStamps(); err != nil {
		s.failed(err)
	}
}
