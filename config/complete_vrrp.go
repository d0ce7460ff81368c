package config

import (
	"errors"
	"io/fs"
	"slices"
	"time"
)

// completeVRRP gives instances and groups what they inherit, checks them against
// one another and puts them into the Config.
func (d *decoder) completeVRRP() {
	for _, s := range d.scripts {
		switch at := of(s.command.Words[1]); {
		case s.fault == nil:
			d.cfg.Scripts = append(d.cfg.Scripts, s.Script)
		case errors.Is(s.fault, fs.ErrPermission):
			d.notice("script-unusable", at, "What tracks it runs as if it did not.", "vrrp_script %s is not tracked: %v", s.Name, s.fault)
		case s.used || len(d.instances) > 0:
			d.fail("script-unusable", at, "What tracks it runs as if it did not.", "vrrp_script %s is not tracked: %v", s.Name, s.fault)
		default:
			d.notice("script-unusable", at, "", "vrrp_script %s cannot be run: %v", s.Name, s.fault)
		}
		if !s.used {
			d.notice("unused", words(s.node, 0), "", "vrrp_script %s is tracked by nothing", s.Name)
		}
	}
	for _, i := range d.instances {
		if d.complete(i) {
			d.cfg.Instances = append(d.cfg.Instances, i.Instance)
		}
	}
	for _, g := range d.groups {
		d.completeGroup(g)
	}
	d.duplicateVRIDs()
	d.dropBadTracks()
	d.completeTrackGroups()
	d.completeSync()
	d.advise()
}

// complete resolves one instance; false where it cannot be used at all.
func (d *decoder) complete(i *instanceDraft) bool {
	usable := d.completeIdentity(i)
	d.completeVersion(i)
	d.completePriority(i)
	d.completeStrictState(i)
	d.completeAuth(i)
	d.completeVMAC(i)
	d.completeUnicast(i)
	d.completeAdvertInt(i)
	d.completeHMAC(i)
	d.completeAddresses(i)
	d.completePreemption(i)
	d.completeGARP(i)
	d.completeAdverts(i)
	d.completeTakeover(i)
	d.completeReports(i)
	if !d.completeNoVIPs(i) {
		usable = false
	}
	d.completeTracks(i)
	return usable
}

// completeIdentity checks what an instance cannot do without.
func (d *decoder) completeIdentity(i *instanceDraft) bool {
	usable := true
	if i.VRID == 0 {
		d.fatal("missing-vrid", i.at("virtual_router_id"), "Add a line virtual_router_id N, the same on every router of the pair.", "vrrp_instance %s has no valid virtual_router_id", i.Name)
		usable = false
	}
	if i.Interface == "" && i.said["interface"] != nil {
		// Why it does not count has been reported where it stands.
		usable = false
	} else if i.Interface == "" && (i.unicast == nil || !i.Source.IsValid()) {
		d.fatal("missing-interface", i.at("interface"), "Add a line interface NAME.", "vrrp_instance %s has no interface", i.Name)
		usable = false
	}
	return usable
}

func (d *decoder) completeVersion(i *instanceDraft) {
	i.IPv6 = i.family == 6
	i.Strict = d.global.strict
	if i.strict != nil {
		i.Strict = *i.strict
	}
	i.Version = i.version
	switch {
	case i.Version == 0 && i.IPv6:
		i.Version = 3
	case i.Version == 0:
		i.Version = d.global.version
	case i.Version == 2 && i.IPv6 && i.Strict:
		d.warn("version-ipv6", i.at("version"), "", "strict mode has no IPv6 in version 2; version 3 is used for vrrp_instance %s", i.Name)
		i.Version = 3
	}
	if !i.Group.IsValid() {
		i.Group = d.global.group4
		if i.IPv6 {
			i.Group = d.global.group6
		}
	}
}

func (d *decoder) completePriority(i *instanceDraft) {
	if i.Priority == 0 {
		i.Priority = 100
		if i.StateMaster {
			i.Priority = 255
		}
	}
	if !i.stateSet {
		i.StateMaster = i.Priority == 255
	}
}

func (d *decoder) completeStrictState(i *instanceDraft) {
	if i.Strict && i.StateMaster != (i.Priority == 255) {
		d.warn("strict-state", i.at("state"), "In strict mode only priority 255 may be state MASTER.", "the state of vrrp_instance %s does not fit its priority %d; it is changed", i.Name, i.Priority)
		i.StateMaster = i.Priority == 255
	}
}

