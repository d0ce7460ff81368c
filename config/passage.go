package config

import (
	"math"
	"slices"
	"strings"
)

// passage is a virtual_server whose lines stand for themselves: no definition,
// condition, repetition or other file has a say in how they read. It is left as
// text until it is decoded, so that a file of thousands of them takes the memory of
// one, and can be known again by its text.
type passage struct {
	src *source
	// first is its first line, counted from 0, and lines how many it has. The last
	// ends with a line feed.
	first, lines int
	// tokens is how many words and braces are in it at the most.
	tokens int
	// marks are its words and braces, nil where they are not plain to see.
	marks []mark
	// ready is what it means, where that is known before its turn.
	ready *VirtualServer
}

// text is all its lines with their ends.
func (p *passage) text() string {
	return p.src.text[p.src.lines[p.first]:p.src.lines[p.first+p.lines]]
}

// classes say what a byte means for where a passage ends.
type class uint8

const (
	inWord class = iota
	blank
	opening
	closing
	quote
	comment
	// governing is what lets something else have a say.
	governing
)

// classes are those of all bytes.
var classes = func() (c [256]class) {
	for _, b := range []byte(" \t\r\v\f") {
		c[b] = blank
	}
	for _, b := range []byte(`$@~\'`) {
		c[b] = governing
	}
	c['{'], c['}'], c['"'], c['#'], c['!'] = opening, closing, quote, comment, comment
	return c
}()

// mark is where a word or a brace stands that means what it says.
type mark struct {
	// at is its offset, line the number of its line.
	at, line int32
	length   int16
	class    class
}

// passageAt is the passage that begins in line n of the source, counted from 0;
// false where none does, and where that is not plain to see. The extent is for its
// memory.
func passageAt(src *source, n int, e *extent) (passage, bool) {
	const keyword = "virtual_server"
	head, found := strings.CutPrefix(strings.TrimLeft(src.text[src.lines[n]:], " \t"), keyword)
	if !found || head == "" || classes[head[0]] != blank || len(src.text) > math.MaxInt32 {
		return passage{}, false
	}
	*e = extent{marks: e.marks[:0]}
	for line := n; line < len(src.lines)-1; line++ {
		start, end := src.lines[line], src.lines[line+1]-1
		if end-start > maxLine || !e.line(src.text[start:end], mark{at: int32(start), line: int32(line + 1)}, line == n) {
			return passage{}, false
		}
		if e.closed {
			p := passage{src: src, first: n, lines: line - n + 1, tokens: len(e.marks)}
			if !e.quoted {
				p.marks = slices.Clone(e.marks)
			}
			return p, true
		}
	}
	return passage{}, false
}

// extent follows the words and braces of a passage.
type extent struct {
	marks  []mark
	depth  int
	closed bool
	// quoted is true where quotes are to be understood.
	quoted bool
}

