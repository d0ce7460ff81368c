package main

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/tandem-ha/tandem/config"
)

const (
	goodConfig = "vrrp_instance VI_1 {\n  interface eth0\n  virtual_router_id 51\n  virtual_ipaddress {\n    192.0.2.10/24\n  }\n}\n"
	// oddConfig has one keyword that is not known.
	oddConfig = "vrrp_instance VI_1 {\n  interface eth0\n  virtual_router_id 51\n  prioritty 150\n  virtual_ipaddress {\n    192.0.2.10/24\n  }\n}\n"
	// fatalConfig has no virtual_router_id.
	fatalConfig = "vrrp_instance VI_1 {\n  interface eth0\n  virtual_ipaddress {\n    192.0.2.10/24\n  }\n}\n"
)

// configFiles writes the samples and returns their paths.
func configFiles(t *testing.T) (good, odd, fatal string) {
	t.Helper()
	dir := t.TempDir()
	write := func(name, text string) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	return write("good.conf", goodConfig), write("odd.conf", oddConfig), write("fatal.conf", fatalConfig)
}

func TestCheck(t *testing.T) {
	good, odd, fatal := configFiles(t)
	for _, tc := range []struct {
		files  []string
		status int
		// texts are what the output has, in this order.
		texts []string
	}{
		{[]string{good}, 0, []string{good + ": can run: nothing to report\n"}},
		{[]string{odd}, 5, []string{odd + ":4:3: warning: ", "prioritty", "prioritty 150\n", "^^^^^^^^^\n", odd + ": can run: 1 warning\n"}},
		{[]string{fatal}, 5, []string{fatal + ":", "fatal: ", fatal + ": cannot run: 1 fatal error\n"}},
		{[]string{odd, good}, 5, []string{odd + ": can run: 1 warning\n", good + ": can run: nothing to report\n"}},
	} {
		p, stdout, stderr := newProgram("tandem")
		status := p.main(append([]string{"check", "--offline"}, tc.files...))
		if status != tc.status || stderr.Len() > 0 {
			t.Errorf("%v: status %d, want %d; %s", tc.files, status, tc.status, stderr)
		}
		rest := stdout.String()
		for _, text := range tc.texts {
			_, after, found := strings.Cut(rest, text)
			if !found {
				t.Errorf("%v: %q is not in\n%s", tc.files, text, stdout)
			}
			rest = after
		}
	}
}

func TestCheckJSON(t *testing.T) {
	good, _, fatal := configFiles(t)
	p, stdout, _ := newProgram("tandem")
	if status := p.main([]string{"check", "--offline", "-o", "json", good, fatal}); status != 5 {
		t.Errorf("status %d", status)
	}
	var got []checked
	if err := json.Unmarshal(stdout.Bytes(), &got); err != nil || len(got) != 2 {
		t.Fatalf("%v: %s", err, stdout)
	}
	if got[0].File != good || got[0].ExitStatus != 0 || !got[0].Runnable || len(got[0].Diagnostics) != 0 {
		t.Errorf("%+v", got[0])
	}
	if got[1].ExitStatus != 5 || got[1].Runnable || len(got[1].Diagnostics) != 1 || got[1].Diagnostics[0].Pos.File != fatal {
		t.Errorf("%+v", got[1])
	}
	if !strings.Contains(stdout.String(), `"diagnostics": []`) {
		t.Errorf("an empty list is not a list:\n%s", stdout)
	}
}

// noInterfaces is a host without any interface.
type noInterfaces struct{}

func (noInterfaces) Interface(string) bool             { return false }
func (noInterfaces) Script(config.Command, bool) error { return nil }

func TestCheckAsksTheHost(t *testing.T) {
	good, _, _ := configFiles(t)
	p, stdout, _ := newProgram("tandem")
	p.environment = noInterfaces{}
	if status := p.main([]string{"check", good}); status != 5 || !strings.Contains(stdout.String(), "eth0") {
		t.Errorf("%d %s", status, stdout)
	}
}

func TestConfigTest(t *testing.T) {
	good, odd, fatal := configFiles(t)
	log := filepath.Join(t.TempDir(), "log")
	for _, tc := range []struct {
		args   []string
		status int
		stderr string
	}{
		{[]string{"-t", "-f", good}, 0, ""},
		{[]string{"-t", "-f", odd}, 5, "(" + odd + ": Line 4) "},
		{[]string{"--config-test", "-f", fatal}, 5, "(" + fatal + ": Line "},
		{[]string{"-t" + log, "-f", odd}, 5, ""},
		{[]string{"--config-test=" + log, "-f", odd}, 5, ""},
		{[]string{"-t/nonexistent/log", "-f", good}, 1, "Unable to open config-test log file /nonexistent/log: "},
	} {
		p, stdout, stderr := newProgram("keepalived")
		if status := p.main(tc.args); status != tc.status || !strings.HasPrefix(stderr.String(), tc.stderr) || tc.stderr == "" && stderr.Len() > 0 || stdout.Len() > 0 {
			t.Errorf("%v: %d %q", tc.args, status, stderr)
		}
	}
	// The log is appended to.
	if b, err := os.ReadFile(log); err != nil || bytes.Count(b, []byte(": Line 4) ")) != 2 {
		t.Errorf("the log: %q, %v", b, err)
	}
	link := log + ".link"
	if err := os.Symlink(log, link); err != nil {
		t.Fatal(err)
	}
	p, _, _ := newProgram("keepalived")
	if status := p.main([]string{"-t" + link, "-f", good}); status != 1 {
		t.Errorf("a link was followed: status %d", status)
	}
}

