//go:build kernel

package track

import (
	"fmt"
	"os"
	"runtime"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// TestProcessesByTheConnector is told by the kernel of each process: also of one
// that lives for less than any look at all of them could find.
func TestProcessesByTheConnector(t *testing.T) {
	p := life(t, fmt.Sprintf("tnd%dconn", os.Getpid()), openConnector)
	if !p.listening() {
		t.Fatal("the kernel does not tell")
	}
	path := program(t, fmt.Sprintf("tnd%dfast", os.Getpid()))
	q, expect := counting(t, openConnector, ProcessConfig{Name: "q", Process: path, FullCommand: true, Quorum: 1, QuorumMax: -1})
	expect("none", false, 0)
	for deadline := time.Now().Add(time.Minute); !q.listening(); time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatal("the kernel does not tell")
		}
	}
	// One that a busy machine lets us look at only when it has gone is nobody's.
	for noticed, tries := 0, 0; noticed < 10; tries++ {
		if tries == 100 {
			t.Fatalf("%d of %d were noticed", noticed, tries)
		}
		before := q.Status()[0].Since
		check(t, spawn(t, path, "0.02").Wait())
		for end := time.Now().Add(time.Second); q.Status()[0].Since.Equal(before) && time.Now().Before(end); {
			time.Sleep(time.Millisecond)
		}
		if !q.Status()[0].Since.Equal(before) {
			expect("began", true, 1)
			expect("ended", false, 0)
			noticed++
		}
	}
}

// TestConnectorIsRefusedInANamespace: the error says so, and nothing hangs.
func TestConnectorIsRefusedInANamespace(t *testing.T) {
	done := make(chan error)
	go func() {
		// The thread is of no use to anybody afterwards, and ends with the goroutine.
		runtime.LockOSThread()
		err := unix.Unshare(unix.CLONE_NEWNET)
		if err == nil {
			var c *connector
			if c, err = openConnector(); c != nil {
				c.close()
			}
		}
		done <- err
	}()
	if err := <-done; err == nil {
		t.Fatal("the kernel tells of processes in a network namespace")
	}
}
