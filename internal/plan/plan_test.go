package plan

import (
	"net/netip"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/tandem-ha/tandem/config"
	"github.com/tandem-ha/tandem/health"
	"github.com/tandem-ha/tandem/ipvs"
)

const before = `
vrrp_instance VI_1 {
  interface eth0
  virtual_router_id 51
  priority 100
  authentication {
    auth_type PASS
    auth_pass secret12
  }
  virtual_ipaddress {
    192.0.2.10/32
    192.0.2.11/32
  }
  virtual_routes {
    198.51.100.0/24 via 192.0.2.1 dev eth0
  }
}
vrrp_instance VI_2 {
  interface eth0
  virtual_router_id 52
  virtual_ipaddress {
    192.0.2.20/32
  }
}
virtual_server 192.0.2.10 80 {
  lb_algo rr
  lb_kind NAT
  protocol TCP
  real_server 10.0.0.1 80 {
    weight 1
    TCP_CHECK {
    }
  }
  real_server 10.0.0.2 80 {
    weight 1
    TCP_CHECK {
    }
  }
}
`

func read(t *testing.T, text string) *config.Config {
	t.Helper()
	c, diagnostics := config.Parse("test.conf", []byte(text), config.Options{})
	if !config.Runnable(diagnostics) {
		t.Fatal(diagnostics)
	}
	return c
}

// node is master of VI_1 alone; one server of two is up, with seven connections.
func node() State {
	up := netip.MustParseAddr("10.0.0.1")
	return State{
		Master: func(name string) bool { return name == "VI_1" },
		Pools:  map[string]health.Pool{"[192.0.2.10]:tcp:80": {{Addr: up, Port: 80, Weight: 1}}},
		VRF:    func(string) (uint32, bool) { return 0, false },
		Connections: func(_ ipvs.ServiceKey, server netip.AddrPort) uint32 {
			if server.Addr() == up {
				return 7
			}
			return 0
		},
	}
}

func texts(steps []Step) []string {
	var out []string
	for _, s := range steps {
		out = append(out, string(s.Action)+": "+s.Text)
	}
	return out
}

