package host

import (
	"net/netip"
	"time"

	"github.com/tandem-ha/tandem/vrrp"
)

// Address is one virtual address as it should be on an interface.
type Address struct {
	Prefix    netip.Prefix `json:"prefix"`
	Interface string       `json:"interface"`
	Label     string       `json:"label,omitempty"`
	// Scope is the kernel's RT_SCOPE_* number.
	Scope     int          `json:"scope,omitempty"`
	Broadcast netip.Addr   `json:"broadcast,omitzero"`
	Peer      netip.Prefix `json:"peer,omitzero"`
	// Flags are IFA_F_* bits, IFA_F_NODAD among them.
	Flags uint32 `json:"flags,omitempty"`
	// Deprecated gives an IPv6 address a preferred lifetime of 0.
	Deprecated bool `json:"deprecated,omitempty"`
	// Preferred is for how many seconds an IPv6 address is preferred; 0 is for
	// ever, unless it is Deprecated.
	Preferred uint32 `json:"preferred,omitempty"`
}

// String names the address for people: "192.0.2.10/32 on eth0".
func (a Address) String() string { return a.Prefix.String() + " on " + a.Interface }

// Link is a network interface as the kernel has it now.
type Link struct {
	Name  string
	Index int
	MTU   int
	// MAC is the hardware address, empty where the link has none.
	MAC []byte
	// Up is IFF_UP and IFF_RUNNING. Multicast and NoARP are the flags' own.
	Up, Multicast, NoARP bool
	// VRFTable is the routing table of a VRF, 0 for other links.
	VRFTable uint32
	// Master is the index of the bridge, bond or VRF that the link is in, 0 for none.
	Master int
	// Shared says that others send from the hardware address too: the link is a VMAC.
	Shared bool
	// Addresses are the addresses on the link, ours included, tentative ones left out.
	Addresses []netip.Prefix
	// Secondary are those of Addresses that the kernel has as secondary to
	// another one of the same subnet.
	Secondary []netip.Prefix
}

// Received is an advert as it came from the wire, not yet parsed.
type Received struct {
	// At is when it was read.
	At time.Time
	// Interface is the index of the interface it arrived on.
	Interface int
	Meta      vrrp.Meta
	Payload   []byte
}

// Announced is a gratuitous ARP or an unsolicited Neighbour Advertisement of
// another node.
type Announced struct {
	Interface int
	Addr      netip.Addr
	MAC       MAC
}
