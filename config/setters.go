package config

import "time"

// The functions here make decoders for the rows of the keyword table; each puts
// the value into the place that its argument names.

func flagTo(place func(*decoder) *bool) func(*decoder, *node) {
	return func(d *decoder, _ *node) { *place(d) = true }
}

func boolTo(place func(*decoder) *bool) func(*decoder, *node) {
	return func(d *decoder, n *node) {
		if v, ok := d.boolean(n); ok {
			*place(d) = v
		}
	}
}

func optBoolTo(place func(*decoder) **bool) func(*decoder, *node) {
	return func(d *decoder, n *node) {
		if v, ok := d.boolean(n); ok {
			*place(d) = &v
		}
	}
}

func intTo(place func(*decoder) *int, minimum, maximum int64) func(*decoder, *node) {
	return func(d *decoder, n *node) {
		if v, ok := d.number(n.Words[1], minimum, maximum); ok {
			*place(d) = int(v)
		}
	}
}

// repeatTo takes how often something is repeated; 0 is once.
func repeatTo(place func(*decoder) *int) func(*decoder, *node) {
	return func(d *decoder, n *node) {
		v, ok := d.number(n.Words[1], 0, maxUint)
		if !ok {
			return
		}
		if v == 0 {
			d.warn("out-of-range", of(n.Words[1]), "", "%s must be at least 1; 1 is used", n.name())
		}
		*place(d) = max(int(v), 1)
	}
}

func optIntTo(place func(*decoder) **int, minimum, maximum int64) func(*decoder, *node) {
	return func(d *decoder, n *node) {
		if v, ok := d.number(n.Words[1], minimum, maximum); ok {
			i := int(v)
			*place(d) = &i
		}
	}
}

func thresholdTo(place func(*decoder) *uint32) func(*decoder, *node) {
	return func(d *decoder, n *node) {
		if v, ok := d.number(n.Words[1], 0, 1<<32-1); ok {
			*place(d) = uint32(v)
		}
	}
}

func durationTo(place func(*decoder) *time.Duration, minimum, maximum time.Duration) func(*decoder, *node) {
	return func(d *decoder, n *node) {
		if v, ok := d.duration(n.Words[1], minimum, maximum); ok {
			*place(d) = v
		}
	}
}

// optDurationTo takes seconds of at least minimum microseconds.
func optDurationTo(place func(*decoder) **time.Duration, minimum time.Duration) func(*decoder, *node) {
	return func(d *decoder, n *node) {
		if v, ok := d.duration(n.Words[1], minimum*time.Microsecond, maxUint*time.Second); ok {
			*place(d) = &v
		}
	}
}

// timeoutTo takes the seconds that a connection may take.
func timeoutTo(place func(*decoder) **time.Duration) func(*decoder, *node) {
	return func(d *decoder, n *node) {
		if v, ok := d.duration(n.Words[1], time.Microsecond, maxTimer); ok {
			*place(d) = &v
		}
	}
}

// spacingTo takes the seconds between announcements, which keepalived wants
// to be more than none.
func spacingTo(place func(*decoder) *time.Duration) func(*decoder, *node) {
	return func(d *decoder, n *node) {
		v, ok := parseSeconds(n.Words[1].Value)
		if !ok || v < time.Microsecond || v > maxTimer {
			d.fail("out-of-range", of(n.Words[1]), "Leave the line out for no spacing.", "%s '%s' is not valid", n.name(), n.Words[1].Value)
			return
		}
		*place(d) = v
	}
}

// ownedCommand reads "SCRIPT [USER [GROUP]]". It is not ok where that cannot be used:
// the error says what is wrong with the user, anything else is reported.
func (d *decoder) ownedCommand(n *node) (c Command, ok bool, err error) {
	if c, ok = d.command(n); ok && len(n.Words) > 2 {
		c.User = userOf(n.Words[2:])
		err = d.noUser(c.User)
	}
	return c, ok && err == nil, err
}

// notifyTo takes "SCRIPT [USER [GROUP]]"; the first of several counts.
func notifyTo(place func(*decoder) **Command) func(*decoder, *node) {
	return func(d *decoder, n *node) {
		if len(n.Words) < 2 {
			return
		}
		p := place(d)
		if *p != nil {
			d.warn("duplicate", of(n.Words[0]), "Join the scripts in one.", "%s is given already; this one does not count", n.name())
			return
		}
		c, ok, err := d.ownedCommand(n)
		if err != nil {
			d.notice("script-user", words(n, 2), "", "the script of %s is not run: %v", n.name(), err)
		}
		if !ok {
			return
		}
		if !d.runnable(&c, of(n.Words[1]), "the script of "+n.name()) {
			return
		}
		*p = &c
	}
}

func stringTo(place func(*decoder) *string) func(*decoder, *node) {
	return func(d *decoder, n *node) {
		if len(n.Words) < 2 {
			d.fail("missing-value", of(n.Words[0]), "Write "+n.name()+" VALUE.", "%s lacks its parameter", n.name())
			return
		}
		*place(d) = n.Words[1].Value
	}
}

func uintTo(place func(*decoder) *uint32, minimum int64) func(*decoder, *node) {
	return func(d *decoder, n *node) {
		if v, ok := d.number(n.Words[1], minimum, maxUint); ok {
			*place(d) = uint32(v)
		}
	}
}

// clampTo takes a number; one out of range is the nearest in it.
func clampTo(place func(*decoder) *int, minimum, maximum int) func(*decoder, *node) {
	return func(d *decoder, n *node) {
		v, ok := d.number(n.Words[1], minInt, maxInt)
		if !ok {
			return
		}
		in := min(max(int(v), minimum), maximum)
		if in != int(v) {
			d.warn("out-of-range", of(n.Words[1]), "", "%d is outside the range %d to %d; %d is used", v, minimum, maximum, in)
		}
		*place(d) = in
	}
}

// wholeSecondsTo takes seconds without decimals.
func wholeSecondsTo(place func(*decoder) *time.Duration, minimum, maximum int64) func(*decoder, *node) {
	return func(d *decoder, n *node) {
		if v, ok := d.number(n.Words[1], minimum, maximum); ok {
			*place(d) = time.Duration(v) * time.Second
		}
	}
}

// alone refuses further words behind the first parameter.
func alone(f func(*decoder, *node)) func(*decoder, *node) {
	return func(d *decoder, n *node) {
		if len(n.Words) != 2 {
			d.fail("extra-words", words(n, 0), "", "%s takes one parameter", n.name())
			return
		}
		f(d, n)
	}
}

// extraGARPTo takes "[all] SECS" of at least minimum seconds.
func extraGARPTo(place func(*decoder) *ExtraGARP, minimum int64) func(*decoder, *node) {
	return func(d *decoder, n *node) {
		rest := n.Words[1:]
		g := ExtraGARP{}
		if len(rest) > 0 && rest[0].Value == "all" {
			g.All, rest = true, rest[1:]
		}
		if len(rest) == 0 {
			d.fail("missing-value", of(n.Words[0]), "Write "+n.name()+" [all] SECONDS.", "%s lacks its interval", n.name())
			return
		}
		v, ok := d.number(rest[0], minimum, 86400)
		if !ok {
			return
		}
		if len(rest) > 1 {
			d.warn("extra-words", span{rest[1], rest[len(rest)-1]}, "", "%s takes [all] SECONDS only", n.name())
		}
		g.Interval = time.Duration(v) * time.Second
		*place(d) = g
	}
}
