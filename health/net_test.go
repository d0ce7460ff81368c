package health

import (
	"bufio"
	"context"
	"io"
	"net"
	"net/netip"
	"strings"
	"sync"
	"testing"
	"time"
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

// closedPort is a loopback port on which nothing listens.
func closedPort(t *testing.T) Connect {
	t.Helper()
	l, err := net.ListenTCP("tcp4", &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1)})
	if err != nil {
		t.Fatal(err)
	}
	at := l.Addr().(*net.TCPAddr).AddrPort()
	_ = l.Close()
	return Connect{Addr: at.Addr().Unmap(), Port: at.Port(), Timeout: ample}
}

// brief is the timeout of checks that run into it. It is long enough for all that
// comes before on a machine that is busy with other things.
const brief = time.Second

// ample is the timeout of those that do not.
const ample = 30 * time.Second

// fullBacklog is a loopback port that answers no SYN: its queue is full.
func fullBacklog(t *testing.T) Connect {
	t.Helper()
	c := Connect{Addr: netip.MustParseAddr("127.0.0.1"), Port: backlogSocket(t, 0), Timeout: 200 * time.Millisecond}
	fill(t, c)
	return c
}

// fill fills the queue of a listener; what does not fit times out and shows that it
// is full.
func fill(t *testing.T, c Connect) {
	t.Helper()
	for range 8 {
		conn, err := c.dial(context.Background())
		if err != nil {
			return
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
