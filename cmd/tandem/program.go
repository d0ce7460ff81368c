package main

import (
	"context"
	"flag"
	"fmt"
	"io"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/hashicorp/go-hclog"

	"github.com/tandem-ha/tandem/config"
	"github.com/tandem-ha/tandem/internal/control"
	"github.com/tandem-ha/tandem/internal/logging"
)

// The exit statuses: keepalived's, and after them tandem's own for commands.
const (
	exitOK            = 0
	exitFatal         = 1 // a bad command line among others
	exitConfig        = 2 // a configuration that cannot run
	exitNotRunning    = 3 // tandem's own: no agent to ask
	exitNoPermission  = 4
	exitNoConfigFile  = 6
	exitCommandFailed = exitFatal
)

// agent is what runs: the agent package's, or a fake in tests.
type agent interface {
	control.Agent
	// Run works until ctx is done, then puts everything back. Ready is called
	// once, when the configuration is loaded and the machines run.
	Run(ctx context.Context, ready func()) error
	// Well says, until ctx ends, whether the agent takes its turns. It is for
	// the time after ready.
	Well(ctx context.Context) bool
	// StopNow ends Run without waiting for a peer.
	StopNow()
}

// runOptions are what an agent is made with.
type runOptions struct {
	settings
	// reader has read the configuration.
	reader *config.Reader
	// read is what reader has read, where that counts.
	read *read
	// settled is to be called when the start is over.
	settled func()
	log     hclog.Logger
	levels  *logging.Levels
}

// read is a configuration with what there is to say about it.
type read struct {
	config      *config.Config
	diagnostics []config.Diagnostic
}

// configError is a configuration that the agent cannot run.
type configError struct {
	diagnostics []config.Diagnostic
}

func (e *configError) Error() string {
	for _, d := range e.diagnostics {
		if d.Severity == config.Fatal {
			return d.Message
		}
	}
	return "the configuration cannot run"
}

// program is one run of this program with all that it takes from its
// surroundings, so that tests can give it others.
type program struct {
	// name is the last element of argv[0].
	name           string
	stdin          io.Reader
	stdout, stderr io.Writer
	getenv         func(string) string
	now            func() time.Time
	newAgent       func(runOptions) agent
	environment    config.Environment
	// reader reads the configuration that is run, several times.
	reader config.Reader
	// read is what the file said when it was last read, in the namespace that this
	// process runs in.
	read *read
	// settled ends what counts only while the program starts.
	settled func()
	// terminal says whether a stream is one that a person sits at.
	terminal func(stream any) bool
	// patience is how long a completion waits for the agent.
	patience time.Duration
}

// keepalivedNames are the names under which only keepalived's style applies.
func (p *program) commandsAllowed() bool {
	return p.name != "keepalived" && p.name != "genhash"
}

// main does what the arguments, without the program's name, ask for, and
// returns the exit status.
func (p *program) main(args []string) int {
	if p.name == "genhash" {
		return p.genhash(args)
	}
	if p.commandsAllowed() {
		if global, rest, ok := leadingPlaces(args); ok {
			return p.command(global, rest)
		}
	}
	return p.keepalivedStyle(args)
}

// leadingPlaces takes tandem's own options off the front of args, where a
// command follows them.
func leadingPlaces(args []string) (w places, rest []string, ok bool) {
	for len(args) > 0 && strings.HasPrefix(args[0], "--") {
		name, value, attached := strings.Cut(args[0], "=")
		field := map[string]*string{"--run-dir": &w.runDir, "--state-dir": &w.stateDir, "--socket": &w.socket}[name]
		switch {
		case field == nil:
			return w, nil, false
		case attached:
			*field, args = value, args[1:]
		case len(args) > 1:
			*field, args = args[1], args[2:]
		default:
			return w, nil, false
		}
	}
	return w, args, len(args) > 0 && !strings.HasPrefix(args[0], "-")
}

// keepalivedStyle runs with keepalived's options.
func (p *program) keepalivedStyle(args []string) int {
	if i := slices.IndexFunc(args, func(a string) bool { return a == "-T" || a == "--genhash" }); i >= 0 {
		if i > 0 {
			fmt.Fprintf(p.stderr, "Warning -- `%s` not used as first option, previous options ignored\n", args[i])
		}
		return p.genhash(args[i+1:])
	}
	s, status, ok := p.parseOptions(newSettings(), args)
	if !ok {
		return status
	}
	return p.start(s, args)
}

// parseOptions reads keepalived's options into s. Where ok is false the
// program is to end with the status.
func (p *program) parseOptions(s settings, args []string) (out settings, status int, ok bool) {
	items, words := getopt(optionTable(), args)
	bad := false
	for _, i := range items {
		switch {
		case i.problem != "":
			fmt.Fprintln(p.stderr, i.problem)
			bad = true
		case i.refuse != "":
			fmt.Fprintf(p.stderr, "Option %s is not supported: %s\n", i.spelling(), i.refuse)
			bad = true
		case i.act != nil:
			return s, i.act(p, i.value), false
		default:
			if err := i.set(&s, i.value); err != nil {
				fmt.Fprintln(p.stderr, err)
			}
		}
	}
	if bad {
		return s, exitFatal, false
	}
	if p.commandsAllowed() {
		for _, w := range words {
			if _, found := findCommand(w); found {
				fmt.Fprintf(p.stderr, "%s: %q is a command, and comes first: %s %s ...\n", p.name, w, p.name, w)
				return s, exitFatal, false
			}
		}
	}
	if len(words) > 0 {
		fmt.Fprintf(p.stdout, "Unexpected argument(s): %s\n", strings.Join(words, " "))
	}
	return s, exitOK, true
}

// client talks to the agent at w's socket.
func (p *program) client(w places) *control.Client {
	return control.NewClient(w.resolve(p.getenv, "").socket)
}

// addPlaces adds tandem's own options to a command's flags.
func addPlaces(f *flag.FlagSet, w *places) {
	f.StringVar(&w.runDir, "run-dir", w.runDir, "`DIR` of the record and the control socket (TANDEM_RUN, default /run/tandem)")
	f.StringVar(&w.stateDir, "state-dir", w.stateDir, "`DIR` of what outlives a boot (TANDEM_STATE, default /var/lib/tandem)")
	f.StringVar(&w.socket, "socket", w.socket, "`PATH` of the control socket (TANDEM_SOCKET, default tandem.sock in --run-dir)")
}

// baseName is the program's name in argv[0].
func baseName(argv0 string) string { return filepath.Base(argv0) }
