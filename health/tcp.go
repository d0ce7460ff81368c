package health

import (
	"context"
	"fmt"
	"time"

	"golang.org/x/sys/unix"
)

// NewTCP returns TCP_CHECK: a connection that is made and closed, with nothing
// sent.
func NewTCP(cfg Connect) Check {
	t := &tcpCheck{cfg: cfg, connected: "connected to " + cfg.remote().String()}
	t.plain = cfg.FWMark == 0 && cfg.BindInterface == "" && !cfg.local().IsValid()
	t.far.set(cfg.remote())
	return t
}

// tcpCheck is a TCP_CHECK with what all its attempts have in common.
type tcpCheck struct {
	cfg       Connect
	connected string
	// plain is set where the socket has nothing to be told but where to connect.
	plain bool
	far   rawAddress
}

// Run connects and closes.
func (t *tcpCheck) Run(ctx context.Context) Result {
	start := time.Now()
	conn, err := t.cfg.dial(ctx)
	r := t.result(err)
	r.Took = time.Since(start)
	if err == nil {
		_ = conn.Close()
	}
	return r
}

// begin opens a socket and begins to connect. It says whether the end is still to
// come; the socket is -1 where there is none.
func (t *tcpCheck) begin() (fd int, pending bool, err error) {
	family := unix.AF_INET
	if t.cfg.Addr.Is6() {
		family = unix.AF_INET6
	}
	if fd, err = openSocket(family, unix.SOCK_STREAM); err != nil {
		return -1, false, t.cfg.callError("socket", err)
	}
	if !t.plain {
		if err := t.prepare(fd); err != nil {
			return fd, false, err
		}
	}
	switch err := t.connect(fd); err {
	case nil:
		return fd, false, nil
	case unix.EINPROGRESS, unix.EINTR:
		return fd, true, nil
	default:
		return fd, false, t.cfg.callError("connect", err)
	}
}

// prepare sets the socket's options and its near end.
func (t *tcpCheck) prepare(fd int) error {
	if err := t.cfg.setOptions(fd); err != nil {
		return fmt.Errorf("connect %s: %w", t.cfg.remote(), err)
	}
	if local := t.cfg.local(); local.IsValid() {
		if err := unix.Bind(fd, sockaddr(local)); err != nil {
			return t.cfg.callError("bind", err)
		}
	}
	return nil
}

// connect begins to connect. The number of an interface is looked up anew each
// time.
func (t *tcpCheck) connect(fd int) error {
	if remote := t.cfg.remote(); remote.Addr().Zone() != "" {
		return unix.Connect(fd, sockaddr(remote))
	}
	return t.far.connect(fd)
}

// result is what an attempt found that ended so.
func (t *tcpCheck) result(err error) Result {
	if err != nil {
		return Result{Err: err}
	}
	return Result{Transcript: t.connected}
}

// Target is the address that is connected to.
func (t *tcpCheck) Target() string { return t.cfg.name() }

// String names the check for logs.
func (t *tcpCheck) String() string { return "TCP_CHECK " + t.cfg.name() }

// Limit is the most that an attempt may last.
func (t *tcpCheck) Limit() time.Duration { return t.cfg.Timeout }

// name is the far end as logs write it.
func (c Connect) name() string { return c.named("tcp") }

func (c Connect) named(protocol string) string {
	return fmt.Sprintf("[%s]:%s:%d", c.Addr, protocol, c.Port)
}
