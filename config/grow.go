package config

// growing is the tree of what has been loaded: words and braces, with nothing
// between them. Its tokens and nodes come from larger pieces of memory, as there
// are many of them.
type growing struct {
	root  tree
	stack []*node
	// last is the statement that an open brace may still follow.
	last  *node
	arena []token
	nodes slab[node]
	// lasting is true where the tokens that are given last as long as the tree.
	lasting bool
}

// A piece of memory is twice as large as the one before it, within these bounds.
const (
	leastPiece = 16
	mostPiece  = 4096
)

// slab gives out values from larger pieces of memory. They are as they were left.
type slab[T any] struct {
	piece []T
	used  int
}

func (s *slab[T]) next() *T {
	if s.used == len(s.piece) {
		s.piece, s.used = make([]T, max(min(2*len(s.piece), mostPiece), leastPiece)), 0
	}
	v := &s.piece[s.used]
	s.used++
	return v
}

// again gives out the values of the last piece once more.
func (s *slab[T]) again() { s.used = 0 }

// again forgets the tree, whose memory is then another's.
func (g *growing) again() {
	g.root.Nodes, g.stack, g.last = g.root.Nodes[:0], g.stack[:0], nil
	g.arena = g.arena[:0]
	g.nodes.again()
}

// line adds the words and braces of one line.
func (g *growing) line(words []token) {
	for i := 0; i < len(words); i++ {
		switch words[i].Kind {
		case tokenWord:
			end := i + 1
			for end < len(words) && words[end].Kind == tokenWord {
				end++
			}
			g.last = g.node()
			g.last.Words = g.keep(words[i:end])
			g.add(g.last)
			i = end - 1
		case tokenOpen:
			n := g.last
			if n == nil {
				n = g.node()
				g.add(n)
			}
			n.Brace, n.HasBlock = g.keep(words[i:i+1]), true
			g.stack, g.last = append(g.stack, n), nil
		case tokenClose:
			g.close(words[i : i+1])
		default:
		}
	}
}

// head adds a block of which only the tokens of its first line are read.
func (g *growing) head(line []token) *node {
	words := line[:0]
	for _, t := range line {
		if t.Kind == tokenOpen {
			break
		}
		if t.Kind == tokenWord {
			words = append(words, t)
		}
	}
	n := g.node()
	n.Words = g.keep(words)
	n.HasBlock, g.last = true, nil
	g.add(n)
	return n
}

// close ends the innermost block.
func (g *growing) close(brace []token) {
	g.last = nil
	if len(g.stack) == 0 {
		n := g.node()
		n.Brace = g.keep(brace)
		g.add(n)
		return
	}
	top := g.stack[len(g.stack)-1]
	top.Tail = g.keep(brace)
	g.stack = g.stack[:len(g.stack)-1]
}

// keep copies tokens to where they last.
func (g *growing) keep(tokens []token) []token {
	if g.lasting {
		return tokens[:len(tokens):len(tokens)]
	}
	if len(g.arena)+len(tokens) > cap(g.arena) {
		g.arena = make([]token, 0, max(min(2*cap(g.arena), mostPiece), leastPiece, len(tokens)))
	}
	start := len(g.arena)
	g.arena = append(g.arena, tokens...)
	return g.arena[start:len(g.arena):len(g.arena)]
}

// node is a new node.
func (g *growing) node() *node {
	n := g.nodes.next()
	*n = node{Body: n.Body[:0]}
	return n
}

// add puts a node into the innermost block.
func (g *growing) add(n *node) {
	if len(g.stack) == 0 {
		g.root.Nodes = append(g.root.Nodes, n)
		return
	}
	top := g.stack[len(g.stack)-1]
	top.Body = append(top.Body, n)
}
