package vrrp

import (
	"bytes"
	"net/netip"
	"testing"
	"time"
)

// authCase is an advert, with the configuration that signs and takes it.
type authCase struct {
	name string
	cfg  Config
	wire wireAdvert
}

// authCases are one of each way to authenticate, laid down by hand.
func authCases() []authCase {
	v3 := wireAdvert{src: low, dst: oldChecksumGroup, ttl: 255, first: 0x31, vrid: 51, priority: 150, count: -1, word: [2]byte{0, 100}, addrs: []netip.Addr{vip1, vip2}}
	v2 := v3
	v2.first, v2.word, v2.data = 0x21, [2]byte{0, 1}, make([]byte, 8)
	pass, ah := v2, v2
	pass.word[0], pass.data = 1, []byte("geheim12")
	ah.word[0], ah.vrid, ah.ah, ah.ahNumber = 2, 41, []byte("longer-p"), uint32(epoch.Unix())
	v6 := v3
	v6.src, v6.dst, v6.addrs = netip.MustParseAddr("fe80::1"), netip.MustParseAddr("ff02::12"), addrs("fe80::10", "2001:db8::1")
	signed := func(w wireAdvert, key int) wireAdvert {
		k := hmacKeys()[key]
		w.hmac, w.keyID, w.trailer, w.stamp = k.Secret, k.ID, 1, uint64(epoch.Unix())<<32
		return w
	}
	hmacOf := func(active uint8, change func(*Config)) Config {
		c := withHMAC(HMACEnforce)
		c.HMAC.Active = active
		if change != nil {
			change(&c)
		}
		return c
	}
	version2 := func(c *Config) { c.Version = 2 }
	ipv6 := func(c *Config) { c.IPv6 = true }
	unicast := func(c *Config) { c.Peers = []Peer{{Addr: low}} }
	uni := v3
	uni.dst = us
	return []authCase{
		{"PASS, eight bytes of the password", with(func(c *Config) { c.Version, c.Auth = 2, Auth{AuthPassword, []byte("geheim12345")} }), pass},
		{"no authentication, eight zero bytes", with(version2), v2},
		{"AH, eight bytes of the password", withAH("longer-password-than-8"), ah},
		{"auth_hmac, version 3", hmacOf(1, nil), signed(v3, 0)},
		{"auth_hmac, version 3, another key", hmacOf(7, nil), signed(v3, 1)},
		{"auth_hmac, version 3, unicast", hmacOf(1, unicast), signed(uni, 0)},
		{"auth_hmac, version 3, IPv6", hmacOf(1, ipv6), signed(v6, 0)},
		{"auth_hmac, version 2", hmacOf(1, version2), signed(v2, 0)},
	}
}

// Each way to authenticate is on the wire what its description says, to the byte, and is
// taken by whoever has the key.
func TestAuthenticationFromItsDescription(t *testing.T) {
	for _, c := range authCases() {
		t.Run(c.name, func(t *testing.T) {
			want, m := c.wire.bytes()
			var p Packet
			if err := NewAuthenticator(c.cfg).Parse(&p, want, m, epoch); err != nil {
				t.Fatalf("not taken: %v", err)
			}
			signs := c.wire.ah != nil || c.wire.hmac != nil
			if p.Authenticated != signs || p.Priority != 150 {
				t.Errorf("read %+v", p)
			}
			sender := NewAuthenticator(c.cfg)
			sender.Stamp(epoch)
			p.Auth = Auth{Type: c.cfg.Auth.Type}
			if p.Auth.Type == AuthPassword {
				p.Auth.Password = c.cfg.Auth.Password[:8]
			}
			got, err := sender.Append(nil, &p, c.wire.src, c.wire.dst)
			if err != nil || !bytes.Equal(got, want) {
				t.Errorf("wrote %x, %v\nwant  %x", got, err, want)
			}
		})
	}
}

