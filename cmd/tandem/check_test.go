package main

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
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
