package desired

import (
	"github.com/tandem-ha/tandem/config"
	"github.com/tandem-ha/tandem/internal/host"
)

// Statics gives what is there as long as the program runs: static_ipaddress,
// static_routes and static_rules.
func Statics(cfg *config.Config, vrf VRFTable) Holding {
	h := Holding{Routes: routes(cfg.StaticRoutes, vrf), Rules: rules(cfg.StaticRules)}
	for _, a := range cfg.StaticAddresses {
		h.Addresses = append(h.Addresses, Item[host.Address]{Address(a), a.NoTrack})
	}
	return h
}

// followed names the interfaces of the static addresses, routes and rules that
// an instance follows through a track_group.
func followed(cfg *config.Config, in *config.Instance) []followedLink {
	mine := map[string]bool{}
	for _, g := range cfg.TrackGroups {
		for _, name := range g.Instances {
			mine[g.Name] = mine[g.Name] || name == in.Name
		}
	}
	var out []followedLink
	for _, a := range cfg.StaticAddresses {
		if mine[a.TrackGroup] {
			out = append(out, followedLink{a.Interface, a.Pos})
		}
	}
	for _, r := range cfg.StaticRoutes {
		if mine[r.TrackGroup] {
			out = append(out, routeLinks(r)...)
		}
	}
	for _, r := range cfg.StaticRules {
		if mine[r.TrackGroup] {
			out = append(out, ruleLinks(r)...)
		}
	}
	return out
}

// followedLink is an interface that an instance tracks because something is on
// it, and where the file says so.
type followedLink struct {
	name string
	pos  config.Pos
}

// impliedLinks are the interfaces that an instance tracks because what comes
// with it, or the static things that it follows, are on them.
func impliedLinks(cfg *config.Config, in *config.Instance) []config.Track {
	var links []followedLink
	for _, list := range [][]config.Address{in.Addresses, in.Excluded} {
		for _, a := range list {
			if !a.NoTrack {
				links = append(links, followedLink{a.Interface, a.Pos})
			}
		}
	}
	for _, r := range in.Routes {
		if !r.NoTrack {
			links = append(links, routeLinks(r)...)
		}
	}
	for _, r := range in.Rules {
		if !r.NoTrack {
			links = append(links, ruleLinks(r)...)
		}
	}
	var out []config.Track
	seen := map[string]bool{in.Interface: true, "": true}
	for _, l := range append(links, followed(cfg, in)...) {
		if !seen[l.name] {
			seen[l.name] = true
			out = append(out, config.Track{Pos: l.pos, Name: l.name})
		}
	}
	return out
}

func routeLinks(r config.Route) []followedLink {
	out := []followedLink{{r.Hop.Interface, r.Pos}}
	for _, h := range r.NextHops {
		out = append(out, followedLink{h.Interface, r.Pos})
	}
	return out
}

func ruleLinks(r config.Rule) []followedLink {
	return []followedLink{{r.In, r.Pos}, {r.Out, r.Pos}}
}
