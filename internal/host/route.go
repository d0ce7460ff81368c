package host

import (
	"cmp"
	"fmt"
	"net/netip"
	"reflect"
	"slices"
	"strings"

	"golang.org/x/sys/unix"
)

// Setting is a number that is given or not, where 0 is a number like any other.
type Setting struct {
	Set   bool   `json:"set,omitempty"`
	Value uint32 `json:"value,omitempty"`
}

// RouteMode is how a route is put beside others to the same destination.
type RouteMode uint8

// The modes, of which the first is the default.
const (
	// Prepend puts the route before those that are there.
	Prepend RouteMode = iota
	// Append puts the route behind those that are there.
	Append
	// Only fails with unix.EEXIST where there is one.
	Only
)

// Route is one route as it should be on the host: an option of virtual_routes or
// static_routes each. Where a number is the kernel's (RTN_*, RT_SCOPE_*,
// RT_TABLE_*), it is as in linux/rtnetlink.h.
type Route struct {
	// Destination also says the family: 0.0.0.0/0 and ::/0 are the default routes.
	Destination netip.Prefix `json:"destination"`
	// From is the source that the route is for; IPv6 only.
	From netip.Prefix `json:"from,omitzero"`
	// Type is an RTN_*; 0 is unicast.
	Type uint8 `json:"type,omitempty"`
	// Table is the number of the table; 0 is the main one.
	Table uint32 `json:"table,omitempty"`
	// Metric 0 is the kernel's own, which is 0 for IPv4 and 1024 for IPv6.
	Metric uint32 `json:"metric,omitempty"`
	TOS    uint8  `json:"tos,omitempty"`
	// Scope is an RT_SCOPE_*; the kernel takes only those that fit the type.
	// IPv6 routes have none.
	Scope uint8 `json:"scope,omitempty"`
	// Protocol is the mark of who made the route; 0 is ours (Protocol).
	Protocol uint8 `json:"protocol,omitempty"`
	// Source is the address that packets get that have none yet.
	Source netip.Addr `json:"source,omitzero"`
	// Via is where packets go; with NextHops, they have the say.
	Via Hop `json:"via,omitzero"`
	// NextHops are the ways of a route that has several.
	NextHops []NextHop `json:"next_hops,omitempty"`
	Metrics  Metrics   `json:"metrics,omitzero"`
	// Expires is after how many seconds the kernel drops the route; IPv6 only, 0
	// is never.
	Expires uint32 `json:"expires,omitempty"`
	// Preference is that of RFC 4191: 0 medium, 1 high, 3 low; IPv6 only.
	Preference uint8 `json:"preference,omitempty"`
	// TTLPropagate is whether MPLS copies the TTL, 0 or 1.
	TTLPropagate Setting   `json:"ttl_propagate,omitzero"`
	Mode         RouteMode `json:"mode,omitempty"`
}

// Hop is one way out of the host.
type Hop struct {
	// Gateway may be of the other family than the destination. Invalid: the
	// destination is on the link.
	Gateway netip.Addr `json:"gateway,omitzero"`
	// Interface may be empty where the kernel can tell it from the gateway.
	Interface string `json:"interface,omitempty"`
	// OnLink has the kernel believe that the gateway is on the link.
	OnLink bool `json:"onlink,omitempty"`
	// Realms are source<<16 | destination; IPv4 only.
	Realms uint32 `json:"realms,omitempty"`
	Encap  Encap  `json:"encap,omitzero"`
	// NewDestination is what MPLS sends packets on to.
	NewDestination netip.Addr `json:"new_destination,omitzero"`
}

// NextHop is one way of several.
type NextHop struct {
	Hop
	// Weight is the share of this way, 1 to 256; 0 is 1.
	Weight int `json:"weight,omitempty"`
}

// EncapType is a LWTUNNEL_ENCAP_* of linux/lwtunnel.h.
type EncapType uint16

// The encapsulations that a route may ask for.
const (
	EncapMPLS EncapType = 1
	EncapIP   EncapType = 2
	EncapILA  EncapType = 3
	EncapIP6  EncapType = 4
)

// Encap is a lightweight tunnel; the zero value is none.
type Encap struct {
	Type EncapType `json:"type,omitempty"`
	// ID, Source, Destination, TOS, TTL and Flags are of IP and IP6; TTL of MPLS,
	// too.
	ID          uint64     `json:"id,omitempty"`
	Source      netip.Addr `json:"source,omitzero"`
	Destination netip.Addr `json:"destination,omitzero"`
	TOS         uint8      `json:"tos,omitempty"`
	TTL         uint8      `json:"ttl,omitempty"`
	Flags       uint16     `json:"flags,omitempty"`
	// Labels are those of MPLS, the outermost first.
	Labels []uint32 `json:"labels,omitempty"`
	// Locator is that of ILA.
	Locator uint64 `json:"locator,omitempty"`
}

