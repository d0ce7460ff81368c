package daemon

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// roleEnv makes the test binary one of the processes that a test needs.
const roleEnv = "DAEMON_TEST_ROLE"

func TestMain(m *testing.M) {
	switch role, rest, _ := strings.Cut(os.Getenv(roleEnv), " "); role {
	case "":
		os.Exit(m.Run())
	case "detach":
		background(rest)
	case "reap":
		reapAsFirst()
	case "lock":
		holdLock(rest)
	case "enter":
		if err := EnterNamespace(rest); err != nil {
			panic(err)
		}
		fmt.Print(must(os.Readlink("/proc/self/ns/net")), " ", must(os.Readlink("/proc/thread-self/ns/net")))
	}
}

// background is the program that detaches: it starts itself, and in the
// background does what the test asked for.
func background(what string) {
	d, err := Inherited()
	if err != nil {
		panic(err)
	}
	if d == nil {
		status, err := Detach(os.Args[1:], os.Stderr)
		if err != nil {
			panic(err)
		}
		os.Exit(status)
	}
	act, file, _ := strings.Cut(what, " ")
	switch act {
	case "ready":
		facts := fmt.Sprintf("pid=%d sid=%d mark=%q", os.Getpid(), must(unix.Getsid(0)), os.Getenv(detachedEnv))
		for fd := range 3 {
			facts += " " + must(os.Readlink(fmt.Sprintf("/proc/self/fd/%d", fd)))
		}
		if err := os.WriteFile(file, []byte(facts), 0o600); err != nil {
			panic(err)
		}
		d.Ready()
		d.Fail(9, "too late")
		// Until the test ends it.
		select {}
	case "fail":
		d.Fail(6, "no such file")
		os.Exit(6)
	case "exit":
		os.Exit(5)
	case "kill":
		unix.Kill(os.Getpid(), unix.SIGKILL)
	case "quiet":
		os.Exit(0)
	}
}

func must[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}

// holdLock holds a pid file until its standard input ends.
func holdLock(path string) {
	f, err := lockPIDFile(path)
	if err != nil {
		panic(err)
	}
	if err := f.Write(os.Getpid()); err != nil {
		panic(err)
	}
	fmt.Println("held")
	var b [1]byte
	_, _ = os.Stdin.Read(b[:])
	os.Exit(0)
}

// as is a process of the test binary in a role.
func as(t *testing.T, role string) *exec.Cmd {
	t.Helper()
	c := exec.Command(must(os.Executable()), "-test.run=^$")
	c.Env = append(os.Environ(), roleEnv+"="+role)
	return c
}

func TestDetach(t *testing.T) {
	file := filepath.Join(t.TempDir(), "facts")
	c := as(t, "detach ready "+file)
	var stderr bytes.Buffer
	c.Stderr = &stderr
	if err := c.Run(); err != nil {
		t.Fatalf("%v: %s", err, stderr.String())
	}
	// Written before Ready, so it is there when the starter has returned.
	b, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	var pid, sid int
	var mark, in, out, errs string
	if _, err := fmt.Sscanf(string(b), "pid=%d sid=%d mark=%q %s %s %s", &pid, &sid, &mark, &in, &out, &errs); err != nil {
		t.Fatalf("%q: %v", b, err)
	}
	defer unix.Kill(pid, unix.SIGKILL)
	if pid == c.Process.Pid || sid != pid {
		t.Errorf("process %d started by %d is in session %d, want one of its own", pid, c.Process.Pid, sid)
	}
	if mark != "" {
		t.Errorf("the mark %q is left in the environment", mark)
	}
	for _, f := range []string{in, out, errs} {
		if f != os.DevNull {
			t.Errorf("a standard stream is %s", f)
		}
	}
	if err := unix.Kill(pid, 0); err != nil {
		t.Errorf("the daemon does not run: %v", err)
	}
	if stderr.Len() > 0 {
		t.Errorf("standard error: %q", stderr.String())
	}
}

func TestDetachFailure(t *testing.T) {
	for _, tc := range []struct {
		act    string
		status int
		stderr string
	}{
		{"fail", 6, "no such file\n"},
		{"exit", 5, ""},
		{"kill", 128 + int(unix.SIGKILL), ""},
		{"quiet", 1, ""},
	} {
		t.Run(tc.act, func(t *testing.T) {
			c := as(t, "detach "+tc.act)
			var stderr bytes.Buffer
			c.Stderr = &stderr
			err := c.Run()
			failure, ok := errors.AsType[*exec.ExitError](err)
			if !ok || failure.ExitCode() != tc.status || stderr.String() != tc.stderr {
				t.Errorf("%v, %q; want exit status %d, %q", err, stderr.String(), tc.status, tc.stderr)
			}
		})
	}
}

