package config

import (
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"strings"
)

// maxExpansion is the longest text that a line may become by its definitions.
const maxExpansion = 64 << 10

// definition is the value of "$NAME=VALUE".
type definition struct {
	value string
	at    Token
}

// define takes the lines of one definition.
func (l *loader) define(lines []Token) {
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
	if l.vars == nil {
		l.vars = map[string]definition{}
	}
	l.vars[name] = definition{value: strings.Join(parts, "\n"), at: lines[0]}
}

// substitute puts the definitions into the words of a line and gives the lines
// that this makes.
func (l *loader) substitute(words []Token) [][]Token {
	if !refers(words) {
		return [][]Token{words}
	}
	src := words[0].src
	start := words[0].Offset
	last := words[len(words)-1]
	e := expansion{loader: l, dir: filepath.Dir(src.name)}
	err := e.text(src.text[start:last.Offset+len(last.Text)], start, nil)
	if err != nil {
		l.fail("definition", span{words[0], last}, "", "%v", err)
		return nil
	}
	if !l.shell[words[0].Value] {
		for _, name := range e.missing {
			l.notice("undefined", span{words[0], last}, "Define it above by $"+name+"=VALUE.", "$%s is not defined and stays as it is", name)
		}
	}
	if !e.changed {
		return [][]Token{words}
	}
	return e.lines(words[0])
}

// refers is true where a word may refer to a definition.
func refers(words []Token) bool {
	for _, t := range words {
		if strings.Contains(t.Text, "$") {
			return true
		}
		if t.Kind == TokenOpen && t.Offset > 0 && t.src.text[t.Offset-1] == '$' {
			return true
		}
	}
	return false
}

// expansion is the text of a line while definitions are put in.
type expansion struct {
	loader *loader
	dir    string
	out    strings.Builder
	// origin is, for each byte of out, the offset in the source that it is from.
	origin  []int
	changed bool
	// missing are the names that stand for nothing.
	missing []string
}

var (
	errSelfReference = errors.New("the definition refers to itself")
	errTooLong       = errors.New("the definitions make the line too long")
)

// text adds s, which begins at offset in the source. Inside a definition, whose
// names are in nested, every byte is from that offset.
func (e *expansion) text(s string, offset int, nested []string) error {
	for i := 0; i < len(s); {
		at := offset
		if len(nested) == 0 {
			at += i
		}
		if !strings.HasPrefix(s[i:], "$") {
			e.byte(s[i], at)
			i++
			continue
		}
		name, length := reference(s[i:])
		if value, ok := e.builtIn(name); ok && length > 0 {
			e.changed = true
			for k := range len(value) {
				e.byte(value[k], at)
			}
			i += length
			continue
		}
		value, ok := e.loader.vars[name]
		if !ok {
			e.undefined(name, len(nested))
			e.byte(s[i], at)
			i++
			continue
		}
		if slices.Contains(nested, name) {
			return fmt.Errorf("$%s: %w", name, errSelfReference)
		}
		if len(nested) > maxIncludeDepth || len(e.origin) > maxExpansion {
			return errTooLong
		}
		e.changed = true
		if err := e.text(value.value, at, append(nested, name)); err != nil {
			return err
		}
		i += length
	}
	return nil
}

// byte adds one byte of the source.
func (e *expansion) byte(c byte, origin int) {
	e.out.WriteByte(c)
	e.origin = append(e.origin, origin)
}

// undefined notes a name in the line itself that stands for nothing.
func (e *expansion) undefined(name string, depth int) {
	if name != "" && depth == 0 {
		e.missing = append(e.missing, name)
	}
}

// reference reads "$NAME" or "${NAME}" at the start of s; length is 0 for none.
func reference(s string) (name string, length int) {
	if len(s) < 2 || s[0] != '$' {
		return "", 0
	}
	if s[1] == '{' {
		end := strings.IndexByte(s, '}')
		if end < 0 || !isName(s[2:end]) {
			return "", 0
		}
		return s[2:end], end + 1
	}
	end := 1
	for end < len(s) && isName("_"+s[end:end+1]) {
		end++
	}
	if !isName(s[1:end]) {
		return "", 0
	}
	if end < len(s) && !isBlank(s[end]) && s[end] != ',' && s[end] != ')' && s[end] != '\n' {
		return "", 0
	}
	return s[1:end], end
}

// builtIn is what a name stands for that no file has defined.
func (e *expansion) builtIn(name string) (string, bool) {
	if _, ok := e.loader.vars[name]; ok {
		return "", false
	}
	switch name {
	case "_PWD":
		return e.dir, true
	case "_INSTANCE":
		return e.loader.options.ID, true
	case "_HASH":
		return "#", true
	case "_BANG":
		return "!", true
	}
	return "", false
}

// lines lexes the expanded text; the tokens keep the places of what they are
// made from.
func (e *expansion) lines(first Token) [][]Token {
	text := newSource(first.src.name, e.out.String(), nil)
	lx := &lexer{src: text, shell: e.loader.shell, expanded: true}
	var out [][]Token
	var line []Token
	skip := false
	for _, t := range lx.run() {
		switch t.Kind {
		case TokenNewline:
			out, line, skip = append(out, line), nil, false
		case TokenCondition:
			skip = !e.loader.holds(t.Value)
		case TokenWord, TokenOpen, TokenClose:
			from := e.origin[t.Offset]
			to := max(e.origin[t.Offset+len(t.Text)-1]+1, from)
			t.Text = first.src.text[from:to]
			t.Offset, t.Line, t.src = from, first.Line, first.src
			t.Column = first.Column + from - first.Offset
			if !skip {
				line = append(line, t)
			}
		default:
		}
	}
	return append(out, line)
}
