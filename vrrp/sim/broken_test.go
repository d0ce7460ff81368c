package sim

import (
	"strings"
	"testing"
	"time"

	"github.com/tandem-ha/tandem/vrrp"
)

// broken is a machine with a fault put into it.
type broken struct {
	*vrrp.Group
	in  func(now time.Time, in vrrp.GroupInput) bool // false: the machine never learns of it
	out func(o vrrp.GroupOutput) bool                // false: it is not carried out
	// change alters the configuration that it has; asleep has no timer ever wake it.
	change func(*vrrp.Config)
	asleep bool
}

func (b broken) Deadline() time.Time {
	if b.asleep {
		return time.Time{}
	}
	return b.Group.Deadline()
}

func (b broken) Step(now time.Time, in vrrp.GroupInput, out []vrrp.GroupOutput) []vrrp.GroupOutput {
	if b.in != nil && !b.in(now, in) {
		return out
	}
	before := len(out)
	out = b.Group.Step(now, in, out)
	kept := out[:before]
	for _, o := range out[before:] {
		if b.out == nil || b.out(o) {
			kept = append(kept, o)
		}
	}
	return kept
}

// TestFaultsAreFound puts a fault into one node's machine and asserts that the checks
// find it within a few hundred seeds, and that shrinking leaves a scenario that a
// person can read and that shows the same.
func TestFaultsAreFound(t *testing.T) {
	for _, c := range []struct {
		name, invariant string
		machine         broken
		actions         int // at most, after shrinking
	}{
		{"keeps an address that it gives up", Addresses, broken{out: func(o vrrp.GroupOutput) bool {
			_, release := o.Output.(vrrp.Release)
			return !release
		}}, 3},
		{"does not yield to a better master", Masters, broken{in: func(_ time.Time, in vrrp.GroupInput) bool {
			a, advert := in.Input.(*vrrp.Advert)
			return !advert || a.Packet.Priority < 100
		}}, 2},
		{"sleeps through its timers", NoMaster, broken{asleep: true}, 2},
		{"leaves adverts out", Masters, broken{out: func(o vrrp.GroupOutput) bool {
			a, advert := o.Output.(vrrp.SendAdvert)
			return !advert || a.Packet.Priority == 0
		}}, 2},
		{"asks nobody before it takes over", Isolated, broken{change: func(c *vrrp.Config) { c.Conditional = false }}, 2},
	} {
		t.Run(c.name, func(t *testing.T) {
			o := Options{Build: func(node, group string, members ...*vrrp.Router) Machine {
				g := vrrp.NewGroup(group, members...)
				if node != "n2" {
					return g
				}
				b := c.machine
				b.Group = g
				for _, m := range members {
					if b.change != nil {
						conf := m.Config()
						b.change(&conf)
						m.Step(epoch, vrrp.Reconfigure{Config: conf}, nil)
					}
				}
				return b
			}}
			for seed := range uint64(500) {
				s := Random(seed)
				if v, failed := violates(s, o); !failed || v.Invariant != c.invariant {
					continue
				}
				small := Shrink(s, o)
				v, failed := violates(small, o)
				if !failed || v.Invariant != c.invariant || len(small.Actions) > c.actions || len(small.Nodes) > 3 {
					t.Fatalf("seed %d shrinks to\n%s%v", seed, small, v)
				}
				if _, failed := violates(small, Options{}); failed {
					t.Fatalf("seed %d: a machine without the fault fails as well:\n%s", seed, small)
				}
				if text := small.String(); !strings.Contains(text, "n2 starts") {
					t.Errorf("the node with the fault is not in\n%s", text)
				}
				t.Logf("seed %d: %v\n%s", seed, v, small)
				return
			}
			t.Fatalf("no seed of 500 violates %s", c.invariant)
		})
	}
}

// TestScenarioIsRepeated runs a scenario twice, with the same trace.
func TestScenarioIsRepeated(t *testing.T) {
	var traces [2]string
	for i := range traces {
		r, err := Run(Random(42), Options{Trace: true, Timeline: true})
		if err != nil || r.Steps < 200 || len(r.Timeline) == 0 {
			t.Fatalf("%d steps: %v", r.Steps, err)
		}
		traces[i] = strings.Join(r.Trace, "\n")
	}
	if traces[0] != traces[1] {
		t.Error("the same scenario ran in two ways")
	}
}

// TestValidate refuses what cannot be run.
func TestValidate(t *testing.T) {
	good := Random(1)
	for want, change := range map[string]func(*Scenario){
		"two nodes are called":                func(s *Scenario) { s.Nodes = append(s.Nodes, s.Nodes[0]) },
		"names no node":                       func(s *Scenario) { s.Actions = []Action{{Kind: Kill}} },
		"names a node that is not there":      func(s *Scenario) { s.Actions = []Action{{Kind: Kill, Node: "x"}} },
		"names an instance that is not there": func(s *Scenario) { s.Actions = []Action{{Kind: Fault, Node: "n1", Instance: "x"}} },
		"no action is called":                 func(s *Scenario) { s.Actions = []Action{{Kind: "explode", Node: "n1"}} },
		"VI_1 of nowhere has no source addr": func(s *Scenario) {
			s.Nodes = []Node{{Name: "nowhere", Groups: []Group{{Members: []Member{{Config: vrrp.Config{Name: "VI_1"}}}}}}}
		},
	} {
		s := good
		change(&s)
		if _, err := Run(s, Options{}); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v, want it to say %q", err, want)
		}
	}
	if s := (Scenario{Actions: []Action{{At: time.Second, Kind: Cut, Node: "a", Peer: "b", For: time.Minute}}}); !strings.Contains(s.String(), "1s cut a b for 1m0s") {
		t.Errorf("%s", s)
	}
}
