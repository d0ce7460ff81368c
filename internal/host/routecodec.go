package host

import (
	"encoding/binary"
	"net/netip"

	"golang.org/x/sys/unix"

	"github.com/tandem-ha/tandem/ipvs/nlmsg"
)

// Attributes that x/sys/unix does not have, from linux/rtnetlink.h,
// linux/lwtunnel.h, linux/mpls_iptunnel.h and linux/ila.h.
const (
	rtaTTLPropagate = 26

	lwtID          = 1
	lwtDestination = 2
	lwtSource      = 3
	lwtFlags       = 6
	// The numbers of TTL and TOS are the same for IP and IP6.
	lwtTTL = 4
	lwtTOS = 5

	mplsDestination = 1
	mplsTTL         = 2

	ilaLocator = 1
)

// kernelRoute is a route as an RTM_NEWROUTE or RTM_DELROUTE tells of it. The
// interfaces are not filled in: the message has their indexes only.
type kernelRoute struct {
	Route
	index int
	// hops are the indexes of NextHops.
	hops []int
}

// resolve fills in the interfaces.
func (k *kernelRoute) resolve(name func(index int) string) Route {
	r := k.Route
	if k.index != 0 && !leadsNowhere(r.Type) {
		r.Via.Interface = name(k.index)
	}
	for i, index := range k.hops {
		r.NextHops[i].Interface = name(index)
	}
	return r
}

func familyOf(a netip.Addr) byte {
	if a.Is4() {
		return unix.AF_INET
	}
	return unix.AF_INET6
}

// appendRoute appends the RTM_NEWROUTE (add) or RTM_DELROUTE of one route; index
// gives the interfaces' numbers.
func appendRoute(b []byte, op Op, flags uint16, seq uint32, r Route, index map[string]int) []byte {
	start := len(b)
	typ := uint16(unix.RTM_DELROUTE)
	if op == Add {
		typ = unix.RTM_NEWROUTE
		flags |= unix.NLM_F_CREATE
		switch r.Mode {
		case Append:
			flags |= unix.NLM_F_APPEND
		case Only:
			flags |= unix.NLM_F_EXCL
		}
	}
	b = nlmsg.Begin(b, typ, unix.NLM_F_REQUEST|flags, seq)
	n := r.normal()
	b = appendRouteHeader(b, r, n, op)

	if bits := n.Destination.Bits(); bits > 0 {
		b = nlmsg.AppendAttr(b, unix.RTA_DST, n.Destination.Addr().AsSlice())
	}
	if n.From.IsValid() && n.From.Bits() > 0 {
		b = nlmsg.AppendAttr(b, unix.RTA_SRC, n.From.Addr().AsSlice())
	}
	if n.Table > 255 {
		b = nlmsg.AppendUint32(b, unix.RTA_TABLE, n.Table)
	}
	if r.Metric != 0 {
		b = nlmsg.AppendUint32(b, unix.RTA_PRIORITY, r.Metric)
	}
	if r.Source.IsValid() {
		b = nlmsg.AppendAttr(b, unix.RTA_PREFSRC, r.Source.AsSlice())
	}
	if len(r.NextHops) > 0 {
		b = appendNextHops(b, r, index)
	} else if !leadsNowhere(n.Type) {
		b = appendHop(b, r.Via, n.Destination.Addr())
		if r.Via.Interface != "" {
			b = nlmsg.AppendUint32(b, unix.RTA_OIF, uint32(index[r.Via.Interface]))
		}
	}
	// What the kernel may have bounded must not keep it from finding the route.
	if op == Add {
		b = appendMetrics(b, r.Metrics)
		if r.Expires != 0 {
			b = nlmsg.AppendUint32(b, unix.RTA_EXPIRES, r.Expires)
		}
		if r.Preference != 0 {
			b = nlmsg.AppendUint8(b, unix.RTA_PREF, r.Preference)
		}
		if r.TTLPropagate.Set {
			b = nlmsg.AppendUint8(b, rtaTTLPropagate, uint8(r.TTLPropagate.Value))
		}
	}
	return nlmsg.End(b, start)
}

