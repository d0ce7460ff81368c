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

// advertRoom is how many addresses an advert of the instance can carry on its
// interface as it is now.
func (d *decoder) advertRoom(i *Instance) int {
	env, ok := d.options.Environment.(MTUEnvironment)
	if !ok || i.Interface == "" {
		return maxAddresses
	}
	return i.AdvertRoom(env.MTU(i.Interface))
}

// AdvertRoom is how many addresses an advert of the instance can carry so that it
// fits an MTU in bytes, 0 for one that is not known: one that does not fit is never
// sent with IPv4. Like keepalived it counts the Ethernet header, too, so that pairs of
// both agree on what is in the advert.
func (i *Instance) AdvertRoom(mtu int) int {
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
	if i.HMAC != nil {
		used += hmacTrailer
	}
	return min(max((mtu-used)/size, 1), maxAddresses)
}
