package ipvs_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/sys/unix"

	"github.com/tandem-ha/tandem/ipvs"
	"github.com/tandem-ha/tandem/ipvs/ipvstest"
)

// bench is a Reconciler at work on a kernel in memory, with what it reported.
type bench struct {
	t        *testing.T
	kernel   *ipvstest.Kernel
	r        *ipvs.Reconciler
	errors   []string
	repairs  []string
	owned    [][]string
	holdings []ipvs.Table // the kernel's at each call of OnOwned
	end      func()
}

// work runs a Reconciler in a synctest bubble until the test function returns.
func work(t *testing.T, kernel *ipvstest.Kernel, test func(t *testing.T, b *bench), opts ...ipvs.Option) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		b := &bench{t: t, kernel: kernel}
		begin := time.Now()
		opts := append([]ipvs.Option{
			ipvs.WithClock(func() time.Duration { return time.Since(begin) }),
			ipvs.OnError(func(err error) { b.errors = append(b.errors, fmt.Sprint(err)) }),
			ipvs.OnRepair(func(made []ipvs.Change) {
				for _, c := range made {
					b.repairs = append(b.repairs, c.String())
				}
			}),
			ipvs.OnOwned(func(keys []ipvs.ServiceKey) error {
				var names []string
				for _, k := range keys {
					names = append(names, k.String())
				}
				b.owned = append(b.owned, names)
				b.holdings = append(b.holdings, kernel.Holds())
				return nil
			}),
		}, opts...)
		b.r = ipvs.NewReconciler(kernel, opts...)
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan error)
		go func() { done <- b.r.Run(ctx) }()
		b.end = func() {
			cancel()
			if err := <-done; err != nil {
				t.Errorf("Run: %v", err)
			}
		}
		test(t, b)
		if b.end != nil {
			b.end()
		}
	})
}

// pass lets time pass and all that is due be done.
func (b *bench) pass(d time.Duration) {
	time.Sleep(d)
	synctest.Wait()
}

// set sets a table and waits until nothing is left to do at once.
func (b *bench) set(entries ...ipvs.Entry) {
	b.r.Set(table(entries...))
	synctest.Wait()
}

func (b *bench) holds(entries ...ipvs.Entry) {
	b.t.Helper()
	if diff := cmp.Diff(table(entries...), b.kernel.Holds(), equalTables); diff != "" {
		b.t.Fatalf("kernel's table (-want +got):\n%s", diff)
	}
}

func (b *bench) said(what string, got *[]string, want ...string) {
	b.t.Helper()
	if diff := cmp.Diff(want, *got); diff != "" {
		b.t.Fatalf("%s (-want +got):\n%s", what, diff)
	}
	*got = nil
}

func (b *bench) changed(want ...string) {
	b.t.Helper()
	var got []string
	for _, c := range b.kernel.TakeLog() {
		got = append(got, c.String())
	}
	if diff := cmp.Diff(want, got); diff != "" {
		b.t.Fatalf("changes (-want +got):\n%s", diff)
	}
}

var (
	web     = tcp("192.0.2.10:80")
	dns     = tcp("192.0.2.10:53")
	foreign = entry(tcp("198.51.100.1:25"), dest("10.9.0.1:25", 1))
	a, b2   = dest("10.0.0.1:80", 1), dest("10.0.0.2:80", 1)
)

func TestReconcilerSets(t *testing.T) {
	work(t, ipvstest.New(table(foreign)), func(t *testing.T, b *bench) {
		b.pass(time.Minute)
		if calls := b.kernel.Calls(); calls != (ipvstest.Calls{}) {
			t.Errorf("before the first table: %+v", calls)
		}
		b.set(entry(web, a, b2))
		if err := b.r.Applied(t.Context()); err != nil {
			t.Error(err)
		}
		b.holds(foreign, entry(web, a, b2))
		b.kernel.TakeLog()
		b.set(entry(web, a, dest("10.0.0.2:80", 0)))
		b.changed("set weight of 10.0.0.2:80 in tcp 192.0.2.10:80 from 1 to 0")
		b.set()
		b.changed("remove service tcp 192.0.2.10:80")
		b.holds(foreign)
		if calls := b.kernel.Calls(); calls.Table != 1 || calls.Entries != 0 {
			t.Errorf("three tables took %+v, want one dump", calls)
		}
		b.pass(time.Minute)
		b.said("repairs", &b.repairs)
		b.said("errors", &b.errors)
	})
}

