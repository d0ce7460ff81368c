// Package health decides which real servers may serve: the checks, the pure
// state machines of a real server (Server) and of a virtual server with its
// quorum (Service), and the schedule that runs the checks.
//
// It knows nothing of configuration files, VRRP or the kernel's IPVS table: a
// Service answers with the Pool that should be in the table, and who asked puts
// it there. The machines are pure; only the checks and the Scheduler touch the
// world.
package health

import (
	"context"
	"errors"
	"net/netip"
	"strconv"
	"time"
)

// Check is one way of asking a real server whether it works. Run makes one
// attempt within the limits of its own configuration and of ctx.
type Check interface {
	Run(ctx context.Context) Result
	// String names the check for logs: "TCP_CHECK [192.0.2.1]:tcp:80".
	String() string
}

// Traits are what the schedule needs to know of a kind of check. A Check says
// them with a method Traits; one without has the zero value.
type Traits struct {
	// Steps is how many attempts in sequence, each a step of its own, make up
	// one round of the check; 0 counts as 1. Several urls are several steps.
	Steps int
	// Fast runs the steps of the first round and of a recovery back to back
	// instead of an interval apart.
	Fast bool
	// StartToStart counts intervals from the start of an attempt, not its end.
	StartToStart bool
	// Confirm wants, after a failure, the failed step and then a whole round to
	// succeed; and a failed check is not asked sooner than DelayBeforeRetry.
	Confirm bool
	// Follows says that the check is not asked in turn but told: a Follower.
	Follows bool
}

// Stepper is a Check with several steps.
type Stepper interface {
	Check
	// RunStep makes one attempt of one step, from 0.
	RunStep(ctx context.Context, step int) Result
}

// ErrNotAttempted marks, by wrapping, an attempt that could not be made at all:
// no socket, no local address, no script. It counts as nothing.
var ErrNotAttempted = errors.New("check could not be made")

// Result is what one attempt of a check found.
type Result struct {
	// Err is nil where the server answered as it should.
	Err error
	// Weight, where Dynamic is true, is the weight that the check assigns; a
	// success without it gives the configured weight back.
	Weight  int
	Dynamic bool
	// Delta is added to the configured weight, beside what other checks do to it.
	Delta int
	// Transcript tells what was sent and heard, for people; it may be empty.
	Transcript string
	// Took is how long the attempt lasted.
	Took time.Duration
}

// CheckConfig is one check of a server with its schedule, defaults resolved.
type CheckConfig struct {
	// Kind is the configuration's word: TCP_CHECK, HTTP_GET, ...
	Kind  string
	Check Check `json:"-"`
	// Key identifies the check across reloads: equal keys, equal checks.
	Key string
	// Interval is delay_loop, the time between attempts.
	Interval time.Duration
	// Retries is how many failures more than one are tolerated once the server
	// has been up, DelayBeforeRetry apart.
	Retries          int
	DelayBeforeRetry time.Duration
	// Warmup is the most that the first attempt may be delayed at random.
	Warmup time.Duration
	// Alpha counts the check as failed until it has succeeded once.
	Alpha bool
	// LogAllFailures reports every failed attempt, not only the decisive one.
	LogAllFailures bool
	// Paused keeps the check from being made; it counts as it did before. One
	// that is paused from its start counts as failed where PausedFailed is true.
	Paused, PausedFailed bool
}

// ServerConfig is one real server, defaults resolved.
type ServerConfig struct {
	Addr netip.Addr
	Port uint16
	// Weight is the configured weight, 0 to 2147483647.
	Weight int
	// InhibitOnFailure keeps a failed server in the pool with weight 0.
	InhibitOnFailure bool
	Checks           []CheckConfig
}

// ServiceConfig is one virtual server, defaults resolved.
type ServiceConfig struct {
	// Name is the virtual server as logs name it: "[192.0.2.10]:tcp:80", "FWM 3".
	Name string
	// Protocol is "TCP", "UDP" or "SCTP", in either case, and empty for a
	// firewall mark; logs name the servers with it: "[192.0.2.1]:tcp:80".
	Protocol string
	// Quorum is the total weight of live servers that the service needs, and
	// Hysteresis the margin around it.
	Quorum, Hysteresis int
	Servers            []ServerConfig
	// Sorry, if set, serves while the quorum is not met.
	Sorry *SorryConfig
	// Suspended puts every attempt off by an interval until a Suspend says
	// otherwise; the servers stay as they are.
	Suspended bool
}

// SorryConfig is the server of last resort.
type SorryConfig struct {
	Addr netip.Addr
	Port uint16
	// Inhibit keeps it in the pool with weight 0 while it is not needed.
	Inhibit bool
}

// Pool is what the table should hold for a service now, in configured order.
type Pool []Member

// Member is one destination of a Pool.
type Member struct {
	Addr   netip.Addr
	Port   uint16
	Weight int
	// Sorry marks the server of last resort.
	Sorry bool
	// Inhibited marks a server that is in the pool with weight 0 because it is not
	// to serve (ServerConfig.InhibitOnFailure).
	Inhibited bool
}

// Script is a command with the identity it runs under.
type Script struct {
	// Args are the command's path and its arguments.
	Args []string
	// UID and GID are the user and group; -1 keeps the process's own.
	UID, GID int
}

// Exec runs a script to its end, or until ctx is done, when it ends the
// script's whole process group; then err is ctx's. It returns the exit status.
// Of a script that a signal ended, which has none, err is a *SignalError.
type Exec func(ctx context.Context, s Script) (status int, err error)

// SignalError says that a script did not exit but was ended by a signal that
// was not ours. No exit status stands for it: one of 137 is an exit, too.
type SignalError struct {
	// Signal is the signal's number.
	Signal int
}

// Error says which signal it was: "killed by signal 9".
func (e *SignalError) Error() string { return killedBy + strconv.Itoa(e.Signal) }

// shares is true where two configurations are the same for certain, as their parts
// are in the same memory.
func (c ServiceConfig) shares(o ServiceConfig) bool {
	return c.Name == o.Name && c.Protocol == o.Protocol && c.Quorum == o.Quorum && c.Hysteresis == o.Hysteresis &&
		c.Sorry == o.Sorry && c.Suspended == o.Suspended &&
		len(c.Servers) == len(o.Servers) && (len(c.Servers) == 0 || &c.Servers[0] == &o.Servers[0])
}
