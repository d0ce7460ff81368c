package config

import "time"

// vrrpKeywords are vrrp_instance, vrrp_sync_group and what stands beside them.
func vrrpKeywords() []Keyword {
	var out []Keyword
	out = append(out, in("", []Keyword{
		row("vrrp_instance", "NAME { }", "", "<=0.6.6", "Is a virtual router on one interface.", does(instanceBlock)),
		row("vrrp_sync_group", "NAME { }", "", "<=0.6.6", "Ties instances together, so that they change state as one.", does(groupBlock)),
		row("track_group", "NAME { }", "", "2.0.3", "Names instances that follow static addresses, routes and rules.", does(trackGroupBlock)),
		row("static_ipaddress", "{ lines }", "", "1.1.0", "Lists addresses that are there as long as the program runs.", does(staticAddresses)),
		row("static_routes", "{ lines }", "", "1.0.1", "Lists routes that are there as long as the program runs.", does(staticRoutes)),
		row("static_rules", "{ lines }", "", "1.2.20", "Lists rules that are there as long as the program runs.", does(staticRules)),
		row("garp_group", "{ }", "", "1.2.21", "Spaces the announcements of several interfaces together.", does(garpGroupBlock)),
		row("linkbeat_interfaces", "{ lines }", "", "2.0.13", "Lists interfaces whose link is polled.", does(linkPolls)),
		row("interface_up_down_delays", "{ lines }", "0 0", "2.2.3", "Waits before a change of an interface's link counts.", does(linkDelays)),
	})...)
	out = append(out, in("garp_group", []Keyword{
		row("garp_interval", "SECS", "unset", "1.2.21", "Is the least time between gratuitous ARPs of the group.", does(garpGroupInterval(func(g *GARPGroup) *time.Duration { return &g.ARP }))),
		row("gna_interval", "SECS", "unset", "1.2.21", "Is the least time between Neighbour Advertisements of the group.", does(garpGroupInterval(func(g *GARPGroup) *time.Duration { return &g.NA }))),
		row("interface", "IFNAME", "", "1.2.21", "Is one member.", does(garpGroupInterface)),
		row("interfaces", "{ lines }", "", "1.2.21", "Lists the members.", does(garpGroupInterfaces)),
	})...)
	out = append(out, in("track_group", []Keyword{
		row("group", "{ lines }", "", "2.0.3", "Lists the instances.", does(trackGroupMembers)),
	})...)
	out = append(out, in("vrrp_sync_group", groupKeywords())...)
	out = append(out, in("vrrp_instance", instanceBasics(), instanceAddresses(), instanceTracking(), instanceTiming(), instanceNotify(), instanceOther())...)
	out = append(out, in("vrrp_instance/authentication", []Keyword{
		row("auth_type", "PASS|AH", "none", "<=0.6.6", "Is how adverts of version 2 are authenticated.", does(authType)),
		row("auth_pass", "STRING", "none", "<=0.6.6", "Is the password, of which eight bytes count.", does(authPass)),
	})...)
	return append(out, in("vrrp_instance/auth_hmac", []Keyword{
		row("key", "ID VALUE", "", "2.4.0", "Is a key of 32 to 64 bytes and its number.", does(hmacKey)),
		row("active_key", "1..255", "none", "2.4.0", "Is the key to sign with.", does(intTo(func(d *decoder) *int { return &d.hmac.Active }, 1, 255))),
		row("time_window", "1..300", "3 * advert_int, at least 5", "2.4.0", "Is how far a sender's clock may be away.", does(hmacWindow)),
		row("anti_replay", "time|monotonic", "time", "2.4.0", "Is how old adverts are told from new ones.", does(hmacReplay)),
		row("mode", "enforce|permissive|receive-only", "enforce", "2.4.0", "Is what happens to adverts without a signature.", does(hmacMode)),
	})...)
}

