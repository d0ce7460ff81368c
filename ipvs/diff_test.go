package ipvs_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"net/netip"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"golang.org/x/sys/unix"

	"github.com/tandem-ha/tandem/ipvs"
	"github.com/tandem-ha/tandem/ipvs/ipvstest"
)

// tcp is a TCP service of an address and port.
func tcp(s string) ipvs.Service {
	a := netip.MustParseAddrPort(s)
	svc := ipvs.Service{
		ServiceKey: ipvs.ServiceKey{IPv6: a.Addr().Is6(), Protocol: unix.IPPROTO_TCP, Addr: a.Addr(), Port: a.Port()},
		Scheduler:  "wlc", Netmask: 32,
	}
	if svc.IPv6 {
		svc.Netmask = 128
	}
	return svc
}

func mark(n uint32) ipvs.Service {
	return ipvs.Service{ServiceKey: ipvs.ServiceKey{FWMark: n}, Scheduler: "rr", Netmask: 32}
}

func dest(s string, weight uint32) ipvs.Destination {
	a := netip.MustParseAddrPort(s)
	return ipvs.Destination{DestinationKey: ipvs.DestinationKey{Addr: a.Addr(), Port: a.Port()}, Weight: weight}
}

func table(entries ...ipvs.Entry) ipvs.Table {
	t := make(ipvs.Table)
	for _, e := range entries {
		t[e.ServiceKey] = e
	}
	return t
}

func entry(s ipvs.Service, d ...ipvs.Destination) ipvs.Entry {
	return ipvs.Entry{Service: s, Destinations: d}
}

// equalTables compares without regard to the order of destinations.
var equalTables = cmp.Options{
	cmpopts.EquateComparable(netip.Addr{}),
	cmpopts.EquateEmpty(),
	cmpopts.SortSlices(func(a, b ipvs.Destination) bool { return a.String() < b.String() }),
}

func all(ipvs.ServiceKey) bool  { return true }
func none(ipvs.ServiceKey) bool { return false }

func with[T any](v T, f func(*T)) T { f(&v); return v }

func TestDiff(t *testing.T) {
	web := tcp("192.0.2.10:80")
	a, b := dest("10.0.0.1:80", 1), dest("10.0.0.2:80", 1)
	for _, tc := range []struct {
		name       string
		have, want ipvs.Table
		owned      func(ipvs.ServiceKey) bool
		changes    []string
	}{
		{"both empty", nil, nil, all, nil},
		{"equal in another order", table(entry(web, a, b)), table(entry(web, b, a)), all, nil},
		{"a new service", nil, table(entry(web, a, b)), none, []string{
			"add service tcp 192.0.2.10:80 wlc",
			"add destination 10.0.0.1:80 nat weight 1 to tcp 192.0.2.10:80",
			"add destination 10.0.0.2:80 nat weight 1 to tcp 192.0.2.10:80",
		}},
		{"what is ours goes", table(entry(web, a)), nil, all, []string{"remove service tcp 192.0.2.10:80"}},
		{"what is foreign stays", table(entry(web, a)), nil, none, nil},
		{"a foreign destination of a wanted service goes", table(entry(web, a, b)), table(entry(web, a)), none, []string{
			"remove destination 10.0.0.2:80 from tcp 192.0.2.10:80",
		}},
		{"a replacement serves before its predecessor goes", table(entry(web, a)), table(entry(web, b)), all, []string{
			"add destination 10.0.0.2:80 nat weight 1 to tcp 192.0.2.10:80",
			"remove destination 10.0.0.1:80 from tcp 192.0.2.10:80",
		}},
		{
			"a weight rises before another falls",
			table(entry(web, dest("10.0.0.1:80", 1), dest("10.0.0.2:80", 0))),
			table(entry(web, dest("10.0.0.1:80", 0), dest("10.0.0.2:80", 1))), all,
			[]string{
				"set weight of 10.0.0.2:80 in tcp 192.0.2.10:80 from 0 to 1",
				"set weight of 10.0.0.1:80 in tcp 192.0.2.10:80 from 1 to 0",
			},
		},
		{"services that go, go last", table(entry(tcp("192.0.2.1:80"), a)), table(entry(web, a)), all, []string{
			"add service tcp 192.0.2.10:80 wlc",
			"add destination 10.0.0.1:80 nat weight 1 to tcp 192.0.2.10:80",
			"remove service tcp 192.0.2.1:80",
		}},
		{
			"every setting of a service is compared",
			table(entry(web), entry(mark(1))),
			table(entry(with(web, func(s *ipvs.Service) {
				s.Scheduler, s.Flags, s.Timeout, s.Netmask = "sh", ipvs.FlagPersistent|ipvs.FlagSched1, 5*time.Minute, 24
			})), entry(with(mark(1), func(s *ipvs.Service) { s.Engine = "sip" }))), all,
			[]string{
				"set of tcp 192.0.2.10:80: scheduler from wlc to sh, flags from none to persistent,flag-1, persistence timeout from 0s to 5m0s, netmask from 32 to 24",
				"set persistence engine of fwmark 1 from none to sip",
			},
		},
		{
			"every setting of a destination is compared",
			table(entry(web, a)),
			table(entry(web, with(a, func(d *ipvs.Destination) {
				d.Forward, d.Weight, d.UpperThreshold, d.LowerThreshold = ipvs.Tunnel, 70000, 100, 50
				d.TunnelType, d.TunnelPort, d.TunnelFlags = 1, 6080, 1
			}))), all,
			[]string{
				"set of 10.0.0.1:80 in tcp 192.0.2.10:80: weight from 1 to 70000, forwarding from nat to tunnel, upper threshold from 0 to 100, lower threshold from 0 to 50, tunnel type from ipip to gue, tunnel port from 0 to 6080, tunnel flags from 0 to 1",
			},
		},
		{"families and protocols are services of their own", table(entry(mark(3))), table(
			entry(with(mark(3), func(s *ipvs.Service) { s.IPv6, s.Netmask = true, 128 })),
			entry(with(web, func(s *ipvs.Service) { s.Protocol = unix.IPPROTO_UDP; s.Flags = ipvs.FlagOnePacket })),
			entry(tcp("[2001:db8::10]:80"), dest("[2001:db8::1]:80", 1)),
		), all, []string{
			"add service udp 192.0.2.10:80 wlc ops",
			"add service tcp [2001:db8::10]:80 wlc",
			"add destination [2001:db8::1]:80 nat weight 1 to tcp [2001:db8::10]:80",
			"add service fwmark 3 (IPv6) rr",
			"remove service fwmark 3",
		}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			var got []string
			for _, c := range ipvs.Diff(tc.have, tc.want, tc.owned) {
				got = append(got, c.String())
			}
			if diff := cmp.Diff(tc.changes, got); diff != "" {
				t.Errorf("changes (-want +got):\n%s", diff)
			}
		})
	}
}

