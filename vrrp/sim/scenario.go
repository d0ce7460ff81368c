// Package sim runs a network of virtual routers in virtual time: real machines of
// package vrrp, and between them a network that loses, delays, reorders and doubles
// packets, hosts whose clocks are wrong, that pause, crash and are cut off, and
// operators. After every step it asserts what must hold. Everything follows from a
// Scenario, so that one that fails fails again, and can be made smaller until only
// what matters is left.
package sim

import (
	"fmt"
	"maps"
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/tandem-ha/tandem/vrrp"
)

// Scenario is all that a run depends on.
type Scenario struct {
	// Seed is that of all that is drawn while it runs.
	Seed     uint64        `json:"seed"`
	Nodes    []Node        `json:"nodes"`
	Network  Network       `json:"network"`
	Actions  []Action      `json:"actions,omitempty"`
	Duration time.Duration `json:"duration"`
	// HealAt ends all that ails the network and its nodes, zero never; from then on
	// the run must come to rest, with one master for each virtual router.
	HealAt time.Duration `json:"heal_at,omitempty"`
}

// Node is one host.
type Node struct {
	Name string `json:"name"`
	// StartAt is when its process starts.
	StartAt time.Duration `json:"start_at,omitempty"`
	// Offset is how far its clock is ahead, Drift how much faster it goes (0.001 is
	// a millisecond a second).
	Offset time.Duration `json:"offset,omitempty"`
	Drift  float64       `json:"drift,omitempty"`
	Groups []Group       `json:"groups"`
}

// Group is a sync group, or a lone router where Name is empty.
type Group struct {
	Name    string   `json:"name,omitempty"`
	Members []Member `json:"members"`
}

// Member is one router on a node.
type Member struct {
	Config    vrrp.Config `json:"config"`
	Interface string      `json:"interface"`
	// Network tells virtual routers of the same VRID and family apart; where it is
	// empty, they are one.
	Network string `json:"network,omitempty"`
	// Source is where its adverts come from.
	Source netip.Addr `json:"source"`
	// Reload is the configuration that the action Reload gives it.
	Reload *vrrp.Config `json:"reload,omitempty"`
}

// Network is what happens to packets when nothing special does.
type Network struct {
	// Loss and Duplicate are the parts of packets, 0 to 1, that are lost or come
	// twice.
	Loss      float64 `json:"loss,omitempty"`
	Duplicate float64 `json:"duplicate,omitempty"`
	// Delay is the most that a packet takes; each takes its own time, so that they
	// overtake one another.
	Delay time.Duration `json:"delay"`
	// HostDelay is the most that a host takes for a batch of addresses.
	HostDelay time.Duration `json:"host_delay"`
}

// Kind is what an Action does.
type Kind string

// The kinds of action. Those with a time For end by themselves.
const (
	Kill       Kind = "kill"       // the process ends without a word, and starts again after For
	Stop       Kind = "stop"       // SIGTERM, and a start after For
	Pause      Kind = "pause"      // the whole host stands still for For
	LinkDown   Kind = "link-down"  // the node's interface is down
	Cut        Kind = "cut"        // packets between Node and Peer (empty: all) are lost, links stay up
	Loss       Kind = "loss"       // Value is the part of all packets that is lost
	Delay      Kind = "delay"      // Value in seconds is the most that packets take
	Priority   Kind = "priority"   // Value is added to the priority, as by a tracker
	Fault      Kind = "fault"      // a tracked script of weight 0 fails
	Blind      Kind = "blind"      // what takeover_requires names does not answer this node
	Switchover Kind = "switchover" // orders of an operator
	Failover   Kind = "failover"
	Force      Kind = "force"
	Resume     Kind = "resume"
	Reload     Kind = "reload"       // Member.Reload, and Config again after For
	LoseVIP    Kind = "lose-address" // somebody removes a virtual address
	BadHost    Kind = "bad-host"     // addresses cannot be had
)

// Action is one thing that happens.
type Action struct {
	At   time.Duration `json:"at"`
	For  time.Duration `json:"for,omitempty"`
	Kind Kind          `json:"kind"`
	Node string        `json:"node,omitempty"`
	Peer string        `json:"peer,omitempty"`
	// Instance narrows it to one router of the node; empty is all of them.
	Instance string  `json:"instance,omitempty"`
	Value    float64 `json:"value,omitempty"`
}

