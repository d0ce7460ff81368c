package config

import "time"

const (
	onlyOneProcess = "tandem is one process"
	noSNMP         = "there is no SNMP agent"
	noDBus         = "there is no D-Bus interface"
	noBuffers      = "tandem's buffers have sizes of their own"
)

// maxUint is the greatest number that keepalived reads.
const maxUint = 1<<32 - 1

// rootKeywords are the settings that stand at the top level and are no block of
// VRRP or of health checks.
func rootKeywords() []Keyword {
	return in("", []Keyword{
		row("linkbeat_use_polling", "", "off", "1.1.18", "Polls every interface for its link instead of listening to the kernel.", does(flagTo(func(d *decoder) *bool { return &d.cfg.Process.PollLinks }))),
		row("net_namespace", "NAME", "none", "1.2.24", "Runs the whole program in the network namespace NAME.", lenient, does(processNamespace)),
		row("net_namespace_ipvs", "[NAME]", "net_namespace", "2.1.0", "Names the namespace whose IPVS table is used; it counts from the start on.", does(processNamespaceIPVS)),
		row("namespace_with_ipsets", "", "off", "1.3.0", "Permits ipsets together with a namespace.", without("there are no ipsets: nftables is used in their place"), reads(flagTo(func(d *decoder) *bool { return &d.cfg.Process.IPSetsInNamespace }))),
		row("use_pid_dir", "", "off", "1.2.24", "Puts the pid files into a folder of their own.", does(flagTo(func(d *decoder) *bool { return &d.cfg.Process.PIDFolder }))),
		row("instance", "NAME", "none", "1.2.24", "Names this process among several on one host; the name goes into file names.", lenient, does(processInstance)),
		row("child_wait_time", "SECS", "5", "2.0.0", "Bounds the wait for child processes at the end.", without(onlyOneProcess), reads(wholeSecondsTo(func(d *decoder) *time.Duration { return &d.cfg.Process.ChildWait }, 0, maxUint))),
		row("global_defs", "{ }", "", "<=0.6.6", "Holds the settings of the program and the defaults of all instances.", does(func(*decoder, *node) {})),
	})
}

// globalKeywords are the keywords of global_defs.
func globalKeywords() []Keyword {
	return in("global_defs", globalProcess(), globalScripts(), globalMail(), globalSNMP(), globalVRRP(), globalBuffers(), globalFirewall(), globalIPVS(), globalFiles())
}

// schedulingRows are the rows of one of keepalived's processes.
func schedulingRows(name, what, since string, p func(*Process) *Scheduling) []Keyword {
	at := func(d *decoder) *Scheduling { return p(&d.cfg.Process) }
	limit := does(schedulingLimit(at))
	return []Keyword{
		row(name+"_priority", "-20..19", "0", since, "Sets the nice value of the "+what+" process.", does(intTo(func(d *decoder) *int { return &at(d).Nice }, -20, 19))),
		row(name+"_no_swap", "", "off", since, "Locks the memory of the "+what+" process.", does(flagTo(func(d *decoder) *bool { return &at(d).NoSwap }))),
		row(name+"_rt_priority", "1..99", "unset", "2.0.0", "Runs the "+what+" process in real time with that priority.", does(clampTo(func(d *decoder) *int { return &at(d).RealTime }, 1, 99))),
		row(name+"_cpu_affinity", "CPU ...", "none", "2.0.17", "Binds the "+what+" process to CPUs.", does(schedulingCPUs(at))),
		row(name+"_rlimit_rttime", "USECS", "10000", "2.1.0", "Limits how long the "+what+" process may run in real time without a pause.", limit),
		row(name+"_rlimit_rtime", "USECS", "10000", "2.0.0", "Is the old name of "+name+"_rlimit_rttime.", instead(name+"_rlimit_rttime"), silent, limit),
	}
}

