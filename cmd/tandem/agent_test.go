package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/tandem-ha/tandem/config"
	"github.com/tandem-ha/tandem/internal/control"
	"github.com/tandem-ha/tandem/internal/journal"
	"github.com/tandem-ha/tandem/internal/plan"
	"github.com/tandem-ha/tandem/vrrp"
)

// fakeAgent is an agent without a network. What it is asked to do stands in
// its diary, a file that other processes can read as well.
type fakeAgent struct {
	o       runOptions
	stop    chan struct{}
	once    sync.Once
	reloads int
	opened  sync.Once
	journal *journal.Journal
}

func newFakeAgent(o runOptions) agent { return &fakeAgent{o: o, stop: make(chan struct{})} }

func (f *fakeAgent) Well(context.Context) bool { return true }

// diary is the fake's file in the run folder.
func diary(runDir string) string { return filepath.Join(runDir, "diary") }

func (f *fakeAgent) note(text string) {
	w, err := os.OpenFile(diary(f.o.runDir), os.O_WRONLY|os.O_CREATE|os.O_APPEND, 0o600)
	if err != nil {
		panic(err)
	}
	defer w.Close()
	if _, err := w.WriteString(text + "\n"); err != nil {
		panic(err)
	}
}

// fakeDiagnostics are what is wrong with a file: one that is missing, or that
// has the word bad in it, cannot run.
func fakeDiagnostics(file string) []config.Diagnostic {
	b, err := os.ReadFile(file)
	switch {
	case err != nil:
		return []config.Diagnostic{{Severity: config.Fatal, Code: codeNoFile, Message: "no such file"}}
	case strings.Contains(string(b), "bad"):
		return []config.Diagnostic{{Severity: config.Fatal, Code: "bad", Pos: config.Pos{File: file, Line: 1, Column: 1}, Message: "it is bad"}}
	}
	return nil
}

func (f *fakeAgent) Run(ctx context.Context, ready func()) error {
	if ds := fakeDiagnostics(f.o.configFile); ds != nil {
		return &configError{diagnostics: ds}
	}
	s, err := control.Listen(f.o.socket, f)
	if err != nil {
		return err
	}
	serving, end := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- s.Serve(serving) }()
	f.note("ready")
	ready()
	<-ctx.Done()
	f.note("stopping")
	if b, _ := os.ReadFile(f.o.configFile); strings.Contains(string(b), "slow") {
		<-f.stop
		f.note("at once")
	}
	end()
	return <-done
}

func (f *fakeAgent) StopNow() { f.once.Do(func() { close(f.stop) }) }

func (f *fakeAgent) Status() control.Status {
	return control.Status{
		Version: versionNumber(), PID: os.Getpid(), ConfigFile: f.o.configFile, ConfigLoaded: aMoment(),
		Instances: []control.InstanceStatus{{
			Status: vrrp.Status{Name: "VI_1", State: vrrp.Master}, StateName: "MASTER", Interface: "eth0", VRID: 1,
			Addresses: []netip.Prefix{netip.MustParsePrefix("192.0.2.1/24")}, Counters: control.Counters{AdvertsSent: 5},
		}},
	}
}

func (f *fakeAgent) Plan(context.Context) control.PlanResponse {
	if ds := fakeDiagnostics(f.o.configFile); ds != nil {
		return control.PlanResponse{Err: "it is bad", Diagnostics: ds}
	}
	p := plan.Plan{ID: "0123456789ab"}
	if f.reloads == 0 {
		p.Changes = []plan.Change{
			{Action: plan.Modify, Subject: "instance VI_1", Details: []string{"priority: 150, was 100"}},
			{Action: plan.Add, Subject: "virtual server [192.0.2.1]:tcp:80"},
			{Action: plan.Remove, Subject: "instance VI_2"},
		}
		p.Host = []plan.Step{{Action: plan.Remove, Text: "remove 192.0.2.2/32 on eth0"}}
		p.IPVS = []plan.Step{{Action: plan.Add, Text: "add service tcp 192.0.2.1:80 wlc"}}
		p.Traffic = []string{"192.0.2.2 goes from this node"}
	}
	return control.PlanResponse{OK: true, Plan: &p}
}

