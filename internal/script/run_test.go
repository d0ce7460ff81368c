package script

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/tandem-ha/tandem/health"
)

var _ health.Exec = new(Runner).Run

func TestRunReturnsTheStatus(t *testing.T) {
	for name, tc := range map[string]struct {
		text   string
		args   []string
		status int
	}{
		"success":             {"#!/bin/sh\nexit 0\n", nil, 0},
		"failure":             {"#!/bin/sh\nexit 3\n", nil, 3},
		"255":                 {"#!/bin/sh\nexit 255\n", nil, 255},
		"a signal's number":   {"#!/bin/sh\nsh -c 'kill -KILL $$'\nexit $?\n", nil, 137},
		"arguments":           {"#!/bin/sh\n[ $# = 2 ] && [ \"$1\" = 'a b' ] && [ \"$2\" = '$HOME' ]\n", []string{"a b", "$HOME"}, 0},
		"no interpreter line": {"exit $1\n", []string{"7"}, 7},
		"floods its output":   {"#!/bin/sh\nhead -c 3000000 /dev/zero\nhead -c 3000000 /dev/zero >&2\nexit 4\n", nil, 4},
		"reads its input":     {"#!/bin/sh\nread line && exit 1\nexit 5\n", nil, 5},
		// The shell itself holds the script open, from 10 upwards.
		"has no file of ours": {"#!/bin/sh\nfor n in 0 1 2; do [ /proc/$$/fd/$n -ef /dev/null ] || exit 8; done\nfor n in 3 4 5 6 7 8 9; do readlink /proc/$$/fd/$n && exit 9; done\nexit 0\n", nil, 0},
	} {
		t.Run(name, func(t *testing.T) {
			// A file that stays open for the program's life must not be inherited.
			file, err := os.Open("/")
			if err != nil {
				t.Fatal(err)
			}
			defer file.Close()
			path := write(t, "script", tc.text)
			status, err := new(Runner).Run(t.Context(), own(append([]string{path}, tc.args...)...))
			if err != nil || status != tc.status {
				t.Errorf("status %d, error %v; want status %d", status, err, tc.status)
			}
		})
	}
}

func TestRunTellsASignalFromAStatus(t *testing.T) {
	for name, want := range map[string]int{"KILL": 9, "TERM": 15, "SEGV": 11} {
		path := write(t, "script", "#!/bin/sh\nkill -"+name+" $$\nexit 137\n")
		status, err := new(Runner).Run(t.Context(), own(path))
		killed, ok := errors.AsType[*health.SignalError](err)
		if status != -1 || !ok || killed.Signal != want {
			t.Errorf("%s: status %d, error %v", name, status, err)
		}
	}
}

func TestRunSaysWhatCannotBeStarted(t *testing.T) {
	plain := write(t, "plain", "#!/bin/sh\n")
	if err := os.Chmod(plain, 0o644); err != nil {
		t.Fatal(err)
	}
	for name, tc := range map[string]struct {
		args []string
		want error
	}{
		"missing":        {[]string{"/nonexistent/check"}, fs.ErrNotExist},
		"not executable": {[]string{plain}, fs.ErrPermission},
		"a folder":       {[]string{"/"}, fs.ErrPermission},
	} {
		t.Run(name, func(t *testing.T) {
			status, err := new(Runner).Run(t.Context(), own(tc.args...))
			if status != -1 || !errors.Is(err, tc.want) || !strings.Contains(err.Error(), tc.args[0]) {
				t.Errorf("status %d, error %v; want %v", status, err, tc.want)
			}
		})
	}
	if _, err := new(Runner).Run(t.Context(), own()); err == nil {
		t.Error("an empty command was run")
	}
}

func TestRunStartsNothingAfterTheEnd(t *testing.T) {
	mark := filepath.Join(t.TempDir(), "ran")
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := new(Runner).Run(ctx, own("/bin/touch", mark)); !errors.Is(err, context.Canceled) {
		t.Errorf("error %v", err)
	}
	if _, err := os.Stat(mark); err == nil {
		t.Error("the script ran")
	}
}

