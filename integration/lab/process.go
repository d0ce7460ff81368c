package lab

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// Process is a program that runs on a host.
type Process struct {
	cmd  *exec.Cmd
	log  *os.File
	done chan struct{}
	err  error
}

// Start starts a program on the host; what it writes goes to the file log. The
// program is a child of this process, whose id is its own.
func (h *Host) Start(log string, env []string, args ...string) (*Process, error) {
	return h.StartOutside(log, env, append([]string{"ip", "netns", "exec", h.ns.name}, args...)...)
}

// StartOutside is Start without the host's namespace: the program starts in that of
// this process, and goes to the host by itself.
func (h *Host) StartOutside(log string, env []string, args ...string) (*Process, error) {
	f, err := os.OpenFile(log, os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o644)
	if err != nil {
		return nil, err
	}
	c := exec.Command(args[0], args[1:]...)
	c.Stdout, c.Stderr = f, f
	c.Env = append(os.Environ(), env...)
	if err := c.Start(); err != nil {
		_ = f.Close()
		return nil, fmt.Errorf("start %s on %s: %w", args[0], h.Name, err)
	}
	p := &Process{cmd: c, log: f, done: make(chan struct{})}
	go func() {
		p.err = c.Wait()
		_ = f.Close()
		close(p.done)
	}()
	h.mu.Lock()
	h.procs = append(h.procs, p)
	h.mu.Unlock()
	return p, nil
}

// PID is the process's id.
func (p *Process) PID() int { return p.cmd.Process.Pid }

// Running is whether the process has not ended.
func (p *Process) Running() bool {
	select {
	case <-p.done:
		return false
	default:
		return true
	}
}

// Signal sends a signal to the process alone.
func (p *Process) Signal(s syscall.Signal) error {
	if err := p.cmd.Process.Signal(s); err != nil {
		return fmt.Errorf("signal %v: %w", s, err)
	}
	return nil
}

// Kill ends the process and all that it started, without warning, and waits
// until they have gone.
func (p *Process) Kill() {
	if !p.Running() {
		return
	}
	// Its children first: a parent that is still there would start them again,
	// and one that has gone would have them end in good order.
	family := descendants(p.PID())
	for _, pid := range family {
		_ = syscall.Kill(pid, syscall.SIGSTOP)
	}
	for _, pid := range family {
		end := ending(pid)
		defer end()
		_ = syscall.Kill(pid, syscall.SIGKILL)
	}
	<-p.done
}

// ending returns a function that waits until a process which is about to end has:
// its sockets are closed then, which may be some time after the signal.
func ending(pid int) func() {
	fd, err := unix.PidfdOpen(pid, 0)
	if err != nil {
		return func() {} // it has gone
	}
	return func() {
		defer func() { _ = unix.Close(fd) }()
		for {
			if _, err := unix.Poll([]unix.PollFd{{Fd: int32(fd), Events: unix.POLLIN}}, 30_000); !errors.Is(err, unix.EINTR) {
				return
			}
		}
	}
}

// Wait waits until the process has ended and returns its exit status, -1 where
// a signal ended it.
func (p *Process) Wait(ctx context.Context) (int, error) {
	select {
	case <-p.done:
	case <-ctx.Done():
		return 0, fmt.Errorf("process %d did not end: %w", p.PID(), ctx.Err())
	}
	var exit *exec.ExitError
	if p.err != nil && !errors.As(p.err, &exit) {
		return 0, p.err
	}
	return p.cmd.ProcessState.ExitCode(), nil
}

// Open are the paths of what the process and all below it have open.
func (p *Process) Open() []string {
	var out []string
	for _, pid := range descendants(p.PID()) {
		files, err := filepath.Glob(fmt.Sprintf("/proc/%d/fd/*", pid))
		if err != nil {
			continue
		}
		for _, f := range files {
			if path, err := os.Readlink(f); err == nil {
				out = append(out, path)
			}
		}
	}
	return out
}

// Family is how many processes there are: this one, while it runs, and all below it.
func (p *Process) Family() int {
	if !p.Running() {
		return 0
	}
	return len(descendants(p.PID()))
}

// descendants returns a process and all below it.
func descendants(pid int) []int {
	out := []int{pid}
	for i := 0; i < len(out); i++ {
		files, err := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/children", out[i]))
		if err != nil {
			continue
		}
		for _, f := range files {
			b, err := os.ReadFile(f)
			if err != nil {
				continue
			}
			for w := range strings.FieldsSeq(string(b)) {
				if child, err := strconv.Atoi(w); err == nil {
					out = append(out, child)
				}
			}
		}
	}
	return out
}

// WriteProgram writes a file that is to be executed. A process that is forked
// meanwhile would have it open for writing until it executes its own program, and
// who has such a file executed is told that it is busy.
func WriteProgram(path string, content []byte, mode os.FileMode) error {
	syscall.ForkLock.RLock()
	defer syscall.ForkLock.RUnlock()
	return os.WriteFile(path, content, mode)
}

// WaitLog waits until the file contains the text after its first skip bytes.
func WaitLog(ctx context.Context, file, text string, skip int) error {
	for {
		b, err := os.ReadFile(file)
		if err == nil && len(b) >= skip && bytes.Contains(b[skip:], []byte(text)) {
			return nil
		}
		if err := Poll(ctx, 20*time.Millisecond); err != nil {
			return fmt.Errorf("%s did not say %q: %w", filepath.Base(file), text, err)
		}
	}
}

// Poll waits one step of a loop that looks for something which nobody reports.
func Poll(ctx context.Context, step time.Duration) error {
	t := time.NewTimer(step)
	defer t.Stop()
	select {
	case <-t.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
