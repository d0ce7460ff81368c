package lab

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net/netip"
	"os"
	"runtime"
	"sync"
	"syscall"
	"time"

	"golang.org/x/net/bpf"
	"golang.org/x/sys/unix"
)

// keep is how many packets a capture holds; older ones are forgotten.
const keep = 8192

// Frame is one Ethernet frame as it entered the bridge.
type Frame struct {
	At   time.Time
	Data []byte
}

// Advert is a VRRP advertisement that was seen, as far as the lab reads it.
type Advert struct {
	At          time.Time
	Source      netip.Addr
	Destination netip.Addr
	// MAC is the Ethernet address that it came from.
	MAC      [6]byte
	Version  uint8
	VRID     uint8
	Priority uint8
}

// Capture records what the hosts of a lab say on the bridge: VRRP, ARP and
// ICMPv6. Other packets are not looked at, and cost nothing.
type Capture struct {
	fd int
	// bridge is the index of the bridge's own interface, which passes up once
	// more what a port has taken in.
	bridge int
	file   *os.File
	conn   syscall.RawConn
	ended  sync.WaitGroup

	mu     sync.Mutex
	frames []Frame
	total  int
	wake   chan struct{}
	buf    []byte
}

// protocolAH is the IP protocol of the authentication header, which VRRP packets
// of version 2 may be in.
const protocolAH = 51

// filter passes ARP, IPv4 and IPv6 VRRP, with an authentication header too, and
// ICMPv6, unless it is of a Flood.
var filter = []bpf.Instruction{
	bpf.LoadAbsolute{Off: 6, Size: 4},
	bpf.JumpIf{Val: binary.BigEndian.Uint32(floodMAC[:]), SkipFalse: 1},
	bpf.RetConstant{Val: 0},
	bpf.LoadAbsolute{Off: 12, Size: 2},
	bpf.JumpIf{Val: 0x0806, SkipTrue: 8},
	bpf.JumpIf{Val: 0x0800, SkipFalse: 3},
	bpf.LoadAbsolute{Off: 23, Size: 1},
	bpf.JumpIf{Val: 112, SkipTrue: 5},
	bpf.JumpIf{Val: protocolAH, SkipTrue: 4, SkipFalse: 5},
	bpf.JumpIf{Val: 0x86dd, SkipFalse: 4},
	bpf.LoadAbsolute{Off: 20, Size: 1},
	bpf.JumpIf{Val: 112, SkipTrue: 1},
	bpf.JumpIf{Val: 58, SkipFalse: 1},
	bpf.RetConstant{Val: 1 << 16},
	bpf.RetConstant{Val: 0},
}

func newCapture(n namespace) (*Capture, error) {
	code, err := bpf.Assemble(filter)
	if err != nil {
		return nil, err
	}
	c := &Capture{wake: make(chan struct{}), buf: make([]byte, 1<<16)}
	bridge, err := n.nl.LinkByName("br0")
	if err != nil {
		return nil, err
	}
	c.bridge = bridge.Attrs().Index
	h := &Host{ns: n}
	if err := h.In(func() error { return c.open(code) }); err != nil {
		return nil, fmt.Errorf("capture: %w", err)
	}
	c.file = os.NewFile(uintptr(c.fd), "capture")
	if c.conn, err = c.file.SyscallConn(); err != nil {
		return nil, errors.Join(fmt.Errorf("capture: %w", err), c.file.Close())
	}
	c.ended.Go(func() {
		// Until it is closed.
		_ = c.conn.Read(func(fd uintptr) bool {
			c.mu.Lock()
			defer c.mu.Unlock()
			c.take(int(fd))
			return false
		})
	})
	return c, nil
}

