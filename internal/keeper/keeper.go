package keeper

import (
	"context"
	"errors"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/tandem-ha/tandem/internal/desired"
	"github.com/tandem-ha/tandem/internal/host"
)

// Keeper puts on the host what comes with mastership, and what is there as long
// as the program runs. It works apart from the loop that steps the routers, so
// that no batch delays an advert. It is told what each owner, an instance or the
// statics, should have now and works on the difference to what the host has; wishes
// that are overtaken before they are served are never carried out.
type Keeper struct {
	addresses *shelf[host.Address, host.AddressChange]
	routes    *shelf[host.Route, host.RouteChange]
	rules     *shelf[host.Rule, host.RuleChange]
	filter    *filter
	ledger    *host.Ledger
	client    Client

	// mending is held while what is missing is looked for, and while links are
	// replaced, with which addresses go that nobody has taken away; missed says
	// that a look was left out for it.
	mending sync.Mutex
	missed  atomic.Bool

	mu    sync.Mutex
	queue []string
	wish  map[string]wish
	look  bool
	quiet *quietWish
	wake  chan struct{}
	// now is the clock.
	now func() time.Time
	// adopted is what of each owner has been looked for on the host; it is the
	// keeper's goroutine's own.
	adopted map[string]*desired.Holding
}

// Client is who owns things, and hears what becomes of them. It is called on the
// keeper's goroutine, and must not wait for the keeper.
type Client interface {
	// Served is called after each wish that was served; err names the addresses
	// that could not be had.
	Served(owner string, serial uint64, err error)
	// AddressLost is called for an address of an instance that was found to be
	// gone; the instance decides when it comes back.
	AddressLost(owner string, a host.Address)
	// Told is called with what people should know of an owner's things.
	Told(n Notice)
}

// Notice is what a keeper has to tell people.
type Notice struct {
	// Owner is whose things it is about, empty where they are nobody's.
	Owner string
	Text  string
	// Loss is true where somebody took something away, else something failed.
	Loss bool
}

// Statics is the owner of what is there as long as the program runs.
const Statics = "static"

// wish is what an owner should have. Its serial tells the caller which of its
// wishes a report answers.
type wish struct {
	serial uint64
	want   desired.Holding
	// all is what the owner may have; that of it which an earlier process left is
	// kept or removed like what this one added.
	all *desired.Holding
}

// Tables are what a keeper puts things into.
type Tables struct {
	Addresses host.AddressTable
	Routes    host.RouteTable
	Rules     host.RuleTable
	// Firewall opens the packet filter and has changed called for each change of
	// our table there, our own included.
	Firewall func(changed func()) (host.FirewallTable, error)
}

// New returns a keeper that does nothing until Run, and notes in the ledger what it
// puts on the host, before it does.
func New(t Tables, l *host.Ledger, c Client) *Keeper {
	k := &Keeper{
		addresses: newShelf(t.Addresses, host.DiffAddresses,
			func(c host.AddressChange) (host.Op, host.Address) { return c.Op, c.Address },
			blamed(func(e *host.AddressError) host.AddressChange { return e.Change })),
		routes: newShelf(t.Routes, host.DiffRoutes,
			func(c host.RouteChange) (host.Op, host.Route) { return c.Op, c.Route },
			blamed(func(e *host.RouteError) host.RouteChange { return e.Change })),
		rules: newShelf(t.Rules, host.DiffRules,
			func(c host.RuleChange) (host.Op, host.Rule) { return c.Op, c.Rule },
			blamed(func(e *host.RuleError) host.RuleChange { return e.Change })),
		ledger: l,
		client: c,
		wish:   map[string]wish{},
		wake:   make(chan struct{}, 1),
		now:    time.Now,

		adopted: map[string]*desired.Holding{},
	}
	k.filter = newFilter(func() (host.FirewallTable, error) { return t.Firewall(k.filterTold) })
	// An address of an instance has to be announced when it comes back.
	k.addresses.decides = func(owner string) bool { return owner != Statics }
	return k
}

