package config

import (
	"fmt"
	"slices"
	"strings"
)

// Effective is a configuration as it is in force, after includes, definitions,
// conditions, inheritance and defaults, with where each value came from.
type Effective struct {
	// Config and Diagnostics are what Load gives.
	Config      *Config
	Diagnostics []Diagnostic

	tree  *tree
	table table
	// scopes are the settings of the blocks by what was made of them: the same
	// scope by its node and by the pointers of the Config that it stands for.
	scopes  map[any]*scope
	globals *scope
}

// OriginKind says what sort of place a value came from.
type OriginKind string

// The kinds of places.
const (
	// FromFile is a value that its own block says, FromBlock one that another
	// block says for it, and FromDefault one that no file says.
	FromFile    OriginKind = "file"
	FromBlock   OriginKind = "inherited"
	FromDefault OriginKind = "default"
)

// Origin is where a value came from.
type Origin struct {
	Kind OriginKind `json:"kind"`
	// Block and Keyword are what an inherited value was said by.
	Block   string `json:"block,omitempty"`
	Keyword string `json:"keyword,omitempty"`
	// Pos is the place, the zero Pos for a default.
	Pos Pos `json:"pos,omitzero"`
}

// String is the origin as it stands in a comment: "default",
// "/etc/keepalived/keepalived.conf:3", "global_defs, keepalived.conf:7".
func (o Origin) String() string {
	place := fmt.Sprintf("%s:%d", o.Pos.File, o.Pos.Line)
	switch o.Kind {
	case FromFile:
		return place
	case FromBlock:
		return fmt.Sprintf("%s, %s", o.Block, place)
	}
	return "default"
}

// LoadEffective reads the configuration file path as Load does and keeps where
// its values came from.
func LoadEffective(path string, o Options) *Effective {
	l := newLoader(o)
	if err := l.readAll(path); err != nil {
		cfg, ds := missing(path, err)
		return &Effective{Config: cfg, Diagnostics: ds, tree: &tree{}, table: keywordTable(), scopes: map[any]*scope{}, globals: &scope{path: "global_defs"}}
	}
	return newEffective(l)
}

func newEffective(l *loader) *Effective {
	tree := l.tree()
	d := l.decodeTree(tree)
	e := &Effective{Config: d.cfg, Diagnostics: l.sorted(), tree: tree, table: d.table, scopes: map[any]*scope{}}
	e.globals = &scope{path: "global_defs", settings: globalSettings(&d.cfg.Global)}
	for _, n := range tree.Nodes {
		if n.name() == "global_defs" && n.HasBlock {
			e.globals.nodes = append(e.globals.nodes, n)
			e.scopes[n] = e.globals
		}
	}
	e.scopes[&d.cfg.Global] = e.globals
	e.trackers(d)
	for _, i := range d.instances {
		if slices.Contains(d.cfg.Instances, i.Instance) {
			e.scope(i.node, "vrrp_instance", e.globals, instanceSettings(i.Instance), i.Instance)
		}
	}
	for _, s := range d.services {
		e.service(d, s)
	}
	return e
}

// trackers are the scopes of scripts and groups.
func (e *Effective) trackers(d *decoder) {
	for _, s := range d.scripts {
		if slices.Contains(d.cfg.Scripts, s.Script) {
			e.scope(s.node, "vrrp_script", e.globals, scriptSettings(s.Script), s.Script)
		}
	}
	for _, g := range d.groups {
		if slices.Contains(d.cfg.SyncGroups, g.SyncGroup) {
			e.scope(g.node, "vrrp_sync_group", e.globals, nil, g.SyncGroup)
		}
	}
}

// service is the scopes of a virtual server, of its real servers and of their
// checks. A group has made several of it.
func (e *Effective) service(d *decoder, s *serviceDraft) {
	if len(s.RealServers) == 0 {
		return
	}
	var made []*VirtualServer
	for _, v := range d.cfg.VirtualServers {
		if v == s.VirtualServer || s.set != "" && v.Group == s.Group {
			made = append(made, v)
		}
	}
	service := e.scope(s.node, "virtual_server", e.globals, serviceSettings(s.VirtualServer))
	for _, v := range made {
		e.scopes[v] = service
	}
	for _, r := range s.servers {
		if !slices.Contains(s.RealServers, r.RealServer) {
			continue
		}
		server := e.scope(r.node, serverB, service, serverSettings(r.RealServer), r.RealServer)
		server.head = serverHead(r.RealServer)
		for _, c := range r.checks {
			e.scope(c.node, serverB+"/"+c.Kind, server, checkSettings(c.Check), c.Check)
		}
		for _, v := range made {
			for _, copied := range v.RealServers {
				e.same(copied, r, server)
			}
		}
	}
}

// same gives the scope of a server, and those of its checks, to the copy that
// stands for it in a service of a group.
func (e *Effective) same(copied *RealServer, r *serverDraft, server *scope) {
	if copied.Addr != r.Addr || copied.Pos != r.Pos || len(copied.Checks) != len(r.checks) {
		return
	}
	e.scopes[copied] = server
	for i, c := range copied.Checks {
		e.scopes[c] = e.scopes[r.checks[i].node]
	}
}

// scope adds a scope for a node and for what it stands for.
func (e *Effective) scope(n *node, path string, up *scope, settings []resolved, objects ...any) *scope {
	s := &scope{path: path, nodes: []*node{n}, up: up, settings: settings}
	e.scopes[n] = s
	for _, o := range objects {
		e.scopes[o] = s
	}
	return s
}

// scope is a block that has its place in the Config.
type scope struct {
	// path is the block's in the keyword table.
	path string
	// nodes are where it stands: one, several for global_defs.
	nodes []*node
	// head are the words before the brace, where these are not as written.
	head []string
	// up is what it inherits from.
	up       *scope
	settings []resolved
}

// said is the last statement of the block that begins with one of names; a name
// "a/b" is b in the block a.
func (s *scope) said(names ...string) *node {
	for i := len(s.nodes) - 1; i >= 0; i-- {
		if n := saidIn(s.nodes[i], names); n != nil {
			return n
		}
	}
	return nil
}

func saidIn(block *node, names []string) *node {
	for i := len(block.Body) - 1; i >= 0; i-- {
		n := block.Body[i]
		for _, name := range names {
			first, rest, deep := strings.Cut(name, "/")
			switch {
			case n.name() != first || first == "":
			case !deep:
				return n
			default:
				if found := saidIn(n, []string{rest}); found != nil {
					return found
				}
			}
		}
	}
	return nil
}

// origin is where the value of a setting came from.
func (s *scope) origin(t resolved) Origin {
	if n := s.said(t.names...); n != nil {
		return Origin{Kind: FromFile, Pos: n.Words[0].pos()}
	}
	for up := s.up; up != nil; up = up.up {
		// What comes first among inherits counts first.
		for _, name := range t.inherits {
			if n := up.said(name); n != nil {
				title := up.path[strings.LastIndexByte(up.path, '/')+1:]
				return Origin{Kind: FromBlock, Block: title, Keyword: name, Pos: n.Words[0].pos()}
			}
		}
	}
	return Origin{Kind: FromDefault}
}
