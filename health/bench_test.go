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
