package main

import (
	"errors"
	"flag"
	"fmt"
	"io"
	"strings"
	"text/tabwriter"

	"github.com/tandem-ha/tandem/vrrp"
)

// command is one sub-command. The table of them drives execution and help.
type command struct {
	name string
	// args is the usage after the name, short the line in the list of
	// commands, long the text of its own help.
	args, short, long string
	// agentless commands ask no agent, and need not know where one is; hidden
	// ones are for programs and stand in no list.
	agentless, hidden bool
	// completes gives what may come next behind the arguments so far.
	completes completer
	// setup adds the command's flags to f and returns what runs it.
	setup func(f *flag.FlagSet) func(c *call) int
	// raw commands take their arguments as they are, without flags of their own.
	raw func(p *program, args []string) int
}

// call is one invocation of a command.
type call struct {
	*program
	places
	command string
	// args are the arguments that are no flags.
	args []string
}

// fail reports an error of the command and returns the exit status for it.
func (c *call) fail(err error) int {
	fmt.Fprintf(c.stderr, "%s %s: %v\n", c.name, c.command, err)
	return exitFatal
}

// commandTable lists the commands in the order of the help.
func commandTable() []command {
	return []command{
		{name: "run", args: "[OPTION...]", short: "run the agent in the foreground, log on standard error",
			long: "Runs the agent as keepalived -n -l does, with keepalived's options; see " +
				"tandem help options. Stop it with an interrupt: a master hands over first, a second interrupt ends at once.",
			raw:       func(p *program, args []string) int { return p.keepalivedStyle(append([]string{"-n", "-l"}, args...)) },
			completes: completeOptions},
		{name: "check", args: "[FILE...]", short: "check configuration files",
			long: "Reads the files (default " + defaultConfig + ") and says all that is wrong in them, with the line. " +
				"Changes nothing. The exit status is that of keepalived -t, the highest of all files: 0 nothing, 4 and 5 errors, " +
				"6 script security, 2 a missing parameter. Notices do not count, unless with --strict.",
			agentless: true, setup: setupCheck, completes: completeFiles},
		{name: "fmt", args: "[FILE...]", short: "lay configuration files out",
			long: "Prints the files (default " + defaultConfig + ", - is standard input) in canonical layout: one statement a line, " +
				"blocks indented, comments and quotes as they are. What a file says stays the same. One that cannot be laid out " +
				"safely is left alone, with the reason; the exit status is then 2.",
			agentless: true, setup: setupFmt, completes: completeFiles},
		{name: "config", args: "show [FILE]", short: "show the configuration that is in force",
			long: "Prints what the file (default " + defaultConfig + ") comes to after includes, definitions, conditions, inheritance " +
				"and defaults, and where each value came from: as a keepalived.conf that means the same, or as JSON. What is wrong in " +
				"the file goes to standard error; the exit status is 2 where it cannot run.",
			agentless: true, setup: setupConfig, completes: completeConfig},
		{name: "explain", args: "KEYWORD [BLOCK]", short: "explain a keyword of the configuration",
			long: "Prints what the keyword means in the block (in all, if none is named): its arguments, its default, since when " +
				"keepalived has it, and whether tandem honours it.",
			agentless: true, setup: setupExplain, completes: completeKeywords},
		{name: "simulate", args: "FILE...", short: "show who would be master, when and why",
			long: "Runs the virtual routers of the files, one for each node, against each other in virtual time, and prints who becomes " +
				"master, when and why. FILE@ID is the file as the node reads it whose id is ID. --do has something happen: " + actionHelp() +
				". What must never be is watched all the while: two masters that hear each other, or none where one could be; the exit " +
				"status is then 1. Nothing outside is touched.",
			agentless: true, setup: setupSimulate, completes: completeFiles},
		{name: "status", short: "show what the agent does and why",
			long: "Shows instances, sync groups, scripts, virtual servers with their real servers, what is at fault " +
				"and every order of an operator that is in force. The exit status is 3 where no agent runs.",
			setup: setupStatus},
		{name: "switchover", args: "[INSTANCE...]", short: "hand over from this active node, without losing a packet",
			long:  moveHelp(vrrp.Switchover),
			setup: setupMove(vrrp.Switchover), completes: completeInstances},
		{name: "failover", args: "[INSTANCE...]", short: "take over to this standby node",
			long:  moveHelp(vrrp.Failover),
			setup: setupMove(vrrp.Failover), completes: completeInstances},
		{name: "resume", args: "[INSTANCE...]", short: "end what switchover or failover has ordered",
			long:  moveHelp(vrrp.Resume),
			setup: setupMove(vrrp.Resume), completes: completeInstances},
		{name: "reload", short: "read the configuration again",
			long: "Has the agent read its configuration again, as SIGHUP does, and prints what was changed. " +
				"One that cannot run changes nothing, and what is wrong is printed; the exit status is then 1.",
			setup: setupReload},
		{name: "events", short: "show what happened and why",
			long:  "Prints the events that the agent remembers, oldest first.",
			setup: setupEvents},
		{name: "genhash", args: "-s ADDRESS -p PORT -u PATH [OPTION...]", short: "print the MD5 digest of what a web server answers",
			long: "Makes the request that HTTP_GET or SSL_GET would make and prints the digest to write into the configuration. Options, " +
				"output and exit status are those of keepalived's genhash; genhash -h lists them. A link called genhash does the same.",
			agentless: true, raw: (*program).genhash},
		{name: "version", short: "print the version", agentless: true,
			setup: func(*flag.FlagSet) func(*call) int {
				return func(c *call) int {
					fmt.Fprintln(c.stdout, versionText())
					return exitOK
				}
			}},
		{name: "completion", args: "bash|zsh|fish", short: "print the shell's completion of this program",
			long: "Prints a script that completes commands, flags, keywords, files and the names of the running agent's instances. " +
				"bash: tandem completion bash >/etc/bash_completion.d/tandem; zsh: >_tandem in a folder of $fpath; " +
				"fish: >~/.config/fish/completions/tandem.fish.",
			agentless: true, setup: setupCompletion, completes: completeWords(shells()...)},
		{name: "help", args: "[COMMAND | options]", short: "explain a command, or keepalived's options", raw: (*program).help,
			completes: completeHelp},
		{name: "man", args: "5|8", short: "print a manual page", agentless: true, hidden: true, setup: setupMan},
		{name: "keywords", short: "list the keywords of the configuration", agentless: true, hidden: true, setup: setupKeywords},
		{name: completeCommand, args: "-- [WORD...]", short: "list what may stand in the place of the last word", hidden: true, raw: (*program).complete},
	}
}

