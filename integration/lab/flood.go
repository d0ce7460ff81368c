package lab

import (
	"encoding/binary"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"runtime"
	"sync/atomic"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"
)

// floodMAC is where the frames of a flood come from, by which a Capture passes
// them over.
var floodMAC = [6]byte{0x02, 0xf1, 0x00, 0x0d, 0, 1}

// floodBatch is how many frames go out in one system call.
const floodBatch = 64

// Flood is a stream of packets from a host.
type Flood struct {
	fd   int
	sent atomic.Uint64
	stop chan struct{}
	done chan error
}

// Fragment says which part of a packet a frame carries: its identification, where
// in the packet the part begins, in units of eight bytes, and whether more follow.
// The zero Fragment is a whole packet.
type Fragment struct {
	ID, Offset uint16
	More       bool
}

// VRRPFrame is an Ethernet frame to the VRRP group with an IPv4 packet in it.
func VRRPFrame(src, dst netip.Addr, ttl byte, payload []byte) []byte {
	return VRRPFragment(src, dst, ttl, payload, Fragment{})
}

// VRRPFragment is VRRPFrame for a part of a packet.
func VRRPFragment(src, dst netip.Addr, ttl byte, payload []byte, part Fragment) []byte {
	b := []byte{0x01, 0x00, 0x5e, 0x00, 0x00, 0x12}
	b = append(b, floodMAC[:]...)
	b = append(b, 0x08, 0x00)
	h := []byte{0x45, 0xc0, 0, 0, 0, 0, 0, 0, ttl, 112, 0, 0}
	binary.BigEndian.PutUint16(h[2:], uint16(20+len(payload)))
	binary.BigEndian.PutUint16(h[4:], part.ID)
	binary.BigEndian.PutUint16(h[6:], part.Offset)
	if part.More {
		h[6] |= 0x20
	}
	h = append(append(h, src.AsSlice()...), dst.AsSlice()...)
	var sum uint32
	for i := 0; i < len(h); i += 2 {
		sum += uint32(binary.BigEndian.Uint16(h[i:]))
	}
	binary.BigEndian.PutUint16(h[10:], ^uint16(sum>>16+sum&0xffff))
	return append(append(b, h...), payload...)
}

// Flood sends these frames over and over, so many packets a second, until Stop.
// Where realTime is not 0 it is the priority of SCHED_RR at which they are sent, so
// that a busy machine sends as many too; the nodes should have a higher one.
func (h *Host) Flood(rate, realTime int, frames ...[]byte) (*Flood, error) {
	f := &Flood{stop: make(chan struct{}), done: make(chan error, 1)}
	err := h.In(func() error {
		nic, err := net.InterfaceByName(NIC)
		if err != nil {
			return err
		}
		if f.fd, err = unix.Socket(unix.AF_PACKET, unix.SOCK_RAW|unix.SOCK_CLOEXEC, 0); err != nil {
			return err
		}
		return errors.Join(
			unix.SetsockoptInt(f.fd, unix.SOL_PACKET, unix.PACKET_QDISC_BYPASS, 1),
			unix.Bind(f.fd, &unix.SockaddrLinklayer{Protocol: 0, Ifindex: nic.Index}))
	})
	if err != nil {
		return nil, fmt.Errorf("flood: %w", err)
	}
	go func() {
		runtime.LockOSThread() // for good: the thread ends with the goroutine
		err := f.hurry(realTime)
		if err == nil {
			err = f.run(rate, frames)
		}
		f.done <- errors.Join(err, unix.Close(f.fd))
	}()
	return f, nil
}

// hurry gives the calling thread a priority in real time.
func (f *Flood) hurry(realTime int) error {
	if realTime == 0 {
		return nil
	}
	attr := &unix.SchedAttr{Size: unix.SizeofSchedAttr, Policy: unix.SCHED_RR, Priority: uint32(realTime)}
	if err := unix.SchedSetAttr(0, attr, 0); err != nil {
		return fmt.Errorf("flood: in real time: %w", err)
	}
	return nil
}

// run keeps to the rate as it can: what was missed is made up for within fifty
// milliseconds or not at all.
func (f *Flood) run(rate int, frames [][]byte) error {
	type message struct {
		header unix.Msghdr
		length uint32
	}
	messages := make([]message, floodBatch*len(frames))
	vectors := make([]unix.Iovec, len(messages))
	for i := range messages {
		frame := frames[i%len(frames)]
		vectors[i].Base = &frame[0]
		vectors[i].SetLen(len(frame))
		messages[i].header.Iov = &vectors[i]
		messages[i].header.SetIovlen(1)
	}
	begun, due := time.Now(), uint64(0)
	for at := 0; ; at = (at + floodBatch) % len(messages) {
		select {
		case <-f.stop:
			return nil
		default:
		}
		want := uint64(time.Since(begun).Seconds() * float64(rate))
		if want < due {
			// Not time.Sleep, whose end another thread has to see.
			_ = unix.Nanosleep(&unix.Timespec{Nsec: int64(500 * time.Microsecond)}, nil)
			continue
		}
		due = max(due, want-min(want, uint64(rate/20))) + floodBatch
		n, _, errno := unix.Syscall6(unix.SYS_SENDMMSG, uintptr(f.fd), uintptr(unsafe.Pointer(&messages[at])), floodBatch, 0, 0, 0)
		if errno != 0 && errno != unix.ENOBUFS && errno != unix.EINTR {
			return fmt.Errorf("flood: %w", errno)
		}
		if errno == 0 {
			f.sent.Add(uint64(n))
		}
	}
}

// Sent is how many packets went out so far.
func (f *Flood) Sent() uint64 { return f.sent.Load() }

// Stop ends the flood. It is to be called once.
func (f *Flood) Stop() error {
	close(f.stop)
	return <-f.done
}
