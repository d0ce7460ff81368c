package main

import (
	"errors"
	"flag"
	"fmt"
	"io"
	"regexp"
	"strings"
	"text/tabwriter"

	"github.com/tandem-ha/tandem/internal/control"
	"github.com/tandem-ha/tandem/vrrp"
)

// command is one sub-command. The table of them drives execution and help.
type command struct {
	name string
	// args is the usage after the name, short the line in the list of
	// commands, long the text of its own help.
	args, short, long string
	// heading is that of the group in the list of commands that this one begins.
	heading string
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
		{name: "run", heading: "The agent", args: "[OPTION...]", short: "run the agent in the foreground, log on standard error",
			long: "Runs the agent as keepalived -n -l does, with keepalived's options; see " +
				"tandem help options. Stop it with an interrupt: a master hands over first, a second interrupt ends at once.",
			raw:       func(p *program, args []string) int { return p.keepalivedStyle(append([]string{"-n", "-l"}, args...)) },
			completes: completeOptions},
		{name: "check", heading: "The configuration file", args: "[FILE...]", short: "check configuration files",
			long: "Reads the files (default " + defaultConfig + ") and says all that is wrong in them, with the line. " +
				"Changes nothing. The exit status is that of keepalived -t, the highest of all files: 0 nothing, 4 and 5 errors, " +
				"6 script security, 2 a missing parameter. Notices do not count, unless with --strict.",
			agentless: true, setup: setupCheck, completes: completeFiles},
		{name: "fmt", args: "[FILE...]", short: "format configuration files",
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
		{name: "status", heading: "The pair", args: "[INSTANCE|VIRTUAL_SERVER...]", short: "show the state of everything, and why",
			long: "Shows instances, sync groups, scripts, virtual servers with their real servers, what is at fault " +
				"and every order of an operator that is in force. The exit status is 3 where no agent runs.",
			setup: setupStatus, completes: completeStatus},
		{name: "switchover", args: "[INSTANCE...]", short: "hand over from this active node, without losing a packet",
			long:  moveHelp(vrrp.Switchover),
			setup: setupMove(vrrp.Switchover), completes: completeInstances},
		{name: "failover", args: "[INSTANCE...]", short: "take over to this standby node",
			long:  moveHelp(vrrp.Failover),
			setup: setupMove(vrrp.Failover), completes: completeInstances},
		{name: "resume", args: "[INSTANCE...]", short: "end what a switchover or failover began",
			long:  moveHelp(vrrp.Resume),
			setup: setupMove(vrrp.Resume), completes: completeInstances},
		{name: "maintenance", args: "on|off", short: "keep this node from becoming master, or end that",
			long: "on: a master hands over first, without losing a packet; where no peer takes over, it stays master, and the node is not " +
				"in maintenance. From then on the node does not become master, also where no peer is left, after a reload and after a " +
				"restart, until off. With --force the node gives up what nobody takes over.",
			setup: setupMaintenance, completes: completeWords("on", "off")},
		{name: "drain", heading: "Real servers", args: "SERVER", short: "give a real server no new connections, and wait for the last to end",
			long: "Sets the weight of the real server, ADDRESS or ADDRESS:PORT, to 0 in every virtual server that has it, and waits until no " +
				"connection is left, or --timeout has passed: the exit status is then 1, and the drain stands. It stands across reloads " +
				"and restarts, until tandem undrain. The last real server that takes new connections is drained only with --force. " +
				"Clients that persistence keeps with the server go on coming to it, unless net.ipv4.vs.expire_quiescent_template is 1.",
			setup: setupServer(control.Drain), completes: completeServers},
		{name: "undrain", args: "SERVER", short: "end a drain", long: "Gives a drained real server its weight back.",
			setup: setupServer(control.Undrain), completes: completeServers},
		{name: "weight", args: "SERVER WEIGHT|reset", short: "give a real server another weight, or its own again",
			long: "Sets the weight of the real server in IPVS, whatever configuration and checks say, across reloads and restarts until reset. " +
				"A server that fails its checks stays out.",
			setup: setupServer(control.Weight), completes: completeServers},
		{name: "check-now", args: "SERVER", short: "run the health checks of a real server now",
			long: "Runs a whole round of each check of the real server, waits for the result, and prints it. It counts as any other. " +
				"The exit status is 1 where a check failed.",
			setup: setupChecks(control.CheckNow), completes: completeServers},
		{name: "pause", args: "SERVER", short: "run no health checks of a real server until unpause",
			long:  "The checks do not run, across reloads and restarts, and go on counting as they did, good or failed.",
			setup: setupChecks(control.Pause), completes: completeServers},
		{name: "unpause", args: "SERVER", short: "run the health checks of a real server again", setup: setupChecks(control.Unpause), completes: completeServers},
		{name: "plan", heading: "Changes, and what happened", short: "show what a reload would change",
			long: "Reads the configuration as a reload would, and prints what it would change: in the configuration, in the kernel as things " +
				"are now, and whose traffic that touches. Changes nothing. The exit status is 0 where there is nothing to change, 2 where there " +
				"is, and 1 where a reload would be refused.",
			setup: setupPlan},
		{name: "diff", args: "[PEER]", short: "compare the configuration with the other node's",
			long: "Compares what is in force here with what is in force on the peer, HOST:PORT of its listener (default: peer of api), and prints " +
				"what differs, apart from what has to: state, priority, router_id, addresses of its own. The exit status is 0 where nothing " +
				"does, 2 where something does, and 1 where they cannot be compared.",
			setup: setupCompare},
		{name: "reload", short: "read the configuration again",
			long: "Has the agent read its configuration again, as SIGHUP does, and prints what was changed. " +
				"One that cannot run changes nothing, and what is wrong is printed; the exit status is then 1.",
			setup: setupReload},
		{name: "events", short: "show what happened and why",
			long: "Prints the events that the agent remembers, also those of processes before this one, oldest first; with --follow, " +
				"also what happens from now on.",
			setup: setupEvents},
		{name: "genhash", heading: "The rest", args: "-s ADDRESS -p PORT -u PATH [OPTION...]", short: "print the MD5 digest of what a web server answers",
			long: "Makes the request that HTTP_GET or SSL_GET would make and prints the digest to write into the configuration. Options, " +
				"output and exit status are those of keepalived's genhash; genhash -h lists them. A link called genhash does the same.",
			agentless: true, raw: (*program).genhash},
		{name: "log-level", args: "[LEVEL]", short: "show or change how much the agent logs",
			long:  "LEVEL is trace, debug, info, warning or error. It lasts until the agent ends; -D at its start does the same.",
			setup: setupLogLevel, completes: completeWords("trace", "debug", "info", "warning", "error")},
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

// longFlag is a flag as the flag package writes it; help and pages have two dashes.
var longFlag = regexp.MustCompile(`(flag needs an argument: |for flag )(-\w[\w-]+)`)

// flagError is the flag package's error, with the flag that may have been meant.
func flagError(f *flag.FlagSet, err error) string {
	name, unknown := strings.CutPrefix(err.Error(), "flag provided but not defined: -")
	if !unknown {
		return longFlag.ReplaceAllString(err.Error(), "$1-$2")
	}
	var names []string
	f.VisitAll(func(g *flag.Flag) {
		if len(g.Name) > 1 {
			names = append(names, g.Name)
		}
	})
	if len(name) == 1 {
		return "there is no flag -" + name
	}
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
	fmt.Fprintf(w, "Usage: %s COMMAND [FLAG...] [ARGUMENT...]\n       %s [OPTION...]        as keepalived: see %s help options\n", p.name, p.name, p.name)
	width := 0
	for _, name := range commandNames() {
		width = max(width, len(name))
	}
	for _, c := range commandTable() {
		if c.heading != "" {
			fmt.Fprintf(w, "\n%s:\n", c.heading)
		}
		if !c.hidden {
			fmt.Fprintf(w, "  %-*s  %s\n", width, c.name, c.short)
		}
	}
	fmt.Fprintf(w, "\n%s help COMMAND explains one of them.\n", p.name)
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
