package desired

import (
	"maps"
	"net/netip"
	"slices"
	"time"

	"github.com/tandem-ha/tandem/config"
	"github.com/tandem-ha/tandem/internal/host"
	"github.com/tandem-ha/tandem/vrrp"
)

// Router gives the machine's settings for an instance.
func Router(g config.Global, in *config.Instance) vrrp.Config {
	c := vrrp.Config{
		Name:                 in.Name,
		VRID:                 uint8(in.VRID),
		Version:              uint8(in.Version),
		IPv6:                 in.IPv6,
		Priority:             uint8(in.Priority),
		StateMaster:          in.StateMaster,
		AdvertInterval:       in.AdvertInterval,
		DownTimerAdverts:     in.DownTimerAdverts,
		Preempt:              in.Preempt,
		PreemptDelay:         in.PreemptDelay,
		StartupDelay:         g.StartupDelay,
		Addresses:            addrs(in.Addresses),
		Excluded:             addrs(in.Excluded),
		Detecting:            detecting(in),
		SharedMAC:            in.VMAC != nil && !in.XmitBase,
		CheckSource:          in.CheckSource,
		Group:                in.Group,
		LowerPrioNoAdvert:    in.LowerPrioNoAdvert,
		HigherPrioSendAdvert: in.HigherPrioSendAdvert,
		OwnerIgnoreAdverts:   in.OwnerIgnoreAdverts,
		SkipCheckAddresses:   in.SkipCheckAddresses,
		ChecksumV2Style:      in.ChecksumV2Style,
		OldUnicastChecksum:   vrrp.OldChecksumMode(in.OldUnicastChecksum),
		TimerExpiredBackup:   uint8(in.TimerExpiredBackup),
		Announcements: vrrp.Announcements{
			Repeat:          in.GARP.Repeat,
			Delay:           in.GARP.Delay,
			Refresh:         in.GARP.Refresh,
			RefreshRepeat:   in.GARP.RefreshRepeat,
			LowerPrioRepeat: in.GARP.LowerPrioRepeat,
			LowerPrioDelay:  in.GARP.LowerPrioDelay,
		},
	}
	switch in.AuthType {
	case "PASS":
		c.Auth = vrrp.Auth{Type: vrrp.AuthPassword, Password: []byte(in.AuthPass)}
	case "AH":
		c.Auth = vrrp.Auth{Type: vrrp.AuthAH, Password: []byte(in.AuthPass)}
	}
	if h := in.HMAC; h != nil {
		c.HMAC = &vrrp.HMAC{Active: uint8(h.Active), Mode: vrrp.HMACMode(h.Mode), Monotonic: h.Monotonic, Window: h.Window}
		for _, k := range h.Keys {
			c.HMAC.Keys = append(c.HMAC.Keys, vrrp.HMACKey{ID: uint8(k.ID), Secret: k.Secret})
		}
	}
	c.Conditional = in.Takeover != nil
	c.OfferIneligible = in.Takeover != nil && in.Takeover.Offer
	if d := in.Damping; d != nil {
		c.Damping = vrrp.Damping{Flaps: d.Flaps, Window: d.Window, Hold: d.Hold}
	}
	c.Unicast = in.Unicast()
	c.Peers = Peers(in, nil, func(netip.Addr) bool { return false })
	return c
}

func addrs(in []config.Address) []netip.Addr {
	var out []netip.Addr
	for _, a := range in {
		out = append(out, a.Prefix.Addr())
	}
	return out
}

// detecting are the IPv6 addresses that the kernel looks for on the link before
// it uses them.
func detecting(in *config.Instance) []netip.Addr {
	var out []netip.Addr
	for _, a := range slices.Concat(in.Addresses, in.Excluded) {
		if addr := a.Prefix.Addr(); addr.Is6() && !a.NoDAD {
			out = append(out, addr)
		}
	}
	return out
}

// RouterKey is what an instance is, as far as a reload goes: a router whose key
// stays keeps its state, whatever its name.
type RouterKey struct {
	Interface string
	VRID      int
	IPv6      bool
	Group     netip.Addr
	Unicast   bool
	Source    netip.Addr
	// VRF is that of a router without an interface: a source address can be in
	// each of several.
	VRF string
	// VMAC and IPVLAN say whether the router has such a link of its own.
	VMAC, IPVLAN bool
}

// KeyOf gives an instance's identity.
func KeyOf(in *config.Instance) RouterKey {
	k := RouterKey{
		Interface: in.Interface,
		VRID:      in.VRID,
		IPv6:      in.IPv6,
		Unicast:   in.Unicast(),
		VMAC:      in.VMAC != nil,
		IPVLAN:    in.IPVLAN != nil,
	}
	if k.Unicast {
		k.Source = in.Source
		if in.Interface == "" {
			k.VRF = in.VRF
		}
	} else {
		k.Group = in.Group
	}
	return k
}

// AnnounceSpacing gives the least time between two gratuitous ARPs and between
// two Neighbour Advertisements on an interface.
func AnnounceSpacing(g config.Global) (arp, na time.Duration) {
	return g.ARPInterval, g.NAInterval
}

// AnnounceGroups are the interfaces that share the spacing of their
// announcements. What is made upon one of them, which parents tells by name,
// sends through it and shares it too.
func AnnounceGroups(cfg *config.Config, parents map[string]string) []host.SharedSpacing {
	var out []host.SharedSpacing
	for _, g := range cfg.GARPGroups {
		s := host.SharedSpacing{ARP: g.ARP, NA: g.NA, Links: slices.Clone(g.Interfaces)}
		for _, made := range slices.Sorted(maps.Keys(parents)) {
			if slices.Contains(g.Interfaces, parents[made]) {
				s.Links = append(s.Links, made)
			}
		}
		out = append(out, s)
	}
	return out
}
