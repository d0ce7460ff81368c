package ipvs

import (
	"encoding/hex"
	"hash/maphash"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/tandem-ha/tandem/ipvs/nlmsg"
)

// goldenAttrs gives the attributes of every message that a kernel has sent.
func goldenAttrs(t testing.TB, visit func([]byte)) {
	for _, line := range readGolden(t) {
		b, err := hex.DecodeString(line[2:])
		if err != nil {
			t.Fatal(err)
		}
		for {
			m, rest, ok := nlmsg.Next(b)
			if !ok {
				break
			}
			if m.Type != unix.NLMSG_ERROR && m.Type != unix.NLMSG_DONE && len(m.Data) >= 4 {
				visit(m.Data[4:])
			}
			b = rest
		}
	}
}

// FuzzDecode gives anything to every decoder. What decodes is encoded and
// decoded again, to the same.
func FuzzDecode(f *testing.F) {
	goldenAttrs(f, func(b []byte) {
		f.Add(b)
		err := eachAttr(b, func(_ uint16, v []byte) error { f.Add(v); return nil })
		if err != nil {
			f.Fatal(err)
		}
	})
	f.Fuzz(func(t *testing.T, b []byte) {
		if s, _, err := parseService(b); err == nil && s.Netmask >= 0 {
			roundTrip(t, s, appendService(nil, s), attrService, func(v []byte) (Service, error) {
				s, _, err := parseService(v)
				return s, err
			})
		}
		for _, ipv6 := range []bool{false, true} {
			if d, _, err := parseDestination(b, ipv6); err == nil {
				roundTrip(t, d, appendDestination(nil, d), attrDest, func(v []byte) (Destination, error) {
					d, _, err := parseDestination(v, !ipv6)
					return d, err
				})
			}
		}
		if d, err := parseDaemon(b); err == nil {
			roundTrip(t, d, appendDaemon(nil, d), attrDaemon, parseDaemon)
		}
		if x, err := parseTimeouts(b); err == nil {
			if again, err := parseTimeouts(appendTimeouts(nil, x)); err != nil || again != x {
				t.Errorf("%+v became %+v, %v", x, again, err)
			}
		}
		if _, err := parseInfo(b); err == nil && len(b) > 1<<16 {
			t.Error("information longer than an attribute can be")
		}
		if m, rest, ok := nlmsg.Next(b); ok && len(m.Data)+len(rest) > len(b) {
			t.Error("a message is longer than what it is part of")
		}
	})
}

func roundTrip[T comparable](t *testing.T, v T, encoded []byte, attr uint16, parse func([]byte) (T, error)) {
	t.Helper()
	inner, err := findAttr(encoded, attr)
	if err != nil {
		t.Fatalf("%+v is encoded as %x: %v", v, encoded, err)
	}
	if again, err := parse(inner); err != nil || again != v {
		t.Errorf("%+v became %+v, %v", v, again, err)
	}
}

// FuzzDigest gives anything to the reader of /proc/net/ip_vs.
func FuzzDigest(f *testing.F) {
	f.Add([]byte(procText))
	seed := maphash.MakeSeed()
	f.Fuzz(func(t *testing.T, b []byte) {
		if d := digestProc(nil, b, seed); len(d) > 2*(strings.Count(string(b), "\n")+1) {
			t.Errorf("%d services in %q", len(d), b)
		}
	})
}
