package config

import (
	"fmt"
	"slices"
	"strings"
)

// Conf is the effective configuration as one keepalived.conf without includes,
// definitions and conditions: what each block comes to, defaults included, with
// a comment that says where each line came from. It loads back to a Config that
// is Equal. What the table does not know is left out; what is known and not
// honoured is written and marked. The error is of a line that cannot be written
// because it would be too long.
func (e *Effective) Conf() ([]byte, error) {
	w := &confWriter{Effective: e, shell: shellKeywords()}
	if len(e.globals.nodes) == 0 && e.Config.Global.RouterID != "" {
		w.block(nil, e.globals, 0)
	}
	for _, n := range e.tree.Nodes {
		w.statement(n, "", 0)
	}
	if w.err != nil {
		return nil, w.err
	}
	return []byte((&formatter{out: apart(w.out)}).text()), nil
}

// apart puts an empty line behind every block of the top level.
func apart(lines []laidLine) []laidLine {
	var out []laidLine
	for i, l := range lines {
		if i > 0 && l.depth == 0 && !l.shut && (lines[i-1].shut || l.open) {
			out = append(out, laidLine{})
		}
		out = append(out, l)
	}
	return out
}

// confWriter gathers the lines of a configuration.
type confWriter struct {
	*Effective
	shell map[string]bool
	out   []laidLine
	// globalsDone is true once the first block global_defs is written.
	globalsDone bool
	err         error
}

// confWord is a word of a line before it is quoted.
type confWord struct {
	text   string
	quoted bool
}

func plainWords(words []string) []confWord {
	out := make([]confWord, 0, len(words))
	for _, w := range words {
		out = append(out, confWord{text: w})
	}
	return out
}

// statement writes a statement as it stands in the block path of the table.
func (w *confWriter) statement(n *node, path string, depth int) {
	k := w.table[path][n.name()]
	if k == nil || n.name() == "" {
		return
	}
	if s := w.scopes[n]; s != nil {
		w.block(n, s, depth)
		return
	}
	w.asWritten(n, k, path, depth)
}

// asWritten writes a statement and its block as the file has them.
func (w *confWriter) asWritten(n *node, k *Keyword, path string, depth int) {
	opens := k.Form == FormBlock || k.Form == FormLines
	origin := w.place(n)
	if !k.Honoured {
		origin += ", not honoured"
	}
	// A block without braces and a script with an open quote do not count.
	if opens && !n.HasBlock || k.Shell && len(n.Words) > 1 && n.Words[1].Fault != "" {
		return
	}
	w.line(nodeWords(n), k, depth, opens, origin)
	if !opens {
		return
	}
	for _, c := range n.Body {
		switch {
		case k.Form == FormBlock:
			w.statement(c, k.path(), depth+1)
		case len(c.Words) > 0 && !c.HasBlock:
			w.line(nodeWords(c), k, depth+1, false, w.place(c))
		}
	}
	w.close(k, depth)
}

// place is where a node stands, for a comment.
func (w *confWriter) place(n *node) string {
	return Origin{Kind: FromFile, Pos: n.Words[0].pos()}.String()
}

func nodeWords(n *node) []confWord {
	out := make([]confWord, 0, len(n.Words))
	for _, t := range n.Words {
		out = append(out, confWord{t.Value, t.Quoted})
	}
	return out
}

// block writes a block that has its place in the Config: first what its
// settings come to, then what else the file says in it. Without a node it is
// global_defs where no file has it.
func (w *confWriter) block(n *node, s *scope, depth int) {
	parent, name := "", s.path
	if at := strings.LastIndexByte(s.path, '/'); at >= 0 {
		parent, name = s.path[:at], s.path[at+1:]
	}
	k := w.table[parent][name]
	head, origin := plainWords([]string{name}), Origin{Kind: FromDefault}.String()
	if n != nil {
		head, origin = nodeWords(n), w.place(n)
	}
	if s.head != nil {
		head = plainWords(s.head)
	}
	w.line(head, k, depth, true, origin)
	first := s != w.globals || !w.globalsDone
	w.globalsDone = w.globalsDone || s == w.globals
	done := map[string]bool{}
	for _, t := range s.settings {
		row := w.settingRow(t, s.path)
		if row == nil && !t.replaced || t.words == nil && !t.replaced {
			continue
		}
		if t.words != nil && row != nil && first {
			w.line(plainWords(t.words), row, depth+1, false, w.settingOrigin(t, s))
		}
		if t.words == nil || row != nil {
			for _, name := range t.names {
				done[name] = true
			}
		}
	}
	if n != nil {
		for _, c := range n.Body {
			if !done[c.name()] {
				w.child(c, s, depth+1)
			}
		}
	}
	w.close(k, depth)
}

// child writes what stands in a block beside its settings. A real server that
// does not count would perhaps do so in the new order: it is left out.
func (w *confWriter) child(c *node, s *scope, depth int) {
	if s.path == "virtual_server" && c.name() == "real_server" && w.scopes[c] == nil {
		return
	}
	w.statement(c, s.path, depth)
}

