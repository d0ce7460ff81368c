//go:build kernel

package integration

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"os"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/tandem-ha/tandem/integration/lab"
)

// patience is slack for a virtual machine that is emulated.
const patience = time.Minute

// table is a host's IPVS table, as ipvsadm -Sn has it, in order.
func table(h *lab.Host) ([]string, error) {
	out, err := h.Run("ipvsadm", "-Sn")
	if err != nil {
		return nil, err
	}
	var all []string
	for l := range strings.Lines(out) {
		if l = strings.TrimSpace(l); l != "" {
			all = append(all, l)
		}
	}
	slices.Sort(all)
	return all, nil
}

// hasTable waits until a host's table is exactly this, in any order.
func hasTable(t testing.TB, h *lab.Host, want ...string) {
	t.Helper()
	want = slices.Sorted(slices.Values(want))
	polled(t, patience, 200*time.Millisecond, "IPVS table of "+h.Name, func() error {
		got, err := table(h)
		if err == nil && !slices.Equal(got, want) {
			err = fmt.Errorf("it is\n  %s\nnot\n  %s", strings.Join(got, "\n  "), strings.Join(want, "\n  "))
		}
		return err
	})
}

// TestIPVSTable loads one file with each kind of virtual server into the kernel,
// by keepalived on one host and by tandem on another: the tables are the same,
// and both remove it when they end.
func TestIPVSTable(t *testing.T) {
	t.Parallel()
	conf, err := os.ReadFile("testdata/virtual-servers.conf")
	must(t, err)
	l := newLab(t, "lb1", "lb2")
	k := agent(t, l.Host("lb1"), "keepalived", string(conf))
	n := agent(t, l.Host("lb2"), "tandem", string(conf))
	start(t, k, n)
	// Of each service and each server a line, and one of the sorry server where none
	// is up.
	const complete = 18
	var want []string
	eventually(t, patience, "keepalived's table", func() (err error) {
		if want, err = table(k.Host); err == nil && len(want) != complete {
			err = fmt.Errorf("%d lines of %d: %q", len(want), complete, want)
		}
		return err
	})
	t.Logf("keepalived's table:\n  %s", strings.Join(want, "\n  "))
	hasTable(t, n.Host, want...)
	must(t, errors.Join(k.Stop(patience), n.Stop(patience)))
	hasTable(t, k.Host)
	hasTable(t, n.Host)
}

// farm is a load balancer, a client and two web servers that it balances to.
type farm struct {
	t      *testing.T
	lb     *lab.Agent
	client *lab.Host
	vip    netip.AddrPort
	web    map[string]*lab.Web
}

// newFarm makes a farm for direct routing: each real server has the virtual
// address on its loopback, and answers the client by itself. The text is that of
// the virtual server's block, after address and method.
func newFarm(t *testing.T, vip netip.Addr, text string) *farm {
	t.Helper()
	l := newLab(t, "lb1", "client", "rs1", "rs2")
	f := &farm{t: t, client: l.Host("client"), vip: netip.AddrPortFrom(vip, 80), web: map[string]*lab.Web{}}
	lb := l.Host("lb1")
	host := netip.PrefixFrom(vip, vip.BitLen())
	must(t, lb.IP(fmt.Sprintf("addr add %s dev %s", host, lab.NIC)))
	for _, name := range []string{"rs1", "rs2"} {
		h := l.Host(name)
		must(t, h.Sysctl("net/ipv4/conf/all/arp_ignore", "1", "net/ipv4/conf/all/arp_announce", "2"))
		must(t, h.IP(fmt.Sprintf("addr add %s dev lo", host)))
		w, err := h.Serve(name, netip.AddrPortFrom(unspecified(vip), 80))
		must(t, err)
		f.web[name] = w
	}
	if vip.Is6() {
		must(t, f.client.IP(fmt.Sprintf("route add %s via %s", host, lb.IPv6())))
	}
	own := func(name string) netip.Addr {
		if vip.Is6() {
			return l.Host(name).IPv6()
		}
		return l.Host(name).IPv4()
	}
	text = strings.NewReplacer("RS1", own("rs1").String(), "RS2", own("rs2").String()).Replace(text)
	f.lb = agent(t, lb, "tandem", fmt.Sprintf("virtual_server %s 80 {\n  lvs_method DR\n  protocol TCP\n%s}\n", vip, text))
	return f
}

// unspecified is the address that stands for all of a family.
func unspecified(like netip.Addr) netip.Addr {
	if like.Is6() {
		return netip.IPv6Unspecified()
	}
	return netip.IPv4Unspecified()
}

