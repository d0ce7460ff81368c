package config

import (
	"errors"
	"strconv"
	"strings"
)

var errRepetition = errors.New("write ~SEQ(NAME, [START, [STEP,]] END) TEXT or ~LST(NAME, VALUE, ...) TEXT")

// isRepetition is true for a text that begins with ~SEQ, ~SEQx or ~LST.
func isRepetition(text string) bool {
	return strings.HasPrefix(text, "~SEQ") || strings.HasPrefix(text, "~LST")
}

// fragment reads a text as a line: conditions, definitions and repetitions that
// it begins with, then words.
func (l *loader) fragment(f *fragment) {
	f = f.trim()
	if strings.HasPrefix(f.text, "@") {
		end := strings.IndexAny(f.text, " \t")
		if end < 0 || !l.holds(f.text[:end]) {
			return
		}
		f = f.cut(end, len(f.text)).trim()
	}
	switch {
	case f.text == "":
	case definitionName(f.text) != "":
		name := definitionName(f.text)
		l.set(name, strings.TrimLeft(f.text[len(name)+2:], " \t"), f.token(0, len(f.text)))
	case isRepetition(f.text):
		l.repeat(f)
	case l.leads(f):
		l.leading(f)
	default:
		lines, ok := l.substitute(f, l.shell[firstWord(f.text)])
		if !ok {
			return
		}
		for i, line := range lines {
			// A further line of a definition may itself be a condition or a
			// repetition, whose references are put in now.
			if i > 0 && readsLate(line.text) {
				l.fragment(line)
				continue
			}
			l.words(l.lexFragment(line))
		}
	}
}

// firstWord is the text up to a blank.
func firstWord(text string) string {
	word, _, _ := strings.Cut(text, " ")
	return word
}

// leads is true where the line begins with a reference to a definition that
// itself begins with a repetition: then only that reference is put in at first,
// as the repetition gives its variable a value.
func (l *loader) leads(f *fragment) bool {
	name, _, length := reference(f.text)
	if length == 0 || l.vars[name] == nil {
		return false
	}
	for o := f.origin(0); o != nil; o = o.within {
		if o.def == l.vars[name] {
			return false
		}
	}
	return isRepetition(l.vars[name].value)
}

// leading puts in the reference that the line begins with.
func (l *loader) leading(f *fragment) {
	name, _, length := reference(f.text)
	def := l.vars[name]
	within := &origin{def: def, within: f.origin(0)}
	at := f.offset(0)
	parts := strings.Split(def.value, "\n")
	for i, part := range parts {
		line := &fragment{first: f.first, text: part}
		for range len(part) {
			line.offsets = append(line.offsets, at)
			line.from = append(line.from, within)
		}
		if i == len(parts)-1 {
			rest := f.cut(length, len(f.text))
			line.text += rest.text
			for k := range len(rest.text) {
				line.offsets = append(line.offsets, rest.offset(k))
				line.from = append(line.from, rest.origin(k))
			}
		}
		if len(line.text) > l.limits.line {
			l.fail("definition", f.span(), "", "%v", errTooLong)
			return
		}
		l.fragment(line)
	}
}

// lexFragment is the words of a line; they keep the places that they are from.
func (l *loader) lexFragment(f *fragment) []token {
	lx := &lexer{src: newSource(f.first.src.name, f.text, nil), shell: l.shell, expanded: true}
	var out []token
	for _, t := range lx.run() {
		switch t.Kind {
		case tokenWord, tokenOpen, tokenClose:
			place := f.token(t.Offset, t.Offset+len(t.Text))
			t.Text, t.Offset, t.Line, t.Column, t.src, t.via = place.Text, place.Offset, place.Line, place.Column, place.src, place.via
			if t.Fault != "" {
				l.fail("unterminated-quote", of(t), "Close the quote on the same line.", "%s", t.Fault)
			}
			out = append(out, t)
		default:
		}
	}
	return out
}

// repeat reads a line that begins with a repetition.
func (l *loader) repeat(f *fragment) {
	open, end := strings.IndexByte(f.text, '('), strings.IndexByte(f.text, ')')
	if open < 0 || end < open {
		l.fail("repetition", f.span(), "", "the repetition has no (...): %v", errRepetition)
		return
	}
	name := strings.TrimRight(f.text[:open], " \t")
	arguments := f.text[open+1 : end]
	body := f.cut(end+1, len(f.text)).trim()
	var rows []map[string]string
	var err error
	switch name {
	case "~SEQ", "~SEQx":
		rows, err = l.sequence(f, arguments, name == "~SEQx")
	case "~LST":
		rows, err = l.list(f, arguments)
	default:
		err = errRepetition
	}
	if err != nil {
		l.fail("repetition", f.span(), "", "the repetition %s cannot be read: %v", f.text[:end+1], err)
		return
	}
	at := f.token(0, end+1)
	for _, row := range rows {
		if l.full {
			return
		}
		if l.used.repeats++; l.used.repeats > l.limits.repeats {
			l.overflow(at, "repetitions make more than %d lines; the rest does not count", l.limits.repeats)
			return
		}
		for variable, value := range row {
			l.set(variable, value, at)
		}
		if body.text != "" {
			l.fragment(body)
		}
	}
}

