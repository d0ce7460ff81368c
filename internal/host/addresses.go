package host

import (
	"encoding/binary"
	"errors"
	"fmt"
	"sync"
	"time"

	"golang.org/x/sys/unix"
)

// AddressTable is what *Addresses does; hosttest has one in memory.
type AddressTable interface {
	Apply(changes []AddressChange) error
	Owned() ([]Address, error)
	Present(want []Address) ([]Address, error)
	Close() error
}

var _ AddressTable = (*Addresses)(nil)

// chunk is how many changes go to the kernel in one send. Each is carried out
// before the send returns, so this bounds how long one system call takes.
const chunk = 128

// answerTime bounds the wait for the kernel's answer to one send.
const answerTime = 10 * time.Second

// Addresses puts addresses on interfaces and takes them off, through one
// rtnetlink socket. It is safe for use by several goroutines.
type Addresses struct {
	mu   sync.Mutex
	conn *rtnl
	out  []byte
	sent []sentChange
}

type sentChange struct {
	seq    uint32
	change AddressChange
}

// AddressError is one change that the kernel refused.
type AddressError struct {
	Change AddressChange
	Err    error
}

// Error names the change and the kernel's reason.
func (e *AddressError) Error() string { return fmt.Sprintf("%s: %v", e.Change, e.Err) }

// Unwrap returns the kernel's reason.
func (e *AddressError) Unwrap() error { return e.Err }

// NewAddresses opens the socket, in the network namespace of the calling thread.
func NewAddresses() (*Addresses, error) {
	conn, err := dialRTNL(0)
	if err != nil {
		return nil, err
	}
	return &Addresses{conn: conn}, nil
}

// Close closes the socket; addresses stay as they are.
func (a *Addresses) Close() error { return a.conn.close() }

