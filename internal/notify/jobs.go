package notify

import (
	"fmt"
	"slices"
	"strconv"
	"time"

	"github.com/tandem-ha/tandem/config"
	"github.com/tandem-ha/tandem/health"
	"github.com/tandem-ha/tandem/internal/journal"
)

// Job is one script to run.
type Job struct {
	// Name says what it is for in logs: "notify_master of instance VI_1".
	Name   string
	Script health.Script
	// Env are variables, "NAME=value", beside those of the process.
	Env []string
	// Patience is how long the jobs behind it wait for its end; zero means the
	// Notifier's own.
	Patience time.Duration
}

// Scripts are the notify scripts of an instance or a sync group, resolved; nil
// is none.
type Scripts struct {
	Master, Backup, Fault, Stop, Deleted *health.Script
	// Any is the script "notify" with its four arguments.
	Any *health.Script
	// MasterRxLower is notify_master_rx_lower_pri.
	MasterRxLower *health.Script
	// TellDeleted is config.Notify's.
	TellDeleted bool
}

// Word is the name under which a state is told: the end of an instance by a
// reload is called FAULT where nobody asked for DELETED.
func (s Scripts) Word(state string) string {
	if state == journal.Deleted && !s.TellDeleted {
		return journal.Fault
	}
	return state
}

// ResolveScripts resolves each script of an instance or a group. One that
// cannot be run is left out and its error returned.
func ResolveScripts(n config.Notify, resolve func(config.Command) (health.Script, error)) (Scripts, []error) {
	s := Scripts{TellDeleted: n.TellDeleted}
	var errs []error
	for _, one := range []struct {
		from *config.Command
		to   **health.Script
	}{
		{n.Master, &s.Master}, {n.Backup, &s.Backup}, {n.Fault, &s.Fault}, {n.Stop, &s.Stop},
		{n.Deleted, &s.Deleted}, {n.Any, &s.Any}, {n.MasterRxLower, &s.MasterRxLower},
	} {
		if one.from == nil {
			continue
		}
		resolved, err := resolve(*one.from)
		if err != nil {
			errs = append(errs, err)
			continue
		}
		*one.to = &resolved
	}
	return s, errs
}

// VRRPJobs returns what is to be run, in order, when an instance or a group
// enters a state: the script of that state, then "notify" with keepalived's
// four arguments. Kind is journal.Instance or journal.Group; the priority that
// a group's script gets is 0. notify_fault is not run for an instance that a
// reload deletes, though "notify" hears of a FAULT.
func VRRPJobs(s Scripts, kind, name, state string, priority int) []Job {
	if kind == journal.Group {
		priority = 0
	}
	var jobs []Job
	if keyword, own := s.of(state); own != nil {
		jobs = append(jobs, job(keyword, kind, name, *own))
	}
	if s.Any != nil && reported(state) {
		jobs = append(jobs, job("notify", kind, name, *s.Any, kind, name, s.Word(state), strconv.Itoa(priority)))
	}
	return jobs
}

// LowerPriorityJobs returns what is to be run when a master has heard a worse
// one.
func LowerPriorityJobs(s Scripts, name string) []Job {
	if s.MasterRxLower == nil {
		return nil
	}
	return []Job{job("notify_master_rx_lower_pri", journal.Instance, name, *s.MasterRxLower)}
}

// ServerJobs returns the run of a real server's or a quorum's script, to which
// nothing is added; none where there is no script. Keyword is notify_up,
// notify_down, quorum_up or quorum_down, and name the server or the service.
func ServerJobs(script *health.Script, keyword, name string) []Job {
	if script == nil {
		return nil
	}
	return []Job{{Name: keyword + " of " + name, Script: *script}}
}

// of returns the script of a state and its keyword.
func (s Scripts) of(state string) (string, *health.Script) {
	switch state {
	case journal.Master:
		return "notify_master", s.Master
	case journal.Backup:
		return "notify_backup", s.Backup
	case journal.Fault:
		return "notify_fault", s.Fault
	case journal.Stop:
		return "notify_stop", s.Stop
	case journal.Deleted:
		return "notify_deleted", s.Deleted
	}
	return "", nil
}

// reported says whether "notify" is run for a state; INIT is none that scripts
// know.
func reported(state string) bool {
	switch state {
	case journal.Master, journal.Backup, journal.Fault, journal.Stop, journal.Deleted:
		return true
	}
	return false
}

func job(keyword, kind, name string, s health.Script, args ...string) Job {
	what := "instance"
	if kind == journal.Group {
		what = "group"
	}
	s.Args = append(slices.Clone(s.Args), args...)
	return Job{Name: fmt.Sprintf("%s of %s %s", keyword, what, name), Script: s}
}
