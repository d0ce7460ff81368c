package health

import (
	"net"
	"net/netip"
	"runtime"
	"testing"
	"time"
)

// A crowd of checks of servers that say nothing takes no more sockets and
// goroutines than the bound allows, and once a reload wants none of them they are
// gone at once, not when their time is up.
func TestSchedulerLeavesNothing(t *testing.T) {
	const bound, each = 300, 200
	mute, err := net.ListenPacket("udp4", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = mute.Close() }()
	closed := fullBacklog(t)
	closed.Timeout = time.Hour
	udp := closed
	udp.Port = netip.MustParseAddrPort(mute.LocalAddr().String()).Port()
	dns, err := NewDNS(DNSConfig{Connect: udp, Type: 6})
	if err != nil {
		t.Fatal(err)
	}
	kinds := []Check{
		NewTCP(closed), dns, NewSMTP(SMTPConfig{Connect: closed}), NewGRPC(GRPCConfig{Connect: closed}),
		NewHTTP(HTTPConfig{Connect: closed, URLs: []HTTPURL{{Path: "/"}}}),
		NewHTTP(HTTPConfig{Connect: closed, TLS: true, URLs: []HTTPURL{{Path: "/"}}}),
		NewUDP(UDPConfig{Connect: udp, RequireReply: true}),
	}
	cfg := service()
	for n := range byte(each) {
		var checks []CheckConfig
		for _, c := range kinds {
			checks = append(checks, CheckConfig{Kind: "CHECK", Check: c, Key: c.String(), Interval: time.Second})
		}
		cfg.Servers = append(cfg.Servers, server(n, 1, checks...))
	}
	s := NewScheduler(func(string, Output) {}, WithConcurrency(bound))
	files := sockets(t)
	end := begin(s)
	defer end()
	tasks := runtime.NumGoroutine()
	s.Apply([]ServiceConfig{cfg})
	until(t, "as many attempts as may run at once", func() bool { return sockets(t)-files >= bound*9/10 })
	began := time.Now()
	until(t, "a second of them", func() bool {
		if n := sockets(t) - files; n > bound+20 {
			t.Fatalf("%d sockets of at most %d attempts", n, bound)
		}
		if n := runtime.NumGoroutine() - tasks; n > 4*bound {
			t.Fatalf("%d goroutines of at most %d attempts", n, bound)
		}
		return time.Since(began) > time.Second
	})
	t.Logf("%d checks, at most %d at once: %d sockets, %d goroutines", each*len(kinds), bound, sockets(t)-files, runtime.NumGoroutine()-tasks)
	s.Apply(nil)
	until(t, "the end of all attempts", func() bool {
		// The loop of connections stays: its descriptors and its goroutine.
		return sockets(t) <= files+2 && runtime.NumGoroutine() <= tasks+1
	})
}

// until polls for a condition.
func until(t *testing.T, what string, condition func() bool) {
	t.Helper()
	for end := time.Now().Add(time.Minute); !condition(); time.Sleep(time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("%s: not within a minute; %d sockets, %d goroutines", what, sockets(t), runtime.NumGoroutine())
		}
	}
}
