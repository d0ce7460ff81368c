package config

// Tree is the syntax of a configuration without its meaning: statements and their
// blocks, once files are included and definitions put in.
type Tree struct {
	Nodes []*Node
}

// Node is a statement with the block behind it, or a brace that has no statement.
type Node struct {
	// Words are the keyword and its arguments, none where this is no statement.
	Words []Token
	// Brace is the open brace of the block or, where there is neither statement nor
	// block, a close brace that closes nothing. It is empty where there is no brace.
	Brace []Token
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
	return len(n.Words) == 0 && !n.HasBlock && len(n.Brace) > 0
}

// brace is the brace of the node, which has one.
func (n *Node) brace() Token { return n.Brace[0] }
