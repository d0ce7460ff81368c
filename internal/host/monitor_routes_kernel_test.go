//go:build kernel

package host

import (
	"fmt"
	"slices"
	"testing"
)

// told are the events of routes and rules so far, as text.
func (w *watcher) told() (out []string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, e := range w.events {
		switch e := e.(type) {
		case RouteChanged:
			out = append(out, fmt.Sprintf("%s %v", e.Route, e.Present))
		case RuleChanged:
			out = append(out, fmt.Sprintf("%s %v", e.Rule, e.Present))
		}
	}
	return out
}

// Our routes and rules are told of, whoever adds and removes them, and no one
// else's.
func TestKernelMonitorTellsOfRoutesAndRules(t *testing.T) {
	n := routed(t)
	w := n.monitor()
	routes, rules := n.routes(), n.rules()
	four, six := on("10.1.0.0/24", "v0"), on("2001:db8:1::/64", "v0")
	first, second := rule(1000, "10.1.0.0/24"), rule(1001, "2001:db8::/64")
	if err := routes.Apply(DiffRoutes(nil, []Route{four, six})); err != nil {
		t.Fatal(err)
	}
	if err := rules.Apply(DiffRules(nil, []Rule{first, second})); err != nil {
		t.Fatal(err)
	}
	n.run("ip", "route", "add", "10.7.0.0/24", "dev", "v0")
	n.run("ip", "rule", "add", "pref", "901", "from", "10.7.0.0/24", "table", "7")
	n.run("ip", "route", "del", "10.1.0.0/24")
	n.run("ip", "-6", "route", "del", "2001:db8:1::/64")
	n.run("ip", "rule", "del", "pref", "1000")
	n.run("ip", "-6", "rule", "del", "pref", "1001")
	want := []string{
		"10.1.0.0/24 on v0 true", "2001:db8:1::/64 on v0 metric 1024 true",
		"1000: from 10.1.0.0/24 table 99 true", "1001: from 2001:db8::/64 table 99 true",
		"10.1.0.0/24 on v0 false", "2001:db8:1::/64 on v0 metric 1024 false",
		"1000: from 10.1.0.0/24 table 99 false", "1001: from 2001:db8::/64 table 99 false",
	}
	slices.Sort(want)
	waitFor(t, "the last event", func() bool { return len(w.told()) >= len(want) })
	got := w.told()
	slices.Sort(got)
	if !slices.Equal(got, want) {
		t.Errorf("told %q, want %q", got, want)
	}
}