func (d *decoder) completeAuth(i *instanceDraft) {
	if i.auth == nil && i.AuthType == "" {
		return
	}
	drop := func(code, help, format string, args ...any) {
		d.warn(code, of(i.auth.Words[0]), help, format, args...)
		i.AuthType, i.AuthPass = "", ""
	}
	switch {
	case i.AuthType == "":
		if i.AuthPass != "" {
			d.notice("auth-ignored", of(i.auth.Words[0]), "Add a line auth_type PASS.", "vrrp_instance %s has a password and no auth_type; adverts are not authenticated", i.Name)
		}
		i.AuthPass = ""
	case i.Version == 3:
		drop("auth-v3", "Remove the block, or write version 2.", "version 3 has no authentication; that of vrrp_instance %s does not count", i.Name)
	case i.Strict:
		drop("auth-strict", "", "strict mode has no authentication; that of vrrp_instance %s does not count", i.Name)
	case i.AuthPass == "" && i.AuthType == "PASS":
		drop("auth-empty", "Add a line auth_pass PASSWORD; a second keyword on one line does not count.", "authentication of vrrp_instance %s has no password and does not count", i.Name)
	case i.AuthType == "AH" && i.IPv6:
		drop("auth-ah-ipv6", "", "AH authentication is for IPv4 only; that of vrrp_instance %s does not count", i.Name)
	case i.AuthType == "AH":
		if i.StateMaster && i.Priority != 255 {
			i.StateMaster = false
			d.warn("auth-ah-master", i.at("state"), "", "state MASTER does not go with AH; BACKUP is used")
		}
	}
}

func (d *decoder) completeUnicast(i *instanceDraft) {
	unicast := i.Unicast()
	i.FaultWithoutPeer = i.FaultWithoutPeer && !unicast && i.unicast != nil
	if i.FaultWithoutPeer {
		d.notice("unicast-no-peer", of(*i.unicast), "Add a block unicast_peer, or remove the keyword.", "vrrp_instance %s asks for unicast and has no peer; it stays in FAULT", i.Name)
	} else if !unicast && i.unicast != nil {
		d.warn("unicast-no-peer", of(*i.unicast), "Add a block unicast_peer, or remove the keyword.", "vrrp_instance %s asks for unicast and has no peer; multicast is used", i.Name)
	}
	if i.ttl == nil {
		i.UnicastTTL = 255
		if i.IPv6 {
			i.UnicastTTL = 0
		}
	} else if !unicast {
		d.warn("unicast-ttl", of(*i.ttl), "", "unicast_ttl does not count without unicast_peer")
		i.UnicastTTL = 255
	}
	i.CheckSource = unicast && (i.CheckSource || d.global.checkUnicastSource)
	if unicast && i.Strict {
		d.fatal("unicast-strict", i.at("unicast_peer"), "Remove strict mode or the peers.", "strict mode has no unicast (vrrp_instance %s)", i.Name)
	}
	if i.Source.IsValid() && i.said["interface"] == nil && !unicast && i.Interface == "" {
		d.fatal("missing-interface", words(i.node, 0), "Add a line interface NAME.", "vrrp_instance %s has no interface and no peer", i.Name)
	}
	for _, p := range i.Peers {
		if p.Addr == i.Source {
			d.notice("unicast-self", i.at("unicast_peer"), "List the other routers only.", "vrrp_instance %s has its own address %s as a peer", i.Name, p.Addr)
		}
	}
}

func (d *decoder) completeAdvertInt(i *instanceDraft) {
	v, at := i.AdvertInterval, i.at("advert_int")
	if i.Version == 2 {
		rounded := max(v.Round(time.Second), time.Second)
		if rounded != v {
			d.warn("advert-int", at, "Write whole seconds, or version 3.", "advert_int %s of vrrp_instance %s is rounded to %s s, as version 2 has whole seconds", seconds(v), i.Name, seconds(rounded))
		}
		i.AdvertInterval = rounded
		return
	}
	const longest = 40950 * time.Millisecond
	rounded := min(max(v.Round(10*time.Millisecond), 10*time.Millisecond), longest)
	if rounded != v {
		d.warn("advert-int", at, "Version 3 has 0.01 to 40.95 s.", "advert_int %s of vrrp_instance %s becomes %s s", seconds(v), i.Name, seconds(rounded))
	}
	i.AdvertInterval = rounded
}

