package config

import (
	"strconv"
	"strings"
)

// maxLine is the longest line that counts; keepalived drops longer ones.
const maxLine = 1023

// lex splits text into tokens that tile it. Nothing is an error here: a token
// that is malformed says so in its Fault. Name is the file's, for positions.
func lex(name, text string) []token {
	return lexSource(newSource(name, text, nil), shellKeywords())
}

// lexer holds the state of one pass over a source.
type lexer struct {
	src    *source
	shell  map[string]bool
	tokens []token
	// number is that of the line, from 1.
	number int
	// shellLine is true behind a keyword whose arguments are quoted as a shell's.
	shellLine bool
	// includeLine is true right behind an include, whose braces are a pattern's.
	includeLine bool
	// words counts the words of the statement so far.
	words int
	// inDefinition is true on the lines that continue a definition.
	inDefinition bool
	// lean leaves out what stands between words: blanks, comments, line ends.
	lean bool
	// expanded is true for a line with its definitions put in, which has no
	// comment any more.
	expanded bool
}

// lexSource lexes src; the words in shell are the keywords whose lines are
// quoted as a shell's are.
func lexSource(src *source, shell map[string]bool) []token {
	return (&lexer{src: src, shell: shell}).run()
}

// run lexes the whole source.
func (lx *lexer) run() []token {
	for n := range lx.src.lines {
		lx.lineWithEnd(n)
	}
	return lx.tokens
}

// groups lexes the source line by line and gives each line to f; the lines of one definition are given as one. The tokens last as long as
// the call. Skip says how many lines are passed over from a line on.
func (lx *lexer) groups(f func([]token), skip func(line int) int) {
	for n := 0; n < len(lx.src.lines); n++ {
		if !lx.inDefinition {
			if known := skip(n); known > 0 {
				n += known - 1
				continue
			}
		}
		lx.lineWithEnd(n)
		if !lx.inDefinition {
			f(lx.tokens)
			lx.tokens = lx.tokens[:0]
		}
	}
	if len(lx.tokens) > 0 {
		f(lx.tokens)
	}
}

// lineWithEnd lexes line n, counted from 0, with its end.
func (lx *lexer) lineWithEnd(n int) {
	src := lx.src
	start, end := src.lines[n], len(src.text)
	newline := n+1 < len(src.lines)
	if newline {
		end = src.lines[n+1] - 1
	}
	lx.number = n + 1
	lx.line(start, end)
	if newline {
		lx.between(tokenNewline, end, end+1)
	}
}

// add appends the token that spans the bytes from start to end.
func (lx *lexer) add(kind tokenKind, start, end int) *token {
	text := lx.src.text[start:end]
	lx.tokens = append(lx.tokens, token{
		Kind: kind, Text: text, Value: text, Offset: start,
		Line: lx.number, Column: start - lx.src.lines[lx.number-1] + 1, src: lx.src,
	})
	return &lx.tokens[len(lx.tokens)-1]
}

// between is add for what stands between words.
func (lx *lexer) between(kind tokenKind, start, end int) {
	if !lx.lean {
		lx.add(kind, start, end)
	}
}

