package vrrp

import (
	"bufio"
	"bytes"
	"encoding/hex"
	"errors"
	"net/netip"
	"os"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

var cmpAddr = cmp.Comparer(func(a, b netip.Addr) bool { return a == b })

// golden is one line of testdata/keepalived.txt.
type golden struct {
	name     string
	src, dst netip.Addr
	ttl      int
	pdu      []byte
}

func readGolden(t testing.TB) []golden {
	t.Helper()
	f, err := os.Open("testdata/keepalived.txt")
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	var all []golden
	for s := bufio.NewScanner(f); s.Scan(); {
		if strings.HasPrefix(s.Text(), "#") {
			continue
		}
		w := strings.Fields(s.Text())
		ttl, err := strconv.Atoi(w[3])
		if err != nil {
			t.Fatal(err)
		}
		pdu, err := hex.DecodeString(w[4])
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, golden{w[0], netip.MustParseAddr(w[1]), netip.MustParseAddr(w[2]), ttl, pdu})
	}
	return all
}

func (g golden) meta() Meta {
	return Meta{Source: g.src, Destination: g.dst, TTL: g.ttl, Unicast: !g.dst.IsMulticast()}
}

func addrs(list ...string) []netip.Addr {
	var all []netip.Addr
	for _, s := range list {
		all = append(all, netip.MustParseAddr(s))
	}
	return all
}

// TestKeepalivedPackets reads adverts of a real keepalived and writes the same bytes.
func TestKeepalivedPackets(t *testing.T) {
	secret := Auth{Type: AuthPassword, Password: []byte("secret")}
	want := map[string]Packet{
		"v2":                      {Version: 2, VRID: 20, Priority: 200, Interval: 200, Addresses: addrs("192.0.2.20")},
		"v2-pass":                 {Version: 2, VRID: 21, Priority: 255, Interval: 100, Auth: secret, Addresses: addrs("192.0.2.21", "192.0.2.22")},
		"v3":                      {Version: 3, VRID: 31, Priority: 150, Interval: 50, Addresses: addrs("192.0.2.31", "192.0.2.32", "192.0.2.33")},
		"v3-unicast":              {Version: 3, VRID: 32, Priority: 150, Interval: 50, Addresses: addrs("192.0.2.34")},
		"v3-one-address":          {Version: 3, VRID: 33, Priority: 150, Interval: 50, Addresses: addrs("192.0.2.35")},
		"v3-old-unicast-checksum": {Version: 3, VRID: 34, Priority: 150, Interval: 50, Addresses: addrs("192.0.2.36"), OldChecksum: true},
		"v3-ipv6":                 {Version: 3, VRID: 61, Priority: 150, Interval: 50, Addresses: addrs("fe80::61", "2001:db8::61")},
		"v2-ipv6":                 {Version: 2, VRID: 62, Priority: 150, Interval: 100, Addresses: addrs("fe80::62")},
	}
	all := readGolden(t)
	if len(all) != 2*len(want) {
		t.Fatalf("%d packets, want %d", len(all), 2*len(want))
	}
	for _, g := range all {
		t.Run(g.name, func(t *testing.T) {
			name, gaveUp := strings.CutSuffix(g.name, "-priority-0")
			w := want[name]
			if gaveUp {
				w.Priority = 0
			}
			got, err := Parse(g.pdu, g.meta())
			if err != nil {
				t.Fatal(err)
			}
			if d := cmp.Diff(w, got, cmpAddr); d != "" {
				t.Errorf("(-want +got)\n%s", d)
			}
			again, err := got.Append([]byte("before"), g.src, g.dst, false)
			if err != nil {
				t.Fatal(err)
			}
			if !bytes.Equal(again, append([]byte("before"), g.pdu...)) {
				t.Errorf("wrote %x, want %x", again[6:], g.pdu)
			}
			if id, ok := (Meta{}).PeekVRID(g.pdu); !ok || id != w.VRID {
				t.Errorf("PeekVRID %d %v, want %d", id, ok, w.VRID)
			}
		})
	}
}

