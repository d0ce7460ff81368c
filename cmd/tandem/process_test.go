package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/tandem-ha/tandem/internal/control"
)

// fakeEnv makes the test binary the program itself, with the fake agent.
const fakeEnv = "TANDEM_TEST_FAKE"

func TestMain(m *testing.M) {
	if os.Getenv(fakeEnv) == "" {
		os.Exit(m.Run())
	}
	p := &program{name: "tandem", stdout: os.Stdout, stderr: os.Stderr, getenv: os.Getenv, now: time.Now, newAgent: newFakeAgent, terminal: isTerminal, patience: time.Minute}
	os.Exit(p.main(os.Args[1:]))
}

// node is a place for one daemon.
type node struct {
	t    *testing.T
	dir  string
	args []string
	env  []string
}

func newNode(t *testing.T, conf string) *node {
	t.Helper()
	dir := t.TempDir()
	n := &node{t: t, dir: dir, args: []string{"-G", "-f", filepath.Join(dir, "keepalived.conf"), "--run-dir", dir, "--state-dir", dir}}
	for option, name := range map[string]string{"-p": "parent.pid", "-r": "vrrp.pid", "-c": "check.pid", "-b": "bfd.pid"} {
		n.args = append(n.args, option, filepath.Join(dir, name))
	}
	n.env = append(os.Environ(), fakeEnv+"=1", "TMPDIR="+dir, "TANDEM_SOCKET=", "NOTIFY_SOCKET=")
	n.configure(conf)
	return n
}

func (n *node) configure(conf string) {
	n.t.Helper()
	if err := os.WriteFile(n.path("keepalived.conf"), []byte(conf), 0o600); err != nil {
		n.t.Fatal(err)
	}
}

func (n *node) path(name string) string { return filepath.Join(n.dir, name) }

func (n *node) command(args ...string) *exec.Cmd {
	self, err := os.Executable()
	if err != nil {
		n.t.Fatal(err)
	}
	c := exec.Command(self, append(args, n.args...)...)
	c.Env = n.env
	return c
}

// running is a daemon in the foreground.
type running struct {
	*node
	cmd    *exec.Cmd
	stderr *os.File
	done   chan error
}

// start starts a daemon in the foreground and waits until it is ready.
func (n *node) start(args ...string) *running {
	n.t.Helper()
	log, err := os.Create(n.path("log"))
	if err != nil {
		n.t.Fatal(err)
	}
	c := n.command(append([]string{"-n", "-l"}, args...)...)
	c.Stderr = log
	if err := c.Start(); err != nil {
		n.t.Fatal(err)
	}
	r := &running{node: n, cmd: c, stderr: log, done: make(chan error, 1)}
	go func() { r.done <- c.Wait() }()
	n.t.Cleanup(func() {
		if err := c.Process.Kill(); err == nil {
			<-r.done
		}
	})
	n.ready()
	return r
}

func (n *node) ready() {
	n.t.Helper()
	n.wait("the agent to answer", func() bool {
		_, err := control.NewClient(n.path("tandem.sock")).Status(context.Background())
		return err == nil
	})
}

func (n *node) wait(what string, cond func() bool) {
	n.t.Helper()
	for limit := time.Now().Add(time.Minute); !cond(); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(limit) {
			log, _ := os.ReadFile(n.path("log"))
			n.t.Fatalf("waited in vain for %s; the log:\n%s", what, log)
		}
	}
}

func (n *node) contains(name, text string) func() bool {
	return func() bool {
		b, _ := os.ReadFile(n.path(name))
		return strings.Contains(string(b), text)
	}
}

func (r *running) signal(s syscall.Signal) {
	r.t.Helper()
	if err := r.cmd.Process.Signal(s); err != nil {
		r.t.Fatal(err)
	}
}

// ended waits for the end and returns the exit status.
func (r *running) ended() int {
	r.t.Helper()
	select {
	case err := <-r.done:
		r.done <- err
		if failure, ok := errors.AsType[*exec.ExitError](err); ok {
			return failure.ExitCode()
		}
		if err != nil {
			r.t.Fatal(err)
		}
		return 0
	case <-time.After(time.Minute):
		log, _ := os.ReadFile(r.path("log"))
		r.t.Fatalf("it does not end; the log:\n%s", log)
		return -1
	}
}

// leftOver are the files of a daemon that ought to be gone after its end.
func (n *node) leftOver() []string {
	var left []string
	for _, name := range []string{"parent.pid", "vrrp.pid", "check.pid", "bfd.pid", "tandem.sock"} {
		if _, err := os.Lstat(n.path(name)); !errors.Is(err, fs.ErrNotExist) {
			left = append(left, name)
		}
	}
	return left
}

