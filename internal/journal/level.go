package journal

import "fmt"

// Level says how loud an event is in the log.
type Level uint8

// The levels, from what only -D shows to what wakes somebody up.
const (
	Debug Level = iota
	Info
	Notice
	Warning
	Error
)

// levels are the names of the levels.
var levels = [...]string{Debug: "debug", Info: "info", Notice: "notice", Warning: "warning", Error: "error"}

// String is the level's name.
func (l Level) String() string {
	if int(l) < len(levels) {
		return levels[l]
	}
	return fmt.Sprintf("level-%d", uint8(l))
}

// MarshalText is the level's name.
func (l Level) MarshalText() ([]byte, error) { return []byte(l.String()), nil }

// UnmarshalText reads a level's name.
func (l *Level) UnmarshalText(b []byte) error {
	for i, name := range levels {
		if name == string(b) {
			*l = Level(i)
			return nil
		}
	}
	return fmt.Errorf("%q is not one of debug, info, notice, warning, error", b)
}
