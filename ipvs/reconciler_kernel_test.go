//go:build kernel

package ipvs_test

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/tandem-ha/tandem/ipvs"
)

// eventually waits until the kernel holds the table.
func eventually(t *testing.T, c *ipvs.Client, want ipvs.Table, within time.Duration) {
	t.Helper()
	deadline := time.Now().Add(within)
	for {
		diff := cmp.Diff(want, mustTable(t, c), equalTables)
		if diff == "" {
			return
		}
		if time.Now().After(deadline) {
			t.Fatalf("after %v the table is (-want +got):\n%s", within, diff)
		}
		time.Sleep(20 * time.Millisecond)
	}
}

// TestKernelReconciler adopts what is there, repairs what ipvsadm changes, and
// leaves what is foreign.
func TestKernelReconciler(t *testing.T) {
	c := kernelClient(t)
	alien := tcp("198.51.100.1:25")
	ipvsadm(t, "-A", "-t", "198.51.100.1:25", "-s", "wlc")
	ipvsadm(t, "-A", "-t", "192.0.2.10:80", "-s", "rr")
	ipvsadm(t, "-a", "-t", "192.0.2.10:80", "-r", "10.0.0.1:80", "-m", "-w", "9")
	ipvsadm(t, "-A", "-f", "77", "-s", "rr")

	// Each message is a repair, with all that it took: nothing of one is left for the next.
	repairs := make(chan []string, 100)
	r := ipvs.NewReconciler(c,
		ipvs.WithOwned([]ipvs.ServiceKey{mark(77).ServiceKey}),
		ipvs.OnError(func(err error) { t.Errorf("reported: %v", err) }),
		ipvs.OnRepair(func(made []ipvs.Change) {
			var all []string
			for _, c := range made {
				all = append(all, c.String())
			}
			repairs <- all
		}))
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Minute)
	defer cancel()
	done := make(chan error, 1)
	go func() { done <- r.Run(ctx) }()

	r.Set(every())
	if err := r.Applied(ctx); err != nil {
		t.Fatal(err)
	}
	want := every()
	want[alien.ServiceKey] = entry(alien)
	eventually(t, c, want, 0)

	for _, meddle := range []struct{ args, repair string }{
		{"-e -t 192.0.2.10:80 -r 10.0.0.1:80 -m -w 5", "set weight of 10.0.0.1:80 in tcp 192.0.2.10:80 from 5 to 1"},
		{"-d -t [2001:db8::10]:80 -r [2001:db8:1::1]:80", "add destination [2001:db8:1::1]:80 nat weight 1 to tcp [2001:db8::10]:80"},
		{"-D -f 3 -6", "add service fwmark 3 (IPv6) rr"},
		{"-A -f 77 -s rr", "remove service fwmark 77"},
	} {
		ipvsadm(t, strings.Fields(meddle.args)...)
		select {
		case got := <-repairs:
			// The destinations of a service that is added again follow it.
			if got[0] != meddle.repair {
				t.Errorf("after %s: %q, want %s", meddle.args, got, meddle.repair)
			}
		case <-time.After(time.Minute):
			t.Fatalf("no repair after ipvsadm %s", meddle.args)
		}
		eventually(t, c, want, time.Minute)
	}

	if err := errors.Join(r.Stop(ctx), <-done); err != nil {
		t.Error(err)
	}
	eventually(t, c, table(entry(alien)), 0)
}
