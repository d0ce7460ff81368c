//go:build kernel

package host

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/mdlayher/packet"
	"golang.org/x/sys/unix"
)

var (
	group4 = netip.MustParseAddr("224.0.0.18")
	group6 = netip.MustParseAddr("ff02::12")
)

// adverts opens the sockets of a link and collects what comes in.
func (n *testNS) adverts(key AdvertKey) (*AdvertConn, chan Received) {
	n.t.Helper()
	in := make(chan Received, 1000)
	var c *AdvertConn
	n.do(func() (err error) {
		c, err = openListening(n.t, key, func(r Received) {
			r.Payload = bytes.Clone(r.Payload)
			select {
			case in <- r:
			default:
			}
		})
		return err
	})
	n.t.Cleanup(func() { _ = c.Close() })
	return c, in
}

// openListening opens the socket of a key and has a goroutine receive from it
// until the test ends.
func openListening(t testing.TB, key AdvertKey, handler func(Received)) (*AdvertConn, error) {
	t.Helper()
	p, err := NewPoller()
	if err != nil {
		return nil, err
	}
	var c *AdvertConn
	in := NewInbox()
	c, err = OpenAdverts(key, p, func() {
		for c.Receive(in, handler) > 0 {
		}
		_ = c.Arm()
	})
	if err != nil {
		return nil, errors.Join(err, p.Close())
	}
	if err := c.Arm(); err != nil {
		return nil, err
	}
	waitIn(t, p, c)
	return c, nil
}

// waitIn has a goroutine wait in a poller until stop, or the test ends, and closes
// a socket of it then. Once stop has returned nothing more is handed on.
func waitIn(t testing.TB, p *Poller, c io.Closer) (stop func()) {
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() {
		defer close(done)
		for ctx.Err() == nil && p.Wait(time.Time{}) == nil {
		}
	}()
	stop = sync.OnceFunc(func() {
		_ = c.Close()
		cancel()
		p.Wake()
		<-done
		if err := p.Close(); err != nil {
			t.Error(err)
		}
	})
	t.Cleanup(stop)
	return stop
}

// receive waits for one packet.
func receive[T any](t testing.TB, in chan T) (r T) {
	t.Helper()
	select {
	case r = <-in:
	case <-time.After(time.Minute):
		t.Fatal("nothing came in a minute")
	}
	return r
}

func noneOf[T any](t testing.TB, in chan T, what string) {
	t.Helper()
	select {
	case r := <-in:
		t.Errorf("%s: got %+v", what, r)
	default:
	}
}

// frames captures what arrives on a link, from the Ethernet header on.
func (n *testNS) frames(link string) chan []byte {
	n.t.Helper()
	var conn *packet.Conn
	n.do(func() (err error) {
		ifi, err := net.InterfaceByName(link)
		if err != nil {
			return err
		}
		if conn, err = packet.Listen(ifi, packet.Raw, unix.ETH_P_ALL, nil); err != nil {
			return err
		}
		raw, err := conn.SyscallConn()
		if err != nil {
			return err
		}
		// Room for a burst that comes while nobody has a core to read it.
		cerr := raw.Control(func(fd uintptr) { err = unix.SetsockoptInt(int(fd), unix.SOL_SOCKET, unix.SO_RCVBUFFORCE, 16<<20) })
		return errors.Join(err, cerr)
	})
	n.t.Cleanup(func() { _ = conn.Close() })
	out := make(chan []byte, 4000)
	go func() {
		b := make([]byte, 2000)
		for {
			c, from, err := conn.ReadFrom(b)
			if err != nil {
				return
			}
			_ = from
			select {
			case out <- bytes.Clone(b[:c]):
			default:
			}
		}
	}()
	return out
}

// frame waits for one that match says yes to.
func frame(t testing.TB, in chan []byte, match func([]byte) bool) []byte {
	t.Helper()
	deadline := time.After(time.Minute)
	for {
		select {
		case b := <-in:
			if match(b) {
				return b
			}
		case <-deadline:
			t.Fatal("no such frame in a minute")
		}
	}
}

func (n *testNS) key(link string, group netip.Addr, ipv6 bool) AdvertKey {
	return AdvertKey{Interface: link, Index: n.link(link).Index, IPv6: ipv6, Group: group}
}

