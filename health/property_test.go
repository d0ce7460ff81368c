package health

import (
	"math/rand/v2"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"
)

// randomService makes up a configuration.
func randomService(r *rand.Rand) ServiceConfig {
	cfg := service()
	cfg.Quorum, cfg.Hysteresis = 1+r.IntN(6), r.IntN(2)
	if r.IntN(2) == 0 {
		cfg = withSorry(cfg, r.IntN(2) == 0)
	}
	for n := range 1 + r.IntN(5) {
		srv := server(byte(n+r.IntN(3)), r.IntN(4))
		srv.InhibitOnFailure = r.IntN(3) == 0
		for k := range r.IntN(3) {
			srv.Checks = append(srv.Checks, check(keyed(string(rune('a'+k+r.IntN(2)))), func(c *CheckConfig) {
				c.Retries, c.Alpha = r.IntN(3), r.IntN(4) == 0
				c.Warmup = time.Duration(r.IntN(5)) * sec
				c.Check = idle{traits: Traits{Steps: 1 + r.IntN(2), Fast: r.IntN(2) == 0, Confirm: r.IntN(2) == 0}}
			}))
		}
		cfg.Servers = append(cfg.Servers, srv)
	}
	return cfg
}

// invariants holds between a service's servers and its pool at every moment.
func invariants(t *testing.T, m *Service) {
	t.Helper()
	var live int64
	want := Pool{}
	sorry := m.cfg.Sorry != nil && !m.quorum
	for _, srv := range m.servers {
		if srv.up != (srv.failing() == nil) {
			t.Fatalf("server %s: up %t with failing check %v", srv.ref.Name, srv.up, srv.failing())
		}
		if srv.weight != srv.effective() {
			t.Fatalf("server %s: weight %d, should be %d", srv.ref.Name, srv.weight, srv.effective())
		}
		live += srv.live()
		weight := srv.weight
		if !srv.up || sorry {
			if weight = 0; !srv.cfg.InhibitOnFailure {
				continue
			}
		}
		want = append(want, Member{Addr: srv.cfg.Addr, Port: srv.cfg.Port, Weight: weight, Inhibited: sorry || !srv.up})
	}
	if c := m.cfg.Sorry; sorry {
		want = append(want, Member{Addr: c.Addr, Port: c.Port, Weight: 1, Sorry: true})
	} else if c != nil && c.Inhibit {
		want = append(want, Member{Addr: c.Addr, Port: c.Port, Sorry: true})
	}
	if !slices.Equal(m.Pool(), want) {
		t.Fatalf("pool %v, want %v", m.Pool(), want)
	}
	if live != m.live {
		t.Fatalf("live weight %d, should be %d", m.live, live)
	}
	quorum, margin := int64(m.cfg.Quorum), int64(m.cfg.Hysteresis)
	if m.quorum && (live == 0 || live < quorum-margin) || !m.quorum && live > 0 && live >= quorum+margin {
		t.Fatalf("quorum %d, hysteresis %d, live weight %d, yet up is %t", quorum, margin, live, m.quorum)
	}
	for i, e := range m.due {
		if e.heapIndex != i || !e.due.Equal(e.Deadline()) || m.byAddr[e.ref.Server] != e {
			t.Fatalf("heap entry %d is stale", i)
		}
	}
}

// Whatever results come and however often the configuration changes, the pool
// is what servers and quorum say, and every attempt is answered or cancelled.
func TestPoolInvariants(t *testing.T) {
	for seed := range uint64(300) {
		r := rand.New(rand.NewPCG(seed, 1))
		m := NewService(randomService(r))
		type running struct {
			server  netip.AddrPort
			attempt uint64
		}
		var open []running
		now := epoch
		feed := func(in Input) {
			for _, o := range m.Step(now, in, nil) {
				switch o := o.(type) {
				case StartCheck:
					if slices.ContainsFunc(open, func(a running) bool { return a.attempt == o.Attempt }) {
						t.Fatalf("seed %d: attempt %d started twice", seed, o.Attempt)
					}
					open = append(open, running{o.Server, o.Attempt})
				case CancelCheck:
					i := slices.Index(open, running{o.Server, o.Attempt})
					if i < 0 {
						t.Fatalf("seed %d: cancelled attempt %d does not run", seed, o.Attempt)
					}
					open = slices.Delete(open, i, i+1)
				}
				if strings.Contains(Text(m.cfg.Name, o), "%!") {
					t.Fatalf("seed %d: bad text", seed)
				}
			}
		}
		feed(Start{Seed: seed})
		for range 150 {
			switch k := r.IntN(20); {
			case k == 0:
				feed(Reconfigure{Config: randomService(r), Seed: seed})
			case k < 12 && len(open) > 0:
				i := r.IntN(len(open))
				a := open[i]
				open = slices.Delete(open, i, i+1)
				res := Result{Weight: r.IntN(5), Dynamic: r.IntN(4) == 0}
				switch r.IntN(5) {
				case 0, 1:
					res = Result{Err: errDown}
				case 2:
					res = Result{Err: ErrNotAttempted}
				}
				feed(CheckDone{Server: a.server, Attempt: a.attempt, Result: res})
			case !m.Deadline().IsZero():
				if at := m.Deadline(); at.After(now) {
					now = at
				}
				feed(TimerFired{})
			}
			invariants(t, m)
		}
		feed(Stop{})
		if len(open) != 0 || !m.Deadline().IsZero() {
			t.Fatalf("seed %d: after Stop %d attempts run, deadline %v", seed, len(open), m.Deadline())
		}
	}
}
