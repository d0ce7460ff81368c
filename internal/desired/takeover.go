package desired

import (
	"fmt"
	"net/netip"
	"slices"
	"time"

	"github.com/tandem-ha/tandem/config"
	"github.com/tandem-ha/tandem/health"
	"github.com/tandem-ha/tandem/internal/peers"
	"github.com/tandem-ha/tandem/internal/reach"
	"github.com/tandem-ha/tandem/vrrp"
)

// StartupDelay is how long a router waits at its start: vrrp_startup_delay, or the rest
// of vrrp_delay_after_boot on a host that had been up for so long, whichever is more.
func StartupDelay(g config.Global, up time.Duration) time.Duration {
	return max(g.StartupDelay, g.DelayAfterBoot-up, 0)
}

// Takeover gives what must answer before an instance becomes master. Link-local
// targets are on the instance's own interface.
func Takeover(in *config.Instance) reach.Spec {
	c := in.Takeover
	s := reach.Spec{All: c.All, Interval: c.Interval, Rise: c.Rise, Fall: c.Fall}
	for _, t := range c.Targets {
		to := health.Connect{Addr: t.Addr, Port: uint16(t.Port), Timeout: c.Timeout}
		if t.Addr.IsLinkLocalUnicast() {
			to.BindInterface = in.Interface
		}
		if t.Port == 0 {
			s.Targets = append(s.Targets, reach.Target{Name: "ping " + t.Addr.String(), Check: health.NewPing(to)})
			continue
		}
		name := fmt.Sprintf("tcp %s", netip.AddrPortFrom(t.Addr, to.Port))
		s.Targets = append(s.Targets, reach.Target{Name: name, Check: health.NewTCP(to)})
	}
	return s
}

// PeerSource gives where an instance's further peers are read.
func PeerSource(in *config.Instance) peers.Source {
	c := in.PeersFrom
	return peers.Source{File: c.File, DNS: c.DNS, IPv6: in.IPv6, Interval: c.Interval}
}

// Peers gives an instance's peers: those of the file and those that were found. An
// address of this host, for which own is true, is none.
func Peers(in *config.Instance, found []netip.Addr, own func(netip.Addr) bool) []vrrp.Peer {
	var out []vrrp.Peer
	for _, p := range in.Peers {
		out = append(out, vrrp.Peer{Addr: p.Addr, MinTTL: p.MinTTL, MaxTTL: p.MaxTTL})
	}
	for _, a := range found {
		listed := slices.ContainsFunc(out, func(p vrrp.Peer) bool { return p.Addr == a })
		if !listed && a != in.Source && !own(a) {
			out = append(out, vrrp.Peer{Addr: a})
		}
	}
	return out
}
