package host

import (
	"fmt"
	"net"
	"net/netip"
	"sync"
	"unsafe"

	"golang.org/x/sys/unix"
)

// outboxSize is how many adverts go out in one system call. A peer's socket of
// default size overflows at some two hundred that come at once.
const outboxSize = 32

// outbox holds the adverts that wait to be sent, and the buffers of sendmmsg(2).
// All of it serves again, so that nothing is allocated once it has grown.
type outbox struct {
	mu      sync.Mutex
	waiting []outgoing
	n       int

	messages [outboxSize]mmsghdr
	iovecs   [outboxSize]unix.Iovec
	to4      [outboxSize]unix.RawSockaddrInet4
	to6      [outboxSize]unix.RawSockaddrInet6
}

// outgoing is a packet to be sent.
type outgoing struct {
	dst     netip.Addr
	packet  []byte
	control []byte
}

// Send is Queue and Flush of one advert. An interface that is down (ENETDOWN) or
// gone (ENODEV, ENXIO) and a destination that cannot be reached are errors.
func (c *AdvertConn) Send(src, dst netip.Addr, ttl int, b []byte) error {
	err := c.Queue(src, dst, ttl, b)
	c.Flush(func(_ int, e error) { err = e })
	return err
}

// Queue puts one advert in the queue, b being the bytes after the IP header with
// the checksum in them; they are copied. The source address need not be on the
// host. ttl is the TTL or hop limit, 1 to 255.
func (c *AdvertConn) Queue(src, dst netip.Addr, ttl int, b []byte) error {
	if !src.IsValid() || !dst.IsValid() || src.Is6() != c.key.IPv6 || dst.Is6() != c.key.IPv6 {
		c.sendErrors.Add(1)
		return fmt.Errorf("send advert from %s to %s: addresses are not of the socket's family", src, dst)
	}
	if ttl < 1 || ttl > 255 {
		c.sendErrors.Add(1)
		return fmt.Errorf("send advert to %s: TTL %d is not 1 to 255", dst, ttl)
	}
	o := &c.out
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.n == len(o.waiting) {
		o.waiting = append(o.waiting, outgoing{})
	}
	w := &o.waiting[o.n]
	o.n++
	w.dst, w.packet, w.control = dst, w.packet[:0], w.control[:0]
	if c.key.IPv6 {
		w.packet = append(w.packet, b...)
		w.control = appendControl6(w.control, src, c.key.Index, ttl)
	} else {
		w.packet = append(appendHeader4(w.packet, c.key.protocol(), src, dst, ttl, len(b)), b...)
	}
	return nil
}

// Flush sends what is queued, in order, at most 32 adverts in a system call, and
// does not wait: what cannot be sent is given to failed, by its place in the
// queue, and gone. failed must not use the socket.
func (c *AdvertConn) Flush(failed func(i int, err error)) {
	o := &c.out
	o.mu.Lock()
	defer o.mu.Unlock()
	for at := 0; at < o.n; {
		n, flags := c.fill(at)
		for done := 0; done < n; {
			sent, err := c.sendBatch(done, n, flags)
			c.sent.Add(uint64(sent))
			done += sent
			if err != nil {
				c.sendErrors.Add(1)
				failed(at+done, fmt.Errorf("send advert on %s to %s: %w", c.key, o.waiting[at+done].dst, err))
				done++
			}
		}
		at += n
	}
	o.n = 0
}

// fill prepares the messages from a place in the queue on, and says how many go
// out together.
func (c *AdvertConn) fill(at int) (n, flags int) {
	o := &c.out
	flags = unix.MSG_DONTWAIT
	if o.waiting[at].dst.IsMulticast() {
		flags |= unix.MSG_DONTROUTE
	}
	for ; n < outboxSize && at+n < o.n; n++ {
		w := &o.waiting[at+n]
		if w.dst.IsMulticast() != o.waiting[at].dst.IsMulticast() {
			break
		}
		h := &o.messages[n].header
		o.iovecs[n].Base = &w.packet[0]
		o.iovecs[n].SetLen(len(w.packet))
		h.Iov = &o.iovecs[n]
		h.SetIovlen(1)
		if c.key.IPv6 {
			o.to6[n] = unix.RawSockaddrInet6{Family: unix.AF_INET6, Addr: w.dst.As16(), Scope_id: uint32(c.key.Index)}
			h.Name, h.Namelen = (*byte)(unsafe.Pointer(&o.to6[n])), unix.SizeofSockaddrInet6
			h.Control = &w.control[0]
			h.SetControllen(len(w.control))
		} else {
			o.to4[n] = unix.RawSockaddrInet4{Family: unix.AF_INET, Addr: w.dst.As4()}
			h.Name, h.Namelen = (*byte)(unsafe.Pointer(&o.to4[n])), unix.SizeofSockaddrInet4
		}
	}
	return n, flags
}

// sendBatch sends messages from to below to. The error is that of the message
// after those that were sent.
func (c *AdvertConn) sendBatch(from, to, flags int) (sent int, err error) {
	c.mu.RLock()
	defer c.mu.RUnlock()
	if c.closed {
		return 0, net.ErrClosed
	}
	return sendMessages(c.fd, c.out.messages[from:to], flags)
}
