package health

import (
	"bufio"
	"context"
	"io"
	"math/rand/v2"
	"net"
	"net/netip"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// listen serves every connection to a loopback port with serve, until the test
// ends, when all of them are closed.
func listen(t testing.TB, serve func(*net.TCPConn)) Connect {
	t.Helper()
	l, err := net.ListenTCP("tcp4", &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1)})
	if err != nil {
		t.Fatal(err)
	}
	return serveOn(t, l, serve)
}

func serveOn(t testing.TB, l *net.TCPListener, serve func(*net.TCPConn)) Connect {
	var mu sync.Mutex
	var conns []*net.TCPConn
	var wg sync.WaitGroup
	wg.Go(func() {
		for {
			c, err := l.AcceptTCP()
			if err != nil {
				return
			}
			mu.Lock()
			conns = append(conns, c)
			mu.Unlock()
			wg.Go(func() {
				defer func() { _ = c.Close() }()
				serve(c)
			})
		}
	})
	t.Cleanup(func() {
		_ = l.Close()
		mu.Lock()
		for _, c := range conns {
			_ = c.Close()
		}
		mu.Unlock()
		wg.Wait()
	})
	at := l.Addr().(*net.TCPAddr).AddrPort()
	return Connect{Addr: at.Addr().Unmap(), Port: at.Port(), Timeout: ample}
}

// closedPort is a loopback port on which nothing listens, nor can while the test
// lasts: a socket has it that does not.
func closedPort(t *testing.T) Connect {
	t.Helper()
	_, port := bound(t, unix.SOCK_STREAM)
	return Connect{Addr: netip.MustParseAddr("127.0.0.1"), Port: port, Timeout: ample}
}

// bound is a socket of a loopback port, until the test ends.
func bound(t testing.TB, kind int) (fd int, port uint16) {
	t.Helper()
	fd, err := unix.Socket(unix.AF_INET, kind|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = unix.Close(fd) })
	if err := unix.Bind(fd, &unix.SockaddrInet4{Addr: [4]byte{127, 0, 0, 1}}); err != nil {
		t.Fatal(err)
	}
	sa, err := unix.Getsockname(fd)
	if err != nil {
		t.Fatal(err)
	}
	return fd, uint16(sa.(*unix.SockaddrInet4).Port)
}

// freePort is a port that a connection can begin at: one that the kernel gives to
// nobody who asks for any, and seldom the same.
func freePort(t *testing.T) uint16 {
	t.Helper()
	for range 100 {
		port := 20000 + rand.IntN(12000)
		l, err := net.Listen("tcp4", net.JoinHostPort("0.0.0.0", strconv.Itoa(port)))
		if err != nil {
			continue
		}
		_ = l.Close()
		return uint16(port)
	}
	t.Fatal("no port is free")
	return 0
}

// brief is the timeout of checks that run into it. It is long enough for all that
// comes before on a machine that is busy with other things.
const brief = time.Second

// ample is the timeout of those that do not.
const ample = 30 * time.Second

// fullBacklog is a loopback port that answers no SYN: its queue is full.
func fullBacklog(t *testing.T) Connect {
	t.Helper()
	fd, port := backlog(t, 0)
	c := Connect{Addr: netip.MustParseAddr("127.0.0.1"), Port: port, Timeout: ample}
	fill(t, fd, c)
	c.Timeout = 200 * time.Millisecond
	return c
}

// fill fills the queue of a listener, until the kernel says that it is full.
func fill(t *testing.T, fd int, c Connect) {
	t.Helper()
	for range 8 {
		// Of a listener these count the connections that wait, and its bound.
		info, err := unix.GetsockoptTCPInfo(fd, unix.IPPROTO_TCP, unix.TCP_INFO)
		if err != nil {
			t.Fatal(err)
		}
		if info.Unacked > info.Sacked {
			return
		}
		conn, err := c.dial(context.Background())
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = conn.Close() })
	}
	t.Fatal("the queue of the listener does not fill up")
}

// readRequest reads a request up to its empty line.
func readRequest(c net.Conn) string {
	var b strings.Builder
	r := bufio.NewReader(c)
	for {
		line, err := r.ReadString('\n')
		b.WriteString(line)
		if err != nil || line == "\r\n" {
			return b.String()
		}
	}
}

// wantErr checks that an error is as said; the text may leave the port out as *.
func wantErr(t *testing.T, err error, want string) {
	t.Helper()
	got := ""
	if err != nil {
		got = err.Error()
	}
	before, after, star := strings.Cut(want, "*")
	if got != want && !(star && strings.HasPrefix(got, before) && strings.HasSuffix(got, after)) {
		t.Errorf("error %q, want %q", got, want)
	}
}

// drain reads until the other side closes.
func drain(c *net.TCPConn) { _, _ = io.Copy(io.Discard, c) }
