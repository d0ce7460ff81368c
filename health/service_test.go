package health

import (
	"net/netip"
	"strings"
	"testing"
	"time"
)

// noRetry decides at the first failure.
func noRetry(c *CheckConfig) { c.Retries = 0 }

// Section 3, with the lines that keepalived 2.2.7 wrote for the same events:
// quorum 5 and hysteresis 1 over weights 4, 2 and 1, the sorry server and one
// real server inhibited rather than removed.
func TestQuorumAndSorryServerAsKeepalived(t *testing.T) {
	cfg := withSorry(service(
		server(1, 4, check(noRetry)), server(2, 2, check(noRetry)), inhibited(server(3, 1, check(noRetry)))), true)
	cfg.Quorum, cfg.Hysteresis = 5, 1
	s := newSim(t, cfg)
	s.answer = func(at time.Duration, o StartCheck) Result {
		switch n := o.Server.Addr().As4()[3]; {
		case n == 1 && at > 17*sec && at < 27*sec, n == 3 && at > 23*sec && at < 39*sec:
			return Result{Err: errDown}
		}
		return Result{}
	}
	wantPool(t, s, "1=4 2=2 3=1 sorry=0")
	s.until(20 * sec)
	wantPool(t, s, "3=0 sorry=1")
	s.until(26 * sec)
	wantPool(t, s, "3=0 sorry=1")
	s.until(30 * sec)
	wantPool(t, s, "1=4 2=2 3=0 sorry=0")
	s.until(45 * sec)
	wantPool(t, s, "1=4 2=2 3=1 sorry=0")
	wantLines(t, "log", news(s.lines), []string{
		"0.0 Gained quorum 5+1=6 <= 7 for VS [10.0.0.1]:tcp:80",
		"1.0 TCP connection to [192.0.2.1]:tcp:80 success.",
		"1.0 TCP connection to [192.0.2.2]:tcp:80 success.",
		"1.0 TCP connection to [192.0.2.3]:tcp:80 success.",
		"19.0 TCP_CHECK on service [192.0.2.1]:tcp:80 failed.",
		"19.0 Removing service [192.0.2.1]:tcp:80 from VS [10.0.0.1]:tcp:80",
		"19.0 Lost quorum 5-1=4 > 3 for VS [10.0.0.1]:tcp:80",
		"19.0 Enabling sorry server [10.1.1.1]:tcp:80 to VS [10.0.0.1]:tcp:80",
		"19.0 Removing alive servers from the pool for VS [10.0.0.1]:tcp:80",
		"25.0 TCP_CHECK on service [192.0.2.3]:tcp:80 failed.",
		"25.0 Disabling service [192.0.2.3]:tcp:80 of VS [10.0.0.1]:tcp:80",
		"28.0 TCP connection to [192.0.2.1]:tcp:80 success.",
		"28.0 Adding service [192.0.2.1]:tcp:80 to VS [10.0.0.1]:tcp:80",
		"28.0 Gained quorum 5+1=6 <= 6 for VS [10.0.0.1]:tcp:80",
		"28.0 Disabling sorry server [10.1.1.1]:tcp:80 from VS [10.0.0.1]:tcp:80",
		"28.0 Adding alive servers to the pool for VS [10.0.0.1]:tcp:80",
		"40.0 TCP connection to [192.0.2.3]:tcp:80 success.",
		"40.0 Enabling service [192.0.2.3]:tcp:80 of VS [10.0.0.1]:tcp:80",
	})
}