// String is the action in one line: "12s cut lb1 lb2 for 3s".
func (a Action) String() string {
	words := []string{a.At.String(), string(a.Kind)}
	for _, w := range []string{a.Node, a.Peer, a.Instance} {
		if w != "" {
			words = append(words, w)
		}
	}
	if a.Value != 0 {
		words = append(words, fmt.Sprint(a.Value))
	}
	if a.For > 0 {
		words = append(words, "for", a.For.String())
	}
	return strings.Join(words, " ")
}

// ParseAction reads what Action.String writes: a time, what happens, to which node,
// and what that takes: "10s kill lb1 for 5s", "12s cut lb1 lb2", "15s loss 0.2 for 10s",
// "20s priority lb1 -60", "30s switchover lb1".
func ParseAction(text string) (Action, error) {
	var a Action
	words := strings.Fields(text)
	if len(words) < 2 {
		return a, fmt.Errorf("%q: write a time, what happens and to which node, as in \"10s kill lb1 for 5s\"", text)
	}
	at, err := time.ParseDuration(words[0])
	if err != nil || at < 0 {
		return a, fmt.Errorf("%q: %s is no time; write 10s or 1m30s", text, words[0])
	}
	a.At, a.Kind = at, Kind(words[1])
	words = words[2:]
	if n := len(words); n >= 2 && words[n-2] == "for" {
		if a.For, err = time.ParseDuration(words[n-1]); err != nil || a.For <= 0 {
			return a, fmt.Errorf("%q: %s is no time", text, words[n-1])
		}
		words = words[:n-2]
	}
	if a.Kind == Loss || a.Kind == Delay || a.Kind == Priority {
		if len(words) == 0 {
			return a, fmt.Errorf("%q: %s needs a number", text, a.Kind)
		}
		if a.Value, err = strconv.ParseFloat(words[len(words)-1], 64); err != nil {
			return a, fmt.Errorf("%q: %s is no number", text, words[len(words)-1])
		}
		words = words[:len(words)-1]
	}
	places := []*string{&a.Node, &a.Instance}
	switch a.Kind {
	case Loss, Delay:
		places = nil
	case Cut:
		places = []*string{&a.Node, &a.Peer}
	}
	if len(words) > len(places) {
		return a, fmt.Errorf("%q: %s is one word too many", text, words[len(places)])
	}
	for i, w := range words {
		*places[i] = w
	}
	return a, nil
}

// Kinds are all there are, for people to choose from.
func Kinds() []Kind {
	return []Kind{Kill, Stop, Pause, LinkDown, Cut, Loss, Delay, Priority, Fault, Blind, Switchover, Failover, Force, Resume, LoseVIP, BadHost}
}

// names lists what is known, for people.
func names(known map[string]bool) string {
	return strings.Join(slices.DeleteFunc(slices.Sorted(maps.Keys(known)), func(n string) bool { return n == "" }), ", ")
}

// Validate says what is wrong with a scenario: a node or kind that there is not.
func (s Scenario) Validate() error {
	known, instances := map[string]bool{"": true}, map[string]bool{"": true}
	for _, n := range s.Nodes {
		if known[n.Name] {
			return fmt.Errorf("two nodes are called %q", n.Name)
		}
		known[n.Name] = true
		for _, g := range n.Groups {
			for _, m := range g.Members {
				instances[m.Config.Name] = true
				if !m.Source.IsValid() {
					return fmt.Errorf("%s of %s has no source address", m.Config.Name, n.Name)
				}
			}
		}
	}
	for _, a := range s.Actions {
		switch a.Kind {
		case Kill, Stop, Pause, LinkDown, Cut, Priority, Fault, Blind, Switchover, Failover, Force, Resume, Reload, LoseVIP, BadHost:
			if a.Node == "" {
				return fmt.Errorf("%q names no node", a)
			}
		case Loss, Delay:
		default:
			return fmt.Errorf("no action is called %q; there are %v", a.Kind, Kinds())
		}
		if !known[a.Node] || !known[a.Peer] {
			return fmt.Errorf("%q names a node that is not there; the nodes are %s", a, names(known))
		}
		if !instances[a.Instance] {
			return fmt.Errorf("%q names an instance that is not there; the instances are %s", a, names(instances))
		}
	}
	return nil
}
