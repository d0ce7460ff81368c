package config

import (
	"math/bits"
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"time"
)

// Flags of an IPVS service as the kernel numbers them (IP_VS_SVC_F_*).
const (
	flagOnePacket = 0x0004
	flagSched1    = 0x0008
	flagSched2    = 0x0010
	flagSched3    = 0x0020
)

// timing holds the times that checks inherit, nil where nothing was said.
type timing struct {
	beforeRetry, warmup, connect, interval *time.Duration
}

// serviceDraft is a virtual_server being read.
type serviceDraft struct {
	*VirtualServer
	node *node
	timing
	retry          *int
	weight         int
	forwarding     Forwarding
	inhibit, alpha bool
	virtualhost    string
	// set is the name of a virtual_server_group.
	set     string
	servers []*serverDraft
	// room is where its real servers are, all in one piece.
	room []RealServer
	// family is 4 or 6, 0 while it is not known (a mark).
	family      int
	persistence bool
	alert       *bool
}

// at is where the keyword name is last in the service, else the block's head.
func (s *serviceDraft) at(name string) span {
	for _, n := range slices.Backward(s.node.Body) {
		if n.name() == name {
			return words(n, 0)
		}
	}
	return words(s.node, 0)
}

// serverDraft is a real_server being read.
type serverDraft struct {
	*RealServer
	node *node
	timing
	retry, weight  *int
	alpha, inhibit *bool
	alert          *bool
	virtualhost    string
	checks         []*checkDraft
	// dormant are checks of kinds that are not honoured.
	dormant []*checkDraft
}

func virtualServerBlock(d *decoder, n *node) {
	switch {
	case n.settled != nil:
		d.services = append(d.services, &serviceDraft{VirtualServer: n.settled.moved(n.Words[0].Line), node: n})
	case n.passage != nil:
		d.passage(n)
	default:
		if s := d.service(n); s != nil {
			d.keep(s)
		}
	}
}

// keep keeps a service until all has been read.
func (d *decoder) keep(s *serviceDraft) {
	d.services = append(d.services, s)
	d.sketch = new(sketch)
}

// service reads a virtual_server, nil where it has no address.
func (d *decoder) service(n *node) *serviceDraft {
	s := &d.sketch.service
	*s = serviceDraft{VirtualServer: &VirtualServer{Pos: n.Words[0].pos(), Quorum: 1, PersistenceNetmask: unset}, node: n, weight: 1, servers: s.servers[:0]}
	if !d.serviceHead(s, n) {
		return nil
	}
	s.room = make([]RealServer, 0, n.count("real_server"))
	d.vs = s
	d.body(n, "virtual_server")
	d.vs = nil
	return s
}

// serviceHead reads what follows virtual_server.
func (d *decoder) serviceHead(s *serviceDraft, n *node) bool {
	if len(n.Words) < 2 {
		d.fail("missing-parameter", of(n.Words[0]), "Write virtual_server IP PORT { ... }.", "virtual_server lacks its address")
		return false
	}
	first := n.Words[1]
	switch first.Value {
	case "fwmark", "group":
		if len(n.Words) < 3 {
			d.fail("missing-parameter", of(first), "", "%s lacks its parameter", first.Value)
			return false
		}
		if first.Value == "group" {
			s.set = n.Words[2].Value
			return true
		}
		v, ok := d.number(n.Words[2], 1, 1<<32-1)
		s.FWMark = uint32(v)
		return ok
	}
	a, port, ok := d.endpoint(n.Words[1:])
	if !ok {
		return false
	}
	s.Addr, s.Port = a, port
	s.family = familyOfAddr(a)
	return true
}

// endpoint reads "IP [PORT]"; port 0 is none.
func (d *decoder) endpoint(w []token) (netip.Addr, uint16, bool) {
	a, ok := d.bareAddr(w[0])
	if !ok {
		d.fail("invalid-address", of(w[0]), "", "%s is no IP address; it does not count", w[0].Value)
		return a, 0, false
	}
	if len(w) < 2 {
		return a, 0, true
	}
	port, ok := d.number(w[1], 0, 65535)
	return a, uint16(port), ok
}

func familyOfAddr(a netip.Addr) int {
	if a.Is6() {
		return 6
	}
	return 4
}

func serviceFamily(d *decoder, n *node) {
	w := n.Words[1]
	family := map[string]int{"inet": 4, "inet6": 6}[w.Value]
	switch {
	case family == 0:
		d.fail("invalid-value", of(w), "Write inet or inet6.", "unknown ip_family %s", w.Value)
	case d.vs.family != 0 && d.vs.family != family:
		d.fail("address-family", of(w), "", "ip_family %s is not the family of the service's addresses", w.Value)
	default:
		d.vs.family = family
	}
}

