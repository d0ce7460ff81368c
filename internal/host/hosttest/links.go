package hosttest

import (
	"maps"
	"slices"
	"sync"
	"syscall"

	"github.com/tandem-ha/tandem/internal/host"
)

// Links is a host.LinkTable in memory.
type Links struct {
	table[host.VirtualLink, host.LinkChange]
	others []host.LinkState
}

var _ host.LinkTable = (*Links)(nil)

// NewLinks returns a host with these links, which are not ours and are up.
func NewLinks(links ...host.VirtualLink) *Links {
	l := &Links{}
	l.same = func(a, b host.VirtualLink) bool { return a.Name == b.Name }
	l.table.check = l.check
	for _, other := range links {
		l.others = append(l.others, host.LinkState{VirtualLink: other, Up: true})
	}
	return l
}

// check refuses what the kernel would: a name that is taken, a parent that is
// missing.
func (l *Links) check(c host.LinkChange) error {
	if c.Op == host.Remove {
		return nil
	}
	err := error(syscall.ENODEV)
	for _, o := range l.others {
		if o.Name == c.Link.Name {
			return host.ErrForeignLink
		}
		if o.Name == c.Link.Parent {
			err = nil
		}
	}
	return err
}

// Apply implements host.LinkTable.
func (l *Links) Apply(changes []host.LinkChange) error {
	return l.apply(changes, func(c host.LinkChange) (host.Op, host.VirtualLink) { return c.Op, c.Link },
		func(c host.LinkChange, err error) error { return &host.LinkError{Change: c, Err: err} })
}

// List implements host.LinkTable. Indexes are given in order, from 2.
func (l *Links) List() ([]host.LinkState, error) {
	out := slices.Clone(l.others)
	for _, link := range l.All() {
		out = append(out, host.LinkState{VirtualLink: link, Up: true})
	}
	for i := range out {
		out[i].Index = i + 2
		out[i].IPv4, out[i].IPv6 = false, false
	}
	return out, nil
}

// Sysctls is a host.SysctlTable in memory.
type Sysctls struct {
	mu       sync.Mutex
	settings map[string]string
}

var _ host.SysctlTable = (*Sysctls)(nil)

// NewSysctls returns a host that has these settings.
func NewSysctls(settings map[string]string) *Sysctls {
	return &Sysctls{settings: maps.Clone(settings)}
}

// All returns the settings as they are.
func (s *Sysctls) All() map[string]string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return maps.Clone(s.settings)
}

// Read implements host.SysctlTable.
func (s *Sysctls) Read(names []string) (map[string]string, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	out := map[string]string{}
	for _, name := range names {
		if v, ok := s.settings[name]; ok {
			out[name] = v
		}
	}
	return out, nil
}

// Write implements host.SysctlTable.
func (s *Sysctls) Write(settings []host.Sysctl) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, w := range settings {
		if _, ok := s.settings[w.Name]; ok {
			s.settings[w.Name] = w.Value
		}
	}
	return nil
}
