package host

import (
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"time"

	"github.com/google/nftables"
	"github.com/google/nftables/binaryutil"
	"github.com/google/nftables/expr"
	"golang.org/x/sys/unix"
)

// UnsyncedRules are the TCP packets that only IPVS may answer or pass on: what is
// left of them when it has had its turn belongs to connections that it does not
// know. Those that begin a connection are none of them.
type UnsyncedRules struct {
	// Services are the virtual services; port 0 is any.
	Services []netip.AddrPort `json:"services,omitempty"`
	// Marks are the virtual services that are known by a firewall mark.
	Marks []FamilyMark `json:"marks,omitempty"`
	// Servers are the real servers whose answers IPVS translates.
	Servers []netip.AddrPort `json:"servers,omitempty"`
}

// FamilyMark is a firewall mark of packets of one family.
type FamilyMark struct {
	Mark uint32 `json:"mark"`
	IPv6 bool   `json:"ipv6,omitempty"`
}

func (r UnsyncedRules) empty() bool {
	return len(r.Services) == 0 && len(r.Marks) == 0 && len(r.Servers) == 0
}

// ErrNoUnsynced is why nothing is dropped: the kernel has no nf_tables.
var ErrNoUnsynced = errors.New("the kernel has no nftables, so that connections opened just before a takeover may be reset (load the module nf_tables)")

// unsyncedTable is the name of the tables, which are ours as a whole.
const unsyncedTable = "tandem_unsynced"

// unsyncedPriority is behind that of all hooks of IPVS, the last of which is at
// NF_IP_PRI_NAT_SRC (net/netfilter/ipvs/ip_vs_core.c).
const unsyncedPriority nftables.ChainPriority = 110

// Unsynced keeps tables of nftables, one for each family, that drop what IPVS does
// not know while the other kernel may still tell of it: the host would answer
// with a reset, and the sender of a dropped packet sends it again. What it drops
// it forgets by itself after a while, so that nothing is in the way after a crash.
// It is for one goroutine.
type Unsynced struct {
	conn *nftables.Conn
}

// NewUnsynced opens the socket, in the network namespace of the calling thread.
// The error is ErrNoUnsynced where the kernel has no nf_tables.
func NewUnsynced() (*Unsynced, error) {
	conn, err := nftables.New(nftables.AsLasting())
	if err != nil {
		return nil, fmt.Errorf("open nftables socket: %w", err)
	}
	u := &Unsynced{conn: conn}
	if _, err := conn.ListTables(); err != nil {
		return nil, errors.Join(ErrNoUnsynced, fmt.Errorf("list nftables tables: %w", err), u.Close())
	}
	return u, nil
}

// Close closes the socket; the tables stay as they are.
func (u *Unsynced) Close() error {
	if err := u.conn.CloseLasting(); err != nil {
		return fmt.Errorf("close nftables socket: %w", err)
	}
	return nil
}

// Left says whether there is a table of ours, perhaps an earlier process's.
func (u *Unsynced) Left() (bool, error) {
	tables, err := u.conn.ListTables()
	if err != nil {
		return false, fmt.Errorf("list nftables tables: %w", err)
	}
	return slices.ContainsFunc(tables, func(t *nftables.Table) bool { return t.Name == unsyncedTable }), nil
}

// Apply replaces our tables in one transaction. The kernel itself ends what they
// do after limit. Without rules there is no table.
func (u *Unsynced) Apply(rules UnsyncedRules, limit time.Duration) error {
	for _, family := range []nftables.TableFamily{nftables.TableFamilyIPv4, nftables.TableFamilyIPv6} {
		table := &nftables.Table{Name: unsyncedTable, Family: family}
		// A table is made so that it can be deleted.
		u.conn.AddTable(table)
		u.conn.DelTable(table)
		ours := rules.of(family)
		if ours.empty() {
			continue
		}
		u.conn.AddTable(table)
		if err := u.add(table, ours, limit); err != nil {
			return fmt.Errorf("nftables table %s: %w", unsyncedTable, err)
		}
	}
	if err := u.conn.Flush(); err != nil {
		return fmt.Errorf("nftables table %s: %w", unsyncedTable, err)
	}
	return nil
}

// Remove deletes our tables, also an earlier process's.
func (u *Unsynced) Remove() error { return u.Apply(UnsyncedRules{}, 0) }

// of gives the rules of one family.
func (r UnsyncedRules) of(family nftables.TableFamily) UnsyncedRules {
	v6 := family == nftables.TableFamilyIPv6
	other := func(a netip.AddrPort) bool { return a.Addr().Is6() != v6 }
	return UnsyncedRules{
		Services: slices.DeleteFunc(slices.Clone(r.Services), other),
		Marks:    slices.DeleteFunc(slices.Clone(r.Marks), func(m FamilyMark) bool { return m.IPv6 != v6 }),
		Servers:  slices.DeleteFunc(slices.Clone(r.Servers), other),
	}
}

