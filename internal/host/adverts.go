package host

import (
	"cmp"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"sync/atomic"
	"syscall"

	"golang.org/x/net/bpf"
	"golang.org/x/net/ipv4"
	"golang.org/x/net/ipv6"
	"golang.org/x/sys/unix"

	"github.com/tandem-ha/tandem/vrrp"
)

const (
	// protocolVRRP is the IP protocol number of VRRP (RFC 9568 5.1.1.4).
	protocolVRRP = 112
	// trafficClass marks adverts as Internetwork Control, as keepalived's are.
	trafficClass = 0xc0
	// advertBuffer is what a socket asks of the kernel for adverts that wait to
	// be read: those of some thousand routers at once.
	advertBuffer = 4 << 20
)

// AdvertKey says which adverts a socket carries. It is comparable: routers with
// equal keys share one.
type AdvertKey struct {
	// Interface and Index bind the socket to one link. Both are zero for unicast
	// adverts that may use any.
	Interface string
	Index     int
	// VRF and VRFIndex, of a unicast socket that is bound to no link, bind it to
	// that VRF: it sends by its routes, and hears what comes in on its links.
	VRF      string
	VRFIndex int
	IPv6     bool
	// Group is the multicast group; the zero Addr makes the socket a unicast one.
	Group netip.Addr
	// From, where it is set, has the socket hear nothing but frames from this
	// Ethernet address. A virtual router with a VMAC has two sockets: the one of
	// the base link, shared with the others there, and one of the VMAC with From
	// its own address. It sends by the latter; and a peer's adverts from the same
	// address come in there and nowhere else, because the kernel takes such a frame
	// for its macvlan's, while all others come in on the base. With an ipvlan, From
	// is its address too, and nothing comes in.
	From MAC
	// AH makes it the socket of adverts that have an IPsec authentication header
	// (RFC 2402), which are of IP protocol 51; IPv4 only.
	AH bool
}

// protocol is the number in the IP header.
func (k AdvertKey) protocol() byte {
	if k.AH {
		return vrrp.ProtocolAH
	}
	return protocolVRRP
}

// String names the socket for people: "eth0 224.0.0.18", "eth0 unicast IPv6".
func (k AdvertKey) String() string {
	name := cmp.Or(k.Interface, "any interface")
	if k.VRF != "" {
		name += " in " + k.VRF
	}
	switch {
	case k.Group.IsValid():
		return name + " " + k.Group.String()
	case k.IPv6:
		return name + " unicast IPv6"
	}
	return name + " unicast IPv4"
}

func (k AdvertKey) check() error {
	switch {
	case k.AH && k.IPv6:
		return errors.New("the authentication header is for IPv4 alone")
	case k.Index < 0 || (k.Index == 0) != (k.Interface == ""):
		return errors.New("interface name and index do not go together")
	case k.VRFIndex < 0 || (k.VRFIndex == 0) != (k.VRF == ""):
		return errors.New("name and index of the VRF do not go together")
	case k.VRF != "" && k.Interface != "":
		return errors.New("a socket is bound to a link or to a VRF")
	case !k.Group.IsValid():
		return nil
	case !k.Group.IsMulticast() || k.Group.Is6() != k.IPv6:
		return fmt.Errorf("%s is no multicast group of the family", k.Group)
	case k.Index == 0:
		return errors.New("a multicast socket needs an interface")
	}
	return nil
}

// AdvertStats counts what a socket did.
type AdvertStats struct {
	Received   uint64 `json:"received"`
	Sent       uint64 `json:"sent"`
	ReadErrors uint64 `json:"read_errors"`
	SendErrors uint64 `json:"send_errors"`
	// Foreign packets came from another interface or to another group.
	Foreign uint64 `json:"foreign"`
}

// AdvertConn is a raw socket for adverts. Its methods may be called by several
// goroutines, of which one receives and one sends.
type AdvertConn struct {
	key AdvertKey
	gathered

	received, sent, readErrors, sendErrors, foreign atomic.Uint64

	out outbox
}

