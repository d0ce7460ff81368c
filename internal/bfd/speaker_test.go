package bfd

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/vishvananda/netlink"
	"go.uber.org/goleak"
	"golang.org/x/sys/unix"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// ether is a network between Speakers, in the time of the test's bubble.
type ether struct {
	mu    sync.Mutex
	hosts map[netip.Addr]*station
}

// station is one host of it: the wire of one Speaker.
type station struct {
	ether *ether
	addr  netip.Addr
	// refuse keeps sockets from being opened; hops is taken from the TTL of what
	// arrives; deaf keeps it from arriving.
	refuse error
	hops   int
	deaf   bool
	// nap is how long the loop is kept when a session comes up.
	nap  time.Duration
	open map[uint16]*inbox
}

type inbox struct {
	station *station
	wake    func()
	waiting []datagram
}

type outbox struct {
	from *station
	to   Peering
}

func newEther(addrs ...string) (*ether, []*station) {
	e := &ether{hosts: map[netip.Addr]*station{}}
	var all []*station
	for _, a := range addrs {
		s := &station{ether: e, addr: netip.MustParseAddr(a), open: map[uint16]*inbox{}}
		e.hosts[s.addr] = s
		all = append(all, s)
	}
	return e, all
}

func (s *station) listen(port uint16, _ bool, wake func()) (receiver, error) {
	s.ether.mu.Lock()
	defer s.ether.mu.Unlock()
	if s.refuse != nil {
		return nil, s.refuse
	}
	i := &inbox{station: s, wake: wake}
	s.open[port] = i
	return i, nil
}

func (s *station) dial(p Peering) (sender, error) {
	s.ether.mu.Lock()
	defer s.ether.mu.Unlock()
	if s.refuse != nil {
		return nil, s.refuse
	}
	return outbox{s, p}, nil
}

func (i *inbox) take() []datagram {
	i.station.ether.mu.Lock()
	defer i.station.ether.mu.Unlock()
	out := i.waiting
	i.waiting = nil
	return out
}

func (i *inbox) close() {}

func (o outbox) send(b []byte) error {
	o.from.ether.mu.Lock()
	defer o.from.ether.mu.Unlock()
	to := o.from.ether.hosts[o.to.Neighbour]
	if to == nil || to.deaf || to.open[o.to.port()] == nil {
		return nil
	}
	i := to.open[o.to.port()]
	i.waiting = append(i.waiting, datagram{from: o.from.addr, ttl: o.to.TTL - to.hops, port: o.to.port(), data: slices.Clone(b)})
	i.wake()
	return nil
}

func (o outbox) close() {}

// talk is a Speaker at work, and what it told.
type talk struct {
	*Speaker
	*station
	mu     sync.Mutex
	events []string
	stop   func()
}

func newTalk(t *testing.T, s *station, peerings ...Peering) *talk {
	t.Helper()
	k := &talk{station: s}
	k.Speaker = newSpeaker(s, func(e Event) {
		if e.Changed != nil && e.Changed.To == Up {
			time.Sleep(s.nap)
		}
		k.mu.Lock()
		defer k.mu.Unlock()
		switch {
		case e.Changed != nil && e.Changed.To == Init:
			// Which end goes that way is luck.
		case e.Changed != nil:
			k.events = append(k.events, e.Name+" "+e.Changed.To.String())
		case e.Err != nil:
			k.events = append(k.events, "trouble")
		default:
			k.events = append(k.events, "well")
		}
	})
	k.Apply(peerings)
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan struct{})
	go func() { defer close(done); _ = k.Run(ctx) }()
	k.stop = sync.OnceFunc(func() { cancel(); <-done })
	t.Cleanup(k.stop)
	return k
}

func (k *talk) told(t *testing.T, want string) {
	t.Helper()
	synctest.Wait()
	k.mu.Lock()
	defer k.mu.Unlock()
	if got := strings.Join(k.events, ", "); got != want {
		t.Fatalf("%s told %q, want %q", k.addr, got, want)
	}
	k.events = nil
}

