package host

import (
	"bytes"
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/hashicorp/go-hclog"
	"golang.org/x/net/bpf"
	"golang.org/x/sys/unix"
)

var (
	testMAC  = []byte{0x0e, 0xdb, 0xed, 0x74, 0x9a, 0xc1}
	otherMAC = MAC{0x0e, 0xdb, 0xed, 0x74, 0x9a, 0xc2}
	ethernet = Link{Name: "v0", Index: 3, MAC: testMAC}
)

func addrs(s ...string) []netip.Addr {
	var out []netip.Addr
	for _, a := range s {
		out = append(out, netip.MustParseAddr(a))
	}
	return out
}

// The frames are those that keepalived 2.2.7 sent, byte for byte.
func TestAnnouncementFrames(t *testing.T) {
	tests := []struct {
		name, addr string
		router     bool
		frame      string
	}{
		{"gratuitous ARP", "192.0.2.10", false, `
			ffffffffffff 0edbed749ac1 0806
			0001 0800 06 04 0001
			0edbed749ac1 c000020a
			ffffffffffff c000020a`},
		{"advertisement of a host", "2001:db8::10", false, `
			333300000001 0edbed749ac1 86dd
			60000000 0020 3a ff
			20010db8000000000000000000000010
			ff020000000000000000000000000001
			88 00 63fc 20000000
			20010db8000000000000000000000010
			02 01 0edbed749ac1`},
		{"advertisement of a router", "fe80::99", true, `
			333300000001 0edbed749ac1 86dd
			60000000 0020 3a ff
			fe800000000000000000000000000099
			ff020000000000000000000000000001
			88 00 415a a0000000
			fe800000000000000000000000000099
			02 01 0edbed749ac1`},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			want, err := hex.DecodeString(strings.Join(strings.Fields(tt.frame), ""))
			if err != nil {
				t.Fatal(err)
			}
			got, err := announcement(netip.MustParseAddr(tt.addr), testMAC, tt.router)
			if err != nil {
				t.Fatal(err)
			}
			if !bytes.Equal(got, want) {
				t.Errorf("frame\n%x, want\n%x", got, want)
			}
		})
	}
	if _, err := announcement(netip.MustParseAddr("192.0.2.1"), make([]byte, 20), false); err == nil {
		t.Error("a 20 byte hardware address was accepted")
	}
}

// The kernel's filters, run in x/net's machine, over what other nodes send.
func TestPeerFilters(t *testing.T) {
	arp := func(edit func(b []byte)) []byte {
		b, err := announcement(netip.MustParseAddr("192.0.2.10"), otherMAC[:], false)
		if err != nil {
			t.Fatal(err)
		}
		if edit != nil {
			edit(b)
		}
		return b
	}
	na := func(edit func(b []byte)) []byte {
		b, err := announcement(netip.MustParseAddr("2001:db8::10"), otherMAC[:], true)
		if err != nil {
			t.Fatal(err)
		}
		if edit != nil {
			edit(b)
		}
		return b
	}
	tests := []struct {
		name     string
		frame    []byte
		accepted bool
	}{
		{"gratuitous ARP request", arp(nil), true},
		{"gratuitous ARP reply", arp(func(b []byte) { b[arpHeader+7] = 2 }), true},
		{"gratuitous ARP, padded", append(arp(nil), make([]byte, 18)...), true},
		{"ARP question", arp(func(b []byte) { b[arpTargetIP+3] = 11 }), false},
		{"ARP with both addresses zero", arp(func(b []byte) { clear(b[arpSenderIP : arpSenderIP+4]); clear(b[arpTargetIP : arpTargetIP+4]) }), false},
		{"ARP of another hardware type", arp(func(b []byte) { b[arpHeader+1] = 6 }), false},
		{"ARP of another address length", arp(func(b []byte) { b[arpHeader+4] = 8 }), false},
		{"gratuitous ARP of our own", arp(func(b []byte) { copy(b[offsetSource:], testMAC) }), false},
		{"own but for the last byte", arp(func(b []byte) { copy(b[offsetSource:], testMAC); b[offsetSource+5]++ }), true},
		{"own but for the first byte", arp(func(b []byte) { copy(b[offsetSource:], testMAC); b[offsetSource]++ }), true},
		{"ARP cut off", arp(nil)[:arpTargetIP+2], false},
		{"unsolicited advertisement", na(nil), true},
		{"without override", na(func(b []byte) { b[naFlags] = 0 }), true},
		{"solicited advertisement", na(func(b []byte) { b[naFlags] |= naSolicited }), false},
		{"solicitation", na(func(b []byte) { b[icmpStart] = 135 }), false},
		{"advertisement from afar", na(func(b []byte) { b[ipv6NextField+1] = 64 }), false},
		{"another protocol", na(func(b []byte) { b[ipv6NextField] = 17 }), false},
		{"advertisement of our own", na(func(b []byte) { copy(b[offsetSource:], testMAC) }), false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			filter, read := arpFilter(MAC(testMAC)), parseGratuitous
			want := netip.MustParseAddr("192.0.2.10")
			if tt.frame[12] == 0x86 {
				filter, read = advertisementFilter(MAC(testMAC)), parseAdvertisement
				want = netip.MustParseAddr("2001:db8::10")
			}
			vm, err := bpf.NewVM(filter)
			if err != nil {
				t.Fatal(err)
			}
			n, err := vm.Run(tt.frame)
			if err != nil {
				t.Fatal(err)
			}
			if (n > 0) != tt.accepted {
				t.Fatalf("accepted %d bytes, want accepted %v", n, tt.accepted)
			}
			if !tt.accepted {
				return
			}
			addr, mac, ok := read(tt.frame)
			if !ok || addr != want || mac != otherMAC {
				t.Errorf("read %s at %x, %v", addr, mac, ok)
			}
		})
	}
}

