package config

import (
	"net/netip"
	"time"
)

// VMAC is use_vmac: a macvlan with the virtual MAC of RFC 9568 section 7.3.
type VMAC struct {
	Pos Pos `json:"-"`
	// Name is the interface's; empty is vmac_prefix, a dot and the VRID (for
	// IPv6 with a 6 before the dot), or another where that is taken.
	Name string `json:"name,omitempty"`
	// MAC stands in the place of the virtual MAC, in 6 bytes; nil is that of
	// the RFC.
	MAC HexBytes `json:"mac,omitempty"`
	// Group is the number of the interface's group.
	Group uint32 `json:"group,omitempty"`
	// NetlinkNotify is netlink_notify_msg.
	NetlinkNotify bool `json:"netlink_notify,omitempty"`
}

// IPVLAN is use_ipvlan.
type IPVLAN struct {
	Pos Pos `json:"-"`
	// Name is the interface's; empty as for a VMAC.
	Name string `json:"name,omitempty"`
	// Address is that of the interface, and the source of adverts; invalid for
	// none.
	Address netip.Prefix `json:"address,omitzero"`
	// Mode is "bridge", "private" or "vepa", bridge unless given.
	Mode string `json:"mode"`
	// Group is the number of the interface's group.
	Group uint32 `json:"group,omitempty"`
}

// HMAC is the block auth_hmac: a signature behind each advert.
type HMAC struct {
	Pos  Pos       `json:"-"`
	Keys []HMACKey `json:"keys"`
	// Active is the number of the key that adverts are signed with.
	Active int `json:"active"`
	// Window is how far a sender's clock may be away: three advert intervals
	// and at least 5 s unless given.
	Window time.Duration `json:"window"`
	// Monotonic asks only that a sender's stamps grow (anti_replay monotonic).
	Monotonic bool `json:"monotonic,omitempty"`
	// Mode is "enforce", "permissive" or "receive-only".
	Mode string `json:"mode"`
}

// HMACKey is a key of auth_hmac.
type HMACKey struct {
	ID int `json:"id"`
	// Secret is 32 to 64 bytes; it stays out of what is shown.
	Secret []byte `json:"-"`
}

// ExtraGARP is garp_extra_if: announcements of a VMAC's addresses on other
// interfaces.
type ExtraGARP struct {
	// Interval is the time between them, 0 for none.
	Interval time.Duration `json:"interval,omitempty"`
	// All is for every interface and not the base interface alone.
	All bool `json:"all,omitempty"`
}
