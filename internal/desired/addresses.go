package desired

import (
	"net/netip"
	"time"

	"golang.org/x/sys/unix"

	"github.com/tandem-ha/tandem/config"
	"github.com/tandem-ha/tandem/internal/host"
)

// Addresses gives the addresses that an instance should have on the host while
// it holds those for which held is true, in the order of the file.
func Addresses(in *config.Instance, held func(netip.Addr) bool) []host.Address {
	var out []host.Address
	for _, a := range addressItems(in, held) {
		out = append(out, a.Thing)
	}
	return out
}

func addressItems(in *config.Instance, held func(netip.Addr) bool) []Item[host.Address] {
	var out []Item[host.Address]
	for _, list := range [][]config.Address{in.Addresses, in.Excluded} {
		for _, a := range list {
			if held(a.Prefix.Addr()) {
				out = append(out, Item[host.Address]{Address(a), a.NoTrack})
			}
		}
	}
	return out
}

// Address gives one line of an address block as the host should hold it.
func Address(a config.Address) host.Address {
	h := host.Address{
		Prefix:     a.Prefix,
		Interface:  a.Interface,
		Label:      a.Label,
		Scope:      a.Scope,
		Broadcast:  a.Broadcast,
		Peer:       a.Peer,
		Flags:      a.Flags,
		Deprecated: a.Deprecated,
		Preferred:  uint32(a.PreferredLifetime / time.Second),
	}
	if a.NoDAD {
		h.Flags |= unix.IFA_F_NODAD
	}
	return h
}
