package script

import (
	"bytes"
	"context"
	"os"
	"strconv"
	"sync"
	"time"

	"golang.org/x/sys/unix"
)

// grace is how long a process group has between SIGTERM and SIGKILL; it is
// keepalived's value.
const grace = 2 * time.Second

// firstLook is when a group whose leader has gone is looked at for the second
// time; each later look takes twice as long to come.
const firstLook = 5 * time.Millisecond

// group is the process group of one running script.
type group struct {
	id int
	// grace is how long it has between SIGTERM and SIGKILL.
	grace time.Duration

	mu   sync.Mutex
	gone bool
	// ended is when SIGTERM was sent, zero while the script runs on its own.
	ended time.Time
}

func (g *group) leaderGone() {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.gone = true
}

// endWith ends the group when ctx is done, unless its leader is gone by then.
func (g *group) endWith(ctx context.Context, gone <-chan struct{}) {
	select {
	case <-gone:
		return
	case <-ctx.Done():
	}
	if !g.signal(unix.SIGTERM) {
		return
	}
	t := time.NewTimer(g.grace)
	defer t.Stop()
	select {
	case <-gone:
	case <-t.C:
		g.signal(unix.SIGKILL)
	}
}

// signal sends sig to the group if its leader has not ended, and says whether.
func (g *group) signal(sig unix.Signal) bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.gone {
		return false
	}
	if g.ended.IsZero() {
		g.ended = time.Now()
	}
	// The only fault left is that every member is another user's; nothing
	// more can be done about those.
	_ = unix.Kill(-g.id, sig)
	return true
}

// endRest gives what is left of the group after its leader the rest of the
// grace, then kills it.
func (g *group) endRest() {
	for pause := firstLook; g.alive(); pause *= 2 {
		left := time.Until(g.ended.Add(g.grace))
		if left <= 0 {
			_ = unix.Kill(-g.id, unix.SIGKILL)
			return
		}
		time.Sleep(min(pause, left))
	}
}

// alive says whether the group has a member that runs. One that has ended
// counts for kill until it is reaped, which not every init does soon.
func (g *group) alive() bool {
	if unix.Kill(-g.id, 0) != nil {
		return false
	}
	dirs, err := os.ReadDir("/proc")
	if err != nil {
		return true
	}
	for _, d := range dirs {
		if name := d.Name(); name[0] < '0' || name[0] > '9' {
			continue
		}
		stat, err := os.ReadFile("/proc/" + d.Name() + "/stat")
		if err != nil {
			continue
		}
		if state, id := parseStat(stat); id == g.id && state != "Z" && state != "X" {
			return true
		}
	}
	return false
}

// parseStat returns the state and the process group of a /proc/PID/stat (proc(5)).
// The name of the process stands before them, in parentheses, and can hold any.
func parseStat(stat []byte) (state string, group int) {
	fields := bytes.Fields(stat[bytes.LastIndexByte(stat, ')')+1:])
	if len(fields) < 3 {
		return "", 0
	}
	group, _ = strconv.Atoi(string(fields[2]))
	return string(fields[0]), group
}