func (f *fakeAgent) Reload(_ context.Context, r control.ReloadRequest) control.ReloadResponse {
	if r.Plan != "" && r.Plan != "0123456789ab" {
		return control.ReloadResponse{Err: "the plan is no longer what a reload would do"}
	}
	f.note("reload")
	f.reloads++
	if ds := fakeDiagnostics(f.o.configFile); ds != nil {
		return control.ReloadResponse{Err: "it is bad", Diagnostics: ds}
	}
	return control.ReloadResponse{OK: true, Changed: f.reloads > 1, Changes: []string{"VI_1: priority from 100 to 150"}}
}

func (f *fakeAgent) Move(_ context.Context, m control.MoveRequest) (control.MoveResponse, error) {
	b, err := json.Marshal(m)
	if err != nil {
		return control.MoveResponse{}, err
	}
	f.note(string(b))
	var r control.MoveResponse
	for _, name := range m.Instances {
		switch name {
		case "VI_1":
			r.Outcomes = append(r.Outcomes, control.MoveOutcome{Instance: name, Done: true, Text: "192.0.2.2 has taken over", State: "BACKUP (held)", Took: 312 * time.Millisecond})
		case "VI_lonely":
			r.Outcomes = append(r.Outcomes, control.MoveOutcome{Instance: name, Text: "no peer answered: rolled back", State: "MASTER"})
		default:
			return r, errors.New("there is no instance " + name)
		}
	}
	return r, nil
}

func (f *fakeAgent) Maintain(_ context.Context, m control.MaintenanceRequest) (control.MaintenanceResponse, error) {
	f.note(fmt.Sprintf("maintenance %+v", m))
	if m.Reason == "lonely" {
		return control.MaintenanceResponse{Outcomes: []control.MoveOutcome{{Instance: "VI_1", Text: "still master: nobody took over within 1.5s", State: "MASTER"}}}, nil
	}
	return control.MaintenanceResponse{On: m.On, Outcomes: []control.MoveOutcome{{Instance: "VI_1", Done: true, Text: "192.0.2.2 has taken over", State: "BACKUP", Took: 312 * time.Millisecond}}}, nil
}

func (f *fakeAgent) Server(_ context.Context, r control.ServerRequest) (control.ServerResponse, error) {
	f.note(fmt.Sprintf("server %s %s of %v, wait %v, force %v", r.Action, r.Server, r.VirtualServers, r.Wait, r.Force))
	at := netip.MustParseAddrPort("192.0.2.21:80")
	weight := 0
	o := control.ServerOutcome{VirtualServer: "[192.0.2.10]:tcp:80", Server: at, Done: true, Text: "weight 0, no connection left", Weight: &weight, Took: time.Second}
	switch {
	case r.Server == "192.0.2.99":
		return control.ServerResponse{}, &control.NotFoundError{Err: errors.New("no real server 192.0.2.99 in [192.0.2.10]:tcp:80; configured: 192.0.2.21:80")}
	case r.Reason == "busy":
		o.Done, o.Text, o.Connections = false, "weight 0, 3 connections left after 1s; the drain stands", &control.Connections{Active: 3}
	case r.Weight != nil:
		weight, o.Text = *r.Weight, fmt.Sprintf("weight %d", *r.Weight)
	}
	return control.ServerResponse{Outcomes: []control.ServerOutcome{o}}, nil
}

func (f *fakeAgent) Check(_ context.Context, r control.CheckRequest) (control.CheckResponse, error) {
	f.note(fmt.Sprintf("check %s %s of %s %v", r.Action, r.Check, r.Server, r.VirtualServers))
	o := control.CheckOutcome{VirtualServer: "[192.0.2.10]:tcp:80", Server: netip.MustParseAddrPort("192.0.2.21:80"), Check: "HTTP_GET", Target: "[192.0.2.21]:tcp:80",
		Done: true, Text: "succeeded", State: "up", Took: 3 * time.Millisecond}
	if r.Reason == "broken" {
		o.Done, o.Text, o.State, o.Transcript = false, "status 503, want 200", "down", "> GET / HTTP/1.0\n< HTTP/1.1 503"
	}
	return control.CheckResponse{Outcomes: []control.CheckOutcome{o}}, nil
}

