package config

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// TestFormat compares the layout of each file of testdata/format with what
// stands below its line of dashes.
func TestFormat(t *testing.T) {
	files, err := filepath.Glob("testdata/format/*.txt")
	if err != nil || len(files) == 0 {
		t.Fatalf("no files: %v", err)
	}
	for _, file := range files {
		content, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		input, want, found := strings.Cut(string(content), separator)
		if !found {
			t.Fatalf("%s has no line of dashes", file)
		}
		out, ds := Format("in.conf", []byte(input))
		if len(ds) > 0 {
			t.Errorf("%s: %v", file, ds)
		}
		if *update {
			if err := os.WriteFile(file, []byte(input+separator+string(out)), 0o644); err != nil {
				t.Fatal(err)
			}
			continue
		}
		if d := cmp.Diff(want, string(out)); d != "" {
			t.Errorf("%s (-want +got):\n%s", file, d)
		}
		sameMeaning(t, input, string(out))
	}
}

// configDiff tells how two configurations differ.
func configDiff(a, b *Config) string {
	text := func(c *Config) string {
		out, err := json.MarshalIndent(c, "", "  ")
		if err != nil {
			return err.Error()
		}
		return string(out)
	}
	return cmp.Diff(text(a), text(b))
}

// sameMeaning asserts that two sources mean the same, whatever the
// configuration's id, and that the second is laid out for good.
func sameMeaning(t *testing.T, in, out string) {
	t.Helper()
	for _, id := range []string{"east", "west"} {
		o := Options{ID: id, Environment: host{}}
		before, ds := Parse("in.conf", []byte(in), o)
		after, ds2 := Parse("in.conf", []byte(out), o)
		if !Equal(before, after) {
			t.Errorf("the meaning for %s changes from\n%s\nto\n%s\n%s", id, in, out, configDiff(before, after))
		}
		if Runnable(ds) != Runnable(ds2) || ExitCode(ds) != ExitCode(ds2) {
			t.Errorf("what is reported changes from\n%v\nto\n%v\nfor\n%s\nand\n%s", ds, ds2, in, out)
		}
	}
	again, _ := Format("in.conf", []byte(out))
	if d := cmp.Diff(out, string(again)); d != "" {
		t.Errorf("the layout is not for good (-first +second):\n%s\nof\n%q", d, in)
	}
}

func TestFormatLines(t *testing.T) {
	long := strings.Repeat("x", 1010)
	longer, block := strings.Repeat("x", 1018), strings.Repeat("x", 1012)
	tests := []struct{ name, in, want string }{
		{"nothing", "", ""},
		{"empty lines only", "\n\n \t\r\n", ""},
		{"no end of line", "a", "a\n"},
		{"CRLF", "a {\r\n  b\r\n}\r\n", "a {\n    b\n}\n"},
		{"no empty line in a block's edges", "a {\n\n b\n\n\n c\n\n}\n", "a {\n    b\n\n    c\n}\n"},
		{"blocks apart", "a {\n}\nb {\n}\n", "a {\n}\n\nb {\n}\n"},
		{"comment stays with its block", "a {\n}\n# b\nb {\n}\n", "a {\n}\n\n# b\nb {\n}\n"},
		{"two closed at once", "a { b { c }}", "a {\n    b {\n        c\n    }\n}\n"},
		{"comments in a column", "a 1 # one\nbbb 22 # two\n", "a 1    # one\nbbb 22 # two\n"},
		{"a quote is a word", "a\"b c\"d", "a \"b c\" d\n"},
		{"brace on its own line with a comment", "a # one\n{ # two\nb\n}", "a { # one\n    # two\n    b\n}\n"},
		{"brace with what follows", "a\n{ b\n}", "a {\n    b\n}\n"},
		{"brace of another condition", "@x a\n{\n}", "@x a\n{\n}\n"},
		{"include in a line", "a { include x }", "a { include x }\n"},
		{"include takes a whole line", "include {a,b}/*.conf   x", "include {a,b}/*.conf x\n"},
		{"condition is for the line", "@x a { b }", "@x a {\n    @x b\n@x }\n"},
		{"what would become a condition", "a { @x b }", "a { @x b }\n"},
		{"definitions are words", "a   $B{\nc\n}", "a $B{\n    c\n}\n"},
		{"escapes", `script a\ b  c`, "script a\\ b  c\n"},
		{"end of a definition", "$A=b \\\n   c\\\n\n\n\nd\n", "$A=b \\\n   c\\\n\nd\n"},
		{"definition at the end", "$A=b \\", "$A=b \\\n"},
		{"a line near the limit", "a {\n" + long + " y\n}", "a {\n    " + long + " y\n}\n"},
		{"a line at the limit", "a {\n" + longer + " y  z\n}", "a {\n" + longer + " y  z\n}\n"},
		{"a line beyond the limit", long + long + " \n  a", long + long + " \na\n"},
		{"a block at the limit", "a {\n  b {" + block + " c {}}\n}", "a {\n  b {" + block + " c {}}\n}\n"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			out, ds := Format("in.conf", []byte(tt.in))
			if len(ds) > 0 {
				t.Fatal(ds)
			}
			if d := cmp.Diff(tt.want, string(out)); d != "" {
				t.Errorf("-want +got:\n%s", d)
			}
			if !strings.Contains(tt.in, "include") {
				sameMeaning(t, tt.in, string(out))
			}
		})
	}
}

