package control

import (
	"bufio"
	"context"
	"errors"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/tandem-ha/tandem/internal/journal"
)

// A crowd that were served in turn, each place for as long as the limits let a
// client have it, would keep others out for longer than who is patient waits.
const (
	crowd   = 1000
	patient = readLimit * crowd / maxConnections * 3 / 4
)

// prompt asks for the status and says how long that took.
func prompt(t *testing.T, path string, limit time.Duration) time.Duration {
	t.Helper()
	began := time.Now()
	ctx, cancel := context.WithTimeout(context.Background(), limit)
	defer cancel()
	if _, err := NewClient(path).Status(ctx); err != nil {
		t.Fatalf("after %v: %v", time.Since(began), err)
	}
	return time.Since(began)
}

// dialAll opens so many connections, as far as there is room for them.
func dialAll(t *testing.T, path string, n int) []net.Conn {
	t.Helper()
	var out []net.Conn
	for range n {
		c, err := net.DialTimeout("unix", path, time.Minute)
		if err != nil {
			// The kernel's own queue is full.
			break
		}
		out = append(out, c)
	}
	t.Cleanup(func() {
		for _, c := range out {
			c.Close()
		}
	})
	return out
}

// A thousand clients that begin a request and never end it keep nobody out.
func TestHalfOpenConnections(t *testing.T) {
	t.Parallel()
	path := serve(t, richAgent())
	conns := dialAll(t, path, crowd)
	for _, c := range conns {
		// One whose place was taken meanwhile cannot write any more.
		_, _ = io.WriteString(c, "GET /v1/status HTTP/1.1\r\nHost: x\r\nX-Sl")
	}
	t.Logf("with %d half-open connections the status took %v", len(conns), prompt(t, path, patient))
}

// Clients that ask for much and read nothing keep nobody out either, nor do they
// cost memory without bound.
func TestSlowReaders(t *testing.T) {
	a := richAgent()
	// More than the kernel keeps for a reader; each of the crowd has it put into JSON.
	const events = 300
	a.log = journal.New(events, time.Now)
	for range events {
		a.log.Add(journal.Event{Text: strings.Repeat("long ", 200)})
	}
	path := serve(t, a)
	before := heap()
	conns := dialAll(t, path, crowd)
	for _, c := range conns {
		_, _ = io.WriteString(c, "GET /v1/events HTTP/1.1\r\nHost: x\r\n\r\n")
	}
	took := prompt(t, path, patient)
	grown := heap() - before
	t.Logf("with %d slow readers of 0.3 MB each the status took %v, the heap grew by %d MiB", len(conns), took, grown>>20)
	if grown > 128<<20 {
		t.Errorf("the heap grew by %d MiB", grown>>20)
	}
}

func heap() int64 {
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return int64(m.HeapAlloc)
}

// A thousand clients at once are all answered, and share what is the same for all.
func TestACrowd(t *testing.T) {
	a := &countingAgent{fakeAgent: richAgent()}
	path := serve(t, a)
	var wg sync.WaitGroup
	var failed atomic.Int64
	for range 1000 {
		wg.Go(func() {
			ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
			defer cancel()
			if _, err := NewClient(path).Status(ctx); err != nil {
				failed.Add(1)
				t.Log(err)
			}
		})
	}
	wg.Wait()
	if n := failed.Load(); n > 0 {
		t.Errorf("%d of 1000 were not answered", n)
	}
	t.Logf("1000 clients cost %d statuses", a.asked.Load())
}

type countingAgent struct {
	*fakeAgent
	asked atomic.Int64
}

func (c *countingAgent) Status() Status {
	c.asked.Add(1)
	return c.fakeAgent.Status()
}

// Whatever is sent, the server answers in HTTP or hangs up, and goes on.
func TestGarbage(t *testing.T) {
	t.Parallel()
	path := serve(t, richAgent())
	r := rand.New(rand.NewPCG(1, 2))
	starts := []string{"", "GET ", "POST /v1/move HTTP/1.1\r\nHost: x\r\nContent-Length: 99999999999\r\n\r\n", "\x16\x03\x01\x02\x00\x01",
		"POST /v1/move HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\nFFFFFFFFFFFFFFFFF\r\n", "GET /v1/status HTTP/9.9\r\n\r\n",
		"GET /" + strings.Repeat("a", 64<<10) + " HTTP/1.1\r\n\r\n", "GET /v1/status HTTP/1.1\r\n" + strings.Repeat("X: y\r\n", 10000),
		"POST /v1/move HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n\r\n\x00\xff\xfe{}", "GET /v1/../../etc/passwd HTTP/1.1\r\nHost: x\r\n\r\n"}
	for i := range 300 {
		c, err := net.Dial("unix", path)
		if err != nil {
			t.Fatal(err)
		}
		b := []byte(starts[i%len(starts)])
		for range r.IntN(200) {
			b = append(b, byte(r.UintN(256)))
		}
		_ = c.SetDeadline(time.Now().Add(30 * time.Second))
		_, _ = c.Write(b)
		_ = c.(*net.UnixConn).CloseWrite()
		resp, err := http.ReadResponse(bufio.NewReader(c), nil)
		if err == nil && (resp.StatusCode < 300 || resp.StatusCode >= 500) && resp.StatusCode != 505 {
			t.Errorf("%.60q is answered with %s", b, resp.Status)
		}
		c.Close()
	}
	prompt(t, path, patient)
}

// follow reads a stream of events until the test ends.
func follow(t *testing.T, path string, q EventQuery) (<-chan journal.Event, <-chan error) {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	events, ended := make(chan journal.Event, 10000), make(chan error, 1)
	go func() {
		ended <- NewClient(path).Follow(ctx, q, func(e journal.Event) error {
			events <- e
			return nil
		})
	}()
	t.Cleanup(cancel)
	return events, ended
}

