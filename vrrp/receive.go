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
		r.drop(r.refused.set(DropNotParticipating, inState[r.state]), from)
		return
	}
	if d := r.check(in, from); d != nil {
		r.drop(d, from)
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
	case r.state == Master && r.handingOver():
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
// order of the Reasons, and says why the packet is to be dropped, if it is. What
// it returns is good until the next packet.
func (r *Router) check(in *Advert, from netip.Addr) *DropError {
	p := &in.Packet
	if p.Version != r.cfg.Version {
		return r.refused.set(DropVersion, versionDetail, uint64(p.Version), uint64(r.cfg.Version))
	}
	if h := r.cfg.HMAC; h != nil && h.Mode == HMACEnforce && !p.Authenticated {
		return r.refused.set(DropHMACMissing, unsignedDetail)
	}
	if p.Version == 2 {
		if d := r.checkVersion2(p); d != nil {
			return d
		}
	}
	if p.OldChecksum && r.cfg.OldUnicastChecksum == OldChecksumNever {
		return r.refused.set(DropChecksum, "the checksum of a packet to 224.0.0.18")
	}
	if to := in.Destination; to.IsValid() && to.IsMulticast() == r.cfg.unicast() {
		if r.cfg.unicast() {
			return r.refused.set(DropMode, "sent to a group, we are unicast")
		}
		return r.refused.set(DropMode, "sent to us alone, we are multicast")
	}
	if r.cfg.OwnerIgnoreAdverts && r.cfg.Priority == ownerPriority && !r.standsBack() && !r.handingOver() {
		return r.refused.set(DropOwner, "we own the addresses")
	}
	if d := r.checkPeer(from, in.TTL); d != nil {
		return d
	}
	if from.IsValid() && from.Is6() != r.cfg.IPv6 {
		return r.refused.set(DropFamily, "the source is of the other family")
	}
	// RFC 9568 5.2.5: a count of zero must be ignored. A configuration without
	// addresses, which keepalived allows, expects its like of the peer.
	if p.Version == 3 && len(p.Addresses) == 0 && len(r.cfg.Addresses) > 0 {
		return r.refused.set(DropAddressCount, "no address")
	}
	if from == r.link.Source {
		if !r.told(NoticeOwnAdvert) {
			r.noticeOnce(Noticed{Kind: NoticeOwnAdvert, Peer: from,
				Detail: fmt.Sprintf("advert with priority %d from our own address: another host has it, or our adverts come back", p.Priority)})
		}
		return r.refused.set(DropOwnAdvert, "sent from our own address")
	}
	if p.VRID != r.cfg.VRID {
		return r.refused.set(DropUnknownVRID, "VRID %d, ours is %d", uint64(p.VRID), uint64(r.cfg.VRID))
	}
	return nil
}

// checkVersion2 makes the checks of RFC 3768 7.1 and RFC 2338 10: authentication
// and an interval that must be ours.
func (r *Router) checkVersion2(p *Packet) *DropError {
	if p.Auth.Type != r.cfg.Auth.Type {
		return r.refused.set(DropAuthMismatch, authMismatchDetail, uint64(p.Auth.Type), uint64(r.cfg.Auth.Type))
	}
	if p.Auth.Type == AuthAH && !p.Authenticated {
		return r.refused.set(DropAuthFailed, "the authentication header was not verified")
	}
	if p.Auth.Type == AuthPassword && !samePassword(p.Auth.Password, r.cfg.Auth.Password) {
		return r.refused.set(DropAuthFailed, passwordDetail)
	}
	if got := interval(p); got != r.cfg.AdvertInterval {
		return r.refused.set(DropInterval, intervalDetail, centiseconds(got), centiseconds(r.cfg.AdvertInterval))
	}
	return nil
}

// samePassword compares as the wire does: eight bytes, padded with zeros.
func samePassword(a, b []byte) bool {
	return bytes.Equal(bytes.TrimRight(a, "\x00"), bytes.TrimRight(b[:min(len(b), authLen)], "\x00"))
}

// checkPeer checks source and TTL of a unicast packet, where the configuration
// asks for it.
func (r *Router) checkPeer(from netip.Addr, ttl int) *DropError {
	wanted := r.cfg.CheckSource
	for i := range r.cfg.Peers {
		peer := &r.cfg.Peers[i]
		if peer.Addr == from {
			if ttl >= 0 && (peer.MinTTL > 0 && ttl < peer.MinTTL || peer.MaxTTL > 0 && ttl > peer.MaxTTL) {
				return r.refused.set(DropUnicastTTL, "TTL or hop limit %d is not in %d to %d", uint64(ttl), uint64(peer.MinTTL), uint64(peer.MaxTTL))
			}
			return nil
		}
		wanted = wanted || peer.MinTTL > 0 || peer.MaxTTL > 0
	}
	if wanted && r.cfg.unicast() {
		return r.refused.set(DropUnicastSource, "the source is not a configured peer")
	}
	return nil
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

// drop counts a packet that is not used, with its numbers the first time. Later
// it says the same of packets from the same source in the same words, so that a
// flood of them allocates nothing.
func (r *Router) drop(e *DropError, from netip.Addr) {
	i := slices.IndexFunc(r.dropsTold, func(d toldDrop) bool { return d.Reason == e.Reason })
	switch {
	case i < 0:
		again := Dropped{Reason: e.Reason, Source: from}
		r.dropsTold = append(r.dropsTold, toldDrop{again, again})
		again.Detail = e.Detail()
		r.emit(again)
		return
	case r.dropsTold[i].Source != from:
		again := Dropped{Reason: e.Reason, Source: from}
		r.dropsTold[i] = toldDrop{again, again}
	}
	r.emit(r.dropsTold[i].again)
}

// toldDrop is a fault of packets that was told of since the last change of state,
// and what is said of the next one.
type toldDrop struct {
	Dropped
	again Output
}
