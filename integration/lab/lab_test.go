package lab

import (
	"bytes"
	"encoding/binary"
	"net/netip"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func TestSummarise(t *testing.T) {
	start := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	at := func(milliseconds ...int) (out []time.Time) {
		for _, ms := range milliseconds {
			out = append(out, start.Add(time.Duration(ms)*time.Millisecond))
		}
		return out
	}
	for _, c := range []struct {
		name string
		by   []string
		want Result
	}{
		{"nothing sent", nil, Result{By: map[string]int{}}},
		{"none lost", []string{"a", "a", "b"}, Result{Sent: 3, By: map[string]int{"a": 2, "b": 1}}},
		{"a gap at a move", []string{"a", "", "", "b"}, Result{Sent: 4, Lost: 2, By: map[string]int{"a": 1, "b": 1}, Gaps: []Gap{
			{At: time.Millisecond, Lost: 2, Left: at(2, 3), Lasted: 3 * time.Millisecond, Before: "a", After: "b"},
		}}},
		{"both ends", []string{"", "a", ""}, Result{Sent: 3, Lost: 2, By: map[string]int{"a": 1}, Gaps: []Gap{
			{Lost: 1, Left: at(1), Lasted: time.Millisecond, After: "a"},
			{At: 2 * time.Millisecond, Lost: 1, Left: at(2), Lasted: time.Millisecond, Before: "a"},
		}}},
		{"all lost", []string{"", ""}, Result{Sent: 2, Lost: 2, By: map[string]int{}, Gaps: []Gap{{Lost: 2, Left: at(1, 1), Lasted: time.Millisecond}}}},
	} {
		t.Run(c.name, func(t *testing.T) {
			var sent []time.Time
			for i := range c.by {
				sent = append(sent, start.Add(time.Duration(i)*time.Millisecond))
			}
			got := summarise(sent, c.by)
			for who := range c.want.By {
				if want := sent[slices.Index(c.by, who)]; !got.First[who].Equal(want) {
					t.Errorf("first of %s %v, want %v", who, got.First[who], want)
				}
			}
			got.First = nil
			if diff := cmp.Diff(c.want, got); diff != "" {
				t.Error(diff)
			}
		})
	}
}

// frame4 is an advert for IPv4 as it is on the wire.
func frame4(first byte) []byte {
	b := make([]byte, 14+20+12)
	b[12], b[13] = 8, 0
	b[14], b[23] = 0x45, 112
	copy(b[26:], []byte{192, 0, 2, 1, 224, 0, 0, 18})
	copy(b[34:], []byte{first, 51, 150})
	return b
}

// frameAH is an advert with an authentication header.
func frameAH() []byte {
	b := frame4(0x21)
	b[23] = protocolAH
	return slices.Insert(b, 34, make([]byte, 24)...)
}

func frame6() []byte {
	b := make([]byte, 14+40+24)
	b[12], b[13] = 0x86, 0xdd
	b[14], b[20] = 0x60, 112
	copy(b[22:], netip.MustParseAddr("fe80::1").AsSlice())
	copy(b[38:], netip.MustParseAddr("ff02::12").AsSlice())
	copy(b[54:], []byte{0x31, 66, 100})
	return b
}

func TestReadAdvert(t *testing.T) {
	arp := make([]byte, 60)
	arp[12], arp[13] = 8, 6
	for _, c := range []struct {
		name string
		data []byte
		want Advert
		ok   bool
	}{
		{"version 2", frame4(0x21), Advert{Source: netip.MustParseAddr("192.0.2.1"), Destination: netip.MustParseAddr("224.0.0.18"), Version: 2, VRID: 51, Priority: 150}, true},
		{"version 3, IPv6", frame6(), Advert{Source: netip.MustParseAddr("fe80::1"), Destination: netip.MustParseAddr("ff02::12"), Version: 3, VRID: 66, Priority: 100}, true},
		{"version 2 with AH", frameAH(), Advert{Source: netip.MustParseAddr("192.0.2.1"), Destination: netip.MustParseAddr("224.0.0.18"), Version: 2, VRID: 51, Priority: 150}, true},
		{"another type", frame4(0x32), Advert{}, false},
		{"cut short", frame4(0x31)[:40], Advert{}, false},
		{"ARP", arp, Advert{}, false},
		{"nothing", nil, Advert{}, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			got, ok := readAdvert(Frame{Data: c.data})
			if ok != c.ok {
				t.Fatalf("read: %v, want %v", ok, c.ok)
			}
			if diff := cmp.Diff(c.want, got, cmp.Comparer(func(a, b netip.Addr) bool { return a == b })); ok && diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestCaptureForgetsTheOldest(t *testing.T) {
	c := &Capture{wake: make(chan struct{})}
	for i := range keep + 3 {
		c.add(Frame{Data: []byte{byte(i), byte(i >> 8)}})
	}
	frames, next, _ := c.since(0)
	if len(frames) != keep || next != keep+3 {
		t.Fatalf("%d frames, next %d", len(frames), next)
	}
	if first := int(binary.LittleEndian.Uint16(frames[0].Data)); first != 3 {
		t.Errorf("the oldest is number %d, want 3", first)
	}
	if frames, _, _ := c.since(keep + 1); len(frames) != 2 {
		t.Errorf("%d frames since the last but one", len(frames))
	}
}

func TestWritePCAP(t *testing.T) {
	c := &Capture{wake: make(chan struct{})}
	c.add(Frame{At: time.Unix(7, 9), Data: []byte("abc")})
	var b bytes.Buffer
	if err := c.WritePCAP(&b); err != nil {
		t.Fatal(err)
	}
	want := "\x4d\x3c\xb2\xa1\x02\x00\x04\x00" + "\x00\x00\x00\x00\x00\x00\x00\x00" + "\x00\x00\x01\x00\x01\x00\x00\x00" +
		"\x07\x00\x00\x00\x09\x00\x00\x00\x03\x00\x00\x00\x03\x00\x00\x00abc"
	if b.String() != want {
		t.Errorf("% x", b.Bytes())
	}
}

func TestClean(t *testing.T) {
	for in, want := range map[string]string{
		"TestPair/v2 pass#01": "TestPair-v2-pass-01",
		"/a/":                 "a",
	} {
		if got := clean(in); got != want {
			t.Errorf("clean(%q) = %q, want %q", in, got, want)
		}
	}
}
