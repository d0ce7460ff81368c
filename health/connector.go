package health

import (
	"fmt"

	"golang.org/x/sys/unix"
)

// connector begins connections that do not block.
type connector struct {
	cfg Connect
	// plain is set where the socket has nothing to be told but where to connect.
	plain bool
	far   rawAddress
}

func newConnector(cfg Connect) connector {
	c := connector{cfg: cfg, plain: cfg.FWMark == 0 && cfg.BindInterface == "" && !cfg.local().IsValid()}
	c.far.set(cfg.remote())
	return c
}

// begin opens a socket and begins to connect. It says whether the end is still to
// come; the socket is -1 where there is none.
func (c *connector) begin() (fd int, pending bool, err error) {
	family := unix.AF_INET
	if c.cfg.Addr.Is6() {
		family = unix.AF_INET6
	}
	if fd, err = openSocket(family, unix.SOCK_STREAM); err != nil {
		return -1, false, c.cfg.callError("socket", err)
	}
	if !c.plain {
		if err := c.prepare(fd); err != nil {
			return fd, false, err
		}
	}
	switch err := c.connect(fd); err {
	case nil:
		return fd, false, nil
	case unix.EINPROGRESS, unix.EINTR:
		return fd, true, nil
	default:
		return fd, false, c.cfg.callError("connect", err)
	}
}

// prepare sets the socket's options and its near end.
func (c *connector) prepare(fd int) error {
	if err := c.cfg.setOptions(fd); err != nil {
		return fmt.Errorf("connect %s: %w", c.cfg.remote(), err)
	}
	if local := c.cfg.local(); local.IsValid() {
		if err := unix.Bind(fd, sockaddr(local)); err != nil {
			return c.cfg.callError("bind", err)
		}
	}
	return nil
}

// connect begins to connect. The number of an interface is looked up anew each
// time.
func (c *connector) connect(fd int) error {
	if remote := c.cfg.remote(); remote.Addr().Zone() != "" {
		return unix.Connect(fd, sockaddr(remote))
	}
	return c.far.connect(fd)
}
