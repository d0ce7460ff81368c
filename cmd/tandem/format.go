package main

import (
	"flag"
	"fmt"
	"slices"
)

// format is what a command prints.
type format string

// The formats. Each command has some of them.
const (
	formatText       format = "text"
	formatJSON       format = "json"
	formatGitHub     format = "github"
	formatKeepalived format = "keepalived"
)

// formatFlag is the flag -o of a command that has these formats.
type formatFlag struct {
	value   format
	choices []format
}

// String is the flag's value.
func (f *formatFlag) String() string { return string(f.value) }

// Set accepts the formats there are.
func (f *formatFlag) Set(v string) error {
	if slices.Contains(f.choices, format(v)) {
		f.value = format(v)
		return nil
	}
	return fmt.Errorf("it is %s, not %q", list(f.words(), "or"), v)
}

// words are the flag's possible values.
func (f *formatFlag) words() []string {
	out := make([]string, 0, len(f.choices))
	for _, c := range f.choices {
		out = append(out, string(c))
	}
	return out
}

// addFormat adds the flag -o for text and JSON.
func addFormat(f *flag.FlagSet) *format {
	return addFormats(f, formatText, formatJSON)
}

// addFormats adds the flag -o for these formats, of which the first is the
// default.
func addFormats(f *flag.FlagSet, choices ...format) *format {
	v := &formatFlag{value: choices[0], choices: choices}
	f.Var(v, "o", fmt.Sprintf("output `FORMAT`: %s (default %s)", list(v.words(), "or"), v.value))
	return &v.value
}
