package desired

import (
	"net/netip"
	"slices"

	"github.com/tandem-ha/tandem/config"
	"github.com/tandem-ha/tandem/internal/host"
)

// Carrier is a link that is made for an instance: its VMAC or ipvlan, or a VMAC
// for addresses that its own link does not carry.
type Carrier struct {
	Link host.VirtualLink
	// Instance is the name of the instance.
	Instance string
	// Clash is the name of a link with the same hardware address in the same place,
	// so that there cannot be another; empty for none.
	Clash string
	// Address is on the link as long as the link is there: that of an ipvlan.
	Address netip.Prefix
}

// LinkLocal says whether the link has its parent's link-local address.
func (c Carrier) LinkLocal() bool { return c.Link.Kind == host.Macvlan && c.Link.IPv6 }

// Placement is a configuration after it has been decided which links are to be
// made, and what they are called.
type Placement struct {
	// Config is the configuration as it is carried out: each address is on the link
	// that it is to be on, and each VMAC and ipvlan has its name and hardware
	// address. Whatever needs no such link is that of the file.
	Config *config.Config
	// Carriers are the links, in the order of the file.
	Carriers []Carrier
}

// Parents gives for each link what it is made upon.
func (p Placement) Parents() map[string]string {
	out := make(map[string]string, len(p.Carriers))
	for _, c := range p.Carriers {
		out[c.Link.Name] = c.Link.Parent
	}
	return out
}

// VMACs are the names of the links that send from a virtual router's address, and
// these addresses, each once.
func (p Placement) VMACs() (names []string, own []host.MAC) {
	for _, c := range p.Carriers {
		if c.Link.Kind != host.Macvlan {
			continue
		}
		names = append(names, c.Link.Name)
		if !slices.Contains(own, c.Link.MAC) {
			own = append(own, c.Link.MAC)
		}
	}
	return names, own
}

// Place decides about the links of a configuration. have is all links of the host:
// one that is there already and fits is used again, whoever made it.
func Place(cfg *config.Config, have []host.LinkState) Placement {
	out := Placement{Config: cfg}
	if !slices.ContainsFunc(cfg.Instances, needsLinks) {
		return out
	}
	copied := *cfg
	copied.Instances = slices.Clone(cfg.Instances)
	p := placer{global: cfg.Global, have: have, modes: map[string]host.LinkMode{}}
	// Names that are given are nobody else's.
	for _, in := range cfg.Instances {
		if in.VMAC != nil && in.VMAC.Name != "" {
			p.given = append(p.given, in.VMAC.Name)
		}
		if in.IPVLAN == nil {
			continue
		}
		p.modes[in.Interface] = host.LinkMode(in.IPVLAN.Mode)
		if in.IPVLAN.Name != "" {
			p.given = append(p.given, in.IPVLAN.Name)
		}
	}
	for i, in := range cfg.Instances {
		if needsLinks(in) {
			copied.Instances[i] = p.place(in)
		}
	}
	return Placement{Config: &copied, Carriers: p.carriers}
}

func needsLinks(in *config.Instance) bool {
	wanted := func(a config.Address) bool { return ownVMAC(in, a) }
	return in.VMAC != nil || in.IPVLAN != nil || slices.ContainsFunc(in.Addresses, wanted) || slices.ContainsFunc(in.Excluded, wanted)
}

// ownVMAC says whether an address is to be on a VMAC, which may be the instance's.
// use_vmac_addr means the addresses that are not where the instance's adverts are, and
// those of the other family.
func ownVMAC(in *config.Instance, a config.Address) bool {
	elsewhere := a.Interface != in.Interface || a.Prefix.Addr().Is6() != in.IPv6
	return a.UseVMAC || in.VMACAddresses && (elsewhere || in.VMAC != nil)
}

// placer decides about one instance after the other.
type placer struct {
	global config.Global
	have   []host.LinkState
	given  []string
	// modes are those of the ipvlans on each link: the kernel gives all that are on
	// one the mode of the last that is made.
	modes    map[string]host.LinkMode
	carriers []Carrier
}

func (p *placer) taken(own string) []string {
	out := slices.DeleteFunc(slices.Clone(p.given), func(name string) bool { return name == own })
	for _, c := range p.carriers {
		out = append(out, c.Link.Name)
	}
	return out
}

