package dump

import (
	"bytes"
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"time"

	"github.com/tandem-ha/tandem/config"
	"github.com/tandem-ha/tandem/internal/control"
	"github.com/tandem-ha/tandem/vrrp"
)

// hiddenPassword stands for a password in a file that outlives its reader.
const hiddenPassword = "********"

// page is a dump being written; an indent is two spaces after the first one.
type page struct{ bytes.Buffer }

func (p *page) section(name string) { fmt.Fprintf(p, "------< %s >------\n", name) }

// line writes one line at a depth, which is keepalived's indent in spaces.
func (p *page) line(indent int, format string, args ...any) {
	fmt.Fprintf(p, "%*s", indent, "")
	fmt.Fprintf(p, format, args...)
	p.WriteByte('\n')
}

// Data is the content of keepalived.data: the global settings, the instances,
// the sync groups, and what is tracked.
func Data(s control.Status) []byte {
	var p page
	p.globals(s)
	p.section("VRRP Topology")
	for _, i := range s.Instances {
		p.instance(s, i)
	}
	if len(s.Groups) > 0 {
		p.section("VRRP Sync groups")
	}
	for _, g := range s.Groups {
		p.group(s, g)
	}
	p.scripts(s)
	p.trackers(s)
	return p.Bytes()
}

// ParentData is the content of keepalived_parent.data: the global settings.
func ParentData(s control.Status) []byte {
	var p page
	p.globals(s)
	return p.Bytes()
}

func (p *page) instance(s control.Status, i control.InstanceStatus) {
	c := instanceConfig(s.Config, i.Name)
	p.line(1, "VRRP Instance = %s", i.Name)
	p.line(3, "VRRP Version = %d", i.Version)
	if i.SyncGroup != "" {
		p.line(3, "Sync group = %s", i.SyncGroup)
	}
	if c != nil && c.IPv6 {
		p.line(3, "Using Native IPv6")
	}
	p.line(3, "State = %s", stateWord(i.State))
	if c != nil && len(c.Peers) > 0 {
		p.line(3, "Flags:")
		p.line(5, "Using unicast")
	} else {
		p.line(3, "Flags: none")
	}
	p.line(3, "Wantstate = %s", stateWord(wanted(i)))
	p.line(3, "Number of interface and track script faults = %d", len(i.Faults))
	for _, f := range i.Faults {
		p.line(5, "%s", f)
	}
	p.overrides(i)
	p.line(3, "Last transition = %s (%s)", unixMicro(i.Since), i.Since.Local().Format("Mon Jan _2 15:04:05.000000 2006"))
	if i.Cause.Detail != "" {
		p.line(3, "Cause = %s", i.Cause.Detail)
	}
	p.line(3, "Interface = %s", i.Interface)
	if i.Master.IsValid() {
		p.line(3, "Master router = %s", i.Master)
		p.line(3, "Master priority = %d", i.MasterPriority)
	}
	p.timing(i, c)
	p.addresses("Virtual IP (%d):", i, c)
	p.peers(c)
	p.list("Virtual Routes :", routeLines(c))
	p.list("Virtual Rules :", ruleLines(c))
	p.tracked(c)
	p.notify(c)
}

// list writes a heading and the lines below it, or nothing where there are none.
func (p *page) list(heading string, lines []string) {
	if len(lines) > 0 {
		p.line(3, "%s", heading)
	}
	for _, l := range lines {
		p.line(5, "%s", l)
	}
}

// overrides shows what an operator has ordered; keepalived has no such thing.
func (p *page) overrides(i control.InstanceStatus) {
	if i.Offering {
		p.line(3, "Offering = true")
	}
	if i.Hold {
		p.line(3, "Held by operator = true")
	}
	if i.Forced {
		p.line(3, "Forced by operator = true")
	}
	if !i.DampedUntil.IsZero() {
		p.line(3, "Damped = true")
	}
	if i.Ineligible != "" {
		p.line(3, "May not take over: %s", i.Ineligible)
	}
}