// appendRouteHeader appends the struct rtmsg of a route; n is its normal form.
func appendRouteHeader(b []byte, r, n Route, op Op) []byte {
	table := uint8(unix.RT_TABLE_UNSPEC)
	if n.Table <= 255 {
		table = uint8(n.Table)
	}
	sourceBits := 0
	if n.From.IsValid() {
		sourceBits = n.From.Bits()
	}
	scope := r.Scope
	if op == Remove {
		scope = unix.RT_SCOPE_NOWHERE // any
	}
	var flags uint32
	if r.Via.OnLink && len(r.NextHops) == 0 {
		flags = unix.RTNH_F_ONLINK
	}
	b = append(b, familyOf(n.Destination.Addr()), byte(n.Destination.Bits()), byte(sourceBits), r.TOS,
		table, n.Protocol, scope, n.Type)
	return binary.NativeEndian.AppendUint32(b, flags)
}

// appendHop appends what a way out is made of, apart from the interface.
func appendHop(b []byte, h Hop, destination netip.Addr) []byte {
	switch {
	case !h.Gateway.IsValid():
	case h.Gateway.Is4() == destination.Is4():
		b = nlmsg.AppendAttr(b, unix.RTA_GATEWAY, h.Gateway.AsSlice())
	default:
		via := binary.NativeEndian.AppendUint16(nil, uint16(familyOf(h.Gateway)))
		b = nlmsg.AppendAttr(b, unix.RTA_VIA, append(via, h.Gateway.AsSlice()...))
	}
	if h.NewDestination.IsValid() {
		b = nlmsg.AppendAttr(b, unix.RTA_NEWDST, h.NewDestination.AsSlice())
	}
	if h.Realms != 0 {
		b = nlmsg.AppendUint32(b, unix.RTA_FLOW, h.Realms)
	}
	if h.Encap.Type != 0 {
		var at int
		b, at = nlmsg.BeginNested(b, unix.RTA_ENCAP)
		b = nlmsg.EndAttr(appendEncap(b, h.Encap), at)
		b = nlmsg.AppendUint16(b, unix.RTA_ENCAP_TYPE, uint16(h.Encap.Type))
	}
	return b
}

// appendNextHops appends the ways of a route as struct rtnexthop each.
func appendNextHops(b []byte, r Route, index map[string]int) []byte {
	b, multipath := nlmsg.BeginNested(b, unix.RTA_MULTIPATH)
	for _, n := range r.NextHops {
		at := len(b)
		var flags byte
		if n.OnLink {
			flags = unix.RTNH_F_ONLINK
		}
		b = append(b, 0, 0, flags, byte(max(n.Weight, 1)-1))
		b = binary.NativeEndian.AppendUint32(b, uint32(index[n.Interface]))
		b = appendHop(b, n.Hop, r.Destination.Addr())
		binary.NativeEndian.PutUint16(b[at:], uint16(len(b)-at))
	}
	return nlmsg.EndAttr(b, multipath)
}

func appendEncap(b []byte, e Encap) []byte {
	big64 := func(typ uint16, v uint64) {
		if v != 0 {
			b = nlmsg.AppendAttr(b, typ, binary.BigEndian.AppendUint64(nil, v))
		}
	}
	number := func(typ uint16, v uint8) {
		if v != 0 {
			b = nlmsg.AppendUint8(b, typ, v)
		}
	}
	switch e.Type {
	case EncapIP, EncapIP6:
		big64(lwtID, e.ID)
		if e.Destination.IsValid() {
			b = nlmsg.AppendAttr(b, lwtDestination, e.Destination.AsSlice())
		}
		if e.Source.IsValid() {
			b = nlmsg.AppendAttr(b, lwtSource, e.Source.AsSlice())
		}
		number(lwtTTL, e.TTL)
		number(lwtTOS, e.TOS)
		if e.Flags != 0 {
			b = nlmsg.AppendAttr(b, lwtFlags, binary.BigEndian.AppendUint16(nil, e.Flags))
		}
	case EncapMPLS:
		b = nlmsg.AppendAttr(b, mplsDestination, labelStack(e.Labels))
		number(mplsTTL, e.TTL)
	case EncapILA:
		big64(ilaLocator, e.Locator)
	}
	return b
}

