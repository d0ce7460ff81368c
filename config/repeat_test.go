package config

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// keywordsOf are the first words of all lines that a text comes to, and the
// codes of what is wrong with it.
func keywordsOf(t *testing.T, text string) (words, codes []string) {
	t.Helper()
	l := newLoader(Options{ID: "east"})
	l.file(newSource("f", text, nil))
	for _, n := range l.tree().Nodes {
		words = append(words, n.name())
	}
	for _, d := range l.sorted() {
		codes = append(codes, d.Code)
	}
	return words, codes
}

// The values are what keepalived 2.2.7 makes of the same lines.
func TestRepetition(t *testing.T) {
	tests := []struct {
		text string
		want string
		// code is that of the one fault, empty for none.
		code string
	}{
		{"~SEQ(x, 1, 3) a$x b", "a1 a2 a3", ""},
		{"~SEQ(x, 3) a$x", "a1 a2 a3", ""},
		{"~SEQ(x, -3) a$x", "a-1 a-2 a-3", ""},
		{"~SEQ(x, 5, -2, 1) a$x", "a5 a3 a1", ""},
		{"~SEQ(x, 10, 2, 15) a${x}c", "a10c a12c a14c", ""},
		{"~SEQx(x, 8, 2, 18) a$x", "a8 aa ac ae a10 a12", ""},
		{"~SEQx(x, 0x1e, 0x21) a${x}", "a1e a1f a20 a21", ""},
		{"  ~SEQ(x,1,2)z${x}", "z1 z2", ""},
		{"~SEQ (x, 2) q$x", "q1 q2", ""},
		{"~SEQ(x, 3, 1) a$x", "a3 a2 a1", ""},
		{"~SEQ(x, 010) E$x", "E1 E2 E3 E4 E5 E6 E7 E8", ""},
		{"~SEQ(x, 2) C$x # D", "C1 C2", ""},
		{"~SEQ(x, 2) ! B$x", "", ""},
		{"~SEQ(x, 1, 3)", "", ""},
		{"~SEQ(x, 1, 3", "", "repetition"},
		{"~SEQ(x, 1, 2, 3, 4) a$x", "", "repetition"},
		{"~SEQ(x, 1, 0, 3) a$x", "", "repetition"},
		{"~SEQ(x, 3, 1, 1) a$x", "", "repetition"},
		{"~SEQ(x, a, 3) a$x", "", "repetition"},
		{"~SEQ() a$x", "", "repetition"},
		{"~SEQx(x, -1) a$x", "", "repetition"},
		{"~SEQ(x,1,2) ~SEQ(y,1,2) n${x}m${y}", "n1m1 n1m2 n2m1 n2m2", ""},
		{"~SEQ(x,1,2) ~SEQ(y,1,$x) o${x}m${y}", "o1m1 o2m1 o2m2", ""},
		{"~SEQ(x,1,2) ~LST(y,a,b) p${x}m${y}", "p1ma p1mb p2ma p2mb", ""},
		{"~LST(i, p, q, r) l${i}", "lp lq lr", ""},
		{"~LST({a,b}, {1,2}, {3,4}, {5}) l${a}m${b}n", "l1m2n l3m4n l5mn", ""},
		{"~LST({x,y} , {a,b} , {c} ) g${x}-${y}", "ga-b gc-", ""},
		{"~LST(x, , c) c${x}", "c cc", ""},
		{"~LST({x,y}, {a,b}, c) e${x}", "ea ec", ""},
		{"~LST({a,b}, {1,2,3}) l${a}", "", "repetition"},
		{"~LST(x) a${x}", "", "repetition"},
		{"~LST(x, \"a b\", c) b${x}", "", "repetition"},
		{"~LST(x, a,b i${x}", "", "repetition"},
		{"~LST({x,y}, {a b,c}) h${x}", "", "repetition"},
		{"$A=1\n~SEQ(x, $A, 3) e$x\n~SEQ(x, ${A}, 2) f$x", "e1 e2 e3 f1 f2", ""},
		{"$B=~SEQ(x,1,2) bb${x}\n$B", "bb1 bb2", ""},
		{"$x=9\n$B=~SEQ(x,1,2) bb${x}\n$B\n$B", "bb1 bb2 bb1 bb2", ""},
		{"$C=~SEQ(x,1,2) cc${x} \\\n ddd \\\n eee\n$C", "cc1 cc2 ddd eee", ""},
		{"$M= \\\n i1 \\\n i2\n~SEQ(x,1,2) $M", "i1 i2 i1 i2", ""},
		{"$M= \\\n i1 \\\n i2\n~SEQ(x,1,2) j$x $M", "j1 i2 j2 i2", ""},
		{"$A=~SEQ(y,1,2) q${y} \\\n  ~SEQ(z,3,4) r${z} \\\n  s\n$A", "q1 q2 r3 r4 s", ""},
		{"$R= \\\n r${z} \\\n s${z}\n$V= \\\n v \\\n ~SEQ(z,1,2) $R \\\n w\n$V", "v r1 s1 r2 s2 w", ""},
		{"$R= \\\n r${z} \\\n s${z}\n$V= \\\n v$y \\\n ~SEQ(z,1,$y) $R\n~SEQ(y,1,2) $V", "v1 r1 s1 v2 r1 s1 r2 s2", ""},
		{"$Q= \\\n q${z}m${y} \\\n p\n$R= \\\n r${z} \\\n ~SEQ(y,1,2) $Q \\\n s\n$V= \\\n v \\\n ~SEQ(z,1,2) $R\n$V",
			"v r1 q1m1 p q1m2 p s r2 q2m1 p q2m2 p s", ""},
		{"$z=7\n$R= \\\n r${z} \\\n s\n$V= \\\n v \\\n $R \\\n ~SEQ(z,1,2) $R\n$V", "v r7 s r1 s r2 s", ""},
		{"$R= \\\n r \\\n s\n$V= \\\n v \\\n @west $R \\\n w\n$V", "v w", ""},
		{"$R= \\\n r \\\n s\n$V= \\\n v \\\n @east $R \\\n w\n$V", "v r s w", ""},
		{"~SEQ(x, 1, 2) $y=g$x\nh${y}", "hg2", ""},
		{"~SEQ(x, 2) a$x\nb$x", "a1 a2 b2", ""},
		{"@west ~SEQ(x,1,2) m$x", "", ""},
		{"@east ~SEQ(x,1,2) m$x", "m1 m2", ""},
		{"~SEQ(x,1,2) @west n$x", "", ""},
		{"~SEQ(x,1,2) @east n$x", "n1 n2", ""},
		{"$L=1,2,3\n~LST(w, $L) t${w}", "t1,2,3", ""},
		{"k ~SEQ(x,1,2) l", "k", ""},
	}
	for _, tt := range tests {
		words, codes := keywordsOf(t, tt.text)
		if got := strings.Join(words, " "); got != tt.want {
			t.Errorf("%q: got %q, want %q", tt.text, got, tt.want)
		}
		if got := strings.Join(codes, " "); got != tt.code {
			t.Errorf("%q: got codes %q, want %q", tt.text, got, tt.code)
		}
	}
}

