package notify

import (
	"context"
	"errors"
	"fmt"
	"reflect"
	"sync"

	"github.com/hashicorp/go-hclog"

	"github.com/tandem-ha/tandem/config"
	"github.com/tandem-ha/tandem/health"
)

// Topic is what a line is about. It chooses the pipes that get it.
type Topic int

// The topics. The pipe of notify_fifo gets both.
const (
	TopicVRRP Topic = iota
	TopicLVS
)

// place is one of the three pipes that a configuration can name.
type place int

const (
	placeAll place = iota
	placeVRRP
	placeLVS
	places
)

// takes says whether the pipe at this place gets lines about a topic.
func (p place) takes(t Topic) bool {
	return p == placeAll || p == placeVRRP && t == TopicVRRP || p == placeLVS && t == TopicLVS
}

// FIFOSet is the pipes of the configuration in force.
type FIFOSet struct {
	exec Exec
	log  hclog.Logger

	mu   sync.Mutex
	open [places]*FIFO
}

// NewFIFOSet returns a set without pipes.
func NewFIFOSet(exec Exec, log hclog.Logger) *FIFOSet {
	return &FIFOSet{exec: exec, log: log}
}

// FIFOResolver finds who a pipe's user is and what its script's command runs.
type FIFOResolver struct {
	// User gives the numbers of a user, -1 for our own.
	User func(config.User) (uid, gid int, err error)
	// Script resolves a command.
	Script func(config.Command) (health.Script, error)
}

// FIFOConfigs resolves the pipes of a configuration, by place. One whose user is
// not there is left out, one whose script cannot be run has none; both are in
// the errors. Where notify_fifo has the name of another, the other is dropped.
func (r FIFOResolver) FIFOConfigs(f config.FIFOs) ([places]*FIFOConfig, []error) {
	var out [places]*FIFOConfig
	var errs []error
	for p, one := range [places]*config.FIFO{placeAll: f.All, placeVRRP: f.VRRP, placeLVS: f.LVS} {
		if one == nil || place(p) != placeAll && f.All != nil && f.All.Path == one.Path {
			continue
		}
		c := &FIFOConfig{Path: one.Path, UID: -1, GID: -1}
		if one.User.Name != "" {
			var err error
			if c.UID, c.GID, err = r.User(one.User); err != nil {
				errs = append(errs, fmt.Errorf("notify FIFO %s: %w", one.Path, err))
				continue
			}
		}
		if one.Script != nil {
			s, err := r.Script(*one.Script)
			if err != nil {
				errs = append(errs, fmt.Errorf("notify FIFO %s: %w", one.Path, err))
			} else {
				c.Reader = &s
			}
		}
		out[p] = c
	}
	return out, errs
}

// Apply makes these the pipes, in the order of FIFOConfigs. What stays the same
// stays open, its reader runs on; the rest is closed and opened.
func (s *FIFOSet) Apply(ctx context.Context, want [places]*FIFOConfig) []error {
	var errs []error
	for p := range want {
		s.mu.Lock()
		old := s.open[p]
		s.mu.Unlock()
		if old != nil && want[p] != nil && reflect.DeepEqual(old.conf, *want[p]) {
			continue
		}
		if old != nil {
			s.put(p, nil)
			if err := old.Close(ctx); err != nil {
				errs = append(errs, err)
			}
		}
		if want[p] == nil {
			continue
		}
		f, err := openFIFO(*want[p], s.exec, s.log)
		if err != nil {
			errs = append(errs, err)
			continue
		}
		s.put(p, f)
	}
	return errs
}

func (s *FIFOSet) put(p int, f *FIFO) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.open[p] = f
}

// Write writes a line to each pipe that takes the topic; "" is no line.
func (s *FIFOSet) Write(t Topic, line string) {
	if line == "" {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	for p, f := range s.open {
		if f != nil && place(p).takes(t) {
			f.Write(line)
		}
	}
}

// Status is the status of each pipe.
func (s *FIFOSet) Status() []FIFOStatus {
	s.mu.Lock()
	defer s.mu.Unlock()
	var out []FIFOStatus
	for _, f := range s.open {
		if f != nil {
			out = append(out, f.Status())
		}
	}
	return out
}

// Close closes every pipe; all of them together have as long as ctx.
func (s *FIFOSet) Close(ctx context.Context) error {
	s.mu.Lock()
	open := s.open
	s.open = [places]*FIFO{}
	s.mu.Unlock()
	errs := make([]error, len(open))
	var closing sync.WaitGroup
	for i, f := range open {
		if f != nil {
			closing.Go(func() { errs[i] = f.Close(ctx) })
		}
	}
	closing.Wait()
	return errors.Join(errs...)
}