func TestReconcilerCopiesTheTable(t *testing.T) {
	work(t, ipvstest.New(nil), func(t *testing.T, b *bench) {
		want := table(entry(web, a))
		b.r.Set(want)
		want[web.ServiceKey].Destinations[0].Weight = 9
		delete(want, web.ServiceKey)
		synctest.Wait()
		b.holds(entry(web, a))
	})
}

func TestReconcilerCoalescesWithoutBlocking(t *testing.T) {
	kernel := ipvstest.New(nil)
	kernel.Cost(time.Second)
	work(t, kernel, func(t *testing.T, b *bench) {
		begin := time.Now()
		for w := range uint32(100) {
			b.r.Set(table(entry(web, dest("10.0.0.1:80", w))))
			synctest.Wait()
		}
		if took := time.Since(begin); took != 0 {
			t.Errorf("Set took %v of the kernel's time", took)
		}
		if err := b.r.Applied(t.Context()); err != nil {
			t.Error(err)
		}
		b.holds(entry(web, dest("10.0.0.1:80", 99)))
		if n := b.kernel.Calls().Apply; n > 2 {
			t.Errorf("100 tables were applied %d times", n)
		}
	})
}

func TestReconcilerAdoptsWhatACrashedRunLeft(t *testing.T) {
	old := web
	old.Scheduler = "rr"
	kernel := ipvstest.New(table(foreign, entry(old, a, dest("10.0.0.9:80", 1)), entry(dns, a)))
	work(t, kernel, func(t *testing.T, b *bench) {
		b.set(entry(web, a, b2))
		b.changed(
			"set scheduler of tcp 192.0.2.10:80 from rr to wlc",
			"add destination 10.0.0.2:80 nat weight 1 to tcp 192.0.2.10:80",
			"remove destination 10.0.0.9:80 from tcp 192.0.2.10:80",
			"remove service tcp 192.0.2.10:53",
		)
		b.holds(foreign, entry(web, a, b2))
		b.said("repairs", &b.repairs)
	}, ipvs.WithOwned([]ipvs.ServiceKey{dns.ServiceKey}))
}

func TestReconcilerRecordsBeforeItAdds(t *testing.T) {
	work(t, ipvstest.New(nil), func(t *testing.T, b *bench) {
		b.set(entry(web, a))
		if len(b.owned) != 1 || len(b.holdings[0]) != 0 {
			t.Fatalf("recorded %v when the kernel held %v", b.owned, b.holdings)
		}
		b.set(entry(web, b2))
		if len(b.owned) != 1 {
			t.Errorf("recorded again without need: %v", b.owned)
		}
		b.set(entry(dns, a))
		want := [][]string{{"tcp 192.0.2.10:80"}, {"tcp 192.0.2.10:53", "tcp 192.0.2.10:80"}}
		if diff := cmp.Diff(want, b.owned); diff != "" {
			t.Errorf("recorded (-want +got):\n%s", diff)
		}
		// Ours for ever, even when others add it while it is not wanted.
		b.kernel.Meddle(func(t ipvs.Table) { t[web.ServiceKey] = entry(web, a) })
		b.pass(time.Second)
		b.holds(entry(dns, a))
		b.said("repairs", &b.repairs, "remove service tcp 192.0.2.10:80")
	})
}