func (c *Capture) open(code []bpf.RawInstruction) error {
	fd, err := unix.Socket(unix.AF_PACKET, unix.SOCK_RAW|unix.SOCK_CLOEXEC|unix.SOCK_NONBLOCK, 0)
	if err != nil {
		return err
	}
	prog := make([]unix.SockFilter, len(code))
	for i, ins := range code {
		prog[i] = unix.SockFilter{Code: ins.Op, Jt: ins.Jt, Jf: ins.Jf, K: ins.K}
	}
	err = errors.Join(
		unix.SetsockoptSockFprog(fd, unix.SOL_SOCKET, unix.SO_ATTACH_FILTER, &unix.SockFprog{Len: uint16(len(prog)), Filter: &prog[0]}),
		// Each packet once: where it enters a port, not where it leaves others.
		unix.SetsockoptInt(fd, unix.SOL_PACKET, unix.PACKET_IGNORE_OUTGOING, 1),
		unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_RCVBUFFORCE, 4<<20),
		unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_TIMESTAMPNS, 1),
		unix.Bind(fd, &unix.SockaddrLinklayer{Protocol: 0x0300 /* ETH_P_ALL in network order */}))
	runtime.KeepAlive(prog)
	if err != nil {
		_ = unix.Close(fd)
		return err
	}
	c.fd = fd
	return nil
}

// take takes the packets that are queued, and does not wait. The lock is held.
func (c *Capture) take(fd int) {
	control := make([]byte, 64)
	for {
		n, extra, _, from, err := unix.Recvmsg(fd, c.buf, control, unix.MSG_DONTWAIT)
		switch {
		case errors.Is(err, unix.EINTR), errors.Is(err, unix.ENETDOWN):
			continue
		case err != nil: // EAGAIN
			return
		}
		if ll, ok := from.(*unix.SockaddrLinklayer); !ok || ll.Ifindex == c.bridge {
			continue
		}
		c.add(Frame{At: stamp(control[:extra]), Data: append([]byte(nil), c.buf[:n]...)})
	}
}

// stamp is when the kernel saw a packet: when it is read here says little on a
// busy machine.
func stamp(control []byte) time.Time {
	messages, err := unix.ParseSocketControlMessage(control)
	if err != nil {
		return time.Now()
	}
	for _, m := range messages {
		if m.Header.Level == unix.SOL_SOCKET && m.Header.Type == unix.SO_TIMESTAMPNS && len(m.Data) >= 16 {
			return time.Unix(int64(binary.NativeEndian.Uint64(m.Data)), int64(binary.NativeEndian.Uint64(m.Data[8:])))
		}
	}
	return time.Now()
}

// add adds a frame. The lock is held.
func (c *Capture) add(f Frame) {
	if len(c.frames) < keep {
		c.frames = append(c.frames, f)
	} else {
		c.frames[c.total%keep] = f
	}
	c.total++
	close(c.wake)
	c.wake = make(chan struct{})
}

func (c *Capture) close() {
	_ = c.file.Close()
	c.ended.Wait()
}

// since returns the frames from number n on, and the number of the next. What has
// passed the bridge is among them, whether this process had a core for it or not.
func (c *Capture) since(n int) ([]Frame, int, <-chan struct{}) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.conn != nil {
		_ = c.conn.Control(func(fd uintptr) { c.take(int(fd)) })
	}
	var out []Frame
	for i := max(n, c.total-len(c.frames)); i < c.total; i++ {
		out = append(out, c.frames[i%keep])
	}
	return out, c.total, c.wake
}

// Adverts returns the adverts that were seen after a moment.
func (c *Capture) Adverts(after time.Time) []Advert {
	frames, _, _ := c.since(0)
	var out []Advert
	for _, f := range frames {
		if a, ok := readAdvert(f); ok && a.At.After(after) {
			out = append(out, a)
		}
	}
	return out
}

// Announcement is a gratuitous ARP or a Neighbour Advertisement that was seen.
type Announcement struct {
	At   time.Time
	Addr netip.Addr
	// MAC is the Ethernet address that it came from, Told the one that it tells.
	MAC, Told [6]byte
}

// Announcements returns the announcements that were seen after a moment.
func (c *Capture) Announcements(after time.Time) []Announcement {
	frames, _, _ := c.since(0)
	var out []Announcement
	for _, f := range frames {
		if a, ok := readAnnouncement(f); ok && a.At.After(after) {
			out = append(out, a)
		}
	}
	return out
}