func TestKernelAdverts(t *testing.T) {
	a, b := pair(t, "v0", "w0", [2]string{"192.0.2.1/24", "192.0.2.2/24"}, [2]string{"fe80::1/64", "fe80::2/64"},
		[2]string{"2001:db8::1/64", "2001:db8::2/64"})
	payload := []byte{0x31, 51, 100, 1, 0, 100, 0x12, 0x34, 192, 0, 2, 10}
	tests := []struct {
		name            string
		ipv6            bool
		group, src, dst string
		ttl             int
	}{
		{"IPv4 multicast", false, "224.0.0.18", "192.0.2.1", "224.0.0.18", 255},
		{"IPv4 another group", false, "224.0.0.100", "192.0.2.1", "224.0.0.100", 255},
		{"IPv4 unicast", false, "", "192.0.2.1", "192.0.2.2", 7},
		{"IPv4 unicast from an address that is not ours", false, "", "192.0.2.77", "192.0.2.2", 64},
		{"IPv4 multicast from an address that is not ours", false, "224.0.0.18", "198.51.100.1", "224.0.0.18", 255},
		{"IPv6 multicast", true, "ff02::12", "fe80::1", "ff02::12", 255},
		{"IPv6 unicast", true, "", "2001:db8::1", "2001:db8::2", 9},
		{"IPv6 unicast, link-local", true, "", "fe80::1", "fe80::2", 255},
		{"IPv6 unicast from an address that is not ours", true, "", "2001:db8::77", "2001:db8::2", 255},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			var group netip.Addr
			if tt.group != "" {
				group = netip.MustParseAddr(tt.group)
			}
			at, bt := &testNS{t, a.handle}, &testNS{t, b.handle}
			from, own := at.adverts(at.key("v0", group, tt.ipv6))
			back, in := bt.adverts(bt.key("w0", group, tt.ipv6))
			wire := bt.frames("w0")
			src, dst := netip.MustParseAddr(tt.src), netip.MustParseAddr(tt.dst)
			if err := from.Send(src, dst, tt.ttl, payload); err != nil {
				t.Fatal(err)
			}
			r := receive(t, in)
			if r.Meta.Source != src || r.Meta.Destination != dst || r.Meta.TTL != tt.ttl || r.Meta.Unicast != (tt.group == "") {
				t.Errorf("meta %+v", r.Meta)
			}
			if r.Interface != b.link("w0").Index || !bytes.Equal(r.Payload, payload) || time.Since(r.At) > time.Minute {
				t.Errorf("received %+v", r)
			}
			checkWire(t, wire, tt.ipv6, src, dst, tt.ttl, payload)
			// Were our own heard, then before what the peer says after.
			peer, home := netip.MustParseAddr("192.0.2.2"), netip.MustParseAddr("192.0.2.1")
			if tt.ipv6 {
				peer, home = netip.MustParseAddr("fe80::2"), netip.MustParseAddr("fe80::1")
			}
			if group.IsValid() {
				home = group
			}
			if err := back.Send(peer, home, 255, payload); err != nil {
				t.Fatal(err)
			}
			if r := receive(t, own); r.Meta.Source != peer {
				t.Errorf("heard our own advert: %+v", r)
			}
			if s := from.Stats(); s.Sent != 1 || s.SendErrors != 0 || s.ReadErrors != 0 {
				t.Errorf("counts %+v", s)
			}
		})
	}
}

// checkWire looks at the bytes between the two hosts.
func checkWire(t *testing.T, wire chan []byte, ipv6 bool, src, dst netip.Addr, ttl int, payload []byte) {
	t.Helper()
	if ipv6 {
		f := frame(t, wire, func(b []byte) bool { return len(b) > 54 && b[12] == 0x86 && b[20] == protocolVRRP })
		class := binary.BigEndian.Uint16(f[14:]) >> 4 & 0xff
		if class != trafficClass || int(f[21]) != ttl || !bytes.Equal(f[22:38], src.AsSlice()) || !bytes.Equal(f[38:54], dst.AsSlice()) || !bytes.Equal(f[54:], payload) {
			t.Errorf("frame %x", f)
		}
		return
	}
	f := frame(t, wire, func(b []byte) bool { return len(b) > 34 && b[12] == 0x08 && b[13] == 0 && b[23] == protocolVRRP })
	if f[14] != 0x45 || f[15] != trafficClass || int(f[22]) != ttl || !bytes.Equal(f[26:30], src.AsSlice()) || !bytes.Equal(f[30:34], dst.AsSlice()) || !bytes.Equal(f[34:], payload) {
		t.Errorf("frame %x", f)
	}
	sum := uint32(0)
	for i := 14; i < 34; i += 2 {
		sum += uint32(binary.BigEndian.Uint16(f[i:]))
	}
	if sum>>16+sum&0xffff != 0xffff {
		t.Errorf("header checksum of %x", f[14:34])
	}
}

