package health

import (
	"fmt"
	"net/netip"
	"slices"
	"testing"
	"time"
)

// BenchmarkServiceStep is what the machines cost for one attempt, from its
// deadline to its result, in a service of 1000 servers.
func BenchmarkServiceStep(b *testing.B) {
	cfg := service()
	for n := range 1000 {
		cfg.Servers = append(cfg.Servers, ServerConfig{
			Addr: netip.AddrFrom4([4]byte{10, 0, byte(n >> 8), byte(n)}), Port: 80, Weight: 1,
			Checks: []CheckConfig{check(func(c *CheckConfig) { c.Warmup = time.Minute })},
		})
	}
	m := NewService(cfg)
	m.Step(epoch, Start{}, nil)
	b.ReportAllocs()
	var out []Output
	for b.Loop() {
		now := m.Deadline()
		out = m.Step(now, TimerFired{}, out[:0])
		start := out[0].(StartCheck)
		out = m.Step(now, CheckDone{Server: start.Server, Attempt: start.Attempt}, out[:0])
	}
	if n := len(m.servers); n != 1000 {
		b.Fatal(fmt.Sprint(n))
	}
}

// steady is a scheduler of a service whose servers are checked by TCP_CHECKs of a
// listener that nobody empties, and what makes one round of them, whose number is
// returned, in the goroutine of the caller and at no time in particular.
func steady(tb testing.TB, servers, rounds int) (round func() int) {
	cfg := service()
	far := Connect{Addr: netip.MustParseAddr("127.0.0.1"), Timeout: 10 * time.Second}
	for n := range servers {
		if perListener := max(4000/rounds, 1); n%perListener == 0 {
			far.Port = backlogSocket(tb, 4096)
		}
		cfg.Servers = append(cfg.Servers, ServerConfig{
			Addr: netip.AddrFrom4([4]byte{10, 0, byte(n >> 8), byte(n)}), Port: 80, Weight: 1,
			Checks: []CheckConfig{{Kind: "TCP_CHECK", Check: NewTCP(far), Key: "tcp", Interval: time.Minute}},
		})
	}
	ended := 0
	s := NewScheduler(func(_ string, o Output) {
		if f, is := o.(CheckFailed); is {
			tb.Error(f.Err)
		}
	}, WithResults(func(string, string, Result) { ended++ }))
	tb.Cleanup(s.poller.close)
	s.Apply([]ServiceConfig{cfg})
	now := time.Now()
	return func() int {
		now = now.Add(2 * time.Minute)
		for ended = 0; ended < servers && !tb.Failed(); {
			events, _ := s.turn(tb.Context(), now)
			s.deliver(events, false)
			s.launch()
			s.settled()
		}
		return ended
	}
}

// An attempt of a TCP_CHECK that finds what the last one found allocates nothing.
func TestSteadyAttemptsAllocateNothing(t *testing.T) {
	const servers, rounds = 200, 20
	round := steady(t, servers, rounds+3)
	for range 2 {
		round()
	}
	if perRound := testing.AllocsPerRun(rounds, func() { round() }); perRound > servers/10 {
		t.Errorf("%.0f allocations for %d attempts", perRound, servers)
	}
}

// BenchmarkSteadyTCP is what an attempt costs that finds what the last one found,
// the kernel's part included.
func BenchmarkSteadyTCP(b *testing.B) {
	const servers = 500
	round := steady(b, servers, b.N/servers+2)
	b.ReportAllocs()
	round()
	b.ResetTimer()
	for n := 0; n < b.N; {
		n += round()
	}
}

// BenchmarkReload has one of a thousand services changed by a reload.
func BenchmarkReload(b *testing.B) {
	var configs []ServiceConfig
	for v := range 1000 {
		c := ServiceConfig{Name: fmt.Sprint(v), Protocol: "TCP", Quorum: 1}
		for r := range 10 {
			c.Servers = append(c.Servers, ServerConfig{Addr: netip.AddrFrom4([4]byte{10, 0, 0, byte(r)}), Port: 80, Weight: 1})
		}
		configs = append(configs, c)
	}
	s := NewScheduler(func(string, Output) {})
	s.Apply(configs)
	b.ReportAllocs()
	for i := 0; b.Loop(); i++ {
		c := &configs[500]
		c.Servers = slices.Clone(c.Servers)
		c.Servers[5].Weight = 1 + i%2
		s.Apply(configs)
		s.queue = s.queue[:0]
	}
}
