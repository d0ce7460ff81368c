package config

import (
	"fmt"
	"slices"
	"strings"
)

// Explanation is what there is to know of a keyword in one block, or in several
// where it is the same in them.
type Explanation struct {
	Keyword
	// Blocks are all the blocks that the explanation holds for.
	Blocks []string `json:"blocks"`
	// AliasOf is the keyword that this one is another name of; Aliases are the
	// other names of this one.
	AliasOf string   `json:"alias_of,omitempty"`
	Aliases []string `json:"aliases,omitempty"`
}

// UnknownKeywordError is a keyword that the table does not hold.
type UnknownKeywordError struct {
	Name, Block string
	// Help says what may be meant, empty where nothing is like it.
	Help string
}

// Error names the keyword and what may be meant.
func (e *UnknownKeywordError) Error() string {
	where := ""
	if e.Block != "" {
		where = " " + BlockTitle(e.Block)
	}
	text := fmt.Sprintf("there is no keyword %s%s", e.Name, where)
	if e.Help != "" {
		text += "; " + e.Help
	}
	return text
}

// Explain says what the keyword table holds about name, in the block whose path
// is or ends in block, in all blocks where that is empty. The error is an
// *UnknownKeywordError.
func Explain(name, block string) ([]Explanation, error) {
	rows := Keywords()
	block = strings.Trim(strings.Join(strings.FieldsFunc(block, func(r rune) bool { return r == '/' || r == ' ' }), "/"), "/")
	var out []Explanation
	for _, k := range rows {
		if k.Name != name || block != "" && !inBlock(k.Block, block) {
			continue
		}
		e := Explanation{Keyword: k, Blocks: []string{k.Block}, AliasOf: aliasOf(k), Aliases: aliasesOf(rows, k)}
		e.Reason = reasonOf(rows, k)
		at := slices.IndexFunc(out, func(o Explanation) bool { return sameExplanation(o, e) })
		if at < 0 {
			out = append(out, e)
			continue
		}
		out[at].Blocks = append(out[at].Blocks, k.Block)
	}
	if len(out) == 0 {
		return nil, unknownKeyword(rows, name, block)
	}
	return out, nil
}

// inBlock is true where block, perhaps only the end of a path, names path.
func inBlock(path, block string) bool {
	return path == block || strings.HasSuffix(path, "/"+block) || path == "("+block+")"
}

// sameExplanation is true where two differ in nothing but their block.
func sameExplanation(a, b Explanation) bool {
	return a.Form == b.Form && a.Args == b.Args && a.Default == b.Default && a.Since == b.Since && a.Doc == b.Doc &&
		a.Honoured == b.Honoured && a.Reason == b.Reason && a.Instead == b.Instead && a.AliasOf == b.AliasOf &&
		slices.Equal(a.Aliases, b.Aliases)
}

// unknownKeyword says what may be meant by name.
func unknownKeyword(rows []Keyword, name, block string) error {
	e := &UnknownKeywordError{Name: name, Block: block}
	var names, all, homes, blocks []string
	for _, k := range rows {
		all = append(all, k.Name)
		blocks = append(blocks, k.Block)
		if inBlock(k.Block, block) {
			names = append(names, k.Name)
		}
		if k.Name == name && !slices.Contains(homes, BlockTitle(k.Block)) {
			homes = append(homes, BlockTitle(k.Block))
		}
	}
	switch best := nearest(name, names); {
	case len(homes) > 0:
		e.Help = "it stands " + strings.Join(homes, ", ")
		if len(names) == 0 {
			if b := nearestBlock(block, blocks); b != "" {
				e.Help = "did you mean the block " + b + "?"
			}
		}
	case best != "":
		e.Help = "did you mean " + best + "?"
	default:
		if best := nearest(name, all); best != "" {
			e.Help = "did you mean " + best + "?"
		}
	}
	return e
}

// nearestBlock is the block whose last name is nearest to block.
func nearestBlock(block string, paths []string) string {
	var names []string
	for _, p := range paths {
		names = append(names, strings.Trim(p[strings.LastIndexByte(p, '/')+1:], "()"))
	}
	return nearest(block[strings.LastIndexByte(block, '/')+1:], names)
}

// aliasPhrases begin the documentation of another name.
var aliasPhrases = [...]string{"Is the old name of ", "Is an old name of ", "Is another name of ", "Is another spelling of ", "Is short for "}

// aliasOf is the keyword that k is another name of.
func aliasOf(k Keyword) string {
	for _, phrase := range aliasPhrases {
		if rest, ok := strings.CutPrefix(k.Doc, phrase); ok {
			return strings.TrimRight(strings.Fields(rest)[0], ".;,")
		}
	}
	return ""
}

// aliasesOf are the other names of k in its block.
func aliasesOf(rows []Keyword, k Keyword) []string {
	var out []string
	for _, other := range rows {
		if other.Block == k.Block && aliasOf(other) == k.Name {
			out = append(out, other.Name)
		}
	}
	return out
}

// reasonOf is why k has no effect: its own reason, or that of the block around
// it; empty for a keyword that has one.
func reasonOf(rows []Keyword, k Keyword) string {
	if k.Honoured || k.Reason != "" {
		return k.Reason
	}
	for _, b := range rows {
		if b.Form == FormBlock && !b.Honoured && (k.Block == b.path() || strings.HasPrefix(k.Block, b.path()+"/")) {
			if b.Reason != "" {
				return b.Name + ": " + b.Reason
			}
			return "its block " + b.Name + " is not honoured yet"
		}
	}
	return ""
}

// BlockTitle names a block of the keyword table for people: "in vrrp_instance",
// "at the top level", "in a line of addresses".
func BlockTitle(block string) string {
	if title := lineTitles()[block]; title != "" {
		return "in " + title
	}
	if strings.HasPrefix(block, "(") {
		return "in a line of " + strings.Trim(block, "()")
	}
	return blockTitle(block)
}

// lineTitles name the grammars of lines, which are no blocks.
func lineTitles() map[string]string {
	return map[string]string{
		addressBlock: "a line of addresses",
		routeBlock:   "a route",
		ruleBlock:    "a rule",
		trackBlock:   "a line of track_script, track_interface, track_file, track_process or track_bfd",
		peerBlock:    "a line of unicast_peer",
		setBlock:     "a line of virtual_server_group",
		syncBlock:    "the options of lvs_sync_daemon",
		timeoutBlock: "the options of lvs_timeouts",
		regexBlock:   "regex_options",
	}
}
