package agent

import (
	"fmt"
	"maps"
	"slices"
	"sync"

	"github.com/tandem-ha/tandem/internal/host"
)

// settings makes the kernel's settings what the parts of the agent want, and puts
// back what they were: at the end, when nobody wants them any more, and after a
// crash, from the record.
type settings struct {
	table  host.SysctlTable
	ledger *host.Ledger

	mu    sync.Mutex
	wants map[string][]host.Sysctl
	// filtering are the links that reverse path filtering stays on for, where it
	// has to be off for others; nil where it has not.
	filtering []string
	saved     []host.SavedSysctl
}

func newSettings(table host.SysctlTable, l *host.Ledger) *settings {
	return &settings{table: table, ledger: l, wants: map[string][]host.Sysctl{}, saved: l.Contents().Sysctls}
}

// want makes a list what one part of the agent wants, which replaces what it
// wanted before.
func (s *settings) want(part string, list []host.Sysctl) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.wants[part] = list
	return s.apply()
}

// wantWithFilter is want, and says besides for which links reverse path filtering
// is to stay as it is though it has to be off for others (nil: for all).
func (s *settings) wantWithFilter(part string, list []host.Sysctl, filtering []string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.wants[part], s.filtering = list, filtering
	return s.apply()
}

// restore puts everything back.
func (s *settings) restore() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	clear(s.wants)
	s.filtering = nil
	return s.apply()
}

// apply carries out what differs. The record has what was before it is changed.
func (s *settings) apply() error {
	var want []host.Sysctl
	for _, part := range slices.Sorted(maps.Keys(s.wants)) {
		want = append(want, s.wants[part]...)
	}
	var names []string
	for _, w := range want {
		names = append(names, w.Name)
	}
	for _, w := range s.saved {
		names = append(names, w.Name)
	}
	if s.filtering != nil {
		names = append(names, host.RPFilterNames(s.filtering)...)
	}
	if len(names) == 0 {
		return nil
	}
	have, err := s.table.Read(names)
	if err != nil {
		return fmt.Errorf("read the kernel's settings: %w", err)
	}
	if s.filtering != nil {
		want = append(want, host.RPFilterSysctls(have, s.saved, s.filtering)...)
	}
	plan := host.PlanSysctls(have, want, s.saved)
	s.note(plan.During)
	if len(plan.Changes) > 0 {
		err = s.table.Write(plan.Changes)
	}
	s.note(plan.After)
	return err
}

func (s *settings) note(saved []host.SavedSysctl) {
	s.saved = saved
	s.ledger.Update(func(c *host.Contents) { c.Sysctls = saved })
}
