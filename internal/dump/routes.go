package dump

import (
	"fmt"
	"net/netip"
	"strings"

	"github.com/tandem-ha/tandem/config"
)

// mainTable is the number of the kernel's main routing table (rtnetlink(7)).
const mainTable = 254

// routeLines are an instance's virtual routes as keepalived shows them.
func routeLines(c *config.Instance) []string {
	if c == nil {
		return nil
	}
	var out []string
	for _, r := range c.Routes {
		out = append(out, routeLine(r))
	}
	return out
}

func routeLine(r config.Route) string {
	var b strings.Builder
	b.WriteString(r.Mode)
	say := func(there bool, format string, args ...any) {
		if there {
			fmt.Fprintf(&b, " "+format, args...)
		}
	}
	say(r.Type != "unicast", "%s", r.Type)
	say(true, "%s", network(r.Destination))
	say(r.From.IsValid(), "from %s", network(r.From))
	say(r.Hop.Via.IsValid(), "via %s %s", familyWord(r.Hop.Via), r.Hop.Via)
	say(r.Hop.Interface != "", "dev %s", r.Hop.Interface)
	say(r.TOS != 0, "tos %#x", r.TOS)
	say(r.VRF != "", "vrf %s", r.VRF)
	say(r.VRF == "" && r.Table != 0 && r.Table != mainTable, "table %d", r.Table)
	say(r.Protocol != 0, "proto %d", r.Protocol)
	say(r.Scope >= 0, "scope %s", scopeWord(r.Scope))
	say(r.Source.IsValid(), "src %s", r.Source)
	say(r.Metric != 0, "metric %d", r.Metric)
	for _, h := range r.NextHops {
		say(true, "nexthop")
		say(h.Via.IsValid(), "via %s %s", familyWord(h.Via), h.Via)
		say(h.Interface != "", "dev %s", h.Interface)
		say(h.Weight != 0, "weight %d", h.Weight)
	}
	return b.String()
}

// ruleLines are an instance's virtual rules as keepalived shows them.
func ruleLines(c *config.Instance) []string {
	if c == nil {
		return nil
	}
	var out []string
	for _, r := range c.Rules {
		out = append(out, ruleLine(r))
	}
	return out
}

func ruleLine(r config.Rule) string {
	var words []string
	say := func(there bool, format string, args ...any) {
		if there {
			words = append(words, fmt.Sprintf(format, args...))
		}
	}
	say(r.Not, "not")
	say(r.From.IsValid(), "from %s", network(r.From))
	say(r.To.IsValid(), "to %s", network(r.To))
	say(r.Preference != 0, "priority %d", r.Preference)
	say(r.HasFWMark, "fwmark %#x", r.FWMark)
	say(r.In != "", "iif %s", r.In)
	say(r.Out != "", "oif %s", r.Out)
	say(true, "tos %#x", r.TOS)
	say(r.Protocol != 0, "protocol %d", r.Protocol)
	switch {
	case r.L3MDev:
		say(true, "l3mdev")
	case r.Action == "lookup":
		say(true, "lookup %d", r.Table)
	case r.Action == "goto":
		say(true, "goto %d", r.Goto)
	default:
		say(true, "%s", r.Action)
	}
	return strings.Join(words, " ")
}

// network is a prefix without the length of a single address.
func network(p netip.Prefix) string {
	if p.IsSingleIP() {
		return p.Addr().String()
	}
	return p.String()
}

func familyWord(a netip.Addr) string {
	if a.Is4() {
		return "inet"
	}
	return "inet6"
}
