package vrrp

import (
	"bytes"
	"fmt"
	"net/netip"
	"slices"
	"time"
)

// receive takes one packet that Parse accepted: the checks that need the
// configuration, then the rules of the state (RFC 9568 6.4.2, 6.4.3).
func (r *Router) receive(in *Advert) {
	from := in.Source.Unmap().WithZone("")
	if !r.participates() {
		r.drop(DropNotParticipating, from, "in %v", r.state)
		return
	}
	if reason, detail := r.check(in, from); reason != "" {
		r.drop(reason, from, "%s", detail)
		return
	}
	p := &in.Packet
	if p.OldChecksum && !r.oldChecksum {
		r.oldChecksum = true
		r.buildAdvert()
	}
	if r.state == Backup && r.heard.from != from {
		// Another master: what was told of the last one may be news again.
		r.forgetTold()
	}
	r.compare(p, from)
	switch {
	case r.acquiring.on:
		r.receiveAcquiring(p, from)
	case r.state == Master && r.handover.kind != notHandingOver:
		r.receiveHandingOver(p, from)
	case r.state == Master:
		r.receiveMaster(p, from)
	default:
		r.receiveBackup(p, from)
	}
}

// participates is false in INIT, in FAULT and during the start-up delay, when
// adverts count for nothing.
func (r *Router) participates() bool {
	return (r.state == Backup || r.state == Master || r.acquiring.on || r.want.on) && r.startupUntil.IsZero()
}

// check makes the checks of RFC 9568 7.1 that need the configuration, in the
// order of the Reasons, and says why the packet is to be dropped, if it is.
func (r *Router) check(in *Advert, from netip.Addr) (Reason, string) {
	p := &in.Packet
	if p.Version != r.cfg.Version {
		return DropVersion, fmt.Sprintf("version %d, ours is %d", p.Version, r.cfg.Version)
	}
	if h := r.cfg.HMAC; h != nil && h.Mode == HMACEnforce && !p.Authenticated {
		return DropHMACMissing, "not signed"
	}
	if p.Version == 2 {
		if reason, detail := r.checkVersion2(p); reason != "" {
			return reason, detail
		}
	}
	if p.OldChecksum && r.cfg.OldUnicastChecksum == OldChecksumNever {
		return DropChecksum, "the checksum of a packet to 224.0.0.18"
	}
	if to := in.Destination; to.IsValid() && to.IsMulticast() == r.cfg.unicast() {
		return DropMode, fmt.Sprintf("sent to %v, we are %s", to, map[bool]string{true: "unicast", false: "multicast"}[r.cfg.unicast()])
	}
	if r.cfg.OwnerIgnoreAdverts && r.cfg.Priority == ownerPriority && !r.standsBack() && r.handover.kind == notHandingOver {
		return DropOwner, "we own the addresses"
	}
	if reason, detail := r.checkPeer(from, in.TTL); reason != "" {
		return reason, detail
	}
	if from.IsValid() && from.Is6() != r.cfg.IPv6 {
		return DropFamily, fmt.Sprintf("source %v is of the other family", from)
	}
	// RFC 9568 5.2.5: a count of zero must be ignored. A configuration without
	// addresses, which keepalived allows, expects its like of the peer.
	if p.Version == 3 && len(p.Addresses) == 0 && len(r.cfg.Addresses) > 0 {
		return DropAddressCount, "no address"
	}
	if from == r.link.Source {
		r.noticeOnce(Noticed{Kind: NoticeOwnAdvert, Peer: from,
			Detail: fmt.Sprintf("advert with priority %d from our own address: another host has it, or our adverts come back", p.Priority)})
		return DropOwnAdvert, "sent from our own address"
	}
	if p.VRID != r.cfg.VRID {
		return DropUnknownVRID, fmt.Sprintf("VRID %d, ours is %d", p.VRID, r.cfg.VRID)
	}
	return "", ""
}

