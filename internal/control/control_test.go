package control

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"net"
	"net/http"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"go.uber.org/goleak"

	"github.com/tandem-ha/tandem/config"
	"github.com/tandem-ha/tandem/internal/journal"
	"github.com/tandem-ha/tandem/internal/plan"
	"github.com/tandem-ha/tandem/vrrp"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// fakeAgent answers with what it is given and remembers what it was asked.
type fakeAgent struct {
	once   sync.Once
	status Status
	log    *journal.Journal
	reload ReloadResponse
	moved  chan MoveRequest
	move   func(context.Context, MoveRequest) (MoveResponse, error)

	maintain MaintenanceResponse
	server   ServerResponse
	check    CheckResponse
	level    LogLevel
	// err is what refuses the orders above.
	err error
}

func (f *fakeAgent) Status() Status { return f.status }
func (f *fakeAgent) Reload(_ context.Context, r ReloadRequest) ReloadResponse {
	if r.Plan != "" && r.Plan != "0123456789ab" {
		return ReloadResponse{Err: "not the plan"}
	}
	return f.reload
}
func (f *fakeAgent) Plan(context.Context) PlanResponse {
	return PlanResponse{OK: true, Plan: &plan.Plan{ID: "0123456789ab", Changes: []plan.Change{{Action: plan.Modify, Subject: "instance VI_1", Details: []string{"priority: 150, was 100"}}}}}
}

func (f *fakeAgent) Move(ctx context.Context, m MoveRequest) (MoveResponse, error) {
	if f.moved != nil {
		f.moved <- m
	}
	return f.move(ctx, m)
}

func (f *fakeAgent) Maintain(context.Context, MaintenanceRequest) (MaintenanceResponse, error) {
	return f.maintain, f.err
}

func (f *fakeAgent) Server(context.Context, ServerRequest) (ServerResponse, error) {
	return f.server, f.err
}

func (f *fakeAgent) Check(context.Context, CheckRequest) (CheckResponse, error) {
	return f.check, f.err
}

func (f *fakeAgent) LogLevel() LogLevel { return f.level }

func (f *fakeAgent) SetLogLevel(l LogLevel) LogLevel {
	was := f.level
	f.level = l
	return was
}

// Journal is one that is made when it is first asked for.
func (f *fakeAgent) Journal() *journal.Journal {
	f.once.Do(func() {
		if f.log == nil {
			f.log = journal.New(100, time.Now)
		}
	})
	return f.log
}

// serve runs a server for a at a new socket until the test ends.
func serve(t *testing.T, a Agent, change ...func(*Server)) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "s")
	s, err := Listen(path, a)
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range change {
		c(s)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- s.Serve(ctx) }()
	t.Cleanup(func() {
		cancel()
		if err := <-done; err != nil {
			t.Errorf("Serve: %v", err)
		}
		if _, err := os.Lstat(path); !errors.Is(err, os.ErrNotExist) {
			t.Errorf("the socket is still there: %v", err)
		}
	})
	return path
}

