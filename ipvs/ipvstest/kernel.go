// Package ipvstest has an IPVS table in memory that behaves as the kernel's
// does through an ipvs.Client, for tests of what drives one.
package ipvstest

import (
	"context"
	"errors"
	"fmt"
	"hash/maphash"
	"slices"
	"sync"
	"time"

	"github.com/tandem-ha/tandem/ipvs"
	"golang.org/x/sys/unix"
)

// Kernel is a table in memory. It is safe for concurrent use; its zero value
// does not work, see New.
type Kernel struct {
	mu         sync.Mutex
	table      ipvs.Table
	schedulers []string
	err        error
	blind      bool
	cost       time.Duration
	refuse     func(ipvs.Change) error
	log        []ipvs.Change
	batches    int
	dumps      int
	reads      int
	digests    int
	seed       maphash.Seed
	watch      func(ipvs.Table)
}

var _ ipvs.Conn = (*Kernel)(nil)

// New returns a Kernel that holds the services of the table.
func New(t ipvs.Table) *Kernel {
	return &Kernel{
		table:      clone(t),
		schedulers: []string{"rr", "wrr", "lc", "wlc", "fo", "ovf", "lblc", "lblcr", "dh", "sh", "mh", "sed", "nq"},
		seed:       maphash.MakeSeed(),
	}
}

func clone(t ipvs.Table) ipvs.Table {
	out := make(ipvs.Table, len(t))
	for k, e := range t {
		e.Destinations = slices.Clone(e.Destinations)
		out[k] = e
	}
	return out
}

// Fail makes every call fail with err, until it is given nil.
func (k *Kernel) Fail(err error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.err = err
}

// Refuse has f asked before each change; what it returns is the kernel's answer
// to that change. Nil refuses nothing.
func (k *Kernel) Refuse(f func(ipvs.Change) error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.refuse = f
}

// Blind makes Digest unsupported.
func (k *Kernel) Blind() {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.blind = true
}

// Cost makes every call last that long.
func (k *Kernel) Cost(d time.Duration) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.cost = d
}

// Observe has f called with the table after each single change. It must not
// keep or alter the table.
func (k *Kernel) Observe(f func(ipvs.Table)) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.watch = f
}

// Meddle changes the table as somebody else would.
func (k *Kernel) Meddle(f func(ipvs.Table)) {
	k.mu.Lock()
	defer k.mu.Unlock()
	f(k.table)
}

// Holds returns a copy of the table.
func (k *Kernel) Holds() ipvs.Table {
	k.mu.Lock()
	defer k.mu.Unlock()
	return clone(k.table)
}

// TakeLog returns the changes made since it was last called.
func (k *Kernel) TakeLog() []ipvs.Change {
	k.mu.Lock()
	defer k.mu.Unlock()
	log := k.log
	k.log = nil
	return log
}

// Calls are how often a method was called.
type Calls struct{ Table, Entries, Apply, Digest int }

// Calls returns how often each method was called so far.
func (k *Kernel) Calls() Calls {
	k.mu.Lock()
	defer k.mu.Unlock()
	return Calls{Table: k.dumps, Entries: k.reads, Apply: k.batches, Digest: k.digests}
}

