package config

import (
	"math"
	"net/netip"
	"strings"
	"time"
)

// groupDraft is a vrrp_sync_group being read.
type groupDraft struct {
	*SyncGroup
	node                         *node
	members                      []token
	weights                      bool
	notifyPriorityChanges, alert *bool
}

func groupBlock(d *decoder, n *node) {
	name, ok := d.blockName(n)
	if !ok {
		return
	}
	for _, g := range d.groups {
		if g.Name == name {
			d.fail("duplicate", words(n, 0), "", "vrrp_sync_group %s is there already at line %d; this one does not count", name, g.Pos.Line)
			return
		}
	}
	d.group = &groupDraft{node: n, SyncGroup: &SyncGroup{Pos: n.Words[0].pos(), Name: name}}
	d.groups = append(d.groups, d.group)
	d.body(n, "vrrp_sync_group")
	d.group = nil
}

func groupMembers(d *decoder, n *node) {
	if len(d.group.members) > 0 {
		d.warn("duplicate", of(n.Words[0]), "", "vrrp_sync_group %s has a block group already", d.group.Name)
		return
	}
	d.lines(n, func(l *node) { d.group.members = append(d.group.members, l.Words...) })
}

func groupTrackInterface(d *decoder, n *node) {
	d.group.TrackInterfaces = d.interfaceTracks(n, d.group.TrackInterfaces, "vrrp_sync_group "+d.group.Name)
}

func groupTrackFile(d *decoder, n *node) {
	d.group.TrackFiles = d.fileTracks(n, d.group.TrackFiles, "vrrp_sync_group "+d.group.Name)
}

func groupTrackProcess(d *decoder, n *node) {
	d.group.TrackProcesses = d.processTracks(n, d.group.TrackProcesses, "vrrp_sync_group "+d.group.Name)
}

func groupTrackBFD(d *decoder, n *node) {
	d.group.TrackBFD = d.bfdTracks(n, d.group.TrackBFD, "vrrp_sync_group "+d.group.Name)
}

func groupTrackScript(d *decoder, n *node) {
	d.group.TrackScripts = d.scriptTracks(n, d.group.TrackScripts, "vrrp_sync_group "+d.group.Name)
}

// instanceDraft is a vrrp_instance being read.
type instanceDraft struct {
	*Instance
	node *node
	// pollLink is the old linkbeat_use_polling of the instance.
	pollLink bool
	// addresses are those of both lists.
	addresses map[netip.Addr]struct{}
	// family is 4 or 6, 0 while no address has been seen.
	family                                  int
	version, downTimer                      int
	stateSet, nopreempt, noVIPs             bool
	garpDelay, garpRepeat                   int
	garpRefresh, garpRefreshRepeat          int
	garpLowerDelay, garpLowerRepeat         int
	strict, accept                          *bool
	lowerPrioNoAdvert, higherPrioSendAdvert *bool
	ownerIgnoreAdverts, skipCheckAddresses  *bool
	checksumV2                              *bool
	notifyPriorityChanges, alert            *bool
	extraGARP                               ExtraGARP
	hmac                                    *hmacDraft
	// unicast is the keyword that asks for unicast, ttl that of unicast_ttl.
	unicast, ttl *token
	// auth is the block authentication.
	auth *node
	// said are the keywords of the block, by name: the last of each.
	said map[string]*node
}

// at is where the keyword name is in the instance, else the block's head.
func (i *instanceDraft) at(name string) span {
	if n := i.said[name]; n != nil {
		return words(n, 0)
	}
	return words(i.node, 0)
}

