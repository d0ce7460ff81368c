package alarm

import (
	"fmt"
	"net/netip"
	"slices"
	"time"

	"github.com/tandem-ha/tandem/vrrp"
)

// The patience of an Observer, so that what settles by itself is no alarm.
const (
	// enough is how many adverts in a row make a second master, or a peer that
	// is configured otherwise: a preemption shows one or two.
	enough = 3
	// lapse is how many advert intervals without a sign end an alarm, and
	// minLapse the least time.
	lapse    = 5
	minLapse = 5 * time.Second
	// lonely is how long a master hears nobody before that is worth a word.
	lonely = 10 * time.Minute
)

// sight is one kind of thing that was seen of one peer.
type sight struct {
	kind Kind
	peer netip.Addr

	since, last time.Time
	count       uint64
	detail      string
}

// Observer watches one instance. The zero value is one that has seen nothing.
type Observer struct {
	config vrrp.Config
	state  vrrp.State
	// master is since when it has been master, offering whether it has offered.
	master   time.Time
	offering bool
	priority uint8
	heard    bool
	seen     []sight
}

// Configure says what the instance is to be. What was seen of another
// configuration is forgotten.
func (o *Observer) Configure(c vrrp.Config) {
	o.config, o.seen = c, nil
	if o.priority == 0 {
		o.priority = c.Priority
	}
}

// State says what the instance is from now on.
func (o *Observer) State(now time.Time, s vrrp.State) {
	if s == vrrp.Master && o.state != vrrp.Master {
		o.master = now
	}
	o.state, o.offering = s, false
	if s != vrrp.Master {
		o.forget(SplitBrain)
		o.forget(Asymmetric)
	}
}

// Offering says whether the instance has offered: another master is then what
// it waits for.
func (o *Observer) Offering(offering bool) { o.offering = offering }

// Priority says what the effective priority is from now on.
func (o *Observer) Priority(p uint8) { o.priority = p }

// Heard is told of every advert that was valid, used or not.
func (o *Observer) Heard(now time.Time, a *vrrp.Advert) {
	o.heard = true
	p := &a.Packet
	if p.Priority == 0 {
		return
	}
	if o.state == vrrp.Master && !o.offering {
		o.note(now, SplitBrain, a.Source, "")
		if p.Priority < o.priority {
			o.note(now, Asymmetric, a.Source, "")
		}
	}
	if p.Priority == o.priority && p.Priority != 255 {
		o.note(now, EqualPriority, a.Source, "")
	}
	if own := uint16(o.config.AdvertInterval / (10 * time.Millisecond)); p.Version == 3 && p.Interval != own {
		o.note(now, Interval, a.Source, (time.Duration(p.Interval) * 10 * time.Millisecond).String())
	}
	common := 0
	for _, addr := range p.Addresses {
		if slices.Contains(o.config.Addresses, addr) {
			common++
		}
	}
	switch {
	case len(p.Addresses) == 0 || len(o.config.Addresses) == 0:
	case common == 0:
		o.note(now, DuplicateVRID, a.Source, p.Addresses[0].String())
	case common != len(p.Addresses) || common != len(o.config.Addresses):
		o.note(now, AddressLists, a.Source, "")
	}
}

// Dropped is told of every packet for the instance that was not valid.
func (o *Observer) Dropped(now time.Time, reason vrrp.Reason, from netip.Addr) {
	switch reason {
	case vrrp.DropVersion:
		o.note(now, Version, from, "")
	case vrrp.DropInterval:
		o.note(now, Interval, from, "another")
	case vrrp.DropAuthType, vrrp.DropAuthMismatch, vrrp.DropAuthFailed, vrrp.DropAHReplayed,
		vrrp.DropHMACMissing, vrrp.DropHMACMalformed, vrrp.DropHMACUnknownKey, vrrp.DropHMACInvalid, vrrp.DropHMACStale, vrrp.DropHMACReplayed:
		o.note(now, Authentication, from, string(reason))
	case vrrp.DropOwnAdvert:
		o.note(now, OwnAdvert, from, "")
	case vrrp.DropAddressCount:
		o.note(now, AddressLists, from, "")
	}
}

