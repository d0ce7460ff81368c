package host

import (
	"cmp"
	"fmt"
	"net/netip"
	"strings"

	"golang.org/x/sys/unix"
)

// Rule is one routing rule as it should be on the host: an option of
// virtual_rules or static_rules each. Rules are comparable.
type Rule struct {
	// IPv6 is the family, which a rule without addresses has, too.
	IPv6 bool `json:"ipv6,omitempty"`
	// Priority is the place among the rules, the lowest first; the kernel's own are
	// at 0 (local), 32766 (main) and 32767 (default).
	Priority uint32 `json:"priority"`
	// Not has the rule apply to what it does not match.
	Not      bool         `json:"not,omitempty"`
	From     netip.Prefix `json:"from,omitzero"`
	To       netip.Prefix `json:"to,omitzero"`
	TOS      uint8        `json:"tos,omitempty"`
	Mark     uint32       `json:"mark,omitempty"`
	Mask     uint32       `json:"mask,omitempty"`
	Input    string       `json:"input,omitempty"`
	Output   string       `json:"output,omitempty"`
	TunnelID uint64       `json:"tunnel_id,omitempty"`
	UIDs     UIDRange     `json:"uids,omitzero"`
	// IPProtocol is a number of IANA's, 6 for TCP; 0 is any.
	IPProtocol       uint8     `json:"ip_protocol,omitempty"`
	SourcePorts      PortRange `json:"source_ports,omitzero"`
	DestinationPorts PortRange `json:"destination_ports,omitzero"`
	// L3MDev looks up the table of the packet's VRF; it needs no Table.
	L3MDev bool `json:"l3mdev,omitempty"`
	// Action is an FR_ACT_* of linux/fib_rules.h; 0 looks up Table.
	Action uint8 `json:"action,omitempty"`
	// Table is what is looked up; Goto is the priority of the rule to go on with.
	Table uint32 `json:"table,omitempty"`
	Goto  uint32 `json:"goto,omitempty"`
	// Realms are source<<16 | destination; IPv4 only.
	Realms uint32 `json:"realms,omitempty"`
	// SuppressPrefix passes over what was looked up where its prefix is at most
	// that long, SuppressGroup where its interface is in that group.
	SuppressPrefix Setting `json:"suppress_prefix,omitzero"`
	SuppressGroup  Setting `json:"suppress_group,omitzero"`
	// Protocol is the mark of who made the rule; 0 is ours.
	Protocol uint8 `json:"protocol,omitempty"`
}

// UIDRange is the users whose packets a rule is for, first and last among them.
type UIDRange struct {
	Set   bool   `json:"set,omitempty"`
	First uint32 `json:"first,omitempty"`
	Last  uint32 `json:"last,omitempty"`
}

// PortRange is ports, first and last among them; the zero value is any.
type PortRange struct {
	First uint16 `json:"first,omitempty"`
	Last  uint16 `json:"last,omitempty"`
}

// What a rule does, from linux/fib_rules.h.
const (
	RuleLookup      = 1
	RuleGoto        = 2
	RuleNop         = 3
	RuleBlackhole   = 6
	RuleUnreachable = 7
	RuleProhibit    = 8
)

// RuleChange is one step of a batch.
type RuleChange struct {
	Op   Op   `json:"op"`
	Rule Rule `json:"rule"`
}

// String is a line for people: "add rule 1000: from 10.1.0.0/16 table 100".
func (c RuleChange) String() string { return fmt.Sprintf("%s rule %s", c.Op, c.Rule) }

// String names the rule for people, as "ip rule" would, in short.
func (r Rule) String() string {
	var s strings.Builder
	fmt.Fprintf(&s, "%d:", r.Priority)
	say := func(yes bool, format string, args ...any) {
		if yes {
			fmt.Fprintf(&s, " "+format, args...)
		}
	}
	say(r.Not, "not")
	say(r.From.IsValid(), "from %s", r.From)
	say(r.To.IsValid(), "to %s", r.To)
	say(r.Mark != 0 || r.Mask != 0, "fwmark %#x", r.Mark)
	say(r.Input != "", "iif %s", r.Input)
	say(r.Output != "", "oif %s", r.Output)
	switch cmp.Or(r.Action, RuleLookup) {
	case RuleLookup:
		say(r.L3MDev, "table of the VRF")
		say(!r.L3MDev, "table %d", r.Table)
	case RuleGoto:
		say(true, "goto %d", r.Goto)
	case RuleNop:
		say(true, "nop")
	case RuleBlackhole:
		say(true, "blackhole")
	case RuleUnreachable:
		say(true, "unreachable")
	case RuleProhibit:
		say(true, "prohibit")
	default:
		say(true, "action %d", r.Action)
	}
	return s.String()
}

func (r Rule) family() byte {
	if r.IPv6 {
		return unix.AF_INET6
	}
	return unix.AF_INET
}

// normal is the rule as the kernel would report it.
func (r Rule) normal() Rule {
	r.From, r.To = matched(r.From), matched(r.To)
	r.Action = cmp.Or(r.Action, RuleLookup)
	r.Protocol = cmp.Or(r.Protocol, Protocol)
	if r.Action != RuleGoto {
		r.Goto = 0
	}
	if r.Action != RuleLookup || r.L3MDev {
		r.Table = 0
	}
	if r.Mark != 0 && r.Mask == 0 {
		r.Mask = ^uint32(0)
	}
	if r.IPv6 {
		r.Realms = 0
	}
	return r
}

// matched is a prefix without host bits; one that holds all is none.
func matched(p netip.Prefix) netip.Prefix {
	if !p.IsValid() || p.Bits() == 0 {
		return netip.Prefix{}
	}
	return p.Masked()
}

// DiffRules says how to turn have into want: first what goes, in have's order,
// then what comes, in want's. Rules that are equal count once.
func DiffRules(have, want []Rule) []RuleChange {
	wanted := make(map[Rule]bool, len(want))
	for _, w := range want {
		wanted[w.normal()] = true
	}
	var out []RuleChange
	there := make(map[Rule]bool, len(have))
	for _, h := range have {
		n := h.normal()
		if !wanted[n] {
			out = append(out, RuleChange{Remove, h})
			continue
		}
		there[n] = true
	}
	for _, w := range want {
		if n := w.normal(); !there[n] {
			there[n] = true
			out = append(out, RuleChange{Add, w})
		}
	}
	return out
}