func TestVerdict(t *testing.T) {
	r := checked{File: "f"}
	for _, s := range []config.Severity{config.Fatal, config.Fatal, config.Error, config.Warning, config.Warning, config.Notice} {
		r.Diagnostics = append(r.Diagnostics, config.Diagnostic{Severity: s})
	}
	if got, want := r.verdict(), "f: cannot run: 2 fatal errors, 1 error, 2 warnings and 1 notice"; got != want {
		t.Errorf("%s, want %s", got, want)
	}
}

func TestCheckStrict(t *testing.T) {
	dir := files(t, map[string]string{"good.conf": goodConfig, "notice.conf": "vrrp_script a {\n  script \"/bin/true\"\n}\nglobal_defs {\n  enable_script_security\n}\n", "odd.conf": oddConfig})
	for _, tc := range []struct {
		file           string
		status, strict int
	}{{"good.conf", 0, 0}, {"notice.conf", 0, 5}, {"odd.conf", 5, 5}} {
		for _, args := range [][]string{{}, {"--strict"}} {
			p, stdout, _ := newProgram("tandem")
			want := tc.status
			if len(args) > 0 {
				want = tc.strict
			}
			if status := p.main(append([]string{"check", "--offline", filepath.Join(dir, tc.file)}, args...)); status != want {
				t.Errorf("%s %v: status %d, want %d: %s", tc.file, args, status, want, stdout)
			}
		}
	}
}

func TestCheckGitHub(t *testing.T) {
	_, odd, fatal := configFiles(t)
	p, stdout, _ := newProgram("tandem")
	if status := p.main([]string{"check", "--offline", "-o", "github", odd, fatal}); status != 5 {
		t.Errorf("status %d", status)
	}
	lines := strings.Split(strings.TrimRight(stdout.String(), "\n"), "\n")
	if len(lines) != 2 || !strings.HasPrefix(lines[0], "::warning file="+odd+",line=4,endLine=4,col=3,endColumn=12,title=unknown-keyword::") ||
		!strings.HasPrefix(lines[1], "::error file="+fatal+",line=1,endLine=1,col=1,") {
		t.Errorf("%s", stdout)
	}
	d := config.Diagnostic{
		Severity: config.Notice, Code: "x,y", Pos: config.Pos{File: "a:b,c%", Line: 1, Column: 2},
		Message: "50 %", Help: "Do\r\nthat.", Includes: []config.Pos{{File: "outer", Line: 3}, {File: "inner", Line: 4}},
	}
	want := "::notice file=a%3Ab%2Cc%25,line=1,endLine=1,col=2,title=x%2Cy::50 %25%0ADo%0D%0Athat.%0Aincluded from inner:4%0Aincluded from outer:3"
	if got := annotation(d); got != want {
		t.Errorf("got %s, want %s", got, want)
	}
}

// TestCheckSchema compares what check -o json can print with the schema that
// the documentation gives.
func TestCheckSchema(t *testing.T) {
	page, err := os.ReadFile("../../docs/check.md")
	if err != nil {
		t.Fatal(err)
	}
	_, after, _ := strings.Cut(string(page), "```json schema\n")
	text, _, found := strings.Cut(after, "```")
	if !found {
		t.Fatal("docs/check.md has no schema")
	}
	var s schema
	if err := json.Unmarshal([]byte(text), &s); err != nil {
		t.Fatal(err)
	}
	s.compare(t, &s, reflect.TypeFor[[]checked](), "$")
	severities := s.Defs["diagnostic"].Properties["severity"].Enum
	for _, v := range []config.Severity{config.Notice, config.Warning, config.Error, config.Fatal} {
		if !slices.Contains(severities, string(v)) {
			t.Errorf("the severity %s is not in the schema", v)
		}
	}
}

// schema is as much of JSON Schema as the documentation uses.
type schema struct {
	Ref        string             `json:"$ref"`
	Type       string             `json:"type"`
	Items      *schema            `json:"items"`
	Properties map[string]*schema `json:"properties"`
	Required   []string           `json:"required"`
	Enum       []string           `json:"enum"`
	Defs       map[string]*schema `json:"$defs"`
}

// compare asserts that the schema is that of what a Go type marshals to.
func (s *schema) compare(t *testing.T, root *schema, of reflect.Type, at string) {
	t.Helper()
	if s == nil {
		t.Errorf("%s is not in the schema", at)
		return
	}
	if name, ok := strings.CutPrefix(s.Ref, "#/$defs/"); ok {
		root.Defs[name].compare(t, root, of, at)
		return
	}
	kinds := map[reflect.Kind]string{
		reflect.Slice: "array", reflect.Struct: "object", reflect.String: "string", reflect.Int: "integer", reflect.Bool: "boolean",
	}
	if s.Type != kinds[of.Kind()] {
		t.Errorf("%s is %q in the schema and %s in Go", at, s.Type, of)
	}
	switch of.Kind() {
	case reflect.Slice:
		s.Items.compare(t, root, of.Elem(), at+"[]")
	case reflect.Struct:
		for i := range of.NumField() {
			name, options, _ := strings.Cut(of.Field(i).Tag.Get("json"), ",")
			s.Properties[name].compare(t, root, of.Field(i).Type, at+"."+name)
			if slices.Contains(s.Required, name) == strings.Contains(options, "omitempty") {
				t.Errorf("%s.%s: always there or not?", at, name)
			}
		}
		if len(s.Properties) != of.NumField() {
			t.Errorf("%s has %d properties in the schema and %d in Go", at, len(s.Properties), of.NumField())
		}
	default:
	}
}