// timing writes the settings between the interface and the addresses.
func (p *page) timing(i control.InstanceStatus, c *config.Instance) {
	if c != nil {
		if c.Source.IsValid() {
			p.line(3, "Using src_ip = %s (from configuration)", c.Source)
		}
		if len(c.Peers) == 0 && c.Group.IsValid() {
			p.line(3, "Multicast address %s", c.Group)
		}
		p.line(3, "Gratuitous ARP delay = %s", wholeSeconds(c.GARP.Delay))
		p.line(3, "Gratuitous ARP repeat = %d", c.GARP.Repeat)
		p.line(3, "Gratuitous ARP refresh = %s", wholeSeconds(c.GARP.Refresh))
		p.line(3, "Gratuitous ARP refresh repeat = %d", c.GARP.RefreshRepeat)
		p.line(3, "Gratuitous ARP lower priority delay = %s", wholeSeconds(c.GARP.LowerPrioDelay))
		p.line(3, "Gratuitous ARP lower priority repeat = %d", c.GARP.LowerPrioRepeat)
		p.line(3, "Down timer adverts = %d", c.DownTimerAdverts)
		p.line(3, "Send advert after receive lower priority advert = %t", !c.LowerPrioNoAdvert)
		p.line(3, "Send advert after receive higher priority advert = %t", c.HigherPrioSendAdvert)
	}
	p.line(3, "Virtual Router ID = %d", i.VRID)
	p.line(3, "Priority = %d", i.BasePriority)
	p.line(3, "Effective priority = %d", i.Priority)
	p.line(3, "Total priority = %d", i.Priority)
	if i.Version == 2 {
		p.line(3, "Advert interval = %d sec", i.Interval/time.Second)
	} else {
		p.line(3, "Advert interval = %d milli-sec", i.Interval/time.Millisecond)
		if i.State == vrrp.Backup {
			p.line(3, "Master advert interval = %d milli-sec", i.MasterInterval/time.Millisecond)
		}
	}
	if c == nil {
		return
	}
	p.line(3, "Accept = %s", enabled(c.Accept))
	p.line(3, "Preempt = %s", enabled(c.Preempt))
	if c.PreemptDelay > 0 {
		p.line(3, "Preempt delay = %s secs", wholeSeconds(c.PreemptDelay))
	}
	p.line(3, "Promote_secondaries = %s", enabled(c.PromoteSecondaries))
	switch {
	case c.AuthType == "PASS":
		p.line(3, "Authentication type = SIMPLE_PASSWORD")
		p.line(3, "Password = %s", hiddenPassword)
	case c.AuthType == "AH":
		p.line(3, "Authentication type = IPSEC_AH")
		p.line(3, "Password = %s", hiddenPassword)
	case i.Version == 2:
		p.line(3, "Authentication type = none")
	}
}

func (p *page) addresses(heading string, i control.InstanceStatus, c *config.Instance) {
	vips, excluded := addressLines(c, i)
	p.list(fmt.Sprintf(heading, len(vips)), vips)
	p.list("Virtual IP Excluded :", excluded)
}

func (p *page) peers(c *config.Instance) {
	if c == nil || len(c.Peers) == 0 {
		return
	}
	if c.UnicastTTL != 0 {
		p.line(3, "Unicast TTL = %d", c.UnicastTTL)
	}
	p.line(3, "Check unicast src : %s", yes(c.CheckSource))
	p.line(3, "Unicast Peer :")
	for _, peer := range c.Peers {
		most := peer.MaxTTL
		if most == 0 {
			most = 255 // not bounded
		}
		p.line(5, "%s min_ttl %d max_ttl %d", peer.Addr, peer.MinTTL, most)
	}
	p.line(3, "Unicast checksum compatibility = %s", yes(c.ChecksumV2Style))
}

// tracked writes what an instance tracks; keepalived separates the name of each
// kind in its own way.
func (p *page) tracked(c *config.Instance) {
	if c == nil {
		return
	}
	for _, of := range []struct {
		heading, separator string
		tracks             []config.Track
	}{
		{"Tracked interfaces :", "", c.TrackInterfaces}, {"Tracked scripts :", "", c.TrackScripts}, {"Tracked files :", ",", c.TrackFiles},
		{"Tracked processes :", ",", c.TrackProcesses}, {"Tracked BFDs :", ":", c.TrackBFD},
	} {
		var lines []string
		for _, t := range of.tracks {
			lines = append(lines, fmt.Sprintf("%s%s weight %d%s", t.Name, of.separator, t.Weight, reverse(t.Reverse)))
		}
		p.list(of.heading, lines)
	}
}

func (p *page) notify(c *config.Instance) {
	if c == nil {
		return
	}
	p.line(3, "Using smtp notification = %s", yes(c.SMTPAlert))
	if c.Notify.Deleted == nil {
		p.line(3, "Notify deleted = Fault")
	} else {
		p.line(3, "Notify deleted = Deleted")
	}
	p.notifyScripts(c.Notify)
}

func (p *page) notifyScripts(n config.Notify) {
	for _, s := range []struct {
		name    string
		command *config.Command
	}{
		{"Backup state transition", n.Backup},
		{"Master state transition", n.Master},
		{"Fault state transition", n.Fault},
		{"Stop state transition", n.Stop},
		{"Deleted state transition", n.Deleted},
		{"Generic state transition", n.Any},
		{"Master rx lower pri", n.MasterRxLower},
	} {
		if s.command != nil {
			p.line(3, "%s script = %s", s.name, commandLine(s.command))
		}
	}
}