// TestMake tells what a reload would do, and to which traffic.
func TestMake(t *testing.T) {
	for _, c := range []struct {
		name                         string
		edit                         []string
		changes, host, ipvs, traffic []string
	}{
		{name: "nothing", edit: []string{"vrrp_instance VI_2", "# another day\nvrrp_instance VI_2"}},
		{
			name: "an address of the master goes, another comes", edit: []string{"192.0.2.11/32", "192.0.2.12/32"},
			changes: []string{"change instance VI_1"},
			host:    []string{"remove: remove 192.0.2.11/32 on eth0", "add: add 192.0.2.12/32 on eth0"},
			traffic: []string{"192.0.2.11 goes from this node, the master of VI_1: its clients are answered no more"},
		},
		{
			name: "an address of a backup goes", edit: []string{"192.0.2.20/32", "192.0.2.21/32"},
			changes: []string{"change instance VI_2"},
		},
		{
			name: "a route", edit: []string{"via 192.0.2.1 ", "via 192.0.2.2 "},
			changes: []string{"change instance VI_1"},
			host:    []string{"remove: remove route 198.51.100.0/24 via 192.0.2.1 on eth0", "add: add route 198.51.100.0/24 via 192.0.2.2 on eth0"},
		},
		{
			name: "another name is no other instance", edit: []string{"vrrp_instance VI_1", "vrrp_instance outside"},
			changes: []string{"change instance outside"},
		},
		{
			name: "another VRID is", edit: []string{"virtual_router_id 51", "virtual_router_id 61"},
			changes: []string{"remove instance VI_1 (as it was)", "add instance VI_1"},
			host:    []string{"remove: remove 192.0.2.10/32 on eth0", "remove: remove 192.0.2.11/32 on eth0", "remove: remove route 198.51.100.0/24 via 192.0.2.1 on eth0"},
			traffic: []string{"this node is master of VI_1, which is removed: its addresses go, and a peer that has them takes over"},
		},
		{
			name: "the priority", edit: []string{"priority 100", "priority 90"},
			changes: []string{"change instance VI_1"},
			traffic: []string{"the priority of VI_1 goes from 100 to 90: who is master may change with it, without loss where the node that yields is a tandem"},
		},
		{
			name: "a server that serves goes", edit: []string{"real_server 10.0.0.1 80", "real_server 10.0.0.3 80"},
			changes: []string{"change virtual server [192.0.2.10]:tcp:80"},
			ipvs:    []string{"add: add destination 10.0.0.3:80 nat weight 1 to tcp 192.0.2.10:80", "remove: remove destination 10.0.0.1:80 from tcp 192.0.2.10:80"},
			traffic: []string{"remove destination 10.0.0.1:80 from tcp 192.0.2.10:80: cuts off 7 established connections"},
		},
		{
			name: "the weight of a server that is down", edit: []string{"real_server 10.0.0.2 80 {\n    weight 1", "real_server 10.0.0.2 80 {\n    weight 9"},
			changes: []string{"change virtual server [192.0.2.10]:tcp:80"},
		},
		{
			name: "the scheduler", edit: []string{"lb_algo rr", "lb_algo wlc"},
			changes: []string{"change virtual server [192.0.2.10]:tcp:80"},
			ipvs:    []string{"change: set scheduler of tcp 192.0.2.10:80 from rr to wlc"},
		},
	} {
		t.Run(c.name, func(t *testing.T) {
			if !strings.Contains(before, c.edit[0]) {
				t.Fatalf("there is no %q", c.edit[0])
			}
			p := Make(read(t, before), read(t, strings.Replace(before, c.edit[0], c.edit[1], 1)), node())
			var changes []string
			for _, ch := range p.Changes {
				changes = append(changes, string(ch.Action)+" "+ch.Subject)
				if ch.Action == Modify && len(ch.Details) == 0 {
					t.Errorf("%s changes, and nothing of it", ch.Subject)
				}
			}
			for _, part := range []struct {
				what      string
				want, got []string
			}{{"changes", c.changes, changes}, {"host", c.host, texts(p.Host)}, {"ipvs", c.ipvs, texts(p.IPVS)}, {"traffic", c.traffic, p.Traffic}} {
				if d := cmp.Diff(part.want, part.got); d != "" {
					t.Errorf("%s (-want +got):\n%s", part.what, d)
				}
			}
			if p.Empty() != (c.changes == nil) {
				t.Errorf("empty is %t", p.Empty())
			}
		})
	}
}

// TestIdentity is of what a plan says: another file, or another state that makes
// the same file do something else, is another plan.
func TestIdentity(t *testing.T) {
	next := strings.Replace(before, "192.0.2.11/32", "192.0.2.12/32", 1)
	plan := Make(read(t, before), read(t, next), node())
	if again := Make(read(t, before), read(t, "\n"+next), node()); again.ID != plan.ID {
		t.Error("the same plan has another ID")
	}
	if other := Make(read(t, before), read(t, strings.Replace(next, "192.0.2.12/32", "192.0.2.13/32", 1)), node()); other.ID == plan.ID {
		t.Error("another file has the same ID")
	}
	backup := node()
	backup.Master = func(string) bool { return false }
	if other := Make(read(t, before), read(t, next), backup); other.ID == plan.ID {
		t.Error("a node that is master no longer does something else, by the same ID")
	}
	busy := node()
	busy.Connections = func(ipvs.ServiceKey, netip.AddrPort) uint32 { return 8 }
	if other := Make(read(t, before), read(t, next), busy); other.ID != plan.ID {
		t.Error("one connection more makes another plan")
	}
}

// TestSecretsStay out of what is shown.
func TestSecretsStay(t *testing.T) {
	p := Make(read(t, before), read(t, strings.Replace(before, "secret12", "another1", 1)), node())
	if len(p.Changes) != 1 || len(p.Changes[0].Details) != 1 {
		t.Fatalf("%+v", p.Changes)
	}
	if d := p.Changes[0].Details[0]; strings.Contains(d, "secret12") || strings.Contains(d, "another1") {
		t.Errorf("the plan shows %q", d)
	}
}