// settingRow is the row of the keyword that a setting is written by, nil where
// the block does not have it.
func (w *confWriter) settingRow(t resolved, path string) *Keyword {
	if t.words == nil {
		return nil
	}
	if k := w.table[path][t.words[0]]; k != nil && k.Honoured {
		return k
	}
	return nil
}

// settingOrigin is where a setting came from, and what stands there where that
// is something else than is in force.
func (w *confWriter) settingOrigin(t resolved, s *scope) string {
	o := s.origin(t)
	text := o.String()
	if o.Kind != FromFile {
		return text
	}
	n := s.said(t.names...)
	var values []string
	for _, word := range n.Words {
		values = append(values, word.Value)
	}
	same := len(values) > 0 && slices.Equal(values[1:], t.words[1:]) || len(values) == 1 && len(t.words) == 2 && t.words[1] == "on"
	if !same || !sameSense(values[0], t.words[0]) {
		text += ", which says " + strings.Join(values, " ")
	}
	return text
}

// sameSense is false for two keywords that mean the contrary.
func sameSense(a, b string) bool {
	negative := func(s string) bool { return strings.HasPrefix(s, "no") }
	return a == b || negative(a) == negative(b)
}

// close writes the brace that ends a block.
func (w *confWriter) close(k *Keyword, depth int) {
	w.out = append(w.out, laidLine{depth: depth, text: tandemPrefix(k) + "}", shut: true})
}

// tandemPrefix lets a keepalived pass over tandem's own keywords.
func tandemPrefix(k *Keyword) string {
	if k != nil && k.Tandem {
		return "@tandem "
	}
	return ""
}

// line writes one line, with a comment behind it, or above it where it would
// not be one there.
func (w *confWriter) line(words []confWord, k *Keyword, depth int, open bool, comment string) {
	text := w.quote(words)
	if open {
		text += " {"
	}
	text = tandemPrefix(k) + text
	comment = "# " + strings.Map(func(r rune) rune {
		if r < ' ' {
			return '?'
		}
		return r
	}, comment)
	l := laidLine{depth: depth, text: text, comment: comment, open: open}
	values := make([]string, 0, len(words)+1)
	for _, word := range words {
		values = append(values, word.text)
	}
	if open {
		values = append(values, "{")
	}
	if !lexesTo(l.text+" "+l.comment, values) || len(text)+len(comment)+alignLimit+depth*len(formatIndent) > maxLine {
		w.out = append(w.out, laidLine{depth: depth, comment: comment})
		l.comment = ""
	}
	if w.err == nil && (len(text)+depth*len(formatIndent) > maxLine || l.comment == "" && !lexesTo(l.text, values)) {
		w.err = fmt.Errorf("%s cannot be written on a line of %d bytes", cut(text), maxLine)
	}
	w.out = append(w.out, l)
}

// cut is the beginning of a text that may be long.
func cut(text string) string {
	if len(text) > 60 {
		return text[:60] + "..."
	}
	return text
}

// lexesTo is true where line, an ID before it aside, means these words.
func lexesTo(line string, words []string) bool {
	var got []string
	for _, t := range lex("", line) {
		switch t.Kind {
		case tokenWord, tokenOpen, tokenClose:
			if t.Fault != "" {
				return false
			}
			got = append(got, t.Value)
		case tokenDefinition, tokenDropped:
			return false
		default:
		}
	}
	return slices.Equal(got, words)
}

// quote writes words so that they are read as they are.
func (w *confWriter) quote(words []confWord) string {
	var b strings.Builder
	shell := len(words) > 0 && w.shell[words[0].text]
	for i, word := range words {
		if i > 0 {
			b.WriteByte(' ')
		}
		switch {
		case shell && i > 0:
			b.WriteString(quoteShell(word))
		case !word.quoted && plain(word.text):
			b.WriteString(word.text)
		case strings.Contains(word.text, `"`):
			b.WriteString(strings.NewReplacer("#", `\#`, "!", `\!`).Replace(word.text))
		default:
			b.WriteString(`"` + word.text + `"`)
		}
	}
	return b.String()
}

// plain is true for what needs no quotes.
func plain(s string) bool {
	for i := range len(s) {
		if c := s[i]; c <= ' ' || c == 0x7f || strings.IndexByte(`"'{}#!\`, c) >= 0 {
			return false
		}
	}
	return s != "" && strings.IndexByte("@~", s[0]) < 0
}

// quoteShell writes a word of a line that is quoted as a shell's.
func quoteShell(word confWord) string {
	if !word.quoted && plain(word.text) {
		return word.text
	}
	var b strings.Builder
	b.WriteByte('"')
	for i := range len(word.text) {
		switch c := word.text[i]; {
		case c == '"' || c == '\\':
			b.WriteByte('\\')
			b.WriteByte(c)
		case c < ' ' || c == 0x7f:
			fmt.Fprintf(&b, `\x%02x`, c)
		default:
			b.WriteByte(c)
		}
	}
	b.WriteByte('"')
	return b.String()
}
