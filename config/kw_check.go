package config

import "time"

const (
	serverB = "virtual_server/real_server"
)

// checkerKeywords are virtual_server and all that is in it.
func checkerKeywords() []Keyword {
	var out []Keyword
	out = append(out, in("", []Keyword{
		row("SSL", "{ }", "", "<=0.6.6", "Holds the certificate that SSL_GET shows.", does(tlsBlock)),
		row("virtual_server_group", "NAME { lines }", "", "1.0.2", "Names addresses and marks that share their servers.", does(serverGroupBlock)),
		row("virtual_server", "IP [PORT] | fwmark N | group NAME { }", "", "<=0.6.6", "Is an IPVS service.", does(virtualServerBlock)),
	})...)
	out = append(out, in("SSL", []Keyword{
		row("password", "STRING", "", "<=0.6.6", "Opens the private key.", lenient, does(tlsFile(func(t *TLS) *string { return &t.Password }))),
		row("ca", "PATH", "", "<=0.6.6", "Is the file of certificate authorities.", lenient, does(tlsFile(func(t *TLS) *string { return &t.CA }))),
		row("certificate", "PATH", "", "<=0.6.6", "Is the certificate.", lenient, does(tlsFile(func(t *TLS) *string { return &t.Certificate }))),
		row("key", "PATH", "", "<=0.6.6", "Is the private key.", lenient, does(tlsFile(func(t *TLS) *string { return &t.Key }))),
	})...)
	out = append(out, in("virtual_server", serviceRows(), serviceDefaults(), serviceQuorum())...)
	out = append(out, in(serverB, serverRows(), checkBlocks())...)
	for _, kind := range []string{"TCP_CHECK", "PING_CHECK", "UDP_CHECK", "SMTP_CHECK", "DNS_CHECK", "HTTP_GET", "SSL_GET"} {
		out = append(out, in(serverB+"/"+kind, connectRows(), timingRows())...)
	}
	out = append(out, in(serverB+"/SMTP_CHECK", []Keyword{
		row("helo_name", "NAME", "smtpchecker.keepalived.org", "1.1.8", "Is how the check greets.", does(stringTo(func(d *decoder) *string { return &d.check.SMTP.HELO }))),
		row("host", "{ }", "", "1.1.8", "Is an old way to check one host more.", instead("SMTP_CHECK"), silent, does(smtpHost)),
	})...)
	out = append(out, in(serverB+"/SMTP_CHECK/host", connectRows(), timingRows())...)
	out = append(out, in(serverB+"/UDP_CHECK", []Keyword{
		row("payload", "HEX ...", "none", "2.2.0", "Is what is sent.", does(udpPayload)),
		row("require_reply", "[HEX ...]", "off", "2.1.0", "Asks for an answer, one like that.", does(udpReply)),
		row("min_reply_length", "0..65535", "0", "2.2.0", "Is the least length of an answer.", does(intTo(func(d *decoder) *int { return &d.check.UDP.MinReply }, 0, 65535))),
		row("max_reply_length", "0..65535", "255", "2.2.0", "Is the greatest length of an answer.", does(intTo(func(d *decoder) *int { return &d.check.UDP.MaxReply }, 0, 65535))),
	})...)
	out = append(out, in(serverB+"/DNS_CHECK", []Keyword{
		row("type", "A|NS|CNAME|SOA|MX|TXT|AAAA|RRSIG|DNSKEY", "SOA", "1.3.0", "Is what is asked for.", does(dnsType)),
		row("name", "NAME", ".", "1.3.0", "Is the name that is asked for.", does(dnsName)),
	})...)
	out = append(out, in(serverB+"/FILE_CHECK", []Keyword{
		row("track_file", "NAME", "required", "2.1.0", "Is the file.", does(fileCheckName)),
		row("weight", "N [reverse|noreverse]", "the file's", "2.1.0", "Multiplies the file's number.", does(fileCheckWeight)),
	})...)
	out = append(out, in(serverB+"/BFD_CHECK", []Keyword{
		row("name", "NAME", "required", "2.0.0", "Is the BFD session.", does(bfdCheckName)),
		row("alpha", "[BOOL]", "the server's", "2.0.0", "Counts as failed until the first success.", does(optBoolTo(func(d *decoder) **bool { return &d.check.alpha }))),
	})...)
	out = append(out, in(serverB+"/MISC_CHECK", timingRows(), []Keyword{
		row("misc_path", "SCRIPT", "required", "<=0.6.6", "Is the command, with its arguments in one pair of quotes.", shell, does(miscPath)),
		row("misc_timeout", "SECS", "delay_loop", "1.1.0", "Is when a run counts as failed and is killed.", does(miscTimeout)),
		row("misc_dynamic", "", "off", "1.1.8", "Takes the weight from the exit status.", does(func(d *decoder, _ *node) { d.check.misc.Dynamic = true })),
		row("user", "USER [GROUP]", "script_user", "1.3.0", "Runs the script as that user.", does(miscUser)),
	})...)
	for _, kind := range []string{"HTTP_GET", "SSL_GET"} {
		out = append(out, in(serverB+"/"+kind, httpRows(kind))...)
		out = append(out, in(serverB+"/"+kind+"/url", urlRows())...)
	}
	return out
}

