package agent

import (
	"fmt"
	"net/netip"
	"slices"
	"time"

	"github.com/tandem-ha/tandem/config"
	"github.com/tandem-ha/tandem/internal/desired"
	"github.com/tandem-ha/tandem/internal/host"
	"github.com/tandem-ha/tandem/internal/journal"
	"github.com/tandem-ha/tandem/internal/track"
	"github.com/tandem-ha/tandem/vrrp"
)

// socket is a VRRP socket and the instances that use it.
type socket struct {
	key  host.AdvertKey
	conn advertConn
	err  error
	// users are the instances by VRID.
	users map[uint8]*instance
	// queued are the instances whose adverts are in the queue, in its order, and
	// failed counts one that could not be sent.
	queued []*instance
	failed func(i int, err error)
	ear    ear
}

// surroundings are the links of the host, as the routers are told of them.
type surroundings struct {
	links    map[string]host.Link
	observed observed
	// made are the links that are made for instances, with what they are made upon;
	// unmade those of them that could not be made, and suspended what was told of
	// those that may be about to be made again.
	made      map[string]string
	unmade    map[string]error
	suspended map[string]host.Event
	// up are the indexes by which links have been up: a link of ours that has not been
	// yet is on its way.
	up map[string]int
	// former are the names of links that are about to be told of by another one, by
	// their index.
	former map[int]string
}

func newSurroundings() surroundings {
	return surroundings{links: map[string]host.Link{}, observed: newObserved(), suspended: map[string]host.Event{}, up: map[string]int{}, former: map[int]string{}}
}

// hostEvent follows the host's links and addresses.
func (e *elector) hostEvent(now time.Time, ev host.Event) {
	if gone, ok := ev.(host.LinkGone); ok && gone.NewName != "" {
		e.former[gone.Index] = gone.Name
	}
	if !e.suspends(ev) {
		e.follow(now, ev)
	}
	e.hostLost(ev)
}

// follow tells the routers what an event about a link means to them.
func (e *elector) follow(now time.Time, ev host.Event) {
	switch ev := ev.(type) {
	case host.LinkChanged:
		was, known := e.links[ev.Link.Name]
		ev.Link.Up = e.linkSeen(now, ev.Link.Name, ev.Link.Up)
		e.links[ev.Link.Name] = ev.Link
		if ev.Link.Up {
			e.up[ev.Link.Name] = ev.Link.Index
		}
		delete(e.suspended, ev.Link.Name)
		e.strip(ev.Link)
		if was.VRFTable != ev.Link.VRFTable {
			e.vrfChanged()
		}
		if known && was.Up != ev.Link.Up {
			e.journal.Add(linkEvent(ev.Link.Name, ev.Link.Up))
		}
		if known {
			e.resized(was, ev.Link)
		}
		e.watchLinks()
		e.refresh(now, e.index.byLink[ev.Link.Name])
		e.refresh(now, e.index.byLink[""])
		if _, ours := e.made[ev.Link.Name]; ours && was.Index != ev.Link.Index {
			e.wire.Forget(was.Index)
			for _, in := range e.index.byLink[ev.Link.Name] {
				e.announceOn(in, ev.Link.Name)
			}
		}
	case host.LinkGone:
		delete(e.links, ev.Name)
		delete(e.up, ev.Name)
		e.linkGone(ev.Name)
		e.wire.Forget(ev.Index)
		e.watchLinks()
		e.refresh(now, e.index.byLink[ev.Name])
		e.refresh(now, e.index.byLink[""])
	}
}

func linkEvent(name string, up bool) journal.Event {
	state := "down"
	if up {
		state = "up"
	}
	return journal.Event{Kind: "link", Level: journal.Info, Subject: name, Text: fmt.Sprintf("Netlink reports %s %s", name, state)}
}

// refresh tells routers of their links and trackers, as far as they changed,
// and starts those for which all that they wait for is known.
func (e *elector) refresh(now time.Time, list []*instance) {
	for _, in := range list {
		e.refreshOne(now, in)
	}
}

func (e *elector) refreshOne(now time.Time, in *instance) {
	link := e.openSocket(in)
	if in.started && e.linksComing(in) {
		return // a reload has made it, or given it another name; the host tells of it any moment
	}
	e.updatePeers(now, in)
	priority, faults, waiting := e.evaluate(in)
	if priority != in.priority {
		in.priority = priority
		e.feed(now, in, vrrp.Priority{Effective: priority, Cause: track.Explain(in.conf.Priority, e.tracked(in))})
	}
	for _, f := range faults {
		if !slices.Contains(in.faults, f) {
			e.feed(now, in, vrrp.Fault{Cause: f, Active: true})
		}
	}
	for _, f := range in.faults {
		if !slices.Contains(faults, f) {
			e.feed(now, in, vrrp.Fault{Cause: f})
		}
	}
	in.faults = faults
	if link != in.link || !in.started {
		in.link = link
		if link.Source.IsValid() {
			in.source = link.Source
		}
		e.feed(now, in, link)
	}
	if !in.started && !waiting && !e.linksPending(in) && !in.waiting() {
		in.started = true
		e.feed(now, in, vrrp.Start{LastAdvert: e.record.LastAdvert(in.id, now), Hold: e.kept.Holds.Has(in.id), DampedUntil: in.dampedUntil})
		e.keepDamping(in)
	}
}

