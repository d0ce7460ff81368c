package ipvs_test

import (
	"context"
	"errors"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/tandem-ha/tandem/ipvs"
	"github.com/tandem-ha/tandem/ipvs/ipvstest"
)

// keepGlobals runs a keeper on a kernel of its own and collects what it reports.
func keepGlobals(t *testing.T) (*ipvstest.Globals, *ipvs.GlobalsKeeper, *[]error) {
	t.Helper()
	kernel := ipvstest.NewGlobals()
	var errs []error
	k := ipvs.NewGlobalsKeeper(kernel, func(err error) { errs = append(errs, err) })
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan struct{})
	go func() { defer close(done); _ = k.Run(ctx) }()
	t.Cleanup(func() { cancel(); <-done })
	return kernel, k, &errs
}

func running(t *testing.T, g *ipvstest.Globals) []ipvs.DaemonState {
	t.Helper()
	synctest.Wait()
	daemons, _ := g.Daemons(t.Context())
	var out []ipvs.DaemonState
	for _, d := range daemons {
		out = append(out, d.State)
	}
	return out
}

func TestASyncDaemonChangesItsPart(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		kernel, k, _ := keepGlobals(t)
		backup := ipvs.Daemon{State: ipvs.DaemonBackup, Interface: "eth0", SyncID: 51}
		master := ipvs.Daemon{State: ipvs.DaemonMaster, Interface: "eth0", SyncID: 51}
		k.Set(ipvs.Globals{Daemons: []ipvs.Daemon{backup}})
		if got := running(t, kernel); !slices.Equal(got, []ipvs.DaemonState{ipvs.DaemonBackup}) {
			t.Fatalf("daemons %v", got)
		}
		both := []ipvs.DaemonState{ipvs.DaemonBackup, ipvs.DaemonMaster}
		k.Set(ipvs.Globals{Daemons: []ipvs.Daemon{master}})
		// What the peer's kernel has held back comes for 2 s more.
		time.Sleep(2900 * time.Millisecond)
		if got := running(t, kernel); !slices.Equal(got, both) {
			t.Fatalf("daemons %v soon after the change", got)
		}
		time.Sleep(200 * time.Millisecond)
		if got := running(t, kernel); !slices.Equal(got, []ipvs.DaemonState{ipvs.DaemonMaster}) {
			t.Fatalf("daemons %v", got)
		}
		// Somebody stops it; it is back within the period.
		_ = kernel.StopDaemon(t.Context(), ipvs.DaemonMaster)
		time.Sleep(31 * time.Second)
		if got := running(t, kernel); len(got) != 1 {
			t.Fatalf("daemons %v", got)
		}
		if err := k.Stop(nil); err != nil {
			t.Fatal(err)
		}
		if got := running(t, kernel); len(got) != 0 {
			t.Fatalf("daemons %v at the end", got)
		}
	})
}

func TestASyncDaemonThatChangesBackAndForthNeverStopsSending(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		kernel, k, _ := keepGlobals(t)
		part := func(s ipvs.DaemonState) {
			k.Set(ipvs.Globals{Daemons: []ipvs.Daemon{{State: s, Interface: "eth0", SyncID: 51}}})
		}
		// An earlier process's, which was master: not what it holds back goes at the start.
		_ = kernel.StartDaemon(t.Context(), ipvs.Daemon{State: ipvs.DaemonMaster, Interface: "eth0", SyncID: 51})
		for range 4 {
			part(ipvs.DaemonBackup)
			time.Sleep(2 * time.Second)
			if got := running(t, kernel); !slices.Contains(got, ipvs.DaemonMaster) {
				t.Fatalf("daemons %v", got)
			}
			part(ipvs.DaemonMaster)
			time.Sleep(2 * time.Second)
			if got := running(t, kernel); len(got) != 2 {
				t.Fatalf("daemons %v", got)
			}
		}
		time.Sleep(2 * time.Second)
		if got := running(t, kernel); !slices.Equal(got, []ipvs.DaemonState{ipvs.DaemonMaster}) {
			t.Fatalf("daemons %v", got)
		}
		// Another group of daemons gets nothing from this one: it need not stay.
		k.Set(ipvs.Globals{Daemons: []ipvs.Daemon{{State: ipvs.DaemonBackup, Interface: "eth0", SyncID: 52}}})
		if got := running(t, kernel); !slices.Equal(got, []ipvs.DaemonState{ipvs.DaemonBackup}) {
			t.Fatalf("daemons %v", got)
		}
	})
}