// add names a link and takes it up.
func (p *placer) add(in *config.Instance, link host.VirtualLink, prefix string, address netip.Prefix) host.VirtualLink {
	link.VRF = p.vrf(link.Parent)
	link.Name = host.NameVMAC(link, prefix, uint8(in.VRID), p.have, p.taken(link.Name))
	c := Carrier{Link: link, Instance: in.Name, Address: address}
	for _, other := range p.carriers {
		if link.Kind == host.Macvlan && other.Link.Kind == host.Macvlan && other.Link.Parent == link.Parent && other.Link.MAC == link.MAC {
			c.Clash = other.Link.Name
		}
	}
	p.carriers = append(p.carriers, c)
	return link
}

// vrf is the VRF that a link is in, which what is put upon it is to be in as well.
func (p *placer) vrf(name string) string {
	for _, h := range p.have {
		if h.Name == name {
			return h.VRF
		}
	}
	return ""
}

// place decides about one instance and returns it with its links.
func (p *placer) place(in *config.Instance) *config.Instance {
	placed := *in
	// own is the link that carries the instance's addresses of its own family.
	own := in.Interface
	switch {
	case in.VMAC != nil:
		v := *in.VMAC
		mac := p.mac(in, in.IPv6)
		link := p.add(in, host.VirtualLink{
			Name: v.Name, Parent: in.Interface, Kind: host.Macvlan, Mode: host.Private, MAC: mac,
			Group: v.Group, IPv4: !in.IPv6, IPv6: in.IPv6,
		}, p.global.VMACPrefix, netip.Prefix{})
		v.Name, v.MAC = link.Name, mac[:]
		placed.VMAC, own = &v, link.Name
	case in.IPVLAN != nil:
		v := *in.IPVLAN
		link := p.add(in, host.VirtualLink{
			Name: v.Name, Parent: in.Interface, Kind: host.Ipvlan, Mode: p.modes[in.Interface],
			Group: v.Group, IPv4: !in.IPv6, IPv6: in.IPv6,
		}, p.global.VMACPrefix, v.Address)
		v.Name = link.Name
		placed.IPVLAN = &v
	}
	// A VMAC for addresses is shared by those of one link and family.
	type place struct {
		parent string
		ipv6   bool
	}
	made := map[place]string{}
	move := func(list []config.Address) []config.Address {
		list = slices.Clone(list)
		for i, a := range list {
			six := a.Prefix.Addr().Is6()
			at := place{a.Interface, six}
			switch {
			case a.Interface == in.Interface && six == in.IPv6 && in.VMAC != nil:
				list[i].Interface = own
			case !ownVMAC(in, a):
			case made[at] == "":
				made[at] = p.add(in, host.VirtualLink{
					Parent: a.Interface, Kind: host.Macvlan, Mode: host.Private, MAC: p.mac(in, six), IPv4: !six, IPv6: six,
				}, p.global.VMACAddressPrefix, netip.Prefix{}).Name
				fallthrough
			default:
				list[i].Interface = made[at]
			}
		}
		return list
	}
	placed.Addresses, placed.Excluded = move(in.Addresses), move(in.Excluded)
	return &placed
}

// mac is the hardware address of an instance's VMACs of a family.
func (p *placer) mac(in *config.Instance, ipv6 bool) host.MAC {
	if in.VMAC != nil && len(in.VMAC.MAC) == len(host.MAC{}) {
		return host.MAC(in.VMAC.MAC)
	}
	return host.VirtualMAC(uint8(in.VRID), ipv6)
}

// OwnLink is the link that an instance of a Placement sends adverts from, with the
// hardware address that is nobody else's there; "" where that is its interface.
func OwnLink(in *config.Instance) (name string, mac host.MAC) {
	switch {
	case in.VMAC != nil:
		return in.VMAC.Name, host.MAC(in.VMAC.MAC)
	case in.IPVLAN != nil:
		return in.IPVLAN.Name, host.MAC{}
	}
	return "", host.MAC{}
}

// CarrierSettings are the kernel's settings that the links need: those of the
// links below VMACs of IPv4, and filtering, the links for which reverse path
// filtering stays as it is though it must not be on for VMACs; nil without VMACs
// of IPv4.
func CarrierSettings(carriers []Carrier, have []host.LinkState) (settings []host.Sysctl, filtering []string) {
	vmac := map[string]bool{}
	for _, c := range carriers {
		if c.Link.Kind != host.Macvlan {
			continue
		}
		vmac[c.Link.Name] = true
		if !c.Link.IPv4 {
			continue
		}
		filtering = []string{}
		for _, base := range host.Bases(c.Link, have) {
			settings = append(settings, host.VMACBaseSysctls(base)...)
		}
	}
	if filtering == nil {
		return settings, nil
	}
	for _, h := range have {
		if h.Name != "lo" && !vmac[h.Name] {
			filtering = append(filtering, h.Name)
		}
	}
	return settings, filtering
}
