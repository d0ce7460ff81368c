package config

import (
	"slices"
	"strings"
)

// Form says what a keyword is followed by.
type Form string

// The forms of a keyword.
const (
	// FormFlag takes nothing, FormOptional may take a value, FormValue must.
	FormFlag     Form = "flag"
	FormOptional Form = "optional"
	FormValue    Form = "value"
	// FormBlock opens a block of keywords, FormLines one of lines that have
	// their own grammar.
	FormBlock Form = "block"
	FormLines Form = "lines"
)

// Keyword is one row of the keyword table: all that tandem knows of a word in a
// block. Parsing, checks, suggestions and documentation come from these rows.
type Keyword struct {
	// Block is the path of the block that the keyword stands in, empty for the
	// top level: "vrrp_instance/authentication".
	Block string `json:"block"`
	Name  string `json:"name"`
	Form  Form   `json:"form"`
	// Args are the arguments for people: "SECS", "[BOOL]".
	Args    string `json:"args,omitempty"`
	Default string `json:"default,omitempty"`
	// Since is the version of keepalived that brought the keyword, or "tandem".
	Since string `json:"since"`
	Doc   string `json:"doc"`
	// Honoured is true where the keyword has its effect; else Reason may say
	// why it has none.
	Honoured bool   `json:"honoured"`
	Reason   string `json:"reason,omitempty"`
	// Instead is what to write in the place of a deprecated keyword.
	Instead string `json:"instead,omitempty"`
	// Silent is true where keepalived says nothing of the deprecation.
	Silent bool `json:"-"`
	// Shell is true where the line is quoted as a shell's.
	Shell bool `json:"shell,omitempty"`
	// Tandem is true for tandem's own keywords.
	Tandem bool `json:"tandem,omitempty"`

	decode func(*decoder, *node)
}

// path is the name of the block that the keyword opens.
func (k Keyword) path() string {
	if k.Block == "" {
		return k.Name
	}
	return k.Block + "/" + k.Name
}

// option makes a row of the table into what it is.
type option func(*Keyword)

// row begins a row. The form follows from args: empty is a flag, "[...]"
// optional, "{...}" or "NAME {...}" a block of keywords.
func row(name, args, def, since, doc string, options ...option) Keyword {
	k := Keyword{Name: name, Args: args, Default: def, Since: since, Doc: doc}
	switch {
	case args == "":
		k.Form = FormFlag
	case strings.Contains(args, "lines }"):
		k.Form = FormLines
	case strings.HasSuffix(args, "}"):
		k.Form = FormBlock
	case strings.HasPrefix(args, "["):
		k.Form = FormOptional
	default:
		k.Form = FormValue
	}
	for _, o := range options {
		o(&k)
	}
	return k
}

// does makes a row honoured: f takes the statement.
func does(f func(*decoder, *node)) option {
	return func(k *Keyword) { k.Honoured, k.decode = true, f }
}

// reads makes a row read and checked by f though it is not honoured.
func reads(f func(*decoder, *node)) option {
	return func(k *Keyword) { k.decode = f }
}

// without gives the reason why a row is not honoured.
func without(reason string) option {
	return func(k *Keyword) { k.Reason = reason }
}

// instead marks a row deprecated.
func instead(name string) option {
	return func(k *Keyword) { k.Instead = name }
}

// silent marks a deprecated row of which keepalived says nothing.
func silent(k *Keyword) { k.Silent = true }

// lenient marks a row whose missing parameter its decoder reports.
func lenient(k *Keyword) { k.Form = FormOptional }

// shell marks a row whose line is quoted as a shell's.
func shell(k *Keyword) { k.Shell = true }

// own marks a row as tandem's.
func own(k *Keyword) { k.Tandem = true }

// in puts rows into a block.
func in(block string, rows ...[]Keyword) []Keyword {
	var out []Keyword
	for _, rs := range rows {
		for _, k := range rs {
			k.Block = block
			out = append(out, k)
		}
	}
	return out
}

// Keywords is the keyword table in the order of its blocks. What stands in a
// block that is not honoured is not honoured either.
func Keywords() []Keyword {
	rows := slices.Concat(
		rootKeywords(), globalKeywords(), vrrpKeywords(), trackerKeywords(), checkerKeywords(), lineKeywords(), tandemKeywords(),
	)
	dead := map[string]bool{}
	for i := range rows {
		k := &rows[i]
		if dead[k.Block] {
			k.Honoured = false
		}
		if k.Form == FormBlock && !k.Honoured {
			dead[k.path()] = true
		}
	}
	return rows
}

// scriptKeywords are the keywords whose lines are quoted as a shell's.
func scriptKeywords() map[string]bool {
	out := map[string]bool{}
	for _, block := range keywordTable() {
		for name, k := range block {
			if k.Shell {
				out[name] = true
			}
		}
	}
	return out
}

// table is the keyword table by block and name.
type table map[string]map[string]*Keyword

func newTable() table {
	t := table{}
	rows := Keywords()
	for i := range rows {
		k := &rows[i]
		if t[k.Block] == nil {
			t[k.Block] = map[string]*Keyword{}
		}
		t[k.Block][k.Name] = k
	}
	return t
}

// suggest says what was perhaps meant by the unknown word name in block.
func (t table) suggest(block, name string) string {
	switch {
	case strings.HasPrefix(name, "\ufeff"):
		return "A byte order mark stands before it: save the file without one."
	case strings.HasPrefix(name, "\u00a0"):
		return "A no-break space stands before it: replace it by a blank."
	}
	if best := nearest(name, sortedNames(t[block])); best != "" {
		return "Did you mean " + best + "?"
	}
	var homes []string
	for b, names := range t {
		if names[name] != nil && !strings.HasPrefix(b, "(") {
			homes = append(homes, blockTitle(b))
		}
	}
	if len(homes) > 0 {
		slices.Sort(homes)
		if len(homes) > 3 {
			homes = append(homes[:3], "others")
		}
		return "It belongs " + strings.Join(homes, ", or ") + ", not " + blockTitle(block) + "."
	}
	return ""
}

// nearest is the candidate that differs least from name, empty where none is
// like it. The longer the name, the more letters may differ.
func nearest(name string, candidates []string) string {
	best, distance := "", min(3, (len(name)+1)/2)
	for _, c := range candidates {
		if d := EditDistance(strings.ToLower(name), strings.ToLower(c), distance); d < distance {
			best, distance = c, d
		}
	}
	return best
}

// blockTitle names a block for people.
func blockTitle(block string) string {
	if block == "" {
		return "at the top level"
	}
	return "in " + strings.ReplaceAll(block, "/", " ")
}

func sortedNames(m map[string]*Keyword) []string {
	out := make([]string, 0, len(m))
	for name := range m {
		out = append(out, name)
	}
	slices.Sort(out)
	return out
}
