package config

import (
	"net/netip"
	"strconv"
	"strings"
)

// firstPreference is that of the first rule of a family that names none; each
// further one has the next lower.
const firstPreference = 16384

// ruleLine is one line of rules while it is read.
type ruleLine struct {
	Rule
	d      *decoder
	line   *node
	rest   []token
	family int
	bad    bool
	static bool
	// preference is true where one is given.
	preference bool
}

// rule reads one line of static_rules or virtual_rules.
func (d *decoder) rule(n *node, static bool) (Rule, bool) {
	r := &ruleLine{d: d, line: n, rest: n.Words, static: static, Rule: Rule{
		Pos: n.Words[0].pos(), SuppressPrefixLength: unset, SuppressGroup: unset, Protocol: keepalivedProtocol, Text: lineText(n),
	}}
	for len(r.rest) > 0 && !r.bad {
		r.word()
	}
	if r.bad || !r.finish() {
		return Rule{}, false
	}
	return r.Rule, true
}

func (r *ruleLine) fail(code string, w token, help, format string, args ...any) {
	r.bad = true
	r.d.fail(code, of(w), help, format, args...)
}

// word takes the next option with what belongs to it.
func (r *ruleLine) word() {
	w := r.rest[0]
	r.rest = r.rest[1:]
	switch w.Value {
	case "inet":
		r.sameFamily(4, w)
		return
	case "inet6":
		r.sameFamily(6, w)
		return
	case "not":
		r.Not = true
		return
	case "no_track":
		r.NoTrack = true
		return
	case "l3mdev":
		r.L3MDev = true
		r.action("lookup", w)
		return
	case "nop", "blackhole", "prohibit", "unreachable":
		r.action(w.Value, w)
		return
	case "type":
		return
	}
	if r.d.table[ruleBlock][w.Value] == nil || w.Value == "track_group" && !r.static {
		help := r.d.table.suggest(ruleBlock, w.Value)
		if w.Value == "track_group" {
			help = "Only static rules have one."
		}
		r.fail("unknown-option", w, help, "%s is no word of a rule", w.Value)
		return
	}
	if len(r.rest) == 0 {
		r.fail("missing-parameter", w, "", "%s of a rule lacks its value", w.Value)
		return
	}
	v := r.rest[0]
	r.rest = r.rest[1:]
	r.option(w, v)
}

// option takes an option with its value.
func (r *ruleLine) option(w, v token) {
	switch w.Value {
	case "from":
		r.From = r.prefix(v)
	case "to":
		r.To = r.prefix(v)
	case "table", "lookup":
		r.Table = r.named("rt_tables", v, maxUint, "routing table")
		if r.Table == 0 && !r.bad {
			r.fail("invalid-value", v, "", "0 is no routing table to look in")
		}
		r.action("lookup", w)
	case "goto":
		r.Goto = uint32(r.number(v, maxUint))
		r.action("goto", w)
	case "preference", "order", "priority":
		r.Preference, r.preference = uint32(r.number(v, maxUint)), true
	case "tos", "dsfield":
		r.TOS = uint8(r.named("rt_dsfield", v, 255, "TOS"))
	case "fwmark":
		r.mark(v)
	case "realms":
		r.realms(v)
	case "suppress_prefixlength", "sup_pl":
		r.SuppressPrefixLength = int(r.number(v, maxInt))
	case "suppress_ifgroup", "sup_group":
		r.SuppressGroup = int(r.named("group", v, maxInt, "group of interfaces"))
	case "dev", "iif":
		r.In = r.device(v)
	case "oif":
		r.Out = r.device(v)
	case "tunnel-id":
		n, err := strconv.ParseUint(v.Value, 10, 64)
		if err != nil {
			r.fail("invalid-number", v, "", "'%s' is no id of a tunnel", v.Value)
		}
		r.TunnelID = n
	case "uidrange":
		r.uids(v)
	case "protocol":
		r.Protocol = uint8(r.number(v, 255))
	case "ipproto":
		r.ipProto(v)
	case "sport":
		r.Sport = r.ports(v)
	case "dport":
		r.Dport = r.ports(v)
	case "track_group":
		r.TrackGroup = r.d.trackGroup(v)
	}
}

// action notes what the rule does, which can be one thing only.
func (r *ruleLine) action(name string, w token) {
	if r.Action != "" {
		r.fail("rule-action", w, "", "a rule does one thing: %s, and not %s as well", r.Action, w.Value)
		return
	}
	r.Action = name
}

func (r *ruleLine) number(w token, most int64) int64 {
	v, ok := r.d.number(w, 0, most)
	r.bad = r.bad || !ok
	return v
}

func (r *ruleLine) named(table string, w token, most uint64, what string) uint32 {
	v, ok := r.d.names().number(table, w.Value, most)
	if !ok {
		r.fail("invalid-value", w, "Write a number, or a name of /etc/iproute2/"+table+".", "%s is no %s", w.Value, what)
	}
	return v
}

func (r *ruleLine) sameFamily(family int, w token) {
	if r.family == 0 {
		r.family = family
	}
	if r.family != family {
		r.fail("address-family", w, "", "%s is not of the family of the rule", w.Value)
	}
}

