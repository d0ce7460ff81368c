package main

import (
	"bytes"
	"encoding/json"
	"net/netip"
	"os"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/tandem-ha/tandem/internal/control"
	"github.com/tandem-ha/tandem/internal/desired"
)

// asked takes what the fake agent was asked since the last time.
func (r commandRun) asked(t *testing.T) string {
	t.Helper()
	b, err := os.ReadFile(diary(r.dir))
	if err != nil && !os.IsNotExist(err) {
		t.Fatal(err)
	}
	if err == nil {
		if err := os.Remove(diary(r.dir)); err != nil {
			t.Fatal(err)
		}
	}
	return strings.TrimSpace(string(b))
}

func TestOrders(t *testing.T) {
	r := startFake(t, "")
	r.asked(t)
	const server = "[192.0.2.10]:tcp:80  192.0.2.21:80  "
	const check = server + "HTTP_GET  "
	for _, tc := range []struct {
		args           []string
		status         int
		stdout, stderr string
		asked          string
	}{
		{[]string{"maintenance", "on"}, 0, "VI_1  done  BACKUP  192.0.2.2 has taken over (312ms)\nIn maintenance: this node does not become master until tandem maintenance off.\n", "",
			"maintenance {On:true Force:false Reason:}"},
		{[]string{"maintenance", "off"}, 0, "VI_1  done  BACKUP  192.0.2.2 has taken over (312ms)\nNot in maintenance: this node may become master.\n", "",
			"maintenance {On:false Force:false Reason:}"},
		{[]string{"maintenance", "on", "--reason", "lonely"}, 1, "VI_1  NOT DONE  MASTER  still master: nobody took over within 1.5s\nNot in maintenance: nothing was changed.\n", "",
			"maintenance {On:true Force:false Reason:lonely}"},
		{[]string{"maintenance"}, 1, "", "tandem maintenance: write tandem maintenance on or off\n", ""},
		{[]string{"maintenance", "off", "--force"}, 1, "", "tandem maintenance: force goes with the beginning of maintenance\n", ""},
		{[]string{"drain", "192.0.2.21:80"}, 0, server + "done  weight 0, no connection left\n", "", "server drain 192.0.2.21:80 of [], wait true, force false"},
		{[]string{"drain", "192.0.2.21", "--wait=false", "--in", "192.0.2.10:80"}, 0, server + "done  weight 0, no connection left\n", "",
			"server drain 192.0.2.21 of [192.0.2.10:80], wait false, force false"},
		{[]string{"drain", "192.0.2.21:80", "--reason", "busy"}, 1, server + "NOT DONE  weight 0, 3 connections left after 1s; the drain stands\n", "",
			"server drain 192.0.2.21:80 of [], wait true, force false"},
		{[]string{"drain", "192.0.2.99"}, 1, "", "tandem drain: no real server 192.0.2.99 in [192.0.2.10]:tcp:80; configured: 192.0.2.21:80\n",
			"server drain 192.0.2.99 of [], wait true, force false"},
		{[]string{"drain"}, 1, "", "tandem drain: 0 words are given, not 1; see tandem help drain\n", ""},
		{[]string{"drain", "web"}, 1, "", "tandem drain: server \"web\" is neither an address nor an address with a port; see tandem help drain\n", ""},
		{[]string{"undrain", "192.0.2.21:80"}, 0, server + "done  weight 0, no connection left\n", "", "server undrain 192.0.2.21:80 of [], wait false, force false"},
		{[]string{"weight", "192.0.2.21:80", "7"}, 0, server + "done  weight 7\n", "", "server weight 192.0.2.21:80 of [], wait false, force false"},
		{[]string{"weight", "192.0.2.21:80", "reset"}, 0, server + "done  weight 0, no connection left\n", "", "server unweight 192.0.2.21:80 of [], wait false, force false"},
		{[]string{"weight", "192.0.2.21:80", "-1"}, 1, "", "tandem weight: there is no flag -1\nUsage: tandem weight [FLAG...] SERVER WEIGHT|reset; see tandem help weight\n", ""},
		{[]string{"weight", "192.0.2.21:80", "65536"}, 1, "", "tandem weight: weight 65536 is outside the range 0 to 65535\n", ""},
		{[]string{"weight", "192.0.2.21:80", "heavy"}, 1, "", "tandem weight: weight \"heavy\" is neither a number nor reset; see tandem help weight\n", ""},
		{[]string{"check-now", "192.0.2.21:80", "--check", "HTTP_GET"}, 0, check + "up  succeeded (3ms)\n", "", "check now HTTP_GET of 192.0.2.21:80 []"},
		{[]string{"check-now", "192.0.2.21:80", "--reason", "broken", "--transcript"}, 1, check + "down  status 503, want 200 (3ms)\n    > GET / HTTP/1.0\n    < HTTP/1.1 503\n", "",
			"check now  of 192.0.2.21:80 []"},
		{[]string{"pause", "192.0.2.21:80"}, 0, check + "up  succeeded (3ms)\n", "", "check pause  of 192.0.2.21:80 []"},
		{[]string{"unpause", "192.0.2.21:80"}, 0, check + "up  succeeded (3ms)\n", "", "check unpause  of 192.0.2.21:80 []"},
		{[]string{"pause"}, 1, "", "tandem pause: name one real server, as ADDRESS:PORT; see tandem help pause\n", ""},
		{[]string{"log-level"}, 0, "log level info\n", "", ""},
		{[]string{"log-level", "debug"}, 0, "log level debug, was info; until the agent ends\n", "", "log level debug"},
		{[]string{"log-level", "loud"}, 1, "", "tandem log-level: level \"loud\" is not one of trace, debug, info, warning, error\n", ""},
		{[]string{"status", "VI_9"}, 1, "", "tandem status: no instance and no virtual server \"VI_9\" (did you mean VI_1?); configured: VI_1\n", ""},
	} {
		status, stdout, stderr := r.main(tc.args...)
		if status != tc.status || stdout.String() != tc.stdout || stderr.String() != tc.stderr {
			t.Errorf("%q: %d\n%q\n%q", tc.args, status, stdout, stderr)
		}
		if got := r.asked(t); got != tc.asked {
			t.Errorf("%q: the agent was asked %q, want %q", tc.args, got, tc.asked)
		}
	}
	for _, args := range [][]string{{"maintenance", "on"}, {"drain", "192.0.2.21"}, {"pause", "192.0.2.21"}, {"log-level"}} {
		_, stdout, _ := r.main(append(args, "-o", "json")...)
		if !json.Valid(stdout.Bytes()) {
			t.Errorf("%q -o json: %s", args, stdout)
		}
	}
}

