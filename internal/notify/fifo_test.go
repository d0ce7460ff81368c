package notify

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/hashicorp/go-hclog"
	"golang.org/x/sys/unix"

	"github.com/tandem-ha/tandem/config"
	"github.com/tandem-ha/tandem/health"
	"github.com/tandem-ha/tandem/internal/script"
)

// logs is a log that goroutines may write to at once.
type logs struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *logs) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func (l *logs) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}

func (l *logs) logger() hclog.Logger {
	return hclog.New(&hclog.LoggerOptions{Output: l, DisableTime: true})
}

func soon(t *testing.T) context.Context {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	t.Cleanup(cancel)
	return ctx
}

// until waits for a condition.
func until(t *testing.T, what string, condition func() bool) {
	t.Helper()
	for end := time.Now().Add(time.Minute); !condition(); {
		if time.Now().After(end) {
			t.Fatalf("not within a minute: %s", what)
		}
		time.Sleep(2 * time.Millisecond)
	}
}

func openTest(t *testing.T, conf FIFOConfig, l *logs) *FIFO {
	t.Helper()
	conf.UID, conf.GID = -1, -1
	f, err := openFIFO(conf, new(script.Runner).RunEnv, l.logger())
	if err != nil {
		t.Fatal(err)
	}
	return f
}

func TestFIFOWritesWholeLinesInOrder(t *testing.T) {
	path := filepath.Join(t.TempDir(), "fifo")
	f := openTest(t, FIFOConfig{Path: path}, &logs{})
	info, err := os.Stat(path)
	if err != nil || info.Mode()&fs.ModeNamedPipe == 0 {
		t.Fatalf("%v, error %v", info, err)
	}
	for i := range 5 {
		f.Write(fmt.Sprintf("line %d\n", i))
	}
	r, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	lines := bufio.NewScanner(r)
	for i := 0; i < 5 && lines.Scan(); i++ {
		if want := fmt.Sprintf("line %d", i); lines.Text() != want {
			t.Errorf("%q, want %q", lines.Text(), want)
		}
	}
	if err := f.Close(soon(t)); err != nil {
		t.Error(err)
	}
	if lines.Scan() {
		t.Errorf("after the end comes %q", lines.Text())
	}
	if _, err := os.Lstat(path); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("the pipe is left behind: %v", err)
	}
	if s := f.Status(); s.Written != 5 || s.Dropped != 0 {
		t.Errorf("%+v", s)
	}
	f.Write("too late\n")
}

// Nobody who writes waits for a reader, and what is lost is the oldest, counted
// and told.
func TestFIFOThatNobodyReads(t *testing.T) {
	path := filepath.Join(t.TempDir(), "fifo")
	var l logs
	f := openTest(t, FIFOConfig{Path: path}, &l)
	n := uint64(0)
	line := func(i uint64) string { return fmt.Sprintf("line %05d of those that nobody reads", i) }
	begin := time.Now()
	// More than the pipe and the queue hold together.
	for ; n < 10000; n++ {
		f.Write(line(n) + "\n")
	}
	if took := time.Since(begin); took > 30*time.Second {
		t.Errorf("%d lines took %v", n, took)
	}
	// Some may have waited for their turn to be written, and not for the pipe.
	until(t, "pipe and queue are full", func() bool {
		for ; f.Status().Waiting < fifoQueue; n++ {
			f.Write(line(n) + "\n")
		}
		s := f.Status()
		return s.Dropped > 0 && s.Waiting == fifoQueue
	})
	if !strings.Contains(l.String(), "nobody reads a notify FIFO, dropping the oldest lines") {
		t.Errorf("logged %s", &l)
	}
	r, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	lines := bufio.NewScanner(r)
	last, read := "", uint64(0)
	for last != line(n-1) && lines.Scan() {
		if lines.Text() <= last {
			t.Fatalf("%q comes after %q", lines.Text(), last)
		}
		last = lines.Text()
		read++
	}
	s := f.Status()
	if read+s.Dropped != n {
		t.Errorf("%d were read, %d dropped, of %d", read, s.Dropped, n)
	}
	if !strings.Contains(l.String(), "a notify FIFO is read again") {
		t.Errorf("logged %s", &l)
	}
	if err := f.Close(soon(t)); err != nil {
		t.Error(err)
	}
}

// A pipe that is full at the end is given up in time.
func TestFIFOCloseIsBounded(t *testing.T) {
	f := openTest(t, FIFOConfig{Path: filepath.Join(t.TempDir(), "fifo")}, &logs{})
	for range 5000 {
		f.Write("a line that makes the pipe as full as a pipe can become\n")
	}
	ctx, cancel := context.WithTimeout(context.Background(), 50*time.Millisecond)
	defer cancel()
	begin := time.Now()
	if err := f.Close(ctx); err != nil {
		t.Error(err)
	}
	if took := time.Since(begin); took > 30*time.Second {
		t.Errorf("it took %v", took)
	}
}

