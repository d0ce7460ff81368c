package config

import (
	"net/netip"
	"slices"
	"strings"
	"time"
)

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
	notifyPriorityChanges                           bool
	alert, alertVRRP, alertChecker                  *bool
	startupTimeout, shutdownTimeout                 time.Duration
	extraGARP                                       ExtraGARP
	sync                                            *syncDraft
	// mailAt is where e-mail was last spoken of, commands the scripts.
	mailAt   span
	commands []span
}

func newGlobalDraft() globalDraft {
	return globalDraft{
		version: 2, downTimerAdverts: 3,
		garpDelay: unset, garpRepeat: unset, garpRefresh: unset, garpRefreshRepeat: unset,
		garpLowerDelay: unset, garpLowerRepeat: unset,
		startupTimeout: 10 * time.Second, shutdownTimeout: 10 * time.Second,
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

// newGlobal is a Global of which nothing has been said.
func newGlobal() Global {
	return Global{
		DefaultInterface: "eth0", VMACPrefix: "vrrp",
		Files:   Files{JSONVersion: 1},
		Buffers: Buffers{AdvertMultiplier: 3},
	}
}

// completeGlobal resolves the global settings once all of them have been read.
func (d *decoder) completeGlobal() {
	d.global.finish()
	g := &d.cfg.Global
	if g.VMACAddressPrefix == "" {
		g.VMACAddressPrefix = g.VMACPrefix
	}
	for _, s := range []struct {
		command **TimedCommand
		timeout time.Duration
		name    string
	}{{&g.Startup, d.global.startupTimeout, "startup_script"}, {&g.Shutdown, d.global.shutdownTimeout, "shutdown_script"}} {
		if *s.command == nil {
			continue
		}
		c := &(*s.command).Command
		if !d.runnable(c, d.spanAt(c.Pos), s.name) {
			*s.command = nil
			continue
		}
		(*s.command).Timeout = s.timeout
	}
	d.completeMail()
	d.completeFIFOs()
}

func globalRouterID(d *decoder, n *node) {
	if len(n.Words) < 2 {
		d.fail("missing-value", of(n.Words[0]), "Write router_id NAME.", "router_id names nothing")
		return
	}
	d.cfg.Global.RouterID = n.Words[1].Value
}

func globalDynamic(d *decoder, n *node) {
	d.cfg.Global.DynamicInterfaces = true
	if len(n.Words) < 2 {
		return
	}
	d.cfg.Global.InterfaceChanges = n.Words[1].Value == "allow_if_changes"
	if !d.cfg.Global.InterfaceChanges {
		d.warn("invalid-value", of(n.Words[1]), "The only option is allow_if_changes.", "unknown option '%s' of dynamic_interfaces", n.Words[1].Value)
	}
}

func globalMinGARP(d *decoder, n *node) {
	if on, ok := d.boolean(n); !ok || !on {
		return
	}
	def(&d.global.garpRepeat, 1)
	def(&d.global.garpDelay, 0)
	def(&d.global.garpRefresh, 0)
	def(&d.global.garpRefreshRepeat, 1)
}

func globalGroup(d *decoder, n *node) {
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

func globalScriptUser(d *decoder, n *node) {
	u := userOf(n.Words[1:])
	if u.Name == "" {
		d.fail("invalid-value", words(n, 1), "", "script_user names no user")
		return
	}
	if err := d.noUser(u); err != nil {
		d.fail("script-user", words(n, 1), "", "script_user does not count: %v", err)
		return
	}
	d.cfg.Global.ScriptUser = u
}

// advertBuffer takes "MTU", "ADVERT" or a number of bytes.
func advertBuffer(d *decoder, n *node) {
	w := n.Words[1]
	b := &d.cfg.Global.Buffers
	if len(n.Words) > 2 {
		d.fail("extra-words", words(n, 2), "", "%s takes one parameter", n.name())
		return
	}
	switch v := strings.ToUpper(w.Value); v {
	case "MTU", "ADVERT":
		b.AdvertPolicy, b.Advert = v, 0
	default:
		size, ok := d.number(w, 0, maxUint)
		if !ok {
			return
		}
		b.AdvertPolicy, b.Advert = "", int(size)
	}
}

func reloadCheck(d *decoder, n *node) {
	r := &d.cfg.Global.Reload
	r.Check = true
	if len(n.Words) > 1 {
		r.CheckLog = n.Words[1].Value
	}
}

func reloadFile(d *decoder, n *node) {
	d.cfg.Global.Reload.MarkFile = "-"
	if len(n.Words) > 1 {
		d.cfg.Global.Reload.MarkFile = n.Words[1].Value
	}
}

// includeCheckWords judges the words of include_check; what they mean has been
// seen while files were read.
func includeCheckWords(d *decoder, n *node) {
	levels := []string{"read", "match", "wildcard_match", "brace_match"}
	for _, w := range n.Words[1:] {
		name := strings.TrimLeft(w.Value, "+-")
		if !slices.Contains(levels, name) || len(w.Value)-len(name) > 1 {
			d.fail("invalid-value", of(w), "Write read, match, wildcard_match or brace_match, each with + or - before it if you like.", "'%s' is no level of include_check", w.Value)
		}
	}
}
