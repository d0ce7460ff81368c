package config

import (
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// write makes the files of a configuration in a new folder and returns it.
func write(t *testing.T, files map[string]string) string {
	t.Helper()
	dir := t.TempDir()
	for name, text := range files {
		path := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

const head = "vrrp_instance A {\ninterface eth0\nvirtual_router_id 1\nvirtual_ipaddress {\n"

// included loads main.conf, whose virtual_ipaddress holds only the line given.
func included(t *testing.T, line string, files map[string]string) ([]string, []Diagnostic) {
	t.Helper()
	files["main.conf"] = head + line + "\n}\n}\n"
	dir := write(t, files)
	if err := os.Symlink(filepath.Join(dir, "nowhere"), filepath.Join(dir, "broken.addr")); err != nil {
		t.Fatal(err)
	}
	cfg, ds := Load(filepath.Join(dir, "main.conf"), Options{ID: "east"})
	var got []string
	for _, a := range cfg.Instances[0].Addresses {
		got = append(got, a.Prefix.Addr().String())
	}
	return got, ds
}

func TestInclude(t *testing.T) {
	files := func() map[string]string {
		return map[string]string{
			"d/b.addr": "192.0.2.2\n", "d/a.addr": "192.0.2.1", "d/e/c.addr": "192.0.2.3\n",
			"d/chain": "include e/*.addr\n192.0.2.4\n", "d/loop": "192.0.2.5\ninclude loop\n",
			"d/ping": "include pong\n", "d/pong": "include ping\n192.0.2.6\n",
			"d/close": "192.0.2.7\n}\npriority 7\nvirtual_ipaddress_excluded {\n",
		}
	}
	tests := []struct {
		line string
		want []string
		// codes are those of the diagnostics that count.
		codes []string
	}{
		{"include d/*.addr", []string{"192.0.2.1", "192.0.2.2"}, nil},
		{`include "d/b.addr"`, []string{"192.0.2.2"}, nil},
		{"include d/{b,a,z}.addr", []string{"192.0.2.2", "192.0.2.1"}, nil},
		{"include d/{e/{c,x},b}.addr", []string{"192.0.2.3", "192.0.2.2"}, nil},
		{"include d/chain", []string{"192.0.2.3", "192.0.2.4"}, nil},
		{"@east include d/b.addr", []string{"192.0.2.2"}, nil},
		{"@west include d/b.addr", nil, []string{"no-vip"}},
		{"include d/loop", []string{"192.0.2.5"}, []string{"include-loop"}},
		{"include d/ping", []string{"192.0.2.6"}, []string{"include-loop"}},
		{"include d/close", []string{"192.0.2.7"}, nil},
		{"include d/none", nil, []string{"no-vip"}},
		{"includem d/none", nil, []string{"include-missing", "no-vip"}},
		{"includem d/none*", nil, []string{"no-vip"}},
		{"includew d/none*", nil, []string{"include-missing", "no-vip"}},
		{"includeb d/{b,z}.addr", []string{"192.0.2.2"}, []string{"include-missing"}},
		{"includer broken.addr", nil, []string{"include-unreadable", "no-vip"}},
		{"includea d/b.addr", []string{"192.0.2.2"}, nil},
		{"include d", nil, []string{"no-vip"}},
		{"include", nil, []string{"missing-parameter", "no-vip"}},
		{"$F=d/b\ninclude $F.addr", nil, []string{"no-vip"}},
		{"$F=d/b\ninclude ${F}.addr", []string{"192.0.2.2"}, nil},
		{"include ${_PWD}/d/b.addr", []string{"192.0.2.2"}, nil},
	}
	for i, tt := range tests {
		// The line itself would put wildcards into the name of the folder.
		t.Run(strconv.Itoa(i), func(t *testing.T) {
			got, ds := included(t, tt.line, files())
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Errorf("%s: addresses -want +got:\n%s", tt.line, diff)
			}
			var codes []string
			for _, d := range ds {
				if d.Severity != Notice {
					codes = append(codes, d.Code)
				}
			}
			slices.Sort(codes)
			if diff := cmp.Diff(tt.codes, codes); diff != "" {
				t.Errorf("%s: codes -want +got:\n%s\n%v", tt.line, diff, ds)
			}
		})
	}
}

func TestIncludeCheck(t *testing.T) {
	dir := write(t, map[string]string{
		"main.conf": "global_defs {\ninclude_check +match\n}\ninclude none\ninclude sub\ninclude none2\n",
		"sub":       "include none3\nglobal_defs {\ninclude_check -match\n}\ninclude none4\n",
	})
	_, ds := Load(filepath.Join(dir, "main.conf"), Options{})
	var got []string
	for _, d := range ds {
		if d.Severity != Notice {
			got = append(got, d.Message)
		}
	}
	slices.Sort(got)
	want := []string{"no file matches none", "no file matches none2", "no file matches none3"}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
}

func TestIncludeSkipsExecutables(t *testing.T) {
	dir := write(t, map[string]string{"main.conf": "include script\n", "script": "nonsense\n"})
	if err := os.Chmod(filepath.Join(dir, "script"), 0o755); err != nil {
		t.Fatal(err)
	}
	_, ds := Load(filepath.Join(dir, "main.conf"), Options{})
	if ExitCode(ds) != 0 || len(ds) != 1 || ds[0].Code != "include-skipped" {
		t.Errorf("got %v", ds)
	}
}

func TestIncludeChainIsShown(t *testing.T) {
	dir := write(t, map[string]string{"main.conf": "\ninclude one\n", "one": "  include two\n", "two": "nonsense\n"})
	_, ds := Load(filepath.Join(dir, "main.conf"), Options{})
	if len(ds) != 1 {
		t.Fatalf("got %v", ds)
	}
	want := []Pos{{filepath.Join(dir, "main.conf"), 2, 1}, {filepath.Join(dir, "one"), 1, 3}}
	if diff := cmp.Diff(want, ds[0].Includes); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
	var b strings.Builder
	if err := Render(&b, ds); err != nil {
		t.Fatal(err)
	}
	shown := strings.ReplaceAll(b.String(), dir+"/", "")
	wantShown := `two:1:1: warning: Unknown keyword 'nonsense' [unknown-keyword]
 1 | nonsense
   | ^^^^^^^^
   = included from one:1:3
   = included from main.conf:2:1
`
	if diff := cmp.Diff(wantShown, shown); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
}

// A definition that doubles itself again and again must end, and soon.
func TestDefinitionsAreBounded(t *testing.T) {
	var b strings.Builder
	b.WriteString("$A0=xxxxxxxx\n")
	for i := 1; i < 40; i++ {
		name, before := "A"+string(rune('a'+i%26))+string(rune('a'+i/26)), "A0"
		if i > 1 {
			before = "A" + string(rune('a'+(i-1)%26)) + string(rune('a'+(i-1)/26))
		}
		b.WriteString("$" + name + "=${" + before + "}${" + before + "}\n")
	}
	b.WriteString("${Anb}\n")
	_, ds := Parse("f", []byte(b.String()), Options{})
	if len(ds) != 1 || ds[0].Code != "definition" {
		t.Errorf("got %v", ds)
	}
}

// A folder whose name looks like a pattern is a folder.
func TestIncludeBesideAnOddFolder(t *testing.T) {
	dir := write(t, map[string]string{"[a]*{b,c}/main.conf": "include sub*\n", "[a]*{b,c}/sub1": "nonsense\n"})
	_, ds := Load(filepath.Join(dir, "[a]*{b,c}", "main.conf"), Options{})
	if len(ds) != 1 || ds[0].Code != "unknown-keyword" {
		t.Errorf("got %v", ds)
	}
}