func FuzzParsePeerFrames(f *testing.F) {
	for _, a := range addrs("192.0.2.10", "2001:db8::10") {
		b, err := announcement(a, otherMAC[:], false)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(b)
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		if addr, _, ok := parseGratuitous(b); ok != addr.Is4() {
			t.Errorf("read %s, %v", addr, ok)
		}
		if addr, _, ok := parseAdvertisement(b); ok != addr.Is6() {
			t.Errorf("read %s, %v", addr, ok)
		}
	})
}

func TestAnnounceQueueOrder(t *testing.T) {
	q := newAnnounceQueue()
	all := addrs("192.0.2.1", "192.0.2.2", "192.0.2.3", "192.0.2.4")
	var got []string
	take := func(n int) {
		for range n {
			p := q.head()
			got = append(got, fmt.Sprintf("%s/%d", p.addr, p.left))
			q.done()
		}
	}
	for _, a := range all[:3] {
		q.add(a, "v0", nil, 3)
	}
	take(4)
	q.remove(all[1])
	q.add(all[3], "v0", nil, 1) // its first round goes before the others' second
	q.add(all[2], "v0", nil, 1) // two are pending still: two remain
	take(4)
	want := []string{
		"192.0.2.1/3", "192.0.2.2/3", "192.0.2.3/3", // first round
		"192.0.2.1/2",                // second, interrupted
		"192.0.2.4/1", "192.0.2.3/2", // new bursts
		"192.0.2.3/1", "192.0.2.1/1",
	}
	if q.empty() {
		got = append(got, "empty")
	}
	if diff := cmp.Diff(append(want, "empty"), got); diff != "" {
		t.Errorf("order (-want +got):\n%s", diff)
	}
}

// A fakeWire is where the sockets of an Announcer under test send.
type fakeWire struct {
	mu     sync.Mutex
	sent   []sentFrame
	opened []int
	// fail says what happens to a frame; nil lets all pass.
	fail func(index int, addr netip.Addr) error
	// most, above 0, is how many frames a call takes; calls counts them.
	most, calls int
}

type sentFrame struct {
	index int
	addr  netip.Addr
	at    time.Time
}

type fakeSocket struct {
	wire  *fakeWire
	index int
}

func (w *fakeWire) open(index int) (frameSocket, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.opened = append(w.opened, index)
	return &fakeSocket{w, index}, nil
}

func (s *fakeSocket) send(list []*pending) (sent int, err error) {
	s.wire.mu.Lock()
	defer s.wire.mu.Unlock()
	s.wire.calls++
	for _, p := range list {
		if s.wire.most > 0 && sent == s.wire.most {
			return sent, nil
		}
		read := parseGratuitous
		if p.frame[12] == 0x86 {
			read = parseAdvertisement
		}
		addr, _, ok := read(p.frame)
		if !ok {
			return sent, errors.New("no announcement")
		}
		if s.wire.fail != nil {
			if err := s.wire.fail(s.index, addr); err != nil {
				return sent, err
			}
		}
		s.wire.sent = append(s.wire.sent, sentFrame{s.index, addr, time.Now()})
		sent++
	}
	return sent, nil
}

func (s *fakeSocket) close() error { return nil }

