package keeper

import (
	"cmp"
	"maps"
	"net/netip"
	"reflect"
	"slices"
	"sync"
	"time"

	"github.com/tandem-ha/tandem/internal/host"
)

// filter keeps the packet filter's rules for the addresses that accept nothing
// and for the VMACs that stay quiet. It belongs to the keeper's goroutine.
type filter struct {
	// dial opens the table, once there is a rule for it: a kernel may have to
	// load a module for it.
	dial  func() (host.FirewallTable, error)
	table host.FirewallTable
	deny  map[string][]host.DeniedAddress
	quiet []string
	macs  []host.MAC
	// applied is what the table was last told, left what of it an earlier process
	// told it, which holds until it is decided what becomes of the address.
	applied host.FirewallRules
	left    []host.DeniedAddress
	paced   pacing

	mu sync.Mutex
	// own is how many changes of ours the kernel has not told of yet; foreign is
	// set when it told of another one.
	own     int
	foreign bool
	failing string
}

func newFilter(dial func() (host.FirewallTable, error)) *filter {
	return &filter{dial: dial, deny: map[string][]host.DeniedAddress{}, paced: newPacing()}
}

// claim replaces the addresses of an owner that accept nothing.
func (f *filter) claim(owner string, deny []host.DeniedAddress) {
	if f.deny[owner] = deny; len(deny) == 0 {
		delete(f.deny, owner)
	}
}

// rules are what is wanted of the table.
func (f *filter) rules() host.FirewallRules {
	r := host.FirewallRules{Quiet: f.quiet, Own: f.macs, Deny: slices.Clone(f.left)}
	for _, owner := range slices.Sorted(maps.Keys(f.deny)) {
		r.Deny = append(r.Deny, f.deny[owner]...)
	}
	r.Deny = distinct(r.Deny)
	return r
}

func distinct(list []host.DeniedAddress) []host.DeniedAddress {
	slices.SortFunc(list, func(a, b host.DeniedAddress) int {
		return cmp.Or(a.Addr.Compare(b.Addr), cmp.Compare(a.Interface, b.Interface))
	})
	return slices.Compact(list)
}

// changed is whether the table is not as wanted.
func (f *filter) changed() bool { return !reflect.DeepEqual(f.rules(), f.applied) }

// close has the table deny what it denies and what it is to deny.
func (f *filter) close() []failure {
	r := f.rules()
	r.Deny = distinct(slices.Concat(f.applied.Deny, r.Deny))
	return f.apply(r)
}

// open has the table deny only what it is to deny.
func (f *filter) open() []failure { return f.apply(f.rules()) }

func (f *filter) apply(r host.FirewallRules) []failure {
	if reflect.DeepEqual(r, f.applied) {
		return nil
	}
	err := f.write(r)
	if err == nil {
		f.applied, f.failing = r, ""
		return nil
	}
	news := f.failing != err.Error()
	f.failing = err.Error()
	return []failure{{err: err, news: news}}
}

func (f *filter) write(r host.FirewallRules) error {
	if f.table == nil {
		table, err := f.dial()
		if err != nil {
			return err
		}
		f.table = table
	}
	f.count(1)
	err := f.table.Apply(r)
	if err != nil {
		f.count(-1)
	}
	return err
}

func (f *filter) count(n int) {
	f.mu.Lock()
	f.own = max(f.own+n, 0)
	f.mu.Unlock()
}

// told takes note that the kernel tells of a change of the table, and says whether
// it was somebody else's. It may be called from any goroutine.
func (f *filter) told() bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.own > 0 {
		f.own--
		return false
	}
	f.foreign = true
	return true
}

// mend puts the table back after somebody else has changed it, and says so.
func (f *filter) mend(now time.Time) (text string, failed []failure) {
	f.mu.Lock()
	foreign := f.foreign
	f.foreign = false
	f.mu.Unlock()
	var place host.Place // there is one table
	waited := !f.paced.next().IsZero()
	if len(f.applied.Deny)+len(f.applied.Quiet) == 0 {
		return "", nil // a table of that name is none of ours
	}
	if foreign && !waited {
		text = "the packet filter's table was changed by somebody else: " + f.paced.lost(place, now)
	}
	if !foreign && !waited || f.paced.waits(place, now) {
		return text, nil
	}
	if err := f.write(f.applied); err != nil {
		failed = []failure{{err: err, news: true}}
	}
	return text, failed
}

// inherit takes over what an earlier process has put into the table.
func (f *filter) inherit(left host.FirewallRules) {
	f.applied, f.left = left, left.Deny
}

// settle gives up what an earlier process denied, as far as the address is gone
// or somebody has a say about it now.
func (f *filter) settle(addresses *shelf[host.Address, host.AddressChange]) {
	if len(f.left) == 0 {
		return
	}
	open := map[netip.Addr]bool{}
	for p, list := range addresses.there {
		for _, a := range list {
			open[a.Prefix.Addr()] = len(addresses.claims[p]) == 0
		}
	}
	f.left = slices.DeleteFunc(slices.Clone(f.left), func(d host.DeniedAddress) bool { return !open[d.Addr] })
}

// account is what is in the table, or will be.
func (f *filter) account() host.FirewallRules {
	r := f.rules()
	r.Deny = distinct(slices.Concat(f.applied.Deny, r.Deny))
	r.Quiet = slices.Compact(slices.Sorted(slices.Values(slices.Concat(f.applied.Quiet, r.Quiet))))
	return r
}