func TestBuiltInDefinitions(t *testing.T) {
	t.Setenv("TANDEM_TEST_NAME", "value")
	tests := []struct{ text, want, code string }{
		{"a${_HASH}x", "a#x", ""},
		{"a${_BANG}x", "a!x", ""},
		{"a${_INSTANCE}x", "aeastx", ""},
		{"a${_PWD}x", "a.x", ""},
		{"a${_ENV TANDEM_TEST_NAME}x", "avaluex", ""},
		{"a${_ENV TANDEM_TEST_NONE}x", "ax", ""},
		{"a${_ENV}x", "a${_ENV}x", "undefined"},
		{"a${_RANDOM 7 7}x", "a7x", ""},
		{"a${_RANDOM 7 5}x", "a${_RANDOM", "undefined"},
		{"$_HASH=q\na${_HASH}", "aq", ""},
		{"a${NONE}b", "a${NONE}b", "undefined"},
		{"a$NONE", "a$NONE", "undefined"},
		{"a$A.b", "a$A.b", ""},
	}
	for _, tt := range tests {
		words, codes := keywordsOf(t, tt.text)
		if got := strings.Join(words, " "); got != tt.want && !strings.HasPrefix(tt.text, "a${_RANDOM 7 5}") {
			t.Errorf("%q: got %q, want %q", tt.text, got, tt.want)
		}
		if got := strings.Join(codes, " "); got != tt.code {
			t.Errorf("%q: got codes %q, want %q", tt.text, got, tt.code)
		}
	}
}

