package config

import (
	"fmt"
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"time"
)

// completeServices gives services and servers what they inherit and writes out
// the groups.
func (d *decoder) completeServices() {
	for _, s := range d.services {
		if s.node.settled != nil {
			d.cfg.VirtualServers = append(d.cfg.VirtualServers, s.VirtualServer)
		} else if d.completeService(s) {
			d.expandService(s)
		}
	}
	d.duplicateServices()
	if d.used != nil && !d.cfg.Global.ScriptSecurity {
		d.warn("script-security", *d.used, "Write enable_script_security in global_defs.", "scripts are run and enable_script_security is not set")
	}
}

// title names a service for people while it is completed.
func (s *serviceDraft) title() string {
	if s.set != "" {
		return "[" + s.set + "]"
	}
	return serviceName(s.VirtualServer)
}

// serviceName is the name of a service in logs.
func serviceName(v *VirtualServer) string {
	if v.FWMark != 0 {
		return "FWM " + strconv.FormatUint(uint64(v.FWMark), 10)
	}
	name := v.Addr.AppendTo(append(make([]byte, 0, 64), '['))
	name = append(append(append(name, "]:"...), strings.ToLower(orElse(v.Protocol, "none"))...), ':')
	return string(strconv.AppendUint(name, uint64(v.Port), 10))
}

// completeService resolves a service; false where it cannot be used.
func (d *decoder) completeService(s *serviceDraft) bool {
	if s.set != "" && d.sets[s.set] == nil {
		d.fail("group-undefined", words(s.node, 1), "Define virtual_server_group "+s.set+".", "virtual_server group %s is not defined; it does not count", s.set)
		return false
	}
	if len(s.servers) == 0 {
		d.warn("no-real-server", words(s.node, 0), "Add a block real_server.", "virtual_server %s has no real server and does not count", s.title())
		return false
	}
	marks, addrs := s.kinds(d)
	d.completeProtocol(s, marks, addrs)
	d.completeScheduling(s)
	if d.zeroPort(s) && s.PersistenceTimeout == 0 {
		d.warn("zero-port", words(s.node, 0), "Give it a port, or persistence_timeout.", "virtual_server %s has no port, for which it has to be persistent; 360 s are used", s.title())
		s.PersistenceTimeout = 360 * time.Second
	}
	s.SMTPAlert = d.alertFor(s.alert, d.global.alertChecker, false)
	if s.HASuspend && marks {
		d.warn("ha-suspend", s.at("ha_suspend"), "Remove the line.", "ha_suspend of virtual_server %s does not count, as a mark is no address", s.title())
		s.HASuspend = false
	}
	d.completeServers(s)
	d.completeQuorum(s)
	if s.FollowInstance != "" && d.instanceNamed(s.FollowInstance) == nil {
		d.fail("follow-undefined", s.at("follow_instance"), d.instanceHelp(s.FollowInstance), "follow_instance names %s, which is not defined", s.FollowInstance)
		s.FollowInstance = ""
	}
	return true
}

// kinds says whether the service is for marks, for addresses or for both.
func (s *serviceDraft) kinds(d *decoder) (marks, addrs bool) {
	if s.set == "" {
		return s.FWMark != 0, s.FWMark == 0
	}
	for _, m := range d.sets[s.set].members {
		marks = marks || m.fwmark != 0
		addrs = addrs || m.fwmark == 0
	}
	return marks, addrs
}

// zeroPort is true where an address of the service has no port.
func (d *decoder) zeroPort(s *serviceDraft) bool {
	if s.set == "" {
		return s.FWMark == 0 && s.Port == 0
	}
	return slices.ContainsFunc(d.sets[s.set].members, func(m setMember) bool { return m.fwmark == 0 && m.port == 0 })
}