// blamed takes the change out of an error of one kind.
func blamed[E error, C any](change func(E) C) func(error) (C, bool) {
	return func(err error) (c C, ok bool) {
		e, ok := errors.AsType[E](err)
		if ok {
			c = change(e)
		}
		return c, ok
	}
}

// Set makes want what the owner should have.
func (k *Keeper) Set(owner string, serial uint64, want desired.Holding, all *desired.Holding) {
	k.mu.Lock()
	if _, queued := k.wish[owner]; !queued {
		k.queue = append(k.queue, owner)
	}
	k.wish[owner] = wish{serial, want, all}
	k.mu.Unlock()
	k.kick()
}

// Inspect looks whether all is still there, after something that may have taken
// things away.
func (k *Keeper) Inspect() {
	k.mu.Lock()
	k.look = true
	k.mu.Unlock()
	k.kick()
}

// filterTold takes note that the kernel tells of a change of our table in the
// packet filter.
func (k *Keeper) filterTold() {
	if k.filter.told() {
		k.Inspect()
	}
}

func (k *Keeper) kick() {
	select {
	case k.wake <- struct{}{}:
	default:
	}
}

// Relink has links replaced, and what becomes of them told to the instances, before
// it is looked what is missing on them.
func (k *Keeper) Relink(replace func()) {
	k.mending.Lock()
	replace()
	k.mending.Unlock()
	if k.missed.Swap(false) {
		k.Inspect()
	}
}

// quietWish is the wish that VMACs stay quiet.
type quietWish struct {
	links []string
	own   []host.MAC
	done  chan struct{}
}

// Quiet makes links the VMACs that nothing but what VRRP and its addresses need
// leaves by, and waits until that holds or ctx is done: a VMAC is made after.
func (k *Keeper) Quiet(ctx context.Context, links []string, own []host.MAC) {
	h := &quietWish{links, own, make(chan struct{})}
	k.mu.Lock()
	k.quiet = h
	k.mu.Unlock()
	k.kick()
	select {
	case <-h.done:
	case <-ctx.Done():
	}
}

// Unquiet ends what quiet began, after run.
func (k *Keeper) Unquiet() {
	k.quiet = &quietWish{done: make(chan struct{})}
	k.serveQuiet()
}

// serveQuiet carries out the last of these wishes.
func (k *Keeper) serveQuiet() {
	k.mu.Lock()
	h := k.quiet
	k.quiet = nil
	k.mu.Unlock()
	if h == nil {
		return
	}
	k.filter.quiet, k.filter.macs = h.links, h.own
	k.note(nil, nil, nil)
	for _, f := range k.filter.close() {
		if f.news {
			k.client.Told(Notice{Text: f.err.Error()})
		}
	}
	k.note(nil, nil, nil)
	close(h.done)
}

// take empties the queue.
func (k *Keeper) take() (owners []string, wishes map[string]wish, look bool) {
	k.mu.Lock()
	defer k.mu.Unlock()
	owners, wishes, look = k.queue, k.wish, k.look
	k.queue, k.wish, k.look = nil, map[string]wish{}, false
	return owners, wishes, look
}

// Run serves wishes until ctx is done, and then those that are still queued.
func (k *Keeper) Run(ctx context.Context) {
	timer := time.NewTimer(time.Hour)
	defer timer.Stop()
	for {
		k.serveAll()
		timer.Reset(k.wait())
		select {
		case <-k.wake:
		case <-timer.C:
			k.Inspect()
		case <-ctx.Done():
			k.serveAll()
			return
		}
	}
}

// wait is how long nothing has to be put back.
func (k *Keeper) wait() time.Duration {
	wait := time.Hour
	for _, at := range []time.Time{k.addresses.paced.next(), k.routes.paced.next(), k.rules.paced.next(), k.filter.paced.next()} {
		if !at.IsZero() {
			wait = min(wait, max(at.Sub(k.now()), 0))
		}
	}
	return wait
}