// Metrics are what TCP and IP go by on a route: the kernel's RTAX_* numbers,
// where 0 is not set. Times are as the kernel keeps them: RTT in eighths and
// RTTVar in quarters of a millisecond, RTOMin in milliseconds.
type Metrics struct {
	MTU              uint32 `json:"mtu,omitempty"`
	Window           uint32 `json:"window,omitempty"`
	RTT              uint32 `json:"rtt,omitempty"`
	RTTVar           uint32 `json:"rttvar,omitempty"`
	SSThresh         uint32 `json:"ssthresh,omitempty"`
	Cwnd             uint32 `json:"cwnd,omitempty"`
	AdvMSS           uint32 `json:"advmss,omitempty"`
	Reordering       uint32 `json:"reordering,omitempty"`
	HopLimit         uint32 `json:"hoplimit,omitempty"`
	InitCwnd         uint32 `json:"initcwnd,omitempty"`
	Features         uint32 `json:"features,omitempty"`
	RTOMin           uint32 `json:"rto_min,omitempty"`
	InitRwnd         uint32 `json:"initrwnd,omitempty"`
	QuickAck         uint32 `json:"quickack,omitempty"`
	FastOpenNoCookie uint32 `json:"fastopen_no_cookie,omitempty"`
	// CongestionControl is the name of an algorithm that the kernel has.
	CongestionControl string `json:"congctl,omitempty"`
	// Locked are the metrics that the kernel may not change itself, as bits
	// 1<<RTAX_*.
	Locked uint32 `json:"locked,omitempty"`
}

// RouteChange is one step of a batch.
type RouteChange struct {
	Op    Op    `json:"op"`
	Route Route `json:"route"`
}

// String is a line for people: "add route 10.1.0.0/16 via 192.0.2.9 on eth0".
func (c RouteChange) String() string { return fmt.Sprintf("%s route %s", c.Op, c.Route) }

// String names the route for people: "blackhole 10.1.0.0/16 table 100".
func (r Route) String() string {
	var s strings.Builder
	if int(r.Type) < len(routeTypes) && routeTypes[r.Type] != "" {
		s.WriteString(routeTypes[r.Type] + " ")
	}
	s.WriteString(r.Destination.String())
	if r.From.IsValid() {
		fmt.Fprintf(&s, " from %s", r.From)
	}
	s.WriteString(r.Via.String())
	if len(r.NextHops) > 0 {
		fmt.Fprintf(&s, " by %d ways", len(r.NextHops))
	}
	if r.Table != 0 && r.Table != unix.RT_TABLE_MAIN {
		fmt.Fprintf(&s, " table %d", r.Table)
	}
	if r.Metric != 0 {
		fmt.Fprintf(&s, " metric %d", r.Metric)
	}
	return s.String()
}

// String is " via 192.0.2.9 on eth0", or what there is of it.
func (h Hop) String() string {
	s := ""
	if h.Gateway.IsValid() {
		s = " via " + h.Gateway.String()
	}
	if h.Interface != "" {
		s += " on " + h.Interface
	}
	return s
}

// routeTypes are the names of the types, unicast, the usual one, having none.
var routeTypes = [...]string{
	unix.RTN_LOCAL: "local", unix.RTN_BROADCAST: "broadcast", unix.RTN_ANYCAST: "anycast",
	unix.RTN_MULTICAST: "multicast", unix.RTN_BLACKHOLE: "blackhole", unix.RTN_UNREACHABLE: "unreachable",
	unix.RTN_PROHIBIT: "prohibit", unix.RTN_THROW: "throw", unix.RTN_NAT: "nat",
}

// leadsNowhere is whether packets of this type of route leave on no interface.
func leadsNowhere(typ uint8) bool {
	return typ == unix.RTN_BLACKHOLE || typ == unix.RTN_UNREACHABLE || typ == unix.RTN_PROHIBIT || typ == unix.RTN_THROW
}

