package control

import (
	"fmt"
	"time"

	"github.com/tandem-ha/tandem/vrrp"
)

// The paths of the interface, version 1.
const (
	pathStatus = "/v1/status"
	pathMove   = "/v1/move"
	pathReload = "/v1/reload"
	pathEvents = "/v1/events"
)

// maxBody is the largest request body that is read, in bytes.
const maxBody = 64 << 10

// DefaultMoveTimeout bounds an order that names no limit of its own, and
// MaxMoveTimeout one that does.
const (
	DefaultMoveTimeout = 30 * time.Second
	MaxMoveTimeout     = 10 * time.Minute
)

// errorBody is the body of every answer that is not a success.
type errorBody struct {
	Error string `json:"error"`
}

// validate says what is wrong with an order in itself, whatever the state of
// the agent.
func (m MoveRequest) validate() error {
	switch m.Kind {
	case vrrp.Switchover, vrrp.Failover, vrrp.Resume:
	case "":
		return fmt.Errorf("kind is missing: one of %s, %s, %s", vrrp.Switchover, vrrp.Failover, vrrp.Resume)
	default:
		return fmt.Errorf("kind %q is not one of %s, %s, %s", m.Kind, vrrp.Switchover, vrrp.Failover, vrrp.Resume)
	}
	if m.Force && m.Kind != vrrp.Failover {
		return fmt.Errorf("force goes with %s only, not with %s", vrrp.Failover, m.Kind)
	}
	seen := make(map[string]bool, len(m.Instances))
	for i, name := range m.Instances {
		if name == "" {
			return fmt.Errorf("instances[%d] is empty", i)
		}
		if seen[name] {
			return fmt.Errorf("instance %q is named twice", name)
		}
		seen[name] = true
	}
	return nil
}
