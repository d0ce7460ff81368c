package agent

import (
	"context"
	"sync"
	"time"

	"github.com/tandem-ha/tandem/internal/host"
)

// stampRest is how old the moment of an advert may be before it is in the file:
// those of many instances are written together.
const stampRest = 20 * time.Millisecond

// scribe writes to files what the elector wants remembered: a disk may take its
// time, and the loop must not wait for it.
type scribe struct {
	record *host.Record
	mu     sync.Mutex
	jobs   []func()
	// wake tells of a job, stamped of a stamp.
	wake, stamped chan struct{}
	// failed is called with the error of writing stamps.
	failed func(error)
}

func newScribe(r *host.Record, failed func(error)) *scribe {
	return &scribe{record: r, wake: make(chan struct{}, 1), stamped: make(chan struct{}, 1), failed: failed}
}

// stamp has the moment of an advert noted, or with sent false forgotten.
func (s *scribe) stamp(st *host.Stamp, sent bool) {
	if sent {
		st.Mark()
	} else {
		st.Clear()
	}
	kick(s.stamped)
}

// write has a job done, after those given before.
func (s *scribe) write(job func()) {
	s.mu.Lock()
	s.jobs = append(s.jobs, job)
	s.mu.Unlock()
	kick(s.wake)
}

func kick(c chan struct{}) {
	select {
	case c <- struct{}{}:
	default:
	}
}

// run writes until ctx is done, and then what is still to be written.
func (s *scribe) run(ctx context.Context) {
	stamped := s.stamped
	rest := time.NewTimer(0)
	defer rest.Stop()
	for {
		select {
		case <-s.wake:
			s.do()
		case <-stamped:
			s.writeStamps()
			stamped = nil
			rest.Reset(stampRest)
		case <-rest.C:
			stamped = s.stamped
		case <-ctx.Done():
			s.do()
			s.writeStamps()
			return
		}
	}
}

func (s *scribe) do() {
	s.mu.Lock()
	jobs := s.jobs
	s.jobs = nil
	s.mu.Unlock()
	for _, job := range jobs {
		job()
	}
}

func (s *scribe) writeStamps() {
	if err := s.record.WriteStamps(); err != nil {
		s.failed(err)
	}
}
