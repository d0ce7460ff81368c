package agent

import (
	"context"
	"errors"
	"net/netip"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/tandem-ha/tandem/config"
	"github.com/tandem-ha/tandem/internal/host"
	"github.com/tandem-ha/tandem/internal/journal"
	"github.com/tandem-ha/tandem/ipvs"
)

// droppings is a packet filter in memory.
type droppings struct {
	mu sync.Mutex
	dropped
}

// dropped is what is in it.
type dropped struct {
	rules host.UnsyncedRules
	table bool
	open  bool
	fail  error
	told  []error
}

// with has something done to it, and returns what is in it afterwards.
func (d *droppings) with(do func(*dropped)) dropped {
	d.mu.Lock()
	defer d.mu.Unlock()
	do(&d.dropped)
	return d.dropped
}

func (d *droppings) look() dropped { return d.with(func(*dropped) {}) }

func (d *droppings) Left() (bool, error) { l := d.look(); return l.table, l.fail }
func (d *droppings) Apply(r host.UnsyncedRules, _ time.Duration) error {
	return d.with(func(d *dropped) { d.rules, d.table = r, true }).fail
}
func (d *droppings) Remove() error {
	return d.with(func(d *dropped) { d.rules, d.table = host.UnsyncedRules{}, false }).fail
}
func (d *droppings) Close() error {
	d.with(func(d *dropped) { d.open = false })
	return nil
}

// balanced is a balancer whose sync daemon goes by VI_1, with one service.
func balanced(d *droppings, sync *config.SyncDaemon) (b *balancer, stop func()) {
	b = newBalancer(journal.New(10, time.Now))
	b.patience = newPatience(func(err error) { d.with(func(d *dropped) { d.told = append(d.told, err) }) })
	b.patience.open = func(*config.Config) (unsyncedTable, error) {
		d.with(func(d *dropped) { d.open = true })
		return d, nil
	}
	b.conf = &config.Config{}
	b.conf.Global.LVS.Sync = sync
	b.kernel = []*config.VirtualServer{{Addr: netip.MustParseAddr("192.0.2.1"), Port: 80, Protocol: "TCP"}}
	cfg := b.conf
	stop = alone(func(ctx context.Context) { _ = b.patience.run(ctx, cfg, b.unsynced) })
	synctest.Wait()
	return b, stop
}

// From the moment when the addresses are asked for, until all connections have
// been told of, and no longer than this node is master.
func TestPatienceAfterATakeover(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		// An earlier process has left a table.
		d := &droppings{dropped: dropped{table: true}}
		b, stop := balanced(d, &config.SyncDaemon{Instance: "VI_1"})
		defer stop()
		is := func(when string, want bool) {
			t.Helper()
			synctest.Wait()
			if l := d.look(); l.table != want || (len(l.rules.Services) == 1) != want {
				t.Errorf("%s: %+v", when, l)
			}
		}
		is("at the start", false)
		b.mastership("VI_2", true)
		b.taking("VI_2")
		is("of another instance", false)
		b.taking("VI_1")
		is("about to be master", true)
		time.Sleep(time.Second)
		b.mastership("VI_1", true)
		time.Sleep(ipvs.SyncLinger - time.Millisecond)
		is("soon after", true)
		time.Sleep(2 * time.Millisecond)
		is("after the linger", false)
		b.mastership("VI_1", false)
		is("master no longer", false)
		b.mastership("VI_1", true)
		is("master again", true)
		b.mastership("VI_1", false)
		is("and no longer", false)
		d.with(func(d *dropped) { d.fail = errors.New("no") })
		b.taking("VI_1")
		synctest.Wait()
		if told := d.look().told; len(told) != 1 {
			t.Errorf("told %v", told)
		}
	})
}

// What there is goes at the end of the program.
func TestPatienceEndsWithTheProgram(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := &droppings{}
		b, stop := balanced(d, &config.SyncDaemon{Instance: "VI_1"})
		b.taking("VI_1")
		synctest.Wait()
		if !d.look().table {
			t.Error("nothing is dropped")
		}
		stop()
		if l := d.look(); l.table || l.open {
			t.Errorf("left: %+v", l)
		}
	})
}

// Without the sync daemon nothing is so much as opened.
func TestNoPatienceWithoutTheSyncDaemon(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := &droppings{}
		b, stop := balanced(d, nil)
		defer stop()
		b.taking("VI_1")
		b.mastership("VI_1", true)
		synctest.Wait()
		if l := d.look(); l.open || l.table {
			t.Errorf("%+v", l)
		}
	})
}
