package publish

import (
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// free is a port that nobody listens on, of an address of the test's own: no other
// test, and no connection of one, takes it while it is free.
func free(t *testing.T, addr string) netip.AddrPort {
	t.Helper()
	l, err := net.Listen("tcp", net.JoinHostPort(addr, "0"))
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return netip.MustParseAddrPort(l.Addr().String())
}

func get(addr netip.AddrPort) (string, error) {
	c := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}, Timeout: time.Minute}
	r, err := c.Get("http://" + addr.String() + "/")
	if err != nil {
		return "", err
	}
	defer r.Body.Close()
	b, err := io.ReadAll(r.Body)
	return string(b), err
}

func TestListenerFollowsTheConfiguration(t *testing.T) {
	l := NewListener("page", http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, "shown") }),
		func(err error) { t.Error(err) })
	defer l.Close()
	first, second := free(t, "127.83.17.6"), free(t, "127.83.17.7")
	for _, addr := range []netip.AddrPort{first, second, second} {
		if err := l.Configure(addr); err != nil {
			t.Fatal(err)
		}
		if text, err := get(addr); err != nil || text != "shown" {
			t.Fatalf("%s: %q, %v", addr, text, err)
		}
	}
	if _, err := get(first); err == nil {
		t.Error("the address of before is still served")
	}
	taken, err := net.Listen("tcp", first.String())
	if err != nil {
		t.Fatal(err)
	}
	if err := l.Configure(first); err == nil || !strings.HasPrefix(err.Error(), "page: ") {
		t.Errorf("an address that is taken: %v", err)
	}
	taken.Close()
	if err := l.Configure(first); err != nil {
		t.Errorf("the address is free again: %v", err)
	}
	if err := l.Configure(netip.AddrPort{}); err != nil || l.Addr().IsValid() {
		t.Errorf("nowhere: %v, %v", l.Addr(), err)
	}
	l.Close()
	if err := l.Configure(second); err != nil || l.Addr().IsValid() {
		t.Errorf("closed, and it listens on %v (%v)", l.Addr(), err)
	}
}

// TestClosingCutsStreams keeps the agent's end from waiting for a reader.
func TestClosingCutsStreams(t *testing.T) {
	began := make(chan struct{})
	l := NewListener("page", http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		fmt.Fprintln(w, "one")
		_ = http.NewResponseController(w).Flush()
		close(began)
		<-r.Context().Done()
	}), func(err error) { t.Error(err) })
	addr := free(t, "127.83.17.8")
	if err := l.Configure(addr); err != nil {
		t.Fatal(err)
	}
	ended := make(chan error, 1)
	go func() {
		_, err := get(addr)
		ended <- err
	}()
	<-began
	l.Close()
	if err := <-ended; err == nil {
		t.Error("the stream ended as if it were whole")
	}
}
