package host

import (
	"encoding/binary"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"slices"
	"sync"
	"time"

	"github.com/mdlayher/packet"
	"golang.org/x/net/bpf"
	"golang.org/x/sys/unix"
)

// PeerWatch hears the gratuitous ARPs and the unsolicited Neighbour
// Advertisements of other nodes on one link. The kernel's filter lets nothing
// else through, so that it costs next to nothing while nobody takes over.
type PeerWatch struct {
	index   int
	handler func(Announced)
	conns   []*packet.Conn
	mac     []byte
	closed  chan struct{}
	once    sync.Once
	wg      sync.WaitGroup
	// mu makes handler calls one at a time.
	mu sync.Mutex
}

// WatchPeers starts to listen, in the network namespace of the calling thread:
// what arrives after its return is passed to handler, one at a time. It is bound
// to the link's index and passes over the link's MAC, unless that is shared, so it
// is to be opened anew where either changes.
func WatchPeers(link Link, handler func(Announced)) (*PeerWatch, error) {
	if len(link.MAC) != 6 {
		return nil, fmt.Errorf("watch peers on %s: hardware address of %d bytes, only Ethernet's 6 are supported", link.Name, len(link.MAC))
	}
	own := slices.Clone(link.MAC)
	if link.Shared {
		// Our own frames do not come in, so that nothing has to be passed over.
		clear(own)
	}
	w := &PeerWatch{index: link.Index, handler: handler, mac: own, closed: make(chan struct{})}
	// One socket a protocol: a socket for all of them would have the kernel copy
	// every packet that the host sends.
	for _, l := range []struct {
		protocol int
		filter   []bpf.Instruction
		read     func(frame []byte) (netip.Addr, []byte, bool)
	}{
		{unix.ETH_P_ARP, arpFilter(own), parseGratuitous},
		{unix.ETH_P_IPV6, advertisementFilter(own), parseAdvertisement},
	} {
		if err := w.listen(l.protocol, l.filter, l.read); err != nil {
			_ = w.Close()
			return nil, fmt.Errorf("watch peers on %s: %w", link.Name, err)
		}
	}
	return w, nil
}

func (w *PeerWatch) listen(protocol int, filter []bpf.Instruction, read func([]byte) (netip.Addr, []byte, bool)) error {
	program, err := bpf.Assemble(filter)
	if err != nil {
		return fmt.Errorf("assemble filter: %w", err)
	}
	// The filter is there before the socket is bound: nothing slips by.
	conn, err := packet.Listen(&net.Interface{Index: w.index}, packet.Raw, protocol, &packet.Config{Filter: program})
	if err != nil {
		return fmt.Errorf("open packet socket: %w", err)
	}
	w.conns = append(w.conns, conn)
	// A peer with hundreds of addresses announces them all at once.
	if raw, err := conn.SyscallConn(); err == nil {
		_ = raw.Control(func(fd uintptr) {
			if unix.SetsockoptInt(int(fd), unix.SOL_SOCKET, unix.SO_RCVBUFFORCE, advertBuffer) != nil {
				_ = unix.SetsockoptInt(int(fd), unix.SOL_SOCKET, unix.SO_RCVBUF, advertBuffer)
			}
		})
	}
	w.wg.Go(func() { w.receive(conn, read) })
	return nil
}

// receive passes on what conn hears until it is closed.
func (w *PeerWatch) receive(conn *packet.Conn, read func([]byte) (netip.Addr, []byte, bool)) {
	b := make([]byte, 256)
	for {
		n, _, err := conn.ReadFrom(b)
		if err != nil {
			// ENETDOWN is told once each time that the link goes down. A link
			// that is gone never speaks again; Close ends the wait.
			select {
			case <-w.closed:
				return
			case <-time.After(readDelay):
			}
			continue
		}
		addr, mac, ok := read(b[:n])
		if !ok || slices.Equal(mac, w.mac) {
			continue
		}
		w.mu.Lock()
		w.handler(Announced{Interface: w.index, Addr: addr, MAC: slices.Clone(mac)})
		w.mu.Unlock()
	}
}

// Close stops listening and waits until the handler has returned for the last
// time; so the handler must not call it.
func (w *PeerWatch) Close() error {
	var errs []error
	w.once.Do(func() {
		close(w.closed)
		for _, c := range w.conns {
			errs = append(errs, c.Close())
		}
		w.wg.Wait()
	})
	return errors.Join(errs...)
}

// Offsets into the frames, for the filters and the parsers.
const (
	offsetSource  = 6
	arpHeader     = ethernetHeader
	arpSender     = arpHeader + 8
	arpSenderIP   = arpHeader + 14
	arpTargetIP   = arpHeader + 24
	arpEnd        = arpHeader + 28
	ipv6NextField = ethernetHeader + 6
	icmpStart     = ethernetHeader + ipv6Header
	naFlags       = icmpStart + 4
	naTarget      = icmpStart + 8
	naEnd         = icmpStart + 24
	// naSolicited is the S flag of a Neighbour Advertisement (RFC 4861 4.4).
	naSolicited = 0x40
	// icmpAdvertisement is type 136 with code 0.
	icmpAdvertisement = 136 << 8
)