// schedulers are those that the kernel has.
var schedulers = []string{"rr", "wrr", "lc", "wlc", "lblc", "sh", "mh", "dh", "fo", "ovf", "lblcr", "sed", "nq", "twos"}

func serviceScheduler(d *decoder, n *node) {
	w := n.Words[1]
	if !slices.Contains(schedulers, w.Value) {
		d.fail("invalid-value", of(w), "Write one of "+strings.Join(schedulers, ", ")+".", "unknown scheduler '%s'", w.Value)
		return
	}
	d.vs.Scheduler = w.Value
}

// schedulerFlag takes a flag that goes with a scheduler, which has to be named
// before it; none for any.
func schedulerFlag(bit uint32, scheduler string) func(*decoder, *node) {
	return func(d *decoder, n *node) {
		if scheduler != "" && d.vs.Scheduler != scheduler {
			d.fail("scheduler-flag", of(n.Words[0]), "Put lvs_sched "+scheduler+" above it.", "%s needs the scheduler %s", n.name(), scheduler)
			return
		}
		d.vs.SchedulerFlags |= bit
	}
}

func persistenceEngine(d *decoder, n *node) {
	v := n.Words[1].Value
	const longest = 15
	if len(v) > longest {
		report := d.warn
		if len(v) == longest+1 {
			// keepalived 2.2.7 lets that one pass.
			report = d.notice
		}
		report("invalid-value", of(n.Words[1]), "", "persistence_engine is cut to %d bytes", longest)
		v = v[:longest]
	}
	d.vs.PersistenceEngine = v
}

func persistenceTimeout(d *decoder, n *node) {
	d.vs.PersistenceTimeout = 360 * time.Second
	d.vs.persistence = true
	if len(n.Words) < 2 {
		return
	}
	v, ok := d.number(n.Words[1], 1, 2678400)
	if !ok {
		d.vs.PersistenceTimeout, d.vs.persistence = 0, false
		return
	}
	d.vs.PersistenceTimeout = time.Duration(v) * time.Second
}

func persistenceGranularity(d *decoder, n *node) {
	w := n.Words[1]
	length, ok := netmaskLength(w.Value)
	if !ok && d.vs.family == 4 && quadOrNumber(w.Value) {
		d.notice("invalid-value", of(w), "Write a mask like 255.255.255.0.", "%s is no mask whose bits are in one piece; it does not count", w.Value)
		return
	}
	if !ok && d.vs.family != 4 {
		v, good := d.number(w, 1, 128)
		if !good {
			return
		}
		length, ok = int(v), true
	}
	if !ok {
		d.fail("invalid-value", of(w), "Write a mask like 255.255.255.0, for IPv6 a prefix length.", "%s is no mask for persistence_granularity", w.Value)
		return
	}
	d.vs.PersistenceNetmask = length
	if !d.vs.persistence {
		d.vs.PersistenceTimeout = 360 * time.Second
	}
}

// quadOrNumber is true for what C takes for an IPv4 address.
func quadOrNumber(s string) bool {
	a, ok := parseAddr(s)
	if ok && a.Is4() {
		return true
	}
	_, err := strconv.ParseUint(s, 0, 32)
	return err == nil
}

// netmaskLength is the prefix length of an IPv4 mask, whose bits have to be in
// one piece.
func netmaskLength(s string) (int, bool) {
	a, ok := parseAddr(s)
	if !ok || !a.Is4() {
		return 0, false
	}
	b := a.As4()
	m := uint32(b[0])<<24 | uint32(b[1])<<16 | uint32(b[2])<<8 | uint32(b[3])
	length := bits.LeadingZeros32(^m)
	return length, length > 0 && bits.OnesCount32(m) == length
}

func serviceProtocol(d *decoder, n *node) {
	w := n.Words[1]
	switch v := strings.ToUpper(w.Value); v {
	case "TCP", "UDP", "SCTP":
		d.vs.Protocol = v
	default:
		d.fail("invalid-value", of(w), "Write TCP, UDP or SCTP.", "unknown protocol %s", w.Value)
	}
}

// methodTo takes "NAT|DR|TUN" with the options of a tunnel.
func methodTo(place func(*decoder) *Forwarding) func(*decoder, *node) {
	return func(d *decoder, n *node) {
		if f, ok := d.method(n); ok {
			*place(d) = f
		}
	}
}

