package config

import "time"

const (
	onlyOneProcess = "tandem is one process"
	noFIFO         = "event FIFOs are not written yet"
	noMail         = "no e-mail is sent yet"
	noSNMP         = "there is no SNMP agent"
	noDBus         = "there is no D-Bus interface"
	noFirewall     = "no firewall rules are made yet"
	noVMAC         = "virtual MAC interfaces are not made yet"
	goScheduling   = "process scheduling is left to the service manager"
)

// rootKeywords are the settings that stand at the top level and are no block of
// VRRP or of health checks.
func rootKeywords() []Keyword {
	return in("", []Keyword{
		row("linkbeat_use_polling", "", "off", "1.1.18", "Polls every interface for its link instead of listening to the kernel.", without("links are followed by netlink")),
		row("net_namespace", "NAME", "none", "1.2.24", "Runs the whole program in the network namespace NAME."),
		row("net_namespace_ipvs", "[NAME]", "net_namespace", "2.1.0", "Names the namespace whose IPVS table is used."),
		row("namespace_with_ipsets", "", "off", "1.3.0", "Permits ipsets together with a namespace.", without(noFirewall)),
		row("use_pid_dir", "", "off", "1.2.24", "Puts the pid files into a folder of their own."),
		row("instance", "NAME", "none", "1.2.24", "Names this process among several on one host; the name goes into file names."),
		row("child_wait_time", "SECS", "5", "2.0.0", "Bounds the wait for child processes at the end.", without(onlyOneProcess)),
		row("global_defs", "{ }", "", "<=0.6.6", "Holds the settings of the program and the defaults of all instances.", does(func(*decoder, *Node) {})),
	})
}

// globalKeywords are the keywords of global_defs.
func globalKeywords() []Keyword {
	return in("global_defs", globalProcess(), globalScripts(), globalMail(), globalVRRP(), globalFirewall(), globalIPVS(), globalFiles())
}

func globalProcess() []Keyword {
	var out []Keyword
	for _, p := range [][2]string{{"vrrp", "VRRP"}, {"checker", "health check"}, {"bfd", "BFD"}} {
		name, what := p[0], p[1]
		since := map[string]string{"vrrp": "1.2.20", "checker": "1.2.20", "bfd": "2.0.0"}[name]
		out = append(out,
			row(name+"_priority", "-20..19", "0", since, "Sets the nice value of the "+what+" process.", without(goScheduling)),
			row(name+"_no_swap", "", "off", since, "Locks the memory of the "+what+" process.", without(goScheduling)),
			row(name+"_rt_priority", "1..99", "unset", "2.0.0", "Runs the "+what+" process in real time with that priority.", without(goScheduling)),
			row(name+"_cpu_affinity", "CPU ...", "none", "2.0.17", "Binds the "+what+" process to CPUs.", without(goScheduling)),
			row(name+"_rlimit_rttime", "USECS", "10000", "2.1.0", "Limits how long the "+what+" process may run in real time without a pause.", without(goScheduling)),
			row(name+"_rlimit_rtime", "USECS", "10000", "2.0.0", "Is the old name of "+name+"_rlimit_rttime.", without(goScheduling), instead(name+"_rlimit_rttime"), silent),
		)
	}
	return append(out,
		row("process_names", "", "off", "2.0.16", "Gives each child process a name of its own.", without(onlyOneProcess)),
		row("process_name", "NAME", "keepalived", "2.0.16", "Names the parent process.", without(onlyOneProcess)),
		row("vrrp_process_name", "NAME", "unset", "2.0.16", "Names the VRRP process.", without(onlyOneProcess)),
		row("checker_process_name", "NAME", "unset", "2.2.0", "Names the health check process.", without(onlyOneProcess)),
		row("lvs_process_name", "NAME", "unset", "2.0.16", "Is the old name of checker_process_name.", without(onlyOneProcess), instead("checker_process_name"), silent),
		row("bfd_process_name", "NAME", "unset", "2.0.16", "Names the BFD process.", without(onlyOneProcess)),
		row("max_auto_priority", "[-1..99]", "0", "2.1.0", "Lets the priority of a process that wakes up late rise up to that value.", without(goScheduling)),
		row("min_auto_priority_delay", "USECS", "1000000", "2.1.0", "Says how late is late for max_auto_priority.", without(goScheduling)),
		row("umask", "NUMBER | BIT|...", "0177", "2.0.9", "Sets the umask for files that the program makes."),
		row("random_seed", "N", "time", "2.0.15", "Seeds the ${_RANDOM} numbers."),
	)
}

