package dump

import (
	"cmp"
	"fmt"
	"net/netip"
	"strings"

	"golang.org/x/sys/unix"

	"github.com/tandem-ha/tandem/config"
	"github.com/tandem-ha/tandem/health"
	"github.com/tandem-ha/tandem/internal/control"
)

// CheckData is the content of keepalived_check.data: the global settings, the
// virtual servers with their real servers, and the checks.
func CheckData(s control.Status) []byte {
	var p page
	p.globals(s)
	p.section("LVS Topology")
	if s.IPVS != "" {
		p.line(1, "IPVS error = %s", s.IPVS)
	}
	for _, v := range s.Services {
		p.service(v, serviceConfig(s.Config, v.Name))
	}
	p.section("Health checkers")
	for _, v := range s.Services {
		c := serviceConfig(s.Config, v.Name)
		for _, r := range v.Servers {
			settings := serverConfig(c, r)
			for n, k := range r.Checks {
				p.check(v, r, k, checkConfig(settings, n))
			}
		}
	}
	return p.Bytes()
}

func (p *page) service(v control.ServiceStatus, c *config.VirtualServer) {
	p.line(1, "------< Virtual server >------")
	switch {
	case c != nil && c.Group != "":
		p.line(1, "VS GROUP = %s", c.Group)
	case v.Key.FWMark != 0:
		p.line(1, "VS FWMARK = %d", v.Key.FWMark)
	default:
		p.line(1, "VS VIP = %s, VPORT = %d", v.Key.Addr, v.Key.Port)
	}
	p.line(3, "lvs_sched = %s", v.Scheduler)
	if c != nil {
		p.line(3, "One packet scheduling = %s", enabled(c.SchedulerFlags&onePacket != 0))
		if c.PersistenceTimeout > 0 {
			p.line(3, "persistence timeout = %s", wholeSeconds(c.PersistenceTimeout))
		}
		p.line(3, "protocol = %s", cmp.Or(c.Protocol, "none"))
		p.line(3, "omega is %s", onOff(c.Omega))
	}
	p.line(3, "quorum = %d, hysteresis = %d", v.Quorum, v.Hysteresis)
	p.line(3, "live weight = %d", v.LiveWeight)
	if c != nil {
		for _, n := range []struct {
			name    string
			command *config.Command
		}{{"up", c.QuorumUp}, {"down", c.QuorumDown}} {
			if n.command != nil {
				p.line(3, "Quorum %s notify script = %s", n.name, commandLine(n.command))
			}
		}
		p.line(3, "Using smtp notification = %s", yes(c.SMTPAlert))
		p.line(3, "default forwarding method = %s", c.Forwarding.Method)
		if c.Sorry != nil {
			p.line(3, "sorry server = %s", bracketed(c.Sorry.Addr, c.Sorry.Port, c.Protocol))
			p.line(5, "forwarding method = %s", c.Sorry.Forwarding.Method)
			p.line(5, "Inhibit on failure is %s", onOff(c.Sorry.Inhibit))
		}
	}
	p.line(3, "alive = 1")
	p.line(3, "quorum_state_up = %d", number(v.QuorumUp))
	for _, r := range v.Servers {
		if !r.Sorry {
			p.server(r, serverConfig(c, r))
		}
	}
}