func (d *decoder) method(n *node) (Forwarding, bool) {
	w := n.Words[1]
	f := Forwarding{Method: w.Value}
	switch w.Value {
	case "NAT", "DR":
		if len(n.Words) > 2 {
			d.fail("unknown-option", words(n, 2), "", "%s is an option of TUN only", n.Words[2].Value)
			return f, false
		}
		return f, true
	case "TUN":
	default:
		help := "Write NAT, DR or TUN."
		if u := strings.ToUpper(w.Value); u == "NAT" || u == "DR" || u == "TUN" {
			help = "Write it in capitals: " + u + "."
		}
		d.fail("invalid-value", of(w), help, "unknown forwarding method '%s'", w.Value)
		return f, false
	}
	for i := 2; i < len(n.Words); i++ {
		w := n.Words[i]
		switch w.Value {
		case "type", "port":
			continue
		case "ipip", "gue", "gre":
			f.TunnelType = w.Value
		case "csum", "nocsum", "remcsum":
			f.Checksum = w.Value
		default:
			if n.Words[i-1].Value != "port" {
				d.fail("unknown-option", of(w), "", "unknown option %s of TUN", w.Value)
				return f, false
			}
			v, ok := d.number(w, 1, 65535)
			if !ok {
				return f, false
			}
			f.TunnelPort = uint16(v)
		}
	}
	if f.Checksum != "" && (f.TunnelType == "" || f.TunnelType == "ipip") {
		d.fail("tunnel-checksum", of(w), "Write TUN type gue port N, or type gre.", "an ipip tunnel has no checksum")
		return f, false
	}
	if f.TunnelType == "gue" && f.TunnelPort == 0 {
		d.fail("missing-value", of(w), "Write TUN type gue port N.", "a gue tunnel needs a port")
		return f, false
	}
	return f, true
}

func sorryServer(d *decoder, n *node) {
	a, port, ok := d.endpoint(n.Words[1:])
	if !ok {
		return
	}
	if f := familyOfAddr(a); d.vs.family != 0 && d.vs.family != f && d.vs.forwarding.Method != "TUN" {
		d.fail("address-family", of(n.Words[1]), "Only lvs_method TUN, named above, can mix families.", "%s is not of the family of its virtual_server; it does not count", a)
		return
	}
	if d.vs.Sorry != nil {
		d.notice("duplicate", of(n.Words[0]), "", "the service has a sorry_server already; this one takes its place")
	}
	d.vs.Sorry = &SorryServer{Pos: n.Words[0].pos(), Addr: a, Port: port, Forwarding: d.vs.forwarding}
}

// hasSorry reports where a setting of the sorry server comes before it.
func (d *decoder) hasSorry(n *node) bool {
	if d.vs.Sorry == nil {
		d.fail("sorry-order", of(n.Words[0]), "Put sorry_server above it.", "%s comes before sorry_server, or without it", n.name())
	}
	return d.vs.Sorry != nil
}

func sorryInhibit(d *decoder, n *node) {
	if d.hasSorry(n) {
		d.vs.Sorry.Inhibit = true
	}
}

func sorryMethod(d *decoder, n *node) {
	if f, ok := d.method(n); ok && d.hasSorry(n) {
		d.vs.Sorry.Forwarding = f
	}
}

func realServerBlock(d *decoder, n *node) {
	if len(n.Words) < 2 {
		d.fail("missing-parameter", of(n.Words[0]), "Write real_server IP PORT { ... }.", "real_server lacks its address")
		return
	}
	a, port, ok := d.endpoint(n.Words[1:])
	if !ok {
		return
	}
	family := familyOfAddr(a)
	if d.vs.family == 0 && d.vs.set == "" && d.vs.forwarding.Method != "TUN" {
		d.vs.family = family
	}
	if d.vs.family != 0 && d.vs.family != family && d.vs.forwarding.Method != "TUN" {
		d.fail("address-family", of(n.Words[1]), "Only lvs_method TUN, named above, can mix families.", "%s is not of the family of its virtual_server; it does not count", a)
		return
	}
	d.vs.room = append(d.vs.room, RealServer{Pos: n.Words[0].pos(), Addr: a, Port: port, Forwarding: d.vs.forwarding})
	r := d.sketch.server()
	r.node, r.RealServer = n, &d.vs.room[len(d.vs.room)-1]
	d.rs = r
	d.body(n, serverB)
	d.rs = nil
	d.vs.servers = append(d.vs.servers, r)
}

// serviceHashed takes hashed, which has no effect with any scheduler.
func serviceHashed(d *decoder, n *node) {
	if d.vs.Scheduler != "sh" && d.vs.Scheduler != "mh" {
		d.fail("scheduler-flag", of(n.Words[0]), "Remove the line.", "hashed needs the scheduler sh or mh")
	}
}

func followInstance(d *decoder, n *node) { d.vs.FollowInstance = n.Words[1].Value }
