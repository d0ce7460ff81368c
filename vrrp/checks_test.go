package vrrp

import (
	"bytes"
	"crypto/hmac"
	"crypto/md5"
	"crypto/sha256"
	"encoding/binary"
	"net/netip"
	"testing"
	"time"
)

// wireAdvert is an advert laid down byte by byte from RFC 9568 5.1, RFC 3768 5.1, RFC
// 2402 and the description of auth_hmac, by none of the code that it tests.
type wireAdvert struct {
	src, dst netip.Addr
	ttl      int
	first    byte // version and type
	vrid     byte
	priority byte
	count    int // -1: as many as there are addresses
	word     [2]byte
	addrs    []netip.Addr
	data     []byte // authentication data of version 2
	badSum   bool
	cut      int // bytes to leave out at the end
	// ah is the key of an authentication header, nil for none; hmac that of a trailer.
	ah, hmac  []byte
	ahNumber  uint32
	keyID     byte
	stamp     uint64
	badAH     bool
	badHMAC   bool
	trailer   byte // its type
	noTrailer bool
}

// onesSum is the Internet checksum, a word at a time (RFC 1071).
func onesSum(b []byte) uint16 {
	sum := uint32(0)
	for i := 0; i < len(b); i += 2 {
		word := uint32(b[i]) << 8
		if i+1 < len(b) {
			word |= uint32(b[i+1])
		}
		if sum += word; sum > 0xffff {
			sum = sum&0xffff + 1
		}
	}
	return ^uint16(sum)
}

// bytes is the payload of the IP packet, and what the IP layer says of it.
func (w wireAdvert) bytes() ([]byte, Meta) {
	count := byte(len(w.addrs))
	if w.count >= 0 {
		count = byte(w.count)
	}
	pdu := []byte{w.first, w.vrid, w.priority, count, w.word[0], w.word[1], 0, 0}
	for _, a := range w.addrs {
		pdu = append(pdu, a.AsSlice()...)
	}
	pdu = append(pdu, w.data...)
	pdu = pdu[:len(pdu)-w.cut]
	summed := pdu
	if w.first>>4 != 2 || w.src.Is6() {
		pseudo := append(w.src.AsSlice(), w.dst.AsSlice()...)
		pseudo = binary.BigEndian.AppendUint32(pseudo, uint32(len(pdu)))
		pseudo = append(pseudo, 0, 0, 0, 112)
		summed = append(pseudo, pdu...)
	}
	sum := onesSum(summed)
	if w.badSum {
		sum ^= 0x5555
	}
	binary.BigEndian.PutUint16(pdu[6:], sum)
	m := Meta{Source: w.src, Destination: w.dst, TTL: w.ttl, Unicast: !w.dst.IsMulticast(), AH: w.ah != nil, ID: 1}
	switch {
	case w.ah != nil:
		return w.withAH(pdu), m
	case w.hmac != nil && !w.noTrailer:
		return w.withTrailer(pdu), m
	}
	return pdu, m
}

// withAH puts RFC 2402's header in front, with the digest of RFC 2403 over the IP
// header, whose TTL keepalived leaves at 255 for multicast.
func (w wireAdvert) withAH(pdu []byte) []byte {
	src, dst := w.src.As4(), w.dst.As4()
	h := []byte{112, 4, 0, 0, src[0], src[1], src[2], src[3]}
	h = binary.BigEndian.AppendUint32(h, w.ahNumber)
	h = append(h, make([]byte, 12)...)
	ip := []byte{0x45, 0, 0, byte(20 + len(h) + len(pdu)), 0, 1, 0, 0, 255, 51, 0, 0}
	ip = append(append(ip, src[:]...), dst[:]...)
	mac := hmac.New(md5.New, w.ah)
	mac.Write(ip)
	mac.Write(h)
	mac.Write(pdu)
	copy(h[12:], mac.Sum(nil)[:12])
	if w.badAH {
		h[23]++
	}
	return append(h, pdu...)
}

// withTrailer puts the trailer of auth_hmac behind.
func (w wireAdvert) withTrailer(pdu []byte) []byte {
	t := []byte{w.trailer, w.keyID, 0, 0}
	t = binary.BigEndian.AppendUint64(t, w.stamp)
	t = append(t, make([]byte, 16)...)
	pseudo := make([]byte, 20)
	pseudo[0], pseudo[1], pseudo[2] = 4, w.first>>4, w.vrid
	if w.src.Is6() {
		pseudo[0] = 6
	}
	copy(pseudo[4:], w.src.AsSlice())
	zeroed := bytes.Clone(pdu)
	zeroed[6], zeroed[7] = 0, 0
	mac := hmac.New(sha256.New, w.hmac)
	mac.Write(pseudo)
	mac.Write(zeroed)
	mac.Write(t)
	copy(t[12:], mac.Sum(nil)[:16])
	if w.badHMAC {
		t[27]++
	}
	return append(bytes.Clone(pdu), t...)
}

