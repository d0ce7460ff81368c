package agent

import (
	"cmp"
	"maps"
	"net/netip"
	"reflect"
	"slices"

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
	// applied is what the table was last told, left what of it an earlier process
	// told it, which holds until it is decided what becomes of the address.
	applied host.FirewallRules
	left    []host.DeniedAddress
	failing string
}

func newFilter(dial func() (host.FirewallTable, error)) *filter {
	return &filter{dial: dial, deny: map[string][]host.DeniedAddress{}}
}

// claim replaces the addresses of an owner that accept nothing.
func (f *filter) claim(owner string, deny []host.DeniedAddress) {
	if f.deny[owner] = deny; len(deny) == 0 {
		delete(f.deny, owner)
	}
}

// rules are what is wanted of the table.
func (f *filter) rules() host.FirewallRules {
	r := host.FirewallRules{Quiet: f.quiet, Deny: slices.Clone(f.left)}
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
	return f.table.Apply(r)
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