// begin counts a call, lets its time pass and returns the error injected.
func (k *Kernel) begin(ctx context.Context, count *int) error {
	k.mu.Lock()
	*count++
	cost := k.cost
	k.mu.Unlock()
	if cost > 0 {
		t := time.NewTimer(cost)
		defer t.Stop()
		select {
		case <-t.C:
		case <-ctx.Done():
		}
	}
	if err := ctx.Err(); err != nil {
		return err
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.err
}

// Table returns the whole table.
func (k *Kernel) Table(ctx context.Context) (ipvs.Table, error) {
	if err := k.begin(ctx, &k.dumps); err != nil {
		return nil, err
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	return reversed(clone(k.table)), nil
}

// reversed puts destinations into the kernel's order, last added first.
func reversed(t ipvs.Table) ipvs.Table {
	for _, e := range t {
		slices.Reverse(e.Destinations)
	}
	return t
}

// Entries returns those of the services that exist.
func (k *Kernel) Entries(ctx context.Context, keys []ipvs.ServiceKey) (ipvs.Table, error) {
	if err := k.begin(ctx, &k.reads); err != nil {
		return nil, err
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	t := make(ipvs.Table, len(keys))
	for _, key := range keys {
		if e, ok := k.table[key]; ok {
			t[key] = e
		}
	}
	return reversed(clone(t)), nil
}

// Digest returns fingerprints of what /proc/net/ip_vs shows.
func (k *Kernel) Digest(ctx context.Context, d ipvs.Digest) (ipvs.Digest, error) {
	if err := k.begin(ctx, &k.digests); err != nil {
		return nil, err
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.blind {
		return nil, fmt.Errorf("digest: %w", errors.ErrUnsupported)
	}
	if d == nil {
		d = make(ipvs.Digest, len(k.table))
	}
	clear(d)
	for key, e := range k.table {
		sum := k.shown(e)
		d[key] += sum
		if key.FWMark != 0 {
			key.IPv6 = !key.IPv6
			d[key] += sum
		}
	}
	return d, nil
}

// Fingerprint is what Digest gives for the entry, and false for a mark.
func (k *Kernel) Fingerprint(e ipvs.Entry) (uint64, bool) { return k.shown(e), e.FWMark == 0 }

// shown is a fingerprint of what /proc/net/ip_vs shows of a service.
func (k *Kernel) shown(e ipvs.Entry) uint64 {
	sum := maphash.Comparable(k.seed, [...]any{e.Scheduler, e.Flags & (ipvs.FlagPersistent | ipvs.FlagOnePacket), e.Timeout, e.Netmask})
	for _, dest := range e.Destinations {
		sum += maphash.Comparable(k.seed, [...]any{dest.DestinationKey, dest.Forward, dest.Weight})
	}
	return sum
}

// Apply makes the changes in order, as an ipvs.Client does.
func (k *Kernel) Apply(ctx context.Context, changes []ipvs.Change) error {
	if len(changes) == 0 {
		return nil
	}
	if err := k.begin(ctx, &k.batches); err != nil {
		return err
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	var failed []ipvs.Failure
	missing := make(map[ipvs.ServiceKey]bool)
	for _, c := range changes {
		err := k.one(c)
		if err == nil {
			k.log = append(k.log, c)
			if k.watch != nil {
				k.watch(k.table)
			}
			continue
		}
		if c.Op == ipvs.AddService {
			missing[c.Service.ServiceKey] = true
		}
		failed = append(failed, ipvs.Failure{Change: c, Err: err, Consequence: c.Op != ipvs.AddService && missing[c.Service.ServiceKey]})
	}
	if failed != nil {
		return &ipvs.ApplyError{Failures: failed}
	}
	return nil
}

// one makes a single change.
func (k *Kernel) one(c ipvs.Change) error {
	if k.refuse != nil {
		if err := k.refuse(c); err != nil {
			return err
		}
	}
	key := c.Service.ServiceKey
	e, exists := k.table[key]
	switch c.Op {
	case ipvs.AddService, ipvs.EditService:
		if !slices.Contains(k.schedulers, c.Service.Scheduler) {
			return fmt.Errorf("%w: scheduler %q is unknown", unix.ENOENT, c.Service.Scheduler)
		}
		e.Service = c.Service
		k.table[key] = e
		return nil
	case ipvs.DeleteService:
		delete(k.table, key)
		return nil
	}
	if !exists {
		if c.Op == ipvs.DeleteDestination {
			return nil
		}
		return fmt.Errorf("service is %w: %w", ipvs.ErrGone, unix.ESRCH)
	}
	return k.destination(e, c)
}

func (k *Kernel) destination(e ipvs.Entry, c ipvs.Change) error {
	d := c.Destination
	at := slices.IndexFunc(e.Destinations, func(have ipvs.Destination) bool { return have.DestinationKey == d.DestinationKey })
	switch {
	case c.Op == ipvs.DeleteDestination:
		if at >= 0 {
			e.Destinations = slices.Delete(e.Destinations, at, at+1)
		}
	case d.Weight > 1<<31-1, d.LowerThreshold > d.UpperThreshold:
		return unix.ERANGE
	case d.Addr.Is4() == e.IPv6 && d.Forward != ipvs.Tunnel:
		return unix.EINVAL
	case at >= 0:
		e.Destinations[at] = d
	default:
		e.Destinations = append(e.Destinations, d)
	}
	k.table[c.Service.ServiceKey] = e
	return nil
}