func serviceRows() []Keyword {
	schedulers := "rr|wrr|lc|wlc|lblc|sh|mh|dh|fo|ovf|lblcr|sed|nq|twos"
	methods := "NAT|DR|TUN [type ipip|gue port N|gre] [nocsum|csum|remcsum]"
	method := does(methodTo(func(d *decoder) *Forwarding { return &d.vs.forwarding }))
	flag := func(bit uint32, scheduler string) option { return does(schedulerFlag(bit, scheduler)) }
	return []Keyword{
		row("ip_family", "inet|inet6", "the addresses'", "1.2.20", "Is the family of a service for a mark.", does(serviceFamily)),
		row("lb_algo", schedulers, "wlc", "<=0.6.6", "Is the old name of lvs_sched.", does(serviceScheduler)),
		row("lvs_sched", schedulers, "wlc", "1.1.5", "Is how connections are spread over the servers.", does(serviceScheduler)),
		row("lb_kind", methods, "NAT", "<=0.6.6", "Is the old name of lvs_method.", method),
		row("lvs_method", methods, "NAT", "1.1.5", "Is how packets reach the servers that are named after it.", method),
		row("hashed", "", "", "1.3.0", "Has no effect.", without("keepalived refuses it"), reads(serviceHashed)),
		row("ops", "", "off", "1.2.8", "Schedules each packet for itself; for UDP and marks.", flag(flagOnePacket, "")),
		row("flag-1", "", "off", "1.3.0", "Sets the first flag of the scheduler.", flag(flagSched1, "")),
		row("flag-2", "", "off", "1.3.0", "Sets the second flag of the scheduler.", flag(flagSched2, "")),
		row("flag-3", "", "off", "1.3.0", "Sets the third flag of the scheduler.", flag(flagSched3, "")),
		row("sh-port", "", "off", "1.3.0", "Lets the sh scheduler look at the port too.", flag(flagSched2, "sh")),
		row("sh-fallback", "", "off", "1.3.0", "Lets the sh scheduler choose another server where one is down.", flag(flagSched1, "sh")),
		row("mh-port", "", "off", "2.0.20", "Lets the mh scheduler look at the port too.", flag(flagSched2, "mh")),
		row("mh-fallback", "", "off", "2.0.20", "Lets the mh scheduler choose another server where one is down.", flag(flagSched1, "mh")),
		row("persistence_engine", "NAME", "none", "1.2.20", "Is what makes a client the same: sip.", does(persistenceEngine)),
		row("persistence_timeout", "[SECS]", "off, 360 without a value", "<=0.6.6", "Keeps a client on its server for that long.", does(persistenceTimeout)),
		row("persistence_granularity", "NETMASK", "one address", "<=0.6.6", "Counts a whole network as one client.", does(persistenceGranularity)),
		row("protocol", "TCP|UDP|SCTP", "UDP", "<=0.6.6", "Is the service's protocol.", does(serviceProtocol)),
		row("ha_suspend", "", "off", "1.0.0", "Checks only while the address is on this host.", does(flagTo(func(d *decoder) *bool { return &d.vs.HASuspend }))),
		row("smtp_alert", "[BOOL]", "false", "2.0.0", "Sends e-mail when the quorum changes.", does(optBoolTo(func(d *decoder) **bool { return &d.vs.alert }))),
		row("virtualhost", "STRING", "none", "<=0.6.6", "Is the Host header of HTTP_GET and SSL_GET.", lenient, does(stringTo(func(d *decoder) *string { return &d.vs.virtualhost }))),
		row("snmp_name", "STRING", "none", "2.2.3", "Names the service in SNMP.", without(noSNMP), lenient, reads(alone(stringTo(func(d *decoder) *string { return &d.vs.SNMPName })))),
		row("sorry_server", "IP [PORT]", "none", "<=0.6.6", "Serves while there is no quorum.", does(sorryServer)),
		row("sorry_server_inhibit", "", "off", "1.2.13", "Keeps the sorry server in the table, with weight 0.", does(sorryInhibit)),
		row("sorry_server_lvs_method", methods, "the service's", "1.3.6", "Is how packets reach the sorry server.", does(sorryMethod)),
		row("real_server", "IP [PORT] { }", "", "<=0.6.6", "Is a server that the service spreads over.", does(realServerBlock)),
	}
}

