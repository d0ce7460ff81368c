package agent

import (
	"fmt"
	"strconv"
	"time"

	"github.com/tandem-ha/tandem/config"
	"github.com/tandem-ha/tandem/internal/bfd"
	"github.com/tandem-ha/tandem/internal/control"
	"github.com/tandem-ha/tandem/internal/desired"
	"github.com/tandem-ha/tandem/internal/journal"
	"github.com/tandem-ha/tandem/internal/track"
)

// observed is what the elector has been told of the things that instances track.
// It belongs to the loop.
type observed struct {
	// scripts, processes and sessions are up or not, once that is known.
	scripts, processes, sessions map[string]bool
	files                        map[string]int64
	filters                      map[string]*linkFilter
}

func newObserved() observed {
	return observed{
		scripts: map[string]bool{}, processes: map[string]bool{}, sessions: map[string]bool{},
		files: map[string]int64{}, filters: map[string]*linkFilter{},
	}
}

// linkFilter stands between what is seen of a link and what counts.
type linkFilter struct {
	track.Debounce
	// netlink is what the kernel says, beat what the poll does once there is one.
	netlink, beat bool
	polled, asked bool
	timer         *time.Timer
}

// evaluate asks the trackers; waiting is true while a script that decides about
// FAULT has not run yet.
func (e *elector) evaluate(in *instance) (priority uint8, faults []string, waiting bool) {
	tracked := e.tracked(in)
	for _, t := range tracked {
		waiting = waiting || t.Kind == track.KindScript && t.Weight == 0 && !t.Known
		if t.Kind == track.KindFile {
			in.counted[t.Name], _ = t.Effect()
		}
	}
	priority, faults = track.Evaluate(in.conf.Priority, tracked)
	return priority, faults, waiting
}

// tracked is what an instance tracks, as it stands.
func (e *elector) tracked(in *instance) []track.Tracked {
	var out []track.Tracked
	add := func(kind track.Kind, list []config.Track, state func(name string) (up, known bool)) {
		for _, t := range list {
			up, known := state(t.Name)
			out = append(out, track.Tracked{Kind: kind, Name: t.Name, Weight: t.Weight, Reverse: t.Reverse,
				Up: up, Known: known, Added: in.started, Value: e.observed.files[t.Name], Counted: in.counted[t.Name]})
		}
	}
	mapped := func(m map[string]bool) func(string) (bool, bool) {
		return func(name string) (bool, bool) { up, known := m[name]; return up, known }
	}
	add(track.KindScript, in.trackers.Scripts, mapped(e.observed.scripts))
	add(track.KindInterface, in.trackers.Interfaces, func(name string) (bool, bool) {
		link, known := e.links[name]
		return known && link.Up, true
	})
	add(track.KindFile, in.trackers.Files, func(string) (bool, bool) { return true, true })
	add(track.KindProcess, in.trackers.Processes, mapped(e.observed.processes))
	add(track.KindBFD, in.trackers.BFD, mapped(e.observed.sessions))
	return out
}

// trackStatus is what an instance tracks, for people and programs.
func (e *elector) trackStatus(in *instance) []control.TrackStatus {
	var out []control.TrackStatus
	for _, t := range e.tracked(in) {
		s := control.TrackStatus{Kind: string(t.Kind), Name: t.Name, Weight: t.Weight, Reverse: t.Reverse, State: upOrDown(t.Known, t.Up)}
		if t.Kind == track.KindFile {
			s.State = strconv.FormatInt(t.Value, 10)
		}
		s.Adds, s.Fault = t.Effect()
		out = append(out, s)
	}
	return out
}

func upOrDown(known, up bool) string {
	switch {
	case known && up:
		return "up"
	case known:
		return "down"
	}
	return "unknown"
}

// scriptDone follows a tracked script.
func (e *elector) scriptDone(now time.Time, r track.ScriptResult) {
	e.observed.scripts[r.Name] = r.Up
	e.refresh(now, e.index.byTrack[trackKey{track.KindScript, r.Name}])
}

// fileRead follows a tracked file, and tells which instances it puts into FAULT.
func (e *elector) fileRead(now time.Time, r track.FileResult) {
	old := e.observed.files[r.Name]
	e.observed.files[r.Name] = r.Value
	list := e.index.byTrack[trackKey{track.KindFile, r.Name}]
	for _, in := range list {
		for _, t := range e.tracked(in) {
			if t.Kind != track.KindFile || t.Name != r.Name {
				continue
			}
			_, is := t.Effect()
			t.Value = old
			_, was := t.Effect()
			switch {
			case was == "" && is != "":
				e.tell(in, journal.Warning, fmt.Sprintf("(%s): tracked file %s now FAULT state", in.conf.Name, r.Name), is)
			case was != "" && is == "":
				e.tell(in, journal.Notice, fmt.Sprintf("(%s): tracked file %s leaving FAULT state", in.conf.Name, r.Name), "")
			}
		}
	}
	e.refresh(now, list)
}

