package health

import (
	"context"
	"errors"
	"fmt"
	"time"
)

// MiscConfig is a MISC_CHECK.
type MiscConfig struct {
	Script Script
	// Timeout is when the script is killed.
	Timeout time.Duration
	// Dynamic gives exit statuses 2 to 255 the meaning of success with a weight
	// of the status less 2.
	Dynamic bool
}

// NewMisc returns MISC_CHECK: a script whose exit status decides.
func NewMisc(cfg MiscConfig, exec Exec) Check { return miscCheck{cfg, exec} }

type miscCheck struct {
	cfg  MiscConfig
	exec Exec
}

// Run runs the script to its end.
func (m miscCheck) Run(ctx context.Context) Result {
	ctx, cancel := context.WithTimeout(ctx, m.cfg.Timeout)
	defer cancel()
	start := time.Now()
	status, err := m.exec(ctx, m.cfg.Script)
	r := Result{Took: time.Since(start)}
	signal, killed := errors.AsType[*SignalError](err)
	switch {
	case err != nil && errors.Is(ctx.Err(), context.DeadlineExceeded):
		r.Err = fmt.Errorf("%s after %s", timedOut, m.cfg.Timeout)
	case killed:
		r.Err = signal
	case err != nil:
		r.Err = fmt.Errorf("run %s: %w: %w", m.path(), err, ErrNotAttempted)
	case status == 0:
	case m.cfg.Dynamic && status >= 2 && status <= 255:
		r.Weight, r.Dynamic = status-2, true
	default:
		r.Err = fmt.Errorf("exited with status %d", status)
	}
	if err == nil {
		r.Transcript = fmt.Sprintf("%s: exit status %d", m.path(), status)
	}
	return r
}

func (m miscCheck) path() string {
	if len(m.cfg.Script.Args) == 0 {
		return ""
	}
	return m.cfg.Script.Args[0]
}

// Target is the script's path.
func (m miscCheck) Target() string { return m.path() }

// String names the check for logs.
func (m miscCheck) String() string { return "MISC_CHECK " + m.path() }

// Traits says that runs are an interval apart from start to start.
func (m miscCheck) Traits() Traits { return Traits{StartToStart: true} }

// Limit leaves time to end a script that does not want to end.
func (m miscCheck) Limit() time.Duration { return m.cfg.Timeout + 10*time.Second }