func instanceBlock(d *decoder, n *node) {
	name, ok := d.blockName(n)
	if !ok {
		return
	}
	for _, i := range d.instances {
		if i.Name == name {
			d.fail("duplicate", words(n, 0), "Give each instance a name of its own.", "vrrp_instance %s is there already at line %d; this one does not count", name, i.Pos.Line)
			return
		}
	}
	i := &instanceDraft{
		node: n, Instance: &Instance{Pos: n.Words[0].pos(), Name: name, AdvertInterval: time.Second, TrackPrimary: true},
		downTimer: unset, garpDelay: unset, garpRepeat: unset, garpRefresh: unset, garpRefreshRepeat: unset,
		garpLowerDelay: unset, garpLowerRepeat: unset, said: saidBy(n),
		extraGARP: ExtraGARP{Interval: unset}, addresses: map[netip.Addr]struct{}{},
	}
	d.inst = i
	d.instances = append(d.instances, i)
	d.body(n, "vrrp_instance")
	d.inst = nil
}

// saidBy are the statements of a block by name, the last of each.
func saidBy(n *node) map[string]*node {
	said := make(map[string]*node, len(n.Body))
	for _, c := range n.Body {
		if len(c.Words) > 0 {
			said[c.name()] = c
		}
	}
	return said
}

func instanceState(d *decoder, n *node) {
	switch v := n.Words[1].Value; v {
	case "MASTER":
		d.inst.StateMaster, d.inst.stateSet = true, true
	case "BACKUP":
		d.inst.StateMaster, d.inst.stateSet = false, true
	default:
		d.inst.StateMaster, d.inst.stateSet = false, true
		d.warn("invalid-value", of(n.Words[1]), "Write MASTER or BACKUP.", "unknown state '%s', BACKUP is used", v)
	}
}

func instanceInterface(d *decoder, n *node) {
	w := n.Words[1]
	if w.Value == "lo" {
		d.fatal("interface-loopback", of(w), "VRRP needs a network with other routers.", "vrrp_instance %s cannot run on the loopback interface", d.inst.Name)
		return
	}
	d.inst.Interface = w.Value
	d.interfaceExists(w, "vrrp_instance "+d.inst.Name+" runs on")
}

func instanceVRID(d *decoder, n *node) {
	if v, ok := d.number(n.Words[1], 1, 255); ok {
		d.inst.VRID = int(v)
	}
}

func instancePriority(d *decoder, n *node) {
	v, ok := d.number(n.Words[1], 1, 255)
	if !ok {
		d.inst.Priority = 100
		return
	}
	d.inst.Priority = int(v)
}

func instanceVersion(d *decoder, n *node) {
	if v, ok := d.number(n.Words[1], 2, 3); ok {
		d.inst.version = int(v)
	}
}

func instanceAdvertInt(d *decoder, n *node) {
	w := n.Words[1]
	v, ok := parseSeconds(w.Value)
	if !ok || v < 10*time.Millisecond || v > 255*time.Second {
		d.fail("out-of-range", of(w), "Write 0.01 to 40.95 for version 3, 1 to 255 for version 2.", "'%s' is no valid advert_int; 1 s is used", w.Value)
		return
	}
	d.inst.AdvertInterval = v
}

func acceptTo(v bool) func(*decoder, *node) {
	return func(d *decoder, _ *node) { d.inst.accept = &v }
}

func authBlock(d *decoder, n *node) {
	d.inst.auth = n
	d.body(n, "vrrp_instance/authentication")
}

func authType(d *decoder, n *node) {
	switch v := n.Words[1].Value; v {
	case "PASS", "AH":
		d.inst.AuthType = v
	default:
		d.warn("invalid-value", of(n.Words[1]), "Write PASS.", "unknown auth_type '%s'", v)
	}
}

func authPass(d *decoder, n *node) {
	w := n.Words[1]
	d.adviseCut(w)
	d.inst.AuthPass = w.Value
	if len(w.Value) > 8 {
		d.inst.AuthPass = w.Value[:8]
		d.warn("auth-pass-cut", of(w), "Every router has to use the same first eight bytes.", "the password is cut to its first 8 bytes")
	}
}

