package track

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"
)

// TestMatches holds what keepalived 2.2.7 counts for each way to write a process.
func TestMatches(t *testing.T) {
	one, two := []string{"/opt/tsk", "1001"}, []string{"/opt/tsk", "1001", "1002"}
	relative, bare := []string{"./tsk", "1001"}, []string{"/opt/tsk"}
	for _, tc := range []struct {
		what    string
		config  ProcessConfig
		matches [][]string
	}{
		{"name", ProcessConfig{Process: "tsk"}, [][]string{one, two, relative, bare}},
		{"path for a name", ProcessConfig{Process: "/opt/tsk"}, nil},
		{"full command", ProcessConfig{Process: "/opt/tsk", FullCommand: true}, [][]string{one, two, bare}},
		{"full command, name", ProcessConfig{Process: "tsk", FullCommand: true}, nil},
		{"exact", ProcessConfig{Process: "/opt/tsk", Params: []string{"1001"}, FullCommand: true, Match: "exact"}, [][]string{one}},
		{"exact, two", ProcessConfig{Process: "/opt/tsk", Params: []string{"1001", "1002"}, FullCommand: true, Match: "exact"}, [][]string{two}},
		{"exact, none", ProcessConfig{Process: "/opt/tsk", FullCommand: true, Match: "exact"}, [][]string{bare}},
		{"initial, cut", ProcessConfig{Process: "/opt/tsk", Params: []string{"100"}, FullCommand: true, Match: "initial"}, [][]string{one, two}},
		{"initial", ProcessConfig{Process: "/opt/tsk", Params: []string{"1001"}, FullCommand: true, Match: "initial"}, [][]string{one, two}},
		{"initial, none", ProcessConfig{Process: "/opt/tsk", FullCommand: true, Match: "initial"}, [][]string{one, two, bare}},
		{"partial, cut", ProcessConfig{Process: "/opt/tsk", Params: []string{"100"}, FullCommand: true, Match: "partial"}, nil},
		{"partial", ProcessConfig{Process: "/opt/tsk", Params: []string{"1001"}, FullCommand: true, Match: "partial"}, [][]string{one, two}},
		{"partial, none", ProcessConfig{Process: "/opt/tsk", FullCommand: true, Match: "partial"}, [][]string{one, two, bare}},
	} {
		for _, args := range [][]string{one, two, relative, bare} {
			want := slices.ContainsFunc(tc.matches, func(m []string) bool { return slices.Equal(m, args) })
			if got := tc.config.Matches("tsk", []byte(strings.Join(args, "\x00")+"\x00")); got != want {
				t.Errorf("%s: %q counts: %v, want %v", tc.what, args, got, want)
			}
		}
		if tc.config.FullCommand && tc.config.Matches("tsk", nil) {
			t.Errorf("%s: a thread of the kernel counts", tc.what)
		}
	}
}

func TestQuorum(t *testing.T) {
	now := time.Unix(1000, 0)
	p := NewProcess(ProcessConfig{Name: "p", Quorum: 2, QuorumMax: 3, ForkDelay: time.Second, TerminateDelay: 2 * time.Second})
	step := func(after time.Duration, count int, want string) {
		t.Helper()
		now = now.Add(after)
		got := ""
		if c, ok := p.Step(now, count); ok {
			got = fmt.Sprintf("%v of %d", c.Up, c.Count)
			if c.First {
				got = "first " + got
			}
		}
		if got != want {
			t.Fatalf("%d at %v: %q, want %q", count, now.Unix(), got, want)
		}
	}
	step(0, 0, "first false of 0")
	step(0, 2, "")
	if d := p.Deadline(); d != now.Add(time.Second) {
		t.Fatalf("deadline %v", d)
	}
	step(500*time.Millisecond, 1, "") // back before it counts
	if d := p.Deadline(); !d.IsZero() {
		t.Fatalf("deadline %v with nothing to come", d)
	}
	step(500*time.Millisecond, 2, "")
	step(999*time.Millisecond, 3, "")
	step(time.Millisecond, 3, "true of 3")
	step(0, 4, "") // too many
	step(2*time.Second, 4, "false of 4")
	step(0, 3, "")
	step(time.Second, 3, "true of 3")
	step(0, 0, "")
	step(time.Second, 2, "") // it was restarted in time
	step(5*time.Second, 2, "")

	many := NewProcess(ProcessConfig{Name: "many", Quorum: 1, QuorumMax: -1})
	if c, ok := many.Step(now, 1000); !ok || !c.Up || !many.Up() {
		t.Error("without quorum_max there are too many")
	}
	none := NewProcess(ProcessConfig{Name: "none", QuorumMax: 0})
	if c, ok := none.Step(now, 0); !ok || !c.Up {
		t.Error("quorum_max 0 is lost with none running")
	}
	if c, ok := none.Step(now, 1); !ok || c.Up {
		t.Error("quorum_max 0 is there with one running")
	}
}

