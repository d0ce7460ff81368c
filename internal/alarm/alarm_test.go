package alarm

import (
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/tandem-ha/tandem/vrrp"
)

var (
	began = time.Date(2026, 3, 4, 12, 0, 0, 0, time.UTC)
	peer  = netip.MustParseAddr("192.0.2.2")
	vips  = []netip.Addr{netip.MustParseAddr("192.0.2.10"), netip.MustParseAddr("192.0.2.11")}
)

// scene is an instance of priority 100 that is observed.
type scene struct {
	Observer
	now time.Time
}

func newScene(state vrrp.State) *scene {
	s := &scene{now: began}
	s.Configure(vrrp.Config{Name: "VI_1", VRID: 51, Version: 3, Priority: 100, AdvertInterval: time.Second, Addresses: vips})
	s.State(s.now, state)
	return s
}

// advert is what a peer that is configured alike would send.
func advert(priority uint8) vrrp.Advert {
	return vrrp.Advert{Source: peer, Packet: vrrp.Packet{Version: 3, VRID: 51, Priority: priority, Interval: 100, Addresses: vips}}
}

// hear passes n adverts, one each interval.
func (s *scene) hear(n int, a vrrp.Advert) {
	for range n {
		s.now = s.now.Add(time.Second)
		s.Heard(s.now, &a)
	}
}

func (s *scene) kinds() string {
	var out []string
	for _, a := range s.Alarms(s.now) {
		if a.Text == "" || a.Advice == "" || a.Instance != "VI_1" {
			out = append(out, "INCOMPLETE")
		}
		out = append(out, string(a.Kind))
	}
	return strings.Join(out, " ")
}

func TestWhatIsHeard(t *testing.T) {
	other := netip.MustParseAddr("198.51.100.1")
	for _, c := range []struct {
		name   string
		state  vrrp.State
		advert func(*vrrp.Advert)
		want   string
	}{
		{"a backup hears its master", vrrp.Backup, func(*vrrp.Advert) {}, ""},
		{"a master hears a worse one", vrrp.Master, func(*vrrp.Advert) {}, "split-brain asymmetric-hearing"},
		{"a master hears a better one", vrrp.Master, func(a *vrrp.Advert) { a.Packet.Priority = 101 }, "split-brain"},
		{"a master hears a farewell", vrrp.Master, func(a *vrrp.Advert) { a.Packet.Priority = 0 }, ""},
		{"the same priority", vrrp.Backup, func(a *vrrp.Advert) { a.Packet.Priority = 100 }, "equal-priority"},
		{"another interval", vrrp.Backup, func(a *vrrp.Advert) { a.Packet.Interval = 50 }, "interval-differs"},
		{"one address less", vrrp.Backup, func(a *vrrp.Advert) { a.Packet.Addresses = vips[:1] }, "address-lists-differ"},
		{"one address more", vrrp.Backup, func(a *vrrp.Advert) { a.Packet.Addresses = []netip.Addr{vips[0], vips[1], other} }, "address-lists-differ"},
		{"another order", vrrp.Backup, func(a *vrrp.Advert) { a.Packet.Addresses = []netip.Addr{vips[1], vips[0]} }, ""},
		{"other addresses altogether", vrrp.Backup, func(a *vrrp.Advert) { a.Packet.Addresses = []netip.Addr{other} }, "duplicate-vrid"},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := newScene(c.state)
			a := advert(50)
			c.advert(&a)
			s.hear(enough-1, a)
			if got := s.kinds(); got != "" {
				t.Errorf("after %d adverts, which settle by themselves: %s", enough-1, got)
			}
			s.hear(1, a)
			if got := s.kinds(); got != c.want {
				t.Errorf("alarms %q, want %q", got, c.want)
			}
			s.now = s.now.Add(minLapse + time.Millisecond)
			if got := s.kinds(); got != "" {
				t.Errorf("nothing was heard for a lapse, and still %s", got)
			}
			s.hear(1, a)
			if got := s.kinds(); got != "" {
				t.Errorf("one advert after a lapse: %s", got)
			}
		})
	}
}

func TestWhatIsDropped(t *testing.T) {
	for reason, want := range map[vrrp.Reason]string{
		vrrp.DropVersion: "version-differs", vrrp.DropInterval: "interval-differs", vrrp.DropAuthFailed: "authentication-differs",
		vrrp.DropHMACReplayed: "authentication-differs", vrrp.DropOwnAdvert: "own-advert-heard", vrrp.DropAddressCount: "address-lists-differ",
		vrrp.DropTTL: "", vrrp.DropChecksum: "",
	} {
		s := newScene(vrrp.Backup)
		for range enough {
			s.Dropped(s.now, reason, peer)
		}
		if got := s.kinds(); got != want {
			t.Errorf("%s: alarms %q, want %q", reason, got, want)
		}
	}
}

// TestAnOfferWaitsForAnotherMaster, and a node that is master no longer has no
// second one beside it.
func TestAnOfferWaitsForAnotherMaster(t *testing.T) {
	s := newScene(vrrp.Master)
	s.Offering(true)
	s.hear(enough, advert(50))
	if got := s.kinds(); got != "" {
		t.Errorf("an offering master: %s", got)
	}
	s.State(s.now, vrrp.Backup)
	s.State(s.now, vrrp.Master)
	s.hear(enough, advert(50))
	if got := s.kinds(); got == "" {
		t.Error("the offer is over, and a second master is no alarm")
	}
	s.State(s.now, vrrp.Backup)
	if got := s.kinds(); got != "" {
		t.Errorf("a backup: %s", got)
	}
}

func TestALonelyMaster(t *testing.T) {
	s := newScene(vrrp.Master)
	s.now = s.now.Add(lonely + time.Second)
	if got := s.kinds(); got != string(NoPeer) {
		t.Errorf("alarms %q of a master that has heard nobody", got)
	}
	s.hear(1, advert(50))
	s.now = s.now.Add(lonely + time.Second)
	if got := s.kinds(); got != "" {
		t.Errorf("alarms %q of one that has", got)
	}
}

// TestManySourcesTakeNoMemory bounds what a flood from forged addresses leaves.
func TestManySourcesTakeNoMemory(t *testing.T) {
	s := newScene(vrrp.Master)
	a := advert(50)
	for i := range 10000 {
		a.Source = netip.AddrFrom4([4]byte{10, 0, byte(i >> 8), byte(i)})
		s.Heard(s.now, &a)
	}
	if len(s.seen) > maxSights {
		t.Errorf("%d things are remembered", len(s.seen))
	}
	a.Source = netip.AddrFrom4([4]byte{10, 0, 0, 1})
	if n := testing.AllocsPerRun(100, func() { s.Heard(s.now, &a) }); n > 0 {
		t.Errorf("%v allocations an advert", n)
	}
}

func TestBoard(t *testing.T) {
	var b Board
	one := Alarm{Kind: SplitBrain, Instance: "VI_1", Peer: peer, Count: 3}
	two := Alarm{Kind: EqualPriority, Instance: "VI_1", Peer: peer}
	raised, cleared := b.Update([]Alarm{two, one})
	if len(raised) != 2 || len(cleared) != 0 {
		t.Errorf("raised %v, cleared %v", raised, cleared)
	}
	one.Count = 7
	raised, cleared = b.Update([]Alarm{one})
	if len(raised) != 0 || len(cleared) != 1 || cleared[0].Kind != EqualPriority {
		t.Errorf("raised %v, cleared %v", raised, cleared)
	}
	if got := b.Active(); len(got) != 1 || got[0].Count != 7 {
		t.Errorf("active %v", got)
	}
}
