package host

import (
	"encoding/binary"

	"golang.org/x/sys/unix"

	"github.com/tandem-ha/tandem/ipvs/nlmsg"
)

// Attributes that x/sys/unix does not have, from linux/if_link.h.
const (
	macvlanMode = 1
	ipvlanMode  = 1
	ipvlanFlags = 2

	// ipvlanLayer2 is IPVLAN_MODE_L2.
	ipvlanLayer2 = 0

	// inet6AddrGenMode is IFLA_INET6_ADDR_GEN_MODE, addrGenNone its
	// IN6_ADDR_GEN_MODE_NONE.
	inet6AddrGenMode = 8
	addrGenNone      = 1
)

// macvlanModes are the MACVLAN_MODE_*, ipvlanModes the IPVLAN_F_*.
func macvlanModes() map[LinkMode]uint32 {
	return map[LinkMode]uint32{Private: 1, VEPA: 2, Bridge: 4}
}

func ipvlanModes() map[LinkMode]uint16 { return map[LinkMode]uint16{Bridge: 0, Private: 1, VEPA: 2} }

func modeOf[N comparable](modes map[LinkMode]N, number N) LinkMode {
	for mode, n := range modes {
		if n == number {
			return mode
		}
	}
	return ""
}

// appendLinkHeader appends a header and a struct ifinfomsg for the link with this
// index, 0 where it is named by an attribute.
func appendLinkHeader(b []byte, typ, flags uint16, seq uint32, index int, up bool) []byte {
	b = nlmsg.Begin(b, typ, unix.NLM_F_REQUEST|flags, seq)
	var set, change uint32
	if up {
		set, change = unix.IFF_UP, unix.IFF_UP
	}
	b = append(b, unix.AF_UNSPEC, 0, 0, 0)
	b = binary.NativeEndian.AppendUint32(b, uint32(index))
	b = binary.NativeEndian.AppendUint32(b, set)
	return binary.NativeEndian.AppendUint32(b, change)
}

// appendNewLink appends the request that makes a link upon the one with index
// parent; it is down at first.
func appendNewLink(b []byte, seq uint32, l VirtualLink, parent int) []byte {
	start := len(b)
	b = appendLinkHeader(b, unix.RTM_NEWLINK, unix.NLM_F_CREATE|unix.NLM_F_EXCL, seq, 0, false)
	b = nlmsg.AppendString(b, unix.IFLA_IFNAME, l.Name)
	b = nlmsg.AppendUint32(b, unix.IFLA_LINK, uint32(parent))
	if l.Kind == Macvlan {
		b = nlmsg.AppendAttr(b, unix.IFLA_ADDRESS, l.MAC[:])
	}
	if l.Group != 0 {
		b = nlmsg.AppendUint32(b, unix.IFLA_GROUP, l.Group)
	}
	b, info := nlmsg.BeginNested(b, unix.IFLA_LINKINFO)
	b = nlmsg.AppendAttr(b, unix.IFLA_INFO_KIND, []byte(l.Kind))
	b, data := nlmsg.BeginNested(b, unix.IFLA_INFO_DATA)
	if l.Kind == Macvlan {
		b = nlmsg.AppendUint32(b, macvlanMode, macvlanModes()[l.Mode])
	} else {
		b = nlmsg.AppendUint16(b, ipvlanMode, ipvlanLayer2)
		b = nlmsg.AppendUint16(b, ipvlanFlags, ipvlanModes()[l.Mode])
	}
	return nlmsg.End(nlmsg.EndAttr(nlmsg.EndAttr(b, data), info), start)
}

