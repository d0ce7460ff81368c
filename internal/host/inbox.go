package host

import (
	"encoding/binary"
	"errors"
	"net"
	"net/netip"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"

	"github.com/tandem-ha/tandem/vrrp"
)

const (
	// inboxSize is how many packets one system call takes in.
	inboxSize = 16
	// packetSize holds the largest advert: 255 IPv6 addresses, with the IPv4
	// header or a trailer of authentication.
	packetSize  = 4608
	controlSize = 128
	// readDelay is the pause after a read that failed, so that an error that
	// stays does not keep a core busy.
	readDelay = 100 * time.Millisecond
)

// inbox holds the buffers of recvmmsg(2). x/net's ReadBatch allocates two objects
// a packet; this allocates none.
type inbox struct {
	messages [inboxSize]mmsghdr
	iovecs   [inboxSize]unix.Iovec
	names    [inboxSize]unix.RawSockaddrInet6
	packets  [][packetSize]byte
	controls [inboxSize][controlSize]byte

	n     int
	errno unix.Errno
	fn    func(fd uintptr) bool
}

// mmsghdr is struct mmsghdr, which x/sys/unix does not have.
type mmsghdr struct {
	header unix.Msghdr
	length uint32
}

func (in *inbox) init() {
	in.packets = make([][packetSize]byte, inboxSize)
	for i := range in.messages {
		in.iovecs[i].Base = &in.packets[i][0]
		in.iovecs[i].SetLen(packetSize)
		h := &in.messages[i].header
		h.Iov = &in.iovecs[i]
		h.SetIovlen(1)
		h.Name = (*byte)(unsafe.Pointer(&in.names[i]))
		h.Control = &in.controls[i][0]
	}
	in.fn = in.read
}

// read takes in what is there; false means that nothing is.
func (in *inbox) read(fd uintptr) bool {
	for i := range in.messages {
		h := &in.messages[i].header
		h.Namelen = unix.SizeofSockaddrInet6
		h.SetControllen(controlSize)
		h.Flags = 0
	}
	for {
		n, _, errno := unix.Syscall6(unix.SYS_RECVMMSG, fd,
			uintptr(unsafe.Pointer(&in.messages[0])), inboxSize, unix.MSG_DONTWAIT, 0, 0)
		if errno == unix.EINTR {
			continue
		}
		in.n, in.errno = int(n), errno
		if errno != 0 {
			in.n = 0
		}
		return errno != unix.EAGAIN
	}
}

// receive is the socket's goroutine. Only Close ends it: any other error is
// counted, and the next read may work again.
func (c *AdvertConn) receive() {
	defer close(c.done)
	for {
		err := c.raw.Read(c.in.fn)
		if errors.Is(err, net.ErrClosed) {
			return
		}
		if err == nil && c.in.errno != 0 {
			err = c.in.errno
		}
		if err != nil {
			c.readErrors.Add(1)
			select {
			case <-c.closed:
				return
			case <-time.After(readDelay):
			}
			continue
		}
		now := time.Now()
		for i := range c.in.n {
			c.deliver(i, now)
		}
	}
}

// deliver passes on one packet of the inbox, unless it is not for this socket.
func (c *AdvertConn) deliver(i int, now time.Time) {
	m := &c.in.messages[i]
	packet := c.in.packets[i][:min(m.length, packetSize)]
	control := c.in.controls[i][:min(uint64(m.header.Controllen), controlSize)]
	r := Received{At: now}
	var ok bool
	if c.key.IPv6 {
		ok = r.read6(&c.in.names[i], packet, control)
	} else {
		ok = r.read4(packet, control)
	}
	dst := r.Meta.Destination
	r.Meta.Unicast = !dst.IsMulticast()
	if !ok || c.key.Index != 0 && r.Interface != c.key.Index || dst.IsMulticast() && dst != c.key.Group {
		c.foreign.Add(1)
		return
	}
	c.received.Add(1)
	c.handler(r)
}

// read4 fills in what the IPv4 header and the control messages say.
func (r *Received) read4(b, control []byte) bool {
	if len(b) < 20 || b[0]>>4 != 4 {
		return false
	}
	header, total := int(b[0]&0xf)*4, int(binary.BigEndian.Uint16(b[2:]))
	if header < 20 || header > len(b) || total < header {
		return false
	}
	r.Meta = vrrp.Meta{
		Source:      netip.AddrFrom4([4]byte(b[12:16])),
		Destination: netip.AddrFrom4([4]byte(b[16:20])),
		TTL:         int(b[8]),
		AH:          b[9] == vrrp.ProtocolAH,
		ID:          binary.BigEndian.Uint16(b[4:]),
	}
	r.Payload = b[header:min(total, len(b))]
	eachControl(control, func(level, typ int32, data []byte) {
		// struct in_pktinfo: the index, the local address, the header's.
		if level == unix.IPPROTO_IP && typ == unix.IP_PKTINFO && len(data) >= 12 {
			r.Interface = int(binary.NativeEndian.Uint32(data))
		}
	})
	return true
}

// read6 fills in what the sender's address and the control messages say.
func (r *Received) read6(from *unix.RawSockaddrInet6, b, control []byte) bool {
	r.Meta = vrrp.Meta{Source: netip.AddrFrom16(from.Addr), TTL: -1}
	r.Payload = b
	eachControl(control, func(level, typ int32, data []byte) {
		switch {
		case level != unix.IPPROTO_IPV6:
		case typ == unix.IPV6_PKTINFO && len(data) >= 20:
			r.Meta.Destination = netip.AddrFrom16([16]byte(data[:16]))
			r.Interface = int(binary.NativeEndian.Uint32(data[16:]))
		case typ == unix.IPV6_HOPLIMIT && len(data) >= 4:
			r.Meta.TTL = int(int32(binary.NativeEndian.Uint32(data)))
		}
	})
	return r.Meta.Destination.IsValid()
}

// eachControl visits the control messages of one packet.
func eachControl(b []byte, visit func(level, typ int32, data []byte)) {
	for len(b) >= unix.SizeofCmsghdr {
		h, data, rest, err := unix.ParseOneSocketControlMessage(b)
		if err != nil {
			return
		}
		visit(h.Level, h.Type, data)
		b = rest
	}
}
