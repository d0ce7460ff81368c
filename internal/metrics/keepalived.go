package metrics

import (
	"net/netip"
	"time"

	"github.com/tandem-ha/tandem/config"
	"github.com/tandem-ha/tandem/internal/control"
	"github.com/tandem-ha/tandem/internal/dump"
	"github.com/tandem-ha/tandem/vrrp"
)

// keepalivedState is a state's number in keepalived.
func keepalivedState(s vrrp.State) float64 {
	switch s {
	case vrrp.Backup:
		return 1
	case vrrp.Master:
		return 2
	case vrrp.Failed:
		return 3
	}
	return 0
}

// keepalivedFamilies are the metrics of keepalived's usual exporter, with its
// names and labels (mehdy/keepalived-exporter). Its counters have the state as a
// label; tandem's own, which have not, are better to build on. What its flag for
// a script per address exports is not there.
func keepalivedFamilies() []family {
	labels := []string{"iname", "intf", "vrid", "state"}
	count := func(name, help string, value func(dump.Counts) uint64) family {
		return counter(name, help, labels, func(s *snapshot, out emit) {
			for _, i := range s.Instances {
				out(float64(value(dump.CountsOf(i.Counters))), i.Name, i.Interface, number(i.VRID), i.State.String())
			}
		})
	}
	return []family{
		gauge("keepalived_up", "Whether the agent runs.", nil, func(_ *snapshot, out emit) { out(1) }),
		gauge("keepalived_vrrp_state", "State of the instance of each address: 0 init, 1 backup, 2 master, 3 fault.",
			[]string{"iname", "intf", "vrid", "ip_address"}, vrrpStates),
		count("keepalived_advertisements_received_total", "Adverts received.", func(c dump.Counts) uint64 { return c.Received }),
		count("keepalived_advertisements_sent_total", "Adverts sent.", func(c dump.Counts) uint64 { return c.Sent }),
		count("keepalived_become_master_total", "Times that the instance became master.", func(c dump.Counts) uint64 { return c.Became }),
		count("keepalived_release_master_total", "Times that the instance ceased to be master.", func(c dump.Counts) uint64 { return c.Released }),
		count("keepalived_packet_length_errors_total", "Adverts of a wrong length.", func(c dump.Counts) uint64 { return c.Length }),
		count("keepalived_advertisements_interval_errors_total", "Adverts with another interval.", func(c dump.Counts) uint64 { return c.Interval }),
		count("keepalived_ip_ttl_errors_total", "Adverts with a wrong TTL.", func(c dump.Counts) uint64 { return c.TTL }),
		count("keepalived_invalid_type_received_total", "Packets of another type.", func(c dump.Counts) uint64 { return c.Type }),
		count("keepalived_address_list_errors_total", "Adverts with other addresses.", func(c dump.Counts) uint64 { return c.AddressList }),
		count("keepalived_authentication_invalid_total", "Adverts with an unknown authentication.", func(c dump.Counts) uint64 { return c.AuthType }),
		count("keepalived_authentication_mismatch_total", "Adverts with another authentication.", func(c dump.Counts) uint64 { return c.AuthMismatch }),
		count("keepalived_authentication_failure_total", "Adverts whose authentication failed.", func(c dump.Counts) uint64 { return c.AuthFailure }),
		count("keepalived_priority_zero_received_total", "Adverts of priority 0 received.", func(c dump.Counts) uint64 { return c.PriorityZeroReceived }),
		count("keepalived_priority_zero_sent_total", "Adverts of priority 0 sent.", func(c dump.Counts) uint64 { return c.PriorityZeroSent }),
		counter("keepalived_gratuitous_arp_delay_total", "Delay of the second round of announcements, in seconds.", labels, func(s *snapshot, out emit) {
			for _, i := range s.Instances {
				if c := configOf(s.Status, i.Name); c != nil {
					out(float64(c.GARP.Delay/time.Second), i.Name, i.Interface, number(i.VRID), i.State.String())
				}
			}
		}),
		gauge("keepalived_script_status", "Result of a tracking script: 0 bad, 1 good.", []string{"name"}, func(s *snapshot, out emit) {
			for _, c := range s.Scripts {
				out(boolean(c.State == "up"), c.Name)
			}
		}),
		gauge("keepalived_script_state", "What a tracking script does: 0 idle, 1 running.", []string{"name"}, func(s *snapshot, out emit) {
			for _, c := range s.Scripts {
				out(boolean(c.Running), c.Name)
			}
		}),
	}
}

// vrrpStates gives the state for each virtual address, on the interface that it
// lives on.
func vrrpStates(s *snapshot, out emit) {
	for _, i := range s.Instances {
		on := map[netip.Prefix]string{}
		if c := configOf(s.Status, i.Name); c != nil {
			for _, a := range c.Addresses {
				on[a.Prefix] = a.Interface
			}
		}
		for _, p := range i.Addresses {
			name := on[p]
			if name == "" {
				name = i.Interface
			}
			out(keepalivedState(i.State), i.Name, name, number(i.VRID), addressText(p))
		}
	}
}

// addressText is an address as keepalived writes it: without the length of a
// single address.
func addressText(p netip.Prefix) string {
	if p.IsSingleIP() {
		return p.Addr().String()
	}
	return p.String()
}

// configOf is the configuration of an instance, nil where there is none.
func configOf(s control.Status, name string) *config.Instance {
	if s.Config == nil {
		return nil
	}
	for _, in := range s.Config.Instances {
		if in.Name == name {
			return in
		}
	}
	return nil
}