// TestParseDrops breaks good packets in one way each; reference for the order of
// the checks is the order of the Reasons.
func TestParseDrops(t *testing.T) {
	packets := map[string]golden{}
	for _, g := range readGolden(t) {
		packets[g.name] = g
	}
	for _, c := range []struct {
		name, packet string
		change       func(*golden, *Meta)
		want         Reason
	}{
		{"empty", "v3", func(g *golden, m *Meta) { g.pdu = nil }, DropLength},
		{"short header", "v3", func(g *golden, m *Meta) { g.pdu = g.pdu[:7] }, DropLength},
		{"an address is cut", "v3", func(g *golden, m *Meta) { g.pdu = g.pdu[:19] }, DropLength},
		{"more addresses than bytes", "v3", func(g *golden, m *Meta) { g.pdu[3] = 255 }, DropLength},
		{"v2 without authentication data", "v2", func(g *golden, m *Meta) { g.pdu = g.pdu[:12] }, DropLength},
		{"ipv6 with bytes behind", "v3-ipv6", func(g *golden, m *Meta) { g.pdu = append(g.pdu, 0) }, DropLength},
		{"ttl", "v3", func(g *golden, m *Meta) { m.TTL = 254 }, DropTTL},
		{"hop limit", "v3-ipv6", func(g *golden, m *Meta) { m.TTL = 64 }, DropTTL},
		{"version 4", "v3", func(g *golden, m *Meta) { g.pdu[0] = 0x41 }, DropVersion},
		{"version 1", "v3", func(g *golden, m *Meta) { g.pdu[0] = 0x11 }, DropVersion},
		{"authentication type 3", "v2", func(g *golden, m *Meta) { g.pdu[4] = 3 }, DropAuthType},
		{"v3 interval 0", "v3", func(g *golden, m *Meta) { g.pdu[5] = 0 }, DropInterval},
		{"v3 interval 0 with reserved bits", "v3", func(g *golden, m *Meta) { g.pdu[4], g.pdu[5] = 0xf0, 0 }, DropInterval},
		{"v2 interval 0", "v2", func(g *golden, m *Meta) { g.pdu[5] = 0 }, DropInterval},
		{"type 2", "v3", func(g *golden, m *Meta) { g.pdu[0] = 0x32 }, DropType},
		{"v3 checksum", "v3", func(g *golden, m *Meta) { g.pdu[6] ^= 1 }, DropChecksum},
		{"v2 checksum", "v2-pass", func(g *golden, m *Meta) { g.pdu[23] ^= 1 }, DropChecksum},
		{"ipv6 checksum", "v3-ipv6", func(g *golden, m *Meta) { g.pdu[20] ^= 1 }, DropChecksum},
		{"source in the pseudo-header", "v3", func(g *golden, m *Meta) { m.Source = netip.MustParseAddr("192.0.2.7") }, DropChecksum},
		{"v2 style where it is not expected", "v3-one-address", func(g *golden, m *Meta) { g.pdu[6], g.pdu[7] = 0x76, 0x87 }, DropChecksum},
		{"old checksum on multicast", "v3-old-unicast-checksum", func(g *golden, m *Meta) { m.Unicast = false }, DropChecksum},
		{"length before ttl", "v3", func(g *golden, m *Meta) { g.pdu, m.TTL = g.pdu[:7], 1 }, DropLength},
		{"ttl before version", "v3", func(g *golden, m *Meta) { g.pdu[0], m.TTL = 0x41, 1 }, DropTTL},
		{"version before type", "v3", func(g *golden, m *Meta) { g.pdu[0] = 0x42 }, DropVersion},
		{"type before checksum", "v3", func(g *golden, m *Meta) { g.pdu[0], g.pdu[6] = 0x32, 0 }, DropType},
	} {
		t.Run(c.name, func(t *testing.T) {
			g := packets[c.packet]
			g.pdu = bytes.Clone(g.pdu)
			m := g.meta()
			c.change(&g, &m)
			_, err := Parse(g.pdu, m)
			var d *DropError
			if !errors.As(err, &d) || d.Reason != c.want {
				t.Errorf("got %v, want %s", err, c.want)
			}
		})
	}
}

// TestParseTolerates is what must not make a packet invalid.
func TestParseTolerates(t *testing.T) {
	for _, g := range readGolden(t) {
		if g.src.Is4() {
			// Ethernet pads short frames.
			if _, err := Parse(append(bytes.Clone(g.pdu), make([]byte, 26)...), g.meta()); err != nil {
				t.Errorf("%s with padding: %v", g.name, err)
			}
		}
		m := g.meta()
		if m.Unicast {
			m.TTL = 3
			if _, err := Parse(g.pdu, m); err != nil {
				t.Errorf("%s with TTL 3: %v", g.name, err)
			}
		}
		m.TTL = -1
		if _, err := Parse(g.pdu, m); err != nil {
			t.Errorf("%s with unknown TTL: %v", g.name, err)
		}
	}
	t.Run("any checksum where style 2 is configured", func(t *testing.T) {
		g := readGolden(t)[1]
		m := g.meta()
		g.pdu[6] ^= 0xff
		m.ChecksumV2Style = true
		if _, err := Parse(g.pdu, m); err != nil {
			t.Error(err)
		}
	})
}

