package host

import (
	"bytes"
	"fmt"
	"maps"
	"net/netip"
	"slices"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"

	"github.com/tandem-ha/tandem/ipvs/nlmsg"
)

// Event is something that a Monitor saw. The set is closed.
type Event interface{ event() }

// LinkChanged says that a link is there, or that anything in Link changed.
type LinkChanged struct{ Link Link }

// LinkGone says that no link of this name is there any more: it was deleted,
// or renamed (then the LinkChanged of its new name follows).
type LinkGone struct {
	Name  string
	Index int
	// NewName is the name that the link has now, where it was renamed.
	NewName string
}

// AddressChanged says that an address came to a link or went from it. The
// LinkChanged of that link comes before it. An address that is tentative, or
// failed duplicate address detection, is not there.
type AddressChanged struct {
	Interface string
	Index     int
	Prefix    netip.Prefix
	Present   bool
}

// RouteChanged says that a route of our Protocol number came or went. It is a
// hint, to ask a RouteTable what is there: a change of some ways of a route can be
// told as the whole, and the kernel tells nothing of IPv4 routes that went with
// their interface or source address, which LinkChanged, LinkGone and
// AddressChanged tell of.
type RouteChanged struct {
	Route   Route
	Present bool
}

// RuleChanged says that a rule of our Protocol number came or went.
type RuleChanged struct {
	Rule    Rule
	Present bool
}

// Synced says that all that exists has been reported: after the first listing
// and after each one that followed a loss of notifications. Routes and rules are
// not reported so; a RouteTable and a RuleTable list them.
type Synced struct{}

func (LinkChanged) event()    {}
func (LinkGone) event()       {}
func (AddressChanged) event() {}
func (RouteChanged) event()   {}
func (RuleChanged) event()    {}
func (Synced) event()         {}

// linkTable turns the kernel's messages into events. It is pure: messages go
// in by update, and flush tells what changed since the last flush.
type linkTable struct {
	links map[int]*linkEntry
	// told is what the last flush reported, by index.
	told map[int]Link
	// dirty are the indexes touched since; urgent is set where a link itself
	// changed, not only its addresses.
	dirty  map[int]bool
	urgent bool
	// round numbers the listings; entries of an older round are gone.
	round int
	// routes and rules are the changes to be told, in their order.
	routes []routeNews
	rules  []RuleChanged
}

type routeNews struct {
	kernelRoute
	present bool
}

type linkEntry struct {
	link  Link
	known bool // an RTM_NEWLINK was seen, not only addresses
	round int
	// addrs are in the order of their coming; at finds them. One that went is
	// marked and taken out by the next snapshot.
	addrs []addrEntry
	at    map[addrKey]int
	gone  int
}

type addrKey struct{ prefix, peer netip.Prefix }

type addrEntry struct {
	addrKey
	secondary, usable, gone bool
	round                   int
}

func newLinkTable() *linkTable {
	return &linkTable{links: map[int]*linkEntry{}, told: map[int]Link{}, dirty: map[int]bool{}}
}

// begin starts a listing: what is not seen before sweep is gone.
func (t *linkTable) begin() { t.round++ }

// sweep ends a listing.
func (t *linkTable) sweep() {
	for index, e := range t.links {
		if e.round != t.round {
			e.clear()
			t.dirty[index] = true
			continue
		}
		for _, a := range e.addrs {
			if !a.gone && a.round != t.round {
				e.remove(a.addrKey)
				t.dirty[index] = true
			}
		}
	}
}

func (t *linkTable) entry(index int) *linkEntry {
	e := t.links[index]
	if e == nil {
		e = &linkEntry{at: map[addrKey]int{}}
		t.links[index] = e
	}
	return e
}

// update takes in one message; the error names one that cannot be read.
func (t *linkTable) update(m nlmsg.Message) error {
	switch m.Type {
	case unix.RTM_NEWLINK, unix.RTM_DELLINK:
		return t.updateLink(m)
	case unix.RTM_NEWADDR, unix.RTM_DELADDR:
		k, ok := parseAddress(m.Data)
		if !ok {
			return fmt.Errorf("address message of %d bytes cannot be read", len(m.Data))
		}
		t.updateAddress(k, m.Type == unix.RTM_NEWADDR)
	case unix.RTM_NEWROUTE, unix.RTM_DELROUTE:
		if k, ok := parseRoute(m.Data); ok && k.Protocol == Protocol {
			t.routes = append(t.routes, routeNews{k, m.Type == unix.RTM_NEWROUTE})
		}
	case unix.RTM_NEWRULE, unix.RTM_DELRULE:
		if r, ok := parseRule(m.Data); ok && r.Protocol == Protocol {
			t.rules = append(t.rules, RuleChanged{r, m.Type == unix.RTM_NEWRULE})
		}
	}
	return nil
}

func (t *linkTable) updateLink(m nlmsg.Message) error {
	if len(m.Data) < unix.SizeofIfInfomsg {
		return fmt.Errorf("link message of %d bytes is too short", len(m.Data))
	}
	// AF_BRIDGE messages tell of a port's place in its bridge, not of the link.
	if m.Data[0] == unix.AF_BRIDGE {
		return nil
	}
	l, err := netlink.LinkDeserialize(&unix.NlMsghdr{Type: m.Type, Flags: m.Flags}, m.Data)
	if err != nil {
		return fmt.Errorf("link message cannot be read: %w", err)
	}
	attrs := l.Attrs()
	t.dirty[attrs.Index], t.urgent = true, true
	if m.Type == unix.RTM_DELLINK {
		t.entry(attrs.Index).clear()
		return nil
	}
	e := t.entry(attrs.Index)
	e.known, e.round = true, t.round
	const running = unix.IFF_UP | unix.IFF_RUNNING
	e.link = Link{
		Name:      attrs.Name,
		Index:     attrs.Index,
		MTU:       attrs.MTU,
		MAC:       slices.Clone([]byte(attrs.HardwareAddr)),
		Up:        attrs.RawFlags&running == running,
		Multicast: attrs.RawFlags&unix.IFF_MULTICAST != 0,
		NoARP:     attrs.RawFlags&unix.IFF_NOARP != 0,
		Master:    attrs.MasterIndex,
	}
	if vrf, ok := l.(*netlink.Vrf); ok {
		e.link.VRFTable = vrf.Table
	}
	return nil
}