func TestInheritedRefusesNonsense(t *testing.T) {
	t.Setenv(detachedEnv, "x")
	if _, err := Inherited(); err == nil {
		t.Error("no error")
	}
}

func TestPIDFile(t *testing.T) {
	dir := t.TempDir()
	a, b := filepath.Join(dir, "a.pid"), filepath.Join(dir, "b.pid")
	// A shorter number must leave nothing of a longer one.
	if err := os.WriteFile(a, []byte("1234567890\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	files, err := LockPIDFiles(77, a, b, a)
	if err != nil {
		t.Fatal(err)
	}
	for _, path := range []string{a, b} {
		got, err := os.ReadFile(path)
		info, _ := os.Stat(path)
		if err != nil || string(got) != "77\n" || info.Mode().Perm() != 0o644 {
			t.Errorf("%s: %q, %v, %v", path, got, info.Mode(), err)
		}
	}
	_, err = lockPIDFile(b)
	running, ok := errors.AsType[*RunningError](err)
	if !ok || running.PID != 77 || !strings.HasPrefix(err.Error(), "daemon is already running") {
		t.Errorf("second lock: %v", err)
	}
	if err := files.Remove(); err != nil {
		t.Error(err)
	}
	if left, _ := os.ReadDir(dir); len(left) > 0 {
		t.Errorf("left behind: %v", left)
	}
}

func TestPIDFilesAllOrNone(t *testing.T) {
	dir := t.TempDir()
	taken := filepath.Join(dir, "taken.pid")
	holder, err := lockPIDFile(taken)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := LockPIDFiles(1, filepath.Join(dir, "free.pid"), taken); err == nil {
		t.Fatal("no error")
	}
	if _, err := os.Stat(filepath.Join(dir, "free.pid")); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("the free one was left: %v", err)
	}
	if err := holder.Remove(); err != nil {
		t.Error(err)
	}
}

func TestPIDFileOfAnotherProcess(t *testing.T) {
	path := filepath.Join(t.TempDir(), "x.pid")
	c := as(t, "lock "+path)
	stdin, stdout := must(c.StdinPipe()), must(c.StdoutPipe())
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
	var b [5]byte
	if _, err := stdout.Read(b[:]); err != nil {
		t.Fatal(err)
	}
	_, err := lockPIDFile(path)
	if running, ok := errors.AsType[*RunningError](err); !ok || running.PID != c.Process.Pid {
		t.Errorf("while it runs: %v", err)
	}
	stdin.Close()
	if err := c.Wait(); err != nil {
		t.Fatal(err)
	}
	// The file is still there, as after a crash, and hinders nobody.
	f, err := lockPIDFile(path)
	if err != nil {
		t.Fatalf("after its end: %v", err)
	}
	if err := f.Remove(); err != nil {
		t.Error(err)
	}
}

func TestPIDFileFollowsNoLink(t *testing.T) {
	dir := t.TempDir()
	target := filepath.Join(dir, "target")
	if err := os.WriteFile(target, []byte("precious"), 0o600); err != nil {
		t.Fatal(err)
	}
	link := filepath.Join(dir, "x.pid")
	if err := os.Symlink(target, link); err != nil {
		t.Fatal(err)
	}
	if _, err := lockPIDFile(link); err == nil {
		t.Error("no error")
	}
	if b, _ := os.ReadFile(target); string(b) != "precious" {
		t.Errorf("the target: %q", b)
	}
}

func TestPIDFileOfSuccessorStays(t *testing.T) {
	path := filepath.Join(t.TempDir(), "x.pid")
	old, err := lockPIDFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
	next, err := lockPIDFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if err := old.Remove(); err != nil {
		t.Error(err)
	}
	if _, err := os.Stat(path); err != nil {
		t.Errorf("the successor's file: %v", err)
	}
	if err := next.Remove(); err != nil {
		t.Error(err)
	}
}

// listenNotify is a service manager's socket.
func listenNotify(t *testing.T, name string) *net.UnixConn {
	t.Helper()
	c, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: name, Net: "unixgram"})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	if err := c.SetReadDeadline(time.Now().Add(time.Minute)); err != nil {
		t.Fatal(err)
	}
	return c
}

func receive(t *testing.T, c *net.UnixConn) string {
	t.Helper()
	b := make([]byte, 1024)
	n, err := c.Read(b)
	if err != nil {
		t.Fatal(err)
	}
	return string(b[:n])
}

