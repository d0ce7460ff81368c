//go:build kernel

package integration

import (
	"encoding/binary"
	"net/netip"
	"slices"
	"testing"
	"time"

	"github.com/tandem-ha/tandem/integration/lab"
)

// floodRate is packets a second.
const floodRate = 100_000

// Kinds of forged packets that are counted by no reason of ours: one that is read
// and answered in measure, and one that the kernel keeps for itself.
const (
	lowerPriority = "lower priority"
	halves        = "halves of packets"
)

// forged are packets that a stranger on the segment may send to be taken for a
// router, by what is wrong with them, which is the reason that they are counted by
// unless it is one of the two above.
func forged(m mode, src, master netip.Addr) map[string][][]byte {
	vip := m.vip(0).Addr()
	advert := func(vrid, priority byte, edit func(b []byte)) []byte {
		b := packet(vrid, priority, src, vrrpGroup, vip)
		binary.BigEndian.PutUint16(b[4:], uint16(m.advert/(10*time.Millisecond)))
		fix(b, src)
		if edit != nil {
			edit(b)
		}
		return b
	}
	frame := func(ttl byte, payload []byte) [][]byte {
		return [][]byte{lab.VRRPFrame(src, vrrpGroup, ttl, payload)}
	}
	if m.version == 2 {
		v2 := func(auth, seconds byte, password string) [][]byte {
			b := append([]byte{0x21, 51, 250, 1, auth, seconds, 0, 0}, vip.AsSlice()...)
			b = append(b, password...)
			binary.BigEndian.PutUint16(b[6:], checksum(b))
			return frame(255, b)
		}
		return map[string][][]byte{
			"auth-failed":   v2(1, 1, "guessed1"),
			"auth-mismatch": v2(0, 1, "\x00\x00\x00\x00\x00\x00\x00\x00"),
			"version":       frame(255, advert(51, 250, nil)),
		}
	}
	kinds := map[string][][]byte{
		"checksum":    frame(255, advert(51, 250, func(b []byte) { b[6] ^= 0xff })),
		"ttl":         frame(254, advert(51, 250, nil)),
		lowerPriority: frame(255, advert(51, 50, nil)),
		"version":     frame(255, advert(51, 250, func(b []byte) { b[0] = 0x41; fix(b, src) })),
		"length":      frame(255, advert(51, 250, nil)[:6]),
		"type":        frame(255, advert(51, 250, func(b []byte) { b[0] = 0x32; fix(b, src) })),
		// To the master alone, whose adverts go to the group.
		"unicast-multicast": {lab.VRRPFrame(src, master, 255, packet(51, 250, src, master, vip))},
	}
	// Each second one comes in two parts.
	other := advert(77, 250, nil)
	kinds["unknown-vrid"] = append(frame(255, other),
		lab.VRRPFragment(src, vrrpGroup, 255, other[:8], lab.Fragment{ID: 1, More: true}),
		lab.VRRPFragment(src, vrrpGroup, 255, other[8:], lab.Fragment{ID: 1, Offset: 1}))
	for id := range uint16(64) {
		kinds[halves] = append(kinds[halves], lab.VRRPFragment(src, vrrpGroup, 255, other[:8], lab.Fragment{ID: 1000 + id, More: true}))
	}
	return kinds
}

// flooded floods a pair for a time and returns the longest pause between two
// adverts of the master.
func (p *pair) flooded(lasts time.Duration, frames ...[]byte) time.Duration {
	p.t.Helper()
	source, began := p.from(p.lb1), time.Now()
	flood, err := p.client.Flood(floodRate, p.mode.realTime/2, frames...)
	must(p.t, err)
	until := began.Add(lasts)
	_, err = p.lab.Capture.WaitAdvert(within(p.t, lasts+slack), 1, func(a lab.Advert) bool { return a.Source == source && a.At.After(until) })
	must(p.t, flood.Stop())
	must(p.t, err)
	if rate := float64(flood.Sent()) / time.Since(began).Seconds(); rate < 0.9*floodRate {
		p.t.Logf("only %.0f packets a second could be sent", rate)
	}
	return p.longestGap(began)
}

