package vrrp

import (
	"fmt"
	"net/netip"
	"time"
)

// Authenticator stands between the wire and one Router: it writes and reads the
// router's packets with whatever authentication is configured, AH and auth_hmac
// among them, and keeps the sequence numbers and stamps that tell an advert from a
// recording of it. Like a Router it is pure, and not for two goroutines at once.
type Authenticator struct {
	ah              *ah
	signer          *signer
	checksumV2Style bool
	// What packets must agree with: of the checks that a Router makes, those that come
	// before the checksum.
	version  uint8
	auth     Auth
	interval time.Duration
}

// NewAuthenticator makes what cfg asks for.
func NewAuthenticator(cfg Config) *Authenticator {
	a := new(Authenticator)
	a.Reconfigure(cfg)
	return a
}

// Reconfigure takes a new configuration. Sequence numbers and stamps stay.
func (a *Authenticator) Reconfigure(cfg Config) {
	a.checksumV2Style = cfg.ChecksumV2Style
	a.version, a.auth, a.interval = cfg.Version, cfg.Auth, cfg.AdvertInterval
	oldAH, oldSigner := a.ah, a.signer
	a.ah, a.signer = nil, nil
	if cfg.Version == 2 && cfg.Auth.Type == AuthAH && !cfg.IPv6 {
		a.ah = newAH(cfg.Auth.Password)
		if oldAH != nil {
			a.ah.sequence = oldAH.sequence
		}
	}
	if cfg.HMAC != nil {
		a.signer = newSigner(*cfg.HMAC, cfg.Peers, oldSigner)
	}
}

// AH is whether packets are sent and received with an authentication header, as
// IP protocol ProtocolAH.
func (a *Authenticator) AH() bool { return a.ah != nil }

// Stamp begins a new advert: each SendAdvert wants one Stamp, and then an Append
// for each destination. now is the wall clock.
func (a *Authenticator) Stamp(now time.Time) {
	if a.ah != nil {
		a.ah.stamp(now)
	}
	if a.signer != nil {
		a.signer.stamp(now)
	}
}

// Append appends the payload of an IP packet from src to dst: p with what
// authenticates it. With AH the IP packet must have the protocol ProtocolAH, the
// Identification AHIdentification and no options. It allocates nothing where b has
// room. The error names what cannot be put on the wire; b is then as it was.
func (a *Authenticator) Append(b []byte, p *Packet, src, dst netip.Addr) ([]byte, error) {
	src, dst = src.Unmap(), dst.Unmap()
	before := len(b)
	if a.ah != nil {
		var room [ahLen]byte
		b = append(b, room[:]...)
	}
	start := len(b)
	b, err := p.Append(b, src, dst, a.checksumV2Style)
	if err != nil {
		return b[:before], err
	}
	if a.ah != nil {
		a.ah.seal(b[before:], src, dst)
	}
	if a.signer == nil || !a.signer.signs() {
		return b, nil
	}
	b, err = a.signer.seal(b, start, src)
	if err != nil {
		return b[:before], err
	}
	return b, nil
}

// Parse is ParseInto with the authentication checked, in keepalived's order: a
// packet that it accepts and that carries a good header or trailer has
// p.Authenticated. now is the wall clock. The error is a *DropError.
func (a *Authenticator) Parse(p *Packet, b []byte, m Meta, now time.Time) error {
	m.Source, m.Destination = m.Source.Unmap(), m.Destination.Unmap()
	if m.AH != (a.ah != nil) {
		if m.AH {
			return m.drop(DropAuthMismatch, "packet with an authentication header, ours are without")
		}
		return m.drop(DropAuthMismatch, "packet without an authentication header, ours are with")
	}
	body := b
	if m.AH {
		if !m.Source.Is4() || !m.Destination.Is4() {
			return m.drop(DropFamily, fmt.Sprintf("authentication header from %v to %v, must be IPv4", m.Source, m.Destination))
		}
		if len(b) < ahLen {
			return m.drop(DropLength, "%d bytes, the authentication header has %d", uint64(len(b)), ahLen)
		}
		body = b[ahLen:]
	}
	pdu, rest, err := parseFront(body, m)
	if err != nil {
		return err
	}
	if version := pdu[0] >> 4; version != a.version {
		return m.drop(DropVersion, versionDetail, uint64(version), uint64(a.version))
	}
	good := false
	switch {
	case a.signer != nil:
		good, err = a.signer.verify(pdu, rest, m, now)
	case a.ah != nil:
		good, err = a.verifyAH(b, pdu, m)
	default:
		err = checkBehind(rest, m)
	}
	if err != nil {
		return err
	}
	if err := a.checkVersion2(pdu, m); err != nil {
		return err
	}
	if err := parseRest(p, pdu, m); err != nil {
		return err
	}
	p.Authenticated = good
	return nil
}

// checkVersion2 makes the checks of a version 2 packet that come before those of type
// and checksum: how it is authenticated, by which password, and its interval.
func (a *Authenticator) checkVersion2(pdu []byte, m Meta) error {
	if a.version != 2 {
		return nil
	}
	switch t := AuthType(pdu[4]); {
	case t > AuthAH:
		return m.drop(DropAuthType, authTypeDetail, uint64(t))
	case t != a.auth.Type:
		return m.drop(DropAuthMismatch, authMismatchDetail, uint64(t), uint64(a.auth.Type))
	case t == AuthPassword && !m.Source.Is6() && !samePassword(pdu[len(pdu)-authLen:], a.auth.Password):
		return m.drop(DropAuthFailed, passwordDetail)
	}
	if got := time.Duration(pdu[5]) * time.Second; got != a.interval {
		return m.drop(DropInterval, intervalDetail, centiseconds(got), centiseconds(a.interval))
	}
	return nil
}

// verifyAH checks the authentication header of b, in which pdu is.
func (a *Authenticator) verifyAH(b, pdu []byte, m Meta) (bool, error) {
	switch t := AuthType(pdu[4]); {
	case t > AuthAH:
		return false, m.drop(DropAuthType, authTypeDetail, uint64(t))
	case t != AuthAH:
		return false, m.drop(DropAuthMismatch, authMismatchDetail, uint64(t), uint64(AuthAH))
	}
	return true, a.ah.verify(b, m)
}
