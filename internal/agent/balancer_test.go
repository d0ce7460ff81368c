package agent

import (
	"context"
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/tandem-ha/tandem/config"
	"github.com/tandem-ha/tandem/health"
	"github.com/tandem-ha/tandem/internal/desired"
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

// The kernel has the services that are known before those that are not, of which
// what an earlier process left stays.
func TestKnownServicesComeFirst(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		service := func(last byte) *config.VirtualServer {
			addr := netip.AddrFrom4([4]byte{192, 0, 2, last})
			return &config.VirtualServer{Name: addr.String(), Addr: addr, Port: 80, Protocol: "TCP", Scheduler: "rr"}
		}
		known, unknown, old := service(1), service(2), service(3)
		left := ipvs.Table{}
		for _, vs := range []*config.VirtualServer{unknown, old} {
			left[desired.ServiceKey(vs)] = ipvs.Entry{Service: ipvs.Service{ServiceKey: desired.ServiceKey(vs), Scheduler: "rr"}}
		}
		kernel := ipvstest.New(left)
		b := newBalancer(journal.New(10, time.Now))
		b.scheduler = health.NewScheduler(b.heard)
		b.reconciler = ipvs.NewReconciler(kernel, ipvs.WithOwned([]ipvs.ServiceKey{desired.ServiceKey(unknown), desired.ServiceKey(old)}))
		b.globals = ipvs.NewGlobalsKeeper(ipvstest.NewGlobals(), func(error) {})
		defer alone(func(ctx context.Context) { _ = b.reconciler.Run(ctx) })()
		b.apply(&config.Config{VirtualServers: []*config.VirtualServer{known, unknown}}, nil)
		for _, step := range []struct {
			hears *config.VirtualServer
			want  []*config.VirtualServer
		}{
			{known, []*config.VirtualServer{known, unknown, old}},
			{unknown, []*config.VirtualServer{known, unknown}},
		} {
			b.heard(step.hears.Checked(), health.PoolChanged{Pool: health.Pool{}})
			b.push()
			time.Sleep(time.Minute)
			got := kernel.Holds()
			for _, vs := range step.want {
				if _, there := got[desired.ServiceKey(vs)]; !there || len(got) != len(step.want) {
					t.Errorf("after the pool of %s: %v", step.hears.Name, got)
				}
			}
		}
	})
}

// What a reload leaves as it was is not given to the kernel again, and what it
// changes, adds, moves or removes is.
func TestReloadOfServices(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		left := ipvs.ServiceKey{Protocol: 6, Addr: netip.MustParseAddr("192.0.2.9"), Port: 80}
		kernel := ipvstest.New(ipvs.Table{left: {Service: ipvs.Service{ServiceKey: left, Scheduler: "rr", Netmask: 32}}})
		b := newBalancer(journal.New(10, time.Now))
		b.active = true
		b.scheduler = health.NewScheduler(b.heard)
		b.reconciler = ipvs.NewReconciler(kernel, ipvs.WithOwned([]ipvs.ServiceKey{left}))
		b.globals = ipvs.NewGlobalsKeeper(ipvstest.NewGlobals(), func(error) {})
		for _, run := range []func(context.Context){
			b.scheduler.Run,
			func(ctx context.Context) { _ = b.run(ctx) },
			func(ctx context.Context) { _ = b.reconciler.Run(ctx) },
		} {
			defer alone(run)()
		}
		path := filepath.Join(t.TempDir(), "f.conf")
		var reader config.Reader
		var services desired.ServiceMaker
		service := func(last int, scheduler string, uthreshold int) string {
			return fmt.Sprintf("virtual_server 192.0.2.%d 80 {\n lvs_sched %s\n lvs_method NAT\n protocol TCP\n real_server 198.51.100.1 80 {\n  uthreshold %d\n }\n}\n",
				last, scheduler, uthreshold)
		}
		for _, text := range []string{
			"",
			service(1, "rr", 1) + service(2, "rr", 1) + service(3, "rr", 1),
			service(1, "rr", 1) + service(2, "rr", 2) + service(3, "rr", 1),
			service(1, "lc", 1) + service(2, "rr", 2) + service(3, "rr", 1),
			"\n" + service(1, "lc", 1) + service(2, "rr", 2) + service(3, "rr", 3),
			service(2, "rr", 2) + service(1, "lc", 1) + service(3, "rr", 3),
			service(2, "rr", 2) + service(1, "lc", 1) + service(4, "rr", 3),
			service(2, "rr", 2),
			"",
		} {
			if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
				t.Fatal(err)
			}
			cfg, _ := reader.Load(path, config.Options{})
			made, _ := services.Services(cfg, desired.Scripts{}, desired.Sources{})
			b.apply(cfg, made)
			time.Sleep(100 * time.Millisecond)
			pools := map[string]health.Pool{}
			for _, s := range made {
				at := s.Servers[0]
				pools[s.Name] = health.Pool{{Addr: at.Addr, Port: at.Port, Weight: at.Weight}}
			}
			want := desired.Table(cfg.VirtualServers, pools, nil).Normal()
			if d := cmp.Diff(want, kernel.Holds(), cmpopts.EquateComparable(netip.Addr{})); d != "" {
				t.Fatalf("the kernel's table differs from that of\n%s\n%s", text, d)
			}
		}
	})
}
