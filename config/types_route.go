package config

import (
	"net/netip"
	"time"
)

// Route is one line of static_routes or virtual_routes.
type Route struct {
	Pos Pos `json:"-"`
	// Type is the kernel's type by iproute2's name, "unicast" unless given.
	Type string `json:"type"`
	IPv6 bool   `json:"ipv6,omitempty"`
	// Destination is the network; "default" is the zero network of the family.
	Destination netip.Prefix `json:"destination"`
	// Source is the address to prefer (src); From the network that an IPv6 route
	// is for the traffic of.
	Source netip.Addr   `json:"source,omitzero"`
	From   netip.Prefix `json:"from,omitzero"`
	// Hop is the next hop. NextHops, where there are any, stand in its place.
	Hop      NextHop   `json:"hop,omitzero"`
	NextHops []NextHop `json:"next_hops,omitempty"`
	TOS      uint8     `json:"tos,omitempty"`
	// Table is the routing table, 254 (main) unless given; VRF is the device
	// whose table is used instead.
	Table uint32 `json:"table"`
	VRF   string `json:"vrf,omitempty"`
	// Protocol is who made the route, 18 (keepalived) unless given.
	Protocol uint8 `json:"protocol"`
	// Scope is the kernel's number, -1 for that of the kind of route.
	Scope  int    `json:"scope"`
	Metric uint32 `json:"metric,omitempty"`
	// Expires ends an IPv6 route after that time; 0 is never.
	Expires time.Duration `json:"expires,omitempty"`
	// Preference is the kernel's number of an IPv6 router's: 0 medium, 1 high,
	// 3 low.
	Preference uint8        `json:"preference,omitempty"`
	Metrics    RouteMetrics `json:"metrics,omitzero"`
	// PropagateTTL is ttl-propagate of MPLS: "", "enabled" or "disabled".
	PropagateTTL string `json:"propagate_ttl,omitempty"`
	// Mode is how the route is put among others: "add" where there must be
	// none like it, "append" behind them, else "prepend".
	Mode string `json:"mode"`
	// NoTrack leaves the route alone once it is there, and its interface out of
	// the instance's tracking.
	NoTrack bool `json:"no_track,omitempty"`
	// TrackGroup is the name of a Config.TrackGroups that a static route follows.
	TrackGroup string `json:"track_group,omitempty"`
	// Text is the line as it was written, for messages.
	Text string `json:"text"`
}

// NextHop is where a route leads to.
type NextHop struct {
	// Via is the router; invalid for what is on the link.
	Via       netip.Addr `json:"via,omitzero"`
	Interface string     `json:"interface,omitempty"`
	// Weight is the share among several next hops, 1 to 256; 0 is not given.
	Weight int    `json:"weight,omitempty"`
	OnLink bool   `json:"on_link,omitempty"`
	Realms uint32 `json:"realms,omitempty"`
	Encap  *Encap `json:"encap,omitempty"`
}

// Encap is the tunnel that a route puts packets into.
type Encap struct {
	// Kind is "ip", "ip6", "mpls" or "ila".
	Kind string `json:"kind"`
	// ID, Source, Destination, TOS, TTL and Flags are those of ip and ip6.
	ID          uint64     `json:"id,omitempty"`
	Source      netip.Addr `json:"source,omitzero"`
	Destination netip.Addr `json:"destination,omitzero"`
	TOS         uint8      `json:"tos,omitempty"`
	TTL         uint8      `json:"ttl,omitempty"`
	Flags       uint16     `json:"flags,omitempty"`
	// Labels are those of mpls, outermost first.
	Labels []uint32 `json:"labels,omitempty"`
	// Locator is that of ila.
	Locator uint64 `json:"locator,omitempty"`
}