// Each socket hears its own link, and its own group, only.
func TestKernelAdvertsKeepToTheirLink(t *testing.T) {
	a, b := pair(t, "v0", "w0", [2]string{"192.0.2.1/24", "192.0.2.2/24"}, [2]string{"fe80::1/64", "fe80::2/64"})
	cable(t, a, b, "v1", "w1")
	for _, p := range [][2]string{{"198.51.100.1/24", "198.51.100.2/24"}, {"fe80::11/64", "fe80::12/64"}} {
		a.run("ip", "addr", "add", p[0], "dev", "v1", "nodad")
		b.run("ip", "addr", "add", p[1], "dev", "w1", "nodad")
	}
	for _, tt := range []struct {
		ipv6                 bool
		group, other         netip.Addr
		src, alone, loopback string
	}{
		{false, group4, netip.MustParseAddr("224.0.0.19"), "192.0.2.1", "192.0.2.2", "127.0.0.1"},
		{true, group6, netip.MustParseAddr("ff02::13"), "fe80::1", "fe80::2", "::1"},
	} {
		src := netip.MustParseAddr(tt.src)
		send, _ := a.adverts(a.key("v0", tt.group, tt.ipv6))
		on0, in0 := b.adverts(b.key("w0", tt.group, tt.ipv6))
		on1, in1 := b.adverts(b.key("w1", tt.group, tt.ipv6))
		_, inOther := b.adverts(b.key("w0", tt.other, tt.ipv6))
		_, inAlone := b.adverts(b.key("w0", netip.Addr{}, tt.ipv6))
		for _, m := range []struct {
			dst     netip.Addr
			payload string
		}{{tt.other, "other"}, {tt.group, "group"}, {netip.MustParseAddr(tt.alone), "alone"}} {
			if err := send.Send(src, m.dst, 255, []byte(m.payload)); err != nil {
				t.Fatal(err)
			}
		}
		// The last one sent was heard by all that may, so the rest has been judged.
		got := map[string][]string{}
		for name, in := range map[string]chan Received{"group": in0, "other": inOther, "alone": inAlone} {
			for len(got[name]) == 0 || got[name][len(got[name])-1] != "alone" {
				got[name] = append(got[name], string(receive(t, in).Payload))
			}
		}
		for name, want := range map[string][]string{"group": {"group", "alone"}, "other": {"other", "alone"}, "alone": {"alone"}} {
			if !slices.Equal(got[name], want) {
				t.Errorf("IPv6 %v: the socket for %s heard %q, want %q", tt.ipv6, name, got[name], want)
			}
		}
		noneOf(t, in1, "the other link's socket")
		// The kernel keeps other groups from IPv4 sockets only.
		if (!tt.ipv6 && on0.Stats().Foreign != 0) || on1.Stats().Received != 0 {
			t.Errorf("counts %+v and %+v", on0.Stats(), on1.Stats())
		}
	}
}