func TestRoundTrip(t *testing.T) {
	at := time.Date(2026, 3, 4, 5, 6, 7, 0, time.UTC)
	a := &fakeAgent{
		status: Status{
			Version: "1", PID: 7, Started: at, ConfigLoaded: at, RouterID: "lb1",
			Instances: []InstanceStatus{{
				Status:    vrrp.Status{Name: "VI_1", Since: at, Priority: 150, Held: []netip.Addr{netip.MustParseAddr("192.0.2.10")}},
				StateName: "MASTER", Addresses: []netip.Prefix{netip.MustParsePrefix("192.0.2.10/24")},
				Counters: Counters{Dropped: map[vrrp.Reason]uint64{vrrp.DropTTL: 3}},
			}},
			Config: &config.Config{},
		},
		reload: ReloadResponse{Time: at, OK: false, Err: "no", Diagnostics: []config.Diagnostic{{Severity: config.Fatal, Message: "bad", Pos: config.Pos{File: "f", Line: 3}}}},
		moved:  make(chan MoveRequest, 1),
		move: func(context.Context, MoveRequest) (MoveResponse, error) {
			return MoveResponse{Outcomes: []MoveOutcome{{Instance: "VI_1", Done: true, Text: "handed over"}}}, nil
		},
	}
	a.Journal().Add(journal.Event{Time: at, Text: "one"})
	a.Journal().Add(journal.Event{Time: at, Text: "two"})
	c := NewClient(serve(t, a))
	ctx := context.Background()

	s, err := c.Status(ctx)
	if err != nil {
		t.Fatal(err)
	}
	want := a.status
	want.Config = nil // it does not travel
	if d := cmp.Diff(want, s, cmp.Comparer(func(a, b netip.Addr) bool { return a == b }), cmp.Comparer(func(a, b netip.Prefix) bool { return a == b })); d != "" {
		t.Errorf("status (-want +got):\n%s", d)
	}

	m := MoveRequest{Kind: vrrp.Failover, Instances: []string{"VI_1"}, Force: true}
	r, err := c.Move(ctx, m, time.Minute)
	if err != nil || len(r.Outcomes) != 1 || !r.Outcomes[0].Done {
		t.Errorf("move: %+v, %v", r, err)
	}
	if d := cmp.Diff(m, <-a.moved); d != "" {
		t.Errorf("the agent was asked (-want +got):\n%s", d)
	}

	got, err := c.Reload(ctx, ReloadRequest{Plan: "0123456789ab"})
	if err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff(a.reload, got); d != "" {
		t.Errorf("reload (-want +got):\n%s", d)
	}

	for _, tc := range []struct {
		after uint64
		want  int
	}{{0, 4}, {1, 3}, {4, 0}} { // a move and a reload were ordered
		if e, err := c.Events(ctx, EventQuery{Filter: journal.Filter{After: tc.after}}); err != nil || len(e) != tc.want {
			t.Errorf("events after %d: %d, %v", tc.after, len(e), err)
		}
	}
}

func TestMoveTimeout(t *testing.T) {
	t.Parallel()
	a := &fakeAgent{move: func(ctx context.Context, _ MoveRequest) (MoveResponse, error) {
		<-ctx.Done()
		return MoveResponse{Outcomes: []MoveOutcome{{Instance: "VI_1", Text: "timed out"}}}, nil
	}}
	// The read limit passes while the agent works; that must not cut it short.
	const limit, longer = 2 * time.Second, 3 * time.Second
	path := serve(t, a, func(s *Server) { s.readLimit = limit })
	start := time.Now()
	r, err := NewClient(path).Move(context.Background(), MoveRequest{Kind: vrrp.Switchover}, longer)
	if err != nil || len(r.Outcomes) != 1 || r.Outcomes[0].Text != "timed out" {
		t.Fatalf("%+v, %v", r, err)
	}
	if d := time.Since(start); d < longer {
		t.Errorf("the agent's time ended after %v", d)
	}
}

func TestMoveRefused(t *testing.T) {
	a := &fakeAgent{move: func(context.Context, MoveRequest) (MoveResponse, error) {
		return MoveResponse{}, errors.New("there is no instance VI_9")
	}}
	_, err := NewClient(serve(t, a)).Move(context.Background(), MoveRequest{Kind: vrrp.Resume}, time.Minute)
	refused, ok := errors.AsType[*RefusedError](err)
	if !ok || refused.Status != http.StatusConflict || refused.Text != "there is no instance VI_9" {
		t.Errorf("%#v", err)
	}
}

func TestPanicIsAnswered(t *testing.T) {
	a := &fakeAgent{move: func(context.Context, MoveRequest) (MoveResponse, error) { panic("broken") }}
	path := serve(t, a)
	_, err := NewClient(path).Move(context.Background(), MoveRequest{Kind: vrrp.Resume}, time.Minute)
	if refused, ok := errors.AsType[*RefusedError](err); !ok || refused.Status != http.StatusInternalServerError {
		t.Errorf("%#v", err)
	}
	if _, err := NewClient(path).Status(context.Background()); err != nil {
		t.Errorf("afterwards: %v", err)
	}
}