func TestForeground(t *testing.T) {
	n := newNode(t, "bfd_instance B1 {\n neighbor_ip 192.0.2.9\n}\n")
	r := n.start()
	for _, name := range []string{"parent.pid", "vrrp.pid", "check.pid", "bfd.pid"} {
		if b, err := os.ReadFile(n.path(name)); err != nil || string(b) != fmt.Sprintln(r.cmd.Process.Pid) {
			t.Errorf("%s: %q, %v", name, b, err)
		}
	}
	if status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", r.cmd.Process.Pid)); err != nil || !strings.Contains(string(status), "Umask:\t0177\n") {
		t.Errorf("the umask is not keepalived's: %v", err)
	}

	// A second one says so, harms nothing, and ends as keepalived does.
	second := n.command("-n")
	var stderr bytes.Buffer
	second.Stderr = &stderr
	if err := second.Run(); err != nil || !strings.Contains(stderr.String(), "daemon is already running") {
		t.Errorf("a second start: %v %q", err, stderr.String())
	}
	n.ready()

	r.signal(unix.SIGPIPE)
	r.signal(unix.SIGHUP)
	n.wait("the reload", n.contains("diary", "reload\n"))
	r.signal(unix.SIGTERM)
	if status := r.ended(); status != 0 {
		t.Errorf("exit status %d", status)
	}
	if left := n.leftOver(); len(left) > 0 {
		t.Errorf("left behind: %v", left)
	}
	log, _ := os.ReadFile(n.path("log"))
	for _, want := range []string{"Starting tandem", "Command line: '", "Configuration file " + n.path("keepalived.conf"), "Reloading ...", "Stopped tandem"} {
		if !strings.Contains(string(log), want) {
			t.Errorf("%q is not in the log:\n%s", want, log)
		}
	}
}

func TestBadReloadIsLogged(t *testing.T) {
	n := newNode(t, "")
	r := n.start()
	n.configure("bad")
	r.signal(unix.SIGHUP)
	n.wait("the diagnostic", n.contains("log", "("+n.path("keepalived.conf")+": Line 1) it is bad"))
	n.ready()
	r.signal(unix.SIGINT)
	if status := r.ended(); status != 0 {
		t.Errorf("exit status %d", status)
	}
}

func TestSecondSignalStopsAtOnce(t *testing.T) {
	n := newNode(t, "slow")
	r := n.start()
	r.signal(unix.SIGTERM)
	n.wait("the stop to begin", n.contains("diary", "stopping\n"))
	r.signal(unix.SIGINT)
	if status := r.ended(); status != 0 || !n.contains("diary", "at once\n")() {
		t.Errorf("exit status %d", status)
	}
}

func TestIgnoreSigint(t *testing.T) {
	n := newNode(t, "")
	r := n.start("--ignore-sigint")
	r.signal(unix.SIGINT)
	// The reload is behind the interrupt: when it is done the other was ignored.
	r.signal(unix.SIGHUP)
	n.wait("the reload", n.contains("diary", "reload\n"))
	if n.contains("diary", "stopping")() {
		t.Error("it stops on SIGINT")
	}
	r.signal(unix.SIGTERM)
	r.ended()
}

func TestDumpSignals(t *testing.T) {
	n := newNode(t, "")
	r := n.start("-u", "022")
	for _, tc := range []struct {
		signal syscall.Signal
		file   string
		text   string
		mode   fs.FileMode
	}{
		{unix.SIGUSR1, "keepalived_parent.data", "------< Global definitions >------", 0o644},
		{unix.SIGUSR1, "keepalived.data", " VRRP Instance = VI_1", 0o644},
		{unix.SIGUSR2, "keepalived.stats", "    Sent: 5\n", 0o644},
		{signalJSON, "keepalived.json", `"advert_sent":5`, 0o600},
		{signalStatsClear, "keepalived.stats", "    Sent: 5\n", 0o644},
		// After the clearing the same counts are zero.
		{unix.SIGUSR2, "keepalived.stats", "    Sent: 0\n", 0o644},
		{signalJSON, "keepalived.json", `"advert_sent":0`, 0o600},
	} {
		if err := os.Remove(n.path(tc.file)); err != nil && !errors.Is(err, fs.ErrNotExist) {
			t.Fatal(err)
		}
		r.signal(tc.signal)
		n.wait(tc.file, n.contains(tc.file, tc.text))
		if info, err := os.Stat(n.path(tc.file)); err != nil || info.Mode() != tc.mode {
			t.Errorf("%s: mode %v, %v", tc.file, info.Mode(), err)
		}
	}
	r.signal(unix.SIGTERM)
	r.ended()
}