// What is wrong with an advert's authentication is counted by name: wrong, missing,
// replayed, stale. Each is tried on every way to authenticate that can have it.
func TestAuthenticationFaultsByName(t *testing.T) {
	old := func(w *wireAdvert, by time.Duration) { w.stamp -= uint64(by/time.Second) << 32 }
	for _, c := range authCases() {
		for _, f := range []struct {
			name   string
			change func(*wireAdvert)
			cfg    func(*Config)
			want   func(wireAdvert) Reason
		}{
			{"wrong password or key", nil, func(cfg *Config) {
				cfg.Auth.Password = []byte("another1")
				if cfg.HMAC != nil {
					cfg.HMAC.Keys = []HMACKey{{1, bytes.Repeat([]byte("x"), 32)}, {7, bytes.Repeat([]byte("y"), 32)}}
				}
			}, func(w wireAdvert) Reason {
				switch {
				case w.hmac != nil:
					return DropHMACInvalid
				case w.ah != nil || w.word[0] == 1 && w.first>>4 == 2:
					return DropAuthFailed
				}
				return ""
			}},
			{"missing", func(w *wireAdvert) {
				if w.first>>4 == 2 {
					w.word[0], w.data = 0, make([]byte, 8)
				}
				w.ah, w.noTrailer = nil, true
			}, nil, func(w wireAdvert) Reason {
				switch {
				case w.hmac != nil:
					return DropHMACMissing
				case w.ah != nil || w.word[0] == 1 && w.first>>4 == 2:
					return DropAuthMismatch
				}
				return ""
			}},
			{"stale", func(w *wireAdvert) { old(w, 6*time.Second) }, nil, func(w wireAdvert) Reason {
				if w.hmac != nil {
					return DropHMACStale
				}
				return ""
			}},
			{"from the future", func(w *wireAdvert) { old(w, -6*time.Second) }, nil, func(w wireAdvert) Reason {
				if w.hmac != nil {
					return DropHMACStale
				}
				return ""
			}},
			{"within the time window", func(w *wireAdvert) { old(w, 5*time.Second) }, nil, func(wireAdvert) Reason { return "" }},
			{"stale, where stamps only have to grow", func(w *wireAdvert) { old(w, 6*time.Second) }, func(cfg *Config) {
				if cfg.HMAC != nil {
					cfg.HMAC.Monotonic = true
				}
			}, func(wireAdvert) Reason { return "" }},
		} {
			if c.wire.hmac == nil && f.change != nil && f.name != "missing" {
				continue // there is no stamp
			}
			w, cfg := c.wire, c.cfg.clone()
			want := f.want(w)
			if f.change != nil {
				f.change(&w)
			}
			if f.cfg != nil {
				f.cfg(&cfg)
			}
			if got := judge(t, cfg, w); got != want {
				t.Errorf("%s, %s: counted as %q, want %q", c.name, f.name, got, want)
			}
		}
	}
}

// A recorded advert is counted as replayed, by AH and auth_hmac; a fresher one is taken.
func TestAuthenticationReplay(t *testing.T) {
	for _, c := range authCases() {
		want := DropHMACReplayed
		switch {
		case c.wire.ah != nil:
			want = DropAHReplayed
		case c.wire.hmac == nil:
			continue
		}
		a := NewAuthenticator(c.cfg)
		give := func(what string, w wireAdvert, reason Reason) {
			t.Helper()
			b, m := w.bytes()
			wantDrop(t, c.name+": "+what, a.Parse(new(Packet), b, m, epoch), reason)
		}
		next, before := c.wire, c.wire
		next.stamp, next.ahNumber = next.stamp+1, next.ahNumber+1
		before.stamp, before.ahNumber = before.stamp-1, before.ahNumber-1
		give("first", c.wire, "")
		give("again", c.wire, want)
		give("one from before", before, want)
		give("the next", next, "")
		give("the first once more", c.wire, want)
	}
}

// The modes of auth_hmac: who sends a signature, and who takes what has none, or a bad
// one.
func TestHMACModesFromTheirDescription(t *testing.T) {
	var signed, unsigned, bad wireAdvert
	for _, c := range authCases() {
		if c.name == "auth_hmac, version 3" {
			signed, unsigned, bad = c.wire, c.wire, c.wire
		}
	}
	unsigned.noTrailer, bad.badHMAC = true, true
	for mode, want := range map[HMACMode]struct {
		signs    bool
		unsigned Reason
	}{
		HMACEnforce:     {true, DropHMACMissing},
		HMACPermissive:  {true, ""},
		HMACReceiveOnly: {false, ""},
	} {
		cfg := withHMAC(mode)
		if got := judge(t, cfg, signed); got != "" {
			t.Errorf("%s drops a signed advert: %s", mode, got)
		}
		if got := judge(t, cfg, unsigned); got != want.unsigned {
			t.Errorf("%s counts an advert without a signature as %q, want %q", mode, got, want.unsigned)
		}
		if got := judge(t, cfg, bad); got != DropHMACInvalid {
			t.Errorf("%s counts a bad signature as %q", mode, got)
		}
		a := NewAuthenticator(cfg)
		a.Stamp(epoch)
		p := from(low, 150).Packet
		b, err := a.Append(nil, &p, low, oldChecksumGroup)
		whole, _ := signed.bytes()
		plainPDU, _ := unsigned.bytes()
		if wire := map[bool][]byte{true: whole, false: plainPDU}[want.signs]; err != nil || !bytes.Equal(b, wire) {
			t.Errorf("%s sends %x, %v, want %x", mode, b, err, wire)
		}
	}
}