// line takes a line in that begins where the mark is; false where it makes the block
// none that stands for itself.
func (e *extent) line(text string, m mark, first bool) bool {
	start := m.at
	for i := 0; i < len(text); {
		from := i
		i++
		switch c := classes[text[from]]; c {
		case blank:
			continue
		case comment:
			return true
		case inWord:
			// Before the brace nothing but the words of the first line, behind the
			// block's end nothing at all.
			if e.closed || e.depth == 0 && !first || commands(text[from:]) {
				return false
			}
			for i < len(text) && classes[text[i]] == inWord {
				i++
			}
		case opening:
			if e.closed {
				return false
			}
			e.depth++
		case closing:
			if e.depth--; e.depth < 0 {
				return false
			}
			e.closed = e.depth == 0
		case quote:
			length := strings.IndexByte(text[i:], '"')
			if length < 0 || e.depth == 0 || strings.ContainsAny(text[i:i+length], `$\`) {
				return false
			}
			i += length + 1
			e.quoted = true
		default:
			return false
		}
		m.at, m.length, m.class = start+int32(from), int16(i-from), classes[text[from]]
		e.marks = append(e.marks, m)
	}
	return true
}

// commands is true for a word that may say something to who reads the file.
func commands(text string) bool {
	return (text[0] == 'i' || text[0] == 'r') && (strings.HasPrefix(text, "include") || strings.HasPrefix(text, "random_seed"))
}

// sketch is what a service is read into: the tree of its passage, and the drafts. The
// next one takes its place.
type sketch struct {
	lexer   lexer
	tree    growing
	tokens  []token
	service serviceDraft
	servers slab[serverDraft]
}

// server is an empty draft.
func (s *sketch) server() *serverDraft {
	r := s.servers.next()
	*r = serverDraft{checks: r.checks[:0], dormant: r.dormant[:0]}
	return r
}

// read is the block of the passage. It lasts until the next is read.
func (s *sketch) read(p *passage, shell map[string]bool) *node {
	s.tree.again()
	s.servers.again()
	if p.marks == nil {
		s.lex(p, shell)
	} else {
		s.place(p)
	}
	return s.tree.root.Nodes[0]
}

// lex takes the lines of the passage apart.
func (s *sketch) lex(p *passage, shell map[string]bool) {
	s.lexer = lexer{src: p.src, shell: shell, lean: true, tokens: s.lexer.tokens[:0]}
	s.tree.lasting = false
	for n := p.first; n < p.first+p.lines; n++ {
		s.lexer.lineWithEnd(n)
		s.tree.line(s.lexer.tokens)
		s.lexer.tokens = s.lexer.tokens[:0]
	}
}

// place makes tokens of the marks of the passage, as the lexer would.
func (s *sketch) place(p *passage) {
	kinds := [...]tokenKind{inWord: tokenWord, opening: tokenOpen, closing: tokenClose}
	s.tokens = slices.Grow(s.tokens[:0], len(p.marks))
	s.tree.lasting = true
	begin := 0
	for i, m := range p.marks {
		if m.line != p.marks[begin].line {
			s.tree.line(s.tokens[begin:])
			begin = i
		}
		at := int(m.at)
		text := p.src.text[at : at+int(m.length)]
		s.tokens = append(s.tokens, token{
			Kind: kinds[m.class], Text: text, Value: text, Offset: at,
			Line: int(m.line), Column: at - p.src.lines[m.line-1] + 1, src: p.src,
		})
	}
	s.tree.line(s.tokens[begin:])
}

// passage decodes a service that has been left as text. One that depends on nothing
// but itself and global_defs is completed at once, and its tree forgotten.
func (d *decoder) passage(n *node) {
	if n.passage.ready != nil {
		d.settle(n, n.passage.ready)
		return
	}
	s := d.service(d.sketch.read(n.passage, d.shell))
	switch {
	case s == nil:
	case s.dependent():
		d.keep(s)
	case d.completeService(s):
		d.settle(n, s.whole())
	}
}

// settle adds the service that a passage means.
func (d *decoder) settle(n *node, v *VirtualServer) {
	n.settled = &settled{text: n.passage.text(), line: n.passage.first + 1, lines: n.passage.lines, tokens: n.passage.tokens, service: v}
	d.services = append(d.services, &serviceDraft{VirtualServer: v, node: n})
}

// whole is the service of a draft that depends on nothing else.
func (s *serviceDraft) whole() *VirtualServer {
	s.IPv6 = s.family == 6
	s.finish()
	return s.VirtualServer
}

// dependent is true where a service asks for something outside its own block: for a
// group, an instance, a tracker, or a script, which the host is asked about each time.
func (s *serviceDraft) dependent() bool {
	if s.set != "" || s.FWMark != 0 || s.FollowInstance != "" || s.QuorumUp != nil || s.QuorumDown != nil {
		return true
	}
	for _, r := range s.servers {
		if r.NotifyUp != nil || r.NotifyDown != nil || len(r.dormant) > 0 {
			return true
		}
		for _, c := range r.checks {
			if c.Misc != nil || c.File != nil || c.BFD != nil {
				return true
			}
		}
	}
	return false
}