// OpenAdverts opens the socket of a key, in the network namespace of the calling
// thread. Packets of the VRRP protocol gather in it until Receive; after Arm,
// the poller's Wait calls ready once when there are some.
//
// A packet that was sent to this host alone is received by the group's socket
// too, with Meta.Unicast set: that is how a wrong mode is noticed.
func OpenAdverts(key AdvertKey, p *Poller, ready func()) (*AdvertConn, error) {
	fd, err := openAdverts(key)
	if err != nil {
		return nil, fmt.Errorf("adverts on %s: %w", key, err)
	}
	c := &AdvertConn{key: key}
	if err := c.gather(fd, p, ready); err != nil {
		return nil, fmt.Errorf("adverts on %s: %w", key, err)
	}
	return c, nil
}

// openAdverts makes the socket and joins its group.
func openAdverts(key AdvertKey) (fd int, err error) {
	if err := key.check(); err != nil {
		return -1, err
	}
	network, address := "ip4", "0.0.0.0"
	if key.IPv6 {
		network, address = "ip6", "::"
	}
	network = fmt.Sprintf("%s:%d", network, key.protocol())
	lc := net.ListenConfig{Control: func(_, _ string, raw syscall.RawConn) error {
		var err error
		cerr := raw.Control(func(fd uintptr) { err = advertOptions(int(fd), key) })
		return errors.Join(cerr, err)
	}}
	pc, err := lc.ListenPacket(context.Background(), network, address)
	if err != nil {
		return -1, err
	}
	conn, ok := pc.(*net.IPConn)
	if !ok {
		return -1, errors.Join(fmt.Errorf("unexpected connection type %T", pc), pc.Close())
	}
	if err := key.join(conn); err != nil {
		return -1, errors.Join(err, conn.Close())
	}
	return detach(conn)
}

// advertOptions sets what must be there before the socket is bound.
func advertOptions(fd int, key AdvertKey) error {
	if device := cmp.Or(key.Interface, key.VRF); device != "" {
		if err := unix.BindToDevice(fd, device); err != nil {
			return fmt.Errorf("bind to device: %w", err)
		}
	}
	if unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_RCVBUFFORCE, advertBuffer) != nil {
		_ = unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_RCVBUF, advertBuffer)
	}
	if key.From != (MAC{}) {
		if err := attachFilter(fd, fromFilter(key.From)); err != nil {
			return err
		}
	}
	// Interactive priority, so that a loaded queue sends adverts first.
	_ = unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_PRIORITY, 6)
	if key.IPv6 {
		// Only groups that this socket joined; kernel 4.20 and later.
		_ = unix.SetsockoptInt(fd, unix.IPPROTO_IPV6, unix.IPV6_MULTICAST_ALL, 0)
		// A configured source address need not be on the host.
		if err := unix.SetsockoptInt(fd, unix.IPPROTO_IPV6, unix.IPV6_FREEBIND, 1); err != nil {
			return fmt.Errorf("allow any source address: %w", err)
		}
		return nil
	}
	if err := unix.SetsockoptInt(fd, unix.IPPROTO_IP, unix.IP_MULTICAST_ALL, 0); err != nil {
		return fmt.Errorf("restrict to joined groups: %w", err)
	}
	// With the header ours, any source address can be sent from.
	if err := unix.SetsockoptInt(fd, unix.IPPROTO_IP, unix.IP_HDRINCL, 1); err != nil {
		return fmt.Errorf("own IP header: %w", err)
	}
	return nil
}

// fromFilter accepts packets whose frames are from mac. They begin with the IP
// header; the kernel gives the frame's at an offset of its own.
func fromFilter(mac MAC) []bpf.Instruction {
	const linkLayer = 0xffe00000 // SKF_LL_OFF
	return []bpf.Instruction{
		bpf.LoadAbsolute{Off: linkLayer + offsetSource, Size: 4},
		bpf.JumpIf{Cond: bpf.JumpEqual, Val: binary.BigEndian.Uint32(mac[:]), SkipFalse: 3},
		bpf.LoadAbsolute{Off: linkLayer + offsetSource + 4, Size: 2},
		bpf.JumpIf{Cond: bpf.JumpEqual, Val: uint32(binary.BigEndian.Uint16(mac[4:])), SkipFalse: 1},
		bpf.RetConstant{Val: 0xffff},
		bpf.RetConstant{Val: 0},
	}
}

