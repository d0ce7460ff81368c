package host

import (
	"fmt"
	"net/netip"
	"slices"
	"time"
)

// pending is one address with the rounds that are still to be sent for it.
type pending struct {
	addr  netip.Addr
	link  string
	frame []byte
	// left is how many rounds are to come, sent how many have been.
	left, sent int
	// before and after are its neighbours among those with as many sent.
	before, after *pending
}

// String is the line about one frame, in keepalived's words.
func (p *pending) String() string {
	if p.addr.Is4() {
		return fmt.Sprintf("Sending gratuitous ARP on %s for %s", p.link, p.addr)
	}
	return fmt.Sprintf("Sending unsolicited Neighbour Advert on %s for %s", p.link, p.addr)
}

// announceQueue holds what is still to be announced on one interface, one entry
// an address. It is pure. What has been announced least comes first, so that a
// round goes over all addresses before the next begins, and the first round of a
// new burst waits for no late round of another.
type announceQueue struct {
	// rounds are the entries by how many of their rounds have been sent, each in
	// the order of their coming: so they move from one to the next. Below low all
	// are empty.
	rounds []round
	low    int
	byKey  map[netip.Addr]*pending
	// next is when the next frame may go out.
	next time.Time
}

// round is a list of entries.
type round struct{ first, last *pending }

func newAnnounceQueue() *announceQueue {
	return &announceQueue{byKey: map[netip.Addr]*pending{}}
}

// add asks for rounds of frame for addr. Rounds already pending count: the
// longer of the two remains, beginning anew.
func (q *announceQueue) add(addr netip.Addr, link string, frame []byte, rounds int) {
	p, ok := q.byKey[addr]
	if ok {
		q.unlink(p)
	} else {
		p = &pending{addr: addr}
		q.byKey[addr] = p
	}
	p.frame, p.link, p.left, p.sent = frame, link, max(p.left, rounds), 0
	q.append(p)
	q.low = 0
}

// append puts p behind those with as many rounds sent.
func (q *announceQueue) append(p *pending) {
	if p.sent >= len(q.rounds) {
		q.rounds = append(q.rounds, round{})
	}
	r := &q.rounds[p.sent]
	p.before, p.after = r.last, nil
	if r.last == nil {
		r.first = p
	} else {
		r.last.after = p
	}
	r.last = p
}

// unlink takes p from among those with as many rounds sent.
func (q *announceQueue) unlink(p *pending) {
	r := &q.rounds[p.sent]
	if p.before == nil {
		r.first = p.after
	} else {
		p.before.after = p.after
	}
	if p.after == nil {
		r.last = p.before
	} else {
		p.after.before = p.before
	}
}

// remove drops addr.
func (q *announceQueue) remove(addr netip.Addr) {
	if p, ok := q.byKey[addr]; ok {
		q.unlink(p)
		delete(q.byKey, addr)
	}
}

func (q *announceQueue) empty() bool { return len(q.byKey) == 0 }

// head is the announcement whose turn it is, nil where there is none.
func (q *announceQueue) head() *pending {
	for ; q.low < len(q.rounds); q.low++ {
		if p := q.rounds[q.low].first; p != nil {
			return p
		}
	}
	return nil
}

// done counts one round of the head.
func (q *announceQueue) done() {
	p := q.head()
	q.unlink(p)
	p.left--
	p.sent++
	if p.left <= 0 {
		delete(q.byKey, p.addr)
		return
	}
	q.append(p)
}

// undo gives back their round to those from which done has just taken it, one
// after the other.
func (q *announceQueue) undo(list []*pending) {
	for _, p := range slices.Backward(list) {
		if q.byKey[p.addr] == p {
			q.unlink(p)
		}
		q.byKey[p.addr] = p
		p.left++
		p.sent--
		r := &q.rounds[p.sent]
		p.before, p.after = nil, r.first
		if r.first == nil {
			r.last = p
		} else {
			r.first.before = p
		}
		r.first = p
		q.low = min(q.low, p.sent)
	}
}

// clear drops everything and says how much that was.
func (q *announceQueue) clear() int {
	n := len(q.byKey)
	q.rounds, q.low = nil, 0
	clear(q.byKey)
	return n
}