// What is counted stays counted over a reload that changes only how many are enough.
func TestProcessesAreTheSame(t *testing.T) {
	full := ProcessConfig{Name: "p", Process: "/bin/p", Params: []string{"a"}, FullCommand: true, Match: "exact", Quorum: 1}
	for what, c := range map[string]struct {
		change func(*ProcessConfig)
		same   bool
	}{
		"nothing":          {func(*ProcessConfig) {}, true},
		"quorum and delay": {func(c *ProcessConfig) { c.Quorum, c.QuorumMax, c.ForkDelay, c.TerminateDelay = 2, 9, 1, 2 }, true},
		"name":             {func(c *ProcessConfig) { c.Name = "q" }, false},
		"process":          {func(c *ProcessConfig) { c.Process = "/bin/q" }, false},
		"params":           {func(c *ProcessConfig) { c.Params = []string{"a", "b"} }, false},
		"full_command":     {func(c *ProcessConfig) { c.FullCommand = false }, false},
		"param_match":      {func(c *ProcessConfig) { c.Match = "partial" }, false},
	} {
		changed := full
		c.change(&changed)
		if got := changed.same(full); got != c.same {
			t.Errorf("another %s: the same %v, want %v", what, got, c.same)
		}
	}
}

// program makes a program of its own name, whose processes nobody else has.
func program(t *testing.T, name string) string {
	t.Helper()
	sleep, err := exec.LookPath("sleep")
	check(t, err)
	b, err := os.ReadFile(sleep)
	check(t, err)
	path := filepath.Join(t.TempDir(), name)
	// A process that is forked meanwhile would have it open, and so busy.
	syscall.ForkLock.RLock()
	defer syscall.ForkLock.RUnlock()
	check(t, os.WriteFile(path, b, 0o700))
	return path
}

func spawn(t *testing.T, path string, args ...string) *exec.Cmd {
	t.Helper()
	c := exec.Command(path, args...)
	check(t, c.Start())
	t.Cleanup(func() {
		// It may have ended; then there is nothing to do.
		_ = c.Process.Kill()
		_ = c.Wait()
	})
	return c
}

// TestCensus counts real processes.
func TestCensus(t *testing.T) {
	name := fmt.Sprintf("tnd%d", os.Getpid())
	path := program(t, name)
	c := newCensus("/proc", []ProcessConfig{
		{Process: name},
		{Process: path, Params: []string{"1001"}, FullCommand: true, Match: "exact"},
	})
	expect := func(what string, names, exact int) {
		t.Helper()
		for deadline := time.Now().Add(time.Minute); ; time.Sleep(5 * time.Millisecond) {
			check(t, c.scan())
			if c.count(0) == names && c.count(1) == exact {
				return
			}
			if time.Now().After(deadline) {
				t.Fatalf("%s: %d and %d, want %d and %d", what, c.count(0), c.count(1), names, exact)
			}
		}
	}
	expect("none", 0, 0)
	a := spawn(t, path, "1001")
	b := spawn(t, path, "1002")
	expect("two", 2, 1)
	check(t, a.Process.Kill())
	// Until it is waited for, it is there and dead.
	expect("one dead", 1, 0)
	check(t, b.Process.Kill())
	expect("both dead", 0, 0)
}