func TestRunEnvironment(t *testing.T) {
	for _, name := range []string{"IFS", "LD_PRELOAD", "LD_LIBRARY_PATH", "NOTIFY_SOCKET", "TANDEM_TEST_KEPT", "TANDEM_TEST_REPLACED"} {
		t.Setenv(name, "ours")
	}
	file := filepath.Join(t.TempDir(), "env")
	path := write(t, "script", "#!/bin/sh\nexec env > "+file+"\n")
	status, err := new(Runner).RunEnv(t.Context(), own(path), []string{"TANDEM_TEST_REPLACED=extra", "TANDEM_TEST_ADDED=x=y"})
	if status != 0 || err != nil {
		t.Fatalf("status %d, error %v", status, err)
	}
	b, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	lines := strings.Split(string(b), "\n")
	for _, want := range []string{"TANDEM_TEST_KEPT=ours", "TANDEM_TEST_REPLACED=extra", "TANDEM_TEST_ADDED=x=y"} {
		if !slices.Contains(lines, want) {
			t.Errorf("the environment lacks %s", want)
		}
	}
	for _, line := range lines {
		name, value, _ := strings.Cut(line, "=")
		if slices.Contains([]string{"IFS", "LD_PRELOAD", "LD_LIBRARY_PATH", "NOTIFY_SOCKET"}, name) || name == "TANDEM_TEST_REPLACED" && value == "ours" {
			t.Errorf("the environment holds %s", line)
		}
	}
}

func TestRunEndsTheWholeGroup(t *testing.T) {
	for name, tc := range map[string]struct {
		text string
		// patient is true where only SIGKILL ends all of it.
		patient bool
	}{
		"sleeper":                       {"sleep 60 & echo $! > $1; wait\n", false},
		"leader that ignores SIGTERM":   {"trap '' TERM; (trap - TERM; exec sleep 60) & echo $$ > $1; sleep 60; sleep 60\n", true},
		"follower that ignores SIGTERM": {"(trap '' TERM; : > $1.deaf; sleep 60) & while [ ! -e $1.deaf ]; do sleep 0.01; done; echo $! > $1; wait\n", true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			path := write(t, "script", "#!/bin/sh\n"+tc.text)
			file := filepath.Join(t.TempDir(), "pid")
			ctx, cancel := context.WithCancel(context.Background())
			defer cancel()
			var cancelled time.Time
			go func() {
				readPID(t, file)
				cancelled = time.Now()
				cancel()
			}()
			// Who waits for SIGKILL without need waits for longer than the test may last.
			r := Runner{grace: time.Hour}
			if tc.patient {
				r.grace = 300 * time.Millisecond
			}
			status, err := r.Run(ctx, own(path, file))
			took := time.Since(cancelled)
			if status != -1 || !errors.Is(err, context.Canceled) {
				t.Errorf("status %d, error %v", status, err)
			}
			if tc.patient && took < r.grace {
				t.Errorf("ended %v after the cancellation", took)
			}
			pid := readPID(t, file)
			eventually(t, "the process is gone", func() bool { return !alive(pid) })
		})
	}
}

func TestRunReturnsTheDeadlinesError(t *testing.T) {
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
	defer cancel()
	if _, err := new(Runner).Run(ctx, own("/bin/sleep", "60")); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("error %v", err)
	}
}

func TestRunLeavesADaemonAlone(t *testing.T) {
	file := filepath.Join(t.TempDir(), "pid")
	path := write(t, "script", "#!/bin/sh\nsleep 60 & echo $! > $1\nexit 0\n")
	ctx, cancel := context.WithCancel(t.Context())
	status, err := new(Runner).Run(ctx, own(path, file))
	cancel()
	if status != 0 || err != nil {
		t.Fatalf("status %d, error %v", status, err)
	}
	pid := readPID(t, file)
	if !alive(pid) {
		t.Error("what the script left running was ended")
	}
	if err := syscall.Kill(pid, syscall.SIGKILL); err != nil {
		t.Error(err)
	}
}

