package host

import (
	"encoding/binary"
	"net/netip"

	"golang.org/x/net/bpf"
	"golang.org/x/sys/unix"
)

// Offsets into the frames, for the filters and the parsers.
const (
	offsetSource  = 6
	arpHeader     = ethernetHeader
	arpSender     = arpHeader + 8
	arpSenderIP   = arpHeader + 14
	arpTargetIP   = arpHeader + 24
	arpEnd        = arpHeader + 28
	ipv6NextField = ethernetHeader + 6
	icmpStart     = ethernetHeader + ipv6Header
	naFlags       = icmpStart + 4
	naTarget      = icmpStart + 8
	naEnd         = icmpStart + 24
	// naSolicited is the S flag of a Neighbour Advertisement (RFC 4861 4.4).
	naSolicited = 0x40
	// icmpAdvertisement is type 136 with code 0.
	icmpAdvertisement = 136 << 8
)

// arpFilter accepts ARP for IPv4 over Ethernet, request or reply, whose sender
// and target address are the same and not zero, not from mac.
func arpFilter(mac MAC) []bpf.Instruction {
	return assembleFilter([]filterStep{
		{bpf.LoadAbsolute{Off: arpHeader, Size: 4}, equals(0x00010800)},
		{bpf.LoadAbsolute{Off: arpHeader + 4, Size: 2}, equals(0x0604)},
		{bpf.LoadAbsolute{Off: arpSenderIP, Size: 4}, differs(0)},
		{bpf.TAX{}, nil},
		{bpf.LoadAbsolute{Off: arpTargetIP, Size: 4}, equalsX()},
	}, mac)
}

// advertisementFilter accepts Neighbour Advertisements whose solicited flag is
// off, with the hop limit that proves that no router forwarded them, not from
// mac.
func advertisementFilter(mac MAC) []bpf.Instruction {
	return assembleFilter([]filterStep{
		{bpf.LoadAbsolute{Off: ipv6NextField, Size: 2}, equals(unix.IPPROTO_ICMPV6<<8 | 255)},
		{bpf.LoadAbsolute{Off: icmpStart, Size: 2}, equals(icmpAdvertisement)},
		{bpf.LoadAbsolute{Off: naFlags, Size: 1}, lacks(naSolicited)},
	}, mac)
}

// filterStep loads something and says when the frame is still wanted.
type filterStep struct {
	load   bpf.Instruction
	wanted func(toReject uint8) bpf.Instruction
}

func equals(v uint32) func(uint8) bpf.Instruction {
	return func(n uint8) bpf.Instruction { return bpf.JumpIf{Cond: bpf.JumpEqual, Val: v, SkipFalse: n} }
}

func differs(v uint32) func(uint8) bpf.Instruction {
	return func(n uint8) bpf.Instruction { return bpf.JumpIf{Cond: bpf.JumpEqual, Val: v, SkipTrue: n} }
}

func lacks(bits uint32) func(uint8) bpf.Instruction {
	return func(n uint8) bpf.Instruction { return bpf.JumpIf{Cond: bpf.JumpBitsSet, Val: bits, SkipTrue: n} }
}

func equalsX() func(uint8) bpf.Instruction {
	return func(n uint8) bpf.Instruction { return bpf.JumpIfX{Cond: bpf.JumpEqual, SkipFalse: n} }
}

// assembleFilter joins the steps, rejects the frames whose source is mac, and
// accepts what is left. A frame too short for a load is rejected by the kernel.
func assembleFilter(steps []filterStep, mac MAC) []bpf.Instruction {
	var out []bpf.Instruction
	count := 0
	for _, s := range steps {
		count++
		if s.wanted != nil {
			count++
		}
	}
	const tail = 5 // the source check and the accepting return
	reject := count + tail
	for _, s := range steps {
		out = append(out, s.load)
		if s.wanted != nil {
			out = append(out, s.wanted(uint8(reject-len(out)-1)))
		}
	}
	return append(out,
		bpf.LoadAbsolute{Off: offsetSource, Size: 4},
		bpf.JumpIf{Cond: bpf.JumpEqual, Val: binary.BigEndian.Uint32(mac[:]), SkipFalse: 2},
		bpf.LoadAbsolute{Off: offsetSource + 4, Size: 2},
		bpf.JumpIf{Cond: bpf.JumpEqual, Val: uint32(binary.BigEndian.Uint16(mac[4:])), SkipTrue: 1},
		bpf.RetConstant{Val: 0xffff},
		bpf.RetConstant{Val: 0},
	)
}

// parseGratuitous reads a frame that arpFilter let through.
func parseGratuitous(b []byte) (addr netip.Addr, mac MAC, ok bool) {
	if len(b) < arpEnd {
		return addr, mac, false
	}
	return netip.AddrFrom4([4]byte(b[arpSenderIP:])), MAC(b[arpSender:]), true
}

// parseAdvertisement reads a frame that advertisementFilter let through. The
// hardware address is the target link-layer address option's, where there is
// one, else the frame's.
func parseAdvertisement(b []byte) (addr netip.Addr, mac MAC, ok bool) {
	if len(b) < naEnd {
		return addr, mac, false
	}
	addr = netip.AddrFrom16([16]byte(b[naTarget:]))
	mac = MAC(b[offsetSource:])
	const targetLinkLayer = 2 // RFC 4861 4.6.1
	for o := b[naEnd:]; len(o) >= 8 && o[1] != 0 && len(o) >= int(o[1])*8; o = o[int(o[1])*8:] {
		if o[0] == targetLinkLayer {
			mac = MAC(o[2:])
			break
		}
	}
	return addr, mac, true
}
