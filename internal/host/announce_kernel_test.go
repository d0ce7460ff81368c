//go:build kernel

package host

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// announcer runs an Announcer in the namespace until the test ends.
func (n *testNS) announcer(arp, na time.Duration) *Announcer {
	n.t.Helper()
	a := NewAnnouncer(nullLog(), arp, na)
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	n.start(func() {
		defer close(done)
		_ = a.Run(ctx)
	})
	n.t.Cleanup(func() {
		cancel()
		<-done
	})
	return a
}

// isAnnouncement tells gratuitous ARP and unsolicited advertisements.
func isAnnouncement(b []byte) bool {
	if len(b) >= arpEnd && b[12] == 0x08 && b[13] == 0x06 {
		return bytes.Equal(b[arpSenderIP:arpSenderIP+4], b[arpTargetIP:arpTargetIP+4])
	}
	return len(b) >= naEnd && b[12] == 0x86 && b[ipv6NextField] == 58 && b[icmpStart] == 136 && b[naFlags]&naSolicited == 0
}

// The two programs send the same bytes for the same addresses, on a host and on
// a router.
func TestKernelAnnouncementsLikeKeepalived(t *testing.T) {
	for _, forwards := range []string{"0", "1"} {
		t.Run("forwarding "+forwards, func(t *testing.T) {
			want := addrs("192.0.2.10", "192.0.2.11", "2001:db8::10", "fe80::99")
			set := func(n *testNS) {
				n.run("ip", "link", "set", "v0", "address", "02:00:00:00:00:01")
				n.run("sysctl", "-qw", "net.ipv6.conf.v0.forwarding="+forwards)
			}
			collect := func(in chan []byte) (out []string) {
				for len(out) < 2*len(want) {
					b := frame(t, in, isAnnouncement)
					out = append(out, fmt.Sprintf("%x", b))
				}
				return out
			}
			a, b := pair(t, "v0", "w0", [2]string{"192.0.2.1/24", "192.0.2.2/24"})
			set(a)
			in := b.frames("w0")
			stop := a.keepalived(`vrrp_instance VI {
				interface v0
				state MASTER
				priority 255
				virtual_router_id 51
				garp_master_repeat 2
				garp_master_delay 0
				virtual_ipaddress { 192.0.2.10
					192.0.2.11 }
				virtual_ipaddress_excluded { 2001:db8::10
					fe80::99 }
			}`)
			theirs := collect(in)
			stop()

			c, d := pair(t, "v0", "w0")
			set(c)
			in = d.frames("w0")
			ann := c.announcer(0, 0)
			c.do(func() error {
				ann.Announce(c.link("v0"), want, 2)
				return nil
			})
			if diff := cmp.Diff(theirs, collect(in)); diff != "" {
				t.Errorf("frames (-keepalived +tandem):\n%s", diff)
			}
		})
	}
}

// A neighbour learns from the frames where an address is, as it would from
// keepalived's.
func TestKernelAnnouncementsMoveAnAddress(t *testing.T) {
	a, b := pair(t, "v0", "w0", [2]string{"192.0.2.1/24", "192.0.2.2/24"}, [2]string{"2001:db8::1/64", "2001:db8::2/64"})
	for _, vip := range []string{"192.0.2.10", "2001:db8::10"} {
		b.run("ip", "neigh", "replace", vip, "lladdr", "02:00:00:00:00:99", "nud", "stale", "dev", "w0")
	}
	link := a.link("v0")
	a.announcer(0, 0).Announce(link, addrs("192.0.2.10", "2001:db8::10"), 1)
	mac := fmt.Sprintf("%x", link.MAC)
	for _, vip := range []string{"192.0.2.10", "2001:db8::10"} {
		waitFor(t, "the neighbour table", func() bool {
			out := b.run("ip", "neigh", "show", vip)
			return strings.Contains(strings.ReplaceAll(out, ":", ""), mac)
		})
	}
}

