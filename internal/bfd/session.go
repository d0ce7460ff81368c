package bfd

import (
	"fmt"
	"time"
)

// Config is one session, defaults resolved.
type Config struct {
	Name string
	// MinRx and MinTx are the least times between packets that we take and that
	// we send while the session is up; IdleTx is the time between packets while
	// it is not, at least a second (RFC 5880 6.8.3).
	MinRx, MinTx, IdleTx time.Duration
	// Multiplier is how many packets of ours may be missing, at least 1.
	Multiplier uint8
	// Passive sends nothing before the neighbour does (RFC 5880 6.1).
	Passive bool
	// Local is our discriminator, not 0 and no other session's.
	Local uint32
}

// slowest is the least time between packets of a session that is not up.
const slowest = time.Second

// Input is something that happened to a Session. The set is closed.
type Input interface{ input() }

// Start is a Session's first input.
type Start struct{}

// Received is a valid packet of the neighbour's, found to be for this session.
type Received struct{ Packet Packet }

// TimerFired says that the moment of Deadline has come.
type TimerFired struct {
	// Random is in [0, 1), anew each time: packets are not to be in step.
	Random float64
}

// Reconfigure replaces the configuration, apart from Local; the state stays.
type Reconfigure struct{ Config Config }

// Shutdown takes the session down and tells the neighbour so.
type Shutdown struct{}

func (Start) input()       {}
func (Received) input()    {}
func (TimerFired) input()  {}
func (Reconfigure) input() {}
func (Shutdown) input()    {}

// Output is something that a Session wants done or known. The set is closed.
type Output interface{ output() }

// Send asks for a packet to be sent at once.
type Send struct{ Packet Packet }

// Changed says that the state changed.
type Changed struct {
	From, To State
	// Diag is why, and Remote what the neighbour gives as its reason.
	Diag, Remote Diag
	// Expired is how long nothing was heard, where that is why.
	Expired time.Duration
}

func (Send) output()    {}
func (Changed) output() {}

// String is the change in keepalived's words, without the session's name.
func (c Changed) String() string {
	if c.To != Down && c.To != AdminDown {
		return fmt.Sprintf("Entering %s state", c.To)
	}
	return fmt.Sprintf("Entering %s state (Local diagnostic - %s, Remote diagnostic - %s)", c.To, c.Diag, c.Remote)
}

// Session is the machine of one session (RFC 5880 6.8). It is pure: time comes
// with each input.
type Session struct {
	cfg     Config
	started bool
	state   State
	diag    Diag
	since   time.Time

	// remote is the last packet; heard is set once there is one, and cleared
	// when what it says is too old (RFC 5880 6.8.1, bfd.RemoteDiscr).
	remote Packet
	heard  bool

	// polling is set while a change of our timers waits for the neighbour's
	// final. Until then pollTx, if it is not 0, is the interval still in use,
	// and pollRx that for detection (RFC 5880 6.8.3).
	polling        bool
	pollTx, pollRx time.Duration

	nextTx  time.Time
	expires time.Time
}

// NewSession returns a session that waits for Start.
func NewSession(c Config) *Session { return &Session{cfg: c.normal(), state: Down} }

func (c Config) normal() Config {
	c.Multiplier = max(c.Multiplier, 1)
	c.IdleTx = max(c.IdleTx, slowest)
	return c
}

// Status is what is known of a session.
type Status struct {
	State State
	// Remote is the neighbour's state, Down before anything was heard.
	Remote State
	// Diag is why we last left Up, RemoteDiag the neighbour's reason.
	Diag, RemoteDiag Diag
	Since            time.Time
	// Tx is the time between our packets, before jitter; Detection is how long
	// nothing may be heard, 0 while there is nothing to miss.
	Tx, Detection time.Duration
}

// Status returns what is known now.
func (s *Session) Status() Status {
	st := Status{State: s.state, Remote: Down, Diag: s.diag, Since: s.since, Tx: s.interval()}
	if s.heard {
		st.Remote, st.RemoteDiag, st.Detection = s.remote.State, s.remote.Diag, s.detection()
	}
	return st
}