func newRand(seed uint64) *rand.Rand { return rand.New(rand.NewPCG(seed, 1)) }

// randomTable is drawn from few enough values that two of them have much in
// common.
func randomTable(r *rand.Rand) ipvs.Table {
	t := make(ipvs.Table)
	for i := range 6 {
		if r.IntN(3) == 0 {
			continue
		}
		s := tcp(fmt.Sprintf("192.0.2.%d:80", i))
		if i == 5 {
			s = mark(7)
		}
		s.Scheduler = []string{"rr", "wlc", "sh"}[r.IntN(3)]
		s.Flags = uint32(r.IntN(2)) * ipvs.FlagPersistent
		e := entry(s)
		for j := range 5 {
			if r.IntN(2) == 0 {
				d := dest(fmt.Sprintf("10.0.0.%d:80", j), uint32(r.IntN(3)))
				d.Forward = ipvs.Forward(r.IntN(4))
				d.UpperThreshold = uint32(r.IntN(2)) * 10
				e.Destinations = append(e.Destinations, d)
			}
		}
		r.Shuffle(len(e.Destinations), func(a, b int) {
			e.Destinations[a], e.Destinations[b] = e.Destinations[b], e.Destinations[a]
		})
		t[s.ServiceKey] = e
	}
	return t
}

func TestDiffAppliedGivesWhatIsWanted(t *testing.T) {
	for seed := range uint64(500) {
		r := newRand(seed)
		have, want := randomTable(r), randomTable(r)
		foreign := make(map[ipvs.ServiceKey]bool)
		expect := make(ipvs.Table)
		for _, k := range have.Keys() {
			if _, wanted := want[k]; !wanted && r.IntN(2) == 0 {
				foreign[k] = true
				expect[k] = have[k]
			}
		}
		for k, e := range want {
			expect[k] = e
		}
		owned := func(k ipvs.ServiceKey) bool { return !foreign[k] }

		kernel := ipvstest.New(have)
		kernel.Observe(func(now ipvs.Table) {
			for k, e := range now {
				if len(have[k].Destinations) > 0 && len(want[k].Destinations) > 0 && len(e.Destinations) == 0 {
					t.Fatalf("seed %d: %v is without destinations on the way", seed, k)
				}
			}
		})
		changes := ipvs.Diff(have, want, owned)
		if err := kernel.Apply(context.Background(), changes); err != nil {
			t.Fatalf("seed %d: %v", seed, err)
		}
		if diff := cmp.Diff(expect, kernel.Holds(), equalTables); diff != "" {
			t.Fatalf("seed %d: table (-want +got):\n%s", seed, diff)
		}
		if again := ipvs.Diff(kernel.Holds(), want, owned); len(again) > 0 {
			t.Fatalf("seed %d: a second diff is not empty: %v", seed, again)
		}
		seen := make(map[string]bool)
		for _, c := range changes {
			if c.Op == ipvs.AddService && slices.Contains(have.Keys(), c.Service.ServiceKey) {
				t.Fatalf("seed %d: %v is added again", seed, c.Service.ServiceKey)
			}
			key := fmt.Sprint(c.Service.ServiceKey, c.Destination.DestinationKey)
			if seen[key] {
				t.Fatalf("seed %d: two changes of one thing: %v", seed, c)
			}
			seen[key] = true
		}
	}
}

func TestNormal(t *testing.T) {
	in := tcp("192.0.2.10:80")
	in.Addr = netip.MustParseAddr("::ffff:192.0.2.10")
	in.IPv6 = true
	in.Flags = ipvs.FlagPersistent | 2
	in.Timeout = 1500 * time.Millisecond
	m := mark(9)
	m.IPv6, m.Protocol, m.Addr, m.Port, m.Netmask = true, unix.IPPROTO_TCP, netip.MustParseAddr("192.0.2.1"), 80, 0
	twice := dest("[::ffff:10.0.0.1]:80", 1)
	got := table(entry(in, twice, dest("10.0.0.1:80", 2)), entry(m)).Normal()

	want := tcp("192.0.2.10:80")
	want.Flags, want.Timeout = ipvs.FlagPersistent, time.Second
	wantMark := mark(9)
	wantMark.IPv6, wantMark.Netmask = true, 128
	if diff := cmp.Diff(table(entry(want, dest("10.0.0.1:80", 1)), entry(wantMark)), got, equalTables); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if diff := cmp.Diff(got, got.Normal(), equalTables); diff != "" {
		t.Errorf("Normal of a normal table (-want +got):\n%s", diff)
	}
}
