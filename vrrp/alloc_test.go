package vrrp

import (
	"testing"
	"time"
)

// Steady state allocates nothing: a master whose timer fires, a backup that hears
// its master, a packet read and written.
func TestSteadyStateAllocatesNothing(t *testing.T) {
	out := make([]GroupOutput, 0, 16)
	t.Run("master", func(t *testing.T) {
		g := NewGroup("", play(t, plain(), asMaster()))
		now := epoch.Add(4 * time.Second)
		n := 0
		allocs := testing.AllocsPerRun(100, func() {
			now = now.Add(time.Second)
			out = g.Step(now, GroupInput{Input: TimerFired{}}, out[:0])
			n += len(out)
			_ = g.Deadline()
		})
		if allocs != 0 || n != 101 {
			t.Errorf("%v allocations and %d adverts in 101 runs, want 0 and 101", allocs, n)
		}
	})
	t.Run("backup", func(t *testing.T) {
		r := play(t, plain(), asBackup())
		g := NewGroup("", r)
		now := epoch
		wire, err := from(low, 150).Packet.Append(nil, low, oldChecksumGroup, false)
		if err != nil {
			t.Fatal(err)
		}
		a := &Advert{Source: low, Destination: oldChecksumGroup, TTL: 255}
		allocs := testing.AllocsPerRun(100, func() {
			now = now.Add(time.Second)
			if err := ParseInto(&a.Packet, wire, Meta{Source: a.Source, Destination: a.Destination, TTL: a.TTL}); err != nil {
				t.Fatal(err)
			}
			out = g.Step(now, GroupInput{Member: "VI_1", Input: a}, out[:0])
			if len(out) > 0 {
				t.Fatalf("%+v", out)
			}
		})
		if allocs != 0 || r.heard.at != now {
			t.Errorf("%v allocations a packet, want 0", allocs)
		}
	})
	t.Run("append", func(t *testing.T) {
		p := from(low, 150).Packet
		b := make([]byte, 0, 64)
		if allocs := testing.AllocsPerRun(100, func() { b, _ = p.Append(b[:0], low, oldChecksumGroup, false) }); allocs != 0 || len(b) != 16 {
			t.Errorf("%v allocations for %d bytes, want 0 for 16", allocs, len(b))
		}
	})
}

func BenchmarkBackupHearsMaster(b *testing.B) {
	r := NewRouter(plain())
	r.Step(epoch, up, nil)
	r.Step(epoch, Start{}, nil)
	g := NewGroup("", r)
	wire, err := from(low, 150).Packet.Append(nil, low, oldChecksumGroup, false)
	if err != nil {
		b.Fatal(err)
	}
	a := &Advert{Source: low, Destination: oldChecksumGroup, TTL: 255}
	var out []GroupOutput
	for b.Loop() {
		if err := ParseInto(&a.Packet, wire, Meta{Source: low, Destination: oldChecksumGroup, TTL: 255}); err != nil {
			b.Fatal(err)
		}
		out = g.Step(epoch, GroupInput{Member: "VI_1", Input: a}, out[:0])
	}
}
