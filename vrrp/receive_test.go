package vrrp

import (
	"net/netip"
	"testing"
)

// TestDrops gives a backup adverts that its configuration does not allow: each is
// counted by its reason and leaves the timer alone.
func TestDrops(t *testing.T) {
	pass := Auth{Type: AuthPassword, Password: []byte("secret")}
	v2 := func(c *Config) { c.Version = 2; c.Auth = pass }
	unicast := func(c *Config) { c.Peers = []Peer{{Addr: low, MinTTL: 250, MaxTTL: 254}} }
	for _, c := range []struct {
		name   string
		config func(*Config)
		change func(*Advert)
		want   Reason
	}{
		{"version", nil, func(a *Advert) { a.Packet.Version = 2 }, DropVersion},
		{"authentication type", v2, func(a *Advert) { a.Packet.Auth = Auth{} }, DropAuthMismatch},
		{"password", v2, func(a *Advert) { a.Packet.Auth.Password = []byte("Secret") }, DropAuthFailed},
		{"v2 interval", v2, func(a *Advert) { a.Packet.Interval = 300 }, DropInterval},
		{"multicast to a unicast router", unicast, func(a *Advert) { a.Destination = oldChecksumGroup }, DropMode},
		{"unicast to a multicast router", nil, func(a *Advert) { a.Destination = us }, DropMode},
		{"unknown peer", unicast, func(a *Advert) { a.Source = high }, DropUnicastSource},
		{"unknown peer, source checked", func(c *Config) { c.Peers = []Peer{{Addr: low}}; c.CheckSource = true },
			func(a *Advert) { a.Source = high }, DropUnicastSource},
		{"TTL below", unicast, func(a *Advert) { a.TTL = 249 }, DropUnicastTTL},
		{"TTL above", unicast, func(a *Advert) { a.TTL = 255 }, DropUnicastTTL},
		{"family", nil, func(a *Advert) { a.Source = netip.MustParseAddr("fe80::1") }, DropFamily},
		{"no address", nil, func(a *Advert) { a.Packet.Addresses = nil }, DropAddressCount},
		{"VRID", nil, func(a *Advert) { a.Packet.VRID++ }, DropUnknownVRID},
	} {
		t.Run(c.name, func(t *testing.T) {
			cfg := plain()
			if c.config != nil {
				c.config(&cfg)
			}
			good := fromLike(cfg, low, 150)
			good.TTL = 252
			bad := good
			c.change(&bad)
			r := play(t, cfg, asBackup(step{"1s", bad, "drop " + string(c.want)}, step{"0s", nil, "3.609375s"}))
			out := r.Step(epoch.Add(1e9), &bad, nil)
			if d, ok := out[0].(Dropped); !ok || d.Detail != "" || d.Source != bad.Source {
				t.Errorf("repeated: %+v, want a drop without detail", out)
			}
			resume(t, r, []step{{"1s", good, ""}, {"0s", nil, "4.609375s"}})
		})
	}
}

// TestPasswordPadding compares passwords as eight bytes padded with zeros.
func TestPasswordPadding(t *testing.T) {
	for _, c := range []struct {
		a, b string
		want bool
	}{
		{"secret", "secret", true},
		{"secret", "secret\x00\x00", true},
		{"12345678", "123456789", true}, // only eight go on the wire
		{"secret", "secre", false},
		{"", "\x00", true},
	} {
		if got := samePassword([]byte(c.a), []byte(c.b)); got != c.want {
			t.Errorf("samePassword(%q, %q) = %v, want %v", c.a, c.b, got, c.want)
		}
	}
}

// An address list that differs is told once and the packet used; in another order
// it does not differ.
func TestAddressListDiffers(t *testing.T) {
	other := from(low, 150)
	other.Packet.Addresses = addrs("192.0.2.10", "192.0.2.99")
	turned := from(low, 150)
	turned.Packet.Addresses = []netip.Addr{vip2, vip1}
	script := asBackup(
		step{"1s", turned, ""},
		step{"2s", other, "address-list-differs"},
		step{"0s", nil, "5.609375s"},
		step{"3s", other, ""},
	)
	play(t, plain(), script)
	t.Run("skipped while the same master adverts", func(t *testing.T) {
		play(t, with(func(c *Config) { c.SkipCheckAddresses = true }), asBackup(
			step{"1s", turned, ""},
			step{"2s", other, ""},
			step{"3s", from(high, 150), ""},
			step{"4s", other, "address-list-differs"},
		))
		worse := other
		worse.Packet.Priority = 50
		play(t, with(func(c *Config) { c.SkipCheckAddresses = true }), asBackup(
			step{"1s", turned, ""},
			step{"4.609375s", fire, "advert 100; acquire 10,11"},
			step{"4.7s", Acquired{}, "announce 10,11 x5; BACKUP>MASTER master-down"},
			step{"5s", worse, "address-list-differs; lower-priority-master; advert 100"},
		))
	})
}

// What was told of one master is told of the next again.
func TestNoticesOfAnotherMaster(t *testing.T) {
	slow := func(peer netip.Addr) Advert {
		a := from(peer, 150)
		a.Packet.Interval = 200
		return a
	}
	play(t, plain(), asBackup(
		step{"1s", slow(low), "advert-interval-differs"},
		step{"2s", slow(low), ""},
		step{"3s", slow(high), "advert-interval-differs"},
		step{"4s", slow(high), ""},
	))
}

// A v3 unicast peer with the old checksum has our adverts in the same form.
func TestOldChecksumIsAnswered(t *testing.T) {
	cfg := with(func(c *Config) { c.Peers = []Peer{{Addr: low}} })
	old := from(low, 50)
	old.Packet.OldChecksum = true
	r := play(t, cfg, asBackup(step{"1s", old, "lower-priority-master"}))
	r.Step(epoch.Add(3609375000), fire, nil)
	out := r.Step(epoch.Add(4e9), Acquired{}, nil)
	if a, ok := out[0].(SendAdvert); !ok || !a.Packet.OldChecksum {
		t.Errorf("%+v, want an advert with the old checksum", out[0])
	}
	r.Step(epoch.Add(4e9), Reconfigure{plain()}, nil)
	out = r.Step(epoch.Add(6e9), fire, nil)
	if a, ok := out[0].(SendAdvert); !ok || a.Packet.OldChecksum {
		t.Errorf("%+v, want an advert without it once multicast is configured", out[0])
	}
}

// An IPv6 source with a zone is the same host as without.
func TestZones(t *testing.T) {
	cfg := with(func(c *Config) { c.IPv6 = true; c.Addresses = addrs("fe80::10") })
	a := fromLike(cfg, netip.MustParseAddr("fe80::5%eth0"), 50)
	play(t, cfg, []step{
		{"0s", LinkState{Up: true, Source: netip.MustParseAddr("fe80::5%eth1")}, ""},
		{"0s", Start{}, "INIT>BACKUP start"},
		{"1s", a, "own-advert-heard; drop own-advert"},
	})
}
