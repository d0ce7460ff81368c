package track

import (
	"fmt"
	"strings"

	"github.com/tandem-ha/tandem/vrrp"
)

// Kind is what sort of thing is tracked.
type Kind string

// The kinds.
const (
	KindScript    Kind = "script"
	KindInterface Kind = "interface"
	KindFile      Kind = "file"
	KindProcess   Kind = "process"
	KindBFD       Kind = "bfd"
)

// Tracked is one thing that an instance tracks, and its state now.
type Tracked struct {
	Name string
	Kind Kind
	// Weight is -254 to 254. Zero means that the instance is in FAULT while
	// the thing is down; a positive weight counts while it is up, a negative
	// one while it is down. A file's number is multiplied with it instead.
	Weight int
	// Reverse turns the sign of what is counted, and for weight zero the
	// condition.
	Reverse bool
	// Up is the state; it means nothing where Known is false, which for all
	// but a script is the same as down. A file has none.
	Up    bool
	Known bool
	// Added marks a script that joined an instance which was running already:
	// such an instance is not stopped to wait for the first result.
	Added bool
	// Value is a file's number, and Counted what the file added before its number
	// became a fault: like keepalived it goes on to count.
	Value   int64
	Counted int
}

// fileFault is from where on down a file's weighted number is a fault, fileMost
// the most that it adds.
const (
	fileFault = -254
	fileMost  = 253
)

// Evaluate returns the effective priority of an instance with a base priority,
// 1 to 255, and the causes for it to be in FAULT, in the order of tracks. A
// script without a result yet is waited for where its weight is zero, and
// counts nothing otherwise. The owner's priority, 255, has no weights.
func Evaluate(base int, tracks []Tracked) (priority uint8, faults []string) {
	contributions := make([]int, 0, len(tracks))
	for _, t := range tracks {
		n, fault := t.Effect()
		if fault != "" {
			faults = append(faults, fault)
		}
		contributions = append(contributions, n)
	}
	return vrrp.EffectivePriority(uint8(min(max(base, 1), 255)), contributions...), faults
}

// Explain says what the effective priority is made of: "base 150, script chk -60".
func Explain(base int, tracks []Tracked) string {
	parts := []string{fmt.Sprintf("base %d", base)}
	for _, t := range tracks {
		if n, _ := t.Effect(); n != 0 {
			parts = append(parts, fmt.Sprintf("%s %s %+d", t.Kind, t.Name, n))
		}
	}
	return strings.Join(parts, ", ")
}

// Effect is what the thing adds to the priority, and why it keeps the instance in
// FAULT, if it does.
func (t Tracked) Effect() (add int, fault string) {
	switch {
	case t.Kind == KindFile:
		return t.file()
	case t.Weight == 0:
		return 0, t.fault()
	}
	return t.contribution(), ""
}

// file is the effect of a file: its number times the weight.
func (t Tracked) file() (add int, fault string) {
	if t.Weight == 0 {
		if (t.Value != 0) != t.Reverse {
			fault = fmt.Sprintf("tracked file %s has status %d", t.Name, t.Value)
		}
		return 0, fault
	}
	n := t.Value * int64(t.Weight)
	if t.Reverse {
		n = -n
	}
	if n <= fileFault {
		return t.Counted, fmt.Sprintf("tracked file %s has status %d", t.Name, t.Value)
	}
	return int(min(n, fileMost)), ""
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
	if t.Kind == KindScript && !t.Known {
		if t.Added {
			return ""
		}
		return "waiting for script " + t.Name
	}
	if up != t.Reverse {
		return ""
	}
	words := map[Kind][2]string{
		KindScript:    {"script " + t.Name + " failed", "script " + t.Name + " succeeded"},
		KindInterface: {"interface " + t.Name + " down", "interface " + t.Name + " up"},
		KindProcess:   {"tracked process " + t.Name + " has no quorum", "tracked process " + t.Name + " has its quorum"},
		KindBFD:       {"BFD instance " + t.Name + " down", "BFD instance " + t.Name + " up"},
	}[t.Kind]
	if up {
		return words[1]
	}
	return words[0]
}
