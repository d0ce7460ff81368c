package desired

import (
	"fmt"
	"net/netip"

	"github.com/tandem-ha/tandem/config"
	"github.com/tandem-ha/tandem/internal/host"
	"github.com/tandem-ha/tandem/vrrp"
)

// LinkState says whether an instance's interface can carry its adverts, and
// with which source address. A nil link is one that does not exist. ours says
// which addresses are virtual and never a source, and here which are on any link of
// this host.
func LinkState(in *config.Instance, link *host.Link, ours, here func(netip.Addr) bool) vrrp.LinkState {
	if link == nil && in.Interface == "" && in.VRF != "" {
		return vrrp.LinkState{Cause: fmt.Sprintf("source address %s is on no interface of VRF %s", in.Source, in.VRF)}
	}
	if link == nil && in.Interface == "" {
		return vrrp.LinkState{Cause: fmt.Sprintf("source address %s is on no interface", in.Source)}
	}
	if link == nil {
		return vrrp.LinkState{Cause: fmt.Sprintf("interface %s missing", in.Interface)}
	}
	source := host.SourceAddress(*link, in.IPv6, ours)
	if in.FaultWithoutPeer {
		return vrrp.LinkState{Source: source, Cause: "unicast is asked for without a peer"}
	}
	if in.IPVLAN != nil && !in.IPv6 && !in.Source.IsValid() {
		return vrrp.LinkState{Source: source, Cause: "use_ipvlan has no address to send from"}
	}
	if in.Source.IsValid() {
		if in.TrackSource && !onLink(link, in.Source) {
			return vrrp.LinkState{Cause: "src address not configured"}
		}
		if in.Unicast() && !onLink(link, in.Source) && !here(in.Source) {
			// Peers send to it: without it nobody is heard.
			return vrrp.LinkState{Cause: fmt.Sprintf("source address %s is on no interface", in.Source)}
		}
		source = in.Source
	}
	switch {
	case !link.Up && in.TrackPrimary:
		return vrrp.LinkState{Source: source, Cause: fmt.Sprintf("interface %s down", link.Name)}
	case !in.Unicast() && !link.Multicast:
		return vrrp.LinkState{Source: source, Cause: fmt.Sprintf("interface %s has no multicast", in.Interface)}
	case !source.IsValid():
		family := 4
		if in.IPv6 {
			family = 6
		}
		return vrrp.LinkState{Cause: fmt.Sprintf("no IPv%d address for interface", family)}
	}
	return vrrp.LinkState{Up: true, Source: source}
}

func onLink(link *host.Link, addr netip.Addr) bool {
	for _, p := range link.Addresses {
		if p.Addr() == addr {
			return true
		}
	}
	return false
}
