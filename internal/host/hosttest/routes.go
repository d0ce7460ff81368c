package hosttest

import (
	"slices"

	"github.com/tandem-ha/tandem/internal/host"
)

// Routes is a host.RouteTable in memory. Interfaces it takes as they are named,
// whether they exist or not.
type Routes struct {
	table[host.Route, host.RouteChange]
}

var _ host.RouteTable = (*Routes)(nil)

// NewRoutes returns a table without routes.
func NewRoutes() *Routes {
	r := &Routes{}
	r.same = func(a, b host.Route) bool { return len(host.DiffRoutes([]host.Route{a}, []host.Route{b})) == 0 }
	return r
}

// Apply implements host.RouteTable.
func (r *Routes) Apply(changes []host.RouteChange) error {
	return r.apply(changes, func(c host.RouteChange) (host.Op, host.Route) { return c.Op, c.Route },
		func(c host.RouteChange, err error) error { return &host.RouteError{Change: c, Err: err} })
}

// Owned implements host.RouteTable.
func (r *Routes) Owned() ([]host.Route, error) {
	return r.list(func(e entry[host.Route]) bool {
		return e.thing.Protocol == host.Protocol || e.thing.Protocol == 0 && e.owned
	}), nil
}

// Present implements host.RouteTable.
func (r *Routes) Present(want []host.Route) ([]host.Route, error) {
	return r.list(func(e entry[host.Route]) bool { return slices.ContainsFunc(want, e.thing.SamePlace) }), nil
}

// Rules is a host.RuleTable in memory.
type Rules struct {
	table[host.Rule, host.RuleChange]
}

var _ host.RuleTable = (*Rules)(nil)

// NewRules returns a table without rules.
func NewRules() *Rules {
	r := &Rules{}
	r.same = sameRule
	return r
}

func sameRule(a, b host.Rule) bool {
	return len(host.DiffRules([]host.Rule{a}, []host.Rule{b})) == 0
}

// Apply implements host.RuleTable.
func (r *Rules) Apply(changes []host.RuleChange) error {
	return r.apply(changes, func(c host.RuleChange) (host.Op, host.Rule) { return c.Op, c.Rule },
		func(c host.RuleChange, err error) error { return &host.RuleError{Change: c, Err: err} })
}

// Owned implements host.RuleTable.
func (r *Rules) Owned() ([]host.Rule, error) {
	return r.list(func(e entry[host.Rule]) bool {
		return e.thing.Protocol == host.Protocol || e.thing.Protocol == 0 && e.owned
	}), nil
}

// Present implements host.RuleTable.
func (r *Rules) Present(want []host.Rule) ([]host.Rule, error) {
	return r.list(func(e entry[host.Rule]) bool {
		return slices.ContainsFunc(want, func(w host.Rule) bool { return sameRule(e.thing, w) })
	}), nil
}
