package main

import (
	"context"
	"flag"
	"fmt"
	"io"
	"net/netip"
	"slices"
	"strings"
	"time"

	"github.com/tandem-ha/tandem/config"
	"github.com/tandem-ha/tandem/internal/control"
)

// completeCommand is the hidden command that the shells' scripts ask: what can
// stand in the place of the last word? The first line that it prints is the
// kind of what follows, then one candidate a line, with a tab before what it
// means.
const completeCommand = "__complete"

// kind says what a shell is to complete.
type kind string

const (
	kindWords kind = "words" // the candidates given
	kindFiles kind = "files" // names of files
	kindDirs  kind = "dirs"  // names of folders
)

// candidate is one way to go on.
type candidate struct {
	word, about string
}

// completion is what may stand in a place.
type completion struct {
	kind       kind
	candidates []candidate
}

func words(list ...candidate) completion { return completion{kind: kindWords, candidates: list} }

// completer gives what may follow the arguments args of a command, flags aside.
type completer func(c *call, args []string) completion

// agentPatience is how long who completes a line waits for the agent.
const agentPatience = time.Second

// complete is the hidden command: its arguments are "--" and the words behind
// the program's name up to the cursor, the last of which may be empty; or
// "--line" and the line up to the cursor, which is then split here.
func (p *program) complete(args []string) int {
	switch {
	case len(args) == 2 && args[0] == "--line":
		if args = splitLine(args[1]); len(args) > 0 {
			args = args[1:]
		}
	case len(args) > 0 && args[0] == "--":
		args = args[1:]
	default:
		fmt.Fprintf(p.stderr, "%s %s: is for the shells' scripts; see %s help completion\n", p.name, completeCommand, p.name)
		return exitFatal
	}
	if len(args) == 0 {
		args = []string{""}
	}
	current := args[len(args)-1]
	c := p.completionOf(args[:len(args)-1], current)
	if c.kind == "" {
		c.kind = kindWords
	}
	fmt.Fprintln(p.stdout, c.kind)
	for _, w := range c.candidates {
		if strings.HasPrefix(w.word, current) {
			fmt.Fprintf(p.stdout, "%s\t%s\n", w.word, w.about)
		}
	}
	return exitOK
}

// splitLine splits a line as a shell does at its blanks; the last word is what
// the cursor is in, perhaps empty.
func splitLine(line string) []string {
	var out []string
	var b strings.Builder
	var quote rune
	escaped := false
	for _, r := range line {
		switch {
		case escaped:
			b.WriteRune(r)
			escaped = false
		case r == '\\' && quote != '\'':
			escaped = true
		case quote != 0 && r == quote:
			quote = 0
		case quote == 0 && (r == '\'' || r == '"'):
			quote = r
		case quote == 0 && (r == ' ' || r == '\t'):
			if b.Len() > 0 {
				out = append(out, b.String())
				b.Reset()
			}
		default:
			b.WriteRune(r)
		}
	}
	return append(out, b.String())
}

// completionOf is what may be the word current behind the words before.
func (p *program) completionOf(before []string, current string) completion {
	var w places
	if p.commandsAllowed() {
		if rest, ok := leadingWords(before, &w); ok {
			before = rest
		}
	}
	switch {
	case len(before) == 0 && p.commandsAllowed() && !strings.HasPrefix(current, "-"):
		var list []candidate
		for _, c := range commandTable() {
			if !c.hidden {
				list = append(list, candidate{c.name, c.short})
			}
		}
		return words(list...)
	case len(before) == 0 || !p.commandsAllowed() || strings.HasPrefix(before[0], "-"):
		return completeOptions(&call{program: p, places: w}, append(slices.Clone(before), current))
	}
	c, ok := findCommand(before[0])
	if !ok {
		return completion{}
	}
	if c.raw != nil {
		if c.completes == nil {
			return completion{}
		}
		return c.completes(&call{program: p, places: w, command: c.name}, append(slices.Clone(before[1:]), current))
	}
	return p.completeCommand(c, w, before[1:], current)
}

// leadingWords takes tandem's own options off the front of words.
func leadingWords(before []string, w *places) ([]string, bool) {
	found, rest, ok := leadingPlaces(append(slices.Clone(before), "command"))
	if !ok || len(rest) == 0 {
		return nil, false
	}
	*w = found
	return rest[:len(rest)-1], true
}