// What is lossless is asked about at a terminal alone; what may lose packets needs
// a yes in any case.
func TestConfirmations(t *testing.T) {
	r := startFake(t, "")
	r.asked(t)
	for _, tc := range []struct {
		args     string
		terminal bool
		answer   string
		done     bool
		says     string
	}{
		{"switchover VI_1", false, "", true, ""},
		{"switchover VI_1", true, "y\n", true, "This node hands over VI_1. Go on? [y/N] "},
		{"switchover VI_1", true, "YES\n", true, "Go on?"},
		{"switchover VI_1", true, "\n", false, "tandem switchover: nothing was done"},
		{"switchover VI_1", true, "", false, "nothing was done"},
		{"switchover VI_1 --yes", true, "", true, ""},
		{"resume VI_1", true, "", true, ""},
		{"failover VI_1", true, "n\n", false, "This node takes over VI_1."},
		{"failover VI_1", false, "", true, ""},
		{"failover VI_1 --force", false, "", false, "nobody serves. Without a terminal this needs --yes"},
		{"failover VI_1 --force", true, "y\n", true, "nobody serves. Go on? [y/N] "},
		{"failover VI_1 --force --yes", false, "", true, ""},
		{"maintenance on", false, "", true, ""},
		{"maintenance on", true, "no\n", false, "does not become master until"},
		{"maintenance on --force", false, "", false, "whether a peer is there or not. Without a terminal this needs --yes"},
		{"maintenance off", true, "", true, ""},
		{"drain 192.0.2.21", true, "n\n", false, "gets no new connections until tandem undrain 192.0.2.21."},
		{"drain 192.0.2.21", false, "", true, ""},
		{"drain 192.0.2.21 --force", false, "", false, "also where no other real server does. Without a terminal this needs --yes"},
		{"weight 192.0.2.21 0 --force", false, "", false, "Without a terminal this needs --yes"},
		{"weight 192.0.2.21 3", true, "", true, ""},
		{"undrain 192.0.2.21", true, "", true, ""},
	} {
		p, stdout, stderr := newProgram("tandem")
		p.now, p.stdin = aMoment, strings.NewReader(tc.answer)
		p.terminal = func(stream any) bool { return tc.terminal && stream == p.stdin }
		status := p.main(append(strings.Fields(tc.args), "--run-dir", r.dir))
		if done := r.asked(t) != ""; done != tc.done || (status == 0) != tc.done || !strings.Contains(stderr.String(), tc.says) || tc.says == "" && stderr.Len() > 0 {
			t.Errorf("%+v: status %d, done %v\n%s%s", tc, status, done, stdout, stderr)
		}
	}
}

