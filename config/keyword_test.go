package config

import (
	"slices"
	"strings"
	"testing"
)

// TestKeywordTable asserts that each row of the table is well-formed.
func TestKeywordTable(t *testing.T) {
	rows := Keywords()
	seen := map[string]bool{}
	blocks := map[string]bool{"": true}
	installed := 0
	for _, k := range rows {
		if k.Form == FormBlock {
			blocks[k.path()] = true
		}
		if !strings.HasPrefix(k.Block, "(") && !k.Tandem {
			installed++
		}
	}
	for _, k := range rows {
		id := k.Block + " " + k.Name
		if seen[id] {
			t.Errorf("%s is there twice", id)
		}
		seen[id] = true
		inLine := strings.HasPrefix(k.Block, "(")
		if !inLine && !blocks[k.Block] {
			t.Errorf("%s: no row opens its block", id)
		}
		if k.Name == "" || strings.ContainsAny(k.Name, " {}\"'#!$") {
			t.Errorf("%s: not a keyword", id)
		}
		if !strings.HasSuffix(k.Doc, ".") || strings.Count(k.Doc, ". ") > 0 || len(k.Doc) > 150 {
			t.Errorf("%s: the documentation is not one short sentence: %q", id, k.Doc)
		}
		if !inLine && k.Since == "" {
			t.Errorf("%s: since when?", id)
		}
		if !slices.Contains([]Form{FormFlag, FormOptional, FormValue, FormBlock, FormLines}, k.Form) {
			t.Errorf("%s: form %q", id, k.Form)
		}
		if inLine == (k.decode != nil) {
			t.Errorf("%s: decoder %t", id, k.decode != nil)
		}
		if !k.Honoured && k.Reason == "" && !hasDeadBlock(k) {
			t.Errorf("%s: not honoured, and why?", id)
		}
		if k.Honoured && k.Reason != "" && blocks[k.Block] {
			t.Errorf("%s: honoured, yet %q", id, k.Reason)
		}
	}
	// The keywords that keepalived 2.4.3 installs.
	if installed != 533 {
		t.Errorf("%d keywords, want 533", installed)
	}
}

// TestEveryKeywordIsAccepted gives each keyword a statement in its block and
// asserts that none is unknown, that what is not honoured says so at its place,
// and that nothing panics.
func TestEveryKeywordIsAccepted(t *testing.T) {
	for _, k := range Keywords() {
		if strings.HasPrefix(k.Block, "(") {
			continue
		}
		text, line := statementFor(k)
		_, ds := Parse("f", []byte(text), Options{ID: "east", Environment: host{}})
		checkPlaces(t, text, ds)
		found := false
		for _, d := range ds {
			if d.Code == "unknown-keyword" {
				t.Errorf("%s in %s: %v\n%s", k.Name, k.Block, d, text)
			}
			if d.Code == "not-honoured" && d.Pos.Line == line {
				found = true
			}
		}
		if deepest := k.Honoured || hasDeadBlock(k); !deepest && !found {
			t.Errorf("%s in %s: not honoured, and nothing says so: %v\n%s", k.Name, k.Block, ds, text)
		}
	}
}

// hasDeadBlock is true where a block around the keyword is not honoured: that
// is what is reported then.
func hasDeadBlock(k Keyword) bool {
	for _, other := range Keywords() {
		if other.Form == FormBlock && !other.Honoured && (k.Block == other.path() || strings.HasPrefix(k.Block, other.path()+"/")) {
			return true
		}
	}
	return false
}

// statementFor writes the keyword in its blocks, and tells its line.
func statementFor(k Keyword) (text string, line int) {
	heads := map[string]string{
		"virtual_server": "192.0.2.1 80", "real_server": "198.51.100.1 80",
		"vrrp_instance": "A", "vrrp_sync_group": "A", "vrrp_script": "A", "track_group": "A",
		"vrrp_track_process": "A", "track_file": "A", "vrrp_track_file": "A", "bfd_instance": "A",
		"virtual_server_group": "A",
	}
	var b strings.Builder
	depth := 0
	if k.Block != "" {
		for name := range strings.SplitSeq(k.Block, "/") {
			b.WriteString(name + " " + heads[name] + " {\n")
			depth++
		}
	}
	b.WriteString(k.Name + " ")
	switch k.Form {
	case FormBlock, FormLines:
		b.WriteString(heads[k.Name] + " {\n}")
	case FormValue:
		b.WriteString("1")
	case FormFlag, FormOptional:
	}
	b.WriteString("\n" + strings.Repeat("}\n", depth))
	return b.String(), depth + 1
}

func TestSuggest(t *testing.T) {
	table := newTable()
	tests := []struct{ block, name, want string }{
		{"vrrp_instance", "virtual_ipadress", "Did you mean virtual_ipaddress?"},
		{"vrrp_instance", "no_preempt", "Did you mean nopreempt?"},
		{"vrrp_instance", "Priority", "Did you mean priority?"},
		{"vrrp_instance", "track_scritp", "Did you mean track_script?"},
		{"virtual_server/real_server/TCP_CHECK", "connect_timout", "Did you mean connect_timeout?"},
		{"virtual_server/real_server", "MISC_CHEK", "Did you mean MISC_CHECK?"},
		{"vrrp_instance", "lvs_method", "It belongs in virtual_server, or in virtual_server real_server, not in vrrp_instance."},
		{"", "router_id", "It belongs in global_defs, not at the top level."},
		{"global_defs", "vrrp_instance", "It belongs at the top level, not in global_defs."},
		{"vrrp_instance", "zzz", ""},
		{"", "\u00a0global_defs", "A no-break space stands before it: replace it by a blank."},
		{"", "\ufeffvrrp_instance", "A byte order mark stands before it: save the file without one."},
	}
	for _, tt := range tests {
		if got := table.suggest(tt.block, tt.name); got != tt.want {
			t.Errorf("%s in %q: got %q, want %q", tt.name, tt.block, got, tt.want)
		}
	}
}