// checkVersion2 makes the checks of RFC 3768 7.1 and RFC 2338 10: authentication
// and an interval that must be ours.
func (r *Router) checkVersion2(p *Packet) (Reason, string) {
	if p.Auth.Type != r.cfg.Auth.Type {
		return DropAuthMismatch, fmt.Sprintf("authentication type %d, ours is %d", p.Auth.Type, r.cfg.Auth.Type)
	}
	if p.Auth.Type == AuthAH && !p.Authenticated {
		return DropAuthFailed, "the authentication header was not verified"
	}
	if p.Auth.Type == AuthPassword && !samePassword(p.Auth.Password, r.cfg.Auth.Password) {
		return DropAuthFailed, "the password is not ours"
	}
	if got := interval(p); got != r.cfg.AdvertInterval {
		return DropInterval, fmt.Sprintf("advert interval %v, ours is %v", got, r.cfg.AdvertInterval)
	}
	return "", ""
}

// samePassword compares as the wire does: eight bytes, padded with zeros.
func samePassword(a, b []byte) bool {
	return bytes.Equal(bytes.TrimRight(a, "\x00"), bytes.TrimRight(b[:min(len(b), authLen)], "\x00"))
}

// checkPeer checks source and TTL of a unicast packet, where the configuration
// asks for it.
func (r *Router) checkPeer(from netip.Addr, ttl int) (Reason, string) {
	wanted := r.cfg.CheckSource
	for i := range r.cfg.Peers {
		peer := &r.cfg.Peers[i]
		if peer.Addr == from {
			if ttl >= 0 && (peer.MinTTL > 0 && ttl < peer.MinTTL || peer.MaxTTL > 0 && ttl > peer.MaxTTL) {
				return DropUnicastTTL, fmt.Sprintf("TTL or hop limit %d is not in %d to %d", ttl, peer.MinTTL, peer.MaxTTL)
			}
			return "", ""
		}
		wanted = wanted || peer.MinTTL > 0 || peer.MaxTTL > 0
	}
	if wanted && r.cfg.unicast() {
		return DropUnicastSource, fmt.Sprintf("%v is not a configured peer", from)
	}
	return "", ""
}

// compare tells of what differs from our configuration and is used all the same.
func (r *Router) compare(p *Packet, from netip.Addr) {
	if p.Version == 3 && interval(p) != r.cfg.AdvertInterval && !r.told(NoticeInterval) {
		r.noticeOnce(Noticed{Kind: NoticeInterval, Peer: from,
			Detail: fmt.Sprintf("advert interval %v, ours is %v", interval(p), r.cfg.AdvertInterval)})
	}
	sameMaster := r.cfg.SkipCheckAddresses && r.state != Master && r.heard.from == from
	if !sameMaster && !r.told(NoticeAddressList) && !sameAddresses(p.Addresses, r.cfg.Addresses) {
		r.noticeOnce(Noticed{Kind: NoticeAddressList, Peer: from,
			Detail: fmt.Sprintf("%d addresses advertised %v, we have %d %v", len(p.Addresses), p.Addresses, len(r.cfg.Addresses), r.cfg.Addresses)})
	}
}

// sameAddresses compares two lists without regard to order.
func sameAddresses(a, b []netip.Addr) bool {
	if slices.Equal(a, b) {
		return true
	}
	if len(a) != len(b) {
		return false
	}
	for _, x := range b {
		if !slices.Contains(a, x) {
			return false
		}
	}
	return true
}

// interval is a packet's advert interval.
func interval(p *Packet) time.Duration {
	return time.Duration(p.Interval) * 10 * time.Millisecond
}

// drop counts a packet that is not used, with its numbers the first time.
func (r *Router) drop(reason Reason, from netip.Addr, format string, args ...any) {
	d := Dropped{Reason: reason, Source: from}
	if !slices.Contains(r.dropsTold, reason) {
		r.dropsTold = append(r.dropsTold, reason)
		d.Detail = fmt.Sprintf(format, args...)
	}
	r.emit(d)
}
