//go:build kernel && vm

package host

import (
	"errors"
	"net"
	"net/netip"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// line is a TCP connection between two namespaces that says things.
type line struct{ from, to net.Conn }

// line opens a connection from a to an address of b.
func (n *testNS) line(b *testNS, at string) *line {
	n.t.Helper()
	var l net.Listener
	b.do(func() (err error) { l, err = net.Listen("tcp", at); return err })
	defer l.Close()
	got := &line{}
	n.do(func() (err error) {
		got.from, err = net.DialTimeout("tcp", at, 20*time.Second)
		return err
	})
	to, err := l.Accept()
	if err != nil {
		n.t.Fatal(err)
	}
	got.to = to
	n.t.Cleanup(func() { _ = errors.Join(got.from.Close(), got.to.Close()) })
	return got
}

// arrives is whether a byte comes through within limit.
func (l *line) arrives(limit time.Duration) bool {
	if _, err := l.from.Write([]byte{1}); err != nil {
		return false
	}
	_ = l.to.SetReadDeadline(time.Now().Add(limit))
	_, err := l.to.Read(make([]byte, 1))
	return err == nil
}

func (n *testNS) unsynced() *Unsynced {
	n.t.Helper()
	var u *Unsynced
	n.do(func() (err error) { u, err = NewUnsynced(); return err })
	n.t.Cleanup(func() { _ = u.Close() })
	return u
}

// What was sent to a service is dropped and comes after all when the kernel
// forgets the rule by itself; nobody is told that there is nobody. Another port
// and another protocol are as they were.
func TestVMUnsyncedServices(t *testing.T) {
	for name, rules := range map[string]UnsyncedRules{
		"IPv4": {Services: []netip.AddrPort{netip.MustParseAddrPort("192.0.2.1:80")}},
		"IPv6": {Services: []netip.AddrPort{netip.MustParseAddrPort("[2001:db8::1]:80")}},
		"any":  {Services: []netip.AddrPort{netip.MustParseAddrPort("192.0.2.1:0")}},
		"mark": {Marks: []FamilyMark{{Mark: 7}}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			a, b := pair(t, "v0", "w0", [2]string{"192.0.2.1/24", "192.0.2.2/24"}, [2]string{"2001:db8::1/64", "2001:db8::2/64"})
			if name == "mark" {
				a.run("nft", "add table ip m; add chain ip m in { type filter hook input priority 0; }; add rule ip m in tcp dport 80 meta mark set 7")
			}
			addr := "192.0.2.1"
			if name == "IPv6" {
				addr = "2001:db8::1"
			}
			old, other := b.line(a, net.JoinHostPort(addr, "80")), b.line(a, net.JoinHostPort(addr, "81"))
			if !old.arrives(20*time.Second) || !other.arrives(20*time.Second) {
				t.Fatal("there is no connection")
			}
			u := a.unsynced()
			const limit = 2 * time.Second
			for first := time.Minute; ; first = limit {
				applied := time.Now()
				if err := errors.Join(u.Apply(rules, first), u.Apply(rules, limit)); err != nil {
					t.Fatal(err)
				}
				if !old.arrives(limit / 4) {
					break
				}
				// A busy machine may have come back when the limit had passed.
				if time.Since(applied) < limit {
					t.Fatal("what IPVS does not know arrives")
				}
			}
			if name != "any" && !other.arrives(20*time.Second) {
				t.Error("another port is dropped, too")
			}
			if !b.finds(addr, true) {
				t.Error("UDP is dropped, too")
			}
			// The element has gone, the sender goes on.
			_ = old.to.SetReadDeadline(time.Now().Add(20 * time.Second))
			if _, err := old.to.Read(make([]byte, 1)); err != nil {
				t.Errorf("after the limit: %v", err)
			}
			if left, err := u.Left(); err != nil || !left {
				t.Errorf("a table of ours: %v, %v", left, err)
			}
			if err := errors.Join(u.Remove(), u.Remove()); err != nil {
				t.Error(err)
			}
			if left, err := a.unsynced().Left(); err != nil || left {
				t.Errorf("left: %v, %v", left, err)
			}
		})
	}
}

// A connection begins as ever: SYN is let through, and refused where nobody listens.
func TestVMUnsyncedLetsConnectionsBegin(t *testing.T) {
	a, b := pair(t, "v0", "w0", [2]string{"192.0.2.1/24", "192.0.2.2/24"})
	rules := UnsyncedRules{Services: []netip.AddrPort{netip.MustParseAddrPort("192.0.2.1:80")}}
	u := a.unsynced()
	if err := u.Apply(rules, time.Minute); err != nil {
		t.Fatal(err)
	}
	err := b.try(func() error {
		_, err := net.DialTimeout("tcp", "192.0.2.1:80", 20*time.Second)
		return err
	})
	if !errors.Is(err, unix.ECONNREFUSED) {
		t.Errorf("SYN: %v", err)
	}
}

// What a real server sends untranslated is not passed on, from its port alone.
func TestVMUnsyncedServers(t *testing.T) {
	a, client := pair(t, "v0", "w0", [2]string{"192.0.2.1/24", "192.0.2.2/24"})
	server := newNS(t)
	cable(t, a, server, "v1", "x0")
	a.run("ip", "addr", "add", "10.0.0.1/24", "dev", "v1")
	server.run("ip", "addr", "add", "10.0.0.2/24", "dev", "x0")
	a.run("sysctl", "-qw", "net.ipv4.ip_forward=1")
	client.run("ip", "route", "add", "default", "via", "192.0.2.1")
	server.run("ip", "route", "add", "default", "via", "10.0.0.1")
	answers, other := client.line(server, "10.0.0.2:80"), client.line(server, "10.0.0.2:81")
	u := a.unsynced()
	rules := UnsyncedRules{Servers: []netip.AddrPort{netip.MustParseAddrPort("10.0.0.2:80")}}
	if err := u.Apply(rules, time.Minute); err != nil {
		t.Fatal(err)
	}
	answers.from, answers.to = answers.to, answers.from
	other.from, other.to = other.to, other.from
	if answers.arrives(500 * time.Millisecond) {
		t.Error("an untranslated answer is passed on")
	}
	if !other.arrives(20 * time.Second) {
		t.Error("another port's is not")
	}
	if err := u.Remove(); err != nil {
		t.Fatal(err)
	}
	_ = answers.to.SetReadDeadline(time.Now().Add(20 * time.Second))
	if _, err := answers.to.Read(make([]byte, 1)); err != nil {
		t.Errorf("after the removal: %v", err)
	}
}