// findCommand is the command of that name.
func findCommand(name string) (command, bool) {
	for _, c := range commandTable() {
		if c.name == name {
			return c, true
		}
	}
	return command{}, false
}

// command runs the sub-command that args begin with.
func (p *program) command(w places, args []string) int {
	c, ok := findCommand(args[0])
	if !ok {
		fmt.Fprintf(p.stderr, "%s: there is no command %q%s; see %s help\n", p.name, args[0], didYouMean(args[0], commandNames(), ""), p.name)
		return exitFatal
	}
	if c.raw != nil {
		return c.raw(p, append(w.options(), args[1:]...))
	}
	f := p.flags(c, &w)
	run := c.setup(f)
	words, err := interspersed(f, args[1:])
	switch {
	case errors.Is(err, flag.ErrHelp):
		p.helpCommand(p.stdout, c)
		return exitOK
	case err != nil:
		fmt.Fprintf(p.stderr, "%s %s: %s\nUsage: %s; see %s help %s\n", p.name, c.name, flagError(f, err), c.usage(p.name), p.name, c.name)
		return exitFatal
	case len(words) > 0 && c.args == "":
		fmt.Fprintf(p.stderr, "%s %s: takes no argument, but there is %q\n", p.name, c.name, words[0])
		return exitFatal
	}
	return run(&call{program: p, places: w, command: c.name, args: words})
}

// flagError is the flag package's error, with the flag that may have been meant.
func flagError(f *flag.FlagSet, err error) string {
	name, unknown := strings.CutPrefix(err.Error(), "flag provided but not defined: -")
	if !unknown {
		return err.Error()
	}
	var names []string
	f.VisitAll(func(g *flag.Flag) {
		if len(g.Name) > 1 {
			names = append(names, g.Name)
		}
	})
	return "there is no flag --" + name + didYouMean(name, names, "--")
}

