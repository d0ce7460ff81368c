package health

import (
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"
)

// last is a check that is made only when the test says so.
type last struct {
	fake
	made func()
}

func (l last) Traits() Traits {
	l.made()
	return Traits{}
}

// Of many services that are new the pools of the first are heard of while the last
// is made, and nothing is told of before all are.
func TestSchedulerTellsWhileItMakes(t *testing.T) {
	heard := make(chan struct{})
	var (
		once  sync.Once
		mu    sync.Mutex
		lines []string
		total = 4 * portion
	)
	s := NewScheduler(func(service string, o Output) {
		mu.Lock()
		defer mu.Unlock()
		if _, is := o.(PoolChanged); is {
			lines = append(lines, "pool of "+service)
			once.Do(func() { close(heard) })
		} else if text := Text(service, o); strings.HasPrefix(text, "Gained quorum") {
			lines = append(lines, text)
		}
	})
	end := begin(s)
	defer end()
	services := make([]ServiceConfig, total)
	for i := range services {
		services[i] = fakeService(fmt.Sprintf("s%03d", i))
	}
	waited := check(func(c *CheckConfig) {
		c.Check = last{fake{run: hang}, func() {
			select {
			case <-heard:
			case <-time.After(time.Minute):
				t.Error("nothing was heard while services were made")
			}
		}}
		c.Alpha = false
	})
	services[total-1] = fakeService("last", waited)
	s.Apply(services)

	deadline := time.Now().Add(time.Minute)
	for {
		mu.Lock()
		n := len(lines)
		mu.Unlock()
		if n == 2*total {
			break
		}
		if time.Now().After(deadline) {
			t.Fatalf("%d lines, want %d", n, 2*total)
		}
		time.Sleep(time.Millisecond)
	}
	for i, line := range lines {
		if pool := strings.HasPrefix(line, "pool of "); pool != (i < total) {
			t.Fatalf("line %d is %q, of %d pools", i, line, total)
		}
	}
	if got := len(s.Status()); got != total {
		t.Errorf("%d services, want %d", got, total)
	}
}

// A scheduler that ends while services are made tells of those that were, and makes
// no others.
func TestSchedulerEndsWhileItMakes(t *testing.T) {
	heard, more := make(chan struct{}), 0
	var once sync.Once
	gained, lost := map[string]bool{}, map[string]bool{}
	s := NewScheduler(func(service string, o Output) {
		once.Do(func() { close(heard) })
		switch o.(type) {
		case QuorumGained:
			gained[service] = true
		case QuorumEnded:
			lost[service] = true
		}
	})
	end := begin(s)
	services := make([]ServiceConfig, 4*portion)
	for i := range services {
		services[i] = fakeService(fmt.Sprintf("s%03d", i))
	}
	services[portion] = fakeService("ends", check(func(c *CheckConfig) {
		c.Check = last{fake{run: hang}, func() { <-heard; end() }}
	}))
	services[2*portion] = fakeService("more", check(func(c *CheckConfig) {
		c.Check = last{fake{run: hang}, func() { more++ }}
	}))
	s.Apply(services)
	if len(gained) != portion || more > 0 {
		t.Errorf("%d of %d were begun, %d of those after the end", len(gained), portion, more)
	}
	for name := range gained {
		if !lost[name] {
			t.Errorf("%s has not ended", name)
		}
	}
}