// appendNoLinkLocal appends the request that keeps the kernel from giving the
// link IPv6 addresses of its own.
func appendNoLinkLocal(b []byte, seq uint32, index int) []byte {
	start := len(b)
	b = appendLinkHeader(b, unix.RTM_NEWLINK, 0, seq, index, false)
	b, af := nlmsg.BeginNested(b, unix.IFLA_AF_SPEC)
	b, inet6 := nlmsg.BeginNested(b, unix.AF_INET6)
	b = nlmsg.AppendUint8(b, inet6AddrGenMode, addrGenNone)
	return nlmsg.End(nlmsg.EndAttr(nlmsg.EndAttr(b, inet6), af), start)
}

// appendMaster appends the request that puts the link into a VRF.
func appendMaster(b []byte, seq uint32, index, master int) []byte {
	start := len(b)
	b = appendLinkHeader(b, unix.RTM_NEWLINK, 0, seq, index, false)
	return nlmsg.End(nlmsg.AppendUint32(b, unix.IFLA_MASTER, uint32(master)), start)
}

// appendLinkUp appends the request that sets the link up.
func appendLinkUp(b []byte, seq uint32, index int) []byte {
	start := len(b)
	return nlmsg.End(appendLinkHeader(b, unix.RTM_NEWLINK, 0, seq, index, true), start)
}

// appendDelLink appends the request that deletes the link.
func appendDelLink(b []byte, seq uint32, index int) []byte {
	start := len(b)
	return nlmsg.End(appendLinkHeader(b, unix.RTM_DELLINK, 0, seq, index, false), start)
}

// kernelLink is a link as an RTM_NEWLINK tells of it: parent and master are
// indexes, 0 where there is none in this namespace.
type kernelLink struct {
	LinkState
	parent, master int
}

// parseLink decodes an RTM_NEWLINK; ok is false where it is none.
func parseLink(m nlmsg.Message) (k kernelLink, ok bool) {
	if m.Type != unix.RTM_NEWLINK || len(m.Data) < unix.SizeofIfInfomsg {
		return k, false
	}
	k.Index = int(int32(attr32(m.Data[4:])))
	k.Up = attr32(m.Data[8:])&unix.IFF_UP != 0
	elsewhere := false
	for typ, value, rest, more := nlmsg.NextAttr(m.Data[unix.SizeofIfInfomsg:]); more; typ, value, rest, more = nlmsg.NextAttr(rest) {
		switch typ {
		case unix.IFLA_IFNAME:
			k.Name = nlmsg.String(value)
		case unix.IFLA_LINK:
			k.parent = int(int32(attr32(value)))
		case unix.IFLA_LINK_NETNSID:
			elsewhere = true
		case unix.IFLA_MASTER:
			k.master = int(int32(attr32(value)))
		case unix.IFLA_GROUP:
			k.Group = attr32(value)
		case unix.IFLA_ADDRESS:
			if len(value) == len(k.MAC) {
				k.MAC = MAC(value)
			}
		case unix.IFLA_LINKINFO:
			k.parseInfo(value)
		}
	}
	if elsewhere {
		k.parent = 0
	}
	return k, k.Name != ""
}

func (k *kernelLink) parseInfo(info []byte) {
	var data []byte
	for typ, value, rest, more := nlmsg.NextAttr(info); more; typ, value, rest, more = nlmsg.NextAttr(rest) {
		switch typ {
		case unix.IFLA_INFO_KIND:
			k.Kind = LinkKind(nlmsg.String(value))
		case unix.IFLA_INFO_DATA:
			data = value
		}
	}
	layer2 := false
	for typ, value, rest, more := nlmsg.NextAttr(data); more; typ, value, rest, more = nlmsg.NextAttr(rest) {
		switch {
		case k.Kind == Macvlan && typ == macvlanMode:
			k.Mode = modeOf(macvlanModes(), attr32(value))
		case k.Kind == Ipvlan && typ == ipvlanMode:
			layer2 = attr16(value) == ipvlanLayer2
		case k.Kind == Ipvlan && typ == ipvlanFlags:
			k.Mode = modeOf(ipvlanModes(), attr16(value))
		}
	}
	if k.Kind == Ipvlan && !layer2 {
		k.Mode = ""
	}
}
