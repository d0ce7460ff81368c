package agent

import (
	"bytes"
	"fmt"
	"net/netip"
	"time"

	"github.com/tandem-ha/tandem/internal/host"
	"github.com/tandem-ha/tandem/internal/journal"
	"github.com/tandem-ha/tandem/vrrp"
)

// watchRest is how long announcements gather: a peer with hundreds of addresses
// announces them within milliseconds, and each has to go soon.
const watchRest = time.Millisecond

// watching is who else announces what.
type watching struct {
	watches map[string]*watch
	// attuned is false when the watches may have to listen or to cease listening.
	attuned bool
}

// watch is the watch for a peer's announcements on one link.
type watch struct {
	link host.Link
	conn announcementConn
	ear  ear
	// listens is whether the kernel lets anything through.
	listens bool
	// heard are the addresses of the read at hand.
	heard   []netip.Addr
	handler func(host.Announced)
}

// watchLinks keeps a watch for a peer's announcements on every link that may
// carry one of our addresses. It stands before it is needed: a peer announces
// within a millisecond of its first advert.
func (e *elector) watchLinks() {
	needed := e.index.carriers
	for name, w := range e.watches {
		link, ok := e.links[name]
		if !needed[name] || !ok || link.Index != w.link.Index || !bytes.Equal(link.MAC, w.link.MAC) {
			delete(e.watches, name)
			// Whatever the reason, there is nothing more to be had of it.
			_ = w.conn.Close()
		}
	}
	for name := range needed {
		link, ok := e.links[name]
		if !ok || e.watches[name] != nil {
			continue
		}
		// Of what is made, only a VMAC carries virtual addresses.
		_, link.Shared = e.made[name]
		if err := e.watch(link); err != nil {
			e.unwatched(name, err)
		}
	}
}

// unwatched tells that announcements are not heard.
func (e *elector) unwatched(link string, err error) {
	e.journal.Add(journal.Event{Kind: "socket", Level: journal.Warning, Subject: link,
		Text: fmt.Sprintf("a peer's announcements on %s cannot be seen, addresses go by the timers alone: %v", link, err)})
}

// watch begins to watch a link.
func (e *elector) watch(link host.Link) (err error) {
	w := &watch{link: link}
	w.handler = func(a host.Announced) {
		if len(e.index.byPlace[place{link.Name, a.Addr}]) > 0 {
			w.heard = append(w.heard, a.Addr)
		}
	}
	w.ear = ear{
		read: func() int { return e.readWatch(w) },
		arm:  func() { e.armWatch(w) },
		rest: func() time.Duration { return watchRest },
	}
	if w.conn, err = e.wire.WatchPeers(link, func() { e.attend(&w.ear) }); err != nil {
		return err
	}
	e.watches[link.Name], e.attuned = w, false
	e.armWatch(w)
	return nil
}

// armWatch waits for announcements. A watch that was closed is not heard of again.
func (e *elector) armWatch(w *watch) {
	if e.watches[w.link.Name] == w && w.conn.Arm() != nil {
		e.attend(&w.ear)
		w.ear.nextRead = time.Now().Add(e.gather)
	}
}

// attune has the watches of those links listen on which an instance is master:
// nobody else has to know who announces what.
func (e *elector) attune() {
	if e.attuned {
		return
	}
	e.attuned = true
	serving := map[string]bool{}
	for _, in := range e.instances {
		if in.router.State() == vrrp.Master {
			for _, name := range in.carriers {
				serving[name] = true
			}
		}
	}
	for name, w := range e.watches {
		if w.listens == serving[name] {
			continue
		}
		w.listens = serving[name]
		if err := w.conn.Listen(w.listens); err != nil {
			e.unwatched(name, err)
		}
	}
}

// readWatch takes in what a watch has, one inbox of each kind at most, and says
// how much that was.
func (e *elector) readWatch(w *watch) int {
	w.heard = w.heard[:0]
	n := w.conn.Receive(e.inbox, w.handler)
	if len(w.heard) == 0 {
		return n
	}
	// They mean something only after the peer's advert, which was sent before them
	// and may be in its socket still.
	e.catchUp()
	now := time.Now()
	for _, addr := range w.heard {
		for _, in := range e.index.byPlace[place{w.link.Name, addr}] {
			if in.router.State() == vrrp.Master {
				e.feed(now, in, vrrp.PeerAnnounced{Addr: addr})
			}
		}
	}
	return n
}
