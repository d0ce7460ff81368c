//go:build kernel

package host

import (
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"testing"
	"time"

	"github.com/hashicorp/go-hclog"
	"github.com/vishvananda/netlink"
	"github.com/vishvananda/netns"
)

// A testNS is a network namespace that lasts as long as its test.
type testNS struct {
	t      testing.TB
	handle netns.NsHandle
}

// newNS makes a namespace with its loopback up. Where that cannot be done the
// test is skipped, or fails if TANDEM_KERNEL_TESTS is 1.
func newNS(t testing.TB) *testNS {
	t.Helper()
	n := &testNS{t: t}
	done := make(chan error)
	go func() {
		// Not unlocked: the thread ends with the goroutine, and its namespace
		// lives on in the handle.
		runtime.LockOSThread()
		var err error
		n.handle, err = netns.New()
		done <- err
	}()
	if err := <-done; err != nil {
		if os.Getenv("TANDEM_KERNEL_TESTS") == "1" {
			t.Fatalf("make a network namespace: %v", err)
		}
		t.Skipf("make a network namespace: %v", err)
	}
	t.Cleanup(func() { _ = n.handle.Close() })
	n.do(func() error { return linkUp("lo") })
	return n
}

// try runs fn on a thread in the namespace and waits for it.
func (n *testNS) try(fn func() error) error {
	done := make(chan error)
	n.start(func() { done <- fn() })
	return <-done
}

// do is try that ends the test at an error.
func (n *testNS) do(fn func() error) {
	n.t.Helper()
	if err := n.try(fn); err != nil {
		n.t.Fatal(err)
	}
}

// start runs fn on a thread of its own in the namespace.
func (n *testNS) start(fn func()) {
	go func() {
		runtime.LockOSThread()
		if err := netns.Set(n.handle); err != nil {
			panic(err)
		}
		fn()
	}()
}

// run runs a program in the namespace and returns its output.
func (n *testNS) run(name string, args ...string) string {
	n.t.Helper()
	var out []byte
	n.do(func() error {
		var err error
		if out, err = exec.Command(name, args...).CombinedOutput(); err != nil {
			return fmt.Errorf("%s %v: %w: %s", name, args, err, out)
		}
		return nil
	})
	return string(out)
}

func linkUp(name string) error {
	l, err := netlink.LinkByName(name)
	if err != nil {
		return err
	}
	return netlink.LinkSetUp(l)
}

// link reads a link as the Monitor would tell of it.
func (n *testNS) link(name string) Link {
	n.t.Helper()
	var out Link
	n.do(func() error {
		l, err := netlink.LinkByName(name)
		if err != nil {
			return err
		}
		a := l.Attrs()
		out = Link{Name: a.Name, Index: a.Index, MTU: a.MTU, MAC: a.HardwareAddr, Up: true, Multicast: true}
		return nil
	})
	return out
}

// pair makes two namespaces joined by a cable: link name a in the first and b in
// the second, both up, with the given addresses and without the kernel's own
// IPv6 link-local ones.
func pair(t testing.TB, a, b string, addrs ...[2]string) (na, nb *testNS) {
	t.Helper()
	na, nb = newNS(t), newNS(t)
	cable(t, na, nb, a, b)
	for _, p := range addrs {
		na.run("ip", "addr", "add", p[0], "dev", a, "nodad")
		nb.run("ip", "addr", "add", p[1], "dev", b, "nodad")
	}
	return na, nb
}

// running is whether a link passes packets on.
func (n *testNS) running(name string) (up bool) {
	n.t.Helper()
	n.do(func() error {
		l, err := netlink.LinkByName(name)
		up = err == nil && l.Attrs().OperState == netlink.OperUp
		return err
	})
	return up
}

// cable joins two namespaces by one more pair of links.
func cable(t testing.TB, na, nb *testNS, a, b string) {
	t.Helper()
	na.do(func() error {
		attrs := netlink.NewLinkAttrs()
		attrs.Name = a
		return netlink.LinkAdd(&netlink.Veth{LinkAttrs: attrs, PeerName: b, PeerNamespace: netlink.NsFd(nb.handle)})
	})
	for _, s := range []struct {
		n    *testNS
		name string
	}{{na, a}, {nb, b}} {
		s.n.run("ip", "link", "set", s.name, "addrgenmode", "none")
		s.n.run("ip", "link", "set", s.name, "up")
	}
	// The first end hears of its carrier when the kernel comes to it: until then
	// what is sent there is thrown away.
	waitFor(t, "both ends of the cable", func() bool { return na.running(a) && nb.running(b) })
}

// waitFor polls cond until it holds.
func waitFor(t testing.TB, what string, cond func() bool) {
	t.Helper()
	deadline := time.Now().Add(time.Minute)
	for !cond() {
		if time.Now().After(deadline) {
			t.Fatalf("waited a minute for %s", what)
		}
		time.Sleep(time.Millisecond)
	}
}

func nullLog() hclog.Logger { return hclog.NewNullLogger() }
