package config

import "time"

func globalVRRP() []Keyword {
	g := func(f func(*globalDraft) *int) func(*decoder) *int {
		return func(d *decoder) *int { return f(&d.global) }
	}
	return []Keyword{
		row("dynamic_interfaces", "[allow_if_changes]", "off", "2.0.0", "Permits interfaces that do not exist, or not yet.", does(globalDynamic)),
		row("default_interface", "IFNAME", "eth0", "1.2.24", "Is the interface of static addresses and routes that name none.", does(stringTo(func(d *decoder) *string { return &d.cfg.Global.DefaultInterface }))),
		row("disable_local_igmp", "", "off", "2.2.0", "Keeps the kernel from reporting link-local groups by IGMP.", does(flagTo(func(d *decoder) *bool { return &d.cfg.Global.NoLocalIGMP }))),
		row("v3_checksum_as_v2", "", "off", "2.2.8", "Leaves the pseudo header out of the checksum of version 3 over IPv4, by default.", does(func(d *decoder, _ *node) { d.global.checksumV2 = true })),
		row("vrrp_mcast_group4", "IPV4", "224.0.0.18", "1.2.10", "Is the group that IPv4 adverts go to.", does(globalGroup)),
		row("vrrp_mcast_group6", "IPV6", "ff02::12", "1.2.10", "Is the group that IPv6 adverts go to.", does(globalGroup)),
		row("vrrp_garp_master_delay", "SECS", "5", "1.2.20", "Is the default of garp_master_delay.", does(intTo(g(func(g *globalDraft) *int { return &g.garpDelay }), 0, maxTimerSeconds))),
		row("vrrp_garp_master_repeat", "N", "5", "1.2.20", "Is the default of garp_master_repeat.", does(repeatTo(g(func(g *globalDraft) *int { return &g.garpRepeat })))),
		row("vrrp_garp_master_refresh", "SECS", "0", "1.2.20", "Is the default of garp_master_refresh.", does(intTo(g(func(g *globalDraft) *int { return &g.garpRefresh }), 0, maxUint))),
		row("vrrp_garp_master_refresh_repeat", "N", "1", "1.2.20", "Is the default of garp_master_refresh_repeat.", does(repeatTo(g(func(g *globalDraft) *int { return &g.garpRefreshRepeat })))),
		row("vrrp_garp_lower_prio_delay", "SECS", "vrrp_garp_master_delay", "1.2.20", "Is the default of garp_lower_prio_delay.", does(intTo(g(func(g *globalDraft) *int { return &g.garpLowerDelay }), 0, maxTimerSeconds))),
		row("vrrp_garp_lower_prio_repeat", "N", "vrrp_garp_master_repeat", "1.2.20", "Is the default of garp_lower_prio_repeat.", does(intTo(g(func(g *globalDraft) *int { return &g.garpLowerRepeat }), 0, maxInt))),
		row("vrrp_down_timer_adverts", "1..100", "3", "2.2.3", "Is the default of down_timer_adverts.", does(intTo(g(func(g *globalDraft) *int { return &g.downTimerAdverts }), 1, 100))),
		row("vrrp_garp_interval", "SECS", "0", "1.2.21", "Is the least time between two gratuitous ARPs on an interface.", does(spacingTo(func(d *decoder) *time.Duration { return &d.cfg.Global.ARPInterval }))),
		row("vrrp_gna_interval", "SECS", "0", "1.2.21", "Is the least time between two unsolicited Neighbour Advertisements on an interface.", does(spacingTo(func(d *decoder) *time.Duration { return &d.cfg.Global.NAInterval }))),
		row("vrrp_min_garp", "[BOOL]", "off", "2.0.12", "Sends one gratuitous ARP and no more, where nothing else has been said before.", does(globalMinGARP)),
		row("vrrp_garp_extra_if", "[all] SECS", "off", "2.2.3", "Announces addresses of virtual MACs on other interfaces too.", does(extraGARPTo(func(d *decoder) *ExtraGARP { return &d.global.extraGARP }, 1))),
		row("vrrp_vmac_garp_intvl", "[all] SECS", "off", "2.2.0", "Is the old name of vrrp_garp_extra_if.", instead("vrrp_garp_extra_if"), does(extraGARPTo(func(d *decoder) *ExtraGARP { return &d.global.extraGARP }, 1))),
		row("vrrp_lower_prio_no_advert", "[BOOL]", "false", "1.2.20", "Is the default of lower_prio_no_advert.", does(boolTo(func(d *decoder) *bool { return &d.global.lowerPrioNoAdvert }))),
		row("vrrp_higher_prio_send_advert", "[BOOL]", "false", "1.3.5", "Is the default of higher_prio_send_advert.", does(boolTo(func(d *decoder) *bool { return &d.global.higherPrioSendAdvert }))),
		row("vrrp_version", "2|3", "2", "1.2.20", "Is the protocol version of IPv4 instances that name none.", does(intTo(g(func(g *globalDraft) *int { return &g.version }), 2, 3))),
		row("vrrp_check_unicast_src", "", "off", "1.2.20", "Is the default of check_unicast_src.", does(flagTo(func(d *decoder) *bool { return &d.global.checkUnicastSource }))),
		row("vrrp_skip_check_adv_addr", "[BOOL]", "false", "1.2.20", "Is the default of skip_check_adv_addr.", does(boolTo(func(d *decoder) *bool { return &d.global.skipCheckAddresses }))),
		row("vrrp_strict", "[BOOL]", "false", "1.2.20", "Is the default of strict_mode.", does(boolTo(func(d *decoder) *bool { return &d.global.strict }))),
		row("vrrp_owner_ignore_adverts", "[BOOL]", "false", "2.3.3", "Is the default of owner_ignore_adverts.", does(boolTo(func(d *decoder) *bool { return &d.global.ownerIgnoreAdverts }))),
		row("vrrp_startup_delay", "SECS", "0", "2.0.14", "Waits before the instances start.", does(durationTo(func(d *decoder) *time.Duration { return &d.cfg.Global.StartupDelay }, time.Millisecond, maxTimer))),
		row("vrrp_delay_after_boot", "SECS", "0", "2.4.0", "Waits until the host has been up for that long.", does(durationTo(func(d *decoder) *time.Duration { return &d.cfg.Global.DelayAfterBoot }, time.Millisecond, maxTimer))),
		row("log_unknown_vrids", "", "off", "2.0.16", "Logs adverts of virtual routers that are not configured.", does(flagTo(func(d *decoder) *bool { return &d.cfg.Global.LogUnknownVRIDs }))),
		row("vmac_prefix", "STRING", "vrrp", "2.2.0", "Begins the names of virtual MAC interfaces.", does(stringTo(func(d *decoder) *string { return &d.cfg.Global.VMACPrefix }))),
		row("vmac_addr_prefix", "STRING", "vmac_prefix", "2.2.0", "Begins the names of virtual MAC interfaces of single addresses.", does(stringTo(func(d *decoder) *string { return &d.cfg.Global.VMACAddressPrefix }))),
	}
}