// judge gives a packet to an Authenticator and to a backup with this configuration, and
// says why it was not used, "" where it was.
func judge(t *testing.T, cfg Config, w wireAdvert) Reason {
	t.Helper()
	r := NewRouter(cfg)
	r.Step(epoch, LinkState{Up: true, Source: us}, nil)
	if cfg.IPv6 {
		r.Step(epoch, LinkState{Up: true, Source: netip.MustParseAddr("fe80::5")}, nil)
	}
	r.Step(epoch, Start{}, nil)
	before := r.Deadline()
	b, m := w.bytes()
	in := Advert{Source: m.Source, Destination: m.Destination, TTL: m.TTL}
	reason := Reason("")
	if err := NewAuthenticator(cfg).Parse(&in.Packet, b, m, epoch); err != nil {
		reason = err.(*DropError).Reason
	} else {
		for _, o := range r.Step(epoch.Add(time.Second), &in, nil) {
			if d, dropped := o.(Dropped); dropped {
				reason = d.Reason
			}
		}
	}
	if used := !r.Deadline().Equal(before); used != (reason == "") {
		t.Errorf("dropped as %q, and the timer moved: %v", reason, used)
	}
	return reason
}

// A fault is one way in which a packet is wrong.
type packetFault struct {
	reason Reason
	put    func(*wireAdvert)
}

