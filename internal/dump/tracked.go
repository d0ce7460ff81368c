package dump

import (
	"github.com/tandem-ha/tandem/config"
	"github.com/tandem-ha/tandem/internal/control"
)

// scripts are the tracking scripts and what they said last. Status and State
// are what monitoring reads: GOOD or BAD, idle or running.
func (p *page) scripts(s control.Status) {
	if len(s.Scripts) == 0 {
		return
	}
	p.section("VRRP Scripts")
	for _, t := range s.Scripts {
		p.line(1, "VRRP Script = %s", t.Name)
		if c := scriptConfig(s.Config, t.Name); c != nil {
			p.line(3, "Command = %s", commandLine(&c.Command))
			p.line(3, "Interval = %s", keepalivedSeconds(c.Interval))
			p.line(3, "Timeout = %s", keepalivedSeconds(c.Timeout))
			p.line(3, "Weight = %d%s", c.Weight, reverse(c.Reverse))
			p.line(3, "Rise = %d", c.Rise)
			p.line(3, "Fall = %d", c.Fall)
		}
		p.line(3, "Status = %s", scriptWord(t.State))
		if t.Last != "" {
			p.line(3, "Last = %s", t.Last)
		}
		p.tracking(s.Config, t.Name, ",", func(in *config.Instance) []config.Track { return in.TrackScripts })
		p.line(3, "State = %s", runWord(t.Running))
	}
}

// scriptWord is keepalived's word for the result of a script, which counts as
// good before there is one.
func scriptWord(state string) string {
	if state == "down" {
		return "BAD"
	}
	return "GOOD"
}

func runWord(running bool) string {
	if running {
		return "running"
	}
	return "idle"
}

// tracking lists the instances that track something.
func (p *page) tracking(c *config.Config, name, separator string, of func(*config.Instance) []config.Track) {
	p.line(3, "Tracking instances :")
	if c == nil {
		return
	}
	for _, in := range c.Instances {
		for _, t := range of(in) {
			if t.Name == name {
				p.line(5, "%s%s weight %d%s", in.Name, separator, t.Weight, reverse(t.Reverse))
			}
		}
	}
}

// trackers are the files, processes and sessions that are tracked.
func (p *page) trackers(s control.Status) {
	if len(s.Files) > 0 {
		p.section("VRRP Track files")
	}
	for _, f := range s.Files {
		p.line(1, "Track file = %s", f.Name)
		p.line(3, "File = %s", f.Path)
		p.line(3, "Status = %d", f.Value)
		p.tracking(s.Config, f.Name, ",", func(in *config.Instance) []config.Track { return in.TrackFiles })
	}
	if len(s.Processes) > 0 {
		p.section("VRRP Track processes")
	}
	for _, t := range s.Processes {
		p.line(1, "VRRP Track process = %s", t.Name)
		if c := processConfig(s.Config, t.Name); c != nil {
			p.line(3, "Process = %s", c.Process)
			p.line(3, "Min processes = %d", c.Quorum)
			if c.QuorumMax >= 0 {
				p.line(3, "Max processes = %d", c.QuorumMax)
			}
		}
		p.line(3, "Current processes = %d", t.Count)
		p.line(3, "Have quorum = %t", t.State == "up")
		if c := processConfig(s.Config, t.Name); c != nil {
			p.line(3, "Weight = %d%s", c.Weight, reverse(c.Reverse))
			p.line(3, "Terminate delay = %.6fs", c.TerminateDelay.Seconds())
			p.line(3, "Fork delay = %.6fs", c.ForkDelay.Seconds())
			p.line(3, "Full command = %t", c.FullCommand)
		}
		p.tracking(s.Config, t.Name, ",", func(in *config.Instance) []config.Track { return in.TrackProcesses })
	}
	if len(s.BFD) > 0 {
		p.section("VRRP Track BFDs")
	}
	for _, b := range s.BFD {
		p.line(1, "VRRP Track BFD = %s", b.Name)
		p.line(3, "Bfd is %s", upDown(b.State == "Up"))
		p.tracking(s.Config, b.Name, ",", func(in *config.Instance) []config.Track { return in.TrackBFD })
	}
}

// scriptConfig is the vrrp_script of that name, or nil.
func scriptConfig(c *config.Config, name string) *config.Script {
	if c == nil {
		return nil
	}
	for _, s := range c.Scripts {
		if s.Name == name {
			return s
		}
	}
	return nil
}

// processConfig is the vrrp_track_process of that name, or nil.
func processConfig(c *config.Config, name string) *config.TrackProcess {
	if c == nil {
		return nil
	}
	for _, t := range c.TrackProcesses {
		if t.Name == name {
			return t
		}
	}
	return nil
}