func TestBadRequests(t *testing.T) {
	a := &fakeAgent{move: func(context.Context, MoveRequest) (MoveResponse, error) {
		t.Error("a bad request reached the agent")
		return MoveResponse{}, nil
	}}
	path := serve(t, a)
	h := &http.Client{Transport: &http.Transport{DisableKeepAlives: true, DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
		return new(net.Dialer).DialContext(ctx, "unix", path)
	}}}
	for _, tc := range []struct {
		method, path, body string
		code               int
		text               string
	}{
		{"GET", "/", "", 404, "/v1/status"},
		{"GET", "/v1/nothing", "", 404, "no such path"},
		{"POST", "/v1/status", "", 405, "use GET"},
		{"GET", "/v1/move", "", 405, "use POST"},
		{"DELETE", "/v1/reload", "", 405, "use POST"},
		{"POST", "/v1/move", "", 400, "body is empty"},
		{"POST", "/v1/move", "{", 400, "unexpected EOF"},
		{"POST", "/v1/move", "[]", 400, "cannot unmarshal"},
		{"POST", "/v1/move", `{}`, 400, "kind is missing"},
		{"POST", "/v1/move", `{"kind":"jump"}`, 400, `"jump" is not one of`},
		{"POST", "/v1/move", `{"kind":"resume","force":true}`, 400, "force goes with failover"},
		{"POST", "/v1/move", `{"kind":"resume","instances":["a","a"]}`, 400, `"a" is named twice`},
		{"POST", "/v1/move", `{"kind":"resume","instances":[""]}`, 400, "instances[0] is empty"},
		{"POST", "/v1/move", `{"kind":"resume","speed":1}`, 400, `unknown field "speed"`},
		{"POST", "/v1/move", `{"kind":"resume"} {}`, 400, "more than one"},
		{"POST", "/v1/move?timeout=never", `{"kind":"resume"}`, 400, "timeout"},
		{"POST", "/v1/move?timeout=-1s", `{"kind":"resume"}`, 400, "timeout"},
		{"POST", "/v1/move?timeout=999h", `{"kind":"resume"}`, 400, "timeout"},
		{"POST", "/v1/move", `{"kind":"` + strings.Repeat("x", maxBody) + `"}`, 413, "too large"},
		{"POST", "/v1/move", `{"kind":"resume"}` + strings.Repeat(" ", maxBody), 413, "too large"},
		{"POST", "/v1/reload", `{"force":true}`, 400, "unknown field"},
		{"GET", "/v1/events?after=yesterday", "", 400, `"yesterday"`},
		{"GET", "/v1/events?after=-1", "", 400, `"-1"`},
	} {
		req, err := http.NewRequest(tc.method, "http://x"+tc.path, strings.NewReader(tc.body))
		if err != nil {
			t.Fatal(err)
		}
		resp, err := h.Do(req)
		if err != nil {
			t.Errorf("%s %s: %v", tc.method, tc.path, err)
			continue
		}
		b, _ := io.ReadAll(resp.Body)
		resp.Body.Close()
		var e errorBody
		if err := json.Unmarshal(b, &e); err != nil {
			t.Errorf("%s %s: the answer %q is no JSON: %v", tc.method, tc.path, b, err)
		}
		if resp.StatusCode != tc.code || !strings.Contains(e.Error, tc.text) {
			t.Errorf("%s %s %.40s: %d %q, want %d with %q", tc.method, tc.path, tc.body, resp.StatusCode, e.Error, tc.code, tc.text)
		}
	}
}

func TestSlowClientIsCut(t *testing.T) {
	path := serve(t, &fakeAgent{}, func(s *Server) { s.readLimit = 20 * time.Millisecond })
	c, err := net.Dial("unix", path)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	if err := c.SetDeadline(time.Now().Add(time.Minute)); err != nil {
		t.Fatal(err)
	}
	// On a busy machine it is cut before this is written, or before it is read.
	_, err = c.Write([]byte("GET /v1/st"))
	if err == nil {
		_, err = io.Copy(io.Discard, c)
	}
	if errors.Is(err, os.ErrDeadlineExceeded) {
		t.Errorf("the server did not end the connection: %v", err)
	}
}

func TestServerEndsMovesUnderWay(t *testing.T) {
	path := filepath.Join(t.TempDir(), "s")
	begun := make(chan struct{})
	s, err := Listen(path, &fakeAgent{move: func(ctx context.Context, _ MoveRequest) (MoveResponse, error) {
		close(begun)
		<-ctx.Done()
		return MoveResponse{}, ctx.Err()
	}})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	served := make(chan error, 1)
	go func() { served <- s.Serve(ctx) }()
	moved := make(chan error, 1)
	go func() {
		_, err := NewClient(path).Move(context.Background(), MoveRequest{Kind: vrrp.Resume}, time.Minute)
		moved <- err
	}()
	<-begun
	cancel()
	for _, c := range []chan error{served, moved} {
		select {
		case <-c:
		case <-time.After(time.Minute):
			t.Fatal("it does not end")
		}
	}
}