// familyOf checks that an address of the instance fits those before it.
func (d *decoder) familyOf(a netip.Addr, w token) bool {
	family := 4
	if a.Is6() {
		family = 6
	}
	if d.inst.family == 0 {
		d.inst.family = family
	}
	if d.inst.family == family {
		return true
	}
	d.fail("address-family", of(w), "An instance is either IPv4 or IPv6; put the other family into virtual_ipaddress_excluded or an instance of its own.",
		"%s is not of the family of vrrp_instance %s; it does not count", w.Value, d.inst.Name)
	return false
}

// bareAddr reads an address whose prefix length, if it has one, means nothing.
func (d *decoder) bareAddr(w token) (netip.Addr, bool) {
	text, _, has := strings.Cut(w.Value, "/")
	a, ok := parseAddr(text)
	if ok && has {
		d.notice("invalid-prefix", of(w), "Leave the length out.", "the prefix length of %s has no meaning here", w.Value)
	}
	return a, ok
}

func instanceSource(d *decoder, n *node) {
	w := n.Words[1]
	a, ok := d.bareAddr(w)
	if !ok {
		d.fail("invalid-address", of(w), "", "%s is no IP address; %s does not count", w.Value, n.name())
		return
	}
	if !d.familyOf(a, w) {
		return
	}
	d.inst.Source = a
	if n.name() == "unicast_src_ip" {
		d.inst.unicast = &n.Words[0]
	}
}

func instanceGroup(d *decoder, n *node) {
	w := n.Words[1]
	a, ok := parseAddr(w.Value)
	if !ok || !a.IsMulticast() || a.Is6() && !a.IsLinkLocalMulticast() {
		d.fail("invalid-address", of(w), "", "%s is no multicast address for adverts", w.Value)
		return
	}
	if d.familyOf(a, w) {
		d.inst.Group = a
	}
}

func instanceFaultNoPeer(d *decoder, _ *node) { d.inst.FaultWithoutPeer = true }

func instanceOldChecksum(d *decoder, n *node) {
	d.inst.unicast = &n.Words[0]
	d.inst.OldUnicastChecksum = "on"
	if len(n.Words) < 2 {
		return
	}
	if n.Words[1].Value != "never" {
		d.warn("invalid-value", of(n.Words[1]), "The only option is never.", "'%s' is no option of old_unicast_checksum", n.Words[1].Value)
		d.inst.OldUnicastChecksum = ""
		return
	}
	d.inst.OldUnicastChecksum = "never"
}

// instanceVRF takes the VRF of unicast without an interface.
func instanceVRF(d *decoder, n *node) {
	w := n.Words[1]
	if d.inst.Interface != "" {
		d.fail("vrf-interface", of(w), "Remove interface or vrf.", "vrrp_instance %s has an interface; vrf does not count", d.inst.Name)
		return
	}
	if d.interfaceExists(w, "vrrp_instance "+d.inst.Name+" has as its VRF") {
		d.inst.VRF = w.Value
	}
}

// instanceNative takes native_ipv6, an old way to ask for IPv6 and version 3.
func instanceNative(d *decoder, n *node) {
	if d.inst.family == 4 {
		d.fail("address-family", of(n.Words[0]), "", "native_ipv6 does not go with the IPv4 addresses of vrrp_instance %s", d.inst.Name)
		return
	}
	d.inst.family = 6
	d.inst.version = 3
}

// instanceTimerExpired takes "[PRIO]".
func instanceTimerExpired(d *decoder, n *node) {
	d.inst.TimerExpiredBackup = 254
	if len(n.Words) < 2 {
		return
	}
	if v, ok := d.number(n.Words[1], 1, 254); ok {
		d.inst.TimerExpiredBackup = int(v)
	}
}

