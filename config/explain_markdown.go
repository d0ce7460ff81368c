package config

import (
	"bytes"
	"fmt"
	"strings"
)

// KeywordsMarkdown is the keyword table as a page of documentation.
func KeywordsMarkdown() []byte {
	rows := Keywords()
	var order []string
	blocks := map[string][]Keyword{}
	honoured := 0
	for _, k := range rows {
		if blocks[k.Block] == nil {
			order = append(order, k.Block)
		}
		blocks[k.Block] = append(blocks[k.Block], k)
		if k.Honoured {
			honoured++
		}
	}
	var b bytes.Buffer
	fmt.Fprintf(&b, "# The keywords of keepalived.conf\n\n")
	fmt.Fprintf(&b, "<!-- Made from the keyword table by `go generate ./cmd/tandem`. Change the table, not this page. -->\n\n")
	fmt.Fprintf(&b, "tandem knows %d keywords and options in %d blocks and lines, and honours %d. One that is known and not\n"+
		"honoured is reported by `tandem check` with its place, and has no effect. `tandem explain KEYWORD` prints what\n"+
		"stands here. *Since* is the version of keepalived that brought the keyword.\n", len(rows), len(order), honoured)
	for _, block := range order {
		fmt.Fprintf(&b, "\n## %s\n\n", heading(block))
		b.WriteString("| keyword | arguments | default | since | honoured | meaning |\n|---|---|---|---|---|---|\n")
		for _, k := range blocks[block] {
			fmt.Fprintf(&b, "| `%s` | %s | %s | %s | %s | %s |\n",
				cellText(k.Name), codeCell(k.Args), cellText(k.Default), cellText(k.Since), honouredCell(rows, k), cellText(meaning(k)))
		}
	}
	return b.Bytes()
}

// meaning is what a keyword does, and what to write in its place.
func meaning(k Keyword) string {
	text := k.Doc
	if k.Instead != "" {
		text += " Deprecated: use " + k.Instead + "."
	}
	if k.Tandem {
		text += " tandem's own: begin the line with @tandem, and keepalived passes over it."
	}
	return text
}

// honouredCell is yes, or no with the reason.
func honouredCell(rows []Keyword, k Keyword) string {
	if k.Honoured {
		if k.Reason != "" {
			return "yes; " + cellText(k.Reason)
		}
		return "yes"
	}
	if reason := reasonOf(rows, k); reason != "" {
		return "no: " + cellText(reason)
	}
	return "not yet"
}

// codeCell is text as code in a table, empty for none.
func codeCell(text string) string {
	if text == "" {
		return ""
	}
	return "`" + cellText(text) + "`"
}

// cellText escapes what would end a cell of a table.
func cellText(text string) string {
	return strings.ReplaceAll(text, "|", `\|`)
}

// heading names a block above its table.
func heading(block string) string {
	title := strings.TrimPrefix(BlockTitle(block), "in ")
	switch {
	case block == "":
		return "Top level"
	case strings.HasPrefix(block, "("):
		return strings.ToUpper(title[:1]) + title[1:]
	}
	return title
}
