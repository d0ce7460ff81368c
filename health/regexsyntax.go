package health

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
)

// translator rewrites a pattern from PCRE's syntax to that of the library,
// which is .NET's: what both have passes, what only PCRE has is expressed in
// other words, and what cannot be is an error.
type translator struct {
	utf, ucp, extended, dollarEnd, emptyClass, firstLine bool

	in  []rune
	at  int
	out []rune
	// atom is where in out the last thing begins that a quantifier can follow,
	// groups where the open groups begin; captures counts the capturing ones.
	atom     int
	groups   []int
	captures int
}

// What stands for \h, \v and newlines in a class.
const (
	horizontal = `\t \u00A0\u1680\u180E\u2000-\u200A\u202F\u205F\u3000`
	vertical   = `\n\v\f\r\u0085\u2028\u2029`
)

// translate returns the pattern in the library's syntax.
func (t *translator) translate(pattern string) (string, error) {
	pattern = t.prefix(pattern)
	if t.utf {
		t.in = []rune(pattern)
	} else {
		t.in = latin1([]byte(pattern))
	}
	for t.at < len(t.in) {
		if err := t.next(); err != nil {
			return "", err
		}
	}
	text := string(t.out)
	if t.firstLine {
		// A match has to begin before or at the first newline.
		text = `(?<=\A[^\n]*)(?:` + text + ")"
	}
	return text, nil
}

// prefix takes the verbs off the pattern that stand for options.
func (t *translator) prefix(pattern string) string {
	for {
		switch {
		case strings.HasPrefix(pattern, "(*UTF)"):
			t.utf, pattern = true, pattern[len("(*UTF)"):]
		case strings.HasPrefix(pattern, "(*UCP)"):
			t.ucp, pattern = true, pattern[len("(*UCP)"):]
		default:
			return pattern
		}
	}
}

// peek returns the rune n further on, 0 after the end.
func (t *translator) peek(n int) rune {
	if t.at+n < len(t.in) {
		return t.in[t.at+n]
	}
	return 0
}

// emit writes a thing that a quantifier can follow.
func (t *translator) emit(s string) {
	t.atom = len(t.out)
	t.out = append(t.out, []rune(s)...)
}

// next translates one element of the pattern.
func (t *translator) next() error {
	c := t.in[t.at]
	t.at++
	switch c {
	case '\\':
		return t.escape()
	case '[':
		return t.class()
	case '(':
		t.groups = append(t.groups, len(t.out))
		return t.group()
	case ')':
		t.out = append(t.out, c)
		if n := len(t.groups); n > 0 {
			t.atom, t.groups = t.groups[n-1], t.groups[:n-1]
		}
	case '*', '+', '?':
		t.quantifier(string(c))
	case '{':
		if q := t.braces(); q != "" {
			t.at += len(q) - 1
			t.quantifier(q)
		} else {
			t.emit(`\{`)
		}
	case '$':
		if t.dollarEnd {
			t.emit(`\z`)
		} else {
			t.emit("$")
		}
	case '#':
		if !t.extended {
			t.emit(`\#`)
			break
		}
		for t.at < len(t.in) && t.in[t.at] != '\n' {
			t.at++
		}
	default:
		t.emit(string(c))
	}
	return nil
}

// quantifier writes a quantifier; a possessive one makes its atom an atomic
// group.
func (t *translator) quantifier(q string) {
	t.out = append(t.out, []rune(q)...)
	switch t.peek(0) {
	case '?':
		t.at++
		t.out = append(t.out, '?')
	case '+':
		t.at++
		all := string(t.out[t.atom:])
		t.out = append(t.out[:t.atom], []rune("(?>"+all+")")...)
	}
}

// braces returns the quantifier "{n}", "{n,}" or "{n,m}" whose brace has just
// been passed, or nothing.
func (t *translator) braces() string {
	for i := t.at; i < len(t.in); i++ {
		switch c := t.in[i]; {
		case c == '}' && i > t.at && t.in[t.at] != ',':
			return string(t.in[t.at-1 : i+1])
		case c != ',' && (c < '0' || c > '9'):
			return ""
		}
	}
	return ""
}

var errRecursion = errors.New("recursion and subroutines are not supported")

// group translates what follows an opening parenthesis.
func (t *translator) group() error {
	switch {
	case t.peek(0) == '*':
		return errors.New("verbs, (*...), are not supported")
	case t.peek(0) != '?':
		t.captures++
		t.out = append(t.out, '(')
		return nil
	}
	c, d := t.peek(1), t.peek(2)
	switch {
	case c == 'P' && d == '<':
		t.captures++
		t.at += 3
		t.out = append(t.out, []rune("(?<")...)
	case c == 'P' && d == '=':
		t.at += 3
		name, ok := t.until(')')
		if !ok {
			return errors.New("missing )")
		}
		t.groups = t.groups[:len(t.groups)-1]
		t.emit(`\k<` + name + ">")
	case c == '#':
		t.groups = t.groups[:len(t.groups)-1]
		if _, ok := t.until(')'); !ok {
			return errors.New("missing ) after (?#")
		}
	case c == '|':
		return errors.New("(?|...) is not supported")
	case c == 'C':
		return errors.New("callouts are not supported")
	case c == 'R' || c == '&' || c == 'P' || isDigit(c) || (c == '+' || c == '-') && isDigit(d):
		return errRecursion
	case c == '(':
		return t.conditional()
	case strings.ContainsRune("imsxnJUa-^", c):
		return t.inlineOptions()
	default:
		if c == '\'' || c == '<' && d != '=' && d != '!' {
			t.captures++
		}
		t.at++
		t.out = append(t.out, []rune("(?")...)
	}
	return nil
}