func TestFIFORefusesWhatIsNotItsOwn(t *testing.T) {
	dir := t.TempDir()
	file := filepath.Join(dir, "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	pipe, link := filepath.Join(dir, "pipe"), filepath.Join(dir, "link")
	if err := unix.Mkfifo(pipe, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(pipe, link); err != nil {
		t.Fatal(err)
	}
	for path, want := range map[string]string{
		file: "which is no pipe", link: "symbolic link", filepath.Join(dir, "none", "x"): "no such file",
	} {
		_, err := openFIFO(FIFOConfig{Path: path, UID: -1, GID: -1}, nil, hclog.NewNullLogger())
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v", path, err)
		}
	}
	// One that is there already is used, and left there.
	f := openTest(t, FIFOConfig{Path: pipe}, &logs{})
	if err := f.Close(soon(t)); err != nil {
		t.Error(err)
	}
	if _, err := os.Lstat(pipe); err != nil {
		t.Errorf("the pipe is gone: %v", err)
	}
}

func TestFIFOReaderIsKeptRunningAndReadsToTheEnd(t *testing.T) {
	dir := t.TempDir()
	out := filepath.Join(dir, "out")
	var l logs
	f := openTest(t, FIFOConfig{
		Path: filepath.Join(dir, "fifo"),
		Reader: &health.Script{UID: -1, GID: -1,
			Args: []string{"/bin/sh", "-c", `exec < "$1"; read line; echo "$line" >> ` + out + `; [ "$line" = "first" ] || exec cat >> ` + out, "sh"}},
	}, &l)
	f.Write("first\n")
	until(t, "the reader has ended", func() bool { return strings.Contains(l.String(), "has ended, starting it again") })
	f.Write("second\n")
	until(t, "the next reader reads", func() bool {
		b, err := os.ReadFile(out)
		return err == nil && strings.Contains(string(b), "second")
	})
	f.Write("third\n")
	if err := f.Close(soon(t)); err != nil {
		t.Error(err)
	}
	if b, err := os.ReadFile(out); err != nil || string(b) != "first\nsecond\nthird\n" {
		t.Errorf("%q, error %v", b, err)
	}
}

func TestFIFOSetKeepsWhatStays(t *testing.T) {
	dir := t.TempDir()
	s := NewFIFOSet(new(script.Runner).RunEnv, hclog.NewNullLogger())
	resolver := FIFOResolver{
		User: func(u config.User) (int, int, error) {
			if u.Name != "me" {
				return 0, 0, errors.New("user " + u.Name + " does not exist")
			}
			return os.Geteuid(), os.Getegid(), nil
		},
		Script: func(config.Command) (health.Script, error) { return health.Script{}, errors.New("no script") },
	}
	at := func(name string) *config.FIFO { return &config.FIFO{Path: filepath.Join(dir, name)} }
	apply := func(f config.FIFOs) []error {
		conf, errs := resolver.FIFOConfigs(f)
		return append(errs, s.Apply(soon(t), conf)...)
	}
	if errs := apply(config.FIFOs{All: at("all"), VRRP: at("vrrp"), LVS: at("all")}); errs != nil {
		t.Fatal(errs)
	}
	s.Write(TopicVRRP, "v\n")
	s.Write(TopicLVS, "l\n")
	s.Write(TopicLVS, "")
	written := func() map[string]uint64 {
		m := map[string]uint64{}
		for _, st := range s.Status() {
			m[filepath.Base(st.Path)] = st.Written
		}
		return m
	}
	// The pipe of notify_fifo takes the place of another of the same name.
	until(t, "three lines are written", func() bool { m := written(); return len(m) == 2 && m["all"] == 2 && m["vrrp"] == 1 })
	bad := at("lvs")
	bad.User.Name = "nobody-here"
	reader := at("all")
	reader.Script = &config.Command{Args: []string{"/none"}}
	if errs := apply(config.FIFOs{All: reader, LVS: bad}); len(errs) != 2 {
		t.Errorf("errors %v", errs)
	}
	if m := written(); len(m) != 1 || m["all"] != 2 {
		t.Errorf("what stays was opened anew, or what goes is there: %v", m)
	}
	if err := s.Close(soon(t)); err != nil {
		t.Error(err)
	}
	if left, err := os.ReadDir(dir); err != nil || len(left) != 0 {
		t.Errorf("left behind: %v, error %v", left, err)
	}
}
