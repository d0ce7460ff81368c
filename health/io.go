package health

import (
	"net/netip"
	"time"
)

// Input is something that happens to a Service or a Server. The set is closed:
// Start, TimerFired, CheckDone, CheckObserved, CheckNow, Suspend, Reconfigure,
// Stop and Remove.
type Input interface{ input() }

// Start begins the checks. It is the first input of a machine.
type Start struct {
	// Seed spreads the first attempts over their warm-up; equal seeds give
	// equal spreads, so a recorded run repeats.
	Seed uint64 `json:"seed"`
}

// TimerFired says that the moment of Deadline has come.
type TimerFired struct{}

// CheckDone is the end of an attempt that a StartCheck asked for. One that was
// cancelled meanwhile is ignored.
type CheckDone struct {
	Server  netip.AddrPort `json:"server"`
	Attempt uint64         `json:"attempt"`
	Result  Result         `json:"result"`
}

// CheckObserved is what a check with Traits.Follows found, without having been
// started.
type CheckObserved struct {
	Server netip.AddrPort `json:"server"`
	// Check is the check's place in ServerConfig.Checks.
	Check  int    `json:"check"`
	Result Result `json:"result"`
}

// Suspend puts attempts off, or no longer (ServiceConfig.Suspended).
type Suspend struct {
	On bool `json:"on"`
}

// Reconfigure replaces the configuration of a Service. Servers with the same
// address and port and checks with the same key keep their state.
type Reconfigure struct {
	Config ServiceConfig `json:"config"`
	// Seed spreads the first attempts of what is new.
	Seed uint64 `json:"seed"`
}

// Stop ends the machine because the program ends: it cancels what runs and
// says which servers it lets go.
type Stop struct{}

// Remove ends the machine because the service is configured no longer.
type Remove struct{}

func (Start) input()         {}
func (TimerFired) input()    {}
func (CheckDone) input()     {}
func (CheckObserved) input() {}
func (Suspend) input()       {}
func (Reconfigure) input()   {}
func (Stop) input()          {}
func (Remove) input()        {}

// Output is something that a machine wants done or known. The set is closed.
// StartCheck and CancelCheck are orders to the Scheduler, which does not hand
// them on; PoolChanged is the order to whoever keeps the table; the others are
// news, in the order in which keepalived logs and notifies them. A PoolChanged
// comes before the news that it goes with, so the table changes before scripts run.
type Output interface{ output() }

// ServerRef names one server.
type ServerRef struct {
	Server netip.AddrPort `json:"server"`
	// Name is the server as logs name it: "[192.0.2.1]:tcp:80".
	Name string `json:"name"`
}

// CheckRef names one check of one server.
type CheckRef struct {
	ServerRef
	// Check is the check's place in ServerConfig.Checks.
	Check int    `json:"check"`
	Kind  string `json:"kind"`
	// Target is what the check asks: the address it connects to, or a script.
	Target string `json:"target"`
}

// StartCheck asks for an attempt, to be answered by a CheckDone with its number.
type StartCheck struct {
	CheckRef
	Attempt uint64 `json:"attempt"`
	// Step is the step of a check with several, see Traits.
	Step int `json:"step,omitempty"`
	// Run is the check itself.
	Run Check `json:"-"`
}

// CancelCheck ends an attempt whose result is of no use any more.
type CancelCheck struct {
	Server  netip.AddrPort `json:"server"`
	Attempt uint64         `json:"attempt"`
}

// CheckActivated says that a check has been scheduled for the first time.
type CheckActivated struct {
	CheckRef
}

// CheckSuspended says that the attempts of a check are put off from now on.
type CheckSuspended struct {
	CheckRef
}

// CheckDeactivated says that a check has been taken out of the schedule.
type CheckDeactivated struct {
	CheckRef
}

// CheckFailed is a failed attempt.
type CheckFailed struct {
	CheckRef
	Err  string        `json:"error"`
	Took time.Duration `json:"took"`
	// Transcript is Result.Transcript.
	Transcript string `json:"transcript,omitempty"`
	// Decisive is true where this failure turned the check to failed. Retrying
	// is true where more attempts decide. Both are false while it stays failed.
	Decisive bool `json:"decisive,omitempty"`
	Retrying bool `json:"retrying,omitempty"`
	// First is true where nothing was known before, so that there are no retries.
	First bool `json:"first,omitempty"`
	// Failures counts the consecutive failures, this one included; Retries is
	// how many are tolerated.
	Failures int `json:"failures"`
	Retries  int `json:"retries"`
	// LogAll is CheckConfig.LogAllFailures.
	LogAll bool `json:"log_all,omitempty"`
}