func (k *Keeper) serveAll() {
	for {
		k.serveQuiet()
		owners, wishes, look := k.take()
		if len(owners) == 0 && !look {
			return
		}
		if len(owners) > 0 {
			failed := k.serve(owners, wishes)
			for _, owner := range owners {
				k.client.Served(owner, wishes[owner].serial, failed[owner])
			}
		}
		// After the wishes: nobody misses what it no longer wants.
		if look {
			k.inspected()
		}
	}
}

// serve makes the host hold what these owners should have, in one batch, and
// says for which of them addresses could not be had.
func (k *Keeper) serve(owners []string, wishes map[string]wish) map[string]error {
	var batch batch
	for _, owner := range owners {
		if all := wishes[owner].all; k.adopted[owner] != all {
			k.adopted[owner] = all
			k.adopt(owner, *all, &batch)
			if owner != Statics {
				// A reload gives an instance anew what nobody tracks.
				k.addresses.revive(owner)
				k.routes.revive(owner)
				k.rules.revive(owner)
			}
		}
	}
	for _, owner := range owners {
		w := wishes[owner]
		k.addresses.claim(owner, w.want.Addresses, &batch.addresses)
		k.routes.claim(owner, w.want.Routes, &batch.routes)
		k.rules.claim(owner, w.want.Rules, &batch.rules)
		k.filter.claim(owner, w.want.Deny)
	}
	return k.carryOut(batch, owners)
}

// adopt finds out what of an owner's things is on the host already.
func (k *Keeper) adopt(owner string, all desired.Holding, b *batch) {
	if err := errors.Join(
		k.addresses.adopt(things(all.Addresses), &b.addresses),
		k.routes.adopt(things(all.Routes), &b.routes),
		k.rules.adopt(things(all.Rules), &b.rules),
	); err != nil {
		k.client.Told(Notice{Owner: owner, Text: "look for what was left behind: " + err.Error()})
	}
}

// Inherit takes over the account of an earlier process, before run.
func (k *Keeper) Inherit(left host.Contents) {
	k.adopt("", Leftover(left), &batch{})
	k.filter.inherit(left.Firewall)
}

// Leftover is what an earlier process had on the host.
func Leftover(c host.Contents) desired.Holding {
	return desired.Holding{Addresses: items(c.Addresses), Routes: items(c.Routes), Rules: items(c.Rules)}
}

// items are things that somebody had.
func items[T any](list []T) []desired.Item[T] {
	out := make([]desired.Item[T], len(list))
	for i, t := range list {
		out[i] = desired.Item[T]{Thing: t}
	}
	return out
}

// batch is the places that one round is about.
type batch struct {
	addresses, routes, rules places
}

// carryOut brings the places of a batch in line with what is claimed: the packet
// filter closes before an address comes, routes come after the addresses that
// they need, rules after routes, and all goes in the reverse order. The record is
// written before, so that whatever is on the host is in it.
func (k *Keeper) carryOut(b batch, owners []string) map[string]error {
	now := k.now()
	addresses := k.addresses.plan(b.addresses, now)
	if len(addresses.additions) > 0 {
		// Some may have waited for an address.
		k.routes.retry(&b.routes)
	}
	routes := k.routes.plan(b.routes, now)
	rules := k.rules.plan(b.rules, now)
	k.filter.settle(k.addresses)
	removing := len(addresses.removals)+len(routes.removals)+len(rules.removals) > 0 || k.filter.changed()
	if k.filter.changed() || len(addresses.additions)+len(routes.additions)+len(rules.additions) > 0 {
		k.note(addresses.additions, routes.additions, rules.additions)
	}
	troubles := k.filter.close()
	troubles = append(troubles, k.rules.apply(rules.removals)...)
	troubles = append(troubles, k.routes.apply(routes.removals)...)
	lacking := k.addresses.apply(slices.Concat(addresses.removals, addresses.additions))
	if len(addresses.removals) > 0 && k.routes.claimed() {
		// Routes go without a word with an address that they need.
		troubles = append(troubles, k.routes.refresh(&b.routes)...)
		routes = k.routes.plan(b.routes, now)
		troubles = append(troubles, k.routes.apply(routes.removals)...)
	}
	troubles = append(troubles, k.routes.apply(routes.additions)...)
	troubles = append(troubles, k.rules.apply(rules.additions)...)
	k.filter.settle(k.addresses)
	troubles = append(troubles, k.filter.open()...)
	if removing {
		k.note(nil, nil, nil)
	}
	return k.judge(troubles, lacking, owners)
}