func groupKeywords() []Keyword {
	notify := func(p func(*Notify) **Command) option {
		return does(notifyTo(func(d *decoder) **Command { return p(&d.group.Notify) }))
	}
	return []Keyword{
		row("group", "{ lines }", "required", "<=0.6.6", "Lists the member instances.", does(groupMembers)),
		row("track_interface", "{ lines }", "", "2.0.0", "Lists interfaces that every member tracks.", does(groupTrackInterface)),
		row("track_script", "{ lines }", "", "2.0.0", "Lists scripts that every member tracks.", does(groupTrackScript)),
		row("track_file", "{ lines }", "", "2.0.0", "Lists files that every member tracks.", does(groupTrackFile)),
		row("track_process", "{ lines }", "", "2.0.11", "Lists processes that every member tracks.", does(groupTrackProcess)),
		row("track_bfd", "{ lines }", "", "2.0.0", "Lists BFD sessions that every member tracks.", does(groupTrackBFD)),
		row("notify_backup", "SCRIPT [USER [GROUP]]", "", "<=0.6.6", "Is run when the group becomes BACKUP.", shell, notify(func(n *Notify) **Command { return &n.Backup })),
		row("notify_master", "SCRIPT [USER [GROUP]]", "", "<=0.6.6", "Is run when the group becomes MASTER.", shell, notify(func(n *Notify) **Command { return &n.Master })),
		row("notify_fault", "SCRIPT [USER [GROUP]]", "", "<=0.6.6", "Is run when the group enters FAULT.", shell, notify(func(n *Notify) **Command { return &n.Fault })),
		row("notify_stop", "SCRIPT [USER [GROUP]]", "", "2.0.0", "Is run when the program stops.", shell, notify(func(n *Notify) **Command { return &n.Stop })),
		row("notify", "SCRIPT [USER [GROUP]]", "", "1.1.2", "Is run at each change, with GROUP, the name, the state and 0.", shell, notify(func(n *Notify) **Command { return &n.Any })),
		row("smtp_alert", "[BOOL]", "smtp_alert_vrrp", "1.0.0", "Sends e-mail at each change.", does(optBoolTo(func(d *decoder) **bool { return &d.group.alert }))),
		row("global_tracking", "", "off", "1.2.3", "Is the old name of sync_group_tracking_weight.", instead("sync_group_tracking_weight"), does(func(d *decoder, _ *node) { d.group.weights = true })),
		row("sync_group_tracking_weight", "", "off", "2.0.0", "Lets what members track have weights.", does(func(d *decoder, _ *node) { d.group.weights = true })),
		row("notify_priority_changes", "[BOOL]", "vrrp_notify_priority_changes", "2.2.0", "Writes changes of priority to the FIFOs.", does(optBoolTo(func(d *decoder) **bool { return &d.group.notifyPriorityChanges }))),
	}
}

func instanceBasics() []Keyword {
	return []Keyword{
		row("state", "MASTER|BACKUP", "BACKUP", "<=0.6.6", "Is what the instance would like to be at the start; only an owner (priority 255) becomes it at once.", does(instanceState)),
		row("interface", "IFNAME", "required", "<=0.6.6", "Is the interface that adverts leave by.", does(instanceInterface)),
		row("virtual_router_id", "1..255", "required", "<=0.6.6", "Is the number that the virtual router has on its network.", does(instanceVRID)),
		row("priority", "1..255", "100", "<=0.6.6", "Is the priority; 255 is for the owner of the addresses.", does(instancePriority)),
		row("advert_int", "SECS", "1", "<=0.6.6", "Is the time between adverts: whole seconds in version 2, hundredths in version 3.", does(instanceAdvertInt)),
		row("version", "2|3", "vrrp_version, IPv6 3", "1.2.17", "Is the protocol version.", does(instanceVersion)),
		row("native_ipv6", "", "", "1.2.1", "Is an old way to ask for IPv6.", instead("an IPv6 address as first VIP"), does(instanceNative)),
		row("accept", "", "on", "1.2.17", "Accepts packets to the addresses also where they are not the host's own.", does(acceptTo(true))),
		row("no_accept", "", "off", "1.3.0", "Drops packets to the addresses, unless they are the host's own.", does(acceptTo(false))),
		row("preempt", "", "on", "<=0.6.6", "Takes over from a master of lower priority.", does(func(d *decoder, _ *node) { d.inst.nopreempt = false })),
		row("nopreempt", "", "off", "1.1.8", "Leaves a master of lower priority in place.", does(func(d *decoder, _ *node) { d.inst.nopreempt = true })),
		row("preempt_delay", "0..1000", "0", "1.1.8", "Waits that long before it takes over from a master of lower priority.", does(durationTo(func(d *decoder) *time.Duration { return &d.inst.PreemptDelay }, 0, 1000*time.Second))),
		row("strict_mode", "[BOOL]", "vrrp_strict", "1.2.20", "Keeps to the letter of the RFC.", does(optBoolTo(func(d *decoder) **bool { return &d.inst.strict }))),
		row("authentication", "{ }", "", "<=0.6.6", "Authenticates adverts of version 2.", does(authBlock)),
		row("auth_hmac", "{ }", "", "2.4.0", "Signs adverts by HMAC-SHA256, an extension of keepalived.", does(hmacBlock)),
	}
}