func (d *decoder) completeProtocol(s *serviceDraft, marks, addrs bool) {
	switch {
	case s.Protocol != "" && marks && !addrs:
		d.warn("protocol-mark", s.at("protocol"), "Remove the line.", "the protocol of virtual_server %s does not count, as it is for a mark", s.title())
	case s.Protocol == "" && addrs:
		s.Protocol = "UDP"
		d.warn("no-protocol", words(s.node, 0), "Add a line protocol TCP.", "virtual_server %s names no protocol; UDP is used", s.title())
	}
	if s.SchedulerFlags&flagOnePacket != 0 && s.Protocol != "UDP" && !marks {
		d.warn("ops-protocol", s.at("ops"), "", "ops is for UDP only; it does not count for virtual_server %s", s.title())
		s.SchedulerFlags &^= flagOnePacket
	}
}

func (d *decoder) completeScheduling(s *serviceDraft) {
	if s.Scheduler == "" {
		s.Scheduler = "wlc"
		d.warn("no-scheduler", words(s.node, 0), "Add a line lvs_sched wlc.", "virtual_server %s names no scheduler; wlc is used", s.title())
	}
	if s.forwarding.Method == "" {
		s.forwarding.Method = "NAT"
		// Where every server names a method of its own, nothing is missing.
		if slices.ContainsFunc(s.servers, func(r *serverDraft) bool { return r.Forwarding.Method == "" }) {
			d.warn("no-method", words(s.node, 0), "Add a line lvs_method NAT.", "virtual_server %s names no lvs_method; NAT is used", s.title())
		}
	}
	s.Forwarding = s.forwarding
}

// completeServers resolves the real servers and drops those named twice.
func (d *decoder) completeServers(s *serviceDraft) {
	s.RealServers = make([]*RealServer, 0, len(s.servers))
	clear(d.servers)
	for _, r := range s.servers {
		if r.Forwarding.Method == "" {
			r.Forwarding = s.forwarding
		}
		d.completePort(s, r)
		r.Block = netip.AddrPortFrom(r.Addr, r.Port)
		if d.servers[r.Block] {
			d.warn("duplicate", words(r.node, 0), "Remove one of the two.", "real_server %s of virtual_server %s is there already; this one does not count", r.Block, s.title())
			continue
		}
		d.servers[r.Block] = true
		d.completeServer(s, r)
		s.RealServers = append(s.RealServers, r.RealServer)
	}
	if s.Sorry != nil {
		d.completeSorry(s)
	}
}

// completePort settles the port of a real server by its forwarding method: only
// NAT can change it.
func (d *decoder) completePort(s *serviceDraft, r *serverDraft) {
	if s.set != "" {
		d.groupPort(s, r)
		return
	}
	switch {
	case s.FWMark != 0:
		if r.Port != 0 && r.Forwarding.Method != "NAT" {
			d.warn("port-mark", words(r.node, 1), "Remove the port; checks name theirs by connect_port.", "the port of real_server %s does not count, as %s is for a mark", r.Addr, s.title())
			d.defaultPort(r)
			r.Port = 0
		}
	case r.Port == 0:
		r.Port = s.Port
	case r.Port != s.Port && r.Forwarding.Method != "NAT":
		d.warn("port-mismatch", words(r.node, 1), "Only lvs_method NAT can change the port.", "the port of real_server %s has to be that of virtual_server %s; %d is used", r.Addr, s.title(), s.Port)
		r.Port = s.Port
	}
}

// groupPort does so for a service of a group, whose addresses differ in port.
func (d *decoder) groupPort(s *serviceDraft, r *serverDraft) {
	for _, m := range d.sets[s.set].members {
		switch {
		case m.fwmark != 0 && r.Port != 0 && r.Forwarding.Method != "NAT":
			d.warn("port-mark", words(r.node, 1), "", "the port of real_server %s does not count for the marks of group %s", r.Addr, s.set)
			return
		case m.fwmark == 0 && r.Port != 0 && m.port != r.Port && r.Forwarding.Method != "NAT":
			d.warn("port-mismatch", words(r.node, 1), "Only lvs_method NAT can change the port.", "the port of real_server %s is not that of %s in group %s", r.Addr, netip.AddrPortFrom(m.addr, m.port), s.set)
			return
		}
	}
}

