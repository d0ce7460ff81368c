package host

import (
	"cmp"
	"net/netip"
	"slices"

	"github.com/google/nftables"
	"github.com/google/nftables/expr"
	"golang.org/x/sys/unix"
)

// ruleset is what one family's table holds.
type ruleset struct {
	sets    []ruleSetOf
	in, out []rulePart
}

func (r ruleset) empty() bool { return len(r.in) == 0 && len(r.out) == 0 }

type ruleSetOf struct {
	name     string
	key      nftables.SetDatatype
	elements []nftables.SetElement
}

// The sets of a table.
const (
	vipSet  = "vips"
	vmacSet = "vmacs"
)

// rulePart is one rule: what a packet must be, and what is done to it.
type rulePart struct {
	matches []match
	verdict expr.VerdictKind
}

// match loads something of a packet and compares it with a value or a set.
type match struct {
	load  expr.Any
	equal []byte
	set   string
}

// expressions are the rule as the kernel takes it.
func (r rulePart) expressions(sets map[string]*nftables.Set, counters bool) []expr.Any {
	var out []expr.Any
	for _, m := range r.matches {
		out = append(out, m.load)
		if m.set != "" {
			out = append(out, &expr.Lookup{SourceRegister: register, SetName: m.set, SetID: sets[m.set].ID})
			continue
		}
		out = append(out, &expr.Cmp{Op: expr.CmpOpEq, Register: register, Data: m.equal})
	}
	if counters {
		out = append(out, &expr.Counter{})
	}
	return append(out, &expr.Verdict{Kind: r.verdict})
}

// register is the one that all loads use.
const register = unix.NFT_REG_1

func loadMeta(key expr.MetaKey) expr.Any { return &expr.Meta{Key: key, Register: register} }

func loadPayload(base expr.PayloadBase, offset, n uint32) expr.Any {
	return &expr.Payload{DestRegister: register, Base: base, Offset: offset, Len: n}
}

// linkName is a name as the kernel compares it: with zeros to its full length.
func linkName(name string) []byte {
	b := make([]byte, unix.IFNAMSIZ)
	copy(b, name)
	return b
}

// Types of ICMPv6 (RFC 2710 3.1, RFC 3810 5.2, RFC 4861 4).
const (
	icmpReport       = 131
	icmpDone         = 132
	icmpRouterSeek   = 133
	icmpNeighbour    = 135
	icmpNeighbourAdv = 136
	icmpReport2      = 143
)

// icmp6 is a packet of ICMPv6 of a type.
func icmp6(typ byte) []match {
	return []match{
		{load: loadMeta(expr.MetaKeyL4PROTO), equal: []byte{unix.IPPROTO_ICMPV6}},
		{load: loadPayload(expr.PayloadBaseTransportHeader, 0, 1), equal: []byte{typ}},
	}
}

// rulesetOf says what the rules are for a family.
func rulesetOf(rules FirewallRules, family nftables.TableFamily) ruleset {
	v6 := family == nftables.TableFamilyIPv6
	var r ruleset
	r.quiet(rules.Quiet, v6)
	r.deny(rules.Deny, v6)
	return r
}

// quiet adds the rules for VMACs.
func (r *ruleset) quiet(links []string, v6 bool) {
	links = slices.Clone(links)
	slices.Sort(links)
	links = slices.Compact(links)
	if len(links) == 0 {
		return
	}
	set := ruleSetOf{name: vmacSet, key: nftables.TypeIFName}
	for _, name := range links {
		set.elements = append(set.elements, nftables.SetElement{Key: linkName(name)})
	}
	r.sets = append(r.sets, set)
	leaving := match{load: loadMeta(expr.MetaKeyOIFNAME), set: vmacSet}
	if !v6 {
		r.out = append(r.out, rulePart{[]match{
			leaving, {load: loadMeta(expr.MetaKeyL4PROTO), equal: []byte{unix.IPPROTO_IGMP}},
		}, expr.VerdictDrop})
		return
	}
	for _, typ := range []byte{icmpReport, icmpDone, icmpRouterSeek, icmpReport2} {
		r.out = append(r.out, rulePart{append([]match{leaving}, icmp6(typ)...), expr.VerdictDrop})
	}
}

// deny adds the rules for addresses.
func (r *ruleset) deny(denied []DeniedAddress, v6 bool) {
	denied = slices.DeleteFunc(slices.Clone(denied), func(d DeniedAddress) bool { return d.Addr.Is4() == v6 })
	for i, d := range denied {
		if !d.Addr.IsLinkLocalUnicast() || !v6 {
			denied[i].Interface = ""
		}
	}
	slices.SortFunc(denied, func(a, b DeniedAddress) int {
		return cmp.Or(a.Addr.Compare(b.Addr), cmp.Compare(a.Interface, b.Interface))
	})
	denied = slices.Compact(denied)
	if len(denied) == 0 {
		return
	}
	// Where source and destination are in the header.
	source, destination, n, key := uint32(12), uint32(16), uint32(4), nftables.TypeIPAddr
	if v6 {
		source, destination, n, key = 8, 24, 16, nftables.TypeIP6Addr
		// The peers must go on finding whose the address is.
		for _, typ := range []byte{icmpNeighbour, icmpNeighbourAdv} {
			pass := rulePart{icmp6(typ), expr.VerdictAccept}
			r.in, r.out = append(r.in, pass), append(r.out, pass)
		}
	}
	set := ruleSetOf{name: vipSet, key: key}
	for _, d := range denied {
		if d.Interface == "" {
			set.elements = append(set.elements, nftables.SetElement{Key: d.Addr.AsSlice()})
		}
	}
	from := loadPayload(expr.PayloadBaseNetworkHeader, source, n)
	to := loadPayload(expr.PayloadBaseNetworkHeader, destination, n)
	if len(set.elements) > 0 {
		r.sets = append(r.sets, set)
		r.in = append(r.in, rulePart{[]match{{load: to, set: vipSet}}, expr.VerdictDrop})
		r.out = append(r.out, rulePart{[]match{{load: from, set: vipSet}}, expr.VerdictDrop})
	}
	for _, d := range denied {
		if d.Interface == "" {
			continue
		}
		addr, link := addrBytes(d.Addr), linkName(d.Interface)
		r.in = append(r.in, rulePart{[]match{{load: loadMeta(expr.MetaKeyIIFNAME), equal: link}, {load: to, equal: addr}}, expr.VerdictDrop})
		r.out = append(r.out, rulePart{[]match{{load: loadMeta(expr.MetaKeyOIFNAME), equal: link}, {load: from, equal: addr}}, expr.VerdictDrop})
	}
}

// addrBytes is an address without its zone.
func addrBytes(a netip.Addr) []byte { return a.WithZone("").AsSlice() }
