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
