package host

import (
	"encoding/binary"
	"net/netip"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"

	"github.com/tandem-ha/tandem/vrrp"
)

const (
	// InboxSize is how many packets one system call takes in.
	InboxSize = 64
	// packetSize holds the largest advert: 255 IPv6 addresses, with the IPv4
	// header or a trailer of authentication.
	packetSize  = 4608
	controlSize = 128
)

// Inbox holds the buffers of recvmmsg(2), for all sockets that one goroutine
// reads. x/net's ReadBatch allocates two objects a packet; this allocates none.
type Inbox struct {
	messages [InboxSize]mmsghdr
	iovecs   [InboxSize]unix.Iovec
	names    [InboxSize]unix.RawSockaddrInet6
	packets  [InboxSize][packetSize]byte
	controls [InboxSize][controlSize]byte
}

// mmsghdr is struct mmsghdr, which x/sys/unix does not have.
type mmsghdr struct {
	header unix.Msghdr
	length uint32
}

// NewInbox returns an empty inbox.
func NewInbox() *Inbox {
	in := new(Inbox)
	for i := range in.messages {
		in.iovecs[i].Base = &in.packets[i][0]
		in.iovecs[i].SetLen(packetSize)
		h := &in.messages[i].header
		h.Iov = &in.iovecs[i]
		h.SetIovlen(1)
		h.Name = (*byte)(unsafe.Pointer(&in.names[i]))
		h.Control = &in.controls[i][0]
	}
	return in
}

// Receive takes in what has gathered in the socket, at most InboxSize packets, and
// passes each that is for it to handler, one after the other. Payload is the bytes
// after the IP header and is good during the call only. It does not wait, and
// says how many packets it took in, those for others included: fewer than
// InboxSize means that there were no more.
func (c *AdvertConn) Receive(in *Inbox, handler func(Received)) int {
	n, err := c.read(in)
	if err != nil {
		// ENETDOWN is told once each time that the link goes down.
		c.readErrors.Add(1)
		return 0
	}
	now := time.Now()
	for i := range n {
		c.deliver(in, i, now, handler)
	}
	return n
}

// packet is what came in as number i.
func (in *Inbox) packet(i int) []byte { return in.packets[i][:min(in.messages[i].length, packetSize)] }

// clear makes the buffers whole again, of which each read leaves a part.
func (in *Inbox) clear() {
	for i := range in.messages {
		h := &in.messages[i].header
		h.Namelen = unix.SizeofSockaddrInet6
		h.SetControllen(controlSize)
		h.Flags = 0
	}
}

// deliver passes on one packet of the inbox, unless it is not for this socket.
func (c *AdvertConn) deliver(in *Inbox, i int, now time.Time, handler func(Received)) {
	m := &in.messages[i]
	packet := in.packet(i)
	control := in.controls[i][:min(uint64(m.header.Controllen), controlSize)]
	r := Received{At: now, Interface: c.key.Index}
	var ok bool
	if c.key.IPv6 {
		ok = r.read6(&in.names[i], packet, control)
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
	handler(r)
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

// Lost is how many packets the kernel dropped because the socket's buffer was
// full of others.
func (c *AdvertConn) Lost() uint64 {
	c.mu.RLock()
	defer c.mu.RUnlock()
	if c.closed {
		return 0
	}
	var info [unix.SK_MEMINFO_DROPS + 1]uint32
	size := uint32(unsafe.Sizeof(info))
	_, _, errno := unix.RawSyscall6(unix.SYS_GETSOCKOPT, uintptr(c.fd), unix.SOL_SOCKET, unix.SO_MEMINFO,
		uintptr(unsafe.Pointer(&info[0])), uintptr(unsafe.Pointer(&size)), 0)
	if errno != 0 {
		return 0
	}
	return uint64(info[unix.SK_MEMINFO_DROPS])
}
