package config

import "strings"

// tokenKind says what a token is.
type tokenKind string

// The kinds. Together the tokens of a file tile it: their Text, put one after
// the other, is the file.
const (
	// tokenSpace is a run of blanks, carriage returns among them.
	tokenSpace tokenKind = "space"
	// tokenNewline is one line feed.
	tokenNewline tokenKind = "newline"
	// tokenComment runs from '#' or '!' to the end of the line.
	tokenComment tokenKind = "comment"
	// tokenWord is a keyword or an argument, quotes and escapes included.
	tokenWord tokenKind = "word"
	// tokenOpen and tokenClose are the braces.
	tokenOpen  tokenKind = "open"
	tokenClose tokenKind = "close"
	// tokenCondition is the "@ID" or "@^ID" that a line begins with.
	tokenCondition tokenKind = "condition"
	// tokenDefinition is a whole line "$NAME=VALUE", or a further line of one,
	// which may be empty.
	tokenDefinition tokenKind = "definition"
	// tokenDropped is a line that is too long to count.
	tokenDropped tokenKind = "dropped"
)

// token is a stretch of one line of a source.
type token struct {
	Kind tokenKind
	// Text is what the source holds, Value what a word means once quotes and
	// escapes are gone.
	Text  string
	Value string
	// Offset counts bytes from the start of the source; Line and Column count
	// from 1, columns in bytes.
	Offset int
	Line   int
	Column int
	// Quoted is true for a word that was written with quotes.
	Quoted bool
	// Fault is what is wrong with the token, empty for nothing.
	Fault string
	// More is true for a line of a definition that goes on in the next line.
	More bool

	src *source
	// via is the definition that the token is from, nil for the source itself.
	via *origin
}

// End is the column after the token's last byte.
func (t token) End() int { return t.Column + len(t.Text) }

// source is one file as it was read.
type source struct {
	name string
	text string
	// lines are the byte offsets at which the lines start.
	lines []int
	// includes are the include lines that led here, outermost first.
	includes []Pos
}

func newSource(name, text string, includes []Pos) *source {
	s := &source{name: name, text: text, includes: includes}
	s.lines = make([]int, 1, strings.Count(text, "\n")+1)
	for at := 0; ; {
		i := strings.IndexByte(text[at:], '\n')
		if i < 0 {
			return s
		}
		at += i + 1
		s.lines = append(s.lines, at)
	}
}

// line is the text of line n, counted from 1, without its end.
func (s *source) line(n int) string {
	if s == nil || n < 1 || n > len(s.lines) {
		return ""
	}
	start, end := s.lines[n-1], len(s.text)
	if n < len(s.lines) {
		end = s.lines[n] - 1
	}
	if end > start && s.text[end-1] == '\r' {
		end--
	}
	return s.text[start:end]
}

// pos is the place of the token.
func (t token) pos() Pos {
	p := Pos{Line: t.Line, Column: t.Column}
	if t.src != nil {
		p.File = t.src.name
	}
	return p
}
