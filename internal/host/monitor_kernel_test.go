//go:build kernel

package host

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/sys/unix"
)

// A watcher runs a Monitor in a namespace and keeps what it tells.
type watcher struct {
	mu     sync.Mutex
	events []Event
	// links is the host as the events have it.
	links map[string]Link
	wrong []string
	// hold keeps the handler busy while it is locked; entered counts its calls.
	hold    sync.Mutex
	entered atomic.Int64
}

func (n *testNS) monitor() *watcher {
	n.t.Helper()
	w := &watcher{links: map[string]Link{}}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	n.start(func() { done <- NewMonitor(nullLog()).Run(ctx, w.take) })
	n.t.Cleanup(func() {
		cancel()
		select {
		case err := <-done:
			if !errors.Is(err, context.Canceled) {
				n.t.Errorf("Run returned %v", err)
			}
		case <-time.After(time.Minute):
			n.t.Error("Run did not end with its context")
		}
		for _, s := range w.wrong {
			n.t.Error(s)
		}
	})
	waitFor(n.t, "the first listing", func() bool { return w.count("host.Synced") > 0 })
	return w
}

// take applies an event, and checks that events and Links agree.
func (w *watcher) take(e Event) {
	w.entered.Add(1)
	w.hold.Lock()
	defer w.hold.Unlock()
	w.mu.Lock()
	defer w.mu.Unlock()
	w.events = append(w.events, e)
	switch e := e.(type) {
	case LinkChanged:
		if old, ok := w.links[e.Link.Name]; ok && old.Index != e.Link.Index {
			w.wrong = append(w.wrong, fmt.Sprintf("%s has index %d while %d is still there", e.Link.Name, e.Link.Index, old.Index))
		}
		w.links[e.Link.Name] = e.Link
	case LinkGone:
		if w.links[e.Name].Index != e.Index {
			w.wrong = append(w.wrong, fmt.Sprintf("%s with index %d is gone and was not there", e.Name, e.Index))
		}
		delete(w.links, e.Name)
	case AddressChanged:
		if e.Present && !slices.Contains(w.links[e.Interface].Addresses, e.Prefix) {
			w.wrong = append(w.wrong, fmt.Sprintf("%s came before its link said so", e.Prefix))
		}
	}
}

func (w *watcher) count(what string) (n int) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, e := range w.events {
		if describe(e) == what {
			n++
		}
	}
	return n
}

func (w *watcher) link(name string) (Link, bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	l, ok := w.links[name]
	return l, ok
}

func (w *watcher) reset() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.events = nil
}

