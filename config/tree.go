package config

import "strings"

// Tree is the syntax of one file without its meaning: every byte of the source
// is in it, so that it prints back as it was.
type Tree struct {
	Nodes []*Node
}

// Node is a statement with the block behind it, or what stands between
// statements: blanks, comments, definitions, a brace without a partner.
type Node struct {
	// Tokens is all that the node spans, its open brace included, its body not.
	Tokens []Token
	// Words are the keyword and its arguments, none where this is no statement.
	Words []Token
	// HasBlock is true where an open brace follows; Body is what is inside.
	HasBlock bool
	Body     []*Node
	// Tail is the close brace, empty where it is missing.
	Tail []Token

	// settled is what the block is known to mean, and passage what it is read from
	// when its turn comes; the body is left out then.
	settled *settled
	passage *passage
}

// ParseTree parses text, which is the content of the file name. It knows no
// keyword and follows no include: what is in the file is in the tree.
func ParseTree(name, text string) *Tree {
	return buildTree(Lex(name, text))
}

// String is the source again, byte for byte.
func (t *Tree) String() string {
	var b strings.Builder
	writeNodes(&b, t.Nodes)
	return b.String()
}

func writeNodes(b *strings.Builder, nodes []*Node) {
	for _, n := range nodes {
		for _, t := range n.Tokens {
			b.WriteString(t.Text)
		}
		writeNodes(b, n.Body)
		for _, t := range n.Tail {
			b.WriteString(t.Text)
		}
	}
}

// name is the node's keyword, empty where it has no words.
func (n *Node) name() string {
	if len(n.Words) == 0 {
		return ""
	}
	return n.Words[0].Value
}

// count is how many statements of its block are of that keyword.
func (n *Node) count(keyword string) int {
	count := 0
	for _, c := range n.Body {
		if c.name() == keyword {
			count++
		}
	}
	return count
}

// stray is true for a close brace that closes nothing.
func (n *Node) stray() bool {
	return len(n.Words) == 0 && len(n.Tokens) > 0 && n.Tokens[0].Kind == TokenClose
}

// brace is the open brace of the node's block.
func (n *Node) brace() Token { return n.Tokens[len(n.Tokens)-1] }

// builder makes a tree of tokens.
type builder struct {
	root  Tree
	stack []*Node
	// line is the statement of this line, last the one before, which an open
	// brace may still follow; pending is what came after last.
	line, last *Node
	pending    []Token
}

func buildTree(tokens []Token) *Tree {
	b := &builder{}
	for _, t := range tokens {
		b.token(t)
	}
	b.flush()
	return &b.root
}

// token adds one token to the tree.
func (b *builder) token(t Token) {
	switch t.Kind {
	case TokenWord:
		if b.line == nil {
			b.flush()
			b.line = &Node{}
			b.append(b.line)
		}
		b.line.Tokens = append(b.line.Tokens, t)
		b.line.Words = append(b.line.Words, t)
	case TokenOpen:
		b.open(t)
	case TokenClose:
		b.flush()
		b.line, b.last = nil, nil
		if len(b.stack) == 0 {
			b.append(&Node{Tokens: []Token{t}})
			return
		}
		top := b.stack[len(b.stack)-1]
		top.Tail = append(top.Tail, t)
		b.stack = b.stack[:len(b.stack)-1]
	case TokenNewline:
		if b.line != nil {
			b.last, b.line = b.line, nil
		}
		b.pending = append(b.pending, t)
	default:
		if b.line != nil {
			b.line.Tokens = append(b.line.Tokens, t)
			return
		}
		b.pending = append(b.pending, t)
	}
}

// open begins a block: that of this line's statement, of the one before, or one
// without a statement.
func (b *builder) open(t Token) {
	n := b.line
	if n == nil {
		n = b.last
	}
	if n == nil {
		b.flush()
		n = &Node{}
		b.append(n)
	}
	n.Tokens = append(n.Tokens, b.pending...)
	n.Tokens = append(n.Tokens, t)
	n.HasBlock = true
	b.pending, b.line, b.last = nil, nil, nil
	b.stack = append(b.stack, n)
}

// flush makes a node of what is pending.
func (b *builder) flush() {
	if len(b.pending) > 0 {
		b.append(&Node{Tokens: b.pending})
		b.pending = nil
	}
	b.last = nil
}

func (b *builder) append(n *Node) {
	if len(b.stack) == 0 {
		b.root.Nodes = append(b.root.Nodes, n)
		return
	}
	top := b.stack[len(b.stack)-1]
	top.Body = append(top.Body, n)
}
