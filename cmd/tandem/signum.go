package main

import (
	"fmt"
	"syscall"

	"golang.org/x/sys/unix"
)

// The real-time signals that keepalived uses, with the C library's numbers:
// SIGRTMIN is 34, SIGRTMAX 64.
const (
	signalJSON       = syscall.Signal(36) // SIGRTMIN+2
	signalStatsClear = syscall.Signal(63) // SIGRTMAX-1
)

// signalNames are the names that --signum knows.
func signalNames() map[string]syscall.Signal {
	return map[string]syscall.Signal{
		"STOP":        unix.SIGTERM,
		"RELOAD":      unix.SIGHUP,
		"DATA":        unix.SIGUSR1,
		"STATS":       unix.SIGUSR2,
		"STATS_CLEAR": signalStatsClear,
		"JSON":        signalJSON,
	}
}

// signum prints the number of the signal of that name.
func (p *program) signum(name string) int {
	s, ok := signalNames()[name]
	if !ok {
		fmt.Fprintf(p.stderr, "Unknown sigfunc %s\n", name)
		return exitFatal
	}
	fmt.Fprintln(p.stdout, int(s))
	return exitOK
}
