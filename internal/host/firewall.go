package host

import (
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"sync"

	"github.com/google/nftables"
	"github.com/google/nftables/binaryutil"
	"github.com/google/nftables/expr"
	"golang.org/x/sys/unix"
)

// FirewallRules are what VRRP wants of the packet filter.
type FirewallRules struct {
	// Deny are the addresses that no packet is accepted for or sent from, though
	// they are on the host: those of a master with no_accept that is not their
	// owner (RFC 9568 6.1, Accept_Mode). Neighbour discovery for them goes on.
	Deny []DeniedAddress `json:"deny,omitempty"`
	// Quiet are the VMACs that no memberships of groups and no router solicitations
	// may leave by: from a backup they would tell the switches that the virtual
	// address is there.
	Quiet []string `json:"quiet,omitempty"`
	// Own are the hardware addresses of the VMACs, which no ARP answer goes to: the
	// peer that takes over announces its addresses from there, and the kernel would
	// answer it for those that it has still, and so turn the switches back.
	Own []MAC `json:"own,omitempty"`
}

// DeniedAddress is one address of FirewallRules. The interface counts where the
// address is link-local alone, which others may have on their links.
type DeniedAddress struct {
	Addr      netip.Addr `json:"addr"`
	Interface string     `json:"interface,omitempty"`
}

// FirewallTable is what *Firewall does; hosttest has one in memory.
type FirewallTable interface {
	// Apply makes the rules what is in the packet filter through us.
	Apply(rules FirewallRules) error
	// Remove takes out what is there through us, also from an earlier run.
	Remove() error
	Close() error
}

var _ FirewallTable = (*Firewall)(nil)

// ErrNoFirewall is why there are no rules: the kernel has no nf_tables.
var ErrNoFirewall = errors.New("the kernel has no nftables, so that addresses with no_accept accept packets all the same (load the module nf_tables)")

// FirewallOptions are the global settings "nftables", "nftables_priority" and
// "nftables_counters".
type FirewallOptions struct {
	// Table is the name of our table in each family; it is ours as a whole.
	Table string
	// Priority is that of our chains among those of a hook; the lower is first.
	Priority int32
	// Counters are at each rule.
	Counters bool
}

// Firewall keeps our tables of nftables, one for each family that has rules. It
// is safe for use by several goroutines.
type Firewall struct {
	mu      sync.Mutex
	conn    *nftables.Conn
	options FirewallOptions
	// arp is whether there is, or may be, a table of ours for ARP; noARP whether the
	// kernel is known to have none.
	arp, noARP bool
}

// NewFirewall opens the socket, in the network namespace of the calling thread.
// The error is ErrNoFirewall where the kernel has no nf_tables.
func NewFirewall(options FirewallOptions) (*Firewall, error) {
	f, err := newFirewall(options, nftables.AsLasting())
	if err != nil {
		return nil, errors.Join(ErrNoFirewall, err)
	}
	tables, err := f.conn.ListTables()
	if err != nil {
		return nil, errors.Join(ErrNoFirewall, fmt.Errorf("list nftables tables: %w", err), f.Close())
	}
	f.arp = slices.ContainsFunc(tables, func(t *nftables.Table) bool {
		return t.Family == nftables.TableFamilyARP && t.Name == options.Table
	})
	return f, nil
}

func newFirewall(options FirewallOptions, socket nftables.ConnOption) (*Firewall, error) {
	conn, err := nftables.New(socket)
	if err != nil {
		return nil, fmt.Errorf("open nftables socket: %w", err)
	}
	return &Firewall{conn: conn, options: options}, nil
}

// Close closes the socket; rules stay as they are.
func (f *Firewall) Close() error {
	if err := f.conn.CloseLasting(); err != nil {
		return fmt.Errorf("close nftables socket: %w", err)
	}
	return nil
}

// Apply replaces our tables in one transaction, so that at each moment the rules
// of before or those of now hold, whole. Whoever has taken some out gets them
// back. Where there are none, there is no table.
func (f *Firewall) Apply(rules FirewallRules) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	err := f.transact(rules)
	if (f.arp || len(rules.Own) > 0) && !f.noARP && (errors.Is(err, unix.EOPNOTSUPP) || errors.Is(err, unix.EAFNOSUPPORT)) {
		f.noARP = true
		err = f.transact(rules)
	}
	if err != nil {
		return fmt.Errorf("nftables table %s: %w", f.options.Table, err)
	}
	f.arp = len(rules.Own) > 0
	return nil
}

