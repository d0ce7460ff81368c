package health

import (
	"net/netip"
	"time"
)

// ServiceStatus is a Service as people ask for it.
type ServiceStatus struct {
	Name       string `json:"name"`
	QuorumUp   bool   `json:"quorum_up"`
	Quorum     int    `json:"quorum"`
	Hysteresis int    `json:"hysteresis,omitempty"`
	// LiveWeight is the total weight of the servers that are up.
	LiveWeight int64 `json:"live_weight"`
	// Servers are the real servers in configured order, the sorry server last.
	Servers []ServerStatus `json:"servers"`
}

// ServerStatus is one real server, or the sorry server.
type ServerStatus struct {
	Addr  netip.Addr `json:"addr"`
	Port  uint16     `json:"port"`
	Sorry bool       `json:"sorry,omitempty"`
	// Up is whether no check fails; of a sorry server, whether it serves.
	Up bool `json:"up"`
	// InPool is whether it is in the Pool, with whatever weight.
	InPool bool `json:"in_pool"`
	// Weight is the effective weight, counted while it is up.
	Weight int `json:"weight"`
	// Since is when Up last changed.
	Since  time.Time     `json:"since,omitzero"`
	Checks []CheckStatus `json:"checks,omitempty"`
}

// CheckStatus is one check of a real server.
type CheckStatus struct {
	Kind   string `json:"kind"`
	Target string `json:"target"`
	// State is "unknown" before the first result, "up", "retrying" or "down".
	State string `json:"state"`
	// Failures counts consecutive failures.
	Failures int `json:"failures,omitempty"`
	// Last is when the last attempt ended, Took how long it lasted, Err what
	// went wrong in it and Transcript what was sent and heard.
	Last       time.Time     `json:"last,omitzero"`
	Took       time.Duration `json:"took,omitempty"`
	Err        string        `json:"error,omitempty"`
	Transcript string        `json:"transcript,omitempty"`
	// Paused is true where an operator keeps it from being made.
	Paused bool `json:"paused,omitempty"`
	// Next is when the next attempt is due, zero while one runs.
	Next time.Time `json:"next,omitzero"`
}
