package main

import (
	"io"
	"strings"
	"unicode/utf8"
)

// table is text in aligned columns. A row may be followed by notes, which
// stand below it, indented, outside the columns.
type table struct {
	rows []tableRow
}

type tableRow struct {
	cells []string
	note  string
}

// row adds a row; an empty cell shows as a dash.
func (t *table) row(cells ...string) {
	t.rows = append(t.rows, tableRow{cells: cells})
}

// note adds a line below the last row.
func (t *table) note(text string) {
	t.rows = append(t.rows, tableRow{note: text})
}

// noteIndent is what notes begin with, after the table's own indent.
const noteIndent = "    "

// write writes the rows, each after the indent, the columns two blanks apart
// and no blanks at the end of a line.
func (t *table) write(w io.Writer, indent string) error {
	var widths []int
	for _, r := range t.rows {
		for i, c := range r.cells {
			if i == len(widths) {
				widths = append(widths, 0)
			}
			widths[i] = max(widths[i], utf8.RuneCountInString(cell(c)))
		}
	}
	var b strings.Builder
	for _, r := range t.rows {
		line := noteIndent + r.note
		if r.cells != nil {
			var l strings.Builder
			for i, c := range r.cells {
				c = cell(c)
				l.WriteString(c)
				l.WriteString(strings.Repeat(" ", widths[i]-utf8.RuneCountInString(c)+2))
			}
			line = l.String()
		}
		b.WriteString(strings.TrimRight(indent+line, " "))
		b.WriteByte('\n')
	}
	_, err := io.WriteString(w, b.String())
	return err
}

func cell(text string) string {
	if text == "" {
		return "-"
	}
	return text
}
