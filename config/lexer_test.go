package config

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// render writes tokens as "kind:value", blanks left out.
func render(tokens []token) []string {
	var out []string
	for _, t := range tokens {
		switch t.Kind {
		case tokenSpace:
		case tokenNewline:
			out = append(out, "newline")
		case tokenOpen, tokenClose:
			out = append(out, t.Text)
		default:
			s := string(t.Kind) + ":" + t.Value
			if t.Fault != "" {
				s += " (" + t.Fault + ")"
			}
			out = append(out, s)
		}
	}
	return out
}

func TestLex(t *testing.T) {
	tests := []struct {
		name, in string
		want     []string
	}{
		{"words", "a  b\tc", []string{"word:a", "word:b", "word:c"}},
		{"brace in a word", "x{y}}", []string{"word:x", "{", "word:y", "}", "}"}},
		{"comment in a word", "auth_pass Test123!x", []string{"word:auth_pass", "word:Test123", "comment:!x"}},
		{"escaped comment", `a \#b\!c #d`, []string{"word:a", "word:#b!c", "comment:#d"}},
		{"comment in quotes", `a "b # c" # d`, []string{"word:a", "word:b # c", "comment:# d"}},
		{"comment after quotes", `a "b"# d`, []string{"word:a", "word:b", "comment:# d"}},
		{"single quotes are plain", `a 'b c'`, []string{"word:a", "word:'b", "word:c'"}},
		{"quote ends a word", `a b"c d"e`, []string{"word:a", "word:b", "word:c d", "word:e"}},
		{"empty quotes", `a ""`, []string{"word:a", "word:"}},
		{"no end of quote", `a "b c`, []string{"word:a", "word:b c (unterminated quote)"}},
		{"carriage return", "a\r\nb\r\n", []string{"word:a", "newline", "word:b", "newline"}},
		{"no final newline", "a {", []string{"word:a", "{"}},
		{"no-break space", "\u00a0a", []string{"word:\u00a0a"}},
		{"byte order mark", "\ufeffa", []string{"word:\ufeffa"}},
		{"curly quotes", "a “b c”", []string{"word:a", "word:“b", "word:c”"}},
		{"script", `script "/a 'b c' #d" e`, []string{"word:script", "word:/a 'b c' #d", "word:e"}},
		{"script put together", `script /a"b c"'d e'f`, []string{"word:script", "word:/ab cd ef"}},
		{"script escapes", `script "a\"b\x41\101\n\q" c\ d 'e\n'`, []string{"word:script", "word:a\"bAA\nq", "word:c d", `word:e\n`}},
		{"script control", `script "\cA\E"`, []string{"word:script", "word:\x01\x1b"}},
		{"script without digits", `script "\xg"`, []string{"word:script", "word:xg"}},
		{"script without end", `script "/a b`, []string{"word:script", "word:/a b (unterminated quote)"}},
		{"script ends at a brace", `x { script /a } script 'b c'`, []string{"word:x", "{", "word:script", "word:/a", "}", "word:script", "word:b c"}},
		{"regex", `regex "a\.b|c"`, []string{"word:regex", "word:a.b|c"}},
		{"condition", "@east a b", []string{"condition:@east", "word:a", "word:b"}},
		{"indented condition", "\t@^east }", []string{"condition:@^east", "}"}},
		{"condition alone", "@east\n", []string{"condition:@east", "newline"}},
		{"at sign inside", "a @b", []string{"word:a", "word:@b"}},
		{"definition", "$A=b c # d", []string{"definition:$A=b c", "comment:# d"}},
		{"definition after a condition", "@x $A=b", []string{"condition:@x", "definition:$A=b"}},
		{"no definition", "$A = b", []string{"word:$A", "word:=", "word:b"}},
		{"definition of lines", "$A= \\\n b { \\\n # c \\\n }\nd", []string{`definition:$A= \`, "newline", `definition:b { \`, "newline", "definition:", `comment:# c \`, "newline", "definition:}", "newline", "word:d"}},
		{"blank line ends it", "$A=\\\n\nb", []string{`definition:$A=\`, "newline", "newline", "word:b"}},
		{"reference with braces", "a ${B}c d${_RANDOM 1 2}", []string{"word:a", "word:${B}c", "word:d${_RANDOM 1 2}"}},
		{"dollar before a block", "a ${ b }", []string{"word:a", "word:$", "{", "word:b", "}"}},
		{"include pattern", "include /a/{b,c}.conf d", []string{"word:include", "word:/a/{b,c}.conf", "word:d"}},
		{"longest line", strings.Repeat("a", 1023), []string{"word:" + strings.Repeat("a", 1023)}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			tokens := lex("f", tt.in)
			if diff := cmp.Diff(tt.want, render(tokens)); diff != "" {
				t.Errorf("-want +got:\n%s", diff)
			}
			checkTokens(t, tt.in, tokens)
		})
	}
}

func TestLexDropsLongLines(t *testing.T) {
	tokens := lex("f", strings.Repeat("a", 1024)+"\nb")
	if tokens[0].Kind != tokenDropped || tokens[2].Value != "b" {
		t.Errorf("got %v", render(tokens))
	}
	_, ds := Parse("f", []byte("global_defs {\n"+strings.Repeat("a", 1024)+"\n}\n"), Options{})
	if len(ds) != 1 || ds[0].Code != "line-too-long" || ds[0].Pos.Line != 2 {
		t.Errorf("got %v", ds)
	}
}

// checkTokens asserts that tokens tile the source and know their places.
func checkTokens(t *testing.T, in string, tokens []token) {
	t.Helper()
	offset, line, start := 0, 1, 0
	for _, tok := range tokens {
		if tok.Offset != offset || !strings.HasPrefix(in[offset:], tok.Text) {
			t.Fatalf("token %q at %d, want offset %d", tok.Text, tok.Offset, offset)
		}
		if column := offset - start + 1; tok.Line != line || tok.Column != column {
			t.Fatalf("token %q at %d:%d, want %d:%d", tok.Text, tok.Line, tok.Column, line, column)
		}
		offset += len(tok.Text)
		if strings.Contains(tok.Text, "\n") {
			line, start = line+1, offset
		}
	}
	if offset != len(in) {
		t.Fatalf("tokens end at %d of %d", offset, len(in))
	}
}
