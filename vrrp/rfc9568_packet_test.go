package vrrp

import (
	"net/netip"
	"testing"
	"time"
)

// One test for each normative sentence of RFC 9568 5 and 7 on packets, and for those of
// 6 that rfc9568_test.go does not have. wireAdvert lays the packets down by hand.

var rfcAdvert = wireAdvert{src: low, dst: oldChecksumGroup, ttl: 255, first: 0x31, vrid: 51, priority: 150, count: -1, word: [2]byte{0, 100}, addrs: []netip.Addr{vip1, vip2}}

func rfcAdvert6() (Config, wireAdvert) {
	w := rfcAdvert
	w.src, w.dst, w.addrs = netip.MustParseAddr("fe80::1"), netip.MustParseAddr("ff02::12"), addrs("fe80::10")
	return with(func(c *Config) { c.IPv6, c.Addresses, c.Group = true, addrs("fe80::10"), w.dst }), w
}

// dropped asserts what becomes of an advert that was changed.
func dropped(t *testing.T, cfg Config, w wireAdvert, change func(*wireAdvert), want Reason) {
	t.Helper()
	change(&w)
	if got := judge(t, cfg, w); got != want {
		t.Errorf("%+v is counted as %q, want %q", w, got, want)
	}
}

// 5.1.1.3 and 7.1: "A VRRP Router receiving a packet with the TTL not equal to 255 MUST
// discard the packet."
func TestRFC9568Section5113TTL(t *testing.T) {
	for _, ttl := range []int{0, 1, 64, 254} {
		dropped(t, plain(), rfcAdvert, func(w *wireAdvert) { w.ttl = ttl }, DropTTL)
	}
	dropped(t, plain(), rfcAdvert, func(*wireAdvert) {}, "")
}

// 5.1.2.3: "A VRRP Router receiving a packet with the Hop Limit not equal to 255 MUST
// discard the packet."
func TestRFC9568Section5123HopLimit(t *testing.T) {
	cfg, w := rfcAdvert6()
	for _, limit := range []int{0, 1, 64, 254} {
		dropped(t, cfg, w, func(w *wireAdvert) { w.ttl = limit }, DropTTL)
	}
	dropped(t, cfg, w, func(*wireAdvert) {}, "")
}

// 5.2.1 and 7.1: "MUST verify that the VRRP version is 3."
func TestRFC9568Section521Version(t *testing.T) {
	for _, version := range []byte{0, 1, 4, 15} {
		dropped(t, plain(), rfcAdvert, func(w *wireAdvert) { w.first = version<<4 | 1 }, DropVersion)
	}
	v2 := rfcAdvert
	v2.first, v2.word, v2.data = 0x21, [2]byte{0, 1}, make([]byte, 8)
	dropped(t, plain(), v2, func(*wireAdvert) {}, DropVersion)
}

// 5.2.2: "A packet with unknown type MUST be discarded."
func TestRFC9568Section522Type(t *testing.T) {
	for kind := range byte(16) {
		want := DropType
		if kind == 1 {
			want = ""
		}
		dropped(t, plain(), rfcAdvert, func(w *wireAdvert) { w.first = 0x30 | kind }, want)
	}
}

// 5.2.3 and 7.1: "MUST verify that the VRID is configured on the receiving interface."
func TestRFC9568Section523VRID(t *testing.T) {
	dropped(t, plain(), rfcAdvert, func(w *wireAdvert) { w.vrid = 52 }, DropUnknownVRID)
}

// 5.2.4: "The priority value 0 has special meaning, indicating that the current Active
// Router has stopped participating in VRRP. This is used to trigger Backup Routers to
// quickly transition to Active without having to wait for the current Active Router to
// time out."
func TestRFC9568Section524PriorityZero(t *testing.T) {
	play(t, plain(), asBackup(
		step{"3s", from(low, 0), ""},
		step{"0s", nil, "3.609375s"},
		step{"3.609375s", fire, "acquire 10,11"},
	))
}

// 5.2.5: "If the received count is 0, the VRRP advertisement MUST be ignored." A count
// that the packet has no room for makes it incomplete (7.1).
func TestRFC9568Section525AddressCount(t *testing.T) {
	dropped(t, plain(), rfcAdvert, func(w *wireAdvert) { w.addrs = nil }, DropAddressCount)
	dropped(t, plain(), rfcAdvert, func(w *wireAdvert) { w.count = 3 }, DropLength)
}