// conditional translates "(?(condition)", of which the parenthesis that opens
// the group has been passed.
func (t *translator) conditional() error {
	t.at++
	if t.peek(1) == '?' {
		t.out = append(t.out, []rune("(?")...)
		return nil
	}
	t.at++
	name, ok := t.until(')')
	if !ok {
		return errors.New("missing ) after (?(")
	}
	if name == "R" || name == "DEFINE" || strings.HasPrefix(name, "R&") || strings.HasPrefix(name, "VERSION") {
		return errRecursion
	}
	t.out = append(t.out, []rune("(?("+strings.Trim(name, "<>'")+")")...)
	return nil
}

// inlineOptions translates "(?i)" and "(?i:". Which of several matches is found
// is of no interest here, so U, ungreedy, is dropped; names may always repeat.
func (t *translator) inlineOptions() error {
	t.at++
	var letters []rune
	for {
		c := t.peek(0)
		t.at++
		switch {
		case c == 'J' || c == 'U' || c == 'x' && len(letters) > 0 && letters[len(letters)-1] == 'x':
		case strings.ContainsRune("imsxn-", c) && c != 0:
			letters = append(letters, c)
		case c == ')' || c == ':':
			text := strings.TrimSuffix(string(letters), "-")
			if c == ')' {
				t.groups = t.groups[:len(t.groups)-1]
				if text == "" {
					return nil
				}
			}
			t.out = append(t.out, []rune("(?"+text+string(c))...)
			return nil
		default:
			return fmt.Errorf("unknown option in (?%s%c", string(letters), c)
		}
	}
}

// until returns what stands before the next end and passes both.
func (t *translator) until(end rune) (string, bool) {
	for i := t.at; i < len(t.in); i++ {
		if t.in[i] == end {
			s := string(t.in[t.at:i])
			t.at = i + 1
			return s, true
		}
	}
	return "", false
}

// escape translates an escape outside a class; its backslash has been passed.
func (t *translator) escape() error {
	c := t.peek(0)
	if c == 0 && t.at >= len(t.in) {
		return errors.New(`\ at the end`)
	}
	if r, ok, err := t.character(); ok || err != nil {
		t.emit(literal(r))
		return err
	}
	t.at++
	switch c {
	case 'd', 'D', 'w', 'W', 's', 'S':
		t.emit(t.shorthand(c))
	case 'b', 'B':
		t.emit(t.boundary(c))
	case 'h':
		t.emit("[" + horizontal + "]")
	case 'H':
		t.emit("[^" + horizontal + "]")
	case 'v':
		t.emit("[" + vertical + "]")
	case 'V':
		t.emit("[^" + vertical + "]")
	case 'R':
		t.emit(`(?>\r\n|[` + vertical + "])")
	case 'N':
		t.emit(`[^\n]`)
	case 'C':
		t.emit(`[\s\S]`)
	case 'K', 'E':
		// Where a match is said to begin is of no interest.
	case 'Q':
		t.quoted(func(r rune) { t.emit(literal(r)) })
	case 'A', 'z', 'Z', 'G':
		t.emit(`\` + string(c))
	case 'p', 'P':
		s, err := t.property(c)
		t.emit(s)
		return err
	case 'g', 'k':
		return t.reference(c)
	default:
		if isDigit(c) {
			t.at--
			n := 0
			for isDigit(t.peek(n)) {
				n++
			}
			t.emit(`\k<` + string(t.in[t.at:t.at+n]) + ">")
			t.at += n
			return nil
		}
		return fmt.Errorf(`unknown escape \%c`, c)
	}
	return nil
}

// quoted passes what stands up to \E or the end.
func (t *translator) quoted(each func(rune)) {
	for t.at < len(t.in) {
		if t.in[t.at] == '\\' && t.peek(1) == 'E' {
			t.at += 2
			return
		}
		each(t.in[t.at])
		t.at++
	}
}

// reference translates \g and \k, of which the letter has been passed.
func (t *translator) reference(c rune) error {
	open := t.peek(0)
	var name string
	switch {
	case c == 'g' && (open == '<' || open == '\''):
		return errRecursion
	case open == '{' || open == '<' || open == '\'':
		t.at++
		var ok bool
		if name, ok = t.until(map[rune]rune{'{': '}', '<': '>', '\'': '\''}[open]); !ok {
			return fmt.Errorf(`\%c without its end`, c)
		}
	case c == 'g':
		n := 0
		for isDigit(t.peek(n)) || n == 0 && t.peek(0) == '-' {
			n++
		}
		name = string(t.in[t.at : t.at+n])
		t.at += n
	}
	if n, err := strconv.Atoi(name); err == nil && n < 0 {
		name = strconv.Itoa(t.captures + 1 + n)
	}
	if name == "" {
		return fmt.Errorf(`\%c without a name`, c)
	}
	t.emit(`\k<` + name + ">")
	return nil
}

func isDigit(c rune) bool { return c >= '0' && c <= '9' }