func globalScripts() []Keyword {
	return []Keyword{
		row("script_user", "USER [GROUP]", "keepalived_script, else our own", "1.3.0", "Runs every script as that user where it names no other.", does(globalScriptUser)),
		row("enable_script_security", "", "off", "1.3.0", "Refuses scripts that run as root where another user could change them.", does(flagTo(func(d *decoder) *bool { return &d.cfg.Global.ScriptSecurity }))),
		row("use_symlink_paths", "[BOOL]", "false", "2.3.0", "Runs a script by the name given, though it is a symbolic link."),
		row("set_supplementary_groups", "[BOOL]", "false", "post-2.4.3", "Gives a script all groups of its user."),
		row("startup_script", "SCRIPT", "none", "2.1.0", "Is run before anything else starts.", shell),
		row("startup_script_timeout", "1..1000", "10", "2.1.0", "Bounds startup_script."),
		row("shutdown_script", "SCRIPT", "none", "2.1.0", "Is run after everything has stopped.", shell),
		row("shutdown_script_timeout", "1..1000", "10", "2.1.0", "Bounds shutdown_script."),
		row("notify_fifo", "PATH [USER [GROUP]]", "none", "1.3.6", "Receives a line for each event.", without(noFIFO)),
		row("notify_fifo_script", "SCRIPT", "none", "1.3.6", "Is started with the name of notify_fifo, to read it.", shell, without(noFIFO)),
		row("vrrp_notify_fifo", "PATH [USER [GROUP]]", "none", "1.3.6", "Receives a line for each VRRP event.", without(noFIFO)),
		row("vrrp_notify_fifo_script", "SCRIPT", "none", "1.3.6", "Is started with the name of vrrp_notify_fifo, to read it.", shell, without(noFIFO)),
		row("lvs_notify_fifo", "PATH [USER [GROUP]]", "none", "1.3.6", "Receives a line for each event of a server.", without(noFIFO)),
		row("lvs_notify_fifo_script", "SCRIPT", "none", "1.3.6", "Is started with the name of lvs_notify_fifo, to read it.", shell, without(noFIFO)),
		row("vrrp_notify_priority_changes", "[BOOL]", "false", "2.0.16", "Writes changes of priority to the FIFOs.", without(noFIFO)),
		row("fifo_write_vrrp_states_on_reload", "", "off", "2.2.5", "Writes every state to the FIFOs after a reload.", without(noFIFO)),
		row("rs_init_notifies", "[BOOL]", "false", "2.0.0", "Runs notify_up also for servers that come up at the start.", does(boolTo(func(d *decoder) *bool { return &d.cfg.Global.RSInitNotifies }))),
	}
}

