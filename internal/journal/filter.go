package journal

import (
	"slices"
	"strings"
	"time"
)

// Filter chooses events. What is empty chooses all.
type Filter struct {
	// After is a sequence number; only later events are chosen.
	After uint64
	// Since is a moment; only events at it or later are chosen.
	Since time.Time
	// Kinds and Subjects are alternatives. A subject may also be a part of the
	// event's.
	Kinds, Subjects []string
	// Areas are alternatives; "main" is Main.
	Areas []string
	// Level is the least loud one.
	Level Level
}

// Match says whether an event is chosen.
func (f Filter) Match(e Event) bool {
	area := string(e.Area)
	if e.Area == Main {
		area = "main"
	}
	return e.Seq > f.After && !e.Time.Before(f.Since) && e.Level >= f.Level &&
		(len(f.Kinds) == 0 || slices.Contains(f.Kinds, e.Kind)) &&
		(len(f.Areas) == 0 || slices.Contains(f.Areas, area)) &&
		(len(f.Subjects) == 0 || slices.ContainsFunc(f.Subjects, func(s string) bool { return strings.Contains(e.Subject, s) }))
}

// Select returns those of the events that are chosen.
func (f Filter) Select(events []Event) []Event {
	out := []Event{}
	for _, e := range events {
		if f.Match(e) {
			out = append(out, e)
		}
	}
	return out
}