// defaultPort keeps the port for the checks of a server that loses it.
func (d *decoder) defaultPort(r *serverDraft) {
	for _, c := range r.checks {
		if c.Connect.Port == 0 {
			c.Connect.Port = r.Port
		}
	}
}

func (d *decoder) completeServer(s *serviceDraft, r *serverDraft) {
	r.Weight = s.weight
	if r.weight != nil {
		r.Weight = *r.weight
	}
	r.InhibitOnFailure = s.inhibit
	if r.inhibit != nil {
		r.InhibitOnFailure = *r.inhibit
	}
	if r.LowerThreshold > 0 && r.UpperThreshold > 0 && r.LowerThreshold > r.UpperThreshold {
		d.notice("threshold-order", words(r.node, 0), "", "lthreshold of real_server %s is above its uthreshold", r.Addr)
	}
	r.SMTPAlert = d.alertFor(r.alert, d.global.alertChecker, true)
	r.checks = slices.DeleteFunc(r.checks, func(c *checkDraft) bool {
		d.completeCheck(s, r, c)
		missing := c.misc != nil && c.misc.Missing
		if missing && c.Alpha {
			d.notice("unchecked", words(r.node, 0), "", "real_server %s never comes up: it waits for a check that cannot be made", r.Addr)
		}
		return missing && !c.Alpha
	})
	for _, c := range r.checks {
		r.Checks = append(r.Checks, c.Check)
	}
	for _, c := range r.dormant {
		d.completeCheck(s, r, c)
		r.Dormant = append(r.Dormant, c.Check)
	}
	if len(r.Checks) == 0 {
		for _, n := range r.node.Body {
			if k := d.table[serverB][n.name()]; k != nil && k.Form == FormBlock {
				d.notice("unchecked", words(r.node, 0), "", "real_server %s has no check that works and always counts as up", r.Addr)
				break
			}
		}
	}
}

func (d *decoder) completeSorry(s *serviceDraft) {
	if s.Sorry.Forwarding.Method == "" {
		s.Sorry.Forwarding = s.forwarding
	}
	at := s.at("sorry_server")
	nat := s.Sorry.Forwarding.Method == "NAT"
	switch {
	case s.set != "":
		if !nat && s.Sorry.Port != 0 {
			d.warn("port-mismatch", at, "Remove the port.", "the port of the sorry server of %s does not count", s.title())
			s.Sorry.Port = 0
		}
	case s.FWMark != 0 && s.Sorry.Port != 0 && !nat:
		d.warn("port-mark", at, "Remove the port.", "the port of the sorry server does not count, as %s is for a mark", s.title())
		s.Sorry.Port = 0
	case s.FWMark != 0:
	case s.Sorry.Port == 0:
		s.Sorry.Port = s.Port
	case s.Sorry.Port != s.Port && !nat:
		d.warn("port-mismatch", at, "Only lvs_method NAT can change the port.", "the port of the sorry server has to be that of virtual_server %s; %d is used", s.title(), s.Port)
		s.Sorry.Port = s.Port
	}
	for _, r := range s.RealServers {
		if r.Addr == s.Sorry.Addr && r.Port == s.Sorry.Port && r.InhibitOnFailure != s.Sorry.Inhibit {
			d.warn("sorry-inhibit", at, "", "the sorry server of %s is also a real server and differs in inhibit_on_failure; it follows the real server", s.title())
			s.Sorry.Inhibit = r.InhibitOnFailure
		}
	}
}

func (d *decoder) completeQuorum(s *serviceDraft) {
	total := 0
	for _, r := range s.RealServers {
		total += r.Weight
	}
	if s.Quorum > total {
		if total == 0 {
			d.warn("quorum", s.at("quorum"), "Give a server a weight above 0.", "all real servers of %s have weight 0; there is never a quorum", s.title())
		} else {
			d.warn("quorum", s.at("quorum"), "", "quorum %d of %s is above the weight of all its servers; %d is used", s.Quorum, s.title(), total)
			s.Quorum = total
		}
	}
	if s.Hysteresis >= s.Quorum && s.Hysteresis > 0 {
		d.warn("hysteresis", s.at("hysteresis"), "", "hysteresis %d of %s is not below its quorum; %d is used", s.Hysteresis, s.title(), s.Quorum-1)
		s.Hysteresis = s.Quorum - 1
	}
}