func TestReconcilerForgetsWhatIsNoLongerNamed(t *testing.T) {
	work(t, ipvstest.New(table(entry(dns, b2))), func(t *testing.T, b *bench) {
		b.r.Own([]ipvs.ServiceKey{web.ServiceKey, dns.ServiceKey})
		b.set(entry(web, a))
		b.holds(entry(web, a)) // dns was there, is named and not wanted
		b.r.Own([]ipvs.ServiceKey{dns.ServiceKey})
		b.set()
		b.holds()
		want := [][]string{{"tcp 192.0.2.10:53", "tcp 192.0.2.10:80"}, {"tcp 192.0.2.10:53"}}
		if diff := cmp.Diff(want, b.owned); diff != "" {
			t.Errorf("recorded (-want +got):\n%s", diff)
		}
		if len(b.holdings[1]) != 0 {
			t.Errorf("forgotten while the kernel held %v", b.holdings[1])
		}
		b.kernel.Meddle(func(t ipvs.Table) {
			t[web.ServiceKey] = entry(web, b2)
			t[dns.ServiceKey] = entry(dns, b2)
		})
		b.pass(time.Minute)
		b.holds(entry(web, b2))
	})
}

func TestReconcilerWorksOnWhenTheRecordFails(t *testing.T) {
	full := errors.New("disk full")
	work(t, ipvstest.New(nil), func(t *testing.T, b *bench) {
		b.set(entry(web, a))
		b.holds(entry(web, a))
		b.said("errors", &b.errors, "disk full")
	}, ipvs.OnOwned(func([]ipvs.ServiceKey) error { return full }))
}

func TestReconcilerWaitsForIPVS(t *testing.T) {
	kernel := ipvstest.New(nil)
	kernel.Fail(ipvs.ErrNoKernelSupport)
	work(t, kernel, func(t *testing.T, b *bench) {
		b.set(entry(web, a))
		b.pass(10 * time.Minute)
		b.said("errors", &b.errors, ipvs.ErrNoKernelSupport.Error())
		if n := kernel.Calls().Digest; n > 22 {
			t.Errorf("%d attempts in ten minutes", n)
		}
		if err := b.r.Err(); !errors.Is(err, ipvs.ErrNoKernelSupport) {
			t.Errorf("Err: %v", err)
		}
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if err := b.r.Applied(ctx); !errors.Is(err, context.DeadlineExceeded) || !errors.Is(err, ipvs.ErrNoKernelSupport) {
			t.Errorf("Applied: %v", err)
		}
		kernel.Fail(nil)
		b.pass(30 * time.Second)
		b.holds(entry(web, a))
		b.said("errors", &b.errors, "<nil>")
		b.said("repairs", &b.repairs)
		if err := b.r.Err(); err != nil {
			t.Errorf("Err: %v", err)
		}
	})
}

func TestReconcilerSurvivesAFailureInTheMidst(t *testing.T) {
	work(t, ipvstest.New(nil), func(t *testing.T, b *bench) {
		b.set(entry(web, a))
		b.kernel.Fail(unix.ENOBUFS)
		b.set(entry(web, a, b2), entry(dns, a))
		b.pass(100 * time.Second)
		b.said("errors", &b.errors, unix.ENOBUFS.Error())
		b.kernel.Fail(nil)
		b.kernel.Meddle(func(t ipvs.Table) { delete(t, web.ServiceKey) })
		b.pass(30 * time.Second)
		b.holds(entry(web, a, b2), entry(dns, a))
		b.said("errors", &b.errors, "<nil>")
	})
}

func TestReconcilerServesTheRestWhenOneIsRefused(t *testing.T) {
	bad := dns
	bad.Scheduler = "nosuch"
	work(t, ipvstest.New(nil), func(t *testing.T, b *bench) {
		b.set(entry(web, a), entry(bad, a))
		b.holds(entry(web, a))
		if len(b.errors) != 1 || !strings.Contains(b.errors[0], `scheduler "nosuch"`) || strings.Contains(b.errors[0], "10.0.0.1") {
			t.Fatalf("errors: %q", b.errors)
		}
		before := b.kernel.Calls()
		b.pass(time.Minute)
		if n := b.kernel.Calls().Apply - before.Apply; n < 3 || n > 7 {
			t.Errorf("%d attempts in a minute", n)
		}
		b.set(entry(web, b2), entry(bad, a))
		b.holds(entry(web, b2))
		b.kernel.Meddle(func(t ipvs.Table) { t[web.ServiceKey] = entry(web) })
		b.pass(time.Second)
		b.holds(entry(web, b2))
		b.said("repairs", &b.repairs, "add destination 10.0.0.2:80 nat weight 1 to tcp 192.0.2.10:80")
		if len(b.errors) != 1 {
			t.Errorf("reported more than once: %q", b.errors)
		}
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if err := b.r.Applied(ctx); !errors.Is(err, unix.ENOENT) {
			t.Errorf("Applied: %v", err)
		}
		b.set(entry(web, b2), entry(dns, a))
		b.holds(entry(web, b2), entry(dns, a))
		if b.errors[len(b.errors)-1] != "<nil>" {
			t.Errorf("errors: %q", b.errors)
		}
	})
}

