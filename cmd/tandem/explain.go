package main

import (
	"errors"
	"flag"
	"fmt"
	"strings"

	"github.com/tandem-ha/tandem/config"
)

func setupExplain(f *flag.FlagSet) func(*call) int {
	out := addFormat(f)
	return func(c *call) int {
		if len(c.args) == 0 {
			return c.fail(errors.New("name a keyword, as in tandem explain advert_int"))
		}
		list, err := config.Explain(c.args[0], strings.Join(c.args[1:], "/"))
		if err != nil {
			return c.fail(err)
		}
		if *out == formatJSON {
			err = c.printJSON(list)
		} else {
			_, err = fmt.Fprint(c.stdout, explainText(list))
		}
		if err != nil {
			return c.fail(err)
		}
		return exitOK
	}
}

// explainColumn is where the texts of an explanation begin.
const explainColumn = 14

// explainText is what there is to say of a keyword.
func explainText(list []config.Explanation) string {
	var b strings.Builder
	for i, e := range list {
		if i > 0 {
			b.WriteByte('\n')
		}
		places := make([]string, 0, len(e.Blocks))
		for _, block := range e.Blocks {
			places = append(places, config.BlockTitle(block))
		}
		head := e.Name
		if e.Args != "" {
			head += " " + e.Args
		}
		fmt.Fprintf(&b, "%s\n", head)
		line := func(name, text string) {
			if text != "" {
				fmt.Fprintf(&b, "  %-*s%s\n", explainColumn-2, name, wrap(text, 78, strings.Repeat(" ", explainColumn)))
			}
		}
		line("stands", strings.Join(places, ", "))
		line("meaning", e.Doc)
		line("default", e.Default)
		line("since", since(e.Since))
		line("honoured", honoured(e))
		if e.Instead != "" {
			line("deprecated", "use "+e.Instead)
		}
		line("aliases", strings.Join(e.Aliases, ", "))
		if e.AliasOf != "" && e.AliasOf != e.Instead {
			line("see", e.AliasOf)
		}
		if e.Shell {
			line("quoting", "as a shell's: quotes of both sorts, and backslash escapes")
		}
		if e.Tandem {
			line("keepalived", "does not know it: begin the line with @tandem, and keepalived passes over it")
		}
	}
	return b.String()
}

// since says which version brought a keyword.
func since(version string) string {
	switch rest, before := strings.CutPrefix(version, "<="); {
	case version == "" || version == "tandem":
		return version
	case before:
		return "keepalived " + rest + " or before"
	}
	return "keepalived " + version
}

// honoured says whether a keyword has an effect, and why not.
func honoured(e config.Explanation) string {
	text := "no"
	if e.Honoured {
		text = "yes"
	}
	if e.Reason != "" {
		text += ": " + e.Reason
	}
	return text
}
