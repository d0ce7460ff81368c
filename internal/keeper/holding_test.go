package keeper

import (
	"errors"
	"fmt"
	"net/netip"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/tandem-ha/tandem/internal/desired"
	"github.com/tandem-ha/tandem/internal/host"
	"github.com/tandem-ha/tandem/internal/host/hosttest"
)

// bench is a keeper whose tables write down in one list what is done to them.
type bench struct {
	*Keeper
	addresses *hosttest.Addresses
	routes    *hosttest.Routes
	rules     *hosttest.Rules
	firewall  *hosttest.Firewall
	record    *host.Record
	done      []string
	told      []string
	lost      []string
	served    error
	clock     time.Time
}

// The tables of a bench.
type (
	notedAddresses struct {
		host.AddressTable
		b *bench
	}
	notedFirewall struct {
		host.FirewallTable
		b *bench
	}
)

func (n notedAddresses) Apply(changes []host.AddressChange) error {
	for _, c := range changes {
		n.b.done = append(n.b.done, c.String())
	}
	return n.AddressTable.Apply(changes)
}

func (n notedFirewall) Apply(rules host.FirewallRules) error {
	n.b.done = append(n.b.done, fmt.Sprintf("deny %d", len(rules.Deny)))
	return n.FirewallTable.Apply(rules)
}

func newBench(t *testing.T) *bench {
	t.Helper()
	record, err := host.OpenRecord(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = record.Close() })
	b := &bench{
		addresses: hosttest.NewAddresses("eth0"), routes: hosttest.NewRoutes(), rules: hosttest.NewRules(),
		firewall: hosttest.NewFirewall(), record: record, clock: time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC),
	}
	b.routes.Refuse(func(c host.RouteChange) error { b.done = append(b.done, c.String()); return nil })
	b.rules.Refuse(func(c host.RuleChange) error { b.done = append(b.done, c.String()); return nil })
	b.start(t)
	return b
}

// start gives the bench a new keeper, as a new process would have one.
func (b *bench) start(t *testing.T) {
	b.Keeper = New(Tables{
		notedAddresses{b.addresses, b}, b.routes, b.rules,
		func(func()) (host.FirewallTable, error) { return notedFirewall{b.firewall, b}, nil },
	}, host.NewLedger(b.record, host.Contents{}, func(err error) { t.Errorf("ledger: %v", err) }), client{
		served: func(_ string, _ uint64, err error) { b.served = err },
		lost:   func(owner string, a host.Address) { b.lost = append(b.lost, owner+" "+a.String()) },
		told:   func(n Notice) { b.told = append(b.told, n.Text) },
	})
	b.now = func() time.Time { return b.clock }
	left, err := b.record.Load()
	if err != nil {
		t.Fatal(err)
	}
	b.Inherit(left)
	b.done, b.told = nil, nil
}

// settle has the keeper serve what is queued, and returns what it did.
func (b *bench) settle() []string {
	b.done = nil
	b.serveAll()
	return b.done
}

func (b *bench) mended() []string {
	b.Inspect()
	return b.settle()
}

var (
	theAddress = host.Address{Prefix: netip.MustParsePrefix("192.0.2.1/32"), Interface: "eth0"}
	theRoute   = host.Route{Destination: netip.MustParsePrefix("10.1.0.0/16"), Via: host.Hop{Gateway: netip.MustParseAddr("192.0.2.9"), Interface: "eth0"}}
	theRule    = host.Rule{Priority: 7, From: netip.MustParsePrefix("10.1.0.0/16"), Table: 100}
)

// whole is a holding with one of everything.
func whole() *desired.Holding {
	return &desired.Holding{
		Addresses: []desired.Item[host.Address]{{Thing: theAddress}},
		Routes:    []desired.Item[host.Route]{{Thing: theRoute}},
		Rules:     []desired.Item[host.Rule]{{Thing: theRule}},
		Deny:      []host.DeniedAddress{{Addr: theAddress.Prefix.Addr()}},
	}
}

const (
	addAddress = "add 192.0.2.1/32 on eth0"
	addRoute   = "add route 10.1.0.0/16 via 192.0.2.9 on eth0"
	addRule    = "add rule 7: from 10.1.0.0/16 table 100"
)

func did(t *testing.T, got []string, want ...string) {
	t.Helper()
	if !slices.Equal(got, want) {
		t.Errorf("did %q,\nwant %q", got, want)
	}
}

