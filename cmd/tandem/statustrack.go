package main

import (
	"fmt"
	"strings"
	"time"

	"github.com/tandem-ha/tandem/internal/control"
	"github.com/tandem-ha/tandem/internal/wording"
)

// tracksText says what an instance tracks and what each adds to its priority:
// "script app up (+10), bfd gw down (fault)".
func tracksText(tracks []control.TrackStatus) string {
	var out []string
	for _, t := range tracks {
		text := t.Kind + " " + t.Name + " " + t.State
		switch {
		case t.Fault != "":
			text += " (fault)"
		case t.Adds != 0:
			text += fmt.Sprintf(" (%+d)", t.Adds)
		}
		out = append(out, text)
	}
	return strings.Join(out, ", ")
}

func fileTable(s control.Status, now time.Time) table {
	var t table
	for n, f := range s.Files {
		if n == 0 {
			t.row("TRACKED FILE", "VALUE", "SINCE", "PATH")
		}
		t.row(f.Name, fmt.Sprint(f.Value), wording.Age(now, f.Since), f.Path)
	}
	return t
}

func processTable(s control.Status, now time.Time) table {
	var t table
	for n, p := range s.Processes {
		if n == 0 {
			t.row("TRACKED PROCESS", "QUORUM", "SINCE", "RUNNING")
		}
		t.row(p.Name, p.State, wording.Age(now, p.Since), fmt.Sprint(p.Count))
	}
	return t
}

func bfdTable(s control.Status, now time.Time) table {
	var t table
	for n, b := range s.BFD {
		if n == 0 {
			t.row("BFD INSTANCE", "STATE", "SINCE", "NEIGHBOUR", "ITS STATE", "DETECTION", "LAST DOWN")
		}
		t.row(b.Name, b.State, wording.Age(now, b.Since), b.Neighbour.String(), b.Remote, detectionText(b), b.Diag)
	}
	return t
}

// detectionText is how long the neighbour may be silent.
func detectionText(b control.BFDStatus) string {
	if b.Detection == 0 {
		return "-"
	}
	return b.Detection.String()
}
