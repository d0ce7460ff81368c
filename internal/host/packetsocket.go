package host

import (
	"encoding/binary"
	"fmt"
	"net"
	"unsafe"

	"github.com/mdlayher/packet"
	"golang.org/x/sys/unix"
)

// packetSocket is a frameSocket on AF_PACKET, with the buffers of sendmmsg(2).
type packetSocket struct {
	fd    int
	index int

	messages [burst]mmsghdr
	iovecs   [burst]unix.Iovec
	to       [burst]unix.RawSockaddrLinklayer
}

// openFrameSocket opens a packet socket that receives nothing (protocol 0).
func openFrameSocket(index int) (frameSocket, error) {
	conn, err := packet.Listen(&net.Interface{Index: index}, packet.Raw, 0, nil)
	if err != nil {
		return nil, fmt.Errorf("open packet socket: %w", err)
	}
	fd, err := detach(conn)
	if err != nil {
		return nil, fmt.Errorf("packet socket: %w", err)
	}
	return &packetSocket{fd: fd, index: index}, nil
}

// send does not wait where the interface's queue is full: that is an error.
func (s *packetSocket) send(list []*pending) (sent int, err error) {
	n := min(len(list), burst)
	for i, p := range list[:n] {
		s.iovecs[i].Base = &p.frame[0]
		s.iovecs[i].SetLen(len(p.frame))
		// The protocol is in network byte order, as it is in the frame.
		s.to[i] = unix.RawSockaddrLinklayer{
			Family: unix.AF_PACKET, Ifindex: int32(s.index), Protocol: binary.NativeEndian.Uint16(p.frame[12:]),
		}
		h := &s.messages[i].header
		h.Name, h.Namelen = (*byte)(unsafe.Pointer(&s.to[i])), unix.SizeofSockaddrLinklayer
		h.Iov = &s.iovecs[i]
		h.SetIovlen(1)
	}
	return sendMessages(s.fd, s.messages[:n], unix.MSG_DONTWAIT)
}

func (s *packetSocket) close() error { return unix.Close(s.fd) }