func TestWhatComesWithMastershipComesAndGoesInOrder(t *testing.T) {
	b := newBench(t)
	all := whole()
	b.Set("a", 1, *all, all)
	did(t, b.settle(), "deny 1", addAddress, addRoute, addRule)
	b.Set("a", 2, *all, all)
	did(t, b.settle())
	b.Set("a", 3, desired.Holding{}, all)
	remove := strings.NewReplacer("add", "remove").Replace
	did(t, b.settle(), remove(addRule), remove(addRoute), remove(addAddress), "deny 0")
	left, err := b.record.Load()
	if err != nil || len(left.Addresses)+len(left.Routes)+len(left.Rules)+len(left.Firewall.Deny) > 0 {
		t.Errorf("the record still has %+v (%v)", left, err)
	}
}

func TestTheRecordHasAllThatIsOnTheHost(t *testing.T) {
	b := newBench(t)
	all := whole()
	b.Set("a", 1, *all, all)
	b.settle()
	left, err := b.record.Load()
	if err != nil {
		t.Fatal(err)
	}
	want := host.Contents{Addresses: []host.Address{theAddress}, Routes: []host.Route{theRoute}, Rules: []host.Rule{theRule},
		Firewall: host.FirewallRules{Deny: all.Deny}}
	if !reflect.DeepEqual(left, want) {
		t.Errorf("the record has %+v, want %+v", left, want)
	}
}

func TestAfterACrashWhatIsWantedIsNotTouched(t *testing.T) {
	b := newBench(t)
	all := whole()
	b.Set("a", 1, *all, all)
	b.settle()
	b.start(t)
	b.Set("a", 1, *all, all)
	did(t, b.settle())
}

func TestAfterACrashWhatIsNotWantedGoesAndStaysClosedUntilThen(t *testing.T) {
	b := newBench(t)
	all := whole()
	b.Set("a", 1, *all, all)
	b.settle()
	b.start(t)
	b.Set("b", 1, desired.Holding{}, &desired.Holding{})
	did(t, b.settle())
	if n := len(b.firewall.Rules().Deny); n != 1 {
		t.Errorf("%d addresses are denied before anybody has decided about the one left", n)
	}
	b.Set("a", 1, desired.Holding{}, all)
	b.settle()
	if len(b.addresses.All())+len(b.routes.All())+len(b.rules.All())+len(b.firewall.Rules().Deny) > 0 {
		t.Errorf("left: %v %v %v %v", b.addresses.All(), b.routes.All(), b.rules.All(), b.firewall.Rules())
	}
}

func TestWhatSomebodyTakesAwayIsPutBackAndLaterAtASlowerPace(t *testing.T) {
	b := newBench(t)
	all := whole()
	b.Set("a", 1, *all, all)
	b.settle()
	for range lossLimit {
		b.routes.Lose(theRoute)
		did(t, b.mended(), addRoute)
	}
	b.routes.Lose(theRoute)
	did(t, b.mended())
	did(t, b.mended())
	if n := len(b.told); n != lossLimit+1 || !strings.Contains(b.told[n-1], "4 times") {
		t.Errorf("told %q", b.told)
	}
	if got := b.wait(); got != lossPace {
		t.Errorf("waits %v, want %v", got, lossPace)
	}
	b.clock = b.clock.Add(lossPace)
	did(t, b.mended(), addRoute)
	if got := b.wait(); got < time.Minute {
		t.Errorf("waits %v with nothing to be put back", got)
	}
	// A rule has an account of its own, and all is forgotten with time.
	b.rules.Lose(theRule)
	did(t, b.mended(), addRule)
	b.clock = b.clock.Add(2 * lossWindow)
	b.routes.Lose(theRoute)
	did(t, b.mended(), addRoute)
}

func TestAnAddressComesBackWhenItsInstanceSaysSo(t *testing.T) {
	b := newBench(t)
	all := whole()
	b.Set("a", 1, *all, all)
	b.Set(Statics, 0, *onEth0("10.5.0.1/24"), onEth0("10.5.0.1/24"))
	b.settle()
	b.addresses.Lose(theAddress)
	b.addresses.Lose(onEth0("10.5.0.1/24").Addresses[0].Thing)
	did(t, b.mended(), "add 10.5.0.1/24 on eth0")
	did(t, b.mended())
	if !slices.Equal(b.lost, []string{"a 192.0.2.1/32 on eth0"}) {
		t.Errorf("lost %q", b.lost)
	}
	b.Set("a", 2, *all, all)
	did(t, b.settle(), addAddress)
}

func TestWhatIsNotTrackedStaysAwayUntilTheNextTime(t *testing.T) {
	b := newBench(t)
	all := whole()
	all.Routes[0].NoTrack, all.Addresses[0].NoTrack = true, true
	b.Set("a", 1, *all, all)
	b.settle()
	b.routes.Lose(theRoute)
	b.addresses.Lose(theAddress)
	did(t, b.mended())
	b.Set("a", 2, *all, all)
	did(t, b.settle())
	if len(b.lost) > 0 {
		t.Errorf("lost %q", b.lost)
	}
	b.Set("a", 3, desired.Holding{}, all)
	b.settle()
	b.Set("a", 4, *all, all)
	did(t, b.settle(), "deny 1", addAddress, addRoute, addRule)
}

