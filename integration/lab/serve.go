package lab

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// echo is a server of ServeUDP.
type echo struct {
	name string
	conn *net.UDPConn
	raw  syscall.RawConn
	// busy is held while a datagram is taken and answered.
	busy sync.Mutex
}

// ServeUDP answers every datagram to the port, on any of the host's addresses,
// with the host's name and the datagram, until the lab is closed.
func (h *Host) ServeUDP(port uint16) error {
	e := &echo{name: h.Name}
	err := h.In(func() (err error) {
		e.conn, err = net.ListenUDP("udp", &net.UDPAddr{Port: int(port)})
		return err
	})
	if err != nil {
		return err
	}
	h.owns(e.conn)
	roomy(e.conn)
	if e.raw, err = e.conn.SyscallConn(); err != nil {
		return err
	}
	h.mu.Lock()
	h.echoes = append(h.echoes, e)
	h.mu.Unlock()
	go func() {
		buf := make([]byte, 2048)
		// Until it is closed.
		for e.raw.Read(func(fd uintptr) bool { return e.answer(int(fd), buf) }) == nil {
		}
	}()
	return nil
}

// answer answers a datagram, if there is one.
func (e *echo) answer(fd int, buf []byte) bool {
	e.busy.Lock()
	defer e.busy.Unlock()
	n, from, err := unix.Recvfrom(fd, buf, unix.MSG_DONTWAIT)
	if err == nil {
		// What cannot be answered is counted as lost where it was sent.
		_ = unix.Sendto(fd, append([]byte(e.name+" "), buf[:n]...), unix.MSG_DONTWAIT, from)
	}
	return !errors.Is(err, unix.EAGAIN)
}

// idle is whether all that has come has been answered.
func (e *echo) idle() bool {
	e.busy.Lock()
	defer e.busy.Unlock()
	return empty(e.raw)
}

// empty is whether no datagram waits in a socket; a closed one has none.
func empty(c syscall.RawConn) bool {
	waiting := 0
	_ = c.Control(func(fd uintptr) { waiting, _ = unix.IoctlGetInt(int(fd), unix.TIOCINQ) })
	return waiting == 0
}

// Web is an HTTP server on a host, which can be stopped and started again.
type Web struct {
	host   *Host
	name   string
	addr   string
	mu     sync.Mutex
	server *http.Server
	conns  sync.WaitGroup
}

// Serve starts an HTTP server on the host that answers every request with name,
// and lives until the lab is closed. Requests for /echo stay open and send each
// byte back; those for /stream are answered without end.
func (h *Host) Serve(name string, addr netip.AddrPort) (*Web, error) {
	w := &Web{host: h, name: name, addr: addr.String()}
	h.owns(w)
	return w, w.Start()
}

// Start starts the server, also once more.
func (w *Web) Start() error {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.server != nil {
		return nil
	}
	var l net.Listener
	err := w.host.In(func() (err error) {
		lc := net.ListenConfig{Control: control}
		l, err = lc.Listen(context.Background(), "tcp", w.addr)
		return err
	})
	if err != nil {
		return err
	}
	mux := http.NewServeMux()
	mux.HandleFunc("/", func(r http.ResponseWriter, _ *http.Request) {
		r.Header().Set("Connection", "close")
		_, _ = io.WriteString(r, w.name)
	})
	mux.HandleFunc("/echo", w.echo)
	mux.HandleFunc("/stream", stream)
	w.server = &http.Server{Handler: mux, ReadHeaderTimeout: 10 * time.Second}
	w.conns.Go(func() { _ = w.server.Serve(l) })
	return nil
}

// echo takes the connection over and sends back what comes.
func (w *Web) echo(r http.ResponseWriter, _ *http.Request) {
	c, rw, err := http.NewResponseController(r).Hijack()
	if err != nil {
		return
	}
	w.host.owns(c)
	_, _ = io.Copy(c, rw)
	_ = c.Close()
}

// Close stops the server at once: new connections are refused.
func (w *Web) Close() error {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.server == nil {
		return nil
	}
	err := w.server.Close()
	w.server = nil
	w.conns.Wait()
	return err
}

// Dial opens a TCP connection from the host.
func (h *Host) Dial(ctx context.Context, addr netip.AddrPort) (net.Conn, error) {
	var conn net.Conn
	err := h.In(func() (err error) {
		var d net.Dialer
		conn, err = d.DialContext(ctx, "tcp", addr.String())
		return err
	})
	return conn, err
}

// Get asks for / over HTTP from the host, on a connection of its own, and
// returns the body.
func (h *Host) Get(ctx context.Context, addr netip.AddrPort) (string, error) {
	client := http.Client{Transport: &http.Transport{
		DisableKeepAlives: true,
		DialContext:       func(ctx context.Context, _, _ string) (net.Conn, error) { return h.Dial(ctx, addr) },
	}}
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+addr.String()+"/", nil)
	if err != nil {
		return "", err
	}
	resp, err := client.Do(req)
	if err != nil {
		return "", err
	}
	defer func() { _ = resp.Body.Close() }()
	b, err := io.ReadAll(io.LimitReader(resp.Body, 1<<16))
	if err == nil && resp.StatusCode != http.StatusOK {
		err = errors.New(resp.Status)
	}
	return string(b), err
}

// Line is a TCP connection through which each text sent must come back.
type Line struct {
	// From is the client's end of the connection.
	From netip.AddrPort

	conn net.Conn
}

// OpenLine connects to the /echo of a Web.
func (h *Host) OpenLine(ctx context.Context, addr netip.AddrPort) (*Line, error) {
	c, err := h.Dial(ctx, addr)
	if err != nil {
		return nil, err
	}
	h.owns(c)
	if _, err := io.WriteString(c, "GET /echo HTTP/1.1\r\nHost: lab\r\n\r\n"); err != nil {
		return nil, err
	}
	return &Line{From: localEnd(c), conn: c}, nil
}

// Close ends the connection.
func (l *Line) Close() error { return l.conn.Close() }

// Say sends a number and waits until it comes back.
func (l *Line) Say(number int, limit time.Duration) error {
	text := strconv.Itoa(number) + "\n"
	if err := l.conn.SetDeadline(time.Now().Add(limit)); err != nil {
		return err
	}
	if _, err := io.WriteString(l.conn, text); err != nil {
		return err
	}
	got := make([]byte, len(text))
	if _, err := io.ReadFull(l.conn, got); err != nil {
		return err
	}
	if string(got) != text {
		return fmt.Errorf("said %q, heard %q", strings.TrimSpace(text), strings.TrimSpace(string(got)))
	}
	return nil
}
