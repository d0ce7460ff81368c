package config

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"
)

// advise gives notices on what is legal and dangerous in the instances. They
// change no exit code, and keepalived has none like them.
func (d *decoder) advise() {
	for _, i := range d.instances {
		d.advisePassword(i)
		d.advisePreemption(i)
		d.adviseTrackedLinks(i)
		d.adviseSubnets(i)
		d.adviseAccept(i)
	}
}

// Advice is true of a notice on what keepalived takes in silence and what runs as
// it is written. Those who check a file want it, and a log at each start does not.
func (d Diagnostic) Advice() bool {
	switch d.Code {
	case "auth-clear", "nopreempt-weight", "track-weight-served", "vip-subnet", "equal-masters":
		return true
	}
	return false
}

// advisePassword speaks of passwords, which protect from mistakes and from
// nobody else.
func (d *decoder) advisePassword(i *instanceDraft) {
	if i.AuthType != "PASS" {
		return
	}
	d.notice("auth-clear", of(i.auth.Words[0]), "It guards against mistakes, not against attackers; version 3 has none. Restrict who can send on the network.",
		"the password of vrrp_instance %s is sent in clear with each advert", i.Name)
}

// adviseCut tells where '#' or '!' has ended a secret that goes on behind it.
func (d *decoder) adviseCut(w token) {
	if w.src == nil || w.via != nil {
		return
	}
	end := w.Offset + len(w.Text)
	if end < len(w.src.text) && (w.src.text[end] == '#' || w.src.text[end] == '!') {
		d.notice("secret-cut", of(w), `Write \# or \! for the character itself, or put the secret into double quotes.`,
			"the secret ends before '%c', which begins a comment", w.src.text[end])
	}
}

// adviseAccept says that the virtual addresses answer nobody where only strict mode
// says so: who did not mean that looks for it everywhere else.
func (d *decoder) adviseAccept(i *instanceDraft) {
	if !i.Strict || i.Accept || i.accept != nil || len(i.Addresses)+len(i.Excluded) == 0 {
		return
	}
	help := "Write accept, or turn strict_mode off."
	if i.Version == 2 {
		help = "Turn strict_mode off, or use version 3 and write accept."
	}
	d.notice("strict-accept", i.at("strict_mode"), help, "the addresses of vrrp_instance %s answer no packets, not even ping, since strict mode implies no_accept", i.Name)
}

// advisePreemption speaks of nopreempt beside trackers that change the priority.
func (d *decoder) advisePreemption(i *instanceDraft) {
	if i.Preempt {
		return
	}
	lists := [][]Track{i.TrackScripts, i.TrackInterfaces, i.TrackFiles, i.TrackProcesses, i.TrackBFD}
	if g := d.groupNaming(i.Name); g != nil {
		lists = append(lists, g.TrackScripts, g.TrackInterfaces, g.TrackFiles, g.TrackProcesses, g.TrackBFD)
	}
	for _, list := range lists {
		for _, t := range list {
			if t.Weight != 0 {
				d.notice("nopreempt-weight", i.at("nopreempt"), "Track it with weight 0, which gives up mastership by FAULT, or remove nopreempt.",
					"with nopreempt no peer takes over when the weight of %s lowers the priority of vrrp_instance %s", t.Name, i.Name)
				return
			}
		}
	}
}

// adviseTrackedLinks speaks of interfaces whose weight does not count, since an instance
// serves on them: without one of those it is in FAULT.
func (d *decoder) adviseTrackedLinks(i *instanceDraft) {
	served := i.servedLinks()
	advise := func(n *node, list []Track) {
		for _, t := range list {
			if what := served[t.Name]; t.Weight != 0 && what != "" {
				d.notice("track-weight-served", d.line(n, "track_interface", t), "Write no_track at the end of that line to have the weight count.",
					"without %s vrrp_instance %s is in FAULT, whatever its weight: %s is on it", t.Name, i.Name, what)
			}
		}
	}
	advise(i.node, i.TrackInterfaces)
	if g := d.groupNaming(i.Name); g != nil {
		advise(g.node, g.TrackInterfaces)
	}
}