func (p *page) group(s control.Status, g control.GroupStatus) {
	p.line(1, "VRRP Sync Group = %s, %s", g.Name, stateWord(g.State))
	p.line(3, "VRRP member instances :")
	for _, m := range g.Members {
		p.line(5, "%s", m)
	}
	if s.Config == nil {
		return
	}
	for _, c := range s.Config.SyncGroups {
		if c.Name == g.Name {
			p.line(3, "Using smtp notification = %s", yes(c.SMTPAlert))
			p.notifyScripts(c.Notify)
		}
	}
}

// instanceConfig is the configuration of the instance of that name, or nil.
func instanceConfig(c *config.Config, name string) *config.Instance {
	if c == nil {
		return nil
	}
	at := slices.IndexFunc(c.Instances, func(i *config.Instance) bool { return i.Name == name })
	if at < 0 {
		return nil
	}
	return c.Instances[at]
}

// addressLines are the VIPs and the excluded VIPs as lines, with "set" after
// those that are held.
func addressLines(c *config.Instance, i control.InstanceStatus) (vips, excluded []string) {
	if c != nil {
		for _, a := range c.Addresses {
			vips = append(vips, addressLine(a, i.Held))
		}
		for _, a := range c.Excluded {
			excluded = append(excluded, addressLine(a, i.Held))
		}
		return vips, excluded
	}
	for _, a := range i.Addresses {
		vips = append(vips, addressLine(config.Address{Prefix: a, Interface: i.Interface}, i.Held))
	}
	for _, a := range i.Excluded {
		excluded = append(excluded, addressLine(config.Address{Prefix: a, Interface: i.Interface}, i.Held))
	}
	return vips, excluded
}

func addressLine(a config.Address, held []netip.Addr) string {
	var b strings.Builder
	b.WriteString(network(a.Prefix))
	fmt.Fprintf(&b, " dev %s scope %s", a.Interface, scopeWord(a.Scope))
	if a.Label != "" {
		fmt.Fprintf(&b, " label %s", a.Label)
	}
	if a.Prefix.Addr().Is6() {
		if a.Deprecated {
			b.WriteString(" deprecated")
		} else {
			b.WriteString(" preferred_lft forever")
		}
	}
	if slices.Contains(held, a.Prefix.Addr()) {
		b.WriteString(" set")
	}
	return b.String()
}

// wanted is the state that keepalived says an instance wants: in FAULT still FAULT,
// until its own faults are over and only its sync group keeps it there.
func wanted(i control.InstanceStatus) vrrp.State {
	switch {
	case i.State == vrrp.Init, i.State == vrrp.Failed && len(i.Faults) == 1 && i.GroupFault != "" && i.Cause.Kind != vrrp.CauseGroup:
		return vrrp.Backup
	default:
		return i.State
	}
}

// stateWord is keepalived's word for a state.
func stateWord(s vrrp.State) string {
	switch s {
	case vrrp.Init:
		return "INIT"
	case vrrp.Backup:
		return "BACKUP"
	case vrrp.Master:
		return "MASTER"
	case vrrp.Failed:
		return "FAULT"
	}
	return fmt.Sprintf("unknown state %d", uint8(s))
}

// scopeWord is the name of an address scope (rtnetlink(7)).
func scopeWord(n int) string {
	switch n {
	case 0:
		return "global"
	case 200:
		return "site"
	case 253:
		return "link"
	case 254:
		return "host"
	}
	return fmt.Sprint(n)
}

// unixMicro is a moment as seconds since 1970 with six digits after the point.
func unixMicro(t time.Time) string {
	if t.IsZero() {
		return "0.000000"
	}
	return fmt.Sprintf("%d.%06d", t.Unix(), t.Nanosecond()/1000)
}

// wholeSeconds is d in seconds, with a fraction only where there is one.
func wholeSeconds(d time.Duration) string { return fmt.Sprint(d.Seconds()) }

// keepalivedSeconds is d as keepalived writes the intervals of scripts.
func keepalivedSeconds(d time.Duration) string { return fmt.Sprintf("%s sec", wholeSeconds(d)) }

func enabled(v bool) string {
	if v {
		return "enabled"
	}
	return "disabled"
}

func yes(v bool) string {
	if v {
		return "yes"
	}
	return "no"
}

func number(v bool) int {
	if v {
		return 1
	}
	return 0
}

func reverse(v bool) string {
	if v {
		return " reverse"
	}
	return ""
}
