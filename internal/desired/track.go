package desired

import (
	"slices"
	"time"

	"github.com/tandem-ha/tandem/config"
	"github.com/tandem-ha/tandem/internal/bfd"
	"github.com/tandem-ha/tandem/internal/track"
)

// Trackers are what decides about an instance's priority and faults.
type Trackers struct {
	Scripts, Interfaces, Files, Processes, BFD []config.Track
}

// TrackersOf gives an instance's trackers: its own, its sync group's, and the
// interfaces of its addresses, routes and rules, unless no_track says otherwise.
// On those it depends whatever weight is given to them elsewhere, as with keepalived:
// what it cannot serve without is a fault, and no lower priority.
func TrackersOf(cfg *config.Config, in *config.Instance) Trackers {
	t := Trackers{
		Scripts: slices.Clone(in.TrackScripts), Interfaces: slices.Clone(in.TrackInterfaces), Files: slices.Clone(in.TrackFiles),
		Processes: slices.Clone(in.TrackProcesses), BFD: slices.Clone(in.TrackBFD),
	}
	for _, g := range cfg.SyncGroups {
		if slices.Contains(g.Members, in.Name) {
			t.Scripts = append(t.Scripts, g.TrackScripts...)
			t.Interfaces = append(t.Interfaces, g.TrackInterfaces...)
			t.Files = append(t.Files, g.TrackFiles...)
			t.Processes = append(t.Processes, g.TrackProcesses...)
			t.BFD = append(t.BFD, g.TrackBFD...)
		}
	}
	own := len(in.TrackInterfaces)
	for _, l := range impliedLinks(cfg, in) {
		switch i := slices.IndexFunc(t.Interfaces, func(t config.Track) bool { return t.Name == l.Name }); {
		case i < 0:
			t.Interfaces = append(t.Interfaces, l)
		case i < own && t.Interfaces[i].Weight == 0: // and it may be in reverse
		default:
			t.Interfaces[i] = l
		}
	}
	return t
}

// ByKind gives the trackers by what they are.
func (t Trackers) ByKind() map[track.Kind][]config.Track {
	return map[track.Kind][]config.Track{
		track.KindScript: t.Scripts, track.KindInterface: t.Interfaces, track.KindFile: t.Files,
		track.KindProcess: t.Processes, track.KindBFD: t.BFD,
	}
}

// TrackedScripts gives the scripts that an instance tracks, or its group. The others are
// not run, as with keepalived.
func TrackedScripts(cfg *config.Config) []*config.Script {
	tracked := map[string]bool{}
	for _, in := range cfg.Instances {
		for _, t := range TrackersOf(cfg, in).Scripts {
			tracked[t.Name] = true
		}
	}
	var out []*config.Script
	for _, s := range cfg.Scripts {
		if tracked[s.Name] {
			out = append(out, s)
		}
	}
	return out
}

// Links names the interfaces on whose state an instance depends, each once.
func Links(in *config.Instance, t Trackers) []string {
	out := []string{in.Interface}
	if own, _ := OwnLink(in); own != "" {
		out = append(out, own)
	}
	for _, i := range t.Interfaces {
		if !slices.Contains(out, i.Name) {
			out = append(out, i.Name)
		}
	}
	return out
}

// Files gives the tracked files.
func Files(cfg *config.Config) []track.FileConfig {
	var out []track.FileConfig
	for _, f := range cfg.TrackFiles {
		out = append(out, track.FileConfig{Name: f.Name, Path: f.Path, Init: f.Init, Overwrite: f.Overwrite, InitValue: f.InitValue})
	}
	return out
}

// Processes gives the processes that are counted.
func Processes(cfg *config.Config) []track.ProcessConfig {
	var out []track.ProcessConfig
	for _, p := range cfg.TrackProcesses {
		out = append(out, track.ProcessConfig{
			Name: p.Name, Process: p.Process, Params: p.Params, FullCommand: p.FullCommand, Match: p.Match,
			Quorum: p.Quorum, QuorumMax: p.QuorumMax, ForkDelay: p.ForkDelay, TerminateDelay: p.TerminateDelay,
		})
	}
	return out
}

// Peerings gives the BFD sessions.
func Peerings(cfg *config.Config) []bfd.Peering {
	var out []bfd.Peering
	for _, b := range cfg.BFD {
		out = append(out, bfd.Peering{
			Config: bfd.Config{
				Name: b.Name, MinRx: b.MinRx, MinTx: b.MinTx, IdleTx: b.IdleTx,
				Multiplier: uint8(b.Multiplier), Passive: b.Passive,
			},
			Neighbour: b.Neighbour, Source: b.Source, TTL: b.TTL, MaxHops: b.MaxHops, Multihop: b.Multihop,
		})
	}
	return out
}

// PolledLinks gives the interfaces whose link is polled: those that are named, and
// with linkbeat_use_polling every one that an instance depends on.
func PolledLinks(cfg *config.Config) []track.BeatConfig {
	var out []track.BeatConfig
	named := map[string]bool{"": true}
	for _, p := range cfg.LinkPolls {
		if !named[p.Interface] {
			named[p.Interface] = true
			out = append(out, track.BeatConfig{Interface: p.Interface, Method: p.Method})
		}
	}
	if !cfg.Process.PollLinks {
		return out
	}
	for _, in := range cfg.Instances {
		for _, name := range Links(in, TrackersOf(cfg, in)) {
			if !named[name] {
				named[name] = true
				out = append(out, track.BeatConfig{Interface: name})
			}
		}
	}
	return out
}

// LinkDelays gives for each interface that has them the delays before a change of
// its link counts. They are cut to what leaves an instance on it time to notice
// before its peers take over: one advert interval less than the master down
// interval.
func LinkDelays(cfg *config.Config) map[string]track.Debounce {
	out := map[string]track.Debounce{}
	for _, l := range cfg.LinkDelays {
		d := track.Debounce{Rise: l.Up, Fall: l.Down}
		for _, in := range cfg.Instances {
			if in.Interface == l.Interface {
				limit := max(0, in.AdvertInterval*time.Duration(in.DownTimerAdverts-1)-in.AdvertInterval/256)
				d.Rise, d.Fall = min(d.Rise, limit), min(d.Fall, limit)
			}
		}
		out[l.Interface] = d
	}
	return out
}
