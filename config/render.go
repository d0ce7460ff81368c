package config

import (
	"bytes"
	"fmt"
	"io"
	"strings"
	"unicode/utf8"
)

// String is the diagnostic in one line: "file:line:col: severity: message [code]".
func (d Diagnostic) String() string {
	return fmt.Sprintf("%s:%d:%d: %s: %s [%s]", d.Pos.File, d.Pos.Line, d.Pos.Column, d.Severity, d.Message, d.Code)
}

// WriteTo writes the diagnostic for people: the line of String, the source line
// with a caret below what is meant, the help, and the definitions and include
// lines that led there.
func (d Diagnostic) WriteTo(w io.Writer) (int64, error) {
	var b bytes.Buffer
	fmt.Fprintln(&b, d)
	if d.Line != "" {
		number := fmt.Sprint(d.Pos.Line)
		line, before, width := quoteLine(d.Line, d.Pos.Column, d.End)
		fmt.Fprintf(&b, " %s | %s\n", number, line)
		fmt.Fprintf(&b, " %s | %s%s\n", strings.Repeat(" ", len(number)), strings.Repeat(" ", before), strings.Repeat("^", width))
	}
	if d.Help != "" {
		fmt.Fprintf(&b, "   = help: %s\n", d.Help)
	}
	for _, def := range d.Definitions {
		fmt.Fprintf(&b, "   = from $%s, defined at %s:%d:%d\n", def.Name, def.Pos.File, def.Pos.Line, def.Pos.Column)
	}
	for i := len(d.Includes) - 1; i >= 0; i-- {
		p := d.Includes[i]
		fmt.Fprintf(&b, "   = included from %s:%d:%d\n", p.File, p.Line, p.Column)
	}
	n, err := w.Write(b.Bytes())
	return int64(n), err
}

// quoteLine prepares a line to be shown: tabs become blanks up to the next
// multiple of eight, control characters dots. It gives the columns before the
// bytes from column to end, and how many these take.
func quoteLine(line string, column, end int) (shown string, before, width int) {
	var b strings.Builder
	at := 0
	for i := 0; i < len(line); {
		r, size := utf8.DecodeRuneInString(line[i:])
		text := string(r)
		switch {
		case r == '\t':
			text = strings.Repeat(" ", 8-at%8)
		case r < ' ' || r == 0x7f:
			text = "."
		}
		cells := utf8.RuneCountInString(text)
		switch {
		case i+1 < column:
			before += cells
		case i+1 < end:
			width += cells
		}
		at += cells
		b.WriteString(text)
		i += size
	}
	return b.String(), before, max(width, 1)
}

// Render writes the diagnostics for people, one after the other.
func Render(w io.Writer, ds []Diagnostic) error {
	for _, d := range ds {
		if _, err := d.WriteTo(w); err != nil {
			return fmt.Errorf("write diagnostics: %w", err)
		}
	}
	return nil
}
