package config

import (
	"net/netip"
	"strconv"
	"strings"
)

// maxSet is how many services one virtual_server_group may make.
const maxSet = 65536

// serverSet is a virtual_server_group: what its services are for.
type serverSet struct {
	name    string
	node    *node
	members []setMember
}

// setMember is one address or mark of a group.
type setMember struct {
	addr   netip.Addr
	port   uint16
	fwmark uint32
	family int
}

func serverGroupBlock(d *decoder, n *node) {
	name, ok := d.blockName(n)
	if !ok {
		return
	}
	if d.sets[name] != nil {
		d.fail("duplicate", words(n, 0), "", "virtual_server_group %s is there already; this one does not count", name)
		return
	}
	set := &serverSet{name: name, node: n}
	d.lines(n, func(l *node) { d.setLine(set, l) })
	if len(set.members) == 0 {
		d.fail("group-empty", words(n, 0), "Write addresses or marks into it.", "virtual_server_group %s has no entry; it does not count", name)
		return
	}
	d.sets[name] = set
}

// setLine reads "IP [PORT]", "IP-LAST [PORT]", "IP-IP [PORT]", "NET/LEN [PORT]"
// or "fwmark N [inet|inet6]".
func (d *decoder) setLine(set *serverSet, n *node) {
	w := n.Words[0]
	if w.Value == "fwmark" {
		if len(n.Words) < 2 {
			d.fail("missing-value", of(w), "", "fwmark lacks its number")
			return
		}
		v, ok := d.number(n.Words[1], 1, 1<<32-1)
		if !ok {
			return
		}
		m := setMember{fwmark: uint32(v)}
		if len(n.Words) > 2 {
			m.family = map[string]int{"inet": 4, "inet6": 6}[n.Words[2].Value]
		}
		set.members = append(set.members, m)
		return
	}
	first, last, ok := d.setRange(w)
	if !ok {
		return
	}
	var port int64
	if len(n.Words) > 1 {
		if port, ok = d.number(n.Words[1], 0, 65535); !ok {
			return
		}
	}
	for a := first; ; a = a.Next() {
		if len(set.members) >= maxSet {
			d.fail("group-size", of(w), "", "virtual_server_group %s has more than %d addresses; the rest does not count", set.name, maxSet)
			return
		}
		set.members = append(set.members, setMember{addr: a, port: uint16(port), family: familyOfAddr(a)})
		if a == last {
			return
		}
	}
}

// setRange reads the addresses of a line.
func (d *decoder) setRange(w token) (first, last netip.Addr, ok bool) {
	bad := func(why string) (netip.Addr, netip.Addr, bool) {
		d.fail("invalid-address", of(w), "Write IP, IP-LAST, IP-IP or NETWORK/LENGTH.", "%s %s; it does not count", w.Value, why)
		return first, last, false
	}
	if text, length, isNet := strings.Cut(w.Value, "/"); isNet {
		p, err := netip.ParsePrefix(text + "/" + length)
		if err != nil {
			return bad("is no network")
		}
		if p != p.Masked() {
			return bad("has bits behind its length")
		}
		return p.Addr(), lastOf(p), true
	}
	text, end, ranged := strings.Cut(w.Value, "-")
	first, ok = parseAddr(text)
	if !ok {
		return bad("is no IP address")
	}
	if !ranged {
		return first, first, true
	}
	last, ok = parseAddr(end)
	if !ok {
		last, ok = withLast(first, end)
	}
	if !ok || last.Is6() != first.Is6() || !first.Less(last) {
		return bad("is no range")
	}
	return first, last, true
}

// lastOf is the last address of a network.
func lastOf(p netip.Prefix) netip.Addr {
	b := p.Addr().AsSlice()
	for i := p.Bits(); i < len(b)*8; i++ {
		b[i/8] |= 0x80 >> (i % 8)
	}
	a, _ := netip.AddrFromSlice(b)
	return a
}

// withLast puts end, the last octet or the last hextet, into an address.
func withLast(a netip.Addr, end string) (netip.Addr, bool) {
	b := a.AsSlice()
	if a.Is4() {
		v, err := strconv.ParseUint(end, 10, 8)
		b[3] = byte(v)
		last, _ := netip.AddrFromSlice(b)
		return last, err == nil
	}
	v, err := strconv.ParseUint(end, 16, 16)
	b[14], b[15] = byte(v>>8), byte(v)
	last, _ := netip.AddrFromSlice(b)
	return last, err == nil
}
