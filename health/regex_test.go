package health

import (
	"strings"
	"testing"
	"time"
)

// Patterns in PCRE's syntax, and their verdicts on a body. Where keepalived
// 2.2.7 was asked, its verdict is the same but for the cases of
// TestRegexBetterThanKeepalived.
func TestRegex(t *testing.T) {
	testRegexes(t, []regexTest{
		{"hello", "", "say hello", true},
		{"hello", "", "bye", false},
		{"HELLO", "caseless", "hello", true},
		{"HELLO", "CASELESS", "hello", false},
		{"x", "", "", false},
		{"^b", "", "a\nb", false},
		{"^b", "multiline", "a\nb", true},
		{"end$", "multiline", "the end\nmore\n", true},
		{"a.b", "", "a\nb", false},
		{"a.b", "", "a\rb", true},
		{"a.b", "dotall", "a\nb", true},
		{"(?<=foo)bar", "", "foobar", true},
		{"a++b", "", "aaab", true},
		{"(?:a|ab)++c", "", "abc", false},
		{"(?:a|ab)+c", "", "abc", true},
		{"[ab]*+b", "", "aab", false},
		{"x{2}+x", "", "xxx", true},
		{"x{1,2}+x", "", "xx", false},
		{"a{,3}", "", "a{,3}", true},
		{"a{b", "", "a{b", true},
		{"(?P<n>a)(?P=n)", "", "aa", true},
		{`(?<n>a)\k{n}\g{n}\g1\g{-1}`, "", "aaaaa", true},
		{`(a)(b)\g{-1}\1`, "", "abba", true},
		{`foo\Kbar`, "", "foobar", true},
		{"[[:digit:]]{2}", "", "a12", true},
		{"[[:^alpha:]]", "", "aB", false},
		{"[[:punct:]]", "", "[", true},
		{"[[:word:].-]{4}", "", "a_.-", true},
		{`a\Rb`, "", "a\r\nb", true},
		{`a\hb`, "", "a\tb", true},
		{`a\Hb`, "", "a b", false},
		{`a\vb`, "", "a\nb", true},
		{`a\Vb`, "", "a\nb", false},
		{`a\Nb`, "dotall", "a\nb", false},
		{`\Qa.b\E+`, "", "a.bb", true},
		{`\Qa.b\E`, "", "axb", false},
		{`[\Q]^\E]`, "", "^", true},
		{"(a)?(?(1)b|c)", "", "c", true},
		{"(?<n>a)?(?(<n>)b|c)", "", "ab", true},
		{"(?(?=a)ab|cd)", "", "cd", true},
	})
}

