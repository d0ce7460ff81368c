package config

import (
	"net/netip"
	"slices"
	"strconv"
	"time"
)

// resolved ties a value of the Config to the keywords that can say it.
type resolved struct {
	// names are the keywords of the block that set the value, inherits those of
	// the blocks around it, the most telling first.
	names, inherits []string
	// pointers are the value's places in the Config, as JSON pointers from that
	// of the block.
	pointers []string
	// words are the statement that says the value. Without any, the value is
	// left to what the file says, or, where replaced is set, to nothing.
	words    []string
	replaced bool
}

// says is a setting that is written by words.
func says(pointer string, inherits []string, words ...string) resolved {
	return resolved{names: words[:1], pointers: []string{pointer}, inherits: inherits, words: words, replaced: true}
}

// left is a setting that is written as the file writes it.
func left(pointer string, names ...string) resolved {
	return resolved{names: names, pointers: []string{pointer}}
}

// also adds names that set the value too.
func (s resolved) also(names ...string) resolved {
	s.names = append(slices.Clone(s.names), names...)
	return s
}

// where keeps the statement only where it has an effect.
func (s resolved) where(effect bool) resolved {
	if !effect {
		s.words = nil
	}
	return s
}

// orLeft leaves the setting to the file where it has no words.
func (s resolved) orLeft() resolved {
	s.replaced = s.words != nil
	return s
}

func onOff(v bool) string {
	if v {
		return "on"
	}
	return "off"
}

func pick(v bool, yes, no string) string {
	if v {
		return yes
	}
	return no
}

// whole writes a duration in whole seconds.
func whole(v time.Duration) string { return strconv.Itoa(int(v / time.Second)) }

// userWords are the words of a statement that names a user.
func userWords(name string, u User) []string {
	words := []string{name, u.Name}
	if u.Group != "" {
		words = append(words, u.Group)
	}
	return words
}

func globalSettings(g *Global) []resolved {
	return []resolved{
		says("/router_id", nil, "router_id", g.RouterID).where(g.RouterID != ""),
		left("/startup_delay", "vrrp_startup_delay"),
		left("/arp_interval", "vrrp_garp_interval"),
		left("/na_interval", "vrrp_gna_interval"),
		left("/script_user", "script_user"),
		left("/script_security", "enable_script_security"),
	}
}

func scriptSettings(s *Script) []resolved {
	weight := []string{"weight", strconv.Itoa(s.Weight)}
	if s.Reverse {
		weight = append(weight, "reverse")
	}
	weights := says("/weight", nil, weight...)
	weights.pointers = append(weights.pointers, "/reverse")
	user := says("/command/user", []string{"script_user"}, userWords("user", s.Command.User)...)
	return []resolved{
		left("/command", "script"),
		says("/interval", nil, "interval", seconds(s.Interval)),
		says("/timeout", nil, "timeout", seconds(s.Timeout)),
		weights,
		says("/rise", nil, "rise", strconv.Itoa(s.Rise)),
		says("/fall", nil, "fall", strconv.Itoa(s.Fall)),
		user.where(s.Command.User.Name != "").orLeft(),
	}
}

func instanceSettings(i *Instance) []resolved {
	version := []string{"vrrp_version"}
	if i.IPv6 {
		version = nil
	}
	settings := []resolved{
		says("/state_master", nil, "state", pick(i.StateMaster, "MASTER", "BACKUP")),
		says("/interface", nil, "interface", i.Interface).where(i.Interface != "").orLeft(),
		says("/vrid", nil, "virtual_router_id", strconv.Itoa(i.VRID)),
		says("/priority", nil, "priority", strconv.Itoa(i.Priority)),
		says("/version", version, "version", strconv.Itoa(i.Version)),
		says("/advert_interval", nil, "advert_int", seconds(i.AdvertInterval)),
		says("/down_timer_adverts", []string{"vrrp_down_timer_adverts"}, "down_timer_adverts", strconv.Itoa(i.DownTimerAdverts)),
		says("/preempt", nil, pick(i.Preempt, "preempt", "nopreempt")).also("preempt", "nopreempt"),
		says("/preempt_delay", nil, "preempt_delay", seconds(i.PreemptDelay)),
		says("/strict", []string{"vrrp_strict"}, "strict_mode", onOff(i.Strict)),
		says("/accept", nil, pick(i.Accept, "accept", "no_accept")).also("accept", "no_accept"),
		says("/check_source", []string{"vrrp_check_unicast_src"}, "check_unicast_src").where(i.CheckSource).orLeft(),
		says("/unicast_ttl", nil, "unicast_ttl", strconv.Itoa(i.UnicastTTL)).where(i.Unicast()).orLeft(),
		left("/source", "unicast_src_ip", "mcast_src_ip"),
		left("/track_source", "track_src_ip"),
		left("/auth_type", "authentication/auth_type"),
		left("/auth_pass", "authentication/auth_pass"),
		left("/addresses", "virtual_ipaddress"),
		left("/excluded", "virtual_ipaddress_excluded"),
		left("/peers", "unicast_peer"),
		left("/track_primary", "dont_track_primary"),
		left("/track_scripts", "track_script"),
		left("/track_interfaces", "track_interface"),
	}
	group := left("/group", "mcast_dst_ip")
	group.inherits = []string{pick(i.IPv6, "vrrp_mcast_group6", "vrrp_mcast_group4")}
	return slices.Concat(settings, []resolved{group}, garpSettings(i), advertSettings(i))
}