// With random_seed the numbers are the same each time, and in their range.
func TestRandomSeed(t *testing.T) {
	const text = "global_defs {\nrandom_seed 5\n}\n~SEQ(i, 50) n${_RANDOM 10 20}\n"
	first, _ := keywordsOf(t, text)
	again, _ := keywordsOf(t, text)
	if diff := cmp.Diff(first, again); diff != "" {
		t.Errorf("-first +again:\n%s", diff)
	}
	seen := map[string]bool{}
	for _, w := range first[1:] {
		if len(w) != 3 || w < "n10" || w > "n20" {
			t.Errorf("%s is out of range", w)
		}
		seen[w] = true
	}
	if len(seen) < 5 {
		t.Errorf("only %d different numbers of 11", len(seen))
	}
}

// What repeats or includes without end has to end, soon and with a report.
func TestExpansionIsBounded(t *testing.T) {
	dir := write(t, map[string]string{
		"wide":  strings.Repeat("include wide1\n", 300),
		"wide1": strings.Repeat("include wide2\n", 300), "wide2": strings.Repeat("include wide3\n", 300), "wide3": "# nothing\n",
	})
	wide, err := os.ReadFile(filepath.Join(dir, "wide"))
	if err != nil {
		t.Fatal(err)
	}
	tests := map[string]string{
		"sequence": "~SEQ(x, 1, 2000000000) a$x\n",
		"nested":   "~SEQ(a, 1000) ~SEQ(b, 1000) ~SEQ(c, 1000) $x=$a\n",
		"empty":    "~SEQ(a, 100000) ~SEQ(b, 100000)\n",
		"included": string(wide),
		"self":     "$B=~SEQ(x,1,2) $B\n$B\n",
		"mutual":   "$A=~SEQ(x,1,2) $B\n$B=~SEQ(x,1,2) $A\n$A\n",
		"plain":    "$A=$A\na $A\n",
		"late":     "$A= \\\n a \\\n ~SEQ(x,1,2) $A\n$A\n",
		"circle":   "$A= \\\n a \\\n ~SEQ(x,1,2) $B\n$B= \\\n b \\\n @^none $A\n$A\n",
		"grid":     "$A= \\\n a \\\n ~SEQ(x,1,1000) $B\n$B= \\\n b \\\n ~SEQ(y,1,1000) $C\n$C= \\\n c \\\n ~SEQ(z,1,1000) d\n$A\n",
		"pair":     "$A=$B\n$B=$A\na$A\n",
		"long":     "$A=" + strings.Repeat("x", 1000) + "\n$B=" + strings.Repeat("${A}", 60) + "\n~SEQ(i, 100000) a ${B}\n",
		"many":     "$A=" + strings.Repeat("x ", 500) + "\n$B=" + strings.Repeat("${A}", 60) + "\n~SEQ(i, 100000) a ${B}\n",
	}
	for name, text := range tests {
		t.Run(name, func(t *testing.T) {
			read := func(o Options) (*loader, error) {
				l := newLoader(o)
				d := l.limits
				l.limits = limits{d.depth, d.files / 64, d.bytes / 64, d.line, d.expanded / 64, d.repeats / 64, d.tokens / 64}
				l.file(newSource(filepath.Join(dir, "main.conf"), text, nil))
				return l, nil
			}
			began := time.Now()
			l, _ := read(Options{})
			l.decode(read)
			if ExitCode(l.sorted()) == 0 {
				t.Error("nothing is reported")
			}
			if took := time.Since(began); took > time.Minute {
				t.Errorf("it took %v", took)
			}
		})
	}
}

// A report on what a definition holds points at the reference and tells where
// the definition is.
func TestDefinitionsAreNamed(t *testing.T) {
	_, ds := Parse("f", []byte("$INNER=nonsense\n$OUTER=${INNER}\n  ${OUTER} x\n"), Options{})
	if len(ds) != 1 {
		t.Fatalf("got %v", ds)
	}
	want := []Definition{{"INNER", Pos{"f", 1, 1}}, {"OUTER", Pos{"f", 2, 1}}}
	if diff := cmp.Diff(want, ds[0].Definitions); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
	var b strings.Builder
	if err := Render(&b, ds); err != nil {
		t.Fatal(err)
	}
	shown := `f:3:3: warning: Unknown keyword 'nonsense' [unknown-keyword]
 3 |   ${OUTER} x
   |   ^^^^^^^^
   = from $INNER, defined at f:1:1
   = from $OUTER, defined at f:2:1
`
	if diff := cmp.Diff(shown, b.String()); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
}
