package control

import (
	"context"
	"crypto/tls"
	"fmt"
	"net"
	"os/user"
	"strconv"
	"unsafe"

	"golang.org/x/sys/unix"
)

// Caller is who asks: a process on this host, by the control socket, or the
// owner of a certificate.
type Caller struct {
	// Name is the login name of the process's user, or the certificate's common
	// name.
	Name string
	// Remote is the address of who has a certificate, empty for a process.
	Remote string
	// UID, PID and Groups are the process's; all its groups, the first its own.
	UID    uint32
	PID    int32
	Groups []uint32
}

// String says who it is as the journal tells it: "root (uid 0, process 4711)",
// "admin (certificate, from 192.0.2.9)".
func (c Caller) String() string {
	if c.Remote != "" {
		return fmt.Sprintf("%s (certificate, from %s)", c.Name, c.Remote)
	}
	return fmt.Sprintf("%s (uid %d, process %d)", c.Name, c.UID, c.PID)
}

type callerKey struct{}

// WithCaller returns a context that says who asks.
func WithCaller(ctx context.Context, c Caller) context.Context {
	return context.WithValue(ctx, callerKey{}, c)
}

// CallerOf is who asks, and false where the context does not say.
func CallerOf(ctx context.Context) (Caller, bool) {
	c, ok := ctx.Value(callerKey{}).(Caller)
	return c, ok
}

// callerOf finds out who is at the other end of a connection.
func callerOf(c net.Conn) (Caller, error) {
	switch c := c.(type) {
	case *tls.Conn:
		state := c.ConnectionState()
		if len(state.PeerCertificates) == 0 {
			return Caller{}, fmt.Errorf("no certificate was shown")
		}
		host, _, err := net.SplitHostPort(c.RemoteAddr().String())
		if err != nil {
			host = c.RemoteAddr().String()
		}
		return Caller{Name: state.PeerCertificates[0].Subject.CommonName, Remote: host}, nil
	case *clientConn:
		return callerOf(c.Conn)
	case *net.UnixConn:
		return processOf(c)
	}
	return Caller{}, fmt.Errorf("a connection that does not say who it is from")
}

// processOf asks the kernel which process opened the other end.
func processOf(c *net.UnixConn) (Caller, error) {
	raw, err := c.SyscallConn()
	if err != nil {
		return Caller{}, fmt.Errorf("ask who is at the control socket: %w", err)
	}
	var out Caller
	var inner error
	err = raw.Control(func(fd uintptr) {
		var cred *unix.Ucred
		if cred, inner = unix.GetsockoptUcred(int(fd), unix.SOL_SOCKET, unix.SO_PEERCRED); inner != nil {
			return
		}
		out.UID, out.PID, out.Groups = cred.Uid, cred.Pid, []uint32{cred.Gid}
		var more []uint32
		if more, inner = peerGroups(fd); inner == nil {
			out.Groups = append(out.Groups, more...)
		}
	})
	if err == nil {
		err = inner
	}
	if err != nil {
		return Caller{}, fmt.Errorf("ask who is at the control socket: %w", err)
	}
	out.Name = strconv.FormatUint(uint64(out.UID), 10)
	if u, err := user.LookupId(out.Name); err == nil {
		out.Name = u.Username
	}
	return out, nil
}

// peerGroups are the other groups of the process at the far end (SO_PEERGROUPS
// of socket(7), Linux 4.13), for which package unix has no function.
func peerGroups(fd uintptr) ([]uint32, error) {
	groups := make([]uint32, 64)
	for {
		size := uint32(len(groups) * 4)
		_, _, errno := unix.Syscall6(unix.SYS_GETSOCKOPT, fd, unix.SOL_SOCKET, unix.SO_PEERGROUPS,
			uintptr(unsafe.Pointer(&groups[0])), uintptr(unsafe.Pointer(&size)), 0)
		switch {
		case errno == unix.ERANGE && int(size) > len(groups)*4:
			groups = make([]uint32, (size+3)/4)
		case errno != 0:
			return nil, errno
		default:
			return groups[:size/4], nil
		}
	}
}
