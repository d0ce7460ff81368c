package main

import (
	"fmt"

	"github.com/tandem-ha/tandem/internal/logging"
)

// The reasons for which options of keepalived's are refused. An option that
// does nothing here because there is nothing to be done (one process, no BFD)
// is accepted; one that asks for what tandem cannot do is not.
const (
	noSNMP       = "tandem has no SNMP agent"
	noLogFile    = "keepalived has it only where it was built with --enable-log-file; redirect the standard error of -n -l instead"
	noMonitoring = "tandem does not report address changes yet"
	noMemCheck   = "keepalived has it only in builds that check memory"
	noBuild      = "keepalived has it only in builds for its developers"
	noInternal   = "keepalived uses it for itself, to check a configuration before a reload; tandem always does"
	noPattern    = "tandem does not change kernel.core_pattern; use -m and set the pattern with sysctl"
	noAllConfig  = "tandem does not turn missing include files into errors yet"
)

// text, number and truth make setters for the plain cases.
func text(field func(*settings) *string) func(*settings, string) error {
	return func(s *settings, v string) error {
		*field(s) = v
		return nil
	}
}

func truth(value bool, field func(*settings) *bool) func(*settings, string) error {
	return func(s *settings, _ string) error {
		*field(s) = value
		return nil
	}
}

// nothing is for an option that asks for what is so in any case.
func nothing(*settings, string) error { return nil }

// optionTable lists every option of keepalived, in the order of its usage
// text, and after them tandem's own. Parsing and usage are made from it.
func optionTable() []option {
	table := append(daemonOptions(), fileOptions()...)
	table = append(table, refusedOptions()...)
	return append(append(table, informOptions()...), ownOptions()...)
}

func daemonOptions() []option {
	return []option{
		{short: 'f', long: "use-file", arg: requiredArgument, value: "FILE", help: "use this configuration file (default " + defaultConfig + ")",
			set: text(func(s *settings) *string { return &s.configFile })},
		{short: 'P', long: "vrrp", help: "run VRRP only", set: truth(false, func(s *settings) *bool { return &s.checkers })},
		{short: 'C', long: "check", help: "run virtual servers and health checks only", set: truth(false, func(s *settings) *bool { return &s.vrrp })},
		{short: 'B', long: "no_bfd", help: "run no BFD", set: truth(false, func(s *settings) *bool { return &s.bfd })},
		{long: "all", help: "run every part even with no configuration for it (there is one process)", set: nothing},
		{short: 'l', long: "log-console", help: "with -n: log to standard error", set: truth(true, func(s *settings) *bool { return &s.console })},
		{short: 'D', long: "log-detail", help: "log details; twice for more", set: func(s *settings, _ string) error {
			s.detail++
			return nil
		}},
		{short: 'S', long: "log-facility", arg: requiredArgument, value: "([0-7]|local[0-7]|user|daemon)", help: "syslog facility (default daemon)",
			set: func(s *settings, v string) error {
				f, err := logging.ParseFacility(v)
				if err == nil {
					s.facility = f
				}
				return err
			}},
		{short: 'G', long: "no-syslog", help: "do not log to syslog", set: truth(false, func(s *settings) *bool { return &s.syslog })},
		{short: 'u', long: "umask", arg: requiredArgument, value: "MASK", help: "umask of files that are made (default 0177)",
			set: func(s *settings, v string) error {
				m, err := parseUmask(v)
				if err == nil {
					s.umask, s.umaskGiven = m, true
				}
				return err
			}},
		{short: 'X', long: "release-vips", help: "drop VIPs on a transition (always so)", set: nothing},
		{short: 'V', long: "dont-release-vrrp", help: "leave the VIPs on the interfaces at the stop", set: truth(true, func(s *settings) *bool { return &s.keepVIPs })},
		{short: 'I', long: "dont-release-ipvs", help: "leave the IPVS table at the stop", set: truth(true, func(s *settings) *bool { return &s.keepIPVS })},
		{short: 'R', long: "dont-respawn", help: "do not start child processes again (there are none)", set: nothing},
		{short: 'n', long: "dont-fork", help: "stay in the foreground", set: truth(true, func(s *settings) *bool { return &s.foreground })},
		{short: 'd', long: "dump-conf", help: "write the configuration to the log", set: truth(true, func(s *settings) *bool { return &s.dumpConfig })},
	}
}

