package main

import (
	"fmt"
	"io"
	"strings"
)

// usage prints the options as keepalived does, on standard error.
func (p *program) usage() {
	fmt.Fprintf(p.stderr, "Usage: %s [OPTION...]\n", p.name)
	writeOptions(p.stderr)
	if p.commandsAllowed() {
		fmt.Fprintf(p.stderr, "Or:    %s COMMAND [ARGUMENT...]\n  See %s help.\n", p.name, p.name)
	}
}

// helpColumn is where an option's text begins.
const helpColumn = 31

// writeOptions writes the option table as usage text.
func writeOptions(w io.Writer) {
	var refused []string
	for _, o := range optionTable() {
		if o.refuse != "" {
			refused = append(refused, o.spelling())
			continue
		}
		left := "      "
		if o.short != 0 {
			left = fmt.Sprintf("  -%c, ", o.short)
		}
		left += "--" + o.long
		switch o.arg {
		case requiredArgument:
			left += "=" + o.value
		case optionalArgument:
			left += "[=" + o.value + "]"
		}
		if len(left) >= helpColumn {
			fmt.Fprintf(w, "%s\n%*s%s\n", left, helpColumn, "", o.help)
			continue
		}
		fmt.Fprintf(w, "%-*s%s\n", helpColumn, left, o.help)
	}
	fmt.Fprintf(w, "Options of keepalived that are refused:\n  %s\n", wrap(strings.Join(refused, " "), 76, "  "))
}

// wrap breaks text at spaces so that no line is longer than width, the indent
// of the following lines included.
func wrap(text string, width int, indent string) string {
	var b strings.Builder
	column := len(indent)
	for i, word := range strings.Fields(text) {
		switch {
		case i == 0:
		case column+1+len(word) > width:
			b.WriteString("\n" + indent)
			column = len(indent)
		default:
			b.WriteByte(' ')
			column++
		}
		b.WriteString(word)
		column += len(word)
	}
	return b.String()
}
