package health

import (
	"encoding/binary"
	"net/netip"
	"unsafe"

	"golang.org/x/sys/unix"
)

// This file has the system calls of sockets that do not block. They are made
// without telling the runtime, to which each would be a wait that another thread
// may have to be woken for: none lasts longer than what it does.

// openSocket makes a socket that does not block.
func openSocket(family, kind int) (int, error) {
	fd, _, errno := unix.RawSyscall(unix.SYS_SOCKET, uintptr(family), uintptr(kind|unix.SOCK_CLOEXEC|unix.SOCK_NONBLOCK), 0)
	if errno != 0 {
		return -1, errno
	}
	return int(fd), nil
}

// closeSocket closes a socket that does not linger.
func closeSocket(fd int) { _, _, _ = unix.RawSyscall(unix.SYS_CLOSE, uintptr(fd), 0, 0) }

// rawAddress is an address and a port as the kernel reads them.
type rawAddress struct {
	four unix.RawSockaddrInet4
	six  unix.RawSockaddrInet6
}

// set makes it the one given, but for a zone.
func (r *rawAddress) set(a netip.AddrPort) {
	port := binary.NativeEndian.Uint16(binary.BigEndian.AppendUint16(nil, a.Port()))
	if a.Addr().Is4() {
		r.four = unix.RawSockaddrInet4{Family: unix.AF_INET, Port: port, Addr: a.Addr().As4()}
		return
	}
	r.six = unix.RawSockaddrInet6{Family: unix.AF_INET6, Port: port, Addr: a.Addr().As16()}
}

// connect begins to connect a socket to it.
func (r *rawAddress) connect(fd int) error {
	at, size := unsafe.Pointer(&r.four), unsafe.Sizeof(r.four)
	if r.six.Family != 0 {
		at, size = unsafe.Pointer(&r.six), unsafe.Sizeof(r.six)
	}
	_, _, errno := unix.RawSyscall(unix.SYS_CONNECT, uintptr(fd), uintptr(at), size)
	if errno != 0 {
		return errno
	}
	return nil
}

// readSocket reads what has come.
func readSocket(fd int, b []byte) (int, error) { return transfer(unix.SYS_READ, fd, b) }

// writeSocket writes what there is room for.
func writeSocket(fd int, b []byte) (int, error) { return transfer(unix.SYS_WRITE, fd, b) }

func transfer(call uintptr, fd int, b []byte) (int, error) {
	for {
		n, _, errno := unix.RawSyscall(call, uintptr(fd), uintptr(unsafe.Pointer(unsafe.SliceData(b))), uintptr(len(b)))
		switch errno {
		case 0:
			return int(n), nil
		case unix.EINTR:
		default:
			return 0, errno
		}
	}
}

// poll looks at sockets without waiting.
func poll(fds []unix.PollFd) error {
	var now unix.Timespec
	_, _, errno := unix.RawSyscall6(unix.SYS_PPOLL, uintptr(unsafe.Pointer(unsafe.SliceData(fds))), uintptr(len(fds)),
		uintptr(unsafe.Pointer(&now)), 0, 0, 0)
	if errno != 0 {
		return errno
	}
	return nil
}
