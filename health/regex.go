package health

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/dlclark/regexp2"
)

// RegexConfig is a regular expression of a url, in PCRE's syntax.
type RegexConfig struct {
	Pattern string
	// NoMatch wants the pattern not to match.
	NoMatch bool
	// Options are PCRE2's compile options in keepalived's spelling: "caseless",
	// "multiline", ... An unknown one changes nothing, as with keepalived.
	Options []string
	// MinOffset is how many bytes into the body the search begins, MaxOffset how
	// many bytes into it a match may begin at the latest, nil for anywhere.
	MinOffset int
	MaxOffset *int
}

// Regex is a compiled RegexConfig. It is safe for use by several goroutines.
type Regex struct {
	cfg RegexConfig
	re  *regexp2.Regexp
	utf bool
}

// The bounds of a search: how much of a body is kept for it, and how long a
// pattern that backtracks may take.
const (
	maxSearched = 4 << 20
	maxSearch   = time.Second
)

// CompileRegex compiles a pattern. An error says what is wrong with it, or what
// PCRE has and this implementation has not: recursion, (?|...), verbs, callouts.
//
// Unless the option utf is given, the pattern and what it searches are bytes,
// and unless ucp is given, \d, \w, \s and \b are of ASCII, as PCRE has it.
func CompileRegex(cfg RegexConfig) (*Regex, error) {
	if cfg.Pattern == "" {
		return nil, errors.New("regex: no pattern")
	}
	if cfg.MinOffset < 0 || cfg.MaxOffset != nil && *cfg.MaxOffset < cfg.MinOffset {
		return nil, fmt.Errorf("regex %q: no match can begin within the offsets", cfg.Pattern)
	}
	t := translator{utf: slices.Contains(cfg.Options, "utf"), ucp: slices.Contains(cfg.Options, "ucp")}
	// Multi-line anchors and the like keep their meaning as options.
	opts := regexp2.None
	for _, name := range cfg.Options {
		switch name {
		case "caseless":
			opts |= regexp2.IgnoreCase
		case "multiline":
			opts |= regexp2.Multiline
		case "dotall":
			opts |= regexp2.Singleline
		case "extended":
			opts |= regexp2.IgnorePatternWhitespace
			t.extended = true
		case "no_auto_capture":
			opts |= regexp2.ExplicitCapture
		case "dollar_endonly":
			t.dollarEnd = true
		case "allow_empty_class":
			t.emptyClass = true
		case "firstline":
			t.firstLine = true
		case "alt_bsux", "match_unset_backref", "alt_circumflex":
			return nil, fmt.Errorf("regex %q: the option %s is not supported", cfg.Pattern, name)
		}
	}
	pattern, err := t.translate(cfg.Pattern)
	if err != nil {
		return nil, fmt.Errorf("regex %q: %w", cfg.Pattern, err)
	}
	re, err := regexp2.Compile(pattern, opts)
	if err != nil {
		// The library's own text quotes the translated pattern.
		text := strings.TrimPrefix(err.Error(), "error parsing regexp: ")
		return nil, fmt.Errorf("regex %q: %s", cfg.Pattern, strings.TrimSuffix(text, " in `"+pattern+"`"))
	}
	re.MatchTimeout = maxSearch
	return &Regex{cfg: cfg, re: re, utf: t.utf}, nil
}

// String is the pattern as configured.
func (r *Regex) String() string { return r.cfg.Pattern }

// judge searches a body and says why it is not as wanted.
func (r *Regex) judge(body []byte) error {
	found, err := r.find(body)
	switch {
	case err != nil:
		return fmt.Errorf("regex %q: %w", r.cfg.Pattern, err)
	case found && r.cfg.NoMatch:
		return fmt.Errorf("regex %q matches and should not", r.cfg.Pattern)
	case !found && !r.cfg.NoMatch:
		return fmt.Errorf("regex %q does not match", r.cfg.Pattern)
	}
	return nil
}

// find reports whether the pattern matches within the offsets.
func (r *Regex) find(body []byte) (bool, error) {
	start, _, err := r.search(body)
	return start >= 0 && (r.cfg.MaxOffset == nil || start <= *r.cfg.MaxOffset), err
}

// search returns where the first match begins and ends, in bytes, or -1.
func (r *Regex) search(body []byte) (start, end int, err error) {
	if r.cfg.MinOffset > len(body) {
		return -1, -1, nil
	}
	runes := r.decode(body)
	m, err := r.re.FindRunesMatchStartingAt(runes, r.runes(body[:r.cfg.MinOffset]))
	if err != nil {
		return -1, -1, errors.New("the search took longer than " + maxSearch.String())
	}
	if m == nil {
		return -1, -1, nil
	}
	return r.bytes(body, m.Index), r.bytes(body, m.Index+m.Length), nil
}

// decode makes runes of a body: one of each byte, or of each character.
func (r *Regex) decode(body []byte) []rune {
	if r.utf {
		return []rune(string(body))
	}
	return latin1(body)
}

func latin1(b []byte) []rune {
	runes := make([]rune, len(b))
	for i, c := range b {
		runes[i] = rune(c)
	}
	return runes
}

// runes is how many runes the bytes make.
func (r *Regex) runes(b []byte) int {
	if r.utf {
		return utf8.RuneCount(b)
	}
	return len(b)
}

// bytes is how many bytes the first n runes of the body are.
func (r *Regex) bytes(body []byte, n int) int {
	if !r.utf {
		return n
	}
	at := 0
	for ; n > 0; n-- {
		_, size := utf8.DecodeRune(body[at:])
		at += size
	}
	return at
}
