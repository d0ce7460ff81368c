package keeper

import (
	"errors"
	"net/netip"
	"slices"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/tandem-ha/tandem/internal/desired"
	"github.com/tandem-ha/tandem/internal/host"
	"github.com/tandem-ha/tandem/internal/host/hosttest"
)

// served is a report of the keeper.
type served struct {
	instance string
	serial   uint64
	err      error
}

// client is a keeper's client made of functions.
type client struct {
	served func(owner string, serial uint64, err error)
	lost   func(owner string, a host.Address)
	told   func(n Notice)
}

func (c client) Served(owner string, serial uint64, err error) { c.served(owner, serial, err) }
func (c client) AddressLost(owner string, a host.Address)      { c.lost(owner, a) }
func (c client) Told(n Notice)                                 { c.told(n) }

// keeperOf is a keeper of a host with eth0, and what it reported; its queue is
// served by serveAll.
func keeperOf(t *testing.T) (*Keeper, *hosttest.Addresses, *[]served) {
	t.Helper()
	record, err := host.OpenRecord(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = record.Close() })
	table := hosttest.NewAddresses("eth0")
	var reports []served
	ledger := host.NewLedger(record, host.Contents{}, func(err error) { t.Errorf("ledger: %v", err) })
	k := New(Tables{Addresses: table, Routes: hosttest.NewRoutes(), Rules: hosttest.NewRules()}, ledger, client{
		served: func(instance string, serial uint64, err error) {
			reports = append(reports, served{instance, serial, err})
		},
		lost: func(instance string, _ host.Address) { reports = append(reports, served{instance: "lost " + instance}) },
		told: func(n Notice) { t.Errorf("told %+v", n) },
	})
	return k, table, &reports
}

func onEth0(list ...string) *desired.Holding {
	var h desired.Holding
	for _, p := range list {
		h.Addresses = append(h.Addresses, desired.Item[host.Address]{Thing: host.Address{Prefix: netip.MustParsePrefix(p), Interface: "eth0"}})
	}
	return &h
}

// first is the beginning of a holding's addresses.
func first(h *desired.Holding, n int) desired.Holding {
	return desired.Holding{Addresses: h.Addresses[:n]}
}

func have(table *hosttest.Addresses) []string {
	var out []string
	for _, a := range table.All() {
		out = append(out, a.Prefix.String())
	}
	slices.Sort(out)
	return out
}

func TestOvertakenWishesAreNeverServed(t *testing.T) {
	k, table, reports := keeperOf(t)
	all := onEth0("192.0.2.1/32", "192.0.2.2/32")
	k.Set("a", 1, *all, all)
	k.Set("a", 2, first(all, 1), all)
	k.serveAll()
	if got := have(table); !slices.Equal(got, []string{"192.0.2.1/32"}) {
		t.Errorf("addresses %v", got)
	}
	if len(*reports) != 1 || (*reports)[0].serial != 2 {
		t.Errorf("reports %+v, want one for the last wish", *reports)
	}
	if n := len(table.Batches()); n != 1 {
		t.Errorf("%d batches", n)
	}
}

func TestAnAddressThatAnotherInstanceHasStays(t *testing.T) {
	k, table, _ := keeperOf(t)
	shared := onEth0("192.0.2.1/32")
	k.Set("a", 1, *shared, shared)
	k.Set("b", 1, *shared, shared)
	k.serveAll()
	k.Set("a", 2, desired.Holding{}, shared)
	k.serveAll()
	if got := have(table); len(got) != 1 {
		t.Fatalf("addresses %v after one of two let go", got)
	}
	k.Set("b", 2, desired.Holding{}, shared)
	k.serveAll()
	if got := have(table); len(got) != 0 {
		t.Fatalf("addresses %v after both let go", got)
	}
}

func TestWhatIsThereAlreadyIsAdopted(t *testing.T) {
	k, table, _ := keeperOf(t)
	all := onEth0("192.0.2.1/32", "192.0.2.2/32")
	for _, a := range things(all.Addresses) {
		if err := table.Apply([]host.AddressChange{{Op: host.AddAddress, Address: a}}); err != nil {
			t.Fatal(err)
		}
	}
	before := len(table.Batches())
	k.Set("a", 1, first(all, 1), all)
	k.serveAll()
	if got := have(table); !slices.Equal(got, []string{"192.0.2.1/32"}) {
		t.Errorf("addresses %v", got)
	}
	for _, b := range table.Batches()[before:] {
		for _, c := range b {
			if c.Address.Prefix == all.Addresses[0].Thing.Prefix {
				t.Errorf("the address that stays was touched: %s", c)
			}
		}
	}
}

func TestOnlyTheInstanceWhoseAddressFailsIsToldSo(t *testing.T) {
	k, table, reports := keeperOf(t)
	table.Refuse("192.0.2.2/32", unix.EPERM)
	one, two := onEth0("192.0.2.1/32"), onEth0("192.0.2.2/32")
	k.Set("a", 1, *one, one)
	k.Set("b", 1, *two, two)
	k.serveAll()
	for _, r := range *reports {
		if failed := errors.Is(r.err, unix.EPERM); failed != (r.instance == "b") {
			t.Errorf("%s: %v", r.instance, r.err)
		}
	}
	if len(*reports) != 2 {
		t.Errorf("reports %+v", *reports)
	}
}

// A link that is replaced takes its addresses along, which is no loss: who had them
// is told of its new link first.
func TestNothingIsMissedWhileLinksAreReplaced(t *testing.T) {
	k, table, reports := keeperOf(t)
	before, after := onEth0("192.0.2.1/32"), onEth0("192.0.2.2/32")
	k.Set("a", 1, *before, before)
	k.serveAll()
	*reports = nil
	k.Relink(func() {
		table.Lose(before.Addresses[0].Thing)
		k.Inspect()
		k.serveAll()
		if len(*reports) != 0 {
			t.Errorf("reports %+v while the link is replaced", *reports)
		}
		k.Set("a", 2, *after, after)
	})
	k.serveAll()
	if len(*reports) != 1 || (*reports)[0].serial != 2 {
		t.Errorf("reports %+v, want the answer to the last wish alone", *reports)
	}
	if got := have(table); !slices.Equal(got, []string{"192.0.2.2/32"}) {
		t.Errorf("addresses %v", got)
	}
	*reports = nil
	k.Relink(func() {
		table.Lose(after.Addresses[0].Thing)
		k.Inspect()
		k.serveAll()
	})
	k.serveAll()
	if len(*reports) != 1 || (*reports)[0].instance != "lost a" {
		t.Errorf("reports %+v, want the loss that was found meanwhile", *reports)
	}
}

func TestALossIsReportedOnceAndOnlyIfItIsOne(t *testing.T) {
	k, table, reports := keeperOf(t)
	all := onEth0("192.0.2.1/32", "192.0.2.2/32")
	k.Set("a", 1, *all, all)
	k.serveAll()
	*reports = nil
	k.Inspect()
	k.serveAll()
	if len(*reports) != 0 {
		t.Fatalf("reports %+v of an address that is there", *reports)
	}
	table.Lose(all.Addresses[0].Thing)
	k.Inspect()
	k.Inspect()
	k.serveAll()
	if len(*reports) != 1 || (*reports)[0].instance != "lost a" {
		t.Fatalf("reports %+v, want one loss", *reports)
	}
	k.Set("a", 2, *all, all)
	k.serveAll()
	if got := have(table); len(got) != 2 {
		t.Errorf("addresses %v after the loss was made good", got)
	}
}