func (p *page) server(r health.ServerStatus, c *config.RealServer) {
	initial := r.Weight
	if c != nil {
		initial = c.Weight
	}
	p.line(3, "------< Real server >------")
	p.line(3, "RIP = %s, RPORT = %d, WEIGHT = %d EFF WEIGHT = %d", r.Addr, r.Port, initial, r.Weight)
	if c != nil {
		p.line(3, "forwarding method = %s", c.Forwarding.Method)
		p.line(3, "connection limit range = %d -> %d", c.LowerThreshold, c.UpperThreshold)
		p.line(3, "Inhibit on failure is %s", onOff(c.InhibitOnFailure))
		for _, n := range []struct {
			name    string
			command *config.Command
		}{{"up", c.NotifyUp}, {"down", c.NotifyDown}} {
			if n.command != nil {
				p.line(5, "RS %s notify script = %s", n.name, commandLine(n.command))
			}
		}
		p.line(3, "Using smtp notification = %s", yes(c.SMTPAlert))
	}
	failed := 0
	for _, k := range r.Checks {
		failed += number(k.State == "down")
	}
	p.line(3, "initial weight = %d", initial)
	p.line(3, "effective weight = %d", r.Weight)
	p.line(3, "alive = %d", number(r.Up))
	p.line(3, "num failed checkers = %d", failed)
	p.line(3, "RS set = %d", number(r.InPool))
}

func (p *page) check(v control.ServiceStatus, r health.ServerStatus, k health.CheckStatus, c *config.Check) {
	protocol := "none"
	switch v.Key.Protocol {
	case unix.IPPROTO_TCP:
		protocol = "tcp"
	case unix.IPPROTO_UDP:
		protocol = "udp"
	case unix.IPPROTO_SCTP:
		protocol = "sctp"
	}
	p.line(1, "%s -> %s", v.Name, bracketed(r.Addr, r.Port, protocol))
	p.line(3, "Enabled = %s", yes(!k.Paused))
	p.line(3, "Up = %s", yes(k.State != "down"))
	p.line(3, "Has run = %s", yes(!k.Last.IsZero()))
	if c != nil {
		p.line(3, "Alpha = %s", yes(c.Alpha))
		p.line(3, "Delay loop = %d us", c.Interval.Microseconds())
		p.line(3, "Warmup = %d us", c.Warmup.Microseconds())
		p.line(3, "Retries = %d", c.Retries)
		p.line(3, "Delay before retry = %d us", c.DelayBeforeRetry.Microseconds())
	}
	p.line(3, "Retries iterations = %d", k.Failures)
	if c != nil && c.Connect.Addr.IsValid() {
		p.line(3, "Connection")
		p.line(5, "Dest = [%s]:%d", c.Connect.Addr, c.Connect.Port)
		p.line(5, "Timeout = %.6f", c.Connect.Timeout.Seconds())
	}
	p.line(3, "Keepalive method = %s", k.Kind)
	if !k.Last.IsZero() {
		p.line(3, "Last ran = %s, took %s", unixMicro(k.Last), k.Took)
	}
	if k.Err != "" {
		p.line(3, "Error = %s", k.Err)
	}
}

// onePacket is IP_VS_SVC_F_ONEPACKET (linux/ip_vs.h).
const onePacket = 0x4

// bracketed is an address as keepalived names one end of a service.
func bracketed(addr netip.Addr, port uint16, protocol string) string {
	return fmt.Sprintf("[%s]:%s:%d", addr, cmp.Or(strings.ToLower(protocol), "none"), port)
}

// serviceConfig is the virtual server that goes by that name, or whose group
// does, or nil.
func serviceConfig(c *config.Config, name string) *config.VirtualServer {
	if c == nil {
		return nil
	}
	for _, v := range c.VirtualServers {
		if v.Name == name || v.Checked() == name {
			return v
		}
	}
	return nil
}

// serverConfig is a server's part of its virtual server, or nil.
func serverConfig(c *config.VirtualServer, r health.ServerStatus) *config.RealServer {
	if c == nil || r.Sorry {
		return nil
	}
	for _, x := range c.RealServers {
		if x.Addr == r.Addr && x.Port == r.Port {
			return x
		}
	}
	return nil
}

// checkConfig is a server's check number n, or nil.
func checkConfig(c *config.RealServer, n int) *config.Check {
	if c == nil || n >= len(c.Checks) {
		return nil
	}
	return c.Checks[n]
}

func onOff(v bool) string {
	if v {
		return "ON"
	}
	return "OFF"
}

func upDown(v bool) string {
	if v {
		return "up"
	}
	return "down"
}