func globalBuffers() []Keyword {
	size := func(p func(*Buffers) *int) option {
		return reads(intTo(func(d *decoder) *int { return p(&d.cfg.Global.Buffers) }, 0, maxUint))
	}
	force := func(p func(*Buffers) *bool) option {
		return reads(boolTo(func(d *decoder) *bool { return p(&d.cfg.Global.Buffers) }))
	}
	no := without(noBuffers)
	return []Keyword{
		row("vrrp_rx_bufs_policy", "MTU|ADVERT|BYTES", "system", "2.0.3", "Says how the receive buffers of VRRP are sized.", no, reads(advertBuffer)),
		row("vrrp_rx_bufs_multiplier", "N", "3", "2.0.3", "Multiplies the size that vrrp_rx_bufs_policy gives.", no, reads(alone(intTo(func(d *decoder) *int { return &d.cfg.Global.Buffers.AdvertMultiplier }, 1, maxUint)))),
		row("vrrp_netlink_cmd_rcv_bufs", "BYTES", "system", "2.0.0", "Sizes the buffer of the VRRP process's netlink commands.", no, size(func(b *Buffers) *int { return &b.VRRPCommand })),
		row("vrrp_netlink_cmd_rcv_bufs_force", "[BOOL]", "false", "2.0.0", "Exceeds the system's limit with it.", no, force(func(b *Buffers) *bool { return &b.VRRPCommandForce })),
		row("vrrp_netlink_monitor_rcv_bufs", "BYTES", "system", "2.0.0", "Sizes the buffer of the VRRP process's netlink events.", no, size(func(b *Buffers) *int { return &b.VRRPMonitor })),
		row("vrrp_netlink_monitor_rcv_bufs_force", "[BOOL]", "false", "2.0.0", "Exceeds the system's limit with it.", no, force(func(b *Buffers) *bool { return &b.VRRPMonitorForce })),
		row("process_monitor_rcv_bufs", "BYTES", "system", "2.0.11", "Sizes the buffer of process events.", no, size(func(b *Buffers) *int { return &b.Processes })),
		row("process_monitor_rcv_bufs_force", "[BOOL]", "false", "2.0.11", "Exceeds the system's limit with it.", no, force(func(b *Buffers) *bool { return &b.ProcessesForce })),
		row("lvs_netlink_cmd_rcv_bufs", "BYTES", "system", "2.0.0", "Sizes the buffer of the checkers' netlink commands.", no, size(func(b *Buffers) *int { return &b.LVSCommand })),
		row("lvs_netlink_cmd_rcv_bufs_force", "[BOOL]", "false", "2.0.0", "Exceeds the system's limit with it.", no, force(func(b *Buffers) *bool { return &b.LVSCommandForce })),
		row("lvs_netlink_monitor_rcv_bufs", "BYTES", "system", "2.0.0", "Sizes the buffer of the checkers' netlink events.", no, size(func(b *Buffers) *int { return &b.LVSMonitor })),
		row("lvs_netlink_monitor_rcv_bufs_force", "[BOOL]", "false", "2.0.0", "Exceeds the system's limit with it.", no, force(func(b *Buffers) *bool { return &b.LVSMonitorForce })),
	}
}

