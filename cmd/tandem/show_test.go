package main

import (
	"encoding/json"
	"path/filepath"
	"strings"
	"testing"

	"github.com/tandem-ha/tandem/config"
)

const inheriting = "global_defs {\n  vrrp_garp_master_delay 7\n}\ninclude vi.conf\n"

func TestConfigShow(t *testing.T) {
	dir := files(t, map[string]string{"main.conf": inheriting, "vi.conf": goodConfig, "fatal.conf": fatalConfig})
	main := filepath.Join(dir, "main.conf")
	p, stdout, stderr := newProgram("tandem")
	if status := p.main([]string{"config", "show", main}); status != 0 || stderr.Len() > 0 {
		t.Fatalf("%d %s", status, stderr)
	}
	shownConf := strings.Join(strings.Fields(stdout.String()), " ")
	for _, want := range []string{
		"interface eth0 # " + filepath.Join(dir, "vi.conf") + ":2",
		"garp_master_delay 7 # global_defs, " + main + ":2",
		"advert_int 1 # default",
	} {
		if !strings.Contains(shownConf, want) {
			t.Errorf("%q is not in\n%s", want, stdout)
		}
	}
	before, _ := config.Load(main, config.Options{})
	after, ds := config.Parse("x", stdout.Bytes(), config.Options{})
	if !config.Equal(before, after) {
		t.Errorf("it means something else: %v\n%s", ds, stdout)
	}

	p, stdout, _ = newProgram("tandem")
	if status := p.main([]string{"config", "show", "-o", "json", main}); status != 0 {
		t.Fatal(status)
	}
	var got shown
	if err := json.Unmarshal(stdout.Bytes(), &got); err != nil {
		t.Fatal(err)
	}
	if !config.Equal(before, got.Config) {
		t.Errorf("%s", stdout)
	}
	o := got.Origins["/instances/0/garp/delay"]
	if o != (config.Origin{Kind: config.FromBlock, Block: "global_defs", Keyword: "vrrp_garp_master_delay", Pos: config.Pos{File: main, Line: 2, Column: 3}}) {
		t.Errorf("%+v", o)
	}

	for _, tc := range []struct {
		args           string
		status         int
		stdout, stderr string
	}{
		{"config show " + dir + "/fatal.conf", 2, "vrrp_instance VI_1 {", "fatal.conf:1:1: fatal: "},
		{"config show " + dir + "/none.conf", 2, "", "none.conf"},
		{"config", 1, "", "write tandem config show [FILE]"},
		{"config view", 1, "", "write tandem config show [FILE]"},
		{"config show a b", 1, "", `takes one file, but there is also "b"`},
		{"config show -o text", 1, "", `it is keepalived or json, not "text"`},
	} {
		p, stdout, stderr := newProgram("tandem")
		if status := p.main(strings.Fields(tc.args)); status != tc.status || !strings.Contains(stdout.String(), tc.stdout) || !strings.Contains(stderr.String(), tc.stderr) || tc.stdout == "" && stdout.Len() > 0 {
			t.Errorf("%s: %d %q %q", tc.args, status, stdout, stderr)
		}
	}
}
