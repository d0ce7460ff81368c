package health

import (
	"math"
	"net/netip"
	"strconv"
	"time"
)

// Server is the state machine of one real server: its checks, whether it is up,
// and its effective weight. It is pure. A Service owns its servers; a Server
// alone takes the inputs of a Service but Reconfigure.
type Server struct {
	cfg    ServerConfig
	ref    ServerRef
	probes []*probe
	up     bool
	weight int
	since  time.Time
	// attempts numbers the attempts of the whole service.
	attempts *uint64
	// suspended puts attempts off.
	suspended bool
	// place is the server's place in its service, heapIndex that in the heap of
	// deadlines, and due the deadline that it has there.
	place, heapIndex int
	due              time.Time
}

// newServer is the machine of a server that is up unless one of its checks is an
// alpha check. The protocol, "TCP" for instance, is for its name in logs.
func newServer(cfg ServerConfig, protocol string, attempts *uint64) *Server {
	s := new(Server)
	s.begin(cfg, protocol, attempts)
	return s
}

// begin makes of an empty Server one that has not been started.
func (s *Server) begin(cfg ServerConfig, protocol string, attempts *uint64) {
	*s = Server{cfg: cfg, attempts: attempts, ref: NewServerRef(cfg.Addr, cfg.Port, protocol), heapIndex: -1}
	for i, c := range cfg.Checks {
		s.probes = append(s.probes, newProbe(c, s.checkRef(i)))
	}
	s.up = s.failing() == nil
	s.weight = s.effective()
}

// NewServerRef names a server as outputs and logs name it; a service of a firewall
// mark has no protocol.
func NewServerRef(addr netip.Addr, port uint16, protocol string) ServerRef {
	ap := netip.AddrPortFrom(addr, port)
	if protocol == "" {
		protocol = "none"
	}
	name := append(addr.AppendTo(append(make([]byte, 0, 64), '[')), "]:"...)
	for _, c := range []byte(protocol) {
		if c >= 'A' && c <= 'Z' {
			c += 'a' - 'A'
		}
		name = append(name, c)
	}
	name = append(name, ':')
	return ServerRef{Server: ap, Name: string(strconv.AppendUint(name, uint64(port), 10))}
}

func (s *Server) checkRef(i int) CheckRef {
	c := s.cfg.Checks[i]
	return CheckRef{ServerRef: s.ref, Check: i, Kind: c.Kind, Target: target(c.Check)}
}

// Up reports whether no check of the server fails.
func (s *Server) Up() bool { return s.up }

// Weight is the effective weight: the configured one and what the checks add.
func (s *Server) Weight() int { return s.weight }

// Deadline is when a TimerFired is due, zero for never.
func (s *Server) Deadline() time.Time {
	var first time.Time
	for _, p := range s.probes {
		if !p.deadline.IsZero() && (first.IsZero() || p.deadline.Before(first)) {
			first = p.deadline
		}
	}
	return first
}

// Step takes an input that came at now and appends what follows from it to out.
func (s *Server) Step(now time.Time, in Input, out []Output) []Output {
	switch in := in.(type) {
	case Start:
		return s.activate(now, in.Seed, s.enter(now, out))
	case TimerFired:
		for _, o := range s.fire(now, nil) {
			out = append(out, o)
		}
	case CheckDone:
		if p := s.running(in.Attempt); p != nil {
			return s.checkDone(now, p, in.Result, out)
		}
	case CheckObserved:
		if in.Check >= 0 && in.Check < len(s.probes) && s.probes[in.Check].traits.Follows {
			return s.checkDone(now, s.probes[in.Check], in.Result, out)
		}
	case CheckNow:
		s.checkNow(now, in.Check)
	case Suspend:
		return s.suspend(in.On, out)
	case Stop:
		out = s.cancel(out)
		return append(out, ServerStopped{ServerRef: s.ref, Up: s.up, Inhibit: s.cfg.InhibitOnFailure})
	case Remove:
		out = s.cancel(out)
		return append(out, ServerRemoved{ServerRef: s.ref, Up: s.up, Inhibit: s.cfg.InhibitOnFailure})
	}
	return out
}

// fire appends the attempts that are due to starts.
func (s *Server) fire(now time.Time, starts []StartCheck) []StartCheck {
	for _, p := range s.probes {
		if !p.deadline.IsZero() && !p.deadline.After(now) {
			if s.suspended && !p.urgent {
				p.deadline = now.Add(p.cfg.Interval)
				continue
			}
			*s.attempts++
			starts = append(starts, p.start(now, *s.attempts))
		}
	}
	return starts
}

// running is the check whose attempt this is, nil if it runs no longer.
func (s *Server) running(attempt uint64) *probe {
	for _, p := range s.probes {
		if attempt != 0 && p.attempt == attempt {
			return p
		}
	}
	return nil
}

// enter tells of the server when it begins.
func (s *Server) enter(now time.Time, out []Output) []Output {
	s.since = now
	return append(out, ServerAdded{ServerRef: s.ref, Up: s.up, Weight: s.weight})
}

