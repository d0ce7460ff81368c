package daemon

import (
	"context"
	"os"
	"strconv"
	"time"
)

// WatchdogInterval is how often the service manager wants to hear that the
// daemon is well (WATCHDOG_USEC of sd_watchdog_enabled(3)), and 0 where it does
// not ask, or asks another process.
func WatchdogInterval(getenv func(string) string) time.Duration {
	if pid := getenv("WATCHDOG_PID"); pid != "" && pid != strconv.Itoa(os.Getpid()) {
		return 0
	}
	usec, err := strconv.ParseInt(getenv("WATCHDOG_USEC"), 10, 64)
	if err != nil || usec <= 0 {
		return 0
	}
	return time.Duration(usec) * time.Microsecond
}

// Alive says that the daemon is well.
func (n Notifier) Alive() error { return n.send("WATCHDOG=1") }

// Watch asks well, each half interval until ctx is done, whether the daemon
// does what it is for, and tells the service manager as long as it does. Where
// there is no answer well returns false when its context ends, at the latest.
func (n Notifier) Watch(ctx context.Context, interval time.Duration, well func(context.Context) bool) error {
	tick := time.NewTicker(interval / 2)
	defer tick.Stop()
	for {
		limit, cancel := context.WithTimeout(ctx, interval)
		ok := well(limit)
		cancel()
		if ok {
			if err := n.Alive(); err != nil {
				return err
			}
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return nil
		}
	}
}
