package config

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

const pair = `vrrp_instance A {
    interface eth0
    virtual_router_id 1
    virtual_ipaddress { 192.0.2.1 }
    notify "/bin/notify"
}
virtual_server 192.0.2.1 80 {
    lvs_sched rr
    lvs_method NAT
    protocol TCP
    real_server 198.51.100.1 80 {
        TCP_CHECK { }
    }
}
`

func TestLoad(t *testing.T) {
	dir := write(t, map[string]string{"a.conf": "global_defs { router_id one }\n", "b.conf": pair})
	if err := os.Mkdir(filepath.Join(dir, "folder"), 0o755); err != nil {
		t.Fatal(err)
	}
	cfg, ds := Load(filepath.Join(dir, "*.conf"), Options{})
	if cfg.Global.RouterID != "one" || len(cfg.Instances) != 1 || !Runnable(ds) {
		t.Errorf("pattern: %+v, %v", cfg, ds)
	}
	for _, name := range []string{"none.conf", "folder", "none*"} {
		cfg, ds := Load(filepath.Join(dir, name), Options{})
		if cfg == nil || len(ds) != 1 || ds[0].Code != "no-file" || ds[0].Severity != Fatal || ExitCode(ds) != 4 {
			t.Errorf("%s: %+v, %v", name, cfg, ds)
		}
	}
}

func TestExitCode(t *testing.T) {
	d := func(s Severity, code string) Diagnostic { return Diagnostic{Severity: s, Code: code} }
	tests := []struct {
		ds   []Diagnostic
		want int
	}{
		{nil, 0},
		{[]Diagnostic{d(Notice, "not-honoured"), d(Notice, "x")}, 0},
		{[]Diagnostic{d(Warning, "x")}, 5},
		{[]Diagnostic{d(Error, "x"), d(Notice, "y")}, 5},
		{[]Diagnostic{d(Fatal, "x")}, 5},
		{[]Diagnostic{d(Warning, "script-security"), d(Fatal, "x")}, 6},
		{[]Diagnostic{d(Error, "x"), d(Warning, "script-security")}, 6},
		{[]Diagnostic{d(Warning, "script-security"), d(Error, "missing-parameter")}, 2},
		{[]Diagnostic{d(Fatal, "no-file")}, 4},
		{[]Diagnostic{d(Fatal, "no-file"), d(Error, "x")}, 5},
	}
	for _, tt := range tests {
		if got := ExitCode(tt.ds); got != tt.want {
			t.Errorf("%v: got %d, want %d", tt.ds, got, tt.want)
		}
	}
}

func TestEqual(t *testing.T) {
	parse := func(s string) *Config {
		cfg, _ := Parse("f", []byte(s), Options{})
		return cfg
	}
	base := parse(pair)
	if !Equal(base, parse("# moved\n\n"+strings.ReplaceAll(pair, "    ", "\t"))) {
		t.Error("positions and blanks make a difference")
	}
	for _, change := range [][2]string{
		{"router_id 1", "router_id 2"}, {"192.0.2.1 }", "192.0.2.2 }"}, {"/bin/notify", "/bin/notify x"},
		{"rr", "wrr"}, {"TCP_CHECK { }", "TCP_CHECK { retry 3\n }"}, {"TCP_CHECK { }", ""},
	} {
		if Equal(base, parse(strings.Replace(pair, change[0], change[1], 1))) {
			t.Errorf("%q for %q makes no difference", change[1], change[0])
		}
	}
	if Equal(base, nil) || !Equal(nil, nil) {
		t.Error("nil is compared wrongly")
	}
}

func TestRender(t *testing.T) {
	_, ds := Parse("a.conf", []byte("vrrp_script x {\n\tscript\t\"/bin/ö\"\n\tintervall 5\n}\n"), Options{Environment: host{}})
	var kept []Diagnostic
	for _, d := range ds {
		if d.Code != "unused" {
			kept = append(kept, d)
		}
	}
	var b strings.Builder
	if err := Render(&b, kept); err != nil {
		t.Fatal(err)
	}
	want := `a.conf:2:9: warning: scripts are run and enable_script_security is not set [script-security]
 2 |         script  "/bin/ö"
   |                 ^^^^^^^^
   = help: Write enable_script_security in global_defs.
a.conf:3:2: warning: Unknown keyword 'intervall' [unknown-keyword]
 3 |         intervall 5
   |         ^^^^^^^^^
   = help: Did you mean interval?
`
	if diff := cmp.Diff(want, b.String()); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
}

func TestScriptUser(t *testing.T) {
	const text = "global_defs {\nscript_user %\nenable_script_security\n}\nvrrp_script s {\nscript \"/bin/check\"\n}\n"
	cfg, ds := Parse("f", []byte(strings.Replace(text, "%", "daemon : adm", 1)), Options{Environment: host{}})
	if want := (User{"daemon", "adm"}); cfg.Global.ScriptUser != want || cfg.Scripts[0].Command.User != want || ExitCode(ds) != 0 {
		t.Errorf("got %+v, %v", cfg.Scripts[0].Command, ds)
	}
	cfg, ds = Parse("f", []byte(strings.Replace(text, "%", "stranger", 1)), Options{Environment: host{}})
	if cfg.Global.ScriptUser != (User{}) || ExitCode(ds) != 5 {
		t.Errorf("got %+v, %v", cfg.Global, ds)
	}
}

func TestManyAddressesMoveToTheExcluded(t *testing.T) {
	var b strings.Builder
	b.WriteString("vrrp_instance A {\ninterface eth0\nvirtual_router_id 1\nvirtual_ipaddress {\n")
	for i := range 260 {
		fmt.Fprintf(&b, "10.0.%d.%d\n", i/200, i%200)
	}
	b.WriteString("}\nvirtual_ipaddress_excluded { 192.0.2.1 }\n}\n")
	cfg, ds := Parse("f", []byte(b.String()), Options{})
	i := cfg.Instances[0]
	if len(i.Addresses) != 255 || len(i.Excluded) != 6 || len(ds) != 1 || ds[0].Code != "vip-count" {
		t.Errorf("%d addresses, %d excluded, %v", len(i.Addresses), len(i.Excluded), ds)
	}
	if got := i.Excluded[5].Prefix.String(); got != "192.0.2.1/32" || i.Excluded[0].Interface != "eth0" {
		t.Errorf("last is %s on %s", got, i.Excluded[0].Interface)
	}
}

// counted is a host that counts what it is asked about scripts.
type counted struct {
	host
	asked *int
}

func (c counted) Script(cmd Command, security bool) error {
	*c.asked++
	return c.host.Script(cmd, security)
}

// A file may have thousands of checks by one script, of which the host is asked once.
func TestTheHostIsAskedOnceOfAScript(t *testing.T) {
	var text strings.Builder
	text.WriteString("virtual_server 192.0.2.1 80 {\nlvs_sched rr\nlvs_method NAT\nprotocol TCP\n")
	for i := range 40 {
		fmt.Fprintf(&text, "real_server 198.51.100.%d 80 {\nMISC_CHECK {\nmisc_path \"/missing/check %d\"\nuser u%d\n}\n}\n", i+1, i, i%2)
	}
	text.WriteString("}\n")
	asked := 0
	_, ds := Parse("f", []byte(text.String()), Options{Environment: counted{asked: &asked}})
	told := 0
	for _, d := range ds {
		if d.Code == "script-unusable" {
			told++
		}
	}
	if asked != 2 || told != 40 {
		t.Errorf("asked %d times and told of %d, want 2 and 40", asked, told)
	}
}
