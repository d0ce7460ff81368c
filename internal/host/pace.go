package host

import "time"

// SharedSpacing are interfaces whose announcements are spaced in common, as
// garp_group says: the intervals are between any two of them. An interval of 0 is
// none, whatever holds elsewhere.
type SharedSpacing struct {
	ARP, NA time.Duration
	// Links are the names of the interfaces.
	Links []string
}

// pace is a SharedSpacing at work; nil is that of an interface that shares none.
type pace struct {
	SharedSpacing
	// next is when the next frame may go out on any of the interfaces.
	next time.Time
}

// paces are those of the interfaces that share their spacing, by name. What has
// been sent at the pace of old still counts.
func paces(shared []SharedSpacing, old map[string]*pace) map[string]*pace {
	out := map[string]*pace{}
	for _, s := range shared {
		p := &pace{SharedSpacing: s}
		for _, name := range s.Links {
			out[name] = p
			p.next = old[name].after(p.next)
		}
	}
	return out
}

// after is the later of t and the moment that the pace allows.
func (p *pace) after(t time.Time) time.Time {
	if p != nil && p.next.After(t) {
		return p.next
	}
	return t
}

// sent notes a frame after which the others wait for gap.
func (p *pace) sent(now time.Time, gap time.Duration) {
	if p != nil {
		p.next = now.Add(gap)
	}
}
