package vrrp

import "net/netip"

// protocolNumber is VRRP's number among the IP protocols (RFC 9568 5.1.1.4).
const protocolNumber = 112

// oldChecksumGroup is the destination that old keepalived releases put into the
// pseudo-header of unicast packets too.
var oldChecksumGroup = netip.AddrFrom4([4]byte{224, 0, 0, 18})

// sum adds b, as big-endian 16-bit words padded with a zero byte, to acc.
func sum(acc uint32, b []byte) uint32 {
	for len(b) >= 2 {
		acc += uint32(b[0])<<8 | uint32(b[1])
		b = b[2:]
	}
	if len(b) == 1 {
		acc += uint32(b[0]) << 8
	}
	return acc
}

// fold brings a sum to 16 bits in one's complement arithmetic (RFC 1071).
func fold(acc uint32) uint16 {
	for acc > 0xffff {
		acc = acc>>16 + acc&0xffff
	}
	return uint16(acc)
}

// pseudoHeader is the sum of the pseudo-header of RFC 8200 8.1, and of its IPv4
// form in RFC 9568 5.2.8, for a VRRP packet of the given length.
func pseudoHeader(src, dst netip.Addr, length int) uint32 {
	acc := uint32(protocolNumber) + uint32(length)
	return addrSum(addrSum(acc, src), dst)
}

// addrSum adds an address to acc; an invalid one counts as zeros.
func addrSum(acc uint32, a netip.Addr) uint32 {
	a = a.Unmap()
	if a.Is4() {
		b := a.As4()
		return sum(acc, b[:])
	}
	b := a.As16()
	return sum(acc, b[:])
}

// checksumBase is what the checksum of a packet begins with: the pseudo-header,
// or nothing for version 2 over IPv4 and for version 3 in the style of 2.
func checksumBase(version uint8, src, dst netip.Addr, length int, v2Style bool) uint32 {
	if !src.Is6() && (version == 2 || v2Style) {
		return 0
	}
	return pseudoHeader(src, dst, length)
}