func TestReconcilerRepairs(t *testing.T) {
	limited := with(a, func(d *ipvs.Destination) { d.UpperThreshold = 100 })
	six := with(mark(5), func(s *ipvs.Service) { s.IPv6, s.Netmask = true, 128 })
	state := []ipvs.Entry{foreign, entry(web, limited, b2), entry(dns, a), entry(mark(5), a), entry(six, dest("[2001:db8::1]:80", 1))}
	for _, tc := range []struct {
		name    string
		within  time.Duration
		meddle  func(ipvs.Table)
		repairs []string
	}{
		{"a weight", time.Second, func(t ipvs.Table) { t[web.ServiceKey].Destinations[1].Weight = 0 },
			[]string{"set weight of 10.0.0.2:80 in tcp 192.0.2.10:80 from 0 to 1"}},
		{"a destination gone", time.Second, func(t ipvs.Table) { t[web.ServiceKey] = entry(web, limited) },
			[]string{"add destination 10.0.0.2:80 nat weight 1 to tcp 192.0.2.10:80"}},
		{"a destination more", time.Second, func(t ipvs.Table) { t[dns.ServiceKey] = entry(dns, a, dest("10.0.0.66:53", 1)) },
			[]string{"remove destination 10.0.0.66:53 from tcp 192.0.2.10:53"}},
		{"a service gone", time.Second, func(t ipvs.Table) { delete(t, dns.ServiceKey) },
			[]string{"add service tcp 192.0.2.10:53 wlc", "add destination 10.0.0.1:80 nat weight 1 to tcp 192.0.2.10:53"}},
		{"a mark of one family gone", time.Second, func(t ipvs.Table) { delete(t, six.ServiceKey) },
			[]string{"add service fwmark 5 (IPv6) rr", "add destination [2001:db8::1]:80 nat weight 1 to fwmark 5 (IPv6)"}},
		{"a scheduler", time.Second, func(t ipvs.Table) {
			t[web.ServiceKey] = entry(with(web, func(s *ipvs.Service) { s.Scheduler = "rr" }), limited, b2)
		}, []string{"set scheduler of tcp 192.0.2.10:80 from rr to wlc"}},
		{"everything", time.Second, func(t ipvs.Table) {
			for _, k := range []ipvs.ServiceKey{web.ServiceKey, dns.ServiceKey, mark(5).ServiceKey, six.ServiceKey} {
				delete(t, k)
			}
		}, []string{
			"add service tcp 192.0.2.10:53 wlc",
			"add destination 10.0.0.1:80 nat weight 1 to tcp 192.0.2.10:53",
			"add service tcp 192.0.2.10:80 wlc",
			"add destination 10.0.0.1:80 nat weight 1 thresholds 100/0 to tcp 192.0.2.10:80",
			"add destination 10.0.0.2:80 nat weight 1 to tcp 192.0.2.10:80",
			"add service fwmark 5 rr",
			"add destination 10.0.0.1:80 nat weight 1 to fwmark 5",
			"add service fwmark 5 (IPv6) rr",
			"add destination [2001:db8::1]:80 nat weight 1 to fwmark 5 (IPv6)",
		}},
		{"a threshold, which only a dump shows", 30 * time.Second, func(t ipvs.Table) { t[web.ServiceKey].Destinations[0].UpperThreshold = 7 },
			[]string{"set upper threshold of 10.0.0.1:80 in tcp 192.0.2.10:80 from 7 to 100"}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			work(t, ipvstest.New(table(foreign)), func(t *testing.T, b *bench) {
				b.set(state[1:]...)
				// Just after a look, where a change is found last.
				b.pass(40*time.Second + time.Millisecond)
				b.said("repairs", &b.repairs)
				b.kernel.Meddle(tc.meddle)
				b.pass(tc.within)
				b.holds(state...)
				b.said("repairs", &b.repairs, tc.repairs...)
				b.pass(2 * time.Minute)
				b.said("repairs afterwards", &b.repairs)
				b.said("errors", &b.errors)
			})
		})
	}
}

