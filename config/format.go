package config

import (
	"slices"
	"strings"
	"unicode/utf8"
)

const (
	// formatIndent is what a block is indented by.
	formatIndent = "    "
	// alignLimit is the longest line that trailing comments are aligned behind.
	alignLimit = 60
	// noBreakSpace is what editors and web pages put in the place of a blank.
	noBreakSpace = "\u00a0"
)

// Format gives src, the content of the file name, in canonical layout: one
// statement a line, blocks indented by four blanks, the open brace behind its
// statement, one blank between words, no two empty lines in a row. Comments,
// quotes, include lines, conditions and the text of definitions stay as they
// are, and so does the meaning: Parse of both gives configurations that are
// Equal.
//
// A file with syntax that cannot be laid out safely (an open quote, braces that
// do not balance, a merge conflict) comes back as it was, with a diagnostic of
// the severity Error for each reason. A Notice tells of no-break spaces in the
// indentation, which keepalived takes for part of the keyword and Format
// replaces: there, and only there, the result means more than src.
func Format(name string, src []byte) ([]byte, []Diagnostic) {
	f := &formatter{statement: -1}
	text := f.breakable(name, string(src))
	source := newSource(name, text, nil)
	lines := physicalLines(source)
	f.judge(lines)
	if len(f.list) > 0 && slices.ContainsFunc(f.list, func(d Diagnostic) bool { return d.Severity == Error }) {
		return src, f.sorted()
	}
	for i := range lines {
		f.line(&lines[i])
	}
	out := f.text()
	if !slices.Equal(significant(lines), significant(physicalLines(newSource(name, out, nil)))) {
		f.fail("format", of(token{Line: 1, Column: 1, src: source}), "", "the layout cannot be changed without changing what the file says")
		return src, f.sorted()
	}
	return []byte(out), f.sorted()
}

// formatter lays the lines of one file out anew.
type formatter struct {
	reporter
	out   []laidLine
	depth int
	// statement is the index in out of the statement that an open brace on a
	// later line would belong to, -1 for none.
	statement int
	// empty is true where empty lines are waiting to be written.
	empty bool
	// continued is true while the lines of a definition go on.
	continued bool
}

// laidLine is one line of the result.
type laidLine struct {
	depth int
	// text is the line without its indentation, comment what follows it.
	text, comment string
	// open is true behind a brace that opens a block, shut for one that closes
	// a block and nothing else.
	open, shut bool
	// raw lines are written as they are, without indentation.
	raw bool
}

// physicalLine is one line of the source with what it consists of.
type physicalLine struct {
	// raw is the line as it stands, without the carriage return of its end.
	raw string
	// condition is the "@ID" that it begins with; words are its words and braces.
	condition, comment string
	words              []token
	// definition is the line's share in a definition, dropped one too long.
	definition, dropped *token
	first               token
}

// physicalLines lexes a source into lines.
func physicalLines(src *source) []physicalLine {
	out := make([]physicalLine, 0, len(src.lines))
	cur := physicalLine{}
	start := 0
	flush := func(end int) {
		cur.raw = src.text[start:end]
		if s, ok := strings.CutSuffix(cur.raw, "\r"); ok && !strings.HasSuffix(s, "\r") {
			cur.raw = s
		}
		out = append(out, cur)
		cur = physicalLine{}
	}
	for _, t := range lexSource(src, shellKeywords()) {
		if cur.first.Kind == "" && t.Kind != tokenSpace {
			cur.first = t
		}
		switch t.Kind {
		case tokenNewline:
			flush(t.Offset)
			start = t.Offset + 1
		case tokenCondition:
			cur.condition = t.Text
		case tokenComment:
			cur.comment = strings.TrimRight(t.Text, " \t\r\v\f")
		case tokenDefinition:
			cur.definition = &t
		case tokenDropped:
			cur.dropped = &t
		case tokenWord, tokenOpen, tokenClose:
			cur.words = append(cur.words, t)
		case tokenSpace:
		}
	}
	// What follows the last line feed is no line.
	if cur.first.Kind != "" {
		flush(len(src.text))
	}
	return out
}