// completeCheck resolves what a check inherits from its server and its service.
func (d *decoder) completeCheck(s *serviceDraft, r *serverDraft, c *checkDraft) {
	first := func(def time.Duration, ps ...*time.Duration) time.Duration {
		for _, p := range ps {
			if p != nil {
				return *p
			}
		}
		return def
	}
	retries, before := 1, time.Second
	switch c.Kind {
	case "HTTP_GET", "SSL_GET":
		before = 3 * time.Second
	case "MISC_CHECK":
		retries = 0
	case "DNS_CHECK":
		retries = 3
		before = first(60*time.Second, c.interval, r.interval, s.interval)
	}
	c.Retries = retries
	for _, p := range []*int{s.retry, r.retry, c.retry} {
		if p != nil {
			c.Retries = *p
		}
	}
	c.Interval = first(60*time.Second, c.interval, r.interval, s.interval)
	c.DelayBeforeRetry = first(before, c.beforeRetry, r.beforeRetry, s.beforeRetry)
	c.Warmup = first(c.Interval, c.warmup, r.warmup, s.warmup)
	c.Alpha = s.alpha
	for _, p := range []*bool{r.alpha, c.alpha} {
		if p != nil {
			c.Alpha = *p
		}
	}
	c.LogAllFailures = d.global.logAllFailures
	if c.logAll != nil {
		c.LogAllFailures = *c.logAll
	}
	if c.misc != nil {
		if c.misc.Timeout == 0 {
			c.misc.Timeout = first(60*time.Second, r.interval, s.interval)
		}
		return
	}
	if c.File != nil || c.BFD != nil {
		return
	}
	c.Connect.Timeout = first(5*time.Second, c.connect, r.connect, s.connect)
	if !c.Connect.Addr.IsValid() {
		c.Connect.Addr = r.Addr
	}
	if c.Connect.Port == 0 {
		c.Connect.Port = r.Port
	}
	d.completeConnect(s, r, c)
	d.completeTandemCheck(c)
	if c.HTTP != nil {
		completeHTTP(s, r, c)
	}
}

// completeConnect reports a check that cannot connect anywhere.
func (d *decoder) completeConnect(s *serviceDraft, r *serverDraft, c *checkDraft) {
	if b := c.Connect.BindAddr; b.IsValid() && b.Is6() != c.Connect.Addr.Is6() {
		d.warn("address-family", words(c.node, 0), "", "bindto %s is not of the family of %s; it does not count", b, c.Connect.Addr)
		c.Connect.BindAddr = netip.Addr{}
	}
	if a := c.Connect.Addr; a.Is6() && a.IsLinkLocalUnicast() && c.Connect.BindInterface == "" {
		d.fail("link-local", words(c.node, 0), "Add a line bind_if IFNAME.", "%s connects to the link-local address %s and does not say by which interface", c.Kind, a)
	}
	if c.Kind == "PING_CHECK" {
		return
	}
	if c.Connect.Port == 0 && s.set == "" {
		d.notice("check-no-port", words(c.node, 0), "Add a line connect_port N.", "%s of real_server %s of %s has no port to connect to", c.Kind, r.Addr, s.title())
	}
}

// completeHTTP resolves the names of an HTTP check: in the request that of url,
// check, server or service; in the TLS handshake the server's does not count.
func completeHTTP(s *serviceDraft, r *serverDraft, c *checkDraft) {
	c.HTTP.SNIName = orElse(c.sniName, orElse(c.virtualhost, s.virtualhost))
	for i := range c.HTTP.URLs {
		u := &c.HTTP.URLs[i]
		if c.HTTP.EnableSNI {
			u.ServerName = orElse(c.sniName, orElse(u.Host, c.HTTP.SNIName))
		}
		u.Compliant = c.HTTP.Compliant
		if own := c.compliant[i]; own != nil {
			u.Compliant = *own
		}
		u.Host = orElse(u.Host, orElse(c.virtualhost, orElse(r.virtualhost, s.virtualhost)))
	}
	if !c.HTTP.EnableSNI {
		c.HTTP.SNIName = ""
	}
}

