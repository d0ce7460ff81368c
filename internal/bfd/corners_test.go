package bfd

import (
	"fmt"
	"strings"
	"testing"
	"time"
)

// A bench steps one session by hand; the neighbour is what the test says.
type bench struct {
	t   *testing.T
	now time.Time
	s   *Session
}

// neighbour is a packet of the other end: 50 ms either way, three may be missing.
func neighbour(state State, change func(*Packet)) Received {
	p := Packet{State: state, Multiplier: 3, Mine: 22, Yours: 11, DesiredMinTx: 50 * time.Millisecond, RequiredMinRx: 50 * time.Millisecond}
	if change != nil {
		change(&p)
	}
	return Received{p}
}

func newBench(t *testing.T, c Config) *bench {
	c.Local = 11
	return &bench{t, time.Unix(1_000_000, 0), NewSession(c)}
}

// onUp is a session that has just come up, with its first poll answered.
func onUp(t *testing.T, c Config) *bench {
	b := newBench(t, c)
	b.want(Start{}, "")
	b.want(TimerFired{}, "Down 1s")
	b.want(neighbour(Down, nil), "Entering Init state")
	b.want(neighbour(Init, nil), "Entering Up state")
	b.want(TimerFired{}, fmt.Sprintf("Up %v poll", c.MinTx))
	b.want(neighbour(Up, func(p *Packet) { p.Final = true }), "")
	return b
}

// want gives one input and compares what comes of it, in short words.
func (b *bench) want(in Input, want string) {
	b.t.Helper()
	var words []string
	for _, o := range b.s.Step(b.now, in, nil) {
		switch o := o.(type) {
		case Send:
			w := fmt.Sprintf("%s %v", o.Packet.State, o.Packet.DesiredMinTx)
			if o.Packet.Poll {
				w += " poll"
			}
			if o.Packet.Final {
				w += " final"
			}
			words = append(words, w)
		case Changed:
			words = append(words, o.String())
		}
	}
	if got := strings.Join(words, "; "); got != want {
		b.t.Errorf("%T%+v: %q, want %q", in, in, got, want)
	}
}

func (b *bench) pass(d time.Duration) { b.now = b.now.Add(d) }

// status compares the pace and how long the neighbour may be silent.
func (b *bench) status(tx, detection time.Duration) {
	b.t.Helper()
	if s := b.s.Status(); s.Tx != tx || s.Detection != detection {
		b.t.Errorf("packets each %v, detection after %v, want %v and %v", s.Tx, s.Detection, tx, detection)
	}
}

const ms = time.Millisecond

