package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"runtime/debug"
	"strings"

	"github.com/hashicorp/go-hclog"
	"golang.org/x/sys/unix"

	"github.com/tandem-ha/tandem/config"
	"github.com/tandem-ha/tandem/internal/daemon"
	"github.com/tandem-ha/tandem/internal/dump"
	"github.com/tandem-ha/tandem/internal/gc"
	"github.com/tandem-ha/tandem/internal/logging"
)

// start does what keepalived's options ask for: tests the configuration, goes
// to the background, or runs here. The arguments are those of this process,
// for the one in the background.
func (p *program) start(s settings, args []string) int {
	if s.test {
		return p.configTest(s)
	}
	p.settled = gc.Defer()
	s.take(p.configured(s))
	if s.namespace != "" {
		p.read = nil
		if err := daemon.EnterNamespace(s.namespace); err != nil {
			fmt.Fprintf(p.stderr, "%s: %v\n", p.name, err)
			return exitFatal
		}
	}
	d, err := daemon.Inherited()
	if err != nil {
		fmt.Fprintf(p.stderr, "%s: %v\n", p.name, err)
		return exitFatal
	}
	if !s.foreground && d == nil {
		status, err := daemon.Detach(args, p.stderr)
		if err != nil {
			fmt.Fprintf(p.stderr, "%s: %v\n", p.name, err)
			return exitFatal
		}
		return status
	}
	status, text := p.serve(s, d)
	if d == nil && text != "" && !s.console {
		// Who started it would otherwise have to look into the log.
		fmt.Fprintln(p.stderr, text)
	}
	d.Fail(status, text)
	return status
}

// configured is the configuration, whose network namespace among others has to be
// known before anything else is done: what is wrong with the file is said later, by
// who runs it.
func (p *program) configured(s settings) *config.Config {
	c, ds := p.reader.Load(s.configFile, config.Options{ID: configID(s.configID), Environment: p.environment})
	p.read = &read{c, ds}
	return c
}

// serve runs the agent until a signal ends it. It returns the exit status and,
// where the agent could not start, what to say to who started it.
func (p *program) serve(s settings, d *daemon.Detached) (status int, text string) {
	log, outputs := logging.Open(logging.Options{
		Console: s.console && s.foreground && d == nil, Syslog: s.syslog, Facility: s.facility, Detail: s.detail, Stderr: p.stderr,
	})
	defer func() {
		log.Info("Stopped " + versionText())
		if err := outputs.Close(); err != nil {
			fmt.Fprintln(p.stderr, err)
		}
	}()
	log.Info("Starting " + versionText())
	log.Info("Command line: " + quoteArguments(os.Args))
	fail := func(err error) (int, string) {
		log.Error(err.Error())
		return exitStatus(err), fmt.Sprintf("%s: %v", p.name, err)
	}
	if err := s.finish(p.getenv); err != nil {
		return fail(err)
	}
	log.Info("Configuration file " + s.configFile)
	if err := s.makeFolders(); err != nil {
		return fail(err)
	}
	pids, err := daemon.LockPIDFiles(os.Getpid(), s.pidFiles()...)
	if err != nil {
		return fail(err)
	}
	defer func() {
		if err := pids.Remove(); err != nil {
			log.Warn(err.Error())
		}
	}()
	if err := settle(s, d != nil); err != nil {
		return fail(err)
	}
	if s.dumpConfig {
		p.logConfig(s, log)
	}
	err = p.supervise(s, log, outputs.Levels, d)
	if bad, ok := errors.AsType[*configError](err); ok {
		return configFailure(bad.diagnostics)
	}
	if err != nil {
		return fail(err)
	}
	return exitOK, ""
}

// settle gives the process what a daemon has of its own.
func settle(s settings, detached bool) error {
	unix.Umask(s.umask)
	if detached {
		if err := os.Chdir("/"); err != nil {
			return fmt.Errorf("leave the working folder: %w", err)
		}
	}
	if s.coreDump {
		unlimited := unix.Rlimit{Cur: unix.RLIM_INFINITY, Max: unix.RLIM_INFINITY}
		if err := unix.Setrlimit(unix.RLIMIT_CORE, &unlimited); err != nil {
			return fmt.Errorf("permit core dumps: %w", err)
		}
		debug.SetTraceback("crash")
	}
	return nil
}

// logConfig writes the configuration to the log, a line each.
func (p *program) logConfig(s settings, log hclog.Logger) {
	c, _ := p.reader.Load(s.configFile, config.Options{ID: configID(s.configID), Environment: p.environment})
	for line := range bytes.Lines(dump.Configuration(c)) {
		log.Info(strings.TrimRight(string(line), "\n"))
	}
}

// configFailure is keepalived's exit status for a configuration that cannot
// run, and what to say to who started the program. The agent has logged it.
func configFailure(ds []config.Diagnostic) (status int, text string) {
	status = exitConfig
	for _, d := range ds {
		if d.Code == codeNoFile {
			status = exitNoConfigFile
		}
	}
	var b strings.Builder
	config.Render(&b, ds)
	return status, strings.TrimRight(b.String(), "\n")
}

// codeNoFile is the code of config's diagnostic for a missing file.
const codeNoFile = "no-file"

// exitStatus is keepalived's exit status for an error at the start. That the
// daemon runs already is none for it.
func exitStatus(err error) int {
	if _, ok := errors.AsType[*daemon.RunningError](err); ok {
		return exitOK
	}
	if errors.Is(err, fs.ErrPermission) {
		return exitNoPermission
	}
	return exitFatal
}

// quoteArguments is a command line as keepalived logs it.
func quoteArguments(args []string) string {
	return "'" + strings.Join(args, "' '") + "'"
}

// supervise runs the agent and serves the signals meanwhile.
func (p *program) supervise(s settings, log hclog.Logger, levels *logging.Levels, d *daemon.Detached) error {
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	notifier := daemon.NewNotifier(p.getenv)
	a := p.newAgent(runOptions{settings: s, reader: &p.reader, read: p.read, settled: p.settled, log: log, levels: levels})
	p.read = nil
	w := newWatchman(a, log, notifier, dumper{folder: dump.Folder(p.getenv), umask: s.fixedUmask()})
	stop := w.start(s.ignoreSigint, cancel)
	defer stop()
	ready := func() {
		tell(log, notifier.Ready("Running"))
		d.Ready()
		if interval := daemon.WatchdogInterval(p.getenv); interval > 0 {
			go func() { tell(log, notifier.Watch(ctx, interval, a.Well)) }()
		}
	}
	err := a.Run(ctx, ready)
	if err != nil {
		tell(log, notifier.Failed(err.Error()))
	}
	return err
}

// tell logs a failure to reach the service manager, which changes nothing else.
func tell(log hclog.Logger, err error) {
	if err != nil {
		log.Warn(err.Error())
	}
}