// CheckSucceeded is a successful attempt that changes what is known: the first
// one, or the one that ends a failure or its retries.
type CheckSucceeded struct {
	CheckRef
	Took       time.Duration `json:"took"`
	Transcript string        `json:"transcript,omitempty"`
	// Decisive is true where it turned the check from failed, or from unknown,
	// to good; otherwise it ended a series of retries.
	Decisive bool `json:"decisive,omitempty"`
	// First is true where nothing was known before.
	First bool `json:"first,omitempty"`
}

// CheckSkipped is an attempt that could not be made here: no socket, no script.
// It says nothing about the server and counts as nothing.
type CheckSkipped struct {
	CheckRef
	Err string `json:"error"`
}

// ServerAdded says that a server is known from now on, at the start or after a
// reload, and whether it starts up.
type ServerAdded struct {
	ServerRef
	Up     bool `json:"up"`
	Weight int  `json:"weight"`
}

// ServerRemoved says that a server is configured no longer.
type ServerRemoved struct {
	ServerRef
	// Up is whether it was up until now.
	Up      bool `json:"up"`
	Inhibit bool `json:"inhibit,omitempty"`
}

// ServerStopped says that the program ends and lets the server go.
type ServerStopped struct {
	ServerRef
	Up      bool `json:"up"`
	Inhibit bool `json:"inhibit,omitempty"`
}

// ServerUp says that no check of the server fails any more.
type ServerUp struct {
	ServerRef
	Weight int `json:"weight"`
	// Inhibit is InhibitOnFailure: the server was in the pool with weight 0.
	Inhibit bool `json:"inhibit,omitempty"`
	// Since is when it went down.
	Since time.Time `json:"since,omitzero"`
}

// ServerDown says that a check of the server fails.
type ServerDown struct {
	ServerRef
	Weight  int  `json:"weight"`
	Inhibit bool `json:"inhibit,omitempty"`
	// Cause is the failure: "TCP_CHECK [192.0.2.1]:tcp:80: connect ...".
	Cause string `json:"cause"`
	// Since is when it came up.
	Since time.Time `json:"since,omitzero"`
}

// WeightChanged says that the effective weight of a server has changed.
type WeightChanged struct {
	ServerRef
	From int `json:"from"`
	To   int `json:"to"`
	// Active is whether the server is up.
	Active bool `json:"active"`
}

// QuorumGained says that the live servers have the weight that is wanted.
type QuorumGained struct {
	Quorum     int `json:"quorum"`
	Hysteresis int `json:"hysteresis"`
	// Weight is the total weight of the live servers.
	Weight int64 `json:"weight"`
	// Initial is true where the service starts with its quorum.
	Initial bool `json:"initial,omitempty"`
}

// QuorumLost says that the live servers have not the weight that is wanted.
type QuorumLost struct {
	Quorum     int   `json:"quorum"`
	Hysteresis int   `json:"hysteresis"`
	Weight     int64 `json:"weight"`
	// Initial is true where the service starts without its quorum: nothing was lost.
	Initial bool `json:"initial,omitempty"`
}

// SorryAdded says that the server of last resort serves from now on.
type SorryAdded struct {
	ServerRef
	// Inhibit is SorryConfig.Inhibit: it was in the pool with weight 0.
	Inhibit bool `json:"inhibit,omitempty"`
}

// SorryRemoved says that the server of last resort serves no longer.
type SorryRemoved struct {
	ServerRef
	Inhibit bool `json:"inhibit,omitempty"`
}

// AliveAdded says that the live servers take over from the sorry server.
type AliveAdded struct{}

// AliveRemoved says that the live servers, too few, make way for the sorry server.
type AliveRemoved struct{}

// ServiceRemoved says that the service is configured no longer.
type ServiceRemoved struct{}

// QuorumEnded says that a service that had its quorum ends: after a Stop, or,
// where Removed is set, after a Remove. It comes after what becomes of its servers.
type QuorumEnded struct {
	Quorum     int  `json:"quorum"`
	Hysteresis int  `json:"hysteresis"`
	Removed    bool `json:"removed,omitempty"`
}

// PoolChanged carries what the table should hold from now on.
type PoolChanged struct {
	Pool Pool `json:"pool"`
}

func (StartCheck) output()       {}
func (CancelCheck) output()      {}
func (CheckActivated) output()   {}
func (CheckSuspended) output()   {}
func (CheckDeactivated) output() {}
func (CheckFailed) output()      {}
func (CheckSucceeded) output()   {}
func (CheckSkipped) output()     {}
func (ServerAdded) output()      {}
func (ServerRemoved) output()    {}
func (ServerStopped) output()    {}
func (ServerUp) output()         {}
func (ServerDown) output()       {}
func (WeightChanged) output()    {}
func (QuorumGained) output()     {}
func (QuorumLost) output()       {}
func (SorryAdded) output()       {}
func (SorryRemoved) output()     {}
func (AliveAdded) output()       {}
func (AliveRemoved) output()     {}
func (ServiceRemoved) output()   {}
func (QuorumEnded) output()      {}
func (PoolChanged) output()      {}
