package vrrp

import (
	"bytes"
	"encoding/binary"
	"encoding/json"
	"net/netip"
	"strings"
	"testing"
	"time"
)

// The keys of testdata/auth-hmac.txt.
func hmacKeys() []HMACKey {
	seven := make([]byte, 64)
	for i := range seven {
		seven[i] = byte(i)
	}
	return []HMACKey{{1, []byte("0123456789abcdef0123456789abcdef")}, {7, seven}}
}

func withHMAC(mode HMACMode) Config {
	return with(func(c *Config) {
		c.HMAC = &HMAC{Keys: hmacKeys(), Active: 1, Mode: mode, Window: 5 * time.Second}
	})
}

type hmacVector struct {
	name         string
	meta         Meta
	at           time.Time
	counter      int
	pdu, trailer []byte
}

func (v hmacVector) bytes() []byte { return append(bytes.Clone(v.pdu), v.trailer...) }

func hmacVectors(t testing.TB) []hmacVector {
	t.Helper()
	var all []hmacVector
	for _, w := range fieldsOf(t, "testdata/auth-hmac.txt") {
		fraction := (number(t, w[4])*1e9 + 65535) >> 16
		v := hmacVector{name: w[0], counter: number(t, w[5]), pdu: unhex(t, w[6]), trailer: unhex(t, w[7]),
			at:   time.Unix(int64(number(t, w[3])), int64(fraction)),
			meta: Meta{Source: netip.MustParseAddr(w[1]), Destination: netip.MustParseAddr(w[2]), TTL: 255}}
		v.meta.Unicast = !v.meta.Destination.IsMulticast()
		all = append(all, v)
	}
	return all
}

// TestHMACVectors reads and writes adverts that were signed by another program.
func TestHMACVectors(t *testing.T) {
	for _, v := range hmacVectors(t) {
		t.Run(v.name, func(t *testing.T) {
			cfg := withHMAC(HMACEnforce)
			cfg.HMAC.Active, cfg.Version = v.trailer[1], v.pdu[0]>>4
			if cfg.Version == 2 {
				cfg.AdvertInterval = time.Duration(v.pdu[5]) * time.Second
			}
			a := NewAuthenticator(cfg)
			var p Packet
			if err := a.Parse(&p, v.bytes(), v.meta, v.at); err != nil {
				t.Fatal(err)
			}
			if !p.Authenticated || p.VRID != v.pdu[1] {
				t.Errorf("read %+v", p)
			}
			sender := NewAuthenticator(cfg)
			for range v.counter + 1 {
				sender.Stamp(v.at)
			}
			got, err := sender.Append([]byte("before"), &p, v.meta.Source, v.meta.Destination)
			if err != nil {
				t.Fatal(err)
			}
			if want := append([]byte("before"), v.bytes()...); !bytes.Equal(got, want) {
				t.Errorf("wrote %x\nwant  %x", got, want)
			}
		})
	}
}