// 5.2.6: "This reserved field MUST be set to zero on transmission and ignored on
// reception."
func TestRFC9568Section526Reserved(t *testing.T) {
	for bits := range byte(16) {
		dropped(t, plain(), rfcAdvert, func(w *wireAdvert) { w.word[0] |= bits << 4 }, "")
	}
	p := from(us, 100).Packet
	for _, interval := range []uint16{1, 100, 4095} {
		p.Interval = interval
		b, err := p.Append(nil, us, oldChecksumGroup, false)
		if err != nil || b[4]>>4 != 0 {
			t.Errorf("%x, %v: the reserved bits are not zero", b, err)
		}
	}
}

// 5.2.7: "The Maximum Advertisement Interval is a 12-bit field that indicates the time
// interval (in centiseconds) between ADVERTISEMENTS": 7.1 asks to log one that differs,
// and not to drop it; a backup goes by it (6.1).
func TestRFC9568Section527MaxAdvertInterval(t *testing.T) {
	for _, c := range []struct {
		word [2]byte
		want time.Duration
	}{{[2]byte{0, 1}, 10 * time.Millisecond}, {[2]byte{0x0f, 0xff}, 40950 * time.Millisecond}, {[2]byte{1, 0x2c}, 3 * time.Second}} {
		w := rfcAdvert
		w.word = c.word
		b, m := w.bytes()
		in := Advert{Source: m.Source, Destination: m.Destination, TTL: m.TTL}
		if err := NewAuthenticator(plain()).Parse(&in.Packet, b, m, epoch); err != nil {
			t.Fatal(err)
		}
		r := play(t, plain(), asBackup(step{"1s", in, "advert-interval-differs"}))
		if got := r.Status().MasterInterval; got != c.want {
			t.Errorf("%x: Active_Adver_Interval %v, want %v", c.word, got, c.want)
		}
	}
}

// 5.2.8 and 7.1: "MUST verify the VRRP checksum", over the whole packet and, for IPv4 and
// IPv6, the pseudo-header of RFC 8200 8.1.
func TestRFC9568Section528Checksum(t *testing.T) {
	cfg6, w6 := rfcAdvert6()
	for _, c := range []struct {
		cfg Config
		w   wireAdvert
	}{{plain(), rfcAdvert}, {cfg6, w6}} {
		b, m := c.w.bytes()
		for bit := range len(b) * 8 {
			if bit < 8 || bit >= 24 && bit < 32 {
				continue // version, type and count have checks of their own before
			}
			broken := append([]byte(nil), b...)
			broken[bit/8] ^= 1 << (bit % 8)
			if err := NewAuthenticator(c.cfg).Parse(new(Packet), broken, m, epoch); err == nil {
				t.Errorf("bit %d is wrong, and nobody sees it", bit)
			}
		}
		for _, change := range []func(*Meta){
			func(m *Meta) { m.Source = m.Source.Next() },
			func(m *Meta) { m.Destination = m.Destination.Next() },
		} {
			other := m
			change(&other)
			wantDrop(t, "another address in the pseudo-header", NewAuthenticator(c.cfg).Parse(new(Packet), b, other, epoch), DropChecksum)
		}
	}
}

// 5.2.9: "For IPv6, the first address MUST be the IPv6 link-local address associated with
// the Virtual Router", in the order configured: what is configured is sent as it is.
func TestRFC9568Section529Addresses(t *testing.T) {
	cfg, _ := rfcAdvert6()
	cfg.Addresses = addrs("fe80::10", "2001:db8::2", "2001:db8::1")
	r := NewRouter(cfg)
	got := r.packet(100)
	for i, a := range cfg.Addresses {
		if got.Addresses[i] != a {
			t.Errorf("address %d is %v, want %v", i, got.Addresses[i], a)
		}
	}
}

// 6.4.1, IPv6: "for each IPv6 address [...] send an unsolicited ND Neighbor Advertisement",
// behind the ADVERTISEMENT.
func TestRFC9568Section641OwnerStartsAsMasterIPv6(t *testing.T) {
	cfg, _ := rfcAdvert6()
	cfg.Priority, cfg.StateMaster = 255, true
	play(t, cfg, []step{
		{"0s", LinkState{Up: true, Source: netip.MustParseAddr("fe80::5")}, ""},
		{"0s", Start{}, "advert 255; acquire 10"},
		{"0.01s", Acquired{}, "announce 10 x5; INIT>MASTER start"},
	})
}

