package control

import (
	"fmt"
	"sync"
)

// shared makes one answer for all who ask while another is being made: a crowd
// that asks for the status costs the agent one status at a time.
type shared struct {
	make func() ([]byte, error)

	mu      sync.Mutex
	running bool
	next    *batch
}

// batch is an answer that is yet to be begun, and who waits for it.
type batch struct {
	done chan struct{}
	body []byte
	err  error
}

// get returns an answer that was begun after the call.
func (s *shared) get() ([]byte, error) {
	s.mu.Lock()
	if s.next == nil {
		s.next = &batch{done: make(chan struct{})}
	}
	b := s.next
	if !s.running {
		s.running = true
		go s.run()
	}
	s.mu.Unlock()
	<-b.done
	return b.body, b.err
}

func (s *shared) run() {
	for {
		s.mu.Lock()
		b := s.next
		s.next = nil
		s.running = b != nil
		s.mu.Unlock()
		if b == nil {
			return
		}
		s.answer(b)
	}
}

func (s *shared) answer(b *batch) {
	defer close(b.done)
	defer func() {
		if p := recover(); p != nil {
			b.err = fmt.Errorf("internal error: %v", p)
		}
	}()
	b.body, b.err = s.make()
}
