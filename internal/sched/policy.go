package sched

import (
	"slices"
	"time"

	"github.com/tandem-ha/tandem/config"
)

// Policy is how a process is scheduled. The zero Policy leaves everything as
// the process was started.
type Policy struct {
	// Nice is the nice value, -20 to 19; nil leaves it alone.
	Nice *int
	// RealTime is the priority of SCHED_RR, 1 to 99; 0 is no real time.
	RealTime int
	// RealTimeLimit is how long a thread may run in real time without a pause
	// (RLIMIT_RTTIME). It counts with RealTime alone.
	RealTimeLimit time.Duration
	// CPUs are those that the process is bound to; all where it is empty.
	CPUs []int
	// NoSwap keeps the process's memory from being swapped.
	NoSwap bool
}

// Of is the policy of a configuration. keepalived's processes for VRRP, checks
// and BFD are one here, and threads of one process wait for each other, so what
// is asked for one is done for all: of the parts that the configuration has,
// the highest priority in real time and the lowest nice value count, memory is
// locked where one wants it, and the CPUs of all that name any are put together.
func Of(cfg *config.Config) Policy {
	var p Policy
	for _, s := range parts(cfg) {
		if p.Nice == nil || s.Nice < *p.Nice {
			p.Nice = &s.Nice
		}
		if s.RealTime > 0 {
			p.RealTime = max(p.RealTime, s.RealTime)
			p.RealTimeLimit = max(p.RealTimeLimit, s.RealTimeLimit)
		}
		p.NoSwap = p.NoSwap || s.NoSwap
		p.CPUs = append(p.CPUs, s.CPUs...)
	}
	if p.Nice != nil && *p.Nice == 0 {
		p.Nice = nil
	}
	slices.Sort(p.CPUs)
	p.CPUs = slices.Compact(p.CPUs)
	return p
}

// parts are the settings of those of keepalived's processes that it would start
// for cfg.
func parts(cfg *config.Config) []config.Scheduling {
	var out []config.Scheduling
	if len(cfg.Instances) > 0 {
		out = append(out, cfg.Process.VRRP)
	}
	if len(cfg.VirtualServers) > 0 {
		out = append(out, cfg.Process.Checker)
	}
	if len(cfg.BFD) > 0 {
		out = append(out, cfg.Process.BFD)
	}
	return out
}

// Name is the name that a configuration gives the process, "" for none. One
// process stands for keepalived's, so the first of process_name and the names
// of the parts that run counts; process_names alone gives keepalived's own name
// of the first part.
func Name(cfg *config.Config) string {
	if cfg.Process.Name != "" {
		return cfg.Process.Name
	}
	for _, s := range parts(cfg) {
		if s.Name != "" {
			return s.Name
		}
	}
	switch {
	case !cfg.Process.NameAll:
	case len(cfg.Instances) > 0:
		return "keepalived_vrrp"
	case len(cfg.VirtualServers) > 0:
		return "keepalived_lvs"
	case len(cfg.BFD) > 0:
		return "keepalived_bfd"
	}
	return ""
}