// TestHMACDrops breaks a good packet in one way each.
func TestHMACDrops(t *testing.T) {
	good := hmacVectors(t)[0]
	for _, c := range []struct {
		name   string
		change func(b []byte, v *hmacVector, h *HMAC) []byte
		want   Reason
	}{
		{"good", func(b []byte, _ *hmacVector, _ *HMAC) []byte { return b }, ""},
		{"no trailer", func(b []byte, v *hmacVector, _ *HMAC) []byte { return b[:len(v.pdu)] }, DropHMACMissing},
		{"no trailer, permissive", func(b []byte, v *hmacVector, h *HMAC) []byte { h.Mode = HMACPermissive; return b[:len(v.pdu)] }, ""},
		{"no trailer, receive-only", func(b []byte, v *hmacVector, h *HMAC) []byte { h.Mode = HMACReceiveOnly; return b[:len(v.pdu)] }, ""},
		{"trailer cut", func(b []byte, _ *hmacVector, _ *HMAC) []byte { return b[:len(b)-1] }, DropHMACMalformed},
		{"trailer cut, permissive", func(b []byte, _ *hmacVector, h *HMAC) []byte { h.Mode = HMACPermissive; return b[:len(b)-1] }, DropHMACMalformed},
		{"trailer too long", func(b []byte, _ *hmacVector, _ *HMAC) []byte { return append(b, 0) }, DropHMACMalformed},
		{"type", func(b []byte, v *hmacVector, _ *HMAC) []byte { b[len(v.pdu)] = 2; return b }, DropHMACMalformed},
		{"key", func(b []byte, v *hmacVector, _ *HMAC) []byte { b[len(v.pdu)+1] = 2; return b }, DropHMACUnknownKey},
		{"another key", func(b []byte, v *hmacVector, _ *HMAC) []byte { b[len(v.pdu)+1] = 7; return b }, DropHMACInvalid},
		{"another secret", func(b []byte, _ *hmacVector, h *HMAC) []byte {
			h.Keys[0].Secret = bytes.Repeat([]byte("x"), 32)
			return b
		}, DropHMACInvalid},
		{"reserved", func(b []byte, v *hmacVector, _ *HMAC) []byte { b[len(v.pdu)+2]++; return b }, DropHMACInvalid},
		{"stamp", func(b []byte, v *hmacVector, _ *HMAC) []byte { b[len(v.pdu)+11]++; return b }, DropHMACInvalid},
		{"signature", func(b []byte, _ *hmacVector, _ *HMAC) []byte { b[len(b)-1]++; return b }, DropHMACInvalid},
		{"signature, receive-only", func(b []byte, _ *hmacVector, h *HMAC) []byte {
			h.Mode = HMACReceiveOnly
			b[len(b)-1]++
			return b
		}, DropHMACInvalid},
		{"priority", func(b []byte, _ *hmacVector, _ *HMAC) []byte { b[2]++; return b }, DropHMACInvalid},
		{"source", func(b []byte, v *hmacVector, _ *HMAC) []byte { v.meta.Source = high; return b }, DropHMACInvalid},
		{"checksum, which is not signed", func(b []byte, _ *hmacVector, _ *HMAC) []byte { b[6]++; return b }, DropChecksum},
		{"version, before the signature", func(b []byte, _ *hmacVector, _ *HMAC) []byte { b[0] = 0x41; return b }, DropVersion},
		{"a clock 5 s behind", func(b []byte, v *hmacVector, _ *HMAC) []byte { v.at = v.at.Add(-5 * time.Second); return b }, ""},
		{"a clock 6 s behind", func(b []byte, v *hmacVector, _ *HMAC) []byte { v.at = v.at.Add(-6 * time.Second); return b }, DropHMACStale},
		{"a clock 6 s ahead", func(b []byte, v *hmacVector, _ *HMAC) []byte { v.at = v.at.Add(6 * time.Second); return b }, DropHMACStale},
		{"a clock years ahead, monotonic", func(b []byte, v *hmacVector, h *HMAC) []byte {
			h.Monotonic = true
			v.at = v.at.AddDate(9, 0, 0)
			return b
		}, ""},
	} {
		v, cfg := good, withHMAC(HMACEnforce)
		b := c.change(v.bytes(), &v, cfg.HMAC)
		a := NewAuthenticator(cfg)
		var p Packet
		wantDrop(t, c.name, a.Parse(&p, b, v.meta, v.at), c.want)
		if c.want == "" && p.Authenticated != (len(b) > len(v.pdu)) {
			t.Errorf("%s: authenticated %v", c.name, p.Authenticated)
		}
	}
}

