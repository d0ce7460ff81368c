package control

import (
	"fmt"
	"net/netip"
	"strconv"
	"strings"
	"time"

	"github.com/tandem-ha/tandem/internal/desired"
)

// MaintenanceRequest begins or ends maintenance: that this node does not become
// master. A master first hands over; where nobody takes over, nothing changes,
// unless it is forced.
type MaintenanceRequest struct {
	On bool `json:"on"`
	// Force gives up what nobody takes over.
	Force  bool   `json:"force,omitempty"`
	Reason string `json:"reason,omitempty"`
}

// MaintenanceResponse says how it ended.
type MaintenanceResponse struct {
	// On is whether the node is in maintenance now.
	On bool `json:"on"`
	// Outcomes are the instances', of those that had to hand over how that ended.
	Outcomes []MoveOutcome `json:"outcomes"`
	// Warning says why a restart would not know of it, if it would not.
	Warning string `json:"warning,omitempty"`
}

// ServerAction is what can be ordered of a real server.
type ServerAction string

// The actions. Drain gives the weight 0, so that connections go on and new ones go
// elsewhere; Undrain ends that. Weight gives a weight in the place of that of
// configuration and checks, and Unweight gives it back.
const (
	Drain    ServerAction = "drain"
	Undrain  ServerAction = "undrain"
	Weight   ServerAction = "weight"
	Unweight ServerAction = "unweight"
)

// ServerRequest orders something of a real server, in every virtual server that
// has it, or in those named.
type ServerRequest struct {
	Action ServerAction `json:"action"`
	// Server is the real server's address, with its port or without: "192.0.2.21:80",
	// "[2001:db8::21]:80", "192.0.2.21".
	Server         string   `json:"server"`
	VirtualServers []string `json:"virtual_servers,omitempty"`
	// Weight is for weight, 0 to 65535.
	Weight *int `json:"weight,omitempty"`
	// Wait has drain wait until no connection is left, or the timeout is over.
	Wait bool `json:"wait,omitempty"`
	// Force takes the weight of the last server that has any.
	Force  bool   `json:"force,omitempty"`
	Reason string `json:"reason,omitempty"`
}

// ServerResponse says how it ended, for each virtual server.
type ServerResponse struct {
	Outcomes []ServerOutcome `json:"outcomes"`
	Warning  string          `json:"warning,omitempty"`
}

// ServerOutcome is the end of an order for one real server of one virtual server.
type ServerOutcome struct {
	VirtualServer string         `json:"virtual_server"`
	Server        netip.AddrPort `json:"server"`
	// Done is true where the order had its effect; of a drain that is waited for,
	// where no connection is left.
	Done bool   `json:"done"`
	Text string `json:"text"`
	// Weight is the weight in IPVS now, nil where the server is not in it.
	Weight *int `json:"weight,omitempty"`
	// Connections are those that the server has, nil where it is not in IPVS.
	Connections *Connections  `json:"connections,omitempty"`
	Took        time.Duration `json:"took"`
}

// Connections are those that IPVS has for a real server.
type Connections struct {
	// Active are established, Inactive all others, and Persistent the templates
	// that keep clients with their server.
	Active     uint32 `json:"active"`
	Inactive   uint32 `json:"inactive"`
	Persistent uint32 `json:"persistent,omitempty"`
}

// CheckAction is what can be ordered of a health check.
type CheckAction string

// The actions: to make it now, not to make it, and to make it again.
const (
	CheckNow CheckAction = "now"
	Pause    CheckAction = "pause"
	Unpause  CheckAction = "unpause"
)

// CheckRequest orders something of the health checks of a real server.
type CheckRequest struct {
	Action CheckAction `json:"action"`
	// Server and VirtualServers are as in ServerRequest.
	Server         string   `json:"server"`
	VirtualServers []string `json:"virtual_servers,omitempty"`
	// Check is the kind of check, as HTTP_GET; all where it is empty.
	Check  string `json:"check,omitempty"`
	Reason string `json:"reason,omitempty"`
}

// CheckResponse says how it ended, for each check.
type CheckResponse struct {
	Outcomes []CheckOutcome `json:"outcomes"`
	Warning  string         `json:"warning,omitempty"`
}

// CheckOutcome is the end of an order for one check.
type CheckOutcome struct {
	VirtualServer string         `json:"virtual_server"`
	Server        netip.AddrPort `json:"server"`
	Check         string         `json:"check"`
	Target        string         `json:"target"`
	// Done is true where the order was carried out; of a check that was made now,
	// where it succeeded.
	Done bool   `json:"done"`
	Text string `json:"text"`
	// State is the check's: unknown, up, retrying or down.
	State string `json:"state"`
	// Took and Transcript are of the attempt.
	Took       time.Duration `json:"took,omitempty"`
	Transcript string        `json:"transcript,omitempty"`
}

