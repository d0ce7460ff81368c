package agent

import (
	"context"
	"sync"

	"github.com/tandem-ha/tandem/internal/host"
)

// scribe writes to files what the elector wants remembered: a disk may take its
// time, and the loop must not wait for it.
type scribe struct {
	mu    sync.Mutex
	marks map[*host.Stamp]bool
	jobs  []func()
	wake  chan struct{}
	// failed is called with the error of a stamp.
	failed func(error)

	// The scribe's goroutine's own, kept so that marking allocates nothing.
	taken map[*host.Stamp]bool
}

func newScribe(failed func(error)) *scribe {
	return &scribe{
		marks:  map[*host.Stamp]bool{},
		taken:  map[*host.Stamp]bool{},
		wake:   make(chan struct{}, 1),
		failed: failed,
	}
}

// stamp has the moment of an advert noted, or with sent false forgotten. Of
// several orders for one stamp the last counts.
func (s *scribe) stamp(st *host.Stamp, sent bool) {
	s.mu.Lock()
	s.marks[st] = sent
	s.mu.Unlock()
	s.kick()
}

// write has a job done, after those given before.
func (s *scribe) write(job func()) {
	s.mu.Lock()
	s.jobs = append(s.jobs, job)
	s.mu.Unlock()
	s.kick()
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
			s.turn()
		case <-ctx.Done():
			s.turn()
			return
		}
	}
}

func (s *scribe) turn() {
	s.mu.Lock()
	s.marks, s.taken = s.taken, s.marks
	jobs := s.jobs
	s.jobs = nil
	s.mu.Unlock()
	for st, sent := range s.taken {
		var err error
		if sent {
			err = st.Mark()
		} else {
			err = st.Clear()
		}
		if err != nil {
			s.failed(err)
		}
	}
	clear(s.taken)
	for _, job := range jobs {
		job()
	}
}
