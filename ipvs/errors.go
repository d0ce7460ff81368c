package ipvs

import (
	"errors"
	"fmt"
	"strings"

	"golang.org/x/sys/unix"
)

// ErrNoKernelSupport says that the kernel has no IPVS.
var ErrNoKernelSupport = errors.New("kernel has no IPVS: load it with `modprobe ip_vs`, or use a kernel built with CONFIG_IP_VS")

// ErrGone says that a change was for a service or destination that somebody
// else has removed.
var ErrGone = errors.New("no longer in the kernel's table")

// Failure is one change that the kernel refused.
type Failure struct {
	Change Change
	// Err is the kernel's syscall.Errno with what to do about it.
	Err error
	// Consequence says that the change failed only because that of its service
	// did.
	Consequence bool
}

// ApplyError lists what of a call of Apply was refused; every other change was
// made.
type ApplyError struct{ Failures []Failure }

// shownFailures is how many failures an error's text names.
const shownFailures = 8

// Error names each refused change, the consequences of others and what exceeds
// a screen apart.
func (e *ApplyError) Error() string {
	var b strings.Builder
	shown, left := 0, 0
	for _, f := range e.Failures {
		switch {
		case f.Consequence:
		case shown == shownFailures:
			left++
		default:
			if shown++; shown > 1 {
				b.WriteString("; ")
			}
			fmt.Fprintf(&b, "%v: %v", f.Change, f.Err)
		}
	}
	if left > 0 {
		fmt.Fprintf(&b, "; and %d more", left)
	}
	return b.String()
}

// Unwrap lets errors.Is find the cause of each failure.
func (e *ApplyError) Unwrap() []error {
	out := make([]error, len(e.Failures))
	for i, f := range e.Failures {
		out[i] = f.Err
	}
	return out
}

// explain adds to an error of the kernel what it means for the change c and
// what to do. The kernel's IPVS sends no text of its own.
func explain(c Change, err error) error {
	service := c.Op == AddService || c.Op == EditService || c.Op == DeleteService
	var advice string
	switch {
	case errors.Is(err, unix.EPERM) || errors.Is(err, unix.EACCES):
		advice = permissionAdvice
	case errors.Is(err, unix.ENOENT) && service:
		advice = fmt.Sprintf("scheduler %q is unknown or its module not loaded (modprobe ip_vs_%s)", c.Service.Scheduler, c.Service.Scheduler)
		if c.Service.Engine != "" {
			advice += fmt.Sprintf(", or persistence engine %q is (modprobe ip_vs_pe_%s)", c.Service.Engine, c.Service.Engine)
		}
	case errors.Is(err, unix.ENOENT):
		return fmt.Errorf("destination is %w: %w", ErrGone, err)
	case errors.Is(err, unix.ESRCH):
		return fmt.Errorf("service is %w: %w", ErrGone, err)
	case errors.Is(err, unix.EAFNOSUPPORT):
		advice = "the kernel's IPVS has no IPv6 (CONFIG_IP_VS_IPV6)"
	case errors.Is(err, unix.EPROTONOSUPPORT) || errors.Is(err, unix.EPFNOSUPPORT):
		advice = "the kernel's IPVS does not balance this protocol"
	case errors.Is(err, unix.ERANGE):
		advice = "the weight is at most 2147483647, and the lower threshold at most the upper"
	case errors.Is(err, unix.EINVAL) && service:
		advice = "check netmask and persistence engine (sip wants UDP)"
	case errors.Is(err, unix.EINVAL) && c.Service.IPv6 == c.Destination.Addr.Is4():
		advice = "a destination of the other address family needs tunnel forwarding and no running sync daemon"
	case errors.Is(err, unix.EINVAL):
		advice = "the address must be a local or unicast one"
	case errors.Is(err, unix.ENOMEM) || errors.Is(err, unix.ENOBUFS):
		advice = "the kernel is out of memory"
	default:
		return err
	}
	return fmt.Errorf("%w: %s", err, advice)
}

const permissionAdvice = "IPVS is for CAP_NET_ADMIN only: run as root"
