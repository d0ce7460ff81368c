package control

import (
	"fmt"
	"strings"
	"time"

	"github.com/tandem-ha/tandem/vrrp"
)

// DefaultMoveTimeout bounds an order that names no limit of its own, and
// MaxMoveTimeout one that does.
const (
	DefaultMoveTimeout = 30 * time.Second
	MaxMoveTimeout     = 10 * time.Minute
)

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

// describe names the order for the journal.
func (m MoveRequest) describe() string {
	text := string(m.Kind)
	if m.Force {
		text = "forced " + text
	}
	if len(m.Instances) == 0 {
		return text
	}
	return text + " of " + strings.Join(m.Instances, ", ")
}
