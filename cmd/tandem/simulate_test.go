package main

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// simConf is the file of a pair, which tells its nodes apart by their ids.
const simConf = `global_defs {
    vrrp_version 3
}
vrrp_instance VI_1 {
    interface eth0
    virtual_router_id 51
    @lb1 priority 150
    @lb2 priority 100
    virtual_ipaddress { 192.0.2.100 }
    @tandem takeover_requires {
    @tandem     ping 192.0.2.254
    @tandem }
}
`

// TestSimulate runs a pair through the death of its master and the isolation of its
// backup, for people and for programs.
func TestSimulate(t *testing.T) {
	file := filepath.Join(t.TempDir(), "pair.conf")
	if err := os.WriteFile(file, []byte(simConf), 0o600); err != nil {
		t.Fatal(err)
	}
	args := []string{"simulate", file + "@lb1", file + "@lb2", "--do", "10s kill lb1 for 20s", "--do", "40s cut lb2 for 10s"}
	p, stdout, stderr := newProgram("tandem")
	if status := p.main(args); status != 0 {
		t.Fatalf("status %d: %s%s", status, stdout, stderr)
	}
	golden(t, "simulate.txt", stdout.Bytes())

	p, stdout, _ = newProgram("tandem")
	if status := p.main(append(args, "-o", "json")); status != 0 {
		t.Fatal(status)
	}
	golden(t, "simulate.json", []byte(strings.ReplaceAll(stdout.String(), filepath.Dir(file), "DIR")))
	var got simulated
	if err := json.Unmarshal(stdout.Bytes(), &got); err != nil {
		t.Fatal(err)
	}
	if len(got.Routers) != 1 || len(got.Routers[0].Masters) != 1 || got.Routers[0].Masters[0] != "lb1" {
		t.Errorf("the masters are %+v", got.Routers)
	}
}

// TestSimulateFindsFaults tells of a pair that cannot agree.
func TestSimulateFindsFaults(t *testing.T) {
	dir := t.TempDir()
	write := func(name, conf string) string {
		t.Helper()
		path := filepath.Join(dir, name, "keepalived.conf")
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(conf), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	v3 := strings.NewReplacer("@lb1 ", "", "@lb2 priority 100\n", "").Replace(simConf)
	v2 := strings.Replace(v3, "vrrp_version 3", "vrrp_version 2", 1)
	one, two := write("one", v3), write("two", v2)
	for _, c := range []struct {
		args   []string
		status int
		want   []string // in standard output or error
	}{
		{[]string{one, two}, 1, []string{"one VI_1", "ignores adverts of two: version", "two-masters: one and two are both master of VRID 51"}},
		{[]string{one, "--nodes", "3", "--random", "20", "--seed", "7"}, 0, []string{"3 nodes for 1m50s, seed 7", "node3"}},
		{[]string{one, one, "--loss", "0.3", "--duplicate", "0.1", "--delay", "50ms", "--duration", "20s"}, 0, []string{"2 nodes for 20s", "VRID 51 IPv4"}},
		{[]string{}, 1, []string{"name the configuration of each node"}},
		{[]string{one, two, "--nodes", "2"}, 1, []string{"--nodes takes one file"}},
		{[]string{one, "--do", "soon kill one"}, 1, []string{"soon is no time"}},
		{[]string{one, "--do", "1s kill two"}, 1, []string{"\"1s kill two\" names a node that is not there; the nodes are keepalived"}},
		{[]string{filepath.Join(dir, "none.conf")}, 1, []string{"none.conf"}},
		{[]string{write("empty", "global_defs {\n}\n")}, 1, []string{"has no vrrp_instance"}},
	} {
		p, stdout, stderr := newProgram("tandem")
		status := p.main(append([]string{"simulate"}, c.args...))
		for _, want := range c.want {
			if text := stdout.String() + stderr.String(); status != c.status || !strings.Contains(text, want) {
				t.Errorf("%q: status %d, want %d and %q in\n%s", c.args, status, c.status, want, text)
			}
		}
	}
}