// note counts a sight. One that was not seen for a lapse begins anew.
func (o *Observer) note(now time.Time, kind Kind, peer netip.Addr, detail string) {
	i := slices.IndexFunc(o.seen, func(s sight) bool { return s.kind == kind && s.peer == peer })
	if i < 0 {
		if len(o.seen) == maxSights {
			return
		}
		o.seen = append(o.seen, sight{kind: kind, peer: peer})
		i = len(o.seen) - 1
	}
	s := &o.seen[i]
	if s.count == 0 || now.Sub(s.last) > o.lapse() {
		s.since, s.count = now, 0
	}
	s.last, s.detail = now, detail
	s.count++
}

// maxSights bounds what is remembered: who sends from many addresses must not
// fill the memory.
const maxSights = 32

func (o *Observer) forget(kind Kind) {
	o.seen = slices.DeleteFunc(o.seen, func(s sight) bool { return s.kind == kind })
}

// lapse is how long a thing must not be seen to be over.
func (o *Observer) lapse() time.Duration { return max(lapse*o.config.AdvertInterval, minLapse) }

// Alarms says what is wrong at the moment now.
func (o *Observer) Alarms(now time.Time) []Alarm {
	o.seen = slices.DeleteFunc(o.seen, func(s sight) bool { return now.Sub(s.last) > o.lapse() })
	var out []Alarm
	for _, s := range o.seen {
		if s.count < enough {
			continue
		}
		a := Alarm{Kind: s.kind, Instance: o.config.Name, Peer: s.peer, Since: s.since, Last: s.last, Count: s.count}
		a.Text, a.Advice = o.words(s)
		out = append(out, a)
	}
	if o.state == vrrp.Master && !o.heard && now.Sub(o.master) > lonely {
		out = append(out, Alarm{
			Kind: NoPeer, Instance: o.config.Name, Since: o.master, Last: now, Count: 1,
			Text:   "no other node has ever been heard",
			Advice: "a backup that hears us is silent, too; tandem switchover shows whether there is one, and changes nothing where there is none",
		})
	}
	return out
}

// words say what was seen and what to look at.
func (o *Observer) words(s sight) (text, advice string) {
	switch s.kind {
	case SplitBrain:
		return fmt.Sprintf("%s is master as well: %d adverts heard while this node is master", s.peer, s.count),
			"both hold the addresses; look for a filter of protocol 112, and for what the two have configured otherwise"
	case Asymmetric:
		return fmt.Sprintf("%s goes on being master, though this node is the better one: it does not hear our adverts", s.peer),
			"look for what stops our adverts on the way there: a filter, IGMP snooping, a one-way link, another authentication"
	case DuplicateVRID:
		return fmt.Sprintf("%s uses VRID %d for other addresses, such as %s", s.peer, o.config.VRID, s.detail),
			"two virtual routers of one number on one segment: give one of them another VRID"
	case AddressLists:
		return fmt.Sprintf("%s has another list of addresses", s.peer), "make the virtual addresses of both nodes the same: tandem diff"
	case Interval:
		if s.detail == "another" {
			return fmt.Sprintf("adverts of %s are dropped: their interval is not %s", s.peer, o.config.AdvertInterval),
				"make advert_int of both nodes the same: with version 2 they do not hear each other"
		}
		return fmt.Sprintf("%s adverts each %s, and this node has %s", s.peer, s.detail, o.config.AdvertInterval), "make advert_int of both nodes the same"
	case Version:
		return fmt.Sprintf("adverts of %s are dropped: they are not of version %d", s.peer, o.config.Version),
			"make vrrp_version of both nodes the same: they do not hear each other"
	case Authentication:
		return fmt.Sprintf("adverts of %s are dropped: %s", s.peer, s.detail), "make the authentication of both nodes, and their clocks, the same"
	case EqualPriority:
		return fmt.Sprintf("%s has the same priority, %d: the higher address decides", s.peer, o.priority), "give the nodes different priorities"
	default:
		return "adverts of our own come back", "look for a loop in the network, or another host with our address"
	}
}
