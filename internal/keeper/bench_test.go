package keeper

import (
	"fmt"
	"net/netip"
	"testing"

	"github.com/tandem-ha/tandem/internal/desired"
	"github.com/tandem-ha/tandem/internal/host"
	"github.com/tandem-ha/tandem/internal/host/hosttest"
)

// instantAddresses is a table on which everything succeeds.
type instantAddresses struct{ host.AddressTable }

func (instantAddresses) Apply([]host.AddressChange) error               { return nil }
func (instantAddresses) Present([]host.Address) ([]host.Address, error) { return nil, nil }

// BenchmarkKeeperTakesOver is what the keeper itself costs when an instance with
// 2000 addresses becomes master and ceases to be it.
func BenchmarkKeeperTakesOver(b *testing.B) {
	record, err := host.OpenRecord(b.TempDir())
	if err != nil {
		b.Fatal(err)
	}
	defer record.Close()
	k := New(Tables{Addresses: instantAddresses{}, Routes: hosttest.NewRoutes(), Rules: hosttest.NewRules()}, host.NewLedger(record, host.Contents{}, func(err error) { b.Error(err) }),
		client{served: func(string, uint64, error) {}})
	var all desired.Holding
	for i := range 2000 {
		p := netip.MustParsePrefix(fmt.Sprintf("10.%d.%d.1/32", i/250, i%250))
		all.Addresses = append(all.Addresses, desired.Item[host.Address]{Thing: host.Address{Prefix: p, Interface: "eth0"}})
	}
	for b.Loop() {
		k.Set("a", 1, all, &all)
		k.serveAll()
		k.Set("a", 1, desired.Holding{}, &all)
		k.serveAll()
	}
}
