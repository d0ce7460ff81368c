package agent

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/tandem-ha/tandem/config"
	"github.com/tandem-ha/tandem/internal/control"
	"github.com/tandem-ha/tandem/internal/drift"
	"github.com/tandem-ha/tandem/internal/journal"
)

const (
	// peerInterval is how often the other node is asked for its configuration.
	peerInterval = 30 * time.Second
	// peerLimit bounds each time.
	peerLimit = 10 * time.Second
)

// peerWatch compares the other node's configuration with this one's from time to
// time: both nodes are to hold the same.
type peerWatch struct {
	journal *journal.Journal
	wake    chan struct{}

	mu     sync.Mutex
	conf   *config.Config
	status *control.PeerStatus
}

func newPeerWatch(j *journal.Journal) *peerWatch {
	return &peerWatch{journal: j, wake: make(chan struct{}, 1)}
}

// configure compares with cfg from now on.
func (w *peerWatch) configure(cfg *config.Config) {
	w.mu.Lock()
	w.conf = cfg
	if !cfg.Tandem.API.Peer.IsValid() {
		w.status = nil
	} else if address := cfg.Tandem.API.Peer.String(); w.status == nil || w.status.Address != address {
		w.status = &control.PeerStatus{Address: address}
	}
	w.mu.Unlock()
	select {
	case w.wake <- struct{}{}:
	default:
	}
}

// run compares until ctx is done.
func (w *peerWatch) run(ctx context.Context) error {
	tick := time.NewTicker(peerInterval)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-tick.C:
		case <-w.wake:
		}
		w.mu.Lock()
		conf := w.conf
		w.mu.Unlock()
		if conf != nil && conf.Tandem.API.Peer.IsValid() {
			w.compare(ctx, conf)
		}
	}
}

// compare asks once, and tells of what is new.
func (w *peerWatch) compare(ctx context.Context, conf *config.Config) {
	limit, cancel := context.WithTimeout(ctx, peerLimit)
	defer cancel()
	found, err := driftOf(limit, conf)
	if ctx.Err() != nil {
		return
	}
	next := &control.PeerStatus{Address: conf.Tandem.API.Peer.String(), Asked: time.Now(), Drift: found}
	if err != nil {
		next.Err = err.Error()
	}
	w.mu.Lock()
	was := w.status
	if w.conf != conf {
		w.mu.Unlock()
		return
	}
	w.status = next
	w.mu.Unlock()
	if was != nil && was.Err == next.Err && slices.Equal(was.Drift, next.Drift) {
		return
	}
	e := journal.Event{Kind: "peer-configuration", Level: journal.Notice, Subject: next.Address,
		Text: fmt.Sprintf("the configuration of the peer %s is the same", next.Address)}
	switch {
	case err != nil:
		e.Text = fmt.Sprintf("the configuration of the peer %s cannot be compared: %v", next.Address, err)
	case len(found) > 0:
		e.Level = journal.Warning
		e.Text = fmt.Sprintf("the configuration of the peer %s differs in %d values, the first: %s", next.Address, len(found), drift.Line(found[0]))
	}
	w.journal.Add(e)
}

func driftOf(ctx context.Context, conf *config.Config) ([]config.Difference, error) {
	client, err := control.PeerClient(conf.Tandem.API, conf.Tandem.API.Peer.String())
	if err != nil {
		return nil, err
	}
	theirs, err := client.Config(ctx)
	if err != nil {
		return nil, err
	}
	ours, err := drift.Shared(conf)
	if err != nil {
		return nil, err
	}
	return drift.Between(ours, theirs), nil
}

// now is what is known of the other node, nil where there is none to know of.
func (w *peerWatch) now() *control.PeerStatus {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.status
}
