package agent

import (
	"context"
	"errors"
	"net/netip"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/tandem-ha/tandem/config"
	"github.com/tandem-ha/tandem/internal/host"
	"github.com/tandem-ha/tandem/internal/host/hosttest"
	"github.com/tandem-ha/tandem/internal/journal"
	"github.com/tandem-ha/tandem/internal/keeper"
	"github.com/tandem-ha/tandem/vrrp"
)

// segment is a network on which electors hear each other's adverts and
// announcements, in the time of the test's bubble.
type segment struct {
	mu    sync.Mutex
	nodes []*node
}

// node is an elector with a host of its own, on a segment.
type node struct {
	t       *testing.T
	segment *segment
	addr    netip.Addr
	table   *hosttest.Addresses
	elector *elector
	journal *journal.Journal
	stop    func()

	mu        sync.Mutex
	cut       bool
	events    chan func()
	ready     func()
	armed     bool
	received  []host.Received
	queued    []func()
	watch     *nodeWatch
	announced []netip.Addr
}

// newNode starts an elector; the test ends it.
func newNode(t *testing.T, s *segment, addr string) *node {
	t.Helper()
	n := &node{t: t, segment: s, events: make(chan func(), 1000), addr: netip.MustParseAddr(addr), table: hosttest.NewAddresses("eth0", "eth1", "vrrp.51")}
	record, err := host.OpenRecord(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	kept := host.OpenKept(t.TempDir())
	n.journal = journal.New(1000, time.Now)
	l := host.NewLedger(record, host.Contents{}, func(err error) { t.Errorf("ledger: %v", err) })
	n.elector = newElector(n, tablesWith(n.table), record, l, kept, n.journal)
	stopKeeper := alone(n.elector.keeper.Run)
	stopScribe := alone(n.elector.scribe.run)
	stopLoop := alone(n.elector.run)
	n.stop = sync.OnceFunc(func() {
		stopLoop()
		stopScribe()
		stopKeeper()
		if err := record.Close(); err != nil {
			t.Error(err)
		}
	})
	t.Cleanup(n.stop)
	s.mu.Lock()
	s.nodes = append(s.nodes, n)
	s.mu.Unlock()
	n.link(true)
	return n
}

// link reports the state of the node's interface.
func (n *node) link(up bool) { n.linkWith(up, netip.PrefixFrom(n.addr, 24)) }

// linkWith reports the state and the addresses of the node's interface.
func (n *node) linkWith(up bool, addresses ...netip.Prefix) {
	n.do(func(now time.Time) {
		n.elector.hostEvent(now, host.LinkChanged{Link: host.Link{
			Name: "eth0", Index: 2, MTU: 1500, MAC: []byte{2, 0, 0, 0, 0, 1}, Up: up, Multicast: true,
			Addresses: addresses,
		}})
	})
}

func (n *node) do(call func(now time.Time)) {
	n.t.Helper()
	if !n.elector.do(context.Background(), call) {
		n.t.Fatal("the loop has ended")
	}
}

// apply gives the node a configuration with one instance.
func (n *node) apply(conf ...*config.Instance) []string {
	var changes []string
	n.do(func(now time.Time) { changes = n.elector.apply(now, &config.Config{Instances: conf}) })
	return changes
}

// state is the state of the node's first instance.
func (n *node) state() vrrp.Status {
	var s vrrp.Status
	n.do(func(time.Time) {
		for _, in := range n.elector.instances {
			s = in.router.Status()
		}
	})
	return s
}

// holds says whether a VIP is on the node's host.
func (n *node) holds(vip string) bool {
	return slices.ContainsFunc(n.table.All(), func(a host.Address) bool { return a.Prefix == netip.MustParsePrefix(vip) })
}

// isolate cuts the node off the segment, or joins it again.
func (n *node) isolate(cut bool) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.cut = cut
}

// others are the nodes that hear this one.
func (n *node) others() []*node {
	n.segment.mu.Lock()
	defer n.segment.mu.Unlock()
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.cut {
		return nil
	}
	return slices.DeleteFunc(slices.Clone(n.segment.nodes), func(o *node) bool { return o == n })
}

func (n *node) OpenAdverts(_ host.AdvertKey, ready func()) (advertConn, error) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.ready = ready
	return n, nil
}