// Section 3, likewise: alpha servers start the service with its quorum down.
func TestAlphaStartsWithSorryServer(t *testing.T) {
	alpha := check(func(c *CheckConfig) { c.Alpha, c.Retries = true, 2 })
	s := newSim(t, withSorry(service(server(1, 1, alpha), server(2, 1, alpha)), false))
	s.answer = failing(1, 0, 5*sec)
	wantPool(t, s, "sorry=1")
	s.until(10 * sec)
	wantPool(t, s, "1=1 2=1")
	wantLines(t, "log", news(s.lines), []string{
		"0.0 Starting with quorum down 1-0=1 > 0 for VS [10.0.0.1]:tcp:80",
		"0.0 Adding sorry server [10.1.1.1]:tcp:80 to VS [10.0.0.1]:tcp:80",
		"0.0 Removing alive servers from the pool for VS [10.0.0.1]:tcp:80",
		"1.0 TCP_CHECK on service [192.0.2.1]:tcp:80 failed.",
		"1.0 TCP connection to [192.0.2.2]:tcp:80 success.",
		"1.0 Adding service [192.0.2.2]:tcp:80 to VS [10.0.0.1]:tcp:80",
		"1.0 Gained quorum 1+0=1 <= 1 for VS [10.0.0.1]:tcp:80",
		"1.0 Removing sorry server [10.1.1.1]:tcp:80 from VS [10.0.0.1]:tcp:80",
		"1.0 Adding alive servers to the pool for VS [10.0.0.1]:tcp:80",
		"7.0 TCP connection to [192.0.2.1]:tcp:80 success.",
		"7.0 Adding service [192.0.2.1]:tcp:80 to VS [10.0.0.1]:tcp:80",
	})
}

// Section 3: quorum up at the sum of quorum and hysteresis, down below their
// difference or at 0, and unchanged between.
func TestQuorumHysteresis(t *testing.T) {
	tests := []struct {
		quorum, margin int
		up             bool // before
		live           int64
		want           bool
	}{
		{1, 0, false, 0, false}, {1, 0, false, 1, true}, {1, 0, true, 1, true}, {1, 0, true, 0, false},
		{5, 2, false, 6, false}, {5, 2, false, 7, true}, {5, 2, true, 3, true}, {5, 2, true, 2, false},
		// Nothing alive is never enough, whatever the numbers say.
		{0, 0, false, 0, false}, {0, 0, true, 0, false}, {1, 1, true, 0, false}, {0, 0, false, 1, true},
	}
	for _, tt := range tests {
		s := NewService(ServiceConfig{Quorum: tt.quorum, Hysteresis: tt.margin})
		s.quorum, s.live = tt.up, tt.live
		s.decide(epoch, nil)
		if s.quorum != tt.want {
			t.Errorf("quorum %d, hysteresis %d, up %t, live weight %d: up %t, want %t",
				tt.quorum, tt.margin, tt.up, tt.live, s.quorum, tt.want)
		}
	}
}

// Section 3: without a sorry server the remaining servers stay in the pool
// after the quorum is lost.
func TestQuorumLossWithoutSorryServer(t *testing.T) {
	cfg := service(server(1, 1, check(noRetry)), server(2, 1, check(noRetry)))
	cfg.Quorum = 2
	s := newSim(t, cfg)
	s.answer = failing(1, 3*sec, 9*sec)
	s.until(5 * sec)
	wantPool(t, s, "2=1")
	if st := s.service.Status(); st.QuorumUp || st.LiveWeight != 1 || st.Servers[0].InPool || !st.Servers[1].InPool {
		t.Errorf("status %+v", st)
	}
	if last := s.lines[len(s.lines)-1]; last != "4.0 Lost quorum 2-0=2 > 1 for VS [10.0.0.1]:tcp:80" {
		t.Errorf("last line %q", last)
	}
	s.until(11 * sec)
	wantPool(t, s, "1=1 2=1")
}

// A sorry server that is one of the real servers too, which are inhibited: while it
// serves it has the sorry server's weight, and not the 0 of a real one.
func TestSorryServerAmongTheRealOnes(t *testing.T) {
	cfg := withSorry(service(inhibited(server(1, 7, check(noRetry))), inhibited(server(2, 5, check(noRetry)))), true)
	cfg.Sorry.Addr = cfg.Servers[0].Addr
	s := newSim(t, cfg)
	s.answer = func(at time.Duration, _ StartCheck) Result {
		if at >= 3*sec && at < 9*sec {
			return Result{Err: errDown}
		}
		return Result{}
	}
	s.until(5 * sec)
	wantPool(t, s, "2=0 sorry=1")
	if st := s.service.Status(); st.Servers[0].InPool || !st.Servers[2].InPool {
		t.Errorf("status %+v", st)
	}
	s.until(11 * sec)
	wantPool(t, s, "1=7 2=5 sorry=0")
}

