package track

import (
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"time"

	"golang.org/x/sys/unix"
)

// procEvent is what the kernel's process connector tells of a process.
type procEvent struct {
	kind procKind
	// pid is the process, parent that of a fork.
	pid, parent int
}

type procKind uint8

const (
	procAck procKind = iota + 1
	procFork
	procExec
	procExit
	// procOther is an event, or a thread, that changes no count.
	procOther
)

// The numbers of include/uapi/linux/connector.h and cn_proc.h.
const (
	cnIdxProc    = 1
	cnValProc    = 1
	cnMsgSize    = 20
	procListen   = 1
	eventFork    = 0x1
	eventExec    = 0x2
	eventComm    = 0x200
	eventExit    = 0x80000000
	eventHeader  = 16
	connectorWay = 2 * time.Second
)

// readProcEvent reads the body of one netlink message of the connector.
func readProcEvent(b []byte) (procEvent, bool) {
	if len(b) < cnMsgSize+eventHeader+8 || nativeUint32(b) != cnIdxProc || nativeUint32(b[4:]) != cnValProc {
		return procEvent{}, false
	}
	b = b[cnMsgSize:]
	what, data := nativeUint32(b), b[eventHeader:]
	word := func(i int) int {
		if len(data) < 4*i+4 {
			return 0
		}
		return int(int32(nativeUint32(data[4*i:])))
	}
	switch what {
	case 0:
		if errno := nativeUint32(data); errno != 0 {
			return procEvent{}, false
		}
		return procEvent{kind: procAck}, true
	case eventFork:
		// parent pid, parent tgid, child pid, child tgid
		if word(2) != word(3) {
			return procEvent{kind: procOther}, true
		}
		return procEvent{kind: procFork, parent: word(1), pid: word(3)}, true
	case eventExec, eventComm:
		return procEvent{kind: procExec, pid: word(1)}, true
	case eventExit:
		if word(0) != word(1) {
			return procEvent{kind: procOther}, true
		}
		return procEvent{kind: procExit, pid: word(1)}, true
	}
	return procEvent{kind: procOther}, true
}

// connector is the kernel's process connector, which is there only for the first
// network and process namespaces.
type connector struct {
	file *os.File
	buf  []byte
}

// openConnector subscribes. Its error says why the kernel tells nothing here.
func openConnector() (*connector, error) {
	fd, err := unix.Socket(unix.AF_NETLINK, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC|unix.SOCK_NONBLOCK, unix.NETLINK_CONNECTOR)
	if err != nil {
		return nil, fmt.Errorf("process connector: %w", err)
	}
	c := &connector{file: os.NewFile(uintptr(fd), "connector"), buf: make([]byte, 64<<10)}
	err = errors.Join(
		unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_RCVBUFFORCE, 4<<20),
		unix.Bind(fd, &unix.SockaddrNetlink{Family: unix.AF_NETLINK, Groups: cnIdxProc}))
	if err == nil {
		_, err = c.file.Write(listenMessage())
	}
	if err == nil {
		// In another process namespace the kernel passes over the request.
		err = c.acknowledged()
	}
	if err != nil {
		_ = c.file.Close()
		return nil, fmt.Errorf("process connector: %w", err)
	}
	return c, nil
}

func listenMessage() []byte {
	const size = unix.SizeofNlMsghdr + cnMsgSize + 4
	b := make([]byte, 0, size)
	e := binary.NativeEndian
	b = e.AppendUint32(b, size)
	b = e.AppendUint16(b, unix.NLMSG_DONE)
	b = append(b, make([]byte, 10)...)
	b = e.AppendUint32(b, cnIdxProc)
	b = e.AppendUint32(b, cnValProc)
	b = append(b, make([]byte, 8)...)
	b = e.AppendUint16(b, 4)
	b = e.AppendUint16(b, 0)
	return e.AppendUint32(b, procListen)
}

func (c *connector) acknowledged() error {
	if err := c.file.SetReadDeadline(time.Now().Add(connectorWay)); err != nil {
		return err
	}
	for {
		events, err := c.read()
		if err != nil {
			return err
		}
		for _, e := range events {
			if e.kind == procAck {
				return c.file.SetReadDeadline(time.Time{})
			}
		}
	}
}

// read waits for events. ENOBUFS means that some were dropped.
func (c *connector) read() ([]procEvent, error) {
	n, err := c.file.Read(c.buf)
	if err != nil {
		return nil, err
	}
	out := make([]procEvent, 0, 1) // nil means that some were lost
	for b := c.buf[:n]; len(b) >= unix.SizeofNlMsghdr; {
		size := int(nativeUint32(b))
		if size < unix.SizeofNlMsghdr || size > len(b) {
			break
		}
		if e, ok := readProcEvent(b[unix.SizeofNlMsghdr:size]); ok {
			out = append(out, e)
		}
		b = b[min((size+3)&^3, len(b)):]
	}
	return out, nil
}

func (c *connector) close() { _ = c.file.Close() }

func nativeUint32(b []byte) uint32 { return binary.NativeEndian.Uint32(b) }