// serviceDefaults are what real servers and their checks inherit.
func serviceDefaults() []Keyword {
	t := func(f func(*timing) **time.Duration) func(*decoder) **time.Duration {
		return func(d *decoder) **time.Duration { return f(&d.vs.timing) }
	}
	return []Keyword{
		row("retry", "N", "1", "1.3.7", "Is how many failures in a row are still tolerated.", does(optIntTo(func(d *decoder) **int { return &d.vs.retry }, 1, maxUint))),
		row("delay_before_retry", "SECS", "by check", "1.3.7", "Is the time to a check after a failure.", does(optDurationTo(t(func(t *timing) **time.Duration { return &t.beforeRetry }), 0))),
		row("warmup", "SECS", "delay_loop", "1.3.7", "Is the most that a first check is put off by chance.", does(optDurationTo(t(func(t *timing) **time.Duration { return &t.warmup }), 0))),
		row("connect_timeout", "SECS", "5", "2.0.13", "Is how long a connection may take.", does(timeoutTo(t(func(t *timing) **time.Duration { return &t.connect })))),
		row("delay_loop", "SECS", "60", "<=0.6.6", "Is the time between checks.", does(optDurationTo(t(func(t *timing) **time.Duration { return &t.interval }), 1))),
		row("inhibit_on_failure", "", "off", "1.3.7", "Keeps failed servers in the table, with weight 0.", does(flagTo(func(d *decoder) *bool { return &d.vs.inhibit }))),
		row("alpha", "", "off", "1.1.16", "Counts servers as down until they have been checked.", does(flagTo(func(d *decoder) *bool { return &d.vs.alpha }))),
		row("weight", "1..2147483647", "1", "1.3.7", "Is the weight of servers that name none.", does(intTo(func(d *decoder) *int { return &d.vs.weight }, 1, maxInt))),
	}
}