func TestReconcilerLeavesForeignServicesAlone(t *testing.T) {
	work(t, ipvstest.New(nil), func(t *testing.T, b *bench) {
		b.set(entry(web, a))
		b.pass(10 * time.Second)
		before := b.kernel.Calls()
		b.kernel.Meddle(func(t ipvs.Table) { t[foreign.ServiceKey] = foreign })
		b.pass(5 * time.Second)
		b.holds(foreign, entry(web, a))
		if after := b.kernel.Calls(); after.Entries != before.Entries || after.Table != before.Table {
			t.Errorf("a foreign change was looked into: %+v, before %+v", after, before)
		}
	})
}

func TestReconcilerFindsAServiceGoneWhenItChangesIt(t *testing.T) {
	work(t, ipvstest.New(nil), func(t *testing.T, b *bench) {
		b.set(entry(web, a, b2))
		b.kernel.Meddle(func(t ipvs.Table) { delete(t, web.ServiceKey) })
		b.set(entry(web, dest("10.0.0.1:80", 5), b2))
		b.holds(entry(web, dest("10.0.0.1:80", 5), b2))
		b.said("errors", &b.errors)
	})
}

func TestReconcilerIsIdleInSteadyState(t *testing.T) {
	work(t, ipvstest.New(nil), func(t *testing.T, b *bench) {
		b.set(entry(web, a), entry(dns, a))
		b.pass(5 * time.Minute)
		got := b.kernel.Calls()
		// The one look at what was added; a fingerprint a second; a dump each 30 s.
		if got.Apply != 1 || got.Entries > 1 || got.Digest < 295 || got.Digest > 315 || got.Table < 9 || got.Table > 11 {
			t.Errorf("five minutes took %+v", got)
		}
	})
}

func TestReconcilerKeepsToItsBudget(t *testing.T) {
	kernel := ipvstest.New(nil)
	kernel.Cost(50 * time.Millisecond)
	work(t, kernel, func(t *testing.T, b *bench) {
		b.set(entry(web, a))
		b.pass(100 * time.Minute)
		got := b.kernel.Calls()
		busy := time.Duration(got.Digest+got.Table+got.Entries) * 50 * time.Millisecond
		if part := busy.Seconds() / (100 * time.Minute).Seconds(); part > 0.02 || got.Digest < 500 {
			t.Errorf("%.2f %% of the time in %+v", 100*part, got)
		}
		b.kernel.Meddle(func(t ipvs.Table) { delete(t, web.ServiceKey) })
		b.pass(11 * time.Second)
		b.holds(entry(web, a))
	})
}

// A look that takes a second, as where a virtual machine was not run in the midst of
// it, does not put the next off for a hundred.
func TestReconcilerLooksAgainAfterAnAccident(t *testing.T) {
	kernel := ipvstest.New(nil)
	work(t, kernel, func(t *testing.T, b *bench) {
		b.set(entry(web, a))
		b.pass(10 * time.Second)
		looks := b.kernel.Calls().Digest
		kernel.Cost(time.Second)
		b.pass(2 * time.Second)
		kernel.Cost(0)
		if b.kernel.Calls().Digest == looks {
			t.Fatal("there was no look")
		}
		b.kernel.Meddle(func(t ipvs.Table) { delete(t, web.ServiceKey) })
		b.pass(3 * time.Second)
		b.holds(entry(web, a))
	})
}

