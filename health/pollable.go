package health

import (
	"fmt"
	"io"
	"net/netip"
	"os"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// This file is one attempt of the poller's: what its socket tells, and what is said
// and heard on it.

// pollable is a check whose attempts the poller makes.
type pollable interface {
	Check
	// way is how to connect, nil where an attempt is not the poller's all the same.
	way() *connector
	// talk is what is said once that is done.
	talk(step int) dialogue
}

// connection is what the poller has of an attempt.
type connection struct {
	fd    int
	start time.Time
	// talk is what is said, nil while it connects; unsaid is what there was no room
	// for, and more is set where more was to be heard than was read in one go.
	talk   dialogue
	unsaid []byte
	more   bool
	// expires is when nothing has happened for too long.
	expires   time.Time
	number    int32
	heapIndex int
}

// patience is until when an attempt waits for what is next, from a moment on.
func (a *attempt) patience(from time.Time) time.Time {
	expires, limit := from.Add(a.check().way().cfg.Timeout), a.limit()
	if limit.Before(expires) {
		return limit
	}
	return expires
}

// limit is when an attempt has to have ended.
func (a *attempt) limit() time.Time { return a.start.Add(attemptLimit(a.order.Run)) }

// advance goes on with an attempt of whose socket the kernel tells something. It says
// whether there is more to come.
func (p *poller) advance(a *attempt, events uint32, now time.Time) bool {
	ending := events&(unix.POLLRDHUP|unix.POLLHUP|unix.POLLERR) != 0
	if a.talk == nil {
		if !p.connected(a, events&^unix.POLLOUT != 0, now) {
			return false
		}
		// Who speaks first may have spoken already: nothing tells of that again.
		if !ending && events&unix.POLLIN == 0 {
			return true
		}
	} else if err := a.speak(nil); err != nil {
		p.end(a, err, now)
		return false
	}
	for range swallow {
		n, err := readSocket(a.fd, p.heard[:])
		var say []byte
		over := false
		switch {
		case err == unix.EAGAIN:
			return true
		case err != nil:
			over, err = true, a.talk.ended(os.NewSyscallError("read", err))
		case n == 0:
			over, err = true, a.talk.ended(io.EOF)
		default:
			say, over, err = a.talk.hear(p.heard[:n])
		}
		if err != nil {
			err = a.explain(false, err)
		} else if len(say) > 0 {
			err = a.speak(say)
		}
		if over || err != nil {
			p.end(a, err, now)
			return false
		}
		if n < len(p.heard) && !ending {
			return true
		}
	}
	a.more = true
	return true
}

// connected begins what is said on a connection that the kernel has settled; doubtful
// is one that cannot merely be written to. It says whether there is more to come.
func (p *poller) connected(a *attempt, doubtful bool, now time.Time) bool {
	if err := a.outcome(doubtful); err != nil {
		p.end(a, err, now)
		return false
	}
	a.talk = a.check().talk(a.order.Step)
	say, over := a.talk.begin()
	err := a.speak(say)
	if over || err != nil {
		p.end(a, err, now)
		return false
	}
	return true
}

// speak says what is still to be said, and then more, as far as there is room.
func (a *attempt) speak(more []byte) error {
	if len(a.unsaid) == 0 {
		a.unsaid = more
	} else {
		a.unsaid = append(a.unsaid, more...)
	}
	for len(a.unsaid) > 0 {
		n, err := writeSocket(a.fd, a.unsaid)
		switch {
		case err == unix.EAGAIN:
			return nil
		case err != nil:
			return a.explain(true, os.NewSyscallError("write", err))
		}
		a.unsaid = a.unsaid[n:]
	}
	return nil
}

// explain says what went wrong while something was said, or heard.
func (a *attempt) explain(saying bool, err error) error {
	what, hearing := a.talk.names()
	if !saying {
		what = hearing
	}
	return explain(what, a.address(), a.check().way().cfg.Timeout, false, err)
}

// expire ends an attempt whose time is over.
func (p *poller) expire(a *attempt, now time.Time) {
	timeout := a.check().way().cfg.Timeout
	if a.talk == nil {
		p.end(a, fmt.Errorf("connect %s: %s after %s", a.address(), timedOut, timeout), now)
		return
	}
	what, hearing := a.talk.names()
	if len(a.unsaid) == 0 {
		what = hearing
	}
	p.end(a, explain(what, a.address(), timeout, !now.Before(a.limit()), os.ErrDeadlineExceeded), now)
}

// outcome is what became of a connection that the kernel has settled; doubtful is
// one that cannot merely be written to.
func (a *attempt) outcome(doubtful bool) error {
	if !doubtful {
		return nil
	}
	errno, err := unix.GetsockoptInt(a.fd, unix.SOL_SOCKET, unix.SO_ERROR)
	if err == nil && errno != 0 {
		err = syscall.Errno(errno)
	}
	if err != nil {
		return a.check().way().cfg.callError("connect", err)
	}
	return nil
}

// check is the check of an attempt that is the poller's.
func (a *attempt) check() pollable { return a.order.Run.(pollable) }

// address is where it connects to.
func (a *attempt) address() netip.AddrPort { return a.check().way().cfg.remote() }

// awaited are the events that an attempt waits for.
func (a *attempt) awaited() int16 {
	if a.talk == nil || len(a.unsaid) > 0 {
		return unix.POLLOUT
	}
	return unix.POLLIN | unix.POLLRDHUP
}