func TestFormatRefuses(t *testing.T) {
	for _, tt := range []struct {
		in, code  string
		line, col int
	}{
		{"a {\n  b {\n}\n", "missing-brace", 1, 3},
		{"  a\n  }\n", "extra-brace", 2, 3},
		{"  a \"b\n", "unterminated-quote", 1, 5},
		{"script  'b # c'\n", "unterminated-quote", 1, 9},
		{"$A=\"b\n", "definition", 1, 1},
		{"  $A=it's\n", "definition", 1, 3},
		{"$A=b\\ # c\n", "definition", 1, 1},
		{" a\n<<<<<<< HEAD\n", "merge-conflict", 2, 1},
	} {
		out, ds := Format("in.conf", []byte(tt.in))
		if string(out) != tt.in {
			t.Errorf("%q becomes %q", tt.in, out)
		}
		if len(ds) != 1 || ds[0].Code != tt.code || ds[0].Severity != Error || ds[0].Pos.Line != tt.line || ds[0].Pos.Column != tt.col {
			t.Errorf("%q: %v", tt.in, ds)
		}
	}
}

func TestFormatNoBreakSpaces(t *testing.T) {
	in := "a {\n\u00a0\u00a0 b\u00a0c # \u00a0\n}\n"
	out, ds := Format("in.conf", []byte(in))
	if want := "a {\n    b\u00a0c # \u00a0\n}\n"; string(out) != want {
		t.Errorf("got %q, want %q", out, want)
	}
	if len(ds) != 1 || ds[0].Severity != Notice || ds[0].Pos != (Pos{"in.conf", 2, 1}) {
		t.Errorf("%v", ds)
	}
}

// FuzzFormat asserts that the layout changes no meaning and is for good.
func FuzzFormat(f *testing.F) {
	seeds(f)
	files, err := filepath.Glob("testdata/format/*.txt")
	if err != nil {
		f.Fatal(err)
	}
	for _, file := range files {
		content, err := os.ReadFile(file)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(string(content))
	}
	f.Fuzz(func(t *testing.T, in string) {
		out, ds := Format("in.conf", []byte(in))
		for _, d := range ds {
			if d.Code == "format" {
				t.Fatalf("%q has another meaning when it is laid out", in)
			}
			if d.Severity == Error && string(out) != in {
				t.Fatalf("%q is refused and changed", in)
			}
		}
		if strings.Contains(in, "include") {
			return
		}
		// No-break spaces in the indentation are meant to change.
		sameMeaning(t, (&formatter{}).breakable("in.conf", in), string(out))
	})
}