// judge tells of what could not be done, and says which instances lack addresses:
// without a route an instance goes on, as keepalived's does.
func (k *Keeper) judge(troubles, lacking []failure, owners []string) map[string]error {
	failed := map[string]error{}
	for _, f := range lacking {
		switch {
		case f.all:
			for _, owner := range owners {
				failed[owner] = errors.Join(failed[owner], f.err)
			}
		case f.owner == Statics || f.owner == "" || f.spared:
			troubles = append(troubles, f)
		default:
			failed[f.owner] = errors.Join(failed[f.owner], f.err)
		}
	}
	for _, f := range troubles {
		if f.news {
			k.client.Told(Notice{Owner: f.owner, Text: f.err.Error()})
		}
	}
	return failed
}

// note saves what is there, and what is about to come. Serving goes before
// bookkeeping: a record that cannot be written is reported and holds up nothing.
func (k *Keeper) note(addresses []host.AddressChange, routes []host.RouteChange, rules []host.RuleChange) {
	a, r, u := k.addresses.account(addresses), k.routes.account(routes), k.rules.account(rules)
	filter := k.filter.account()
	k.ledger.Update(func(c *host.Contents) { c.Addresses, c.Routes, c.Rules, c.Firewall = a, r, u, filter })
}

// inspected looks for what is missing, or leaves that for later while links are
// being replaced.
func (k *Keeper) inspected() {
	if !k.mending.TryLock() {
		k.missed.Store(true)
		// It may have ended in between.
		if !k.mending.TryLock() {
			return
		}
		k.missed.Store(false)
	}
	defer k.mending.Unlock()
	k.mend()
}

// mend puts back what somebody took away. An instance's addresses are its own
// matter, since they have to be announced; it is told.
func (k *Keeper) mend() {
	now := k.now()
	var b batch
	for _, l := range mendShelf(k, k.addresses, &b.addresses, now) {
		if l.ask {
			k.client.AddressLost(l.owner, l.thing)
		}
	}
	mendShelf(k, k.routes, &b.routes, now)
	mendShelf(k, k.rules, &b.rules, now)
	text, failed := k.filter.mend(now)
	if text != "" {
		k.client.Told(Notice{Text: text, Loss: true})
	}
	k.judge(failed, nil, nil)
	if len(b.addresses.list)+len(b.routes.list)+len(b.rules.list) > 0 {
		k.carryOut(b, nil)
	}
}

// mendShelf finds what is missing on one shelf, tells of it and puts the places
// that are to be served again into the batch.
func mendShelf[T placed, C any](k *Keeper, s *shelf[T, C], touched *places, now time.Time) []missing[T] {
	gone, err := s.missing(touched, now)
	if err != nil {
		k.client.Told(Notice{Text: err.Error()})
	}
	for _, l := range gone {
		if l.text != "" {
			k.client.Told(Notice{Owner: l.owner, Text: l.text, Loss: true})
		}
	}
	return gone
}

// things are the things of a list of items.
func things[T any](items []desired.Item[T]) []T {
	out := make([]T, len(items))
	for i, item := range items {
		out[i] = item.Thing
	}
	return out
}
