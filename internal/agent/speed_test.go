package agent

import (
	"errors"
	"fmt"
	"net/netip"
	"os/exec"
	"runtime"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/tandem-ha/tandem/config"
	"github.com/tandem-ha/tandem/internal/host"
	"github.com/tandem-ha/tandem/internal/host/hosttest"
	"github.com/tandem-ha/tandem/internal/journal"
	"github.com/tandem-ha/tandem/internal/sched"
	"github.com/tandem-ha/tandem/vrrp"
)

// solo is an elector in real time, with a real poller, whose adverts go nowhere.
type solo struct {
	*host.Poller
	elector *elector
	packet  host.Received
	queued  int
	sent    []time.Time
}

func (b *solo) OpenAdverts(host.AdvertKey, func()) (advertConn, error) { return b, nil }
func (b *solo) WatchPeers(host.Link, func()) (announcementConn, error) {
	return deafConn{b}, nil
}
func (b *solo) Announce(host.Link, []netip.Addr, int) {}
func (b *solo) Cancel(int, ...netip.Addr)             {}
func (b *solo) Forget(int)                            {}
func (b *solo) Arm() error                            { return nil }
func (b *solo) Lost() uint64                          { return 0 }

func (b *solo) Queue(_, _ netip.Addr, _ int, packet []byte) error {
	b.queued++
	b.packet.Payload = append(b.packet.Payload[:0], packet...)
	return nil
}

func (b *solo) Flush(func(int, error)) {
	if b.queued > 0 && len(b.sent) < cap(b.sent) {
		b.sent = append(b.sent, time.Now())
	}
	b.queued = 0
}

// Receive gives back what was sent last, as if it came from a peer.
func (b *solo) Receive(_ *host.Inbox, handler func(host.Received)) int {
	if len(b.packet.Payload) == 0 {
		return 0
	}
	handler(b.packet)
	return 1
}

// deafConn hears no announcements.
type deafConn struct{ *solo }

func (deafConn) Listen(bool) error                             { return nil }
func (deafConn) Receive(*host.Inbox, func(host.Announced)) int { return 0 }

