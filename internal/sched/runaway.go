package sched

import (
	"context"
	"fmt"
	"os"
	"os/signal"
	"time"

	"golang.org/x/sys/unix"
)

const (
	// trial is how long a process is watched whose thread has exceeded the limit
	// of real time.
	trial = 2 * time.Second
	// runaway is the share of one CPU that a process in real time may not take
	// throughout a trial. One that spins has less than the whole where others are in
	// real time, too, or the CPU is a virtual one.
	runaway = 0.7
)

// Guard takes the kernel's warnings that a thread has run in real time for
// longer than its limit without a pause (getrlimit(2), RLIMIT_RTTIME), until ctx
// is done; without it the first of them ends the process. The collector of the
// runtime alone may run for longer than keepalived's ten milliseconds, so that
// one warning is told and no more. A process that goes on to take most of a
// CPU for two seconds has run away, and leaves real time until the next Apply.
func (k *Keeper) Guard(ctx context.Context, tell func(text string)) {
	warnings := make(chan os.Signal, 1)
	signal.Notify(warnings, unix.SIGXCPU)
	defer signal.Stop(warnings)
	for {
		select {
		case <-ctx.Done():
			return
		case <-warnings:
		}
		used, err := cpuTime()
		if err != nil {
			tell(err.Error())
			continue
		}
		k.warned(tell)
		select {
		case <-ctx.Done():
			return
		case <-time.After(trial):
		}
		now, err := cpuTime()
		if err == nil {
			err = k.judge(now-used, tell)
		}
		if err != nil {
			tell(err.Error())
		}
	}
}

// warned tells of the first warning since the last Apply.
func (k *Keeper) warned(tell func(string)) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.overran || k.wanted.class != unix.SCHED_RR {
		return
	}
	k.overran = true
	tell(fmt.Sprintf("a thread has run in real time for more than %v without a pause", k.limit()))
}

// judge ends real time for a process that has used so much in a trial, and
// otherwise sets the limit back, which the kernel moves with each warning.
func (k *Keeper) judge(used time.Duration, tell func(string)) error {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.wanted.class != unix.SCHED_RR {
		return nil
	}
	if used < time.Duration(runaway*float64(trial)) {
		return unix.Setrlimit(unix.RLIMIT_RTTIME, &k.wanted.limit)
	}
	k.policy.RealTime, k.raised = 0, 0
	err := k.apply()
	tell(fmt.Sprintf("%v of processor time in real time within %v is too much: going on without real time", used.Round(time.Millisecond), trial))
	return err
}

func (k *Keeper) limit() time.Duration {
	return time.Duration(k.wanted.limit.Cur) * time.Microsecond
}

// cpuTime is the processor time that this process has used.
func cpuTime() (time.Duration, error) {
	var t unix.Timespec
	if err := unix.ClockGettime(unix.CLOCK_PROCESS_CPUTIME_ID, &t); err != nil {
		return 0, fmt.Errorf("read this process's time: %w", err)
	}
	return time.Duration(t.Nano()), nil
}

// Raise is for a process that has woken up late: it raises the priority in real
// time by one, from none to 1, up to most (max_auto_priority). It returns the
// priority now, and whether that is news.
func (k *Keeper) Raise(most int) (priority int, raised bool, err error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	now := max(k.policy.RealTime, k.raised)
	if now >= most {
		return now, false, nil
	}
	k.raised = now + 1
	return k.raised, true, k.apply()
}
