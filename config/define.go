package config

import (
	"errors"
	"strings"
)

// definition is the value of "$NAME=VALUE", or of the variable of a repetition.
type definition struct {
	name  string
	value string
	at    token
}

// origin says where a byte of an expanded text is from: the definition that it
// stood in, and where that was used.
type origin struct {
	def *definition
	// within is where the reference to def stood, nil for the line itself.
	within *origin
}

// fragment is a text to be read as a line, with the places that its bytes are
// from.
type fragment struct {
	// first is a token of the line that the text is from.
	first token
	text  string
	// offsets are, for each byte of text, the offset in the source that it is
	// from, and from the definitions around it. Both are nil for a text that
	// stands in the source as it is, from first on.
	offsets []int
	from    []*origin
}

// offset is where byte i is from.
func (f *fragment) offset(i int) int {
	if f.offsets == nil {
		return f.first.Offset + i
	}
	return f.offsets[i]
}

// origin is the definition that byte i is from.
func (f *fragment) origin(i int) *origin {
	if f.from == nil {
		return nil
	}
	return f.from[i]
}

// cut is the bytes from start to end.
func (f *fragment) cut(start, end int) *fragment {
	out := &fragment{first: f.first, text: f.text[start:end]}
	if f.offsets == nil {
		if start == 0 {
			return out
		}
		out.offsets = make([]int, end-start)
		out.from = make([]*origin, end-start)
		for i := range out.offsets {
			out.offsets[i] = f.first.Offset + start + i
		}
		return out
	}
	out.offsets, out.from = f.offsets[start:end], f.from[start:end]
	return out
}

// trim is the fragment without blanks at its ends.
func (f *fragment) trim() *fragment {
	const blanks = " \t\r\v\f"
	start := len(f.text) - len(strings.TrimLeft(f.text, blanks))
	end := len(strings.TrimRight(f.text, blanks))
	return f.cut(min(start, end), end)
}

// span is the place of the whole fragment.
func (f *fragment) span() span {
	if f.text == "" {
		return of(f.first)
	}
	return of(f.token(0, len(f.text)))
}

// token is a token of the line that stands for the bytes from start to end.
func (f *fragment) token(start, end int) token {
	t := f.first
	low := f.offset(start)
	high := max(f.offset(end-1)+1, low)
	// The bytes of a definition all have the place of the reference to it, which
	// is what is meant then.
	for _, i := range []int{start, end - 1} {
		if f.origin(i) == nil {
			continue
		}
		at := f.offset(i)
		if _, _, length := reference(t.src.text[at:]); length > 0 {
			high = max(high, at+length)
		}
	}
	t.Text = t.src.text[low:high]
	t.Column = f.first.Column + low - f.first.Offset
	t.Offset, t.via = low, f.origin(start)
	return t
}

// define takes the lines of one definition.
func (l *loader) define(lines []token) {
	name := definitionName(lines[0].Text)
	if name == "" {
		return
	}
	parts := make([]string, 0, len(lines))
	for i, t := range lines {
		text := t.Text
		if i == 0 {
			text = strings.TrimLeft(text[len(name)+2:], " \t")
		}
		if t.More {
			text = strings.TrimSuffix(text, `\`)
		}
		if text = strings.TrimRight(text, " \t"); text != "" {
			parts = append(parts, text)
		}
	}
	l.set(name, strings.Join(parts, "\n"), lines[0])
}

// set gives a name its value.
func (l *loader) set(name, value string, at token) {
	if l.vars == nil {
		l.vars = map[string]*definition{}
	}
	l.vars[name] = &definition{name: name, value: value, at: at}
}

// refers is true where a word may refer to a definition.
func refers(words []token) bool {
	for i := range words {
		t := &words[i]
		if strings.Contains(t.Text, "$") {
			return true
		}
		if t.Kind == tokenOpen && t.Offset > 0 && t.src.text[t.Offset-1] == '$' {
			return true
		}
	}
	return false
}

var (
	errSelfReference = errors.New("the definition refers to itself")
	errTooLong       = errors.New("the definitions make the line too long")
)

// reference reads "$NAME", "${NAME}" or "${NAME ARGUMENT ...}" at the start of
// s; length is 0 for none. What belongs to no name is left to the line.
func reference(s string) (name, arguments string, length int) {
	if len(s) < 2 || s[0] != '$' {
		return "", "", 0
	}
	if s[1] == '{' {
		end := strings.IndexByte(s, '}')
		if end < 0 {
			return "", "", 0
		}
		name, arguments, _ = strings.Cut(s[2:end], " ")
		if !isName(name) || arguments != "" && !strings.HasPrefix(name, "_") {
			return "", "", 0
		}
		return name, strings.TrimSpace(arguments), end + 1
	}
	end := 1
	for end < len(s) && isName("_"+s[end:end+1]) {
		end++
	}
	if !isName(s[1:end]) {
		return "", "", 0
	}
	if end < len(s) && !isBlank(s[end]) && s[end] != ',' && s[end] != ')' && s[end] != '\n' {
		return "", "", 0
	}
	return s[1:end], "", end
}
