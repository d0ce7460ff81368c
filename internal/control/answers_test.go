package control

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/tandem-ha/tandem/config"
	"github.com/tandem-ha/tandem/health"
	"github.com/tandem-ha/tandem/internal/desired"
	"github.com/tandem-ha/tandem/internal/journal"
	"github.com/tandem-ha/tandem/ipvs"
	"github.com/tandem-ha/tandem/vrrp"
)

// richAgent answers with something in every field, so that schemas are put to the
// test.
func richAgent() *fakeAgent {
	at := time.Date(2026, 3, 4, 5, 6, 7, 8, time.UTC)
	by := desired.Override{Since: at, By: "root (uid 0, process 1)", Reason: "why not"}
	server := netip.MustParseAddrPort("192.0.2.21:80")
	weight := 3
	override := ServerOverrides{
		ServerOverride: desired.ServerOverride{Service: "s", Server: server, Drain: &by, Weight: &desired.WeightOverride{Override: by, Weight: 2}},
		Connections:    &Connections{Active: 1, Inactive: 2, Persistent: 3},
		Checks:         []desired.CheckPause{{Service: "s", Server: server, Kind: "HTTP_GET", Target: "t", Failed: true, Override: by}},
	}
	move := []MoveOutcome{{Instance: "VI_1", Done: true, Text: "handed over", State: "BACKUP", Took: 5}}
	diagnostics := []config.Diagnostic{{Severity: config.Fatal, Code: "x", Message: "bad", Help: "do", Pos: config.Pos{File: "f", Line: 3, Column: 1}}}
	a := &fakeAgent{
		status: Status{
			Version: "1", PID: 7, Started: at, ConfigFile: "/f", ConfigLoaded: at, RouterID: "lb1",
			LastReload: &ReloadResponse{Time: at, Err: "no", Diagnostics: diagnostics},
			Instances: []InstanceStatus{{
				Status: vrrp.Status{Name: "VI_1", State: vrrp.Backup, Since: at, Priority: 150, Held: []netip.Addr{server.Addr()}, Maintenance: true,
					Master: server.Addr(), LastAdvert: at, Cause: vrrp.Cause{Kind: vrrp.CauseStart, Detail: "d"}, Faults: []string{"f"}, DampedUntil: at},
				StateName: "BACKUP", Addresses: []netip.Prefix{netip.MustParsePrefix("192.0.2.10/24")},
				Counters: Counters{Dropped: map[vrrp.Reason]uint64{vrrp.DropTTL: 3}},
			}, {Status: vrrp.Status{Name: "bare"}}},
			Groups:  []GroupStatus{{Name: "g", State: vrrp.Master, Members: []string{"VI_1"}}},
			Scripts: []ScriptStatus{{Name: "c", State: "up"}},
			Services: []ServiceStatus{{
				ServiceStatus: health.ServiceStatus{Name: "[192.0.2.10]:tcp:80", Servers: []health.ServerStatus{{Addr: server.Addr(), Port: 80,
					Checks: []health.CheckStatus{{Kind: "HTTP_GET", State: "up", Last: at, Next: at, Transcript: "> GET"}}}}},
				Key: ipvs.ServiceKey{Addr: server.Addr(), Port: 80, Protocol: 6}, Overrides: []ServerOverrides{override},
			}, {ServiceStatus: health.ServiceStatus{Name: "bare"}}},
			Foreign:     []DropCount{{Interface: "eth0", Reason: vrrp.DropUnknownVRID, Count: 1}},
			Maintenance: &by, Dormant: []ServerOverrides{override},
		},
		reload: ReloadResponse{Time: at, OK: true, Changed: true, Changes: []string{"x"}, Diagnostics: diagnostics},
		move: func(_ context.Context, m MoveRequest) (MoveResponse, error) {
			switch {
			case slices.Contains(m.Instances, "VI_9"):
				return MoveResponse{}, &NotFoundError{errors.New("no instance VI_9")}
			case m.Kind == vrrp.Resume:
				return MoveResponse{}, errors.New("nothing to resume")
			}
			return MoveResponse{Outcomes: move}, nil
		},
		maintain: MaintenanceResponse{On: true, Outcomes: move, Warning: "w"},
		server:   ServerResponse{Warning: "w", Outcomes: []ServerOutcome{{VirtualServer: "s", Server: server, Done: true, Text: "t", Weight: &weight, Connections: override.Connections}}},
		check:    CheckResponse{Outcomes: []CheckOutcome{{VirtualServer: "s", Server: server, Check: "HTTP_GET", Target: "t", State: "up", Took: 3, Transcript: "x"}}},
		level:    LogInfo,
	}
	for _, data := range []any{journal.StateChange{}, journal.PriorityChange{}, journal.Order{Request: MoveRequest{}}, nil} {
		a.Journal().Add(journal.Event{Time: at, Kind: "k", Level: journal.Warning, Subject: "s", Text: "t", Cause: "c", By: "b", Data: data})
	}
	return a
}