func (d *decoder) completeAddresses(i *instanceDraft) {
	if room := d.advertRoom(i.Instance); len(i.Addresses) > room {
		d.warn("vip-count", i.at("virtual_ipaddress"), "Put them into virtual_ipaddress_excluded.", "vrrp_instance %s has %d addresses; what is beyond %d moves to the excluded ones", i.Name, len(i.Addresses), room)
		i.Excluded = append(slices.Clone(i.Addresses[room:]), i.Excluded...)
		i.Addresses = i.Addresses[:room:room]
	}
	for _, list := range [][]Address{i.Addresses, i.Excluded} {
		for k := range list {
			if list[k].Interface == "" {
				list[k].Interface = i.Interface
			}
		}
	}
	if i.IPv6 && len(i.Addresses) > 0 && !i.Addresses[0].Prefix.Addr().IsLinkLocalUnicast() {
		report := d.notice
		if i.Strict {
			report = d.warn
		}
		report("vip-link-local", i.at("virtual_ipaddress"), "RFC 9568 asks for it, so that every router has the same next hop.", "the first address of vrrp_instance %s is not link-local", i.Name)
	}
}

func (d *decoder) completePreemption(i *instanceDraft) {
	if i.nopreempt && (i.Priority == 255 || i.StateMaster) {
		i.nopreempt = false
		d.warn("nopreempt-master", i.at("nopreempt"), "Write state BACKUP.", "nopreempt does not count with state MASTER (vrrp_instance %s)", i.Name)
	}
	i.Preempt = !i.nopreempt
	if i.PreemptDelay > 0 && (i.StateMaster || i.Strict || i.nopreempt) {
		i.PreemptDelay = 0
		d.warn("preempt-delay", i.at("preempt_delay"), "It needs state BACKUP, without nopreempt and without strict mode.", "preempt_delay of vrrp_instance %s does not count", i.Name)
	}
	i.DownTimerAdverts = i.downTimer
	def(&i.DownTimerAdverts, d.global.downTimerAdverts)
	if i.Strict {
		if i.downTimer != unset && i.downTimer != 3 {
			d.warn("strict-down-timer", i.at("down_timer_adverts"), "", "strict mode waits for 3 adverts (vrrp_instance %s)", i.Name)
		}
		i.DownTimerAdverts = 3
	}
}

func (d *decoder) completeGARP(i *instanceDraft) {
	g := &d.global
	def(&i.garpDelay, g.garpDelay)
	def(&i.garpRepeat, g.garpRepeat)
	def(&i.garpRefresh, g.garpRefresh)
	def(&i.garpRefreshRepeat, g.garpRefreshRepeat)
	if i.Strict {
		i.garpLowerDelay, i.garpLowerRepeat = 0, 0
	}
	def(&i.garpLowerDelay, g.garpLowerDelay)
	def(&i.garpLowerRepeat, g.garpLowerRepeat)
	second := func(n int) time.Duration { return time.Duration(n) * time.Second }
	i.GARP = GARP{
		Delay: second(i.garpDelay), Repeat: max(i.garpRepeat, 1),
		Refresh: second(i.garpRefresh), RefreshRepeat: max(i.garpRefreshRepeat, 1),
		LowerPrioDelay: second(i.garpLowerDelay), LowerPrioRepeat: i.garpLowerRepeat,
	}
}

// completeAdverts resolves how adverts are sent and judged.
func (d *decoder) completeAdverts(i *instanceDraft) {
	pick := func(own *bool, inherited bool) bool {
		if own != nil {
			return *own
		}
		return inherited
	}
	owner := i.Priority == 255
	i.LowerPrioNoAdvert = i.Strict || pick(i.lowerPrioNoAdvert, d.global.lowerPrioNoAdvert)
	i.HigherPrioSendAdvert = !i.Strict && pick(i.higherPrioSendAdvert, d.global.higherPrioSendAdvert)
	i.SkipCheckAddresses = pick(i.skipCheckAddresses, d.global.skipCheckAddresses)
	i.ChecksumV2Style = i.Version == 3 && !i.IPv6 && pick(i.checksumV2, d.global.checksumV2)
	d.completeOwner(i)
	i.Accept = owner || pick(i.accept, !i.Strict)
	if i.Strict && i.Version == 2 && i.accept != nil && *i.accept && !owner {
		d.warn("accept-strict", i.at("accept"), "", "version 2 has no accept mode; strict mode drops it (vrrp_instance %s)", i.Name)
		i.Accept = false
	}
}