func globalMail() []Keyword {
	return []Keyword{
		row("router_id", "NAME", "host name", "1.1.8", "Names this node in messages.", lenient, does(globalRouterID)),
		row("notification_email_from", "ADDRESS", "user@host", "<=0.6.6", "Is the sender of e-mail.", without(noMail)),
		row("smtp_server", "HOST [PORT]", "none", "<=0.6.6", "Is the mail relay.", without(noMail)),
		row("smtp_helo_name", "NAME", "host name", "1.2.20", "Is how the program greets the mail relay.", without(noMail)),
		row("smtp_connect_timeout", "SECS", "30", "<=0.6.6", "Bounds a connection to the mail relay.", without(noMail)),
		row("notification_email", "{ lines }", "none", "<=0.6.6", "Lists who receives e-mail.", without(noMail)),
		row("smtp_alert", "[BOOL]", "unset", "2.0.0", "Is the default of every smtp_alert.", without(noMail)),
		row("smtp_alert_vrrp", "[BOOL]", "smtp_alert", "2.0.0", "Is the default of smtp_alert in instances and groups.", without(noMail)),
		row("smtp_alert_checker", "[BOOL]", "smtp_alert", "2.0.0", "Is the default of smtp_alert in virtual and real servers.", without(noMail)),
		row("no_email_faults", "", "off", "2.0.0", "Sends no e-mail on a FAULT.", without(noMail)),
		row("no_checker_emails", "[BOOL]", "false", "2.0.0", "Sends e-mail only when a server joins or leaves, not for each check.", without(noMail)),
		row("snmp_socket", "SOCKET", "net-snmp's", "1.2.20", "Is the AgentX socket.", without(noSNMP)),
		row("enable_traps", "", "off", "1.2.5", "Sends SNMP traps.", without(noSNMP)),
		row("enable_snmp_vrrp", "", "off", "2.0.0", "Serves the VRRP part of keepalived's MIB.", without(noSNMP)),
		row("enable_snmp_keepalived", "", "off", "1.2.20", "Is the old name of enable_snmp_vrrp.", without(noSNMP), instead("enable_snmp_vrrp"), silent),
		row("enable_snmp_rfc", "", "off", "1.2.20", "Serves the MIBs of RFC 2787 and RFC 6527.", without(noSNMP)),
		row("enable_snmp_rfcv2", "", "off", "1.2.20", "Serves the MIB of RFC 2787.", without(noSNMP)),
		row("enable_snmp_rfcv3", "", "off", "1.2.20", "Serves the MIB of RFC 6527.", without(noSNMP)),
		row("enable_snmp_checker", "", "off", "1.2.20", "Serves the health check part of keepalived's MIB.", without(noSNMP)),
		row("snmp_vs_stats_update_interval", "SECS", "5", "2.3.0", "Says how old a virtual server's figures may be in SNMP.", without(noSNMP)),
		row("snmp_rs_stats_update_interval", "SECS", "0", "2.3.0", "Says how old a real server's figures may be in SNMP.", without(noSNMP)),
		row("enable_dbus", "", "off", "1.3.0", "Serves the D-Bus interface.", without(noDBus)),
		row("dbus_service_name", "NAME", "org.keepalived.Vrrp1", "1.3.7", "Is the name to own on the bus.", without(noDBus)),
		row("dbus_no_interface_name", "NAME", "none", "2.3.0", "Stands in a D-Bus path for a missing interface.", without(noDBus)),
	}
}