func serviceQuorum() []Keyword {
	return []Keyword{
		row("omega", "", "off", "1.1.16", "Runs the scripts of the down side also when the program stops.", does(flagTo(func(d *decoder) *bool { return &d.vs.Omega }))),
		row("quorum", "N", "1", "1.1.16", "Is the weight of living servers that is enough.", does(intTo(func(d *decoder) *int { return &d.vs.Quorum }, 1, maxInt))),
		row("hysteresis", "N", "0", "1.1.16", "Widens the step between quorum lost and gained.", does(intTo(func(d *decoder) *int { return &d.vs.Hysteresis }, 0, maxInt))),
		row("quorum_up", "SCRIPT [USER [GROUP]]", "", "1.1.16", "Is run when the quorum is gained.", shell, does(notifyTo(func(d *decoder) **Command { return &d.vs.QuorumUp }))),
		row("quorum_down", "SCRIPT [USER [GROUP]]", "", "1.1.16", "Is run when the quorum is lost.", shell, does(notifyTo(func(d *decoder) **Command { return &d.vs.QuorumDown }))),
	}
}

func serverRows() []Keyword {
	t := func(f func(*timing) **time.Duration) func(*decoder) **time.Duration {
		return func(d *decoder) **time.Duration { return f(&d.rs.timing) }
	}
	return []Keyword{
		row("weight", "0..2147483647", "the service's", "<=0.6.6", "Is the server's share.", does(optIntTo(func(d *decoder) **int { return &d.rs.weight }, 0, maxInt))),
		row("lvs_method", "NAT|DR|TUN ...", "the service's", "1.3.6", "Is how packets reach this server.", does(methodTo(func(d *decoder) *Forwarding { return &d.rs.Forwarding }))),
		row("uthreshold", "N", "none", "1.1.13", "Gives the server no new connection above that many.", does(thresholdTo(func(d *decoder) *uint32 { return &d.rs.UpperThreshold }))),
		row("lthreshold", "N", "none", "1.1.13", "Gives it new connections again below that many.", does(thresholdTo(func(d *decoder) *uint32 { return &d.rs.LowerThreshold }))),
		row("inhibit_on_failure", "[BOOL]", "the service's", "0.6.8", "Keeps the server in the table when it fails, with weight 0.", does(optBoolTo(func(d *decoder) **bool { return &d.rs.inhibit }))),
		row("notify_up", "SCRIPT [USER [GROUP]]", "", "1.0.0", "Is run when the server comes up.", shell, does(notifyTo(func(d *decoder) **Command { return &d.rs.NotifyUp }))),
		row("notify_down", "SCRIPT [USER [GROUP]]", "", "1.0.0", "Is run when the server goes down.", shell, does(notifyTo(func(d *decoder) **Command { return &d.rs.NotifyDown }))),
		row("alpha", "[BOOL]", "the service's", "1.3.7", "Counts the server as down until it has been checked.", does(optBoolTo(func(d *decoder) **bool { return &d.rs.alpha }))),
		row("retry", "N", "the service's", "1.3.7", "Is how many failures in a row are still tolerated.", does(optIntTo(func(d *decoder) **int { return &d.rs.retry }, 1, maxUint))),
		row("delay_before_retry", "SECS", "the service's", "1.3.7", "Is the time to a check after a failure.", does(optDurationTo(t(func(t *timing) **time.Duration { return &t.beforeRetry }), 0))),
		row("warmup", "SECS", "the service's", "1.3.7", "Is the most that a first check is put off by chance.", does(optDurationTo(t(func(t *timing) **time.Duration { return &t.warmup }), 0))),
		row("connect_timeout", "SECS", "the service's", "2.0.13", "Is how long a connection may take.", does(timeoutTo(t(func(t *timing) **time.Duration { return &t.connect })))),
		row("delay_loop", "SECS", "the service's", "1.3.7", "Is the time between checks.", does(optDurationTo(t(func(t *timing) **time.Duration { return &t.interval }), 1))),
		row("smtp_alert", "[BOOL]", "true", "2.0.0", "Sends e-mail when the server changes.", does(optBoolTo(func(d *decoder) **bool { return &d.rs.alert }))),
		row("virtualhost", "STRING", "the service's", "1.3.6", "Is the Host header of HTTP_GET and SSL_GET.", lenient, does(stringTo(func(d *decoder) *string { return &d.rs.virtualhost }))),
		row("snmp_name", "STRING", "none", "2.2.3", "Names the server in SNMP.", without(noSNMP), lenient, reads(alone(stringTo(func(d *decoder) *string { return &d.rs.SNMPName })))),
	}
}