func (w *fakeWire) addrs() []string {
	w.mu.Lock()
	defer w.mu.Unlock()
	var out []string
	for _, f := range w.sent {
		out = append(out, f.addr.String())
	}
	return out
}

// pause lets synthetic time pass, and what is due then happen.
func pause(d time.Duration) {
	time.Sleep(d)
	synctest.Wait()
}

// runAnnouncer runs body beside an announcer on a fake wire, in synthetic time.
func runAnnouncer(t *testing.T, log hclog.Logger, arp, na time.Duration, body func(*Announcer, *fakeWire)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		wire := &fakeWire{}
		a := NewAnnouncer(log, arp, na)
		a.open = wire.open
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan error)
		go func() { done <- a.Run(ctx) }()
		body(a, wire)
		cancel()
		if err := <-done; !errors.Is(err, context.Canceled) {
			t.Errorf("Run returned %v", err)
		}
	})
}

func TestAnnouncerRounds(t *testing.T) {
	runAnnouncer(t, hclog.NewNullLogger(), 0, 0, func(a *Announcer, w *fakeWire) {
		a.Announce(ethernet, addrs("192.0.2.1", "2001:db8::1", "192.0.2.2"), 2)
		synctest.Wait()
		want := []string{"192.0.2.1", "2001:db8::1", "192.0.2.2", "192.0.2.1", "2001:db8::1", "192.0.2.2"}
		if diff := cmp.Diff(want, w.addrs()); diff != "" {
			t.Errorf("sent (-want +got):\n%s", diff)
		}
		// Nothing more comes by itself, and the socket is used again.
		pause(time.Minute)
		a.Announce(ethernet, addrs("192.0.2.3"), 1)
		synctest.Wait()
		if got := w.addrs(); len(got) != 7 || got[6] != "192.0.2.3" {
			t.Errorf("sent %v", got)
		}
		if !slices.Equal(w.opened, []int{3}) {
			t.Errorf("opened sockets on %v", w.opened)
		}
	})
}

func TestAnnouncerSpacing(t *testing.T) {
	const arp, na = 10 * time.Millisecond, 25 * time.Millisecond
	runAnnouncer(t, hclog.NewNullLogger(), arp, na, func(a *Announcer, w *fakeWire) {
		begin := time.Now()
		a.Announce(ethernet, addrs("192.0.2.1", "2001:db8::1", "192.0.2.2"), 2)
		// Another interface waits for nobody.
		a.Announce(Link{Name: "v1", Index: 4, MAC: testMAC}, addrs("192.0.2.9"), 1)
		pause(time.Second)
		got := map[int][]time.Duration{}
		for _, f := range w.sent {
			got[f.index] = append(got[f.index], f.at.Sub(begin))
		}
		want := map[int][]time.Duration{3: {0, arp, arp + na, 2*arp + na, 3*arp + na, 3*arp + 2*na}, 4: {0}}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("moments (-want +got):\n%s", diff)
		}
		a.SetSpacing(0, 0)
		w.sent, begin = nil, time.Now()
		a.Announce(ethernet, addrs("192.0.2.1", "192.0.2.2"), 5)
		synctest.Wait()
		// The gap of what was sent before still holds for the first.
		if len(w.sent) != 10 || time.Since(begin) > na {
			t.Errorf("without spacing: %d sent in %v", len(w.sent), time.Since(begin))
		}
	})
}

// The interfaces of a garp_group take turns, with the group's interval between
// any two frames; another interface waits for none of them. An interval that the
// group does not give is none: so keepalived 2.2.7 sends them.
func TestAnnouncerSharedSpacing(t *testing.T) {
	const gap = 10 * time.Millisecond
	runAnnouncer(t, hclog.NewNullLogger(), time.Minute, time.Minute, func(a *Announcer, w *fakeWire) {
		a.SetSpacing(0, time.Minute, SharedSpacing{ARP: gap, Links: []string{"v0", "v1"}})
		begin := time.Now()
		a.Announce(ethernet, addrs("192.0.2.1", "192.0.2.2"), 1)
		a.Announce(Link{Name: "v1", Index: 4, MAC: testMAC}, addrs("192.0.2.9", "192.0.2.10"), 1)
		a.Announce(Link{Name: "v2", Index: 5, MAC: testMAC}, addrs("192.0.2.20", "192.0.2.21"), 1)
		pause(time.Second)
		at := map[string]time.Duration{}
		for _, f := range w.sent {
			at[f.addr.String()] = f.at.Sub(begin)
		}
		want := map[string]time.Duration{
			"192.0.2.1": 0, "192.0.2.9": gap, "192.0.2.2": 2 * gap, "192.0.2.10": 3 * gap, "192.0.2.20": 0, "192.0.2.21": 0,
		}
		if diff := cmp.Diff(want, at); diff != "" {
			t.Errorf("moments (-want +got):\n%s", diff)
		}
		w.sent, begin = nil, time.Now()
		a.Announce(ethernet, addrs("2001:db8::1", "2001:db8::2"), 1)
		synctest.Wait()
		if len(w.sent) != 2 || time.Since(begin) != 0 {
			t.Errorf("without an interval for Neighbour Advertisements: %d sent in %v", len(w.sent), time.Since(begin))
		}
		// What a reload finds sent counts for those that share from then on.
		a.Announce(ethernet, addrs("192.0.2.1"), 1)
		synctest.Wait()
		a.SetSpacing(0, 0, SharedSpacing{ARP: gap, Links: []string{"v0", "v2"}})
		w.sent, begin = nil, time.Now()
		a.Announce(Link{Name: "v2", Index: 5, MAC: testMAC}, addrs("192.0.2.20"), 1)
		pause(time.Second)
		if len(w.sent) != 1 || w.sent[0].at.Sub(begin) != gap {
			t.Errorf("after a reload: %v", w.sent)
		}
	})
}

