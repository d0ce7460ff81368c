package agent

import (
	"errors"

	"github.com/tandem-ha/tandem/config"
	"github.com/tandem-ha/tandem/internal/desired"
	"github.com/tandem-ha/tandem/internal/host"
	"github.com/tandem-ha/tandem/internal/keeper"
)

// openTables opens what the keeper puts things into, in the network namespace of
// the calling thread.
func (p *resources) openTables(cfg *config.Config) (keeper.Tables, error) {
	addresses, err1 := host.NewAddresses()
	if err1 == nil {
		p.closers = append(p.closers, addresses.Close)
	}
	routes, err2 := host.NewRoutes()
	if err2 == nil {
		p.closers = append(p.closers, routes.Close)
	}
	rules, err3 := host.NewRules()
	if err3 == nil {
		p.closers = append(p.closers, rules.Close)
	}
	// The packet filter's socket is opened when a rule is wanted. The name of the
	// table cannot change while it is in use.
	options := desired.Firewall(cfg.Global)
	dial := func(changed func()) (host.FirewallTable, error) {
		f, err := host.NewFirewall(options)
		if err != nil {
			return nil, err
		}
		w, err := host.WatchFirewall(options.Table, changed)
		if err != nil {
			return nil, errors.Join(err, f.Close())
		}
		p.closers = append(p.closers, w.Close, f.Close)
		return f, nil
	}
	return keeper.Tables{Addresses: addresses, Routes: routes, Rules: rules, Firewall: dial}, errors.Join(err1, err2, err3)
}
