package track

import (
	"context"
	"errors"
	"fmt"
	"os"
	"testing"
	"time"
)

// counting starts a Processes that opens the kernel's connector as given, and
// returns a function that waits for the next change.
func counting(t *testing.T, open func() (*connector, error), configs ...ProcessConfig) (*Processes, func(what string, up bool, n int)) {
	t.Helper()
	changes := make(chan ProcessChange, 100)
	p := NewProcesses(func(c ProcessChange) { changes <- c })
	p.open = open
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- p.Run(ctx) }()
	t.Cleanup(func() {
		cancel()
		<-done
	})
	p.Apply(configs)
	return p, func(what string, up bool, n int) {
		t.Helper()
		select {
		case c := <-changes:
			if c.Up != up || c.Count != n {
				t.Fatalf("%s: %+v, want %v with %d", what, c, up, n)
			}
		case <-time.After(time.Minute):
			t.Fatalf("%s: nothing; %+v", what, p.Status())
		}
	}
}

// life takes processes through what becomes of them.
func life(t *testing.T, name string, open func() (*connector, error)) *Processes {
	t.Helper()
	path := program(t, name)
	p, expect := counting(t, open, ProcessConfig{Name: "p", Process: path, Params: []string{"1000"}, FullCommand: true, Match: "exact", Quorum: 1, QuorumMax: -1})
	expect("none", false, 0)
	c := spawn(t, path, "1000")
	expect("one", true, 1)
	check(t, c.Process.Kill())
	expect("killed", false, 0)
	p.Apply(nil)
	if len(p.Status()) != 0 {
		t.Error("what is wanted no longer is still counted")
	}
	return p
}

// TestProcessesWithoutTheConnector looks at all processes where the kernel tells
// nothing, as in a namespace.
func TestProcessesWithoutTheConnector(t *testing.T) {
	life(t, fmt.Sprintf("tnd%dscan", os.Getpid()), func() (*connector, error) { return nil, errors.New("connection refused") })
}
