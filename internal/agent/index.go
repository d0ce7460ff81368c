package agent

import (
	"net/netip"

	"github.com/tandem-ha/tandem/internal/desired"
)

// index finds the instances that something concerns. It is made anew whenever
// the configuration changes.
type index struct {
	byName   map[string]*instance
	byAddr   map[netip.Addr][]*instance
	byLink   map[string][]*instance
	byScript map[string][]*instance
	// carriers are the links that may carry a virtual address.
	carriers map[string]bool
}

func newIndex(instances []*instance) index {
	x := index{
		byName:   map[string]*instance{},
		byAddr:   map[netip.Addr][]*instance{},
		byLink:   map[string][]*instance{},
		byScript: map[string][]*instance{},
		carriers: map[string]bool{},
	}
	for _, in := range instances {
		x.byName[in.conf.Name] = in
		for _, a := range in.all {
			x.byAddr[a.Prefix.Addr()] = append(x.byAddr[a.Prefix.Addr()], in)
			x.carriers[a.Interface] = true
		}
		for _, name := range desired.Links(in.conf, in.trackers) {
			x.byLink[name] = append(x.byLink[name], in)
		}
		for _, s := range in.trackers.Scripts {
			x.byScript[s.Name] = append(x.byScript[s.Name], in)
		}
	}
	return x
}
