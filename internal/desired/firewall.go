package desired

import (
	"net/netip"

	"github.com/tandem-ha/tandem/config"
	"github.com/tandem-ha/tandem/internal/host"
)

// deny gives the addresses that accept no packets: those that an instance with
// no_accept holds and does not own.
func deny(in *config.Instance, held func(netip.Addr) bool) []host.DeniedAddress {
	if in.Accept {
		return nil
	}
	var out []host.DeniedAddress
	for _, a := range addressItems(in, held) {
		d := host.DeniedAddress{Addr: a.Thing.Prefix.Addr()}
		if d.Addr.Is6() && d.Addr.IsLinkLocalUnicast() {
			d.Interface = a.Thing.Interface
		}
		out = append(out, d)
	}
	return out
}

// Firewall gives how the packet filter is to be set up: without a word about it
// in the file, as keepalived sets it up by default.
func Firewall(g config.Global) host.FirewallOptions {
	o := host.FirewallOptions{Table: g.Firewall.Table, Priority: int32(g.Firewall.TablePriority), Counters: g.Firewall.Counters}
	if o.Table == "" {
		o.Table, o.Priority = "keepalived", -1
	}
	return o
}
