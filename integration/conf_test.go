//go:build kernel

package integration

import (
	"cmp"
	"fmt"
	"net/netip"
	"strings"
	"time"

	"github.com/tandem-ha/tandem/integration/lab"
)

// echoPort is where the nodes answer probes.
const echoPort = 9000

// mode is one way in which a pair can speak to each other.
type mode struct {
	name    string
	version int
	v6      bool
	unicast bool
	// auth is the authentication of version 2, PASS where it is empty.
	auth string
	// advert is the advert interval.
	advert time.Duration
	// vips is how many virtual addresses there are, the others but one excluded.
	vips int
	// groups of instances: 0 and 1 are one instance, 2 are a sync group of two.
	instances int
	// realTime is vrrp_rt_priority; 0 leaves it out.
	realTime int
}

// vip is the first virtual address of instance number i (from 0).
func (m mode) vip(i int) netip.Prefix {
	if m.v6 {
		return netip.MustParsePrefix(fmt.Sprintf("2001:db8::1%02x/64", i))
	}
	return netip.PrefixFrom(netip.AddrFrom4([4]byte{192, 0, 2, byte(100 + i)}), 24)
}

// linkLocal is the address that an IPv6 instance needs before all others: RFC 9568
// 5.2.9.
func (m mode) linkLocal(i int) netip.Prefix {
	return netip.MustParsePrefix(fmt.Sprintf("fe80::1%02x/64", i))
}

// excluded are the virtual addresses that adverts do not carry.
func (m mode) excluded() []netip.Prefix {
	var out []netip.Prefix
	for i := range m.vips - 1 {
		out = append(out, netip.PrefixFrom(netip.AddrFrom4([4]byte{10, 9, byte(1 + i/250), byte(1 + i%250)}), 32))
	}
	return out
}

// last is the address whose taking over ends latest.
func (m mode) last() netip.Addr {
	if more := m.excluded(); len(more) > 0 {
		return more[len(more)-1].Addr()
	}
	return m.vip(max(m.instances, 1) - 1).Addr()
}

// masterDown is how long a node of the priority waits before it takes over.
func (m mode) masterDown(priority int) time.Duration {
	return 3*m.advert + m.advert*time.Duration(256-priority)/256
}

// conf is the configuration of node self, whose peer is other.
func (m mode) conf(self, other *lab.Host, priority int, extra ...string) string {
	var b strings.Builder
	fmt.Fprintf(&b, "global_defs {\n  router_id %s\n  vrrp_version %d\n", self.Name, m.version)
	if m.realTime > 0 {
		fmt.Fprintf(&b, "  vrrp_rt_priority %d\n", m.realTime)
	}
	if m.vips > 100 {
		// keepalived sends no advert until it has sent and logged them all.
		b.WriteString("  vrrp_garp_master_repeat 1\n")
	}
	b.WriteString("}\n")
	n := max(m.instances, 1)
	if n > 1 {
		b.WriteString("vrrp_sync_group G1 {\n  group {\n")
		for i := range n {
			fmt.Fprintf(&b, "    VI_%d\n", i+1)
		}
		b.WriteString("  }\n}\n")
	}
	for i := range n {
		m.instance(&b, i, self, other, priority, extra)
	}
	return b.String()
}

func (m mode) instance(b *strings.Builder, i int, self, other *lab.Host, priority int, extra []string) {
	fmt.Fprintf(b, "vrrp_instance VI_%d {\n  state BACKUP\n  interface %s\n  virtual_router_id %d\n", i+1, lab.NIC, 51+i)
	fmt.Fprintf(b, "  priority %d\n  advert_int %g\n", priority, m.advert.Seconds())
	if m.version == 2 {
		fmt.Fprintf(b, "  authentication {\n    auth_type %s\n    auth_pass secret12\n  }\n", cmp.Or(m.auth, "PASS"))
	}
	if m.unicast {
		from, to := self.IPv4(), other.IPv4()
		if m.v6 {
			from, to = self.IPv6(), other.IPv6()
		}
		fmt.Fprintf(b, "  unicast_src_ip %s\n  unicast_peer {\n    %s\n  }\n", from, to)
	}
	b.WriteString("  virtual_ipaddress {\n")
	if m.v6 {
		fmt.Fprintf(b, "    %s\n", m.linkLocal(i))
	}
	fmt.Fprintf(b, "    %s\n  }\n", m.vip(i))
	if more := m.excluded(); len(more) > 0 && i == 0 {
		b.WriteString("  virtual_ipaddress_excluded {\n")
		for _, p := range more {
			fmt.Fprintf(b, "    %s\n", p)
		}
		b.WriteString("  }\n")
	}
	for _, line := range extra {
		fmt.Fprintf(b, "  %s\n", line)
	}
	b.WriteString("}\n")
}
