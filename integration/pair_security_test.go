//go:build kernel

package integration

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/tandem-ha/tandem/integration/lab"
)

// insecureScripts are files and folders with every way to be insecure, below a folder.
func insecureScripts(t *testing.T, dir string) []string {
	t.Helper()
	text := "#!/bin/sh\ntouch \"$1\"\n"
	write := func(name, text string, mode os.FileMode) {
		must(t, lab.WriteProgram(filepath.Join(dir, name), []byte(text), mode))
		must(t, os.Chmod(filepath.Join(dir, name), mode))
	}
	folder := func(name string, mode os.FileMode) {
		must(t, os.Mkdir(filepath.Join(dir, name), 0o755))
		write(name+"/x", text, 0o755)
		must(t, os.Chmod(filepath.Join(dir, name), mode))
	}
	link := func(name, to string) { must(t, os.Symlink(filepath.Join(dir, to), filepath.Join(dir, name))) }
	own := func(name string, uid, gid int) { must(t, os.Lchown(filepath.Join(dir, name), uid, gid)) }
	write("good", text, 0o755)
	write("group-writes", text, 0o775)
	own("group-writes", 0, nobody)
	write("root-group-writes", text, 0o775)
	write("all-write", text, 0o757)
	write("of-nobody", text, 0o755)
	own("of-nobody", nobody, 0)
	write("not-executable", text, 0o644)
	write("only-root", text, 0o700)
	write("no-interpreter", "touch \"$1\"\n", 0o755)
	folder("all-write-folder", 0o777)
	folder("sticky-folder", 0o777|os.ModeSticky)
	folder("folder-of-nobody", 0o755)
	own("folder-of-nobody", nobody, 0)
	link("link", "good")
	link("link-into-all-write", "all-write-folder/x")
	link("all-write-folder/link", "good")
	return []string{
		"good", "group-writes", "root-group-writes", "all-write", "of-nobody", "not-executable", "only-root", "no-interpreter",
		"all-write-folder/x", "sticky-folder/x", "folder-of-nobody/x", "link", "link-into-all-write", "all-write-folder/link",
		"missing", "all-write-folder",
	}
}

// TestPairScriptSecurity runs scripts that are insecure in every way under both
// programs, as root and as another user, with and without script security, and
// holds what tandem runs against what keepalived runs.
func TestPairScriptSecurity(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct{ name, global string }{
		{"root-secure", "script_user root\n  enable_script_security"},
		{"root", "script_user root"},
		{"nobody-secure", "script_user nobody nogroup\n  enable_script_security"},
		{"default-user", ""},
		{"default-user-secure", "enable_script_security"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			l := newLab(t, "tandem", "keepalived")
			ran := map[string][]string{}
			for _, name := range []string{"tandem", "keepalived"} {
				ran[name] = runsScripts(t, l.Host(name), name, tc.global)
			}
			ours := slices.DeleteFunc(slices.Clone(ran["tandem"]), func(s string) bool {
				// keepalived does so from 2.3 on.
				return s == "no-interpreter"
			})
			theirs := slices.DeleteFunc(ran["keepalived"], func(s string) bool {
				// keepalived looks at what the link leads to when it starts. Whoever may
				// write the folder may have led it there.
				return tc.name == "root-secure" && s == "all-write-folder:link"
			})
			if !slices.Equal(ours, theirs) {
				t.Errorf("run:\n tandem     %q\n keepalived %q", ours, theirs)
			}
			t.Logf("%d scripts are run: %q", len(ran["tandem"]), ran["tandem"])
		})
	}
}

// runsScripts starts an agent with an instance for each script, and returns the
// scripts that were run as it became BACKUP.
func runsScripts(t *testing.T, h *lab.Host, program, global string) []string {
	t.Helper()
	a := agent(t, h, program, "")
	dir := filepath.Join(a.Dir, "scripts")
	out := filepath.Join(a.Dir, "ran")
	for _, d := range []string{dir, out} {
		must(t, os.Mkdir(d, 0o755))
	}
	must(t, os.Chmod(out, 0o777))
	var conf strings.Builder
	fmt.Fprintf(&conf, "global_defs {\n  %s\n}\n", global)
	names := append(insecureScripts(t, dir), "last")
	for i, name := range names {
		path := filepath.Join(dir, name)
		if name == "last" {
			// Runs under every rule, and tells that the others' time has come.
			path = "/usr/bin/touch"
		}
		fmt.Fprintf(&conf, "vrrp_instance V%d {\n  interface eth0\n  virtual_router_id %d\n  virtual_ipaddress {\n    10.9.3.%d/32\n  }\n  notify_backup \"%s %s\"\n}\n",
			i+1, i+1, i+1, path, filepath.Join(out, strings.ReplaceAll(name, "/", ":")))
	}
	must(t, a.Write(conf.String()))
	start(t, a)
	if !strings.Contains(global, "enable_script_security") || strings.Contains(global, "script_user") {
		eventually(t, slack, "the last script", func() error { _, err := os.Stat(filepath.Join(out, "last")); return err })
	}
	eventually(t, slack, "every instance is a backup", func() error {
		if n := strings.Count(a.Log(), "Entering BACKUP STATE"); n < len(names) {
			return errors.New(fmt.Sprint(n))
		}
		return nil
	})
	// Whoever stops ends the scripts that still run. keepalived itself is two processes.
	own := map[string]int{"tandem": 1, "keepalived": 2}[program]
	eventually(t, slack, "the end of all scripts", func() error {
		if n := a.Family(); n > own {
			return fmt.Errorf("%d processes", n)
		}
		return nil
	})
	must(t, a.Stop(2*slack))
	found, err := os.ReadDir(out)
	must(t, err)
	var list []string
	for _, f := range found {
		list = append(list, f.Name())
	}
	return list
}