func TestAStopLetsTheKernelSendWhatItHoldsBack(t *testing.T) {
	master := ipvs.Daemon{State: ipvs.DaemonMaster, Interface: "eth0"}
	backup := ipvs.Daemon{State: ipvs.DaemonBackup, Interface: "eth0"}
	for _, c := range []struct {
		name  string
		sets  []ipvs.Daemon
		hurry time.Duration
		took  time.Duration
	}{
		{"master", []ipvs.Daemon{master}, time.Hour, 3 * time.Second},
		{"master until a second ago", []ipvs.Daemon{master, backup}, time.Hour, 2 * time.Second},
		{"backup", []ipvs.Daemon{backup}, time.Hour, 0},
		{"told to hurry", []ipvs.Daemon{master}, time.Second, time.Second},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				kernel, k, _ := keepGlobals(t)
				for _, d := range c.sets {
					k.Set(ipvs.Globals{Daemons: []ipvs.Daemon{d}})
					time.Sleep(time.Second)
				}
				hurry := make(chan struct{})
				time.AfterFunc(c.hurry, func() { close(hurry) })
				began := time.Now()
				if err := k.Stop(hurry); err != nil {
					t.Fatal(err)
				}
				if took := time.Since(began); took != c.took {
					t.Errorf("took %v, want %v", took, c.took)
				}
				if got := running(t, kernel); len(got) != 0 {
					t.Errorf("daemons %v at the end", got)
				}
			})
		})
	}
}

// A reload that names no daemon any more stops those of ours; keepalived leaves
// them running for good.
func TestDaemonsThatAreNotWantedAnyMoreStop(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		kernel, k, _ := keepGlobals(t)
		k.Set(ipvs.Globals{Daemons: []ipvs.Daemon{
			{State: ipvs.DaemonMaster, Interface: "eth0"}, {State: ipvs.DaemonBackup, Interface: "eth0"},
		}})
		time.Sleep(time.Second)
		if got := running(t, kernel); len(got) != 2 {
			t.Errorf("daemons %v", got)
		}
		k.Set(ipvs.Globals{})
		time.Sleep(5 * time.Second)
		if got := running(t, kernel); len(got) != 0 {
			t.Errorf("daemons %v after the reload", got)
		}
	})
}

func TestDaemonsOfOthersAreLeftAloneUntilOneIsWanted(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		kernel, k, _ := keepGlobals(t)
		_ = kernel.StartDaemon(t.Context(), ipvs.Daemon{State: ipvs.DaemonMaster, Interface: "eth9"})
		k.Set(ipvs.Globals{})
		time.Sleep(time.Minute)
		if got := running(t, kernel); len(got) != 1 {
			t.Fatalf("daemons %v", got)
		}
		k.Set(ipvs.Globals{Daemons: []ipvs.Daemon{{State: ipvs.DaemonBackup, Interface: "eth0"}}})
		if got := running(t, kernel); !slices.Equal(got, []ipvs.DaemonState{ipvs.DaemonBackup}) {
			t.Fatalf("daemons %v, want the stale one gone", got)
		}
	})
}

func TestTimeoutsArePutBack(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		kernel, k, _ := keepGlobals(t)
		before, _ := kernel.Timeouts(t.Context())
		k.Set(ipvs.Globals{Timeouts: ipvs.Timeouts{TCP: time.Hour}})
		synctest.Wait()
		if got, _ := kernel.Timeouts(t.Context()); got.TCP != time.Hour || got.UDP != before.UDP {
			t.Fatalf("timeouts %+v", got)
		}
		k.Set(ipvs.Globals{Timeouts: ipvs.Timeouts{UDP: time.Hour}})
		synctest.Wait()
		if got, _ := kernel.Timeouts(t.Context()); got.TCP != before.TCP || got.UDP != time.Hour {
			t.Fatalf("timeouts %+v, want the one no longer wanted as it was", got)
		}
		if err := k.Stop(nil); err != nil {
			t.Fatal(err)
		}
		if got, _ := kernel.Timeouts(t.Context()); got != before {
			t.Fatalf("timeouts %+v at the end, want %+v", got, before)
		}
	})
}

func TestAKernelThatRefusesIsAskedAgainAndReportedOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		kernel, k, errs := keepGlobals(t)
		kernel.Fail(errors.New("no"))
		k.Set(ipvs.Globals{Daemons: []ipvs.Daemon{{State: ipvs.DaemonMaster, Interface: "eth0"}}})
		time.Sleep(10 * time.Second)
		synctest.Wait()
		if len(*errs) != 1 {
			t.Fatalf("reported %v", *errs)
		}
		kernel.Fail(nil)
		time.Sleep(31 * time.Second)
		synctest.Wait()
		if len(*errs) != 2 || (*errs)[1] != nil || len(running(t, kernel)) != 1 {
			t.Fatalf("reported %v, daemons %v", *errs, running(t, kernel))
		}
	})
}
