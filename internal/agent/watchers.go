package agent

import (
	"fmt"
	"strings"
	"time"

	"github.com/tandem-ha/tandem/config"
	"github.com/tandem-ha/tandem/health"
	"github.com/tandem-ha/tandem/internal/bfd"
	"github.com/tandem-ha/tandem/internal/control"
	"github.com/tandem-ha/tandem/internal/desired"
	"github.com/tandem-ha/tandem/internal/journal"
	"github.com/tandem-ha/tandem/internal/track"
)

// watchers are the parts that observe what is tracked. What they see goes to the
// journal, to the elector and to the checks that follow it.
type watchers struct {
	elector *elector
	journal *journal.Journal

	scripts   *track.Monitor
	files     *track.Files
	processes *track.Processes
	linkbeat  *track.Linkbeat
	speaker   *bfd.Speaker

	// fileSources and sessionSources are what checks follow, by name. They are
	// made once and stay, so that a reload loses nothing.
	fileSources, sessionSources sourceSet
	// silent is set where no BFD session runs.
	silent bool
	// begun is set once the files that a configuration asks for have been made.
	begun bool
}

func newWatchers(exec health.Exec, e *elector, j *journal.Journal) *watchers {
	w := &watchers{elector: e, journal: j}
	w.scripts = track.NewMonitor(exec, w.scriptDone)
	w.files = track.NewFiles(w.fileRead)
	w.processes = track.NewProcesses(w.processCounted)
	w.linkbeat = track.NewLinkbeat(func(b track.Beat) {
		e.post(func(now time.Time) { e.linkPolled(now, b) })
	})
	w.speaker = bfd.NewSpeaker(w.sessionChanged)
	e.hurry = w.linkbeat.Hurry
	return w
}

// parts are what looks at the host, each for itself.
func (w *watchers) parts() []part {
	return []part{w.scripts.Run, w.files.Run, w.processes.Run, w.linkbeat.Run, w.speaker.Run}
}

// apply makes cfg the configuration of the parts.
func (w *watchers) apply(cfg *config.Config, scripts []track.ScriptConfig) {
	files := desired.Files(cfg)
	if !w.begun {
		w.begun = true
		for _, f := range files {
			if err := f.Prepare(); err != nil {
				w.journal.Add(journal.Event{Kind: "track", Level: journal.Error, Subject: f.Name, Text: err.Error()})
			}
		}
	}
	w.scripts.Apply(scripts)
	w.files.Apply(files)
	w.processes.Apply(desired.Processes(cfg))
	w.linkbeat.Apply(desired.PolledLinks(cfg))
	for _, b := range cfg.BFD {
		// A session is down until it is up, and checks are told so, as keepalived's are.
		// Of one whose block has no valid neighbour they never hear.
		if s := w.sessionSources.get(b.Name); !known(s) {
			s.Set(0)
		}
	}
	if !w.silent {
		w.speaker.Apply(desired.Peerings(cfg))
	}
}

func known(s *health.Source) bool {
	_, ok := s.Value()
	return ok
}

func (w *watchers) scriptDone(r track.ScriptResult) {
	if r.Text != "" {
		e := journal.Event{Area: journal.VRRP, Kind: "script", Level: r.Level, Subject: r.Name, Text: r.Text}
		if !strings.Contains(r.Text, r.Cause) {
			e.Cause = r.Cause // keepalived's words for a failure have it already
		}
		if r.Changed {
			e.Data = journal.ScriptChange{Name: r.Name, Up: r.Up, Cause: r.Cause}
		}
		w.journal.Add(e)
	}
	if r.Changed {
		w.elector.post(func(now time.Time) { w.elector.scriptDone(now, r) })
	}
}