// Deadline is when TimerFired is wanted, zero for never.
func (s *Session) Deadline() time.Time {
	if s.nextTx.IsZero() || !s.expires.IsZero() && s.expires.Before(s.nextTx) {
		return s.expires
	}
	return s.nextTx
}

// Step takes one input and appends what follows from it to out.
func (s *Session) Step(now time.Time, in Input, out []Output) []Output {
	switch in := in.(type) {
	case Start:
		s.started, s.since = true, now
		if !s.cfg.Passive {
			s.nextTx = now
		}
	case Received:
		return s.received(now, in.Packet, out)
	case TimerFired:
		return s.timer(now, in.Random, out)
	case Reconfigure:
		s.reconfigure(now, in.Config)
	case Shutdown:
		return s.shutdown(now, out)
	}
	return out
}

// received takes a valid packet (RFC 5880 6.8.6).
func (s *Session) received(now time.Time, p Packet, out []Output) []Output {
	if !s.started || s.state == AdminDown {
		return out
	}
	was := s.interval()
	s.remote, s.heard = p, true
	if s.polling && p.Final {
		s.polling, s.pollTx, s.pollRx = false, 0, 0
	}
	if to, diag, moves := s.next(p.State); moves {
		out = s.move(now, to, diag, 0, out)
	}
	s.expires = now.Add(s.detection())
	if p.Poll {
		out = append(out, Send{s.packet(true)})
	}
	switch is := s.interval(); {
	case s.silent():
		s.nextTx = time.Time{}
	case s.nextTx.IsZero():
		// A passive end, and one whose neighbour wanted nothing, begins.
		s.nextTx = now
	case is < was && s.nextTx.After(now.Add(is)):
		// What was to come after a second comes at the new pace.
		s.nextTx = now.Add(is)
	}
	return out
}

// silent is whether no packets are to be sent but answers (RFC 5880 6.8.7): the
// neighbour wants none, we are passive and have heard nothing, or the neighbour
// is in demand mode, both ends are up and we have nothing to ask.
func (s *Session) silent() bool {
	if !s.heard {
		return s.cfg.Passive
	}
	demand := s.remote.Demand && s.remote.State == Up && s.state == Up && !s.polling
	return s.remote.RequiredMinRx == 0 || demand
}

// next is what a neighbour's state makes of ours: the table of RFC 5880 6.8.6.
func (s *Session) next(remote State) (to State, diag Diag, moves bool) {
	switch {
	case remote == AdminDown:
		return Down, DiagNeighborDown, s.state != Down
	case s.state == Down && remote == Down:
		return Init, s.diag, true
	case s.state == Down && remote == Init, s.state == Init && remote != Down:
		return Up, DiagNone, true
	case s.state == Up && remote == Down:
		return Down, DiagNeighborDown, true
	}
	return s.state, s.diag, false
}

// move changes the state, and the timers with it: those of a session that comes
// up take effect with a poll (RFC 5880 6.8.3).
func (s *Session) move(now time.Time, to State, diag Diag, expired time.Duration, out []Output) []Output {
	from := s.state
	c := Changed{From: from, To: to, Diag: diag, Expired: expired}
	if s.heard {
		c.Remote = s.remote.Diag
	}
	s.state, s.diag, s.since = to, diag, now
	switch {
	case to == Up:
		// The neighbour has to know of the faster pace: asked with a poll.
		s.polling, s.pollTx, s.pollRx = true, 0, 0
		s.nextTx = now
	case from == Up:
		s.polling, s.pollTx, s.pollRx = false, 0, 0
		// It is told at once that we are down, then at the slow pace.
		s.nextTx = now
	}
	return append(out, c)
}

// timer does what is due.
func (s *Session) timer(now time.Time, random float64, out []Output) []Output {
	if !s.expires.IsZero() && !now.Before(s.expires) {
		out = s.expire(now, out)
	}
	if s.nextTx.IsZero() || now.Before(s.nextTx) {
		return out
	}
	if s.silent() {
		s.nextTx = time.Time{}
		return out
	}
	s.nextTx = now.Add(s.jittered(random))
	return append(out, Send{s.packet(false)})
}