// A link that is down or gone is an error of Send at once, and the socket works
// again when a link that was down is up.
func TestKernelAdvertsOnALinkThatFails(t *testing.T) {
	a, b := pair(t, "v0", "w0", [2]string{"192.0.2.1/24", "192.0.2.2/24"}, [2]string{"fe80::1/64", "fe80::2/64"})
	a.run("sysctl", "-qw", "net.ipv6.conf.v0.keep_addr_on_down=1")
	for _, tt := range []struct {
		group    netip.Addr
		src, dst string
	}{{group4, "192.0.2.1", "192.0.2.2"}, {group6, "fe80::1", "fe80::2"}} {
		src := netip.MustParseAddr(tt.src)
		send, in := a.adverts(a.key("v0", tt.group, tt.group.Is6()))
		back, _ := b.adverts(b.key("w0", tt.group, tt.group.Is6()))
		a.run("ip", "link", "set", "v0", "down")
		if err := send.Send(src, tt.group, 255, []byte("x")); err == nil {
			t.Errorf("%s: sent on a link that is down", tt.group)
		}
		a.run("ip", "link", "set", "v0", "up")
		waitFor(t, "the link", func() bool { return send.Send(src, tt.group, 255, []byte("x")) == nil })
		// What it joined it has still joined.
		waitFor(t, "an advert after the link came back", func() bool {
			_ = back.Send(netip.MustParseAddr(tt.dst), tt.group, 255, []byte("x"))
			return len(in) > 0
		})
		if send.Stats().SendErrors < 1 {
			t.Errorf("counts %+v", send.Stats())
		}
	}
	send4, _ := a.adverts(a.key("v0", group4, false))
	send6, _ := a.adverts(a.key("v0", group6, true))
	a.run("ip", "link", "del", "v0")
	for _, err := range []error{
		send4.Send(netip.MustParseAddr("192.0.2.1"), group4, 255, []byte("x")),
		send6.Send(netip.MustParseAddr("fe80::1"), group6, 255, []byte("x")),
	} {
		if !errors.Is(err, unix.ENODEV) && !errors.Is(err, unix.ENXIO) && !errors.Is(err, unix.ENETUNREACH) {
			t.Errorf("on a deleted link: %v", err)
		}
	}
	a.do(func() error {
		if c, err := openListening(t, AdvertKey{Interface: "v0", Index: 99, IPv6: false, Group: group4}, func(Received) {}); err == nil {
			_ = c.Close()
			return errors.New("opened a socket on a link that does not exist")
		}
		return nil
	})
}

func TestKernelAdvertsWithoutAnAddress(t *testing.T) {
	a, b := pair(t, "v0", "w0")
	send, _ := a.adverts(a.key("v0", group4, false))
	_, in := b.adverts(b.key("w0", group4, false))
	if err := send.Send(netip.MustParseAddr("192.0.2.1"), group4, 255, []byte("x")); err != nil {
		t.Fatal(err)
	}
	if r := receive(t, in); r.Meta.Source.String() != "192.0.2.1" {
		t.Errorf("received %+v", r)
	}
}

// Unicast without an interface: whatever link the route leads over.
func TestKernelAdvertsWithoutAnInterface(t *testing.T) {
	a, b := pair(t, "v0", "w0", [2]string{"192.0.2.1/24", "192.0.2.2/24"}, [2]string{"2001:db8::1/64", "2001:db8::2/64"})
	cable(t, a, b, "v1", "w1")
	for _, p := range [][2]string{{"198.51.100.1/24", "198.51.100.2/24"}, {"2001:db8:1::1/64", "2001:db8:1::2/64"}} {
		a.run("ip", "addr", "add", p[0], "dev", "v1", "nodad")
		b.run("ip", "addr", "add", p[1], "dev", "w1", "nodad")
	}
	for _, tt := range []struct {
		ipv6                    bool
		src, dst, link, nowhere string
	}{
		{false, "192.0.2.1", "192.0.2.2", "w0", "203.0.113.1"},
		{false, "198.51.100.1", "198.51.100.2", "w1", "203.0.113.1"},
		{true, "2001:db8::1", "2001:db8::2", "w0", "2001:db8:2::1"},
		{true, "2001:db8:1::1", "2001:db8:1::2", "w1", "2001:db8:2::1"},
	} {
		send, _ := a.adverts(AdvertKey{IPv6: tt.ipv6})
		_, in := b.adverts(AdvertKey{IPv6: tt.ipv6})
		src := netip.MustParseAddr(tt.src)
		if err := send.Send(src, netip.MustParseAddr(tt.dst), 64, []byte("x")); err != nil {
			t.Fatal(err)
		}
		if r := receive(t, in); r.Meta.Source != src || r.Interface != b.link(tt.link).Index || r.Meta.TTL != 64 {
			t.Errorf("received %+v", r)
		}
		if err := send.Send(src, netip.MustParseAddr(tt.nowhere), 255, []byte("x")); !errors.Is(err, unix.ENETUNREACH) {
			t.Errorf("where there is no route: %v", err)
		}
	}
}