// TestChecksumV2Style is a version 3 packet with a checksum over itself alone.
func TestChecksumV2Style(t *testing.T) {
	p := Packet{Version: 3, VRID: 33, Priority: 150, Interval: 50, Addresses: addrs("192.0.2.35")}
	b, err := p.Append(nil, low, oldChecksumGroup, true)
	if err != nil {
		t.Fatal(err)
	}
	if got := hex.EncodeToString(b[6:8]); got != "7687" {
		t.Errorf("checksum %s, want 7687", got)
	}
	if _, err := Parse(b, Meta{Source: low, Destination: oldChecksumGroup, TTL: 255, ChecksumV2Style: true}); err != nil {
		t.Error(err)
	}
}

// TestAppendRefuses is what has no form on the wire.
func TestAppendRefuses(t *testing.T) {
	good := Packet{Version: 3, VRID: 1, Priority: 1, Interval: 100, Addresses: addrs("192.0.2.1")}
	for _, c := range []struct {
		name   string
		change func(*Packet)
	}{
		{"version", func(p *Packet) { p.Version = 1 }},
		{"interval 0", func(p *Packet) { p.Interval = 0 }},
		{"interval of 13 bits", func(p *Packet) { p.Interval = 4096 }},
		{"v2 fraction of a second", func(p *Packet) { p.Version, p.Interval = 2, 150 }},
		{"v2 256 seconds", func(p *Packet) { p.Version, p.Interval = 2, 25600 }},
		{"v3 authentication", func(p *Packet) { p.Auth.Type = AuthPassword }},
		{"long password", func(p *Packet) { p.Version, p.Auth = 2, Auth{Type: AuthPassword, Password: []byte("123456789")} }},
		{"other family", func(p *Packet) { p.Addresses = addrs("2001:db8::1") }},
		{"no address at all", func(p *Packet) { p.Addresses = make([]netip.Addr, 1) }},
		{"256 addresses", func(p *Packet) { p.Addresses = make([]netip.Addr, 256) }},
	} {
		p := good
		c.change(&p)
		if b, err := p.Append(nil, us, high, false); err == nil {
			t.Errorf("%s: wrote %x", c.name, b)
		}
	}
	if _, err := good.Append(nil, us, high, false); err != nil {
		t.Error(err)
	}
}

// TestAuthenticationIsOfVersion2 leaves a version 3 router's password, which a
// configuration may still have, off the wire.
func TestAuthenticationIsOfVersion2(t *testing.T) {
	cfg := with(func(c *Config) { c.Auth = Auth{Type: AuthPassword, Password: []byte("secret")} })
	r := play(t, cfg, asBackup())
	out := r.Step(epoch.Add(4e9), fire, nil)
	if _, err := out[0].(SendAdvert).Packet.Append(nil, us, oldChecksumGroup, false); err != nil {
		t.Error(err)
	}
}

// FuzzParse asserts that Parse bears anything, and that what it accepts is written
// again in a form that it reads the same.
func FuzzParse(f *testing.F) {
	for _, g := range readGolden(f) {
		f.Add(g.pdu, g.src.Is6(), g.dst.IsMulticast(), false)
		f.Add(g.pdu, g.src.Is6(), g.dst.IsMulticast(), true)
	}
	f.Fuzz(func(t *testing.T, b []byte, v6, multicast, fix bool) {
		m := Meta{Source: netip.MustParseAddr("192.0.2.1"), Destination: netip.MustParseAddr("192.0.2.2"), TTL: 255, Unicast: !multicast}
		if multicast {
			m.Destination = oldChecksumGroup
		}
		if v6 {
			m.Source, m.Destination = netip.MustParseAddr("fe80::1"), netip.MustParseAddr("ff02::12")
		}
		if fix && len(b) >= headerLen {
			// Without help the fuzzer hardly ever finds a right checksum.
			b = bytes.Clone(b)
			if pdu, _, err := m.cut(b, v6); err == nil {
				pdu[6], pdu[7] = 0, 0
				c := ^fold(sum(checksumBase(pdu[0]>>4, m.Source, m.Destination, len(pdu), false), pdu))
				pdu[6], pdu[7] = uint8(c>>8), uint8(c)
			}
		}
		p, err := Parse(b, m)
		if err != nil {
			var d *DropError
			if !errors.As(err, &d) || d.Reason == "" || d.Detail() == "" {
				t.Fatalf("error %v is no complete DropError", err)
			}
			return
		}
		wire, err := p.Append(nil, m.Source, m.Destination, false)
		if err != nil {
			t.Fatalf("cannot write %+v: %v", p, err)
		}
		again, err := Parse(wire, m)
		if err != nil {
			t.Fatalf("cannot read what was written, %x: %v", wire, err)
		}
		if d := cmp.Diff(p, again, cmpAddr); d != "" {
			t.Fatalf("(-first +second)\n%s", d)
		}
	})
}