// completeCommand is what may follow a command that has flags.
func (p *program) completeCommand(c command, w places, before []string, current string) completion {
	f := p.flags(c, &w)
	c.setup(f)
	var args []string
	var pending *flag.Flag
	for i, word := range before {
		switch {
		case pending != nil:
			// A value that is not accepted leaves the default.
			_ = f.Set(pending.Name, word)
			pending = nil
		case word == "--":
			args = append(args, before[i+1:]...)
			return c.arguments(&call{program: p, places: w, command: c.name}, args)
		case strings.HasPrefix(word, "-") && len(word) > 1:
			name, value, attached := strings.Cut(strings.TrimLeft(word, "-"), "=")
			switch g := f.Lookup(name); {
			case g == nil:
			case attached:
				_ = f.Set(name, value)
			case !isSwitch(g):
				pending = g
			}
		default:
			args = append(args, word)
		}
	}
	switch name, _, attached := strings.Cut(strings.TrimLeft(current, "-"), "="); {
	case pending != nil:
		return completeValue(pending, "")
	case strings.HasPrefix(current, "-") && attached:
		if g := f.Lookup(name); g != nil {
			return completeValue(g, current[:strings.IndexByte(current, '=')+1])
		}
		return completion{}
	case strings.HasPrefix(current, "-"):
		return completeFlags(f)
	}
	return c.arguments(&call{program: p, places: w, command: c.name}, args)
}

// arguments is what may follow the arguments args.
func (c *command) arguments(of *call, args []string) completion {
	if c.completes == nil {
		return completion{}
	}
	return c.completes(of, args)
}

// isSwitch is true for a flag without a value.
func isSwitch(g *flag.Flag) bool {
	b, ok := g.Value.(interface{ IsBoolFlag() bool })
	return ok && b.IsBoolFlag()
}

// completeFlags lists the flags of a command.
func completeFlags(f *flag.FlagSet) completion {
	var list []candidate
	f.VisitAll(func(g *flag.Flag) {
		dashes := "--"
		if len(g.Name) == 1 {
			dashes = "-"
		}
		_, usage := flag.UnquoteUsage(g)
		list = append(list, candidate{dashes + g.Name, usage})
	})
	return words(append(list, candidate{"--help", "explain the command"})...)
}

// completeValue is what a flag may be set to; prefix is what stands before it in
// the same word.
func completeValue(g *flag.Flag, prefix string) completion {
	if v, ok := g.Value.(*formatFlag); ok {
		var list []candidate
		for _, word := range v.words() {
			list = append(list, candidate{prefix + word, ""})
		}
		return words(list...)
	}
	name, _ := flag.UnquoteUsage(g)
	return completion{kind: placeholderKind(name)}
}

// placeholderKind is what stands for a placeholder in a usage.
func placeholderKind(name string) kind {
	switch name {
	case "FILE", "PATH", "LOG":
		return kindFiles
	case "DIR":
		return kindDirs
	}
	return kindWords
}

// completeOptions is for keepalived's options; the last of args is the word to
// complete.
func completeOptions(_ *call, args []string) completion {
	current := args[len(args)-1]
	table := optionTable()
	if len(args) > 1 {
		last := args[len(args)-2]
		for _, o := range table {
			if o.arg == requiredArgument && (last == "--"+o.long || o.short != 0 && last == "-"+string(o.short)) {
				return completion{kind: placeholderKind(o.value)}
			}
		}
	}
	if name, _, attached := strings.Cut(current, "="); attached && strings.HasPrefix(current, "--") {
		for _, o := range table {
			if name == "--"+o.long && o.arg != noArgument {
				return completion{kind: placeholderKind(o.value)}
			}
		}
		return completion{}
	}
	var list []candidate
	for _, o := range table {
		if o.refuse != "" {
			continue
		}
		list = append(list, candidate{"--" + o.long, o.help})
		if o.short != 0 {
			list = append(list, candidate{"-" + string(o.short), o.help})
		}
	}
	return words(list...)
}

// completeFiles is for commands that take files.
func completeFiles(*call, []string) completion { return completion{kind: kindFiles} }