// keepalived never brings up a server one of whose alpha checks cannot be made,
// whatever its others say.
func TestMissingAlphaCheck(t *testing.T) {
	missing := CheckConfig{Kind: "MISC_CHECK", Check: NewMissing("/none"), Key: "missing", Alpha: true}
	s := newSim(t, service(server(1, 1, missing), server(2, 1, missing, check(func(c *CheckConfig) { c.Alpha = true })), server(3, 1)))
	s.answer = func(_ time.Duration, o StartCheck) Result {
		if o.Kind == "MISC_CHECK" {
			return NewMissing("/none").Run(t.Context())
		}
		return Result{}
	}
	s.until(90 * sec)
	wantPool(t, s, "3=1")
}

// Section 3: while the sorry server serves, changes of real servers do not
// touch the pool.
func TestNoPoolChangeWhileSorryServes(t *testing.T) {
	cfg := withSorry(service(
		server(1, 1, check(noRetry)), server(2, 1, check(noRetry)), inhibited(server(3, 1, check(noRetry)))), false)
	cfg.Quorum = 3
	s := newSim(t, cfg)
	s.answer = func(at time.Duration, o StartCheck) Result {
		if n := o.Server.Addr().As4()[3]; n == 1 && at > 3*sec || n != 1 && at > 6*sec && at < 9*sec {
			return Result{Err: errDown}
		}
		return Result{}
	}
	s.until(5 * sec)
	wantPool(t, s, "3=0 sorry=1")
	before := len(s.outputs)
	s.until(20 * sec)
	for _, o := range s.outputs[before:] {
		if _, ok := o.(PoolChanged); ok {
			t.Error("the pool changed")
		}
	}
	if got := changes(s); got != "down@4.0 down@7.0 up@10.0" {
		t.Errorf("changes %q", got)
	}
}

// Section 3: the table changes before the news of it, so that scripts find it
// changed; the quorum's news follows the server's.
func TestOrderOfOutputs(t *testing.T) {
	s := newSim(t, withSorry(service(server(1, 1, check(noRetry))), false))
	s.until(2 * sec)
	s.outputs = nil
	s.answer = failing(1, 0, time.Hour)
	s.until(5 * sec)
	var got []string
	for _, o := range s.outputs {
		switch o := o.(type) {
		case CheckFailed:
			got = append(got, "failed")
		case PoolChanged:
			got = append(got, "pool "+pool(o.Pool))
		case ServerDown:
			got = append(got, "down "+o.Cause)
		case QuorumLost:
			got = append(got, "quorum")
		case SorryAdded, AliveRemoved:
			got = append(got, "sorry")
		default:
			t.Errorf("unexpected %T", o)
		}
	}
	wantLines(t, "outputs", got, []string{
		"failed", "pool sorry=1", "down TCP_CHECK [192.0.2.1]:tcp:80: connect: connection refused", "quorum", "sorry", "sorry",
	})
}

// At the start the servers are told of before the quorum that they make, and
// checks are scheduled last.
func TestOrderOfTheStart(t *testing.T) {
	s := newSim(t, withSorry(service(server(1, 1, check(noRetry)), server(2, 1, check(func(c *CheckConfig) { c.Alpha = true }))), false))
	var got []string
	for _, o := range s.outputs {
		switch o := o.(type) {
		case ServerAdded:
			got = append(got, "server "+either(o.Up, "up", "down"))
		case PoolChanged:
			got = append(got, "pool "+pool(o.Pool))
		case QuorumGained:
			got = append(got, "quorum")
		case CheckActivated:
			got = append(got, "check")
		default:
			t.Errorf("unexpected %T", o)
		}
	}
	wantLines(t, "outputs", got, []string{"pool 1=1", "server up", "server down", "quorum", "check", "check"})
}

