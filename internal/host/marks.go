package host

import (
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"strings"

	"github.com/google/nftables"
	"github.com/google/nftables/binaryutil"
	"github.com/google/nftables/expr"
	"golang.org/x/sys/unix"
)

// Mark is a firewall mark for packets of a protocol ("TCP", "UDP", "SCTP") to a
// port of the addresses from First to Last, all of one family.
type Mark struct {
	Protocol    string
	First, Last netip.Addr
	// Port is 0 for any.
	Port uint16
	Mark uint32
}

// ErrNoMarks is why no packets are marked: the kernel has no nf_tables.
var ErrNoMarks = errors.New("the kernel has no nftables (load the module nf_tables)")

// Marks keeps our tables of nftables, one for each family, that mark packets as
// they come in. It is for one goroutine.
type Marks struct {
	conn    *nftables.Conn
	options FirewallOptions
}

// NewMarks opens the socket, in the network namespace of the calling thread. The
// error is ErrNoMarks where the kernel has no nf_tables.
func NewMarks(options FirewallOptions) (*Marks, error) {
	conn, err := nftables.New(nftables.AsLasting())
	if err != nil {
		return nil, fmt.Errorf("open nftables socket: %w", err)
	}
	m := &Marks{conn: conn, options: options}
	if _, err := conn.ListTables(); err != nil {
		return nil, errors.Join(ErrNoMarks, fmt.Errorf("list nftables tables: %w", err), m.Close())
	}
	return m, nil
}

// Close closes the socket; marks stay as they are.
func (m *Marks) Close() error {
	if err := m.conn.CloseLasting(); err != nil {
		return fmt.Errorf("close nftables socket: %w", err)
	}
	return nil
}

// Apply replaces our tables in one transaction. Without marks there is no table.
func (m *Marks) Apply(marks []Mark) error {
	for _, family := range []nftables.TableFamily{nftables.TableFamilyIPv4, nftables.TableFamilyIPv6} {
		table := &nftables.Table{Name: m.options.Table, Family: family}
		// A table is made so that it can be deleted.
		m.conn.AddTable(table)
		m.conn.DelTable(table)
		ours := slices.DeleteFunc(slices.Clone(marks), func(k Mark) bool {
			return k.First.Is6() != (family == nftables.TableFamilyIPv6)
		})
		if len(ours) == 0 {
			continue
		}
		m.conn.AddTable(table)
		if err := m.add(table, ours); err != nil {
			return fmt.Errorf("nftables table %s: %w", m.options.Table, err)
		}
	}
	if err := m.conn.Flush(); err != nil {
		return fmt.Errorf("nftables table %s: %w", m.options.Table, err)
	}
	return nil
}

// markMap is one map of a table: from addresses, and ports unless any will do, to
// marks.
type markMap struct {
	protocol string
	anyPort  bool
}

func (k markMap) name() string {
	name := strings.ToLower(k.protocol)
	if k.anyPort {
		name += "_any"
	}
	return name + "_map"
}

// add puts the maps of a family and the chain that looks into them into the
// transaction: first what names a port.
func (m *Marks) add(table *nftables.Table, marks []Mark) error {
	priority := nftables.ChainPriority(m.options.Priority)
	chain := m.conn.AddChain(&nftables.Chain{
		Table: table, Name: "in", Type: nftables.ChainTypeFilter, Hooknum: nftables.ChainHookInput, Priority: &priority,
	})
	for _, anyPort := range []bool{false, true} {
		for _, protocol := range []string{"TCP", "UDP", "SCTP"} {
			kind := markMap{protocol, anyPort}
			var list []nftables.SetElement
			for _, k := range marks {
				if k.Protocol == protocol && (k.Port == 0) == anyPort {
					list = append(list, element(k)...)
				}
			}
			if len(list) == 0 {
				continue
			}
			set, err := m.addMap(table, kind, list)
			if err != nil {
				return err
			}
			m.conn.AddRule(&nftables.Rule{Table: table, Chain: chain, Exprs: m.rule(table, kind, set)})
		}
	}
	return nil
}

func (m *Marks) addMap(table *nftables.Table, kind markMap, list []nftables.SetElement) (*nftables.Set, error) {
	key := nftables.TypeIPAddr
	if table.Family == nftables.TableFamilyIPv6 {
		key = nftables.TypeIP6Addr
	}
	set := &nftables.Set{Table: table, Name: kind.name(), IsMap: true, Interval: true, KeyType: key, DataType: nftables.TypeMark}
	if !kind.anyPort {
		both, err := nftables.ConcatSetType(key, nftables.TypeInetService)
		if err != nil {
			return nil, err
		}
		set.KeyType, set.Concatenation = both, true
	}
	if err := m.conn.AddSet(set, nil); err != nil {
		return nil, err
	}
	for part := range slices.Chunk(list, elements) {
		if err := m.conn.SetAddElements(set, part); err != nil {
			return nil, err
		}
	}
	return set, nil
}

// element is a range of addresses as an element of a map: of one with ports, from
// key to key; otherwise from a key to the next key, which ends it.
func element(k Mark) []nftables.SetElement {
	mark := binaryutil.NativeEndian.PutUint32(k.Mark)
	if k.Port == 0 {
		return []nftables.SetElement{
			{Key: k.First.AsSlice(), Val: mark},
			{Key: k.Last.Next().AsSlice(), IntervalEnd: true},
		}
	}
	// Each part of a key is filled to four bytes.
	port := append(binaryutil.BigEndian.PutUint16(k.Port), 0, 0)
	return []nftables.SetElement{{
		Key: append(k.First.AsSlice(), port...), KeyEnd: append(k.Last.AsSlice(), port...), Val: mark,
	}}
}

// rule looks a packet up and marks it.
func (m *Marks) rule(table *nftables.Table, kind markMap, set *nftables.Set) []expr.Any {
	at, length, second := uint32(16), uint32(4), uint32(unix.NFT_REG32_01)
	if table.Family == nftables.TableFamilyIPv6 {
		at, length, second = 24, 16, unix.NFT_REG32_00+4
	}
	protocol := map[string]byte{"TCP": unix.IPPROTO_TCP, "UDP": unix.IPPROTO_UDP, "SCTP": unix.IPPROTO_SCTP}[kind.protocol]
	rule := []expr.Any{
		loadMeta(expr.MetaKeyL4PROTO),
		&expr.Cmp{Op: expr.CmpOpEq, Register: register, Data: []byte{protocol}},
		loadPayload(expr.PayloadBaseNetworkHeader, at, length),
	}
	if !kind.anyPort {
		rule = append(rule, &expr.Payload{DestRegister: second, Base: expr.PayloadBaseTransportHeader, Offset: 2, Len: 2})
	}
	rule = append(rule,
		&expr.Lookup{SourceRegister: register, DestRegister: register, IsDestRegSet: true, SetName: set.Name, SetID: set.ID},
		&expr.Meta{Key: expr.MetaKeyMARK, Register: register, SourceRegister: true})
	if m.options.Counters {
		rule = append(rule, &expr.Counter{})
	}
	return append(rule, &expr.Verdict{Kind: expr.VerdictReturn})
}