func checkBlocks() []Keyword {
	return []Keyword{
		row("TCP_CHECK", "{ }", "", "<=0.6.6", "Connects by TCP.", does(checkBlock)),
		row("HTTP_GET", "{ }", "", "<=0.6.6", "Fetches pages by HTTP.", does(checkBlock)),
		row("SSL_GET", "{ }", "", "<=0.6.6", "Fetches pages by HTTPS.", does(checkBlock)),
		row("MISC_CHECK", "{ }", "", "<=0.6.6", "Runs a script.", does(checkBlock)),
		row("SMTP_CHECK", "{ }", "", "1.1.8", "Greets a mail server.", does(checkBlock)),
		row("DNS_CHECK", "{ }", "", "1.3.0", "Asks a name server.", does(checkBlock)),
		row("PING_CHECK", "{ }", "", "2.1.0", "Sends an ICMP echo.", does(checkBlock)),
		row("UDP_CHECK", "{ }", "", "2.1.0", "Sends a datagram.", does(checkBlock)),
		row("FILE_CHECK", "{ }", "", "2.1.0", "Follows the number in a file.", does(checkBlock)),
		row("BFD_CHECK", "{ }", "", "2.0.0", "Follows a BFD session.", does(checkBlock)),
	}
}

// connectRows are the keywords of a check that connects.
func connectRows() []Keyword {
	return []Keyword{
		row("connect_ip", "IP", "the server's", "1.2.13", "Is the address to connect to.", does(connectIP)),
		row("connect_port", "1..65535", "the server's", "<=0.6.6", "Is the port to connect to.", does(portTo(func(c *Connect) *uint16 { return &c.Port }))),
		row("bindto", "IP", "none", "1.1.2", "Is the address to connect from.", does(bindTo)),
		row("bind_port", "1..65535", "none", "1.2.13", "Is the port to connect from.", does(portTo(func(c *Connect) *uint16 { return &c.BindPort }))),
		row("bind_if", "IFNAME", "none", "1.3.7", "Is the interface to connect by.", does(bindInterface)),
		row("connect_timeout", "SECS", "the server's", "<=0.6.6", "Is how long the connection may take.", does(timeoutTo(func(d *decoder) **time.Duration { return &d.check.timing.connect }))),
		row("fwmark", "N", "0", "1.2.13", "Marks the packets of the check.", does(connectMark)),
	}
}

// timingRows are the keywords of every check that runs by itself.
func timingRows() []Keyword {
	t := func(f func(*timing) **time.Duration) func(*decoder) **time.Duration {
		return func(d *decoder) **time.Duration { return f(&d.check.timing) }
	}
	return []Keyword{
		row("retry", "N", "the server's", "1.2.20", "Is how many failures in a row are still tolerated.", does(optIntTo(func(d *decoder) **int { return &d.check.retry }, 0, maxUint))),
		row("delay_before_retry", "SECS", "the server's", "1.2.20", "Is the time to the next check after a failure.", does(optDurationTo(t(func(t *timing) **time.Duration { return &t.beforeRetry }), 0))),
		row("warmup", "SECS", "the server's", "1.2.13", "Is the most that the first check is put off by chance.", does(optDurationTo(t(func(t *timing) **time.Duration { return &t.warmup }), 0))),
		row("delay_loop", "SECS", "the server's", "1.3.7", "Is the time between checks.", does(optDurationTo(t(func(t *timing) **time.Duration { return &t.interval }), 1))),
		row("alpha", "[BOOL]", "the server's", "1.3.7", "Counts as failed until the first success.", does(optBoolTo(func(d *decoder) **bool { return &d.check.alpha }))),
		row("log_all_failures", "[BOOL]", "checker_log_all_failures", "2.0.11", "Logs every failure, not only the first and the last.", does(optBoolTo(func(d *decoder) **bool { return &d.check.logAll }))),
	}
}