func TestRunGivesAGroupOfItsOwn(t *testing.T) {
	// The fifth field of stat is the process group.
	path := write(t, "script", "#!/bin/sh\nread pid name state parent group rest < /proc/$$/stat\n[ $group = $$ ]\n")
	if status, err := new(Runner).Run(t.Context(), own(path)); status != 0 || err != nil {
		t.Errorf("status %d, error %v", status, err)
	}
}

func TestScriptDiesWithUs(t *testing.T) {
	file := filepath.Join(t.TempDir(), "pid")
	path := write(t, "script", "#!/bin/sh\necho $$ > "+file+"\nexec sleep 60\n")
	maker := exec.CommandContext(t.Context(), "/proc/self/exe")
	maker.Env = append(os.Environ(), orphanMaker+"="+path)
	if err := maker.Start(); err != nil {
		t.Fatal(err)
	}
	pid := readPID(t, file)
	if err := maker.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_ = maker.Wait()
	eventually(t, "the script is gone", func() bool { return !alive(pid) })
}

func TestRunAsAnotherUser(t *testing.T) {
	const nobody, group, extra = 65534, 65534, 54321
	file := filepath.Join(t.TempDir(), "id")
	path := write(t, "script", "#!/bin/sh\necho $(id -u) $(id -g) $(id -G)\n")
	script := health.Script{Args: []string{"/bin/sh", "-c", path + " > " + file}, UID: nobody, GID: group}
	r := &Runner{groups: map[int][]uint32{nobody: {group, extra}}}
	if os.Geteuid() != 0 {
		if _, err := r.Run(t.Context(), script); !errors.Is(err, fs.ErrPermission) {
			t.Errorf("error %v where only root can do it", err)
		}
		return
	}
	if err := os.WriteFile(file, nil, 0o666); err != nil {
		t.Fatal(err)
	}
	for _, p := range []string{filepath.Dir(file), file} {
		if err := os.Chown(p, nobody, group); err != nil {
			t.Fatal(err)
		}
	}
	for all, want := range map[bool]string{
		false: fmt.Sprintf("%d %d %d", nobody, group, group),
		true:  fmt.Sprintf("%d %d %d %d", nobody, group, group, extra),
	} {
		r.AllGroups.Store(all)
		if status, err := r.Run(t.Context(), script); status != 0 || err != nil {
			t.Fatalf("status %d, error %v", status, err)
		}
		b, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		if got := strings.TrimSpace(string(b)); got != want {
			t.Errorf("all groups %v: ran as %q, want %q", all, got, want)
		}
	}
}

func TestRunnerRemembersGroups(t *testing.T) {
	const unknown = 4000000001
	r := new(Runner)
	if groups, err := r.supplementary(unknown); err != nil || len(groups) != 0 {
		t.Errorf("groups %v, error %v of a user without a name", groups, err)
	}
	groups, err := r.supplementary(0)
	if err != nil || !slices.Contains(groups, 0) {
		t.Errorf("groups %v, error %v of root", groups, err)
	}
	r.groups[0] = []uint32{7}
	if groups, _ := r.supplementary(0); !slices.Equal(groups, []uint32{7}) {
		t.Errorf("groups %v were looked up again", groups)
	}
	r.Forget()
	if groups, _ := r.supplementary(0); !slices.Contains(groups, 0) {
		t.Errorf("groups %v were not forgotten", groups)
	}
}

func TestParseStat(t *testing.T) {
	for stat, want := range map[string]struct {
		state string
		group int
	}{
		"12 (sh) S 1 7 7 0 -1":  {"S", 7},
		"12 (a) Z 9) Z 1 8 7 0": {"Z", 8},
		"12 (sh":                {"", 0},
		"":                      {"", 0},
	} {
		if state, group := parseStat([]byte(stat)); state != want.state || group != want.group {
			t.Errorf("%q: state %s, group %d", stat, state, group)
		}
	}
}