func TestKernelAdvertsRefuse(t *testing.T) {
	a, _ := pair(t, "v0", "w0", [2]string{"192.0.2.1/24", "192.0.2.2/24"})
	c, _ := a.adverts(a.key("v0", group4, false))
	good := netip.MustParseAddr("192.0.2.1")
	for _, err := range []error{
		c.Send(netip.Addr{}, group4, 255, []byte("x")),
		c.Send(good, netip.Addr{}, 255, []byte("x")),
		c.Send(good, group6, 255, []byte("x")),
		c.Send(good, group4, 0, []byte("x")),
		c.Send(good, group4, 256, []byte("x")),
		c.Send(good, group4, 255, make([]byte, 9000)),
	} {
		if err == nil {
			t.Error("sent what cannot be sent")
		}
	}
	if err := c.Close(); err != nil {
		t.Error(err)
	}
	if err := c.Close(); err != nil {
		t.Errorf("closed twice: %v", err)
	}
	if err := c.Send(good, group4, 255, []byte("x")); err == nil {
		t.Error("sent on a closed socket")
	}
}

// 250 adverts at once, which overflow a socket of default size when nobody reads.
func TestKernelAdvertsBurst(t *testing.T) {
	a, b := pair(t, "v0", "w0", [2]string{"192.0.2.1/24", "192.0.2.2/24"})
	send, _ := a.adverts(a.key("v0", group4, false))
	block, count := make(chan struct{}), make(chan struct{}, 1000)
	var c *AdvertConn
	b.do(func() (err error) {
		c, err = openListening(t, b.key("w0", group4, false), func(Received) {
			<-block
			count <- struct{}{}
		})
		return err
	})
	defer c.Close()
	src, payload := netip.MustParseAddr("192.0.2.1"), make([]byte, 40)
	for i := range 500 {
		if err := send.Send(src, group4, 255, payload); err != nil {
			t.Fatalf("advert %d: %v", i, err)
		}
	}
	close(block)
	waitFor(t, "500 adverts", func() bool { return len(count) == 500 })
}

func TestKernelAdvertsDoNotAllocate(t *testing.T) {
	a, b := pair(t, "v0", "w0", [2]string{"192.0.2.1/24", "192.0.2.2/24"}, [2]string{"fe80::1/64", "fe80::2/64"})
	for _, tt := range []struct {
		group netip.Addr
		src   string
	}{{group4, "192.0.2.1"}, {group6, "fe80::1"}} {
		send, _ := a.adverts(a.key("v0", tt.group, tt.group.Is6()))
		got := make(chan struct{}, 1)
		var c *AdvertConn
		b.do(func() (err error) {
			c, err = openListening(t, b.key("w0", tt.group, tt.group.Is6()), func(Received) { got <- struct{}{} })
			return err
		})
		src, payload := netip.MustParseAddr(tt.src), make([]byte, 40)
		round := func() {
			if err := send.Send(src, tt.group, 255, payload); err != nil {
				t.Fatal(err)
			}
			<-got
		}
		round()
		if n := testing.AllocsPerRun(500, round); n != 0 {
			t.Errorf("%s: %v allocations for one advert sent and received", tt.group, n)
		}
		_ = c.Close()
	}
}

func BenchmarkKernelAdverts(b *testing.B) {
	n, m := pair(b, "v0", "w0", [2]string{"192.0.2.1/24", "192.0.2.2/24"}, [2]string{"fe80::1/64", "fe80::2/64"})
	for _, group := range []netip.Addr{group4, group6} {
		b.Run(fmt.Sprint(group), func(b *testing.B) {
			nt, mt := &testNS{b, n.handle}, &testNS{b, m.handle}
			send, _ := nt.adverts(nt.key("v0", group, group.Is6()))
			var c *AdvertConn
			mt.do(func() (err error) {
				c, err = openListening(b, mt.key("w0", group, group.Is6()), func(Received) {})
				return err
			})
			defer c.Close()
			src, payload := netip.MustParseAddr("192.0.2.1"), make([]byte, 40)
			if group.Is6() {
				src = netip.MustParseAddr("fe80::1")
			}
			b.ReportAllocs()
			for b.Loop() {
				if err := send.Send(src, group, 255, payload); err != nil {
					b.Fatal(err)
				}
			}
			b.ReportMetric(float64(c.Stats().Received)/float64(b.N), "received/op")
		})
	}
}