// Characters, classes and what the options do to them.
func TestRegexCharacters(t *testing.T) {
	const e = "\xc3\xa9" // é in UTF-8
	testRegexes(t, []regexTest{
		{`a\x00b`, "", "a\x00b", true},
		{`\xe9`, "", "\xe9", true},
		{`\x{e9}`, "utf", e, true},
		{`[\x{e0}-\x{ef}]`, "utf", e, true},
		{`\o{101}\x41\0`, "", "AA\x00", true},
		{`\cA\e\a\f\t`, "", "\x01\x1b\a\f\t", true},
		{"x.y", "", "x" + e + "y", false},
		{"x..y", "", "x" + e + "y", true},
		{"x.y", "utf", "x" + e + "y", true},
		{"(*UTF)x.y", "", "x" + e + "y", true},
		{`x\wy`, "utf", "x" + e + "y", false},
		{`x\wy`, "utf ucp", "x" + e + "y", true},
		{`x\Wy`, "", "x\xe9y", true},
		{`[\W]`, "caseless", "ab_1", false},
		{`[\D\S]`, "", " 1", true},
		{"xy", "utf", "\xff xy", true},
		{"\xc3\x89", "utf caseless", e, true},
		{`\bfoo\b`, "", "a foo b", true},
		{`\bfoo\b`, "", "afoo", false},
		{`\Bfoo`, "", "afoo", true},
		{`\bfoo\b`, "", "\xe9foo\xe9", true},
		{`[\b]`, "", "\b", true},
		{"f o o # a comment ( \\i", "extended", "foo", true},
		{"(?x) f o o", "", "foo", true},
		{"(?xx)f o(?i:O)", "", "foo", true},
		{"(?#comment ( )foo", "", "foo", true},
		{"(?U)a+b(?J)", "", "aab", true},
		{"(?U-i:a)", "", "A", false},
		{"[]a]+", "", "]", true},
		{"[^]a]", "", "]a", false},
		{"[a[]", "", "[", true},
		{"[a-z-[aeiou]]", "", "e]", true},
		{"[a&&b]", "", "&", true},
		{"[[:]", "", ":", true},
		{"[]", "allow_empty_class", "a", false},
		{"[^]", "allow_empty_class", "\n", true},
		{"b", "firstline", "a\nb", false},
		{"b", "firstline", "ab\n", true},
		{"d$", "dollar_endonly", "end\n", false},
		{`\Aend\Z`, "", "end\n", true},
		{`\Aend\z`, "", "end\n", false},
		{`\p{Lu}\P{^Lu}\pL`, "utf", "AAb", true},
		{"#", "", "#", true},
	})
	// A reference to a group that no_auto_capture took away, and to one that
	// never was.
	for pattern, option := range map[string]string{`(a)\1`: "no_auto_capture", `(a)\101`: "dupnames"} {
		if _, err := CompileRegex(RegexConfig{Pattern: pattern, Options: []string{option}}); err == nil {
			t.Errorf("%q with %s compiles", pattern, option)
		}
	}
}

type regexTest struct {
	pattern, options, body string
	want                   bool
}

func testRegexes(t *testing.T, tests []regexTest) {
	t.Helper()
	for _, tt := range tests {
		r, err := CompileRegex(RegexConfig{Pattern: tt.pattern, Options: strings.Fields(tt.options)})
		if err != nil {
			t.Errorf("%q: %v", tt.pattern, err)
			continue
		}
		if got, err := r.find([]byte(tt.body)); got != tt.want || err != nil {
			t.Errorf("%q (%s) on %q: %t, %v; made of it: %s", tt.pattern, tt.options, tt.body, got, err, r.re)
		}
	}
}

// keepalived 2.2.7 searches each read of the answer for itself, header included,
// and never knows where the body ends: "^" is the start of any read, "$" matches
// nowhere at the end, and the offsets are those of a buffer. Here they are the
// body's.
func TestRegexBetterThanKeepalived(t *testing.T) {
	at := func(n int) *int { return &n }
	tests := []struct {
		cfg  RegexConfig
		body string
		want bool
	}{
		{RegexConfig{Pattern: "^hello"}, "hello", true},
		{RegexConfig{Pattern: "end$"}, "the end", true},
		{RegexConfig{Pattern: "end$"}, "the end\n", true},
		{RegexConfig{Pattern: "^$"}, "", true},
		{RegexConfig{Pattern: "x*"}, "", true},
		{RegexConfig{Pattern: "foo", MinOffset: 3}, "foo bar", false},
		{RegexConfig{Pattern: "foo", MinOffset: 3}, "xxxfoo", true},
		{RegexConfig{Pattern: "foo", MinOffset: 1}, "foo foo", true},
		{RegexConfig{Pattern: "foo", MinOffset: 100}, "foo", false},
		{RegexConfig{Pattern: "(?<=x)foo", MinOffset: 3}, "xxxfoo", true},
		{RegexConfig{Pattern: "^foo", MinOffset: 3}, "xxxfoo", false},
		{RegexConfig{Pattern: "foo", MaxOffset: at(3)}, "xxxfoo", true},
		{RegexConfig{Pattern: "foo", MaxOffset: at(2)}, "xxxfoo", false},
		{RegexConfig{Pattern: "foo", MaxOffset: at(0)}, "foo", true},
		{RegexConfig{Pattern: "foo", MinOffset: 2, MaxOffset: at(2), Options: []string{"utf"}}, "\xc3\xa9foo", true},
		{RegexConfig{Pattern: "foo", MaxOffset: at(1), Options: []string{"utf"}}, "\xc3\xa9foo", false},
	}
	for _, tt := range tests {
		r, err := CompileRegex(tt.cfg)
		if err != nil {
			t.Fatal(err)
		}
		if got, err := r.find([]byte(tt.body)); got != tt.want || err != nil {
			t.Errorf("%+v on %q: %t, %v", tt.cfg, tt.body, got, err)
		}
	}
}

