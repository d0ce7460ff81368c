package wording

import (
	"cmp"
	"fmt"
	"strings"
	"time"

	"github.com/tandem-ha/tandem/config"
	"github.com/tandem-ha/tandem/internal/control"
)

// Attention lists what is not as it should be, and what an operator has
// ordered, so that neither is overlooked.
func Attention(s control.Status, now time.Time) []string {
	var out []string
	if p := s.Peer; p != nil && p.Err != "" {
		out = append(out, fmt.Sprintf("peer %s: its configuration cannot be compared: %s", p.Address, p.Err))
	} else if p != nil && len(p.Drift) > 0 {
		out = append(out, fmt.Sprintf("peer %s: its configuration differs in %d values; tandem diff shows them", p.Address, len(p.Drift)))
	}
	for _, a := range s.Alarms {
		out = append(out, fmt.Sprintf("%s: %s, for %s: %s", cmp.Or(a.Instance, "alarm"), a.Text, Age(now, a.Since), a.Advice))
	}
	for _, i := range s.Instances {
		for _, f := range i.Faults {
			out = append(out, fmt.Sprintf("%s: fault: %s", i.Name, f))
		}
		for _, o := range Overrides(i, now) {
			out = append(out, i.Name+": "+o)
		}
		if i.Counters.SendErrors > 0 {
			out = append(out, fmt.Sprintf("%s: %d adverts could not be sent", i.Name, i.Counters.SendErrors))
		}
	}
	out = append(out, orders(s, now)...)
	for _, t := range s.Scripts {
		if t.State == "down" {
			out = append(out, strings.TrimSuffix(fmt.Sprintf("script %s fails: %s", t.Name, t.Last), ": "))
		}
	}
	out = append(out, tracked(s)...)
	for _, v := range s.Services {
		if !v.QuorumUp {
			out = append(out, fmt.Sprintf("virtual server %s: no quorum: live weight %d of %d", v.Name, v.LiveWeight, v.Quorum))
		}
	}
	if s.IPVS != "" {
		out = append(out, "IPVS: "+s.IPVS)
	}
	if r := s.LastReload; r != nil && !r.OK {
		out = append(out, fmt.Sprintf("the reload %s ago changed nothing: %s", Age(now, r.Time), ReloadReason(*r)))
	}
	return out
}

// tracked lists what is tracked and not as it should be.
func tracked(s control.Status) []string {
	var out []string
	for _, f := range s.Files {
		if f.Err != "" {
			out = append(out, fmt.Sprintf("tracked file %s counts as 0: %s", f.Name, f.Err))
		}
	}
	for _, p := range s.Processes {
		if p.State == "down" {
			out = append(out, fmt.Sprintf("tracked process %s has no quorum: %d running", p.Name, p.Count))
		}
	}
	for _, b := range s.BFD {
		if b.State != "Up" {
			out = append(out, fmt.Sprintf("BFD instance %s with %s is %s", b.Name, b.Neighbour, strings.ToLower(b.State)))
		}
	}
	return out
}

// ReloadReason is why a reload failed, in one line.
func ReloadReason(r control.ReloadResponse) string {
	for _, d := range r.Diagnostics {
		if d.Severity == config.Fatal {
			return Diagnostic(d)
		}
	}
	return cmp.Or(r.Err, "-")
}

// Diagnostic is one in the form of keepalived's messages.
func Diagnostic(d config.Diagnostic) string {
	if d.Pos.Line == 0 {
		return d.Message
	}
	return fmt.Sprintf("(%s: Line %d) %s", d.Pos.File, d.Pos.Line, d.Message)
}
