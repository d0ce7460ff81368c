package daemon

import (
	"bytes"
	"context"
	"os"
	"os/signal"
	"strconv"
	"time"

	"golang.org/x/sys/unix"
)

// reapInterval bounds how long an orphan stays whose end was signalled together
// with that of another.
const reapInterval = 5 * time.Second

// Reap takes leave of ended processes whose parents have gone before them, until
// ctx is done. The kernel gives them to process 1, which a program is in a
// container of its own; each would stay in the table of processes for ever. Own
// says which children somebody else waits for.
func Reap(ctx context.Context, own func(pid int) bool) {
	ended := make(chan os.Signal, 1)
	signal.Notify(ended, unix.SIGCHLD)
	defer signal.Stop(ended)
	tick := time.NewTicker(reapInterval)
	defer tick.Stop()
	for {
		for _, pid := range endedChildren() {
			if !own(pid) {
				// That it is gone already is just as well.
				_, _ = unix.Wait4(pid, nil, unix.WNOHANG, nil)
			}
		}
		select {
		case <-ctx.Done():
			return
		case <-ended:
		case <-tick.C:
		}
	}
}

// endedChildren are the children of this process that have ended and that nobody
// has waited for yet.
func endedChildren() []int {
	entries, err := os.ReadDir("/proc")
	if err != nil {
		return nil
	}
	var out []int
	for _, e := range entries {
		pid, err := strconv.Atoi(e.Name())
		if err != nil {
			continue
		}
		stat, err := os.ReadFile("/proc/" + e.Name() + "/stat")
		if err != nil {
			continue
		}
		// proc(5): the name, in parentheses, can hold anything; state and parent
		// come after it.
		f := bytes.Fields(stat[bytes.LastIndexByte(stat, ')')+1:])
		if len(f) > 1 && string(f[0]) == "Z" && string(f[1]) == strconv.Itoa(os.Getpid()) {
			out = append(out, pid)
		}
	}
	return out
}
