package desired

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/tandem-ha/tandem/config"
	"github.com/tandem-ha/tandem/internal/track"
)

// TestLinkDelays: the delay of an instance's own interface leaves it an advert
// interval before any peer takes over, whatever the priority of that; another
// interface keeps its delay.
func TestLinkDelays(t *testing.T) {
	delays := []config.LinkDelay{
		{Interface: "eth0", Up: 10 * time.Second, Down: 10 * time.Second},
		{Interface: "eth1", Up: time.Minute, Down: 2 * time.Second},
		{Interface: "eth2", Up: 100 * time.Millisecond, Down: 10 * time.Second},
	}
	for _, c := range []struct {
		interval time.Duration
		adverts  int
	}{{time.Second, 3}, {100 * time.Millisecond, 3}, {time.Second, 1}, {10 * time.Second, 2}, {40950 * time.Millisecond, 4}} {
		on := func(link string) *config.Instance {
			return &config.Instance{Interface: link, AdvertInterval: c.interval, DownTimerAdverts: c.adverts}
		}
		got := LinkDelays(&config.Config{LinkDelays: delays, Instances: []*config.Instance{on("eth0"), on("eth2")}})
		// The shortest master down interval is that of a peer of priority 254.
		soonest := time.Duration(c.adverts)*c.interval + 2*c.interval/256
		for _, d := range []time.Duration{got["eth0"].Rise, got["eth0"].Fall, got["eth2"].Fall} {
			if d < 0 || d > max(0, soonest-c.interval) {
				t.Errorf("advert interval %v: a delay of %v, and a peer takes over after %v", c.interval, d, soonest)
			}
		}
		if c.adverts > 2 && got["eth2"].Rise != min(100*time.Millisecond, got["eth2"].Fall) {
			t.Errorf("advert interval %v: a short delay became %v", c.interval, got["eth2"].Rise)
		}
		if want := (track.Debounce{Rise: time.Minute, Fall: 2 * time.Second}); got["eth1"].Rise != want.Rise || got["eth1"].Fall != want.Fall {
			t.Errorf("the delay of an interface that no instance is on became %+v", got["eth1"])
		}
	}
}

// TestPolledLinks: an interface is polled once, in the way that its line names,
// and with linkbeat_use_polling every other one that an instance depends on.
func TestPolledLinks(t *testing.T) {
	cfg := &config.Config{
		LinkPolls: []config.LinkPoll{{Interface: "eth0", Method: "MII"}, {Interface: "eth0", Method: "ETHTOOL"}},
		Instances: []*config.Instance{
			{Name: "A", Interface: "eth0", TrackInterfaces: []config.Track{{Name: "eth1"}}},
			{Name: "B", Interface: "eth1"},
		},
	}
	named := []track.BeatConfig{{Interface: "eth0", Method: "MII"}}
	if d := cmp.Diff(named, PolledLinks(cfg)); d != "" {
		t.Errorf("named ones (-want +got):\n%s", d)
	}
	cfg.Process.PollLinks = true
	if d := cmp.Diff(append(named, track.BeatConfig{Interface: "eth1"}), PolledLinks(cfg)); d != "" {
		t.Errorf("all (-want +got):\n%s", d)
	}
}
