package host

import (
	"encoding/binary"
	"net/netip"

	"golang.org/x/sys/unix"

	"github.com/tandem-ha/tandem/ipvs/nlmsg"
)

// Attributes of a rule (linux/fib_rules.h).
const (
	fraDestination      = 1
	fraSource           = 2
	fraInput            = 3
	fraGoto             = 4
	fraPriority         = 6
	fraMark             = 10
	fraRealms           = 11
	fraTunnelID         = 12
	fraSuppressGroup    = 13
	fraSuppressPrefix   = 14
	fraTable            = 15
	fraMask             = 16
	fraOutput           = 17
	fraL3MDev           = 19
	fraUIDs             = 20
	fraProtocol         = 21
	fraIPProtocol       = 22
	fraSourcePorts      = 23
	fraDestinationPorts = 24

	// sizeofRuleHeader is that of struct fib_rule_hdr.
	sizeofRuleHeader = 12
	// ruleInvert is FIB_RULE_INVERT.
	ruleInvert = 2
)

// appendRule appends the RTM_NEWRULE (add) or RTM_DELRULE of one rule.
func appendRule(b []byte, op Op, flags uint16, seq uint32, r Rule) []byte {
	start := len(b)
	typ := uint16(unix.RTM_DELRULE)
	if op == Add {
		typ = unix.RTM_NEWRULE
		flags |= unix.NLM_F_CREATE | unix.NLM_F_EXCL
	}
	r = r.normal()
	b = nlmsg.Begin(b, typ, unix.NLM_F_REQUEST|flags, seq)
	table := uint8(unix.RT_TABLE_UNSPEC)
	if r.Table <= 255 {
		table = uint8(r.Table)
	}
	var inverted uint32
	if r.Not {
		inverted = ruleInvert
	}
	b = append(b, r.family(), byte(max(0, r.To.Bits())), byte(max(0, r.From.Bits())), r.TOS, table, 0, 0, r.Action)
	b = binary.NativeEndian.AppendUint32(b, inverted)

	if r.To.IsValid() {
		b = nlmsg.AppendAttr(b, fraDestination, r.To.Addr().AsSlice())
	}
	if r.From.IsValid() {
		b = nlmsg.AppendAttr(b, fraSource, r.From.Addr().AsSlice())
	}
	b = nlmsg.AppendUint32(b, fraPriority, r.Priority)
	if r.Table > 255 {
		b = nlmsg.AppendUint32(b, fraTable, r.Table)
	}
	if r.Action == RuleGoto {
		b = nlmsg.AppendUint32(b, fraGoto, r.Goto)
	}
	b = appendRuleMatches(b, r)
	if r.Realms != 0 {
		b = nlmsg.AppendUint32(b, fraRealms, r.Realms)
	}
	if r.SuppressPrefix.Set {
		b = nlmsg.AppendUint32(b, fraSuppressPrefix, r.SuppressPrefix.Value)
	}
	if r.SuppressGroup.Set {
		b = nlmsg.AppendUint32(b, fraSuppressGroup, r.SuppressGroup.Value)
	}
	if r.L3MDev {
		b = nlmsg.AppendUint8(b, fraL3MDev, 1)
	}
	b = nlmsg.AppendUint8(b, fraProtocol, r.Protocol)
	return nlmsg.End(b, start)
}