func readAnnouncement(f Frame) (Announcement, bool) {
	b := f.Data
	if len(b) < 42 {
		return Announcement{}, false
	}
	a := Announcement{At: f.At, MAC: [6]byte(b[6:12])}
	switch binary.BigEndian.Uint16(b[12:]) {
	case 0x0806:
		a.Addr, a.Told = netip.AddrFrom4([4]byte(b[28:32])), [6]byte(b[22:28])
		return a, a.Addr == netip.AddrFrom4([4]byte(b[38:42]))
	case 0x86dd:
		// A target link-layer address option is all that follows the target.
		if len(b) < 86 || b[20] != 58 || b[54] != 136 || b[78] != 2 {
			return a, false
		}
		a.Addr, a.Told = netip.AddrFrom16([16]byte(b[62:78])), [6]byte(b[80:86])
		return a, true
	}
	return a, false
}

// WaitAdvert waits for the next n adverts that match and returns the last.
func (c *Capture) WaitAdvert(ctx context.Context, n int, match func(Advert) bool) (Advert, error) {
	_, next, wake := c.since(1 << 62)
	seen := 0
	for {
		select {
		case <-wake:
		case <-ctx.Done():
			return Advert{}, fmt.Errorf("%d of %d adverts seen: %w", seen, n, ctx.Err())
		}
		var frames []Frame
		frames, next, wake = c.since(next)
		for _, f := range frames {
			if a, ok := readAdvert(f); ok && match(a) {
				if seen++; seen == n {
					return a, nil
				}
			}
		}
	}
}

func readAdvert(f Frame) (Advert, bool) {
	b := f.Data
	a := Advert{At: f.At}
	if len(b) < 14 {
		return a, false
	}
	a.MAC = [6]byte(b[6:12])
	kind, b := binary.BigEndian.Uint16(b[12:]), b[14:]
	switch {
	case kind == 0x0800 && len(b) >= 20 && b[9] == 112 && len(b) >= int(b[0]&15)*4+8:
		a.Source, a.Destination = netip.AddrFrom4([4]byte(b[12:16])), netip.AddrFrom4([4]byte(b[16:20]))
		b = b[int(b[0]&15)*4:]
	case kind == 0x0800 && len(b) >= 20+24+8 && b[9] == protocolAH && b[0] == 0x45:
		a.Source, a.Destination = netip.AddrFrom4([4]byte(b[12:16])), netip.AddrFrom4([4]byte(b[16:20]))
		// HMAC-MD5-96 makes the header 24 bytes long.
		b = b[20+24:]
	case kind == 0x86dd && len(b) >= 48 && b[6] == 112:
		a.Source, a.Destination = netip.AddrFrom16([16]byte(b[8:24])), netip.AddrFrom16([16]byte(b[24:40]))
		b = b[40:]
	default:
		return a, false
	}
	a.Version, a.VRID, a.Priority = b[0]>>4, b[1], b[2]
	return a, b[0]&15 == 1
}

// WritePCAP writes what was recorded in the format of tcpdump and Wireshark.
func (c *Capture) WritePCAP(w io.Writer) error {
	frames, _, _ := c.since(0)
	head := make([]byte, 24)
	binary.LittleEndian.PutUint32(head[0:], 0xa1b23c4d) // times in nanoseconds
	binary.LittleEndian.PutUint16(head[4:], 2)
	binary.LittleEndian.PutUint16(head[6:], 4)
	binary.LittleEndian.PutUint32(head[16:], 1<<16)
	binary.LittleEndian.PutUint32(head[20:], 1) // Ethernet
	if _, err := w.Write(head); err != nil {
		return err
	}
	for _, f := range frames {
		line := make([]byte, 16, 16+len(f.Data))
		binary.LittleEndian.PutUint32(line[0:], uint32(f.At.Unix()))
		binary.LittleEndian.PutUint32(line[4:], uint32(f.At.Nanosecond()))
		binary.LittleEndian.PutUint32(line[8:], uint32(len(f.Data)))
		binary.LittleEndian.PutUint32(line[12:], uint32(len(f.Data)))
		if _, err := w.Write(append(line, f.Data...)); err != nil {
			return err
		}
	}
	return nil
}
