//go:build kernel

package integration

import (
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"syscall"
	"testing"

	"github.com/tandem-ha/tandem/integration/lab"
)

// TestIPVSElsewhere keeps the table of the namespace that net_namespace_ipvs
// names, and none where the process runs, beside keepalived.
func TestIPVSElsewhere(t *testing.T) {
	t.Parallel()
	l := newLab(t, "lb1", "lb2", "k", "t")
	var nodes []*lab.Agent
	for _, c := range [][3]string{{"lb1", "keepalived", "k"}, {"lb2", "tandem", "t"}} {
		conf := "net_namespace_ipvs " + l.Host(c[2]).Namespace() + "\nvirtual_server 10.9.0.1 80 {\n  protocol TCP\n  lvs_sched rr\n  real_server 10.9.1.1 80 {\n  }\n}\n"
		nodes = append(nodes, agent(t, l.Host(c[0]), c[1], conf))
	}
	start(t, nodes...)
	for _, name := range []string{"k", "t"} {
		hasTable(t, l.Host(name), "-A -t 10.9.0.1:80 -s rr", "-a -t 10.9.0.1:80 -r 10.9.1.1:80 -m -w 1")
	}
	hasTable(t, nodes[0].Host)
	hasTable(t, nodes[1].Host)
	must(t, errors.Join(nodes[0].Stop(patience), nodes[1].Stop(patience)))
	hasTable(t, l.Host("k"))
	hasTable(t, l.Host("t"))
}

// TestVerifyIPVSFlush takes what others have put into the table away where
// keepalived does: at the start with lvs_flush, at the end with lvs_flush_on_stop,
// and at a reload never.
func TestVerifyIPVSFlush(t *testing.T) {
	t.Parallel()
	early := []string{"-A -u 10.9.9.9:53 -s rr", "-a -u 10.9.9.9:53 -r 10.9.9.1:53 -m -w 1"}
	late := []string{"-A -u 10.9.9.8:53 -s rr", "-a -u 10.9.9.8:53 -r 10.9.9.1:53 -m -w 1"}
	ours := func(weight int) []string {
		return []string{"-A -t 10.9.0.1:80 -s rr", fmt.Sprintf("-a -t 10.9.0.1:80 -r 10.9.1.1:80 -m -w %d", weight)}
	}
	for _, c := range []struct {
		name, lines     string
		atStart, atStop bool
	}{
		{"none", "", false, false},
		{"start", "  lvs_flush\n", true, false},
		{"all", "  lvs_flush_on_stop\n", false, true},
		{"ours", "  lvs_flush_on_stop VS\n", false, false},
		{"both", "  lvs_flush\n  lvs_flush_on_stop\n", true, true},
	} {
		for _, program := range []string{"keepalived", "tandem"} {
			t.Run(c.name+"-"+program, func(t *testing.T) {
				t.Parallel()
				h := newLab(t, "lb").Host("lb")
				conf := func(weight int) string {
					return fmt.Sprintf("global_defs {\n%s}\nvirtual_server 10.9.0.1 80 {\n  protocol TCP\n  lvs_sched rr\n  real_server 10.9.1.1 80 {\n    weight %d\n  }\n}\n", c.lines, weight)
				}
				foreign := func(lines []string) { must(t, h.Input(strings.Join(lines, "\n")+"\n", "ipvsadm", "-R")) }
				foreign(early)
				a := agent(t, h, program, conf(1))
				start(t, a)
				left := early
				if c.atStart {
					left = nil
				}
				hasTable(t, h, slices.Concat(ours(1), left)...)
				foreign(late)
				left = slices.Concat(left, late)
				must(t, a.Write(conf(2)))
				must(t, a.Signal(syscall.SIGHUP))
				hasTable(t, h, slices.Concat(ours(2), left)...)
				must(t, a.Stop(patience))
				if c.atStop {
					left = nil
				}
				hasTable(t, h, left...)
			})
		}
	}
}

// TestIPVSMarked balances the packets for a group's addresses that the packet
// filter marks, and none for other ports.
func TestIPVSMarked(t *testing.T) {
	t.Parallel()
	f := newFarm(t, netip.MustParseAddr("192.0.2.100"), "")
	text := "global_defs {\n  nftables_ipvs\n}\nvirtual_server_group G {\n  192.0.2.100-101 80\n}\n" +
		"virtual_server group G {\n  delay_loop 1\n  lvs_method DR\n  lvs_sched rr\n  protocol TCP\n"
	for _, rs := range []string{"rs1", "rs2"} {
		text += fmt.Sprintf("  real_server %s 80 {\n    TCP_CHECK {\n      connect_timeout 20\n      retry 0\n    }\n  }\n", f.lb.Host.Neighbour(rs).IPv4())
		must(t, f.lb.Host.Neighbour(rs).IP("addr add 192.0.2.101/32 dev lo"))
	}
	must(t, f.lb.Host.IP("addr add 192.0.2.101/32 dev "+lab.NIC))
	must(t, f.lb.Write(text+"}\n"))
	start(t, f.lb)

	service := "-A -f 1000 -s rr"
	const destination = "-a -f 1000 -r %s:0 -g -w 1"
	rs1, rs2 := fmt.Sprintf(destination, f.lb.Host.Neighbour("rs1").IPv4()), fmt.Sprintf(destination, f.lb.Host.Neighbour("rs2").IPv4())
	hasTable(t, f.lb.Host, service, rs1, rs2)
	for _, vip := range []string{"192.0.2.100:80", "192.0.2.101:80"} {
		f.vip = netip.MustParseAddrPort(vip)
		if got := f.answers(8); got["rs1"] != 4 || got["rs2"] != 4 {
			t.Errorf("8 requests to %s: %v", vip, got)
		}
	}
	other, err := f.lb.Host.Serve("lb1", netip.MustParseAddrPort("192.0.2.100:81"))
	must(t, err)
	f.vip = netip.MustParseAddrPort("192.0.2.100:81")
	if got := f.answers(2); got["lb1"] != 2 {
		t.Errorf("2 requests to a port that is not balanced: %v", got)
	}
	must(t, other.Close())
	must(t, f.web["rs2"].Close())
	hasTable(t, f.lb.Host, service, rs1)
	f.vip = netip.MustParseAddrPort("192.0.2.101:80")
	if got := f.answers(8); got["rs1"] != 8 {
		t.Errorf("8 requests with rs2 gone: %v", got)
	}
	must(t, f.lb.Stop(patience))
	if rules, err := f.lb.Host.Run("nft", "list", "ruleset"); err != nil || strings.TrimSpace(rules) != "" {
		t.Errorf("left behind: %v\n%s", err, rules)
	}
}

