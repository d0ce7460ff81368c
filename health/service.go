package health

import (
	"container/heap"
	"net/netip"
	"slices"
	"time"
)

// Service is the state machine of one virtual server: its real servers, the
// quorum, and the server of last resort. It is pure. Its inputs are Start,
// TimerFired, CheckDone, CheckObserved, CheckNow, Suspend, Reconfigure, Stop and
// Remove.
type Service struct {
	cfg      ServiceConfig
	servers  []*Server
	byAddr   map[netip.AddrPort]*Server
	due      deadlines
	attempts uint64
	// live is the total weight of the servers that are up.
	live   int64
	quorum bool
	// since is when the quorum was last gained or lost.
	since   time.Time
	started bool
	stopped bool
	pool    Pool
}

// NewService returns the machine of a service that has not been started.
// A second server with the same address and port is left out.
func NewService(cfg ServiceConfig) *Service {
	s := &Service{cfg: cfg, byAddr: make(map[netip.AddrPort]*Server, len(cfg.Servers)), servers: make([]*Server, 0, len(cfg.Servers))}
	room := make([]Server, len(cfg.Servers))
	for i, c := range cfg.Servers {
		if addr := netip.AddrPortFrom(c.Addr, c.Port); s.byAddr[addr] == nil {
			srv := &room[i]
			srv.begin(c, cfg.Protocol, &s.attempts)
			srv.suspended = cfg.Suspended
			srv.place = len(s.servers)
			s.byAddr[addr] = srv
			s.servers = append(s.servers, srv)
			s.live += srv.live()
		}
	}
	return s
}

// Config is the configuration in force.
func (s *Service) Config() ServiceConfig { return s.cfg }

// Deadline is when a TimerFired is due, zero for never.
func (s *Service) Deadline() time.Time {
	if len(s.due) == 0 {
		return time.Time{}
	}
	return s.due[0].due
}

// Pool is what the table should hold, in configured order, the sorry server
// last. It must not be changed. Before Start it is empty.
func (s *Service) Pool() Pool { return s.pool }

// Step takes an input that came at now and appends what follows from it to out.
func (s *Service) Step(now time.Time, in Input, out []Output) []Output {
	if s.stopped || !s.started && !isStart(in) {
		return out
	}
	at := len(out)
	switch in := in.(type) {
	case Start:
		if s.started {
			return out
		}
		return s.start(now, in, out)
	case TimerFired:
		for _, o := range s.fire(now, nil) {
			out = append(out, o)
		}
		return out
	case CheckDone:
		return s.checkDone(now, in, out)
	case CheckNow:
		if srv := s.byAddr[in.Server]; srv != nil {
			out = srv.Step(now, in, out)
			s.rearm(srv)
		}
		return out
	case CheckObserved:
		if p := s.probe(in.Server, in.Check); p != nil && p.traits.Follows {
			return s.checked(now, s.byAddr[in.Server], p, in.Result, out)
		}
		return out
	case Suspend:
		s.cfg.Suspended = in.On
		for _, srv := range s.servers {
			out = srv.Step(now, in, out)
		}
		return out
	case Reconfigure:
		out = s.reconfigure(now, in, out)
	case Stop:
		return s.stop(now, in, out)
	case Remove:
		return s.stop(now, in, append(out, ServiceRemoved{}))
	}
	out = s.decide(now, out)
	return s.publish(at, out)
}

// fire appends the attempts that are due to starts.
func (s *Service) fire(now time.Time, starts []StartCheck) []StartCheck {
	for !s.stopped && len(s.due) > 0 && !s.due[0].due.After(now) {
		srv := s.due[0]
		starts = srv.fire(now, starts)
		s.rearm(srv)
	}
	return starts
}

// checkDone takes the end of an attempt.
func (s *Service) checkDone(now time.Time, in CheckDone, out []Output) []Output {
	if srv := s.byAddr[in.Server]; srv != nil && !s.stopped {
		if p := srv.running(in.Attempt); p != nil {
			return s.checked(now, srv, p, in.Result, out)
		}
	}
	return out
}

// checked gives a server what one of its checks found.
func (s *Service) checked(now time.Time, srv *Server, p *probe, r Result, out []Output) []Output {
	at := len(out)
	live, up, weight := srv.live(), srv.up, srv.weight
	out = srv.checkDone(now, p, r, out)
	s.rearm(srv)
	s.live += srv.live() - live
	if srv.up == up && srv.weight == weight {
		return out
	}
	return s.publish(at, s.decide(now, out))
}

func isStart(in Input) bool {
	_, ok := in.(Start)
	return ok
}

// start begins with the quorum down, as keepalived does: a service that has it
// says that it was gained, once its servers have been told of.
func (s *Service) start(now time.Time, in Start, out []Output) []Output {
	at := len(out)
	s.started, s.since = true, now
	for _, srv := range s.servers {
		out = srv.enter(now, out)
	}
	if out = s.decide(now, out); !s.quorum {
		out = append(out, QuorumLost{Quorum: s.cfg.Quorum, Hysteresis: s.cfg.Hysteresis, Weight: s.live, Initial: true})
		out = s.sorryIn(out)
	}
	for _, srv := range s.servers {
		out = srv.activate(now, in.Seed, out)
		s.rearm(srv)
	}
	return s.publish(at, out)
}

// decide gains or loses the quorum.
func (s *Service) decide(now time.Time, out []Output) []Output {
	quorum, margin := int64(s.cfg.Quorum), int64(s.cfg.Hysteresis)
	switch {
	case !s.quorum && s.live > 0 && s.live >= quorum+margin:
		s.quorum, s.since = true, now
		out = append(out, QuorumGained{Quorum: s.cfg.Quorum, Hysteresis: s.cfg.Hysteresis, Weight: s.live, Initial: s.pool == nil})
		return s.sorryOut(out)
	case s.quorum && (s.live == 0 || s.live < quorum-margin):
		s.quorum, s.since = false, now
		out = append(out, QuorumLost{Quorum: s.cfg.Quorum, Hysteresis: s.cfg.Hysteresis, Weight: s.live})
		return s.sorryIn(out)
	}
	return out
}