// completeOwner resolves whether the owner of the addresses ignores adverts.
func (d *decoder) completeOwner(i *instanceDraft) {
	owner, said := i.Priority == 255, i.ownerIgnoreAdverts
	at := i.at("owner_ignore_adverts")
	switch {
	case said == nil:
		i.OwnerIgnoreAdverts = owner && (i.Strict || d.global.ownerIgnoreAdverts)
	case *said && !owner:
		d.warn("owner-adverts", at, "Only an instance of priority 255 can.", "owner_ignore_adverts of vrrp_instance %s does not count, as its priority is %d", i.Name, i.Priority)
	case !*said && owner && i.Strict:
		d.warn("owner-adverts", at, "", "in strict mode the owner of the addresses ignores adverts (vrrp_instance %s)", i.Name)
		i.OwnerIgnoreAdverts = true
	default:
		i.OwnerIgnoreAdverts = *said
	}
}

// completeReports resolves what is told of the instance, and its announcements.
func (d *decoder) completeReports(i *instanceDraft) {
	i.SMTPAlert = d.alertFor(i.alert, d.global.alertVRRP, false)
	i.NotifyPriorityChanges = d.global.notifyPriorityChanges
	if g := d.groupNaming(i.Name); g != nil && g.notifyPriorityChanges != nil {
		i.NotifyPriorityChanges = *g.notifyPriorityChanges
	}
	if i.notifyPriorityChanges != nil {
		i.NotifyPriorityChanges = *i.notifyPriorityChanges
	}
	i.ExtraGARP = i.extraGARP
	if i.ExtraGARP.Interval == unset {
		i.ExtraGARP = d.global.extraGARP
	}
	if i.TimerExpiredBackup > 0 && i.Preempt {
		d.warn("timer-expired", i.at("timer_expired_backup"), "Add nopreempt.", "timer_expired_backup of vrrp_instance %s needs nopreempt and does not count", i.Name)
		i.TimerExpiredBackup = 0
	}
}

// groupNaming is the group that names an instance as a member.
func (d *decoder) groupNaming(name string) *groupDraft {
	for _, g := range d.groups {
		if slices.ContainsFunc(g.members, func(w token) bool { return w.Value == name }) {
			return g
		}
	}
	return nil
}

// completeNoVIPs judges an instance without addresses; false where it cannot run.
func (d *decoder) completeNoVIPs(i *instanceDraft) bool {
	if len(i.Addresses) > 0 || i.noVIPs && !i.Strict {
		return true
	}
	if i.Version == 2 && !i.Strict {
		d.warn("no-vip", i.at("virtual_ipaddress"), "Add a block virtual_ipaddress.", "vrrp_instance %s has no virtual_ipaddress", i.Name)
		return true
	}
	d.fatal("no-vip", i.at("virtual_ipaddress"), "Add a block virtual_ipaddress, or no_virtual_ipaddress.", "vrrp_instance %s has no virtual_ipaddress; version 3 needs one", i.Name)
	return false
}

// completeTracks drops what cannot be tracked.
func (d *decoder) completeTracks(i *instanceDraft) {
	if i.pollLink && !slices.ContainsFunc(d.cfg.LinkPolls, func(p LinkPoll) bool { return p.Interface == i.Interface }) {
		d.cfg.LinkPolls = append(d.cfg.LinkPolls, LinkPoll{Pos: i.Pos, Interface: i.Interface})
	}
	i.TrackInterfaces = slices.DeleteFunc(i.TrackInterfaces, func(t Track) bool {
		if t.Name != i.Interface {
			return false
		}
		d.warn("track-own-interface", d.line(i.node, "track_interface", t), "An instance tracks its own interface anyway.", "vrrp_instance %s tracks its own interface %s; the line does not count", i.Name, t.Name)
		return true
	})
	if i.Priority != 255 {
		return
	}
	weighted := func(block string) func(Track) bool {
		return func(t Track) bool {
			if t.Weight == 0 {
				return false
			}
			d.warn("track-owner", d.line(i.node, block, t), "Only a weight of 0 has an effect on priority 255.", "the weight of %s does not count for the owner of the addresses (vrrp_instance %s)", t.Name, i.Name)
			return true
		}
	}
	i.TrackScripts = slices.DeleteFunc(i.TrackScripts, weighted("track_script"))
	i.TrackInterfaces = slices.DeleteFunc(i.TrackInterfaces, weighted("track_interface"))
	i.TrackFiles = slices.DeleteFunc(i.TrackFiles, weighted("track_file"))
	i.TrackBFD = slices.DeleteFunc(i.TrackBFD, weighted("track_bfd"))
	// keepalived says nothing of a process, whose weight has no effect either.
	i.TrackProcesses = slices.DeleteFunc(i.TrackProcesses, func(t Track) bool { return t.Weight != 0 })
}

