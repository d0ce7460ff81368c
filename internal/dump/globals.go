package dump

import (
	"cmp"
	"strings"

	"github.com/tandem-ha/tandem/internal/control"
)

// globals are the global settings that both programs have, in keepalived's
// order.
func (p *page) globals(s control.Status) {
	p.section("Global definitions")
	if s.Config == nil {
		p.line(1, "Router ID = %s", s.RouterID)
		return
	}
	g, process := s.Config.Global, s.Config.Process
	p.line(1, "Network namespace = %s", cmp.Or(process.NetNamespace, "(default)"))
	if process.Instance != "" {
		p.line(1, "Instance name = %s", process.Instance)
	}
	p.line(1, "Router ID = %s", s.RouterID)
	p.line(1, "Dynamic interfaces = %t", g.DynamicInterfaces)
	p.line(1, "Disable local IGMP = %s", yes(g.NoLocalIGMP))
	p.line(1, "Gratuitous ARP interval = %.6f", g.ARPInterval.Seconds())
	p.line(1, "Gratuitous NA interval = %.6f", g.NAInterval.Seconds())
	if g.StartupDelay > 0 {
		p.line(1, "VRRP startup delay = %s", keepalivedSeconds(g.StartupDelay))
	}
	p.line(1, "Log unknown VRIDs = %t", g.LogUnknownVRIDs)
	p.line(1, "VRRP process priority = %d", process.VRRP.Nice)
	p.line(1, "VRRP don't swap = %t", process.VRRP.NoSwap)
	p.line(1, "VRRP realtime priority = %d", process.VRRP.RealTime)
	p.line(1, "Script security %s", enabled(g.ScriptSecurity))
	if g.ScriptUser.Name != "" {
		p.line(1, "Default script user = %s", strings.TrimSuffix(g.ScriptUser.Name+":"+g.ScriptUser.Group, ":"))
	}
	p.line(1, "rs_init_notifies = %d", number(g.RSInitNotifies))
	p.line(1, "umask = 0%o", process.Umask)
}
