package health

import (
	"context"
	"errors"
	"net"
	"net/netip"
	"os"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// sockets counts the open descriptors of this process.
func sockets(t *testing.T) int {
	t.Helper()
	dirs, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		t.Fatal(err)
	}
	return len(dirs)
}

// A mix of good, refused, silent and cancelled attempts, many at once, ends
// with one result each and no descriptor left.
func TestPollerMany(t *testing.T) {
	good, bad, silent := listen(t, func(*net.TCPConn) {}), closedPort(t), fullBacklog(t)
	patient := silent
	patient.Timeout = time.Hour
	before := sockets(t)
	wake := make(chan struct{}, 1)
	p := newPoller(func() { poke(wake) })
	kinds := map[*attempt]int{}
	var counts [4]int
	take := func() {
		for _, f := range p.settle() {
			kind, there := kinds[f.attempt]
			delete(kinds, f.attempt)
			switch r := f.result; {
			case there && kind == 0 && r.Err == nil,
				there && kind == 1 && r.Err != nil && strings.HasSuffix(r.Err.Error(), "connection refused"),
				there && kind == 2 && r.Err != nil && strings.Contains(r.Err.Error(), timedOut) && r.Took >= silent.Timeout,
				there && kind == 3 && errors.Is(r.Err, context.Canceled):
				counts[kind]++
			default:
				t.Errorf("kind %d: %v", kind, r.Err)
			}
		}
	}
	for i := range 800 {
		a := &attempt{order: StartCheck{Run: NewTCP([4]Connect{good, bad, silent, patient}[i%4])}}
		kinds[a] = i % 4
		p.begin(a)
		if i%100 == 99 {
			take()
		}
	}
	for end := time.Now().Add(time.Minute); counts[2] < 200 && time.Now().Before(end); take() {
		select {
		case <-wake:
		case <-time.After(time.Until(p.deadline())):
		}
		if n := len(p.open); n > 400 {
			t.Fatalf("%d open", n)
		}
	}
	for a := range kinds {
		p.cancel(a)
	}
	take()
	p.close()
	for kind, n := range counts {
		if n != 200 {
			t.Errorf("%d results of kind %d", n, kind)
		}
	}
	if len(p.open) != 0 || len(p.expiry) != 0 || len(p.begun) != 0 {
		t.Errorf("%d open, %d to expire, %d begun", len(p.open), len(p.expiry), len(p.begun))
	}
	// The listener's own end of a connection may close a little later.
	after := sockets(t)
	for end := time.Now().Add(time.Minute); after > before && time.Now().Before(end); after = sockets(t) {
		time.Sleep(time.Millisecond)
	}
	if after > before {
		t.Errorf("%d descriptors, %d before", after, before)
	}
}

// A connection that comes about only after a while is heard of then, and told of
// with the time that it took.
func TestPollerLate(t *testing.T) {
	fd, port := backlog(t, 0)
	cfg := Connect{Addr: netip.MustParseAddr("127.0.0.1"), Port: port, Timeout: ample}
	fill(t, fd, cfg)
	cfg.Timeout = time.Minute
	wake := make(chan struct{}, 1)
	p := newPoller(func() { poke(wake) })
	defer p.close()
	began := time.Now()
	p.begin(&attempt{order: StartCheck{Run: NewTCP(cfg)}})
	if n := len(p.settle()); n != 0 || len(p.open) != 1 {
		t.Fatalf("%d ended, %d open before there is room", n, len(p.open))
	}
	if until := p.deadline().Sub(began); until < cfg.Timeout || until > cfg.Timeout+10*time.Second {
		t.Errorf("its time is over in %v", until)
	}
	// Whoever leaves the queue makes room for one, who knocks again after a second.
	taken, _, err := unix.Accept4(fd, unix.SOCK_CLOEXEC)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = unix.Close(taken) }()
	for {
		select {
		case <-wake:
		case <-time.After(30 * time.Second):
			t.Fatal("not heard of within 30 s")
		}
		for _, f := range p.settle() {
			if r := f.result; r.Err != nil || r.Took < 500*time.Millisecond || r.Took > time.Since(began) {
				t.Errorf("%+v", r)
			}
			if len(p.open) != 0 || !p.deadline().IsZero() {
				t.Errorf("%d open, deadline %v", len(p.open), p.deadline())
			}
			return
		}
	}
}

// IPv6, and addresses that cannot be connected to, work as ever; a poller that
// was closed, with attempts under way, begins anew.
func TestPollerOthers(t *testing.T) {
	l, err := net.ListenTCP("tcp6", &net.TCPAddr{IP: net.IPv6loopback})
	if err != nil {
		t.Fatal(err)
	}
	six := serveOn(t, l, drain)
	silent := fullBacklog(t)
	silent.Timeout = time.Hour
	wake := make(chan struct{}, 1)
	p := newPoller(func() { poke(wake) })
	for range 2 {
		if r := polled(t.Context(), p, wake, NewTCP(six)); r.Err != nil {
			t.Error(r.Err)
		}
		p.begin(&attempt{order: StartCheck{Run: NewTCP(silent)}})
		if n := len(p.settle()) + len(p.open); n != 1 {
			t.Errorf("%d attempts under way", n)
		}
		p.close()
		if ended := p.settle(); len(ended) != 1 || !errors.Is(ended[0].result.Err, context.Canceled) {
			t.Errorf("closed: %+v", ended)
		}
	}
	unreachable := Connect{Addr: netip.MustParseAddr("255.255.255.255"), Port: 9, Timeout: time.Second}
	for name, run := range ways(t) {
		if r := run(t.Context(), NewTCP(unreachable)); r.Err == nil {
			t.Errorf("%s: connected to the broadcast address", name)
		}
	}
}