// sequence reads "NAME, [START, [STEP,]] END" and gives the values.
func (l *loader) sequence(f *fragment, arguments string, hex bool) ([]map[string]string, error) {
	parts, err := l.arguments(f, strings.Split(arguments, ","))
	if err != nil {
		return nil, err
	}
	if len(parts) < 2 || len(parts) > 4 || !isName(parts[0]) {
		return nil, errRepetition
	}
	numbers := make([]int64, 0, 3)
	for _, p := range parts[1:] {
		v, err := strconv.ParseInt(p, 0, 32)
		if err != nil {
			return nil, errors.New("'" + p + "' is not a number")
		}
		if hex && v < 0 {
			return nil, errors.New("a hexadecimal sequence has no negative numbers")
		}
		numbers = append(numbers, v)
	}
	end := numbers[len(numbers)-1]
	start, step := int64(1), int64(1)
	if len(numbers) == 1 && end < 0 {
		start = -1
	}
	if len(numbers) > 1 {
		start = numbers[0]
	}
	if end < start {
		step = -1
	}
	if len(numbers) == 3 {
		if numbers[1] == 0 || numbers[1] > 0 != (step > 0) && start != end {
			return nil, errors.New("the step does not lead to the end")
		}
		step = numbers[1]
	}
	base := 10
	if hex {
		base = 16
	}
	var rows []map[string]string
	for v := start; step > 0 && v <= end || step < 0 && v >= end; v += step {
		if len(rows) > l.limits.repeats {
			break
		}
		rows = append(rows, map[string]string{parts[0]: strconv.FormatInt(v, base)})
	}
	return rows, nil
}

// arguments puts definitions into each argument and takes its blanks away.
func (l *loader) arguments(f *fragment, parts []string) ([]string, error) {
	for i, p := range parts {
		if strings.Contains(p, "$") {
			e := expansion{loader: l, source: &fragment{first: f.first, text: p, offsets: make([]int, len(p)), from: make([]*origin, len(p))}}
			if err := e.line(); err != nil {
				return nil, err
			}
			p = e.out.String()
		}
		parts[i] = strings.Trim(p, " \t")
	}
	return parts, nil
}

// list reads "NAME, VALUE, ..." or "{NAME,NAME}, {VALUE,VALUE}, ..." and gives
// the values.
func (l *loader) list(f *fragment, arguments string) ([]map[string]string, error) {
	tuples, err := cutTuples(arguments)
	if err != nil {
		return nil, err
	}
	if len(tuples) < 2 {
		return nil, errRepetition
	}
	for i := range tuples {
		if tuples[i], err = l.arguments(f, tuples[i]); err != nil {
			return nil, err
		}
	}
	names := tuples[0]
	for _, name := range names {
		if !isName(name) {
			return nil, errRepetition
		}
	}
	rows := make([]map[string]string, 0, len(tuples)-1)
	for _, values := range tuples[1:] {
		if len(values) > len(names) {
			return nil, errors.New("there are more values than names")
		}
		row := map[string]string{}
		for i, name := range names {
			row[name] = ""
			if i < len(values) {
				row[name] = values[i]
			}
			if strings.ContainsAny(row[name], " \t\"") {
				return nil, errors.New("a value has neither blanks nor quotes")
			}
		}
		rows = append(rows, row)
	}
	return rows, nil
}

// cutTuples splits at the commas outside of braces; what braces hold is split at
// the commas inside.
func cutTuples(s string) ([][]string, error) {
	var out [][]string
	for {
		s = strings.TrimLeft(s, " \t")
		var item []string
		if inside, ok := strings.CutPrefix(s, "{"); ok {
			text, rest, closed := strings.Cut(inside, "}")
			if !closed {
				return nil, errors.New("a '}' is missing")
			}
			item, s = strings.Split(text, ","), strings.TrimLeft(rest, " \t")
			if s != "" && s[0] != ',' {
				return nil, errors.New("a comma is missing behind '}'")
			}
		} else {
			text := s
			if i := strings.IndexByte(s, ','); i >= 0 {
				text = s[:i]
			}
			item, s = []string{text}, s[len(text):]
		}
		out = append(out, item)
		if s == "" {
			return out, nil
		}
		s = s[1:]
	}
}