// activate schedules the checks that have never been scheduled.
func (s *Server) activate(now time.Time, seed uint64, out []Output) []Output {
	for i, p := range s.probes {
		if p.deadline.IsZero() && p.attempt == 0 && !p.following && !p.cfg.Paused {
			p.schedule(now, fraction(seed, s.ref.Server, i))
			if s.suspended {
				out = append(out, CheckDeactivated{CheckRef: p.ref})
				continue
			}
			out = append(out, CheckActivated{CheckRef: p.ref})
		}
	}
	return out
}

// suspend puts the attempts off, or no longer, and tells of each check. What
// runs ends as it would.
func (s *Server) suspend(on bool, out []Output) []Output {
	if s.suspended == on {
		return out
	}
	s.suspended = on
	for _, p := range s.probes {
		if p.traits.Follows || p.cfg.Paused {
			continue
		}
		if on {
			out = append(out, CheckSuspended{CheckRef: p.ref})
		} else {
			out = append(out, CheckActivated{CheckRef: p.ref})
		}
	}
	return out
}

func (s *Server) cancel(out []Output) []Output {
	for _, p := range s.probes {
		out = p.cancel(out)
	}
	return out
}

func (s *Server) checkDone(now time.Time, p *probe, r Result, out []Output) []Output {
	at := len(out)
	out = p.done(now, r, out)
	if r.Err == nil {
		// keepalived tells the weight first, then the success.
		if w := s.effective(); w != s.weight {
			out = append(out, nil)
			copy(out[at+1:], out[at:])
			out[at] = WeightChanged{ServerRef: s.ref, From: s.weight, To: w, Active: s.up}
			s.weight = w
		}
	}
	out = s.settle(now, out)
	if r.Err != nil && !s.up {
		// The weight that a failed check assigned lapses, which is no news: the
		// server is down.
		s.weight = s.effective()
	}
	return out
}

// settle brings the server up or down as its checks say.
func (s *Server) settle(now time.Time, out []Output) []Output {
	p := s.failing()
	if s.up == (p == nil) {
		return out
	}
	since := s.since
	s.up, s.since = p == nil, now
	if s.up {
		return append(out, ServerUp{ServerRef: s.ref, Weight: s.weight, Inhibit: s.cfg.InhibitOnFailure, Since: since})
	}
	return append(out, ServerDown{
		ServerRef: s.ref, Weight: s.weight, Inhibit: s.cfg.InhibitOnFailure, Since: since, Cause: p.cause(),
	})
}

// failing is a check that counts against the server, nil if there is none.
func (s *Server) failing() *probe {
	for _, p := range s.probes {
		if p.failed {
			return p
		}
	}
	return nil
}

// effective is the configured weight and what the checks add to it.
func (s *Server) effective() int {
	w := int64(s.cfg.Weight)
	for _, p := range s.probes {
		w += p.delta(s.cfg.Weight)
	}
	return int(min(max(w, 0), math.MaxInt32))
}

// live is the server's part in the quorum.
func (s *Server) live() int64 {
	if !s.up {
		return 0
	}
	return int64(s.weight)
}

// reconfigure gives the server its new configuration. Checks with the same key
// keep their state; others start from the server's: what is new to a server
// that is down has to succeed first.
func (s *Server) reconfigure(now time.Time, cfg ServerConfig, seed uint64, out []Output) []Output {
	old := s.probes
	s.cfg, s.probes = cfg, nil
	for i, c := range cfg.Checks {
		p := take(old, c.Key)
		if p == nil {
			p = newProbe(c, s.checkRef(i))
			p.failed = !s.up
		} else {
			was := p.cfg.Paused
			p.configure(c, s.checkRef(i))
			out = p.pause(now, was, out)
			if soonest := now.Add(c.Interval); p.deadline.After(soonest) && p.known {
				p.deadline = soonest
			}
		}
		s.probes = append(s.probes, p)
	}
	for _, p := range old {
		if p != nil {
			out = p.cancel(out)
			out = append(out, CheckDeactivated{CheckRef: p.ref})
		}
	}
	if !s.up && s.failing() == nil && !s.proven() {
		for _, p := range s.probes {
			p.failed = true
		}
	}
	out = s.activate(now, seed, out)
	if w := s.effective(); w != s.weight {
		out = append(out, WeightChanged{ServerRef: s.ref, From: s.weight, To: w, Active: s.up})
		s.weight = w
	}
	return s.settle(now, out)
}

// proven reports whether the server may be up without another attempt: a check
// of it has succeeded, or it has none.
func (s *Server) proven() bool {
	for _, p := range s.probes {
		if p.known && !p.failed {
			return true
		}
	}
	return len(s.probes) == 0
}

// take removes the first probe with the key from the list, leaving nil.
func take(probes []*probe, key string) *probe {
	for i, p := range probes {
		if p != nil && p.cfg.Key == key {
			probes[i] = nil
			return p
		}
	}
	return nil
}

func (s *Server) status() ServerStatus {
	st := ServerStatus{
		Addr: s.cfg.Addr, Port: s.cfg.Port, Up: s.up, Weight: s.weight, Since: s.since,
	}
	for _, p := range s.probes {
		st.Checks = append(st.Checks, p.status())
	}
	return st
}