// A released address is never announced afterwards.
func TestAnnouncerCancel(t *testing.T) {
	runAnnouncer(t, hclog.NewNullLogger(), time.Millisecond, time.Millisecond, func(a *Announcer, w *fakeWire) {
		gone, kept := netip.MustParseAddr("192.0.2.1"), netip.MustParseAddr("192.0.2.2")
		other := Link{Name: "v1", Index: 4, MAC: testMAC}
		a.Announce(ethernet, []netip.Addr{gone, kept}, 100)
		a.Announce(other, []netip.Addr{gone}, 100)
		pause(50*time.Millisecond + time.Microsecond)
		a.Cancel(ethernet.Index, gone)
		w.mu.Lock()
		w.sent = nil
		w.mu.Unlock()
		pause(time.Second)
		count := map[string]int{}
		for _, f := range w.sent {
			count[fmt.Sprintf("%d %s", f.index, f.addr)]++
		}
		if count["3 192.0.2.1"] != 0 || count["3 192.0.2.2"] == 0 || count["4 192.0.2.1"] == 0 {
			t.Errorf("sent after the cancellation: %v", count)
		}
		a.Cancel(99, gone)
	})
}

func TestAnnouncerRetries(t *testing.T) {
	var log bytes.Buffer
	logger := hclog.New(&hclog.LoggerOptions{Output: &log, Level: hclog.Info})
	runAnnouncer(t, logger, 0, 0, func(a *Announcer, w *fakeWire) {
		failing := true
		one, two := netip.MustParseAddr("192.0.2.1"), netip.MustParseAddr("192.0.2.2")
		w.fail = func(index int, _ netip.Addr) error {
			if failing && index == 3 {
				return unix.ENETDOWN
			}
			return nil
		}
		a.Announce(ethernet, []netip.Addr{one, two}, 2)
		a.Announce(Link{Name: "v1", Index: 4, MAC: testMAC}, []netip.Addr{one}, 1)
		pause(200 * time.Millisecond)
		if got := w.addrs(); len(got) != 1 {
			t.Errorf("while down: %v", got)
		}
		w.mu.Lock()
		failing = false
		w.mu.Unlock()
		pause(200 * time.Millisecond)
		if diff := cmp.Diff([]string{"192.0.2.1", "192.0.2.1", "192.0.2.2", "192.0.2.1", "192.0.2.2"}, w.addrs()); diff != "" {
			t.Errorf("after a link that was down (-want +got):\n%s", diff)
		}

		// A link that stays down costs a bounded number of tries and two lines.
		w.mu.Lock()
		failing, w.sent = true, nil
		w.mu.Unlock()
		log.Reset()
		a.Announce(ethernet, []netip.Addr{one, two}, 2)
		pause(time.Minute)
		w.mu.Lock()
		failing = false
		w.mu.Unlock()
		pause(time.Minute)
		if got := w.addrs(); len(got) != 0 {
			t.Errorf("given up, and yet sent: %v", got)
		}
		if n := strings.Count(log.String(), "\n"); n != 2 || !strings.Contains(log.String(), "given up") {
			t.Errorf("logged %d lines:\n%s", n, log.String())
		}

		// A frame that the kernel does not like costs nobody else anything.
		w.mu.Lock()
		w.fail = func(_ int, addr netip.Addr) error {
			if addr == one {
				return unix.EINVAL
			}
			return nil
		}
		w.mu.Unlock()
		a.Announce(ethernet, []netip.Addr{one, two}, 2)
		pause(time.Second)
		if diff := cmp.Diff([]string{"192.0.2.2", "192.0.2.2"}, w.addrs()); diff != "" {
			t.Errorf("beside a bad frame (-want +got):\n%s", diff)
		}
	})
}

