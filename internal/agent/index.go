package agent

import (
	"net/netip"

	"github.com/tandem-ha/tandem/internal/desired"
	"github.com/tandem-ha/tandem/internal/track"
)

// index finds the instances that something concerns. It is made anew whenever
// the configuration changes.
type index struct {
	byName map[string]*instance
	byAddr map[netip.Addr][]*instance
	// byPlace finds those that may have an address on a link.
	byPlace map[place][]*instance
	byLink  map[string][]*instance
	// byTrack finds those that track something other than a link.
	byTrack map[trackKey][]*instance
	// carriers are the links that may carry a virtual address.
	carriers map[string]bool
}

// place is an address on a link.
type place struct {
	link string
	addr netip.Addr
}

// trackKey names something that is tracked.
type trackKey struct {
	kind track.Kind
	name string
}

func newIndex(instances []*instance) index {
	x := index{
		byName:   map[string]*instance{},
		byAddr:   map[netip.Addr][]*instance{},
		byPlace:  map[place][]*instance{},
		byLink:   map[string][]*instance{},
		byTrack:  map[trackKey][]*instance{},
		carriers: map[string]bool{},
	}
	for _, in := range instances {
		x.byName[in.conf.Name] = in
		for _, a := range in.all {
			x.byAddr[a.Prefix.Addr()] = append(x.byAddr[a.Prefix.Addr()], in)
			at := place{a.Interface, a.Prefix.Addr()}
			x.byPlace[at] = append(x.byPlace[at], in)
			x.carriers[a.Interface] = true
		}
		for _, name := range desired.Links(in.conf, in.trackers) {
			x.byLink[name] = append(x.byLink[name], in)
		}
		if in.conf.Unicast() && in.conf.Source.IsValid() && in.conf.Interface != "" {
			// Its source may be on any link.
			x.byLink[""] = append(x.byLink[""], in)
		}
		for kind, list := range in.trackers.ByKind() {
			if kind == track.KindInterface {
				continue
			}
			for _, t := range list {
				k := trackKey{kind, t.Name}
				x.byTrack[k] = append(x.byTrack[k], in)
			}
		}
	}
	return x
}
