// Package plan says what a reload would change before it does: in the
// configuration, on the host, in the table of IPVS, and what traffic that
// touches. It is pure: it compares what two configurations come to for a node
// that is as it is, with the same functions by which a reload is carried out.
package plan

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"net/netip"
	"slices"

	"github.com/tandem-ha/tandem/config"
	"github.com/tandem-ha/tandem/health"
	"github.com/tandem-ha/tandem/internal/desired"
	"github.com/tandem-ha/tandem/internal/host"
	"github.com/tandem-ha/tandem/ipvs"
)

// Action is what becomes of something.
type Action string

// The actions.
const (
	Add    Action = "add"
	Remove Action = "remove"
	Modify Action = "change"
)

// Change is what becomes of one part of the configuration.
type Change struct {
	Action Action `json:"action"`
	// Subject is what changes: "instance VI_1", "virtual server [192.0.2.10]:tcp:80".
	Subject string `json:"subject"`
	// Details are the values that change, a line each.
	Details []string `json:"details,omitempty"`
}

// Step is one thing that is done to the kernel.
type Step struct {
	Action Action `json:"action"`
	// Text is the step in a line: "add 192.0.2.10/32 on eth0".
	Text string `json:"text"`
}

// Plan is what a reload would do.
type Plan struct {
	// ID stands for the configuration and for all that is said here of it but
	// Traffic. A reload that is given the ID does this and nothing else.
	ID string `json:"id"`
	// Changes are those of the configuration, Host and IPVS what they come to in
	// the kernel as things are now.
	Changes []Change `json:"changes"`
	Host    []Step   `json:"host,omitempty"`
	IPVS    []Step   `json:"ipvs,omitempty"`
	// Traffic says whose traffic is touched, a line each.
	Traffic []string `json:"traffic,omitempty"`
}

// Empty is whether a reload would change nothing.
func (p Plan) Empty() bool { return len(p.Changes)+len(p.Host)+len(p.IPVS) == 0 }

// State is the node as it is, as far as it decides what a reload would do.
type State struct {
	// Master says whether the node is master of an instance of the old
	// configuration.
	Master func(instance string) bool
	// Pools are the services' as they are now.
	Pools map[string]health.Pool
	// Marks are those that groups of virtual servers have.
	Marks map[string]uint32
	// VRF finds the tables of VRFs.
	VRF desired.VRFTable
	// Connections are how many are established to a destination.
	Connections func(service ipvs.ServiceKey, server netip.AddrPort) uint32
}

// Make plans the reload that puts next in the place of old.
func Make(old, next *config.Config, s State) Plan {
	p := Plan{Changes: configuration(old, next)}
	p.instances(old, next, s)
	p.statics(old, next, s)
	p.table(old, next, s)
	p.ID = p.identity(next)
	return p
}

// identity is the ID of a plan.
func (p *Plan) identity(next *config.Config) string {
	b, err := json.Marshal([]any{next, p.Changes, p.Host, p.IPVS})
	if err != nil {
		// The types can all be marshalled.
		panic(err)
	}
	sum := sha256.Sum256(b)
	return hex.EncodeToString(sum[:6])
}

// instances plans what comes with mastership.
func (p *Plan) instances(old, next *config.Config, s State) {
	after := map[desired.RouterKey]*config.Instance{}
	for _, in := range next.Instances {
		after[desired.KeyOf(in)] = in
	}
	for _, was := range old.Instances {
		is := after[desired.KeyOf(was)]
		master := s.Master(was.Name)
		if is == nil {
			if master {
				p.hold(desired.All(was, s.VRF), desired.Holding{})
				p.Traffic = append(p.Traffic, fmt.Sprintf("this node is master of %s, which is removed: its addresses go, and a peer that has them takes over", was.Name))
			}
			continue
		}
		if master {
			p.hold(desired.All(was, s.VRF), desired.All(is, s.VRF))
			p.lostAddresses(was, is)
		}
		if was.Priority != is.Priority {
			p.Traffic = append(p.Traffic, fmt.Sprintf("the priority of %s goes from %d to %d: who is master may change with it, without loss where the node that yields is a tandem",
				is.Name, was.Priority, is.Priority))
		}
	}
}

// lostAddresses tells of virtual addresses that an instance no longer has.
func (p *Plan) lostAddresses(was, is *config.Instance) {
	for _, a := range slices.Concat(was.Addresses, was.Excluded) {
		kept := slices.ContainsFunc(slices.Concat(is.Addresses, is.Excluded), func(b config.Address) bool { return b.Prefix.Addr() == a.Prefix.Addr() })
		if !kept {
			p.Traffic = append(p.Traffic, fmt.Sprintf("%s goes from this node, the master of %s: its clients are answered no more", a.Prefix.Addr(), is.Name))
		}
	}
}

// statics plans what is there as long as the program runs.
func (p *Plan) statics(old, next *config.Config, s State) {
	p.hold(desired.Statics(old, s.VRF), desired.Statics(next, s.VRF))
}

// hold plans the way from one holding to another.
func (p *Plan) hold(was, is desired.Holding) {
	for _, c := range host.DiffAddresses(things(was.Addresses), things(is.Addresses)) {
		p.step(c.Op, c.String())
	}
	for _, c := range host.DiffRoutes(things(was.Routes), things(is.Routes)) {
		p.step(c.Op, c.String())
	}
	for _, c := range host.DiffRules(things(was.Rules), things(is.Rules)) {
		p.step(c.Op, c.String())
	}
}

func (p *Plan) step(op host.Op, text string) {
	action := Add
	if op == host.Remove {
		action = Remove
	}
	p.Host = append(p.Host, Step{action, text})
}

func things[T any](items []desired.Item[T]) []T {
	out := make([]T, 0, len(items))
	for _, i := range items {
		out = append(out, i.Thing)
	}
	return out
}
