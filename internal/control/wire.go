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
	MaxMoveTimeout     = 24 * time.Hour
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
	return distinct("instances", "instance", m.Instances)
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

// LogLevelRequest sets how much is logged.
type LogLevelRequest struct {
	// Level is the least loud messages that are logged.
	Level LogLevel `json:"level"`
}

// LogLevelResponse is how much is logged.
type LogLevelResponse struct {
	Level LogLevel `json:"level"`
	// Before is what it was, where it was set.
	Before LogLevel `json:"before,omitempty"`
}

// LogLevel names how much is logged.
type LogLevel string

// The levels. Debug is what -D gives, trace what -D given twice does.
const (
	LogTrace   LogLevel = "trace"
	LogDebug   LogLevel = "debug"
	LogInfo    LogLevel = "info"
	LogWarning LogLevel = "warning"
	LogError   LogLevel = "error"
)

func (r LogLevelRequest) validate() error {
	switch r.Level {
	case LogTrace, LogDebug, LogInfo, LogWarning, LogError:
		return nil
	case "":
		return fmt.Errorf("level is missing: one of trace, debug, info, warning, error")
	}
	return fmt.Errorf("level %q is not one of trace, debug, info, warning, error", r.Level)
}

func (r LogLevelRequest) describe() string { return "log level " + string(r.Level) }