// labelStack is labels as on the wire (RFC 3032 2.1), the last marked.
func labelStack(labels []uint32) []byte {
	var b []byte
	for i, l := range labels {
		entry := l << 12
		if i == len(labels)-1 {
			entry |= 1 << 8
		}
		b = binary.BigEndian.AppendUint32(b, entry)
	}
	return b
}

// metric is one of Metrics by its RTAX_* number.
type metric struct {
	typ   uint16
	value *uint32
}

func (m *Metrics) numbers() [16]metric {
	return [...]metric{
		{unix.RTAX_LOCK, &m.Locked}, {unix.RTAX_MTU, &m.MTU}, {unix.RTAX_WINDOW, &m.Window},
		{unix.RTAX_RTT, &m.RTT}, {unix.RTAX_RTTVAR, &m.RTTVar}, {unix.RTAX_SSTHRESH, &m.SSThresh},
		{unix.RTAX_CWND, &m.Cwnd}, {unix.RTAX_ADVMSS, &m.AdvMSS}, {unix.RTAX_REORDERING, &m.Reordering},
		{unix.RTAX_HOPLIMIT, &m.HopLimit}, {unix.RTAX_INITCWND, &m.InitCwnd}, {unix.RTAX_FEATURES, &m.Features},
		{unix.RTAX_RTO_MIN, &m.RTOMin}, {unix.RTAX_INITRWND, &m.InitRwnd}, {unix.RTAX_QUICKACK, &m.QuickAck},
		{unix.RTAX_FASTOPEN_NO_COOKIE, &m.FastOpenNoCookie},
	}
}

func appendMetrics(b []byte, m Metrics) []byte {
	if m == (Metrics{}) {
		return b
	}
	b, at := nlmsg.BeginNested(b, unix.RTA_METRICS)
	for _, n := range m.numbers() {
		if *n.value != 0 {
			b = nlmsg.AppendUint32(b, n.typ, *n.value)
		}
	}
	if m.CongestionControl != "" {
		b = nlmsg.AppendString(b, unix.RTAX_CC_ALGO, m.CongestionControl)
	}
	return nlmsg.EndAttr(b, at)
}

// parseRoute decodes the body of an RTM_NEWROUTE or RTM_DELROUTE; ok is false
// where it is no route of IPv4 or IPv6, or a copy that the kernel keeps for itself.
func parseRoute(data []byte) (k kernelRoute, ok bool) {
	if len(data) < unix.SizeofRtMsg {
		return k, false
	}
	family, bits, sourceBits := data[0], int(data[1]), int(data[2])
	flags := attr32(data[8:])
	if family != unix.AF_INET && family != unix.AF_INET6 || flags&unix.RTM_F_CLONED != 0 {
		return k, false
	}
	destination := unspecified(family)
	source := destination
	k.TOS, k.Table, k.Protocol, k.Scope, k.Type = data[3], uint32(data[4]), data[5], data[6], data[7]
	for typ, value, rest, more := nlmsg.NextAttr(data[unix.SizeofRtMsg:]); more; typ, value, rest, more = nlmsg.NextAttr(rest) {
		switch typ {
		case unix.RTA_DST:
			destination, _ = netip.AddrFromSlice(value)
		case unix.RTA_SRC:
			source, _ = netip.AddrFromSlice(value)
		case unix.RTA_TABLE:
			k.Table = attr32(value)
		case unix.RTA_PRIORITY:
			k.Metric = attr32(value)
		case unix.RTA_PREFSRC:
			k.Source, _ = netip.AddrFromSlice(value)
		case unix.RTA_OIF:
			k.index = int(int32(attr32(value)))
		case unix.RTA_METRICS:
			k.Metrics = parseMetrics(value)
		case unix.RTA_PREF:
			k.Preference = attr8(value)
		case unix.RTA_CACHEINFO:
			// struct rta_cacheinfo: expires is the third, in hundredths of a second.
			if len(value) >= 12 {
				k.Expires = uint32(max(0, (int64(int32(attr32(value[8:])))+99)/100))
			}
		case unix.RTA_MULTIPATH:
			k.NextHops, k.hops = parseNextHops(value)
		}
	}
	k.Via = parseHop(data[unix.SizeofRtMsg:])
	k.Via.OnLink = flags&unix.RTNH_F_ONLINK != 0
	k.Destination = netip.PrefixFrom(destination, bits)
	if sourceBits > 0 {
		k.From = netip.PrefixFrom(source, sourceBits)
	}
	if leadsNowhere(k.Type) {
		k.Via, k.NextHops, k.hops = Hop{}, nil, nil
	}
	return k, k.Destination.IsValid() && destination.Is4() == (family == unix.AF_INET)
}

