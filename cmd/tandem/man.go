package main

import (
	"errors"
	"flag"
	"fmt"
	"io"
	"strings"

	"github.com/tandem-ha/tandem/config"
)

// setupMan is the command behind the man pages of the packages: what they say
// comes from the tables of commands, options and keywords, so it is true of
// this program.
func setupMan(*flag.FlagSet) func(*call) int {
	return func(c *call) int {
		switch strings.Join(c.args, " ") {
		case "8":
			c.manual(c.stdout)
		case "5":
			manualOfFile(c.stdout)
		default:
			return c.fail(errors.New("name the section: 5 for the configuration, 8 for the program"))
		}
		return exitOK
	}
}

// roff makes text safe for troff: no line of it is taken for a request, and
// no character for an escape.
func roff(text string) string {
	text = strings.NewReplacer(`\`, `\e`, "-", `\-`, "'", `\(aq`, "`", `\(ga`).Replace(text)
	if strings.HasPrefix(text, ".") {
		text = `\&` + text
	}
	return text
}

// page writes the head of a manual page.
func page(w io.Writer, name, section, short string) {
	fmt.Fprintf(w, ".TH %s %s\n.SH NAME\n%s \\- %s\n", strings.ToUpper(roff(name)), section, roff(name), roff(short))
}

// manualItem writes one entry of a list: what is explained, and its text.
func manualItem(w io.Writer, head, text string) {
	fmt.Fprintf(w, ".TP\n.B %s\n%s\n", roff(head), roff(text))
}

// manual writes tandem(8).
func (p *program) manual(w io.Writer) {
	page(w, "tandem", "8", "VRRP failover, virtual addresses, IPVS and health checks from a keepalived.conf")
	fmt.Fprint(w, ".SH SYNOPSIS\n.B tandem\n[\\fIOPTION\\fR...]\n.br\n.B tandem\n\\fICOMMAND\\fR [\\fIFLAG\\fR...] [\\fIARGUMENT\\fR...]\n")
	fmt.Fprintf(w, ".SH DESCRIPTION\n%s\n", roff("tandem keeps a pair of load balancers serving. With keepalived's options it runs as keepalived "+
		"does, in the background unless told otherwise; with a command it asks the running agent, steers it, or works on a configuration."))
	fmt.Fprint(w, ".SH COMMANDS\n")
	for _, c := range commandTable() {
		if c.hidden {
			continue
		}
		about := c.long
		if about == "" {
			about = strings.ToUpper(c.short[:1]) + c.short[1:] + "."
		}
		manualItem(w, strings.TrimRight(c.name+" "+c.args, " "), about)
		if c.raw == nil {
			p.manualFlags(w, c)
		}
	}
	fmt.Fprint(w, ".SH OPTIONS\n")
	for _, o := range optionTable() {
		if o.refuse == "" {
			manualItem(w, manualOption(o), strings.ToUpper(o.help[:1])+o.help[1:]+".")
		}
	}
	fmt.Fprint(w, ".SH SIGNALS\n")
	for _, s := range [][2]string{
		{"SIGHUP", "Reads the configuration again. One that cannot run changes nothing."},
		{"SIGTERM, SIGINT", "Stops: a master offers its addresses to the peer first, for at most 5 seconds. A second one stops at once."},
		{"SIGUSR1, SIGUSR2", "Write keepalived.data and keepalived.stats. tandem --signum=JSON tells the signal that writes keepalived.json."},
	} {
		manualItem(w, s[0], s[1])
	}
	fmt.Fprint(w, ".SH FILES\n")
	for _, s := range [][2]string{
		{defaultConfig, "The configuration; see tandem.conf(5)."},
		{"/run/tandem", "The record of what is on the host, and the control socket tandem.sock ($TANDEM_RUN, --run-dir, $TANDEM_SOCKET, --socket)."},
		{"/var/lib/tandem", "What outlives a boot ($TANDEM_STATE, --state-dir)."},
	} {
		manualItem(w, s[0], s[1])
	}
	fmt.Fprint(w, ".SH SEE ALSO\n.BR tandem.conf (5),\n.BR ipvsadm (8),\n.BR ip (8)\n")
}

// manualFlags writes the flags of a command, indented below it.
func (p *program) manualFlags(w io.Writer, c command) {
	var places places
	f := p.flags(c, &places)
	c.setup(f)
	fmt.Fprint(w, ".RS\n")
	f.VisitAll(func(g *flag.Flag) {
		value, usage := flag.UnquoteUsage(g)
		dashes := "--"
		if len(g.Name) == 1 {
			dashes = "-"
		}
		manualItem(w, strings.TrimRight(dashes+g.Name+" "+value, " "), usage)
	})
	fmt.Fprint(w, ".RE\n")
}

// manualOption is how an option of keepalived's style is written.
func manualOption(o option) string {
	text := "--" + o.long
	if o.short != 0 {
		text = "-" + string(o.short) + ", " + text
	}
	switch o.arg {
	case requiredArgument:
		text += "=" + o.value
	case optionalArgument:
		text += "[=" + o.value + "]"
	}
	return text
}

// manualOfFile writes tandem.conf(5).
func manualOfFile(w io.Writer) {
	page(w, "tandem.conf", "5", "the keywords of keepalived.conf, and tandem's own")
	fmt.Fprintf(w, ".SH DESCRIPTION\n%s\n", roff("tandem reads keepalived's configuration, "+defaultConfig+" unless told otherwise. Lines that begin with "+
		"@tandem hold tandem's own settings; keepalived passes over them. tandem check FILE tells what is wrong in a file, and tandem explain "+
		"KEYWORD what stands here."))
	block := "-"
	for _, k := range config.Keywords() {
		if k.Block != block {
			block = k.Block
			fmt.Fprintf(w, ".SH \"%s\"\n", roff(strings.ToUpper(config.BlockTitle(block))))
		}
		text := k.Doc
		if k.Default != "" {
			text += " Default: " + k.Default + "."
		}
		if k.Instead != "" {
			text += " Deprecated: use " + k.Instead + "."
		}
		if k.Tandem {
			text += " tandem's own: behind @tandem."
		}
		if !k.Honoured {
			text += " Read, and without effect."
		}
		manualItem(w, strings.TrimRight(k.Name+" "+k.Args, " "), text)
	}
	fmt.Fprint(w, ".SH SEE ALSO\n.BR tandem (8)\n")
}
