package daemon

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"os/signal"
	"strconv"
	"sync"
	"syscall"

	"golang.org/x/sys/unix"
)

// detachedEnv tells a process that it is the background one, and the number of
// the descriptor on which its starter waits.
const detachedEnv = "TANDEM_DETACHED_FD"

// report is what the background process says to its starter, once.
type report struct {
	// Exit is the starter's exit status.
	Exit int `json:"exit"`
	// Text, if any, is for the starter's standard error.
	Text string `json:"text,omitempty"`
}

// Detach starts this program again in the background with the same arguments
// (args without the program's name): in a session of its own, its standard
// streams on /dev/null. It waits until that process has called Ready or Fail,
// or has ended, copies what it has to say to stderr, and returns the exit
// status for this process. An interrupt while it waits ends the background
// process.
//
// A Go program cannot fork without exec; this is the same seen from outside,
// and better in one way: the starter's status says whether the daemon runs.
func Detach(args []string, stderr io.Writer) (int, error) {
	self, err := os.Executable()
	if err != nil {
		return 0, fmt.Errorf("go to the background: %w", err)
	}
	r, w, err := os.Pipe()
	if err != nil {
		return 0, fmt.Errorf("go to the background: %w", err)
	}
	defer r.Close()
	cmd := exec.Command(self, args...)
	cmd.Args[0] = os.Args[0]
	cmd.ExtraFiles = []*os.File{w}
	cmd.Env = append(os.Environ(), detachedEnv+"=3")
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	err = cmd.Start()
	w.Close()
	if err != nil {
		return 0, fmt.Errorf("go to the background: %w", err)
	}
	stop := forward(cmd.Process)
	defer stop()
	var said report
	if err := json.NewDecoder(r).Decode(&said); err != nil {
		return ended(cmd), nil
	}
	if said.Text != "" {
		fmt.Fprintln(stderr, said.Text)
	}
	if said.Exit != 0 {
		// It is on its way out; leave no zombie to whoever started us.
		_ = cmd.Wait()
	}
	return said.Exit, nil
}

// forward passes an interrupt or a termination on to p until stop is called.
func forward(p *os.Process) (stop func()) {
	sig := make(chan os.Signal, 1)
	signal.Notify(sig, unix.SIGINT, unix.SIGTERM)
	done := make(chan struct{})
	go func() {
		select {
		case s := <-sig:
			_ = p.Signal(s)
		case <-done:
		}
	}()
	return func() {
		signal.Stop(sig)
		close(done)
	}
}

// ended waits for a process that ended without a report and gives its exit
// status; 128 and the signal's number where a signal ended it.
func ended(cmd *exec.Cmd) int {
	err := cmd.Wait()
	failure, ok := errors.AsType[*exec.ExitError](err)
	if !ok {
		// It said nothing and succeeded: the daemon is not there all the same.
		return 1
	}
	if status, ok := failure.Sys().(syscall.WaitStatus); ok && status.Signaled() {
		return 128 + int(status.Signal())
	}
	return failure.ExitCode()
}

// Detached is the background process's end of Detach. A nil Detached is a
// process in the foreground, whose reports go nowhere.
type Detached struct {
	once sync.Once
	file *os.File
}

// Inherited returns the connection to the process that started this one with
// Detach, or nil where none did. It is to be called once, early: it takes the
// mark out of the environment, which scripts inherit.
func Inherited() (*Detached, error) {
	text, ok := os.LookupEnv(detachedEnv)
	if !ok {
		return nil, nil
	}
	if err := os.Unsetenv(detachedEnv); err != nil {
		return nil, fmt.Errorf("background process: %w", err)
	}
	fd, err := strconv.Atoi(text)
	if err != nil || fd < 3 {
		return nil, fmt.Errorf("background process: %s is %q, which is no descriptor", detachedEnv, text)
	}
	unix.CloseOnExec(fd)
	return &Detached{file: os.NewFile(uintptr(fd), "starter")}, nil
}

// Ready lets the starter return with status 0. Only the first of Ready and
// Fail counts.
func (d *Detached) Ready() { d.say(report{}) }

// Fail lets the starter print text and return with the exit status, which the
// caller is to end with as well.
func (d *Detached) Fail(exit int, text string) { d.say(report{Exit: exit, Text: text}) }

func (d *Detached) say(r report) {
	if d == nil {
		return
	}
	d.once.Do(func() {
		defer d.file.Close()
		// A starter that was killed does not hear it; the daemon goes on.
		_ = json.NewEncoder(d.file).Encode(r)
	})
}