// hmacSend is one advert from a source.
func hmacSend(t *testing.T, a *Authenticator, src netip.Addr, now time.Time) []byte {
	t.Helper()
	a.Stamp(now)
	p := from(src, 100).Packet
	b, err := a.Append(nil, &p, src, oldChecksumGroup)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// auth_hmac: the stamps of each sender must grow; each sender has its own count,
// and the four last are remembered, of unicast peers all.
func TestHMACReplay(t *testing.T) {
	cfg := withHMAC(HMACEnforce)
	cfg.HMAC.Monotonic = true
	us := NewAuthenticator(cfg)
	hear := func(what string, src netip.Addr, b []byte, want Reason) {
		t.Helper()
		wantDrop(t, what, us.Parse(new(Packet), b, Meta{Source: src, Destination: oldChecksumGroup, TTL: 255}, epoch), want)
	}
	peer := NewAuthenticator(cfg)
	first, second := hmacSend(t, peer, low, epoch), hmacSend(t, peer, low, epoch)
	hear("second", low, second, "")
	hear("second again", low, second, DropHMACReplayed)
	hear("first after it", low, first, DropHMACReplayed)
	hear("another sender", high, hmacSend(t, NewAuthenticator(cfg), high, epoch.Add(-time.Hour)), "")
	hear("bad, of a sender to come", high, append(bytes.Clone(first), 0), DropHMACMalformed)

	us.Reconfigure(cfg)
	hear("after a reload", low, second, DropHMACReplayed)
	for i := range byte(4) {
		src := netip.AddrFrom4([4]byte{192, 0, 2, 100 + i})
		hear("more senders", src, hmacSend(t, NewAuthenticator(cfg), src, epoch), "")
	}
	hear("a sender forgotten for others", low, second, "")

	cfg.Peers = []Peer{{Addr: low}}
	us.Reconfigure(cfg)
	for i := range byte(5) {
		src := netip.AddrFrom4([4]byte{192, 0, 2, 150 + i})
		hear("more senders", src, hmacSend(t, NewAuthenticator(cfg), src, epoch), "")
	}
	hear("a unicast peer is not forgotten", low, second, DropHMACReplayed)
}

// auth_hmac: our stamps grow though the clock stands, or goes back.
func TestHMACStamps(t *testing.T) {
	a := NewAuthenticator(withHMAC(HMACEnforce))
	var last uint64
	for _, now := range []time.Time{
		epoch, epoch, epoch.Add(time.Nanosecond), epoch.Add(-time.Hour), epoch.Add(time.Millisecond), epoch.Add(time.Second),
	} {
		b := hmacSend(t, a, low, now)
		stamp := binary.BigEndian.Uint64(b[len(b)-trailerLen+trailerStamp:])
		if stamp <= last {
			t.Errorf("stamp %x at %v after %x", stamp, now, last)
		}
		last = stamp
	}
	if want := uint64(epoch.Unix()+1) << 32; last != want {
		t.Errorf("stamp %x once the clock is ahead again, want %x", last, want)
	}
}

// receive-only sends no signature, permissive does; a key that is not there is an
// error and sends nothing.
func TestHMACModes(t *testing.T) {
	for mode, want := range map[HMACMode]int{HMACEnforce: 16 + trailerLen, HMACPermissive: 16 + trailerLen, HMACReceiveOnly: 16} {
		if b := hmacSend(t, NewAuthenticator(withHMAC(mode)), low, epoch); len(b) != want {
			t.Errorf("%s: %d bytes, want %d", mode, len(b), want)
		}
	}
	cfg := withHMAC(HMACEnforce)
	cfg.HMAC.Active = 9
	p := from(low, 100).Packet
	if b, err := NewAuthenticator(cfg).Append(nil, &p, low, oldChecksumGroup); err == nil || len(b) != 0 {
		t.Errorf("signed with a key that is not there: %x", b)
	}
}

// Secrets stay out of what a configuration shows.
func TestHMACSecretsStayHome(t *testing.T) {
	b, err := json.Marshal(withHMAC(HMACEnforce))
	if err != nil {
		t.Fatal(err)
	}
	if strings.Contains(string(b), "MDEyMzQ1Njc4") || strings.Contains(string(b), "0123456789abcdef") {
		t.Errorf("the secret is in %s", b)
	}
}
