package script

import (
	"golang.org/x/sys/unix"

	"github.com/tandem-ha/tandem/config"
)

// Environment answers what a configuration asks about this host, for
// config.Load. The network namespace is the calling thread's.
type Environment struct {
	// DefaultUser is who runs a command that names no user; empty as in Resolve.
	DefaultUser config.User
}

var _ config.Environment = Environment{}

// Interface reports whether a network interface of that name exists.
func (Environment) Interface(name string) bool {
	request, err := unix.NewIfreq(name)
	if err != nil {
		return false
	}
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return false
	}
	defer unix.Close(fd)
	return unix.IoctlIfreq(fd, unix.SIOCGIFINDEX, request) == nil
}

// Script says what keeps cmd from being run, or nil. The error is a *Fault.
func (e Environment) Script(cmd config.Command, security bool) error {
	_, err := Resolve(cmd, e.DefaultUser, security)
	return err
}
