package vrrp

import (
	"bytes"
	"fmt"
	"net/netip"
	"slices"
)

// The layout of a packet (RFC 9568 5.1, RFC 3768 5.1): eight bytes, the
// addresses and, in version 2 over IPv4, eight bytes of authentication data.
const (
	headerLen = 8
	authLen   = 8
	// typeAdvertisement is the only packet type there is (RFC 9568 5.2.2).
	typeAdvertisement = 1
	// multicastTTL is what the TTL or hop limit of a multicast packet must be
	// (RFC 9568 5.1.1.3, 5.1.2.3): nobody beyond the link can have sent it.
	multicastTTL = 255
)

// PeekVRID reads the virtual router identifier of a packet that may not be
// valid, to find the router that it is for. It is false where b is too short.
func (m Meta) PeekVRID(b []byte) (uint8, bool) {
	if m.AH {
		b = b[min(ahLen, len(b)):]
	}
	if len(b) < headerLen {
		return 0, false
	}
	return b[1], true
}

// Parse reads one packet, the payload of an IP packet without its header, and
// makes every check that needs no configuration (RFC 9568 7.1): length, TTL,
// version, authentication type, interval, packet type and checksum, in this
// order. The error is a *DropError.
func Parse(b []byte, m Meta) (Packet, error) {
	var p Packet
	if err := ParseInto(&p, b, m); err != nil {
		return Packet{}, err
	}
	return p, nil
}

// ParseInto is Parse into a Packet whose slices are used again, so that it does
// not allocate once they are large enough. After an error p is not valid.
func ParseInto(p *Packet, b []byte, m Meta) error {
	pdu, rest, err := parseFront(b, m)
	if err == nil {
		err = checkBehind(rest, m)
	}
	if err != nil {
		return err
	}
	return parseRest(p, pdu, m)
}

// parseFront makes the checks before those of authentication and parts the packet
// from what is behind it in b.
func parseFront(b []byte, m Meta) (pdu, rest []byte, err error) {
	pdu, rest, err = m.cut(b, m.Source.Unmap().Is6())
	if err != nil {
		return nil, nil, err
	}
	if !m.Unicast && m.TTL >= 0 && m.TTL != multicastTTL {
		return nil, nil, m.drop(DropTTL, "TTL or hop limit %d, must be %d", uint64(m.TTL), multicastTTL)
	}
	if version := pdu[0] >> 4; version != 2 && version != 3 {
		return nil, nil, m.drop(DropVersion, "version %d, must be 2 or 3", uint64(version))
	}
	return pdu, rest, nil
}

// checkBehind refuses bytes behind a packet over IPv6, whose payload has an exact
// length (RFC 9568 5.2.5). Over IPv4 Ethernet's minimum length may have put some
// there.
func checkBehind(rest []byte, m Meta) error {
	if len(rest) > 0 && m.Source.Unmap().Is6() {
		return m.drop(DropLength, "%d bytes behind the packet", uint64(len(rest)))
	}
	return nil
}

// parseRest makes the checks after those of authentication and reads the packet.
func parseRest(p *Packet, b []byte, m Meta) error {
	src, dst := m.Source.Unmap(), m.Destination.Unmap()
	v6, version := src.Is6(), b[0]>>4
	interval, auth, err := m.parseFifthWord(b, version)
	if err != nil {
		return err
	}
	if b[0]&0x0f != typeAdvertisement {
		return m.drop(DropType, "type %d, must be %d", uint64(b[0]&0x0f), typeAdvertisement)
	}
	old, err := verifyChecksum(b, version, src, dst, m)
	if err != nil {
		return err
	}
	if src.IsValid() && dst.IsValid() && src.Is4() != dst.Is4() {
		return m.drop(DropFamily, fmt.Sprintf("source %v, destination %v", src, dst))
	}

	*p = Packet{
		Version:     version,
		VRID:        b[1],
		Priority:    b[2],
		Interval:    interval,
		Auth:        Auth{Type: auth, Password: p.Auth.Password[:0]},
		Addresses:   slices.Grow(p.Addresses[:0], int(b[3])),
		OldChecksum: old,
	}
	rest := b[headerLen:]
	for range int(b[3]) {
		var a netip.Addr
		a, rest = cutAddr(rest, v6)
		p.Addresses = append(p.Addresses, a)
	}
	if auth == AuthPassword {
		p.Auth.Password = append(p.Auth.Password, bytes.TrimRight(rest, "\x00")...)
	} else {
		p.Auth.Password = nil
	}
	return nil
}

// cut parts the packet at the front of b from what is behind it.
func (m Meta) cut(b []byte, v6 bool) (pdu, rest []byte, err error) {
	if len(b) < headerLen {
		return nil, nil, m.drop(DropLength, "%d bytes, the header has %d", uint64(len(b)), headerLen)
	}
	want := packetLen(b[0]>>4, v6, int(b[3]))
	if len(b) < want {
		return nil, nil, m.drop(DropLength, "%d bytes, %d addresses need %d", uint64(len(b)), uint64(b[3]), uint64(want))
	}
	return b[:want], b[want:], nil
}

// packetLen is the length of a packet with n addresses.
func packetLen(version uint8, v6 bool, n int) int {
	switch {
	case v6:
		return headerLen + 16*n
	case version == 2:
		return headerLen + 4*n + authLen
	default:
		return headerLen + 4*n
	}
}

// parseFifthWord reads bytes 4 and 5: in version 2 the authentication type and
// the interval in seconds, in version 3 four reserved bits, which are ignored,
// and the interval in centiseconds. An interval of zero would have a backup's
// timers expire at once, so no packet may carry it.
func (m Meta) parseFifthWord(b []byte, version uint8) (interval uint16, auth AuthType, err error) {
	if version == 2 {
		auth = AuthType(b[4])
		if auth > AuthAH {
			return 0, 0, m.drop(DropAuthType, authTypeDetail, uint64(auth))
		}
		interval = uint16(b[5]) * 100
	} else {
		interval = uint16(b[4]&0x0f)<<8 | uint16(b[5])
	}
	if interval == 0 {
		return 0, 0, m.drop(DropInterval, "advert interval 0")
	}
	return interval, auth, nil
}

// verifyChecksum checks bytes 6 and 7. It is true where only the pseudo-header
// with the multicast group fits a unicast packet (see Packet.OldChecksum).
func verifyChecksum(b []byte, version uint8, src, dst netip.Addr, m Meta) (old bool, err error) {
	const good = 0xffff
	if version == 3 && !src.Is6() && m.ChecksumV2Style {
		return false, nil
	}
	body := sum(0, b)
	if fold(checksumBase(version, src, dst, len(b), false)+body) == good {
		return false, nil
	}
	if version == 3 && m.Unicast && src.Is4() &&
		fold(checksumBase(version, src, oldChecksumGroup, len(b), false)+body) == good {
		return true, nil
	}
	return false, m.drop(DropChecksum, "checksum %#04x is wrong", uint64(b[6])<<8|uint64(b[7]))
}

// cutAddr reads the address at the front of b.
func cutAddr(b []byte, v6 bool) (netip.Addr, []byte) {
	if v6 {
		return netip.AddrFrom16([16]byte(b)), b[16:]
	}
	return netip.AddrFrom4([4]byte(b)), b[4:]
}
