package host

import (
	"errors"
	"fmt"
	"sync"

	"golang.org/x/sys/unix"

	"github.com/tandem-ha/tandem/ipvs/nlmsg"
)

// AddressTable is what *Addresses does; hosttest has one in memory.
type AddressTable interface {
	Apply(changes []AddressChange) error
	Owned() ([]Address, error)
	Present(want []Address) ([]Address, error)
	Close() error
}

var _ AddressTable = (*Addresses)(nil)

// Addresses puts addresses on interfaces and takes them off, through one
// rtnetlink socket. It is safe for use by several goroutines.
type Addresses struct {
	mu    sync.Mutex
	batch batch[AddressChange]
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
	conn, err := dialRTNL()
	if err != nil {
		return nil, err
	}
	return &Addresses{batch: batch[AddressChange]{conn: conn}}, nil
}

// Close closes the socket; addresses stay as they are.
func (a *Addresses) Close() error { return a.batch.conn.close() }

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
	index := make(map[string]int, 4)
	for _, c := range changes {
		if err := a.batch.conn.indexes(index, c.Address.Interface); err != nil {
			return err
		}
	}
	if err := a.batch.run(changes, codec[AddressChange]{
		encode: func(b []byte, seq uint32, c AddressChange) ([]byte, error) {
			i, ok := index[c.Address.Interface]
			switch {
			case !ok && c.Op == RemoveAddress:
				return b, errNothing
			case !ok:
				return b, errNoInterface
			case !c.Address.Prefix.IsValid():
				return b, unix.EINVAL
			}
			return appendAddress(b, c.Op, 0, seq, i, c.Address), nil
		},
		harmless: func(c AddressChange, err error) bool {
			if c.Op == AddAddress {
				return errors.Is(err, unix.EEXIST)
			}
			return errors.Is(err, unix.EADDRNOTAVAIL) || errors.Is(err, unix.ENODEV)
		},
		failed: func(c AddressChange, err error) error { return &AddressError{c, err} },
	}); err != nil {
		return err
	}
	return a.settle(changes, index)
}

// errNoInterface is why something cannot be put on an interface that is not there.
var errNoInterface = fmt.Errorf("no such interface: %w", unix.ENODEV)

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
	conn := a.batch.conn
	var out []Address
	err := conn.list("addresses", func() error {
		out = nil
		names, err := conn.names()
		if err != nil {
			return err
		}
		return conn.dump(unix.RTM_GETADDR, make([]byte, unix.SizeofIfAddrmsg), func(m nlmsg.Message) {
			k, ok := parseAddress(m.Data)
			if !ok || m.Type != unix.RTM_NEWADDR {
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
	})
	return out, err
}
