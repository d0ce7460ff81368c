package health

import (
	"fmt"
	"net/netip"
	"testing"
	"time"
)

// keyed gives a check another key: another check.
func keyed(key string) func(*CheckConfig) {
	return func(c *CheckConfig) { c.Key = key }
}

func (s *sim) reload(cfg ServiceConfig) []Output {
	s.t.Helper()
	s.lines = nil
	return s.feed(Reconfigure{Config: cfg, Seed: 2})
}

// An unchanged configuration changes nothing and disturbs no schedule.
func TestReloadUnchanged(t *testing.T) {
	cfg := withSorry(service(server(1, 1, check()), server(2, 1, check())), true)
	a, b := newSim(t, cfg), newSim(t, cfg)
	for _, s := range []*sim{a, b} {
		s.took = 300 * time.Millisecond
		s.answer = failing(1, 3*sec, 12*sec)
	}
	for at := time.Duration(0); at < 20*sec; at += 700 * time.Millisecond {
		b.until(at)
		if out := b.reload(cfg); len(out) != 0 {
			t.Fatalf("at %s a reload gave %v", at, out)
		}
	}
	a.until(20 * sec)
	b.until(20 * sec)
	if fmt.Sprint(a.starts) != fmt.Sprint(b.starts) {
		t.Errorf("attempts\n %v, with reloads\n %v", a.starts, b.starts)
	}
}

// Servers with the same address and port and checks with the same key keep
// their state, also in another place.
func TestReloadKeepsState(t *testing.T) {
	s := newSim(t, service(server(1, 1, check(noRetry)), server(2, 1, check(noRetry))))
	s.answer = failing(1, 0, time.Hour)
	s.until(5 * sec)
	next := s.service.Deadline()
	other := check(keyed("other"))
	s.reload(service(server(3, 1), server(2, 5, check(noRetry)), server(1, 1, other, check(noRetry))))
	wantPool(t, s, "3=1 2=5")
	if !s.service.servers[1].Deadline().Equal(next) {
		t.Errorf("the next check moved from %v to %v", next, s.service.servers[1].Deadline())
	}
	wantLines(t, "log", news(s.lines), []string{"5.0 Changing weight from 1 to 5 for active service [192.0.2.2]:tcp:80 of VS [10.0.0.1]:tcp:80"})
	s.answer = failing(9, 0, 0)
	s.until(10 * sec)
	wantPool(t, s, "3=1 2=5 1=1")
}

// An attempt under way at a reload counts where its check stays, and is
// cancelled and ignored where it goes.
func TestReloadDuringAttempt(t *testing.T) {
	s := newSim(t, service(server(1, 1, check(noRetry), check(noRetry, keyed("b"))), server(2, 1, check(noRetry))))
	s.took = sec
	s.answer = failing(1, 0, time.Hour)
	s.until(1500 * time.Millisecond)
	s.reload(service(server(1, 1, check(noRetry))))
	if s.cancelled != 2 {
		t.Errorf("%d attempts cancelled, want those of the check and of the server that went", s.cancelled)
	}
	wantLines(t, "log", s.lines, []string{
		"1.5 service [192.0.2.2]:tcp:80 no longer exist",
		"1.5 Deactivating healthchecker for service [192.0.2.1]:tcp:80 for VS [10.0.0.1]:tcp:80",
	})
	s.until(3 * sec)
	wantPool(t, s, "")
}

// A changed check starts from the state its server had, and never raises a
// server without a success; keepalived raises it at once.
func TestReloadNeverRaisesWithoutSuccess(t *testing.T) {
	tests := []struct {
		name        string
		before      []CheckConfig
		fails       int // this check of the ones before
		after       []CheckConfig
		raisedAt    string
		upAtTheTime bool
	}{
		{name: "changed", before: []CheckConfig{check(noRetry)}, after: []CheckConfig{check(noRetry, keyed("b"))}, raisedAt: "up@4.0"},
		{name: "failing one removed, the other has succeeded",
			before: []CheckConfig{check(noRetry), check(noRetry, keyed("b"))}, after: []CheckConfig{check(noRetry, keyed("b"))},
			raisedAt: "up@3.0", upAtTheTime: true},
		{name: "failing one removed, the other has not run",
			before: []CheckConfig{check(noRetry), check(noRetry, keyed("b"), func(c *CheckConfig) { c.Warmup = 1000 * time.Hour })},
			after:  []CheckConfig{check(noRetry, keyed("b"), func(c *CheckConfig) { c.Warmup = 1000 * time.Hour })}},
		{name: "all removed: nothing is asked of the server any more",
			before: []CheckConfig{check(noRetry)}, raisedAt: "up@3.0", upAtTheTime: true},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			s := newSim(t, service(server(1, 1, tt.before...)))
			s.answer = func(_ time.Duration, o StartCheck) Result {
				if o.Check == tt.fails {
					return Result{Err: errDown}
				}
				return Result{}
			}
			s.until(3 * sec)
			if s.service.servers[0].Up() {
				t.Fatal("up with a failed check")
			}
			s.reload(service(server(1, 1, tt.after...)))
			if up := s.service.servers[0].Up(); up != tt.upAtTheTime {
				t.Errorf("up after the reload is %t", up)
			}
			s.answer = func(time.Duration, StartCheck) Result { return Result{} }
			s.until(9 * sec)
			if got := changes(s); got != tt.raisedAt {
				t.Errorf("changes %q, want %q", got, tt.raisedAt)
			}
		})
	}
}

