package agent

import (
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"github.com/hashicorp/go-hclog"
)

func TestCopiesOfTheConfiguration(t *testing.T) {
	dir := t.TempDir()
	write := func(name, text string) {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	main := filepath.Join(dir, "main.conf")
	a := New(Options{ConfigFile: main, Log: hclog.NewNullLogger(), VRRP: true, Checkers: true})
	read := func() {
		cfg, _ := a.load()
		a.keepCopy(cfg)
	}
	head := "global_defs {\n  config_save_dir " + dir + "\n}\ninclude more.conf\n"
	write("main.conf", head)
	write("more.conf", "! first")
	read()
	write("more.conf", "! second\n")
	read()
	for i, text := range []string{"first", "second"} {
		path := filepath.Join(dir, fmt.Sprintf("keepalived.conf.%d.%d", os.Getpid(), i))
		got, err := os.ReadFile(path)
		want := "# " + main + "\n" + head + "# " + filepath.Join(dir, "more.conf") + "\n! " + text + "\n"
		if err != nil || string(got) != want {
			t.Errorf("%s: %v\n%s\nwant\n%s", path, err, got, want)
		}
		// A configuration can hold passwords.
		if info, err := os.Stat(path); err == nil && info.Mode().Perm() != 0o600 {
			t.Errorf("%s: %v", path, info.Mode())
		}
	}
	write("main.conf", "! none\n")
	read()
	if all, err := filepath.Glob(filepath.Join(dir, "keepalived.conf.*")); err != nil || len(all) != 2 {
		t.Errorf("%q, error %v", all, err)
	}
}