// normal is the route as the kernel would report it: defaults written out,
// without what the kernel does not keep or works out itself.
func (r Route) normal() Route {
	v6 := r.Destination.Addr().Is6()
	r.Destination = r.Destination.Masked()
	r.Type = cmp.Or(r.Type, unix.RTN_UNICAST)
	r.Table = cmp.Or(r.Table, unix.RT_TABLE_MAIN)
	r.Protocol = cmp.Or(r.Protocol, Protocol)
	r.Mode, r.TTLPropagate = 0, Setting{}
	r.Metrics = r.Metrics.normal()
	if v6 {
		r.Metric = cmp.Or(r.Metric, ipv6Metric)
		r.Scope = 0
		r.Expires = min(r.Expires, 1) // what is left of it shrinks
		if r.From.IsValid() {
			r.From = r.From.Masked()
		}
	} else {
		r.From, r.Expires, r.Preference = netip.Prefix{}, 0, 0
	}
	if len(r.NextHops) == 1 {
		r.Via = r.NextHops[0].Hop
		r.NextHops = nil
	}
	if leadsNowhere(r.Type) {
		r.Via, r.NextHops = Hop{}, nil
		return r
	}
	if len(r.NextHops) == 0 {
		r.NextHops, r.Via = nil, r.Via.normal(v6)
		return r
	}
	r.Via = Hop{}
	r.NextHops = slices.Clone(r.NextHops)
	for i, n := range r.NextHops {
		r.NextHops[i] = NextHop{n.normal(v6), max(n.Weight, 1)}
	}
	slices.SortStableFunc(r.NextHops, func(a, b NextHop) int {
		return cmp.Or(a.Gateway.Compare(b.Gateway), cmp.Compare(a.Interface, b.Interface), cmp.Compare(a.Weight, b.Weight))
	})
	return r
}

// ipv6Metric is IP6_RT_PRIO_USER, the metric of a route for which none was given.
const ipv6Metric = 1024

func (h Hop) normal(v6 bool) Hop {
	h.NewDestination = netip.Addr{}
	if v6 {
		h.Realms = 0
	}
	e := &h.Encap
	if e.Source.IsValid() && e.Source.IsUnspecified() {
		e.Source = netip.Addr{}
	}
	if len(e.Labels) == 0 {
		e.Labels = nil
	}
	return h
}

// normal bounds what the kernel bounds (ip_metrics_convert).
func (m Metrics) normal() Metrics {
	m.MTU = min(m.MTU, 65535-15)
	m.AdvMSS = min(m.AdvMSS, 65535-40)
	m.HopLimit = min(m.HopLimit, 255)
	return m
}

// routePlace is what makes a route one that could be the wanted one: the kernel
// finds routes by it.
type routePlace struct {
	destination, from netip.Prefix
	table, metric     uint32
	tos, protocol     uint8
}

// place is that of a normal route.
func (r Route) place() routePlace {
	return routePlace{r.Destination, r.From, r.Table, r.Metric, r.TOS, r.Protocol}
}

// SamePlace says whether two routes are to the same destination in the same table
// with the same metric, TOS, source and protocol, so that either could be meant.
func (r Route) SamePlace(o Route) bool { return r.normal().place() == o.normal().place() }

// meets says whether a route that the kernel has is the wanted one. Both are
// normal. An interface that was left to the kernel may be any.
func (r Route) meets(want Route) bool {
	if want.Via.Gateway.IsValid() && want.Via.Interface == "" {
		r.Via.Interface = ""
	}
	if len(r.NextHops) == len(want.NextHops) && slices.ContainsFunc(want.NextHops, func(n NextHop) bool { return n.Interface == "" }) {
		r.NextHops = slices.Clone(r.NextHops)
		for i, n := range want.NextHops {
			if n.Interface == "" {
				r.NextHops[i].Interface = ""
			}
		}
	}
	return reflect.DeepEqual(r, want)
}

// DiffRoutes says how to turn have into want: first what goes, in have's order,
// then what comes, in want's. A route that is there with other settings is
// removed and added; one that is wanted twice counts once. Where one of several
// in a place is to go, all of them go and those that are wanted come again: the
// kernel might take another one for it, since a removal names no more than a
// place and a way out, and even that not always.
func DiffRoutes(have, want []Route) []RouteChange {
	wanted := make(map[routePlace][]Route, len(want))
	for _, w := range want {
		w = w.normal()
		wanted[w.place()] = append(wanted[w.place()], w)
	}
	there := make(map[routePlace][]Route, len(have))
	wrong := make(map[routePlace]bool)
	for _, h := range have {
		n := h.normal()
		p := n.place()
		there[p] = append(there[p], n)
		wrong[p] = wrong[p] || !slices.ContainsFunc(wanted[p], n.meets)
	}
	var out []RouteChange
	for _, h := range have {
		if p := h.normal().place(); wrong[p] {
			out = append(out, RouteChange{Remove, h})
			delete(there, p)
		}
	}
	for _, w := range want {
		n := w.normal()
		p := n.place()
		if slices.ContainsFunc(there[p], func(h Route) bool { return h.meets(n) }) {
			continue
		}
		there[p] = append(there[p], n)
		out = append(out, RouteChange{Add, w})
	}
	return out
}
