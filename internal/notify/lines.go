package notify

import (
	"fmt"

	"github.com/tandem-ha/tandem/internal/journal"
)

// The lines of FIFOs are keepalived's, byte for byte: names are quoted and not
// escaped.

// StateLine tells of an instance or a group that entered a state; "" for a state
// that readers do not know. Kind is journal.Instance or journal.Group; the
// priority of a group is 0.
func StateLine(kind, name, state string, priority int) string {
	if !reported(state) {
		return ""
	}
	if kind == journal.Group {
		priority = 0
	}
	return vrrpLine(kind, name, state, priority)
}

// PriorityLine tells of an instance whose effective priority has changed; ""
// in a state in which that has no name. In FAULT keepalived calls it a backup's.
func PriorityLine(name, state string, priority int) string {
	switch state {
	case journal.Master, journal.Backup:
	case journal.Fault:
		state = journal.Backup
	default:
		return ""
	}
	return vrrpLine(journal.Instance, name, state+"_PRIORITY", priority)
}

// LowerPriorityLine tells of a master that has heard a worse one; the priority
// is our own.
func LowerPriorityLine(name string, priority int) string {
	return vrrpLine(journal.Instance, name, "MASTER_RX_LOWER_PRI", priority)
}

// ServerLine tells of a real server of a virtual server.
func ServerLine(server, service string, up bool) string {
	return fmt.Sprintf("RS %s %s %s\n", server, service, upDown(up))
}

// QuorumLine tells of a virtual server's quorum.
func QuorumLine(service string, up bool) string {
	return fmt.Sprintf("VS %s %s\n", service, upDown(up))
}

func vrrpLine(kind, name, event string, priority int) string {
	return fmt.Sprintf("%s \"%s\" %s %d\n", kind, name, event, priority)
}

func upDown(up bool) string {
	if up {
		return "UP"
	}
	return "DOWN"
}