func globalFirewall() []Keyword {
	return []Keyword{
		row("vrrp_iptables", "[INCHAIN [OUTCHAIN]]", "not used", "1.2.20", "Uses those iptables chains to drop packets to addresses that are not ours.", without("nftables is used in their place"), reads(firewallIPTables)),
		row("vrrp_ipsets", "[NAME ...]", "keepalived", "1.2.20", "Names the ipsets for vrrp_iptables.", without("nftables is used in their place"), reads(firewallIPSets)),
		row("nftables", "[TABLE]", "keepalived", "2.0.11", "Uses that nftables table to drop packets to addresses that are not ours.", does(firewallTable)),
		row("nftables_priority", "N", "-1", "2.0.11", "Is the priority of the nftables chains.", does(intTo(func(d *decoder) *int { return &d.cfg.Global.Firewall.TablePriority }, minInt, maxInt))),
		row("nftables_ifindex", "", "off", "2.0.11", "Names interfaces by number in nftables sets.", without("rules name interfaces, which need no number"), reads(flagTo(func(d *decoder) *bool { return &d.cfg.Global.Firewall.ByIndex }))),
		row("nftables_counters", "", "off", "2.0.11", "Counts packets in the nftables rules.", does(flagTo(func(d *decoder) *bool { return &d.cfg.Global.Firewall.Counters }))),
		row("nftables_ipvs", "[TABLE]", "keepalived_ipvs", "2.2.2", "Marks the packets of virtual server groups by nftables.", does(firewallIPVSTable)),
		row("nftables_ipvs_priority", "N", "-1", "2.2.2", "Is the priority of those chains.", does(intTo(func(d *decoder) *int { return &d.cfg.Global.Firewall.IPVSPriority }, minInt, maxInt))),
		row("nftables_ipvs_start_fwmark", "N", "1000", "2.2.2", "Is the first of those marks.", does(uintTo(func(d *decoder) *uint32 { return &d.cfg.Global.Firewall.IPVSMark }, 1))),
	}
}

