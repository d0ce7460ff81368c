package config

import (
	"encoding/json"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestDifferences(t *testing.T) {
	const before = `
vrrp_instance VI_1 {
  interface eth0
  virtual_router_id 51
  priority 100
  virtual_ipaddress {
    192.0.2.10
    192.0.2.11
  }
}
vrrp_instance VI_2 {
  interface eth1
  virtual_router_id 52
  virtual_ipaddress {
    192.0.2.20
  }
}
virtual_server 192.0.2.10 80 {
  lb_algo rr
  lb_kind NAT
  protocol TCP
  real_server 10.0.0.1 80 {
    weight 1
  }
  real_server 10.0.0.2 80 {
    weight 1
  }
}
`
	const after = `
vrrp_instance VI_1 {
  interface eth0
  virtual_router_id 51
  priority 150
  virtual_ipaddress {
    192.0.2.11
    192.0.2.10
    192.0.2.12
  }
}
virtual_server 192.0.2.10 80 {
  lb_algo rr
  lb_kind NAT
  protocol TCP
  real_server 10.0.0.2 80 {
    weight 3
  }
}
`
	read := func(text string) *Config {
		c, _ := Parse("test.conf", []byte(text), Options{})
		return c
	}
	var got []string
	for _, d := range Differences(read(before), read(after)) {
		got = append(got, d.String())
	}
	want := []string{
		"instances[VI_1].addresses[192.0.2.12/32] added",
		"instances[VI_1].addresses (order): 192.0.2.11/32 192.0.2.10/32, was 192.0.2.10/32 192.0.2.11/32",
		"instances[VI_1].priority: 150, was 100",
		"instances[VI_2] removed",
		"virtual_servers[[192.0.2.10]:tcp:80].real_servers[10.0.0.1:80] removed",
		"virtual_servers[[192.0.2.10]:tcp:80].real_servers[10.0.0.2:80].weight: 3, was 1",
	}
	if d := cmp.Diff(want, got); d != "" {
		t.Errorf("differences (-want +got):\n%s", d)
	}
	if got := Differences(read(before), read("\n\n"+before)); len(got) != 0 {
		t.Errorf("the same a line further down differs: %v", got)
	}
	b, err := json.Marshal(read(before))
	if err != nil {
		t.Fatal(err)
	}
	if got := Differences(json.RawMessage(b), read(before)); len(got) != 0 {
		t.Errorf("a configuration differs from its own JSON: %v", got)
	}
}