func (f *fakeAgent) LogLevel() control.LogLevel { return "info" }

func (f *fakeAgent) SetLogLevel(l control.LogLevel) control.LogLevel {
	f.note("log level " + string(l))
	return "info"
}

// Journal is one with two events.
func (f *fakeAgent) Journal() *journal.Journal {
	f.opened.Do(func() {
		f.journal = journal.New(100, time.Now)
		for range 2 {
			f.journal.Add(journal.Event{Time: aMoment(), Level: journal.Notice, Subject: "VI_1", Text: "(VI_1) Entering MASTER STATE", Cause: "no advert for 3.61 s"})
		}
	})
	return f.journal
}

// commandRun is a program beside an agent that runs until the test ends.
type commandRun struct {
	dir string
}

func startFake(t *testing.T, conf string) commandRun {
	t.Helper()
	dir := t.TempDir()
	file := filepath.Join(dir, "keepalived.conf")
	if err := os.WriteFile(file, []byte(conf), 0o600); err != nil {
		t.Fatal(err)
	}
	s := newSettings()
	s.configFile, s.runDir, s.socket = file, dir, filepath.Join(dir, "tandem.sock")
	ctx, cancel := context.WithCancel(context.Background())
	ready, done := make(chan struct{}), make(chan error, 1)
	go func() { done <- newFakeAgent(runOptions{settings: s}).Run(ctx, func() { close(ready) }) }()
	t.Cleanup(func() {
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
	select {
	case <-ready:
	case err := <-done:
		done <- nil
		t.Fatal(err)
	}
	return commandRun{dir}
}

func (r commandRun) main(args ...string) (status int, stdout, stderr *bytes.Buffer) {
	p, stdout, stderr := newProgram("tandem")
	p.now = aMoment
	return p.main(append(args, "--run-dir", r.dir)), stdout, stderr
}

func TestMoves(t *testing.T) {
	r := startFake(t, "")
	for _, tc := range []struct {
		args           string
		status         int
		stdout, stderr string
		asked          string
	}{
		{"switchover VI_1", 0, "VI_1  done  BACKUP (held)  192.0.2.2 has taken over (312ms)\n", "", `{"kind":"switchover","instances":["VI_1"]}`},
		{"resume VI_1", 0, "VI_1  done  BACKUP (held)  192.0.2.2 has taken over (312ms)\n", "", `{"kind":"resume","instances":["VI_1"]}`},
		{"failover --force --yes VI_1", 0, "VI_1  done  BACKUP (held)  192.0.2.2 has taken over (312ms)\n", "", `{"kind":"failover","instances":["VI_1"],"force":true}`},
		{"switchover VI_1 VI_lonely --timeout 3s", 1, "VI_1       done      BACKUP (held)  192.0.2.2 has taken over (312ms)\n" +
			"VI_lonely  NOT DONE  MASTER         no peer answered: rolled back\n", "", `{"kind":"switchover","instances":["VI_1","VI_lonely"]}`},
		{"switchover", 1, "There is no instance to move.\n", "", `{"kind":"switchover"}`},
		{"switchover VI_9", 1, "", "tandem switchover: there is no instance VI_9\n", `{"kind":"switchover","instances":["VI_9"]}`},
		{"switchover VI_1 VI_1", 1, "", "tandem switchover: instance \"VI_1\" is named twice\n", ""},
	} {
		if err := os.Remove(diary(r.dir)); err != nil && !errors.Is(err, os.ErrNotExist) {
			t.Fatal(err)
		}
		status, stdout, stderr := r.main(strings.Fields(tc.args)...)
		if status != tc.status || stdout.String() != tc.stdout || stderr.String() != tc.stderr {
			t.Errorf("%s: %d\n%s%s", tc.args, status, stdout, stderr)
		}
		asked, _ := os.ReadFile(diary(r.dir))
		if got := strings.TrimSpace(string(asked)); got != tc.asked {
			t.Errorf("%s: the agent was asked %s, want %s", tc.args, got, tc.asked)
		}
	}
	status, stdout, _ := r.main("switchover", "-o", "json", "VI_lonely")
	var got control.MoveResponse
	if err := json.Unmarshal(stdout.Bytes(), &got); err != nil || status != 1 || len(got.Outcomes) != 1 {
		t.Errorf("json: %d %s %v", status, stdout, err)
	}
}

func TestStatusCommand(t *testing.T) {
	r := startFake(t, "")
	status, stdout, stderr := r.main("status")
	if status != 0 || !strings.Contains(stdout.String(), "VI_1      MASTER") {
		t.Errorf("%d %s%s", status, stdout, stderr)
	}
	status, stdout, _ = r.main("status", "-o", "json")
	var got control.Status
	if err := json.Unmarshal(stdout.Bytes(), &got); err != nil || status != 0 || got.PID != os.Getpid() {
		t.Errorf("%d %v %s", status, err, stdout)
	}
}

func TestNobodyThere(t *testing.T) {
	r := commandRun{t.TempDir()}
	for _, c := range []string{"status", "switchover", "failover", "resume", "reload", "events"} {
		status, stdout, stderr := r.main(c)
		want := "tandem is not running: no socket at " + filepath.Join(r.dir, "tandem.sock") + "\n"
		if status != exitNotRunning || stdout.Len() > 0 || stderr.String() != want {
			t.Errorf("%s: %d %q %q", c, status, stdout, stderr)
		}
	}
}

func TestReloadCommand(t *testing.T) {
	r := startFake(t, "")
	for _, want := range []string{
		"Reloaded: the configuration means what it meant before, nothing was changed.\n",
		"Reloaded:\n  VI_1: priority from 100 to 150\n",
	} {
		if status, stdout, stderr := r.main("reload"); status != 0 || stdout.String() != want || stderr.Len() > 0 {
			t.Errorf("%d %q %q", status, stdout, stderr)
		}
	}
	if err := os.WriteFile(filepath.Join(r.dir, "keepalived.conf"), []byte("bad"), 0o600); err != nil {
		t.Fatal(err)
	}
	status, stdout, stderr := r.main("reload")
	if status != 1 || stdout.Len() > 0 || !strings.Contains(stderr.String(), "it is bad") || !strings.Contains(stderr.String(), "nothing was changed: it is bad\n") {
		t.Errorf("%d %q %q", status, stdout, stderr)
	}
	status, stdout, _ = r.main("reload", "-o", "json")
	var got control.ReloadResponse
	if err := json.Unmarshal(stdout.Bytes(), &got); err != nil || status != 1 || got.OK {
		t.Errorf("json: %d %v %s", status, err, stdout)
	}
}

func TestEventsCommand(t *testing.T) {
	r := startFake(t, "")
	line := aMoment().Local().Format("2006-01-02 15:04:05.000") + "  notice  (VI_1) Entering MASTER STATE: no advert for 3.61 s\n"
	for args, want := range map[string]string{"events": line + line, "events --after 1": line, "events --after 2": ""} {
		if status, stdout, stderr := r.main(strings.Fields(args)...); status != 0 || stdout.String() != want {
			t.Errorf("%s: %d %q %q", args, status, stdout, stderr)
		}
	}
	_, stdout, _ := r.main("events", "-o", "json")
	lines := strings.Split(strings.TrimSpace(stdout.String()), "\n")
	var e journal.Event
	if err := json.Unmarshal([]byte(lines[0]), &e); len(lines) != 2 || err != nil || e.Seq != 1 {
		t.Errorf("json: %v %s", err, stdout)
	}
}