// Each check has its reason, and they are made in keepalived's order: of two faults that
// a packet has, the first is what it is counted by.
func TestReceiveChecksInOrder(t *testing.T) {
	group := oldChecksumGroup
	v3 := wireAdvert{src: low, dst: group, ttl: 255, first: 0x31, vrid: 51, priority: 150, count: -1, word: [2]byte{0, 100}, addrs: []netip.Addr{vip1, vip2}}
	v2 := v3
	v2.first, v2.word, v2.data = 0x21, [2]byte{1, 1}, []byte("secret\x00\x00")
	ah := v2
	ah.word, ah.data, ah.ah, ah.ahNumber = [2]byte{2, 1}, make([]byte, 8), []byte("secret"), 9
	signed := v3
	signed.hmac, signed.keyID, signed.trailer, signed.stamp = hmacKeys()[0].Secret, 1, 1, uint64(epoch.Unix())<<32
	v6 := v3
	v6.src, v6.dst, v6.addrs = netip.MustParseAddr("fe80::1"), netip.MustParseAddr("ff02::12"), addrs("fe80::10")
	uni := v3
	uni.dst, uni.ttl = us, 200

	length := packetFault{DropLength, func(w *wireAdvert) { w.count = 200 }}
	ttl := packetFault{DropTTL, func(w *wireAdvert) { w.ttl = 254 }}
	version := packetFault{DropVersion, func(w *wireAdvert) { w.first = w.first&0x0f | 0x40 }}
	kind := packetFault{DropType, func(w *wireAdvert) { w.first = w.first&0xf0 | 2 }}
	sum := packetFault{DropChecksum, func(w *wireAdvert) { w.badSum = true }}
	mode := packetFault{DropMode, func(w *wireAdvert) { w.dst = us }}
	own := packetFault{DropOwnAdvert, func(w *wireAdvert) { w.src = us }}
	none := packetFault{DropAddressCount, func(w *wireAdvert) { w.addrs = nil }}
	v2interval := packetFault{DropInterval, func(w *wireAdvert) { w.word[1] = 2 }}
	for _, c := range []struct {
		name   string
		cfg    Config
		good   wireAdvert
		faults []packetFault
	}{
		{"v3", plain(), v3, []packetFault{
			{DropAuthMismatch, func(w *wireAdvert) { w.ah = []byte("secret") }},
			length, ttl, version,
			{DropInterval, func(w *wireAdvert) { w.word = [2]byte{0xf0, 0} }}, kind, sum, none, own,
		}},
		{"v3 IPv6", with(func(c *Config) {
			c.IPv6, c.Addresses, c.Group = true, addrs("fe80::10"), netip.MustParseAddr("ff02::12")
		}), v6, []packetFault{
			length, ttl, version, kind, sum, none,
		}},
		{"v2 PASS", with(func(c *Config) { c.Version, c.Auth = 2, Auth{AuthPassword, []byte("secret")} }), v2, []packetFault{
			length, ttl,
			{DropVersion, func(w *wireAdvert) { w.first |= 0x10 }},
			{DropAuthType, func(w *wireAdvert) { w.word[0] = 7 }},
			{DropAuthMismatch, func(w *wireAdvert) { w.word[0] = 0 }},
			{DropAuthFailed, func(w *wireAdvert) { w.data = []byte("Secret\x00\x00") }},
			v2interval, kind, sum, own,
		}},
		{"v2 AH", withAH("secret"), ah, []packetFault{
			length, ttl, {DropVersion, func(w *wireAdvert) { w.first |= 0x10 }},
			{DropAuthMismatch, func(w *wireAdvert) { w.word[0] = 0 }},
			{DropAHReplayed, func(w *wireAdvert) { w.ahNumber = 0 }},
			{DropAuthFailed, func(w *wireAdvert) { w.badAH = true }},
			v2interval, kind, sum,
		}},
		{"auth_hmac", withHMAC(HMACEnforce), signed, []packetFault{
			length, ttl, version,
			{DropHMACMissing, func(w *wireAdvert) { w.noTrailer = true }},
			{DropHMACMalformed, func(w *wireAdvert) { w.trailer = 9 }},
			{DropHMACUnknownKey, func(w *wireAdvert) { w.keyID = 77 }},
			{DropHMACInvalid, func(w *wireAdvert) { w.badHMAC = true }},
			{DropHMACStale, func(w *wireAdvert) { w.stamp -= 3600 << 32 }},
			kind, sum, own,
		}},
		{"unicast", with(func(c *Config) { c.Peers, c.CheckSource = []Peer{{Addr: low, MinTTL: 100}, {Addr: high}}, true }), uni, []packetFault{
			length, version, kind, sum,
			{DropMode, func(w *wireAdvert) { w.dst, w.ttl = group, 255 }},
			{DropUnicastSource, func(w *wireAdvert) { w.src = netip.MustParseAddr("192.0.2.77") }},
			none,
		}},
		{"unicast TTL", with(func(c *Config) { c.Peers = []Peer{{Addr: low, MinTTL: 100}} }), uni, []packetFault{
			sum, {DropUnicastTTL, func(w *wireAdvert) { w.ttl = 99 }}, none,
		}},
		{"owner", with(func(c *Config) { c.Priority, c.OwnerIgnoreAdverts = 255, true }), v3, []packetFault{
			sum, mode, {DropOwner, func(*wireAdvert) {}},
		}},
	} {
		t.Run(c.name, func(t *testing.T) {
			if c.cfg.VRID != 51 {
				c.good.vrid = c.cfg.VRID
			}
			if got := judge(t, c.cfg, c.good); got != "" && got != DropOwner {
				t.Fatalf("a good packet is dropped: %s", got)
			}
			for i, first := range c.faults {
				w := c.good
				first.put(&w)
				if got := judge(t, c.cfg, w); got != first.reason {
					t.Errorf("counted as %q, want %q", got, first.reason)
				}
				for _, second := range c.faults[i+1:] {
					w := c.good
					second.put(&w)
					first.put(&w)
					if got := judge(t, c.cfg, w); got != first.reason {
						t.Errorf("%s and %s: counted as %q", first.reason, second.reason, got)
					}
				}
			}
		})
	}
}

// Packets that are not used, whatever is wrong with them, move no timer of a master: its
// adverts leave when they are due, also under a flood.
func TestInvalidPacketsDelayNoAdvert(t *testing.T) {
	changes := map[string]func(*Advert){
		"version":         func(a *Advert) { a.Packet.Version = 2 },
		"unicast":         func(a *Advert) { a.Destination = us },
		"family":          func(a *Advert) { a.Source = netip.MustParseAddr("fe80::1") },
		"no address":      func(a *Advert) { a.Packet.Addresses = nil },
		"our own address": func(a *Advert) { a.Source = us },
		"VRID":            func(a *Advert) { a.Packet.VRID++ },
	}
	for name, change := range changes {
		r := play(t, plain(), asMaster())
		bad := from(low, 200)
		change(&bad)
		var sent []time.Duration
		for at := 4 * time.Second; at < 9*time.Second; at += 7 * time.Millisecond {
			for _, o := range r.Step(epoch.Add(at), &bad, nil) {
				if _, ok := o.(SendAdvert); ok {
					sent = append(sent, at)
				}
			}
		}
		if len(sent) != 5 {
			t.Errorf("%s: adverts at %v, want five", name, sent)
		}
		for i, at := range sent {
			if due := 4609375*time.Microsecond + time.Duration(i)*time.Second; at-due > 7*time.Millisecond {
				t.Errorf("%s: advert at %v, due at %v", name, at, due)
			}
		}
	}
}
