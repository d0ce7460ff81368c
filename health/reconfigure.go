package health

import (
	"container/heap"
	"net/netip"
	"time"
)

// reconfigure replaces the configuration. Servers that stay keep their state;
// new ones start as at a start; a changed protocol renames them all.
func (s *Service) reconfigure(now time.Time, in Reconfigure, out []Output) []Output {
	old, sorry := s.byAddr, s.cfg.Sorry
	renamed := in.Config.Protocol != s.cfg.Protocol
	before := s.servers
	s.cfg, s.servers, s.byAddr, s.live = in.Config, nil, map[netip.AddrPort]*Server{}, 0
	keep := map[netip.AddrPort]bool{}
	for _, c := range in.Config.Servers {
		keep[netip.AddrPortFrom(c.Addr, c.Port)] = true
	}
	for _, srv := range before {
		if !keep[srv.ref.Server] {
			out = srv.Step(now, Remove{}, out)
			if srv.heapIndex >= 0 {
				heap.Remove(&s.due, srv.heapIndex)
			}
		}
	}
	for _, c := range in.Config.Servers {
		addr := netip.AddrPortFrom(c.Addr, c.Port)
		if s.byAddr[addr] != nil {
			continue
		}
		srv := old[addr]
		if srv == nil {
			srv = newServer(c, in.Config.Protocol, &s.attempts)
			srv.suspended = in.Config.Suspended
			out = srv.Step(now, Start{Seed: in.Seed}, out)
		} else {
			if renamed {
				srv.ref = NewServerRef(c.Addr, c.Port, in.Config.Protocol)
			}
			out = srv.suspend(in.Config.Suspended, out)
			out = srv.reconfigure(now, c, in.Seed, out)
		}
		srv.place = len(s.servers)
		s.byAddr[addr] = srv
		s.servers = append(s.servers, srv)
		s.live += srv.live()
	}
	for _, srv := range s.servers {
		s.rearm(srv)
	}
	// Places have changed under the heap.
	heap.Init(&s.due)
	return s.changeSorry(sorry, out)
}

// changeSorry tells of a sorry server that changes while one serves.
func (s *Service) changeSorry(old *SorryConfig, out []Output) []Output {
	now := s.cfg.Sorry
	if s.quorum || old == nil && now == nil || old != nil && now != nil && *old == *now {
		return out
	}
	if old != nil {
		out = append(out, SorryRemoved{ServerRef: NewServerRef(old.Addr, old.Port, s.cfg.Protocol), Inhibit: old.Inhibit})
	}
	if now == nil {
		return append(out, AliveAdded{})
	}
	out = append(out, SorryAdded{ServerRef: NewServerRef(now.Addr, now.Port, s.cfg.Protocol), Inhibit: now.Inhibit})
	if old == nil {
		out = append(out, AliveRemoved{})
	}
	return out
}