// servedLinks gives for each interface beside an instance's own what is on it, and is
// not told to be left alone.
func (i *instanceDraft) servedLinks() map[string]string {
	served := map[string]string{}
	note := func(link, what string, noTrack bool) {
		if link != "" && link != i.Interface && !noTrack && served[link] == "" {
			served[link] = what
		}
	}
	for _, list := range [][]Address{i.Addresses, i.Excluded} {
		for _, a := range list {
			note(a.Interface, a.Prefix.Addr().String(), a.NoTrack)
		}
	}
	for _, r := range i.Routes {
		note(r.Hop.Interface, "the route "+r.Text, r.NoTrack)
		for _, h := range r.NextHops {
			note(h.Interface, "the route "+r.Text, r.NoTrack)
		}
	}
	for _, r := range i.Rules {
		note(r.In, "the rule "+r.Text, r.NoTrack)
		note(r.Out, "the rule "+r.Text, r.NoTrack)
	}
	return served
}

// adviseSubnets speaks of addresses that no host on the interface's networks
// would look for there.
func (d *decoder) adviseSubnets(i *instanceDraft) {
	env, ok := d.options.Environment.(SubnetEnvironment)
	if !ok {
		return
	}
	nets := map[string][]netip.Prefix{}
	var outside []Address
	for _, list := range [][]Address{i.Addresses, i.Excluded} {
		for _, a := range list {
			addr := a.Prefix.Addr()
			if a.Interface == "" || !a.Prefix.IsSingleIP() || addr.IsLinkLocalUnicast() {
				continue
			}
			known, asked := nets[a.Interface]
			if !asked {
				known = env.Subnets(a.Interface)
				nets[a.Interface] = known
			}
			if isOutside(addr, known) {
				outside = append(outside, a)
			}
		}
	}
	if len(outside) == 0 {
		return
	}
	what := fmt.Sprintf("%s of vrrp_instance %s is", outside[0].Prefix.Addr(), i.Name)
	if len(outside) > 1 {
		what = fmt.Sprintf("%s and %d more addresses of vrrp_instance %s are", outside[0].Prefix.Addr(), len(outside)-1, i.Name)
	}
	d.notice("vip-subnet", d.addressAt(i, outside[0]), "Others reach it only by a route to it. Correct it, or write its prefix length.",
		"%s in no network of the interface %s", what, outside[0].Interface)
}

// isOutside is true where nets has networks of the family and none holds addr.
func isOutside(addr netip.Addr, nets []netip.Prefix) bool {
	family := false
	for _, p := range nets {
		if p.Addr().Is4() != addr.Is4() || p.IsSingleIP() || p.Addr().IsLinkLocalUnicast() {
			continue
		}
		if p.Contains(addr) {
			return false
		}
		family = true
	}
	return family
}

// addressAt is the line of an address in its block.
func (d *decoder) addressAt(i *instanceDraft, a Address) span {
	for _, block := range []string{"virtual_ipaddress", "virtual_ipaddress_excluded"} {
		n := i.said[block]
		if n == nil {
			continue
		}
		for _, l := range n.Body {
			if len(l.Words) > 0 && l.Words[0].pos() == a.Pos {
				return of(l.Words[0])
			}
		}
	}
	return words(i.node, 0)
}

// adviseScript speaks of a script that runs as root and that others can change,
// where nothing refuses it.
func (d *decoder) adviseScript(c Command, at span) {
	env, ok := d.options.Environment.(RiskEnvironment)
	if !ok || d.cfg.Global.ScriptSecurity {
		return
	}
	if err := env.ScriptRisk(c); err != nil {
		d.notice("script-writable", at, "Correct its mode and owner, and write enable_script_security in global_defs.", "others than root can change what is run: %v", err)
	}
}

// maxPeers is how many other ids of a file are looked at.
const maxPeers = 8

// advisePeers compares the instances with those that the same file gives the
// nodes of other ids, which read gives.
func (d *decoder) advisePeers(ids []string, read func(id string) *Config) {
	own := d.options.ID
	slices.Sort(ids)
	for n, id := range ids {
		if n == maxPeers {
			return
		}
		peer := read(id)
		for _, i := range d.instances {
			for _, other := range peer.Instances {
				same := other.VRID == i.VRID && other.IPv6 == i.IPv6 && other.Name == i.Name
				if same && other.StateMaster && i.StateMaster && other.Priority == i.Priority {
					d.notice("equal-masters", i.at("priority"), "Give one of them a higher priority.",
						"vrrp_instance %s is state MASTER with priority %d on %s and on %s: the higher address decides", i.Name, i.Priority, orElse(own, "this node"), id)
				}
			}
		}
	}
}

// idOf is the id of a condition, empty for tandem's own and for none.
func idOf(condition string) string {
	id := strings.TrimPrefix(strings.TrimPrefix(condition, "@"), "^")
	if id == "tandem" {
		return ""
	}
	return id
}
