package agent

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"github.com/tandem-ha/tandem/health"
	"github.com/tandem-ha/tandem/internal/journal"
	"github.com/tandem-ha/tandem/ipvs"
	"github.com/tandem-ha/tandem/ipvs/ipvstest"
)

// A node that starts again is master before its virtual servers are known: what an
// earlier process left of them stays meanwhile.
func TestMastershipBeforeTheConfigurationLeavesTheTable(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		key := ipvs.ServiceKey{Protocol: 6, Port: 80}
		left := ipvs.Table{key: {Service: ipvs.Service{ServiceKey: key, Scheduler: "rr", Netmask: 32}}}
		kernel := ipvstest.New(left)
		b := newBalancer(journal.New(10, time.Now))
		b.active = true
		b.scheduler = health.NewScheduler(b.heard)
		b.reconciler = ipvs.NewReconciler(kernel, ipvs.WithOwned([]ipvs.ServiceKey{key}))
		b.globals = ipvs.NewGlobalsKeeper(ipvstest.NewGlobals(), func(error) {})
		stop := alone(func(ctx context.Context) { _ = b.reconciler.Run(ctx) })
		defer stop()
		b.mastership("VI_1", true)
		b.push()
		time.Sleep(time.Minute)
		if got := kernel.Holds(); len(got) != 1 {
			t.Errorf("the table is %v", got)
		}
	})
}