func (s *station) set(f func(*station)) {
	s.ether.mu.Lock()
	defer s.ether.mu.Unlock()
	f(s)
}

// with is a session with a neighbour.
func with(name, neighbour string) Peering {
	c := fast()
	c.Name = name
	return Peering{Config: c, Neighbour: netip.MustParseAddr(neighbour), TTL: 255}
}

func TestSpeakersFindEachOther(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		_, s := newEther("192.0.2.1", "192.0.2.2", "192.0.2.3")
		a := newTalk(t, s[0], with("b", "192.0.2.2"), with("c", "192.0.2.3"))
		b, c := newTalk(t, s[1], with("a", "192.0.2.1")), newTalk(t, s[2], with("a", "192.0.2.1"))
		time.Sleep(5 * time.Second)
		for _, st := range slices.Concat(a.Status(), b.Status(), c.Status()) {
			if st.State != Up || st.Detection != 150*time.Millisecond || st.Received < 50 {
				t.Errorf("%+v", st)
			}
		}
		a.mu.Lock()
		a.events = nil
		a.mu.Unlock()
		s[1].set(func(s *station) { s.deaf = true })
		time.Sleep(200 * time.Millisecond)
		// b hears nothing, and says so.
		a.told(t, "b Down")
		c.stop()
		a.told(t, "c Down")
		if st := a.Status(); st[0].Diag != DiagNeighborDown || st[1].RemoteDiag != DiagAdministratively {
			t.Errorf("%+v", st)
		}
	})
}

// TestALateSpeakerHearsBeforeItJudges: what came while the goroutine did not run
// counts, however late it is.
func TestALateSpeakerHearsBeforeItJudges(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		_, s := newEther("192.0.2.1", "192.0.2.2")
		// a waits long for b, and b for a only 150 ms; but b's loop is a second late.
		s[1].nap = time.Second
		patient := with("a", "192.0.2.1")
		patient.Multiplier = 200
		a, b := newTalk(t, s[0], with("b", "192.0.2.2")), newTalk(t, s[1], patient)
		time.Sleep(10 * time.Second)
		a.told(t, "b Up")
		b.told(t, "a Up")
	})
}

func TestSpeakerRefusesWhatIsNotForIt(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		e, s := newEther("192.0.2.1", "192.0.2.2")
		near := with("b", "192.0.2.2")
		a := newTalk(t, s[0], near)
		far := with("a", "192.0.2.1")
		newTalk(t, s[1], far)
		s[0].set(func(s *station) { s.hops = 1 })
		time.Sleep(5 * time.Second)
		a.told(t, "")
		if st := a.Status()[0]; st.State != Down || st.TooFar < 4 || st.Received != 0 {
			t.Errorf("from beyond a router: %+v", st)
		}
		near.MaxHops = 1
		a.Apply([]Peering{near})
		time.Sleep(5 * time.Second)
		a.told(t, "b Up")

		forge := func(from string, p Packet) {
			e.mu.Lock()
			i := s[0].open[SingleHopPort]
			i.waiting = append(i.waiting, datagram{from: netip.MustParseAddr(from), ttl: 255, port: SingleHopPort, data: p.Append(nil)})
			e.mu.Unlock()
			i.wake()
			synctest.Wait()
		}
		local := a.Status()[0].Local
		down := Packet{State: Down, Multiplier: 3, Mine: 9, DesiredMinTx: time.Second, RequiredMinRx: time.Second}
		forge("192.0.2.9", down) // a stranger
		down.Yours = local
		forge("192.0.2.9", down) // a stranger that has listened
		down.Yours = local + 1
		forge("192.0.2.2", down) // another session's
		down.Multiplier = 0
		forge("192.0.2.2", down) // not valid
		a.told(t, "")
		a.Speaker.mu.Lock()
		defer a.Speaker.mu.Unlock()
		if a.strange != 3 || a.invalid != 1 {
			t.Errorf("%d strange and %d invalid", a.strange, a.invalid)
		}
	})
}

func TestSpeakerTriesAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		_, s := newEther("192.0.2.1", "192.0.2.2")
		s[0].refuse = errors.New("address in use")
		a := newTalk(t, s[0], with("b", "192.0.2.2"))
		newTalk(t, s[1], with("a", "192.0.2.1"))
		time.Sleep(10 * time.Second)
		a.told(t, "trouble, trouble") // the port, and the session's own socket
		s[0].set(func(s *station) { s.refuse = nil })
		time.Sleep(5 * time.Second)
		a.told(t, "well, well, b Up")
	})
}

func TestSpeakerReload(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		_, s := newEther("192.0.2.1", "192.0.2.2", "192.0.2.3")
		p := with("b", "192.0.2.2")
		a, b := newTalk(t, s[0], p), newTalk(t, s[1], with("a", "192.0.2.1"))
		time.Sleep(5 * time.Second)
		a.told(t, "b Up")
		b.told(t, "a Up")
		local := a.Status()[0].Local
		p.MinTx, p.TTL = 300*time.Millisecond, 254
		a.Apply([]Peering{p, with("c", "192.0.2.3")})
		b.Apply([]Peering{func() Peering { q := with("a", "192.0.2.1"); q.MaxHops = 1; return q }()})
		time.Sleep(5 * time.Second)
		a.told(t, "")
		if st := a.Status()[0]; st.State != Up || st.Tx != 300*time.Millisecond || st.Local != local {
			t.Errorf("%+v", st)
		}
		// Other ends are another session: the old one is ended, and told.
		p.Neighbour = netip.MustParseAddr("192.0.2.3")
		a.Apply([]Peering{p})
		time.Sleep(time.Second)
		b.told(t, "a Down")
		a.told(t, "b AdminDown, c AdminDown")
	})
}

// ownNetwork gives the test a network namespace with nothing but a loopback, where
// it may: the ports of BFD are given, and somebody else on the host may have them.
func ownNetwork(t *testing.T) {
	t.Helper()
	// Not unlocked: the thread ends with the test.
	runtime.LockOSThread()
	if err := unix.Unshare(unix.CLONE_NEWNET); errors.Is(err, unix.EPERM) {
		return
	} else if err != nil {
		t.Fatal(err)
	}
	lo, err := netlink.LinkByName("lo")
	if err == nil {
		err = netlink.LinkSetUp(lo)
	}
	if err != nil {
		t.Fatal(err)
	}
}

// TestHostWire sends a packet through the loopback.
func TestHostWire(t *testing.T) {
	ownNetwork(t)
	for _, loopback := range []string{"127.0.0.1", "::1"} {
		addr := netip.MustParseAddr(loopback)
		woken := make(chan struct{}, 10)
		r, err := hostWire{}.listen(MultihopPort, addr.Is6(), func() { woken <- struct{}{} })
		if err != nil {
			t.Fatal(err)
		}
		s, err := hostWire{}.dial(Peering{Neighbour: addr, Source: addr, TTL: 201, Multihop: true})
		if err != nil {
			t.Fatal(err)
		}
		for i := range 3 {
			if err := s.send(fmt.Appendf(nil, "packet %d", i)); err != nil {
				t.Fatal(err)
			}
		}
		var got []datagram
		for len(got) < 3 {
			got = append(got, r.take()...)
			if len(got) < 3 {
				<-woken
			}
		}
		for i, d := range got {
			if d.from != addr || d.ttl != 201 || d.port != MultihopPort || string(d.data) != fmt.Sprintf("packet %d", i) {
				t.Errorf("%s: %+v", loopback, d)
			}
		}
		if _, err := (hostWire{}).listen(MultihopPort, addr.Is6(), func() {}); err == nil || !strings.Contains(err.Error(), "4784") {
			t.Errorf("the port is there twice: %v", err)
		}
		s.close()
		r.close()
		if _, err := (hostWire{}).dial(Peering{Neighbour: addr, Source: netip.MustParseAddr(map[bool]string{false: "192.0.2.77", true: "2001:db8::77"}[addr.Is6()]), TTL: 1}); err == nil {
			t.Error("bound to an address that is not there")
		}
	}
}
