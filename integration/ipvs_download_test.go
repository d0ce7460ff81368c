//go:build kernel

package integration

import (
	"errors"
	"fmt"
	"net/netip"
	"os"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/tandem-ha/tandem/integration/lab"
)

// carried is a pair that balances by each method, with a real server for each
// and a client that downloads through all three.
type carried struct {
	t        *testing.T
	lb1, lb2 *lab.Agent
	client   *lab.Host
	vips     []netip.Addr
}

// methods are the ways to a real server, in the order of the pair's addresses.
var methods = []string{"NAT", "DR", "TUN"}

// newCarried prepares the pair and starts neither node.
func newCarried(t *testing.T, global string) *carried {
	t.Helper()
	l := newLab(t, "lb1", "lb2", "client", "nat", "dr", "tun")
	c := &carried{t: t, client: l.Host("client")}
	for i := range methods {
		c.vips = append(c.vips, netip.AddrFrom4([4]byte{192, 0, 2, byte(100 + i)}))
	}
	// Answers to the client go back through the balancer that rewrote the request.
	must(t, l.Host("nat").IP(fmt.Sprintf("route add %s/32 via 10.9.0.254 dev %s onlink", c.client.IPv4(), lab.NIC)))
	quiet := []string{"net/ipv4/conf/all/arp_ignore", "1", "net/ipv4/conf/all/arp_announce", "2"}
	must(t, l.Host("dr").Sysctl(quiet...))
	must(t, l.Host("dr").IP(fmt.Sprintf("addr add %s/32 dev lo", c.vips[1])))
	tun := l.Host("tun")
	must(t, tun.Sysctl(quiet...))
	must(t, tun.IP(
		fmt.Sprintf("link add end type ipip local %s", tun.IPv4()),
		"link set end up",
		fmt.Sprintf("addr add %s/32 dev end", c.vips[2])))
	must(t, tun.Sysctl("net/ipv4/conf/all/rp_filter", "0", "net/ipv4/conf/end/rp_filter", "0"))
	for _, name := range []string{"nat", "dr", "tun"} {
		_, err := l.Host(name).Serve(name, netip.AddrPortFrom(netip.IPv4Unspecified(), 80))
		must(t, err)
	}
	for i, h := range []*lab.Host{l.Host("lb1"), l.Host("lb2")} {
		must(t, h.Sysctl("net/ipv4/ip_forward", "1", "net/ipv4/conf/all/send_redirects", "0",
			"net/ipv4/conf/default/send_redirects", "0", "net/ipv4/conf/"+lab.NIC+"/send_redirects", "0"))
		a := agent(t, h, "tandem", c.conf(l, 150-i, global))
		*[]**lab.Agent{&c.lb1, &c.lb2}[i] = a
	}
	return c
}

func (c *carried) conf(l *lab.Lab, priority int, global string) string {
	var b strings.Builder
	fmt.Fprintf(&b, "global_defs {\n  router_id lvs\n  vrrp_version 3\n%s}\nvrrp_sync_group G {\n  group {\n    VI_1\n    VI_2\n  }\n}\n", global)
	instance := func(n int, vips ...string) {
		fmt.Fprintf(&b, "vrrp_instance VI_%d {\n  interface %s\n  virtual_router_id %d\n  priority %d\n  advert_int 2\n  virtual_ipaddress {\n    %s\n  }\n}\n",
			n, lab.NIC, 50+n, priority, strings.Join(vips, "\n    "))
	}
	instance(1, c.vips[0].String()+"/24", c.vips[1].String()+"/24", c.vips[2].String()+"/24")
	instance(2, "10.9.0.254/16")
	for i, method := range methods {
		fmt.Fprintf(&b, "virtual_server %s 80 {\n  delay_loop 2\n  lvs_sched rr\n  lvs_method %s\n  protocol TCP\n  real_server %s 80 {\n    TCP_CHECK {\n      connect_timeout 20\n    }\n  }\n}\n",
			c.vips[i], method, l.Host(strings.ToLower(method)).IPv4())
	}
	return b.String()
}

// lead starts both nodes and waits until the first is master and both balance.
func (c *carried) lead() {
	c.t.Helper()
	start(c.t, c.lb1)
	c.holds(c.lb1)
	start(c.t, c.lb2)
	for _, a := range []*lab.Agent{c.lb1, c.lb2} {
		eventually(c.t, patience, "the table of "+a.Host.Name, func() error {
			lines, err := table(a.Host)
			if err == nil && len(lines) != 2*len(methods) {
				err = fmt.Errorf("%q", lines)
			}
			return err
		})
	}
}

// holds waits until the node has the addresses and its peer has none.
func (c *carried) holds(a *lab.Agent) {
	c.t.Helper()
	ctx := within(c.t, patience)
	must(c.t, a.Host.Addresses.Wait(ctx, true, c.vips...))
	other := c.lb1
	if a == c.lb1 {
		other = c.lb2
	}
	must(c.t, other.Host.Addresses.Wait(ctx, false, c.vips...))
}

// switchover has the first node hand over, once more where the other was too busy
// to take over in time.
func (c *carried) switchover() {
	c.t.Helper()
	eventually(c.t, patience, "a switchover", func() error {
		_, err := c.lb1.Ask("switchover")
		if err != nil && !c.lb1.Host.Addresses.Has(c.vips[0]) {
			return nil
		}
		return err
	})
}

