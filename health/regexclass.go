package health

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
	"unicode/utf8"
)

// What the names stand for within a class, in ASCII.
const (
	digits = "0-9"
	word   = "0-9A-Z_a-z"
	space  = "\t-\r "
)

// posixClass is the content of a class such as [:alpha:], empty where there is
// none of the name.
func posixClass(name string) string {
	switch name {
	case "alpha":
		return "A-Za-z"
	case "lower":
		return "a-z"
	case "upper":
		return "A-Z"
	case "alnum":
		return "0-9A-Za-z"
	case "digit":
		return digits
	case "xdigit":
		return "0-9A-Fa-f"
	case "space":
		return space
	case "blank":
		return "\t "
	case "word":
		return word
	case "ascii":
		return "\x00-\x7f"
	case "cntrl":
		return "\x00-\x1f\x7f"
	case "graph":
		return "!-~"
	case "print":
		return " -~"
	case "punct":
		return "!-/:-@[-`{-~"
	}
	return ""
}

// shorthand is \d, \w, \s or its opposite outside a class.
func (t *translator) shorthand(c rune) string {
	if t.ucp {
		return `\` + string(c)
	}
	not := ""
	if c >= 'A' && c <= 'Z' {
		not = "^"
	}
	return "[" + not + shorthandClass(c|0x20) + "]"
}

func shorthandClass(c rune) string {
	switch c {
	case 'd':
		return digits
	case 'w':
		return word
	}
	return space
}

// boundary is \b or \B outside a class.
func (t *translator) boundary(c rune) string {
	switch {
	case t.ucp:
		return `\` + string(c)
	case c == 'b':
		return "(?:(?<=[" + word + "])(?![" + word + "])|(?<![" + word + "])(?=[" + word + "]))"
	}
	return "(?:(?<=[" + word + "])(?=[" + word + "])|(?<![" + word + "])(?![" + word + "]))"
}

// complement is the content of a class of all that is not in the content s of
// another, whose ranges are in order and say nothing twice.
func (t *translator) complement(s string) string {
	last := rune(0xff)
	if t.utf {
		last = utf8.MaxRune
	}
	var b strings.Builder
	add := func(from, to rune) {
		if from < to {
			b.WriteString(literal(from) + "-" + literal(to))
		} else if from == to {
			b.WriteString(literal(from))
		}
	}
	next := rune(0)
	for r := []rune(s); len(r) > 0; {
		from, to := r[0], r[0]
		if r = r[1:]; len(r) > 1 && r[0] == '-' {
			to, r = r[1], r[2:]
		}
		add(next, from-1)
		next = to + 1
	}
	add(next, last)
	return b.String()
}

// class translates a class, of which the opening bracket has been passed.
func (t *translator) class() error {
	t.atom = len(t.out)
	not := t.peek(0) == '^'
	if not {
		t.at++
	}
	var b strings.Builder
	if t.peek(0) == ']' {
		t.at++
		if t.emptyClass {
			t.emit(map[bool]string{false: "(?!)", true: `[\s\S]`}[not])
			return nil
		}
		b.WriteString(`\]`)
	}
	for {
		c := t.peek(0)
		if t.at >= len(t.in) {
			return errors.New("missing ]")
		}
		t.at++
		switch {
		case c == ']':
			open := "["
			if not {
				open = "[^"
			}
			t.emit(open + b.String() + "]")
			return nil
		case c == '[' && (t.peek(0) == ':' || t.peek(0) == '.' || t.peek(0) == '='):
			s, err := t.posix()
			if err != nil {
				return err
			}
			b.WriteString(s)
		case c == '\\':
			s, err := t.classEscape()
			if err != nil {
				return err
			}
			b.WriteString(s)
		case c == '-':
			b.WriteRune(c)
		default:
			b.WriteString(literal(c))
		}
	}
}

// posix translates [:name:], of which the bracket has been passed. A [: that
// has no end is two characters.
func (t *translator) posix() (string, error) {
	kind := t.peek(0)
	rest := string(t.in[t.at+1:])
	name, _, ok := strings.Cut(rest, string(kind)+"]")
	if !ok || strings.ContainsAny(name, `]\`) {
		return `\[`, nil
	}
	if kind != ':' {
		return "", errors.New("collating elements are not supported")
	}
	t.at += len([]rune(name)) + 3
	name, not := strings.CutPrefix(name, "^")
	s := posixClass(name)
	switch {
	case s == "":
		return "", fmt.Errorf("unknown class [:%s:]", name)
	case not:
		return t.complement(s), nil
	}
	// Of the names only punct holds a bracket.
	return strings.ReplaceAll(s, "[", `\[`), nil
}

// classEscape translates an escape within a class; its backslash has been
// passed.
func (t *translator) classEscape() (string, error) {
	if t.at >= len(t.in) {
		return "", errors.New("missing ]")
	}
	if r, ok, err := t.character(); ok || err != nil {
		return literal(r), err
	}
	c := t.peek(0)
	t.at++
	switch c {
	case 'b':
		return literal('\b'), nil
	case 'd', 'w', 's':
		if t.ucp {
			return `\` + string(c), nil
		}
		return shorthandClass(c), nil
	case 'D', 'W', 'S':
		if t.ucp {
			return `\` + string(c), nil
		}
		return t.complement(shorthandClass(c | 0x20)), nil
	case 'h':
		return horizontal, nil
	case 'v':
		return vertical, nil
	case 'p', 'P':
		return t.property(c)
	case 'E':
		return "", nil
	case 'Q':
		var b strings.Builder
		t.quoted(func(r rune) { b.WriteString(literal(r)) })
		return b.String(), nil
	}
	if c >= '1' && c <= '7' {
		t.at--
		return literal(rune(t.number(8, 3))), nil
	}
	return "", fmt.Errorf(`unknown escape \%c in a class`, c)
}

// property translates \p and \P, of which the letter has been passed.
func (t *translator) property(c rune) (string, error) {
	name := string(t.peek(0))
	t.at++
	if name == "{" {
		var ok bool
		if name, ok = t.until('}'); !ok {
			return "", fmt.Errorf(`\%c without its }`, c)
		}
	}
	if rest, not := strings.CutPrefix(name, "^"); not {
		name, c = rest, c^('p'^'P')
	}
	return `\` + string(c) + "{" + name + "}", nil
}

// character reads an escape that stands for one character: \n, \x41, \., and
// says whether there is one. Its backslash has been passed.
func (t *translator) character() (rune, bool, error) {
	c := t.peek(0)
	if i := strings.IndexRune("aefnrt", c); i >= 0 && c != 0 {
		t.at++
		return []rune("\a\x1b\f\n\r\t")[i], true, nil
	}
	switch {
	case c == 'x' || c == 'o':
		t.at++
		base := map[rune]int{'x': 16, 'o': 8}[c]
		if t.peek(0) != '{' {
			if c == 'o' {
				return 0, false, errors.New(`\o without a {`)
			}
			return rune(t.number(16, 2)), true, nil
		}
		t.at++
		text, ok := t.until('}')
		n, err := strconv.ParseUint(text, base, 31)
		if !ok || err != nil || n > utf8.MaxRune || !t.utf && n > 0xff {
			return 0, false, fmt.Errorf(`\%c{%s} is no character`, c, text)
		}
		return rune(n), true, nil
	case c == '0':
		return rune(t.number(8, 3)), true, nil
	case c == 'c':
		d := t.peek(1)
		if d < ' ' || d > '~' {
			return 0, false, errors.New(`\c without a letter`)
		}
		if d >= 'a' && d <= 'z' {
			d -= 'a' - 'A'
		}
		t.at += 2
		return d ^ 0x40, true, nil
	case c >= 0x80 || c < '0' || c > '9' && c < 'A' || c > 'Z' && c < 'a' || c > 'z':
		t.at++
		return c, true, nil
	}
	return 0, false, nil
}

// number reads at most n digits.
func (t *translator) number(base, n int) uint64 {
	end := t.at
	for end < len(t.in) && end < t.at+n {
		if _, err := strconv.ParseUint(string(t.in[end]), base, 8); err != nil {
			break
		}
		end++
	}
	v, _ := strconv.ParseUint(string(t.in[t.at:end]), base, 16)
	t.at = end
	return v
}

// literal writes a character so that it means itself, in a class or outside.
func literal(r rune) string {
	switch {
	case r < ' ' || r == 0x7f:
		return fmt.Sprintf(`\x%02x`, r)
	case strings.ContainsRune(`\^$.|?*+()[]{}#- `, r):
		return `\` + string(r)
	}
	return string(r)
}