// A check that is added to a server that is up leaves it up until it fails,
// once, as a first attempt does; alpha is for new servers only.
func TestReloadAddsCheckToServerThatIsUp(t *testing.T) {
	s := newSim(t, service(server(1, 1, check())))
	s.until(2 * sec)
	added := check(keyed("b"), func(c *CheckConfig) { c.Alpha, c.Retries = true, 5 })
	alpha := check(func(c *CheckConfig) { c.Alpha = true })
	s.answer = func(_ time.Duration, o StartCheck) Result {
		if o.Check == 1 {
			return Result{Err: errDown}
		}
		return Result{}
	}
	s.reload(service(server(1, 1, check(), added), server(2, 1, alpha), server(3, 1, check())))
	wantPool(t, s, "1=1 3=1")
	s.until(4 * sec)
	wantPool(t, s, "2=1 3=1")
}

// The weight that a script assigned outlives a reload, whatever the configured
// weight becomes; keepalived makes 0 of it.
func TestReloadKeepsAssignedWeight(t *testing.T) {
	s := newSim(t, service(server(1, 4, check()), server(2, 4, check())))
	s.answer = func(_ time.Duration, o StartCheck) Result {
		return Result{Weight: 9, Dynamic: o.Server.Addr().As4()[3] == 1}
	}
	s.until(2 * sec)
	wantPool(t, s, "1=9 2=4")
	s.reload(service(server(1, 6, check()), server(2, 6, check())))
	wantPool(t, s, "1=9 2=6")
}

// A shorter delay_loop holds from the reload on.
func TestReloadShortensInterval(t *testing.T) {
	s := newSim(t, service(server(1, 1, check(func(c *CheckConfig) { c.Interval = time.Hour }))))
	s.until(2 * sec)
	s.reload(service(server(1, 1, check())))
	if at := s.service.Deadline().Sub(epoch); at != 5*sec {
		t.Errorf("next check at %s, want 5s", at)
	}
}

// A quorum or a sorry server that changes acts at once.
func TestReloadQuorumAndSorryServer(t *testing.T) {
	cfg := service(server(1, 1), server(2, 1))
	s := newSim(t, cfg)
	cfg.Quorum = 3
	s.reload(cfg)
	wantPool(t, s, "1=1 2=1")
	cfg = withSorry(cfg, false)
	s.reload(cfg)
	wantPool(t, s, "sorry=1")
	wantLines(t, "log", s.lines, []string{
		"0.0 Adding sorry server [10.1.1.1]:tcp:80 to VS [10.0.0.1]:tcp:80",
		"0.0 Removing alive servers from the pool for VS [10.0.0.1]:tcp:80",
	})
	cfg.Sorry = nil
	s.reload(cfg)
	wantPool(t, s, "1=1 2=1")
	cfg = withSorry(cfg, false)
	s.reload(cfg)
	cfg.Quorum = 2
	s.reload(cfg)
	wantPool(t, s, "1=1 2=1")
	wantLines(t, "log", s.lines, []string{
		"0.0 Gained quorum 2+0=2 <= 2 for VS [10.0.0.1]:tcp:80",
		"0.0 Removing sorry server [10.1.1.1]:tcp:80 from VS [10.0.0.1]:tcp:80",
		"0.0 Adding alive servers to the pool for VS [10.0.0.1]:tcp:80",
	})
}

// Nothing stays in the pool that a reload takes out of the file while the quorum is
// lost: keepalived leaves what was inhibited there, with weight 0.
func TestReloadLeavesNothing(t *testing.T) {
	of := func(inhibit func(ServerConfig) ServerConfig) ServiceConfig {
		cfg := service(inhibit(server(1, 1, check(noRetry))), inhibit(server(2, 1, check(noRetry))))
		cfg.Quorum = 2
		return cfg
	}
	removed := func(c ServerConfig) ServerConfig { return c }
	s := newSim(t, withSorry(of(inhibited), true))
	wantPool(t, s, "1=1 2=1 sorry=0")
	s.answer = failing(1, 0, 20*sec)
	s.until(10 * sec)
	wantPool(t, s, "1=0 2=0 sorry=1")
	s.reload(withSorry(of(removed), true))
	wantPool(t, s, "sorry=1")
	other := withSorry(of(removed), true)
	other.Sorry.Addr = netip.MustParseAddr("10.1.1.2")
	s.reload(other)
	wantPool(t, s, "sorry=1")
	if got := s.service.Pool()[0].Addr; got != other.Sorry.Addr {
		t.Errorf("the sorry server is %s", got)
	}
	s.reload(of(removed))
	wantPool(t, s, "2=1")
	s.until(30 * sec)
	wantPool(t, s, "1=1 2=1")
	s.reload(withSorry(of(inhibited), true))
	wantPool(t, s, "1=1 2=1 sorry=0")
	s.reload(of(inhibited))
	wantPool(t, s, "1=1 2=1")
}

// A check with fewer urls than before does not ask for one that is gone.
func TestReloadShortensRound(t *testing.T) {
	steps := func(n int) CheckConfig {
		return check(func(c *CheckConfig) { c.Check = idle{traits: Traits{Steps: n, Confirm: true}} })
	}
	s := newSim(t, service(server(1, 1, steps(3))))
	s.until(5 * sec)
	s.starts = nil
	s.reload(service(server(1, 1, steps(1))))
	s.until(12 * sec)
	wantLines(t, "starts", s.starts, []string{"7.0 0/0", "10.0 0/0"})
}

// Another protocol renames the servers.
func TestReloadRenames(t *testing.T) {
	cfg := service(server(1, 1, check(noRetry)))
	s := newSim(t, cfg)
	cfg.Protocol = ""
	s.reload(cfg)
	s.answer = failing(1, 0, time.Hour)
	s.until(2 * sec)
	if want := "1.0 TCP_CHECK on service [192.0.2.1]:none:80 failed."; s.lines[0] != want {
		t.Errorf("line %q, want %q", s.lines[0], want)
	}
}
