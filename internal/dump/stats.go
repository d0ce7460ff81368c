package dump

import (
	"bytes"
	"fmt"

	"github.com/tandem-ha/tandem/internal/control"
	"github.com/tandem-ha/tandem/vrrp"
)

// statLine is one line of keepalived.stats: a heading where value is nil.
type statLine struct {
	indent int
	label  string
	value  func(Counts) uint64
}

// statLines are the lines of one instance after its heading, in keepalived's
// order and words.
func statLines() []statLine {
	return []statLine{
		{2, "Advertisements", nil},
		{4, "Received", func(c Counts) uint64 { return c.Received }},
		{4, "Sent", func(c Counts) uint64 { return c.Sent }},
		{2, "Became master", func(c Counts) uint64 { return c.Became }},
		{2, "Released master", func(c Counts) uint64 { return c.Released }},
		{2, "Packet Errors", nil},
		{4, "Length", func(c Counts) uint64 { return c.Length }},
		{4, "TTL", func(c Counts) uint64 { return c.TTL }},
		{4, "Invalid Type", func(c Counts) uint64 { return c.Type }},
		{4, "Advertisement Interval", func(c Counts) uint64 { return c.Interval }},
		{4, "Address List", func(c Counts) uint64 { return c.AddressList }},
		{2, "Authentication Errors", nil},
		{4, "Invalid Type", func(c Counts) uint64 { return c.AuthType }},
		{4, "Type Mismatch", func(c Counts) uint64 { return c.AuthMismatch }},
		{4, "Failure", func(c Counts) uint64 { return c.AuthFailure }},
		{2, "Authentication Extension Errors", nil},
		{4, "Missing", func(c Counts) uint64 { return c.Missing }},
		{4, "Malformed", func(c Counts) uint64 { return c.Malformed }},
		{4, "Unknown Key", func(c Counts) uint64 { return c.UnknownKey }},
		{4, "Invalid HMAC", func(c Counts) uint64 { return c.InvalidHMAC }},
		{4, "Stale", func(c Counts) uint64 { return c.Stale }},
		{4, "Replay", func(c Counts) uint64 { return c.Replay }},
		{2, "Priority Zero", nil},
		{4, "Received", func(c Counts) uint64 { return c.PriorityZeroReceived }},
		{4, "Sent", func(c Counts) uint64 { return c.PriorityZeroSent }},
	}
}

// Stats is the content of keepalived.stats.
func Stats(s control.Status) []byte {
	var b bytes.Buffer
	lines := statLines()
	for _, i := range s.Instances {
		counts := CountsOf(i.Counters)
		fmt.Fprintf(&b, "VRRP Instance: %s\n", i.Name)
		for _, l := range lines {
			if l.value == nil {
				fmt.Fprintf(&b, "%*s%s:\n", l.indent, "", l.label)
				continue
			}
			fmt.Fprintf(&b, "%*s%s: %d\n", l.indent, "", l.label, l.value(counts))
		}
	}
	return b.Bytes()
}

// Baseline is what the counters were when they were last set to zero: the
// agent's own only ever grow.
type Baseline map[string]control.Counters

// BaselineOf remembers the counters of s.
func BaselineOf(s control.Status) Baseline {
	b := make(Baseline, len(s.Instances))
	for _, i := range s.Instances {
		b[i.Name] = i.Counters
	}
	return b
}

// Since returns s with the counts since the baseline. An instance whose counts
// are below it, having been removed and added again, keeps its own.
func (b Baseline) Since(s control.Status) control.Status {
	out := s
	out.Instances = make([]control.InstanceStatus, len(s.Instances))
	for n, i := range s.Instances {
		if from, ok := b[i.Name]; ok && from.AdvertsSent <= i.Counters.AdvertsSent && from.AdvertsReceived <= i.Counters.AdvertsReceived {
			i.Counters = less(i.Counters, from)
		}
		out.Instances[n] = i
	}
	return out
}

// less is the difference of two states of the same counters.
func less(now, from control.Counters) control.Counters {
	d := control.Counters{
		AdvertsReceived:  now.AdvertsReceived - from.AdvertsReceived,
		AdvertsSent:      now.AdvertsSent - from.AdvertsSent,
		BecameMaster:     now.BecameMaster - from.BecameMaster,
		ReleasedMaster:   now.ReleasedMaster - from.ReleasedMaster,
		PriorityZeroSent: now.PriorityZeroSent - from.PriorityZeroSent,
		PriorityZeroRcvd: now.PriorityZeroRcvd - from.PriorityZeroRcvd,
		SendErrors:       now.SendErrors - from.SendErrors,
	}
	if len(now.Dropped) > 0 {
		d.Dropped = make(map[vrrp.Reason]uint64, len(now.Dropped))
	}
	for r, n := range now.Dropped {
		d.Dropped[r] = n - from.Dropped[r]
	}
	return d
}
