// Package sim runs a network of virtual routers in virtual time: real machines of
// package vrrp, and between them a network that loses, delays, reorders and doubles
// packets, hosts whose clocks are wrong, that pause, crash and are cut off, and
// operators. After every step it asserts what must hold. Everything follows from a
// Scenario, so that one that fails fails again, and can be made smaller until only
// what matters is left.
package sim

import (
	"fmt"
	"net/netip"
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

// Validate says what is wrong with a scenario: a node or kind that there is not.
func (s Scenario) Validate() error {
	known := map[string]bool{"": true}
	for _, n := range s.Nodes {
		if known[n.Name] {
			return fmt.Errorf("sim: two nodes are called %q", n.Name)
		}
		known[n.Name] = true
		for _, g := range n.Groups {
			for _, m := range g.Members {
				if !m.Source.IsValid() {
					return fmt.Errorf("sim: %s of %s has no source address", m.Config.Name, n.Name)
				}
			}
		}
	}
	for _, a := range s.Actions {
		switch a.Kind {
		case Kill, Stop, Pause, LinkDown, Cut, Priority, Fault, Blind, Switchover, Failover, Force, Resume, Reload, LoseVIP, BadHost:
			if a.Node == "" {
				return fmt.Errorf("sim: %s names no node", a)
			}
		case Loss, Delay:
		default:
			return fmt.Errorf("sim: no action is called %q", a.Kind)
		}
		if !known[a.Node] || !known[a.Peer] {
			return fmt.Errorf("sim: %s names a node that is not there", a)
		}
	}
	return nil
}
