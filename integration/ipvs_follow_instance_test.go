//go:build kernel

package integration

import (
	"fmt"
	"net/netip"
	"testing"
	"time"

	"github.com/tandem-ha/tandem/integration/lab"
)

// TestIPVSFollowInstance has the service of a pair follow an instance: both nodes
// check, the table is the master's alone, and the one that takes over goes by what
// it has found out before.
func TestIPVSFollowInstance(t *testing.T) {
	t.Parallel()
	m := mode{version: 3, advert: time.Second}
	l := newLab(t, "lb1", "lb2", "rs1", "rs2")
	web, err := l.Host("rs1").Serve("rs1", netip.AddrPortFrom(netip.IPv4Unspecified(), 80))
	must(t, err)
	var nodes []*lab.Agent
	for i, name := range []string{"lb1", "lb2"} {
		conf := m.conf(l.Host(name), l.Host([]string{"lb2", "lb1"}[i]), 150-50*i)
		conf += fmt.Sprintf("virtual_server %s 80 {\n  @tandem follow_instance VI_1\n  delay_loop 300\n  lvs_sched rr\n  lvs_method DR\n  protocol TCP\n  alpha\n", m.vip(0).Addr())
		for _, rs := range []string{"rs1", "rs2"} {
			conf += fmt.Sprintf("  real_server %s 80 {\n    TCP_CHECK {\n      connect_timeout 60\n      warmup 0\n    }\n  }\n", l.Host(rs).IPv4())
		}
		nodes = append(nodes, agent(t, l.Host(name), "tandem", conf+"}\n"))
	}
	lb1, lb2 := nodes[0], nodes[1]
	want := []string{
		fmt.Sprintf("-A -t %s:80 -s rr", m.vip(0).Addr()),
		fmt.Sprintf("-a -t %s:80 -r %s:80 -g -w 1", m.vip(0).Addr(), l.Host("rs1").IPv4()),
	}
	start(t, lb1)
	hasTable(t, lb1.Host, want...)
	start(t, lb2)
	eventually(t, patience, "the standby node has checked", func() error {
		s, err := tryStatus(lb2)
		if err == nil && (len(s.Services) != 1 || len(s.Services[0].Servers) != 2 || !s.Services[0].Servers[0].Up || s.Services[0].Servers[1].Up) {
			err = fmt.Errorf("%+v", s.Services)
		}
		return err
	})
	hasTable(t, lb2.Host)

	// A check that began now would find nothing.
	must(t, web.Close())
	must(t, lb1.Host.Cut())
	hasTable(t, lb2.Host, want...)
	hasTable(t, lb1.Host)
}
