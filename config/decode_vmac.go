package config

import (
	"net"
	"net/netip"
	"strings"
)

// instanceVMAC takes "[[name] IFNAME] [MAC] [netlink_notify_msg] [group GROUP]".
func instanceVMAC(d *decoder, n *node) {
	v := &VMAC{Pos: n.Words[0].pos()}
	d.inst.VMAC = v
	rest := n.Words[1:]
	for len(rest) > 0 {
		w := rest[0]
		rest = rest[1:]
		switch {
		case w.Value == "netlink_notify_msg":
			v.NetlinkNotify = true
		case (w.Value == "name" || w.Value == "group") && len(rest) > 0:
			if w.Value == "group" {
				v.Group = d.linkGroup(rest[0])
			} else {
				v.Name = d.newInterface(rest[0], v.Name)
			}
			rest = rest[1:]
		case strings.Count(w.Value, ":") >= 4:
			v.MAC = d.mac(w)
		default:
			v.Name = d.newInterface(w, v.Name)
		}
	}
}

// newInterface reads the name of an interface that is to be made; given is the
// one that it has been given already.
func (d *decoder) newInterface(w token, given string) string {
	switch {
	case given != "":
		d.warn("extra-words", of(w), "", "the interface has the name %s already; %s does not count", given, w.Value)
		return given
	case w.Value == "" || len(w.Value) > maxInterfaceName || strings.ContainsAny(w.Value, "/ \t:"):
		d.warn("invalid-name", of(w), "A name has 1 to 15 bytes, without a blank, a slash or a colon.", "'%s' cannot be the name of an interface; it does not count", w.Value)
		return ""
	}
	if env := d.options.Environment; env != nil && env.Interface(w.Value) {
		d.warn("interface-exists", of(w), "", "the interface %s is there already; unless it is one of ours, the name does not count", w.Value)
	}
	return w.Value
}

// linkGroup reads the number or name of an interface group, 0 where it is neither.
func (d *decoder) linkGroup(w token) uint32 {
	n, ok := d.names().number("group", w.Value, maxUint)
	if !ok {
		d.warn("invalid-value", of(w), "Groups are numbers, or names of the file group of iproute2.", "%s is no interface group; it does not count", w.Value)
		return 0
	}
	return n
}

// mac reads a hardware address of 6 bytes, or of 5, to which the VRID is added
// later.
func (d *decoder) mac(w token) []byte {
	text := w.Value
	short := strings.Count(text, ":") == 4
	if short {
		text += ":00"
	}
	mac, err := net.ParseMAC(text)
	switch {
	case err != nil || len(mac) != 6:
		d.fail("invalid-value", of(w), "Write it like 02:00:5e:01:02:03.", "%s is no hardware address", w.Value)
		return nil
	case mac[0]&1 != 0:
		d.fail("invalid-value", of(w), "", "%s is the address of a group; it does not count", w.Value)
		return nil
	case strings.HasPrefix(strings.ToLower(text), "00:00:5e:00:01:") || strings.HasPrefix(strings.ToLower(text), "00:00:5e:00:02:"):
		d.fail("invalid-value", of(w), "Leave it out for the address of RFC 9568.", "%s is kept for the RFC's own use; it does not count", w.Value)
		return nil
	}
	if short {
		return mac[:5]
	}
	return mac
}

// instanceIPVLAN takes "[[name] IFNAME] [IP] [bridge|private|vepa] [group
// GROUP]".
func instanceIPVLAN(d *decoder, n *node) {
	if d.inst.IPVLAN != nil {
		d.notice("duplicate", words(n, 0), "", "use_ipvlan is given more than once; the last counts")
	}
	v := &IPVLAN{Pos: n.Words[0].pos(), Mode: "bridge"}
	d.inst.IPVLAN = v
	rest := n.Words[1:]
	for len(rest) > 0 {
		w := rest[0]
		rest = rest[1:]
		text, _, _ := strings.Cut(w.Value, "/")
		_, isAddr := parseAddr(text)
		switch {
		case w.Value == "bridge" || w.Value == "private" || w.Value == "vepa":
			v.Mode = w.Value
		case (w.Value == "name" || w.Value == "group") && len(rest) > 0:
			if w.Value == "group" {
				v.Group = d.linkGroup(rest[0])
			} else {
				v.Name = d.newInterface(rest[0], v.Name)
			}
			rest = rest[1:]
		case isAddr:
			p, _, _ := d.prefix(w)
			if d.familyOf(p.Addr(), w) {
				v.Address = p
			}
		default:
			v.Name = d.newInterface(w, v.Name)
		}
	}
}

// completeVMAC judges the interface that is made for an instance.
func (d *decoder) completeVMAC(i *instanceDraft) {
	if i.VMAC != nil && i.IPVLAN != nil {
		d.fail("vmac-ipvlan", i.at("use_ipvlan"), "Remove one of the two.", "vrrp_instance %s has use_vmac and use_ipvlan; use_vmac does not count", i.Name)
		i.VMAC = nil
	}
	if v := i.VMAC; v != nil {
		if len(v.MAC) == 5 {
			v.MAC = append(v.MAC, byte(i.VRID))
		}
		if i.Strict && v.MAC != nil {
			d.warn("strict-mac", i.at("use_vmac"), "", "strict mode has the hardware address of the RFC only (vrrp_instance %s)", i.Name)
			v.MAC = nil
		}
		if i.Interface == "" {
			d.fatal("vmac-interface", i.at("use_vmac"), "Add a line interface NAME.", "vrrp_instance %s has use_vmac and no interface", i.Name)
		}
		if i.Unicast() && !i.XmitBase {
			i.XmitBase = true
		}
	}
	switch {
	case i.XmitBase && i.VMAC == nil:
		d.warn("xmit-base", i.at("vmac_xmit_base"), "Add use_vmac, or remove the line.", "vmac_xmit_base is for use_vmac only")
		i.XmitBase = false
	case i.XmitBase && i.Strict:
		d.warn("xmit-base", i.at("vmac_xmit_base"), "", "strict mode sends from the virtual hardware address; vmac_xmit_base does not count")
		i.XmitBase = false
	}
	v := i.IPVLAN
	if v == nil {
		return
	}
	if v.Address.IsValid() && !i.Source.IsValid() {
		i.Source = v.Address.Addr()
	}
	if !i.IPv6 && !i.Source.IsValid() {
		d.warn("ipvlan-source", i.at("use_ipvlan"), "Write the address behind use_ipvlan, or add mcast_src_ip.", "use_ipvlan of vrrp_instance %s needs an address to send from; without it the instance stays in FAULT", i.Name)
	}
	if !v.Address.IsValid() && i.Source.IsValid() {
		v.Address = netip.PrefixFrom(i.Source, i.Source.BitLen())
	}
}
