package web

import (
	"bufio"
	"context"
	"flag"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/sys/unix"

	"github.com/tandem-ha/tandem/health"
	"github.com/tandem-ha/tandem/internal/alarm"
	"github.com/tandem-ha/tandem/internal/control"
	"github.com/tandem-ha/tandem/internal/desired"
	"github.com/tandem-ha/tandem/internal/journal"
	"github.com/tandem-ha/tandem/ipvs"
	"github.com/tandem-ha/tandem/vrrp"
)

var update = flag.Bool("update", false, "write the golden files anew")

// sample is a node with one of everything.
type sample struct{ journal *journal.Journal }

func at(ago time.Duration) time.Time {
	return time.Date(2026, 3, 4, 12, 0, 0, 0, time.UTC).Add(-ago)
}

func newSample() sample {
	j := journal.New(100, func() time.Time { return at(time.Minute) })
	j.Add(journal.Event{Kind: "state", Level: journal.Notice, Subject: "VI_1", Text: "(VI_1) Entering MASTER STATE",
		Cause: "no advert for 3.61 s, last from 192.0.2.2 priority 100"})
	j.Add(journal.Event{Kind: "server-down", Level: journal.Warning, Text: "a real server <script>alert(1)</script> is down"})
	return sample{j}
}

func (s sample) Journal() *journal.Journal { return s.journal }

func (s sample) Status() control.Status {
	vip := netip.MustParsePrefix("192.0.2.10/24")
	web1, web2 := netip.MustParseAddr("10.0.0.1"), netip.MustParseAddr("10.0.0.2")
	return control.Status{
		Version: "1.2.3", Started: at(26 * time.Hour), ConfigFile: "/etc/keepalived/keepalived.conf", ConfigLoaded: at(90 * time.Second),
		Alarms:   []alarm.Alarm{{Kind: alarm.EqualPriority, Instance: "VI_2", Text: "192.0.2.2 has the same priority", Advice: "give the nodes different priorities"}},
		RouterID: "lb1", LastReload: &control.ReloadResponse{Err: "keepalived.conf:3:1: no"},
		Instances: []control.InstanceStatus{
			{Status: vrrp.Status{Name: "VI_1", State: vrrp.Master, Since: at(time.Minute), Priority: 150, Held: []netip.Addr{vip.Addr()},
				Cause: vrrp.Cause{Detail: "no advert for 3.61 s, last from 192.0.2.2 priority 100"}},
				StateName: "MASTER", Interface: "eth0", VRID: 51, Version: 3, BasePriority: 140, Interval: time.Second,
				Addresses: []netip.Prefix{vip}, SyncGroup: "G"},
			{Status: vrrp.Status{Name: "VI_2", State: vrrp.Backup, Since: at(time.Hour), Priority: 100, Hold: true, Ineligible: "gateway 192.0.2.254 does not answer",
				Master: netip.MustParseAddr("192.0.2.2"), MasterPriority: 120, LastAdvert: at(400 * time.Millisecond)},
				StateName: "BACKUP (held)", Interface: "eth1", VRID: 52, Version: 2, BasePriority: 100, Interval: time.Second,
				Addresses: []netip.Prefix{netip.MustParsePrefix("198.51.100.10/32")}},
			{Status: vrrp.Status{Name: "VI_3", State: vrrp.Failed, Since: at(time.Hour), Faults: []string{"interface eth2 down"}, DampedUntil: at(-time.Minute)},
				StateName: "FAULT", Interface: "eth2", VRID: 53, Version: 3, BasePriority: 0},
		},
		Scripts:     []control.ScriptStatus{{Name: "chk_haproxy", State: "down", Last: "exited with status 1"}},
		Maintenance: &desired.Override{Since: at(time.Minute), By: "alice", Reason: "new disks"},
		Services: []control.ServiceStatus{{
			Overrides: []control.ServerOverrides{{ServerOverride: desired.ServerOverride{
				Server: netip.AddrPortFrom(web1, 8080), Drain: &desired.Override{Since: at(time.Minute), By: "bob"}}}},
			Scheduler: "wlc", Key: ipvs.ServiceKey{Protocol: unix.IPPROTO_TCP, Addr: vip.Addr(), Port: 80},
			ServiceStatus: health.ServiceStatus{Name: "[192.0.2.10]:tcp:80", Quorum: 2, LiveWeight: 1, Servers: []health.ServerStatus{
				// Drained by an operator, as Overrides below say.
				{Addr: web1, Port: 8080, Up: true, InPool: true, Weight: 1, Checks: []health.CheckStatus{
					{Kind: "HTTP_GET", Target: "[10.0.0.1]:8080", State: "up", Last: at(2 * time.Second), Took: 1234567, Transcript: "> GET / HTTP/1.0\n< HTTP/1.1 200 OK"}}},
				{Addr: web2, Port: 8080, Weight: 1, Checks: []health.CheckStatus{{Kind: "TCP_CHECK", State: "down", Paused: true, Last: at(time.Second), Err: "connection refused", Failures: 4}}},
				{Addr: web2, Port: 80, Sorry: true, InPool: true},
			}},
		}},
	}
}

func (s sample) Usage(context.Context) ([]ipvs.ServiceUsage, error) {
	return []ipvs.ServiceUsage{{
		Service: ipvs.Service{ServiceKey: ipvs.ServiceKey{Protocol: unix.IPPROTO_TCP, Addr: netip.MustParseAddr("192.0.2.10"), Port: 80}},
		Stats:   ipvs.Stats{ConnectionRate: 12, InByteRate: 1500, OutByteRate: 2_500_000},
		Destinations: []ipvs.DestinationUsage{{
			Destination: ipvs.Destination{DestinationKey: ipvs.DestinationKey{Addr: netip.MustParseAddr("10.0.0.1"), Port: 8080}},
			Stats:       ipvs.DestinationStats{Active: 7, Inactive: 3, Stats: ipvs.Stats{ConnectionRate: 12}},
		}},
	}}, nil
}

