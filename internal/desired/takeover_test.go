package desired

import (
	"net/netip"
	"slices"
	"testing"
	"time"

	"github.com/tandem-ha/tandem/config"
	"github.com/tandem-ha/tandem/vrrp"
)

// Start-up: vrrp_delay_after_boot counts from the boot of the host, and the later of it
// and vrrp_startup_delay counts.
func TestStartupDelay(t *testing.T) {
	for _, c := range []struct{ startup, boot, up, want time.Duration }{
		{0, 0, time.Hour, 0},
		{5 * time.Second, 0, time.Hour, 5 * time.Second},
		{0, time.Minute, 20 * time.Second, 40 * time.Second},
		{0, time.Minute, 2 * time.Minute, 0},
		{5 * time.Second, time.Minute, 58 * time.Second, 5 * time.Second},
	} {
		if got := StartupDelay(config.Global{StartupDelay: c.startup, DelayAfterBoot: c.boot}, c.up); got != c.want {
			t.Errorf("%+v: %v", c, got)
		}
	}
}

// TestPeers joins the peers of the file with those that were found, and leaves this
// host's own addresses out.
func TestPeers(t *testing.T) {
	a := func(s string) netip.Addr { return netip.MustParseAddr(s) }
	in := &config.Instance{
		Source: a("192.0.2.1"),
		Peers:  []config.UnicastPeer{{Addr: a("192.0.2.2"), MinTTL: 9, MaxTTL: 255}},
	}
	found := []netip.Addr{a("192.0.2.1"), a("192.0.2.2"), a("192.0.2.3"), a("192.0.2.4"), a("192.0.2.3")}
	got := Peers(in, found, func(x netip.Addr) bool { return x == a("192.0.2.4") })
	want := []vrrp.Peer{{Addr: a("192.0.2.2"), MinTTL: 9, MaxTTL: 255}, {Addr: a("192.0.2.3")}}
	if !slices.Equal(got, want) {
		t.Errorf("%+v, want %+v", got, want)
	}
}

// TestTakeover makes checks of the targets.
func TestTakeover(t *testing.T) {
	s := Takeover(&config.Instance{Interface: "eth0", Takeover: &config.Takeover{All: true, Interval: time.Second, Timeout: time.Second, Rise: 2, Fall: 3,
		Targets: []config.TakeoverTarget{{Addr: netip.MustParseAddr("192.0.2.254")}, {Addr: netip.MustParseAddr("fe80::1"), Port: 53}}}})
	if !s.All || s.Interval != time.Second || s.Rise != 2 || s.Fall != 3 || len(s.Targets) != 2 {
		t.Fatalf("%+v", s)
	}
	for i, want := range []string{"ping 192.0.2.254", "tcp [fe80::1]:53"} {
		if s.Targets[i].Name != want || s.Targets[i].Check == nil {
			t.Errorf("target %d is %+v, want %s", i, s.Targets[i], want)
		}
	}
}
