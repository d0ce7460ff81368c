package plan

import (
	"strings"

	"github.com/tandem-ha/tandem/config"
	"github.com/tandem-ha/tandem/internal/desired"
)

// configuration compares two configurations part by part.
func configuration(old, next *config.Config) []Change {
	out := values("global_defs", old.Global, next.Global)
	out = append(out, values("process", old.Process, next.Process)...)
	out = append(out, values("SSL", old.TLS, next.TLS)...)
	out = append(out, values("tandem", old.Tandem, next.Tandem)...)
	out = append(out, values("static_ipaddress", old.StaticAddresses, next.StaticAddresses)...)
	out = append(out, values("static_routes", old.StaticRoutes, next.StaticRoutes)...)
	out = append(out, values("static_rules", old.StaticRules, next.StaticRules)...)
	out = append(out, values("interface_up_down_delays", old.LinkDelays, next.LinkDelays)...)
	out = append(out, values("linkbeat_interfaces", old.LinkPolls, next.LinkPolls)...)
	out = append(out, values("garp_group", old.GARPGroups, next.GARPGroups)...)
	out = append(out, parts("track_group", old.TrackGroups, next.TrackGroups, func(g *config.TrackGroup) string { return g.Name })...)
	out = append(out, parts("vrrp_script", old.Scripts, next.Scripts, func(s *config.Script) string { return s.Name })...)
	out = append(out, parts("track_file", old.TrackFiles, next.TrackFiles, func(f *config.TrackFile) string { return f.Name })...)
	out = append(out, parts("vrrp_track_process", old.TrackProcesses, next.TrackProcesses, func(p *config.TrackProcess) string { return p.Name })...)
	out = append(out, parts("bfd_instance", old.BFD, next.BFD, func(b *config.BFDSession) string { return b.Name })...)
	out = append(out, parts("sync group", old.SyncGroups, next.SyncGroups, func(g *config.SyncGroup) string { return g.Name })...)
	out = append(out, instances(old, next)...)
	return append(out, parts("virtual server", old.VirtualServers, next.VirtualServers, func(v *config.VirtualServer) string { return v.Name })...)
}

// values compares what there is once.
func values(subject string, was, is any) []Change {
	details := lines(config.Differences(was, is))
	if len(details) == 0 {
		return nil
	}
	return []Change{{Action: Modify, Subject: subject, Details: details}}
}

// parts compares lists of what has a name.
func parts[T any](kind string, old, next []T, name func(T) string) []Change {
	var out []Change
	after := map[string]T{}
	for _, v := range next {
		after[name(v)] = v
	}
	before := map[string]bool{}
	for _, v := range old {
		before[name(v)] = true
		subject := kind + " " + name(v)
		if is, still := after[name(v)]; still {
			out = append(out, values(subject, v, is)...)
		} else {
			out = append(out, Change{Action: Remove, Subject: subject})
		}
	}
	for _, v := range next {
		if !before[name(v)] {
			out = append(out, Change{Action: Add, Subject: kind + " " + name(v)})
		}
	}
	return out
}

// instances compares instances by what they are: one that has another name goes
// on.
func instances(old, next *config.Config) []Change {
	names := map[desired.RouterKey]string{}
	for _, in := range next.Instances {
		names[desired.KeyOf(in)] = in.Name
	}
	var before []*config.Instance
	for _, in := range old.Instances {
		name, stays := names[desired.KeyOf(in)]
		renamed := *in
		switch {
		case stays:
			renamed.Name = name
		case taken(names, in.Name):
			// What it was is gone, though something else has its name.
			renamed.Name += " (as it was)"
		}
		before = append(before, &renamed)
	}
	out := parts("instance", before, next.Instances, func(in *config.Instance) string { return in.Name })
	for i, in := range old.Instances {
		if before[i].Name == in.Name || strings.HasSuffix(before[i].Name, " (as it was)") {
			continue
		}
		out = append(out, Change{Action: Modify, Subject: "instance " + before[i].Name, Details: []string{"name: was " + in.Name}})
	}
	return out
}

func taken(names map[desired.RouterKey]string, name string) bool {
	for _, n := range names {
		if n == name {
			return true
		}
	}
	return false
}

func lines(differences []config.Difference) []string {
	var out []string
	for _, d := range differences {
		if strings.HasSuffix(d.Path, "auth_pass") {
			// Plans are shown to who may read, and kept in logs.
			out = append(out, d.Path+": another")
			continue
		}
		if d.Path == "" {
			d.Path = "all of it"
		}
		out = append(out, d.String())
	}
	return out
}
