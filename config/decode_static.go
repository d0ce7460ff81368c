package config

import (
	"slices"
	"time"
)

// staticAddresses takes the lines of static_ipaddress.
func staticAddresses(d *decoder, n *node) {
	d.lines(n, func(l *node) {
		a, ok := d.address(l, staticAddress)
		if !ok {
			return
		}
		if a.Interface == "" {
			a.Interface = d.cfg.Global.DefaultInterface
			if env := d.options.Environment; env != nil && !env.Interface(a.Interface) {
				d.fatal("interface-missing", words(l, 0), "Add dev IFNAME, or set default_interface in global_defs.", "the static address %s names no interface, and the default %s does not exist", l.name(), a.Interface)
				return
			}
		}
		d.cfg.StaticAddresses = append(d.cfg.StaticAddresses, a)
	})
}

func staticRoutes(d *decoder, n *node) {
	d.lines(n, func(l *node) {
		if r, ok := d.route(l, true); ok {
			d.cfg.StaticRoutes = append(d.cfg.StaticRoutes, r)
		}
	})
}

func staticRules(d *decoder, n *node) {
	d.lines(n, func(l *node) {
		if r, ok := d.rule(l, true); ok {
			d.cfg.StaticRules = append(d.cfg.StaticRules, r)
		}
	})
}

func instanceRoutes(d *decoder, n *node) {
	d.lines(n, func(l *node) {
		if r, ok := d.route(l, false); ok {
			d.inst.Routes = append(d.inst.Routes, r)
		}
	})
}

func instanceRules(d *decoder, n *node) {
	d.lines(n, func(l *node) {
		if r, ok := d.rule(l, false); ok {
			d.inst.Rules = append(d.inst.Rules, r)
		}
	})
}

// trackGroupDraft is a track_group being read.
type trackGroupDraft struct {
	*TrackGroup
	node    *node
	members []token
}

func trackGroupBlock(d *decoder, n *node) {
	name, ok := d.blockName(n)
	if !ok {
		return
	}
	if slices.ContainsFunc(d.trackGroups, func(g *trackGroupDraft) bool { return g.Name == name }) {
		d.fail("duplicate", words(n, 0), "", "track_group %s is there already; this one does not count", name)
		return
	}
	g := &trackGroupDraft{node: n, TrackGroup: &TrackGroup{Pos: n.Words[0].pos(), Name: name}}
	d.trackGroups = append(d.trackGroups, g)
	d.openGroup = g
	d.body(n, "track_group")
	d.openGroup = nil
}

func trackGroupMembers(d *decoder, n *node) {
	before := len(d.openGroup.members)
	if before > 0 {
		d.warn("duplicate", of(n.Words[0]), "", "track_group %s has a block group already", d.openGroup.Name)
		return
	}
	d.lines(n, func(l *node) { d.openGroup.members = append(d.openGroup.members, l.Words...) })
	if len(d.openGroup.members) == 0 {
		d.warn("empty-block", words(n, 0), "Write the names of instances into it.", "the group of track_group %s is empty", d.openGroup.Name)
	}
}

// trackGroup reads the name of a track_group, which has to stand above.
func (d *decoder) trackGroup(w token) string {
	if !slices.ContainsFunc(d.trackGroups, func(g *trackGroupDraft) bool { return g.Name == w.Value }) {
		d.fail("track-group-undefined", of(w), "Put the block track_group "+w.Value+" above this line.", "track_group %s is not defined above", w.Value)
		return ""
	}
	return w.Value
}

// completeTrackGroups resolves the members of the groups.
func (d *decoder) completeTrackGroups() {
	for _, g := range d.trackGroups {
		for _, w := range g.members {
			if d.instanceNamed(w.Value) == nil {
				d.notice("member-undefined", of(w), d.instanceHelp(w.Value), "track_group %s has the member %s, which is not defined", g.Name, w.Value)
				continue
			}
			if slices.Contains(g.Instances, w.Value) {
				d.notice("duplicate", of(w), "", "%s is a member of track_group %s already", w.Value, g.Name)
				continue
			}
			g.Instances = append(g.Instances, w.Value)
		}
		if len(g.Instances) == 0 {
			d.warn("group-empty", words(g.node, 0), "Add a block group with the names of instances.", "track_group %s has no member; it does not count", g.Name)
			continue
		}
		d.cfg.TrackGroups = append(d.cfg.TrackGroups, g.TrackGroup)
	}
}

