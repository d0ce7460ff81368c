package main

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"os"
	"strings"
	"time"

	"github.com/tandem-ha/tandem/integration/lab"
)

const (
	// advert is the advert interval of the demo. A second is long, and is what an
	// emulated machine keeps up with.
	advert = time.Second
	// patience bounds each wait beyond the protocol's own timers.
	patience = 30 * time.Second
	// echoPort is where the nodes answer the client's datagrams.
	echoPort = 9000
)

var vip = netip.MustParseAddr("192.0.2.100")

// demo is the stage: hosts and what runs on them.
type demo struct {
	screen   *screen
	peer     string
	tandem   string
	lab      *lab.Lab
	lb1, lb2 *lab.Agent
	client   *lab.Host
	rs2      *lab.Web
	measured []string
}

// conf is a node's keepalived.conf. Nothing in it is tandem's own.
func conf(name string, priority int, servers ...netip.Addr) string {
	var b strings.Builder
	fmt.Fprintf(&b, `global_defs {
  router_id %s
  vrrp_version 3
}
vrrp_instance VI_1 {
  state BACKUP
  interface %s
  virtual_router_id 51
  priority %d
  advert_int %g
  virtual_ipaddress {
    %s/24
  }
}
virtual_server %s 80 {
  delay_loop 1
  lvs_sched rr
  lvs_method DR
  protocol TCP
`, name, lab.NIC, priority, advert.Seconds(), vip, vip)
	for _, s := range servers {
		fmt.Fprintf(&b, `  real_server %s 80 {
    HTTP_GET {
      url {
        path /
        status_code 200
      }
      connect_timeout 3
      retry 1
      delay_before_retry 1
    }
  }
`, s)
	}
	b.WriteString("}\n")
	return b.String()
}

// build makes the network and prepares both nodes.
func (d *demo) build(labs *lab.Registry) error {
	d.screen.say(`            client 192.0.2.3
               |
      ---------+----------------------- 192.0.2.0/24, virtual address 192.0.2.100
      |            |         |        |
     lb1          lb2       rs1      rs2
  priority 150    100     web server  web server`)
	d.screen.say(fmt.Sprintf("\nlb1 runs tandem, lb2 runs %s, from one keepalived.conf but for the priority:", d.peer))
	l, err := labs.New("demo", "lb1", "lb2", "client", "rs1", "rs2")
	if err != nil {
		return err
	}
	d.lab, d.client = l, l.Host("client")
	rs1, rs2 := l.Host("rs1"), l.Host("rs2")
	for _, h := range []*lab.Host{rs1, rs2} {
		// Direct routing: each web server has the virtual address itself, keeps
		// silent about it, and answers the client without the balancer.
		if err := errors.Join(
			h.Sysctl("net/ipv4/conf/all/arp_ignore", "1", "net/ipv4/conf/all/arp_announce", "2"),
			h.IP(fmt.Sprintf("addr add %s/32 dev lo", vip))); err != nil {
			return err
		}
		web, err := h.Serve(h.Name, netip.AddrPortFrom(netip.IPv4Unspecified(), 80))
		if err != nil {
			return err
		}
		d.rs2 = web // the last one
	}
	for _, h := range []*lab.Host{l.Host("lb1"), l.Host("lb2")} {
		if err := h.ServeUDP(echoPort); err != nil {
			return err
		}
	}
	text := conf("lb1", 150, rs1.IPv4(), rs2.IPv4())
	d.screen.typed("lb1", "cat /etc/keepalived/keepalived.conf", text)
	if d.lb1, err = l.Host("lb1").NewAgent(d.tandem, text); err != nil {
		return err
	}
	program := d.tandem
	if d.peer == "keepalived" {
		program = "/usr/sbin/keepalived"
	}
	d.lb2, err = l.Host("lb2").NewAgent(program, conf("lb2", 100, rs1.IPv4(), rs2.IPv4()))
	return err
}

func within(limit time.Duration) (context.Context, context.CancelFunc) {
	return context.WithTimeout(context.Background(), limit)
}