func TestReconcilerWithoutDigest(t *testing.T) {
	kernel := ipvstest.New(nil)
	kernel.Blind()
	work(t, kernel, func(t *testing.T, b *bench) {
		b.set(entry(web, a))
		b.pass(10 * time.Second)
		b.kernel.Meddle(func(t ipvs.Table) { t[web.ServiceKey].Destinations[0].Weight = 3 })
		b.pass(time.Second)
		b.holds(entry(web, a))
		b.said("repairs", &b.repairs, "set weight of 10.0.0.1:80 in tcp 192.0.2.10:80 from 3 to 1")
	})
}

func TestReconcilerStops(t *testing.T) {
	kernel := ipvstest.New(table(foreign, entry(dns, a)))
	work(t, kernel, func(t *testing.T, b *bench) {
		b.set(entry(web, a))
		b.kernel.TakeLog()
		b.kernel.Meddle(func(t ipvs.Table) { t[dns.ServiceKey] = entry(dns, b2) })
		if err := b.r.Stop(t.Context()); err != nil {
			t.Error(err)
		}
		b.holds(foreign)
		if last := b.owned[len(b.owned)-1]; len(last) != 0 {
			t.Errorf("recorded at last %v", last)
		}
		b.r.Set(table(entry(web, a)))
		if err := b.r.Applied(t.Context()); !errors.Is(err, ipvs.ErrStopped) {
			t.Errorf("Applied after Stop: %v", err)
		}
		b.pass(time.Minute)
		b.holds(foreign)
	}, ipvs.WithOwned([]ipvs.ServiceKey{dns.ServiceKey}))
}

func TestReconcilerStopsAndKeeps(t *testing.T) {
	work(t, ipvstest.New(nil), func(t *testing.T, b *bench) {
		b.set(entry(web, a))
		if err := b.r.Leave(t.Context()); err != nil {
			t.Error(err)
		}
		b.pass(time.Minute)
		b.holds(entry(web, a))
		if len(b.owned) != 1 {
			t.Errorf("recorded %v", b.owned)
		}
	})
}

func TestReconcilerStopsWithoutRun(t *testing.T) {
	kernel := ipvstest.New(table(foreign, entry(web, a)))
	r := ipvs.NewReconciler(kernel, ipvs.WithOwned([]ipvs.ServiceKey{web.ServiceKey}))
	if err := r.Stop(t.Context()); err != nil {
		t.Error(err)
	}
	if left := kernel.Holds(); !slices.Equal(left.Keys(), []ipvs.ServiceKey{foreign.ServiceKey}) {
		t.Errorf("left: %v", left)
	}

	ours := ipvs.WithOwned([]ipvs.ServiceKey{web.ServiceKey, dns.ServiceKey})
	kernel.Fail(ipvs.ErrNoKernelSupport)
	if err := ipvs.NewReconciler(kernel, ours).Stop(t.Context()); err != nil {
		t.Errorf("nothing to remove without IPVS: %v", err)
	}
	kernel.Fail(unix.EPERM)
	if err := ipvs.NewReconciler(kernel, ours).Stop(t.Context()); !errors.Is(err, unix.EPERM) {
		t.Errorf("Stop: %v", err)
	}
	before := kernel.Calls()
	if err := ipvs.NewReconciler(kernel).Stop(t.Context()); err != nil {
		t.Errorf("nothing is ours: %v", err)
	}
	if after := kernel.Calls(); after.Table != before.Table || after.Entries != before.Entries {
		t.Errorf("to stop the kernel was asked: %+v, then %+v", before, after)
	}
}

// A change of ours is not read back where the file of the kernel shows it made, and
// what others change of it is seen all the same.
func TestReconcilerReadsNothingOfItsOwn(t *testing.T) {
	work(t, ipvstest.New(table(entry(web, b2))), func(t *testing.T, b *bench) {
		b.set(entry(web, a), entry(dns, a))
		b.pass(10 * time.Second)
		b.r.Update(table(entry(dns, a, b2)))
		b.pass(10 * time.Second)
		if calls := b.kernel.Calls(); calls.Table != 1 || calls.Entries != 0 {
			t.Errorf("its own changes took %+v, want one dump", calls)
		}
		b.said("repairs", &b.repairs)
		b.kernel.Meddle(func(t ipvs.Table) { t[dns.ServiceKey] = entry(dns, b2) })
		b.pass(time.Second + 10*time.Millisecond)
		b.holds(entry(web, a), entry(dns, a, b2))
	})
}

