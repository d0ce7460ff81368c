package config

import (
	"net/netip"
	"strconv"
	"strings"
	"time"
)

// Bits of an address's flags as the kernel numbers them (IFA_F_*).
const (
	flagHome          = 0x10
	flagManageTemp    = 0x100
	flagNoPrefixRoute = 0x200
	flagAutoJoin      = 0x400
)

// addressFlags are the options of an address that set a flag.
var addressFlags = map[string]uint32{
	"home": flagHome, "mngtmpaddr": flagManageTemp, "noprefixroute": flagNoPrefixRoute, "autojoin": flagAutoJoin,
}

// scopes are the names of address scopes as iproute2 has them.
var scopes = map[string]int{"global": 0, "site": 200, "link": 253, "host": 254, "nowhere": 255}

// addressPlace is the kind of block that a line of addresses stands in.
type addressPlace string

const (
	virtualAddress addressPlace = "virtual"
	staticAddress  addressPlace = "static"
)

// addressLine is one line of addresses while its options are read.
type addressLine struct {
	Address
	line   *node
	place  addressPlace
	prefix bool
	// deviceWord is that of dev; preferred is true where preferred_lft is given.
	deviceWord *token
	dad        bool
	preferred  bool
	bad        bool
}

// address reads one line of addresses. The interface stays empty where the line
// names none.
func (d *decoder) address(n *node, place addressPlace) (Address, bool) {
	w := n.Words[0]
	a := &addressLine{line: n, place: place, Address: Address{Pos: w.pos()}}
	var ok bool
	if a.Prefix, a.prefix, ok = d.prefix(w); !ok {
		return Address{}, false
	}
	for i := 1; i < len(n.Words) && !a.bad; {
		i += d.addressOption(a, n.Words[i:])
	}
	if a.bad {
		return Address{}, false
	}
	d.finishAddress(a)
	return a.Address, true
}

// prefix reads ADDRESS[/LENGTH]; given says whether there was a length.
func (d *decoder) prefix(w token) (p netip.Prefix, given, ok bool) {
	text, length, given := strings.Cut(w.Value, "/")
	addr, ok := parseAddr(text)
	if !ok {
		d.fail("invalid-address", of(w), "", "%s is no IP address; it does not count", w.Value)
		return netip.Prefix{}, given, false
	}
	bits := addr.BitLen()
	if given {
		v, err := strconv.ParseUint(length, 10, 8)
		if err != nil || int(v) > bits {
			d.warn("invalid-prefix", of(w), "", "/%s is no prefix length for %s; /%d is used", length, text, bits)
		} else {
			bits = int(v)
		}
	}
	return netip.PrefixFrom(addr, bits), given, true
}

// addressOption reads the option at the start of rest and returns how many words
// it took.
func (d *decoder) addressOption(a *addressLine, rest []token) int {
	w := rest[0]
	if k := d.table[addressBlock][w.Value]; k != nil && !k.Honoured && d.dormant == 0 {
		d.notice("not-honoured", of(w), k.Reason, "%s is known, not honoured yet", w.Value)
	}
	if bit := addressFlags[w.Value]; bit != 0 {
		a.Flags |= bit
		return 1
	}
	switch w.Value {
	case "no_track":
		a.NoTrack = true
		return 1
	case "-nodad":
		a.dad = true
		return 1
	case "use_vmac":
		if a.place == virtualAddress {
			a.UseVMAC = true
			return 1
		}
	case "track_group":
		if a.place == staticAddress && len(rest) > 1 {
			a.TrackGroup = d.trackGroup(rest[1])
			return 2
		}
	case "dev", "label", "scope", "brd", "broadcast", "peer", "preferred_lft":
		if len(rest) < 2 {
			d.fail("missing-value", of(w), "", "%s of %s lacks its value", w.Value, a.line.name())
			a.bad = true
			return 1
		}
		d.addressValue(a, w.Value, rest[1])
		return 2
	}
	d.warn("unknown-option", of(w), d.table.suggest(addressBlock, w.Value), "unknown option '%s' of the address %s; it does not count", w.Value, a.line.name())
	return 1
}