// 6.4.2: "MUST NOT respond to ARP requests", "to ND Neighbor Solicitation", "MUST NOT send
// ND Router Advertisement", "MUST NOT accept packets": on its way from the start to
// MASTER and back a router holds an address only while it is, or becomes, master.
func TestRFC9568Section642HoldsOnlyAsMaster(t *testing.T) {
	r := NewRouter(plain())
	holds := 0
	for i, s := range asMaster(
		step{"4.2s", from(high, 200), ""}, step{"5.2s", from(high, 200), ""}, step{"6s", fails, ""}, step{"7s", recovers, ""},
	) {
		at, err := time.ParseDuration(s.at)
		if err != nil {
			t.Fatal(err)
		}
		r.Step(epoch.Add(at), s.in, nil)
		p := r.Phase()
		held := len(r.Status().Held)
		if may := p.State == Master || p.Acquiring; held > 0 && !may {
			t.Errorf("step %d: %v holds %d addresses", i, p.State, held)
		}
		holds += held
	}
	if holds == 0 {
		t.Error("it never held any")
	}
}

// 6.4.3: "MUST respond to ARP requests for the IPv4 address(es)", "MUST accept packets":
// a master holds every address, those of virtual_ipaddress_excluded too.
func TestRFC9568Section643HoldsEveryAddress(t *testing.T) {
	cfg := with(func(c *Config) { c.Excluded = addrs("2001:db8::7") })
	r := play(t, cfg, asBackup(
		step{"3.609375s", fire, "advert 100; acquire 10,11,7"},
		step{"4s", Acquired{}, "announce 10,11,7 x5; BACKUP>MASTER master-down"},
	))
	if held := r.Status().Held; len(held) != 3 {
		t.Errorf("a master holds %v", held)
	}
}

// 7.1: "MUST verify that the received packet contains the complete VRRP packet."
func TestRFC9568Section71Complete(t *testing.T) {
	whole, m := rfcAdvert.bytes()
	for n := range whole {
		wantDrop(t, "cut", NewAuthenticator(plain()).Parse(new(Packet), whole[:n], m, epoch), DropLength)
	}
}

// 7.1: "MUST verify that the VRID is configured on the receiving interface and the local
// router is not the IPvX address owner (Priority = 255)": with owner_ignore_adverts, for
// keepalived listens as an owner too.
func TestRFC9568Section71Owner(t *testing.T) {
	owner := with(func(c *Config) { c.Priority, c.OwnerIgnoreAdverts = 255, true })
	dropped(t, owner, rfcAdvert, func(*wireAdvert) {}, DropOwner)
}

// 7.1: "If any one of the above checks fails, the receiver MUST discard the packet, SHOULD
// log the event (subject to rate-limiting)": the first of a kind is told with its
// numbers, the others are counted.
func TestRFC9568Section71LogsAreLimited(t *testing.T) {
	r := play(t, plain(), asBackup())
	bad := from(low, 150)
	bad.Packet.VRID++
	told := 0
	for i := range 1000 {
		for _, o := range r.Step(epoch.Add(time.Duration(i)*time.Millisecond), &bad, nil) {
			if d, ok := o.(Dropped); ok && d.Detail != "" {
				told++
			}
		}
	}
	if told != 1 {
		t.Errorf("told %d times in a thousand, want once", told)
	}
}

// 7.2: "Fill in the VRRP packet fields with the appropriate virtual router configuration
// state; compute the VRRP checksum": what a master sends is what 5.1 describes.
func TestRFC9568Section72Transmit(t *testing.T) {
	r := play(t, plain(), asMaster())
	out := r.Step(epoch.Add(4609375*time.Microsecond), fire, nil)
	p := out[0].(SendAdvert).Packet
	b, err := NewAuthenticator(plain()).Append(nil, &p, us, oldChecksumGroup)
	if err != nil {
		t.Fatal(err)
	}
	w := rfcAdvert
	w.src, w.priority = us, 100
	if want, _ := w.bytes(); string(b) != string(want) {
		t.Errorf("sent %x, want %x", b, want)
	}
}
