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
	value  func(control.Counters) uint64
}

// dropped sums the drops for the reasons given.
func dropped(reasons ...vrrp.Reason) func(control.Counters) uint64 {
	return func(c control.Counters) uint64 {
		var n uint64
		for _, r := range reasons {
			n += c.Dropped[r]
		}
		return n
	}
}

// statLines are the lines of one instance after its heading, in keepalived's
// order and words.
func statLines() []statLine {
	return []statLine{
		{2, "Advertisements", nil},
		{4, "Received", func(c control.Counters) uint64 { return c.AdvertsReceived }},
		{4, "Sent", func(c control.Counters) uint64 { return c.AdvertsSent }},
		{2, "Became master", func(c control.Counters) uint64 { return c.BecameMaster }},
		{2, "Released master", func(c control.Counters) uint64 { return c.ReleasedMaster }},
		{2, "Packet Errors", nil},
		{4, "Length", dropped(vrrp.DropLength)},
		{4, "TTL", dropped(vrrp.DropTTL, vrrp.DropUnicastTTL)},
		{4, "Invalid Type", dropped(vrrp.DropType)},
		{4, "Advertisement Interval", dropped(vrrp.DropInterval)},
		{4, "Address List", dropped(vrrp.DropAddressCount)},
		{2, "Authentication Errors", nil},
		{4, "Invalid Type", dropped(vrrp.DropAuthType)},
		{4, "Type Mismatch", dropped(vrrp.DropAuthMismatch)},
		{4, "Failure", dropped(vrrp.DropAuthFailed, vrrp.DropAHReplayed)},
		{2, "Authentication Extension Errors", nil},
		{4, "Missing", dropped(vrrp.DropHMACMissing)},
		{4, "Malformed", dropped(vrrp.DropHMACMalformed)},
		{4, "Unknown Key", dropped(vrrp.DropHMACUnknownKey)},
		{4, "Invalid HMAC", dropped(vrrp.DropHMACInvalid)},
		{4, "Stale", dropped(vrrp.DropHMACStale)},
		{4, "Replay", dropped(vrrp.DropHMACReplayed)},
		{2, "Priority Zero", nil},
		{4, "Received", func(c control.Counters) uint64 { return c.PriorityZeroRcvd }},
		{4, "Sent", func(c control.Counters) uint64 { return c.PriorityZeroSent }},
	}
}

// Stats is the content of keepalived.stats.
func Stats(s control.Status) []byte {
	var b bytes.Buffer
	lines := statLines()
	for _, i := range s.Instances {
		fmt.Fprintf(&b, "VRRP Instance: %s\n", i.Name)
		for _, l := range lines {
			if l.value == nil {
				fmt.Fprintf(&b, "%*s%s:\n", l.indent, "", l.label)
				continue
			}
			fmt.Fprintf(&b, "%*s%s: %d\n", l.indent, "", l.label, l.value(i.Counters))
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