// ServerOverrides is what is ordered of one real server, and of its checks.
type ServerOverrides struct {
	desired.ServerOverride
	// Connections are those that a drained server still has.
	Connections *Connections         `json:"connections,omitempty"`
	Checks      []desired.CheckPause `json:"checks,omitempty"`
}

// ParseServer reads a real server's address with its port or without, 0 then.
func ParseServer(text string) (netip.AddrPort, error) {
	if at, err := netip.ParseAddrPort(text); err == nil {
		return netip.AddrPortFrom(at.Addr().Unmap(), at.Port()), nil
	}
	addr, err := netip.ParseAddr(strings.Trim(text, "[]"))
	if err != nil {
		return netip.AddrPort{}, fmt.Errorf("server %q is neither an address nor an address with a port", text)
	}
	return netip.AddrPortFrom(addr.Unmap(), 0), nil
}

func (m MaintenanceRequest) validate() error {
	if m.Force && !m.On {
		return fmt.Errorf("force goes with the beginning of maintenance")
	}
	return nil
}

func (m MaintenanceRequest) describe() string {
	text := "end of maintenance"
	if m.On {
		text = "maintenance"
	}
	if m.Force {
		text = "forced " + text
	}
	return text + because(m.Reason)
}

// maxWeight is IPVS's own bound in practice: ipvsadm takes no higher weight.
const maxWeight = 65535

func (r ServerRequest) validate() error {
	switch r.Action {
	case Drain, Undrain, Unweight:
		if r.Weight != nil {
			return fmt.Errorf("weight goes with %s only, not with %s", Weight, r.Action)
		}
	case Weight:
		if r.Weight == nil {
			return fmt.Errorf("weight is missing")
		}
		if *r.Weight < 0 || *r.Weight > maxWeight {
			return fmt.Errorf("weight %d is outside the range 0 to %d", *r.Weight, maxWeight)
		}
	case "":
		return fmt.Errorf("action is missing: one of %s, %s, %s, %s", Drain, Undrain, Weight, Unweight)
	default:
		return fmt.Errorf("action %q is not one of %s, %s, %s, %s", r.Action, Drain, Undrain, Weight, Unweight)
	}
	if r.Wait && r.Action != Drain {
		return fmt.Errorf("wait goes with %s only, not with %s", Drain, r.Action)
	}
	return validateServer(r.Server, r.VirtualServers)
}

func (r ServerRequest) describe() string {
	text := string(r.Action)
	if r.Weight != nil {
		text += " " + strconv.Itoa(*r.Weight)
	}
	return text + " of " + r.Server + within(r.VirtualServers) + because(r.Reason)
}

func (r CheckRequest) validate() error {
	switch r.Action {
	case CheckNow, Pause, Unpause:
	case "":
		return fmt.Errorf("action is missing: one of %s, %s, %s", CheckNow, Pause, Unpause)
	default:
		return fmt.Errorf("action %q is not one of %s, %s, %s", r.Action, CheckNow, Pause, Unpause)
	}
	return validateServer(r.Server, r.VirtualServers)
}

func (r CheckRequest) describe() string {
	check := r.Check
	if check == "" {
		check = "checks"
	}
	text := map[CheckAction]string{CheckNow: "an attempt now at ", Pause: "pause of ", Unpause: "end of the pause of "}[r.Action]
	return text + check + " of " + r.Server + within(r.VirtualServers) + because(r.Reason)
}

func validateServer(server string, services []string) error {
	if server == "" {
		return fmt.Errorf("server is missing")
	}
	if _, err := ParseServer(server); err != nil {
		return err
	}
	return distinct("virtual_servers", "virtual server", services)
}

// distinct says what is wrong with a list of names.
func distinct(field, kind string, names []string) error {
	seen := make(map[string]bool, len(names))
	for i, name := range names {
		if name == "" {
			return fmt.Errorf("%s[%d] is empty", field, i)
		}
		if seen[name] {
			return fmt.Errorf("%s %q is named twice", kind, name)
		}
		seen[name] = true
	}
	return nil
}

func within(services []string) string {
	if len(services) == 0 {
		return ""
	}
	return " in " + strings.Join(services, ", ")
}

func because(reason string) string {
	if reason == "" {
		return ""
	}
	return " (" + reason + ")"
}
