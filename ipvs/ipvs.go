// Package ipvs is the kernel's IP Virtual Server table: the generic netlink
// codec, the client, the pure Diff between two tables and the Reconciler that
// keeps the kernel's equal to a desired one.
//
// It knows nothing of configuration files, VRRP or health checks: it is given a
// Table and makes the kernel hold it. References are to the kernel's
// include/uapi/linux/ip_vs.h.
package ipvs

import (
	"net/netip"
	"time"
)

// ServiceKey identifies a virtual service: an address, protocol and port, or a
// firewall mark of one family. It is comparable and serves as a map key.
type ServiceKey struct {
	// IPv6 is the service's address family.
	IPv6 bool `json:"ipv6,omitempty"`
	// Protocol is IPPROTO_TCP, IPPROTO_UDP or IPPROTO_SCTP; 0 with a mark.
	Protocol uint16     `json:"protocol,omitempty"`
	Addr     netip.Addr `json:"addr,omitzero"`
	Port     uint16     `json:"port,omitempty"`
	// FWMark, if not zero, is the firewall mark that selects the service.
	FWMark uint32 `json:"fwmark,omitempty"`
}

// Service is a virtual service's settings, without its destinations.
type Service struct {
	ServiceKey
	// Scheduler is the kernel's name: rr, wrr, lc, wlc, ...
	Scheduler string `json:"scheduler"`
	// Flags are IP_VS_SVC_F_PERSISTENT, _ONEPACKET, _SCHED1.. without _HASHED.
	Flags uint32 `json:"flags,omitempty"`
	// Timeout is the persistence timeout in whole seconds; zero for none.
	Timeout time.Duration `json:"timeout,omitempty"`
	// Netmask groups clients for persistence: a prefix length, 32 or 128 for one.
	Netmask int `json:"netmask"`
	// Engine is the persistence engine's name ("sip"); empty for none.
	Engine string `json:"engine,omitempty"`
}

// DestinationKey identifies a destination within its service.
type DestinationKey struct {
	Addr netip.Addr `json:"addr"`
	Port uint16     `json:"port"`
}

// Forward is how packets are handed to a destination (IP_VS_CONN_F_FWD_MASK).
type Forward uint32

// The forwarding methods, with the kernel's numbers.
const (
	NAT    Forward = 0 // masquerading
	Local  Forward = 1
	Tunnel Forward = 2
	Route  Forward = 3 // direct routing
)

// Destination is a real server of a service.
type Destination struct {
	DestinationKey
	Forward Forward `json:"forward"`
	Weight  uint32  `json:"weight"`
	// UpperThreshold and LowerThreshold bound the connections; zero for none.
	UpperThreshold uint32 `json:"upper_threshold,omitempty"`
	LowerThreshold uint32 `json:"lower_threshold,omitempty"`
	// TunnelType is IP_VS_CONN_F_TUNNEL_TYPE_*: 0 ipip, 1 gue, 2 gre, with its
	// port (gue) and flags.
	TunnelType  uint8  `json:"tunnel_type,omitempty"`
	TunnelPort  uint16 `json:"tunnel_port,omitempty"`
	TunnelFlags uint16 `json:"tunnel_flags,omitempty"`
}

// Entry is a service with its destinations.
type Entry struct {
	Service
	Destinations []Destination `json:"destinations"`
}

// Table is a set of services by key; a key's Entry carries the same key.
type Table map[ServiceKey]Entry
