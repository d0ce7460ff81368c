package dump

import (
	"fmt"
	"net/netip"

	"github.com/tandem-ha/tandem/config"
	"github.com/tandem-ha/tandem/internal/control"
)

// Configuration is what -d writes to the log: the configuration alone, in the
// lines that the data files have.
func Configuration(c *config.Config) []byte {
	s := control.Status{RouterID: c.Global.RouterID, Config: c}
	for _, t := range c.Scripts {
		s.Scripts = append(s.Scripts, control.ScriptStatus{Name: t.Name, State: "unknown"})
	}
	var p page
	p.globals(s)
	p.scripts(s)
	p.section("VRRP Topology")
	for _, i := range c.Instances {
		p.line(1, "VRRP Instance = %s", i.Name)
		p.line(3, "VRRP Version = %d", i.Version)
		p.line(3, "Interface = %s", i.Interface)
		st := control.InstanceStatus{Interface: i.Interface, VRID: i.VRID, Version: i.Version, BasePriority: i.Priority, Interval: i.AdvertInterval}
		st.Name, st.Priority = i.Name, uint8(i.Priority)
		p.timing(st, i)
		p.addresses("Virtual IP (%d):", st, i)
		p.peers(i)
		p.tracked(i)
		p.notify(i)
	}
	for _, g := range c.SyncGroups {
		p.line(1, "VRRP Sync Group = %s", g.Name)
		for _, m := range g.Members {
			p.line(5, "%s", m)
		}
		p.notifyScripts(g.Notify)
	}
	p.section("LVS Topology")
	for _, v := range c.VirtualServers {
		p.line(1, "Virtual server = %s", v.Name)
		p.line(3, "Scheduler = %s, method = %s, protocol = %s", v.Scheduler, v.Forwarding.Method, v.Protocol)
		p.line(3, "Quorum = %d, hysteresis = %d", v.Quorum, v.Hysteresis)
		if v.PersistenceTimeout > 0 {
			p.line(3, "Persistence timeout = %s", wholeSeconds(v.PersistenceTimeout))
		}
		if v.Sorry != nil {
			p.line(3, "Sorry server = %s", netip.AddrPortFrom(v.Sorry.Addr, v.Sorry.Port))
		}
		for _, r := range v.RealServers {
			p.line(3, "Real server = %s", netip.AddrPortFrom(r.Addr, r.Port))
			p.line(5, "Weight = %d", r.Weight)
			p.line(5, "Inhibit service on failure = %s", yes(r.InhibitOnFailure))
			for _, k := range r.Checks {
				p.line(5, "Check = %s", describe(k))
			}
		}
	}
	return p.Bytes()
}

// describe is one line on a check.
func describe(c *config.Check) string {
	text := fmt.Sprintf("%s every %s, %d retries %s apart", c.Kind, c.Interval, c.Retries, c.DelayBeforeRetry)
	if c.Connect.Addr.IsValid() {
		text += fmt.Sprintf(", to %s within %s", netip.AddrPortFrom(c.Connect.Addr, c.Connect.Port), c.Connect.Timeout)
	}
	if c.Misc != nil {
		text += ", " + commandLine(&c.Misc.Command)
	}
	return text
}
