package desired

import (
	"fmt"
	"net/netip"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/tandem-ha/tandem/config"
	"github.com/tandem-ha/tandem/internal/host"
)

// address makes one line of an address block, on eth0 unless dev says otherwise.
func address(prefix, dev string, useVMAC bool) config.Address {
	if dev == "" {
		dev = "eth0"
	}
	return config.Address{Prefix: netip.MustParsePrefix(prefix), Interface: dev, UseVMAC: useVMAC}
}

// Which address goes where, and which links are made for it under which names, is
// what keepalived does with the same lines.
func TestPlace(t *testing.T) {
	base := []host.LinkState{
		{VirtualLink: host.VirtualLink{Name: "lo"}, Index: 1},
		{VirtualLink: host.VirtualLink{Name: "eth0", Kind: "veth"}, Index: 2},
		{VirtualLink: host.VirtualLink{Name: "eth1", Kind: "veth", VRF: "red"}, Index: 3},
	}
	instance := func(name string, vrid int, ipv6 bool, change func(*config.Instance), list ...config.Address) *config.Instance {
		in := &config.Instance{Name: name, VRID: vrid, Interface: "eth0", IPv6: ipv6, Addresses: list}
		change(in)
		return in
	}
	vmac := func(in *config.Instance) { in.VMAC = &config.VMAC{} }
	for _, c := range []struct {
		name      string
		have      []host.LinkState
		instances []*config.Instance
		links     []string
		places    []string
	}{
		{"nothing to make", nil,
			[]*config.Instance{instance("A", 51, false, func(*config.Instance) {}, address("192.0.2.10/24", "", false))},
			nil, []string{"192.0.2.10/24 eth0"}},
		{"the instance's own family and interface, the rest where the file says", nil,
			[]*config.Instance{instance("A", 51, false, vmac, address("192.0.2.10/24", "", false), address("198.51.100.12/32", "eth1", false),
				address("198.51.100.13/32", "eth1", true), address("fe80::77/128", "", false), address("fe80::78/128", "", true))},
			[]string{"vrrp.51 00:00:5e:00:01:33 on eth0", "vrrp1.51 00:00:5e:00:01:33 on eth1 in red", "vrrp6.51 00:00:5e:00:02:33 on eth0"},
			[]string{"192.0.2.10/24 vrrp.51", "198.51.100.12/32 eth1", "198.51.100.13/32 vrrp1.51", "fe80::77/128 eth0", "fe80::78/128 vrrp6.51"}},
		{"use_vmac_addr without use_vmac leaves the interface's own alone", nil,
			[]*config.Instance{instance("B", 52, false, func(in *config.Instance) { in.VMACAddresses = true }, address("192.0.2.20/32", "", false),
				address("198.51.100.22/32", "eth1", false), address("198.51.100.23/32", "eth1", true))},
			[]string{"addr.52 00:00:5e:00:01:34 on eth1 in red"},
			[]string{"192.0.2.20/32 eth0", "198.51.100.22/32 addr.52", "198.51.100.23/32 addr.52"}},
		{"use_vmac_addr without use_vmac takes the other family wherever it is", nil,
			[]*config.Instance{instance("B", 52, false, func(in *config.Instance) { in.VMACAddresses = true }, address("192.0.2.20/32", "", false),
				address("2001:db8::10/64", "", false), address("2001:db8:1::11/64", "eth1", false))},
			[]string{"addr.52 00:00:5e:00:02:34 on eth0", "addr6.52 00:00:5e:00:02:34 on eth1 in red"},
			[]string{"192.0.2.20/32 eth0", "2001:db8::10/64 addr.52", "2001:db8:1::11/64 addr6.52"}},
		{"use_vmac_addr with use_vmac takes the other family too", nil,
			[]*config.Instance{instance("B", 52, true, func(in *config.Instance) { in.VMAC, in.VMACAddresses = &config.VMAC{}, true },
				address("2001:db8::10/64", "", false), address("192.0.2.40/32", "", false), address("192.0.2.41/32", "", false))},
			[]string{"vrrp.52 00:00:5e:00:02:34 on eth0", "addr.52 00:00:5e:00:01:34 on eth0"},
			[]string{"2001:db8::10/64 vrrp.52", "192.0.2.40/32 addr.52", "192.0.2.41/32 addr.52"}},
		{"a name and an address of the file's own", nil,
			[]*config.Instance{
				instance("A", 51, false, vmac, address("192.0.2.10/24", "", false)),
				instance("F", 56, false, func(in *config.Instance) {
					in.VMAC = &config.VMAC{Name: "vrrp.51", MAC: []byte{2, 0x11, 0x22, 0x33, 0x44, 0x55}}
				}, address("192.0.2.61/32", "", false), address("198.51.100.62/32", "eth1", true))},
			[]string{"vrrp1.51 00:00:5e:00:01:33 on eth0", "vrrp.51 02:11:22:33:44:55 on eth0", "addr.56 02:11:22:33:44:55 on eth1 in red"},
			[]string{"192.0.2.10/24 vrrp1.51", "192.0.2.61/32 vrrp.51", "198.51.100.62/32 addr.56"}},
		{"two of one router cannot be", nil,
			[]*config.Instance{
				instance("A", 51, false, vmac, address("fe80::77/128", "", true)),
				instance("D", 51, true, vmac, address("fe80::99/128", "", false))},
			[]string{"vrrp.51 00:00:5e:00:01:33 on eth0", "vrrp6.51 00:00:5e:00:02:33 on eth0", "vrrp1.51 00:00:5e:00:02:33 on eth0 clashes with vrrp6.51"},
			[]string{"fe80::77/128 vrrp6.51", "fe80::99/128 vrrp1.51"}},
		{"what is there already is taken over by its name", []host.LinkState{
			{VirtualLink: host.VirtualLink{Name: "left", Parent: "eth0", Kind: host.Macvlan, Mode: host.Private, MAC: host.VirtualMAC(51, false)}, Index: 9}},
			[]*config.Instance{instance("A", 51, false, vmac, address("192.0.2.10/24", "", false))},
			[]string{"left 00:00:5e:00:01:33 on eth0"}, []string{"192.0.2.10/24 left"}},
		{"two of one name: the second keeps the one that it was given instead", []host.LinkState{
			{VirtualLink: host.VirtualLink{Name: "given", Parent: "eth0", Kind: host.Macvlan, Mode: host.Private, MAC: host.VirtualMAC(51, false)}, Index: 8},
			{VirtualLink: host.VirtualLink{Name: "vrrp.52", Parent: "eth0", Kind: host.Macvlan, Mode: host.Private, MAC: host.VirtualMAC(52, false)}, Index: 9}},
			[]*config.Instance{
				instance("A", 51, false, func(in *config.Instance) { in.VMAC = &config.VMAC{Name: "given"} }, address("192.0.2.10/24", "", false)),
				instance("B", 52, false, func(in *config.Instance) { in.VMAC = &config.VMAC{Name: "given"} }, address("192.0.2.11/24", "", false))},
			[]string{"given 00:00:5e:00:01:33 on eth0", "vrrp.52 00:00:5e:00:01:34 on eth0"},
			[]string{"192.0.2.10/24 given", "192.0.2.11/24 vrrp.52"}},
		{"an ipvlan carries no virtual address", nil,
			[]*config.Instance{instance("I", 57, false, func(in *config.Instance) {
				in.IPVLAN = &config.IPVLAN{Mode: "bridge", Address: netip.MustParsePrefix("192.0.2.9/24")}
			}, address("192.0.2.70/32", "", false))},
			[]string{"vrrp.57 00:00:00:00:00:00 on eth0 with 192.0.2.9/24"}, []string{"192.0.2.70/32 eth0"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			cfg := &config.Config{Global: config.Global{VMACPrefix: "vrrp", VMACAddressPrefix: "addr"}, Instances: c.instances}
			if c.name == "the instance's own family and interface, the rest where the file says" || c.name == "two of one router cannot be" {
				cfg.Global.VMACAddressPrefix = "vrrp"
			}
			p := Place(cfg, append(slices.Clone(base), c.have...))
			var links, places []string
			for _, l := range p.Carriers {
				line := fmt.Sprintf("%s %s on %s", l.Link.Name, l.Link.MAC, l.Link.Parent)
				if l.Link.VRF != "" {
					line += " in " + l.Link.VRF
				}
				if l.Clash != "" {
					line += " clashes with " + l.Clash
				}
				if l.Address.IsValid() {
					line += " with " + l.Address.String()
				}
				links = append(links, line)
			}
			for _, in := range p.Config.Instances {
				for _, a := range in.Addresses {
					places = append(places, a.Prefix.String()+" "+a.Interface)
				}
			}
			if diff := cmp.Diff(c.links, links); diff != "" {
				t.Errorf("links (-want +got):\n%s", diff)
			}
			if diff := cmp.Diff(c.places, places); diff != "" {
				t.Errorf("addresses (-want +got):\n%s", diff)
			}
		})
	}
}

// The kernel has one mode for all ipvlans of a link, that of the last one made:
// asking for more than one would have them made anew for ever.
func TestIpvlansOfOneLinkHaveTheModeOfTheLast(t *testing.T) {
	ipvlan := func(vrid int, mode, parent string) *config.Instance {
		return &config.Instance{Name: mode, VRID: vrid, Interface: parent, IPVLAN: &config.IPVLAN{Mode: mode}}
	}
	p := Place(&config.Config{Global: config.Global{VMACPrefix: "vrrp"}, Instances: []*config.Instance{
		ipvlan(51, "bridge", "eth0"), ipvlan(52, "private", "eth1"), ipvlan(53, "vepa", "eth0"),
	}}, nil)
	var links []string
	for _, c := range p.Carriers {
		links = append(links, fmt.Sprintf("%s on %s: %s", c.Link.Name, c.Link.Parent, c.Link.Mode))
	}
	if want := []string{"vrrp.51 on eth0: vepa", "vrrp.52 on eth1: private", "vrrp.53 on eth0: vepa"}; !slices.Equal(links, want) {
		t.Errorf("links %q, want %q", links, want)
	}
}
