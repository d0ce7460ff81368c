package config

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// outline writes the statements of a tree with their blocks in brackets.
func outline(nodes []*node) string {
	var parts []string
	for _, n := range nodes {
		var words []string
		for _, w := range n.Words {
			words = append(words, w.Value)
		}
		s := strings.Join(words, " ")
		if n.HasBlock {
			s += "[" + outline(n.Body) + "]"
			if len(n.Tail) == 0 {
				s += "..."
			}
		}
		if n.stray() {
			s = "}"
		}
		if s != "" {
			parts = append(parts, s)
		}
	}
	return strings.Join(parts, "; ")
}

func TestTree(t *testing.T) {
	tests := []struct{ in, want string }{
		{"a b\nc", "a b; c"},
		{"a{b}", "a[b]"},
		{"a\n{\nb\n}", "a[b]"},
		{"a # x\n\n# y {\n{ b c }", "a[b c]"},
		{"a { b { c } d }", "a[b[c]; d]"},
		{"a { b\n c }}", "a[b; c]; }"},
		{"a { b {", "a[b[]...]..."},
		{"{ a }", "[a]"},
		{"a { b } { c }", "a[b]; [c]"},
		{"a\nb { c }", "a; b[c]"},
		{"@x a {\n@x b\n@x }", "a[b]"},
		{"@x a {\n@y b\n@x }", "a[]"},
		{"", ""},
	}
	for _, tt := range tests {
		l := newLoader(Options{ID: "x"})
		l.file(newSource("f", tt.in, nil))
		if got := outline(l.tree().Nodes); got != tt.want {
			t.Errorf("%q: got %s, want %s", tt.in, got, tt.want)
		}
	}
}

// FuzzLexer asserts that tokens tile any source and know their places.
func FuzzLexer(f *testing.F) {
	seeds(f)
	f.Fuzz(func(t *testing.T, in string) {
		checkTokens(t, in, lex("f", in))
	})
}

// FuzzParse asserts that no source makes the parser panic, and that diagnostics
// lie inside the source.
func FuzzParse(f *testing.F) {
	seeds(f)
	f.Fuzz(func(t *testing.T, in string) {
		if strings.Contains(in, "include") {
			return
		}
		read := func(o Options) (*loader, error) {
			l := newLoader(o)
			l.limits.repeats = 1000
			l.file(newSource("f", in, nil))
			return l, nil
		}
		l, _ := read(Options{ID: "east", Environment: host{}})
		cfg, ds := l.decode(read).cfg, l.sorted()
		checkPlaces(t, in, ds)
		if !Equal(cfg, cfg) {
			t.Error("a configuration differs from itself")
		}
		if err := Render(discard{}, ds); err != nil {
			t.Error(err)
		}
	})
}

// discard is a writer for what only has to be written.
type discard struct{}

func (discard) Write(p []byte) (int, error) { return len(p), nil }

// seeds adds the golden inputs and some corners to the corpus of a fuzz target.
func seeds(f *testing.F) {
	f.Helper()
	files, err := filepath.Glob("testdata/*.txt")
	if err != nil {
		f.Fatal(err)
	}
	for _, file := range files {
		content, err := os.ReadFile(file)
		if err != nil {
			f.Fatal(err)
		}
		input, _, _ := strings.Cut(string(content), separator)
		f.Add(input)
	}
	for _, s := range []string{"", "{", "}", "\"", "\\", "$A=$A\n$A", "$A=$B$B\n$B=$A\n${A}", "a\x00b", "@", "~SEQ(", "script '\\", "\xff\xfe", "$A=\\"} {
		f.Add(s)
	}
	f.Add(strings.Repeat("a{", 200))
}
