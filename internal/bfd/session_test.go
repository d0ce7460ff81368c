package bfd

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"
)

// link is a network between two sessions, in virtual time.
type link struct {
	now   time.Time
	ends  [2]*Session
	delay time.Duration
	// cut keeps what an end sends from arriving.
	cut    [2]bool
	flying []flight
	sent   [2][]sent
	states []string
}

type flight struct {
	at   time.Time
	to   int
	data []byte
}

type sent struct {
	at     time.Time
	packet Packet
}

func newLink(a, b Config) *link {
	a.Local, b.Local = 11, 22
	l := &link{now: time.Unix(1_000_000, 0), ends: [2]*Session{NewSession(a), NewSession(b)}, delay: time.Millisecond}
	for i := range l.ends {
		l.step(i, Start{})
	}
	return l
}

func (l *link) step(i int, in Input) {
	for _, o := range l.ends[i].Step(l.now, in, nil) {
		switch o := o.(type) {
		case Send:
			l.sent[i] = append(l.sent[i], sent{l.now, o.Packet})
			if !l.cut[i] {
				l.flying = append(l.flying, flight{l.now.Add(l.delay), 1 - i, o.Packet.Append(nil)})
			}
		case Changed:
			l.states = append(l.states, fmt.Sprintf("%d %s", i, o))
		}
	}
}

// run lets time pass.
func (l *link) run(d time.Duration) {
	for end := l.now.Add(d); ; {
		next, timer := end, -1
		if len(l.flying) > 0 && l.flying[0].at.Before(next) {
			next = l.flying[0].at
		}
		for i, s := range l.ends {
			if at := s.Deadline(); !at.IsZero() && at.Before(next) {
				next, timer = at, i
			}
		}
		if next.After(l.now) {
			l.now = next
		}
		switch {
		case timer >= 0:
			l.step(timer, TimerFired{Random: 0.5})
		case next.Equal(end):
			return
		default:
			f := l.flying[0]
			l.flying = l.flying[1:]
			p, err := Parse(f.data)
			if err != nil {
				panic(err)
			}
			l.step(f.to, Received{p})
		}
	}
}

func (l *link) expect(t *testing.T, a, b State) {
	t.Helper()
	if x, y := l.ends[0].Status().State, l.ends[1].Status().State; x != a || y != b {
		t.Fatalf("the ends are %s and %s, want %s and %s; so far: %s", x, y, a, b, strings.Join(l.states, ", "))
	}
}

// since returns what an end sent in the last while.
func (l *link) since(i int, d time.Duration) []sent {
	from := l.now.Add(-d)
	at := slices.IndexFunc(l.sent[i], func(s sent) bool { return s.at.After(from) })
	if at < 0 {
		return nil
	}
	return l.sent[i][at:]
}

func fast() Config {
	return Config{Name: "b", MinRx: 50 * time.Millisecond, MinTx: 50 * time.Millisecond, Multiplier: 3}
}

func TestSessionComesUpAndSpeedsUp(t *testing.T) {
	l := newLink(fast(), fast())
	l.run(4 * time.Second)
	l.expect(t, Up, Up)
	for i := range l.ends {
		s := l.ends[i].Status()
		if s.Detection != 150*time.Millisecond || s.Tx != 50*time.Millisecond || s.Diag != DiagNone {
			t.Errorf("end %d: %+v", i, s)
		}
		// 75 to 100 % of the interval: 20 to 27 packets a second, and none with a
		// poll once the first was answered.
		got := l.since(i, time.Second)
		if len(got) < 20 || len(got) > 27 {
			t.Errorf("end %d sent %d packets in a second", i, len(got))
		}
		for _, p := range got {
			if p.packet.Poll || p.packet.Final {
				t.Errorf("end %d still polls: %+v", i, p.packet)
			}
		}
		// RFC 5880 6.8.3: no faster than one a second before it is up.
		for k, p := range l.sent[i][1:] {
			if gap := p.at.Sub(l.sent[i][k].at); p.packet.State == Down && gap < 750*time.Millisecond {
				t.Errorf("end %d sent again after %v while down", i, gap)
			}
			if p.packet.State == Down && p.packet.DesiredMinTx != time.Second {
				t.Errorf("end %d offers %v while down", i, p.packet.DesiredMinTx)
			}
		}
	}
	polled := slices.ContainsFunc(l.sent[0], func(s sent) bool { return s.packet.Poll })
	final := slices.ContainsFunc(l.sent[1], func(s sent) bool { return s.packet.Final })
	if !polled || !final {
		t.Errorf("polled %v, answered with a final %v", polled, final)
	}
}