// A change of the timers of a session that is up is polled. A slower pace, and a faster
// detection, count once the neighbour has answered: RFC 5880 6.8.3.
func TestTimersChangeWithAPoll(t *testing.T) {
	paced := func(rx, tx time.Duration) Reconfigure {
		c := fast()
		c.MinRx, c.MinTx = rx, tx
		return Reconfigure{c}
	}
	final := neighbour(Up, func(p *Packet) { p.Final = true })
	t.Run("slower", func(t *testing.T) {
		b := onUp(t, fast())
		b.pass(10 * ms)
		b.want(paced(50*ms, 300*ms), "")
		b.status(50*ms, 150*ms)
		b.want(TimerFired{}, "Up 300ms poll")
		b.pass(20 * ms)
		b.want(neighbour(Up, nil), "")
		b.status(50*ms, 150*ms)
		// Another change before the answer leaves in force what the neighbour knows.
		b.want(paced(50*ms, 400*ms), "")
		b.status(50*ms, 150*ms)
		b.want(TimerFired{}, "Up 400ms poll")
		b.want(final, "")
		b.status(400*ms, 150*ms)
	})
	t.Run("faster", func(t *testing.T) {
		b := onUp(t, fast())
		b.want(neighbour(Up, func(p *Packet) { p.RequiredMinRx = 10 * ms }), "")
		b.want(paced(50*ms, 20*ms), "")
		b.status(20*ms, 150*ms)
		b.want(TimerFired{}, "Up 20ms poll")
	})
	t.Run("detection", func(t *testing.T) {
		b := onUp(t, fast())
		b.want(paced(200*ms, 50*ms), "")
		b.status(50*ms, 600*ms)
		b.want(TimerFired{}, "Up 50ms poll")
		b.want(final, "")
		b.want(paced(100*ms, 50*ms), "")
		b.status(50*ms, 600*ms)
		b.want(paced(60*ms, 50*ms), "")
		b.status(50*ms, 600*ms)
		b.want(final, "")
		b.status(50*ms, 180*ms)
	})
	t.Run("nothing to ask", func(t *testing.T) {
		b := onUp(t, fast())
		c := fast()
		c.Multiplier, c.Local = 5, 99
		b.want(Reconfigure{c}, "")
		b.pass(50 * ms)
		p := b.s.Step(b.now, TimerFired{}, nil)[0].(Send).Packet
		if p.Poll || p.Multiplier != 5 || p.Mine != 11 {
			t.Errorf("%+v, want no poll, the new multiplier, and our discriminator", p)
		}
	})
	t.Run("not up", func(t *testing.T) {
		b := newBench(t, fast())
		b.want(Start{}, "")
		b.want(paced(300*ms, 300*ms), "")
		b.want(TimerFired{}, "Down 1s")
	})
	t.Run("only a final ends a poll", func(t *testing.T) {
		b := onUp(t, fast())
		b.want(paced(50*ms, 300*ms), "")
		for range 3 {
			b.want(neighbour(Up, nil), "")
			b.want(TimerFired{}, "Up 300ms poll")
			b.pass(40 * ms)
		}
		b.want(neighbour(Up, func(p *Packet) { p.Poll = true }), "Up 300ms final")
		b.status(50*ms, 150*ms)
	})
	t.Run("a session that goes down asks nothing any more", func(t *testing.T) {
		b := onUp(t, fast())
		b.want(paced(20*ms, 300*ms), "")
		b.want(neighbour(Down, nil), "Entering Down state (Local diagnostic - Neighbor Signaled Session Down, Remote diagnostic - No Diagnostic)")
		b.status(time.Second, 150*ms)
		b.want(TimerFired{}, "Down 1s")
	})
}

// Who becomes active at a reload begins; who is shut down stays silent.
func TestActiveByReload(t *testing.T) {
	passive := fast()
	passive.Passive = true
	b := newBench(t, passive)
	b.want(neighbour(Down, nil), "") // before Start
	b.want(Shutdown{}, "")
	b.want(Start{}, "")
	b.want(TimerFired{}, "")
	b.want(Reconfigure{passive}, "")
	if d := b.s.Deadline(); !d.IsZero() {
		t.Errorf("a passive end wants to send at %v", d)
	}
	b.want(Reconfigure{fast()}, "")
	b.want(TimerFired{}, "Down 1s")
	b.want(Shutdown{}, "Entering AdminDown state (Local diagnostic - Administratively Down, Remote diagnostic - No Diagnostic); AdminDown 1s")
	b.want(Shutdown{}, "")
	b.want(Reconfigure{fast()}, "")
	b.want(neighbour(Down, nil), "")
	if d := b.s.Deadline(); !d.IsZero() {
		t.Errorf("a session that was shut down wants something at %v", d)
	}
	b = newBench(t, passive)
	b.want(Start{}, "")
	b.want(Shutdown{}, "Entering AdminDown state (Local diagnostic - Administratively Down, Remote diagnostic - No Diagnostic)")
}

// Silence is told at once, in Init too, with what the neighbour said last.
func TestSilenceIsTold(t *testing.T) {
	b := onUp(t, fast())
	b.want(neighbour(Up, func(p *Packet) { p.Diag = 5 }), "")
	b.pass(149 * ms)
	b.s.Step(b.now, TimerFired{}, nil)
	b.pass(ms)
	b.want(TimerFired{}, "Entering Down state (Local diagnostic - Control Detection Time Expired, Remote diagnostic - Path Down); Down 1s")
	b = newBench(t, fast())
	b.want(Start{}, "")
	b.want(neighbour(Down, nil), "Entering Init state")
	b.want(TimerFired{}, "Init 1s")
	b.pass(150 * ms)
	b.want(TimerFired{}, "Entering Down state (Local diagnostic - Control Detection Time Expired, Remote diagnostic - No Diagnostic)")
	b.pass(time.Second)
	b.want(TimerFired{}, "Down 1s")
}

