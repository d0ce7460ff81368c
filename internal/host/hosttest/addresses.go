// Package hosttest holds stand-ins for the parts of package host that touch the
// kernel, for the tests of what is built on them. It decides nothing that the
// kernel does not, and only tests import it.
package hosttest

import (
	"errors"
	"fmt"
	"slices"
	"sync"
	"syscall"

	"github.com/tandem-ha/tandem/internal/host"
)

// Addresses is a host.AddressTable in memory.
type Addresses struct {
	mu         sync.Mutex
	interfaces map[string]bool
	held       []held
	refused    map[string]error
	batches    [][]host.AddressChange
}

type held struct {
	host.Address
	owned bool
}

var _ host.AddressTable = (*Addresses)(nil)

// NewAddresses returns a table of a host with these interfaces and no address.
func NewAddresses(interfaces ...string) *Addresses {
	a := &Addresses{interfaces: map[string]bool{}, refused: map[string]error{}}
	for _, name := range interfaces {
		a.interfaces[name] = true
	}
	return a
}

// Foreign puts an address on the host that is not ours.
func (a *Addresses) Foreign(addr host.Address) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.held = append(a.held, held{Address: addr})
}

// Refuse makes each addition of the prefix, written as netip.Prefix writes it,
// fail with err; nil lets it succeed again.
func (a *Addresses) Refuse(prefix string, err error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.refused[prefix] = err
}

// RemoveInterface deletes an interface with its addresses.
func (a *Addresses) RemoveInterface(name string) {
	a.mu.Lock()
	defer a.mu.Unlock()
	delete(a.interfaces, name)
	a.held = slices.DeleteFunc(a.held, func(h held) bool { return h.Interface == name })
}

// Rename gives an interface another name; its addresses stay on it.
func (a *Addresses) Rename(from, to string) {
	a.mu.Lock()
	defer a.mu.Unlock()
	delete(a.interfaces, from)
	a.interfaces[to] = true
	for i := range a.held {
		if a.held[i].Interface == from {
			a.held[i].Interface = to
		}
	}
}

// Lose takes an address off, as somebody else would, and says whether it was
// there.
func (a *Addresses) Lose(addr host.Address) bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	i := a.find(addr)
	if i < 0 {
		return false
	}
	a.held = slices.Delete(a.held, i, i+1)
	return true
}

// Batches returns what Apply was asked for, call by call.
func (a *Addresses) Batches() [][]host.AddressChange {
	a.mu.Lock()
	defer a.mu.Unlock()
	return slices.Clone(a.batches)
}

// All returns the addresses on the host in the order of their coming.
func (a *Addresses) All() []host.Address {
	return a.list(func(held) bool { return true })
}

// Apply implements host.AddressTable.
func (a *Addresses) Apply(changes []host.AddressChange) error {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.batches = append(a.batches, slices.Clone(changes))
	var errs []error
	for _, c := range changes {
		i := a.find(c.Address)
		switch {
		case c.Op == host.RemoveAddress:
			if i >= 0 {
				a.held = slices.Delete(a.held, i, i+1)
			}
		case !a.interfaces[c.Address.Interface]:
			errs = append(errs, &host.AddressError{Change: c, Err: fmt.Errorf("no such interface: %w", syscall.ENODEV)})
		case a.refused[c.Address.Prefix.String()] != nil:
			errs = append(errs, &host.AddressError{Change: c, Err: a.refused[c.Address.Prefix.String()]})
		case i < 0:
			a.held = append(a.held, held{Address: c.Address, owned: true})
		}
	}
	return errors.Join(errs...)
}

// Owned implements host.AddressTable.
func (a *Addresses) Owned() ([]host.Address, error) {
	return a.list(func(h held) bool { return h.owned }), nil
}

// Present implements host.AddressTable.
func (a *Addresses) Present(want []host.Address) ([]host.Address, error) {
	return a.list(func(h held) bool {
		return slices.ContainsFunc(want, func(w host.Address) bool { return same(h.Address, w) })
	}), nil
}

// Close implements host.AddressTable.
func (a *Addresses) Close() error { return nil }

func (a *Addresses) list(keep func(held) bool) []host.Address {
	a.mu.Lock()
	defer a.mu.Unlock()
	var out []host.Address
	for _, h := range a.held {
		if keep(h) {
			out = append(out, h.Address)
		}
	}
	return out
}

func (a *Addresses) find(addr host.Address) int {
	return slices.IndexFunc(a.held, func(h held) bool { return same(h.Address, addr) })
}

func same(a, b host.Address) bool {
	return a.Interface == b.Interface && a.Prefix == b.Prefix && a.Peer == b.Peer
}