func instanceAddresses() []Keyword {
	return []Keyword{
		row("virtual_ipaddress", "{ lines }", "", "<=0.6.6", "Lists the addresses that move with the master and stand in its adverts.", does(instanceVIPs)),
		row("virtual_ipaddress_excluded", "{ lines }", "", "<=0.6.6", "Lists addresses that move with the master and stand in no advert.", does(instanceExcluded)),
		row("no_virtual_ipaddress", "", "off", "2.2.8", "Permits an instance without addresses.", does(flagTo(func(d *decoder) *bool { return &d.inst.noVIPs }))),
		row("promote_secondaries", "", "off", "1.3.0", "Keeps the other addresses of a subnet when its first one goes.", does(flagTo(func(d *decoder) *bool { return &d.inst.PromoteSecondaries }))),
		row("virtual_routes", "{ lines }", "", "1.0.1", "Lists routes that move with the master.", does(instanceRoutes)),
		row("virtual_rules", "{ lines }", "", "1.2.20", "Lists rules that move with the master.", does(instanceRules)),
		row("mcast_src_ip", "IP", "the interface's", "<=0.6.6", "Is the source address of multicast adverts.", does(instanceSource)),
		row("unicast_src_ip", "IP", "the interface's", "1.2.10", "Is the source address of unicast adverts.", does(instanceSource)),
		row("mcast_dst_ip", "IP", "vrrp_mcast_group", "2.2.5", "Is the group that the instance's adverts go to.", does(instanceGroup)),
		row("unicast_peer", "{ lines }", "multicast", "1.2.8", "Lists peers to send adverts to, instead of multicast.", does(instancePeers)),
		row("unicast_fault_no_peer", "", "off", "2.2.5", "Stays in FAULT where unicast has been asked for without a peer.", does(instanceFaultNoPeer)),
		row("check_unicast_src", "", "vrrp_check_unicast_src", "2.1.0", "Drops unicast adverts that are from no peer.", does(func(d *decoder, n *node) { d.inst.CheckSource = true; d.inst.unicast = &n.Words[0] })),
		row("unicast_ttl", "0..255", "255", "2.1.0", "Is the TTL of unicast adverts.", does(instanceUnicastTTL)),
		row("old_unicast_checksum", "[never]", "by what is heard", "1.3.7", "Calculates the checksum of unicast version 3 as keepalived before 1.3.6 did.", does(instanceOldChecksum)),
		row("track_src_ip", "", "off", "2.0.0", "Goes to FAULT while the source address is missing.", does(flagTo(func(d *decoder) *bool { return &d.inst.TrackSource }))),
		row("vrf", "IFNAME", "none", "2.2.5", "Sends unicast adverts in that VRF.", does(instanceVRF)),
	}
}

func instanceTracking() []Keyword {
	return []Keyword{
		row("dont_track_primary", "", "off", "1.1.8", "Ignores faults of the instance's own interface.", does(func(d *decoder, _ *node) { d.inst.TrackPrimary = false })),
		row("track_interface", "{ lines }", "", "1.0.1", "Lists further interfaces to track.", does(instanceTrackInterface)),
		row("track_script", "{ lines }", "", "1.1.13", "Lists scripts to track.", does(instanceTrackScript)),
		row("track_file", "{ lines }", "", "2.0.0", "Lists files to track.", does(instanceTrackFile)),
		row("track_process", "{ lines }", "", "2.0.11", "Lists processes to track.", does(instanceTrackProcess)),
		row("track_bfd", "{ lines }", "", "2.0.0", "Lists BFD sessions to track.", does(instanceTrackBFD)),
		row("linkbeat_use_polling", "", "off", "2.0.0", "Polls the interface for its link.", instead("linkbeat_interfaces"), does(flagTo(func(d *decoder) *bool { return &d.inst.pollLink }))),
	}
}