// commanded is a node on which operators have ordered all that they can.
func commanded() control.Status {
	s := healthy()
	by := desired.Override{Since: ago(5 * time.Minute), By: "root (uid 0, process 4711)", Reason: "new kernel"}
	s.Maintenance = &by
	for i := range s.Instances {
		s.Instances[i].Maintenance, s.Instances[i].Ineligible = true, "in maintenance by order of an operator"
	}
	s.Instances[1].StateName = "BACKUP (maintenance)"
	at := func(i int) desired.ServerOverride {
		return desired.ServerOverride{Service: s.Services[0].Name, Server: netip.AddrPortFrom(s.Services[0].Servers[i].Addr, s.Services[0].Servers[i].Port)}
	}
	drained, heavy, gone := at(0), at(1), at(1)
	plain := desired.Override{Since: ago(time.Hour), By: "admin (certificate, from 192.0.2.9)"}
	drained.Drain = &plain
	heavy.Weight = &desired.WeightOverride{Override: by, Weight: 7}
	gone.Service, gone.Drain = "[192.0.2.10]:udp:53", &plain
	s.Services[0].Servers[0].Checks[0].Paused = true
	s.Services[0].Overrides = []control.ServerOverrides{
		{ServerOverride: drained, Connections: &control.Connections{Active: 3, Inactive: 1},
			Checks: []desired.CheckPause{{Kind: "HTTP_GET", Override: plain, Failed: true}}},
		{ServerOverride: heavy},
	}
	s.Dormant = []control.ServerOverrides{{ServerOverride: gone}}
	return s
}

func TestStatusCommanded(t *testing.T) {
	golden(t, "status-commanded.txt", statusText(commanded(), aMoment()))
}

func TestStatusOfOne(t *testing.T) {
	for name, names := range map[string][]string{
		"status-instance.txt": {"VI_internal"},
		"status-service.txt":  {"[192.0.2.10]:TCP:80"},
	} {
		s, err := choose(commanded(), names)
		if err != nil {
			t.Fatal(err)
		}
		golden(t, name, statusText(s, aMoment()))
	}
}

// Colours add nothing but colours, and only where a terminal takes them.
func TestColours(t *testing.T) {
	escapes := regexp.MustCompile("\x1b\\[[0-9]*m")
	for _, s := range []control.Status{healthy(), commanded()} {
		text := statusText(s, aMoment())
		painted := colourful(text)
		if bytes.Equal(painted, text) || !bytes.Equal(escapes.ReplaceAll(painted, nil), text) {
			t.Errorf("in colours:\n%s", painted)
		}
	}
	golden(t, "status-colours.txt", colourful(statusText(commanded(), aMoment())))
	r := startFake(t, "")
	for _, tc := range []struct {
		terminal bool
		env      map[string]string
		want     bool
	}{
		{true, nil, true},
		{false, nil, false},
		{true, map[string]string{"NO_COLOR": "1"}, false},
		{true, map[string]string{"TERM": "dumb"}, false},
	} {
		p, stdout, _ := newProgram("tandem")
		p.now, p.terminal = aMoment, func(any) bool { return tc.terminal }
		p.getenv = func(name string) string { return tc.env[name] }
		for _, args := range [][]string{{"status"}, {"status", "-o", "json"}} {
			stdout.Reset()
			p.main(append(args, "--run-dir", r.dir))
			if got := escapes.Match(stdout.Bytes()); got != (tc.want && len(args) == 1) {
				t.Errorf("%+v %q: %s", tc, args, stdout)
			}
		}
	}
}

// lockedBuffer is what a command writes to while a test reads.
type lockedBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (b *lockedBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.b.Write(p)
}

func (b *lockedBuffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.b.String()
}

// status --watch draws in place on a terminal and one after the other elsewhere,
// goes on while no agent is there, and ends with an interrupt.
func TestWatch(t *testing.T) {
	r := startFake(t, "")
	nobody := commandRun{t.TempDir()}
	for _, tc := range []struct {
		at       commandRun
		terminal bool
		want     string
	}{
		{r, true, wipeAll + home},
		{r, false, "\n\ntandem "},
		{nobody, false, "tandem is not running"},
	} {
		p, _, _ := newProgram("tandem")
		out := new(lockedBuffer)
		p.stdout, p.now = out, aMoment
		p.terminal = func(any) bool { return tc.terminal }
		done := make(chan int, 1)
		go func() { done <- p.main([]string{"status", "--watch", "--run-dir", tc.at.dir}) }()
		again := func() bool {
			return strings.Contains(out.String(), tc.want) && strings.Count(out.String(), "tandem ") >= 2
		}
		for deadline := time.Now().Add(time.Minute); !again(); {
			if time.Now().After(deadline) {
				t.Fatalf("terminal %v: it shows %q", tc.terminal, out)
			}
			time.Sleep(10 * time.Millisecond)
		}
		if err := unix.Kill(os.Getpid(), unix.SIGINT); err != nil {
			t.Fatal(err)
		}
		if status := <-done; status != 0 {
			t.Errorf("it ended with %d", status)
		}
	}
}
