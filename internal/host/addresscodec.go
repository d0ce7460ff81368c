package host

import (
	"encoding/binary"
	"net/netip"

	"golang.org/x/sys/unix"

	"github.com/tandem-ha/tandem/ipvs/nlmsg"
)

// Protocol marks the addresses and routes that are ours (IFA_PROTO, kernel 5.18
// and later). It is the number that the kernel's headers give to keepalived
// (RTPROT_KEEPALIVED), so that tools name it.
const Protocol = 18

// ifaProto is IFA_PROTO (linux/if_addr.h), which x/sys/unix does not have.
const ifaProto = 11

// Which IFA_F_* bits are asked for, and so compared, per family; the others are
// the kernel's own account of an address.
const (
	settable4 = unix.IFA_F_NOPREFIXROUTE | unix.IFA_F_MCAUTOJOIN
	settable6 = unix.IFA_F_NODAD | unix.IFA_F_OPTIMISTIC | unix.IFA_F_HOMEADDRESS |
		unix.IFA_F_MANAGETEMPADDR | unix.IFA_F_NOPREFIXROUTE | unix.IFA_F_MCAUTOJOIN
)

// unusable are the flags of an address that the host does not answer for yet.
const unusable = unix.IFA_F_TENTATIVE | unix.IFA_F_DADFAILED

// kernelAddress is an address as an RTM_NEWADDR or RTM_DELADDR tells of it.
// Interface is not filled in: the message has the index only.
type kernelAddress struct {
	Address
	index int
	// flags are all IFA_F_* bits.
	flags    uint32
	protocol uint8
}

// appendAddress appends the RTM_NEWADDR (add) or RTM_DELADDR of one address.
func appendAddress(b []byte, op Op, flags uint16, seq uint32, index int, a Address) []byte {
	start := len(b)
	typ := uint16(unix.RTM_DELADDR)
	if op == AddAddress {
		typ = unix.RTM_NEWADDR
		flags |= unix.NLM_F_CREATE | unix.NLM_F_EXCL
	}
	b = nlmsg.Begin(b, typ, unix.NLM_F_REQUEST|flags, seq)

	local, bits := a.Prefix.Addr(), a.Prefix.Bits()
	remote := local
	if a.Peer.IsValid() {
		// The prefix length of a point to point address is its peer's.
		remote, bits = a.Peer.Addr(), a.Peer.Bits()
	}
	family := byte(unix.AF_INET)
	if local.Is6() {
		family = unix.AF_INET6
	}
	b = append(b, family, byte(bits), byte(a.Flags), byte(a.Scope))
	b = binary.NativeEndian.AppendUint32(b, uint32(index))

	b = nlmsg.AppendAttr(b, unix.IFA_LOCAL, local.AsSlice())
	b = nlmsg.AppendAttr(b, unix.IFA_ADDRESS, remote.AsSlice())
	// A removal names no label: the kernel would look for that one only.
	if op == AddAddress {
		if a.Label != "" && local.Is4() {
			b = nlmsg.AppendAttr(b, unix.IFA_LABEL, append([]byte(a.Label), 0))
		}
		if a.Broadcast.IsValid() && local.Is4() {
			b = nlmsg.AppendAttr(b, unix.IFA_BROADCAST, a.Broadcast.AsSlice())
		}
		if a.Flags != 0 {
			b = nlmsg.AppendAttr(b, unix.IFA_FLAGS, binary.NativeEndian.AppendUint32(nil, a.Flags))
		}
		if (a.Deprecated || a.Preferred > 0) && local.Is6() {
			// struct ifa_cacheinfo: preferred, valid, created, updated.
			life := make([]byte, 16)
			binary.NativeEndian.PutUint32(life, a.Preferred)
			binary.NativeEndian.PutUint32(life[4:], ^uint32(0))
			b = nlmsg.AppendAttr(b, unix.IFA_CACHEINFO, life)
		}
		b = nlmsg.AppendAttr(b, ifaProto, []byte{Protocol})
	}
	return nlmsg.End(b, start)
}

// parseAddress decodes the body of an RTM_NEWADDR or RTM_DELADDR; ok is false
// where it is no address of IPv4 or IPv6.
func parseAddress(data []byte) (a kernelAddress, ok bool) {
	if len(data) < unix.SizeofIfAddrmsg {
		return a, false
	}
	family, bits, scope := data[0], int(data[1]), int(data[3])
	a.flags = uint32(data[2])
	a.index = int(binary.NativeEndian.Uint32(data[4:]))
	var local, remote netip.Addr
	for typ, value, rest, more := nlmsg.NextAttr(data[unix.SizeofIfAddrmsg:]); more; typ, value, rest, more = nlmsg.NextAttr(rest) {
		switch typ {
		case unix.IFA_LOCAL:
			local, _ = netip.AddrFromSlice(value)
		case unix.IFA_ADDRESS:
			remote, _ = netip.AddrFromSlice(value)
		case unix.IFA_BROADCAST:
			a.Broadcast, _ = netip.AddrFromSlice(value)
		case unix.IFA_LABEL:
			a.Label = nlmsg.String(value)
		case unix.IFA_FLAGS:
			if len(value) >= 4 {
				a.flags = binary.NativeEndian.Uint32(value)
			}
		case unix.IFA_CACHEINFO:
			if family == unix.AF_INET6 && len(value) >= 4 {
				a.Preferred = binary.NativeEndian.Uint32(value)
				a.Deprecated = a.Preferred == 0
			}
			if a.Preferred == ^uint32(0) {
				a.Preferred = 0
			}
		case ifaProto:
			if len(value) >= 1 {
				a.protocol = value[0]
			}
		}
	}
	if !local.IsValid() {
		local = remote // IPv6 without a peer
	}
	if !local.IsValid() || (family == unix.AF_INET) != local.Is4() {
		return a, false
	}
	if remote.IsValid() && remote != local {
		a.Peer = netip.PrefixFrom(remote, bits)
		a.Prefix = netip.PrefixFrom(local, local.BitLen())
	} else {
		a.Prefix = netip.PrefixFrom(local, bits)
	}
	if local.Is4() {
		a.Scope = scope
		a.Flags = a.flags & settable4
	} else {
		a.Flags = a.flags & settable6
	}
	return a, a.Prefix.IsValid()
}
