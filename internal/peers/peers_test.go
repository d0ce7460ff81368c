package peers

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"golang.org/x/net/dns/dnsmessage"
)

func addrs(list ...string) []netip.Addr {
	var out []netip.Addr
	for _, s := range list {
		out = append(out, netip.MustParseAddr(s))
	}
	return out
}

// TestParse reads files of peers.
func TestParse(t *testing.T) {
	for content, want := range map[string]string{
		"":                         "[]",
		"192.0.2.1\n":              "[192.0.2.1]",
		" 192.0.2.1 # first\n\n#x": "[192.0.2.1]",
		"2001:db8::1\n192.0.2.1":   "[2001:db8::1 192.0.2.1]",
		"192.0.2.1\nlb1\n":         `line 2: "lb1" is no IP address`,
		"192.0.2.1 192.0.2.2\n":    `line 1: "192.0.2.1 192.0.2.2" is no IP address`,
	} {
		got, err := parse(content)
		text := fmt.Sprint(got)
		if err != nil {
			text = err.Error()
		}
		if text != want {
			t.Errorf("%q is %s, want %s", content, text, want)
		}
	}
}

// TestWatchFile follows a file that changes, breaks, goes and comes back: while it
// cannot be read, the last peers stay.
func TestWatchFile(t *testing.T) {
	file := filepath.Join(t.TempDir(), "peers")
	put := func(content string) {
		t.Helper()
		if err := os.WriteFile(file, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	put("192.0.2.3\n192.0.2.2\n2001:db8::1\n192.0.2.2\n")
	synctest.Test(t, func(t *testing.T) {
		told := make(chan Found, 10)
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		go Watch(ctx, Source{File: file}, func(f Found) { told <- f })
		expect := func(what, err string, want ...string) {
			t.Helper()
			time.Sleep(1500 * time.Millisecond)
			synctest.Wait()
			if want == nil {
				if len(told) > 0 {
					t.Fatalf("%s: told %+v", what, <-told)
				}
				return
			}
			if len(told) != 1 {
				t.Fatalf("%s: told %d times, want once", what, len(told))
			}
			f := <-told
			if !slices.Equal(f.Peers, addrs(want...)) || !strings.HasSuffix(text(f.Err), err) || (err == "") != (f.Err == nil) {
				t.Fatalf("%s: %v %v, want %v %q", what, f.Peers, f.Err, want, err)
			}
		}
		expect("at the start", "", "192.0.2.2", "192.0.2.3")
		expect("unchanged", "")
		put("192.0.2.4\n")
		expect("another peer", "", "192.0.2.4")
		put("192.0.2.5\nrubbish\n")
		expect("a bad line", "no IP address", "192.0.2.4")
		if err := os.Remove(file); err != nil {
			t.Fatal(err)
		}
		expect("no file", "no such file or directory", "192.0.2.4")
		put("192.0.2.4\n")
		expect("back", "", "192.0.2.4")
	})
}

// TestWatchDNS looks a name up when its records have lived, at the latest after the
// interval, and soon again where that failed; what was known stays.
func TestWatchDNS(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		begin := time.Now()
		type answer struct {
			list []netip.Addr
			ttl  time.Duration
			err  error
		}
		answers := []answer{
			{addrs("192.0.2.2"), 10 * time.Second, nil},
			{addrs("192.0.2.2"), time.Hour, nil},
			{addrs("192.0.2.3"), 0, nil},
			{nil, 0, errors.New("no such host")},
			{addrs("192.0.2.4"), 0, nil},
		}
		var asked []time.Duration
		w := watch{source: Source{DNS: "lb.example.net", Interval: 30 * time.Second},
			lookup: func(context.Context, string, bool) ([]netip.Addr, time.Duration, error) {
				a := answers[min(len(asked), len(answers)-1)]
				asked = append(asked, time.Since(begin))
				return a.list, a.ttl, a.err
			}}
		ctx, cancel := context.WithTimeout(t.Context(), 106*time.Second)
		defer cancel()
		var told []string
		w.run(ctx, func(f Found) { told = append(told, f.Peers[0].String()+text(f.Err)) })
		want := []time.Duration{0, 10 * time.Second, 40 * time.Second, 70 * time.Second, 75 * time.Second, 105 * time.Second}
		if !slices.Equal(asked, want) {
			t.Errorf("asked at %v, want %v", asked, want)
		}
		if got := strings.Join(told, " "); got != "192.0.2.2 192.0.2.3 192.0.2.3no such host 192.0.2.4" {
			t.Errorf("told %s", got)
		}
	})
}

// TestResolve asks a name server of our own, and learns the shortest life of the
// records.
func TestResolve(t *testing.T) {
	server, err := net.ListenPacket("udp4", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer server.Close()
	go func() {
		b := make([]byte, 1500)
		for {
			n, from, err := server.ReadFrom(b)
			if err != nil {
				return
			}
			var q dnsmessage.Message
			if q.Unpack(b[:n]) != nil || len(q.Questions) != 1 {
				continue
			}
			a := dnsmessage.Message{Header: dnsmessage.Header{ID: q.ID, Response: true, RecursionAvailable: true}, Questions: q.Questions}
			if q.Questions[0].Type == dnsmessage.TypeA {
				for i, ttl := range []uint32{300, 7} {
					a.Answers = append(a.Answers, dnsmessage.Resource{
						Header: dnsmessage.ResourceHeader{Name: q.Questions[0].Name, Class: dnsmessage.ClassINET, TTL: ttl},
						Body:   &dnsmessage.AResource{A: [4]byte{192, 0, 2, byte(i + 1)}},
					})
				}
			}
			wire, err := a.Pack()
			if err == nil {
				_, _ = server.WriteTo(wire, from)
			}
		}
	}()
	dial := func(ctx context.Context, network, _ string) (net.Conn, error) {
		return new(net.Dialer).DialContext(ctx, network, server.LocalAddr().String())
	}
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	got, ttl, err := resolveBy(ctx, dial, "lb.example.net.", false)
	if err != nil || !slices.Equal(canonical(got, false), addrs("192.0.2.1", "192.0.2.2")) || ttl != 7*time.Second {
		t.Errorf("%v for %v, %v", got, ttl, err)
	}
	if got, _, err := resolveBy(ctx, dial, "lb.example.net.", true); err == nil {
		t.Errorf("IPv6: %v, want an error", got)
	}
}
