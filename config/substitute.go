package config

import (
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strconv"
	"strings"
)

// expansion is the text of a line while definitions are put in.
type expansion struct {
	loader  *loader
	source  *fragment
	out     strings.Builder
	offsets []int
	from    []*origin
	changed bool
	// missing are the references that stand for nothing; loose where one of
	// them has braces outside of quotes, which keepalived takes for a block.
	missing []string
	loose   bool
	// shell is true for a line whose own program knows "$NAME".
	shell bool
}

// substitute puts the definitions into a fragment and gives the lines that this
// makes; false where it cannot.
func (l *loader) substitute(f *fragment, shell bool) ([]*fragment, bool) {
	e := expansion{loader: l, source: f, shell: shell}
	if err := e.line(); err != nil {
		l.fail("definition", f.span(), "", "%v", err)
		return nil, false
	}
	for _, name := range e.missing {
		report := l.notice
		if e.loose {
			report = l.fail
		}
		report("undefined", f.span(), "Define it above by $"+name+"=VALUE.", "$%s is not defined and stays as it is", name)
	}
	if !e.changed {
		return []*fragment{f}, true
	}
	if l.used.expanded += len(e.offsets); l.used.expanded > l.limits.expanded {
		l.overflow(f.first, "definitions make more than %d bytes; the rest does not count", l.limits.expanded)
		return nil, false
	}
	whole := &fragment{first: f.first, text: e.out.String(), offsets: e.offsets, from: e.from}
	var out []*fragment
	start := 0
	for i := 0; i <= len(whole.text); i++ {
		if i == len(whole.text) || whole.text[i] == '\n' {
			out = append(out, whole.cut(start, i))
			start = i + 1
		}
	}
	return out, true
}

// line expands the whole line.
func (e *expansion) line() error {
	quoted := false
	text := e.source.text
	for i := 0; i < len(text); {
		at, from := e.source.offset(i), e.source.origin(i)
		if text[i] == '"' {
			quoted = !quoted
		}
		n, err := e.reference(text[i:], at, from)
		if err != nil {
			return err
		}
		if n > 0 {
			i += n
			continue
		}
		if name, _, length := reference(text[i:]); length > 0 && !e.shell {
			e.missing = append(e.missing, name)
			e.loose = e.loose || !quoted && text[i+1] == '{'
		}
		e.byte(text[i], at, from)
		i++
	}
	return nil
}

// reference expands the reference at the start of s and returns how long it is,
// 0 where there is none that stands for something.
func (e *expansion) reference(s string, at int, from *origin) (int, error) {
	name, arguments, length := reference(s)
	if length == 0 {
		return 0, nil
	}
	def := e.loader.vars[name]
	if def == nil {
		value, ok := e.loader.builtIn(name, arguments, e.source.first)
		if !ok {
			return 0, nil
		}
		e.changed = true
		for i := range len(value) {
			e.byte(value[i], at, from)
		}
		return length, nil
	}
	depth := 0
	for o := from; o != nil; o = o.within {
		if o.def == def {
			return 0, fmt.Errorf("$%s: %w", name, errSelfReference)
		}
		depth++
	}
	if depth > e.loader.limits.depth {
		return 0, errTooLong
	}
	e.changed = true
	within := &origin{def: def, within: from}
	late := 0 // the end of a line whose references are put in when it is read
	for i := 0; i < len(def.value); {
		if i > 0 && def.value[i-1] == '\n' {
			if line, _, _ := strings.Cut(def.value[i:], "\n"); readsLate(line) {
				late = i + len(line)
			}
		}
		n, err := 0, error(nil)
		if i >= late {
			n, err = e.reference(def.value[i:], at, within)
		}
		if err != nil {
			return 0, err
		}
		if n > 0 {
			i += n
			continue
		}
		if len(e.offsets) > e.loader.limits.line {
			return 0, errTooLong
		}
		e.byte(def.value[i], at, within)
		i++
	}
	return length, nil
}

// readsLate is true for a line of a definition that decides by itself whether,
// how often and with which values what it refers to is put in.
func readsLate(line string) bool {
	line = strings.TrimLeft(line, " \t")
	return isRepetition(line) || strings.HasPrefix(line, "@")
}

// byte adds one byte.
func (e *expansion) byte(c byte, at int, from *origin) {
	e.out.WriteByte(c)
	e.offsets = append(e.offsets, at)
	e.from = append(e.from, from)
}

// builtIn is what a name stands for that no file has defined.
func (l *loader) builtIn(name, arguments string, at token) (string, bool) {
	switch name {
	case "_PWD":
		return filepath.Dir(at.src.name), arguments == ""
	case "_INSTANCE":
		return l.options.ID, arguments == ""
	case "_HASH":
		return "#", arguments == ""
	case "_BANG":
		return "!", arguments == ""
	case "_ENV":
		if !isName(arguments) {
			return "", false
		}
		return os.Getenv(arguments), true
	case "_RANDOM":
		return l.randomNumber(arguments)
	}
	return "", false
}

// randomNumber is ${_RANDOM [MIN [MAX]]}.
func (l *loader) randomNumber(arguments string) (string, bool) {
	low, high := uint64(0), uint64(32767)
	fields := strings.Fields(arguments)
	for i, place := range []*uint64{&low, &high} {
		if i >= len(fields) {
			break
		}
		v, err := strconv.ParseUint(fields[i], 10, 31)
		if err != nil {
			return "", false
		}
		*place = v
	}
	if len(fields) > 2 || low > high {
		return "", false
	}
	width := high - low + 1
	if l.random == nil {
		return strconv.FormatUint(low+rand.Uint64N(width), 10), true
	}
	return strconv.FormatUint(low+l.random.Uint64N(width), 10), true
}

// seed takes the words of random_seed: from there on the numbers are the same
// each time.
func (l *loader) seed(words []token) {
	if len(words) < 2 {
		return
	}
	if v, err := strconv.ParseUint(words[1].Value, 10, 32); err == nil {
		l.random = rand.New(rand.NewPCG(v, 0))
	}
}