func garpGroupBlock(d *decoder, n *node) {
	g := &GARPGroup{Pos: n.Words[0].pos()}
	d.garp = g
	d.body(n, "garp_group")
	d.garp = nil
	if g.ARP == 0 && g.NA == 0 && !mentions(n, "garp_interval") && !mentions(n, "gna_interval") {
		d.warn("garp-interval", words(n, 0), "Add a line garp_interval SECONDS.", "the garp_group has no interval and does not count")
		return
	}
	if len(g.Interfaces) == 0 {
		d.notice("garp-interfaces", words(n, 0), "Add a line interface NAME.", "the garp_group has no interface and no effect")
	}
	d.cfg.GARPGroups = append(d.cfg.GARPGroups, g)
}

// mentions is true where the block holds a statement of that name.
func mentions(n *node, name string) bool {
	return slices.ContainsFunc(n.Body, func(c *node) bool { return c.name() == name })
}

func garpGroupInterval(place func(*GARPGroup) *time.Duration) func(*decoder, *node) {
	return func(d *decoder, n *node) {
		v, ok := d.duration(n.Words[1], 0, maxGroupSpacing)
		if ok {
			*place(d.garp) = v
		}
	}
}

// maxGroupSpacing is the longest spacing that keepalived's own counter holds.
const maxGroupSpacing = (1<<32 - 1) * time.Microsecond

func garpGroupInterface(d *decoder, n *node) { d.garpMember(n.Words[1]) }

func garpGroupInterfaces(d *decoder, n *node) {
	before := len(d.garp.Interfaces)
	d.lines(n, func(l *node) {
		for _, w := range l.Words {
			d.garpMember(w)
		}
	})
	if len(d.garp.Interfaces) == before {
		d.warn("empty-block", words(n, 0), "Write the names of interfaces into it.", "the interfaces of a garp_group are empty")
	}
}

func (d *decoder) garpMember(w token) {
	for _, g := range append(slices.Clone(d.cfg.GARPGroups), d.garp) {
		if slices.Contains(g.Interfaces, w.Value) {
			d.warn("duplicate", of(w), "", "%s is in a garp_group already; it does not count here", w.Value)
			return
		}
	}
	if d.interfaceExists(w, "a garp_group is for") {
		d.garp.Interfaces = append(d.garp.Interfaces, w.Value)
	}
}

func linkPolls(d *decoder, n *node) {
	d.lines(n, func(l *node) {
		w := l.Words[0]
		if !d.interfaceExists(w, "is to be polled") {
			return
		}
		p := LinkPoll{Pos: w.pos(), Interface: w.Value}
		if len(l.Words) > 1 {
			switch m := l.Words[1].Value; m {
			case "MII", "ETHTOOL", "IOCTL":
				p.Method = m
			default:
				d.warn("invalid-value", of(l.Words[1]), "Write MII, ETHTOOL or IOCTL.", "'%s' is no way to poll %s", m, w.Value)
			}
		}
		d.cfg.LinkPolls = append(d.cfg.LinkPolls, p)
	})
}

func linkDelays(d *decoder, n *node) {
	d.lines(n, func(l *node) {
		w := l.Words[0]
		if !d.interfaceExists(w, "has its changes delayed") {
			return
		}
		delay := LinkDelay{Pos: w.pos(), Interface: w.Value}
		for i, place := range []*time.Duration{&delay.Down, &delay.Up} {
			if len(l.Words) <= i+1 {
				break
			}
			v, ok := d.duration(l.Words[i+1], 0, 255*time.Second)
			if !ok {
				return
			}
			*place = v
		}
		if len(l.Words) < 2 {
			d.notice("missing-value", of(w), "Write IFNAME DOWN-SECONDS [UP-SECONDS].", "%s has no delay", w.Value)
		}
		d.cfg.LinkDelays = append(d.cfg.LinkDelays, delay)
	})
}
