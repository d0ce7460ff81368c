package agent

import (
	"net/netip"
	"testing"
	"time"

	"github.com/tandem-ha/tandem/vrrp"
)

// Jitter is measured between two adverts of one master, and costs no memory.
func TestJitter(t *testing.T) {
	var j jitter
	now := time.Unix(1_000_000, 0)
	advert := vrrp.Advert{Source: netip.MustParseAddr("192.0.2.2")}
	advert.Packet.Interval, advert.Packet.Priority = 100, 150
	heard := func(after time.Duration) {
		now = now.Add(after)
		j.heard(now, &advert)
	}
	if j.report() != nil {
		t.Error("there is jitter before any advert")
	}
	heard(0)
	heard(time.Second)
	heard(997 * time.Millisecond)
	heard(2030 * time.Millisecond)
	heard(20 * time.Second)
	// A new master, one that says goodbye and one after our own mastership begin anew.
	advert.Source = netip.MustParseAddr("192.0.2.3")
	heard(10 * time.Second)
	advert.Packet.Priority = 0
	heard(10 * time.Second)
	advert.Packet.Priority = 150
	heard(10 * time.Second)
	j.forget()
	heard(10 * time.Second)
	r := j.report()
	if r.Adverts != 4 || r.Total != 20033*time.Millisecond {
		t.Errorf("%d adverts, %v off in all", r.Adverts, r.Total)
	}
	counts := map[time.Duration]uint64{}
	for _, b := range r.Buckets {
		counts[b.Within] = b.Count
	}
	for _, within := range []time.Duration{time.Millisecond, 5 * time.Millisecond, 2 * time.Second} {
		if counts[within] != 1 {
			t.Errorf("%d within %v: %v", counts[within], within, counts)
		}
	}
	if n := testing.AllocsPerRun(100, func() { heard(time.Second) }); n != 0 {
		t.Errorf("%v allocations for an advert", n)
	}
}