// A link that goes down and up, and one that is made anew.
func TestKernelAnnouncerOnALinkThatFails(t *testing.T) {
	a, b := pair(t, "v0", "w0")
	ann := a.announcer(0, 0)
	vip := addrs("192.0.2.10")
	in := b.frames("w0")
	announce := func() { ann.Announce(a.link("v0"), vip, 1) }
	announce()
	frame(t, in, isAnnouncement)
	link := a.link("v0")
	a.run("ip", "link", "set", "v0", "down")
	ann.Announce(link, vip, 1)
	a.run("ip", "link", "set", "v0", "up")
	frame(t, in, isAnnouncement)
	a.run("ip", "link", "del", "v0")
	ann.Announce(link, vip, 1)
	cable(t, a, b, "v0", "w0")
	in = b.frames("w0")
	announce()
	frame(t, in, isAnnouncement)
}

// 200 addresses, five rounds: all arrive, each round in order before the next.
func TestKernelAnnouncerBurst(t *testing.T) {
	a, b := pair(t, "v0", "w0")
	seen, stop := b.peers("w0")
	defer stop()
	var want []netip.Addr
	for i := range 200 {
		want = append(want, netip.AddrFrom4([4]byte{10, 1, 0, byte(i + 1)}))
	}
	a.announcer(0, 0).Announce(a.link("v0"), want, 5)
	waitFor(t, "1000 announcements", func() bool { return len(seen()) >= 1000 })
	got := seen()
	for round := range 5 {
		for i := range 200 {
			if got[200*round+i].Addr != want[i] {
				t.Fatalf("round %d, place %d: %s, want %s", round, i, got[200*round+i].Addr, want[i])
			}
		}
	}
}

// peers watches a link and returns what was heard so far.
func (n *testNS) peers(link string) (seen func() []Announced, stop func()) {
	n.t.Helper()
	var mu sync.Mutex
	var all []Announced
	_, stop = n.watch(link, func(a Announced) {
		mu.Lock()
		defer mu.Unlock()
		all = append(all, a)
	})
	return func() []Announced {
		mu.Lock()
		defer mu.Unlock()
		return slices.Clone(all)
	}, stop
}

// watch opens a watch that listens, and has a goroutine receive from it until stop,
// or the test ends.
func (n *testNS) watch(link string, handler func(Announced)) (w *PeerWatch, stop func()) {
	n.t.Helper()
	p, err := NewPoller()
	if err != nil {
		n.t.Fatal(err)
	}
	in := NewInbox()
	n.do(func() (err error) {
		w, err = WatchPeers(n.link(link), p, func() {
			for w.Receive(in, handler) > 0 {
			}
			_ = w.Arm()
		})
		return err
	})
	if err := errors.Join(w.Listen(true), w.Arm()); err != nil {
		n.t.Fatal(err)
	}
	return w, waitIn(n.t, p, w)
}

func TestKernelPeerWatch(t *testing.T) {
	a, b := pair(t, "v0", "w0", [2]string{"192.0.2.1/24", "192.0.2.2/24"}, [2]string{"2001:db8::1/64", "2001:db8::2/64"})
	cable(t, a, b, "v1", "w1")
	seen, stop := b.peers("w0")
	// What is ordinary: questions, answers, traffic of both families.
	a.knock("192.0.2.2")
	a.knock("2001:db8::2")
	b.knock("2001:db8::1")
	// What another link hears, and what the host itself says.
	ours, theirs := b.announcer(0, 0), a.announcer(0, 0)
	ours.Announce(b.link("w0"), addrs("192.0.2.2", "2001:db8::2"), 1)
	theirs.Announce(a.link("v1"), addrs("192.0.2.98", "2001:db8::98"), 1)
	// What counts.
	theirs.Announce(a.link("v0"), addrs("192.0.2.10", "2001:db8::10"), 1)
	waitFor(t, "two announcements", func() bool { return len(seen()) >= 2 })
	got := seen()
	slices.SortFunc(got, func(x, y Announced) int { return x.Addr.Compare(y.Addr) })
	index, mac := b.link("w0").Index, MAC(a.link("v0").MAC)
	want := []Announced{{index, netip.MustParseAddr("192.0.2.10"), mac}, {index, netip.MustParseAddr("2001:db8::10"), mac}}
	if diff := cmp.Diff(want, got, compareNetip); diff != "" {
		t.Errorf("heard (-want +got):\n%s", diff)
	}
	// A link that went down and up is still heard.
	b.run("ip", "link", "set", "w0", "down")
	b.run("ip", "link", "set", "w0", "up")
	waitFor(t, "an announcement after the link came back", func() bool {
		theirs.Announce(a.link("v0"), addrs("192.0.2.11"), 1)
		return slices.ContainsFunc(seen(), func(x Announced) bool { return x.Addr.String() == "192.0.2.11" })
	})
	stop()
	n := len(seen())
	theirs.Announce(a.link("v0"), addrs("192.0.2.12"), 1)
	a.knock("192.0.2.2")
	if len(seen()) != n {
		t.Error("heard something after Close")
	}
}