func (w *watchers) fileRead(r track.FileResult) {
	e := journal.Event{
		Area: journal.VRRP, Kind: "file", Level: journal.Info, Subject: r.Name,
		Text: fmt.Sprintf("tracked file %s has status %d", r.Name, r.Value),
	}
	if r.Err != nil {
		e.Cause = r.Err.Error()
	}
	if r.Changed {
		e.Data = journal.TrackChange{Kind: string(track.KindFile), Name: r.Name, Value: r.Value, Cause: e.Cause}
	} else {
		e.Level, e.Text = journal.Warning, fmt.Sprintf("tracked file %s: %v", r.Name, r.Err)
	}
	w.journal.Add(e)
	if r.Changed {
		w.fileSources.get(r.Name).Set(r.Value)
		w.elector.post(func(now time.Time) { w.elector.fileRead(now, r) })
	}
}

func (w *watchers) processCounted(c track.ProcessChange) {
	e := journal.Event{
		Area: journal.VRRP, Kind: "process", Level: journal.Warning, Subject: c.Name,
		Text:  "Quorum lost for tracked process " + c.Name,
		Cause: fmt.Sprintf("%d running", c.Count),
		Data:  journal.TrackChange{Kind: string(track.KindProcess), Name: c.Name, Up: c.Up, Value: int64(c.Count)},
	}
	if c.Up {
		e.Level, e.Text = journal.Notice, "Quorum gained for tracked process "+c.Name
	}
	if c.First {
		e.Level = journal.Debug
	}
	w.journal.Add(e)
	w.elector.post(func(now time.Time) { w.elector.processCounted(now, c) })
}

func (w *watchers) sessionChanged(ev bfd.Event) {
	if ev.Changed == nil {
		e := journal.Event{Area: journal.VRRP, Kind: "socket", Level: journal.Notice, Subject: ev.Name, Text: "BFD packets can be sent and received again"}
		if ev.Err != nil {
			e.Level, e.Text = journal.Error, ev.Err.Error()
		}
		w.journal.Add(e)
		return
	}
	c, up := *ev.Changed, ev.Changed.To == bfd.Up
	if c.Expired > 0 {
		w.journal.Add(journal.Event{Area: journal.VRRP, Kind: "bfd", Level: journal.Info, Subject: ev.Name,
			Text: fmt.Sprintf("(%s) Expired after %d ms", ev.Name, c.Expired.Milliseconds())})
	}
	e := journal.Event{Area: journal.VRRP, Kind: "bfd", Level: journal.Info, Subject: ev.Name, Text: fmt.Sprintf("(%s) %s", ev.Name, c)}
	if up || c.From == bfd.Up {
		e.Level = journal.Notice
		e.Data = journal.TrackChange{Kind: string(track.KindBFD), Name: ev.Name, Up: up, Cause: c.Diag.String()}
	}
	w.journal.Add(e)
	value := int64(0)
	if up {
		value = 1
	}
	w.sessionSources.get(ev.Name).Set(value)
	w.elector.post(func(now time.Time) { w.elector.sessionChanged(now, ev.Name, c) })
}

// sources are what checks follow.
func (w *watchers) sources() desired.Sources {
	return desired.Sources{File: w.fileSources.get, Session: w.sessionSources.get}
}

// report fills in what the parts know.
func (w *watchers) report(s *control.Status) {
	for _, st := range w.scripts.Status() {
		s.Scripts = append(s.Scripts, control.ScriptStatus{Name: st.Name, State: upOrDown(st.Known, st.Up), Last: st.Last, Since: st.Since, Running: st.Running})
	}
	for _, f := range w.files.Status() {
		s.Files = append(s.Files, control.FileStatus{Name: f.Name, Path: f.Path, Value: f.Value, Since: f.Since, Err: f.Err})
	}
	for _, p := range w.processes.Status() {
		s.Processes = append(s.Processes, control.ProcessStatus{Name: p.Name, State: upOrDown(p.Known, p.Up), Count: p.Count, Since: p.Since})
	}
	for _, b := range w.speaker.Status() {
		s.BFD = append(s.BFD, control.BFDStatus{
			Name: b.Name, Neighbour: b.Neighbour, Source: b.Source, State: b.State.String(), Remote: b.Remote.String(),
			Diag: b.Diag.String(), RemoteDiag: b.RemoteDiag.String(), Since: b.Since, Tx: b.Tx, Detection: b.Detection, Counters: b.Counters,
		})
	}
}