// add puts sets, chains and rules of a family into the transaction.
func (u *Unsynced) add(table *nftables.Table, r UnsyncedRules, limit time.Duration) error {
	s := ends{conn: u.conn, table: table, limit: limit}
	priority := unsyncedPriority
	chain := func(name string, hook *nftables.ChainHook) *nftables.Chain {
		return u.conn.AddChain(&nftables.Chain{Table: table, Name: name, Type: nftables.ChainTypeFilter, Hooknum: hook, Priority: &priority})
	}
	in, through := chain("in", nftables.ChainHookInput), chain("forward", nftables.ChainHookForward)
	return errors.Join(
		s.drop(in, "services", toService, r.Services, false),
		s.drop(in, "services_any", toService, r.Services, true),
		s.dropMarked(in, r.Marks),
		s.drop(through, "servers", fromServer, r.Servers, false),
		s.drop(through, "servers_any", fromServer, r.Servers, true))
}

// end is an end of a TCP connection in a packet: where its address is in the
// headers of IPv4 and IPv6, and its port in that of TCP.
type end struct{ four, six, port uint32 }

// The ends of a TCP connection (RFC 791 3.1, RFC 8200 3, RFC 9293 3.1).
var (
	toService  = end{four: 16, six: 24, port: 2}
	fromServer = end{four: 12, six: 8, port: 0}
)

// ends puts rules for ends of connections into a table.
type ends struct {
	conn  *nftables.Conn
	table *nftables.Table
	limit time.Duration
}

// drop adds the rule for those of the addresses that name a port, or for those of
// any port.
func (s ends) drop(chain *nftables.Chain, name string, e end, all []netip.AddrPort, anyPort bool) error {
	var list []nftables.SetElement
	for _, a := range all {
		switch {
		case (a.Port() == 0) != anyPort:
		case anyPort:
			list = append(list, nftables.SetElement{Key: addrBytes(a.Addr())})
		default:
			// Each part of a key is filled to four bytes.
			port := append(binaryutil.BigEndian.PutUint16(a.Port()), 0, 0)
			list = append(list, nftables.SetElement{Key: append(addrBytes(a.Addr()), port...)})
		}
	}
	at, length, second, key := e.four, uint32(4), uint32(unix.NFT_REG32_01), nftables.TypeIPAddr
	if s.table.Family == nftables.TableFamilyIPv6 {
		at, length, second, key = e.six, 16, unix.NFT_REG32_00+4, nftables.TypeIP6Addr
	}
	set := &nftables.Set{Name: name, KeyType: key}
	loads := []expr.Any{loadPayload(expr.PayloadBaseNetworkHeader, at, length)}
	if !anyPort {
		both, err := nftables.ConcatSetType(key, nftables.TypeInetService)
		if err != nil {
			return err
		}
		set.KeyType, set.Concatenation = both, true
		loads = append(loads, &expr.Payload{DestRegister: second, Base: expr.PayloadBaseTransportHeader, Offset: e.port, Len: 2})
	}
	return s.rule(chain, set, list, loads...)
}

// dropMarked adds the rule for marks.
func (s ends) dropMarked(chain *nftables.Chain, marks []FamilyMark) error {
	var list []nftables.SetElement
	for _, m := range marks {
		list = append(list, nftables.SetElement{Key: binaryutil.NativeEndian.PutUint32(m.Mark)})
	}
	return s.rule(chain, &nftables.Set{Name: "marks", KeyType: nftables.TypeMark}, list, loadMeta(expr.MetaKeyMARK))
}

// rule adds a set and the rule that drops what is in it: TCP, and not the packet
// that begins a connection, which has SYN alone of these flags.
func (s ends) rule(chain *nftables.Chain, set *nftables.Set, list []nftables.SetElement, loads ...expr.Any) error {
	if len(list) == 0 {
		return nil
	}
	set.Table, set.HasTimeout, set.Timeout = s.table, true, s.limit
	if err := s.conn.AddSet(set, nil); err != nil {
		return err
	}
	for part := range slices.Chunk(list, elements) {
		if err := s.conn.SetAddElements(set, part); err != nil {
			return err
		}
	}
	const fin, syn, rst, ack = 0x01, 0x02, 0x04, 0x10
	exprs := []expr.Any{loadMeta(expr.MetaKeyL4PROTO), &expr.Cmp{Op: expr.CmpOpEq, Register: register, Data: []byte{unix.IPPROTO_TCP}}}
	exprs = append(exprs, loads...)
	exprs = append(exprs,
		&expr.Lookup{SourceRegister: register, SetName: set.Name, SetID: set.ID},
		loadPayload(expr.PayloadBaseTransportHeader, 13, 1),
		&expr.Bitwise{SourceRegister: register, DestRegister: register, Len: 1, Mask: []byte{fin | syn | rst | ack}, Xor: []byte{0}},
		&expr.Cmp{Op: expr.CmpOpNeq, Register: register, Data: []byte{syn}},
		&expr.Verdict{Kind: expr.VerdictDrop})
	s.conn.AddRule(&nftables.Rule{Table: s.table, Chain: chain, Exprs: exprs})
	return nil
}
