package agent

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"net/netip"
	"slices"
	"sync"

	"github.com/tandem-ha/tandem/internal/host"
)

// keeper puts virtual addresses on the host and takes them off, apart from the
// loop that steps the routers, so that no batch of addresses delays an advert.
// It is told what each instance should have now and works on the difference to
// what it last gave that instance; wishes that are overtaken before they are
// served are never carried out.
type keeper struct {
	table  host.AddressTable
	ledger *ledger
	// report is called, on the keeper's goroutine, after each wish that was
	// served; err names the addresses that could not be had.
	report func(instance string, serial uint64, err error)
	// lost is called for an address that was found to be gone.
	lost func(instance string, a host.Address)

	mu    sync.Mutex
	queue []string
	wish  map[string]wish
	wake  chan struct{}

	// have is what each instance was last given, holders how many have each
	// address; both are the keeper's goroutine's own.
	have    map[string][]host.Address
	holders map[addressID]int
}

// wish is what an instance should have. Its serial tells the caller which of
// its wishes a report answers.
type wish struct {
	serial uint64
	want   []host.Address
	// all are the addresses that the instance may have; those that an earlier
	// process left are kept or removed like what this one added.
	all []host.Address
	// check asks whether these are still there, before anything else.
	check []host.Address
	set   bool
}

func newKeeper(table host.AddressTable, l *ledger) *keeper {
	return &keeper{
		table:   table,
		ledger:  l,
		wish:    map[string]wish{},
		wake:    make(chan struct{}, 1),
		have:    map[string][]host.Address{},
		holders: map[addressID]int{},
	}
}

// set makes want what the instance should have.
func (k *keeper) set(instance string, serial uint64, want, all []host.Address) {
	k.enqueue(instance, func(w *wish) { w.serial, w.want, w.all, w.set = serial, want, all, true })
}

// check looks whether an address that the instance should have is still there.
func (k *keeper) check(instance string, a host.Address) {
	k.enqueue(instance, func(w *wish) { w.check = append(w.check, a) })
}

func (k *keeper) enqueue(instance string, change func(*wish)) {
	k.mu.Lock()
	w, queued := k.wish[instance]
	change(&w)
	k.wish[instance] = w
	if !queued {
		k.queue = append(k.queue, instance)
	}
	k.mu.Unlock()
	select {
	case k.wake <- struct{}{}:
	default:
	}
}

// take empties the queue.
func (k *keeper) take() ([]string, map[string]wish) {
	k.mu.Lock()
	defer k.mu.Unlock()
	names, wishes := k.queue, k.wish
	k.queue, k.wish = nil, map[string]wish{}
	return names, wishes
}

// run serves wishes until ctx is done, and then those that are still queued.
func (k *keeper) run(ctx context.Context) {
	for {
		k.serveAll()
		select {
		case <-k.wake:
		case <-ctx.Done():
			k.serveAll()
			return
		}
	}
}

func (k *keeper) serveAll() {
	for {
		names, wishes := k.take()
		if len(names) == 0 {
			return
		}
		for _, name := range names {
			for _, a := range wishes[name].check {
				k.inspect(name, a)
			}
		}
		names = slices.DeleteFunc(names, func(name string) bool { return !wishes[name].set })
		failed := k.serve(names, wishes)
		for _, name := range names {
			k.report(name, wishes[name].serial, failed[name])
		}
	}
}

// serve makes the host hold what these instances should have, in one batch, and
// says for which of them it failed. The record is written before the batch, so
// that whatever is on the host is in it.
func (k *keeper) serve(names []string, wishes map[string]wish) map[string]error {
	for _, name := range names {
		k.adopt(name, wishes[name].all)
		for _, a := range wishes[name].want {
			k.holders[identity(a)]++
		}
	}
	var changes []host.AddressChange
	var recorded []host.Address
	owner := map[addressID]string{}
	removing := false
	for _, name := range names {
		for _, c := range host.DiffAddresses(k.have[name], wishes[name].want) {
			id := identity(c.Address)
			owner[id] = name
			if c.Op == host.RemoveAddress && k.holders[id] > 1 && !slices.Contains(ids(wishes[name].want), id) {
				continue
			}
			removing = removing || c.Op == host.RemoveAddress
			changes = append(changes, c)
		}
		recorded = append(recorded, k.have[name]...)
	}
	for _, name := range names {
		for _, a := range k.have[name] {
			k.release(identity(a))
		}
		k.have[name] = wishes[name].want
	}
	k.note(recorded)
	failed := map[string]error{}
	for _, err := range flatten(k.table.Apply(changes)) {
		if e := (*host.AddressError)(nil); errors.As(err, &e) {
			name := owner[identity(e.Change.Address)]
			failed[name] = errors.Join(failed[name], err)
			continue
		}
		for _, name := range names {
			failed[name] = errors.Join(failed[name], err)
		}
	}
	if removing {
		k.note(nil)
	}
	return failed
}

// adopt finds out, before an instance is first served, which of its addresses
// are on the host already.
func (k *keeper) adopt(name string, all []host.Address) {
	if _, known := k.have[name]; known {
		return
	}
	present, err := k.table.Present(all)
	if err != nil {
		k.ledger.trouble(fmt.Errorf("look for addresses left behind: %w", err))
	}
	k.have[name] = present
	for _, a := range present {
		k.holders[identity(a)]++
	}
}

// note saves what all instances have, and these besides. Serving goes before
// bookkeeping: a record that cannot be written is reported and holds up nothing.
func (k *keeper) note(more []host.Address) {
	seen := map[addressID]bool{}
	var all []host.Address
	add := func(list []host.Address) {
		for _, a := range list {
			if id := identity(a); !seen[id] {
				seen[id] = true
				all = append(all, a)
			}
		}
	}
	for _, name := range slices.Sorted(maps.Keys(k.have)) {
		add(k.have[name])
	}
	add(more)
	k.ledger.update(func(c *host.Contents) { c.Addresses = all })
}

// inspect reports an address that an instance should have and that is gone.
func (k *keeper) inspect(name string, a host.Address) {
	i := slices.IndexFunc(k.have[name], func(b host.Address) bool { return identity(a) == identity(b) })
	if i < 0 {
		return
	}
	if present, err := k.table.Present([]host.Address{a}); err != nil || len(present) > 0 {
		return
	}
	k.have[name] = slices.Delete(slices.Clone(k.have[name]), i, i+1)
	k.release(identity(a))
	k.lost(name, a)
}

func (k *keeper) release(id addressID) {
	if k.holders[id]--; k.holders[id] <= 0 {
		delete(k.holders, id)
	}
}

// addressID is what the kernel takes for an address's identity.
type addressID struct {
	iface  string
	prefix netip.Prefix
}

func identity(a host.Address) addressID { return addressID{a.Interface, a.Prefix} }

func ids(list []host.Address) []addressID {
	out := make([]addressID, len(list))
	for i, a := range list {
		out[i] = identity(a)
	}
	return out
}

// flatten takes apart what errors.Join put together.
func flatten(err error) []error {
	if joined, ok := err.(interface{ Unwrap() []error }); ok {
		return joined.Unwrap()
	}
	if err == nil {
		return nil
	}
	return []error{err}
}