// RouteMetrics are the RTAX_* values of a route; 0 is not given. What stands in
// Locked is not changed by the kernel.
type RouteMetrics struct {
	MTU        uint32 `json:"mtu,omitempty"`
	HopLimit   uint32 `json:"hop_limit,omitempty"`
	AdvMSS     uint32 `json:"adv_mss,omitempty"`
	Reordering uint32 `json:"reordering,omitempty"`
	Window     uint32 `json:"window,omitempty"`
	CWnd       uint32 `json:"cwnd,omitempty"`
	SSThresh   uint32 `json:"ssthresh,omitempty"`
	InitCWnd   uint32 `json:"init_cwnd,omitempty"`
	InitRWnd   uint32 `json:"init_rwnd,omitempty"`
	// RTT, RTTVar and RTOMin are times; the kernel counts RTT in eighths and
	// RTTVar in quarters of a millisecond.
	RTT    time.Duration `json:"rtt,omitempty"`
	RTTVar time.Duration `json:"rtt_var,omitempty"`
	RTOMin time.Duration `json:"rto_min,omitempty"`
	// ECN is the feature of that name.
	ECN bool `json:"ecn,omitempty"`
	// QuickACK and NoCookie are 0 or 1, nil where not given.
	QuickACK *bool  `json:"quick_ack,omitempty"`
	NoCookie *bool  `json:"no_cookie,omitempty"`
	CongCtl  string `json:"cong_ctl,omitempty"`
	// Locked are the keywords that lock was written behind: "mtu".
	Locked []string `json:"locked,omitempty"`
}

// Rule is one line of static_rules or virtual_rules.
type Rule struct {
	Pos  Pos  `json:"-"`
	IPv6 bool `json:"ipv6,omitempty"`
	// Not turns the match around.
	Not  bool         `json:"not,omitempty"`
	From netip.Prefix `json:"from,omitzero"`
	To   netip.Prefix `json:"to,omitzero"`
	TOS  uint8        `json:"tos,omitempty"`
	// FWMark and FWMask are the mark; HasFWMark where it is given, HasFWMask
	// where the mask is.
	FWMark    uint32 `json:"fwmark,omitempty"`
	FWMask    uint32 `json:"fwmask,omitempty"`
	HasFWMark bool   `json:"has_fwmark,omitempty"`
	HasFWMask bool   `json:"has_fwmask,omitempty"`
	// In and Out are interfaces.
	In       string     `json:"in,omitempty"`
	Out      string     `json:"out,omitempty"`
	TunnelID uint64     `json:"tunnel_id,omitempty"`
	UIDs     *UIDRange  `json:"uids,omitempty"`
	IPProto  uint8      `json:"ip_proto,omitempty"`
	Sport    *PortRange `json:"sport,omitempty"`
	Dport    *PortRange `json:"dport,omitempty"`
	// Preference is the place among the rules; 0 leaves the choice to the
	// program.
	Preference uint32 `json:"preference,omitempty"`
	// Action is "lookup", "goto", "nop" or the name of a type of route; Table is
	// that of lookup, 0 with L3MDev, and Goto the preference of goto.
	Action string `json:"action"`
	Table  uint32 `json:"table,omitempty"`
	Goto   uint32 `json:"goto,omitempty"`
	// L3MDev looks in the table of the VRF that a packet belongs to.
	L3MDev bool   `json:"l3mdev,omitempty"`
	Realms uint32 `json:"realms,omitempty"`
	// SuppressPrefixLength and SuppressGroup refuse routes, -1 none.
	SuppressPrefixLength int `json:"suppress_prefix_length"`
	SuppressGroup        int `json:"suppress_group"`
	// Protocol is who made the rule, 18 (keepalived) unless given.
	Protocol uint8 `json:"protocol"`
	// NoTrack leaves the rule alone once it is there.
	NoTrack bool `json:"no_track,omitempty"`
	// TrackGroup is the name of a Config.TrackGroups that a static rule follows.
	TrackGroup string `json:"track_group,omitempty"`
	// Text is the line as it was written, for messages.
	Text string `json:"text"`
}

// PortRange is a closed range of ports.
type PortRange struct {
	First uint16 `json:"first"`
	Last  uint16 `json:"last"`
}

// UIDRange is a closed range of user numbers.
type UIDRange struct {
	First uint32 `json:"first"`
	Last  uint32 `json:"last"`
}