// The lines of a dynamic MISC_CHECK, as keepalived 2.2.7 wrote them: the weight
// first, then the success, then the server.
func TestMiscLinesAsKeepalived(t *testing.T) {
	c := check(func(c *CheckConfig) {
		c.Kind, c.Check = "MISC_CHECK", idle{target: "/m.sh", traits: Traits{StartToStart: true}}
		c.Interval = 2 * sec
	})
	s := newSim(t, service(server(1, 4, c), server(2, 4)))
	exits := []int{0, 5, 5, 0, 7, 1, 1, 1, 1, 12, 0, 2}
	n := 0
	s.answer = func(time.Duration, StartCheck) Result {
		exit := exits[min(n, len(exits)-1)]
		n++
		switch exit {
		case 0:
			return Result{}
		case 1:
			return Result{Err: errExit(1)}
		}
		return Result{Weight: exit - 2, Dynamic: true}
	}
	s.until(24 * sec)
	const of = " service [192.0.2.1]:tcp:80 of VS [10.0.0.1]:tcp:80"
	const misc = "Misc check for [[192.0.2.1]:tcp:80 VS [10.0.0.1]:tcp:80] by [/m.sh] "
	wantLines(t, "log", news(s.lines), []string{
		"0.0 Gained quorum 1+0=1 <= 8 for VS [10.0.0.1]:tcp:80",
		"1.0 " + misc + "succeeded.",
		"3.0 Changing weight from 4 to 3 for active" + of,
		"7.0 Changing weight from 3 to 4 for active" + of,
		"9.0 Changing weight from 4 to 5 for active" + of,
		"12.0 " + misc + "failed after 1 retry (exited with status 1).",
		"12.0 Removing service [192.0.2.1]:tcp:80 from VS [10.0.0.1]:tcp:80",
		"18.0 Changing weight from 4 to 10 for inactive" + of,
		"18.0 " + misc + "succeeded.",
		"18.0 Adding service [192.0.2.1]:tcp:80 to VS [10.0.0.1]:tcp:80",
		"20.0 Changing weight from 10 to 4 for active" + of,
		"22.0 Changing weight from 4 to 0 for active" + of,
	})
}

// Stop cancels what runs and lets every server go, once.
func TestStop(t *testing.T) {
	s := newSim(t, service(server(1, 1, check()), server(2, 1, check())))
	s.took = 10 * sec
	s.until(2 * sec)
	s.lines = nil
	s.feed(Stop{})
	if s.cancelled != 2 || !s.service.Deadline().IsZero() {
		t.Errorf("%d attempts cancelled, deadline %v; want 2 and none", s.cancelled, s.service.Deadline())
	}
	wantLines(t, "log", s.lines, []string{
		"2.0 Shutting down service [192.0.2.1]:tcp:80 from VS [10.0.0.1]:tcp:80",
		"2.0 Shutting down service [192.0.2.2]:tcp:80 from VS [10.0.0.1]:tcp:80",
	})
	if out := s.feed(Stop{}); len(out) != 0 {
		t.Errorf("a second Stop gave %v", out)
	}
	s.until(30 * sec)
	if len(s.starts) != 2 {
		t.Errorf("%d attempts in all, want 2", len(s.starts))
	}
}

// Nothing happens before Start, and Start happens once.
func TestStartOnce(t *testing.T) {
	m := NewService(service(server(1, 1, check())))
	if out := m.Step(epoch, TimerFired{}, nil); len(out) != 0 || m.Pool() != nil {
		t.Errorf("before Start: %v, pool %v", out, m.Pool())
	}
	m.Step(epoch, Start{}, nil)
	if out := m.Step(epoch, Start{}, nil); len(out) != 0 {
		t.Errorf("a second Start gave %v", out)
	}
}