// expandService puts the service into the Config, once for each address of its
// group.
func (d *decoder) expandService(s *serviceDraft) {
	if s.set == "" {
		s.IPv6 = s.family == 6
		s.finish()
		d.cfg.VirtualServers = append(d.cfg.VirtualServers, s.VirtualServer)
		return
	}
	number := 0
	for _, v := range d.services[:slices.Index(d.services, s)] {
		if v.set == s.set {
			number++
		}
	}
	s.Group = fmt.Sprintf("[%s]:%d", s.set, number)
	for _, m := range d.sets[s.set].members {
		v := *s.VirtualServer
		v.Addr, v.Port, v.FWMark = m.addr, m.port, m.fwmark
		if m.fwmark != 0 {
			v.Protocol = ""
		}
		family := m.family
		if family == 0 {
			family = familyOfAddr(s.RealServers[0].Addr)
		}
		v.IPv6 = family == 6
		v.RealServers = nil
		for _, r := range s.RealServers {
			if familyOfAddr(r.Addr) != family && r.Forwarding.Method != "TUN" {
				continue
			}
			v.RealServers = append(v.RealServers, serverFor(r, m))
		}
		if len(v.RealServers) == 0 {
			d.fail("address-family", words(s.node, 0), "", "%s in group %s has no real server of its family; it does not count", serviceName(&v), s.set)
			continue
		}
		if s.Sorry != nil {
			sorry := *s.Sorry
			if sorry.Port == 0 {
				sorry.Port = m.port
			}
			v.Sorry = &sorry
		}
		(&serviceDraft{VirtualServer: &v}).finish()
		d.cfg.VirtualServers = append(d.cfg.VirtualServers, &v)
	}
}

// serverFor is a real server as one address of a group has it.
func serverFor(r *RealServer, m setMember) *RealServer {
	out := *r
	switch {
	case m.fwmark != 0 && r.Forwarding.Method != "NAT":
		out.Port = 0
	case m.fwmark == 0 && (r.Port == 0 || r.Forwarding.Method != "NAT"):
		out.Port = m.port
	}
	out.Checks = nil
	for _, c := range r.Checks {
		check := *c
		if check.Connect.Addr.IsValid() && check.Connect.Port == 0 {
			check.Connect.Port = out.Port
		}
		out.Checks = append(out.Checks, &check)
	}
	out.Dormant = slices.Clone(r.Dormant)
	return &out
}

// finish names the service and its mask.
func (s *serviceDraft) finish() {
	if s.PersistenceNetmask == unset {
		s.PersistenceNetmask = 32
		if s.IPv6 {
			s.PersistenceNetmask = 128
		}
	}
	s.Name = serviceName(s.VirtualServer)
}

// duplicateServices drops services that are there twice.
func (d *decoder) duplicateServices() {
	type identity struct {
		name string
		ipv6 bool
	}
	seen := make(map[identity]*VirtualServer, len(d.cfg.VirtualServers))
	d.cfg.VirtualServers = slices.DeleteFunc(d.cfg.VirtualServers, func(v *VirtualServer) bool {
		key := identity{v.Name, v.IPv6}
		other := seen[key]
		if other == nil {
			seen[key] = v
			if seen[identity{v.Name, !v.IPv6}] != nil {
				// One mark in both families makes two services.
				v.Name += map[bool]string{false: " inet", true: " inet6"}[v.IPv6]
			}
			return false
		}
		for _, s := range d.services {
			if s.Pos == v.Pos {
				d.notice("duplicate-service", words(s.node, 0), "keepalived says nothing of it; the kernel refuses the second.", "virtual_server %s is there already at line %d; this one does not count", v.Name, other.Pos.Line)
			}
		}
		return true
	})
}