func TestSilenceIsFoundInTime(t *testing.T) {
	for _, both := range []bool{true, false} {
		l := newLink(fast(), fast())
		l.run(4 * time.Second)
		l.states = nil
		l.cut = [2]bool{both, true}
		l.run(100 * time.Millisecond)
		l.expect(t, Up, Up)
		l.run(60 * time.Millisecond)
		if s := l.ends[0].Status(); s.State != Down || s.Diag != DiagExpired {
			t.Fatalf("end 0 after 200 ms of silence: %+v", s)
		}
		if !both {
			// The other end still hears, and is told.
			if s := l.ends[1].Status(); s.State != Down || s.Diag != DiagNeighborDown || s.RemoteDiag != DiagExpired {
				t.Fatalf("end 1: %+v", s)
			}
		}
		l.cut = [2]bool{}
		l.run(4 * time.Second)
		l.expect(t, Up, Up)
	}
}

// TestWhoIsNotHeardAnyMoreIsForgotten: RFC 5880 6.8.1, bfd.RemoteDiscr.
func TestWhoIsNotHeardAnyMoreIsForgotten(t *testing.T) {
	l := newLink(fast(), fast())
	l.run(4 * time.Second)
	l.cut[1] = true
	l.run(3 * time.Second)
	got := l.since(0, time.Second)
	if len(got) == 0 || got[len(got)-1].packet.Yours != 0 {
		t.Errorf("still sends %+v", got)
	}
	// A neighbour that began anew, with another discriminator, is taken up.
	fresh := fast()
	fresh.Local = 33
	l.ends[1] = NewSession(fresh)
	l.step(1, Start{})
	l.cut[1] = false
	l.run(4 * time.Second)
	l.expect(t, Up, Up)
}

func TestPassiveEnds(t *testing.T) {
	passive := fast()
	passive.Passive = true
	l := newLink(passive, passive)
	l.run(5 * time.Second)
	if len(l.sent[0])+len(l.sent[1]) > 0 {
		t.Fatal("a passive end began")
	}
	l = newLink(passive, fast())
	l.run(4 * time.Second)
	l.expect(t, Up, Up)
	l.cut[1] = true
	l.run(2 * time.Second)
	if n := len(l.since(0, time.Second)); n > 0 {
		t.Errorf("a passive end that hears nothing sent %d packets", n)
	}
	l.cut[1] = false
	l.run(4 * time.Second)
	l.expect(t, Up, Up)
}

func TestShutdownIsTold(t *testing.T) {
	l := newLink(fast(), fast())
	l.run(4 * time.Second)
	l.states = nil
	l.step(0, Shutdown{})
	l.run(5 * time.Millisecond)
	l.expect(t, AdminDown, Down)
	if s := l.ends[1].Status(); s.Diag != DiagNeighborDown || s.RemoteDiag != DiagAdministratively {
		t.Errorf("%+v", s)
	}
	n := len(l.sent[0])
	l.run(3 * time.Second)
	if len(l.sent[0]) != n {
		t.Error("an end that was shut down goes on")
	}
	// RFC 5880 6.8.6: without word for a detection time the neighbour begins anew.
	again := fast()
	again.Local = 44
	l.ends[0] = NewSession(again)
	l.step(0, Start{})
	l.run(4 * time.Second)
	l.expect(t, Up, Up)
}

func TestTheSlowerSideSetsThePace(t *testing.T) {
	slow := fast()
	slow.MinRx, slow.Multiplier = 400*time.Millisecond, 2
	l := newLink(fast(), slow)
	l.run(5 * time.Second)
	l.expect(t, Up, Up)
	if s := l.ends[0].Status(); s.Tx != 400*time.Millisecond || s.Detection != 100*time.Millisecond {
		t.Errorf("end 0: %+v", s)
	}
	if s := l.ends[1].Status(); s.Tx != 50*time.Millisecond || s.Detection != 3*400*time.Millisecond {
		t.Errorf("end 1: %+v", s)
	}
	if n := len(l.since(0, 2*time.Second)); n < 5 || n > 7 {
		t.Errorf("end 0 sent %d packets in 2 s", n)
	}
}

