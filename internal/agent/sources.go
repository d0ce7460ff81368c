package agent

import (
	"sync"

	"github.com/tandem-ha/tandem/health"
)

// sourceSet are values that checks follow, by name, each made when it is first
// asked for. The zero value is an empty set, for use by several goroutines.
type sourceSet struct {
	mu     sync.Mutex
	byName map[string]*health.Source
}

func (s *sourceSet) get(name string) *health.Source {
	s.mu.Lock()
	defer s.mu.Unlock()
	src := s.byName[name]
	if src == nil {
		src = health.NewSource(name)
		if s.byName == nil {
			s.byName = map[string]*health.Source{}
		}
		s.byName[name] = src
	}
	return src
}