// join sets the options that x/net knows, and joins the group.
func (k AdvertKey) join(conn *net.IPConn) error {
	ifi := &net.Interface{Index: k.Index, Name: k.Interface}
	group := &net.IPAddr{IP: k.Group.AsSlice()}
	if k.IPv6 {
		p := ipv6.NewPacketConn(conn)
		if err := p.SetControlMessage(ipv6.FlagHopLimit|ipv6.FlagDst|ipv6.FlagInterface, true); err != nil {
			return fmt.Errorf("ask for control messages: %w", err)
		}
		if err := p.SetTrafficClass(trafficClass); err != nil {
			return fmt.Errorf("set traffic class: %w", err)
		}
		if err := p.SetMulticastLoopback(false); err != nil {
			return fmt.Errorf("turn loopback off: %w", err)
		}
		if k.Group.IsValid() {
			if err := p.JoinGroup(ifi, group); err != nil {
				return fmt.Errorf("join group: %w", err)
			}
		}
		return nil
	}
	p := ipv4.NewPacketConn(conn)
	if k.Index == 0 {
		// What is bound to a link need not ask where a packet came in, and all else is
		// in the header: the kernel would look up a route for each packet, whose sender
		// pays for that where it is on the same host.
		if err := p.SetControlMessage(ipv4.FlagInterface, true); err != nil {
			return fmt.Errorf("ask for control messages: %w", err)
		}
	}
	if err := p.SetMulticastLoopback(false); err != nil {
		return fmt.Errorf("turn loopback off: %w", err)
	}
	if k.Group.IsValid() {
		if err := p.JoinGroup(ifi, group); err != nil {
			return fmt.Errorf("join group: %w", err)
		}
	}
	return nil
}

// Key returns what the socket was opened with.
func (c *AdvertConn) Key() AdvertKey { return c.key }

// Stats returns the counts so far.
func (c *AdvertConn) Stats() AdvertStats {
	return AdvertStats{
		Received: c.received.Load(), Sent: c.sent.Load(), Foreign: c.foreign.Load(),
		ReadErrors: c.readErrors.Load(), SendErrors: c.sendErrors.Load(),
	}
}

// appendHeader4 appends an IPv4 header; the kernel fills in the checksum, and the
// identification where that is 0 (raw(7)). An authentication header covers the
// identification, so that there it has a value of its own.
func appendHeader4(b []byte, protocol byte, src, dst netip.Addr, ttl, payload int) []byte {
	b = append(b, 0x45, trafficClass)
	b = binary.BigEndian.AppendUint16(b, uint16(20+payload))
	id := uint16(0)
	if protocol == vrrp.ProtocolAH {
		id = vrrp.AHIdentification
	}
	b = binary.BigEndian.AppendUint16(b, id)
	b = append(b, 0, 0, byte(ttl), protocol, 0, 0)
	s, d := src.As4(), dst.As4()
	b = append(b, s[:]...)
	return append(b, d[:]...)
}

// appendControl6 appends the control messages that set source, interface and hop
// limit of one IPv6 packet (RFC 3542 6).
func appendControl6(b []byte, src netip.Addr, index, ttl int) []byte {
	b = appendControl(b, unix.IPV6_PKTINFO, 20)
	s := src.As16()
	b = append(b, s[:]...)
	b = binary.NativeEndian.AppendUint32(b, uint32(index))
	b = padControl(b)
	b = appendControl(b, unix.IPV6_HOPLIMIT, 4)
	b = binary.NativeEndian.AppendUint32(b, uint32(ttl))
	return padControl(b)
}

// appendControl appends the header of an IPv6 control message of n bytes.
func appendControl(b []byte, typ int32, n int) []byte {
	size := uint64(unix.CmsgLen(n))
	if unix.SizeofPtr == 8 {
		b = binary.NativeEndian.AppendUint64(b, size)
	} else {
		b = binary.NativeEndian.AppendUint32(b, uint32(size))
	}
	b = binary.NativeEndian.AppendUint32(b, unix.IPPROTO_IPV6)
	return binary.NativeEndian.AppendUint32(b, uint32(typ))
}

func padControl(b []byte) []byte {
	for len(b)%unix.SizeofPtr != 0 {
		b = append(b, 0)
	}
	return b
}
