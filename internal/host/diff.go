package host

import (
	"fmt"
	"net/netip"
)

// Op is what is done to an address, a route, a rule or a link.
type Op uint8

// The two operations.
const (
	Add Op = iota
	Remove
)

// The operations, by the names that the first of the tables gave them.
const (
	AddAddress    = Add
	RemoveAddress = Remove
)

// String is "add" or "remove".
func (o Op) String() string {
	if o == RemoveAddress {
		return "remove"
	}
	return "add"
}

// MarshalText is String, for plans in JSON.
func (o Op) MarshalText() ([]byte, error) { return []byte(o.String()), nil }

// AddressChange is one step of a batch.
type AddressChange struct {
	Op      Op      `json:"op"`
	Address Address `json:"address"`
}

// String is a line for people: "add 192.0.2.10/32 on eth0".
func (c AddressChange) String() string {
	return fmt.Sprintf("%s %s", c.Op, c.Address)
}

// place is what makes an address one and the same to the kernel.
type place struct {
	Interface string
	Prefix    netip.Prefix
	Peer      netip.Prefix
}

func (a Address) place() place {
	a = a.normal()
	p := place{Interface: a.Interface, Prefix: a.Prefix}
	if a.Prefix.Addr().Is4() {
		// The kernel allows one local address with several peers.
		p.Peer = a.Peer
	}
	return p
}

// normal is the address as the kernel would report it: without what the kernel
// does not keep or works out itself.
func (a Address) normal() Address {
	addr := a.Prefix.Addr()
	if a.Peer.IsValid() {
		if a.Peer.Addr() == addr {
			a.Prefix, a.Peer = a.Peer, netip.Prefix{}
		} else {
			a.Prefix = netip.PrefixFrom(addr, addr.BitLen())
		}
	}
	if addr.Is4() {
		a.Flags &= settable4
		a.Deprecated, a.Preferred = false, 0
		if a.Label == a.Interface {
			a.Label = ""
		}
		return a
	}
	a.Flags &= settable6
	a.Scope, a.Label, a.Broadcast = 0, "", netip.Addr{}
	// What is left of the time shrinks.
	a.Preferred = min(a.Preferred, 1)
	return a
}

// meets says whether an address that the kernel has is the wanted one. Both are
// normal. One whose time is over has become deprecated.
func (a Address) meets(want Address) bool {
	if want.Preferred > 0 && a.Deprecated {
		a.Deprecated, a.Preferred = false, want.Preferred
	}
	return a == want
}

// DiffAddresses says how to turn have into want: first what goes, in have's
// order, then what comes, in want's. An address that is there with other
// settings is removed and added; each place counts once, the first one given.
func DiffAddresses(have, want []Address) []AddressChange {
	wanted := make(map[place]Address, len(want))
	for _, w := range want {
		if _, twice := wanted[w.place()]; !twice {
			wanted[w.place()] = w.normal()
		}
	}
	var out []AddressChange
	right := make(map[place]bool, len(have))
	seen := make(map[place]bool, len(have))
	for _, h := range have {
		p := h.place()
		if seen[p] {
			continue
		}
		seen[p] = true
		if w, ok := wanted[p]; ok && h.normal().meets(w) {
			right[p] = true
			continue
		}
		out = append(out, AddressChange{Op: RemoveAddress, Address: h})
	}
	for _, w := range want {
		if p := w.place(); !right[p] {
			right[p] = true
			out = append(out, AddressChange{Op: AddAddress, Address: w})
		}
	}
	return out
}