// breakable replaces no-break spaces in the indentation by blanks, byte for
// byte, so that places stay.
func (f *formatter) breakable(name, text string) string {
	if !strings.Contains(text, noBreakSpace) {
		return text
	}
	src := newSource(name, text, nil)
	var b strings.Builder
	var first token
	count := 0
	for n, start := range src.lines {
		end := len(text)
		if n+1 < len(src.lines) {
			end = src.lines[n+1]
		}
		line := text[start:end]
		rest := strings.TrimLeft(line, " \t\v\f"+noBreakSpace)
		indent := line[:len(line)-len(rest)]
		if at := strings.Index(indent, noBreakSpace); at >= 0 {
			if count++; count == 1 {
				first = token{Line: n + 1, Column: at + 1, Text: noBreakSpace, src: src}
			}
			indent = strings.ReplaceAll(indent, noBreakSpace, "  ")
		}
		b.WriteString(indent)
		b.WriteString(rest)
	}
	if count > 0 {
		f.notice("no-break-space", of(first), "What the lines say counts from now on.",
			"%d lines are indented by no-break spaces, the first here; keepalived takes them for part of the keyword, and blanks take their place", count)
	}
	return b.String()
}

// judge reports what keeps the file from being laid out.
func (f *formatter) judge(lines []physicalLine) {
	var open []token
	for _, l := range lines {
		if conflict(l.raw) {
			f.fail("merge-conflict", of(l.first), "Decide between the two sides first.", "this is the mark of a merge conflict")
		}
		if d := l.definition; d != nil && loose(d.Text, d.More) {
			f.fail("definition", of(*d), "", "the definition ends within quotes or an escape")
		}
		for _, w := range l.words {
			switch {
			case w.Fault != "":
				f.fail("unterminated-quote", of(w), "Close the quote on the same line.", "%s", w.Fault)
			case w.Kind == tokenOpen:
				open = append(open, w)
			case w.Kind == tokenClose && len(open) == 0:
				f.fail("extra-brace", of(w), "", "Extra '}' found")
			case w.Kind == tokenClose:
				open = open[:len(open)-1]
			}
		}
	}
	for _, w := range open {
		f.fail("missing-brace", of(w), "Close the block with '}'.", "this block is never closed")
	}
}

// conflict is true for the lines that a merge leaves.
func conflict(line string) bool {
	for _, mark := range []string{"<<<<<<<", "=======", ">>>>>>>"} {
		if rest, ok := strings.CutPrefix(line, mark); ok && (rest == "" || rest[0] == ' ') {
			return true
		}
	}
	return false
}