func fileOptions() []option {
	return []option{
		{short: 'p', long: "pid", arg: requiredArgument, value: "FILE", help: "pid file of the parent process", set: text(func(s *settings) *string { return &s.pidFile })},
		{short: 'r', long: "vrrp_pid", arg: requiredArgument, value: "FILE", help: "pid file of the VRRP process", set: text(func(s *settings) *string { return &s.vrrpPID })},
		{short: 'c', long: "checkers_pid", arg: requiredArgument, value: "FILE", help: "pid file of the checkers", set: text(func(s *settings) *string { return &s.checkersPID })},
		{short: 'b', long: "bfd_pid", arg: requiredArgument, value: "FILE", help: "pid file of the BFD process", set: text(func(s *settings) *string { return &s.bfdPID })},
		{short: 's', long: "namespace", arg: requiredArgument, value: "NAME", help: "run in this network namespace", set: text(func(s *settings) *string { return &s.namespace })},
		{short: 'm', long: "core-dump", help: "leave a core dump at a crash", set: truth(true, func(s *settings) *bool { return &s.coreDump })},
		{short: 'i', long: "config-id", arg: requiredArgument, value: "ID", help: "use the lines that begin with @ID (default: the host name up to the first dot)",
			set: text(func(s *settings) *string { return &s.configID })},
		{long: "ignore-sigint", help: "do not stop on SIGINT", set: truth(true, func(s *settings) *bool { return &s.ignoreSigint })},
	}
}

func refusedOptions() []option {
	return []option{
		{short: 'g', long: "log-file", arg: optionalArgument, value: "FILE", refuse: noLogFile},
		{long: "flush-log-file", refuse: noLogFile},
		{short: 'a', long: "address-monitoring", refuse: noMonitoring},
		{short: 'x', long: "snmp", refuse: noSNMP},
		{short: 'A', long: "snmp-agent-socket", arg: requiredArgument, value: "FILE", refuse: noSNMP},
		{short: 'M', long: "core-dump-pattern", arg: optionalArgument, value: "PATN", refuse: noPattern},
		{long: "no-mem-check", refuse: noMemCheck},
		{short: 'L', long: "mem-check-log", refuse: noMemCheck},
		{short: 'O', long: "openssl-mem-check", refuse: noMemCheck},
		{short: 'e', long: "all-config", refuse: noAllConfig},
		{long: "config-fd", arg: requiredArgument, value: "FD", refuse: noInternal},
		{long: "perf", arg: optionalArgument, value: "WHEN", refuse: noBuild},
		{long: "debug", arg: optionalArgument, value: "WHAT", refuse: noBuild},
	}
}

func informOptions() []option {
	return []option{
		{short: 'T', long: "genhash", help: "as the first option: be genhash, with the options that follow",
			act: func(p *program, _ string) int { return p.genhash(nil) }},
		{long: "signum", arg: requiredArgument, value: "NAME", help: "print the number of the signal for STOP, RELOAD, DATA, STATS, STATS_CLEAR or JSON",
			act: (*program).signum},
		{short: 't', long: "config-test", arg: optionalArgument, value: "LOG", help: "check the configuration and exit; messages to LOG or standard error",
			set: func(s *settings, v string) error {
				s.test, s.testLog = true, v
				return nil
			}},
		{short: 'v', long: "version", help: "print the version", act: func(p *program, _ string) int {
			fmt.Fprintln(p.stderr, p.versionLine())
			return exitOK
		}},
		{short: 'h', long: "help", help: "print this text", act: func(p *program, _ string) int {
			p.usage()
			return exitOK
		}},
	}
}

func ownOptions() []option {
	return []option{
		{long: "run-dir", arg: requiredArgument, value: "DIR", own: true, help: "folder of the record and the control socket (TANDEM_RUN, default /run/tandem)",
			set: text(func(s *settings) *string { return &s.runDir })},
		{long: "state-dir", arg: requiredArgument, value: "DIR", own: true, help: "folder of what outlives a boot (TANDEM_STATE, default /var/lib/tandem)",
			set: text(func(s *settings) *string { return &s.stateDir })},
		{long: "socket", arg: requiredArgument, value: "PATH", own: true, help: "control socket (TANDEM_SOCKET, default tandem.sock in the run folder)",
			set: text(func(s *settings) *string { return &s.socket })},
	}
}