func instanceTiming() []Keyword {
	g := func(f func(*instanceDraft) *int) func(*decoder) *int {
		return func(d *decoder) *int { return f(d.inst) }
	}
	return []Keyword{
		row("garp_master_delay", "SECS", "vrrp_garp_master_delay", "0.7.1", "Is the time from becoming master to the second round of announcements; 0 is none.", does(intTo(g(func(i *instanceDraft) *int { return &i.garpDelay }), 0, maxTimerSeconds))),
		row("garp_master_repeat", "N", "vrrp_garp_master_repeat", "1.2.14", "Is how many announcements of an address a round has.", does(repeatTo(g(func(i *instanceDraft) *int { return &i.garpRepeat })))),
		row("garp_master_refresh", "SECS", "vrrp_garp_master_refresh", "1.2.10", "Is the time between rounds while master; 0 is none.", does(intTo(g(func(i *instanceDraft) *int { return &i.garpRefresh }), 0, maxUint))),
		row("garp_master_refresh_repeat", "N", "vrrp_garp_master_refresh_repeat", "1.2.14", "Is how many announcements of an address such a round has.", does(repeatTo(g(func(i *instanceDraft) *int { return &i.garpRefreshRepeat })))),
		row("garp_lower_prio_delay", "SECS", "vrrp_garp_lower_prio_delay", "1.2.20", "Is the time to the second round after an advert of lower priority.", does(intTo(g(func(i *instanceDraft) *int { return &i.garpLowerDelay }), 0, maxTimerSeconds))),
		row("garp_lower_prio_repeat", "N", "vrrp_garp_lower_prio_repeat", "1.2.20", "Is how many announcements of an address follow such an advert.", does(intTo(g(func(i *instanceDraft) *int { return &i.garpLowerRepeat }), 0, maxInt))),
		row("down_timer_adverts", "1..100", "vrrp_down_timer_adverts", "2.2.3", "Is how many adverts may be missing before the master counts as down.", does(intTo(g(func(i *instanceDraft) *int { return &i.downTimer }), 1, 100))),
		row("timer_expired_backup", "[PRIO]", "off", "2.2.8", "Gives up mastership after the program has been stopped for too long.", does(instanceTimerExpired)),
		row("thread_timer_expired", "[PRIO]", "off", "2.3.2", "Is another name of timer_expired_backup.", instead("timer_expired_backup"), does(instanceTimerExpired)),
		row("garp_extra_if", "[all] SECS", "vrrp_garp_extra_if", "2.2.3", "Announces addresses of a virtual MAC on other interfaces too.", does(extraGARPTo(func(d *decoder) *ExtraGARP { return &d.inst.extraGARP }, 0))),
		row("vmac_garp_intvl", "[all] SECS", "vrrp_garp_extra_if", "2.2.0", "Is the old name of garp_extra_if.", instead("garp_extra_if"), does(extraGARPTo(func(d *decoder) *ExtraGARP { return &d.inst.extraGARP }, 0))),
		row("lower_prio_no_advert", "[BOOL]", "vrrp_lower_prio_no_advert", "1.2.20", "Sends no advert in answer to one of lower priority.", does(optBoolTo(func(d *decoder) **bool { return &d.inst.lowerPrioNoAdvert }))),
		row("higher_prio_send_advert", "[BOOL]", "vrrp_higher_prio_send_advert", "1.3.5", "Sends one more advert before it yields to a higher priority.", does(optBoolTo(func(d *decoder) **bool { return &d.inst.higherPrioSendAdvert }))),
		row("owner_ignore_adverts", "[BOOL]", "vrrp_owner_ignore_adverts", "2.3.3", "Ignores all adverts as owner of the addresses.", does(optBoolTo(func(d *decoder) **bool { return &d.inst.ownerIgnoreAdverts }))),
		row("skip_check_adv_addr", "[BOOL]", "vrrp_skip_check_adv_addr", "1.2.20", "Compares the addresses in an advert only when its sender is new.", does(optBoolTo(func(d *decoder) **bool { return &d.inst.skipCheckAddresses }))),
		row("v3_checksum_as_v2", "[BOOL]", "global v3_checksum_as_v2", "2.2.8", "Leaves the pseudo header out of the checksum of version 3 over IPv4.", does(optBoolTo(func(d *decoder) **bool { return &d.inst.checksumV2 }))),
	}
}

