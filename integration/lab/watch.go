package lab

import (
	"context"
	"fmt"
	"net/netip"
	"sync"
	"time"

	"github.com/vishvananda/netlink"
)

// AddressEvent is one address that came or went.
type AddressEvent struct {
	At      time.Time
	Addr    netip.Addr
	Bits    int
	Present bool
}

// Watch follows the addresses of one host by netlink.
type Watch struct {
	mu      sync.Mutex
	changed chan struct{}
	held    map[netip.Addr]int
	events  []AddressEvent
	err     error
	done    chan struct{}
	once    sync.Once
}

func newWatch(n namespace) (*Watch, error) {
	w := &Watch{changed: make(chan struct{}), held: map[netip.Addr]int{}, done: make(chan struct{})}
	updates := make(chan netlink.AddrUpdate, 1024)
	err := netlink.AddrSubscribeWithOptions(updates, w.done, netlink.AddrSubscribeOptions{
		Namespace:         &n.fd,
		ListExisting:      true,
		ReceiveBufferSize: 1 << 20,
		ErrorCallback:     w.fail,
	})
	if err != nil {
		return nil, fmt.Errorf("watch the addresses of %s: %w", n.name, err)
	}
	go func() {
		for u := range updates {
			w.add(u)
		}
	}()
	return w, nil
}

func (w *Watch) add(u netlink.AddrUpdate) {
	addr, ok := netip.AddrFromSlice(u.LinkAddress.IP)
	if !ok {
		return
	}
	addr = addr.Unmap()
	bits, _ := u.LinkAddress.Mask.Size()
	w.mu.Lock()
	defer w.mu.Unlock()
	// The kernel tells of an address again when only its lifetime changes.
	if old, have := w.held[addr]; u.NewAddr && have && old == bits {
		return
	}
	if u.NewAddr {
		w.held[addr] = bits
	} else {
		delete(w.held, addr)
	}
	w.events = append(w.events, AddressEvent{At: time.Now(), Addr: addr, Bits: bits, Present: u.NewAddr})
	w.wake()
}

func (w *Watch) fail(err error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	select {
	case <-w.done: // the end of the watch is no failure
	default:
		w.err = err
		w.wake()
	}
}

// wake tells everyone who waits. The lock is held.
func (w *Watch) wake() {
	close(w.changed)
	w.changed = make(chan struct{})
}

func (w *Watch) close() { w.once.Do(func() { close(w.done) }) }

// Has is whether the host has the address now.
func (w *Watch) Has(addr netip.Addr) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	_, ok := w.held[addr]
	return ok
}

// Events returns what came and went after a moment.
func (w *Watch) Events(after time.Time) []AddressEvent {
	w.mu.Lock()
	defer w.mu.Unlock()
	var out []AddressEvent
	for _, e := range w.events {
		if e.At.After(after) {
			out = append(out, e)
		}
	}
	return out
}

// Wait waits until the host has each address, or has it no longer.
func (w *Watch) Wait(ctx context.Context, present bool, addrs ...netip.Addr) error {
	for {
		w.mu.Lock()
		missing := netip.Addr{}
		for _, a := range addrs {
			if _, ok := w.held[a]; ok != present {
				missing = a
				break
			}
		}
		changed, err := w.changed, w.err
		w.mu.Unlock()
		if !missing.IsValid() {
			return nil
		}
		if err != nil {
			return err
		}
		select {
		case <-changed:
		case <-ctx.Done():
			if present {
				return fmt.Errorf("%s did not come: %w", missing, ctx.Err())
			}
			return fmt.Errorf("%s did not go: %w", missing, ctx.Err())
		}
	}
}