// TestReconcilerConverges lets random tables and random meddling fight.
func TestReconcilerConverges(t *testing.T) {
	for seed := range uint64(30) {
		kernel := ipvstest.New(nil)
		work(t, kernel, func(t *testing.T, b *bench) {
			r := newRand(seed)
			var want ipvs.Table
			for range 40 {
				switch r.IntN(3) {
				case 0:
					want = randomTable(r)
					b.r.Set(want)
				case 1:
					other := randomTable(r)
					b.kernel.Meddle(func(t ipvs.Table) {
						for k, e := range other {
							if r.IntN(2) == 0 {
								t[k] = e
							} else {
								delete(t, k)
							}
						}
					})
				case 2:
					b.pass(time.Duration(r.IntN(3000)) * time.Millisecond)
				}
			}
			want = randomTable(r)
			b.r.Set(want)
			b.pass(31 * time.Second)
			got := b.kernel.Holds()
			for k, e := range want {
				if diff := cmp.Diff(e, got[k], equalTables); diff != "" {
					t.Fatalf("seed %d: %v (-want +got):\n%s", seed, k, diff)
				}
			}
			b.said("errors", &b.errors)
		})
	}
}

func TestReconcilerUpdates(t *testing.T) {
	work(t, ipvstest.New(nil), func(_ *testing.T, b *bench) {
		one, two, three := tcp("192.0.2.1:80"), tcp("192.0.2.2:80"), tcp("192.0.2.3:80")
		b.set(entry(one, a), entry(two, a))
		b.kernel.TakeLog()
		b.r.Update(table(entry(two, a, b2), entry(three)))
		synctest.Wait()
		b.holds(entry(one, a), entry(two, a, b2), entry(three))
		b.changed("add destination 10.0.0.2:80 nat weight 1 to tcp 192.0.2.2:80", "add service tcp 192.0.2.3:80 wlc")
	})
}

// What is known first comes first, and nothing goes before all is known: neither what
// a crashed run left, nor what others have that is to be flushed.
func TestReconcilerBeginsWithAPart(t *testing.T) {
	kernel := ipvstest.New(table(foreign, entry(web, a), entry(dns, a)))
	work(t, kernel, func(t *testing.T, b *bench) {
		one := tcp("192.0.2.1:80")
		b.r.TakeAll()
		b.r.Own([]ipvs.ServiceKey{web.ServiceKey, one.ServiceKey})
		b.r.Update(table(entry(one, a)))
		b.pass(time.Minute)
		b.holds(foreign, entry(web, a), entry(dns, a), entry(one, a))
		b.r.Update(table(entry(web, b2)))
		synctest.Wait()
		b.holds(foreign, entry(web, b2), entry(dns, a), entry(one, a))
		soon, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if err := b.r.Applied(soon); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("a part counts as the whole: %v", err)
		}
		b.set(entry(one, a), entry(web, b2))
		b.holds(entry(web, b2), entry(one, a))
		if err := b.r.Applied(t.Context()); err != nil {
			t.Error(err)
		}
		b.said("repairs", &b.repairs)
	}, ipvs.WithOwned([]ipvs.ServiceKey{dns.ServiceKey}))
}

func TestReconcilerTakesAll(t *testing.T) {
	work(t, ipvstest.New(table(foreign, entry(web, a))), func(_ *testing.T, b *bench) {
		b.r.TakeAll()
		b.r.Own(nil)
		b.set(entry(web, a))
		b.holds(entry(web, a))
		b.changed("remove service " + foreign.ServiceKey.String())
		// What comes later is somebody else's again.
		b.kernel.Meddle(func(t ipvs.Table) { t[foreign.ServiceKey] = foreign })
		b.pass(time.Minute)
		b.holds(entry(web, a), foreign)
	})
}
