package desired

import (
	"time"

	"golang.org/x/sys/unix"

	"github.com/tandem-ha/tandem/config"
	"github.com/tandem-ha/tandem/internal/host"
)

// routes gives the routes of a block; one in a VRF that is not there waits for
// it.
func routes(list []config.Route, vrf VRFTable) []Item[host.Route] {
	var out []Item[host.Route]
	for _, r := range list {
		h := Route(r)
		if r.VRF != "" {
			table, there := vrf(r.VRF)
			if !there {
				continue
			}
			h.Table = table
		}
		out = append(out, Item[host.Route]{h, r.NoTrack})
	}
	return out
}

// Route gives one line of a block of routes as the host should hold it, but for
// the table of a VRF.
func Route(r config.Route) host.Route {
	h := host.Route{
		Destination: r.Destination,
		From:        r.From,
		Type:        routeTypes[r.Type],
		Table:       r.Table,
		Metric:      r.Metric,
		TOS:         r.TOS,
		Scope:       routeScope(r),
		Protocol:    r.Protocol,
		Source:      r.Source,
		Via:         hop(r.Hop),
		Metrics:     metrics(r.Metrics),
		Expires:     uint32(r.Expires / time.Second),
		Preference:  r.Preference,
	}
	for _, n := range r.NextHops {
		h.NextHops = append(h.NextHops, host.NextHop{Hop: hop(n), Weight: n.Weight})
	}
	switch r.PropagateTTL {
	case "enabled":
		h.TTLPropagate = host.Setting{Set: true, Value: 1}
	case "disabled":
		h.TTLPropagate = host.Setting{Set: true}
	}
	switch r.Mode {
	case "append":
		h.Mode = host.Append
	case "add":
		h.Mode = host.Only
	}
	return h
}

func hop(n config.NextHop) host.Hop {
	h := host.Hop{Gateway: n.Via, Interface: n.Interface, OnLink: n.OnLink, Realms: n.Realms}
	if n.Encap != nil {
		h.Encap = encap(n.Encap)
	}
	return h
}

var encapTypes = map[string]host.EncapType{
	"mpls": host.EncapMPLS, "ip": host.EncapIP, "ila": host.EncapILA, "ip6": host.EncapIP6,
}

func encap(e *config.Encap) host.Encap {
	return host.Encap{
		Type: encapTypes[e.Kind], ID: e.ID, Source: e.Source, Destination: e.Destination,
		TOS: e.TOS, TTL: e.TTL, Flags: e.Flags, Labels: e.Labels, Locator: e.Locator,
	}
}

// featureECN is RTAX_FEATURE_ECN.
const featureECN = 1

func metrics(m config.RouteMetrics) host.Metrics {
	h := host.Metrics{
		MTU: m.MTU, HopLimit: m.HopLimit, AdvMSS: m.AdvMSS, Reordering: m.Reordering, Window: m.Window,
		Cwnd: m.CWnd, SSThresh: m.SSThresh, InitCwnd: m.InitCWnd, InitRwnd: m.InitRWnd,
		RTT:               uint32(m.RTT * 8 / time.Millisecond),
		RTTVar:            uint32(m.RTTVar * 4 / time.Millisecond),
		RTOMin:            uint32(m.RTOMin / time.Millisecond),
		CongestionControl: m.CongCtl,
	}
	if m.ECN {
		h.Features = featureECN
	}
	if m.QuickACK != nil && *m.QuickACK {
		h.QuickAck = 1
	}
	if m.NoCookie != nil && *m.NoCookie {
		h.FastOpenNoCookie = 1
	}
	for _, name := range m.Locked {
		h.Locked |= 1 << lockBits[name]
	}
	return h
}

// lockBits are the RTAX_* numbers of the metrics that may be locked.
var lockBits = map[string]uint{
	"mtu": unix.RTAX_MTU, "advmss": unix.RTAX_ADVMSS, "rtt": unix.RTAX_RTT, "rttvar": unix.RTAX_RTTVAR,
	"reordering": unix.RTAX_REORDERING, "cwnd": unix.RTAX_CWND, "ssthresh": unix.RTAX_SSTHRESH,
	"rto_min": unix.RTAX_RTO_MIN, "congctl": unix.RTAX_CC_ALGO,
}

// routeTypes are the kernel's types of routes by iproute2's names.
var routeTypes = map[string]uint8{
	"unicast": unix.RTN_UNICAST, "local": unix.RTN_LOCAL, "broadcast": unix.RTN_BROADCAST, "anycast": unix.RTN_ANYCAST,
	"multicast": unix.RTN_MULTICAST, "blackhole": unix.RTN_BLACKHOLE, "unreachable": unix.RTN_UNREACHABLE,
	"prohibit": unix.RTN_PROHIBIT, "throw": unix.RTN_THROW, "nat": unix.RTN_NAT, "xresolve": unix.RTN_XRESOLVE,
}

// routeScope is the scope of a route, that of its kind where the file names
// none: the kernel takes no other for routes to the host and to neighbours.
func routeScope(r config.Route) uint8 {
	if r.Scope >= 0 {
		return uint8(r.Scope)
	}
	switch routeTypes[r.Type] {
	case unix.RTN_LOCAL, unix.RTN_NAT:
		return unix.RT_SCOPE_HOST
	case unix.RTN_BROADCAST, unix.RTN_MULTICAST, unix.RTN_ANYCAST:
		return unix.RT_SCOPE_LINK
	}
	return unix.RT_SCOPE_UNIVERSE
}