// answers counts who answers n requests.
func (f *farm) answers(n int) map[string]int {
	f.t.Helper()
	got := map[string]int{}
	for range n {
		ctx, cancel := context.WithTimeout(f.t.Context(), patience)
		body, err := f.client.Get(ctx, f.vip)
		cancel()
		if err != nil {
			body = "error: " + err.Error()
		}
		got[body]++
	}
	return got
}

// table lines of a farm's service with its destinations, each "rs1" or "rs2" with
// its weight.
func (f *farm) has(scheduler string, servers ...string) {
	f.t.Helper()
	want := []string{fmt.Sprintf("-A -t %s -s %s", f.vip, scheduler)}
	for _, s := range servers {
		addr, weight, _ := strings.Cut(s, " ")
		want = append(want, fmt.Sprintf("-a -t %s -r %s -g -w %s", f.vip, addr, weight))
	}
	hasTable(f.t, f.lb.Host, want...)
}

// TestIPVSBackend kills a real server and starts it again, under each family and
// kind of check.
func TestIPVSBackend(t *testing.T) {
	t.Parallel()
	const server = "  real_server %s 80 {\n    weight 1\n    %s {\n      connect_timeout 20\n      retry 1\n      delay_before_retry 1\n%s    }\n  }\n"
	const url = "      url {\n        path /\n        status_code 200\n      }\n"
	for _, c := range []struct{ name, vip, check, body string }{
		{"http", "192.0.2.100", "HTTP_GET", url},
		{"tcp-ipv6", "2001:db8:5::100", "TCP_CHECK", ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			text := "  delay_loop 1\n  lvs_sched rr\n" + fmt.Sprintf(server, "RS1", c.check, c.body) + fmt.Sprintf(server, "RS2", c.check, c.body)
			f := newFarm(t, netip.MustParseAddr(c.vip), text)
			rs1, rs2 := f.address("rs1")+" 1", f.address("rs2")+" 1"
			start(t, f.lb)
			f.has("rr", rs1, rs2)
			if got := f.answers(8); got["rs1"] != 4 || got["rs2"] != 4 {
				t.Errorf("8 requests: %v", got)
			}
			must(t, f.web["rs2"].Close())
			f.has("rr", rs1)
			if got := f.answers(8); got["rs1"] != 8 {
				t.Errorf("8 requests with rs2 gone: %v", got)
			}
			must(t, f.web["rs2"].Start())
			f.has("rr", rs1, rs2)
			if got := f.answers(8); got["rs1"] != 4 || got["rs2"] != 4 {
				t.Errorf("8 requests with rs2 back: %v", got)
			}
		})
	}
}

// address is a real server's address as ipvsadm writes it.
func (f *farm) address(name string) string {
	h := f.lb.Host.Neighbour(name)
	if f.vip.Addr().Is6() {
		return netip.AddrPortFrom(h.IPv6(), 80).String()
	}
	return netip.AddrPortFrom(h.IPv4(), 80).String()
}

// TestIPVSSorry loses the quorum and gains it again: the sorry server stands in
// for all the others, and leaves.
func TestIPVSSorry(t *testing.T) {
	t.Parallel()
	const server = "  real_server %s 80 {\n    TCP_CHECK {\n      connect_timeout 20\n      retry 1\n      delay_before_retry 1\n    }\n  }\n"
	f := newFarm(t, netip.MustParseAddr("192.0.2.100"),
		"  delay_loop 1\n  lvs_sched rr\n  quorum 2\n  sorry_server 10.9.7.7 80\n"+fmt.Sprintf(server, "RS1")+fmt.Sprintf(server, "RS2"))
	start(t, f.lb)
	rs1, rs2 := f.address("rs1")+" 1", f.address("rs2")+" 1"
	f.has("rr", rs1, rs2)
	must(t, f.web["rs2"].Close())
	f.has("rr", "10.9.7.7:80 1")
	must(t, f.web["rs2"].Start())
	f.has("rr", rs1, rs2)
}