// ask sends a request over the socket and returns the answer.
func ask(t *testing.T, path, method, url, body string, header ...string) (int, http.Header, []byte) {
	t.Helper()
	c := &http.Client{Transport: &http.Transport{DisableKeepAlives: true, DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
		return new(net.Dialer).DialContext(ctx, "unix", path)
	}}}
	req, err := http.NewRequest(method, "http://x"+url, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	for i := 0; i < len(header); i += 2 {
		req.Header.Set(header[i], header[i+1])
	}
	resp, err := c.Do(req)
	if err != nil {
		t.Fatalf("%s %s: %v", method, url, err)
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return resp.StatusCode, resp.Header, b
}

// TestDocumentHolds puts every route, with every status that the document gives it,
// to the server, and holds what is asked and answered against the schemas.
func TestDocumentHolds(t *testing.T) {
	large := `{"x":"` + strings.Repeat("x", maxBody) + `"}`
	type put struct {
		route, url, body string
		code             int
		change           func(*fakeAgent)
	}
	refusing := func(err error) func(*fakeAgent) { return func(a *fakeAgent) { a.err = err } }
	missing, no := refusing(&NotFoundError{errors.New("none")}), refusing(errors.New("no"))
	puts := []put{
		{"GET /v1/status", "/v1/status", "", 200, nil},
		{"GET /v1/status", "/v1/status", "", 200, func(a *fakeAgent) { a.status = Status{} }},
		{"GET /v1/instances/{name}", "/v1/instances/VI_1", "", 200, nil},
		{"GET /v1/instances/{name}", "/v1/instances/bare", "", 200, nil},
		{"GET /v1/instances/{name}", "/v1/instances/VI_9", "", 404, nil},
		{"GET /v1/virtual-servers/{name}", "/v1/virtual-servers/%5B192.0.2.10%5D:tcp:80", "", 200, nil},
		{"GET /v1/virtual-servers/{name}", "/v1/virtual-servers/bare", "", 200, nil},
		{"GET /v1/virtual-servers/{name}", "/v1/virtual-servers/x", "", 404, nil},
		{"GET /v1/openapi.json", "/v1/openapi.json", "", 200, nil},
		{"GET /v1/events", "/v1/events", "", 200, nil},
		{"GET /v1/events", "/v1/events?after=2&since=1h&kind=k&subject=s&area=main&level=warning&limit=5", "", 200, nil},
		{"GET /v1/events", "/v1/events?after=x", "", 400, nil},
		{"GET /v1/events", "/v1/events?since=tomorrow", "", 400, nil},
		{"GET /v1/events", "/v1/events?level=loud", "", 400, nil},
		{"GET /v1/events", "/v1/events?area=moon", "", 400, nil},
		{"GET /v1/events", "/v1/events?limit=0", "", 400, nil},
		{"GET /v1/log-level", "/v1/log-level", "", 200, nil},
		{"POST /v1/log-level", "/v1/log-level", `{"level":"debug"}`, 200, nil},
		{"POST /v1/log-level", "/v1/log-level", `{"level":"loud"}`, 400, nil},
		{"POST /v1/move", "/v1/move", `{"kind":"switchover"}`, 200, nil},
		{"POST /v1/move", "/v1/move", `{"kind":"switchover","instances":["VI_9"]}`, 404, nil},
		{"POST /v1/move", "/v1/move?timeout=2m", `{"kind":"resume"}`, 409, nil},
		{"POST /v1/maintenance", "/v1/maintenance", `{"on":true,"force":true,"reason":"r"}`, 200, nil},
		{"POST /v1/maintenance", "/v1/maintenance", `{"on":false,"force":true}`, 400, nil},
		{"POST /v1/maintenance", "/v1/maintenance", `{"on":true}`, 404, missing},
		{"POST /v1/maintenance", "/v1/maintenance", `{"on":true}`, 409, no},
		{"POST /v1/servers", "/v1/servers", `{"action":"weight","server":"192.0.2.21","weight":0,"virtual_servers":["s"]}`, 200, nil},
		{"POST /v1/servers", "/v1/servers", `{"action":"drain","server":"192.0.2.21:80","wait":true}`, 404, missing},
		{"POST /v1/servers", "/v1/servers", `{"action":"drain","server":"[2001:db8::1]:80"}`, 409, no},
		{"POST /v1/checks", "/v1/checks", `{"action":"now","server":"192.0.2.21","check":"HTTP_GET"}`, 200, nil},
		{"POST /v1/checks", "/v1/checks", `{"action":"pause","server":"192.0.2.21"}`, 404, missing},
		{"POST /v1/checks", "/v1/checks", `{"action":"unpause","server":"192.0.2.21"}`, 409, no},
		{"GET /v1/plan", "/v1/plan", "", 200, nil},
		{"GET /v1/config", "/v1/config", "", 200, func(a *fakeAgent) { a.status.Config = &config.Config{} }},
		{"GET /v1/config", "/v1/config", "", 409, func(a *fakeAgent) { a.status.Config = nil }},
		{"POST /v1/reload", "/v1/reload", "", 200, nil},
		{"POST /v1/reload", "/v1/reload", "{}", 422, func(a *fakeAgent) { a.reload.OK = false }},
	}
	for path, wrong := range map[string][]string{
		"/v1/servers": {`{"action":"jump","server":"192.0.2.1"}`, `{"server":"192.0.2.1"}`, `{"action":"drain"}`, `{"action":"drain","server":"web"}`,
			`{"action":"weight","server":"192.0.2.1"}`, `{"action":"weight","server":"192.0.2.1","weight":-1}`, `{"action":"weight","server":"192.0.2.1","weight":65536}`,
			`{"action":"drain","server":"192.0.2.1","weight":1}`, `{"action":"undrain","server":"192.0.2.1","wait":true}`, `{"action":"drain","server":"192.0.2.1","virtual_servers":["a","a"]}`},
		"/v1/checks": {`{"action":"never","server":"192.0.2.1"}`, `{"server":"192.0.2.1"}`, `{"action":"now"}`},
		"/v1/move":   {`{"kind":"jump"}`}, "/v1/maintenance": {`{"on":"yes"}`}, "/v1/log-level": {`{}`},
	} {
		for _, body := range append(wrong, "", "{", "[]", "null x", `{"surprise":1}`) {
			puts = append(puts, put{"POST " + path, path, body, 400, nil})
		}
		puts = append(puts, put{"POST " + path, path, large, 413, nil})
	}
	puts = append(puts, put{"POST /v1/reload", "/v1/reload", "now", 400, nil}, put{"POST /v1/reload", "/v1/reload", large, 413, nil})

	v := newValidator(t)
	seen := map[string]bool{}
	for _, p := range puts {
		a := richAgent()
		if p.change != nil {
			p.change(a)
		}
		orders := len(a.Journal().Events(0))
		path := serve(t, a)
		method, at, _ := strings.Cut(p.route, " ")
		code, header, answer := ask(t, path, method, p.url, p.body)
		name := fmt.Sprintf("%s %.60s", p.route, p.body)
		if code != p.code {
			t.Errorf("%s: answered %d, want %d: %.200s", name, code, p.code, answer)
			continue
		}
		seen[fmt.Sprintf("%s %d", p.route, code)] = true
		operation := "#/paths/" + strings.ReplaceAll(at, "/", "~1") + "/" + strings.ToLower(method)
		v.holds(t, name, operation+"/responses/"+fmt.Sprint(code)+"/content/application~1json/schema", answer)
		if ct := header.Get("Content-Type"); ct != "application/json" {
			t.Errorf("%s: Content-Type %q", name, ct)
		}
		if code == 200 && p.body != "" && p.body != "{}" {
			v.holds(t, name+" (asked)", operation+"/requestBody/content/application~1json/schema", []byte(p.body))
		}
		if method == http.MethodGet || code == 400 || code == 413 {
			if n := len(a.Journal().Events(0)); n != orders {
				t.Errorf("%s: %d events in the journal of what changes nothing", name, n-orders)
			}
		} else if e := a.Journal().Events(uint64(orders)); len(e) == 0 || e[0].Kind != "order" || !strings.Contains(e[0].By, "(uid ") || !strings.Contains(e[0].Text, e[0].By) {
			t.Errorf("%s: the journal does not tell who ordered it: %+v", name, e)
		}
	}
	for _, want := range v.documented(t) {
		if !seen[want] {
			t.Errorf("nothing was put to the server that is to answer %s", want)
		}
	}
}

// holds checks a text of JSON against the schema at a place of the document.
func (v *validator) holds(t *testing.T, name, pointer string, text []byte) {
	t.Helper()
	schema, err := v.at(pointer)
	if err != nil {
		t.Errorf("%s: %v", name, err)
		return
	}
	var value any
	if err := json.Unmarshal(text, &value); err != nil {
		t.Errorf("%s: %v", name, err)
		return
	}
	if err := v.check(schema, value, "answer"); err != nil {
		t.Errorf("%s: %v\n%.300s", name, err, text)
	}
}

// documented lists the routes with the statuses of their own.
func (v *validator) documented(t *testing.T) []string {
	t.Helper()
	var out []string
	for path, item := range v.doc["paths"].(object) {
		for method, op := range item.(object) {
			for code := range op.(object)["responses"].(object) {
				if code != "default" && code != "403" {
					out = append(out, strings.ToUpper(method)+" "+path+" "+code)
				}
			}
		}
	}
	slices.Sort(out)
	return out
}

// Nobody who may not learns or changes anything, whatever he asks.
func TestForbidden(t *testing.T) {
	v := newValidator(t)
	a := richAgent()
	path := serve(t, a, func(s *Server) {
		s.policy.Store(&policy{own: ^uint32(0), root: ^uint32(0), readers: []uint32{}, commanders: []uint32{}})
	})
	for _, rt := range routes() {
		url := strings.ReplaceAll(rt.path, "{name}", "VI_1")
		code, _, answer := ask(t, path, rt.method, url, "")
		if code != http.StatusForbidden || bytes.Contains(answer, []byte("192.0.2")) {
			t.Errorf("%s %s: %d %s", rt.method, url, code, answer)
		}
		v.holds(t, rt.name, "#/components/schemas/Error", answer)
	}
	for _, url := range []string{"/v1/nothing", "/"} {
		if code, _, _ := ask(t, path, "GET", url, ""); code != http.StatusForbidden {
			t.Errorf("%s: %d", url, code)
		}
	}
	forbidden := 0
	for _, e := range a.Journal().Events(0) {
		if e.Kind == "order-forbidden" && e.By != "" {
			forbidden++
		}
		if e.Kind == "order" {
			t.Errorf("carried out: %+v", e)
		}
	}
	if forbidden == 0 {
		t.Error("the journal does not tell who tried")
	}
}