// options are the places as options of keepalived's style.
func (w places) options() []string {
	var out []string
	for _, o := range []struct{ name, value string }{{"--run-dir", w.runDir}, {"--state-dir", w.stateDir}, {"--socket", w.socket}} {
		if o.value != "" {
			out = append(out, o.name, o.value)
		}
	}
	return out
}

// flags is the flag set of c, so far with those of all that ask an agent.
func (p *program) flags(c command, w *places) *flag.FlagSet {
	f := flag.NewFlagSet(c.name, flag.ContinueOnError)
	f.SetOutput(io.Discard)
	if !c.agentless {
		addPlaces(f, w)
	}
	return f
}

// interspersed parses flags wherever they stand among the other words, until
// "--"; package flag stops at the first word.
func interspersed(f *flag.FlagSet, args []string) (words []string, err error) {
	for {
		if err := f.Parse(args); err != nil {
			return nil, err
		}
		rest := f.Args()
		if len(rest) == 0 {
			return words, nil
		}
		if end := len(args) - len(rest); end > 0 && args[end-1] == "--" {
			return append(words, rest...), nil
		}
		words, args = append(words, rest[0]), rest[1:]
	}
}

// commandNames are the names of all commands.
func commandNames() []string {
	var names []string
	for _, c := range commandTable() {
		if !c.hidden {
			names = append(names, c.name)
		}
	}
	return names
}

func (c *command) usage(program string) string {
	u := program + " " + c.name
	if c.raw == nil {
		u += " [FLAG...]"
	}
	if c.args != "" {
		u += " " + c.args
	}
	return u
}

// help is the command help.
func (p *program) help(args []string) int {
	for len(args) > 1 && strings.HasPrefix(args[0], "--") {
		args = args[2:]
	}
	if len(args) == 0 {
		p.helpAll(p.stdout)
		return exitOK
	}
	if args[0] == "options" {
		fmt.Fprintf(p.stdout, "Usage: %s [OPTION...]\n\n%s\n\n", p.name, wrap("Runs the agent with keepalived's options: in the background, "+
			"with messages to syslog, unless -n is given.", 78, ""))
		writeOptions(p.stdout)
		return exitOK
	}
	c, ok := findCommand(args[0])
	if !ok {
		fmt.Fprintf(p.stderr, "%s help: there is no command %q%s\n", p.name, args[0], didYouMean(args[0], append(commandNames(), "options"), ""))
		return exitFatal
	}
	p.helpCommand(p.stdout, c)
	return exitOK
}

func (p *program) helpAll(w io.Writer) {
	fmt.Fprintf(w, "tandem keeps a pair of load balancers serving: VRRP failover, virtual addresses,\nIPVS and health checks, from an ordinary keepalived.conf.\n\n")
	fmt.Fprintf(w, "Usage: %s COMMAND [FLAG...] [ARGUMENT...]\n       %s [OPTION...]        as keepalived: see %s help options\n\nCommands:\n", p.name, p.name, p.name)
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	for _, c := range commandTable() {
		if !c.hidden {
			fmt.Fprintf(t, "  %s\t%s\n", c.name, c.short)
		}
	}
	t.Flush()
	fmt.Fprintf(w, "\n%s help COMMAND says more about one.\n", p.name)
}

func (p *program) helpCommand(w io.Writer, c command) {
	fmt.Fprintf(w, "Usage: %s\n\n", c.usage(p.name))
	about := c.long
	if about == "" {
		about = strings.ToUpper(c.short[:1]) + c.short[1:] + "."
	}
	fmt.Fprintln(w, wrap(about, 78, ""))
	if c.raw != nil {
		return
	}
	var places places
	f := p.flags(c, &places)
	c.setup(f)
	flags := 0
	f.VisitAll(func(*flag.Flag) { flags++ })
	if flags == 0 {
		return
	}
	fmt.Fprintln(w, "\nFlags:")
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	f.VisitAll(func(g *flag.Flag) {
		value, usage := flag.UnquoteUsage(g)
		dashes := "--"
		if len(g.Name) == 1 {
			dashes = "-"
		}
		fmt.Fprintf(t, "  %s%s\t%s\n", dashes, strings.TrimRight(g.Name+" "+value, " "), usage)
	})
	t.Flush()
}