// ours says whether an address is one of the virtual ones.
func (e *elector) ours(a netip.Addr) bool { return len(e.index.byAddr[a]) > 0 }

// here says whether an address is on a link of this host.
func (e *elector) here(a netip.Addr) bool {
	for _, l := range e.links {
		if slices.ContainsFunc(l.Addresses, func(p netip.Prefix) bool { return p.Addr() == a }) {
			return true
		}
	}
	return false
}

// openSocket makes sure that the instance has the socket of its link, and says
// what the router is to know of the link.
func (e *elector) openSocket(in *instance) vrrp.LinkState {
	link := e.linkOf(in.conf)
	key := host.AdvertKey{Interface: in.conf.Interface, IPv6: in.conf.IPv6, AH: in.auth.AH()}
	if link != nil && in.conf.Interface != "" {
		key.Index = link.Index
	}
	if vrf := e.vrfOf(in.conf); vrf != nil {
		key.VRF, key.VRFIndex = vrf.Name, vrf.Index
	}
	if !in.conf.Unicast() {
		key.Group = in.conf.Group
	}
	state := desired.LinkState(in.conf, link, e.ours, e.here)
	if link == nil {
		e.leaveSocket(in)
		return state
	}
	if in.socket == nil || in.socket.key != key {
		in.socket = e.leave(in, in.socket)
		in.socket = e.join(in, key)
	}
	if in.socket.conn == nil {
		e.open(in.socket)
	}
	if in.socket.conn == nil {
		return vrrp.LinkState{Source: state.Source, Cause: in.socket.err.Error()}
	}
	return e.openOwn(in, state)
}

// linkOf is the link of an instance, or nil. A unicast instance may name none:
// then it is wherever its source address is, in its VRF where it names one, and its
// socket is bound to no link.
func (e *elector) linkOf(conf *config.Instance) *host.Link {
	if l, ok := e.links[conf.Interface]; ok {
		return &l
	}
	if conf.Interface != "" {
		return nil
	}
	vrf := e.vrfOf(conf)
	if vrf == nil && conf.VRF != "" {
		return nil
	}
	for _, l := range e.links {
		if vrf != nil && l.Index != vrf.Index && l.Master != vrf.Index {
			continue
		}
		if slices.ContainsFunc(l.Addresses, func(p netip.Prefix) bool { return p.Addr() == conf.Source }) {
			return &l
		}
	}
	return nil
}

// vrfOf is the VRF that an instance without an interface sends in, or nil.
func (e *elector) vrfOf(conf *config.Instance) *host.Link {
	if conf.Interface != "" || conf.VRF == "" {
		return nil
	}
	if l, ok := e.links[conf.VRF]; ok {
		return &l
	}
	return nil
}

// join makes an instance a user of a socket.
func (e *elector) join(in *instance, key host.AdvertKey) *socket {
	s := e.sockets[key]
	if s == nil {
		s = &socket{key: key, users: map[uint8]*instance{}}
		s.failed = func(i int, _ error) { s.queued[i].counters.SendErrors++ }
		s.ear = ear{
			read: func() int { return e.read(s) },
			arm:  func() { e.arm(s) },
			rest: func() time.Duration { return e.gather },
		}
		e.sockets[key] = s
	}
	s.users[uint8(in.conf.VRID)] = in
	return s
}

// open opens a socket; one that cannot be opened is tried again with the next
// change of a link.
func (e *elector) open(s *socket) {
	conn, err := e.wire.OpenAdverts(s.key, func() { e.attend(&s.ear) })
	if err != nil {
		if s.err == nil {
			e.journal.Add(journal.Event{Kind: "socket", Level: journal.Error, Subject: s.key.Interface, Text: err.Error()})
		}
		s.err = err
		return
	}
	s.conn, s.err = conn, nil
	e.arm(s)
}

// arm waits for packets. Where that cannot be done the socket is read from time
// to time.
func (e *elector) arm(s *socket) {
	if s.conn != nil && s.conn.Arm() != nil {
		e.attend(&s.ear)
		s.ear.nextRead = time.Now().Add(e.gather)
	}
}

func (e *elector) leaveSocket(in *instance) {
	in.socket, in.own = e.leave(in, in.socket), e.leave(in, in.own)
}

// leave makes an instance no user of a socket, which may be nil, any more. It
// returns nil, the socket that the instance has then.
func (e *elector) leave(in *instance, s *socket) *socket {
	if s == nil {
		return nil
	}
	delete(s.users, uint8(in.conf.VRID))
	if len(s.users) > 0 {
		return nil
	}
	delete(e.sockets, s.key)
	if s.conn != nil {
		e.flush()
		// Whatever the reason, there is nothing more to be had of it.
		_ = s.conn.Close()
		s.conn = nil
	}
	return nil
}
