package vrrp

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"hash"
	"net/netip"
	"time"
)

// This file is auth_hmac, keepalived's own authentication since 2.4: behind the
// packet, outside its checksum, a trailer of
//
//	type (1), key ID, two reserved bytes, seconds (4), 65536ths (2), counter (2)
//	and the first 16 bytes of an HMAC-SHA256
//
// over a pseudo-header, the packet with its checksum as zero and the trailer with
// its digest as zero. Seconds, fraction and counter together are the stamp, which
// grows with each advert of a sender.

const (
	trailerLen   = 28
	trailerType  = 1
	trailerStamp = 4
	trailerMAC   = 12
	hmacPseudo   = 20
	// otherSenders is how many senders are remembered that are no unicast peers.
	otherSenders = 4
)

// signer is auth_hmac of one router.
type signer struct {
	conf HMAC
	keys []signKey
	// last is the stamp of our last advert.
	last uint64
	// peers are the configured ones, others those heard last beside them; tick
	// counts the latter's adverts.
	peers  []sender
	others [otherSenders]sender
	tick   uint64

	// Scratch: an array on the stack would escape through hash.Hash.
	pseudo  [hmacPseudo]byte
	trailer [trailerLen]byte
	sum     [sha256.Size]byte
}

type signKey struct {
	id  uint8
	mac hash.Hash
}

// sender is one whose adverts must carry growing stamps.
type sender struct {
	addr netip.Addr
	last uint64
	tick uint64
}

// newSigner keeps of an earlier signer, nil for none, what replay goes by.
func newSigner(conf HMAC, peers []Peer, old *signer) *signer {
	s := &signer{conf: conf}
	for _, k := range conf.Keys {
		s.keys = append(s.keys, signKey{k.ID, hmac.New(sha256.New, k.Secret)})
	}
	for _, p := range peers {
		s.peers = append(s.peers, sender{addr: p.Addr.Unmap().WithZone("")})
	}
	if old == nil {
		return s
	}
	s.last, s.tick, s.others = old.last, old.tick, old.others
	for i := range s.peers {
		if was := old.known(s.peers[i].addr); was != nil {
			s.peers[i].last = was.last
		}
	}
	return s
}

// signs is whether our own adverts get a trailer.
func (s *signer) signs() bool { return s.conf.Mode != HMACReceiveOnly }

func (s *signer) key(id uint8) hash.Hash {
	for i := range s.keys {
		if s.keys[i].id == id {
			return s.keys[i].mac
		}
	}
	return nil
}

// stamp takes the stamp of the next advert: the time, or the least that is greater
// than the last where the clock stands or went back.
func (s *signer) stamp(now time.Time) {
	fraction := uint64(now.Nanosecond()) << 16 / uint64(time.Second)
	s.last = max(s.last+1, uint64(uint32(now.Unix()))<<32|fraction<<16)
}

// seal appends the trailer to b, in which the packet begins at start.
func (s *signer) seal(b []byte, start int, src netip.Addr) ([]byte, error) {
	mac := s.key(s.conf.Active)
	if mac == nil {
		return b, fmt.Errorf("vrrp: there is no key %d to sign with", s.conf.Active)
	}
	end := len(b)
	t := &s.trailer
	clear(t[:])
	t[0], t[1] = trailerType, s.conf.Active
	binary.BigEndian.PutUint64(t[trailerStamp:], s.last)
	b = append(b, t[:]...)
	copy(b[end+trailerMAC:], s.digest(mac, b[start:end], src))
	return b, nil
}

// verify checks what is behind a packet, and is true where that is a good trailer.
func (s *signer) verify(pdu, trailer []byte, m Meta, now time.Time) (bool, error) {
	if len(trailer) == 0 {
		if s.conf.Mode == HMACEnforce {
			return false, m.drop(DropHMACMissing, unsignedDetail)
		}
		return false, nil
	}
	if len(trailer) != trailerLen || trailer[0] != trailerType {
		return false, m.drop(DropHMACMalformed, "%d bytes of type %d behind the packet, must be %d of type %d",
			uint64(len(trailer)), uint64(trailer[0]), trailerLen, trailerType)
	}
	mac := s.key(trailer[1])
	if mac == nil {
		return false, m.drop(DropHMACUnknownKey, "signed with key %d, which we do not have", uint64(trailer[1]))
	}
	src := m.Source.Unmap().WithZone("")
	copy(s.trailer[:], trailer[:trailerMAC])
	clear(s.trailer[trailerMAC:])
	if !hmac.Equal(trailer[trailerMAC:], s.digest(mac, pdu, src)) {
		return false, m.drop(DropHMACInvalid, "the signature is not that of our key %d", uint64(trailer[1]))
	}
	return true, s.checkStamp(binary.BigEndian.Uint64(trailer[trailerStamp:]), src, now, m)
}

// checkStamp is the protection against adverts that somebody recorded.
func (s *signer) checkStamp(stamp uint64, src netip.Addr, now time.Time, m Meta) error {
	if !s.conf.Monotonic {
		at := time.Unix(int64(stamp>>32), 0)
		if off := now.Truncate(time.Second).Sub(at).Abs(); off > s.conf.Window {
			return m.drop(DropHMACStale, "signed %d s from our clock, more than %d s", uint64(off/time.Second), uint64(s.conf.Window/time.Second))
		}
	}
	from := s.known(src)
	if from == nil {
		from = s.remember(src)
	}
	s.tick++
	from.tick = s.tick
	if stamp <= from.last {
		return m.drop(DropHMACReplayed, "stamp %#x, %#x was there before", stamp, from.last)
	}
	from.last = stamp
	return nil
}

// known finds a sender, nil where there is none.
func (s *signer) known(addr netip.Addr) *sender {
	for i := range s.peers {
		if s.peers[i].addr == addr {
			return &s.peers[i]
		}
	}
	for i := range s.others {
		if s.others[i].addr == addr {
			return &s.others[i]
		}
	}
	return nil
}

// remember puts a sender in the place of the one not heard for longest.
func (s *signer) remember(addr netip.Addr) *sender {
	oldest := &s.others[0]
	for i := range s.others {
		if s.others[i].tick < oldest.tick {
			oldest = &s.others[i]
		}
	}
	*oldest = sender{addr: addr}
	return oldest
}

// digest is the signature over a packet and s.trailer, whose own digest is zero. It
// is good until the next call.
func (s *signer) digest(mac hash.Hash, pdu []byte, src netip.Addr) []byte {
	p := &s.pseudo
	clear(p[:])
	p[1], p[2] = pdu[0]>>4, pdu[1]
	if src.Is4() {
		a := src.As4()
		p[0] = 4
		copy(p[4:], a[:])
	} else {
		a := src.As16()
		p[0] = 6
		copy(p[4:], a[:])
	}
	var zero = s.trailer[trailerMAC:][:2] // stands for the checksum
	mac.Reset()
	mac.Write(p[:])
	mac.Write(pdu[:6])
	mac.Write(zero)
	mac.Write(pdu[headerLen:])
	mac.Write(s.trailer[:])
	return mac.Sum(s.sum[:0])[:trailerLen-trailerMAC]
}