func (s *Service) sorryIn(out []Output) []Output {
	if c := s.cfg.Sorry; c != nil {
		out = append(out,
			SorryAdded{ServerRef: NewServerRef(c.Addr, c.Port, s.cfg.Protocol), Inhibit: c.Inhibit}, AliveRemoved{})
	}
	return out
}

// sorryOut tells of the end of the sorry server's service, if there was any: at
// the start there was none.
func (s *Service) sorryOut(out []Output) []Output {
	if c := s.cfg.Sorry; c != nil && s.pool != nil {
		out = append(out,
			SorryRemoved{ServerRef: NewServerRef(c.Addr, c.Port, s.cfg.Protocol), Inhibit: c.Inhibit}, AliveAdded{})
	}
	return out
}

// publish puts a PoolChanged before the news since at, if the pool has changed.
func (s *Service) publish(at int, out []Output) []Output {
	pool := s.wanted()
	if s.pool != nil && slices.Equal(pool, s.pool) {
		return out
	}
	s.pool = pool
	for at < len(out) && isCheckOutput(out[at]) {
		at++
	}
	return slices.Insert(out, at, Output(PoolChanged{Pool: pool}))
}

// isCheckOutput tells what a check did, the cause, from what became of it.
func isCheckOutput(o Output) bool {
	switch o.(type) {
	case StartCheck, CancelCheck, CheckFailed, CheckSucceeded, CheckSkipped, CheckSuspended:
		return true
	}
	return false
}

// wanted is the pool that follows from the state. While the sorry server
// serves, the others are out of the pool, or in it with weight 0 where they are
// inhibited rather than removed.
func (s *Service) wanted() Pool {
	c := s.cfg.Sorry
	sorry := c != nil && !s.quorum
	pool := make(Pool, 0, len(s.servers)+1)
	for _, srv := range s.servers {
		m := Member{Addr: srv.cfg.Addr, Port: srv.cfg.Port, Weight: srv.weight}
		switch {
		case sorry && m.Addr == c.Addr && m.Port == c.Port:
			continue // It serves as the sorry server, whatever it is as a real one.
		case srv.up && !sorry:
		case srv.cfg.InhibitOnFailure:
			m.Weight, m.Inhibited = 0, true
		default:
			continue
		}
		pool = append(pool, m)
	}
	if c != nil && (sorry || c.Inhibit) {
		m := Member{Addr: c.Addr, Port: c.Port, Sorry: true}
		if sorry {
			m.Weight = 1
		}
		pool = append(pool, m)
	}
	return pool
}

func (s *Service) stop(now time.Time, in Input, out []Output) []Output {
	for _, srv := range s.servers {
		out = srv.Step(now, in, out)
	}
	if s.quorum {
		_, removed := in.(Remove)
		out = append(out, QuorumEnded{Quorum: s.cfg.Quorum, Hysteresis: s.cfg.Hysteresis, Removed: removed})
	}
	s.due, s.stopped = nil, true
	return out
}

// Status is the state for people.
func (s *Service) Status() ServiceStatus {
	st := ServiceStatus{
		Name: s.cfg.Name, QuorumUp: s.quorum, Quorum: s.cfg.Quorum, Hysteresis: s.cfg.Hysteresis, LiveWeight: s.live,
	}
	in := make(map[netip.AddrPort]bool, len(s.pool))
	sorryIn := false
	for _, m := range s.pool {
		if m.Sorry {
			sorryIn = true
			continue
		}
		in[netip.AddrPortFrom(m.Addr, m.Port)] = true
	}
	for _, srv := range s.servers {
		v := srv.status()
		v.InPool = in[srv.ref.Server]
		st.Servers = append(st.Servers, v)
	}
	if c := s.cfg.Sorry; c != nil {
		st.Servers = append(st.Servers, ServerStatus{
			Addr: c.Addr, Port: c.Port, Sorry: true, InPool: sorryIn, Weight: 1,
			Up: s.started && !s.quorum, Since: s.since,
		})
	}
	return st
}

// deadlines is a heap of servers, the earliest due first and then in configured
// order, that keeps each server's index in it.
type deadlines []*Server

func (d deadlines) Len() int { return len(d) }
func (d deadlines) Less(i, j int) bool {
	if d[i].due.Equal(d[j].due) {
		return d[i].place < d[j].place
	}
	return d[i].due.Before(d[j].due)
}
func (d deadlines) Swap(i, j int) {
	d[i], d[j] = d[j], d[i]
	d[i].heapIndex, d[j].heapIndex = i, j
}

// Push is for container/heap.
func (d *deadlines) Push(x any) {
	srv := x.(*Server)
	srv.heapIndex = len(*d)
	*d = append(*d, srv)
}

// Pop is for container/heap.
func (d *deadlines) Pop() any {
	last := len(*d) - 1
	srv := (*d)[last]
	(*d)[last] = nil
	*d = (*d)[:last]
	srv.heapIndex = -1
	return srv
}

// rearm files the server under its deadline.
func (s *Service) rearm(srv *Server) {
	srv.due = srv.Deadline()
	switch i := srv.heapIndex; {
	case srv.due.IsZero() && i >= 0:
		heap.Remove(&s.due, i)
	case srv.due.IsZero():
	case i >= 0:
		heap.Fix(&s.due, i)
	default:
		heap.Push(&s.due, srv)
	}
}
