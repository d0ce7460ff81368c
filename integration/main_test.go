//go:build kernel

package integration

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/tandem-ha/tandem/integration/lab"
)

// labs owns every namespace of this run.
var labs = lab.NewRegistry()

func TestMain(m *testing.M) {
	lab.Prefer()
	stop := labs.OnSignal()
	status := m.Run()
	stop()
	labs.Close()
	os.Exit(status)
}

// program is the path of an agent's binary by its name.
func program(t testing.TB, name string) string {
	t.Helper()
	path := ""
	switch name {
	case "tandem":
		path = os.Getenv("TANDEM_BIN")
		if path == "" {
			path = "../bin/tandem"
		}
	case "keepalived":
		path = os.Getenv("KEEPALIVED_BIN")
		if path == "" {
			path = "/usr/sbin/keepalived"
		}
	}
	path, err := filepath.Abs(path)
	if err == nil {
		_, err = exec.LookPath(path)
	}
	if err != nil {
		t.Fatalf("%s: %v (make build makes tandem, integration/setup installs keepalived)", name, err)
	}
	return path
}

// newLab builds a lab named after the test, which goes when the test ends. Where
// the test fails, what was said on its bridge is kept in a file.
func newLab(t *testing.T, hosts ...string) *lab.Lab {
	t.Helper()
	l, err := labs.New(t.Name(), hosts...)
	must(t, err)
	t.Cleanup(func() {
		if t.Failed() {
			keepCapture(t, l)
		}
		l.Close()
	})
	return l
}

func keepCapture(t *testing.T, l *lab.Lab) {
	dir := os.Getenv("TANDEM_ARTIFACTS")
	if out := os.Getenv("TANDEM_VM_OUT"); dir == "" && out != "" {
		dir = out
	}
	if dir == "" {
		dir = os.TempDir()
	}
	name := filepath.Join(dir, strings.NewReplacer("/", "-", " ", "-").Replace(t.Name())+".pcap")
	f, err := os.Create(name)
	if err != nil {
		t.Log(err)
		return
	}
	if err := l.Capture.WritePCAP(f); err != nil {
		t.Log(err)
	}
	if err := f.Close(); err == nil {
		t.Log("packets:", name)
	}
}

// agent prepares an agent, whose log is shown where the test fails.
func agent(t *testing.T, h *lab.Host, name, conf string, extra ...string) *lab.Agent {
	t.Helper()
	a, err := h.NewAgent(program(t, name), conf, extra...)
	must(t, err)
	t.Cleanup(func() {
		if t.Failed() {
			t.Logf("%s on %s, its log's end:\n%s", name, h.Name, tail(a.Log(), 80))
		}
	})
	return a
}

// start starts agents that were prepared.
func start(t *testing.T, agents ...*lab.Agent) {
	t.Helper()
	for _, a := range agents {
		must(t, a.Start())
	}
}

// says waits until an agent's log has a line with the text: a log is written when its
// time has come, and not before what it tells of is seen.
func says(t testing.TB, a *lab.Agent, text string) {
	t.Helper()
	must(t, lab.WaitLog(within(t, slack), a.LogFile(), text, 0))
}

// within bounds one step of a test.
func within(t testing.TB, limit time.Duration) context.Context {
	t.Helper()
	ctx, cancel := context.WithTimeoutCause(t.Context(), limit, fmt.Errorf("not within %v", limit))
	t.Cleanup(cancel)
	return ctx
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// eventually polls for what nothing reports.
func eventually(t testing.TB, limit time.Duration, what string, condition func() error) {
	t.Helper()
	polled(t, limit, 50*time.Millisecond, what, condition)
}

// polled polls at an interval, for what costs much to look at.
func polled(t testing.TB, limit, every time.Duration, what string, condition func() error) {
	t.Helper()
	ctx := within(t, limit)
	for {
		err := condition()
		if err == nil {
			return
		}
		if lab.Poll(ctx, every) != nil {
			t.Fatalf("%s: not within %v: %v", what, limit, err)
		}
	}
}

func tail(text string, lines int) string {
	all := strings.Split(strings.TrimRight(text, "\n"), "\n")
	return strings.Join(all[max(0, len(all)-lines):], "\n")
}
