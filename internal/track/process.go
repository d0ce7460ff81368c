package track

import (
	"bytes"
	"slices"
	"strings"
	"time"
)

// ProcessConfig is one vrrp_track_process, defaults resolved.
type ProcessConfig struct {
	Name string
	// Process is the name, or with FullCommand the command as its first argument
	// gives it; Params are what follows.
	Process string
	Params  []string
	// FullCommand compares the command line. Match is then how Params are
	// compared: "" not at all, "exact", "initial" where the last may be longer
	// and more may follow, "partial" where more may follow.
	FullCommand bool
	Match       string
	// Quorum is how many have to run; QuorumMax how many may, -1 for any number.
	Quorum, QuorumMax int
	// ForkDelay is the time before a gained quorum counts, TerminateDelay that
	// before a lost one does.
	ForkDelay, TerminateDelay time.Duration
}

// same says whether processes counted for old are those to be counted now.
func (c ProcessConfig) same(old ProcessConfig) bool {
	return c.Name == old.Name && c.Process == old.Process && slices.Equal(c.Params, old.Params) &&
		c.FullCommand == old.FullCommand && c.Match == old.Match
}

// Matches is whether a process is one to count, by the name that the kernel has
// (15 bytes at most) and its command line, a zero byte behind each argument.
func (c ProcessConfig) Matches(name string, cmdline []byte) bool {
	if !c.FullCommand {
		return name == c.Process
	}
	if len(cmdline) == 0 {
		return false // a thread of the kernel, or a process that ends
	}
	command, rest, _ := bytes.Cut(cmdline, []byte{0})
	if string(command) != c.Process {
		return false
	}
	params := ""
	for _, p := range c.Params {
		params += p + "\x00"
	}
	switch c.Match {
	case "exact":
		return string(rest) == params
	case "initial":
		return strings.HasPrefix(string(rest), strings.TrimSuffix(params, "\x00"))
	case "partial":
		return strings.HasPrefix(string(rest), params)
	}
	return true
}

// ProcessChange says that a quorum was gained or lost.
type ProcessChange struct {
	Name string
	Up   bool
	// Count is how many run.
	Count int
	// First is true for what is found at the start.
	First bool
}

// Process decides from how many processes run whether they are enough, and
// neither too many. It is pure.
type Process struct {
	config ProcessConfig
	quorum Debounce
	count  int
	since  time.Time
}

// NewProcess returns a Process that knows of no count yet.
func NewProcess(c ProcessConfig) *Process {
	p := &Process{}
	p.Reconfigure(c)
	return p
}

// Up is whether the quorum is there.
func (p *Process) Up() bool { return p.quorum.Up() }

// Deadline is when Step is wanted though no count has changed, zero for never.
func (p *Process) Deadline() time.Time { return p.quorum.Deadline() }

// Reconfigure takes over a new quorum and new delays, which the next Step judges.
func (p *Process) Reconfigure(c ProcessConfig) {
	p.config = c
	p.quorum.Rise, p.quorum.Fall = c.ForkDelay, c.TerminateDelay
}

// Step takes how many run now and returns the change that follows, if one does. A
// change back before its delay has passed is none.
func (p *Process) Step(now time.Time, count int) (ProcessChange, bool) {
	p.count = count
	first := !p.quorum.Known()
	enough := count >= p.config.Quorum && (p.config.QuorumMax < 0 || count <= p.config.QuorumMax)
	if !p.quorum.Step(now, enough) {
		return ProcessChange{}, false
	}
	p.since = now
	return ProcessChange{Name: p.config.Name, Up: enough, Count: count, First: first}, true
}
