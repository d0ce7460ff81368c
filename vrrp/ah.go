package vrrp

import (
	"crypto/hmac"
	"crypto/md5"
	"encoding/binary"
	"hash"
	"net/netip"
	"time"
)

// This file is authentication by an IPsec authentication header (RFC 2338 5.3.6
// type 2, RFC 2402, RFC 2403) as keepalived has it: HMAC-MD5-96 over the IPv4
// header without its mutable fields, the authentication header and the packet,
// with the source address as SPI.

const (
	// ProtocolAH is the IP protocol of packets with an authentication header.
	ProtocolAH = 51
	// AHIdentification is what the Identification of their IPv4 header must be, for
	// the digest covers it. Zero will not do: the kernel would put its own there.
	AHIdentification = 1

	ipLen     = 20
	ahLen     = 24
	ahWords   = ahLen/4 - 2 // the Payload Len field (RFC 2402 2.2)
	ahSPI     = 4
	ahNumber  = 8
	ahICV     = 12
	ahLastSeq = 1<<32 - 1
)

// ah signs and verifies packets of one router.
type ah struct {
	mac hash.Hash
	// sequence is the highest number sent or accepted. One counter serves both, as
	// in keepalived: who becomes master goes on where the last master was.
	sequence uint32

	// Scratch: an array on the stack would escape through hash.Hash.
	header [ipLen + ahLen]byte
	sum    [md5.Size]byte
}

// newAH takes as key what of a password goes on the wire in the simple type.
func newAH(password []byte) *ah {
	return &ah{mac: hmac.New(md5.New, password[:min(len(password), authLen)])}
}

// stamp takes the number of the next advert. It does not fall behind the clock, in
// seconds, so that a process that starts again does not count from where its peers
// were long ago and have to be overtaken by them first. At the last number it
// stays: RFC 2402 2.5 forbids it to begin again.
func (a *ah) stamp(now time.Time) {
	a.sequence = uint32(min(max(int64(a.sequence)+1, now.Unix()), ahLastSeq))
}

// seal fills in the header at the front of b, which goes from src to dst.
func (a *ah) seal(b []byte, src, dst netip.Addr) {
	h := b[:ahLen]
	clear(h)
	spi := src.As4()
	h[0], h[1] = protocolNumber, ahWords
	copy(h[ahSPI:], spi[:])
	binary.BigEndian.PutUint32(h[ahNumber:], a.sequence)
	m := Meta{Source: src, Destination: dst, Unicast: !dst.IsMulticast(), ID: AHIdentification}
	copy(h[ahICV:], a.digest(b, m, digestTTL(m)))
}

// verify checks a packet, b with its header, in keepalived's order, and takes note
// of its number where it is good.
func (a *ah) verify(b []byte, m Meta) error {
	if b[0] != protocolNumber || b[1] != ahWords {
		return m.drop(DropAuthFailed, "authentication header of length field %d before protocol %d", uint64(b[1]), uint64(b[0]))
	}
	if spi, src := [4]byte(b[ahSPI:]), m.Source.As4(); spi != src {
		return m.drop(DropAuthFailed, "SPI %08x is not the source address", uint64(binary.BigEndian.Uint32(spi[:])))
	}
	number := binary.BigEndian.Uint32(b[ahNumber:])
	if number <= a.sequence {
		return m.drop(DropAHReplayed, "sequence number %d, %d was there before", uint64(number), uint64(a.sequence))
	}
	// What RFC 2402 3.3.3.1.1 has as mutable, the TTL, keepalived's digest covers
	// where it must be 255. Both are as good.
	icv, ttl := b[ahICV:ahLen], digestTTL(m)
	if !hmac.Equal(icv, a.digest(b, m, ttl)) && !hmac.Equal(icv, a.digest(b, m, multicastTTL-ttl)) {
		return m.drop(DropAuthFailed, "the digest is not that of our password")
	}
	a.sequence = number
	return nil
}

// digestTTL is the TTL that keepalived's digest covers.
func digestTTL(m Meta) uint8 {
	if m.Unicast {
		return 0
	}
	return multicastTTL
}

// digest is the Integrity Check Value of b. It is good until the next call.
func (a *ah) digest(b []byte, m Meta, ttl uint8) []byte {
	h := &a.header
	src, dst := m.Source.As4(), m.Destination.As4()
	clear(h[:])
	h[0] = 4<<4 | ipLen/4
	binary.BigEndian.PutUint16(h[2:], uint16(ipLen+len(b)))
	binary.BigEndian.PutUint16(h[4:], m.ID)
	h[8], h[9] = ttl, ProtocolAH
	copy(h[12:], src[:])
	copy(h[16:], dst[:])
	copy(h[ipLen:], b[:ahICV])
	a.mac.Reset()
	a.mac.Write(h[:])
	a.mac.Write(b[ahLen:])
	return a.mac.Sum(a.sum[:0])[:ahLen-ahICV]
}
