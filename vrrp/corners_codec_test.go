package vrrp

import (
	"bytes"
	"net/netip"
	"testing"
	"time"
)

// What a packet may carry up to its limits, and must not beyond them.
func TestAppendCorners(t *testing.T) {
	many := make([]netip.Addr, 256)
	for i := range many {
		many[i] = netip.AddrFrom4([4]byte{198, 51, 100, byte(i)})
	}
	v2 := func(p *Packet) { p.Version = 2 }
	for _, c := range []struct {
		name   string
		change func(*Packet)
		bytes  int // 0 is refused
	}{
		{"255 addresses", func(p *Packet) { p.Addresses = many[:255] }, 8 + 4*255},
		{"256 addresses", func(p *Packet) { p.Addresses = many }, 0},
		{"40.95 s", func(p *Packet) { p.Interval = 4095 }, 12},
		{"version 2, 255 s", func(p *Packet) { v2(p); p.Interval = 25500 }, 20},
		{"version 2, 0 s", func(p *Packet) { v2(p); p.Interval = 0 }, 0},
		{"eight bytes of a password", func(p *Packet) { v2(p); p.Auth = Auth{AuthPassword, []byte("12345678")} }, 20},
		{"a key that is none of the packet's", func(p *Packet) { v2(p); p.Auth = Auth{AuthNone, []byte("secret")} }, 20},
	} {
		p := Packet{Version: 3, VRID: 1, Priority: 1, Interval: 100, Addresses: many[:1]}
		c.change(&p)
		b, err := p.Append(nil, us, oldChecksumGroup, false)
		if len(b) != c.bytes || (err == nil) != (c.bytes > 0) {
			t.Errorf("%s: %d bytes, %v, want %d", c.name, len(b), err, c.bytes)
		}
		if p.Auth.Type == AuthNone && bytes.Contains(b, []byte("secret")) {
			t.Errorf("%s: the password is in %x", c.name, b)
		}
	}
	t.Run("the old checksum is one of IPv4", func(t *testing.T) {
		p := Packet{Version: 3, VRID: 1, Priority: 1, Interval: 100, Addresses: addrs("fe80::10")}
		src, dst := netip.MustParseAddr("fe80::1"), netip.MustParseAddr("fe80::2")
		want, _ := p.Append(nil, src, dst, false)
		p.OldChecksum = true
		if got, err := p.Append(nil, src, dst, false); err != nil || !bytes.Equal(got, want) {
			t.Errorf("%x, %v, want %x", got, err, want)
		}
	})
}

// An address of IPv4 in the form of IPv6 is the same address.
func TestMappedAddresses(t *testing.T) {
	mapped := func(a netip.Addr) netip.Addr { return netip.AddrFrom16(a.As16()) }
	p := from(low, 150).Packet
	want, err := p.Append(nil, low, oldChecksumGroup, false)
	if err != nil {
		t.Fatal(err)
	}
	if got, err := p.Append(nil, mapped(low), mapped(oldChecksumGroup), false); err != nil || !bytes.Equal(got, want) {
		t.Errorf("%x, %v, want %x", got, err, want)
	}
	a := NewAuthenticator(plain())
	if got, err := a.Append(nil, &p, mapped(low), mapped(oldChecksumGroup)); err != nil || !bytes.Equal(got, want) {
		t.Errorf("authenticator: %x, %v, want %x", got, err, want)
	}
	m := Meta{Source: mapped(low), Destination: mapped(oldChecksumGroup), TTL: 255}
	padded := append(bytes.Clone(want), 0)
	wantDrop(t, "mapped, with padding", a.Parse(new(Packet), padded, m, epoch), "")
	good := ahVectors(t)[0]
	good.meta.Source, good.meta.Destination = mapped(good.meta.Source), mapped(good.meta.Destination)
	wantDrop(t, "AH, mapped", NewAuthenticator(good.cfg).Parse(new(Packet), good.b, good.meta, epoch), "")
}