// Silence is found when it has lasted long enough, however seldom we send ourselves.
func TestSilenceIsFoundBetweenPackets(t *testing.T) {
	slow := fast()
	slow.MinTx = time.Second
	b := onUp(t, slow)
	if d := b.s.Deadline().Sub(b.now); d != 150*ms {
		t.Errorf("looked at after %v, want 150 ms", d)
	}
	if s := newBench(t, slow).s.Status(); s.Remote != Down || s.Detection != 0 {
		t.Errorf("before anything was heard: %+v", s)
	}
}

// A neighbour that can take more gets it within the new interval, and one that can
// take less at its pace.
func TestTheNeighboursPace(t *testing.T) {
	b := onUp(t, fast())
	b.want(neighbour(Up, func(p *Packet) { p.RequiredMinRx, p.Multiplier = 800*ms, 200 }), "")
	b.pass(50 * ms)
	b.want(TimerFired{}, "Up 50ms")
	b.pass(100 * ms)
	b.want(TimerFired{}, "")
	b.want(neighbour(Up, func(p *Packet) { p.RequiredMinRx = 30 * ms }), "")
	if d := b.s.Deadline().Sub(b.now); d != 50*ms {
		t.Errorf("the next packet in %v, want it in 50 ms", d)
	}
	b.pass(20 * ms)
	b.want(neighbour(Up, nil), "")
	if d := b.s.Deadline().Sub(b.now); d != 30*ms {
		t.Errorf("the next packet in %v, want what was due in 30 ms not put off", d)
	}
}

// A neighbour in demand mode is sent what we ask, and packets while an end is not up:
// RFC 5880 6.6.
func TestDemandModeAsks(t *testing.T) {
	demand := func(state State) Received {
		return neighbour(state, func(p *Packet) { p.Demand, p.Multiplier = true, 200 })
	}
	b := onUp(t, fast())
	b.want(demand(Up), "")
	b.pass(time.Second)
	b.want(TimerFired{}, "")
	c := fast()
	c.MinTx = 70 * ms
	b.want(Reconfigure{c}, "")
	b.want(TimerFired{}, "Up 70ms poll")
	b = onUp(t, fast())
	b.want(demand(Init), "") // it says that it is not up
	b.pass(50 * ms)
	b.want(TimerFired{}, "Up 50ms")
	b = newBench(t, fast())
	b.want(Start{}, "")
	b.want(demand(Down), "Entering Init state")
	b.want(TimerFired{}, "Init 1s")
}

// What is not given is made good.
func TestConfigIsMadeGood(t *testing.T) {
	b := newBench(t, Config{MinTx: 50 * ms, IdleTx: 10 * ms})
	b.want(Start{}, "")
	if p := b.s.Step(b.now, TimerFired{}, nil)[0].(Send).Packet; p.Multiplier != 1 || p.DesiredMinTx != time.Second {
		t.Errorf("%+v, want a multiplier of 1 and a second", p)
	}
}

// States are written and read by their names; numbers beyond those that have one are
// said as numbers.
func TestNames(t *testing.T) {
	for v := AdminDown; v <= Up; v++ {
		text, err := v.MarshalText()
		var back State
		if err != nil || back.UnmarshalText(text) != nil || back != v {
			t.Errorf("%v became %q and %v", v, text, back)
		}
	}
	if err := new(State).UnmarshalText([]byte("up")); err == nil {
		t.Error("read a state that there is not")
	}
	if got := State(9).String() + ", " + Diag(8).String() + ", " + Diag(9).String(); got != "state 9, Reverse Concatenated Path Down, diagnostic 9" {
		t.Error(got)
	}
}