func globalVRRP() []Keyword {
	g := func(f func(*globalDraft) *int) func(*decoder) *int {
		return func(d *decoder) *int { return f(&d.global) }
	}
	return []Keyword{
		row("dynamic_interfaces", "[allow_if_changes]", "off", "2.0.0", "Permits interfaces that do not exist, or not yet.", does(globalDynamic)),
		row("default_interface", "IFNAME", "eth0", "1.2.24", "Is the interface of static addresses and routes that name none."),
		row("disable_local_igmp", "", "off", "2.2.0", "Keeps the kernel from reporting link-local groups by IGMP."),
		row("v3_checksum_as_v2", "", "off", "2.2.8", "Leaves the pseudo header out of the checksum of version 3 over IPv4, by default.", does(func(d *decoder, _ *Node) { d.global.checksumV2 = true })),
		row("vrrp_mcast_group4", "IPV4", "224.0.0.18", "1.2.10", "Is the group that IPv4 adverts go to.", does(globalGroup)),
		row("vrrp_mcast_group6", "IPV6", "ff02::12", "1.2.10", "Is the group that IPv6 adverts go to.", does(globalGroup)),
		row("vrrp_garp_master_delay", "SECS", "5", "1.2.20", "Is the default of garp_master_delay.", does(intTo(g(func(g *globalDraft) *int { return &g.garpDelay }), 0, maxSeconds))),
		row("vrrp_garp_master_repeat", "N", "5", "1.2.20", "Is the default of garp_master_repeat.", does(repeatTo(g(func(g *globalDraft) *int { return &g.garpRepeat })))),
		row("vrrp_garp_master_refresh", "SECS", "0", "1.2.20", "Is the default of garp_master_refresh.", does(intTo(g(func(g *globalDraft) *int { return &g.garpRefresh }), 0, maxSeconds))),
		row("vrrp_garp_master_refresh_repeat", "N", "1", "1.2.20", "Is the default of garp_master_refresh_repeat.", does(repeatTo(g(func(g *globalDraft) *int { return &g.garpRefreshRepeat })))),
		row("vrrp_garp_lower_prio_delay", "SECS", "vrrp_garp_master_delay", "1.2.20", "Is the default of garp_lower_prio_delay.", does(intTo(g(func(g *globalDraft) *int { return &g.garpLowerDelay }), 0, maxSeconds))),
		row("vrrp_garp_lower_prio_repeat", "N", "vrrp_garp_master_repeat", "1.2.20", "Is the default of garp_lower_prio_repeat.", does(intTo(g(func(g *globalDraft) *int { return &g.garpLowerRepeat }), 0, maxInt))),
		row("vrrp_down_timer_adverts", "1..100", "3", "2.2.3", "Is the default of down_timer_adverts.", does(intTo(g(func(g *globalDraft) *int { return &g.downTimerAdverts }), 1, 100))),
		row("vrrp_garp_interval", "SECS", "0", "1.2.21", "Is the least time between two gratuitous ARPs on an interface.", does(spacingTo(func(d *decoder) *time.Duration { return &d.cfg.Global.ARPInterval }))),
		row("vrrp_gna_interval", "SECS", "0", "1.2.21", "Is the least time between two unsolicited Neighbour Advertisements on an interface.", does(spacingTo(func(d *decoder) *time.Duration { return &d.cfg.Global.NAInterval }))),
		row("vrrp_min_garp", "[BOOL]", "off", "2.0.12", "Sends one gratuitous ARP and no more, where nothing else has been said before.", does(globalMinGARP)),
		row("vrrp_garp_extra_if", "[all] SECS", "off", "2.2.3", "Announces addresses of virtual MACs on other interfaces too.", without(noVMAC)),
		row("vrrp_vmac_garp_intvl", "[all] SECS", "off", "2.2.0", "Is the old name of vrrp_garp_extra_if.", without(noVMAC), instead("vrrp_garp_extra_if")),
		row("vrrp_lower_prio_no_advert", "[BOOL]", "false", "1.2.20", "Is the default of lower_prio_no_advert.", does(boolTo(func(d *decoder) *bool { return &d.global.lowerPrioNoAdvert }))),
		row("vrrp_higher_prio_send_advert", "[BOOL]", "false", "1.3.5", "Is the default of higher_prio_send_advert.", does(boolTo(func(d *decoder) *bool { return &d.global.higherPrioSendAdvert }))),
		row("vrrp_version", "2|3", "2", "1.2.20", "Is the protocol version of IPv4 instances that name none.", does(intTo(g(func(g *globalDraft) *int { return &g.version }), 2, 3))),
		row("vrrp_check_unicast_src", "", "off", "1.2.20", "Is the default of check_unicast_src.", does(flagTo(func(d *decoder) *bool { return &d.global.checkUnicastSource }))),
		row("vrrp_skip_check_adv_addr", "[BOOL]", "false", "1.2.20", "Is the default of skip_check_adv_addr.", does(boolTo(func(d *decoder) *bool { return &d.global.skipCheckAddresses }))),
		row("vrrp_strict", "[BOOL]", "false", "1.2.20", "Is the default of strict_mode.", does(boolTo(func(d *decoder) *bool { return &d.global.strict }))),
		row("vrrp_owner_ignore_adverts", "[BOOL]", "false", "2.3.3", "Is the default of owner_ignore_adverts.", does(boolTo(func(d *decoder) *bool { return &d.global.ownerIgnoreAdverts }))),
		row("vrrp_startup_delay", "SECS", "0", "2.0.14", "Waits before the instances start.", does(durationTo(func(d *decoder) *time.Duration { return &d.cfg.Global.StartupDelay }, time.Millisecond, maxSeconds*time.Second))),
		row("vrrp_delay_after_boot", "SECS", "0", "2.4.0", "Waits until the host has been up for that long."),
		row("log_unknown_vrids", "", "off", "2.0.16", "Logs adverts of virtual routers that are not configured.", does(flagTo(func(d *decoder) *bool { return &d.cfg.Global.LogUnknownVRIDs }))),
		row("vmac_prefix", "STRING", "vrrp", "2.2.0", "Begins the names of virtual MAC interfaces.", without(noVMAC)),
		row("vmac_addr_prefix", "STRING", "vmac_prefix", "2.2.0", "Begins the names of virtual MAC interfaces of single addresses.", without(noVMAC)),
		row("vrrp_rx_bufs_policy", "MTU|ADVERT|BYTES", "system", "2.0.3", "Says how the receive buffers of VRRP are sized."),
		row("vrrp_rx_bufs_multiplier", "N", "3", "2.0.3", "Multiplies the size that vrrp_rx_bufs_policy gives."),
		row("vrrp_netlink_cmd_rcv_bufs", "BYTES", "system", "2.0.0", "Sizes the buffer of the VRRP process's netlink commands."),
		row("vrrp_netlink_cmd_rcv_bufs_force", "[BOOL]", "false", "2.0.0", "Exceeds the system's limit with it."),
		row("vrrp_netlink_monitor_rcv_bufs", "BYTES", "system", "2.0.0", "Sizes the buffer of the VRRP process's netlink events."),
		row("vrrp_netlink_monitor_rcv_bufs_force", "[BOOL]", "false", "2.0.0", "Exceeds the system's limit with it."),
		row("process_monitor_rcv_bufs", "BYTES", "system", "2.0.11", "Sizes the buffer of process events."),
		row("process_monitor_rcv_bufs_force", "[BOOL]", "false", "2.0.11", "Exceeds the system's limit with it."),
	}
}