// TestIPVSInhibit gives a failed server weight 0 and leaves it in the table.
func TestIPVSInhibit(t *testing.T) {
	t.Parallel()
	const server = "  real_server %s 80 {\n    weight 4\n    inhibit_on_failure\n    TCP_CHECK {\n      connect_timeout 20\n      retry 1\n      delay_before_retry 1\n    }\n  }\n"
	f := newFarm(t, netip.MustParseAddr("192.0.2.100"), "  delay_loop 1\n  lvs_sched wrr\n"+fmt.Sprintf(server, "RS1")+fmt.Sprintf(server, "RS2"))
	start(t, f.lb)
	rs1, rs2 := f.address("rs1"), f.address("rs2")
	f.has("wrr", rs1+" 4", rs2+" 4")
	must(t, f.web["rs2"].Close())
	f.has("wrr", rs1+" 4", rs2+" 0")
	must(t, f.web["rs2"].Start())
	f.has("wrr", rs1+" 4", rs2+" 4")
}

// TestIPVSConnection keeps a TCP connection through reloads, a crash and the
// start of the next process.
func TestIPVSConnection(t *testing.T) {
	t.Parallel()
	const server = "  real_server %s 80 {\n    TCP_CHECK {\n      connect_timeout 20\n    }\n  }\n"
	head := "  delay_loop 2\n  lvs_sched rr\n"
	f := newFarm(t, netip.MustParseAddr("192.0.2.100"), head+fmt.Sprintf(server, "RS1"))
	start(t, f.lb)
	rs1, rs2 := f.address("rs1")+" 1", f.address("rs2")+" 1"
	f.has("rr", rs1)
	line, err := f.client.OpenLine(within(t, patience), f.vip)
	must(t, err)
	said := 0
	say := func(when string) {
		t.Helper()
		said++
		if err := line.Say(said, patience); err != nil {
			t.Fatalf("the connection after %s: %v", when, err)
		}
	}
	say("its opening")

	must(t, f.lb.Signal(syscall.SIGHUP))
	reloaded(t, f.lb, time.Time{})
	f.has("rr", rs1)
	say("an unchanged reload")

	conf := fmt.Sprintf("virtual_server %s 80 {\n  lvs_method DR\n  protocol TCP\n%s%s%s}\n", f.vip.Addr(), head,
		fmt.Sprintf(server, f.lb.Host.Neighbour("rs1").IPv4()), fmt.Sprintf(server, f.lb.Host.Neighbour("rs2").IPv4()))
	must(t, f.lb.Write(conf))
	ask(t, f.lb, "reload")
	f.has("rr", rs1, rs2)
	say("a reload with a server more")

	f.lb.Kill()
	say("SIGKILL")
	f.has("rr", rs1, rs2)
	start(t, f.lb)
	eventually(t, patience, "tandem runs again", func() error { _, err := tryStatus(f.lb); return err })
	f.has("rr", rs1, rs2)
	say("the next start")
	must(t, f.lb.Stop(patience))
	hasTable(t, f.lb.Host)
}

// TestIPVSForeign leaves alone what others put into the table, and repairs what
// others change of its own.
func TestIPVSForeign(t *testing.T) {
	t.Parallel()
	f := newFarm(t, netip.MustParseAddr("192.0.2.100"), "  delay_loop 5\n  lvs_sched wlc\n  real_server RS1 80 {\n    weight 3\n  }\n  real_server RS2 80 {\n  }\n")
	h := f.lb.Host
	foreign := []string{"-A -u 10.9.9.9:53 -s rr", "-a -u 10.9.9.9:53 -r 10.9.9.1:53 -m -w 1"}
	must(t, h.Input(strings.Join(foreign, "\n")+"\n", "ipvsadm", "-R"))
	start(t, f.lb)
	service := fmt.Sprintf("-A -t %s -s wlc", f.vip)
	rs1 := fmt.Sprintf("-a -t %s -r %s -g -w 3", f.vip, f.address("rs1"))
	rs2 := fmt.Sprintf("-a -t %s -r %s -g -w 1", f.vip, f.address("rs2"))
	all := append([]string{service, rs1, rs2}, foreign...)
	hasTable(t, h, all...)
	for _, damage := range [][]string{
		{"ipvsadm", "-d", "-t", f.vip.String(), "-r", f.address("rs1")},
		{"ipvsadm", "-e", "-t", f.vip.String(), "-r", f.address("rs2"), "-g", "-w", "77"},
		{"ipvsadm", "-a", "-t", f.vip.String(), "-r", "10.9.8.8:80", "-g"},
		{"ipvsadm", "-D", "-t", f.vip.String()},
	} {
		if _, err := h.Run(damage...); err != nil {
			t.Fatal(err)
		}
		began := time.Now()
		hasTable(t, h, all...)
		t.Logf("%s: repaired after %v", strings.Join(damage, " "), time.Since(began).Round(time.Millisecond))
	}
	must(t, f.lb.Stop(patience))
	hasTable(t, h, foreign...)
}
