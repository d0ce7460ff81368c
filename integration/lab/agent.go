package lab

import (
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
)

// Agent is one failover agent on a host: keepalived, or whatever takes its
// command line.
type Agent struct {
	*Process
	Host *Host
	// Program is the path of the binary, Dir the folder of its files.
	Program, Dir string
	// Extra are flags after the usual ones.
	Extra []string
	// Env is added to its environment.
	Env []string
}

// NewAgent prepares an agent with a configuration and starts nothing.
func (h *Host) NewAgent(program, conf string, extra ...string) (*Agent, error) {
	dir, err := os.MkdirTemp(h.lab.Dir, h.Name+"-")
	if err != nil {
		return nil, err
	}
	if err := os.Chmod(dir, 0o755); err != nil {
		return nil, err
	}
	a := &Agent{Host: h, Program: program, Dir: dir, Extra: extra}
	run := filepath.Join(h.lab.Fast, filepath.Base(dir))
	a.Env = []string{"TANDEM_RUN=" + run, "TANDEM_STATE=" + dir + "/lib", "TANDEM_SOCKET=" + a.Socket(), "TMPDIR=" + dir}
	return a, a.Write(conf)
}

// Agent prepares an agent and starts it.
func (h *Host) Agent(program, conf string, extra ...string) (*Agent, error) {
	a, err := h.NewAgent(program, conf, extra...)
	if err != nil {
		return nil, err
	}
	return a, a.Start()
}

// Socket is the path of the agent's control socket, where it has one.
func (a *Agent) Socket() string { return filepath.Join(a.Dir, "control.sock") }

// Conf is the path of the agent's configuration.
func (a *Agent) Conf() string { return filepath.Join(a.Dir, "keepalived.conf") }

// LogFile is the path of what the agent wrote, over all its starts.
func (a *Agent) LogFile() string { return filepath.Join(a.Dir, "log") }

// Write replaces the agent's configuration.
func (a *Agent) Write(conf string) error {
	return os.WriteFile(a.Conf(), []byte(conf), 0o644)
}

// Start starts the agent, also once more after it has ended.
func (a *Agent) Start() error { return a.start(a.Host.Start) }

// StartOutside starts the agent in the namespace of this process: how it comes to
// its host is in its configuration or in Extra.
func (a *Agent) StartOutside() error { return a.start(a.Host.StartOutside) }

// AgentNice is the nice value of agents. Nodes share the machine with their peers,
// their clients and whatever else is busy on it, as they do not in the field; what
// a test asserts is what an agent does, and not how long it had to wait for a core.
const AgentNice = -20

// alone is whether this is a virtual machine of integration/vm: nobody in there
// wants a core but the tests, whatever its host is busy with.
func alone() bool { return os.Getenv("TANDEM_VM_OUT") != "" }

// Prefer has this process, which is the clients, the servers and the judge, and
// what it starts wait for a core no longer than it must: agents come before it,
// everything else on the machine after. Without the right to it nothing changes.
func Prefer() {
	tasks, err := os.ReadDir("/proc/self/task")
	if err != nil || alone() {
		return
	}
	for _, task := range tasks {
		if id, err := strconv.Atoi(task.Name()); err == nil {
			_ = syscall.Setpriority(syscall.PRIO_PROCESS, id, AgentNice/2)
		}
	}
}

func (a *Agent) start(start func(log string, env []string, args ...string) (*Process, error)) error {
	args := append([]string{
		a.Program, "-n", "-l", "-D", "-f", a.Conf(),
		"-p", a.Dir + "/pid", "-r", a.Dir + "/vrrp.pid", "-c", a.Dir + "/checkers.pid", "-b", a.Dir + "/bfd.pid",
	}, a.Extra...)
	if !alone() {
		args = append([]string{"nice", "-n", strconv.Itoa(AgentNice)}, args...)
	}
	p, err := start(a.LogFile(), a.Env, args...)
	if err != nil {
		return err
	}
	a.Process = p
	return nil
}

// Stop ends the agent with SIGTERM and waits until it has gone; one that does
// not go by itself is killed, and that is an error.
func (a *Agent) Stop(limit time.Duration) error {
	if a.Process == nil || !a.Running() {
		return nil
	}
	if err := a.Signal(syscall.SIGTERM); err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(context.Background(), limit)
	defer cancel()
	if _, err := a.Wait(ctx); err != nil {
		a.Kill()
		return fmt.Errorf("%s on %s after SIGTERM: %w", filepath.Base(a.Program), a.Host.Name, err)
	}
	return nil
}

// Log is what the agent wrote, over all its starts.
func (a *Agent) Log() string {
	b, err := os.ReadFile(a.LogFile())
	if err != nil {
		return err.Error()
	}
	return string(b)
}

// Ask runs a command of the agent's program on its host, such as "status", and
// returns standard output, and an *AskError where the exit status is not 0.
func (a *Agent) Ask(args ...string) (string, error) {
	c := exec.Command(a.Program, args...)
	c.Env = append(os.Environ(), a.Env...)
	var stdout, stderr strings.Builder
	c.Stdout, c.Stderr = &stdout, &stderr
	err := a.Host.In(c.Run)
	if exit := (*exec.ExitError)(nil); errors.As(err, &exit) {
		err = &AskError{Args: args, Status: exit.ExitCode(), Text: strings.TrimSpace(stdout.String() + stderr.String())}
	}
	return stdout.String(), err
}

// AskError says how a command of Ask failed.
type AskError struct {
	Args   []string
	Status int
	Text   string
}

// Error implements error.
func (e *AskError) Error() string {
	return fmt.Sprintf("%s: exit status %d: %s", strings.Join(e.Args, " "), e.Status, e.Text)
}