// instanceSyncDaemon takes lvs_sync_daemon_interface, an old way to write
// lvs_sync_daemon for this instance. Its daemon has the number 0, not the VRID.
func instanceSyncDaemon(d *decoder, n *node) {
	if d.global.sync != nil {
		d.notice("duplicate", words(n, 0), "", "there is a lvs_sync_daemon already; this one does not count")
		return
	}
	w := n.Words[1]
	d.global.sync = &syncDraft{node: n, id: true, SyncDaemon: &SyncDaemon{Pos: w.pos(), Interface: w.Value, Instance: d.inst.Name}}
}

func instanceUnicastTTL(d *decoder, n *node) {
	if v, ok := d.number(n.Words[1], 0, 255); ok {
		d.inst.UnicastTTL = int(v)
		d.inst.ttl = &n.Words[0]
	}
}

func instancePeers(d *decoder, n *node) {
	d.inst.unicast = &n.Words[0]
	d.lines(n, func(l *node) {
		w := l.Words[0]
		a, ok := d.bareAddr(w)
		if !ok {
			d.fail("invalid-address", of(w), "", "%s is no IP address; the peer does not count", w.Value)
			return
		}
		if !d.familyOf(a, w) {
			return
		}
		p := UnicastPeer{Addr: a, MaxTTL: math.MaxUint8}
		for i := 1; i < len(l.Words); i++ {
			name := l.Words[i]
			place := map[string]*int{"min_ttl": &p.MinTTL, "max_ttl": &p.MaxTTL}[name.Value]
			if place == nil {
				d.warn("unknown-option", of(name), "A peer may have min_ttl N and max_ttl N.", "unknown option %s for a peer", name.Value)
				continue
			}
			if i++; i >= len(l.Words) {
				d.fail("missing-value", of(name), "", "%s lacks its parameter", name.Value)
				break
			}
			if v, ok := d.number(l.Words[i], 0, math.MaxUint8); ok {
				*place = int(v)
				d.inst.CheckSource = true
			}
		}
		d.inst.Peers = append(d.inst.Peers, p)
	})
}

func instanceTrackInterface(d *decoder, n *node) {
	d.inst.TrackInterfaces = d.interfaceTracks(n, d.inst.TrackInterfaces, "vrrp_instance "+d.inst.Name)
}

func instanceTrackFile(d *decoder, n *node) {
	d.inst.TrackFiles = d.fileTracks(n, d.inst.TrackFiles, "vrrp_instance "+d.inst.Name)
}

func instanceTrackProcess(d *decoder, n *node) {
	d.inst.TrackProcesses = d.processTracks(n, d.inst.TrackProcesses, "vrrp_instance "+d.inst.Name)
}

func instanceTrackBFD(d *decoder, n *node) {
	d.inst.TrackBFD = d.bfdTracks(n, d.inst.TrackBFD, "vrrp_instance "+d.inst.Name)
}

func instanceTrackScript(d *decoder, n *node) {
	d.inst.TrackScripts = d.scriptTracks(n, d.inst.TrackScripts, "vrrp_instance "+d.inst.Name)
}

func instanceVIPs(d *decoder, n *node) {
	d.lines(n, func(l *node) {
		a, ok := d.address(l, virtualAddress)
		if ok && d.familyOf(a.Prefix.Addr(), l.Words[0]) && d.firstOf(a, l) {
			d.inst.Addresses = append(d.inst.Addresses, a)
		}
	})
}

// firstOf is true where the instance has the address on no line before. The
// adverts would name it twice, and so differ from a keepalived peer's.
func (d *decoder) firstOf(a Address, l *node) bool {
	addr := a.Prefix.Addr()
	if _, there := d.inst.addresses[addr]; there {
		d.warn("duplicate", of(l.Words[0]), "", "vrrp_instance %s has the address %s already; this line does not count", d.inst.Name, addr)
		return false
	}
	d.inst.addresses[addr] = struct{}{}
	return true
}

func instanceExcluded(d *decoder, n *node) {
	d.lines(n, func(l *node) {
		if a, ok := d.address(l, virtualAddress); ok && d.firstOf(a, l) {
			d.inst.Excluded = append(d.inst.Excluded, a)
		}
	})
}
