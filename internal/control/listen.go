package control

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// socketMode lets root and the socket's group use the agent, nobody else.
const socketMode = 0o660

// maxSocketPath is the longest path that fits into sockaddr_un with its final NUL.
const maxSocketPath = 107

// ErrInUse is returned by Listen where another process answers at the socket.
var ErrInUse = errors.New("another agent answers there")

// listen binds the socket at path. A socket that nobody listens at any more is
// replaced; a live one, and anything that is not a socket, is left alone and
// is an error.
func listen(path string) (*net.UnixListener, error) {
	if len(path) > maxSocketPath {
		return nil, fmt.Errorf("control socket %s: the path has %d bytes, at most %d fit", path, len(path), maxSocketPath)
	}
	dir, err := os.Open(filepath.Dir(path))
	if err != nil {
		return nil, fmt.Errorf("control socket %s: %w", path, err)
	}
	defer dir.Close()
	// Two starts at once must not each take the other's new socket for a
	// stale one; the lock goes with dir.
	if err := unix.Flock(int(dir.Fd()), unix.LOCK_EX); err != nil {
		return nil, fmt.Errorf("control socket %s: lock its folder: %w", path, err)
	}
	if err := clearStale(path); err != nil {
		return nil, fmt.Errorf("control socket %s: %w", path, err)
	}
	lc := net.ListenConfig{Control: restrict}
	l, err := lc.Listen(context.Background(), "unix", path)
	if err != nil {
		return nil, fmt.Errorf("control socket %s: %w", path, err)
	}
	if err := os.Chmod(path, socketMode); err != nil {
		l.Close()
		return nil, fmt.Errorf("control socket %s: %w", path, err)
	}
	return l.(*net.UnixListener), nil
}

// restrict gives the socket its mode before it is bound: the kernel makes the
// file with the socket's own mode less the umask, so there is no moment in
// which others may connect.
func restrict(_, _ string, c syscall.RawConn) error {
	var inner error
	if err := c.Control(func(fd uintptr) { inner = unix.Fchmod(int(fd), socketMode) }); err != nil {
		return err
	}
	return inner
}

// clearStale removes a socket at path that nobody listens at.
func clearStale(path string) error {
	info, err := os.Lstat(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	if info.Mode().Type() != fs.ModeSocket {
		return fmt.Errorf("there is something that is not a socket (%s); remove it or choose another path", info.Mode())
	}
	c, err := net.DialTimeout("unix", path, time.Second)
	if err == nil {
		c.Close()
		return ErrInUse
	}
	if !errors.Is(err, syscall.ECONNREFUSED) {
		return fmt.Errorf("cannot tell whether another agent answers there: %w", err)
	}
	return os.Remove(path)
}
