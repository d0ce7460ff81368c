package config

import "time"

const noBFD = "there is no BFD yet"

// trackerKeywords are the things that instances and checks track.
func trackerKeywords() []Keyword {
	fileKeywords := []Keyword{
		row("file", "PATH", "required", "2.0.0", "Is the file whose number is read."),
		row("weight", "-254..254 [reverse]", "1", "2.0.0", "Multiplies the number; with 0 any number but 0 is a fault."),
		row("init_file", "[VALUE] [overwrite]", "none", "2.0.0", "Makes the file at the start."),
	}
	var out []Keyword
	out = append(out, in("", []Keyword{
		row("vrrp_script", "NAME { }", "", "1.1.13", "Is a script that is run again and again, to be tracked.", does(scriptBlock)),
		row("vrrp_track_process", "NAME { }", "", "2.0.11", "Counts the processes of a kind, to be tracked.", without(noTracker)),
		row("track_file", "NAME { }", "", "2.1.0", "Is a file with a number, to be tracked.", without(noTracker)),
		row("vrrp_track_file", "NAME { }", "", "2.0.0", "Is the old name of track_file.", instead("track_file"), silent, without(noTracker)),
		row("bfd_instance", "NAME { }", "", "2.0.0", "Is a BFD session, to be tracked.", without(noBFD)),
	})...)
	out = append(out, in("vrrp_script", scriptRows())...)
	out = append(out, in("track_file", fileKeywords)...)
	out = append(out, in("vrrp_track_file", fileKeywords)...)
	out = append(out, in("vrrp_track_process", []Keyword{
		row("process", "NAME [PARAM ...]", "required", "2.0.11", "Is the process to count."),
		row("param_match", "[initial|partial]", "exact", "2.0.16", "Is how the parameters are compared."),
		row("weight", "-254..254 [reverse]", "0", "2.0.11", "Is added to the priority."),
		row("quorum", "1..65535", "1", "2.0.11", "Is how many have to run."),
		row("quorum_max", "0..65535", "unlimited", "2.0.16", "Is how many may run."),
		row("delay", "SECS", "0", "2.0.11", "Sets fork_delay and terminate_delay."),
		row("terminate_delay", "SECS", "0", "2.0.16", "Waits before the end of a process counts."),
		row("fork_delay", "SECS", "0", "2.0.16", "Waits before the start of a process counts."),
		row("full_command", "", "off", "2.0.11", "Compares the command line instead of the name."),
	})...)
	return append(out, in("bfd_instance", []Keyword{
		row("source_ip", "IP", "the kernel's choice", "2.0.0", "Is the near end."),
		row("neighbor_ip", "IP", "required", "2.0.0", "Is the far end."),
		row("neighbour_ip", "IP", "required", "2.0.0", "Is another spelling of neighbor_ip."),
		row("min_rx", "MSECS", "10", "2.0.0", "Is the least time between received packets."),
		row("min_tx", "MSECS", "10", "2.0.0", "Is the least time between sent packets."),
		row("idle_tx", "MSECS", "1000", "2.0.0", "Is the time between packets while down."),
		row("multiplier", "1..255", "5", "2.0.0", "Is how many packets may be missing."),
		row("passive", "", "active", "2.0.0", "Waits for the far end to begin."),
		row("ttl", "1..255", "255", "2.0.0", "Is the TTL of packets."),
		row("hoplimit", "1..255", "64", "2.0.0", "Is the hop limit of packets."),
		row("max_hops", "-1..255", "0", "2.0.0", "Is how many hops a packet may have crossed."),
		row("multihop", "[BOOL]", "false", "2.2.8", "Uses the port of RFC 5883."),
		row("weight", "-253..253 [reverse]", "0", "2.0.0", "Is added to the priority."),
		row("vrrp", "", "both", "2.0.0", "Tells VRRP only."),
		row("checker", "", "both", "2.0.0", "Tells the checks only."),
	})...)
}

func scriptRows() []Keyword {
	return []Keyword{
		row("script", "SCRIPT", "required", "1.1.13", "Is the command, with its arguments in one pair of quotes.", shell, does(scriptCommand)),
		row("interval", "SECS", "1", "1.1.13", "Is the time between two starts.", does(scriptSeconds("interval", func(s *Script) *time.Duration { return &s.Interval }))),
		row("timeout", "SECS", "interval", "1.2.6", "Is when a run counts as failed and is killed.", does(scriptSeconds("timeout", func(s *Script) *time.Duration { return &s.Timeout }))),
		row("weight", "-253..253 [reverse]", "0", "1.1.13", "Is added to the priority; with 0 a failure is a fault.", does(scriptWeight)),
		row("rise", "N", "1", "1.1.18", "Is how many successes make it up.", does(scriptCount(func(s *Script) *int { return &s.Rise }))),
		row("fall", "N", "1", "1.1.18", "Is how many failures make it down.", does(scriptCount(func(s *Script) *int { return &s.Fall }))),
		row("user", "USER [GROUP]", "script_user", "1.3.0", "Runs the script as that user.", does(func(d *decoder, n *Node) { d.script.Command.User = userOf(n.Words[1:]) })),
		row("init_fail", "", "off", "1.3.2", "Counts as failed until it has risen.", does(flagTo(func(d *decoder) *bool { return &d.script.InitFail }))),
	}
}
