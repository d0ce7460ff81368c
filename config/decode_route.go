package config

import (
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"time"
)

const keepalivedProtocol = 18

// mainTable is the kernel's number of the main routing table.
const mainTable = 254

// routeTypes are the kernel's types of routes by iproute2's names.
var routeTypes = []string{"unicast", "local", "broadcast", "anycast", "multicast", "blackhole", "unreachable", "prohibit", "throw", "nat", "xresolve"}

// routeLine is one line of routes while it is read.
type routeLine struct {
	Route
	d    *decoder
	line *node
	rest []token
	// family is 4 or 6, 0 while it is not known.
	family int
	bad    bool
	static bool
	// destination is true once there is one; device is the word of dev.
	destination bool
	device      token
}

// route reads one line of static_routes or virtual_routes.
func (d *decoder) route(n *node, static bool) (Route, bool) {
	r := &routeLine{d: d, line: n, rest: n.Words, static: static, Route: Route{
		Pos: n.Words[0].pos(), Type: "unicast", Table: mainTable, Protocol: keepalivedProtocol, Scope: unset, Mode: "prepend", Text: lineText(n),
	}}
	if slices.Contains(routeTypes, r.rest[0].Value) {
		r.Type, r.rest = r.rest[0].Value, r.rest[1:]
	}
	for len(r.rest) > 0 && !r.bad {
		r.word()
	}
	if r.bad || !r.finish() {
		return Route{}, false
	}
	return r.Route, true
}

// lineText is a line as it was written, one blank between words.
func lineText(n *node) string {
	parts := make([]string, len(n.Words))
	for i, w := range n.Words {
		parts[i] = w.Value
	}
	return strings.Join(parts, " ")
}

// fail reports what keeps the route from counting.
func (r *routeLine) fail(code string, w token, help, format string, args ...any) {
	r.bad = true
	r.d.fail(code, of(w), help, format, args...)
}

// value takes the word behind the option w.
func (r *routeLine) value(w token) (token, bool) {
	if len(r.rest) == 0 {
		r.fail("missing-parameter", w, "", "%s of a route lacks its value", w.Value)
		return token{}, false
	}
	v := r.rest[0]
	r.rest = r.rest[1:]
	return v, true
}

// word takes the next option with what belongs to it.
func (r *routeLine) word() {
	w := r.rest[0]
	r.rest = r.rest[1:]
	k := r.d.table[routeBlock][w.Value]
	if k == nil {
		r.to(w)
		return
	}
	switch w.Value {
	case "inet":
		r.sameFamily(4, w)
	case "inet6":
		r.sameFamily(6, w)
	case "onlink":
		r.Hop.OnLink = true
	case "add", "append", "prepend":
		r.Mode = w.Value
	case "no_track":
		r.NoTrack = true
	case "nexthop":
		r.nextHops(w)
	case "or":
		r.d.warn("deprecated", of(w), "Write nexthop via IP.", "or is deprecated for routes")
		r.secondHop(w)
	default:
		r.option(w)
	}
}

// option takes an option that has a value.
func (r *routeLine) option(w token) {
	if w.Value == "track_group" && !r.static {
		r.fail("unknown-option", w, "Only static routes have one.", "unknown word track_group in a virtual route")
		return
	}
	if len(r.rest) > 0 && r.rest[0].Value == "lock" && lockable(w.Value) {
		r.Metrics.Locked = append(r.Metrics.Locked, w.Value)
		r.rest = r.rest[1:]
	}
	v, ok := r.value(w)
	if !ok {
		return
	}
	switch w.Value {
	case "via", "gw":
		if w.Value == "gw" {
			r.d.warn("deprecated", of(w), "Write via.", "gw is deprecated for routes")
		}
		r.via(&r.Hop, v)
	case "to":
		r.to(v)
	case "src":
		r.Source, _ = r.address(v, "src")
	case "as":
		r.as(v)
	case "from":
		r.from(v)
	case "dev", "oif":
		r.Hop.Interface, r.device = v.Value, v
	case "encap":
		r.encap(&r.Hop, v)
	case "tos", "dsfield":
		r.TOS = uint8(r.named("rt_dsfield", v, 255, "TOS"))
	case "table":
		r.Table = r.named("rt_tables", v, maxUint, "routing table")
	case "protocol":
		r.Protocol = uint8(r.named("rt_protos", v, 255, "protocol"))
	case "scope":
		r.Scope = int(r.named("rt_scopes", v, 255, "scope"))
	case "metric", "priority", "preference":
		r.Metric = r.uint32(v, maxUint)
	case "expires":
		r.Expires = time.Duration(r.uint32(v, maxUint)) * time.Second
		r.only6(w)
	case "pref":
		r.preference(w, v)
	case "realms":
		r.Hop.Realms = r.realms(v)
	case "ttl-propagate":
		if v.Value != "enabled" && v.Value != "disabled" {
			r.fail("invalid-value", v, "Write enabled or disabled.", "%s is no value of ttl-propagate", v.Value)
		}
		r.PropagateTTL = v.Value
	case "vrf":
		r.VRF = v.Value
		if env := r.d.options.Environment; env != nil && !env.Interface(v.Value) {
			r.fail("interface-missing", v, "", "the VRF %s of a route does not exist", v.Value)
		}
	case "track_group":
		r.TrackGroup = r.d.trackGroup(v)
	default:
		r.metric(w.Value, v)
	}
}

