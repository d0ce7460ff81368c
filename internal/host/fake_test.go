package host_test

import (
	"errors"
	"net/netip"
	"syscall"
	"testing"

	"github.com/tandem-ha/tandem/internal/host"
	"github.com/tandem-ha/tandem/internal/host/hosttest"
)

func TestFakeAddressTable(t *testing.T) {
	fake := hosttest.NewAddresses("v0")
	fake.Foreign(host.Address{Prefix: netip.MustParsePrefix("192.0.2.1/24"), Interface: "v0"})
	host.TestAddressTable(t, fake, func(prefix string) {
		if !fake.Lose(host.Address{Prefix: netip.MustParsePrefix(prefix), Interface: "v0"}) {
			t.Errorf("%s was not there to be lost", prefix)
		}
	})
	fake.Refuse("192.0.2.50/32", syscall.ENOSPC)
	vip := host.Address{Prefix: netip.MustParsePrefix("192.0.2.50/32"), Interface: "v0"}
	if err := fake.Apply([]host.AddressChange{{Op: host.AddAddress, Address: vip}}); !errors.Is(err, syscall.ENOSPC) {
		t.Errorf("a refused address: %v", err)
	}
	fake.RemoveInterface("v0")
	if all := fake.All(); len(all) != 0 {
		t.Errorf("addresses of a removed interface: %v", all)
	}
}

func TestFakeRouteTable(t *testing.T) {
	fake := hosttest.NewRoutes()
	fake.Foreign(host.Route{Destination: netip.MustParsePrefix("10.9.0.0/24"), Protocol: 3})
	host.TestRouteTable(t, fake, func(r host.Route) {
		if !fake.Lose(r) {
			t.Errorf("%s was not there to be lost", r)
		}
	})
	fake.Refuse(func(c host.RouteChange) error {
		if c.Op == host.Add {
			return syscall.ENETUNREACH
		}
		return nil
	})
	route := host.Route{Destination: netip.MustParsePrefix("10.8.0.0/24")}
	var refused *host.RouteError
	if err := fake.Apply([]host.RouteChange{{Op: host.Add, Route: route}}); !errors.As(err, &refused) || !errors.Is(err, syscall.ENETUNREACH) {
		t.Errorf("a refused route: %v", err)
	}
	if n := len(fake.All()); n != 1 {
		t.Errorf("%d routes, want the foreign one", n)
	}
}

func TestFakeRuleTable(t *testing.T) {
	fake := hosttest.NewRules()
	fake.Foreign(host.Rule{Priority: 900, Table: 9, Protocol: 3})
	host.TestRuleTable(t, fake, func(r host.Rule) {
		if !fake.Lose(r) {
			t.Errorf("%s was not there to be lost", r)
		}
	})
	if n := len(fake.All()); n != 1 {
		t.Errorf("%d rules, want the foreign one", n)
	}
}

func TestFakeLinkTable(t *testing.T) {
	fake := hosttest.NewLinks(host.VirtualLink{Name: "v0", Kind: "veth"}, host.VirtualLink{Name: "w0", Kind: "veth"})
	host.TestVirtualLinks(t, fake, func(name string) {
		if !fake.Lose(host.VirtualLink{Name: name}) {
			t.Errorf("%s was not there to be lost", name)
		}
	})
}

func TestFakeFirewall(t *testing.T) {
	fake := hosttest.NewFirewall()
	rules := host.FirewallRules{Quiet: []string{"vrrp.51"}}
	if err := fake.Apply(rules); err != nil || len(fake.Rules().Quiet) != 1 {
		t.Errorf("%v, %v", fake.Rules(), err)
	}
	fake.Refuse(host.ErrNoFirewall)
	if err := fake.Remove(); !errors.Is(err, host.ErrNoFirewall) || len(fake.Rules().Quiet) != 1 {
		t.Errorf("refused: %v, %v", fake.Rules(), err)
	}
	fake.Refuse(nil)
	if err := fake.Remove(); err != nil || len(fake.Rules().Quiet) != 0 {
		t.Errorf("removed: %v, %v", fake.Rules(), err)
	}
}

func TestFakeSysctls(t *testing.T) {
	fake := hosttest.NewSysctls(map[string]string{"a": "0"})
	if err := fake.Write([]host.Sysctl{{Name: "a", Value: "1"}, {Name: "b", Value: "1"}}); err != nil {
		t.Fatal(err)
	}
	got, err := fake.Read([]string{"a", "b"})
	if err != nil || len(got) != 1 || got["a"] != "1" || len(fake.All()) != 1 {
		t.Errorf("%v, %v", got, err)
	}
}
