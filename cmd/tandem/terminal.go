package main

import (
	"bufio"
	"bytes"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"regexp"
	"strings"

	"golang.org/x/sys/unix"
)

// isTerminal says whether a stream is one that a person sits at.
func isTerminal(stream any) bool {
	f, ok := stream.(*os.File)
	if !ok {
		return false
	}
	_, err := unix.IoctlGetTermios(int(f.Fd()), unix.TCGETS)
	return err == nil
}

// colours is whether standard output takes them (see https://no-color.org).
func (p *program) colours() bool {
	return p.terminal(p.stdout) && p.getenv("NO_COLOR") == "" && p.getenv("TERM") != "dumb"
}

// risk is what an order can do to the traffic.
type risk uint8

const (
	// lossless orders are asked about where somebody sits at a terminal, and need
	// no answer where nobody does.
	lossless risk = iota
	// lossy ones need a yes in any case.
	lossy
)

// errNotConfirmed is for an order that was not confirmed.
var errNotConfirmed = errors.New("nothing was done")

// addYes adds the flag --yes.
func addYes(f *flag.FlagSet) *bool {
	yes := new(bool)
	for _, name := range []string{"y", "yes"} {
		f.BoolVar(yes, name, false, "do not ask; needed without a terminal for what may lose packets")
	}
	return yes
}

// confirm asks whether to go on with what the question says. Without a terminal
// there is nobody to ask: what loses nothing goes on, what may lose packets needs
// --yes.
func (c *call) confirm(yes bool, r risk, question string) error {
	switch {
	case yes:
		return nil
	case !c.terminal(c.stdin) && r == lossless:
		return nil
	case !c.terminal(c.stdin):
		return fmt.Errorf("%w: %s Without a terminal this needs --yes", errNotConfirmed, question)
	}
	fmt.Fprintf(c.stderr, "%s Go on? [y/N] ", question)
	line, err := bufio.NewReader(c.stdin).ReadString('\n')
	if err != nil && !errors.Is(err, io.EOF) {
		return fmt.Errorf("read the answer: %w", err)
	}
	switch strings.ToLower(strings.TrimSpace(line)) {
	case "y", "yes":
		return nil
	}
	return errNotConfirmed
}

// The colours of a terminal, as ECMA-48 has them.
const (
	bold   = "\x1b[1m"
	red    = "\x1b[31m"
	green  = "\x1b[32m"
	yellow = "\x1b[33m"
	cyan   = "\x1b[36m"
	plain  = "\x1b[0m"
)

var (
	headings = regexp.MustCompile(`^ *(INSTANCE|SYNC GROUP|SCRIPT|FOREIGN ADVERTS ON|VIRTUAL SERVER|REAL SERVER) `)
	states   = regexp.MustCompile(`\b(MASTER|BACKUP|FAULT|INIT|DOWN|NOT DONE|drained|up|done)\b( \([a-z ]+\))?`)
)

// stateColours are those of the words that states has.
func stateColour(word string) string {
	switch {
	case strings.HasPrefix(word, "MASTER ("), strings.HasPrefix(word, "BACKUP ("), word == "drained":
		return yellow
	case word == "MASTER", word == "up", word == "done":
		return green
	case word == "BACKUP":
		return cyan
	case word == "FAULT", word == "DOWN", word == "NOT DONE":
		return red
	}
	return bold
}

// colourful is a status, or a list of outcomes, in colours. But for them it is
// the same.
func colourful(text []byte) []byte {
	var out bytes.Buffer
	attention, notes := false, false
	for line := range bytes.Lines(text) {
		body := string(bytes.TrimRight(line, "\n"))
		switch {
		case body == "":
			attention = false
		case body == "ATTENTION":
			attention = true
			body = bold + yellow + body + plain
		case attention:
			body = yellow + body + plain
		case headings.MatchString(body):
			body = bold + body + plain
		default:
			notes = strings.HasPrefix(strings.TrimSpace(body), "why:") || strings.HasPrefix(strings.TrimSpace(body), "VIPs:")
			if !notes {
				body = states.ReplaceAllStringFunc(body, func(w string) string { return stateColour(w) + w + plain })
			}
		}
		out.WriteString(body)
		out.WriteString(string(line[len(bytes.TrimRight(line, "\n")):]))
	}
	return out.Bytes()
}

// show prints text for people, in colours where the terminal has them.
func (c *call) show(text []byte) error {
	if c.colours() {
		text = colourful(text)
	}
	_, err := c.stdout.Write(text)
	return err
}
