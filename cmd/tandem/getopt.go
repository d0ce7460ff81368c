package main

import (
	"fmt"
	"strings"
)

// argument says whether an option takes one.
type argument uint8

const (
	noArgument argument = iota
	requiredArgument
	// optionalArgument is attached: -tLOG, --config-test=LOG.
	optionalArgument
)

// option is one of the options that tandem has in common with keepalived, or
// one of its own that go with them.
type option struct {
	// short is the letter, zero for none; long the name after two dashes.
	short byte
	long  string
	arg   argument
	// value names the argument in the usage text, of which help is the rest.
	value, help string
	// refuse, if set, says why the option cannot be used.
	refuse string
	// own marks tandem's own. It is to be written in full, so that it makes no
	// abbreviation of a keepalived option ambiguous.
	own bool
	// set takes the option up. Its error is printed and the default stays, as
	// keepalived does it.
	set func(s *settings, value string) error
	// act, instead of set, is done as soon as the option is met and ends the
	// program with the status that it returns.
	act func(p *program, value string) int
}

// spelling is the option as messages call it.
func (o *option) spelling() string {
	if o.long == "" {
		return "-" + string(o.short)
	}
	return "--" + o.long
}

// item is one option of a command line, or what is wrong in its place.
type item struct {
	*option
	value   string
	problem string
}

// getopt takes args apart as getopt_long(3) does for keepalived: letters can
// be bundled, an argument attached or separate, a long name abbreviated while
// that is unambiguous, options and other words mixed until "--". What is wrong
// stands in its place among the items: keepalived carries out what comes
// before it, and names all of it before it gives up.
func getopt(table []option, args []string) (items []item, words []string) {
	for n := 0; n < len(args); n++ {
		a := args[n]
		switch {
		case a == "--":
			return items, append(words, args[n+1:]...)
		case strings.HasPrefix(a, "--"):
			i, separate := longOption(table, a[2:], args[n+1:])
			items = append(items, i)
			if separate {
				n++
			}
		case len(a) > 1 && a[0] == '-':
			bundle, separate := shortOptions(table, a[1:], args[n+1:])
			items = append(items, bundle...)
			if separate {
				n++
			}
		default:
			words = append(words, a)
		}
	}
	return items, words
}

// longOption is the option that text, without its two dashes, names. Separate
// is true where the first of the rest is its argument.
func longOption(table []option, text string, rest []string) (i item, separate bool) {
	name, value, attached := strings.Cut(text, "=")
	o, many := findLong(table, name)
	switch {
	case len(many) > 0:
		return item{problem: fmt.Sprintf("Unknown option --%s: it could be %s", text, list(many, "or"))}, false
	case o == nil:
		return item{problem: fmt.Sprintf("Unknown option --%s", text) + didYouMean(name, longNames(table), "--")}, false
	case o.arg == noArgument && attached:
		return item{problem: fmt.Sprintf("Unknown option --%s: --%s takes no argument", text, o.long)}, false
	case o.arg != requiredArgument:
		return item{option: o, value: value}, false
	case !attached && len(rest) > 0:
		return item{option: o, value: rest[0]}, true
	case value == "":
		return item{problem: "Missing parameter for option --" + o.long}, false
	}
	return item{option: o, value: value}, false
}

// findLong is the option of that name, or the only one that name abbreviates.
// Where it abbreviates several, they are returned instead.
func findLong(table []option, name string) (found *option, many []string) {
	for i := range table {
		o := &table[i]
		switch {
		case o.long == "":
		case o.long == name:
			return o, nil
		case name != "" && !o.own && strings.HasPrefix(o.long, name):
			found = o
			many = append(many, "--"+o.long)
		}
	}
	if len(many) > 1 {
		return nil, many
	}
	return found, nil
}

// shortOptions are the options of one bundle of letters. Separate is true
// where the first of the rest is the last one's argument.
func shortOptions(table []option, letters string, rest []string) (items []item, separate bool) {
	for n := range len(letters) {
		o := findShort(table, letters[n])
		attached := letters[n+1:]
		switch {
		case o == nil:
			items = append(items, item{problem: "Unknown option -" + letters[n:n+1]})
			continue
		case o.arg == noArgument:
			items = append(items, item{option: o})
			continue
		case o.arg == optionalArgument || attached != "":
			return append(items, item{option: o, value: attached}), false
		case len(rest) > 0:
			return append(items, item{option: o, value: rest[0]}), true
		}
		return append(items, item{problem: "Missing parameter for option -" + letters[n:n+1]}), false
	}
	return items, false
}

// findShort is the option with that letter, or nil.
func findShort(table []option, letter byte) *option {
	for i := range table {
		if table[i].short != 0 && table[i].short == letter {
			return &table[i]
		}
	}
	return nil
}

// longNames are the names after two dashes.
func longNames(table []option) []string {
	var names []string
	for _, o := range table {
		if o.long != "" {
			names = append(names, o.long)
		}
	}
	return names
}