func (t *linkTable) updateAddress(k kernelAddress, present bool) {
	e := t.entry(k.index)
	t.dirty[k.index] = true
	key := addrKey{k.Prefix, k.Peer}
	if !present {
		e.remove(key)
		return
	}
	a := addrEntry{
		addrKey: key,
		// IFA_F_SECONDARY is IFA_F_TEMPORARY in IPv6.
		secondary: k.flags&unix.IFA_F_SECONDARY != 0,
		usable:    k.flags&unusable == 0,
		round:     t.round,
	}
	if i, ok := e.at[key]; ok {
		// It keeps its place, so that the choice of a source does not wander.
		e.addrs[i] = a
		return
	}
	e.at[key] = len(e.addrs)
	e.addrs = append(e.addrs, a)
}

// clear forgets the link, with its addresses.
func (e *linkEntry) clear() {
	e.known, e.addrs, e.gone = false, nil, 0
	clear(e.at)
}

func (e *linkEntry) remove(key addrKey) {
	if i, ok := e.at[key]; ok {
		e.addrs[i].gone = true
		e.gone++
		delete(e.at, key)
	}
}

// compact takes out the addresses that went.
func (e *linkEntry) compact() {
	if e.gone == 0 {
		return
	}
	e.gone = 0
	e.addrs = slices.DeleteFunc(e.addrs, func(a addrEntry) bool { return a.gone })
	for i, a := range e.addrs {
		e.at[a.addrKey] = i
	}
}

// snapshot is the entry as a Link.
func (e *linkEntry) snapshot() Link {
	e.compact()
	l := e.link
	if len(e.addrs) > 0 {
		l.Addresses = make([]netip.Prefix, 0, len(e.addrs))
	}
	for _, a := range e.addrs {
		// One address can be there several times, with different peers.
		if !a.usable || a.peer.IsValid() && slices.Contains(l.Addresses, a.prefix) {
			continue
		}
		l.Addresses = append(l.Addresses, a.prefix)
		if a.secondary {
			l.Secondary = append(l.Secondary, a.prefix)
		}
	}
	return l
}

// flush passes to emit what changed since the last flush: links that are gone
// or renamed first, so that a name is never held twice, then the others, each
// LinkChanged followed by the changes of its addresses, then routes and rules.
func (t *linkTable) flush(emit func(Event)) {
	t.flushLinks(emit)
	for _, r := range t.routes {
		emit(RouteChanged{r.resolve(func(index int) string { return t.told[index].Name }), r.present})
	}
	for _, r := range t.rules {
		emit(r)
	}
	t.routes, t.rules = t.routes[:0], t.rules[:0]
}

func (t *linkTable) flushLinks(emit func(Event)) {
	type change struct{ was, is Link }
	var changed []change
	for _, index := range slices.Sorted(maps.Keys(t.dirty)) {
		e := t.links[index]
		was, told := t.told[index]
		if e == nil || !e.known {
			if e != nil && len(e.at) == 0 {
				delete(t.links, index)
			}
			if told {
				delete(t.told, index)
				emitAddresses(was, Link{}, emit)
				emit(LinkGone{Name: was.Name, Index: index})
			}
			continue
		}
		is := e.snapshot()
		if told && is.equal(was) {
			continue
		}
		t.told[index] = is
		if told && was.Name != is.Name {
			emitAddresses(was, Link{}, emit)
			emit(LinkGone{Name: was.Name, Index: index, NewName: is.Name})
			was = Link{}
		}
		changed = append(changed, change{was, is})
	}
	clear(t.dirty)
	t.urgent = false
	for _, c := range changed {
		emit(LinkChanged{c.is})
		emitAddresses(c.was, c.is, emit)
	}
}

// emitAddresses tells what addresses went and came between two snapshots.
func emitAddresses(was, is Link, emit func(Event)) {
	if slices.Equal(was.Addresses, is.Addresses) {
		return
	}
	before := make(map[netip.Prefix]bool, len(was.Addresses))
	for _, p := range was.Addresses {
		before[p] = true
	}
	after := make(map[netip.Prefix]bool, len(is.Addresses))
	for _, p := range is.Addresses {
		after[p] = true
	}
	for _, p := range was.Addresses {
		if !after[p] {
			emit(AddressChanged{Interface: was.Name, Index: was.Index, Prefix: p})
		}
	}
	for _, p := range is.Addresses {
		if !before[p] {
			emit(AddressChanged{Interface: is.Name, Index: is.Index, Prefix: p, Present: true})
		}
	}
}

func (l Link) equal(o Link) bool {
	return l.Name == o.Name && l.Index == o.Index && l.MTU == o.MTU && bytes.Equal(l.MAC, o.MAC) &&
		l.Up == o.Up && l.Multicast == o.Multicast && l.NoARP == o.NoARP &&
		l.Master == o.Master && l.VRFTable == o.VRFTable &&
		slices.Equal(l.Addresses, o.Addresses) && slices.Equal(l.Secondary, o.Secondary)
}
