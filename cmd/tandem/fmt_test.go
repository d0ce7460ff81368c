package main

import (
	"bytes"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/google/go-cmp/cmp"
)

const (
	untidy = "vrrp_instance VI_1 {\ninterface   eth0\r\n  virtual_ipaddress { 192.0.2.10 }\n}\n"
	tidy   = "vrrp_instance VI_1 {\n    interface eth0\n    virtual_ipaddress {\n        192.0.2.10\n    }\n}\n"
)

// files writes files into a new folder and returns it.
func files(t *testing.T, list map[string]string) string {
	t.Helper()
	dir := t.TempDir()
	for name, text := range list {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o640); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

func TestFmt(t *testing.T) {
	dir := files(t, map[string]string{"untidy.conf": untidy, "tidy.conf": tidy, "open.conf": "a {\n"})
	untidyFile, tidyFile, open := filepath.Join(dir, "untidy.conf"), filepath.Join(dir, "tidy.conf"), filepath.Join(dir, "open.conf")
	difference := "--- " + untidyFile + ".orig\n+++ " + untidyFile + "\n@@ -1,4 +1,6 @@\n vrrp_instance VI_1 {\n" +
		"-interface   eth0\r\n-  virtual_ipaddress { 192.0.2.10 }\n" +
		"+    interface eth0\n+    virtual_ipaddress {\n+        192.0.2.10\n+    }\n }\n"
	for _, tc := range []struct {
		args           []string
		stdin          string
		status         int
		stdout, stderr string
	}{
		{[]string{untidyFile}, "", 0, tidy, ""},
		{[]string{tidyFile, untidyFile}, "", 0, tidy + tidy, ""},
		{[]string{"-"}, untidy, 0, tidy, ""},
		{[]string{"-d", tidyFile}, "", 0, "", ""},
		{[]string{"-d", tidyFile, untidyFile}, "", 1, difference, ""},
		{[]string{open}, "", 2, "", open + ":1:3: error: this block is never closed [missing-brace]\n"},
		{[]string{"-d", "-"}, "}", 2, "", "standard input:1:1: error: Extra '}' found [extra-brace]\n"},
		{[]string{"-w", "-"}, "", 2, "", "tandem fmt: -w needs a file"},
		{[]string{filepath.Join(dir, "none")}, "", 2, "", "tandem fmt: open "},
	} {
		p, stdout, stderr := newProgram("tandem")
		p.stdin = strings.NewReader(tc.stdin)
		status := p.main(append([]string{"fmt"}, tc.args...))
		if status != tc.status || stdout.String() != tc.stdout || !strings.HasPrefix(stderr.String(), tc.stderr) || tc.stderr == "" && stderr.Len() > 0 {
			t.Errorf("%v: %d, %s, %s", tc.args, status, cmp.Diff(tc.stdout, stdout.String()), stderr)
		}
	}
	if b, err := os.ReadFile(untidyFile); err != nil || string(b) != untidy {
		t.Errorf("it was written: %q, %v", b, err)
	}
}

func TestFmtWrites(t *testing.T) {
	dir := files(t, map[string]string{"a.conf": untidy, "tidy.conf": tidy})
	path, link := filepath.Join(dir, "a.conf"), filepath.Join(dir, "link.conf")
	if err := os.Symlink("a.conf", link); err != nil {
		t.Fatal(err)
	}
	if os.Geteuid() == 0 {
		if err := os.Chown(path, 12, 34); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Chmod(path, 0o604); err != nil {
		t.Fatal(err)
	}
	before := stat(t, path)
	unchanged := stat(t, filepath.Join(dir, "tidy.conf"))
	p, stdout, stderr := newProgram("tandem")
	if status := p.main([]string{"fmt", "-w", link, filepath.Join(dir, "tidy.conf")}); status != 0 || stdout.Len()+stderr.Len() > 0 {
		t.Fatalf("%d %s %s", status, stdout, stderr)
	}
	if b, err := os.ReadFile(path); err != nil || string(b) != tidy {
		t.Errorf("%q, %v", b, err)
	}
	after := stat(t, path)
	if after.Mode != before.Mode || after.Uid != before.Uid || after.Gid != before.Gid {
		t.Errorf("mode %o, owner %d:%d, was %o, %d:%d", after.Mode, after.Uid, after.Gid, before.Mode, before.Uid, before.Gid)
	}
	if info, err := os.Lstat(link); err != nil || info.Mode()&fs.ModeSymlink == 0 {
		t.Errorf("the link is gone: %v, %v", info, err)
	}
	if stat(t, filepath.Join(dir, "tidy.conf")).Ino != unchanged.Ino {
		t.Error("a tidy file was written")
	}
	if left, _ := filepath.Glob(filepath.Join(dir, ".*")); len(left) > 0 {
		t.Errorf("left behind: %v", left)
	}
}

func stat(t *testing.T, path string) *syscall.Stat_t {
	t.Helper()
	info, err := os.Stat(path)
	if err != nil {
		t.Fatal(err)
	}
	return info.Sys().(*syscall.Stat_t)
}

func TestRewriteFile(t *testing.T) {
	dir := files(t, map[string]string{"a": "newer"})
	if err := rewriteFile(filepath.Join(dir, "a"), []byte("older"), []byte("x")); err == nil || !strings.Contains(err.Error(), "changed meanwhile") {
		t.Errorf("a change by somebody else is lost: %v", err)
	}
	if err := rewriteFile(dir, nil, []byte("x")); err == nil || !strings.Contains(err.Error(), "no regular file") {
		t.Error(err)
	}
	if b, _ := os.ReadFile(filepath.Join(dir, "a")); string(b) != "newer" {
		t.Errorf("%q", b)
	}
	if all, _ := os.ReadDir(dir); len(all) != 1 {
		t.Errorf("left behind: %v", all)
	}
}

func TestUnifiedDiff(t *testing.T) {
	for _, tc := range []struct{ a, b, want string }{
		{"", "", ""},
		{"a\n", "a\n", ""},
		{"", "a\n", "@@ -0,0 +1 @@\n+a\n"},
		{"a\n", "", "@@ -1 +0,0 @@\n-a\n"},
		{"a", "a\n", "@@ -1 +1 @@\n-a\n\\ No newline at end of file\n+a\n"},
		{"a\nb\nc\n", "a\nc\n", "@@ -1,3 +1,2 @@\n a\n-b\n c\n"},
		{"x\nx\n", "x\nx\nx\n", "@@ -1,2 +1,3 @@\n x\n x\n+x\n"},
	} {
		want := tc.want
		if want != "" {
			want = "--- o\n+++ n\n" + want
		}
		if got := string(unifiedDiff("o", "n", []byte(tc.a), []byte(tc.b))); got != want {
			t.Errorf("%q to %q: got\n%s\nwant\n%s", tc.a, tc.b, got, want)
		}
	}
}

// TestUnifiedDiffApplies makes the second text of the first and the difference.
func TestUnifiedDiffApplies(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	for range 500 {
		var a, b bytes.Buffer
		for range r.IntN(60) {
			line := fmt.Sprintf("%d\n", r.IntN(20))
			switch r.IntN(6) {
			case 0:
				a.WriteString(line)
			case 1:
				b.WriteString(line)
			default:
				a.WriteString(line)
				b.WriteString(line)
			}
		}
		d := unifiedDiff("a", "b", a.Bytes(), b.Bytes())
		if got := apply(t, a.String(), string(d)); got != b.String() {
			t.Fatalf("from\n%s\nby\n%s\ncomes\n%s\nand not\n%s", a.String(), d, got, b.String())
		}
	}
}

// apply is patch for differences of whole lines.
func apply(t *testing.T, text, diff string) string {
	t.Helper()
	lines := strings.SplitAfter(text, "\n")
	var out strings.Builder
	next := 0
	for line := range strings.Lines(diff) {
		switch {
		case strings.HasPrefix(line, "---"), strings.HasPrefix(line, "+++"):
		case strings.HasPrefix(line, "@@"):
			var from, count int
			if n, _ := fmt.Sscanf(line, "@@ -%d,%d", &from, &count); n < 2 {
				count = 1
			}
			if count > 0 {
				from--
			}
			for ; next < from; next++ {
				out.WriteString(lines[next])
			}
		case line[0] == '+':
			out.WriteString(line[1:])
		default:
			if lines[next] != line[1:] {
				t.Fatalf("line %d is %q and not %q", next+1, lines[next], line[1:])
			}
			if line[0] == ' ' {
				out.WriteString(line[1:])
			}
			next++
		}
	}
	return out.String() + strings.Join(lines[next:], "")
}

// TestUnifiedDiffOfMuch bounds the work for long files that differ everywhere.
func TestUnifiedDiffOfMuch(t *testing.T) {
	same := strings.Repeat("a\n", 20000)
	other := strings.Repeat(" a\n", 20000)
	if d := unifiedDiff("a", "b", []byte(same), []byte(other)); bytes.Count(d, []byte("\n")) != 40003 {
		t.Errorf("%d lines", bytes.Count(d, []byte("\n")))
	}
}