// transact is one transaction with all of the rules.
func (f *Firewall) transact(rules FirewallRules) error {
	for _, family := range []nftables.TableFamily{nftables.TableFamilyIPv4, nftables.TableFamilyIPv6} {
		table := &nftables.Table{Name: f.options.Table, Family: family}
		// A table is made so that it can be deleted.
		f.conn.AddTable(table)
		f.conn.DelTable(table)
		ruleset := rulesetOf(rules, family)
		if ruleset.empty() {
			continue
		}
		f.conn.AddTable(table)
		if err := f.add(table, ruleset); err != nil {
			return err
		}
	}
	if (f.arp || len(rules.Own) > 0) && !f.noARP {
		if err := f.addARP(rules.Own); err != nil {
			return err
		}
	}
	return f.conn.Flush()
}

// addARP replaces the table that keeps ARP answers from our own addresses.
func (f *Firewall) addARP(own []MAC) error {
	table := &nftables.Table{Name: f.options.Table, Family: nftables.TableFamilyARP}
	f.conn.AddTable(table)
	f.conn.DelTable(table)
	if len(own) == 0 {
		return nil
	}
	f.conn.AddTable(table)
	set := ruleSetOf{name: vmacSet, key: nftables.TypeEtherAddr}
	for _, mac := range own {
		set.elements = append(set.elements, nftables.SetElement{Key: mac[:]})
	}
	rule := rulePart{[]match{
		{load: loadPayload(expr.PayloadBaseNetworkHeader, arpOperation, 2), equal: []byte{0, arpAnswer}},
		{load: loadPayload(expr.PayloadBaseNetworkHeader, arpTarget, 6), set: vmacSet},
	}, expr.VerdictDrop}
	hook := nftables.ChainHook(arpOut)
	return f.addChains(table, []ruleSetOf{set}, chainOf{"out", &hook, []rulePart{rule}})
}

// Where operation and target hardware address are in ARP for Ethernet, and the
// operation that answers (RFC 826).
const (
	arpOperation = 6
	arpTarget    = 18
	arpAnswer    = 2
	// arpOut is the hook NF_ARP_OUT.
	arpOut = 1
)

// Remove deletes our tables.
func (f *Firewall) Remove() error { return f.Apply(FirewallRules{}) }

// elements is how many elements go into one message, whose lengths have 16 bits.
const elements = 500

// add puts sets, chains and rules of a family into the transaction.
func (f *Firewall) add(table *nftables.Table, r ruleset) error {
	return f.addChains(table, r.sets, chainOf{"in", nftables.ChainHookInput, r.in}, chainOf{"out", nftables.ChainHookOutput, r.out})
}

// chainOf is a chain at a hook with its rules.
type chainOf struct {
	name  string
	hook  *nftables.ChainHook
	rules []rulePart
}

func (f *Firewall) addChains(table *nftables.Table, all []ruleSetOf, chains ...chainOf) error {
	sets := map[string]*nftables.Set{}
	for _, s := range all {
		set := &nftables.Set{Table: table, Name: s.name, KeyType: s.key}
		if s.key == nftables.TypeIFName {
			// Names are shown as such in this order alone.
			set.KeyByteOrder = binaryutil.NativeEndian
		}
		if err := f.conn.AddSet(set, nil); err != nil {
			return err
		}
		sets[s.name] = set
		for part := range slices.Chunk(s.elements, elements) {
			if err := f.conn.SetAddElements(set, part); err != nil {
				return err
			}
		}
	}
	priority := nftables.ChainPriority(f.options.Priority)
	for _, c := range chains {
		if len(c.rules) == 0 {
			continue
		}
		chain := f.conn.AddChain(&nftables.Chain{
			Table: table, Name: c.name, Type: nftables.ChainTypeFilter, Hooknum: c.hook, Priority: &priority,
		})
		for _, rule := range c.rules {
			f.conn.AddRule(&nftables.Rule{Table: table, Chain: chain, Exprs: rule.expressions(sets, f.options.Counters)})
		}
	}
	return nil
}
