package host

import (
	"time"

	"golang.org/x/sys/unix"
)

// Uptime is for how long the host has been up, sleep included; 0 where the kernel does
// not tell.
func Uptime() time.Duration {
	var t unix.Timespec
	if err := unix.ClockGettime(unix.CLOCK_BOOTTIME, &t); err != nil {
		return 0
	}
	return time.Duration(t.Nano())
}
