package config

import "strings"

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

// passageAt is the passage that begins in line n of the source, counted from 0;
// false where none does, and where that is not plain to see.
func passageAt(src *source, n int) (passage, bool) {
	const keyword = "virtual_server"
	head, found := strings.CutPrefix(strings.TrimLeft(src.text[src.lines[n]:], " \t"), keyword)
	if !found || head == "" || classes[head[0]] != blank {
		return passage{}, false
	}
	e := extent{}
	for line := n; line < len(src.lines)-1; line++ {
		text := src.text[src.lines[line] : src.lines[line+1]-1]
		if len(text) > maxLine || !e.line(text, line == n) {
			return passage{}, false
		}
		if e.closed {
			return passage{src: src, first: n, lines: line - n + 1, tokens: e.tokens}, true
		}
	}
	return passage{}, false
}

// extent follows the braces of a passage.
type extent struct {
	depth, tokens int
	closed        bool
}

// line takes a line in; false where it makes the block none that stands for itself.
func (e *extent) line(text string, first bool) bool {
	within := false
	for i := 0; i < len(text); i++ {
		switch classes[text[i]] {
		case inWord:
			if within {
				continue
			}
			within = true
			e.tokens++
			// Before the brace nothing but the words of the first line, behind the
			// block's end nothing at all.
			if e.closed || e.depth == 0 && !first || commands(text[i:]) {
				return false
			}
		case blank:
			within = false
		case opening:
			within = false
			e.tokens++
			if e.closed {
				return false
			}
			e.depth++
		case closing:
			within = false
			e.tokens++
			if e.depth--; e.depth < 0 {
				return false
			}
			e.closed = e.depth == 0
		case quote:
			length := strings.IndexByte(text[i+1:], '"')
			if length < 0 || e.depth == 0 {
				return false
			}
			within = false
			e.tokens++
			i += length + 1
		case comment:
			return true
		default:
			return false
		}
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
	service serviceDraft
	// servers is the piece that the drafts of real servers are taken from, of which
	// used are.
	servers []serverDraft
	used    int
}

// server is an empty draft.
func (s *sketch) server() *serverDraft {
	if s.used == len(s.servers) {
		s.servers, s.used = make([]serverDraft, max(min(2*len(s.servers), mostPiece), leastDrafts)), 0
	}
	r := &s.servers[s.used]
	s.used++
	*r = serverDraft{checks: r.checks[:0], dormant: r.dormant[:0]}
	return r
}

// leastDrafts is how many drafts of real servers are made at once at the least.
const leastDrafts = 4

// read is the block of the passage. It lasts until the next is read.
func (s *sketch) read(p *passage, shell map[string]bool) *Node {
	s.lexer = lexer{src: p.src, shell: shell, lean: true, tokens: s.lexer.tokens[:0]}
	s.tree.again()
	s.used = 0
	for n := p.first; n < p.first+p.lines; n++ {
		s.lexer.lineWithEnd(n)
		s.tree.line(s.lexer.tokens)
		s.lexer.tokens = s.lexer.tokens[:0]
	}
	return s.tree.root.Nodes[0]
}

// passage decodes a service that has been left as text. One that depends on nothing
// but itself and global_defs is completed at once, and its tree forgotten.
func (d *decoder) passage(n *Node) {
	s := d.service(d.sketch.read(n.passage, d.shell))
	switch {
	case s == nil:
	case s.dependent():
		d.keep(s)
	case d.completeService(s):
		s.IPv6 = s.family == 6
		s.finish()
		n.settled = &settled{text: n.passage.text(), line: n.passage.first + 1, lines: n.passage.lines, tokens: n.passage.tokens, service: s.VirtualServer}
		d.services = append(d.services, &serviceDraft{VirtualServer: s.VirtualServer, node: n})
	}
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