// line lexes one line, its end excluded.
func (lx *lexer) line(start, end int) {
	lx.shellLine, lx.includeLine, lx.words = false, false, 0
	text := lx.src.text
	bare := end
	if bare > start && text[bare-1] == '\r' {
		bare--
	}
	if lx.expanded {
		i := lx.condition(lx.space(start, end), end)
		for i < end {
			i = lx.space(lx.next(i, end), end)
		}
		return
	}
	if bare-start > maxLine {
		lx.inDefinition = false
		t := lx.add(tokenDropped, start, end)
		t.Fault = "line is longer than 1023 bytes and does not count"
		return
	}
	stop := commentStart(text[start:end]) + start
	i := lx.space(start, stop)
	if !lx.inDefinition {
		i = lx.condition(i, stop)
	}
	switch {
	case lx.inDefinition && i < bare || definitionName(text[i:stop]) != "":
		value := strings.TrimRight(text[i:stop], " \t\r\v\f")
		t := lx.add(tokenDefinition, i, i+len(value))
		// A comment does not end a definition that goes on behind it.
		t.More = strings.HasSuffix(text[start:bare], `\`)
		lx.inDefinition = t.More
		lx.space(i+len(value), stop)
	default:
		lx.inDefinition = false
		for i < stop {
			i = lx.space(lx.next(i, stop), stop)
		}
	}
	if stop < end {
		lx.between(tokenComment, stop, end)
	}
}

// condition adds the "@ID" at i with the blanks behind it, if there is one.
func (lx *lexer) condition(i, stop int) int {
	if i >= stop || lx.src.text[i] != '@' {
		return i
	}
	j := i
	for j < stop && !isBlank(lx.src.text[j]) {
		j++
	}
	lx.add(tokenCondition, i, j)
	return lx.space(j, stop)
}

// space adds the blanks from i on and returns where they end.
func (lx *lexer) space(i, stop int) int {
	j := i
	for j < stop && isBlank(lx.src.text[j]) {
		j++
	}
	if j > i {
		lx.between(tokenSpace, i, j)
	}
	return j
}

// next adds the brace or word at i and returns where it ends.
func (lx *lexer) next(i, stop int) int {
	text := lx.src.text
	switch text[i] {
	case '{', '}':
		kind := tokenOpen
		if text[i] == '}' {
			kind = tokenClose
		}
		lx.add(kind, i, i+1)
		lx.shellLine, lx.includeLine, lx.words = false, false, 0
		return i + 1
	}
	var w scanned
	switch {
	case lx.shellLine:
		w = scanShellWord(text[i:stop])
	case lx.includeLine && text[i] != '"':
		w = scanPath(text[i:stop])
	case text[i] == '"':
		w = scanQuoted(text[i:stop])
	default:
		w = scanPlain(text[i:stop])
	}
	t := lx.add(tokenWord, i, i+w.length)
	t.Value, t.Quoted, t.Fault = w.value, w.quoted, w.fault
	lx.words++
	if lx.words == 1 && lx.shell[t.Value] {
		lx.shellLine = true
	}
	lx.includeLine = lx.words == 1 && isInclude(t.Value)
	return i + w.length
}

// scanned is a word found at the start of a text.
type scanned struct {
	value  string
	length int
	quoted bool
	fault  string
}

// scanQuoted reads a word in double quotes: no escapes, and the quote ends it.
func scanQuoted(s string) scanned {
	end := strings.IndexByte(s[1:], '"')
	if end < 0 {
		return scanned{value: s[1:], length: len(s), quoted: true, fault: "unterminated quote"}
	}
	return scanned{value: s[1 : end+1], length: end + 2, quoted: true}
}

// scanPlain reads a word without quotes, up to a blank, a brace or a quote.
func scanPlain(s string) scanned {
	if i := plainLength(s); i > 0 {
		return scanned{value: s[:i], length: i}
	}
	var b strings.Builder
	i := 0
	for i < len(s) && !isBlank(s[i]) && s[i] != '{' && s[i] != '}' && (s[i] != '"' || i == 0) {
		if n := referenceLength(s[i:]); n > 0 {
			b.WriteString(s[i : i+n])
			i += n
			continue
		}
		if s[i] == '\\' && i+1 < len(s) && (s[i+1] == '#' || s[i+1] == '!') {
			i++
		}
		b.WriteByte(s[i])
		i++
	}
	return scanned{value: b.String(), length: i}
}

// plainLength is the length of the word at the start of s where it means what it
// says, with neither a reference nor an escape in it; else 0.
func plainLength(s string) int {
	for i := range len(s) {
		switch c := s[i]; {
		case c == '$' || c == '\\':
			return 0
		case isBlank(c) || c == '{' || c == '}' || c == '"' && i > 0:
			return i
		}
	}
	return len(s)
}

// scanPath reads the pattern of an include line, up to a blank.
func scanPath(s string) scanned {
	i := 0
	for i < len(s) && !isBlank(s[i]) {
		i++
	}
	return scanned{value: s[:i], length: i}
}

// scanShellWord reads one word as a shell would: quotes of both sorts, which may
// be put together, and backslash escapes.
func scanShellWord(s string) scanned {
	var b strings.Builder
	w := scanned{}
	i := 0
	for i < len(s) && !isBlank(s[i]) && s[i] != '{' && s[i] != '}' {
		if n := referenceLength(s[i:]); n > 0 {
			b.WriteString(s[i : i+n])
			i += n
			continue
		}
		switch s[i] {
		case '\'', '"':
			w.quoted = true
			value, n, closed := scanShellQuote(s[i:])
			b.WriteString(value)
			i += n
			if !closed {
				w.fault = "unterminated quote"
			}
		case '\\':
			value, n := scanEscape(s[i:])
			b.WriteString(value)
			i += n
		default:
			b.WriteByte(s[i])
			i++
		}
	}
	w.value, w.length = b.String(), i
	return w
}

// scanShellQuote reads the quoted string at the start of s.
func scanShellQuote(s string) (value string, length int, closed bool) {
	var b strings.Builder
	quote := s[0]
	i := 1
	for i < len(s) {
		switch {
		case s[i] == quote:
			return b.String(), i + 1, true
		case s[i] == '\\' && quote == '"':
			part, n := scanEscape(s[i:])
			b.WriteString(part)
			i += n
		default:
			b.WriteByte(s[i])
			i++
		}
	}
	return b.String(), i, false
}

// escapes are the letters that mean a control character behind a backslash.
var escapes = map[byte]byte{
	'a': '\a', 'b': '\b', 'E': 0x1b, 'f': '\f', 'n': '\n', 'r': '\r', 't': '\t', 'v': '\v',
}

// scanEscape reads the backslash escape at the start of s.
func scanEscape(s string) (value string, length int) {
	if len(s) < 2 {
		return `\`, 1
	}
	c := s[1]
	if e, ok := escapes[c]; ok {
		return string([]byte{e}), 2
	}
	switch {
	case c == 'c' && len(s) > 2:
		return string([]byte{s[2] & 0x1f}), 3
	case c == 'x':
		return number(s, 2, 16, 2)
	case c >= '0' && c <= '7':
		return number(s, 1, 8, 3)
	}
	return s[1:2], 2
}

// number reads up to digits digits of the base at s[from:] as one byte.
func number(s string, from, base, digits int) (value string, length int) {
	n, i := 0, from
	for i < len(s) && i < from+digits {
		d, err := strconv.ParseUint(s[i:i+1], base, 8)
		if err != nil {
			break
		}
		n = n*base + int(d)
		i++
	}
	if i == from {
		return s[1:from], from
	}
	return string([]byte{byte(n)}), i
}

// commentStart is where the comment of a line begins, or the line's length.
// Only double quotes keep '#' and '!' from beginning one.
func commentStart(line string) int {
	quoted := false
	for i := 0; i < len(line); i++ {
		switch line[i] {
		case '\\':
			if i+1 < len(line) && strings.IndexByte("#!\"\\", line[i+1]) >= 0 {
				i++
			}
		case '"':
			quoted = !quoted
		case '#', '!':
			if !quoted {
				return i
			}
		}
	}
	return len(line)
}

// isBlank is true for what separates words. A no-break space does not.
func isBlank(c byte) bool {
	return c == ' ' || c == '\t' || c == '\r' || c == '\v' || c == '\f'
}

// referenceLength is the length of the "${NAME}" or "${NAME ARGS}" at the start
// of s, whose braces belong to the word; 0 for none.
func referenceLength(s string) int {
	if !strings.HasPrefix(s, "${") {
		return 0
	}
	end := strings.IndexAny(s[2:], "{}\n")
	if end < 0 || s[2+end] != '}' {
		return 0
	}
	name, _, _ := strings.Cut(s[2:2+end], " ")
	if !isName(name) {
		return 0
	}
	return end + 3
}

// definitionName is NAME where line begins with "$NAME=", else empty.
func definitionName(line string) string {
	if len(line) < 3 || line[0] != '$' {
		return ""
	}
	end := strings.IndexByte(line, '=')
	if end < 2 || !isName(line[1:end]) {
		return ""
	}
	return line[1:end]
}

// isName is true for what a definition may be called.
func isName(s string) bool {
	for i := range len(s) {
		c := s[i]
		letter := c == '_' || c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z'
		if !letter && (i == 0 || c < '0' || c > '9') {
			return false
		}
	}
	return s != ""
}