// A pattern that is none, or has what is not supported, is an error that says so.
func TestRegexErrors(t *testing.T) {
	five := 5
	for want, cfg := range map[string]RegexConfig{
		`regex: no pattern`:                                                 {},
		`regex "a(": missing closing )`:                                     {Pattern: "a("},
		`regex "a)": unexpected )`:                                          {Pattern: "a)"},
		`regex "[a": missing ]`:                                             {Pattern: "[a"},
		`regex "[\\": missing ]`:                                            {Pattern: `[\`},
		`regex "a\\": \ at the end`:                                         {Pattern: `a\`},
		`regex "a**": invalid nested repetition operator`:                   {Pattern: "a**"},
		`regex "(?R)": recursion and subroutines are not supported`:         {Pattern: "(?R)"},
		`regex "(a)(?1)": recursion and subroutines are not supported`:      {Pattern: "(a)(?1)"},
		`regex "(?-1)": recursion and subroutines are not supported`:        {Pattern: "(?-1)"},
		`regex "(?&n)": recursion and subroutines are not supported`:        {Pattern: "(?&n)"},
		`regex "(?P>n)": recursion and subroutines are not supported`:       {Pattern: "(?P>n)"},
		`regex "\\g<1>": recursion and subroutines are not supported`:       {Pattern: `\g<1>`},
		`regex "(?(DEFINE)a)": recursion and subroutines are not supported`: {Pattern: "(?(DEFINE)a)"},
		`regex "(?|(a)|(b))": (?|...) is not supported`:                     {Pattern: "(?|(a)|(b))"},
		`regex "(?C1)a": callouts are not supported`:                        {Pattern: "(?C1)a"},
		`regex "(*COMMIT)a": verbs, (*...), are not supported`:              {Pattern: "(*COMMIT)a"},
		`regex "\\i": unknown escape \i`:                                    {Pattern: `\i`},
		`regex "[\\R]": unknown escape \R in a class`:                       {Pattern: `[\R]`},
		`regex "[[:foo:]]": unknown class [:foo:]`:                          {Pattern: "[[:foo:]]"},
		`regex "[[.a.]]": collating elements are not supported`:             {Pattern: "[[.a.]]"},
		`regex "\\x{100}": \x{100} is no character`:                         {Pattern: `\x{100}`},
		`regex "(?y)a": unrecognized grouping construct: (?y`:               {Pattern: "(?y)a"},
		`regex "a": the option alt_bsux is not supported`:                   {Pattern: "a", Options: []string{"alt_bsux"}},
		`regex "a": no match can begin within the offsets`:                  {Pattern: "a", MinOffset: 6, MaxOffset: &five},
		`regex "(?P=n": missing )`:                                          {Pattern: "(?P=n"},
		`regex "\\k": \k without a name`:                                    {Pattern: `\k`},
		`regex "\\p{L": \p without its }`:                                   {Pattern: `\p{L`},
		`regex "\\c": \c without a letter`:                                  {Pattern: `\c`},
		`regex "(?#a": missing ) after (?#`:                                 {Pattern: "(?#a"},
		`regex "\\o1": \o without a {`:                                      {Pattern: `\o1`},
		`regex "\\g{1": \g without its end`:                                 {Pattern: `\g{1`},
		`regex "(?(1": missing ) after (?(`:                                 {Pattern: "(?(1"},
	} {
		_, err := CompileRegex(cfg)
		if got := errText(err); !strings.HasPrefix(got, want) {
			t.Errorf("%q: %q, want %q", cfg.Pattern, got, want)
		}
	}
}

func errText(err error) string {
	if err == nil {
		return ""
	}
	return err.Error()
}

// A pattern that backtracks without end is given up.
func TestRegexTime(t *testing.T) {
	t.Parallel()
	r, err := CompileRegex(RegexConfig{Pattern: "^(?:a|aa)+$"})
	if err != nil {
		t.Fatal(err)
	}
	start := time.Now()
	err = r.judge([]byte(strings.Repeat("a", 200) + "b"))
	wantErr(t, err, `regex "^(?:a|aa)+$": the search took longer than 1s`)
	if took := time.Since(start); took > time.Minute {
		t.Errorf("took %s", took)
	}
}

// Status, digest, regex and header must all be as wanted, in this order.
func TestHTTPRegex(t *testing.T) {
	compile := func(c RegexConfig) *Regex {
		r, err := CompileRegex(c)
		if err != nil {
			t.Fatal(err)
		}
		return r
	}
	hello := compile(RegexConfig{Pattern: "hello"})
	no := compile(RegexConfig{Pattern: "hello", NoMatch: true})
	const say = "HTTP/1.0 200 OK\r\nX-State: ready\r\nx-state: hello\r\n\r\nsay hello"
	tests := []struct {
		answer string
		url    HTTPURL
		err    string
	}{
		{say, HTTPURL{Regex: hello}, ""},
		{say, HTTPURL{Regex: no}, `regex "hello" matches and should not`},
		{"HTTP/1.0 200 hello\r\n\r\nbye", HTTPURL{Regex: hello}, `regex "hello" does not match`},
		{"HTTP/1.0 200 OK\r\n\r\nbye", HTTPURL{Regex: no}, ""},
		{"HTTP/1.0 200 OK\r\n\r\n", HTTPURL{Regex: no}, ""},
		{"HTTP/1.0 503 OK\r\n\r\nhello", HTTPURL{Regex: hello}, "status 503, want 200-299"},
		{"HTTP/1.0 200 OK\r\n\r\nabc", HTTPURL{Regex: hello, Digest: abcDigest}, `regex "hello" does not match`},
		{say, HTTPURL{Regex: hello, Digest: abcDigest}, "md5 digest *, want " + abcDigest},
		{say, HTTPURL{Want: []HTTPWant{{Name: "x-STATE"}, {Name: "X-State", Regex: hello}}}, ""},
		{say, HTTPURL{Want: []HTTPWant{{Name: "X-Other"}}}, "no header field X-Other"},
		{say, HTTPURL{Want: []HTTPWant{{Name: "X-State", Regex: compile(RegexConfig{Pattern: "^up$"})}}}, `header field X-State: regex "^up$" does not match`},
	}
	for _, tt := range tests {
		r := NewHTTP(getting(listen(t, answering(tt.answer)), tt.url)).Run(t.Context())
		wantErr(t, r.Err, tt.err)
	}
}

// Of a large body the beginning is searched and no more is kept.
func TestRegexLargeBody(t *testing.T) {
	a := answer{keep: true, length: -1}
	block := make([]byte, 1<<20)
	for range 6 {
		a.addBody(block)
	}
	a.addBody([]byte("hello"))
	if len(a.text) != maxSearched || a.body != 6<<20+5 {
		t.Errorf("kept %d of %d bytes", len(a.text), a.body)
	}
}

// FuzzRegex: no pattern makes the translation panic or never end.
func FuzzRegex(f *testing.F) {
	for _, p := range []string{`(?P<n>a)\k{n}`, `[\W[:alpha:]\x{41}]++`, `\Qa\E(?#x)(?i-s:b)`, "(*UTF)é{2,}+", `(?(1)a|b)\g{-1}`} {
		f.Add(p, true)
	}
	f.Fuzz(func(t *testing.T, pattern string, utf bool) {
		cfg := RegexConfig{Pattern: pattern}
		if utf {
			cfg.Options = []string{"utf"}
		}
		if r, err := CompileRegex(cfg); err == nil {
			r.re.MatchTimeout = 50 * time.Millisecond
			_, _ = r.find([]byte("some text, \xff and \n more"))
		}
	})
}