func httpRows(kind string) []Keyword {
	tlsOnly := "connections are closed the quiet way"
	if kind == "HTTP_GET" {
		tlsOnly = "it has no meaning without TLS"
	}
	return []Keyword{
		row("nb_get_retry", "N", "retry", "<=0.6.6", "Is the old name of retry.", instead("retry"), does(optIntTo(func(d *decoder) **int { return &d.check.retry }, 0, maxUint))),
		row("virtualhost", "STRING", "the server's", "1.3.6", "Is the Host header.", lenient, does(stringTo(func(d *decoder) *string { return &d.check.virtualhost }))),
		row("http_protocol", "1.0|1.0C|1.1", "1.0", "2.0.17", "Is the version of HTTP; C closes the connection.", does(httpProtocol)),
		row("enable_sni", "[BOOL]", "false", "1.4.3", "Sends the server's name in the TLS handshake.", does(boolTo(func(d *decoder) *bool { return &d.check.HTTP.EnableSNI }))),
		row("sni_name", "[NAME]", "virtualhost", "post-2.4.3", "Is the name to send in the TLS handshake.", does(sniName)),
		row("fast_recovery", "[BOOL]", "false", "2.0.17", "Fetches all pages one right after the other while recovering.", does(boolTo(func(d *decoder) *bool { return &d.check.HTTP.FastRecovery }))),
		row("tls_compliant", "[BOOL]", "false", "2.2.8", "Ends TLS in both directions.", without(tlsOnly), reads(boolTo(func(d *decoder) *bool { return &d.check.HTTP.Compliant }))),
		row("url", "{ }", "required", "<=0.6.6", "Is a page to fetch.", does(urlBlock)),
	}
}

func urlRows() []Keyword {
	return []Keyword{
		row("path", "STRING", "required", "<=0.6.6", "Is the path to ask for.", does(urlPath)),
		row("digest", "MD5", "none", "<=0.6.6", "Is the MD5 of the body.", does(urlDigest)),
		row("status_code", "N[-M] ...", "200-299", "0.7.6", "Is the status that is expected.", lenient, does(urlStatus)),
		row("virtualhost", "STRING", "the check's", "1.3.6", "Is the Host header.", lenient, does(stringTo(func(d *decoder) *string { return &d.url.Host }))),
		row("regex", "PATTERN", "none", "2.0.7", "Is what the body has to hold.", shell, lenient, does(urlRegex)),
		row("regex_no_match", "", "off", "2.0.7", "Turns regex around.", does(func(d *decoder, _ *node) { d.regexAt().NoMatch = true })),
		row("regex_options", "OPTION ...", "none", "2.0.7", "Changes how regex is read.", lenient, does(urlRegexOptions)),
		row("regex_min_offset", "N", "0", "2.0.7", "Is where a match may begin at the earliest.", lenient, does(urlRegexNumber(func(r *Regex) *int { return &r.MinOffset }))),
		row("regex_max_offset", "N", "none", "2.0.7", "Is where a match may begin at the latest.", lenient, does(urlRegexNumber(func(r *Regex) *int { return &r.MaxOffset }))),
		row("regex_stack", "START MAX", "", "2.0.7", "Sizes the stack of the search.", lenient, without("the library sizes its stack itself"), reads(urlRegexStack)),
		row("tls_compliant", "[BOOL]", "the check's", "2.2.8", "Ends TLS in both directions.", does(optBoolTo(func(d *decoder) **bool { return &d.urlCompliant }))),
	}
}
