package config

// The words inside lines have blocks of their own in the table, which no file
// can open: their names are in parentheses.
const (
	addressBlock = "(address)"
	routeBlock   = "(route)"
	ruleBlock    = "(rule)"
	trackBlock   = "(track)"
	peerBlock    = "(unicast_peer)"
	setBlock     = "(virtual_server_group)"
	syncBlock    = "(lvs_sync_daemon)"
	timeoutBlock = "(lvs_timeouts)"
	regexBlock   = "(regex_options)"
)

// word is a row for a word inside a line.
func word(name, args, def, doc string, options ...option) Keyword {
	return row(name, args, def, "", doc, options...)
}

// honoured marks a row whose word is read by the line's own decoder.
func honoured(k *Keyword) { k.Honoured = true }

// lineKeywords are the words inside the lines of addresses, routes, rules,
// trackers and groups.
func lineKeywords() []Keyword {
	var out []Keyword
	out = append(out, in(addressBlock, addressWords())...)
	out = append(out, each(honoured, in(routeBlock, routeWords()))...)
	out = append(out, each(honoured, in(ruleBlock, ruleWords()))...)
	return append(out, otherWords()...)
}

// each applies an option to all of the rows.
func each(o option, rows []Keyword) []Keyword {
	for i := range rows {
		o(&rows[i])
	}
	return rows
}

// addressWords are the options of an address.
func addressWords() []Keyword {
	return []Keyword{
		word("dev", "IFNAME", "the instance's", "Is the interface.", honoured),
		word("scope", "NAME", "global", "Is the scope of an IPv4 address.", honoured),
		word("broadcast", "IP", "none", "Is the broadcast address; + stands for the last address of the network.", honoured),
		word("brd", "IP", "none", "Is short for broadcast.", honoured),
		word("label", "STRING", "none", "Is the label of an IPv4 address.", honoured),
		word("peer", "IP[/LENGTH]", "none", "Is the far end of a point-to-point address.", honoured),
		word("home", "", "off", "Marks a home address of Mobile IPv6.", honoured),
		word("-nodad", "", "off", "Leaves duplicate address detection on.", honoured),
		word("mngtmpaddr", "", "off", "Has the kernel make temporary addresses of it.", honoured),
		word("noprefixroute", "", "off", "Adds no route to its network.", honoured),
		word("autojoin", "", "off", "Joins the multicast group.", honoured),
		word("no_track", "", "off", "Tracks neither the address nor its interface.", honoured),
		word("preferred_lft", "SECS", "forever, /128 0", "Is how long an IPv6 address is preferred.", honoured),
		word("track_group", "NAME", "none", "Is the group of instances that a static address follows.", honoured),
		word("use_vmac", "", "off", "Puts the address on an interface with the virtual MAC.", honoured),
	}
}

// routeWords are the words of a route, as iproute2 has them.
func routeWords() []Keyword {
	return []Keyword{
		word("inet6", "", "", "Is an IPv6 route."),
		word("inet", "", "", "Is an IPv4 route."),
		word("src", "IP", "", "Is the source address to prefer."),
		word("as", "IP", "", "Is the label that packets get."),
		word("via", "IP", "", "Is the next hop."),
		word("gw", "IP", "", "Is another name of via."),
		word("from", "IP/LENGTH", "", "Is the source that the route is for."),
		word("tos", "N", "", "Is the type of service that the route is for."),
		word("dsfield", "N", "", "Is another name of tos."),
		word("table", "ID", "main", "Is the routing table."),
		word("protocol", "ID", "18", "Is who made the route."),
		word("scope", "NAME", "", "Is how far the destination is."),
		word("metric", "N", "", "Is the cost; the least wins."),
		word("priority", "N", "", "Is another name of metric."),
		word("preference", "N", "", "Is another name of metric."),
		word("dev", "IFNAME", "", "Is the interface to leave by."),
		word("oif", "IFNAME", "", "Is another name of dev."),
		word("onlink", "", "", "Takes the next hop as reachable."),
		word("encap", "TYPE ...", "", "Wraps packets in a tunnel."),
		word("expires", "SECS", "", "Ends an IPv6 route after that time."),
		word("mtu", "[lock] N", "", "Is the greatest packet."),
		word("hoplimit", "N", "", "Is the hop limit to send with."),
		word("advmss", "[lock] N", "", "Is the segment size to announce."),
		word("rtt", "[lock] TIME", "", "Is the round trip to begin with."),
		word("rttvar", "[lock] TIME", "", "Is how much the round trip varies."),
		word("reordering", "[lock] N", "", "Is how much reordering is expected."),
		word("window", "N", "", "Is the greatest window."),
		word("cwnd", "[lock] N", "", "Is the greatest congestion window."),
		word("ssthresh", "[lock] N", "", "Is the threshold of slow start."),
		word("realms", "N", "", "Is the realm of the route."),
		word("rto_min", "[lock] TIME", "", "Is the least retransmission time-out."),
		word("initcwnd", "N", "", "Is the congestion window to begin with."),
		word("initrwnd", "N", "", "Is the receive window to begin with."),
		word("features", "NAME", "", "Turns on a feature: ecn."),
		word("quickack", "0|1", "", "Acknowledges at once."),
		word("congctl", "[lock] NAME", "", "Is the congestion control."),
		word("pref", "NAME", "", "Is the preference of an IPv6 router."),
		word("ttl-propagate", "NAME", "", "Copies the TTL into MPLS."),
		word("fastopen_no_cookie", "0|1", "", "Needs no cookie for TCP Fast Open."),
		word("add", "", "", "Fails where the route is there."),
		word("prepend", "", "default", "Puts the route in front."),
		word("append", "", "", "Puts the route at the end."),
		word("or", "IP", "", "Is an old way to name a second next hop."),
		word("nexthop", "via IP ...", "", "Begins one of several next hops."),
		word("no_track", "", "", "Does not watch the route."),
		word("track_group", "NAME", "", "Is the group of instances that a static route follows."),
		word("vrf", "NAME", "", "Uses the table of that VRF."),
		word("to", "DST", "", "Is the destination."),
	}
}