// Apply carries out the changes in order, in batches. An address that is
// already there, or already gone, or whose interface is gone when it is to be
// removed, is as good as done. Each other failure is an *AddressError in the
// joined error; the changes after it are carried out all the same. What was
// added can be reached when Apply returns.
func (a *Addresses) Apply(changes []AddressChange) error {
	if len(changes) == 0 {
		return nil
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	index, err := a.indexes(changes)
	if err != nil {
		return err
	}
	var errs []error
	for left := changes; len(left) > 0; {
		n := min(chunk, len(left))
		errs = a.apply(left[:n], index, errs)
		left = left[n:]
	}
	if len(errs) == 0 {
		errs = append(errs, a.settle(changes, index))
	}
	return errors.Join(errs...)
}

// apply sends one chunk. Only its last message asks to be acknowledged: the
// kernel answers the others only where they fail, and in order.
func (a *Addresses) apply(changes []AddressChange, index map[string]int, errs []error) []error {
	a.out, a.sent = a.out[:0], a.sent[:0]
	last := 0
	for _, c := range changes {
		i, ok := index[c.Address.Interface]
		if !ok {
			if c.Op == AddAddress {
				errs = append(errs, &AddressError{c, fmt.Errorf("no such interface: %w", unix.ENODEV)})
			}
			continue
		}
		if !c.Address.Prefix.IsValid() {
			errs = append(errs, &AddressError{c, unix.EINVAL})
			continue
		}
		seq := a.conn.next()
		last = len(a.out)
		a.out = appendAddress(a.out, c.Op, 0, seq, i, c.Address)
		a.sent = append(a.sent, sentChange{seq, c})
	}
	if len(a.sent) == 0 {
		return errs
	}
	// The flags are the third field of the header.
	flags := binary.NativeEndian.Uint16(a.out[last+6:])
	binary.NativeEndian.PutUint16(a.out[last+6:], flags|unix.NLM_F_ACK)
	if err := a.conn.send(a.out); err != nil {
		return append(errs, fmt.Errorf("send %d address changes from %q: %w", len(a.sent), a.sent[0].change, err))
	}
	return a.answers(errs)
}

// answers reads what the kernel says to the chunk just sent.
func (a *Addresses) answers(errs []error) []error {
	final := a.sent[len(a.sent)-1].seq
	if err := a.conn.deadline(answerTime); err != nil {
		return append(errs, err)
	}
	at := 0
	for {
		b, err := a.conn.receive()
		if err != nil {
			return append(errs, fmt.Errorf("answer to %d address changes from %q: %w", len(a.sent), a.sent[0].change, err))
		}
		for m, rest, ok := nextMessage(b); ok; m, rest, ok = nextMessage(rest) {
			if m.typ != unix.NLMSG_ERROR {
				continue
			}
			for at < len(a.sent) && a.sent[at].seq != m.seq {
				at++
			}
			if at == len(a.sent) {
				at = 0 // a late answer to an earlier request
				continue
			}
			if err := m.result(); err != nil && !harmless(a.sent[at].change.Op, err) {
				errs = append(errs, &AddressError{a.sent[at].change, err})
			}
			if m.seq == final {
				return errs
			}
		}
	}
}

// harmless tells the outcomes that leave the host as it was to be.
func harmless(op Op, err error) bool {
	if op == AddAddress {
		return errors.Is(err, unix.EEXIST)
	}
	return errors.Is(err, unix.EADDRNOTAVAIL) || errors.Is(err, unix.ENODEV)
}

// indexes asks the kernel for the interfaces that the changes name; those that
// do not exist are left out.
func (a *Addresses) indexes(changes []AddressChange) (map[string]int, error) {
	index := make(map[string]int, 4)
	for _, c := range changes {
		name := c.Address.Interface
		if _, done := index[name]; done {
			continue
		}
		i, err := a.index(name)
		switch {
		case errors.Is(err, unix.ENODEV), errors.Is(err, unix.ERANGE), errors.Is(err, unix.EINVAL):
			continue
		case err != nil:
			return nil, fmt.Errorf("look up interface %s: %w", name, err)
		}
		index[name] = i
	}
	return index, nil
}

func (a *Addresses) index(name string) (int, error) {
	seq := a.conn.next()
	b := beginMessage(a.out[:0], unix.RTM_GETLINK, unix.NLM_F_REQUEST, seq)
	b = append(b, make([]byte, unix.SizeofIfInfomsg)...)
	b = appendAttr(b, unix.IFLA_IFNAME, append([]byte(name), 0))
	b = endMessage(b, 0)
	a.out = b[:0]
	if err := a.conn.send(b); err != nil {
		return 0, err
	}
	if err := a.conn.deadline(answerTime); err != nil {
		return 0, err
	}
	for {
		in, err := a.conn.receive()
		if err != nil {
			return 0, err
		}
		for m, rest, ok := nextMessage(in); ok; m, rest, ok = nextMessage(rest) {
			if m.seq != seq {
				continue
			}
			if m.typ == unix.NLMSG_ERROR {
				return 0, m.result()
			}
			if m.typ == unix.RTM_NEWLINK && len(m.data) >= unix.SizeofIfInfomsg {
				return int(int32(binary.NativeEndian.Uint32(m.data[4:]))), nil
			}
		}
	}
}

// Owned returns the addresses on the host that carry our Protocol number, in
// the kernel's order. A kernel before 5.18 keeps no number: there are none then.
func (a *Addresses) Owned() ([]Address, error) {
	return a.dump(func(k kernelAddress) bool { return k.protocol == Protocol })
}

// Present returns those of want that are on the host, as the kernel has them.
// An address is found by its interface, prefix and peer, whatever its settings.
func (a *Addresses) Present(want []Address) ([]Address, error) {
	wanted := make(map[place]bool, len(want))
	for _, w := range want {
		wanted[w.place()] = true
	}
	return a.dump(func(k kernelAddress) bool { return wanted[k.place()] })
}

// dump returns the addresses of the host that keep says yes to.
func (a *Addresses) dump(keep func(kernelAddress) bool) ([]Address, error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	const attempts = 10
	for range attempts {
		names := map[int]string{}
		var out []Address
		err := a.request(unix.RTM_GETLINK, unix.SizeofIfInfomsg, func(m message) {
			if index, name, ok := parseLinkName(m); ok {
				names[index] = name
			}
		})
		if err == nil {
			err = a.request(unix.RTM_GETADDR, unix.SizeofIfAddrmsg, func(m message) {
				k, ok := parseAddress(m.data)
				if !ok || m.typ != unix.RTM_NEWADDR {
					return
				}
				if k.Interface, ok = names[k.index]; !ok {
					return
				}
				if k.Label == k.Interface {
					k.Label = ""
				}
				if keep(k) {
					out = append(out, k.Address)
				}
			})
		}
		if errors.Is(err, unix.EINTR) { // the tables changed meanwhile
			continue
		}
		if err != nil {
			return nil, fmt.Errorf("list addresses: %w", err)
		}
		return out, nil
	}
	return nil, fmt.Errorf("list addresses: %w", unix.EINTR)
}

// request makes one dump and passes each of its messages to visit; the error is
// unix.EINTR where the kernel says that the dump is not consistent.
func (a *Addresses) request(typ uint16, header int, visit func(message)) error {
	seq := a.conn.next()
	b := beginMessage(a.out[:0], typ, unix.NLM_F_REQUEST|unix.NLM_F_DUMP, seq)
	b = endMessage(append(b, make([]byte, header)...), 0)
	a.out = b[:0]
	if err := a.conn.send(b); err != nil {
		return err
	}
	interrupted := false
	for {
		if err := a.conn.deadline(answerTime); err != nil {
			return err
		}
		in, err := a.conn.receive()
		if err != nil {
			return err
		}
		for m, rest, ok := nextMessage(in); ok; m, rest, ok = nextMessage(rest) {
			if m.seq != seq {
				continue
			}
			interrupted = interrupted || m.flags&unix.NLM_F_DUMP_INTR != 0
			switch m.typ {
			case unix.NLMSG_DONE:
				if interrupted {
					return unix.EINTR
				}
				return nil
			case unix.NLMSG_ERROR:
				return m.result()
			default:
				visit(m)
			}
		}
	}
}

// parseLinkName reads index and name of an RTM_NEWLINK.
func parseLinkName(m message) (index int, name string, ok bool) {
	if m.typ != unix.RTM_NEWLINK || len(m.data) < unix.SizeofIfInfomsg {
		return 0, "", false
	}
	index = int(int32(binary.NativeEndian.Uint32(m.data[4:])))
	for typ, value, rest, more := nextAttr(m.data[unix.SizeofIfInfomsg:]); more; typ, value, rest, more = nextAttr(rest) {
		if typ == unix.IFLA_IFNAME {
			return index, cString(value), true
		}
	}
	return 0, "", false
}
