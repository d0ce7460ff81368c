package host

// ExtraAnnouncements chooses what is announced again and again by
// vrrp_garp_extra_if, so that switches keep the Ethernet addresses of links that
// no advert leaves by: the first address on each link other than own, the
// instance's, as far as the link is wanted. That is a VMAC, or with "all" any.
func ExtraAnnouncements(own string, addrs []Address, wanted func(link string) bool) []Address {
	var out []Address
	seen := map[string]bool{own: true}
	for _, a := range addrs {
		if seen[a.Interface] {
			continue
		}
		seen[a.Interface] = true
		if wanted(a.Interface) {
			out = append(out, a)
		}
	}
	return out
}