// prefix reads a network; the words for any are the invalid one.
func (r *ruleLine) prefix(w token) netip.Prefix {
	switch w.Value {
	case "default", "any", "all":
		return netip.Prefix{}
	}
	p, _, ok := r.d.prefix(w)
	if !ok {
		r.bad = true
		return p
	}
	r.sameFamily(familyOfAddr(p.Addr()), w)
	return p.Masked()
}

// mark takes "N[/MASK]".
func (r *ruleLine) mark(w token) {
	text, mask, masked := strings.Cut(w.Value, "/")
	v, err := strconv.ParseUint(text, 0, 32)
	m := uint64(0)
	if masked && err == nil {
		m, err = strconv.ParseUint(mask, 0, 32)
	}
	if err != nil {
		r.fail("invalid-value", w, "Write MARK or MARK/MASK.", "%s is no mark", w.Value)
		return
	}
	r.FWMark, r.FWMask, r.HasFWMark, r.HasFWMask = uint32(v), uint32(m), true, masked
}

func (r *ruleLine) realms(w token) {
	v, ok := r.d.realms(w.Value)
	if !ok {
		r.fail("invalid-value", w, "Write [FROM/]TO.", "%s are no realms", w.Value)
	}
	r.Realms = v
}

// device takes the name of an interface that has to exist.
func (r *ruleLine) device(w token) string {
	r.bad = r.bad || !r.d.interfaceExists(w, "a rule is for")
	return w.Value
}

// uids takes "A-B".
func (r *ruleLine) uids(w token) {
	low, high, _ := strings.Cut(w.Value, "-")
	a, err1 := strconv.ParseUint(low, 10, 32)
	b, err2 := strconv.ParseUint(high, 10, 32)
	if err1 != nil || err2 != nil {
		r.fail("invalid-value", w, "Write FIRST-LAST.", "%s is no range of users", w.Value)
		return
	}
	if a > b {
		r.d.notice("empty-range", of(w), "", "%s holds no user", w.Value)
	}
	r.UIDs = &UIDRange{uint32(a), uint32(b)}
}

// ipProtocols are the names of protocols above IP that rules commonly have.
var ipProtocols = map[string]uint8{
	"icmp": 1, "igmp": 2, "ipencap": 4, "tcp": 6, "udp": 17, "ipv6": 41, "gre": 47, "esp": 50, "ah": 51,
	"ipv6-icmp": 58, "ospf": 89, "ipip": 94, "pim": 103, "vrrp": 112, "l2tp": 115, "sctp": 132, "udplite": 136, "mpls-in-ip": 137,
}

func (r *ruleLine) ipProto(w token) {
	if p, ok := ipProtocols[strings.ToLower(w.Value)]; ok {
		r.IPProto = p
		return
	}
	v, err := strconv.ParseUint(w.Value, 10, 8)
	if err != nil || v > 254 {
		r.fail("invalid-value", w, "Write tcp, udp or a number.", "%s is no protocol above IP", w.Value)
		return
	}
	r.IPProto = uint8(v)
}

// ports takes "A-B", or "A" for one port.
func (r *ruleLine) ports(w token) *PortRange {
	low, high, ranged := strings.Cut(w.Value, "-")
	if !ranged {
		high = low
	}
	a, err1 := strconv.ParseUint(low, 10, 16)
	b, err2 := strconv.ParseUint(high, 10, 16)
	if err1 != nil || err2 != nil || a == 0 || b == 0 {
		r.fail("invalid-value", w, "Write FIRST-LAST.", "%s is no range of ports", w.Value)
		return nil
	}
	if a > b {
		r.d.notice("empty-range", of(w), "", "%s holds no port", w.Value)
	}
	return &PortRange{uint16(a), uint16(b)}
}

// finish judges a rule once all of it has been read.
func (r *ruleLine) finish() bool {
	d := r.d
	at := words(r.line, 0)
	r.IPv6 = r.family == 6
	switch {
	case r.Action == "":
		d.fail("rule-action", at, "Add table TABLE, goto N or blackhole.", "a rule has to do something; this one does not count")
		return false
	case r.Action == "goto" && !r.preference:
		d.fail("rule-goto", at, "Add preference N.", "a rule with goto needs a preference; this one does not count")
		return false
	case r.Action == "goto" && r.Goto <= r.Preference:
		d.fail("rule-goto", at, "A rule can only lead to one behind it.", "preference %d is not before %d", r.Preference, r.Goto)
		return false
	case r.Realms != 0 && r.IPv6:
		d.fail("address-family", at, "", "realms are for IPv4 only; the rule does not count")
		return false
	}
	if !r.NoTrack && r.Protocol != keepalivedProtocol {
		d.warn("rule-protocol", at, "Add no_track to keep the protocol.", "only a rule of protocol keepalived is watched; its protocol is %d", keepalivedProtocol)
		r.Protocol = keepalivedProtocol
	}
	if !r.preference {
		r.Preference = firstPreference - min(d.unordered[r.IPv6], firstPreference-1)
		d.unordered[r.IPv6]++
		d.warn("rule-preference", at, "Add preference N.", "the rule has no preference; %d is used, which is probably not what you want", r.Preference)
	}
	return true
}
