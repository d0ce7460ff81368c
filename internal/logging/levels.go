package logging

import (
	"strings"
	"sync/atomic"

	"github.com/hashicorp/go-hclog"
)

// Levels is how much all outputs of a logger write. It can be changed while they
// do, by any goroutine.
type Levels struct {
	least atomic.Int32
}

// newLevels begins with what -D, given so often, stands for.
func newLevels(detail int) *Levels {
	l := &Levels{}
	level := hclog.Info
	switch {
	case detail >= 2:
		level = hclog.Trace
	case detail == 1:
		level = hclog.Debug
	}
	l.least.Store(int32(level))
	return l
}

// Get names the least loud messages that are written: trace, debug, info, warning
// or error.
func (l *Levels) Get() string { return levelName(hclog.Level(l.least.Load())) }

// Set takes such a name and returns the one before; of one that is none it takes
// no notice.
func (l *Levels) Set(name string) string {
	level := hclog.LevelFromString(strings.TrimSuffix(name, "ing"))
	if level == hclog.NoLevel {
		return l.Get()
	}
	return levelName(hclog.Level(l.least.Swap(int32(level))))
}

func levelName(l hclog.Level) string {
	if l == hclog.Warn {
		return "warning"
	}
	return l.String()
}

// shows is whether messages of a level are written.
func (l *Levels) shows(level hclog.Level) bool { return level >= hclog.Level(l.least.Load()) }

// levelled is a logger that says, of what would be many messages, whether they would
// be written.
type levelled struct {
	hclog.Logger
	levels *Levels
}

// IsDebug is part of hclog.Logger.
func (l levelled) IsDebug() bool { return l.levels.shows(hclog.Debug) }

// IsTrace is part of hclog.Logger.
func (l levelled) IsTrace() bool { return l.levels.shows(hclog.Trace) }

// gate keeps from a sink what is not to be written.
type gate struct {
	levels *Levels
	next   hclog.SinkAdapter
}

// Accept implements hclog.SinkAdapter.
func (g gate) Accept(name string, level hclog.Level, msg string, args ...any) {
	if g.levels.shows(level) {
		g.next.Accept(name, level, msg, args...)
	}
}