// expire is what follows when the neighbour has been silent too long: Down, and
// its discriminator is forgotten (RFC 5880 6.8.4, 6.8.1).
func (s *Session) expire(now time.Time, out []Output) []Output {
	silent := s.detection()
	s.expires = time.Time{}
	if s.state == Init || s.state == Up {
		out = s.move(now, Down, DiagExpired, silent, out)
	}
	s.heard, s.remote = false, Packet{}
	return out
}

// shutdown tells the neighbour that the end is meant (RFC 5880 6.8.16).
func (s *Session) shutdown(now time.Time, out []Output) []Output {
	if s.state == AdminDown || !s.started {
		return out
	}
	quiet := s.silent()
	out = s.move(now, AdminDown, DiagAdministratively, 0, out)
	s.nextTx, s.expires = time.Time{}, time.Time{}
	if quiet {
		return out
	}
	return append(out, Send{s.packet(false)})
}

// reconfigure takes over new settings. Of a session that is up a slower pace
// counts once the neighbour has agreed, a faster one at once, as RFC 5880 6.8.3
// has it.
func (s *Session) reconfigure(now time.Time, c Config) {
	old := s.cfg
	c.Local = old.Local
	s.cfg = c.normal()
	if s.state == Up && (old.MinTx != s.cfg.MinTx || old.MinRx != s.cfg.MinRx) {
		// Where an earlier change has not been answered yet, what was in use before
		// that one is in use still.
		s.polling = true
		if s.cfg.MinTx > old.MinTx && s.pollTx == 0 {
			s.pollTx = old.MinTx
		}
		if s.cfg.MinRx < old.MinRx && s.pollRx == 0 {
			s.pollRx = old.MinRx
		}
		s.nextTx = now
	}
	if s.started && s.nextTx.IsZero() && s.state != AdminDown && !s.silent() {
		s.nextTx = now
	}
}

// desiredTx is what we offer to send: the configured pace while up, a slow one
// otherwise.
func (s *Session) desiredTx() time.Duration {
	if s.state == Up {
		return s.cfg.MinTx
	}
	return s.cfg.IdleTx
}

// interval is the time between our packets (RFC 5880 6.8.7): what we want and
// what the neighbour can take, whichever is longer.
func (s *Session) interval() time.Duration {
	d := s.desiredTx()
	if s.state == Up && s.polling && s.pollTx > 0 {
		d = min(d, s.pollTx)
	}
	if s.heard {
		d = max(d, s.remote.RequiredMinRx)
	}
	return d
}

// jittered is the time to the next packet: 75 to 100 % of the interval, and with
// a multiplier of 1 no more than 90 % (RFC 5880 6.8.7).
func (s *Session) jittered(random float64) time.Duration {
	most := 1.0
	if s.cfg.Multiplier == 1 {
		most = 0.9
	}
	return time.Duration(float64(s.interval()) * (0.75 + (most-0.75)*random))
}

// detection is how long the neighbour may be silent (RFC 5880 6.8.4).
func (s *Session) detection() time.Duration {
	rx := s.cfg.MinRx
	if s.polling && s.pollRx > 0 {
		rx = max(rx, s.pollRx)
	}
	return time.Duration(s.remote.Multiplier) * max(rx, s.remote.DesiredMinTx)
}

// packet is what we have to say now; a final answers a poll, and is no poll.
func (s *Session) packet(final bool) Packet {
	p := Packet{
		Diag: s.diag, State: s.state, Poll: s.polling && !final, Final: final, Multiplier: s.cfg.Multiplier,
		Mine: s.cfg.Local, DesiredMinTx: s.desiredTx(), RequiredMinRx: s.cfg.MinRx,
	}
	if s.heard {
		p.Yours = s.remote.Mine
	}
	return p
}
