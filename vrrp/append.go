package vrrp

import (
	"fmt"
	"net/netip"
)

// maxAddresses is what the one-byte address count can say (RFC 9568 5.2.5).
const maxAddresses = 255

// Append appends the packet as it goes on the wire from src to dst, checksum
// included and without an IP header. It allocates nothing where b has room. With
// checksumV2Style a version 3 packet over IPv4 has a checksum without
// pseudo-header (see Config.ChecksumV2Style). The error names the field that
// cannot be put on the wire.
func (p Packet) Append(b []byte, src, dst netip.Addr, checksumV2Style bool) ([]byte, error) {
	src, dst = src.Unmap(), dst.Unmap()
	v6 := src.Is6()
	if err := p.check(v6); err != nil {
		return b, err
	}
	start := len(b)
	b = append(b, p.Version<<4|typeAdvertisement, p.VRID, p.Priority, uint8(len(p.Addresses)))
	if p.Version == 2 {
		b = append(b, uint8(p.Auth.Type), uint8(p.Interval/100), 0, 0)
	} else {
		b = append(b, uint8(p.Interval>>8), uint8(p.Interval), 0, 0)
	}
	for _, a := range p.Addresses {
		if v6 {
			a16 := a.As16()
			b = append(b, a16[:]...)
		} else {
			a4 := a.As4()
			b = append(b, a4[:]...)
		}
	}
	if p.Version == 2 && !v6 {
		var data [authLen]byte
		if p.Auth.Type == AuthPassword {
			copy(data[:], p.Auth.Password)
		}
		b = append(b, data[:]...)
	}
	if p.OldChecksum && !v6 {
		dst = oldChecksumGroup
	}
	pdu := b[start:]
	c := ^fold(sum(checksumBase(p.Version, src, dst, len(pdu), checksumV2Style), pdu))
	pdu[6], pdu[7] = uint8(c>>8), uint8(c)
	return b, nil
}

// check says why the packet cannot be put on the wire, if it cannot.
func (p Packet) check(v6 bool) error {
	switch {
	case p.Version != 2 && p.Version != 3:
		return fmt.Errorf("vrrp: version %d is neither 2 nor 3", p.Version)
	case p.Version == 2 && (p.Interval == 0 || p.Interval%100 != 0 || p.Interval > 255*100):
		return fmt.Errorf("vrrp: advert interval of %d centiseconds is not 1 to 255 whole seconds", p.Interval)
	case p.Version == 3 && (p.Interval == 0 || p.Interval > 0x0fff):
		return fmt.Errorf("vrrp: advert interval of %d centiseconds is not in 1 to 4095", p.Interval)
	case p.Version == 3 && p.Auth.Type != AuthNone:
		return fmt.Errorf("vrrp: version 3 has no authentication")
	case p.Auth.Type == AuthPassword && len(p.Auth.Password) > authLen:
		return fmt.Errorf("vrrp: password of %d bytes is longer than %d", len(p.Auth.Password), authLen)
	case len(p.Addresses) > maxAddresses:
		return fmt.Errorf("vrrp: %d addresses are more than %d", len(p.Addresses), maxAddresses)
	}
	for _, a := range p.Addresses {
		if !a.IsValid() || a.Is6() != v6 {
			return fmt.Errorf("vrrp: address %v is not of the advert's family", a)
		}
	}
	return nil
}
