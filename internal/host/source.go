package host

import (
	"net/netip"
	"slices"
)

// SourceAddress chooses the address that adverts are sent from where none is
// configured: the link's first IPv4 address that is not secondary, or its first
// IPv6 link-local one. Addresses for which ours says yes (the virtual ones) are
// passed over; ours may be nil. The zero Addr means that there is none.
func SourceAddress(l Link, ipv6 bool, ours func(netip.Addr) bool) netip.Addr {
	for _, p := range l.Addresses {
		a := p.Addr()
		switch {
		case ours != nil && ours(a):
		case ipv6 && a.Is6() && a.IsLinkLocalUnicast():
			return a
		case !ipv6 && a.Is4() && !slices.Contains(l.Secondary, p):
			return a
		}
	}
	return netip.Addr{}
}