func next(t *testing.T, events <-chan journal.Event) journal.Event {
	t.Helper()
	select {
	case e := <-events:
		return e
	case <-time.After(time.Minute):
		t.Fatal("no event comes")
	}
	return journal.Event{}
}

// A follower gets what is kept and then what comes, none twice and none lost, and
// only what it asked for.
func TestFollow(t *testing.T) {
	a := &fakeAgent{log: journal.New(1000, time.Now)}
	add := func(kind string) {
		a.log.Add(journal.Event{Kind: kind, Level: journal.Notice, Text: "line one\nline two"})
	}
	for range 3 {
		add("kept")
	}
	path := serve(t, a)
	all, _ := follow(t, path, EventQuery{})
	some, _ := follow(t, path, EventQuery{Filter: journal.Filter{Kinds: []string{"odd"}, After: 2}})
	tail, _ := follow(t, path, EventQuery{Limit: 1})
	for want := uint64(1); want <= 3; want++ {
		if e := next(t, all); e.Seq != want || e.Text != "line one\nline two" {
			t.Fatalf("event %+v, want number %d", e, want)
		}
	}
	if e := next(t, tail); e.Seq != 3 {
		t.Errorf("the last one is %d", e.Seq)
	}
	for i := range 100 {
		add([]string{"even", "odd"}[i%2])
	}
	for want := uint64(4); want <= 103; want++ {
		if e := next(t, all); e.Seq != want {
			t.Fatalf("event %d, want %d", e.Seq, want)
		}
	}
	for want := uint64(5); want <= 103; want += 2 {
		if e := next(t, some); e.Seq != want || e.Kind != "odd" {
			t.Fatalf("event %d %s, want %d", e.Seq, e.Kind, want)
		}
	}
}

// The header Last-Event-ID, as browsers send it, goes on where the stream broke off.
func TestLastEventID(t *testing.T) {
	a := richAgent()
	path := serve(t, a)
	c, err := net.Dial("unix", path)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	_, _ = io.WriteString(c, "GET /v1/events HTTP/1.1\r\nHost: x\r\nAccept: text/event-stream\r\nLast-Event-ID: 3\r\n\r\n")
	resp, err := http.ReadResponse(bufio.NewReader(c), nil)
	if err != nil {
		t.Fatal(err)
	}
	lines := bufio.NewScanner(resp.Body)
	for lines.Scan() && !strings.HasPrefix(lines.Text(), "id: ") {
	}
	if lines.Text() != "id: 4" || resp.Header.Get("Content-Type") != eventStream {
		t.Errorf("it goes on with %q, %v", lines.Text(), resp.Header)
	}
	if code, _, _ := ask(t, path, "GET", "/v1/events", "", "Accept", eventStream, "Last-Event-ID", "x"); code != http.StatusBadRequest {
		t.Errorf("a bad Last-Event-ID is answered with %d", code)
	}
}

// A follower that does not read is cut off, and keeps no event from being told.
func TestSlowFollowerIsCut(t *testing.T) {
	a := &fakeAgent{log: journal.New(100, time.Now)}
	var server *Server
	path := serve(t, a, func(s *Server) { server = s })
	block, reached := make(chan struct{}), make(chan struct{})
	var once sync.Once
	ended := make(chan error, 1)
	go func() {
		ended <- NewClient(path).Follow(context.Background(), EventQuery{}, func(journal.Event) error {
			once.Do(func() { close(reached) })
			<-block
			return nil
		})
	}()
	a.log.Add(journal.Event{Text: "first"})
	<-reached
	began := time.Now()
	for range 20000 {
		a.log.Add(journal.Event{Text: strings.Repeat("x", 1000)})
	}
	if d := time.Since(began); d > 30*time.Second {
		t.Errorf("20000 events took %v", d)
	}
	// The stream ends while the reader still sleeps.
	for deadline := time.Now().Add(3 * writeLimit); server.streams.Load() != 0; time.Sleep(10 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatal("the stream goes on")
		}
	}
	close(block)
	if err := <-ended; err == nil {
		t.Error("the follower was not told")
	}
}

// There is an end to the number of streams, and what ends makes room.
func TestStreamsAreBounded(t *testing.T) {
	a := &fakeAgent{log: journal.New(100, time.Now)}
	path := serve(t, a)
	a.log.Add(journal.Event{Text: "first"})
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	first, stop := context.WithCancel(ctx)
	var here sync.WaitGroup
	for i := range maxStreams {
		here.Add(1)
		c := ctx
		if i == 0 {
			c = first
		}
		var once sync.Once
		go func() {
			_ = NewClient(path).Follow(c, EventQuery{}, func(journal.Event) error {
				once.Do(here.Done)
				return nil
			})
		}()
	}
	here.Wait()
	err := NewClient(path).Follow(ctx, EventQuery{}, func(journal.Event) error { return nil })
	if refused, ok := errors.AsType[*RefusedError](err); !ok || refused.Status != http.StatusServiceUnavailable {
		t.Errorf("one more: %v", err)
	}
	prompt(t, path, patient)
	stop()
	for deadline := time.Now().Add(time.Minute); ; time.Sleep(10 * time.Millisecond) {
		found := errors.New("found")
		if err := NewClient(path).Follow(ctx, EventQuery{}, func(journal.Event) error { return found }); errors.Is(err, found) {
			break
		}
		if time.Now().After(deadline) {
			t.Fatal("the end of a stream makes no room")
		}
	}
}