func (n *node) Queue(src, dst netip.Addr, ttl int, b []byte) error {
	if n.addr != src {
		return errors.New("source address is not the node's")
	}
	r := host.Received{Interface: 2, Meta: vrrp.Meta{Source: src, Destination: dst, TTL: ttl}, Payload: slices.Clone(b)}
	n.queued = append(n.queued, func() {
		for _, o := range n.others() {
			o.arrive(r)
		}
	})
	return nil
}

func (n *node) Flush(func(int, error)) {
	for _, send := range n.queued {
		send()
	}
	n.queued = nil
}

// arrive puts a packet into the node's socket.
func (n *node) arrive(r host.Received) {
	n.mu.Lock()
	var report func()
	if n.ready != nil && !n.cut {
		n.received = append(n.received, r)
		if n.armed {
			report, n.armed = n.ready, false
		}
	}
	n.mu.Unlock()
	if report != nil {
		n.events <- report
	}
}

// Wait calls what is to be told on the loop.
func (n *node) Wait(until time.Time) error {
	never := until.IsZero()
	wait := time.Until(until)
	if never {
		wait = time.Hour
	}
	timer := time.NewTimer(wait)
	defer timer.Stop()
	select {
	case told := <-n.events:
		told()
	case <-timer.C:
	}
	return nil
}

func (n *node) Wake() { n.events <- func() {} }

func (n *node) Receive(_ *host.Inbox, handler func(host.Received)) int {
	n.mu.Lock()
	taken := n.received
	n.received = nil
	n.mu.Unlock()
	for _, r := range taken {
		handler(r)
	}
	return len(taken)
}

func (n *node) Arm() error {
	n.mu.Lock()
	full := len(n.received) > 0
	n.armed = !full
	n.mu.Unlock()
	if full {
		n.events <- n.ready
	}
	return nil
}

func (n *node) Close() error { return nil }
func (n *node) Lost() uint64 { return 0 }

func (n *node) WatchPeers(_ host.Link, ready func()) (announcementConn, error) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.watch = &nodeWatch{node: n, ready: ready}
	return n.watch, nil
}

func (n *node) Announce(_ host.Link, addrs []netip.Addr, _ int) {
	n.mu.Lock()
	n.announced = append(n.announced, addrs...)
	n.mu.Unlock()
	for _, o := range n.others() {
		o.hear(addrs)
	}
}

// nodeWatch is a node's watch for announcements; the node's lock guards it.
type nodeWatch struct {
	*node
	ready         func()
	armed, listen bool
	heard         []netip.Addr
}

// hear puts announcements into the node's watch.
func (n *node) hear(addrs []netip.Addr) {
	n.mu.Lock()
	var report func()
	if w := n.watch; w != nil && w.listen && !n.cut {
		w.heard = append(w.heard, addrs...)
		if w.armed {
			report, w.armed = w.ready, false
		}
	}
	n.mu.Unlock()
	if report != nil {
		n.events <- report
	}
}

func (w *nodeWatch) Listen(on bool) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.listen = on
	return nil
}

func (w *nodeWatch) Receive(_ *host.Inbox, handler func(host.Announced)) int {
	w.mu.Lock()
	taken := w.heard
	w.heard = nil
	w.mu.Unlock()
	for _, a := range taken {
		handler(host.Announced{Interface: 2, Addr: a, MAC: host.MAC{2, 0, 0, 0, 0, 9}})
	}
	return min(len(taken), host.InboxSize)
}

func (w *nodeWatch) Arm() error {
	w.mu.Lock()
	full := len(w.heard) > 0
	w.armed = !full
	w.mu.Unlock()
	if full {
		w.events <- w.ready
	}
	return nil
}

func (n *node) Cancel(int, ...netip.Addr) {}
func (n *node) Forget(int)                {}

// tablesWith are a keeper's tables on which everything succeeds.
func tablesWith(addresses host.AddressTable) keeper.Tables {
	return keeper.Tables{
		Addresses: addresses, Routes: hosttest.NewRoutes(), Rules: hosttest.NewRules(),
		Firewall: func(func()) (host.FirewallTable, error) { return hosttest.NewFirewall(), nil },
	}
}