// loose is true for the text of a definition that would reach beyond itself
// where it is put in: one that opens a quote, or ends in a backslash.
func loose(text string, more bool) bool {
	if more {
		text = strings.TrimSuffix(strings.TrimRight(text, " \t"), `\`)
	}
	text = strings.TrimRight(text, " \t")
	if strings.HasSuffix(text, `\`) || strings.Count(text, `"`)%2 != 0 {
		return true
	}
	for text != "" {
		w := scanShellWord(text)
		if w.fault != "" {
			return true
		}
		text = text[max(w.length, 1):]
	}
	return false
}

// line lays out one line of the source.
func (f *formatter) line(l *physicalLine) {
	switch {
	case l.dropped != nil:
		f.add(laidLine{text: l.raw, raw: true})
		f.statement, f.continued = -1, false
	case l.definition != nil:
		f.define(l)
	case l.condition == "" && len(l.words) == 0 && l.comment == "":
		// The empty line that ends a definition has to stay.
		if f.continued {
			f.out = append(f.out, laidLine{raw: true})
			f.continued = false
			return
		}
		f.empty = true
	case len(l.words) == 0:
		f.continued = false
		f.add(laidLine{depth: f.depth, text: l.condition, comment: l.comment})
		if l.condition != "" {
			f.statement = -1
		}
	default:
		f.continued = false
		f.code(l)
	}
}

// define lays out a line of a definition: only the first is indented.
func (f *formatter) define(l *physicalLine) {
	line := laidLine{depth: f.depth, text: l.raw, raw: f.continued}
	if !f.continued {
		line.text = strings.TrimLeft(l.raw, " \t\r\v\f")
		line.raw = f.tooLong(line)
		if line.raw {
			line.text = l.raw
		}
	}
	f.add(line)
	f.statement, f.continued = -1, l.definition.More
}

// tooLong is true where the line would not count for its length.
func (f *formatter) tooLong(l laidLine) bool {
	n := len(l.text)
	if !l.raw {
		n += l.depth * len(formatIndent)
	}
	if l.comment != "" {
		n += len(l.comment) + 1
	}
	return n > maxLine
}

// code lays out a line with words or braces.
func (f *formatter) code(l *physicalLine) {
	words := l.words
	if f.joins(l) {
		f.join()
		words = words[1:]
		if len(words) == 0 {
			f.comment(l.comment)
			return
		}
	}
	var lines []laidLine
	depth := f.depth
	if l.whole() {
		lines, depth = []laidLine{l.one(depth)}, depth+l.balance()
	} else {
		lines, depth = l.parts(words, depth)
	}
	last := &lines[len(lines)-1]
	last.comment = l.comment
	if slices.ContainsFunc(lines, f.tooLong) {
		lines, depth = []laidLine{{text: l.raw, raw: true, open: last.open}}, f.depth+l.balance()
	}
	for _, line := range lines {
		f.add(line)
	}
	f.depth = depth
	f.statement = -1
	if last := lines[len(lines)-1]; !last.open && !last.shut && !last.raw && !l.whole() && l.condition == "" {
		f.statement = len(f.out) - 1
	}
}

// stretch is the source from the first word or brace to the last.
func (l *physicalLine) stretch() string {
	first, last := l.words[0], l.words[len(l.words)-1]
	return first.src.text[first.Offset : last.Offset+len(last.Text)]
}

// verbatim is true for a line whose words cannot be told for certain before its
// definitions are put in, or where blanks may be escaped or within quotes.
func (l *physicalLine) verbatim() bool {
	text := l.condition + l.stretch()
	bare := strings.NewReplacer(`\\`, `\`, `\#`, "", `\!`, "").Replace(text)
	return strings.ContainsAny(bare, `\'`) || strings.HasPrefix(l.words[0].Text, "~") || l.special() && strings.Contains(text, `"`)
}

// special is true for a line that is read as a whole: an include, or one with
// definitions.
func (l *physicalLine) special() bool {
	return strings.Contains(l.condition, `"`) || isInclude(l.words[0].Value) || refers(l.words)
}

// whole is true for a line that has to stay one.
func (l *physicalLine) whole() bool {
	if l.verbatim() || l.special() {
		return true
	}
	for i, w := range l.words {
		starts := i > 0 && l.words[i-1].Kind != tokenWord
		if starts && w.Kind == tokenWord && (isInclude(w.Value) || strings.IndexByte("@~", w.Text[0]) >= 0) {
			return true
		}
	}
	return false
}

// balance is how many more blocks a line opens than it closes.
func (l *physicalLine) balance() int {
	n := 0
	for _, w := range l.words {
		switch w.Kind {
		case tokenOpen:
			n++
		case tokenClose:
			n--
		default:
		}
	}
	return n
}

// one lays the line out as one; runs of blanks become one where that is safe.
func (l *physicalLine) one(depth int) laidLine {
	var b strings.Builder
	if l.condition != "" {
		b.WriteString(l.condition + " ")
	}
	if l.verbatim() {
		b.WriteString(l.stretch())
	} else {
		for i, w := range l.words {
			if i > 0 && l.words[i-1].Offset+len(l.words[i-1].Text) < w.Offset {
				b.WriteByte(' ')
			}
			b.WriteString(w.Text)
		}
	}
	line := laidLine{depth: depth, text: b.String(), open: l.words[len(l.words)-1].Kind == tokenOpen}
	for _, w := range l.words {
		if w.Kind != tokenClose {
			break
		}
		line.depth--
	}
	return line
}

// parts lays words out with one statement a line, and gives the depth behind.
func (l *physicalLine) parts(words []token, depth int) ([]laidLine, int) {
	var lines []laidLine
	var texts []string
	flush := func(line laidLine) {
		if l.condition != "" {
			texts = append([]string{l.condition}, texts...)
		}
		line.text = strings.Join(texts, " ")
		lines, texts = append(lines, line), nil
	}
	for _, w := range words {
		switch w.Kind {
		case tokenOpen:
			texts = append(texts, w.Text)
			flush(laidLine{depth: depth, open: true})
			depth++
		case tokenClose:
			if len(texts) > 0 {
				flush(laidLine{depth: depth})
			}
			depth--
			texts = append(texts, w.Text)
			flush(laidLine{depth: depth, shut: true})
		default:
			texts = append(texts, w.Text)
		}
	}
	if len(texts) > 0 {
		flush(laidLine{depth: depth})
	}
	return lines, depth
}

// joins is true where the line begins with the brace of a statement further up
// and can be joined to it.
func (f *formatter) joins(l *physicalLine) bool {
	if f.statement < 0 || l.words[0].Kind != tokenOpen || l.condition != "" || l.whole() {
		return false
	}
	to := f.out[f.statement]
	to.text += " {"
	if f.tooLong(to) {
		return false
	}
	// What follows has to stand as it would on lines of its own.
	probe := *l
	if probe.words = l.words[1:]; len(probe.words) == 0 {
		return true
	}
	lines, _ := probe.parts(probe.words, f.depth+1)
	lines[len(lines)-1].comment = l.comment
	return !slices.ContainsFunc(lines, f.tooLong)
}

// join puts the open brace behind its statement; the comments between them move
// into the block.
func (f *formatter) join() {
	f.out[f.statement].text += " {"
	f.out[f.statement].open = true
	below := f.out[f.statement+1:]
	below = slices.DeleteFunc(below, func(l laidLine) bool { return l.text == "" && l.comment == "" })
	f.out = f.out[:f.statement+1+len(below)]
	for i := range below {
		below[i].depth++
	}
	f.statement, f.empty = -1, false
	f.depth++
}

// comment adds a comment behind the last line, or below it where it has one.
func (f *formatter) comment(text string) {
	last := &f.out[len(f.out)-1]
	with := *last
	with.comment = text
	if text == "" {
		return
	}
	if last.open && last.comment == "" && !f.tooLong(with) {
		*last = with
		return
	}
	f.add(laidLine{depth: f.depth, comment: text})
}

// add adds a line, with an empty one before it where there was one and none is
// out of place, and between blocks of the top level.
func (f *formatter) add(l laidLine) {
	if len(f.out) > 0 {
		last := f.out[len(f.out)-1]
		between := f.empty && !last.open && !l.shut
		apart := last.shut && last.depth == 0 && !l.shut
		ended := last.raw && last.text == ""
		if (between || apart) && !ended {
			f.out = append(f.out, laidLine{})
		}
	}
	f.empty = false
	f.out = append(f.out, l)
}

// text is the result.
func (f *formatter) text() string {
	f.align()
	var b strings.Builder
	for _, l := range f.out {
		if l.text != "" || l.comment != "" {
			if !l.raw {
				b.WriteString(strings.Repeat(formatIndent, max(l.depth, 0)))
			}
			b.WriteString(l.text)
			b.WriteString(l.comment)
		}
		b.WriteByte('\n')
	}
	return b.String()
}

// align puts blanks before trailing comments, so that those on lines one below
// the other begin in one column.
func (f *formatter) align() {
	width := func(l laidLine) int {
		return l.depth*len(formatIndent) + utf8.RuneCountInString(l.text)
	}
	trails := func(l laidLine) bool { return l.text != "" && l.comment != "" }
	for i := 0; i < len(f.out); {
		if !trails(f.out[i]) {
			i++
			continue
		}
		end, column := i, 0
		for end < len(f.out) && trails(f.out[end]) {
			if w := width(f.out[end]); w <= alignLimit {
				column = max(column, w)
			}
			end++
		}
		for ; i < end; i++ {
			l := &f.out[i]
			blanks := strings.Repeat(" ", max(column-width(*l), 0)+1)
			if l.depth*len(formatIndent)+len(l.text)+len(blanks)+len(l.comment) > maxLine {
				blanks = " "
			}
			l.comment = blanks + l.comment
		}
	}
}

// significant is what a file says: its words, braces and definitions, each with
// its condition and, where that makes a difference, its place in the line.
func significant(lines []physicalLine) []string {
	var out []string
	continued := false
	for _, l := range lines {
		switch {
		case l.dropped != nil:
			out, continued = append(out, "dropped", l.raw), false
		case l.definition != nil:
			kind := "definition"
			if continued {
				kind = "continued"
			}
			out = append(out, kind, l.condition, l.definition.Text)
			continued = l.definition.More
		default:
			continued = false
			for i, w := range l.words {
				kind := string(w.Kind)
				if w.Kind == tokenWord && i == 0 && (isInclude(w.Value) || strings.HasPrefix(w.Text, "~")) {
					kind = "line"
				}
				out = append(out, kind, l.condition, w.Text)
			}
		}
	}
	return out
}
