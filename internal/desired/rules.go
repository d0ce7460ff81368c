package desired

import (
	"github.com/tandem-ha/tandem/config"
	"github.com/tandem-ha/tandem/internal/host"
)

func rules(list []config.Rule) []Item[host.Rule] {
	var out []Item[host.Rule]
	for _, r := range list {
		out = append(out, Item[host.Rule]{Rule(r), r.NoTrack})
	}
	return out
}

// ruleActions are what a rule does, by iproute2's words.
var ruleActions = map[string]uint8{
	"lookup": host.RuleLookup, "goto": host.RuleGoto, "nop": host.RuleNop,
	"blackhole": host.RuleBlackhole, "unreachable": host.RuleUnreachable, "prohibit": host.RuleProhibit,
}

// Rule gives one line of a block of rules as the host should hold it.
func Rule(r config.Rule) host.Rule {
	h := host.Rule{
		IPv6:           r.IPv6,
		Priority:       r.Preference,
		Not:            r.Not,
		From:           r.From,
		To:             r.To,
		TOS:            r.TOS,
		Input:          r.In,
		Output:         r.Out,
		TunnelID:       r.TunnelID,
		IPProtocol:     r.IPProto,
		L3MDev:         r.L3MDev,
		Action:         ruleActions[r.Action],
		Table:          r.Table,
		Goto:           r.Goto,
		Realms:         r.Realms,
		SuppressPrefix: setting(r.SuppressPrefixLength),
		SuppressGroup:  setting(r.SuppressGroup),
		Protocol:       r.Protocol,
	}
	if r.HasFWMark {
		h.Mark, h.Mask = r.FWMark, ^uint32(0)
		if r.HasFWMask {
			h.Mask = r.FWMask
		}
	}
	if r.UIDs != nil {
		h.UIDs = host.UIDRange{Set: true, First: r.UIDs.First, Last: r.UIDs.Last}
	}
	if r.Sport != nil {
		h.SourcePorts = host.PortRange(*r.Sport)
	}
	if r.Dport != nil {
		h.DestinationPorts = host.PortRange(*r.Dport)
	}
	return h
}

// setting is a number that is -1 where it is not given.
func setting(n int) host.Setting {
	if n < 0 {
		return host.Setting{}
	}
	return host.Setting{Set: true, Value: uint32(n)}
}