// newSolo makes an elector with one instance; it is not running.
func newSolo(t testing.TB, priority int, interval time.Duration) *solo {
	t.Helper()
	p, err := host.NewPoller()
	if err != nil {
		t.Fatal(err)
	}
	record, err := host.OpenRecord(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	kept := host.OpenKept(t.TempDir())
	b := &solo{Poller: p}
	l := host.NewLedger(record, host.Contents{}, func(err error) { t.Errorf("ledger: %v", err) })
	b.elector = newElector(b, tablesWith(hosttest.NewAddresses("eth0")), record, l, kept, journal.New(10, time.Now))
	stopKeeper, stopScribe := alone(b.elector.keeper.Run), alone(b.elector.scribe.run)
	t.Cleanup(func() {
		stopScribe()
		stopKeeper()
		if err := record.Close(); err != nil {
			t.Error(err)
		}
		if err := p.Close(); err != nil {
			t.Error(err)
		}
	})
	in := conf("VI_1", priority)
	in.AdvertInterval = interval
	now := time.Now()
	b.elector.hostEvent(now, host.LinkChanged{Link: host.Link{Name: "eth0", Index: 2, MTU: 1500, MAC: []byte{2, 0, 0, 0, 0, 1},
		Up: true, Multicast: true, Addresses: []netip.Prefix{netip.MustParsePrefix("192.0.2.1/24")}}})
	b.elector.apply(now, &config.Config{Instances: []*config.Instance{in}})
	return b
}

// master has the instance become master.
func (b *solo) master(t testing.TB) {
	t.Helper()
	for _, in := range b.elector.instances {
		at := b.elector.agenda.first().at
		b.elector.step(at, in.company, fired())
		b.elector.hand()
		deadline := time.After(10 * time.Second)
		for in.router.Status().State != vrrp.Master {
			select {
			case call := <-b.elector.calls:
				call(at)
			case <-deadline:
				t.Fatal("not master in 10 s")
			}
		}
	}
}

// sends is a turn of the loop in which an advert is due.
func (b *solo) sends(t testing.TB) func() {
	b.master(t)
	return func() {
		b.elector.breathe = time.Time{}
		b.elector.turn(b.elector.agenda.first().at)
	}
}

// hears is a turn of the loop in which an advert of the master is read.
func (b *solo) hears(t testing.TB) func() {
	better := vrrp.Packet{Version: 3, VRID: 51, Priority: 200, Interval: 100, Addresses: []netip.Addr{netip.MustParsePrefix(vip).Addr()}}
	src, dst := netip.MustParseAddr("192.0.2.2"), netip.MustParseAddr("224.0.0.18")
	payload, err := better.Append(nil, src, dst, false)
	if err != nil {
		t.Fatal(err)
	}
	b.packet = host.Received{Interface: 2, Meta: vrrp.Meta{Source: src, Destination: dst, TTL: 255}, Payload: payload}
	var s *socket
	for _, s = range b.elector.sockets {
	}
	return func() {
		b.elector.attend(&s.ear)
		b.elector.turn(time.Now())
		b.elector.attended = b.elector.attended[:0]
	}
}

func TestAdvertsAllocateNothing(t *testing.T) {
	for name, turn := range map[string]func(*solo) func(){
		"sent":     func(b *solo) func() { return b.sends(t) },
		"received": func(b *solo) func() { return b.hears(t) },
	} {
		t.Run(name, func(t *testing.T) {
			b := newSolo(t, 100, time.Second)
			f := turn(b)
			f()
			var in *instance
			for _, in = range b.elector.instances {
			}
			before := in.counters.AdvertsSent + in.counters.AdvertsReceived
			if n := testing.AllocsPerRun(200, f); n != 0 {
				t.Errorf("%v allocations an advert, want 0", n)
			}
			if n := in.counters.AdvertsSent + in.counters.AdvertsReceived - before; n != 201 {
				t.Errorf("%d adverts in 201 turns", n)
			}
		})
	}
}

// forged is a turn of the loop in which a packet is read that a stranger made.
func (b *solo) forged(t testing.TB, edit func(p *vrrp.Packet, m *vrrp.Meta), corrupt func(payload []byte)) func() {
	hears := b.hears(t)
	p := vrrp.Packet{Version: 3, VRID: 51, Priority: 200, Interval: 100, Addresses: []netip.Addr{netip.MustParsePrefix(vip).Addr()}}
	if edit != nil {
		edit(&p, &b.packet.Meta)
	}
	payload, err := p.Append(nil, b.packet.Meta.Source, b.packet.Meta.Destination, false)
	if err != nil {
		t.Fatal(err)
	}
	if corrupt != nil {
		corrupt(payload)
	}
	b.packet.Payload = payload
	return hears
}

// forgeries are what a flood may be of, by the reason that each is counted by.
var forgeries = map[vrrp.Reason]func(t testing.TB, b *solo) func(){
	vrrp.DropChecksum: func(t testing.TB, b *solo) func() { return b.forged(t, nil, func(p []byte) { p[6] ^= 0xff }) },
	vrrp.DropVersion:  func(t testing.TB, b *solo) func() { return b.forged(t, nil, func(p []byte) { p[0] = 0x41 }) },
	vrrp.DropTTL: func(t testing.TB, b *solo) func() {
		return b.forged(t, func(_ *vrrp.Packet, m *vrrp.Meta) { m.TTL = 254 }, nil)
	},
	vrrp.DropUnknownVRID: func(t testing.TB, b *solo) func() {
		return b.forged(t, func(p *vrrp.Packet, _ *vrrp.Meta) { p.VRID = 77 }, nil)
	},
	vrrp.DropAddressCount: func(t testing.TB, b *solo) func() {
		return b.forged(t, func(p *vrrp.Packet, _ *vrrp.Meta) { p.Addresses = nil }, nil)
	},
	vrrp.DropMode: func(t testing.TB, b *solo) func() {
		return b.forged(t, func(_ *vrrp.Packet, m *vrrp.Meta) { m.Unicast, m.Destination = true, netip.MustParseAddr("192.0.2.1") }, nil)
	},
	vrrp.DropOwnAdvert: func(t testing.TB, b *solo) func() {
		return b.forged(t, func(_ *vrrp.Packet, m *vrrp.Meta) { m.Source = netip.MustParseAddr("192.0.2.1") }, nil)
	},
}

// What is wrong with a packet is put into words once, or a flood of them would keep
// the garbage collector running, for which adverts may have to wait.
func TestForgedPacketsAllocateNothing(t *testing.T) {
	for reason, forge := range forgeries {
		t.Run(string(reason), func(t *testing.T) {
			b := newSolo(t, 100, time.Second)
			b.master(t)
			f := forge(t, b)
			for range 2 {
				f()
			}
			counted := func() (n uint64) {
				for _, in := range b.elector.instances {
					n += in.counters.Dropped[reason]
				}
				for k, count := range b.elector.foreign {
					if k.reason == reason {
						n += count
					}
				}
				return n
			}
			before := counted()
			if n := testing.AllocsPerRun(200, f); n != 0 {
				t.Errorf("%v allocations a packet, want 0", n)
			}
			if n := counted() - before; n != 201 {
				t.Errorf("%d of 201 packets were counted", n)
			}
		})
	}
}

func BenchmarkAdvertForged(b *testing.B) {
	for reason, forge := range forgeries {
		b.Run(string(reason), func(b *testing.B) {
			s := newSolo(b, 100, time.Second)
			s.master(b)
			benchmark(b, forge(b, s))
		})
	}
}

func BenchmarkAdvertSent(b *testing.B)     { benchmark(b, newSolo(b, 100, time.Second).sends(b)) }
func BenchmarkAdvertReceived(b *testing.B) { benchmark(b, newSolo(b, 100, time.Second).hears(b)) }

func benchmark(b *testing.B, f func()) {
	f()
	b.ReportAllocs()
	for b.Loop() {
		f()
	}
}

// live is what the collector has to look through.
type live struct{ next *live }

// A stretch is some adverts in a row, while the garbage collector ran so often.
type stretch struct {
	sent        []time.Time
	collections uint32
}

// judge says what is wrong with the pace of a stretch.
func (s stretch) judge(interval time.Duration) error {
	var gaps []time.Duration
	for i, at := range s.sent[1:] {
		gaps = append(gaps, at.Sub(s.sent[i]))
	}
	slices.Sort(gaps)
	median, most, worst := gaps[len(gaps)/2], gaps[len(gaps)*9/10], gaps[len(gaps)-1]
	text := fmt.Sprintf("%d collections, gaps: median %v, nine of ten %v, worst %v", s.collections, median, most, worst)
	switch {
	case median < interval-interval/10 || median > interval+interval/10, most > 2*interval:
		return fmt.Errorf("an advert each %v is wanted: %s", interval, text)
	case worst > 3*interval:
		return fmt.Errorf("a backup would have taken over: %s", text)
	case s.collections < 5:
		return fmt.Errorf("nothing is tested: %s", text)
	}
	return nil
}

// prefer has this process come before others of the machine until the test ends,
// where it may.
func prefer(t *testing.T) {
	t.Helper()
	k, err := sched.New()
	if err != nil {
		t.Fatal(err)
	}
	nice := -15
	if err := k.Apply(sched.Policy{Nice: &nice}); err != nil {
		t.Logf("as late as the machine makes it: %v", err)
	}
	t.Cleanup(func() {
		if err := k.Apply(sched.Policy{}); err != nil {
			t.Log(err)
		}
	})
}

// The adverts of a master keep their schedule while the garbage collector runs
// without a pause and every core has something else to do. What else there is on
// the machine can only make them late: what is ours would show in every stretch,
// so one that is as it should be is enough. Where there is so much that none is in
// a quarter of a minute, it has to stand back.
func TestAdvertsKeepTheirScheduleUnderLoad(t *testing.T) {
	const interval, adverts, patience = 100 * time.Millisecond, 20, 2 * time.Minute
	for range runtime.NumCPU() {
		c := exec.Command("sh", "-c", "while :; do :; done")
		if err := c.Start(); err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() {
			_ = c.Process.Kill()
			_ = c.Wait()
		})
	}
	var heap *live
	for range 1 << 20 {
		heap = &live{heap}
	}
	done := make(chan struct{})
	var collected atomic.Uint32
	var collector sync.WaitGroup
	collector.Go(func() {
		for {
			select {
			case <-done:
				return
			default:
				runtime.GC()
				collected.Add(1)
			}
		}
	})
	b := newSolo(t, 100, interval)
	b.sent = make([]time.Time, 0, patience/interval)
	stop := alone(b.elector.run)
	err, counts := errors.New("not enough adverts were sent"), []uint32{0}
	crowded := sync.OnceFunc(func() { prefer(t) })
	for began := time.Now(); err != nil && time.Since(began) < patience; {
		if time.Since(began) > patience/8 {
			crowded()
		}
		// The loop itself is asked, so that it has to serve others too.
		b.elector.do(t.Context(), func(time.Time) {
			n := len(b.sent)
			for len(counts) <= n {
				counts = append(counts, collected.Load())
			}
			if n >= adverts {
				err = stretch{b.sent[n-adverts:], counts[n] - counts[n-adverts]}.judge(interval)
			}
		})
	}
	stop()
	close(done)
	collector.Wait()
	runtime.KeepAlive(heap)
	if err != nil {
		t.Errorf("%v; in all %d adverts, %d collections, %+v", err, len(b.sent), collected.Load(), b.elector.time.seen)
	}
}