// master waits until the node has the virtual address and the other has not.
func (d *demo) master(a *lab.Agent) (time.Duration, error) {
	began := time.Now()
	ctx, cancel := within(4*advert + patience)
	defer cancel()
	if err := a.Host.Addresses.Wait(ctx, true, vip); err != nil {
		return 0, fmt.Errorf("%s is not master: %w", a.Host.Name, err)
	}
	took := time.Since(began)
	other := d.lb1
	if a == d.lb1 {
		other = d.lb2
	}
	if err := other.Host.Addresses.Wait(ctx, false, vip); err != nil {
		return 0, fmt.Errorf("%s is master, but %s is too: %w", a.Host.Name, other.Host.Name, err)
	}
	return took, nil
}

// note keeps a measured figure for the summary.
func (d *demo) note(format string, args ...any) {
	text := fmt.Sprintf(format, args...)
	d.measured = append(d.measured, text)
	d.screen.good(text)
}

// show shows the state of a node as a person would look at it.
func (d *demo) show(a *lab.Agent) error {
	if a.Program != d.tandem {
		out, err := a.Host.Run("ip", "-brief", "address", "show", "dev", lab.NIC)
		d.screen.typed(a.Host.Name, "ip -brief address show dev "+lab.NIC, out)
		return err
	}
	out, err := a.Ask("status")
	d.screen.typed(a.Host.Name, "tandem status", out)
	return err
}

// table shows a node's IPVS table and returns it.
func (d *demo) table(a *lab.Agent) (string, error) {
	out, err := a.Host.Run("ipvsadm", "-Ln")
	d.screen.typed(a.Host.Name, "ipvsadm -Ln", out)
	return out, err
}

// inTable waits until a real server is in a node's table, or no longer.
func (d *demo) inTable(a *lab.Agent, server *lab.Host, present bool) (time.Duration, error) {
	began := time.Now()
	ctx, cancel := within(patience)
	defer cancel()
	for {
		out, err := a.Host.Run("ipvsadm", "-Sn")
		if err != nil {
			return 0, err
		}
		if strings.Contains(out, "-r "+server.IPv4().String()+":80") == present {
			return time.Since(began), nil
		}
		if err := lab.Poll(ctx, 20*time.Millisecond); err != nil {
			return 0, fmt.Errorf("%s in the table of %s: still %v after %v", server.Name, a.Host.Name, !present, patience)
		}
	}
}

// requests sends n requests to the virtual address and counts who answers.
func (d *demo) requests(n int) (map[string]int, error) {
	got := map[string]int{}
	for range n {
		ctx, cancel := within(10 * time.Second)
		body, err := d.client.Get(ctx, netip.AddrPortFrom(vip, 80))
		cancel()
		if err != nil {
			return got, fmt.Errorf("request to %s: %w", vip, err)
		}
		got[body]++
	}
	d.screen.typed("client", fmt.Sprintf("for i in $(seq %d); do curl http://%s/; done", n, vip), fmt.Sprintf("rs1 answered %d, rs2 answered %d", got["rs1"], got["rs2"]))
	return got, nil
}

// logs shows what helps to find out why a step failed: the end of each node's
// log, connections and neighbours.
func (d *demo) logs() {
	for _, look := range []struct {
		host    *lab.Host
		command []string
	}{
		{d.lb1.Host, []string{"ipvsadm", "-Lcn"}},
		{d.lb2.Host, []string{"ipvsadm", "-Lcn"}},
		{d.client, []string{"ip", "neighbour"}},
		{d.client, []string{"ss", "-tan"}},
	} {
		out, err := look.host.Run(look.command...)
		if err != nil {
			out = err.Error()
		}
		d.screen.typed(look.host.Name, strings.Join(look.command, " "), out)
	}
	for _, a := range []*lab.Agent{d.lb1, d.lb2} {
		if _, err := os.Stat(a.LogFile()); err != nil {
			continue
		}
		all := strings.Split(strings.TrimSpace(a.Log()), "\n")
		d.screen.typed(a.Host.Name, "tail -n 30 "+a.LogFile(), strings.Join(all[max(0, len(all)-30):], "\n"))
	}
}