// lockable is true for the metrics that may be locked.
func lockable(name string) bool {
	return slices.Contains([]string{"mtu", "advmss", "rtt", "rttvar", "reordering", "cwnd", "ssthresh", "rto_min", "congctl"}, name)
}

// metric takes one of the RTAX_* values.
func (r *routeLine) metric(name string, v token) {
	m := &r.Metrics
	numbers := map[string]*uint32{
		"mtu": &m.MTU, "advmss": &m.AdvMSS, "reordering": &m.Reordering, "window": &m.Window,
		"cwnd": &m.CWnd, "ssthresh": &m.SSThresh, "initcwnd": &m.InitCWnd, "initrwnd": &m.InitRWnd,
	}
	times := map[string]*time.Duration{"rtt": &m.RTT, "rttvar": &m.RTTVar, "rto_min": &m.RTOMin}
	switch {
	case numbers[name] != nil:
		*numbers[name] = r.uint32(v, maxUint)
	case times[name] != nil:
		*times[name] = r.time(v)
	}
	switch name {
	case "hoplimit":
		m.HopLimit = r.uint32(v, 255)
	case "features":
		if m.ECN = v.Value == "ecn"; !m.ECN {
			r.fail("invalid-value", v, "The only one is ecn.", "the feature %s is not known", v.Value)
		}
	case "quickack":
		on := r.uint32(v, 1) == 1
		m.QuickACK = &on
	case "fastopen_no_cookie":
		on := r.uint32(v, 1) == 1
		m.NoCookie = &on
	case "congctl":
		m.CongCtl = v.Value
	}
}

// sameFamily notes the family of an address of the route, which all share.
func (r *routeLine) sameFamily(family int, w token) bool {
	if r.family == 0 {
		r.family = family
	}
	if r.family != family {
		r.fail("address-family", w, "", "%s is not of the family of the route", w.Value)
	}
	return r.family == family
}

// to takes the destination.
func (r *routeLine) to(w token) {
	r.destination = true
	switch w.Value {
	case "default", "any", "all":
		r.Destination = netip.Prefix{}
		return
	}
	text, _, _ := strings.Cut(w.Value, "/")
	if _, ok := parseAddr(text); !ok {
		r.fail("unknown-option", w, r.d.table.suggest(routeBlock, w.Value), "%s is no address and no word of a route", w.Value)
		return
	}
	p, _, _ := r.d.prefix(w)
	if r.sameFamily(familyOfAddr(p.Addr()), w) {
		r.Destination = p.Masked()
	}
}

func (r *routeLine) address(w token, what string) (netip.Addr, bool) {
	a, ok := parseAddr(w.Value)
	if !ok {
		r.fail("invalid-address", w, "", "%s is no IP address for %s of a route", w.Value, what)
		return a, false
	}
	return a, r.sameFamily(familyOfAddr(a), w)
}

// via takes "[inet|inet6] IP", whose first word is w.
func (r *routeLine) via(h *NextHop, w token) {
	if w.Value == "inet" || w.Value == "inet6" {
		var ok bool
		if w, ok = r.value(w); !ok {
			return
		}
	}
	h.Via, _ = r.address(w, "via")
}

