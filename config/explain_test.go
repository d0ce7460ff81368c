package config

import (
	"bytes"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
)

func TestExplain(t *testing.T) {
	one := func(name, block string) Explanation {
		t.Helper()
		es, err := Explain(name, block)
		if err != nil || len(es) != 1 {
			t.Fatalf("%s in %q: %v, %v", name, block, es, err)
		}
		return es[0]
	}
	if e := one("advert_int", ""); e.Block != "vrrp_instance" || e.Default != "1" || !e.Honoured || len(e.Aliases) != 0 {
		t.Errorf("%+v", e)
	}
	if e := one("lb_algo", "virtual_server"); e.AliasOf != "lvs_sched" {
		t.Errorf("%+v", e)
	}
	if e := one("lvs_sched", ""); !slices.Equal(e.Aliases, []string{"lb_algo"}) {
		t.Errorf("%+v", e)
	}
	for _, block := range []string{"TCP_CHECK", "real_server TCP_CHECK", "virtual_server/real_server/TCP_CHECK", "/real_server/TCP_CHECK/"} {
		if e := one("connect_port", block); !slices.Equal(e.Blocks, []string{"virtual_server/real_server/TCP_CHECK"}) {
			t.Errorf("%s: %+v", block, e)
		}
	}
	// The same row in many blocks is one explanation.
	many, err := Explain("connect_port", "")
	if err != nil || len(many) >= 8 || !slices.Contains(many[0].Blocks, "virtual_server/real_server/SSL_GET") || !slices.Contains(many[0].Blocks, many[0].Block) {
		t.Errorf("%+v, %v", many, err)
	}
	if e := one("brd", "address"); e.AliasOf != "broadcast" {
		t.Errorf("%+v", e)
	}
}

func TestExplainUnknown(t *testing.T) {
	for _, tt := range []struct{ name, block, want string }{
		{"advert_intt", "", "there is no keyword advert_intt; did you mean advert_int?"},
		{"prioritty", "vrrp_instance", "there is no keyword prioritty in vrrp_instance; did you mean priority?"},
		{"lvs_sched", "vrrp_instance", "there is no keyword lvs_sched in vrrp_instance; it stands in virtual_server"},
		{"connect_port", "TCP_CHEK", "there is no keyword connect_port in TCP_CHEK; did you mean the block TCP_CHECK?"},
		{"zzzzzzzzz", "", "there is no keyword zzzzzzzzz"},
	} {
		es, err := Explain(tt.name, tt.block)
		if _, ok := errors.AsType[*UnknownKeywordError](err); !ok || len(es) != 0 {
			t.Errorf("%s: %v, %v", tt.name, es, err)
			continue
		}
		if err.Error() != tt.want {
			t.Errorf("got %q, want %q", err, tt.want)
		}
	}
}

func TestReasonOfBlocks(t *testing.T) {
	rows := []Keyword{
		{Name: "A", Form: FormBlock, Reason: "it is dead"},
		{Block: "A", Name: "b"}, {Block: "A/c", Name: "d"}, {Block: "A", Name: "e", Reason: "its own"},
		{Name: "F", Form: FormBlock}, {Block: "F", Name: "g"}, {Block: "AA", Name: "h"}, {Name: "i", Honoured: true},
	}
	want := map[string]string{"A": "it is dead", "b": "A: it is dead", "d": "A: it is dead", "e": "its own", "F": "", "g": "its block F is not honoured yet", "h": "", "i": ""}
	for _, k := range rows {
		if got := reasonOf(rows, k); got != want[k.Name] {
			t.Errorf("%s: got %q, want %q", k.Name, got, want[k.Name])
		}
	}
}

// TestKeywordsMarkdown asserts that the page has a line for each row and that
// every line of a table has its six cells.
func TestKeywordsMarkdown(t *testing.T) {
	page := KeywordsMarkdown()
	lines := 0
	for line := range strings.Lines(string(page)) {
		if !strings.HasPrefix(line, "| `") {
			continue
		}
		lines++
		if cells := strings.Count(strings.ReplaceAll(line, `\|`, ""), "|"); cells != 7 {
			t.Errorf("%d bars in %s", cells, line)
		}
	}
	if want := len(Keywords()); lines != want {
		t.Errorf("%d rows, want %d", lines, want)
	}
	for _, k := range Keywords() {
		if !bytes.Contains(page, fmt.Appendf(nil, "| `%s` |", k.Name)) {
			t.Errorf("%s is missing", k.Name)
		}
	}
	for block := range lineTitles() {
		if _, ok := keywordTable()[block]; !ok {
			t.Errorf("there is no block %s", block)
		}
	}
}