// processCounted follows a tracked process.
func (e *elector) processCounted(now time.Time, c track.ProcessChange) {
	e.observed.processes[c.Name] = c.Up
	e.refresh(now, e.index.byTrack[trackKey{track.KindProcess, c.Name}])
}

// sessionChanged follows a BFD session.
func (e *elector) sessionChanged(now time.Time, name string, c bfd.Changed) {
	up := c.To == bfd.Up
	if e.observed.sessions[name] == up {
		return
	}
	e.observed.sessions[name] = up
	list := e.index.byTrack[trackKey{track.KindBFD, name}]
	for _, in := range list {
		state, level := "DOWN", journal.Warning
		if up {
			state, level = "UP", journal.Notice
		}
		e.tell(in, level, fmt.Sprintf("VRRP_Instance(%s) Tracked BFD instance %s is %s", in.conf.Name, name, state), c.Diag.String())
	}
	e.refresh(now, list)
}

func (e *elector) tell(in *instance, level journal.Level, text, cause string) {
	e.journal.Add(journal.Event{Area: journal.VRRP, Kind: "track", Level: level, Subject: in.conf.Name, Text: text, Cause: cause})
}

// filterLinks puts delays and polling of a configuration in force.
func (e *elector) filterLinks(now time.Time, cfg *config.Config) {
	delays := desired.LinkDelays(cfg)
	polled := map[string]bool{}
	for _, p := range desired.PolledLinks(cfg) {
		polled[p.Interface] = true
		if _, ok := delays[p.Interface]; !ok {
			delays[p.Interface] = track.Debounce{}
		}
	}
	for name, f := range e.observed.filters {
		if _, stays := delays[name]; !stays {
			f.stop()
			delete(e.observed.filters, name)
			e.setLink(now, name, f.netlink)
		}
	}
	for name, d := range delays {
		f := e.observed.filters[name]
		if f == nil {
			f = &linkFilter{}
			e.observed.filters[name] = f
			if link, ok := e.links[name]; ok {
				f.netlink = link.Up
				f.Step(now, link.Up)
			}
		}
		f.Rise, f.Fall = d.Rise, d.Fall
		if f.polled = polled[name]; !f.polled {
			f.asked = false
		}
		if _, ok := e.links[name]; ok {
			e.setLink(now, name, e.pass(now, name, f))
		}
	}
}

func (f *linkFilter) stop() {
	if f.timer != nil {
		f.timer.Stop()
	}
}

// pass puts what is seen of a link through its filter, and returns what counts.
func (e *elector) pass(now time.Time, name string, f *linkFilter) bool {
	seen := f.netlink
	if f.polled && f.asked {
		seen = f.beat
	}
	f.Step(now, seen)
	f.stop()
	if d := f.Deadline(); !d.IsZero() {
		f.timer = time.AfterFunc(d.Sub(now), func() {
			e.post(func(now time.Time) {
				if e.observed.filters[name] == f {
					e.setLink(now, name, e.pass(now, name, f))
				}
			})
		})
	}
	return f.Up()
}

// linkSeen takes what the kernel says of a link and returns what counts.
func (e *elector) linkSeen(now time.Time, name string, up bool) bool {
	f := e.observed.filters[name]
	if f == nil {
		return up
	}
	f.netlink = up
	if f.polled {
		e.hurry()
	}
	return e.pass(now, name, f)
}

// linkPolled takes what a poll says of a link.
func (e *elector) linkPolled(now time.Time, b track.Beat) {
	f := e.observed.filters[b.Interface]
	if f == nil || !f.polled {
		return
	}
	f.beat, f.asked = b.Up, true
	if _, there := e.links[b.Interface]; there {
		e.setLink(now, b.Interface, e.pass(now, b.Interface, f))
	}
}

// linkGone forgets a link: the next one of its name counts as it is found.
func (e *elector) linkGone(name string) {
	if f := e.observed.filters[name]; f != nil {
		f.stop()
		f.Debounce = track.Debounce{Rise: f.Rise, Fall: f.Fall}
	}
}

// setLink makes a link up or down for all that depends on it.
func (e *elector) setLink(now time.Time, name string, up bool) {
	link, ok := e.links[name]
	if !ok || link.Up == up {
		return
	}
	link.Up = up
	e.links[name] = link
	e.journal.Add(linkEvent(name, up))
	e.refresh(now, e.index.byLink[name])
	e.refresh(now, e.index.byLink[""])
}
