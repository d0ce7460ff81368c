package dump

import (
	"github.com/tandem-ha/tandem/config"
	"github.com/tandem-ha/tandem/internal/control"
)

// BFDData is the content of keepalived_bfd.data: the global settings and the
// sessions.
func BFDData(s control.Status) []byte {
	var p page
	p.globals(s)
	p.section("BFD Topology")
	for _, b := range s.BFD {
		p.line(1, "BFD Instance = %s", b.Name)
		p.line(3, "Neighbor IP = %s", b.Neighbour)
		if b.Source.IsValid() {
			p.line(3, "Source IP = %s", b.Source)
		}
		if c := sessionConfig(s.Config, b.Name); c != nil {
			p.line(3, "Required min RX interval = %d us", c.MinRx.Microseconds())
			p.line(3, "Desired min TX interval = %d us", c.MinTx.Microseconds())
			p.line(3, "Desired idle TX interval = %d us", c.IdleTx.Microseconds())
			p.line(3, "Detection multiplier = %d", c.Multiplier)
			p.line(3, "TTL = %d", c.TTL)
			p.line(3, "max_hops = %d", c.MaxHops)
			p.line(3, "passive = %t", c.Passive)
			p.line(3, "send event to VRRP process = %s", capitalYes(c.VRRP))
			p.line(3, "send event to checker process = %s", capitalYes(c.Checker))
		}
		p.line(3, "local state = %s", b.State)
		p.line(3, "remote state = %s", b.Remote)
		p.line(3, "local diag = %s", b.Diag)
		p.line(3, "remote diag = %s", b.RemoteDiag)
		p.line(3, "local tx intv = %d us", b.Tx.Microseconds())
		p.line(3, "local detection time = %d us", b.Detection.Microseconds())
	}
	return p.Bytes()
}

// capitalYes is "Yes" or "No", as keepalived writes them of a session.
func capitalYes(v bool) string {
	if v {
		return "Yes"
	}
	return "No"
}

// sessionConfig is the bfd_instance of that name, or nil.
func sessionConfig(c *config.Config, name string) *config.BFDSession {
	if c == nil {
		return nil
	}
	for _, b := range c.BFD {
		if b.Name == name {
			return b
		}
	}
	return nil
}
