package track

import "github.com/tandem-ha/tandem/vrrp"

// Kind is what sort of thing is tracked.
type Kind string

// The kinds.
const (
	KindScript    Kind = "script"
	KindInterface Kind = "interface"
)

// Tracked is one thing that an instance tracks, and its state now.
type Tracked struct {
	Name string
	Kind Kind
	// Weight is -254 to 254. Zero means that the instance is in FAULT while
	// the thing is down; a positive weight counts while it is up, a negative
	// one while it is down.
	Weight int
	// Reverse turns the sign of what is counted, and for weight zero the
	// condition.
	Reverse bool
	// Up is the state; it means nothing where Known is false, which for an
	// interface is the same as down.
	Up    bool
	Known bool
	// Added marks a script that joined an instance which was running already:
	// such an instance is not stopped to wait for the first result.
	Added bool
}

// Evaluate returns the effective priority of an instance with a base priority,
// 1 to 255, and the causes for it to be in FAULT, in the order of tracks. A
// script without a result yet is waited for where its weight is zero, and
// counts nothing otherwise. The owner's priority, 255, has no weights.
func Evaluate(base int, tracks []Tracked) (priority uint8, faults []string) {
	contributions := make([]int, 0, len(tracks))
	for _, t := range tracks {
		if t.Weight == 0 {
			if cause := t.fault(); cause != "" {
				faults = append(faults, cause)
			}
			continue
		}
		contributions = append(contributions, t.contribution())
	}
	return vrrp.EffectivePriority(uint8(min(max(base, 1), 255)), contributions...), faults
}

// contribution is what a thing with a weight adds to the priority.
func (t Tracked) contribution() int {
	up := t.Up && t.Known
	if t.Kind == KindScript && !t.Known || up != (t.Weight > 0) {
		return 0
	}
	if t.Reverse {
		return -t.Weight
	}
	return t.Weight
}

// fault is why a thing without a weight keeps the instance in FAULT, or "".
func (t Tracked) fault() string {
	up := t.Up && t.Known
	switch {
	case t.Kind == KindScript && !t.Known:
		if t.Added {
			return ""
		}
		return "waiting for script " + t.Name
	case up != t.Reverse:
		return ""
	case t.Kind == KindScript && up:
		return "script " + t.Name + " succeeded"
	case t.Kind == KindScript:
		return "script " + t.Name + " failed"
	case up:
		return "interface " + t.Name + " up"
	}
	return "interface " + t.Name + " down"
}