// Frames go out together, at most a burst, and where the kernel takes a part of
// them, or refuses one in the middle, order and rounds are kept.
func TestAnnouncerBursts(t *testing.T) {
	runAnnouncer(t, hclog.NewNullLogger(), 0, 0, func(a *Announcer, w *fakeWire) {
		var list []netip.Addr
		var want []string
		for i := range 2*burst + 6 {
			list = append(list, netip.AddrFrom4([4]byte{192, 0, 2, byte(i + 1)}))
		}
		for range 3 {
			for _, addr := range list {
				want = append(want, addr.String())
			}
		}
		again := func(what string) {
			t.Helper()
			w.mu.Lock()
			w.sent, w.calls = nil, 0
			w.mu.Unlock()
			a.Announce(ethernet, list, 3)
			pause(time.Second)
			if diff := cmp.Diff(want, w.addrs()); diff != "" {
				t.Errorf("%s (-want +got):\n%s", what, diff)
			}
		}
		again("sent")
		if most := (len(want) + burst - 1) / burst; w.calls != most {
			t.Errorf("%d calls for %d frames, want %d", w.calls, len(want), most)
		}
		w.most = 5
		again("sent by fives")
		w.most = 0
		tries := 0
		w.fail = func(int, netip.Addr) error {
			if tries++; tries%50 == 0 {
				return unix.ENOBUFS
			}
			return nil
		}
		again("sent to a queue that overflows")
		tries = 0
		w.fail = func(_ int, addr netip.Addr) error {
			if addr == list[40] {
				if tries++; tries == 1 {
					return unix.EINVAL
				}
			}
			return nil
		}
		want = slices.Delete(want, 40, 41)
		again("sent but for one round of one")
	})
}

// A link that was deleted and made anew needs another socket.
func TestAnnouncerReopens(t *testing.T) {
	runAnnouncer(t, hclog.NewNullLogger(), 0, 0, func(a *Announcer, w *fakeWire) {
		tries := 0
		w.fail = func(int, netip.Addr) error {
			if tries++; tries == 1 {
				return unix.ENXIO
			}
			return nil
		}
		a.Announce(ethernet, addrs("192.0.2.1"), 1)
		pause(time.Second)
		if len(w.sent) != 1 || !slices.Equal(w.opened, []int{3, 3}) {
			t.Errorf("%d sent, sockets opened on %v", len(w.sent), w.opened)
		}
		a.Announce(ethernet, addrs("192.0.2.1"), 1)
		a.Forget(ethernet.Index)
		pause(time.Second)
		if len(w.sent) > 2 {
			t.Errorf("%d sent on a forgotten link", len(w.sent))
		}
	})
}

func TestAnnouncerPassesOver(t *testing.T) {
	runAnnouncer(t, hclog.NewNullLogger(), 0, 0, func(a *Announcer, w *fakeWire) {
		noARP := ethernet
		noARP.NoARP = true
		infiniband := ethernet
		infiniband.MAC = make([]byte, 20)
		a.Announce(noARP, addrs("192.0.2.1"), 1)
		a.Announce(infiniband, addrs("192.0.2.1", "2001:db8::1"), 1)
		a.Announce(ethernet, addrs("192.0.2.1"), 0)
		a.Announce(ethernet, nil, 1)
		synctest.Wait()
		if len(w.sent) != 0 {
			t.Errorf("sent %v", w.sent)
		}
	})
}

// The lines that keepalived prints with -D, which people look for.
func TestAnnouncerLog(t *testing.T) {
	var log bytes.Buffer
	logger := hclog.New(&hclog.LoggerOptions{Output: &log, Level: hclog.Debug})
	runAnnouncer(t, logger, 0, 0, func(a *Announcer, _ *fakeWire) {
		a.Announce(ethernet, addrs("192.0.2.1", "2001:db8::1"), 1)
		synctest.Wait()
		for _, want := range []string{
			"Sending gratuitous ARP on v0 for 192.0.2.1\n",
			"Sending unsolicited Neighbour Advert on v0 for 2001:db8::1\n",
		} {
			if !strings.Contains(log.String(), want) {
				t.Errorf("log does not say %q:\n%s", want, log.String())
			}
		}
	})
}