// TestView holds all that the page says, at a moment, against a file.
func TestView(t *testing.T) {
	s := newSample()
	usage, err := s.Usage(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	v := newView(s.Status(), usage, s.Journal().Events(0), at(0))
	v.Commands = true
	var b strings.Builder
	if err := New(s, func(*http.Request) bool { return true }).templates.ExecuteTemplate(&b, "page", v); err != nil {
		t.Fatal(err)
	}
	// The layout of the source is of no interest.
	got := regexp.MustCompile(`\n\s*\n+`).ReplaceAllString(b.String(), "\n")
	path := filepath.Join("testdata", "page.html")
	if *update {
		if err := os.WriteFile(path, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff(string(want), got); d != "" {
		t.Errorf("the page (-want +got):\n%s", d)
	}
}

func get(t *testing.T, p *Page, path string) *httptest.ResponseRecorder {
	t.Helper()
	w := httptest.NewRecorder()
	p.ServeHTTP(w, httptest.NewRequest("GET", path, nil))
	return w
}

// TestNothingFromElsewhere: what the page loads is its own, what it shows of
// others is text.
func TestNothingFromElsewhere(t *testing.T) {
	p := New(newSample(), func(*http.Request) bool { return false })
	w := get(t, p, "/")
	policy := w.Header().Get("Content-Security-Policy")
	for _, rule := range []string{"default-src 'none'", "script-src 'self'", "style-src 'self'", "frame-ancestors 'none'", "form-action 'none'", "base-uri 'none'"} {
		if !strings.Contains(policy, rule) {
			t.Errorf("the policy %q lacks %s", policy, rule)
		}
	}
	if strings.Contains(policy, "unsafe") {
		t.Errorf("the policy %q permits what it should not", policy)
	}
	body := w.Body.String()
	if strings.Contains(body, "<script>") || !strings.Contains(body, "&lt;script&gt;") {
		t.Error("the text of an event is taken for markup")
	}
	if strings.Contains(body, "style=") || regexp.MustCompile(`\son[a-z]+=`).MatchString(body) {
		t.Error("the page has styles or scripts inline, which its own policy forbids")
	}
	for _, ref := range regexp.MustCompile(`(?:src|href)="([^"]*)"`).FindAllStringSubmatch(body, -1) {
		if got := get(t, p, ref[1]); got.Code != 200 || !strings.HasPrefix(ref[1], "/web/") {
			t.Errorf("%s: status %d", ref[1], got.Code)
		}
	}
	if strings.Contains(body, "<button") {
		t.Error("who may not command has buttons")
	}
	if got := get(t, p, "/web/page.html"); got.Code != 404 {
		t.Errorf("the template is served: %d", got.Code)
	}
}

func TestButtonsAreForWhoMayCommand(t *testing.T) {
	body := get(t, New(newSample(), func(*http.Request) bool { return true }), "/").Body.String()
	for _, want := range []string{
		`data-kind="switchover" data-instance="VI_1"`, `data-kind="resume" data-instance="VI_2"`, `data-kind="failover" data-instance="VI_2"`,
	} {
		if !strings.Contains(body, want) {
			t.Errorf("no button %s", want)
		}
	}
	if strings.Contains(body, `data-instance="VI_3"`) {
		t.Error("a failed instance has buttons")
	}
}

// writes are when something was written to a stream.
type writes struct {
	*httptest.ResponseRecorder
	at chan time.Time
}

func (w writes) SetWriteDeadline(time.Time) error { return nil }

func (w writes) Write(b []byte) (int, error) {
	w.at <- time.Now()
	return len(b), nil
}

// An event is news before the next tick.
func TestStreamIsInTime(t *testing.T) {
	s := newSample()
	page := New(s, func(*http.Request) bool { return false })
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		w := writes{httptest.NewRecorder(), make(chan time.Time)}
		var served sync.WaitGroup
		served.Go(func() { page.ServeHTTP(w, httptest.NewRequestWithContext(ctx, "GET", "/web/stream", nil)) })
		began := <-w.at
		time.Sleep(pause / 2)
		s.journal.Add(journal.Event{Kind: "state", Text: "x"})
		if took := (<-w.at).Sub(began); took != pause {
			t.Errorf("told of an event after %v, want %v", took, pause)
		}
		if took := (<-w.at).Sub(began); took != tick {
			t.Errorf("told that nothing happened after %v, want %v", took, tick)
		}
		cancel()
		served.Wait()
	})
}

// TestStream is told at once, again when something happens, and ends with the
// reader.
func TestStream(t *testing.T) {
	s := newSample()
	server := httptest.NewServer(New(s, func(*http.Request) bool { return false }))
	defer server.Close()
	r, err := http.Get(server.URL + "/web/stream")
	if err != nil {
		t.Fatal(err)
	}
	defer r.Body.Close()
	lines := make(chan string)
	go func() {
		defer close(lines)
		in := bufio.NewScanner(r.Body)
		for in.Scan() {
			if in.Text() != "" {
				lines <- in.Text()
			}
		}
	}()
	if got := <-lines; got != "data: 1" {
		t.Fatalf("first %q", got)
	}
	for range 50 {
		s.journal.Add(journal.Event{Kind: "state", Text: "x"})
	}
	if got := <-lines; got != "data: 2" {
		t.Errorf("then %q", got)
	}
	server.CloseClientConnections()
	for range lines {
	}
}
