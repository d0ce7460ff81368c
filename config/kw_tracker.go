package config

import "time"

// trackerKeywords are the things that instances and checks track.
func trackerKeywords() []Keyword {
	var out []Keyword
	out = append(out, in("", []Keyword{
		row("vrrp_script", "NAME { }", "", "1.1.13", "Is a script that is run again and again, to be tracked.", does(scriptBlock)),
		row("vrrp_track_process", "NAME { }", "", "2.0.11", "Counts the processes of a kind, to be tracked.", does(processBlock)),
		row("track_file", "NAME { }", "", "2.1.0", "Is a file with a number, to be tracked.", does(fileBlock)),
		row("vrrp_track_file", "NAME { }", "", "2.0.0", "Is the old name of track_file.", instead("track_file"), silent, does(fileBlock)),
		row("bfd_instance", "NAME { }", "", "2.0.0", "Is a BFD session, to be tracked.", does(bfdBlock)),
	})...)
	out = append(out, in("vrrp_script", scriptRows())...)
	out = append(out, in("track_file", fileRows())...)
	out = append(out, in("vrrp_track_file", fileRows())...)
	out = append(out, in("vrrp_track_process", processRows())...)
	return append(out, in("bfd_instance", bfdRows())...)
}

func scriptRows() []Keyword {
	return []Keyword{
		row("script", "SCRIPT", "required", "1.1.13", "Is the command, with its arguments in one pair of quotes.", shell, does(scriptCommand)),
		row("interval", "SECS", "1", "1.1.13", "Is the time between two starts.", does(scriptSeconds("interval", func(s *Script) *time.Duration { return &s.Interval }))),
		row("timeout", "SECS", "interval", "1.2.6", "Is when a run counts as failed and is killed.", does(scriptSeconds("timeout", func(s *Script) *time.Duration { return &s.Timeout }))),
		row("weight", "-253..253 [reverse]", "0", "1.1.13", "Is added to the priority; with 0 a failure is a fault.", does(scriptWeight)),
		row("rise", "N", "1", "1.1.18", "Is how many successes make it up.", does(scriptCount(func(s *Script) *int { return &s.Rise }))),
		row("fall", "N", "1", "1.1.18", "Is how many failures make it down.", does(scriptCount(func(s *Script) *int { return &s.Fall }))),
		row("user", "USER [GROUP]", "script_user", "1.3.0", "Runs the script as that user.", does(scriptUser)),
		row("init_fail", "", "off", "1.3.2", "Counts as failed until it has risen.", does(flagTo(func(d *decoder) *bool { return &d.script.InitFail }))),
	}
}

func fileRows() []Keyword {
	return []Keyword{
		row("file", "PATH", "required", "2.0.0", "Is the file whose number is read.", lenient, does(filePath)),
		row("weight", "-254..254 [reverse]", "1", "2.0.0", "Multiplies the number; with 0 any number but 0 is a fault.", does(fileWeight)),
		row("init_file", "[VALUE] [overwrite]", "none", "2.0.0", "Makes the file at the start.", does(fileInit)),
	}
}

func processRows() []Keyword {
	delay := func(places ...func(*TrackProcess) *time.Duration) option { return does(processDelay(places...)) }
	fork := func(p *TrackProcess) *time.Duration { return &p.ForkDelay }
	end := func(p *TrackProcess) *time.Duration { return &p.TerminateDelay }
	return []Keyword{
		row("process", "NAME [PARAM ...]", "required", "2.0.11", "Is the process to count.", does(processCommand)),
		row("param_match", "[initial|partial]", "exact", "2.0.16", "Is how the parameters are compared.", does(processMatch)),
		row("weight", "-254..254 [reverse]", "0", "2.0.11", "Is added to the priority.", does(processWeight)),
		row("quorum", "1..65535", "1", "2.0.11", "Is how many have to run.", does(intTo(func(d *decoder) *int { return &d.process.Quorum }, 1, 65535))),
		row("quorum_max", "0..65535", "unlimited", "2.0.16", "Is how many may run.", does(intTo(func(d *decoder) *int { return &d.process.QuorumMax }, 0, 65535))),
		row("delay", "SECS", "0", "2.0.11", "Sets fork_delay and terminate_delay.", delay(fork, end)),
		row("terminate_delay", "SECS", "0", "2.0.16", "Waits before the end of a process counts.", delay(end)),
		row("fork_delay", "SECS", "0", "2.0.16", "Waits before the start of a process counts.", delay(fork)),
		row("full_command", "", "off", "2.0.11", "Compares the command line instead of the name.", does(flagTo(func(d *decoder) *bool { return &d.process.FullCommand }))),
	}
}

func bfdRows() []Keyword {
	millis := func(p func(*BFDSession) *time.Duration, minimum int) option {
		return does(bfdMillis(p, minimum))
	}
	ttl := does(intTo(func(d *decoder) *int { return &d.bfd.TTL }, 1, 255))
	neighbour := does(bfdAddress)
	return []Keyword{
		row("source_ip", "IP", "the kernel's choice", "2.0.0", "Is the near end.", does(bfdAddress)),
		row("neighbor_ip", "IP", "required", "2.0.0", "Is the far end.", neighbour),
		row("neighbour_ip", "IP", "required", "2.0.0", "Is another spelling of neighbor_ip.", neighbour),
		row("min_rx", "MSECS", "10", "2.0.0", "Is the least time between received packets.", millis(func(b *BFDSession) *time.Duration { return &b.MinRx }, 1)),
		row("min_tx", "MSECS", "10", "2.0.0", "Is the least time between sent packets.", millis(func(b *BFDSession) *time.Duration { return &b.MinTx }, 1)),
		row("idle_tx", "MSECS", "1000", "2.0.0", "Is the time between packets while down.", millis(func(b *BFDSession) *time.Duration { return &b.IdleTx }, 1000)),
		row("multiplier", "1..255", "5", "2.0.0", "Is how many packets may be missing.", does(intTo(func(d *decoder) *int { return &d.bfd.Multiplier }, 1, 255))),
		row("passive", "", "active", "2.0.0", "Waits for the far end to begin.", does(flagTo(func(d *decoder) *bool { return &d.bfd.Passive }))),
		row("ttl", "1..255", "255", "2.0.0", "Is the TTL of packets.", ttl),
		row("hoplimit", "1..255", "64", "2.0.0", "Is the hop limit of packets.", ttl),
		row("max_hops", "-1..255", "0", "2.0.0", "Is how many hops a packet may have crossed.", does(intTo(func(d *decoder) *int { return &d.bfd.MaxHops }, -1, 255))),
		row("multihop", "[BOOL]", "false", "2.2.8", "Uses the port of RFC 5883.", does(boolTo(func(d *decoder) *bool { return &d.bfd.Multihop }))),
		row("weight", "-253..253 [reverse]", "0", "2.0.0", "Is added to the priority.", does(bfdWeight)),
		row("vrrp", "", "both", "2.0.0", "Tells VRRP only.", does(func(d *decoder, _ *node) { d.bfd.VRRP, d.bfd.both = true, false })),
		row("checker", "", "both", "2.0.0", "Tells the checks only.", does(func(d *decoder, _ *node) { d.bfd.Checker, d.bfd.both = true, false })),
	}
}