// TestIPVSDrainGroup drains a server of a group's addresses: it has gone when the
// connections to the last of them have, not those to the first.
func TestIPVSDrainGroup(t *testing.T) {
	t.Parallel()
	f := newFarm(t, netip.MustParseAddr("192.0.2.100"), "")
	text := "virtual_server_group G {\n  192.0.2.100-101 80\n}\nvirtual_server group G {\n  lvs_method DR\n  lvs_sched rr\n  protocol TCP\n"
	for _, rs := range []string{"rs1", "rs2"} {
		text += fmt.Sprintf("  real_server %s 80 {\n  }\n", f.lb.Host.Neighbour(rs).IPv4())
		must(t, f.lb.Host.Neighbour(rs).IP("addr add 192.0.2.101/32 dev lo"))
	}
	must(t, f.lb.Host.IP("addr add 192.0.2.101/32 dev "+lab.NIC))
	must(t, f.lb.Write(text+"}\n"))
	start(t, f.lb)
	eventually(t, patience, "table", func() error {
		got, err := table(f.lb.Host)
		if err == nil && len(got) != 6 {
			err = fmt.Errorf("%q", got)
		}
		return err
	})
	// One connection of two goes to rs1.
	var lines []*lab.Line
	for i := range 2 {
		line, err := f.client.OpenLine(within(t, patience), netip.MustParseAddrPort("192.0.2.101:80"))
		must(t, err)
		must(t, line.Say(i, patience))
		lines = append(lines, line)
	}
	rs1 := f.address("rs1")
	if out := ask(t, f.lb, "drain", rs1, "--wait=false"); !strings.Contains(out, "1 connections left") {
		t.Errorf("with one connection to the second address: %s", out)
	}
	for _, line := range lines {
		must(t, line.Close())
	}
	eventually(t, patience, "the end of the drain", func() error {
		out, err := f.lb.Ask("drain", rs1, "--wait=false")
		if err == nil && !strings.Contains(out, "no connection left") {
			err = errors.New(out)
		}
		return err
	})
}

// TestIPVSReloadKeeps changes one server's thresholds in a reload: the kernel has
// them, and all the counters and connections that it had before.
func TestIPVSReloadKeeps(t *testing.T) {
	t.Parallel()
	const server = "  real_server RS%d 80 {\n    uthreshold %d\n    TCP_CHECK {\n      connect_timeout 20\n      retry 0\n    }\n  }\n"
	conf := func(limit int) string {
		return "  delay_loop 1\n  lvs_sched rr\n" + fmt.Sprintf(server, 1, limit) + fmt.Sprintf(server, 2, 50)
	}
	f := newFarm(t, netip.MustParseAddr("192.0.2.100"), conf(100))
	start(t, f.lb)
	rs1, rs2 := f.address("rs1"), f.address("rs2")
	f.has("rr", rs1+" 1", rs2+" 1")
	if got := f.answers(7); got["rs1"]+got["rs2"] != 7 {
		t.Errorf("7 requests: %v", got)
	}
	must(t, f.web["rs2"].Close())
	f.has("rr", rs1+" 1")
	line, err := f.client.OpenLine(within(t, patience), f.vip)
	must(t, err)
	must(t, line.Say(1, patience))
	put := strings.NewReplacer("RS1", f.lb.Host.Neighbour("rs1").IPv4().String(), "RS2", f.lb.Host.Neighbour("rs2").IPv4().String())
	must(t, f.lb.Write(put.Replace("virtual_server 192.0.2.100 80 {\n  lvs_method DR\n  protocol TCP\n"+strings.ReplaceAll(conf(200), "retry 0", "retry 1")+"}\n")))
	ask(t, f.lb, "reload")
	// The server that was down stays so, with its check changed.
	f.has("rr", rs1+" 1")
	for _, s := range status(t, f.lb).Services[0].Servers {
		if want := !strings.HasPrefix(rs2, s.Addr+":"); s.Up != want {
			t.Errorf("%s after the reload: up is %t", s.Addr, s.Up)
		}
	}
	eventually(t, patience, "thresholds after the reload", func() error {
		limits, err := f.lb.Host.Run("ipvsadm", "-Ln", "--thresholds")
		if err == nil && !strings.Contains(strings.Join(strings.Fields(limits), " "), "-> "+rs1+" 200 ") {
			err = errors.New(limits)
		}
		return err
	})
	// The kernel sums its counters up every two seconds.
	eventually(t, patience, "the counters of before and after the reload", func() error {
		stats, err := f.lb.Host.Run("ipvsadm", "-Ln", "--stats", "--exact")
		if err == nil && !strings.Contains(strings.Join(strings.Fields(stats), " "), "TCP "+f.vip.String()+" 8 ") {
			err = errors.New(stats)
		}
		return err
	})
	must(t, line.Say(2, patience))
}