// appendRuleMatches appends what a packet must be, apart from its addresses.
func appendRuleMatches(b []byte, r Rule) []byte {
	if r.Mark != 0 || r.Mask != 0 {
		b = nlmsg.AppendUint32(b, fraMark, r.Mark)
		b = nlmsg.AppendUint32(b, fraMask, r.Mask)
	}
	if r.Input != "" {
		b = nlmsg.AppendString(b, fraInput, r.Input)
	}
	if r.Output != "" {
		b = nlmsg.AppendString(b, fraOutput, r.Output)
	}
	if r.TunnelID != 0 {
		b = nlmsg.AppendAttr(b, fraTunnelID, binary.BigEndian.AppendUint64(nil, r.TunnelID))
	}
	if r.UIDs.Set {
		users := binary.NativeEndian.AppendUint32(nil, r.UIDs.First)
		b = nlmsg.AppendAttr(b, fraUIDs, binary.NativeEndian.AppendUint32(users, r.UIDs.Last))
	}
	if r.IPProtocol != 0 {
		b = nlmsg.AppendUint8(b, fraIPProtocol, r.IPProtocol)
	}
	b = appendPorts(b, fraSourcePorts, r.SourcePorts)
	return appendPorts(b, fraDestinationPorts, r.DestinationPorts)
}

func appendPorts(b []byte, typ uint16, p PortRange) []byte {
	if p == (PortRange{}) {
		return b
	}
	ports := binary.NativeEndian.AppendUint16(nil, p.First)
	return nlmsg.AppendAttr(b, typ, binary.NativeEndian.AppendUint16(ports, p.Last))
}

// parseRule decodes the body of an RTM_NEWRULE or RTM_DELRULE; ok is false where
// it is no rule of IPv4 or IPv6.
func parseRule(data []byte) (r Rule, ok bool) {
	if len(data) < sizeofRuleHeader || data[0] != unix.AF_INET && data[0] != unix.AF_INET6 {
		return r, false
	}
	r.IPv6 = data[0] == unix.AF_INET6
	r.TOS, r.Table, r.Action = data[3], uint32(data[4]), data[7]
	r.Not = attr32(data[8:])&ruleInvert != 0
	to, from := int(data[1]), int(data[2])
	for typ, value, rest, more := nlmsg.NextAttr(data[sizeofRuleHeader:]); more; typ, value, rest, more = nlmsg.NextAttr(rest) {
		switch typ {
		case fraDestination:
			r.To = prefixOf(value, to)
		case fraSource:
			r.From = prefixOf(value, from)
		case fraPriority:
			r.Priority = attr32(value)
		case fraTable:
			r.Table = attr32(value)
		case fraGoto:
			r.Goto = attr32(value)
		case fraRealms:
			r.Realms = attr32(value)
		case fraSuppressPrefix:
			r.SuppressPrefix = suppression(value)
		case fraSuppressGroup:
			r.SuppressGroup = suppression(value)
		case fraL3MDev:
			r.L3MDev = attr8(value) != 0
		case fraProtocol:
			r.Protocol = attr8(value)
		default:
			r.parseMatch(typ, value)
		}
	}
	return r, true
}

// parseMatch reads the attributes that appendRuleMatches writes.
func (r *Rule) parseMatch(typ uint16, value []byte) {
	switch typ {
	case fraMark:
		r.Mark = attr32(value)
	case fraMask:
		r.Mask = attr32(value)
	case fraInput:
		r.Input = nlmsg.String(value)
	case fraOutput:
		r.Output = nlmsg.String(value)
	case fraTunnelID:
		r.TunnelID = attr64big(value)
	case fraUIDs:
		if len(value) >= 8 {
			r.UIDs = UIDRange{true, attr32(value), attr32(value[4:])}
		}
	case fraIPProtocol:
		r.IPProtocol = attr8(value)
	case fraSourcePorts:
		r.SourcePorts = portsOf(value)
	case fraDestinationPorts:
		r.DestinationPorts = portsOf(value)
	}
}

func prefixOf(value []byte, bits int) netip.Prefix {
	a, _ := netip.AddrFromSlice(value)
	return netip.PrefixFrom(a, bits)
}

// suppression reads a number that is -1 where there is none.
func suppression(value []byte) Setting {
	if v := attr32(value); v != ^uint32(0) {
		return Setting{Set: true, Value: v}
	}
	return Setting{}
}

func portsOf(value []byte) PortRange {
	if len(value) < 4 {
		return PortRange{}
	}
	return PortRange{attr16(value), attr16(value[2:])}
}
