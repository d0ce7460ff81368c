//go:build kernel

package host

import (
	"net/netip"
	"testing"
	"time"
)

// A socket is reported once, however much comes, until it is armed again; and at
// once where something is there already.
func TestKernelPollerReportsOnce(t *testing.T) {
	a, b := pair(t, "v0", "w0", [2]string{"192.0.2.1/24", "192.0.2.2/24"})
	send, _ := a.adverts(a.key("v0", group4, false))
	p, err := NewPoller()
	if err != nil {
		t.Fatal(err)
	}
	reported := 0
	var c *AdvertConn
	b.do(func() (err error) {
		c, err = OpenAdverts(b.key("w0", group4, false), p, func() { reported++ })
		return err
	})
	wait := func(d time.Duration) time.Duration {
		t.Helper()
		begun := time.Now()
		if err := p.Wait(begun.Add(d)); err != nil {
			t.Fatal(err)
		}
		return time.Since(begun)
	}
	advert := func() {
		t.Helper()
		if err := send.Send(netip.MustParseAddr("192.0.2.1"), group4, 255, []byte("x")); err != nil {
			t.Fatal(err)
		}
	}
	advert()
	if wait(20*time.Millisecond) < 20*time.Millisecond || reported != 0 {
		t.Fatalf("%d reports of a socket that is not armed", reported)
	}
	for want := 1; want <= 2; want++ {
		if err := c.Arm(); err != nil {
			t.Fatal(err)
		}
		if wait(time.Minute) > 30*time.Second || reported != want {
			t.Fatalf("%d reports of a socket that has packets, want %d", reported, want)
		}
		advert()
		if wait(20*time.Millisecond) < 20*time.Millisecond || reported != want {
			t.Fatalf("%d reports, want %d until it is armed", reported, want)
		}
	}
	// A moment that has passed is no reason not to look.
	if err := c.Arm(); err != nil {
		t.Fatal(err)
	}
	if wait(-time.Second); reported != 3 {
		t.Fatalf("%d reports, want 3", reported)
	}
	in, got := NewInbox(), 0
	if n := c.Receive(in, func(Received) { got++ }); n != 3 || got != 3 {
		t.Errorf("received %d, handed on %d, want 3", n, got)
	}
	// Wake counts, whether it comes before the wait or during it.
	p.Wake()
	if took := wait(time.Minute); took > 30*time.Second {
		t.Errorf("woken before, the wait took %v", took)
	}
	time.AfterFunc(10*time.Millisecond, p.Wake)
	if took := wait(time.Minute); took > 30*time.Second {
		t.Errorf("woken, the wait took %v", took)
	}
	if err := c.Close(); err != nil {
		t.Error(err)
	}
	if err := p.Close(); err != nil {
		t.Error(err)
	}
	p.Wake()
	if err := p.Wait(time.Now().Add(time.Hour)); err == nil {
		t.Error("waited in a closed poller")
	}
	if err := p.Close(); err != nil {
		t.Errorf("closed twice: %v", err)
	}
}
