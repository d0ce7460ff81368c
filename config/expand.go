package config

import (
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// limits keep a file that includes, defines or repeats without end from taking
// all memory and all time.
type limits struct {
	// depth is how deep includes and definitions go, files how many files are
	// included, bytes how many they have together.
	depth, files, bytes int
	// line is the longest text that a line becomes by its definitions, expanded
	// how many bytes all such lines have together.
	line, expanded int
	// repeats is how many lines repetitions make, tokens how many words and
	// braces there are in all.
	repeats, tokens int
}

// defaultLimits are far above what anybody writes.
func defaultLimits() limits {
	return limits{
		depth: 64, files: 1 << 14, bytes: 256 << 20,
		line: 64 << 10, expanded: 64 << 20,
		repeats: 1 << 18, tokens: 4 << 20,
	}
}

// loader turns files into one tree of words and braces: conditions decided,
// definitions put in, included files in the place of their include line.
type loader struct {
	reporter
	options Options
	shell   map[string]bool
	grown   growing
	scratch []token
	vars    map[string]*definition
	// ids are those of conditions for other nodes.
	ids map[string]bool
	// memory is what is known of blocks that need not be read again.
	memory memory
	// passages leaves out the bodies of services that stand for themselves.
	passages bool
	// heads reads the first lines of blocks whose bodies are left out, and extent
	// finds where they end.
	heads  lexer
	extent extent
	// random gives the numbers of ${_RANDOM} once random_seed has been read.
	random *rand.Rand
	// used is how much of the limits has been used.
	limits, used limits
	// files are those being read, outermost first; sources are all that were read.
	files   []string
	sources []*source
	// check says which missing includes are reported (include_check).
	check includeCheck
	full  bool
}

// file adds the content of a source to the tree.
func (l *loader) file(src *source) {
	l.files = append(l.files, absolute(src.name))
	l.sources = append(l.sources, src)
	check := l.check
	var ahead map[int]*passage
	if l.passages && len(l.memory.services) == 0 {
		ahead = foresee(src)
	}
	(&lexer{src: src, shell: l.shell, lean: true}).groups(l.line, func(n int) int { return l.skip(src, n, ahead[n]) })
	l.check = check
	l.files = l.files[:len(l.files)-1]
}

// skip adds the block that begins in line n of the source, counted from 0, where it
// is known or can be left as text, and returns how many lines it has; else 0. The
// passage there is given where it has been found before.
func (l *loader) skip(src *source, n int, p *passage) int {
	if l.full || len(l.grown.stack) > 0 {
		return 0
	}
	if s := l.memory.at(src, n); s != nil {
		l.head(src, n, s.tokens).settled = s
		return s.lines
	}
	if !l.passages {
		return 0
	}
	if p == nil {
		found, ok := passageAt(src, n, &l.extent)
		if !ok {
			return 0
		}
		p = &found
	}
	if p.tokens > l.limits.tokens-l.used.tokens {
		return 0
	}
	l.head(src, n, p.tokens).passage = p
	return p.lines
}

// head adds a block of so many tokens whose body is left out.
func (l *loader) head(src *source, n, tokens int) *node {
	l.used.tokens += tokens
	l.heads = lexer{src: src, shell: l.shell, lean: true, tokens: l.heads.tokens[:0]}
	l.heads.lineWithEnd(n)
	return l.grown.head(l.heads.tokens)
}

// line adds one line to the tree.
func (l *loader) line(tokens []token) {
	if l.full {
		return
	}
	// The slice is used again for the next line, but not by the files that this
	// one includes.
	words := l.scratch[:0]
	l.scratch = nil
	defer func() { l.scratch = words[:0] }()
	var defined []token
	for i := range tokens {
		switch t := &tokens[i]; t.Kind {
		case tokenCondition:
			if !l.holds(t.Value) {
				return
			}
		case tokenDropped:
			l.warn("line-too-long", of(*t), "Split the line; keepalived drops lines of more than 1023 bytes.", "%s", t.Fault)
		case tokenDefinition:
			defined = append(defined, *t)
		case tokenWord, tokenOpen, tokenClose:
			words = append(words, *t)
		case tokenNewline, tokenSpace, tokenComment:
		}
	}
	if len(defined) > 0 {
		l.define(defined)
		return
	}
	if len(words) == 0 {
		return
	}
	for i := range words {
		if t := &words[i]; t.Fault != "" && !refers(words) && !isRepetition(words[0].Text) {
			l.fail("unterminated-quote", of(*t), "Close the quote on the same line.", "%s", t.Fault)
		}
	}
	last := words[len(words)-1]
	if isRepetition(words[0].Text) || refers(words) {
		first := words[0]
		f := &fragment{first: first, text: first.src.text[first.Offset : last.Offset+len(last.Text)]}
		l.fragment(f)
		return
	}
	l.words(words)
}

// words adds the words of one line, definitions put in.
func (l *loader) words(words []token) {
	if len(words) == 0 {
		return
	}
	first := words[0]
	if first.Kind == tokenWord && !first.Quoted && isInclude(first.Value) {
		l.include(words)
		return
	}
	switch {
	case first.Kind != tokenWord:
	case first.Value == "include_check":
		l.setCheck(words)
	case first.Value == "random_seed":
		l.seed(words)
	}
	if l.used.tokens += len(words); l.used.tokens > l.limits.tokens {
		l.overflow(first, "the configuration has more than %d words; the rest does not count", l.limits.tokens)
		return
	}
	l.grown.line(words)
}

// tree is what has been read so far.
func (l *loader) tree() *tree { return &l.grown.root }

// overflow reports, once, that the configuration is larger than it can be.
func (l *loader) overflow(t token, format string, most int) {
	if !l.full {
		l.full = true
		l.fatal("too-large", of(t), "", format, most)
	}
}

// holds is true where a line with that condition counts: "@ID" where the
// configuration's id is ID, "@^ID" where it is not. A tandem is always tandem.
func (l *loader) holds(condition string) bool {
	if id := idOf(condition); id != "" && id != l.options.ID {
		if l.ids == nil {
			l.ids = map[string]bool{}
		}
		l.ids[id] = true
	}
	id, not := strings.CutPrefix(strings.TrimPrefix(condition, "@"), "^")
	return (id == "tandem" || id == l.options.ID && id != "") != not
}

// isInclude is true for the words that include files.
func isInclude(word string) bool {
	switch word {
	case "include", "includer", "includem", "includew", "includeb", "includea":
		return true
	}
	return false
}

// includeCheck says which faults of an include line are reported.
type includeCheck struct {
	read, match, wildcard, brace bool
}

// levelOf is the check of an include keyword, those of include_check included.
func (l *loader) levelOf(word string) includeCheck {
	switch word {
	case "includer":
		return includeCheck{read: true}
	case "includem":
		return includeCheck{read: true, match: true}
	case "includew":
		return includeCheck{read: true, match: true, wildcard: true}
	case "includeb":
		return includeCheck{read: true, brace: true}
	case "includea":
		return includeCheck{true, true, true, true}
	}
	return l.check
}

// setCheck takes the words of include_check.
func (l *loader) setCheck(words []token) {
	if len(words) == 1 {
		l.check = includeCheck{true, true, true, true}
		return
	}
	if v := words[1].Value; v != "" && v[0] != '+' && v[0] != '-' {
		l.check = includeCheck{}
	}
	for _, w := range words[1:] {
		name, on := w.Value, true
		if strings.HasPrefix(name, "+") || strings.HasPrefix(name, "-") {
			on, name = name[0] == '+', name[1:]
		}
		switch name {
		case "read":
			l.check.read = on
		case "match":
			l.check.match = on
		case "wildcard_match":
			l.check.wildcard = on
		case "brace_match":
			l.check.brace = on
		}
	}
}

// include adds the files that an include line names.
func (l *loader) include(words []token) {
	if len(words) < 2 || words[1].Kind != tokenWord {
		l.fail("missing-parameter", of(words[0]), "Write include FILE.", "%s lacks the file to include", words[0].Value)
		return
	}
	target, level := words[1], l.levelOf(words[0].Value)
	if len(l.files) >= l.limits.depth {
		l.fail("include-depth", of(target), "", "includes are nested more than %d deep", l.limits.depth)
		return
	}
	found := 0
	alternatives := expandBraces(target.Value)
	for _, alternative := range alternatives {
		names := globFiles(beside(target.src.name, alternative))
		wild := strings.ContainsAny(alternative, "*?[")
		missing := len(names) == 0 && (!wild && level.match || wild && level.wildcard || len(alternatives) > 1 && level.brace)
		if missing {
			l.fail("include-missing", of(target), "", "no file matches %s", alternative)
		}
		for _, name := range names {
			if l.full {
				return
			}
			if l.open(name, words[0], level) {
				found++
			}
		}
	}
	if found == 0 && level == (includeCheck{}) {
		l.notice("include-missing", of(target), "keepalived passes over this in silence.", "no file matches %s", target.Value)
	}
}

// open adds the included file name; false where there is nothing to read.
func (l *loader) open(name string, at token, level includeCheck) bool {
	info, err := os.Stat(name)
	if err == nil && (!info.Mode().IsRegular() || info.Mode().Perm()&0o111 != 0) {
		l.notice("include-skipped", of(at), "Only regular files without an execute bit are included.", "%s is passed over", name)
		return true
	}
	if slices.Contains(l.files, absolute(name)) {
		l.fail("include-loop", of(at), "", "%s includes itself: %s", name, strings.Join(append(slices.Clone(l.files), absolute(name)), " -> "))
		return true
	}
	if l.used.files++; l.used.files > l.limits.files {
		l.overflow(at, "the configuration includes more than %d files; the rest does not count", l.limits.files)
		return true
	}
	if err == nil && info.Size() > int64(l.limits.bytes-l.used.bytes) {
		l.overflow(at, "the configuration has more than %d bytes; the rest does not count", l.limits.bytes)
		return true
	}
	text, err := os.ReadFile(name)
	l.used.bytes += len(text)
	if err != nil {
		if level.read {
			l.fail("include-unreadable", of(at), "", "cannot read the included file: %v", err)
		} else {
			l.notice("include-unreadable", of(at), "", "cannot read the included file: %v", err)
		}
		return true
	}
	includes := append(slices.Clone(at.src.includes), at.pos())
	l.file(newSource(name, string(text), includes))
	return true
}

// absolute is the path in the form by which loops are found.
func absolute(name string) string {
	if p, err := filepath.Abs(name); err == nil {
		name = p
	}
	if p, err := filepath.EvalSymlinks(name); err == nil {
		return p
	}
	return name
}

// beside is the pattern seen from the folder of the file base, whose own name is
// no pattern.
func beside(base, pattern string) string {
	if filepath.IsAbs(pattern) {
		return pattern
	}
	dir := filepath.Dir(base)
	var b strings.Builder
	for i := range len(dir) {
		if strings.IndexByte(`*?[\`, dir[i]) >= 0 {
			b.WriteByte('\\')
		}
		b.WriteByte(dir[i])
	}
	return filepath.Join(b.String(), pattern)
}

// globFiles is the files that match pattern, sorted; a name without wildcards
// stands for itself where it exists.
func globFiles(pattern string) []string {
	names, err := filepath.Glob(pattern)
	if err != nil || len(names) == 0 {
		if _, err := os.Lstat(pattern); err == nil {
			return []string{pattern}
		}
		return nil
	}
	return names
}

// expandBraces writes out the {a,b} of a pattern, as csh does.
func expandBraces(pattern string) []string {
	const most = 4096
	out := []string{pattern}
	for i := 0; i < len(out) && len(out) < most; {
		before, parts, after, ok := cutBraces(out[i])
		if !ok {
			i++
			continue
		}
		next := make([]string, 0, len(parts))
		for _, p := range parts {
			next = append(next, before+p+after)
		}
		out = slices.Replace(out, i, i+1, next...)
	}
	return out
}

// cutBraces splits s around its first outermost pair of braces that holds a
// comma; what is inside comes back split at the commas.
func cutBraces(s string) (before string, parts []string, after string, ok bool) {
	open := strings.IndexByte(s, '{')
	if open < 0 {
		return "", nil, "", false
	}
	depth, start := 0, open+1
	for i := open; i < len(s); i++ {
		switch s[i] {
		case '{':
			depth++
		case ',':
			if depth == 1 {
				parts = append(parts, s[start:i])
				start = i + 1
			}
		case '}':
			depth--
			if depth == 0 {
				return s[:open], append(parts, s[start:i]), s[i+1:], true
			}
		}
	}
	return "", nil, "", false
}