func TestAnAddressThatNobodyTracksIsNoReasonForAFault(t *testing.T) {
	b := newBench(t)
	all := whole()
	spare := desired.Item[host.Address]{Thing: host.Address{Prefix: netip.MustParsePrefix("10.5.0.9/24"), Interface: "nosuch"}, NoTrack: true}
	all.Addresses = append(all.Addresses, spare)
	b.served = errors.New("none")
	b.Set("a", 1, *all, all)
	b.settle()
	if b.served != nil || len(b.told) != 1 || !strings.Contains(b.told[0], "10.5.0.9/24") {
		t.Errorf("reported %v, told %q", b.served, b.told)
	}
	did(t, b.mended())
	if len(b.lost) > 0 {
		t.Errorf("lost %q", b.lost)
	}
	all.Addresses[1].NoTrack = false
	b.Set("a", 2, *all, all)
	b.settle()
	if !errors.Is(b.served, unix.ENODEV) {
		t.Errorf("reported %v where the address is tracked", b.served)
	}
}

func TestARouteThatCannotBeHadIsToldOfOnceAndTriedAgain(t *testing.T) {
	b := newBench(t)
	all := whole()
	tries := 0
	b.routes.Refuse(func(host.RouteChange) error { tries++; return unix.ENETUNREACH })
	b.served = errors.New("none")
	b.Set("a", 1, *all, all)
	b.settle()
	b.mended()
	if b.served != nil || tries != 2 || len(b.told) != 1 || !strings.Contains(b.told[0], "10.1.0.0/16") {
		t.Errorf("reported %v, %d tries, told %q", b.served, tries, b.told)
	}
	b.routes.Refuse(nil)
	// An address that comes may be what the route has waited for.
	b.Set(Statics, 0, *onEth0("10.5.0.1/24"), onEth0("10.5.0.1/24"))
	b.settle()
	if len(b.routes.All()) != 1 {
		t.Errorf("routes %v", b.routes.All())
	}
}

func TestARouteThatGoesWithAnotherAddressIsPutBackWithoutAnAlarm(t *testing.T) {
	b := newBench(t)
	all := whole()
	b.Set("a", 1, *all, all)
	other := onEth0("192.0.2.2/32")
	b.Set("b", 1, *other, other)
	b.settle()
	b.routes.Lose(theRoute) // as the kernel would
	b.Set("b", 2, desired.Holding{}, other)
	did(t, b.settle(), "remove 192.0.2.2/32 on eth0", addRoute)
	if len(b.told) > 0 {
		t.Errorf("told %q", b.told)
	}
}

func TestWhatTwoHoldGoesWithTheLast(t *testing.T) {
	b := newBench(t)
	one, two := whole(), whole()
	b.Set("a", 1, *one, one)
	b.Set("b", 1, *two, two)
	did(t, b.settle(), "deny 1", addAddress, addRoute, addRule)
	b.Set("a", 2, desired.Holding{}, one)
	did(t, b.settle())
	b.Set("b", 2, desired.Holding{}, two)
	b.settle()
	if len(b.routes.All())+len(b.rules.All())+len(b.addresses.All()) > 0 {
		t.Errorf("left: %v %v %v", b.addresses.All(), b.routes.All(), b.rules.All())
	}
}

func TestWithoutAPacketFilterAnInstanceGoesOn(t *testing.T) {
	b := newBench(t)
	b.filter.dial = func() (host.FirewallTable, error) { return nil, host.ErrNoFirewall }
	all := whole()
	b.Set("a", 1, *all, all)
	did(t, b.settle(), addAddress, addRoute, addRule)
	if len(b.told) != 1 || !strings.Contains(b.told[0], "nftables") {
		t.Errorf("told %q", b.told)
	}
}

func TestThePacketFilterIsPutBackWhenSomebodyElseChangesIt(t *testing.T) {
	b := newBench(t)
	all := whole()
	b.Set("a", 1, *all, all)
	b.settle()
	b.filterTold() // of the keeper's own change
	did(t, b.mended())
	for range lossLimit {
		b.filterTold()
		did(t, b.settle(), "deny 1")
		b.filterTold()
		did(t, b.settle())
	}
	b.filterTold()
	did(t, b.settle())
	if n := len(b.told); n != lossLimit+1 || !strings.Contains(b.told[n-1], "4 times") {
		t.Errorf("told %q", b.told)
	}
	b.clock = b.clock.Add(lossPace)
	did(t, b.mended(), "deny 1")
	did(t, b.mended())
}