func TestReconfigureLosesNoSession(t *testing.T) {
	l := newLink(fast(), fast())
	l.run(4 * time.Second)
	l.states = nil
	for _, pace := range []time.Duration{300 * time.Millisecond, 20 * time.Millisecond} {
		for i := range l.ends {
			c := fast()
			c.MinRx, c.MinTx = pace, pace
			l.step(i, Reconfigure{c})
			l.run(3 * time.Second)
			l.expect(t, Up, Up)
		}
		if s := l.ends[0].Status(); s.Tx != pace || s.Detection != 3*pace {
			t.Errorf("at %v: %+v", pace, s)
		}
	}
	if len(l.states) > 0 {
		t.Errorf("states changed: %s", strings.Join(l.states, ", "))
	}
}

func TestDemandModeIsHonoured(t *testing.T) {
	l := newLink(fast(), fast())
	l.run(4 * time.Second)
	p := Packet{State: Up, Demand: true, Multiplier: 3, Mine: 22, Yours: 11, DesiredMinTx: time.Hour, RequiredMinRx: 50 * time.Millisecond}
	l.cut[1] = true
	l.step(0, Received{p})
	n := len(l.sent[0])
	l.run(2 * time.Second)
	if len(l.sent[0]) != n {
		t.Errorf("%d packets to a neighbour that wants none unasked", len(l.sent[0])-n)
	}
	p.Poll = true
	l.step(0, Received{p})
	if len(l.sent[0]) != n+1 || !l.sent[0][n].packet.Final {
		t.Error("a poll is not answered")
	}
	p.Poll, p.Demand, p.RequiredMinRx = false, false, 0
	l.step(0, Received{p})
	l.run(2 * time.Second)
	if len(l.sent[0]) != n+1 {
		t.Error("packets to a neighbour that can take none")
	}
	p.RequiredMinRx = 50 * time.Millisecond
	l.step(0, Received{p})
	l.run(200 * time.Millisecond)
	if len(l.sent[0]) < n+3 {
		t.Error("no packets to a neighbour that can take some again")
	}
}

func TestJitter(t *testing.T) {
	for _, tc := range []struct {
		multiplier  uint8
		random      float64
		least, most time.Duration
	}{
		{3, 0, 75 * time.Millisecond, 75 * time.Millisecond},
		{3, 0.999, 99 * time.Millisecond, 100 * time.Millisecond},
		{1, 0.999, 89 * time.Millisecond, 90 * time.Millisecond},
	} {
		s := NewSession(Config{MinTx: 100 * time.Millisecond, Multiplier: tc.multiplier})
		s.state = Up
		if d := s.jittered(tc.random); d < tc.least || d > tc.most {
			t.Errorf("multiplier %d, random %v: %v", tc.multiplier, tc.random, d)
		}
	}
}

// TestStateTable is the table of RFC 5880 6.8.6.
func TestStateTable(t *testing.T) {
	for _, tc := range []struct{ local, remote, want State }{
		{Down, AdminDown, Down}, {Down, Down, Init}, {Down, Init, Up}, {Down, Up, Down},
		{Init, AdminDown, Down}, {Init, Down, Init}, {Init, Init, Up}, {Init, Up, Up},
		{Up, AdminDown, Down}, {Up, Down, Down}, {Up, Init, Up}, {Up, Up, Up},
		{AdminDown, Down, AdminDown}, {AdminDown, Up, AdminDown},
	} {
		s := NewSession(fast())
		now := time.Unix(1, 0)
		s.Step(now, Start{}, nil)
		s.state = tc.local
		s.Step(now, Received{Packet{State: tc.remote, Multiplier: 3, Mine: 5, Yours: 6, RequiredMinRx: time.Second}}, nil)
		if s.state != tc.want {
			t.Errorf("%s hears %s: %s, want %s", tc.local, tc.remote, s.state, tc.want)
		}
	}
}