// longestGap is the longest pause since a moment between two adverts of lb1, who
// must be the only one to send any.
func (p *pair) longestGap(since time.Time) time.Duration {
	p.t.Helper()
	source := p.from(p.lb1)
	longest, last := time.Duration(0), time.Time{}
	for _, a := range p.lab.Capture.Adverts(since) {
		if a.Source != source {
			p.t.Errorf("%s (priority %d) adverts beside the master", a.Source, a.Priority)
			continue
		}
		if !last.IsZero() {
			longest = max(longest, a.At.Sub(last))
		}
		last = a.At
	}
	return longest
}

// TestPairFlood floods a master and its backup with forged packets: the master's
// adverts are in time, the backup stays one, memory stays flat, and each packet
// that was read is counted by what is wrong with it. With TANDEM_ROUNDS each kind
// is by itself, and the median counts. The nodes run in real time, or what is
// measured would be how many others want the cores that the flood is made on; the
// one mode without shows that they go on all the same.
func TestPairFlood(t *testing.T) {
	modes := []mode{
		{name: "v3-0.1s", version: 3, advert: 100 * time.Millisecond, realTime: 10},
		{name: "v3-1s", version: 3, advert: time.Second, realTime: 10},
		{name: "v2-1s", version: 2, advert: time.Second, realTime: 10},
		{name: "v3-0.1s-shared", version: 3, advert: 100 * time.Millisecond},
	}
	if rounds(t, 1) == 1 {
		// What else the machine may have to do is no more than a part of the interval.
		modes = []mode{{name: "v3-0.5s", version: 3, advert: 500 * time.Millisecond, realTime: 10}}
	}
	for _, m := range modes {
		t.Run(m.name, func(t *testing.T) {
			p := newPair(t, m, "tandem", "tandem")
			p.lead()
			kinds := forged(m, p.client.IPv4(), p.lb1.Host.IPv4())
			began, n := time.Now(), rounds(t, 1)
			if n == 1 {
				var all [][]byte
				for _, f := range kinds {
					all = append(all, f...)
				}
				p.outlast(m, "all kinds", 1, all...)
			} else {
				for kind, f := range kinds {
					p.outlast(m, kind, n, f...)
				}
			}
			for kind := range kinds {
				if kind != lowerPriority && kind != halves && dropped(t, p.lb1, kind) == 0 {
					t.Errorf("none was counted by %s", kind)
				}
			}
			for _, node := range []*lab.Agent{p.lb1, p.lb2} {
				for _, e := range node.Host.Addresses.Events(began) {
					t.Errorf("a flood moved an address on %s: %+v", node.Host.Name, e)
				}
			}
		})
	}
}

// outlast measures a flood of one kind, a few times.
func (p *pair) outlast(m mode, kind string, n int, frames ...[]byte) {
	p.t.Helper()
	lasts := max(2*time.Second, 3*m.advert)
	p.flooded(200*time.Millisecond, frames...) // what memory the first ones take
	before := memoryOf(p.t, p.lb1.PID(), "VmRSS")
	var longest []time.Duration
	for range n {
		longest = append(longest, p.flooded(lasts, frames...))
	}
	grown := memoryOf(p.t, p.lb1.PID(), "VmRSS") - before
	slices.Sort(longest)
	median := longest[len(longest)/2]
	p.t.Logf("FLOOD %s, adverts each %v: longest pause %v (median of %v), memory %+d kB", kind, m.advert, median, longest, grown>>10)
	// One round shows no more than that the master goes on.
	limit := m.advert + m.advert/10
	if n < 5 || m.realTime == 0 {
		limit = 2 * m.advert
	}
	if median > limit {
		p.t.Errorf("%s: %v without an advert, want at most %v", kind, median, limit)
	}
	if grown > 16<<20 {
		p.t.Errorf("%s: memory has grown by %d kB", kind, grown>>10)
	}
}
