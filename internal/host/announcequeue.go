package host

import (
	"container/heap"
	"fmt"
	"net/netip"
	"time"
)

// pending is one address with the rounds that are still to be sent for it.
type pending struct {
	addr  netip.Addr
	link  string
	frame []byte
	// left is how many rounds are to come, sent how many have been.
	left, sent int
	// order keeps the addresses of one round as they were given.
	order uint64
	index int
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
	heap  pendingHeap
	byKey map[netip.Addr]*pending
	order uint64
	// next is when the next frame may go out.
	next time.Time
}

func newAnnounceQueue() *announceQueue {
	return &announceQueue{byKey: map[netip.Addr]*pending{}}
}

// add asks for rounds of frame for addr. Rounds already pending count: the
// longer of the two remains, beginning anew.
func (q *announceQueue) add(addr netip.Addr, link string, frame []byte, rounds int) {
	q.order++
	if p, ok := q.byKey[addr]; ok {
		p.frame, p.link, p.left = frame, link, max(p.left, rounds)
		p.sent, p.order = 0, q.order
		heap.Fix(&q.heap, p.index)
		return
	}
	p := &pending{addr: addr, link: link, frame: frame, left: rounds, order: q.order}
	q.byKey[addr] = p
	heap.Push(&q.heap, p)
}

// remove drops addr.
func (q *announceQueue) remove(addr netip.Addr) {
	if p, ok := q.byKey[addr]; ok {
		heap.Remove(&q.heap, p.index)
		delete(q.byKey, addr)
	}
}

func (q *announceQueue) empty() bool { return len(q.heap) == 0 }

// head is the announcement whose turn it is, nil where there is none.
func (q *announceQueue) head() *pending {
	if q.empty() {
		return nil
	}
	return q.heap[0]
}

// done counts one round of the head.
func (q *announceQueue) done() {
	p := q.heap[0]
	p.left--
	p.sent++
	if p.left <= 0 {
		heap.Pop(&q.heap)
		delete(q.byKey, p.addr)
		return
	}
	heap.Fix(&q.heap, p.index)
}

// undo gives back their round to those from which done has just taken it.
func (q *announceQueue) undo(list []*pending) {
	for _, p := range list {
		p.left++
		p.sent--
		if q.byKey[p.addr] == p {
			heap.Fix(&q.heap, p.index)
			continue
		}
		q.byKey[p.addr] = p
		heap.Push(&q.heap, p)
	}
}

// clear drops everything and says how much that was.
func (q *announceQueue) clear() int {
	n := len(q.heap)
	q.heap = nil
	clear(q.byKey)
	return n
}

// pendingHeap orders by rounds sent, then by order.
type pendingHeap []*pending

func (h pendingHeap) Len() int { return len(h) }

func (h pendingHeap) Less(i, j int) bool {
	if h[i].sent != h[j].sent {
		return h[i].sent < h[j].sent
	}
	return h[i].order < h[j].order
}

func (h pendingHeap) Swap(i, j int) {
	h[i], h[j] = h[j], h[i]
	h[i].index, h[j].index = i, j
}

// Push implements heap.Interface.
func (h *pendingHeap) Push(x any) {
	p := x.(*pending)
	p.index = len(*h)
	*h = append(*h, p)
}

// Pop implements heap.Interface.
func (h *pendingHeap) Pop() any {
	old := *h
	p := old[len(old)-1]
	old[len(old)-1] = nil
	*h = old[:len(old)-1]
	return p
}
