package hosttest

import (
	"sync"

	"github.com/tandem-ha/tandem/internal/host"
)

// Firewall is a host.FirewallTable in memory.
type Firewall struct {
	mu    sync.Mutex
	rules host.FirewallRules
	err   error
}

var _ host.FirewallTable = (*Firewall)(nil)

// NewFirewall returns a packet filter without rules.
func NewFirewall() *Firewall { return &Firewall{} }

// Refuse makes Apply and Remove fail with err; nil lets them succeed again.
func (f *Firewall) Refuse(err error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.err = err
}

// Rules returns what is in the filter.
func (f *Firewall) Rules() host.FirewallRules {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.rules
}

// Apply implements host.FirewallTable.
func (f *Firewall) Apply(rules host.FirewallRules) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.err != nil {
		return f.err
	}
	f.rules = rules
	return nil
}

// Remove implements host.FirewallTable.
func (f *Firewall) Remove() error { return f.Apply(host.FirewallRules{}) }

// Close implements host.FirewallTable.
func (f *Firewall) Close() error { return nil }
