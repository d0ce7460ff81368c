package config

// maxAddresses is how many addresses an advert can count.
const maxAddresses = 255

// Lengths in bytes of what adverts consist of beside the addresses.
const (
	etherHeader = 14
	ipv4Header  = 20
	ipv6Header  = 40
	vrrpHeader  = 8
	// authField is what version 2 has behind the addresses, with IPv4.
	authField = 8
	ahHeader  = 24
	// hmacTrailer is what auth_hmac puts behind an advert.
	hmacTrailer = 28
)

// advertRoom is how many addresses an advert of the instance can carry so that it
// fits the MTU of its interface: one that does not is never sent with IPv4. Like
// keepalived it counts the Ethernet header, too, so that pairs of both agree on what
// is in the advert.
func (d *decoder) advertRoom(i *instanceDraft) int {
	env, ok := d.options.Environment.(MTUEnvironment)
	if !ok || i.Interface == "" {
		return maxAddresses
	}
	mtu := env.MTU(i.Interface)
	if mtu <= 0 {
		return maxAddresses
	}
	used, size := etherHeader+ipv4Header+vrrpHeader, 4
	switch {
	case i.IPv6:
		used, size = etherHeader+ipv6Header+vrrpHeader, 16
	case i.Version == 2:
		used += authField
	}
	if i.AuthType == "AH" {
		used += ahHeader
	}
	if i.hmac != nil {
		used += hmacTrailer
	}
	return min(max((mtu-used)/size, 1), maxAddresses)
}
