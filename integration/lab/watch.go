package lab

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"net/netip"
	"os"
	"sync"
	"syscall"
	"time"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"
)

// AddressEvent is one address that came or went.
type AddressEvent struct {
	At      time.Time
	Addr    netip.Addr
	Bits    int
	Present bool
}

// place is an address on a link.
type place struct {
	link int
	addr netip.Addr
}

// Watch follows the addresses of one host by netlink. The kernel queues what it tells
// with the change itself, and whoever asks is told of all that is queued: nobody sees
// less than the host has because this process is short of a core.
type Watch struct {
	file  *os.File
	conn  syscall.RawConn
	ended sync.WaitGroup

	mu      sync.Mutex
	changed chan struct{}
	held    map[place]int
	events  []AddressEvent
	err     error
	buf     []byte
}

func newWatch(n namespace) (*Watch, error) {
	w := &Watch{changed: make(chan struct{}), held: map[place]int{}, buf: make([]byte, 1<<16)}
	h := &Host{ns: n}
	if err := h.In(w.open); err != nil {
		return nil, fmt.Errorf("watch the addresses of %s: %w", n.name, err)
	}
	// What comes between the two is told twice, and counts once.
	list, err := n.nl.AddrList(nil, netlink.FAMILY_ALL)
	if err != nil {
		return nil, errors.Join(fmt.Errorf("list the addresses of %s: %w", n.name, err), w.file.Close())
	}
	w.mu.Lock()
	for _, a := range list {
		if addr, ok := netip.AddrFromSlice(a.IP); ok {
			bits, _ := a.Mask.Size()
			w.note(true, place{a.LinkIndex, addr.Unmap()}, bits)
		}
	}
	w.mu.Unlock()
	w.ended.Go(func() {
		// Until it is closed.
		_ = w.conn.Read(func(fd uintptr) bool {
			w.mu.Lock()
			defer w.mu.Unlock()
			w.take(int(fd))
			return false
		})
	})
	return w, nil
}

func (w *Watch) open() error {
	fd, err := unix.Socket(unix.AF_NETLINK, unix.SOCK_RAW|unix.SOCK_CLOEXEC|unix.SOCK_NONBLOCK, unix.NETLINK_ROUTE)
	if err != nil {
		return err
	}
	err = errors.Join(
		unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_RCVBUFFORCE, 4<<20),
		unix.Bind(fd, &unix.SockaddrNetlink{Family: unix.AF_NETLINK, Groups: unix.RTMGRP_IPV4_IFADDR | unix.RTMGRP_IPV6_IFADDR}))
	if err != nil {
		_ = unix.Close(fd)
		return err
	}
	w.file = os.NewFile(uintptr(fd), "watch")
	w.conn, err = w.file.SyscallConn()
	return err
}

// look takes what the kernel has told up to now. The lock is held.
func (w *Watch) look() { _ = w.conn.Control(func(fd uintptr) { w.take(int(fd)) }) }

// take takes what is queued, and does not wait. The lock is held.
func (w *Watch) take(fd int) {
	for {
		n, _, err := unix.Recvfrom(fd, w.buf, unix.MSG_DONTWAIT)
		switch {
		case errors.Is(err, unix.EAGAIN):
			return
		case errors.Is(err, unix.EINTR):
			continue
		case err != nil:
			w.err = fmt.Errorf("watch of addresses: %w", err)
			w.wake()
			return
		}
		messages, err := syscall.ParseNetlinkMessage(w.buf[:n])
		if err != nil {
			w.err = fmt.Errorf("watch of addresses: %w", err)
		}
		for _, m := range messages {
			if at, bits, ok := readAddress(m); ok {
				w.note(m.Header.Type == unix.RTM_NEWADDR, at, bits)
			}
		}
	}
}

// readAddress reads the address that a message is about.
func readAddress(m syscall.NetlinkMessage) (at place, bits int, ok bool) {
	if m.Header.Type != unix.RTM_NEWADDR && m.Header.Type != unix.RTM_DELADDR || len(m.Data) < unix.SizeofIfAddrmsg {
		return place{}, 0, false
	}
	attributes, err := syscall.ParseNetlinkRouteAttr(&m)
	if err != nil {
		return place{}, 0, false
	}
	at.link, bits = int(binary.NativeEndian.Uint32(m.Data[4:])), int(m.Data[1])
	var local, other netip.Addr
	for _, a := range attributes {
		switch a.Attr.Type {
		case unix.IFA_LOCAL:
			local, _ = netip.AddrFromSlice(a.Value)
		case unix.IFA_ADDRESS:
			other, _ = netip.AddrFromSlice(a.Value)
		}
	}
	switch at.addr = other; {
	case local.IsValid() && local != other:
		at.addr, bits = local, local.BitLen() // the prefix is the peer's
	case local.IsValid():
		at.addr = local
	}
	return at, bits, at.addr.IsValid()
}

// note notes an address that came or went. The lock is held.
func (w *Watch) note(present bool, at place, bits int) {
	// The kernel tells of an address again when only its lifetime changes.
	old, have := w.held[at]
	switch {
	case present && have && old == bits, !present && !have:
		return
	case present:
		w.held[at] = bits
	default:
		delete(w.held, at)
	}
	w.events = append(w.events, AddressEvent{At: time.Now(), Addr: at.addr, Bits: bits, Present: present})
	w.wake()
}

// wake tells everyone who waits. The lock is held.
func (w *Watch) wake() {
	close(w.changed)
	w.changed = make(chan struct{})
}

func (w *Watch) close() {
	_ = w.file.Close()
	w.ended.Wait()
}

// has is whether any link has the address. The lock is held.
func (w *Watch) has(addr netip.Addr) bool {
	for at := range w.held {
		if at.addr == addr {
			return true
		}
	}
	return false
}

// Has is whether the host has the address now.
func (w *Watch) Has(addr netip.Addr) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.look()
	return w.has(addr)
}

// Now is the present moment, before which is all that has come and gone so far.
func (w *Watch) Now() time.Time {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.look()
	return time.Now()
}

// Events returns what came and went after a moment.
func (w *Watch) Events(after time.Time) []AddressEvent {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.look()
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
		w.look()
		missing := netip.Addr{}
		for _, a := range addrs {
			if w.has(a) != present {
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