func TestClientErrors(t *testing.T) {
	dir := t.TempDir()
	missing := filepath.Join(dir, "missing")
	_, err := NewClient(missing).Status(context.Background())
	if n, ok := errors.AsType[*NotRunningError](err); !ok || n.Stale || err.Error() != "tandem is not running: no socket at "+missing {
		t.Errorf("no socket: %v", err)
	}

	stale := filepath.Join(dir, "stale")
	leave(t, stale)
	_, err = NewClient(stale).Status(context.Background())
	if n, ok := errors.AsType[*NotRunningError](err); !ok || !n.Stale {
		t.Errorf("stale socket: %v", err)
	}

	silent := filepath.Join(dir, "silent")
	l, err := net.Listen("unix", silent)
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	ctx, cancel := context.WithTimeout(context.Background(), 50*time.Millisecond)
	defer cancel()
	if _, err := NewClient(silent).Status(ctx); err == nil || !strings.Contains(err.Error(), "did not answer in time") {
		t.Errorf("silent agent: %v", err)
	}
}

// leave makes a socket at path that nobody listens at.
func leave(t *testing.T, path string) {
	t.Helper()
	l, err := net.ListenUnix("unix", &net.UnixAddr{Name: path, Net: "unix"})
	if err != nil {
		t.Fatal(err)
	}
	l.SetUnlinkOnClose(false)
	l.Close()
	if _, err := os.Lstat(path); err != nil {
		t.Fatal(err)
	}
}

func TestListenReplacesStaleSocket(t *testing.T) {
	path := filepath.Join(t.TempDir(), "s")
	leave(t, path)
	s, err := Listen(path, &fakeAgent{})
	if err != nil {
		t.Fatal(err)
	}
	info, err := os.Lstat(path)
	if err != nil || info.Mode().Perm() != socketMode || info.Mode().Type() != os.ModeSocket {
		t.Errorf("mode %v, %v", info.Mode(), err)
	}
	if err := s.Close(); err != nil {
		t.Error(err)
	}
	if _, err := os.Lstat(path); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("after Close: %v", err)
	}
}

func TestListenRefusesLiveSocket(t *testing.T) {
	path := serve(t, &fakeAgent{status: Status{PID: 42}})
	if _, err := Listen(path, &fakeAgent{}); !errors.Is(err, ErrInUse) {
		t.Errorf("err = %v", err)
	}
	if s, err := NewClient(path).Status(context.Background()); err != nil || s.PID != 42 {
		t.Errorf("the live one no longer answers: %+v, %v", s, err)
	}
}

func TestListenLeavesOtherFilesAlone(t *testing.T) {
	path := filepath.Join(t.TempDir(), "s")
	if err := os.WriteFile(path, []byte("precious"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := Listen(path, &fakeAgent{}); err == nil || !strings.Contains(err.Error(), "not a socket") {
		t.Errorf("err = %v", err)
	}
	if b, err := os.ReadFile(path); err != nil || !bytes.Equal(b, []byte("precious")) {
		t.Errorf("the file: %q, %v", b, err)
	}
}

func TestListenLongPath(t *testing.T) {
	if _, err := Listen("/"+strings.Repeat("x", 107), &fakeAgent{}); err == nil || !strings.Contains(err.Error(), "at most 107") {
		t.Errorf("err = %v", err)
	}
}

func TestServerLeavesSuccessorsSocket(t *testing.T) {
	path := filepath.Join(t.TempDir(), "s")
	s, err := Listen(path, &fakeAgent{})
	if err != nil {
		t.Fatal(err)
	}
	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
	next, err := Listen(path, &fakeAgent{})
	if err != nil {
		t.Fatal(err)
	}
	defer next.Close()
	if err := s.Close(); err != nil {
		t.Error(err)
	}
	if _, err := os.Lstat(path); err != nil {
		t.Errorf("the successor's socket is gone: %v", err)
	}
}
