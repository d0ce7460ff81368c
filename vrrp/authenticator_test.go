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
	"time"

	"github.com/google/go-cmp/cmp"
)

// fieldsOf reads the lines of a file of vectors as words.
func fieldsOf(t testing.TB, path string) [][]string {
	t.Helper()
	f, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	var all [][]string
	for s := bufio.NewScanner(f); s.Scan(); {
		if !strings.HasPrefix(s.Text(), "#") {
			all = append(all, strings.Fields(s.Text()))
		}
	}
	if len(all) == 0 {
		t.Fatalf("%s is empty", path)
	}
	return all
}

func number(t testing.TB, s string) int {
	t.Helper()
	n, err := strconv.Atoi(s)
	if err != nil {
		t.Fatal(err)
	}
	return n
}

func unhex(t testing.TB, s string) []byte {
	t.Helper()
	b, err := hex.DecodeString(s)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// wantDrop asserts that an error is a drop for a reason, "" for none.
func wantDrop(t *testing.T, what string, err error, want Reason) {
	t.Helper()
	var d *DropError
	switch {
	case want == "" && err != nil:
		t.Errorf("%s: %v, want it accepted", what, err)
	case want != "" && (!errors.As(err, &d) || d.Reason != want || d.Detail() == ""):
		t.Errorf("%s: %v, want %s", what, err, want)
	}
}

// withAH is a version 2 router with a password for AH.
func withAH(password string) Config {
	return with(func(c *Config) {
		c.Version, c.VRID = 2, 41
		c.Auth = Auth{Type: AuthAH, Password: []byte(password)}
	})
}

// ahVector is a packet of keepalived.
type ahVector struct {
	name string
	meta Meta
	b    []byte
	cfg  Config
}

func ahVectors(t testing.TB) []ahVector {
	t.Helper()
	var all []ahVector
	for _, w := range fieldsOf(t, "testdata/keepalived-ah.txt") {
		v := ahVector{name: w[0], b: unhex(t, w[5]), cfg: withAH("secret"), meta: Meta{
			Source: netip.MustParseAddr(w[1]), Destination: netip.MustParseAddr(w[2]),
			TTL: number(t, w[3]), ID: uint16(number(t, w[4])), AH: true,
		}}
		if strings.HasPrefix(v.name, "unicast") {
			v.meta.Unicast = true
			v.cfg = withAH("longer-password-than-8")
		}
		all = append(all, v)
	}
	return all
}

// TestKeepalivedAH reads packets of a real keepalived, and writes the same bytes
// but for what follows from another IP identification.
func TestKeepalivedAH(t *testing.T) {
	for _, v := range ahVectors(t) {
		t.Run(v.name, func(t *testing.T) {
			a := NewAuthenticator(v.cfg)
			if !a.AH() {
				t.Fatal("no AH")
			}
			var p Packet
			if err := a.Parse(&p, v.b, v.meta, epoch); err != nil {
				t.Fatal(err)
			}
			if !p.Authenticated || p.Auth.Type != AuthAH || len(p.Auth.Password) > 0 {
				t.Errorf("read %+v, want it authenticated by AH", p)
			}
			if id, ok := v.meta.PeekVRID(v.b); !ok || id != p.VRID {
				t.Errorf("PeekVRID %d %v, want %d", id, ok, p.VRID)
			}
			wantDrop(t, "again", a.Parse(&p, v.b, v.meta, epoch), DropAHReplayed)

			sender := NewAuthenticator(v.cfg)
			sender.ah.sequence = a.ah.sequence
			got, err := sender.Append([]byte("before"), &p, v.meta.Source, v.meta.Destination)
			if err != nil {
				t.Fatal(err)
			}
			got = got[len("before"):]
			if !bytes.Equal(got[:ahICV], v.b[:ahICV]) || !bytes.Equal(got[ahLen:], v.b[ahLen:]) {
				t.Errorf("wrote %x, want %x", got, v.b)
			}
			if v.meta.ID == AHIdentification && !bytes.Equal(got, v.b) {
				t.Errorf("digest %x, want %x", got[ahICV:ahLen], v.b[ahICV:ahLen])
			}
		})
	}
}

// TestAHDrops breaks a good packet in one way each.
func TestAHDrops(t *testing.T) {
	good := ahVectors(t)[0]
	for _, c := range []struct {
		name   string
		change func(*ahVector)
		want   Reason
	}{
		{"good", func(*ahVector) {}, ""},
		{"TTL known to be right", func(v *ahVector) { v.meta.TTL = -1 }, ""},
		{"no header", func(v *ahVector) { v.b, v.meta.AH = v.b[ahLen:], false }, DropAuthMismatch},
		{"a header where none is due", func(v *ahVector) { v.cfg.Auth = Auth{} }, DropAuthMismatch},
		{"half a header", func(v *ahVector) { v.b = v.b[:20] }, DropLength},
		{"nothing behind the header", func(v *ahVector) { v.b = v.b[:ahLen] }, DropLength},
		{"TTL", func(v *ahVector) { v.meta.TTL = 254 }, DropTTL},
		{"version", func(v *ahVector) { v.b[ahLen] = 0x41 }, DropVersion},
		{"version 3, which has no such header", func(v *ahVector) { v.b[ahLen] = 0x31 }, DropVersion},
		{"authentication type 0", func(v *ahVector) { v.b[ahLen+4] = 0 }, DropAuthMismatch},
		{"authentication type 7", func(v *ahVector) { v.b[ahLen+4] = 7 }, DropAuthType},
		{"next header", func(v *ahVector) { v.b[0] = 6 }, DropAuthFailed},
		{"header length", func(v *ahVector) { v.b[1] = 5 }, DropAuthFailed},
		{"SPI", func(v *ahVector) { v.b[ahSPI]++ }, DropAuthFailed},
		{"source", func(v *ahVector) { v.meta.Source = high }, DropAuthFailed},
		{"destination", func(v *ahVector) { v.meta.Destination = high }, DropAuthFailed},
		{"identification", func(v *ahVector) { v.meta.ID++ }, DropAuthFailed},
		{"sequence number 0", func(v *ahVector) { v.b[ahNumber+3] = 0 }, DropAHReplayed},
		{"sequence number", func(v *ahVector) { v.b[ahNumber+3]++ }, DropAuthFailed},
		{"digest", func(v *ahVector) { v.b[ahLen-1]++ }, DropAuthFailed},
		{"packet", func(v *ahVector) { v.b[ahLen+2]++ }, DropAuthFailed},
		{"bytes behind", func(v *ahVector) { v.b = append(v.b, 0) }, DropAuthFailed},
		{"password", func(v *ahVector) { v.cfg = withAH("Secret") }, DropAuthFailed},
		{"IPv6", func(v *ahVector) { v.meta.Source = netip.MustParseAddr("fe80::1") }, DropFamily},
	} {
		v := good
		v.b = bytes.Clone(v.b)
		c.change(&v)
		a := NewAuthenticator(v.cfg)
		wantDrop(t, c.name, a.Parse(new(Packet), v.b, v.meta, epoch), c.want)
		if c.want != "" && a.ah != nil && a.ah.sequence != 0 {
			t.Errorf("%s: sequence number %d is taken from a bad packet", c.name, a.ah.sequence)
		}
	}
	t.Run("the digest may leave the TTL out, or not", func(t *testing.T) {
		a := NewAuthenticator(good.cfg)
		b := bytes.Clone(good.b)
		copy(b[ahICV:], a.ah.digest(b, good.meta, 0))
		wantDrop(t, "RFC 2402", a.Parse(new(Packet), b, good.meta, epoch), "")
		m := good.meta
		m.Unicast = true
		copy(b[ahICV:], a.ah.digest(b, m, 64))
		wantDrop(t, "any TTL", NewAuthenticator(good.cfg).Parse(new(Packet), b, m, epoch), DropAuthFailed)
	})
}

// ahSend is one advert of an authenticator, from low.
func ahSend(t *testing.T, a *Authenticator, now time.Time) []byte {
	t.Helper()
	a.Stamp(now)
	p := Packet{Version: 2, VRID: 41, Priority: 100, Interval: 100, Auth: Auth{Type: AuthAH}, Addresses: addrs("192.0.2.10")}
	b, err := a.Append(nil, &p, low, oldChecksumGroup)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// AH: numbers grow, with the clock and past it, those sent and those heard in one
// count; a packet that is not newer than either is a replay.
func TestAHSequence(t *testing.T) {
	m := Meta{Source: low, Destination: oldChecksumGroup, TTL: 255, AH: true, ID: AHIdentification}
	peer, us := NewAuthenticator(withAH("secret")), NewAuthenticator(withAH("secret"))
	hear := func(b []byte, want Reason) {
		t.Helper()
		wantDrop(t, "sent", us.Parse(new(Packet), b, m, epoch), want)
	}
	first := ahSend(t, peer, epoch)
	hear(first, "")
	hear(first, DropAHReplayed)
	second, third := ahSend(t, peer, epoch), ahSend(t, peer, epoch)
	hear(third, "")
	hear(second, DropAHReplayed)
	if got := peer.ah.sequence; got != uint32(epoch.Unix())+2 {
		t.Errorf("sequence number %d after three adverts in a second, want %d", got, epoch.Unix()+2)
	}
	us.Stamp(epoch)
	if us.ah.sequence != peer.ah.sequence+1 {
		t.Errorf("we go on with %d after %d was heard", us.ah.sequence, peer.ah.sequence)
	}
	hear(ahSend(t, peer, epoch), DropAHReplayed) // it was in our name already

	// A process that starts again goes on where its clock is.
	peer = NewAuthenticator(withAH("secret"))
	hear(ahSend(t, peer, epoch.Add(10*time.Second)), "")
	// Another password keeps the count, no AH at all does not.
	us.Reconfigure(withAH("other"))
	if us.ah.sequence != peer.ah.sequence {
		t.Errorf("sequence number %d after a reload, want %d", us.ah.sequence, peer.ah.sequence)
	}
	us.Reconfigure(plain())
	if us.AH() {
		t.Error("AH without being configured")
	}
	peer.ah.sequence = ahLastSeq - 1
	peer.Stamp(epoch)
	peer.Stamp(epoch)
	if peer.ah.sequence != ahLastSeq {
		t.Errorf("sequence number %d after the last, must not begin again", peer.ah.sequence)
	}
}

// The password is the key of AH, and does not go on the wire.
func TestAHPasswordStaysHome(t *testing.T) {
	cfg := withAH("longer-password-than-8")
	r := play(t, cfg, asBackup())
	out := r.Step(epoch.Add(4e9), fire, nil)
	p := out[0].(SendAdvert).Packet
	b, err := NewAuthenticator(cfg).Append(nil, &p, us, oldChecksumGroup)
	if err != nil {
		t.Fatal(err)
	}
	if bytes.Contains(b, []byte("longer")) {
		t.Errorf("the password is in %x", b)
	}
}

// A router with AH or with auth_hmac enforced takes no advert that no
// Authenticator has seen.
func TestRouterWantsAuthenticated(t *testing.T) {
	cfg := withAH("secret")
	seen := fromLike(cfg, low, 150)
	seen.Packet.Authenticated = true
	play(t, cfg, asBackup(step{"1s", fromLike(cfg, low, 150), "drop auth-failed"}, step{"1s", seen, ""}))
	cfg = withHMAC(HMACEnforce)
	seen = fromLike(cfg, low, 150)
	seen.Packet.Authenticated = true
	play(t, cfg, asBackup(step{"1s", fromLike(cfg, low, 150), "drop hmac-missing"}, step{"1s", seen, ""}))
	cfg = withHMAC(HMACPermissive)
	play(t, cfg, asBackup(step{"1s", fromLike(cfg, low, 150), ""}))
}

// Without AH and auth_hmac an Authenticator is Parse and Append.
func TestAuthenticatorOfNothing(t *testing.T) {
	for _, g := range readGolden(t) {
		want, err := Parse(g.pdu, g.meta())
		if err != nil {
			t.Fatal(err)
		}
		a := NewAuthenticator(with(func(c *Config) {
			c.Version, c.Auth, c.AdvertInterval = want.Version, want.Auth, interval(&want)
		}))
		a.Stamp(epoch)
		var got Packet
		if err := a.Parse(&got, g.pdu, g.meta(), epoch); err != nil {
			t.Fatal(err)
		}
		if d := cmp.Diff(want, got, cmpAddr); d != "" {
			t.Errorf("%s (-want +got)\n%s", g.name, d)
		}
		b, err := a.Append(nil, &got, g.src, g.dst)
		if err != nil || !bytes.Equal(b, g.pdu) {
			t.Errorf("%s: wrote %x, %v", g.name, b, err)
		}
		if g.src.Is6() {
			wantDrop(t, "bytes behind", a.Parse(&got, append(bytes.Clone(g.pdu), 0), g.meta(), epoch), DropLength)
		}
	}
	p := Packet{Version: 9}
	if b, err := NewAuthenticator(plain()).Append([]byte("before"), &p, us, low); err == nil || string(b) != "before" {
		t.Errorf("%q, %v for what has no form on the wire", b, err)
	}
}

// Authentication in steady state allocates nothing.
func TestAuthenticationAllocatesNothing(t *testing.T) {
	for name, cfg := range map[string]Config{"AH": withAH("secret"), "auth_hmac": withHMAC(HMACEnforce)} {
		t.Run(name, func(t *testing.T) {
			peer, us := NewAuthenticator(cfg), NewAuthenticator(cfg)
			p := fromLike(cfg, low, 100).Packet
			p.Auth.Password = nil
			m := Meta{Source: low, Destination: oldChecksumGroup, TTL: 255, AH: us.AH(), ID: AHIdentification}
			var got Packet
			b := make([]byte, 0, 200)
			now := epoch
			allocs := testing.AllocsPerRun(100, func() {
				now = now.Add(time.Second)
				peer.Stamp(now)
				var err error
				if b, err = peer.Append(b[:0], &p, low, oldChecksumGroup); err != nil {
					t.Fatal(err)
				}
				if err = us.Parse(&got, b, m, now); err != nil || !got.Authenticated {
					t.Fatal(err)
				}
			})
			if allocs != 0 {
				t.Errorf("%v allocations an advert, want 0", allocs)
			}
		})
	}
}

// FuzzAuthenticator asserts that no bytes upset an Authenticator, and that none but
// those of a holder of the key count as authenticated.
func FuzzAuthenticator(f *testing.F) {
	for _, v := range ahVectors(f) {
		f.Add(v.b, true, v.meta.Unicast)
	}
	for _, v := range hmacVectors(f) {
		f.Add(append(bytes.Clone(v.pdu), v.trailer...), false, v.meta.Unicast)
	}
	ahCfg, hmacCfg := withAH("not known to the fuzzer"), withHMAC(HMACPermissive)
	hmacCfg.HMAC.Keys = []HMACKey{{1, []byte("a secret that no packet was signed with")}, {7, make([]byte, 32)}}
	f.Fuzz(func(t *testing.T, b []byte, isAH, unicast bool) {
		m := Meta{Source: low, Destination: oldChecksumGroup, TTL: 255, AH: isAH, ID: 1, Unicast: unicast}
		cfg := hmacCfg
		if isAH {
			cfg = ahCfg
		}
		if unicast {
			m.Destination = us
		}
		a := NewAuthenticator(cfg)
		var p Packet
		err := a.Parse(&p, b, m, epoch)
		var d *DropError
		if err != nil && (!errors.As(err, &d) || d.Reason == "" || d.Detail() == "") {
			t.Fatalf("error %v is no complete DropError", err)
		}
		if err == nil && (p.Authenticated || isAH && p.Version == 2) {
			t.Fatalf("%x is accepted: %+v", b, p)
		}
	})
}
