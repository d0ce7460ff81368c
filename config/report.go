package config

import (
	"cmp"
	"fmt"
	"slices"
)

// reporter gathers diagnostics.
type reporter struct {
	list []Diagnostic
}

// span is a stretch of a source line.
type span struct {
	first, last token
}

// of is the span of one token.
func of(t token) span { return span{t, t} }

// add reports one thing about s.
func (r *reporter) add(sev Severity, code string, s span, help, format string, args ...any) {
	d := Diagnostic{
		Severity: sev, Code: code, Pos: s.first.pos(), End: s.first.End(),
		Message: fmt.Sprintf(format, args...), Help: help,
	}
	if s.last.Line == s.first.Line && s.last.src == s.first.src && s.last.End() > d.End {
		d.End = s.last.End()
	}
	if src := s.first.src; src != nil {
		d.Line = src.line(s.first.Line)
		d.Includes = src.includes
	}
	for o := s.first.via; o != nil; o = o.within {
		d.Definitions = append(d.Definitions, Definition{o.def.name, o.def.at.pos()})
	}
	r.list = append(r.list, d)
}

func (r *reporter) notice(code string, s span, help, format string, args ...any) {
	r.add(Notice, code, s, help, format, args...)
}

func (r *reporter) warn(code string, s span, help, format string, args ...any) {
	r.add(Warning, code, s, help, format, args...)
}

func (r *reporter) fail(code string, s span, help, format string, args ...any) {
	r.add(Error, code, s, help, format, args...)
}

func (r *reporter) fatal(code string, s span, help, format string, args ...any) {
	r.add(Fatal, code, s, help, format, args...)
}

// sorted is what was reported in the order of the files' first mention and of
// the lines in them.
func (r *reporter) sorted() []Diagnostic {
	order := map[string]int{}
	for _, d := range r.list {
		if _, ok := order[d.Pos.File]; !ok {
			order[d.Pos.File] = len(order)
		}
	}
	slices.SortStableFunc(r.list, func(a, b Diagnostic) int {
		return cmp.Or(
			cmp.Compare(len(a.Includes), len(b.Includes)),
			cmp.Compare(order[a.Pos.File], order[b.Pos.File]),
			cmp.Compare(a.Pos.Line, b.Pos.Line),
			cmp.Compare(a.Pos.Column, b.Pos.Column),
		)
	})
	// A line that is repeated says the same again and again.
	r.list = slices.CompactFunc(r.list, func(a, b Diagnostic) bool {
		return a.Pos == b.Pos && a.Code == b.Code && a.Message == b.Message && a.End == b.End
	})
	return r.list
}
