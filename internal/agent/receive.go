package agent

import (
	"errors"
	"fmt"
	"time"

	"github.com/tandem-ha/tandem/internal/host"
	"github.com/tandem-ha/tandem/internal/journal"
	"github.com/tandem-ha/tandem/vrrp"
)

// hearing is what receiving needs. All of it serves again, so that a packet
// allocates nothing.
type hearing struct {
	sockets map[host.AdvertKey]*socket
	// attended are the sockets that are read from time to time, the others
	// being armed, and gather is how long one is left alone after it had packets.
	attended []*ear
	gather   time.Duration
	inbox    *host.Inbox
	// now and reading are the moment and the socket of the read at hand, and
	// receiveFn takes each packet of it.
	now       time.Time
	reading   *socket
	receiveFn func(host.Received)
	// advert is the one at hand, fault what is wrong with it, and unused set when
	// the router found it of no use.
	advert vrrp.Advert
	fault  vrrp.DropError
	unused bool
	// foreign counts what is for nobody here.
	foreign map[foreignKey]uint64
}

// foreignKey counts packets that belong to no instance.
type foreignKey struct {
	iface  string
	reason vrrp.Reason
}

func newHearing(receive func(host.Received)) hearing {
	return hearing{
		sockets: map[host.AdvertKey]*socket{}, gather: gatherMost, inbox: host.NewInbox(),
		receiveFn: receive, foreign: map[foreignKey]uint64{},
	}
}

// receive hands a packet to the router that it is for. One that is not valid, or
// that is for nobody here, is counted by its reason and changes nothing.
func (e *elector) receive(r host.Received) {
	now, s := e.now, e.reading
	r.Meta.Fault = &e.fault
	vrid, known := r.Meta.PeekVRID(r.Payload)
	in := s.users[vrid]
	if !known || in == nil {
		// A unicast packet reaches the group's socket of its link as well, and
		// is counted once, where unicast is at home.
		if r.Meta.Unicast != s.key.Group.IsValid() {
			e.strange(s, r, vrid)
		}
		return
	}
	e.advert.Source, e.advert.Destination, e.advert.TTL = r.Meta.Source, r.Meta.Destination, r.Meta.TTL
	r.Meta.ChecksumV2Style = in.conf.ChecksumV2Style
	err := in.auth.Parse(&e.advert.Packet, r.Payload, r.Meta, now)
	if drop, bad := errors.AsType[*vrrp.DropError](err); bad {
		if in.counters.Dropped[drop.Reason] == 0 {
			e.journal.Add(journal.Event{Area: journal.VRRP, Kind: "advert-dropped", Level: journal.Warning, Subject: in.conf.Name,
				Text: fmt.Sprintf("(%s) ignoring advert from %s: %v", in.conf.Name, r.Meta.Source, err)})
		}
		in.dropped(drop.Reason)
		in.observer.Dropped(now, drop.Reason, r.Meta.Source)
		return
	}
	e.unused = false
	down := in.router.MasterDownAt()
	e.feed(now, in, &e.advert)
	if !e.unused {
		in.noteMargin(now, down)
		if in.router.MasterDownAt().IsZero() {
			in.jitter.forget()
		} else {
			in.jitter.heard(now, &e.advert)
		}
		in.observer.Heard(now, &e.advert)
		in.counters.AdvertsReceived++
		if e.advert.Packet.Priority == 0 {
			in.counters.PriorityZeroRcvd++
		}
	}
}

// strange counts a packet for no instance of ours: by what is wrong with it or,
// where nothing is, as one of an unknown VRID.
func (e *elector) strange(s *socket, r host.Received, vrid uint8) {
	reason := vrrp.DropUnknownVRID
	if drop, bad := errors.AsType[*vrrp.DropError](vrrp.ParseInto(&e.advert.Packet, r.Payload, r.Meta)); bad {
		reason = drop.Reason
	}
	k := foreignKey{s.key.Interface, reason}
	e.foreign[k]++
	if e.foreign[k] == 1 && reason == vrrp.DropUnknownVRID && e.conf.Global.LogUnknownVRIDs {
		e.journal.Add(journal.Event{Area: journal.VRRP, Kind: "unknown-vrid", Level: journal.Info, Subject: k.iface,
			Text: fmt.Sprintf("Unknown VRID(%d) received on interface(%s). ignoring...", vrid, k.iface)})
	}
}

// notRead counts the packets that came faster than they could be read.
const notRead vrrp.Reason = "not-read"

// lost are those packets by interface.
func (e *elector) lost() map[string]uint64 {
	out := map[string]uint64{}
	for key, s := range e.sockets {
		if s.conn == nil {
			continue
		}
		if n := s.conn.Lost(); n > 0 {
			out[key.Interface] += n
		}
	}
	return out
}