// as takes "[to] IP", which is for MPLS and not for IP.
func (r *routeLine) as(w token) {
	if w.Value == "to" {
		var ok bool
		if w, ok = r.value(w); !ok {
			return
		}
	}
	r.d.warn("not-mpls", of(w), "", "as to is for MPLS routes only; it does not count")
}

func (r *routeLine) from(w token) {
	p, _, ok := r.d.prefix(w)
	switch {
	case !ok:
		r.bad = true
	case p.Addr().Is4():
		r.fail("address-family", w, "Use a rule.", "only an IPv6 route has a source to be for, not %s", w.Value)
	case r.sameFamily(6, w):
		r.From = p.Masked()
	}
}

// only6 refuses what IPv4 routes do not have.
func (r *routeLine) only6(w token) {
	if r.family != 6 {
		r.fail("address-family", w, "", "%s is for IPv6 routes only", w.Value)
	}
}

func (r *routeLine) preference(option, w token) {
	switch w.Value {
	case "low":
		r.Preference = 3
	case "medium":
		r.Preference = 0
	case "high":
		r.Preference = 1
	default:
		r.Preference = uint8(r.uint32(w, 255))
	}
	r.only6(option)
}

// realms takes "[FROM/]TO".
func (r *routeLine) realms(w token) uint32 {
	v, ok := r.d.realms(w.Value)
	switch {
	case !ok:
		r.fail("invalid-value", w, "Write [FROM/]TO.", "%s are no realms", w.Value)
	case r.family == 6:
		r.fail("address-family", w, "", "realms are for IPv4 only")
	}
	return v
}

// realms reads "[FROM/]TO" as the kernel packs it.
func (d *decoder) realms(text string) (uint32, bool) {
	from, to, both := strings.Cut(text, "/")
	if !both {
		from, to = "0", text
	}
	f, ok1 := d.names().number("rt_realms", from, 65535)
	t, ok2 := d.names().number("rt_realms", to, 65535)
	if f > 255 || t > 255 {
		return 0, false
	}
	return f<<16 | t, ok1 && ok2
}

// named reads a number or one of iproute2's names for it.
func (r *routeLine) named(table string, w token, most uint64, what string) uint32 {
	v, ok := r.d.names().number(table, w.Value, most)
	if !ok {
		r.fail("invalid-value", w, "Write a number, or a name of /etc/iproute2/"+table+".", "%s is no %s", w.Value, what)
	}
	return v
}

func (r *routeLine) uint32(w token, most int64) uint32 {
	v, ok := r.d.number(w, 0, most)
	if !ok {
		r.bad = true
		return 0
	}
	return uint32(v)
}

// time reads a number with s or ms behind it; without, it is milliseconds.
func (r *routeLine) time(w token) time.Duration {
	unit := time.Millisecond
	text, ms := strings.CutSuffix(w.Value, "ms")
	if !ms {
		var s bool
		if text, s = strings.CutSuffix(text, "s"); s {
			unit = time.Second
		}
	}
	v, err := strconv.ParseFloat(text, 64)
	if err != nil || v < 0 || v > 1e6 {
		r.fail("invalid-value", w, "Write a number, with ms or s behind it.", "%s is no time", w.Value)
		return 0
	}
	return time.Duration(v * float64(unit))
}

// finish judges a route once all of it has been read.
func (r *routeLine) finish() bool {
	d := r.d
	at := words(r.line, 0)
	if !r.destination {
		d.fail("route-destination", at, "Write the network, or default.", "a route needs a destination; this one does not count")
		return false
	}
	r.IPv6 = r.family == 6
	if !r.Destination.IsValid() {
		r.Destination = netip.PrefixFrom(netip.IPv4Unspecified(), 0)
		if r.IPv6 {
			r.Destination = netip.PrefixFrom(netip.IPv6Unspecified(), 0)
		}
	}
	if r.Hop.Interface != "" && !d.interfaceExists(r.device, "a route is by") {
		return false
	}
	if !r.NoTrack && r.Protocol != keepalivedProtocol {
		d.warn("route-protocol", at, "Add no_track to keep the protocol.", "only a route of protocol keepalived is watched; its protocol is %d", keepalivedProtocol)
		r.Protocol = keepalivedProtocol
	}
	return true
}