func TestServiceManager(t *testing.T) {
	n := newNode(t, "")
	c, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: n.path("notify"), Net: "unixgram"})
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	n.env = append(n.env, "NOTIFY_SOCKET="+n.path("notify"))
	expect := func(begin string) {
		t.Helper()
		b := make([]byte, 1024)
		if err := c.SetReadDeadline(time.Now().Add(time.Minute)); err != nil {
			t.Fatal(err)
		}
		size, err := c.Read(b)
		if err != nil || !strings.HasPrefix(string(b[:size]), begin) {
			t.Errorf("%q, %v; want %q", b[:size], err, begin)
		}
	}
	r := n.start()
	expect(fmt.Sprintf("READY=1\nMAINPID=%d\n", r.cmd.Process.Pid))
	r.signal(unix.SIGHUP)
	expect("RELOADING=1\nMONOTONIC_USEC=")
	expect("READY=1\n")
	r.signal(unix.SIGTERM)
	expect("STOPPING=1\n")
	r.ended()
}

func TestBackground(t *testing.T) {
	n := newNode(t, "")
	c := n.command()
	var stderr bytes.Buffer
	c.Stderr = &stderr
	if err := c.Run(); err != nil {
		t.Fatalf("%v: %s", err, stderr.String())
	}
	// It is ready when the starter returns: no waiting here.
	s, err := control.NewClient(n.path("tandem.sock")).Status(context.Background())
	if err != nil {
		t.Fatal(err)
	}
	defer unix.Kill(s.PID, unix.SIGKILL)
	b, _ := os.ReadFile(n.path("parent.pid"))
	if strings.TrimSpace(string(b)) != strconv.Itoa(s.PID) || s.PID == c.Process.Pid {
		t.Errorf("pid file %q, the daemon is %d, its starter was %d", b, s.PID, c.Process.Pid)
	}
	if cwd, err := os.Readlink(fmt.Sprintf("/proc/%d/cwd", s.PID)); err != nil || cwd != "/" {
		t.Errorf("its folder is %s, %v", cwd, err)
	}
	second := n.command()
	if out, err := second.CombinedOutput(); err != nil || !strings.Contains(string(out), "daemon is already running") {
		t.Errorf("a second start: %v %s", err, out)
	}
	if err := unix.Kill(s.PID, unix.SIGTERM); err != nil {
		t.Fatal(err)
	}
	n.wait("the end", func() bool { return len(n.leftOver()) == 0 && ended(s.PID) })
}

// ended is whether a process that is nobody's child here runs no longer.
func ended(pid int) bool {
	b, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	return err != nil || strings.Contains(string(b), ") Z ")
}

func TestStartFailures(t *testing.T) {
	for _, tc := range []struct {
		name   string
		change func(*node)
		status int
		text   string
	}{
		{"bad configuration", func(n *node) { n.configure("bad") }, exitConfig, "it is bad"},
		{"no configuration", func(n *node) { os.Remove(n.path("keepalived.conf")) }, exitNoConfigFile, "no such file"},
		{"pid file in no folder", func(n *node) { n.args = append(n.args, "-p", "/nonexistent/x.pid") }, exitFatal, "/nonexistent/x.pid"},
		{"no such namespace", func(n *node) { n.args = append(n.args, "-s", "no-such-namespace") }, exitFatal, "no-such-namespace"},
	} {
		for _, style := range []string{"-n", "-D"} {
			n := newNode(t, "")
			tc.change(n)
			c := n.command(style)
			var stderr bytes.Buffer
			c.Stderr = &stderr
			err := c.Run()
			failure, ok := errors.AsType[*exec.ExitError](err)
			if !ok || failure.ExitCode() != tc.status || !strings.Contains(stderr.String(), tc.text) {
				t.Errorf("%s %s: %v %q", tc.name, style, err, stderr.String())
			}
			if left := n.leftOver(); len(left) > 0 {
				t.Errorf("%s %s: left behind: %v", tc.name, style, left)
			}
		}
	}
}

func TestRunCommand(t *testing.T) {
	n := newNode(t, "")
	c := n.command("run")
	var stderr bytes.Buffer
	c.Stderr = &stderr
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
	n.ready()
	if err := c.Process.Signal(unix.SIGINT); err != nil {
		t.Fatal(err)
	}
	if err := c.Wait(); err != nil || !strings.Contains(stderr.String(), "Starting tandem") {
		t.Errorf("%v: %s", err, stderr.String())
	}
}