// ruleWords are the words of a rule, as iproute2 has them.
func ruleWords() []Keyword {
	return []Keyword{
		word("inet6", "", "", "Is an IPv6 rule."),
		word("inet", "", "", "Is an IPv4 rule."),
		word("from", "IP/LENGTH", "", "Matches the source."),
		word("to", "IP/LENGTH", "", "Matches the destination."),
		word("table", "ID", "", "Is the table to look in."),
		word("lookup", "ID", "", "Is another name of table."),
		word("not", "", "", "Turns the match around."),
		word("preference", "N", "chosen", "Is the place among the rules."),
		word("order", "N", "", "Is another name of preference."),
		word("priority", "N", "", "Is another name of preference."),
		word("tos", "N", "", "Matches the type of service."),
		word("dsfield", "N", "", "Is another name of tos."),
		word("fwmark", "N[/MASK]", "", "Matches the mark."),
		word("realms", "[SRC/]DST", "", "Sets the realm."),
		word("suppress_prefixlength", "N", "", "Refuses routes of that length or shorter."),
		word("sup_pl", "N", "", "Is short for suppress_prefixlength."),
		word("suppress_ifgroup", "NAME", "", "Refuses routes by interfaces of that group."),
		word("sup_group", "NAME", "", "Is short for suppress_ifgroup."),
		word("dev", "IFNAME", "", "Matches the interface that a packet came by."),
		word("iif", "IFNAME", "", "Is another name of dev."),
		word("oif", "IFNAME", "", "Matches the interface that a socket is bound to."),
		word("tunnel-id", "N", "", "Matches the tunnel."),
		word("uidrange", "A-B", "", "Matches users."),
		word("l3mdev", "", "", "Looks in the table of the VRF."),
		word("protocol", "NAME", "keepalived", "Is who made the rule."),
		word("ipproto", "NAME", "", "Matches the protocol."),
		word("sport", "A[-B]", "", "Matches source ports."),
		word("dport", "A[-B]", "", "Matches destination ports."),
		word("no_track", "", "", "Does not watch the rule."),
		word("track_group", "NAME", "", "Is the group of instances that a static rule follows."),
		word("type", "ACTION", "", "Stands before the action."),
		word("goto", "N", "", "Goes on at another rule."),
		word("nop", "", "", "Does nothing."),
		word("blackhole", "", "", "Drops the packet."),
	}
}

// otherWords are the words of the shorter grammars.
func otherWords() []Keyword {
	var out []Keyword
	out = append(out, in(trackBlock, []Keyword{
		word("weight", "N", "that of the script", "Is added to the priority, or taken from it.", honoured),
		word("reverse", "", "", "Turns the condition around.", honoured),
		word("noreverse", "", "", "Does not turn it around.", honoured),
	})...)
	out = append(out, in(peerBlock, []Keyword{
		word("min_ttl", "0..255", "0", "Is the least TTL to accept.", honoured),
		word("max_ttl", "0..255", "255", "Is the greatest TTL to accept.", honoured),
	})...)
	out = append(out, in(setBlock, []Keyword{
		word("fwmark", "N [inet|inet6]", "", "Is a firewall mark.", honoured),
	})...)
	out = append(out, in(syncBlock, []Keyword{
		word("inst", "NAME", "", "Is the instance that it follows.", honoured),
		word("id", "0..255", "the VRID", "Tells several daemons apart.", honoured),
		word("maxlen", "N", "kernel", "Is the greatest packet.", honoured),
		word("port", "N", "8848", "Is the UDP port.", honoured),
		word("ttl", "1..255", "1", "Is the TTL of multicast.", honoured),
		word("group", "IP", "224.0.0.81", "Is the multicast group.", honoured),
	})...)
	out = append(out, in(timeoutBlock, []Keyword{
		word("tcp", "SECS", "kernel", "Is how long an idle TCP connection is kept.", honoured),
		word("tcpfin", "SECS", "kernel", "Is how long a closing TCP connection is kept.", honoured),
		word("udp", "SECS", "kernel", "Is how long UDP packets count as one connection.", honoured),
	})...)
	for _, name := range regexOptions() {
		out = append(out, in(regexBlock, []Keyword{word(name, "", "off", "Is an option of PCRE2 by that name.", honoured)})...)
	}
	return out
}

// regexOptions are the options of regular expressions.
func regexOptions() []string {
	return []string{
		"allow_empty_class", "alt_bsux", "auto_callout", "caseless", "dollar_endonly", "dotall",
		"dupnames", "extended", "firstline", "match_unset_backref", "multiline", "never_ucp",
		"never_utf", "no_auto_capture", "no_auto_possess", "no_dotstar_anchor", "no_start_optimize", "ucp",
		"ungreedy", "utf", "never_backslash_c", "alt_circumflex", "alt_verbnames", "use_offset_limit",
	}
}
