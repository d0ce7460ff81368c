package desired

import (
	"net/netip"

	"github.com/tandem-ha/tandem/config"
	"github.com/tandem-ha/tandem/internal/host"
)

// Item is something that the host should hold.
type Item[T any] struct {
	Thing T
	// NoTrack leaves it away where somebody else takes it away.
	NoTrack bool
}

// Holding is what the host should hold on one account, each list in the order
// in which it is to be put there: what comes with being master of an instance,
// or what is there as long as the program runs.
type Holding struct {
	Addresses []Item[host.Address]
	Routes    []Item[host.Route]
	Rules     []Item[host.Rule]
	// Deny are the addresses that accept no packets.
	Deny []host.DeniedAddress
}

// Empty is whether there is nothing to hold.
func (h Holding) Empty() bool {
	return len(h.Addresses) == 0 && len(h.Routes) == 0 && len(h.Rules) == 0 && len(h.Deny) == 0
}

// VRFTable gives the routing table of a VRF by the name of its interface; false
// where there is no such VRF.
type VRFTable func(name string) (uint32, bool)

// Mastership gives what comes with an instance while it holds the addresses for
// which held is true. Routes and rules go with the last of the addresses, but a
// route from one of them goes with that one, as the kernel would have it.
// master says whether it is master, which counts where it has no addresses.
func Mastership(in *config.Instance, master bool, held func(netip.Addr) bool, vrf VRFTable) Holding {
	h := Holding{Addresses: addressItems(in, held), Deny: deny(in, held)}
	if len(h.Addresses) == 0 && (!master || len(in.Addresses)+len(in.Excluded) > 0) {
		return h
	}
	virtual := map[netip.Addr]bool{}
	for _, a := range All(in, vrf).Addresses {
		virtual[a.Thing.Prefix.Addr()] = true
	}
	for _, r := range routes(in.Routes, vrf) {
		if s := r.Thing.Source; !virtual[s] || held(s) {
			h.Routes = append(h.Routes, r)
		}
	}
	h.Rules = rules(in.Rules)
	return h
}

// All gives everything that may come with an instance.
func All(in *config.Instance, vrf VRFTable) Holding {
	all := func(netip.Addr) bool { return true }
	return Holding{Addresses: addressItems(in, all), Routes: routes(in.Routes, vrf), Rules: rules(in.Rules), Deny: deny(in, all)}
}
