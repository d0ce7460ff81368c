package config

// tree is the syntax of a configuration without its meaning: statements and their
// blocks, once files are included and definitions put in.
type tree struct {
	Nodes []*node
}

// node is a statement with the block behind it, or a brace that has no statement.
type node struct {
	// Words are the keyword and its arguments, none where this is no statement.
	Words []token
	// Brace is the open brace of the block or, where there is neither statement nor
	// block, a close brace that closes nothing. It is empty where there is no brace.
	Brace []token
	// HasBlock is true where an open brace follows; Body is what is inside.
	HasBlock bool
	Body     []*node
	// Tail is the close brace, empty where it is missing.
	Tail []token

	// settled is what the block is known to mean, and passage what it is read from
	// when its turn comes; the body is left out then.
	settled *settled
	passage *passage
}

// name is the node's keyword, empty where it has no words.
func (n *node) name() string {
	if len(n.Words) == 0 {
		return ""
	}
	return n.Words[0].Value
}

// count is how many statements of its block are of that keyword.
func (n *node) count(keyword string) int {
	count := 0
	for _, c := range n.Body {
		if c.name() == keyword {
			count++
		}
	}
	return count
}

// stray is true for a close brace that closes nothing.
func (n *node) stray() bool {
	return len(n.Words) == 0 && !n.HasBlock && len(n.Brace) > 0
}

// brace is the brace of the node, which has one.
func (n *node) brace() token { return n.Brace[0] }