func globalIPVS() []Keyword {
	return []Keyword{
		row("checker_log_all_failures", "[BOOL]", "false", "2.0.11", "Is the default of log_all_failures.", does(boolTo(func(d *decoder) *bool { return &d.global.logAllFailures }))),
		row("lvs_timeouts", "[tcp N] [tcpfin N] [udp N]", "kernel", "1.2.24", "Sets the time-outs of IPVS while the program runs.", does(lvsTimeouts)),
		row("lvs_flush", "", "off", "1.2.23", "Empties the IPVS table of services of others at the start.", does(flagTo(func(d *decoder) *bool { return &d.cfg.Global.LVS.FlushAtStart }))),
		row("lvs_flush_on_stop", "[VS]", "off", "2.2.0", "Empties the IPVS table at the end, of services of others too.", does(lvsFlush)),
		row("lvs_flush_onstop", "[VS]", "off", "2.0.15", "Is the old name of lvs_flush_on_stop.", instead("lvs_flush_on_stop"), silent, does(lvsFlush)),
		row("lvs_sync_daemon", "IFNAME [inst NAME] [id N] [maxlen N] [port N] [ttl N] [group IP]", "none", "1.2.20", "Copies connections to the peer's kernel.", does(syncDaemon)),
	}
}

func globalFiles() []Keyword {
	return []Keyword{
		row("reload_check_config", "[LOGFILE]", "off", "2.2.0", "Tests a new configuration before a reload.", does(reloadCheck)),
		row("reload_time_file", "PATH", "none", "2.1.0", "Names a file with the time of the next reload.", does(alone(stringTo(func(d *decoder) *string { return &d.cfg.Global.Reload.TimeFile })))),
		row("reload_repeat", "", "off", "2.1.0", "Reloads at that time every day.", does(flagTo(func(d *decoder) *bool { return &d.cfg.Global.Reload.Repeat }))),
		row("reload_file", "[PATH]", "off", "2.2.0", "Names a file that exists while the configuration is read.", does(reloadFile)),
		row("include_check", "[[+|-]read|match|wildcard_match|brace_match ...]", "none", "2.2.0", "Says which missing include files are reported.", does(includeCheckWords)),
		row("config_save_dir", "DIR", "none", "2.2.3", "Keeps a copy of each configuration that was read, included files in it, as keepalived.conf.PID.N.", does(stringTo(func(d *decoder) *string { return &d.cfg.Global.Files.SaveFolder }))),
		row("tmp_config_directory", "DIR", "memory", "2.2.0", "Holds the joined copy of the configuration.", without("tandem makes no such copy"), lenient, reads(stringTo(func(d *decoder) *string { return &d.cfg.Global.Files.TemporaryFolder }))),
		row("data_use_instance", "[BOOL]", "false", "2.2.3", "Puts the instance's name into the names of dump files.", does(boolTo(func(d *decoder) *bool { return &d.cfg.Global.Files.DumpInstance }))),
		row("json_version", "1|2", "1", "2.2.8", "Is the format of the JSON dump.", does(intTo(func(d *decoder) *int { return &d.cfg.Global.Files.JSONVersion }, 1, 2))),
		row("iproute_usr_dir", "PATH", "system", "2.3.2", "Is where iproute2's tables of names are.", does(alone(stringTo(func(d *decoder) *string { return &d.cfg.Global.Files.RouteNames })))),
		row("iproute_etc_dir", "PATH", "system", "2.3.2", "Is where iproute2's own tables of names are.", does(alone(stringTo(func(d *decoder) *string { return &d.cfg.Global.Files.RouteNamesEtc })))),
		row("state_dump_file", "PATH", "in /tmp", "2.3.3", "Is where SIGUSR1 dumps go.", does(alone(stringTo(func(d *decoder) *string { return &d.cfg.Global.Files.StateDump })))),
		row("stats_dump_file", "PATH", "", "2.3.3", "Is where statistics should go.", without("keepalived does not use it either"), reads(alone(stringTo(func(d *decoder) *string { return &d.cfg.Global.Files.StatsDump })))),
		row("json_dump_file", "PATH", "", "2.3.3", "Is where the JSON dump should go.", without("keepalived does not use it either"), reads(alone(stringTo(func(d *decoder) *string { return &d.cfg.Global.Files.JSONDump })))),
	}
}