func globalProcess() []Keyword {
	name := func(p func(*Process) *string) option {
		return does(processName(func(d *decoder) *string { return p(&d.cfg.Process) }))
	}
	out := schedulingRows("vrrp", "VRRP", "1.2.20", func(p *Process) *Scheduling { return &p.VRRP })
	out = append(out, schedulingRows("checker", "health check", "1.2.20", func(p *Process) *Scheduling { return &p.Checker })...)
	out = append(out, schedulingRows("bfd", "BFD", "2.0.0", func(p *Process) *Scheduling { return &p.BFD })...)
	return append(out,
		row("process_names", "", "off", "2.0.16", "Gives each child process a name of its own.", does(flagTo(func(d *decoder) *bool { return &d.cfg.Process.NameAll }))),
		row("process_name", "NAME", "keepalived", "2.0.16", "Names the parent process.", name(func(p *Process) *string { return &p.Name })),
		row("vrrp_process_name", "NAME", "unset", "2.0.16", "Names the VRRP process.", name(func(p *Process) *string { return &p.VRRP.Name })),
		row("checker_process_name", "NAME", "unset", "2.2.0", "Names the health check process.", name(func(p *Process) *string { return &p.Checker.Name })),
		row("lvs_process_name", "NAME", "unset", "2.0.16", "Is the old name of checker_process_name.", instead("checker_process_name"), silent, name(func(p *Process) *string { return &p.Checker.Name })),
		row("bfd_process_name", "NAME", "unset", "2.0.16", "Names the BFD process.", name(func(p *Process) *string { return &p.BFD.Name })),
		row("max_auto_priority", "[-1..99]", "0", "2.1.0", "Lets the priority of a process that wakes up late rise up to that value.", does(maxAutoPriority)),
		row("min_auto_priority_delay", "USECS", "1000000", "2.1.0", "Says how late is late for max_auto_priority.", does(autoPriorityDelay)),
		row("umask", "NUMBER | BIT|...", "0177", "2.0.9", "Sets the umask for files that the program makes.", does(processUmask)),
		row("random_seed", "N", "time", "2.0.15", "Seeds the ${_RANDOM} numbers.", does(func(d *decoder, n *node) { d.number(n.Words[1], 0, maxUint) })),
	)
}