func TestNotifier(t *testing.T) {
	for _, name := range []string{filepath.Join(t.TempDir(), "notify"), "@tandem-test-" + strconv.Itoa(os.Getpid())} {
		c := listenNotify(t, name)
		n := NewNotifier(func(k string) string { return map[string]string{"NOTIFY_SOCKET": name}[k] })
		if err := n.Ready("two\nlines"); err != nil {
			t.Fatal(err)
		}
		if got, want := receive(t, c), fmt.Sprintf("READY=1\nMAINPID=%d\nSTATUS=two lines", os.Getpid()); got != want {
			t.Errorf("%q, want %q", got, want)
		}
		var before, after unix.Timespec
		_ = unix.ClockGettime(unix.CLOCK_MONOTONIC, &before)
		if err := n.Reloading(); err != nil {
			t.Fatal(err)
		}
		_ = unix.ClockGettime(unix.CLOCK_MONOTONIC, &after)
		var at int64
		if got := receive(t, c); !strings.HasPrefix(got, "RELOADING=1\n") {
			t.Errorf("%q", got)
		} else if _, err := fmt.Sscanf(strings.Split(got, "\n")[1], "MONOTONIC_USEC=%d", &at); err != nil || at < before.Nano()/1000 || at > after.Nano()/1000 {
			t.Errorf("%q is not between %d and %d", got, before.Nano()/1000, after.Nano()/1000)
		}
		if err := n.Stopping(); err != nil {
			t.Fatal(err)
		}
		if got := receive(t, c); !strings.HasPrefix(got, "STOPPING=1\n") {
			t.Errorf("%q", got)
		}
	}
}

// TestWatchdog is told of as long as the daemon answers, and not after that.
func TestWatchdog(t *testing.T) {
	env := map[string]string{"WATCHDOG_USEC": "20000", "NOTIFY_SOCKET": filepath.Join(t.TempDir(), "notify")}
	getenv := func(k string) string { return env[k] }
	interval := WatchdogInterval(getenv)
	if interval != 20*time.Millisecond {
		t.Fatalf("interval %v, want 20ms", interval)
	}
	c := listenNotify(t, env["NOTIFY_SOCKET"])
	ctx, cancel := context.WithCancel(t.Context())
	well := make(chan bool)
	done := make(chan error, 1)
	go func() {
		done <- NewNotifier(getenv).Watch(ctx, interval, func(limit context.Context) bool {
			select {
			case ok := <-well:
				return ok
			case <-limit.Done():
				return false
			}
		})
	}()
	for range 3 {
		well <- true
		if got := receive(t, c); got != "WATCHDOG=1" {
			t.Errorf("told %q", got)
		}
	}
	well <- false
	well <- false
	cancel()
	if err := <-done; err != nil {
		t.Error(err)
	}
	// What was sent is there already; a deadline that has passed would hide it.
	if err := c.SetReadDeadline(time.Now().Add(100 * time.Millisecond)); err != nil {
		t.Fatal(err)
	}
	if n, err := c.Read(make([]byte, 64)); err == nil {
		t.Errorf("told of life (%d bytes) by a daemon that does not answer", n)
	}
	env["WATCHDOG_PID"] = strconv.Itoa(os.Getpid() + 1)
	if got := WatchdogInterval(getenv); got != 0 {
		t.Errorf("interval %v of another process's watchdog", got)
	}
}

func TestNotifierWithoutManager(t *testing.T) {
	for _, address := range []string{"", "relative", "vsock:2:1234"} {
		n := NewNotifier(func(string) string { return address })
		if err := n.Ready("x"); err != nil {
			t.Errorf("%q: %v", address, err)
		}
	}
	n := NewNotifier(func(string) string { return filepath.Join(t.TempDir(), "gone") })
	if err := n.Ready("x"); err == nil {
		t.Error("no error for a socket that is not there")
	}
}

func TestEnterNamespaceRefusesPaths(t *testing.T) {
	for _, name := range []string{"", ".", "..", "a/b", "no-such-namespace"} {
		if err := EnterNamespace(name); err == nil || !strings.Contains(err.Error(), strconv.Quote(name)) {
			t.Errorf("%q: %v", name, err)
		}
	}
}

func TestEnterNamespace(t *testing.T) {
	name := "tandem-daemon-" + strconv.Itoa(os.Getpid())
	if out, err := exec.Command("ip", "netns", "add", name).CombinedOutput(); err != nil {
		t.Fatalf("this test needs root: ip netns add: %v: %s", err, out)
	}
	defer func() {
		if out, err := exec.Command("ip", "netns", "del", name).CombinedOutput(); err != nil {
			t.Errorf("ip netns del: %v: %s", err, out)
		}
	}()
	var there unix.Stat_t
	if err := unix.Stat(filepath.Join(namespaceFolder, name), &there); err != nil {
		t.Fatal(err)
	}
	out, err := as(t, "enter "+name).Output()
	want := fmt.Sprintf("net:[%d]", there.Ino)
	if err != nil || string(out) != want+" "+want {
		t.Errorf("the process is in %q, want %s (%v)", out, want, err)
	}
}
