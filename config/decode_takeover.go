package config

import (
	"path/filepath"
	"strings"
	"time"
)

// takeoverKeywords are tandem's own of a vrrp_instance.
func takeoverKeywords() []Keyword {
	second := func(place func(*Takeover) *time.Duration) option {
		return does(durationTo(func(d *decoder) *time.Duration { return place(d.takeover) }, 100*time.Millisecond, time.Hour))
	}
	count := func(place func(*Takeover) *int) option {
		return does(intTo(func(d *decoder) *int { return place(d.takeover) }, 1, 1000))
	}
	out := in("vrrp_instance", []Keyword{
		row("takeover_requires", "{ }", "nothing", "tandem", "Lets this node take over only while something answers, so that one that is cut off does not claim the addresses.", own, does(takeoverBlock)),
		row("flap_damping", "N WINDOW HOLD", "off", "tandem", "Leaves mastership to others for HOLD seconds once it was lost N times within WINDOW seconds.", own, does(flapDamping)),
		row("unicast_peers_from", "{ }", "none", "tandem", "Reads further unicast peers from a file or a DNS name, again and again; the node's own addresses are left out.", own, does(peersFromBlock)),
	})
	out = append(out, in("vrrp_instance/takeover_requires", []Keyword{
		row("ping", "IP", "", "tandem", "Is an address that must answer to ICMP echo.", own, does(takeoverPing)),
		row("tcp", "IP PORT", "", "tandem", "Is an address and port that must accept a connection.", own, does(takeoverTCP)),
		row("match", "any|all", "any", "tandem", "Is how many of them must answer.", own, does(takeoverMatch)),
		row("interval", "SECS", "advert_int, 0.1 to 1", "tandem", "Is the time between two attempts.", own, second(func(t *Takeover) *time.Duration { return &t.Interval })),
		row("timeout", "SECS", "1", "tandem", "Is how long an answer may take.", own, second(func(t *Takeover) *time.Duration { return &t.Timeout })),
		row("rise", "N", "2", "tandem", "Is how many answers in sequence make good a target that has failed.", own, count(func(t *Takeover) *int { return &t.Rise })),
		row("fall", "N", "3", "tandem", "Is how many failures in sequence make a target fail.", own, count(func(t *Takeover) *int { return &t.Fall })),
		row("master", "stay|offer", "stay", "tandem", "Is what a master does that loses the condition: it goes on, or offers to any peer that may take over, and goes on where none does.", own, does(takeoverMaster)),
	})...)
	return append(out, in("vrrp_instance/unicast_peers_from", []Keyword{
		row("file", "PATH", "none", "tandem", "Is a file with one address a line; # begins a comment.", own, does(peersFile)),
		row("dns", "NAME", "none", "tandem", "Is a name whose addresses are the peers.", own, does(peersDNS)),
		row("interval", "SECS", "30", "tandem", "Is the longest time between two look-ups of the name.", own, does(durationTo(func(d *decoder) *time.Duration { return &d.peersFrom.Interval }, time.Second, 24*time.Hour))),
	})...)
}

func takeoverBlock(d *decoder, n *node) {
	d.takeover = &Takeover{Pos: n.Words[0].pos(), Timeout: time.Second, Rise: 2, Fall: 3}
	d.body(n, "vrrp_instance/takeover_requires")
	if len(d.takeover.Targets) == 0 {
		d.fail("takeover-targets", of(n.Words[0]), "Add a line ping IP or tcp IP PORT.", "takeover_requires of vrrp_instance %s has no target and does not count", d.inst.Name)
	} else {
		d.inst.Takeover = d.takeover
	}
	d.takeover = nil
}

// completeTakeover gives the attempts the pace of the adverts: what answers must do so
// while adverts are missing, before the master counts as down.
func (d *decoder) completeTakeover(i *instanceDraft) {
	if t := i.Takeover; t != nil && t.Interval == 0 {
		t.Interval = min(max(i.AdvertInterval, 100*time.Millisecond), time.Second)
	}
}

