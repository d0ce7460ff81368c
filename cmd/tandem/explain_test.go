package main

import (
	"bytes"
	"encoding/json"
	"os"
	"strings"
	"testing"

	"github.com/tandem-ha/tandem/config"
)

func TestExplain(t *testing.T) {
	e := config.Explanation{
		Keyword: config.Keyword{
			Name: "lb_algo", Args: "rr|wrr", Default: "wlc", Since: "<=0.6.6", Doc: "Is the old name of lvs_sched.",
			Reason: "it is a test", Instead: "lvs_sched", Shell: true,
		},
		Blocks: []string{"virtual_server", "(address)"}, AliasOf: "lvs_sched", Aliases: []string{"x", "y"},
	}
	own := config.Explanation{Keyword: config.Keyword{Name: "tandem", Since: "tandem", Doc: "Holds " + strings.Repeat("very ", 20) + "much.", Honoured: true, Tandem: true}, Blocks: []string{""}}
	golden(t, "explain.txt", []byte(explainText([]config.Explanation{e, own})))

	for _, tc := range []struct {
		args           string
		status         int
		stdout, stderr string
	}{
		{"explain advert_int", 0, "advert_int SECS\n  stands      in vrrp_instance\n", ""},
		{"explain connect_port TCP_CHECK", 0, "connect_port 1..65535\n  stands      in virtual_server real_server TCP_CHECK\n", ""},
		{"explain connect_port real_server TCP_CHECK", 0, "connect_port 1..65535\n  stands      in virtual_server real_server TCP_CHECK\n", ""},
		{"explain", 1, "", "tandem explain: name a keyword"},
		{"explain advert_itn", 1, "", "tandem explain: there is no keyword advert_itn; did you mean advert_int?\n"},
	} {
		p, stdout, stderr := newProgram("tandem")
		status := p.main(strings.Fields(tc.args))
		if status != tc.status || !strings.HasPrefix(stdout.String(), tc.stdout) || !strings.HasPrefix(stderr.String(), tc.stderr) {
			t.Errorf("%s: %d %q %q", tc.args, status, stdout, stderr)
		}
	}

	p, stdout, _ := newProgram("tandem")
	if status := p.main([]string{"explain", "-o", "json", "advert_int"}); status != 0 {
		t.Fatal(status)
	}
	var list []config.Explanation
	if err := json.Unmarshal(stdout.Bytes(), &list); err != nil || len(list) != 1 || list[0].Name != "advert_int" || list[0].Blocks[0] != "vrrp_instance" || !list[0].Honoured {
		t.Errorf("%v: %s", err, stdout)
	}
}

// TestKeywordsPage fails where docs/keywords.md is not what the table makes.
func TestKeywordsPage(t *testing.T) {
	p, stdout, _ := newProgram("tandem")
	if status := p.main([]string{"keywords", "--markdown"}); status != 0 {
		t.Fatal(status)
	}
	page, err := os.ReadFile("../../docs/keywords.md")
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(page, stdout.Bytes()) {
		t.Error("docs/keywords.md is stale: run go generate ./cmd/tandem")
	}
	p, stdout, _ = newProgram("tandem")
	if status := p.main([]string{"keywords"}); status != 0 || !strings.Contains(stdout.String(), "\nadvert_int\n") {
		t.Errorf("%d %s", status, stdout)
	}
}