// A second server with the same address and port is left out.
func TestDuplicateServer(t *testing.T) {
	s := newSim(t, service(server(1, 1, check()), server(1, 7)))
	wantPool(t, s, "1=1")
}

func TestStatus(t *testing.T) {
	s := newSim(t, withSorry(service(server(1, 1, check()), server(2, 1)), false))
	state := func() string { return s.service.Status().Servers[0].Checks[0].State }
	if got := state(); got != "unknown" {
		t.Errorf("before the first result: %s", got)
	}
	s.answer = failing(1, 3*sec, 6*sec)
	var seen []string
	for _, at := range []time.Duration{2, 4, 5, 8} {
		s.until(at * sec)
		seen = append(seen, state())
	}
	if got := strings.Join(seen, " "); got != "up retrying down up" {
		t.Errorf("states %q", got)
	}
	st := s.service.Status()
	c := st.Servers[0].Checks[0]
	if c.Kind != "TCP_CHECK" || c.Target != "[192.0.2.1]:tcp:80" || !c.Last.Equal(epoch.Add(8*sec)) || !c.Next.Equal(epoch.Add(11*sec)) {
		t.Errorf("check %+v", c)
	}
	if srv := st.Servers[0]; !srv.Up || !srv.InPool || !srv.Since.Equal(epoch.Add(8*sec)) {
		t.Errorf("server %+v", srv)
	}
	if sorry := st.Servers[2]; !sorry.Sorry || sorry.Up || sorry.InPool {
		t.Errorf("sorry server %+v", sorry)
	}
}

// Section 6: suspended checks are put off by an interval and leave the servers as
// they are.
func TestSuspend(t *testing.T) {
	start := time.Unix(1000, 0)
	check := CheckConfig{Kind: "TCP_CHECK", Key: "c", Interval: 10 * time.Second}
	s := NewService(ServiceConfig{Name: "v", Quorum: 1, Suspended: true, Servers: []ServerConfig{
		{Addr: netip.MustParseAddr("10.0.0.1"), Port: 80, Weight: 1, Checks: []CheckConfig{check}},
	}})
	texts := func(out []Output) string {
		var all []string
		for _, o := range out {
			if _, starts := o.(StartCheck); starts {
				all = append(all, "start")
			} else if text := Text("v", o); strings.Contains(text, "healthchecker") {
				all = append(all, strings.Fields(text)[0])
			}
		}
		return strings.Join(all, " ")
	}
	if got := texts(s.Step(start, Start{}, nil)); got != "Deactivating" {
		t.Errorf("start: %q", got)
	}
	for range 3 {
		at := s.Deadline()
		if out := s.Step(at, TimerFired{}, nil); len(out) > 0 || s.Deadline() != at.Add(10*time.Second) {
			t.Errorf("while suspended: %v, then at %v", out, s.Deadline())
		}
	}
	if len(s.Pool()) != 1 {
		t.Errorf("pool %v", s.Pool())
	}
	if got := texts(s.Step(start.Add(time.Minute), Suspend{}, nil)); got != "Activating" {
		t.Errorf("resumed: %q", got)
	}
	if got := texts(s.Step(s.Deadline(), TimerFired{}, nil)); got != "start" {
		t.Errorf("when due: %q", got)
	}
	if got := texts(s.Step(start.Add(2*time.Minute), Suspend{On: true}, nil)); got != "Suspending" {
		t.Errorf("suspended: %q", got)
	}
	if out := s.Step(start.Add(2*time.Minute), Suspend{On: true}, nil); len(out) > 0 {
		t.Errorf("twice: %v", out)
	}
	cfg := s.Config()
	cfg.Suspended = false
	if got := texts(s.Step(start.Add(3*time.Minute), Reconfigure{Config: cfg}, nil)); got != "Activating" {
		t.Errorf("reconfigured: %q", got)
	}
}