// line is the place of a tracked thing in the block of that name.
func (d *decoder) line(n *node, block string, t Track) span {
	for _, b := range n.Body {
		if b.name() != block {
			continue
		}
		for _, l := range b.Body {
			if len(l.Words) > 0 && l.Words[0].pos() == t.Pos {
				return words(l, 0)
			}
		}
	}
	return words(n, 0)
}

// duplicateVRIDs finds virtual routers that would be one on the network.
func (d *decoder) duplicateVRIDs() {
	for n, i := range d.instances {
		for _, other := range d.instances[:n] {
			same := i.VRID != 0 && i.VRID == other.VRID && i.Interface == other.Interface && i.IPv6 == other.IPv6 &&
				i.Group == other.Group && i.Unicast() == other.Unicast() &&
				(!i.Unicast() || i.Source == other.Source)
			if same {
				d.fatal("duplicate-vrid", i.at("virtual_router_id"), "Give each virtual router on an interface a number of its own.", "vrrp_instance %s and %s (line %d) both are virtual router %d on %s", i.Name, other.Name, other.Pos.Line, i.VRID, orElse(i.Interface, "no interface"))
				break
			}
		}
	}
}

// completeGroup resolves the members of a sync group.
func (d *decoder) completeGroup(g *groupDraft) {
	var members []*instanceDraft
	for _, w := range g.members {
		i := d.instanceNamed(w.Value)
		if i == nil {
			d.fail("member-undefined", of(w), d.instanceHelp(w.Value), "vrrp_sync_group %s has the member %s, which is not defined", g.Name, w.Value)
			continue
		}
		if owner := d.groupOf(i); owner != "" {
			d.fail("member-twice", of(w), "An instance can be in one group.", "%s is in vrrp_sync_group %s already", w.Value, owner)
			continue
		}
		g.Members = append(g.Members, i.Name)
		members = append(members, i)
	}
	switch len(g.Members) {
	case 0:
		d.fail("group-empty", words(g.node, 0), "Add a block group with the names of instances.", "vrrp_sync_group %s has no member; it does not count", g.Name)
		return
	case 1:
		d.warn("group-single", words(g.node, 0), "A group ties two or more instances together.", "vrrp_sync_group %s has one member only", g.Name)
	}
	g.SMTPAlert = d.alertFor(g.alert, d.global.alertVRRP, false)
	g.NotifyPriorityChanges = d.global.notifyPriorityChanges
	if g.notifyPriorityChanges != nil {
		g.NotifyPriorityChanges = *g.notifyPriorityChanges
	}
	d.cfg.SyncGroups = append(d.cfg.SyncGroups, g.SyncGroup)
	for _, i := range members {
		d.groupTracks(g, i)
	}
	d.groupStates(g, members)
}

