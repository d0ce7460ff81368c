package sched

import (
	"errors"
	"fmt"
	"os"
	"runtime"
	"strconv"
	"sync"
	"time"

	"golang.org/x/sys/unix"
)

// Keeper keeps the scheduling of this process. Its methods are safe for use by
// several goroutines.
type Keeper struct {
	// own is how the process was started: what its children get.
	own attributes

	mu      sync.RWMutex
	policy  Policy
	wanted  attributes
	changed bool
	locked  bool
	// raised is the real time priority that late wake-ups have led to.
	raised int
	// overran is set once a warning of the kernel was told.
	overran bool
}

// attributes are what a thread has of its own, and the limit of the process.
type attributes struct {
	class    uint32
	priority int
	nice     int
	cpus     unix.CPUSet
	limit    unix.Rlimit
}

// New returns a Keeper that changes nothing yet. It is to be made before
// anything else changes the scheduling of the process.
func New() (*Keeper, error) {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	own, err := current()
	if err != nil {
		return nil, fmt.Errorf("scheduling of this process: %w", err)
	}
	return &Keeper{own: own, wanted: own}, nil
}

// current reads the attributes of the calling thread.
func current() (attributes, error) {
	var a attributes
	s, err := unix.SchedGetAttr(0, 0)
	if err != nil {
		return a, fmt.Errorf("read the policy: %w", err)
	}
	a.class, a.priority, a.nice = s.Policy, int(s.Priority), int(s.Nice)
	if s.Policy != unix.SCHED_NORMAL && s.Policy != unix.SCHED_BATCH {
		// The kernel does not tell it in real time.
		n, err := unix.Getpriority(unix.PRIO_PROCESS, 0)
		if err != nil {
			return a, fmt.Errorf("read the nice value: %w", err)
		}
		a.nice = 20 - n
	}
	if err := unix.SchedGetaffinity(0, &a.cpus); err != nil {
		return a, fmt.Errorf("read the CPUs: %w", err)
	}
	if err := unix.Getrlimit(unix.RLIMIT_RTTIME, &a.limit); err != nil {
		return a, fmt.Errorf("read the limit of real time: %w", err)
	}
	return a, nil
}

// Apply gives the process a policy: every thread that there is, and, since a
// thread begins as the one that made it, every later one. What cannot be done
// is in the error, and does not keep the rest from being done.
func (k *Keeper) Apply(p Policy) error {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.policy, k.overran = p, false
	return k.apply()
}

// apply puts the policy, and what late wake-ups have added, in force.
func (k *Keeper) apply() error {
	p := k.policy
	want := k.own
	if p.Nice != nil {
		want.nice = *p.Nice
	}
	if priority := max(p.RealTime, k.raised); priority > 0 {
		want.class, want.priority = unix.SCHED_RR, priority
		if limit := p.RealTimeLimit; limit > 0 {
			want.limit.Cur = min(uint64(limit/time.Microsecond), k.own.limit.Max)
		}
	}
	var errs []error
	if len(p.CPUs) > 0 {
		cpus, err := k.among(p.CPUs)
		if err != nil {
			errs = append(errs, err)
		} else {
			want.cpus = cpus
		}
	}
	if p.NoSwap != k.locked {
		if err := lockMemory(p.NoSwap); err != nil {
			errs = append(errs, err)
		} else {
			k.locked = p.NoSwap
		}
	}
	if want == k.wanted {
		return errors.Join(errs...)
	}
	rebound := want.cpus != k.wanted.cpus
	k.wanted, k.changed = want, want != k.own
	if err := unix.Setrlimit(unix.RLIMIT_RTTIME, &want.limit); err != nil {
		errs = append(errs, fmt.Errorf("limit real time: %w", err))
	}
	errs = append(errs, everyThread(want.giveTo))
	if rebound {
		// As many goroutines at once as there are CPUs for them.
		runtime.SetDefaultGOMAXPROCS()
	}
	return errors.Join(errs...)
}

// among is the set of those CPUs that the process may have at all.
func (k *Keeper) among(cpus []int) (unix.CPUSet, error) {
	var set unix.CPUSet
	for _, c := range cpus {
		if k.own.cpus.IsSet(c) {
			set.Set(c)
		}
	}
	if set.Count() == 0 {
		return set, fmt.Errorf("bind to CPUs %v: this process may use none of them", cpus)
	}
	return set, nil
}

// giveTo gives a thread the attributes; 0 is the calling one.
func (a attributes) giveTo(thread int) error {
	attr := &unix.SchedAttr{Size: unix.SizeofSchedAttr, Policy: a.class, Priority: uint32(a.priority), Nice: int32(a.nice)}
	if err := unix.SchedSetAttr(thread, attr, 0); err != nil {
		return fmt.Errorf("set the policy: %w", err)
	}
	if a.class == unix.SCHED_RR || a.class == unix.SCHED_FIFO {
		// It counts once real time has ended, and shows in ps.
		if err := unix.Setpriority(unix.PRIO_PROCESS, thread, a.nice); err != nil {
			return fmt.Errorf("set the nice value: %w", err)
		}
	}
	if err := unix.SchedSetaffinity(thread, &a.cpus); err != nil {
		return fmt.Errorf("bind to CPUs: %w", err)
	}
	return nil
}

// everyThread calls do for every thread of the process until there is none that
// it was not called for: one that was made meanwhile may have been made by one
// that was not reached yet.
func everyThread(do func(thread int) error) error {
	done := map[int]bool{}
	for {
		entries, err := os.ReadDir("/proc/self/task")
		if err != nil {
			return fmt.Errorf("list the threads: %w", err)
		}
		found := false
		for _, e := range entries {
			id, err := strconv.Atoi(e.Name())
			if err != nil || done[id] {
				continue
			}
			done[id], found = true, true
			if err := do(id); err != nil && !errors.Is(err, unix.ESRCH) {
				return fmt.Errorf("schedule thread %d: %w", id, err)
			}
		}
		if !found {
			return nil
		}
	}
}

// Child calls start, which starts another program, with the scheduling that
// this process was started with: the program inherits from the thread that
// starts it. The calling goroutine must be locked to its thread, so that the
// runtime makes no thread of its own from this one meanwhile.
func (k *Keeper) Child(start func() error) error {
	k.mu.RLock()
	if !k.changed {
		defer k.mu.RUnlock()
		return start()
	}
	k.mu.RUnlock()
	k.mu.Lock()
	defer k.mu.Unlock()
	if err := k.own.giveTo(0); err != nil {
		return fmt.Errorf("start as this process was started: %w", err)
	}
	limited := k.wanted.limit != k.own.limit
	var errs []error
	if limited {
		// This limit belongs to the process: for the moment nothing limits it.
		errs = append(errs, unix.Setrlimit(unix.RLIMIT_RTTIME, &k.own.limit))
	}
	errs = append(errs, start())
	if limited {
		errs = append(errs, unix.Setrlimit(unix.RLIMIT_RTTIME, &k.wanted.limit))
	}
	return errors.Join(append(errs, k.wanted.giveTo(0))...)
}

// SetName gives the process a name for ps and pgrep, cut by the kernel to 15
// bytes.
func SetName(name string) error {
	// That of the first thread is the process's.
	path := fmt.Sprintf("/proc/self/task/%d/comm", os.Getpid())
	if err := os.WriteFile(path, []byte(name), 0); err != nil {
		return fmt.Errorf("name this process %s: %w", name, err)
	}
	return nil
}