func globalFirewall() []Keyword {
	return []Keyword{
		row("vrrp_iptables", "[INCHAIN [OUTCHAIN]]", "not used", "1.2.20", "Uses those iptables chains to drop packets to addresses that are not ours.", without(noFirewall)),
		row("vrrp_ipsets", "[NAME ...]", "keepalived", "1.2.20", "Names the ipsets for vrrp_iptables.", without(noFirewall)),
		row("nftables", "[TABLE]", "keepalived", "2.0.11", "Uses that nftables table to drop packets to addresses that are not ours.", without(noFirewall)),
		row("nftables_priority", "N", "-1", "2.0.11", "Is the priority of the nftables chains.", without(noFirewall)),
		row("nftables_ifindex", "", "off", "2.0.11", "Names interfaces by number in nftables sets.", without(noFirewall)),
		row("nftables_counters", "", "off", "2.0.11", "Counts packets in the nftables rules.", without(noFirewall)),
		row("nftables_ipvs", "[TABLE]", "keepalived_ipvs", "2.2.2", "Marks the packets of virtual server groups by nftables.", without(noFirewall)),
		row("nftables_ipvs_priority", "N", "-1", "2.2.2", "Is the priority of those chains.", without(noFirewall)),
		row("nftables_ipvs_start_fwmark", "N", "1000", "2.2.2", "Is the first of those marks.", without(noFirewall)),
	}
}