func TestKernelMonitorListsWhatIsThere(t *testing.T) {
	a, _ := pair(t, "v0", "w0", [2]string{"192.0.2.1/24", "192.0.2.2/24"}, [2]string{"fe80::1/64", "fe80::2/64"})
	a.run("ip", "addr", "add", "192.0.2.5/24", "dev", "v0")
	w := a.monitor()
	got, ok := w.link("v0")
	if !ok {
		t.Fatal("v0 was not told of")
	}
	want := a.link("v0")
	for _, p := range []string{"192.0.2.1/24", "192.0.2.5/24", "fe80::1/64"} {
		want.Addresses = append(want.Addresses, netip.MustParsePrefix(p))
	}
	want.Secondary = []netip.Prefix{netip.MustParsePrefix("192.0.2.5/24")}
	if diff := cmp.Diff(want, got, compareNetip); diff != "" {
		t.Errorf("link (-want +got):\n%s", diff)
	}
	if lo, ok := w.link("lo"); !ok || !lo.Up || len(lo.Addresses) != 2 {
		t.Errorf("loopback %+v", lo)
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	if last := w.events[len(w.events)-1]; describe(last) != "host.Synced" {
		t.Errorf("the last event of the listing is %s", describe(last))
	}
}

func TestKernelMonitorFollowsChanges(t *testing.T) {
	a, b := pair(t, "v0", "w0", [2]string{"192.0.2.1/24", "192.0.2.2/24"})
	w := a.monitor()
	up := func(name string) func() bool {
		return func() bool { l, ok := w.link(name); return ok && l.Up }
	}
	down := func(name string) func() bool {
		return func() bool { l, ok := w.link(name); return ok && !l.Up }
	}
	first, _ := w.link("v0")

	b.run("ip", "link", "set", "w0", "down") // the cable is cut
	waitFor(t, "the loss of the carrier", down("v0"))
	b.run("ip", "link", "set", "w0", "up")
	waitFor(t, "the carrier", up("v0"))
	a.run("ip", "link", "set", "v0", "down")
	waitFor(t, "the link to go down", down("v0"))
	a.run("ip", "link", "set", "v0", "up")
	waitFor(t, "the link to come up", up("v0"))

	w.reset()
	a.run("ip", "addr", "add", "192.0.2.9/32", "dev", "v0")
	added := fmt.Sprintf("address 192.0.2.9/32 on %d v0 true", first.Index)
	waitFor(t, "the new address", func() bool { return w.count(added) == 1 })
	a.run("ip", "addr", "del", "192.0.2.9/32", "dev", "v0")
	removed := fmt.Sprintf("address 192.0.2.9/32 on %d v0 false", first.Index)
	waitFor(t, "the address to go", func() bool { return w.count(removed) == 1 })

	// One under duplicate address detection, which lasts for an hour here, is not told
	// of before a later one; it is there when the detection has ended.
	a.run("sysctl", "-qw", "net.ipv6.conf.v0.dad_transmits=1", "net.ipv6.neigh.v0.retrans_time_ms=3600000")
	a.run("ip", "addr", "add", "2001:db8::1/64", "dev", "v0")
	a.run("ip", "addr", "add", "2001:db8::2/64", "dev", "v0", "nodad")
	has := func(prefix string) bool {
		l, _ := w.link("v0")
		return slices.Contains(l.Addresses, netip.MustParsePrefix(prefix))
	}
	waitFor(t, "the address that needs no detection", func() bool { return has("2001:db8::2/64") })
	if has("2001:db8::1/64") {
		t.Error("a tentative address was told of")
	}
	a.run("ip", "addr", "del", "2001:db8::1/64", "dev", "v0")
	a.run("sysctl", "-qw", "net.ipv6.neigh.v0.retrans_time_ms=300")
	a.run("ip", "addr", "add", "2001:db8::1/64", "dev", "v0")
	waitFor(t, "duplicate address detection", func() bool { return has("2001:db8::1/64") })

	a.run("ip", "link", "set", "v0", "down")
	a.run("ip", "link", "set", "v0", "name", "x0")
	a.run("ip", "link", "set", "x0", "up", "mtu", "1400", "address", "02:00:00:00:00:07")
	waitFor(t, "the new name", up("x0"))
	waitFor(t, "the MAC and MTU", func() bool {
		l, _ := w.link("x0")
		return l.MTU == 1400 && len(l.MAC) == 6 && l.MAC[5] == 7
	})
	if l, ok := w.link("v0"); ok {
		t.Errorf("the old name is still there: %+v", l)
	}

	a.run("ip", "link", "del", "x0")
	waitFor(t, "the link to go", func() bool { _, ok := w.link("x0"); return !ok })
	cable(t, a, b, "v0", "w0")
	waitFor(t, "the link anew", up("v0"))
	if again, _ := w.link("v0"); again.Index == first.Index || len(again.Addresses) != 0 {
		t.Errorf("the link anew is %+v, the first was %+v", again, first)
	}
}

// A handler that is busy while the kernel drops notifications loses nothing: all
// is listed again.
func TestKernelMonitorRecoversFromLoss(t *testing.T) {
	a, _ := pair(t, "v0", "w0")
	w := &watcher{links: map[string]Link{}}
	m := NewMonitor(nullLog())
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	var socket syscall.RawConn
	m.opened = func(c *rtnl) { socket = c.raw }
	a.start(func() { done <- m.Run(ctx, w.take) })
	defer func() {
		cancel()
		<-done
	}()
	waitFor(t, "the first listing", func() bool { return w.count("host.Synced") == 1 })
	table := a.addresses()
	want := manyAddresses(1000)

	w.hold.Lock()
	calls := w.entered.Load()
	a.run("ip", "link", "set", "v0", "mtu", "1400")
	waitFor(t, "the handler to be stuck", func() bool { return w.entered.Load() > calls })
	_ = socket.Control(func(fd uintptr) {
		// The smallest buffer that the kernel gives.
		if err := unix.SetsockoptInt(int(fd), unix.SOL_SOCKET, unix.SO_RCVBUF, 1); err != nil {
			t.Error(err)
		}
	})
	err := table.Apply(DiffAddresses(nil, want))
	w.hold.Unlock()
	if err != nil {
		t.Fatal(err)
	}
	waitFor(t, "the second listing", func() bool { return w.count("host.Synced") >= 2 })
	waitFor(t, "all addresses", func() bool { l, _ := w.link("v0"); return len(l.Addresses) == len(want) })
	if err := table.Apply(DiffAddresses(want, nil)); err != nil {
		t.Fatal(err)
	}
	waitFor(t, "no addresses", func() bool { l, _ := w.link("v0"); return len(l.Addresses) == 0 })
}

// A socket that fails altogether is opened anew.
func TestKernelMonitorReopens(t *testing.T) {
	a, _ := pair(t, "v0", "w0")
	w := &watcher{links: map[string]Link{}}
	m := NewMonitor(nullLog())
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	var mu sync.Mutex
	var current *rtnl
	m.opened = func(c *rtnl) {
		mu.Lock()
		defer mu.Unlock()
		current = c
	}
	a.start(func() { done <- m.Run(ctx, w.take) })
	defer func() {
		cancel()
		<-done
	}()
	waitFor(t, "the first listing", func() bool { return w.count("host.Synced") == 1 })
	mu.Lock()
	_ = current.close()
	mu.Unlock()
	waitFor(t, "the second listing", func() bool { return w.count("host.Synced") == 2 })
	a.run("ip", "addr", "add", "192.0.2.9/32", "dev", "v0")
	waitFor(t, "a new address", func() bool { l, _ := w.link("v0"); return len(l.Addresses) == 1 })
}

// A thousand addresses that come in a row are told in a few pieces.
func TestKernelMonitorGathers(t *testing.T) {
	a, _ := pair(t, "v0", "w0")
	w := a.monitor()
	w.reset()
	want := manyAddresses(2000)
	if err := a.addresses().Apply(DiffAddresses(nil, want)); err != nil {
		t.Fatal(err)
	}
	waitFor(t, "all addresses", func() bool { l, _ := w.link("v0"); return len(l.Addresses) == len(want) })
	changes := 0
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, e := range w.events {
		if _, ok := e.(LinkChanged); ok {
			changes++
		}
	}
	if changes > len(want)/10 {
		t.Errorf("%d addresses came as %d changes of their link", len(want), changes)
	}
}
