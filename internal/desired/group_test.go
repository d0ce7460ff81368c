package desired

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"net/netip"

	"github.com/tandem-ha/tandem/config"
	"github.com/tandem-ha/tandem/health"
)

// always is the mastership of a node that has all.
func always(string) bool { return true }

func parse(t *testing.T, text string) *config.Config {
	t.Helper()
	cfg, ds := config.Parse("file", []byte(text), config.Options{})
	if !config.Runnable(ds) {
		t.Fatal(ds)
	}
	return cfg
}

const mixedGroup = `virtual_server_group G {
  192.0.2.1-2 80
  2001:db8::1 81
  fwmark 7 inet
  fwmark 7 inet6
}
virtual_server group G {
  protocol TCP
  lvs_sched rr
  lvs_method TUN
  quorum 2
  sorry_server 10.0.0.9
  real_server 10.0.0.1 8080 {
    TCP_CHECK {
    }
  }
  real_server 2001:db8::9 {
    weight 2
    TCP_CHECK {
      connect_port 22
    }
  }
}
`

// TestGroup asserts that the servers of a group are checked and counted once,
// whatever the number of its addresses, and serve each of them.
func TestGroup(t *testing.T) {
	cfg := parse(t, mixedGroup)
	services, errs := new(ServiceMaker).Services(cfg, Scripts{}, Sources{})
	if len(errs) > 0 || len(services) != 1 {
		t.Fatalf("%d services are checked, want 1: %v %v", len(services), services, errs)
	}
	s := services[0]
	if s.Name != "[G]:0" || s.Quorum != 2 || s.Protocol != "TCP" || s.Sorry == nil || len(s.Servers) != 2 {
		t.Fatalf("%+v", s)
	}
	if got := fmt.Sprint(s.Servers[0].Checks[0].Check, s.Servers[1].Checks[0].Check); got != "TCP_CHECK [10.0.0.1]:tcp:8080 TCP_CHECK [2001:db8::9]:tcp:22" {
		t.Error(got)
	}
	pool := health.Pool{
		{Addr: s.Servers[0].Addr, Port: s.Servers[0].Port, Weight: 1}, {Addr: s.Servers[1].Addr, Port: s.Servers[1].Port, Weight: 5},
		{Addr: ip("10.0.0.9"), Sorry: true},
	}
	table := Table(cfg.VirtualServers, map[string]health.Pool{"[G]:0": pool}, always)
	var got []string
	for _, key := range table.Keys() {
		line := key.String() + ":"
		for _, d := range table[key].Destinations {
			line += fmt.Sprintf(" %v=%d", d.DestinationKey, d.Weight)
		}
		got = append(got, line)
	}
	want := []string{
		"tcp 192.0.2.1:80: 10.0.0.1:80=1 [2001:db8::9]:80=5 10.0.0.9:80=0",
		"tcp 192.0.2.2:80: 10.0.0.1:80=1 [2001:db8::9]:80=5 10.0.0.9:80=0",
		"tcp [2001:db8::1]:81: 10.0.0.1:81=1 [2001:db8::9]:81=5 10.0.0.9:81=0",
		"fwmark 7: 10.0.0.1:0=1 [2001:db8::9]:0=5 10.0.0.9:0=0",
		"fwmark 7 (IPv6): 10.0.0.1:0=1 [2001:db8::9]:0=5 10.0.0.9:0=0",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("-want +got\n%s", diff)
	}
}

// A mark in both families is two services, each checked for itself.
func TestMarkOfBothFamilies(t *testing.T) {
	text := ""
	for _, server := range []string{"10.0.0.1", "2001:db8::9"} {
		text += "virtual_server fwmark 3 {\n lvs_sched rr\n lvs_method DR\n real_server " + server + " {\n }\n}\n"
	}
	services, _ := new(ServiceMaker).Services(parse(t, text), Scripts{}, Sources{})
	if len(services) != 2 || services[0].Name != "FWM 3" || services[1].Name != "FWM 3 inet6" {
		t.Errorf("%+v", services)
	}
}

func markedNames(services []*config.VirtualServer) string {
	var names []string
	for _, vs := range services {
		names = append(names, ServiceKey(vs).String())
	}
	return strings.Join(names, ", ")
}

// TestMarked has the packet filter mark what the addresses of groups are, in the
// form that keepalived 2.2.7 gives to its maps, and gives marks once.
func TestMarked(t *testing.T) {
	group := func(name, lines string) string {
		return "virtual_server_group " + name + " {\n" + lines + "\n}\nvirtual_server group " + name +
			" {\n protocol TCP\n lvs_sched rr\n lvs_method NAT\n real_server 10.0.0.1 8080 {\n }\n}\n"
	}
	one := "virtual_server 192.0.2.9 80 {\n protocol TCP\n lvs_sched rr\n lvs_method NAT\n real_server 10.0.0.1 8080 {\n }\n}\n"
	head := "global_defs {\n nftables_ipvs\n}\n"
	a, b := group("A", "192.0.2.1-3 80\n192.0.2.16/30 81"), group("B", "192.0.2.20 80")
	cfg := parse(t, head+a+b+one)
	services, marks, groups := Marked(cfg, nil)
	if got := markedNames(services); got != "fwmark 1000, fwmark 1001, tcp 192.0.2.9:80" {
		t.Error(got)
	}
	if got := services[0].RealServers[0]; got.Port != 8080 {
		t.Errorf("server %+v", got)
	}
	want := []Mark{
		{"TCP", ip("192.0.2.1"), ip("192.0.2.3"), 80, 1000},
		{"TCP", ip("192.0.2.16"), ip("192.0.2.19"), 81, 1000},
		{"TCP", ip("192.0.2.20"), ip("192.0.2.20"), 80, 1001},
	}
	if diff := cmp.Diff(want, marks, cmpopts.EquateComparable(netip.Addr{})); diff != "" {
		t.Errorf("-want +got\n%s", diff)
	}
	// Without its neighbour, B keeps its mark; a new group gets one that is free.
	services, _, groups = Marked(parse(t, head+b+group("C", "fwmark 3\n192.0.2.40 80")+group("D", "192.0.2.41 80")), groups)
	if got := markedNames(services); got != "fwmark 1001, fwmark 3, tcp 192.0.2.40:80, fwmark 1000" {
		t.Error(got)
	}
	if len(groups) != 2 || groups["[B]:0"] != 1001 {
		t.Error(groups)
	}
	cfg = parse(t, a)
	if services, marks, _ := Marked(cfg, groups); !slices.Equal(services, cfg.VirtualServers) || marks != nil {
		t.Error(services, marks)
	}
}
