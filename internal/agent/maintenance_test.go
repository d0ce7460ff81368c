package agent

import (
	"context"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/tandem-ha/tandem/internal/control"
	"github.com/tandem-ha/tandem/vrrp"
)

// maintain orders maintenance of a node and tells how that ended.
func maintain(t *testing.T, n *node, req control.MaintenanceRequest) (control.MoveOutcome, bool) {
	t.Helper()
	out, ok, err := n.elector.maintain(t.Context(), req)
	if err != nil || len(out) != 1 {
		t.Fatalf("%+v: %v, %v", req, out, err)
	}
	return out[0], ok
}

// A master that goes into maintenance hands over, and does not come back: not when
// its peer dies, not when it starts anew. Afterwards priorities decide.
func TestMaintenanceKeepsANodeBackup(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		better, worse := pair(t)
		served := make(chan struct{})
		go func() {
			defer close(served)
			if o, ok := maintain(t, better, control.MaintenanceRequest{On: true}); !ok || !o.Done || o.State != "BACKUP (maintenance)" {
				t.Errorf("on: %+v, %v", o, ok)
			}
		}()
		for done := false; !done; time.Sleep(time.Millisecond) {
			synctest.Wait()
			if !better.holds(vip) && !worse.holds(vip) {
				t.Fatal("nobody has the VIP")
			}
			select {
			case <-served:
				done = true
			default:
			}
		}
		expect(t, worse, vrrp.Master)
		if s := better.state(); s.Hold || !s.Maintenance {
			t.Errorf("in maintenance: %+v", s)
		}
		worse.isolate(true)
		time.Sleep(10 * settled)
		expect(t, better, vrrp.Backup)
		if _, err := better.elector.move(t.Context(), control.MoveRequest{Kind: vrrp.Failover}); err != nil {
			t.Fatal(err)
		}
		expect(t, better, vrrp.Backup)
		worse.isolate(false)
		time.Sleep(settled)
		if o, ok := maintain(t, better, control.MaintenanceRequest{}); !ok || !o.Done {
			t.Errorf("off: %+v, %v", o, ok)
		}
		time.Sleep(settled)
		expect(t, better, vrrp.Master)
		expect(t, worse, vrrp.Backup)
	})
}

// Where nobody takes over, a master is not in maintenance, and goes on serving; by
// force it gives up all the same.
func TestMaintenanceThatNobodyTakesOver(t *testing.T) {
	for _, c := range []struct {
		name string
		gone func(worse *node)
	}{
		{"peer cut off", func(n *node) { n.isolate(true) }},
		{"peer in fault", func(n *node) { n.link(false) }},
		{"peer in maintenance", func(n *node) {
			n.do(func(now time.Time) { n.elector.setMaintenance(now, true) })
		}},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				better, worse := pair(t)
				c.gone(worse)
				o, ok := maintain(t, better, control.MaintenanceRequest{On: true})
				if ok || o.Done || o.State != "MASTER" || !strings.Contains(o.Text, "still master") {
					t.Errorf("%+v, %v", o, ok)
				}
				if s := better.state(); s.Maintenance || s.Hold || !better.holds(vip) {
					t.Errorf("afterwards: %+v", s)
				}
				o, ok = maintain(t, better, control.MaintenanceRequest{On: true, Force: true})
				synctest.Wait()
				if !ok || !o.Done || better.holds(vip) || !better.state().Maintenance {
					t.Errorf("by force: %+v, %v, %+v", o, ok, better.state())
				}
				time.Sleep(10 * settled)
				expect(t, better, vrrp.Backup)
			})
		})
	}
}

// Instances that a reload adds are in maintenance too, and an order that takes too
// long leaves all as it was.
func TestMaintenanceAndReload(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		_, worse := pair(t)
		if _, ok := maintain(t, worse, control.MaintenanceRequest{On: true}); !ok {
			t.Fatal("a backup could not go into maintenance")
		}
		second := conf("VI_2", 200)
		second.VRID = 77
		worse.apply(conf("VI_1", 100), second)
		worse.do(func(time.Time) {
			for name, in := range worse.elector.index.byName {
				if !in.router.Status().Maintenance {
					t.Errorf("%s is not in maintenance", name)
				}
			}
		})
	})
	synctest.Test(t, func(t *testing.T) {
		better, worse := pair(t)
		worse.isolate(true)
		ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
		defer cancel()
		out, ok, err := better.elector.maintain(ctx, control.MaintenanceRequest{On: true})
		if ok || err != nil || len(out) != 1 || out[0].Done || better.state().Maintenance {
			t.Errorf("%+v, %v, %v", out, ok, err)
		}
		time.Sleep(settled)
		expect(t, better, vrrp.Master)
	})
}