func unspecified(family byte) netip.Addr {
	if family == unix.AF_INET {
		return netip.IPv4Unspecified()
	}
	return netip.IPv6Unspecified()
}

// parseHop reads the attributes that appendHop writes.
func parseHop(attrs []byte) (h Hop) {
	var encap []byte
	for typ, value, rest, more := nlmsg.NextAttr(attrs); more; typ, value, rest, more = nlmsg.NextAttr(rest) {
		switch typ {
		case unix.RTA_GATEWAY:
			h.Gateway, _ = netip.AddrFromSlice(value)
		case unix.RTA_VIA:
			if len(value) > 2 {
				h.Gateway, _ = netip.AddrFromSlice(value[2:])
			}
		case unix.RTA_FLOW:
			h.Realms = attr32(value)
		case unix.RTA_ENCAP_TYPE:
			h.Encap.Type = EncapType(attr16(value))
		case unix.RTA_ENCAP:
			encap = value
		}
	}
	if h.Encap.Type != 0 {
		h.Encap = parseEncap(h.Encap.Type, encap)
	}
	return h
}

func parseNextHops(b []byte) (hops []NextHop, indexes []int) {
	for len(b) >= unix.SizeofRtNexthop {
		n := int(binary.NativeEndian.Uint16(b))
		if n < unix.SizeofRtNexthop || n > len(b) {
			return hops, indexes
		}
		h := NextHop{Hop: parseHop(b[unix.SizeofRtNexthop:n]), Weight: int(b[3]) + 1}
		h.OnLink = b[2]&unix.RTNH_F_ONLINK != 0
		hops = append(hops, h)
		indexes = append(indexes, int(int32(attr32(b[4:]))))
		b = b[min(nlmsg.Align(n), len(b)):]
	}
	return hops, indexes
}

func parseEncap(t EncapType, b []byte) Encap {
	e := Encap{Type: t}
	for typ, value, rest, more := nlmsg.NextAttr(b); more; typ, value, rest, more = nlmsg.NextAttr(rest) {
		switch {
		case t == EncapMPLS && typ == mplsDestination:
			for ; len(value) >= 4; value = value[4:] {
				e.Labels = append(e.Labels, binary.BigEndian.Uint32(value)>>12)
			}
		case t == EncapMPLS && typ == mplsTTL:
			e.TTL = attr8(value)
		case t == EncapILA && typ == ilaLocator:
			e.Locator = attr64big(value)
		case t != EncapIP && t != EncapIP6:
		case typ == lwtID:
			e.ID = attr64big(value)
		case typ == lwtDestination:
			e.Destination, _ = netip.AddrFromSlice(value)
		case typ == lwtSource:
			if a, _ := netip.AddrFromSlice(value); !a.IsUnspecified() {
				e.Source = a
			}
		case typ == lwtTTL:
			e.TTL = attr8(value)
		case typ == lwtTOS:
			e.TOS = attr8(value)
		case typ == lwtFlags && len(value) >= 2:
			e.Flags = binary.BigEndian.Uint16(value)
		}
	}
	return e
}

func parseMetrics(b []byte) (m Metrics) {
	numbers := m.numbers()
	for typ, value, rest, more := nlmsg.NextAttr(b); more; typ, value, rest, more = nlmsg.NextAttr(rest) {
		if typ == unix.RTAX_CC_ALGO {
			m.CongestionControl = nlmsg.String(value)
			continue
		}
		for _, n := range numbers {
			if n.typ == typ {
				*n.value = attr32(value)
			}
		}
	}
	return m
}
