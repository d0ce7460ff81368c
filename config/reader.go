package config

import (
	"slices"
	"strings"
	"sync"
)

// Reader loads a configuration again and again. What it returns shares with what
// it returned before the virtual servers that the files say as they said them
// then: a reload costs what has changed, and what is the same pointer means the
// same. Nobody may write to them.
//
// The zero Reader is ready for use, by several goroutines.
type Reader struct {
	mu      sync.Mutex
	last    memory
	sources []*source
}

// Text is what the last Load read where the configuration has config_save_dir, ""
// elsewhere: all files in the order in which they were opened, each behind a
// comment that names it.
func (r *Reader) Text() string {
	r.mu.Lock()
	defer r.mu.Unlock()
	var b strings.Builder
	for _, s := range r.sources {
		b.WriteString("# " + s.name + "\n" + s.text)
		if !strings.HasSuffix(s.text, "\n") {
			b.WriteByte('\n')
		}
	}
	return b.String()
}

// Load is the package's Load.
func (r *Reader) Load(path string, o Options) (*Config, []Diagnostic) {
	r.mu.Lock()
	defer r.mu.Unlock()
	l, err := readServices(path, o, r.last.of(o))
	if err == nil && len(l.memory.services) > 0 && l.memory.globals != globals(l.tree()) {
		// What services inherit is no longer what it was.
		l, err = readServices(path, o, memory{})
	}
	if err != nil {
		r.sources = nil
		return missing(path, err)
	}
	d := l.decode(rereading(path))
	ds := l.sorted()
	if r.sources = nil; d.cfg.Global.Files.SaveFolder != "" {
		r.sources = l.sources
	}
	r.last = d.remember(ds, globals(l.tree()))
	return d.cfg, ds
}

// memory is what a Reader knows of the virtual servers of its last configuration.
type memory struct {
	id string
	// globals is all that global_defs says.
	globals  string
	services map[place]*settled
}

// place is a file and a line that a block in it begins with.
type place struct{ file, line string }

// settled is a virtual_server that stands for itself: what it means follows from
// its lines and from global_defs, and there is nothing to say about it.
type settled struct {
	// text is all its lines with their ends, line the number of the first.
	text string
	line int
	// lines and tokens count what is in it.
	lines, tokens int
	service       *VirtualServer
}

// of is what of the memory counts for a configuration with these options.
func (m memory) of(o Options) memory {
	if m.id != o.ID {
		return memory{}
	}
	return m
}

// at is the block that stands in src from line n on, counted from 0, as it stood
// before.
func (m memory) at(src *source, n int) *settled {
	if len(m.services) == 0 {
		return nil
	}
	rest := src.text[src.lines[n]:]
	end := strings.IndexByte(rest, '\n')
	if end < 0 {
		return nil
	}
	s := m.services[place{src.name, rest[:end]}]
	if s == nil || !strings.HasPrefix(rest, s.text) {
		return nil
	}
	return s
}

// globals is what the blocks global_defs say, definitions put in.
func globals(t *tree) string {
	var b strings.Builder
	for _, n := range t.Nodes {
		if n.name() == "global_defs" {
			writeWords(&b, n)
		}
	}
	return b.String()
}

func writeWords(b *strings.Builder, n *node) {
	for _, w := range n.Words {
		b.WriteString(w.Value)
		b.WriteByte(0)
	}
	b.WriteByte('{')
	for _, c := range n.Body {
		writeWords(b, c)
	}
	b.WriteByte('}')
}

// remember keeps what the next load can use of this one, of which ds is to be said.
func (d *decoder) remember(ds []Diagnostic, globals string) memory {
	m := memory{id: d.options.ID, globals: globals, services: make(map[place]*settled, len(d.services))}
	faults := map[string][]int{}
	for _, f := range ds {
		faults[f.Pos.File] = append(faults[f.Pos.File], f.Pos.Line)
	}
	for _, lines := range faults {
		slices.Sort(lines)
	}
	for _, s := range d.services {
		known := s.node.settled
		if known == nil {
			continue
		}
		known = &settled{text: known.text, line: s.Pos.Line, lines: known.lines, tokens: known.tokens, service: s.VirtualServer}
		at := place{s.Pos.File, known.text[:strings.IndexByte(known.text, '\n')]}
		i, _ := slices.BinarySearch(faults[s.Pos.File], known.line)
		said := i < len(faults[s.Pos.File]) && faults[s.Pos.File][i] < known.line+known.lines
		if !said && m.services[at] == nil {
			m.services[at] = known
		}
	}
	return m
}

// moved is the service as it is where its block begins in another line.
func (s *settled) moved(line int) *VirtualServer {
	by := line - s.line
	if by == 0 {
		return s.service
	}
	v := *s.service
	v.Pos.Line += by
	if v.Sorry != nil {
		sorry := *v.Sorry
		sorry.Pos.Line += by
		v.Sorry = &sorry
	}
	v.RealServers = slices.Clone(v.RealServers)
	for i, r := range v.RealServers {
		server := *r
		server.Pos.Line += by
		server.Checks = slices.Clone(r.Checks)
		for k, c := range server.Checks {
			server.Checks[k] = c.moved(by)
		}
		v.RealServers[i] = &server
	}
	return &v
}

// moved is the check some lines further down.
func (c *Check) moved(by int) *Check {
	check := *c
	check.Pos.Line += by
	if c.HTTP != nil {
		http := *c.HTTP
		http.URLs = slices.Clone(http.URLs)
		for i := range http.URLs {
			http.URLs[i].Pos.Line += by
		}
		check.HTTP = &http
	}
	return &check
}