// takeoverTarget reads the address of a line.
func (d *decoder) takeoverTarget(n *node) (TakeoverTarget, bool) {
	w := n.Words[1]
	a, ok := d.bareAddr(w)
	if !ok {
		d.fail("invalid-address", of(w), "", "%s is no IP address; the target does not count", w.Value)
	}
	return TakeoverTarget{Addr: a}, ok
}

func takeoverPing(d *decoder, n *node) {
	if t, ok := d.takeoverTarget(n); ok {
		d.takeover.Targets = append(d.takeover.Targets, t)
	}
}

func takeoverTCP(d *decoder, n *node) {
	if len(n.Words) < 3 {
		d.fail("missing-value", of(n.Words[1]), "Write tcp IP PORT.", "the target has no port and does not count")
		return
	}
	t, ok := d.takeoverTarget(n)
	port, valid := d.number(n.Words[2], 1, 65535)
	if ok && valid {
		t.Port = int(port)
		d.takeover.Targets = append(d.takeover.Targets, t)
	}
}

// oneOf is true for yes and false for no; any other word is reported.
func (d *decoder) oneOf(w token, yes, no string) (value, ok bool) {
	if w.Value != yes && w.Value != no {
		d.fail("invalid-value", of(w), "Write "+no+" or "+yes+".", "'%s' is neither %s nor %s", w.Value, no, yes)
		return false, false
	}
	return w.Value == yes, true
}

func takeoverMatch(d *decoder, n *node) {
	if all, ok := d.oneOf(n.Words[1], "all", "any"); ok {
		d.takeover.All = all
	}
}

func takeoverMaster(d *decoder, n *node) {
	if offer, ok := d.oneOf(n.Words[1], "offer", "stay"); ok {
		d.takeover.Offer = offer
	}
}

// flapDamping takes "N WINDOW HOLD".
func flapDamping(d *decoder, n *node) {
	if len(n.Words) < 4 {
		d.fail("missing-value", words(n, 0), "Write flap_damping N WINDOW HOLD, say 3 60 300.", "flap_damping needs three numbers")
		return
	}
	flaps, ok := d.number(n.Words[1], 1, 1000)
	window, valid := d.duration(n.Words[2], time.Second, 24*time.Hour)
	hold, good := d.duration(n.Words[3], time.Second, 24*time.Hour)
	if ok && valid && good {
		d.inst.Damping = &Damping{Flaps: int(flaps), Window: window, Hold: hold}
	}
}

func peersFromBlock(d *decoder, n *node) {
	d.inst.unicast = &n.Words[0]
	d.peersFrom = &PeersFrom{Pos: n.Words[0].pos(), Interval: 30 * time.Second}
	d.body(n, "vrrp_instance/unicast_peers_from")
	if d.peersFrom.File == "" && d.peersFrom.DNS == "" {
		d.fail("peers-source", of(n.Words[0]), "Add a line file PATH or dns NAME.", "unicast_peers_from of vrrp_instance %s names no source and does not count", d.inst.Name)
	} else {
		d.inst.PeersFrom = d.peersFrom
	}
	d.peersFrom = nil
}

// peersFile takes a path, looked for from the folder of the configuration.
func peersFile(d *decoder, n *node) {
	w := n.Words[1]
	d.peersFrom.File = w.Value
	if !filepath.IsAbs(w.Value) {
		d.peersFrom.File = filepath.Join(filepath.Dir(w.pos().File), w.Value)
	}
}

func peersDNS(d *decoder, n *node) {
	w := n.Words[1]
	if strings.ContainsAny(w.Value, "/:") {
		d.fail("invalid-value", of(w), "Write a name like lb.example.net.", "'%s' is no DNS name", w.Value)
		return
	}
	d.peersFrom.DNS = w.Value
}