func instanceNotify() []Keyword {
	notify := func(p func(*Notify) **Command) option {
		return does(notifyTo(func(d *decoder) **Command { return p(&d.inst.Notify) }))
	}
	return []Keyword{
		row("notify_backup", "SCRIPT [USER [GROUP]]", "", "<=0.6.6", "Is run when the instance becomes BACKUP.", shell, notify(func(n *Notify) **Command { return &n.Backup })),
		row("notify_master", "SCRIPT [USER [GROUP]]", "", "<=0.6.6", "Is run when the instance becomes MASTER.", shell, notify(func(n *Notify) **Command { return &n.Master })),
		row("notify_fault", "SCRIPT [USER [GROUP]]", "", "<=0.6.6", "Is run when the instance enters FAULT.", shell, notify(func(n *Notify) **Command { return &n.Fault })),
		row("notify_stop", "SCRIPT [USER [GROUP]]", "", "1.1.13", "Is run when the program stops.", shell, notify(func(n *Notify) **Command { return &n.Stop })),
		row("notify_deleted", "[SCRIPT [USER [GROUP]]]", "notify_fault", "2.1.0", "Is run when a reload has removed the instance.", shell, does(notifyDeleted)),
		row("notify", "SCRIPT [USER [GROUP]]", "", "1.1.2", "Is run at each change, with INSTANCE, the name, the state and the priority.", shell, notify(func(n *Notify) **Command { return &n.Any })),
		row("notify_master_rx_lower_pri", "SCRIPT [USER [GROUP]]", "", "2.0.6", "Is run when a master hears an advert of lower priority.", shell, notify(func(n *Notify) **Command { return &n.MasterRxLower })),
		row("smtp_alert", "[BOOL]", "smtp_alert_vrrp", "<=0.6.6", "Sends e-mail at each change.", does(optBoolTo(func(d *decoder) **bool { return &d.inst.alert }))),
		row("notify_priority_changes", "[BOOL]", "vrrp_notify_priority_changes", "2.0.16", "Writes changes of priority to the FIFOs.", does(optBoolTo(func(d *decoder) **bool { return &d.inst.notifyPriorityChanges }))),
	}
}

func instanceOther() []Keyword {
	return []Keyword{
		row("use_vmac", "[[name] IFNAME] [MAC] [netlink_notify_msg] [group GROUP]", "off", "1.2.3", "Uses an interface with the virtual MAC of the RFC.", does(instanceVMAC)),
		row("use_vmac_addr", "", "off", "2.2.0", "Makes virtual MAC interfaces also for addresses on other interfaces.", does(flagTo(func(d *decoder) *bool { return &d.inst.VMACAddresses }))),
		row("vmac_xmit_base", "", "off", "1.2.10", "Sends adverts by the base interface in spite of a virtual MAC.", does(flagTo(func(d *decoder) *bool { return &d.inst.XmitBase }))),
		row("use_ipvlan", "[[name] IFNAME] [IP] [bridge|private|vepa] [group GROUP]", "off", "2.0.17", "Uses an ipvlan interface.", does(instanceIPVLAN)),
		row("debug", "0..4", "0", "<=0.6.6", "Has no effect.", without("keepalived does not use it either"), reads(intTo(func(d *decoder) *int { return &d.inst.Debug }, 0, 4))),
		row("lvs_sync_daemon_interface", "IFNAME", "", "<=0.6.6", "Copies IPVS connections to the peer's kernel.", instead("lvs_sync_daemon in global_defs"), does(instanceSyncDaemon)),
		row("kernel_rx_buf_size", "BYTES", "system", "2.0.3", "Sizes the receive buffer of the instance.", without(noBuffers), reads(alone(intTo(func(d *decoder) *int { return &d.inst.ReceiveBuffer }, 0, maxUint)))),
	}
}
