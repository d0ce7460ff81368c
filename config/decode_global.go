package config

import "net/netip"

// globalDraft holds the defaults that instances and checks inherit.
type globalDraft struct {
	version, downTimerAdverts                       int
	garpDelay, garpRepeat                           int
	garpRefresh, garpRefreshRepeat                  int
	garpLowerDelay, garpLowerRepeat                 int
	lowerPrioNoAdvert, higherPrioSendAdvert, strict bool
	checkUnicastSource, skipCheckAddresses          bool
	ownerIgnoreAdverts, checksumV2, logAllFailures  bool
	group4, group6                                  netip.Addr
}

func newGlobalDraft() globalDraft {
	return globalDraft{
		version: 2, downTimerAdverts: 3,
		garpDelay: unset, garpRepeat: unset, garpRefresh: unset, garpRefreshRepeat: unset,
		garpLowerDelay: unset, garpLowerRepeat: unset,
		group4: netip.AddrFrom4([4]byte{224, 0, 0, 18}),
		group6: netip.AddrFrom16([16]byte{0: 0xff, 1: 0x02, 15: 0x12}),
	}
}

// def sets an int that has not been set.
func def(p *int, value int) {
	if *p == unset {
		*p = value
	}
}

// finish gives what nothing was said about its default.
func (g *globalDraft) finish() {
	def(&g.garpDelay, 5)
	def(&g.garpRepeat, 5)
	def(&g.garpRefresh, 0)
	def(&g.garpRefreshRepeat, 1)
	g.garpRepeat = max(g.garpRepeat, 1)
	g.garpRefreshRepeat = max(g.garpRefreshRepeat, 1)
	def(&g.garpLowerDelay, g.garpDelay)
	def(&g.garpLowerRepeat, g.garpRepeat)
}

func globalRouterID(d *decoder, n *Node) {
	if len(n.Words) < 2 {
		d.fail("missing-value", of(n.Words[0]), "Write router_id NAME.", "router_id names nothing")
		return
	}
	d.cfg.Global.RouterID = n.Words[1].Value
}

func globalDynamic(d *decoder, n *Node) {
	d.cfg.Global.DynamicInterfaces = true
	if len(n.Words) > 1 && n.Words[1].Value != "allow_if_changes" {
		d.warn("invalid-value", of(n.Words[1]), "The only option is allow_if_changes.", "unknown option '%s' of dynamic_interfaces", n.Words[1].Value)
	}
}

func globalMinGARP(d *decoder, n *Node) {
	if on, ok := d.boolean(n); !ok || !on {
		return
	}
	def(&d.global.garpRepeat, 1)
	def(&d.global.garpDelay, 0)
	def(&d.global.garpRefresh, 0)
	def(&d.global.garpRefreshRepeat, 1)
}

func globalGroup(d *decoder, n *Node) {
	w := n.Words[1]
	six := n.name() == "vrrp_mcast_group6"
	a, ok := parseAddr(w.Value)
	if !ok || !a.IsMulticast() || a.Is6() != six {
		d.fail("invalid-address", of(w), "", "%s is not a multicast address for %s", w.Value, n.name())
		return
	}
	if six {
		if !a.IsLinkLocalMulticast() {
			d.warn("group-scope", of(w), "Use one that begins with ff02.", "%s is not a link-local group", w.Value)
		}
		d.global.group6 = a
		return
	}
	d.global.group4 = a
}

func globalScriptUser(d *decoder, n *Node) {
	u := userOf(n.Words[1:])
	if u.Name == "" {
		d.fail("invalid-value", words(n, 1), "", "script_user names no user")
		return
	}
	if env, ok := d.options.Environment.(UserEnvironment); ok {
		if err := env.User(u); err != nil {
			d.fail("script-user", words(n, 1), "", "script_user does not count: %v", err)
			return
		}
	}
	d.cfg.Global.ScriptUser = u
}