func globalIPVS() []Keyword {
	return []Keyword{
		row("checker_log_all_failures", "[BOOL]", "false", "2.0.11", "Is the default of log_all_failures.", does(boolTo(func(d *decoder) *bool { return &d.global.logAllFailures }))),
		row("lvs_timeouts", "[tcp N] [tcpfin N] [udp N]", "kernel", "1.2.24", "Sets the time-outs of IPVS while the program runs."),
		row("lvs_flush", "", "off", "1.2.23", "Empties the IPVS table at the start.", without("tandem leaves services of others alone")),
		row("lvs_flush_on_stop", "[VS]", "off", "2.2.0", "Empties the IPVS table at the end.", without("tandem leaves services of others alone")),
		row("lvs_flush_onstop", "[VS]", "off", "2.0.15", "Is the old name of lvs_flush_on_stop.", without("tandem leaves services of others alone"), instead("lvs_flush_on_stop"), silent),
		row("lvs_sync_daemon", "IFNAME [inst NAME] [id N] [maxlen N] [port N] [ttl N] [group IP]", "none", "1.2.20", "Copies connections to the peer's kernel."),
		row("lvs_netlink_cmd_rcv_bufs", "BYTES", "system", "2.0.0", "Sizes the buffer of the checkers' netlink commands."),
		row("lvs_netlink_cmd_rcv_bufs_force", "[BOOL]", "false", "2.0.0", "Exceeds the system's limit with it."),
		row("lvs_netlink_monitor_rcv_bufs", "BYTES", "system", "2.0.0", "Sizes the buffer of the checkers' netlink events."),
		row("lvs_netlink_monitor_rcv_bufs_force", "[BOOL]", "false", "2.0.0", "Exceeds the system's limit with it."),
	}
}

func globalFiles() []Keyword {
	return []Keyword{
		row("reload_check_config", "[LOGFILE]", "off", "2.2.0", "Tests a new configuration before a reload.", without("tandem tests every configuration before a reload")),
		row("reload_time_file", "PATH", "none", "2.1.0", "Names a file with the time of the next reload."),
		row("reload_repeat", "", "off", "2.1.0", "Reloads at that time every day."),
		row("reload_file", "[PATH]", "off", "2.2.0", "Names a file that exists while the configuration is read."),
		row("include_check", "[[+|-]read|match|wildcard_match|brace_match ...]", "none", "2.2.0", "Says which missing include files are reported.", does(func(*decoder, *Node) {})),
		row("config_save_dir", "DIR", "none", "2.2.3", "Keeps a copy of each configuration that was read."),
		row("tmp_config_directory", "DIR", "memory", "2.2.0", "Holds the joined copy of the configuration.", without("tandem makes no such copy")),
		row("data_use_instance", "[BOOL]", "false", "2.2.3", "Puts the instance's name into the names of dump files."),
		row("json_version", "1|2", "1", "2.2.8", "Is the format of the JSON dump."),
		row("iproute_usr_dir", "PATH", "system", "2.3.2", "Is where iproute2's tables of names are."),
		row("iproute_etc_dir", "PATH", "system", "2.3.2", "Is where iproute2's own tables of names are."),
		row("state_dump_file", "PATH", "in /tmp", "2.3.3", "Is where SIGUSR1 dumps go."),
		row("stats_dump_file", "PATH", "", "2.3.3", "Is where statistics should go.", without("keepalived does not use it either")),
		row("json_dump_file", "PATH", "", "2.3.3", "Is where the JSON dump should go.", without("keepalived does not use it either")),
	}
}
