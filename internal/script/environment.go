package script

import (
	"errors"
	"fmt"
	"io/fs"
	"net"
	"net/netip"

	"golang.org/x/sys/unix"

	"github.com/tandem-ha/tandem/config"
)

// Environment answers what a configuration asks about this host, for
// config.Load. The network namespace is the calling thread's.
type Environment struct {
	// DefaultUser is who runs a command that names no user; empty as in Resolve.
	DefaultUser config.User
}

var (
	_ config.UserEnvironment   = Environment{}
	_ config.SubnetEnvironment = Environment{}
	_ config.RiskEnvironment   = Environment{}
	_ config.MTUEnvironment    = Environment{}
)

// Interface reports whether a network interface of that name exists.
func (Environment) Interface(name string) bool {
	// The kernel takes "eth0:1" for eth0, and an alternative name for the name.
	answer := ask(name, unix.SIOCGIFINDEX, unix.SIOCGIFNAME)
	return answer != nil && answer.Name() == name
}

// MTU is the longest packet of an interface in bytes, 0 where it cannot be asked.
func (Environment) MTU(name string) int {
	answer := ask(name, unix.SIOCGIFMTU)
	if answer == nil {
		return 0
	}
	return int(answer.Uint32())
}

// ask asks the kernel about an interface, one question with the answer to the other,
// and returns nil where one of them has none.
func ask(name string, questions ...uint) *unix.Ifreq {
	request, err := unix.NewIfreq(name)
	if err != nil {
		return nil
	}
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return nil
	}
	defer unix.Close(fd)
	for _, q := range questions {
		if unix.IoctlIfreq(fd, q, request) != nil {
			return nil
		}
	}
	return request
}

// Script says what keeps cmd from being run, or nil. The error wraps a *Fault;
// it is an fs.ErrNotExist where there is no such script, and an
// fs.ErrPermission where it cannot be executed.
func (e Environment) Script(cmd config.Command, security bool) error {
	_, err := Resolve(cmd, e.DefaultUser, security)
	if errors.Is(err, ErrNotExecutable) {
		return notExecutable{err}
	}
	return err
}

// notExecutable is a fault of a script that its user may not execute.
type notExecutable struct{ error }

// Unwrap returns the *Fault.
func (n notExecutable) Unwrap() error { return n.error }

// Is makes it an fs.ErrPermission.
func (notExecutable) Is(target error) bool { return target == fs.ErrPermission }

// User says why nothing can be run as u, or nil. The empty user is our own.
func (Environment) User(u config.User) error {
	if u.Name == "" {
		return nil
	}
	_, err := named(u)
	return err
}

// Subnets are the addresses of an interface with their lengths, none where it
// cannot be asked.
func (Environment) Subnets(name string) []netip.Prefix {
	link, err := net.InterfaceByName(name)
	if err != nil {
		return nil
	}
	addrs, err := link.Addrs()
	if err != nil {
		return nil
	}
	var out []netip.Prefix
	for _, a := range addrs {
		if p, err := netip.ParsePrefix(a.String()); err == nil {
			out = append(out, p)
		}
	}
	return out
}

// ScriptRisk says how another user than root could change what cmd runs as root,
// or nil: the Detail and Fix of the *Fault that script security would give.
func (e Environment) ScriptRisk(cmd config.Command) error {
	_, err := Resolve(cmd, e.DefaultUser, true)
	if fault, ok := errors.AsType[*Fault](err); ok && errors.Is(fault, ErrInsecure) {
		return fmt.Errorf("%s: %w", fault.Detail, ErrInsecure)
	}
	return nil
}
