package agent

import (
	"context"
	"errors"
	"sync"
	"time"

	"github.com/tandem-ha/tandem/config"
	"github.com/tandem-ha/tandem/internal/desired"
	"github.com/tandem-ha/tandem/internal/host"
	"github.com/tandem-ha/tandem/internal/journal"
	"github.com/tandem-ha/tandem/ipvs"
)

// unsyncedTable is the table of the packet filter that drops what IPVS does not
// know yet.
type unsyncedTable interface {
	Left() (bool, error)
	Apply(rules host.UnsyncedRules, limit time.Duration) error
	Remove() error
	Close() error
}

// patience keeps this host, from a takeover on until the kernel has been told of
// all connections, from answering for those that it does not know yet.
type patience struct {
	open    func(cfg *config.Config) (unsyncedTable, error)
	trouble func(error)
	wake    chan struct{}

	mu    sync.Mutex
	until time.Time
}

func newPatience(trouble func(error)) *patience {
	return &patience{open: openUnsynced, trouble: trouble, wake: make(chan struct{}, 1)}
}

// openUnsynced opens the packet filter where the IPVS of cfg is.
func openUnsynced(cfg *config.Config) (unsyncedTable, error) {
	var table *host.Unsynced
	err := inIPVS(cfg, func() (err error) {
		table, err = host.NewUnsynced()
		return err
	})
	if err != nil {
		return nil, err
	}
	return table, nil
}

// begin has it from now on, and end no longer; neither waits.
func (p *patience) begin() { p.set(time.Now().Add(ipvs.SyncLinger)) }

func (p *patience) end() { p.set(time.Time{}) }

func (p *patience) set(until time.Time) {
	p.mu.Lock()
	p.until = until
	p.mu.Unlock()
	p.again()
}

// again has the rules made anew.
func (p *patience) again() {
	select {
	case p.wake <- struct{}{}:
	default:
	}
}

func (p *patience) left() time.Duration {
	p.mu.Lock()
	defer p.mu.Unlock()
	return time.Until(p.until)
}

// run keeps the rules that wanted gives, as long as there is to be patience, and
// until ctx is done. Where cfg has a sync daemon, what a process that crashed has
// left goes first.
func (p *patience) run(ctx context.Context, cfg *config.Config, wanted func() host.UnsyncedRules) error {
	var table unsyncedTable
	if cfg.Global.LVS.Sync != nil {
		table = p.sweep(cfg)
	}
	defer func() {
		if table != nil {
			p.tell(table.Close())
		}
	}()
	timer := time.NewTimer(time.Hour)
	timer.Stop()
	on := false
	for {
		select {
		case <-ctx.Done():
			if on {
				p.tell(table.Remove())
			}
			return nil
		case <-p.wake:
		case <-timer.C:
		}
		left := p.left()
		var rules host.UnsyncedRules
		if left > 0 {
			rules = wanted()
			timer.Reset(left)
		}
		some := len(rules.Services)+len(rules.Marks)+len(rules.Servers) > 0
		if some && table == nil {
			table = p.sweep(cfg)
		}
		switch {
		case table == nil:
		case some:
			on = true
			p.tell(table.Apply(rules, left))
		case on:
			err := table.Remove()
			p.tell(err)
			on = err != nil
		}
	}
}

// sweep opens the table and removes what an earlier process left in it. It is nil
// where the packet filter cannot be used, which is told.
func (p *patience) sweep(cfg *config.Config) unsyncedTable {
	table, err := p.open(cfg)
	if err != nil {
		p.tell(err)
		return nil
	}
	left, err := table.Left()
	if left {
		err = errors.Join(err, table.Remove())
	}
	p.tell(err)
	return table
}

func (p *patience) tell(err error) {
	if err != nil {
		p.trouble(err)
	}
}

// unsyncedTrouble tells why connections opened just before a takeover may end.
func (b *balancer) unsyncedTrouble(err error) {
	b.journal.Add(journal.Event{Area: journal.Checks, Kind: "unsynced", Level: journal.Warning,
		Text: "lvs_sync_daemon: " + err.Error()})
}

// taking is told of an instance that this node is about to be master of, before
// its addresses are here.
func (b *balancer) taking(instance string) {
	b.mu.Lock()
	awaits := desired.Awaits(b.conf, instance)
	b.mu.Unlock()
	if awaits {
		b.patience.begin()
	}
}

// unsynced gives what is to be dropped while connections are still to come.
func (b *balancer) unsynced() host.UnsyncedRules {
	b.mu.Lock()
	defer b.mu.Unlock()
	sync := b.conf.Global.LVS.Sync
	if sync == nil {
		return host.UnsyncedRules{}
	}
	// Where there is to be patience the instance is this node's, or about to be.
	master := func(instance string) bool { return instance == sync.Instance || b.masters[instance] }
	return desired.Unsynced(b.kernel, master, b.links.has)
}
