package main

import (
	"fmt"
	"io"
	"strings"
)

// screen is where the demo tells its story; in colour only to a person.
type screen struct {
	w                              io.Writer
	bold, dim, green, red, restore string
}

func newScreen(w io.Writer, colour bool) *screen {
	s := &screen{w: w}
	if colour {
		s.bold, s.dim, s.green, s.red, s.restore = "\x1b[1m", "\x1b[2m", "\x1b[32m", "\x1b[31m", "\x1b[0m"
	}
	return s
}

func (s *screen) say(text string) { _, _ = fmt.Fprintln(s.w, text) }

func (s *screen) title(text string) { s.say("\n" + s.bold + text + s.restore) }

// typed shows a command as a person would type it on a host, and what it says.
func (s *screen) typed(host, command, output string) {
	s.say("  " + s.bold + host + "# " + command + s.restore)
	for line := range strings.Lines(strings.TrimRight(output, "\n") + "\n") {
		if line = strings.TrimRight(line, " \n"); line != "" {
			s.say("    " + s.dim + line + s.restore)
		}
	}
}

func (s *screen) good(text string) { s.say("  " + s.green + "ok" + s.restore + "  " + text) }

func (s *screen) bad(text string) {
	s.say("  " + s.red + "not as it should be:" + s.restore + " " + text)
}

// result is a step's line in the summary.
func (s *screen) result(o outcome) {
	mark := s.green + "ok      " + s.restore
	if o.err != nil {
		mark = s.red + "failed  " + s.restore
	}
	s.say(fmt.Sprintf("  %s %s (%.1f s)", mark, o.title, o.took.Seconds()))
}