func globalScripts() []Keyword {
	global := func(p func(*Global) *bool) func(*decoder, *node) {
		return boolTo(func(d *decoder) *bool { return p(&d.cfg.Global) })
	}
	fifo := func(p func(*FIFOs) **FIFO) option {
		return does(fifoTo(func(d *decoder) **FIFO { return p(&d.cfg.Global.FIFOs) }))
	}
	reader := func(p func(*FIFOs) **FIFO) option {
		return does(fifoScriptTo(func(d *decoder) **FIFO { return p(&d.cfg.Global.FIFOs) }))
	}
	all := func(f *FIFOs) **FIFO { return &f.All }
	vrrp := func(f *FIFOs) **FIFO { return &f.VRRP }
	lvs := func(f *FIFOs) **FIFO { return &f.LVS }
	return []Keyword{
		row("script_user", "USER [GROUP]", "keepalived_script, else our own", "1.3.0", "Runs every script as that user where it names no other.", does(globalScriptUser)),
		row("enable_script_security", "", "off", "1.3.0", "Refuses scripts that run as root where another user could change them.", does(flagTo(func(d *decoder) *bool { return &d.cfg.Global.ScriptSecurity }))),
		row("use_symlink_paths", "[BOOL]", "false", "2.3.0", "Runs a script by the name given, though it is a symbolic link.", without("scripts are run by the name given, link or not, as if it were set and as 2.2.7 does"), reads(global(func(g *Global) *bool { return &g.SymlinkPaths }))),
		row("set_supplementary_groups", "[BOOL]", "false", "post-2.4.3", "Gives a script all groups of its user.", does(global(func(g *Global) *bool { return &g.SupplementaryGroups }))),
		row("startup_script", "SCRIPT", "none", "2.1.0", "Is run before anything else starts.", shell, does(timedScriptTo(func(g *Global) **TimedCommand { return &g.Startup }))),
		row("startup_script_timeout", "1..1000", "10", "2.1.0", "Bounds startup_script.", does(wholeSecondsTo(func(d *decoder) *time.Duration { return &d.global.startupTimeout }, 1, 1000))),
		row("shutdown_script", "SCRIPT", "none", "2.1.0", "Is run after everything has stopped.", shell, does(timedScriptTo(func(g *Global) **TimedCommand { return &g.Shutdown }))),
		row("shutdown_script_timeout", "1..1000", "10", "2.1.0", "Bounds shutdown_script.", does(wholeSecondsTo(func(d *decoder) *time.Duration { return &d.global.shutdownTimeout }, 1, 1000))),
		row("notify_fifo", "PATH [USER [GROUP]]", "none", "1.3.6", "Receives a line for each event.", lenient, fifo(all)),
		row("notify_fifo_script", "SCRIPT", "none", "1.3.6", "Is started with the name of notify_fifo, to read it.", shell, lenient, reader(all)),
		row("vrrp_notify_fifo", "PATH [USER [GROUP]]", "none", "1.3.6", "Receives a line for each VRRP event.", lenient, fifo(vrrp)),
		row("vrrp_notify_fifo_script", "SCRIPT", "none", "1.3.6", "Is started with the name of vrrp_notify_fifo, to read it.", shell, lenient, reader(vrrp)),
		row("lvs_notify_fifo", "PATH [USER [GROUP]]", "none", "1.3.6", "Receives a line for each event of a server.", lenient, fifo(lvs)),
		row("lvs_notify_fifo_script", "SCRIPT", "none", "1.3.6", "Is started with the name of lvs_notify_fifo, to read it.", shell, lenient, reader(lvs)),
		row("vrrp_notify_priority_changes", "[BOOL]", "false", "2.0.16", "Writes changes of priority to the FIFOs.", does(boolTo(func(d *decoder) *bool { return &d.global.notifyPriorityChanges }))),
		row("fifo_write_vrrp_states_on_reload", "", "off", "2.2.5", "Writes every state to the FIFOs after a reload.", does(flagTo(func(d *decoder) *bool { return &d.cfg.Global.FIFOs.StatesOnReload }))),
		row("rs_init_notifies", "[BOOL]", "false", "2.0.0", "Runs notify_up also for servers that come up at the start.", does(global(func(g *Global) *bool { return &g.RSInitNotifies }))),
	}
}

func globalMail() []Keyword {
	alert := func(p func(*globalDraft) **bool) option {
		return does(optBoolTo(func(d *decoder) **bool { return p(&d.global) }))
	}
	return []Keyword{
		row("router_id", "NAME", "host name", "1.1.8", "Names this node in messages.", lenient, does(globalRouterID)),
		row("notification_email_from", "ADDRESS", "user@host", "<=0.6.6", "Is the sender of e-mail.", lenient, does(mailFrom)),
		row("smtp_server", "HOST [PORT]", "none", "<=0.6.6", "Is the mail relay.", does(mailServer)),
		row("smtp_helo_name", "NAME", "host name", "1.2.20", "Is how the program greets the mail relay.", lenient, does(mailHELO)),
		row("smtp_connect_timeout", "SECS", "30", "<=0.6.6", "Bounds a connection to the mail relay.", does(mailTimeout)),
		row("notification_email", "{ lines }", "none", "<=0.6.6", "Lists who receives e-mail.", does(mailRecipients)),
		row("smtp_alert", "[BOOL]", "unset", "2.0.0", "Is the default of every smtp_alert.", alert(func(g *globalDraft) **bool { return &g.alert })),
		row("smtp_alert_vrrp", "[BOOL]", "smtp_alert", "2.0.0", "Is the default of smtp_alert in instances and groups.", alert(func(g *globalDraft) **bool { return &g.alertVRRP })),
		row("smtp_alert_checker", "[BOOL]", "smtp_alert", "2.0.0", "Is the default of smtp_alert in virtual and real servers.", alert(func(g *globalDraft) **bool { return &g.alertChecker })),
		row("no_email_faults", "", "off", "2.0.0", "Sends no e-mail on a FAULT.", does(flagTo(func(d *decoder) *bool { return &d.cfg.Global.Mail.NoFaults }))),
		row("no_checker_emails", "[BOOL]", "false", "2.0.0", "Sends e-mail only when a server joins or leaves, not for each check.", does(boolTo(func(d *decoder) *bool { return &d.cfg.Global.Mail.ServersOnly }))),
	}
}

