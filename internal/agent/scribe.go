package agent

import (
	"context"
	"sync"
	"sync/atomic"
	"time"

	"github.com/tandem-ha/tandem/internal/host"
)

// stampRest is how old the moment of an advert may be before it is in the file:
// those of many instances are written together.
const stampRest = 50 * time.Millisecond

// scribe writes to files what the elector wants remembered: a disk may take its
// time, and the loop must not wait for it.
type scribe struct {
	record *host.Record
	mu     sync.Mutex
	jobs   []func()
	// wake tells of a job, or of a stamp while nobody looks for any.
	wake chan struct{}
	// looking is true while stamps are looked for from time to time.
	looking atomic.Bool
	// failed is called with the error of writing stamps.
	failed func(error)
}

func newScribe(r *host.Record, failed func(error)) *scribe {
	return &scribe{record: r, wake: make(chan struct{}, 1), failed: failed}
}

// stamp has the moment of an advert noted, the zero one forgotten.
func (s *scribe) stamp(st *host.Stamp, sent time.Time) {
	if sent.IsZero() {
		st.Clear()
	} else {
		st.Mark(sent)
	}
	if !s.looking.Swap(true) {
		s.kick()
	}
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
	look := time.NewTimer(0)
	defer look.Stop()
	looks := true
	for {
		select {
		case <-s.wake:
			s.do()
			if !looks && s.looking.Load() {
				looks = true
				look.Reset(0)
			}
		case <-look.C:
			// Whoever stamps after this Store kicks, and before it is written now.
			s.looking.Store(false)
			if looks = s.writeStamps(); looks {
				s.looking.Store(true)
				look.Reset(stampRest)
			}
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

// writeStamps says whether there were any stamps to be written.
func (s *scribe) writeStamps() bool {
	n, err := s.record.WriteStamps()
	if err != nil {
		s.failed(err)
	}
	return n > 0 || err != nil
}