// knock sends one UDP packet, for which the hosts ask each other's hardware
// addresses, and waits until the answer is known.
func (n *testNS) knock(addr string) {
	n.t.Helper()
	n.do(func() error {
		c, err := net.Dial("udp", net.JoinHostPort(addr, "9"))
		if err != nil {
			return err
		}
		defer c.Close()
		_, err = c.Write([]byte("knock"))
		return err
	})
	waitFor(n.t, "the answer of "+addr, func() bool { return strings.Contains(n.run("ip", "neigh", "show", addr), "lladdr") })
}

// A watch that does not listen hears nothing, not even later what was said
// meanwhile; one that does hears bursts whole.
func TestKernelPeerWatchListens(t *testing.T) {
	a, b := pair(t, "v0", "w0")
	var mu sync.Mutex
	heard := map[netip.Addr]int{}
	times := func(list ...netip.Addr) (n int) {
		mu.Lock()
		defer mu.Unlock()
		for _, addr := range list {
			n += heard[addr]
		}
		return n
	}
	w, _ := b.watch("w0", func(x Announced) {
		mu.Lock()
		defer mu.Unlock()
		heard[x.Addr]++
	})
	theirs, link := a.announcer(0, 0), a.link("v0")
	listen := func(on bool) {
		t.Helper()
		if err := w.Listen(on); err != nil {
			t.Fatal(err)
		}
	}
	// What comes last is seen on another socket, so that all has been sent.
	in := b.frames("w0")
	last := func(addr string) {
		t.Helper()
		theirs.Announce(link, addrs(addr), 1)
		want := netip.MustParseAddr(addr)
		frame(t, in, func(f []byte) bool {
			got, _, ok := parseGratuitous(f)
			return isAnnouncement(f) && ok && got == want
		})
	}
	unheard := addrs("192.0.2.10", "2001:db8::10", "192.0.2.20", "2001:db8::20")
	listen(false)
	theirs.Announce(link, unheard[:2], 1)
	last("192.0.2.11")
	listen(true)
	var burst []netip.Addr
	for i := range 2 * InboxSize {
		burst = append(burst, netip.AddrFrom4([4]byte{10, 1, 0, byte(i + 1)}))
	}
	theirs.Announce(link, burst, 2)
	waitFor(t, "the burst", func() bool { return times(burst...) == 2*len(burst) })
	listen(false)
	theirs.Announce(link, unheard[2:], 1)
	last("192.0.2.12")
	listen(true)
	last("192.0.2.13")
	waitFor(t, "what was said after", func() bool { return times(addrs("192.0.2.13")...) > 0 })
	if n := times(unheard...); n > 0 {
		t.Errorf("heard %d announcements that nobody listened to", n)
	}
}

func TestKernelPeerWatchRefuses(t *testing.T) {
	a, _ := pair(t, "v0", "w0")
	p, err := NewPoller()
	if err != nil {
		t.Fatal(err)
	}
	defer p.Close()
	for _, l := range []Link{{Name: "v0", Index: a.link("v0").Index}, {Name: "nosuch", Index: 999, MAC: testMAC}} {
		if err := a.try(func() error {
			w, err := WatchPeers(l, p, func() {})
			if err == nil {
				_ = w.Close()
			}
			return err
		}); err == nil {
			t.Errorf("watches %+v", l)
		}
	}
}

func BenchmarkKernelAnnounce(b *testing.B) {
	n, m := pair(b, "v0", "w0")
	a := n.announcer(0, 0)
	var heard atomic.Int64
	_, _ = m.watch("w0", func(Announced) { heard.Add(1) })
	link := n.link("v0")
	var list []netip.Addr
	for i := range 200 {
		list = append(list, netip.AddrFrom4([4]byte{10, 1, 0, byte(i + 1)}))
	}
	sent := int64(0)
	for b.Loop() {
		a.Announce(link, list, 5)
		sent += 1000
		for heard.Load() < sent {
			time.Sleep(50 * time.Microsecond)
		}
	}
}