// garpSettings are those of announcements.
func garpSettings(i *Instance) []resolved {
	const minimum = "vrrp_min_garp"
	delay, repeat := "vrrp_garp_master_delay", "vrrp_garp_master_repeat"
	return []resolved{
		says("/garp/delay", []string{delay, minimum}, "garp_master_delay", whole(i.GARP.Delay)),
		says("/garp/repeat", []string{repeat, minimum}, "garp_master_repeat", strconv.Itoa(i.GARP.Repeat)),
		says("/garp/refresh", []string{"vrrp_garp_master_refresh", minimum}, "garp_master_refresh", whole(i.GARP.Refresh)),
		says("/garp/refresh_repeat", []string{"vrrp_garp_master_refresh_repeat", minimum}, "garp_master_refresh_repeat", strconv.Itoa(i.GARP.RefreshRepeat)),
		says("/garp/lower_prio_delay", []string{"vrrp_garp_lower_prio_delay", delay, minimum}, "garp_lower_prio_delay", whole(i.GARP.LowerPrioDelay)),
		says("/garp/lower_prio_repeat", []string{"vrrp_garp_lower_prio_repeat", repeat, minimum}, "garp_lower_prio_repeat", strconv.Itoa(i.GARP.LowerPrioRepeat)),
	}
}

// advertSettings are those of how adverts are sent and judged.
func advertSettings(i *Instance) []resolved {
	boolean := func(pointer, inherits, keyword string, v bool) resolved {
		return says(pointer, []string{inherits}, keyword, onOff(v))
	}
	return []resolved{
		boolean("/lower_prio_no_advert", "vrrp_lower_prio_no_advert", "lower_prio_no_advert", i.LowerPrioNoAdvert),
		boolean("/higher_prio_send_advert", "vrrp_higher_prio_send_advert", "higher_prio_send_advert", i.HigherPrioSendAdvert),
		boolean("/skip_check_addresses", "vrrp_skip_check_adv_addr", "skip_check_adv_addr", i.SkipCheckAddresses),
		boolean("/checksum_v2_style", "v3_checksum_as_v2", "v3_checksum_as_v2", i.ChecksumV2Style).where(i.Version == 3 && !i.IPv6),
		boolean("/owner_ignore_adverts", "vrrp_owner_ignore_adverts", "owner_ignore_adverts", i.OwnerIgnoreAdverts).where(i.Priority == 255),
	}
}

func methodWords(name string, f Forwarding) []string {
	words := []string{name, f.Method}
	if f.TunnelType != "" {
		words = append(words, "type", f.TunnelType)
	}
	if f.TunnelPort != 0 {
		words = append(words, "port", strconv.Itoa(int(f.TunnelPort)))
	}
	if f.Checksum != "" {
		words = append(words, f.Checksum)
	}
	return words
}

// endpointWords are an address and, where there is one, a port.
func endpointWords(name string, a netip.Addr, port uint16) []string {
	words := []string{name, a.String()}
	if port != 0 {
		words = append(words, strconv.Itoa(int(port)))
	}
	return words
}

