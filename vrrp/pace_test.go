package vrrp

import (
	"testing"
	"time"
)

// A master that is aligned sends one advert sooner, and from then on at whole
// intervals from the anchor, whatever it answers meanwhile and however late it is
// woken.
func TestAlignedAdvertsAreSoonerNeverLater(t *testing.T) {
	anchor := epoch.Add(-250 * time.Millisecond)
	r := play(t, plain(), asMaster())
	r.Step(epoch.Add(4*time.Second), Align{anchor}, nil)
	resume(t, r, []step{
		{"4.609375s", fire, "advert 100"},
		{"4.75s", fire, "advert 100"},
		{"5.7s", fire, ""},
		{"5.76s", fire, "advert 100"}, // woken late
		{"6.74s", fire, ""},
		{"6.75s", fire, "advert 100"},
		{"7.2s", from(low, 50), "lower-priority-master; advert 100"},
		{"7.75s", fire, "advert 100"},
		{"12.3s", fire, "advert 100"}, // kept from running
		{"12.74s", fire, ""},
		{"12.75s", fire, "advert 100"},
	})
	if at := r.Deadline(); !at.Equal(epoch.Add(13750 * time.Millisecond)) {
		t.Errorf("the next is due at %v", at.Sub(epoch))
	}
	r.Step(epoch.Add(13*time.Second), Align{epoch.Add(time.Hour + 500*time.Millisecond)}, nil) // as good as one that is past
	resume(t, r, []step{{"13.75s", fire, "advert 100"}, {"14.49s", fire, ""}, {"14.5s", fire, "advert 100"}})
	r = play(t, plain(), asMaster())
	r.Step(epoch.Add(4*time.Second), Align{anchor}, nil)
	resume(t, r, []step{{"4.609375s", fire, "advert 100"}, {"4.75s", fire, "advert 100"}, {"12.75s", fire, "advert 100"}})
	r.Step(epoch.Add(13*time.Second), Align{}, nil)
	resume(t, r, []step{{"13.75s", fire, "advert 100"}, {"14.75s", fire, "advert 100"}})
}

// However many worse masters, or ones that give up, are heard, a master answers
// ten times an interval, at once, and its own adverts go on.
func TestAFloodIsAnsweredTenTimesAnInterval(t *testing.T) {
	for name, heard := range map[string]Advert{"lower priority": from(low, 50), "priority 0": from(low, 0)} {
		t.Run(name, func(t *testing.T) {
			r := play(t, plain(), asMaster())
			start := epoch.Add(5 * time.Second)
			adverts, outputs := 0, 0
			last := start
			for at := start; at.Before(start.Add(10 * time.Second)); at = at.Add(time.Millisecond) {
				out := r.Step(at, &heard, nil)
				for _, o := range out {
					if _, ok := o.(SendAdvert); ok {
						adverts++
						if gap := at.Sub(last); gap > r.cfg.AdvertInterval {
							t.Fatalf("no advert for %v", gap)
						}
						last = at
					}
				}
				outputs += len(out)
			}
			if adverts < 100 || adverts > 111 || outputs > 4*adverts {
				t.Errorf("%d adverts, %d outputs in 10 s, want 10 adverts a second", adverts, outputs)
			}
		})
	}
}