// arpFilter accepts ARP for IPv4 over Ethernet, request or reply, whose sender
// and target address are the same and not zero, not from mac.
func arpFilter(mac []byte) []bpf.Instruction {
	return assembleFilter([]filterStep{
		{bpf.LoadAbsolute{Off: arpHeader, Size: 4}, equals(0x00010800)},
		{bpf.LoadAbsolute{Off: arpHeader + 4, Size: 2}, equals(0x0604)},
		{bpf.LoadAbsolute{Off: arpSenderIP, Size: 4}, differs(0)},
		{bpf.TAX{}, nil},
		{bpf.LoadAbsolute{Off: arpTargetIP, Size: 4}, equalsX()},
	}, mac)
}

// advertisementFilter accepts Neighbour Advertisements whose solicited flag is
// off, with the hop limit that proves that no router forwarded them, not from
// mac.
func advertisementFilter(mac []byte) []bpf.Instruction {
	return assembleFilter([]filterStep{
		{bpf.LoadAbsolute{Off: ipv6NextField, Size: 2}, equals(unix.IPPROTO_ICMPV6<<8 | 255)},
		{bpf.LoadAbsolute{Off: icmpStart, Size: 2}, equals(icmpAdvertisement)},
		{bpf.LoadAbsolute{Off: naFlags, Size: 1}, lacks(naSolicited)},
	}, mac)
}

// filterStep loads something and says when the frame is still wanted.
type filterStep struct {
	load   bpf.Instruction
	wanted func(toReject uint8) bpf.Instruction
}

func equals(v uint32) func(uint8) bpf.Instruction {
	return func(n uint8) bpf.Instruction { return bpf.JumpIf{Cond: bpf.JumpEqual, Val: v, SkipFalse: n} }
}

func differs(v uint32) func(uint8) bpf.Instruction {
	return func(n uint8) bpf.Instruction { return bpf.JumpIf{Cond: bpf.JumpEqual, Val: v, SkipTrue: n} }
}

func lacks(bits uint32) func(uint8) bpf.Instruction {
	return func(n uint8) bpf.Instruction { return bpf.JumpIf{Cond: bpf.JumpBitsSet, Val: bits, SkipTrue: n} }
}

func equalsX() func(uint8) bpf.Instruction {
	return func(n uint8) bpf.Instruction { return bpf.JumpIfX{Cond: bpf.JumpEqual, SkipFalse: n} }
}

// assembleFilter joins the steps, rejects the frames whose source is mac, and
// accepts what is left. A frame too short for a load is rejected by the kernel.
func assembleFilter(steps []filterStep, mac []byte) []bpf.Instruction {
	var out []bpf.Instruction
	count := 0
	for _, s := range steps {
		count++
		if s.wanted != nil {
			count++
		}
	}
	const tail = 5 // the source check and the accepting return
	reject := count + tail
	for _, s := range steps {
		out = append(out, s.load)
		if s.wanted != nil {
			out = append(out, s.wanted(uint8(reject-len(out)-1)))
		}
	}
	return append(out,
		bpf.LoadAbsolute{Off: offsetSource, Size: 4},
		bpf.JumpIf{Cond: bpf.JumpEqual, Val: binary.BigEndian.Uint32(mac), SkipFalse: 2},
		bpf.LoadAbsolute{Off: offsetSource + 4, Size: 2},
		bpf.JumpIf{Cond: bpf.JumpEqual, Val: uint32(binary.BigEndian.Uint16(mac[4:])), SkipTrue: 1},
		bpf.RetConstant{Val: 0xffff},
		bpf.RetConstant{Val: 0},
	)
}

// parseGratuitous reads a frame that arpFilter let through.
func parseGratuitous(b []byte) (addr netip.Addr, mac []byte, ok bool) {
	if len(b) < arpEnd {
		return addr, nil, false
	}
	return netip.AddrFrom4([4]byte(b[arpSenderIP:])), b[arpSender : arpSender+6], true
}

// parseAdvertisement reads a frame that advertisementFilter let through. The
// hardware address is the target link-layer address option's, where there is
// one, else the frame's.
func parseAdvertisement(b []byte) (addr netip.Addr, mac []byte, ok bool) {
	if len(b) < naEnd {
		return addr, nil, false
	}
	addr = netip.AddrFrom16([16]byte(b[naTarget:]))
	mac = b[offsetSource : offsetSource+6]
	const targetLinkLayer = 2 // RFC 4861 4.6.1
	for o := b[naEnd:]; len(o) >= 8 && o[1] != 0 && len(o) >= int(o[1])*8; o = o[int(o[1])*8:] {
		if o[0] == targetLinkLayer {
			mac = o[2:8]
			break
		}
	}
	return addr, mac, true
}
