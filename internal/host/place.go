package host

// Place is what makes an address, a route or a rule one and the same to the
// kernel, whatever else is set for it. Two of a kind with equal places cannot be
// told apart by a removal. Places are comparable.
type Place struct{ of any }

// Place is an address's interface, prefix and, for IPv4, peer.
func (a Address) Place() Place { return Place{a.place()} }

// Place is a route's destination, source, table, metric, TOS and protocol.
func (r Route) Place() Place { return Place{r.normal().place()} }

// Place is all of a rule.
func (r Rule) Place() Place { return Place{r.normal()} }