func TestParseCorners(t *testing.T) {
	wire := func(version uint8, src, dst netip.Addr, auth Auth, list ...netip.Addr) []byte {
		p := Packet{Version: version, VRID: 51, Priority: 150, Interval: 100, Auth: auth, Addresses: list}
		b, err := p.Append(nil, src, dst, false)
		if err != nil {
			t.Fatal(err)
		}
		return b
	}
	v6, group6 := netip.MustParseAddr("fe80::1"), netip.MustParseAddr("ff02::12")
	t.Run("any checksum is good of version 3 over IPv4 alone", func(t *testing.T) {
		for name, c := range map[string]struct {
			b        []byte
			src, dst netip.Addr
			want     Reason
		}{
			"version 3":       {wire(3, low, oldChecksumGroup, Auth{}, vip1), low, oldChecksumGroup, ""},
			"version 2":       {wire(2, low, oldChecksumGroup, Auth{}, vip1), low, oldChecksumGroup, DropChecksum},
			"version 3, IPv6": {wire(3, v6, group6, Auth{}, v6), v6, group6, DropChecksum},
		} {
			c.b[6] ^= 0x55
			_, err := Parse(c.b, Meta{Source: c.src, Destination: c.dst, TTL: 255, ChecksumV2Style: true})
			wantDrop(t, name, err, c.want)
		}
	})
	t.Run("source and destination are of one family", func(t *testing.T) {
		_, err := Parse(wire(2, low, oldChecksumGroup, Auth{}, vip1), Meta{Source: low, Destination: group6, TTL: 255})
		wantDrop(t, "version 2", err, DropFamily)
		m := ahVectors(t)[0].meta
		m.Destination = group6
		wantDrop(t, "AH", NewAuthenticator(withAH("secret")).Parse(new(Packet), ahVectors(t)[0].b, m, epoch), DropFamily)
	})
	t.Run("a packet that is used again keeps no password", func(t *testing.T) {
		var p Packet
		m := Meta{Source: low, Destination: oldChecksumGroup, TTL: 255}
		if err := ParseInto(&p, wire(2, low, oldChecksumGroup, Auth{AuthPassword, []byte("secret")}, vip1), m); err != nil || string(p.Auth.Password) != "secret" {
			t.Fatalf("%+v, %v", p, err)
		}
		if err := ParseInto(&p, wire(2, low, oldChecksumGroup, Auth{}, vip1), m); err != nil || len(p.Auth.Password) != 0 {
			t.Errorf("%+v, %v, want no password", p, err)
		}
	})
	t.Run("a packet too short for a VRID has none", func(t *testing.T) {
		for n := range headerLen {
			if id, ok := (Meta{}).PeekVRID(make([]byte, n)); ok {
				t.Errorf("VRID %d in %d bytes", id, n)
			}
		}
		for n := range ahLen + headerLen {
			if id, ok := (Meta{AH: true}).PeekVRID(make([]byte, n)); ok {
				t.Errorf("VRID %d in %d bytes with AH", id, n)
			}
		}
		b := wire(3, low, oldChecksumGroup, Auth{})
		if id, ok := (Meta{}).PeekVRID(b); !ok || id != 51 {
			t.Errorf("VRID %d %v in a bare header", id, ok)
		}
	})
}

// A good digest does not make good what RFC 2402 and keepalived have in the header.
func TestAHHeader(t *testing.T) {
	for name, change := range map[string]func(b []byte){
		"next header":   func(b []byte) { b[0] = 6 },
		"length":        func(b []byte) { b[1] = 5 },
		"SPI":           func(b []byte) { b[ahSPI]++ },
		"nothing wrong": func([]byte) {},
	} {
		v := ahVectors(t)[0]
		a := NewAuthenticator(v.cfg)
		change(v.b)
		copy(v.b[ahICV:], a.ah.digest(v.b, v.meta, multicastTTL))
		want := DropAuthFailed
		if name == "nothing wrong" {
			want = ""
		}
		wantDrop(t, name, a.Parse(new(Packet), v.b, v.meta, epoch), want)
	}
}

// AH is of version 2 over IPv4 alone, whatever else is configured.
func TestAuthenticatorCorners(t *testing.T) {
	for name, change := range map[string]func(*Config){
		"version 3": func(c *Config) { c.Version = 3 },
		"IPv6":      func(c *Config) { c.IPv6 = true },
		"PASS":      func(c *Config) { c.Auth.Type = AuthPassword },
	} {
		cfg := withAH("secret")
		change(&cfg)
		if NewAuthenticator(cfg).AH() {
			t.Errorf("%s: with AH", name)
		}
	}
	t.Run("the style of checksums is the configuration's", func(t *testing.T) {
		cfg := with(func(c *Config) { c.ChecksumV2Style = true })
		p := from(low, 150).Packet
		got, err := NewAuthenticator(cfg).Append(nil, &p, low, oldChecksumGroup)
		want, _ := p.Append(nil, low, oldChecksumGroup, true)
		if err != nil || !bytes.Equal(got, want) {
			t.Errorf("%x, %v, want %x", got, err, want)
		}
	})
	t.Run("a router's advert says that AH is its authentication", func(t *testing.T) {
		r := play(t, withAH("secret"), asBackup())
		if p := r.Step(epoch.Add(4*time.Second), fire, nil)[0].(SendAdvert).Packet; p.Auth.Type != AuthAH {
			t.Errorf("type %d, want %d", p.Auth.Type, AuthAH)
		}
	})
	t.Run("a unicast peer that a reload adds begins anew", func(t *testing.T) {
		cfg := withHMAC(HMACEnforce)
		cfg.HMAC.Monotonic, cfg.Peers = true, []Peer{{Addr: low}}
		a := NewAuthenticator(cfg)
		m := Meta{Source: low, Destination: us, TTL: 255, Unicast: true}
		peer := NewAuthenticator(cfg)
		hear := func(what string, b []byte, want Reason) {
			t.Helper()
			wantDrop(t, what, a.Parse(new(Packet), b, m, epoch), want)
		}
		first := hmacSend(t, peer, low, epoch)
		hear("first", first, "")
		cfg.Peers = []Peer{{Addr: low}, {Addr: high}}
		a.Reconfigure(cfg)
		hear("first again after the reload", first, DropHMACReplayed)
		m.Source = high
		hear("the new peer", hmacSend(t, NewAuthenticator(cfg), high, epoch.Add(-time.Hour)), "")
	})
}