func globalSNMP() []Keyword {
	on := func(places ...func(*SNMP) *bool) option {
		return reads(func(d *decoder, _ *node) {
			for _, p := range places {
				*p(&d.cfg.Global.SNMP) = true
			}
		})
	}
	age := func(p func(*SNMP) *time.Duration) option {
		return reads(durationTo(func(d *decoder) *time.Duration { return p(&d.cfg.Global.SNMP) }, time.Millisecond, 30*time.Second))
	}
	vrrp := func(s *SNMP) *bool { return &s.VRRP }
	v2, v3 := func(s *SNMP) *bool { return &s.RFCv2 }, func(s *SNMP) *bool { return &s.RFCv3 }
	no, noBus := without(noSNMP), without(noDBus)
	return []Keyword{
		row("snmp_socket", "SOCKET", "net-snmp's", "1.2.20", "Is the AgentX socket.", no, reads(snmpSocket)),
		row("enable_traps", "", "off", "1.2.5", "Sends SNMP traps.", no, on(func(s *SNMP) *bool { return &s.Traps })),
		row("enable_snmp_vrrp", "", "off", "2.0.0", "Serves the VRRP part of keepalived's MIB.", no, on(vrrp)),
		row("enable_snmp_keepalived", "", "off", "1.2.20", "Is the old name of enable_snmp_vrrp.", no, instead("enable_snmp_vrrp"), silent, on(vrrp)),
		row("enable_snmp_rfc", "", "off", "1.2.20", "Serves the MIBs of RFC 2787 and RFC 6527.", no, on(v2, v3)),
		row("enable_snmp_rfcv2", "", "off", "1.2.20", "Serves the MIB of RFC 2787.", no, on(v2)),
		row("enable_snmp_rfcv3", "", "off", "1.2.20", "Serves the MIB of RFC 6527.", no, on(v3)),
		row("enable_snmp_checker", "", "off", "1.2.20", "Serves the health check part of keepalived's MIB.", no, on(func(s *SNMP) *bool { return &s.Checker })),
		row("snmp_vs_stats_update_interval", "0.001..30", "5", "2.3.0", "Says how old a virtual server's figures may be in SNMP.", no, age(func(s *SNMP) *time.Duration { return &s.ServiceAge })),
		row("snmp_rs_stats_update_interval", "0.001..30", "0", "2.3.0", "Says how old a real server's figures may be in SNMP.", no, age(func(s *SNMP) *time.Duration { return &s.ServerAge })),
		row("enable_dbus", "", "off", "1.3.0", "Serves the D-Bus interface.", noBus, reads(flagTo(func(d *decoder) *bool { return &d.cfg.Global.DBus.Enabled }))),
		row("dbus_service_name", "NAME", "org.keepalived.Vrrp1", "1.3.7", "Is the name to own on the bus.", noBus, lenient, reads(stringTo(func(d *decoder) *string { return &d.cfg.Global.DBus.Service }))),
		row("dbus_no_interface_name", "NAME", "none", "2.3.0", "Stands in a D-Bus path for a missing interface.", noBus, reads(stringTo(func(d *decoder) *string { return &d.cfg.Global.DBus.NoInterface }))),
	}
}