// completeWords is for commands that take one of some words.
func completeWords(list ...string) completer {
	return func(_ *call, args []string) completion {
		if len(args) > 0 {
			return completion{}
		}
		var out []candidate
		for _, word := range list {
			out = append(out, candidate{word, ""})
		}
		return words(out...)
	}
}

// completeConfig is for config show.
func completeConfig(c *call, args []string) completion {
	switch len(args) {
	case 0:
		return words(candidate{"show", "print what is in force"})
	case 1:
		return completion{kind: kindFiles}
	}
	return completion{}
}

// completeHelp is for help, whose last argument is the word to complete.
func completeHelp(_ *call, args []string) completion {
	if len(args) > 1 {
		return completion{}
	}
	list := []candidate{{"options", "keepalived's options"}}
	for _, c := range commandTable() {
		if !c.hidden {
			list = append(list, candidate{c.name, c.short})
		}
	}
	return words(list...)
}

// completeKeywords is for a keyword and a block that it stands in.
func completeKeywords(_ *call, args []string) completion {
	var list []candidate
	switch len(args) {
	case 0:
		docs := map[string]string{}
		for _, k := range config.Keywords() {
			if docs[k.Name] == "" {
				docs[k.Name] = k.Doc
			}
		}
		for _, name := range keywordNames() {
			list = append(list, candidate{name, docs[name]})
		}
	case 1:
		for _, k := range config.Keywords() {
			if k.Name == args[0] && k.Block != "" {
				list = append(list, candidate{strings.Trim(k.Block, "()"), k.Doc})
			}
		}
	}
	return words(list...)
}

// keywordNames are the names of all keywords in their order, each once.
func keywordNames() []string {
	var out []string
	for _, k := range config.Keywords() {
		out = append(out, k.Name)
	}
	slices.Sort(out)
	return slices.Compact(out)
}

// agentStatus asks the agent for what can be named; false where none answers soon.
func agentStatus(c *call) (control.Status, bool) {
	ctx, cancel := context.WithTimeout(context.Background(), c.patience)
	defer cancel()
	s, err := c.client(c.places).Status(ctx)
	return s, err == nil
}

// completeInstances is for the names of the agent's instances that are not
// among args; none where no agent answers.
func completeInstances(c *call, args []string) completion {
	s, ok := agentStatus(c)
	if !ok {
		return completion{}
	}
	var list []candidate
	for _, i := range s.Instances {
		if !slices.Contains(args, i.Name) {
			list = append(list, candidate{i.Name, fmt.Sprintf("%s on %s", i.StateName, i.Interface)})
		}
	}
	return words(list...)
}

// completeServers is for the real servers of the agent.
func completeServers(c *call, args []string) completion {
	if len(args) > 0 {
		return completion{}
	}
	s, ok := agentStatus(c)
	if !ok {
		return completion{}
	}
	var list []candidate
	for _, v := range s.Services {
		for _, r := range v.Servers {
			at := netip.AddrPortFrom(r.Addr, r.Port).String()
			if !r.Sorry && !slices.ContainsFunc(list, func(c candidate) bool { return c.word == at }) {
				list = append(list, candidate{at, fmt.Sprintf("%s in %s", serverState(v, r), v.Name)})
			}
		}
	}
	return words(list...)
}

// completeStatus is for the names of instances and virtual servers.
func completeStatus(c *call, args []string) completion {
	s, ok := agentStatus(c)
	if !ok {
		return completion{}
	}
	var list []candidate
	for _, i := range s.Instances {
		list = append(list, candidate{i.Name, fmt.Sprintf("%s on %s", i.StateName, i.Interface)})
	}
	for _, v := range s.Services {
		list = append(list, candidate{v.Name, "virtual server"})
	}
	return words(slices.DeleteFunc(list, func(c candidate) bool { return slices.Contains(args, c.word) })...)
}

// shells are those that there is a script for.
func shells() []string { return []string{"bash", "zsh", "fish"} }

func setupCompletion(*flag.FlagSet) func(*call) int {
	return func(c *call) int {
		if len(c.args) == 1 {
			if script := completionScript(c.args[0]); script != "" {
				if _, err := io.WriteString(c.stdout, script); err != nil {
					return c.fail(err)
				}
				return exitOK
			}
		}
		return c.fail(fmt.Errorf("name a shell: %s", list(shells(), "or")))
	}
}