// addressValue takes an option with its value.
func (d *decoder) addressValue(a *addressLine, option string, w token) {
	six := a.Prefix.Addr().Is6()
	switch option {
	case "dev":
		if a.deviceWord != nil {
			d.fail("duplicate", of(w), "", "%s names more than one device; it does not count", a.line.name())
			a.bad = true
			return
		}
		a.deviceWord, a.Interface = &w, w.Value
	case "label":
		switch {
		case six:
			d.warn("label-ipv6", of(w), "", "an IPv6 address has no label; it does not count")
		case len(w.Value) > 15:
			d.fail("label-length", of(w), "", "the label %s is longer than 15 bytes; the address does not count", w.Value)
			a.bad = true
		default:
			a.Label = w.Value
		}
	case "scope":
		d.addressScope(a, w, six)
	case "brd", "broadcast":
		d.addressBroadcast(a, w, six)
	case "peer":
		d.addressPeer(a, w)
	case "preferred_lft":
		a.preferred = true
		v, err := strconv.ParseUint(w.Value, 10, 32)
		if err != nil && w.Value != "forever" {
			d.fail("invalid-number", of(w), "", "'%s' is no lifetime", w.Value)
			return
		}
		a.Deprecated = err == nil && v == 0
		a.PreferredLifetime = time.Duration(v) * time.Second
	}
}

func (d *decoder) addressScope(a *addressLine, w token, six bool) {
	v, ok := scopes[w.Value]
	if !ok {
		n, err := strconv.ParseUint(w.Value, 0, 8)
		v, ok = int(n), err == nil
	}
	switch {
	case six:
		d.warn("scope-ipv6", of(w), "", "the scope of an IPv6 address cannot be set; it does not count")
	case !ok:
		d.warn("invalid-value", of(w), "Write global, site, link, host or a number.", "'%s' is no scope", w.Value)
	default:
		a.Scope = v
	}
}

func (d *decoder) addressBroadcast(a *addressLine, w token, six bool) {
	if six {
		d.fail("broadcast-ipv6", of(w), "", "IPv6 has no broadcast; the address %s does not count", a.line.name())
		a.bad = true
		return
	}
	addr := a.Prefix.Addr().As4()
	bits := a.Prefix.Bits()
	switch w.Value {
	case "+", "-":
		if bits > 30 {
			d.warn("broadcast-length", of(w), "Give the address the length of its network.", "a network of length %d has no broadcast address", bits)
			return
		}
		for i := bits; i < 32; i++ {
			mask := byte(0x80 >> (i % 8))
			addr[i/8] &^= mask
			if w.Value == "+" {
				addr[i/8] |= mask
			}
		}
		a.Broadcast = netip.AddrFrom4(addr)
	default:
		b, ok := parseAddr(w.Value)
		if !ok || !b.Is4() {
			d.warn("invalid-address", of(w), "", "%s is no broadcast address; it does not count", w.Value)
			return
		}
		a.Broadcast = b
	}
}

func (d *decoder) addressPeer(a *addressLine, w token) {
	p, _, ok := d.prefix(w)
	if !ok || p.Addr().Is6() != a.Prefix.Addr().Is6() {
		if ok {
			d.fail("address-family", of(w), "", "the peer %s is not of the family of %s", w.Value, a.line.name())
		}
		return
	}
	if a.prefix {
		d.warn("invalid-prefix", of(w), "Give the length to the peer.", "the prefix length of %s does not count beside a peer", a.line.name())
	}
	a.Peer = p
	a.Prefix = netip.PrefixFrom(a.Prefix.Addr(), a.Prefix.Addr().BitLen())
}

// finishAddress resolves what the options leave open.
func (d *decoder) finishAddress(a *addressLine) {
	six := a.Prefix.Addr().Is6()
	if a.Peer.IsValid() && a.Broadcast.IsValid() {
		d.warn("broadcast-peer", of(a.line.Words[0]), "", "broadcast does not count beside a peer")
		a.Broadcast = netip.Addr{}
	}
	if six {
		a.NoDAD = !a.dad
		if !a.preferred {
			a.Deprecated = a.Prefix.Bits() == 128
		}
	}
	if a.deviceWord != nil {
		d.interfaceExists(*a.deviceWord, "the address "+a.line.name()+" is for")
	}
}