func serviceSettings(v *VirtualServer) []resolved {
	flag := func(bit uint32, name string, also ...string) resolved {
		return says("/scheduler_flags", nil, name).where(v.SchedulerFlags&bit != 0).also(also...)
	}
	family := says("/ipv6", nil, "ip_family", pick(v.IPv6, "inet6", "inet")).where(v.FWMark != 0).orLeft()
	if v.PersistenceNetmask == unset {
		// A group takes the family of each of its members.
		family = left("/ipv6", "ip_family")
	}
	out := []resolved{
		family,
		says("/protocol", nil, "protocol", v.Protocol).where(v.Protocol != ""),
		says("/scheduler", nil, "lvs_sched", v.Scheduler).also("lb_algo"),
		says("/forwarding", nil, methodWords("lvs_method", v.Forwarding)...).also("lb_kind"),
		flag(flagOnePacket, "ops"),
		flag(flagSched1, "flag-1", "sh-fallback", "mh-fallback"),
		flag(flagSched2, "flag-2", "sh-port", "mh-port"),
		flag(flagSched3, "flag-3"),
		says("/persistence_timeout", nil, "persistence_timeout", whole(v.PersistenceTimeout)).where(v.PersistenceTimeout > 0),
		left("/persistence_netmask", "persistence_granularity"),
		says("/quorum", nil, "quorum", strconv.Itoa(v.Quorum)),
		says("/hysteresis", nil, "hysteresis", strconv.Itoa(v.Hysteresis)),
		says("/follow_instance", nil, "follow_instance", v.FollowInstance).where(v.FollowInstance != ""),
	}
	return append(out, sorrySettings(v.Sorry)...)
}

// sorrySettings are those of the sorry server, none where there is no such.
func sorrySettings(s *SorryServer) []resolved {
	there := s != nil
	if !there {
		s = &SorryServer{}
	}
	server := says("/sorry/addr", nil, endpointWords("sorry_server", s.Addr, s.Port)...).where(there)
	server.pointers = append(server.pointers, "/sorry/port")
	method := says("/sorry/forwarding", []string{"lvs_method", "lb_kind"}, methodWords("sorry_server_lvs_method", s.Forwarding)...)
	return []resolved{
		server,
		says("/sorry/inhibit", nil, "sorry_server_inhibit").where(s.Inhibit),
		method.where(there),
	}
}

// serverHead are the words of a real server before its brace.
func serverHead(r *RealServer) []string { return endpointWords("real_server", r.Addr, r.Port) }

func serverSettings(r *RealServer) []resolved {
	return []resolved{
		says("/weight", []string{"weight"}, "weight", strconv.Itoa(r.Weight)),
		says("/forwarding", []string{"lvs_method", "lb_kind"}, methodWords("lvs_method", r.Forwarding)...),
		says("/inhibit_on_failure", []string{"inhibit_on_failure"}, "inhibit_on_failure", onOff(r.InhibitOnFailure)),
		left("/upper_threshold", "uthreshold"),
		left("/lower_threshold", "lthreshold"),
	}
}

func checkSettings(c *Check) []resolved {
	out := []resolved{
		says("/interval", []string{"delay_loop"}, "delay_loop", seconds(c.Interval)),
		says("/retries", []string{"retry"}, "retry", strconv.Itoa(c.Retries)).also("nb_get_retry"),
		says("/delay_before_retry", []string{"delay_before_retry"}, "delay_before_retry", seconds(c.DelayBeforeRetry)),
		says("/warmup", []string{"warmup"}, "warmup", seconds(c.Warmup)),
		says("/alpha", []string{"alpha"}, "alpha", onOff(c.Alpha)),
		says("/log_all_failures", []string{"checker_log_all_failures"}, "log_all_failures", onOff(c.LogAllFailures)),
		says("/connect/addr", nil, "connect_ip", c.Connect.Addr.String()).where(c.Connect.Addr.IsValid()),
		says("/connect/port", nil, "connect_port", strconv.Itoa(int(c.Connect.Port))).where(c.Connect.Port != 0),
		says("/connect/timeout", []string{"connect_timeout"}, "connect_timeout", seconds(c.Connect.Timeout)),
		left("/connect/bind_addr", "bindto"),
		left("/connect/bind_port", "bind_port"),
		left("/connect/bind_interface", "bind_if"),
		left("/connect/fwmark", "fwmark"),
	}
	if h := c.HTTP; h != nil {
		sni := left("/http/sni_name", "sni_name")
		// The name turns enable_sni on, wherever it stands.
		sni.replaced = !h.EnableSNI
		out = append(out,
			says("/http/protocol", nil, "http_protocol", h.Protocol),
			says("/http/enable_sni", nil, "enable_sni", onOff(h.EnableSNI)),
			says("/http/fast_recovery", nil, "fast_recovery", onOff(h.FastRecovery)),
			sni,
		)
	}
	if m := c.Misc; m != nil {
		out = append(out,
			left("/misc/command", "misc_path"),
			says("/misc/timeout", []string{"delay_loop"}, "misc_timeout", whole(m.Timeout)).where(m.Timeout%time.Second == 0).orLeft(),
			left("/misc/dynamic", "misc_dynamic"),
			says("/misc/command/user", []string{"script_user"}, userWords("user", m.Command.User)...).where(m.Command.User.Name != "").orLeft(),
		)
	}
	return out
}