// open begins a download by each method and waits until it runs.
func (c *carried) open() []*lab.Download {
	c.t.Helper()
	var all []*lab.Download
	for i, method := range methods {
		d, err := c.client.Download(within(c.t, patience), netip.AddrPortFrom(c.vips[i], 80))
		if err != nil {
			c.t.Fatalf("%s: %v", method, err)
		}
		all = append(all, d)
	}
	c.goOn("their beginning", all, 1)
	return all
}

// enough is more than can be on its way, or wait in a socket that is read.
const enough = 1 << 20

// goOn waits until each download has had n bytes more.
func (c *carried) goOn(after string, all []*lab.Download, n int) {
	c.t.Helper()
	for i, d := range all {
		if err := d.More(within(c.t, patience), n); err != nil {
			c.t.Errorf("%s, after %s: %v", methods[i], after, err)
		}
	}
}

// talk opens a connection by each method and says something on it.
func (c *carried) talk() []*lab.Line {
	c.t.Helper()
	var all []*lab.Line
	for i, method := range methods {
		l, err := c.client.OpenLine(within(c.t, patience), netip.AddrPortFrom(c.vips[i], 80))
		if err == nil {
			err = l.Say(1, patience)
		}
		if err != nil {
			c.t.Fatalf("%s: %v", method, err)
		}
		all = append(all, l)
	}
	return all
}

// answer says something more on connections that were opened just before something.
func (c *carried) answer(after string, all []*lab.Line, number int) {
	c.t.Helper()
	for i, l := range all {
		if err := l.Say(number, patience); err != nil {
			c.t.Errorf("%s, opened just before %s: %v", methods[i], after, err)
		}
	}
}

// reload changes each service of the first node and waits until its kernel has that.
func (c *carried) reload() {
	c.t.Helper()
	conf, err := os.ReadFile(c.lb1.Conf())
	must(c.t, err)
	must(c.t, c.lb1.Write(strings.ReplaceAll(string(conf), "TCP_CHECK {", "weight 7\n    TCP_CHECK {")))
	ask(c.t, c.lb1, "reload")
	eventually(c.t, patience, "the reload in the kernel", func() error {
		lines, err := table(c.lb1.Host)
		if err == nil && strings.Count(strings.Join(lines, "\n"), " -w 7") != len(methods) {
			err = fmt.Errorf("%q", lines)
		}
		return err
	})
}

// knows waits until a node's kernel knows a connection.
func (c *carried) knows(a *lab.Agent, from netip.AddrPort) {
	c.t.Helper()
	eventually(c.t, patience, fmt.Sprintf("%s knows the connection from %s", a.Host.Name, from), func() error {
		all, err := a.Host.Run("ipvsadm", "-Lcn")
		if err == nil && !strings.Contains(all, from.String()+" ") {
			err = fmt.Errorf("it knows\n%s", all)
		}
		return err
	})
}

// TestIPVSDownload downloads through NAT, DR and TUN while the services are changed
// by a reload, the process is killed and started anew, and, with the sync daemon, the
// peer takes over. What was opened half a second before is known to it as well,
// also where the old master ends, whether it is silent or carries data.
func TestIPVSDownload(t *testing.T) {
	t.Parallel()
	c := newCarried(t, fmt.Sprintf("  lvs_sync_daemon %s inst VI_1 id 7\n", lab.NIC))
	c.lead()
	old := c.open()

	young := c.talk()
	c.reload()
	c.goOn("a reload", old, enough)
	c.answer("a reload", young, 2)

	young = c.talk()
	c.lb1.Kill()
	start(t, c.lb1)
	eventually(t, patience, "tandem runs again", func() error { _, err := tryStatus(c.lb1); return err })
	c.goOn("SIGKILL and the next start", old, enough)
	c.answer("SIGKILL and the next start", young, 2)
	c.holds(c.lb1)
	for _, d := range old {
		c.knows(c.lb2, d.From)
	}

	for _, move := range []struct {
		name         string
		ready, order func()
	}{
		{"a switchover", func() {}, c.switchover},
		// A node that stands back after its switchover takes over at the last moment:
		// it is not to be the one that does, on a busy machine.
		{"SIGTERM", func() { ask(t, c.lb1, "resume") }, func() { must(t, c.lb1.Signal(syscall.SIGTERM)) }},
	} {
		move.ready()
		c.holds(c.lb1)
		busy, began := c.open(), time.Now()
		young := c.talk()
		t.Logf("%s: the last connections are up to %v old", move.name, time.Since(began).Round(time.Millisecond))
		move.order()
		c.holds(c.lb2)
		c.goOn(move.name, old, enough)
		c.goOn(move.name+", opened just before it", busy, enough)
		for _, l := range young {
			c.knows(c.lb2, l.From)
		}
		c.answer(move.name, young, 2)
	}
}

// TestIPVSDownloadAlone is the same without the sync daemon: the kernel of the node
// that takes over knows no connection, so that those which were open end, at once,
// while new ones go through.
func TestIPVSDownloadAlone(t *testing.T) {
	t.Parallel()
	c := newCarried(t, "")
	c.lead()
	old := c.open()
	c.switchover()
	c.holds(c.lb2)
	for i, d := range old {
		// What is on its way may still come.
		err := d.More(within(t, patience), 64*enough)
		if !errors.Is(err, syscall.ECONNRESET) {
			t.Errorf("%s, after a switchover: %v, want a connection that is reset", methods[i], err)
		}
	}
	c.open()
}