// groupTracks settles what a member and its group track.
func (d *decoder) groupTracks(g *groupDraft, i *instanceDraft) {
	// keepalived speaks of interfaces only.
	both := func(report func(string, span, string, string, ...any), block string, of []Track) func(Track) bool {
		return func(t Track) bool {
			if !slices.ContainsFunc(of, func(o Track) bool { return o.Name == t.Name }) {
				return false
			}
			report("track-twice", d.line(i.node, block, t), "Remove one of the two.", "%s is tracked by vrrp_instance %s and by its group %s, whose weight counts", t.Name, i.Name, g.Name)
			return true
		}
	}
	i.TrackInterfaces = slices.DeleteFunc(i.TrackInterfaces, both(d.warn, "track_interface", g.TrackInterfaces))
	i.TrackScripts = slices.DeleteFunc(i.TrackScripts, both(d.notice, "track_script", g.TrackScripts))
	i.TrackFiles = slices.DeleteFunc(i.TrackFiles, both(d.notice, "track_file", g.TrackFiles))
	i.TrackProcesses = slices.DeleteFunc(i.TrackProcesses, both(d.notice, "track_process", g.TrackProcesses))
	i.TrackBFD = slices.DeleteFunc(i.TrackBFD, both(d.notice, "track_bfd", g.TrackBFD))
	for _, t := range g.TrackInterfaces {
		if t.Name == i.Interface {
			d.warn("track-own-interface", d.line(g.node, "track_interface", t), "An instance tracks its own interface anyway.", "%s, which vrrp_sync_group %s tracks, is the interface of its member %s", t.Name, g.Name, i.Name)
		}
	}
	if g.weights {
		return
	}
	const help = "Write sync_group_tracking_weight in the group to keep weights."
	weighted := func(block, what string) func(Track) bool {
		return func(t Track) bool {
			if t.Weight == 0 {
				return false
			}
			d.warn("track-group-weight", d.line(i.node, block, t), help, "the %s %s has a weight, which does not go with vrrp_sync_group %s; it is not tracked by %s", what, t.Name, g.Name, i.Name)
			return true
		}
	}
	i.TrackScripts = slices.DeleteFunc(i.TrackScripts, weighted("track_script", "script"))
	i.TrackBFD = slices.DeleteFunc(i.TrackBFD, weighted("track_bfd", "BFD session"))
	// A file's own weight is 1 unless it says otherwise.
	for k := range i.TrackFiles {
		if t := &i.TrackFiles[k]; t.Weight == 1 && !t.Reverse {
			d.warn("track-group-weight", d.line(i.node, "track_file", *t), help+" Or write weight 0.", "the file %s has a weight, which does not go with vrrp_sync_group %s; it is 0", t.Name, g.Name)
			t.Weight = 0
		}
	}
	i.TrackFiles = slices.DeleteFunc(i.TrackFiles, weighted("track_file", "file"))
	for k := range i.TrackInterfaces {
		if t := &i.TrackInterfaces[k]; t.Weight != 0 {
			d.warn("track-group-weight", d.line(i.node, "track_interface", *t), help, "the interface %s has a weight, which does not go with vrrp_sync_group %s; it is 0", t.Name, g.Name)
			// With the weight goes its sign: an interface that is up must be no fault.
			t.Weight, t.Reverse = 0, false
		}
	}
}

// groupStates warns of members that would not like to be the same.
func (d *decoder) groupStates(g *groupDraft, members []*instanceDraft) {
	for _, i := range members[1:] {
		if i.Preempt != members[0].Preempt {
			d.notice("group-preempt", i.at("nopreempt"), "", "the members of vrrp_sync_group %s differ in nopreempt", g.Name)
			return
		}
	}
}

func (d *decoder) instanceNamed(name string) *instanceDraft {
	for _, i := range d.instances {
		if i.Name == name {
			return i
		}
	}
	return nil
}

// groupOf is the group that has i already.
func (d *decoder) groupOf(i *instanceDraft) string {
	for _, g := range d.groups {
		if slices.Contains(g.Members, i.Name) {
			return g.Name
		}
	}
	return ""
}

// instanceHelp says which instance may be meant.
func (d *decoder) instanceHelp(name string) string {
	names := make([]string, 0, len(d.instances))
	for _, i := range d.instances {
		names = append(names, i.Name)
	}
	if best := nearest(name, names); best != "" {
		return "Did you mean " + best + "?"
	}
	return "Define vrrp_instance " + name + ", or remove the line."
}

// dropBadTracks leaves scripts that cannot be run out of what is tracked: their
// instances run as if they tracked nothing.
func (d *decoder) dropBadTracks() {
	bad := func(t Track) bool {
		s := d.scriptNamed(t.Name)
		return s == nil || s.fault != nil
	}
	for _, i := range d.instances {
		i.TrackScripts = slices.DeleteFunc(i.TrackScripts, bad)
	}
	for _, g := range d.groups {
		g.TrackScripts = slices.DeleteFunc(g.TrackScripts, bad)
	}
}
