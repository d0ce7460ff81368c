package agent

import (
	"sync"

	"github.com/tandem-ha/tandem/internal/host"
)

// ledger is the run folder's record while the agent runs: its parts are written
// by different goroutines, each before the batch that the part describes.
type ledger struct {
	mu       sync.Mutex
	record   *host.Record
	contents host.Contents
	// trouble is told when saving fails, and when it works again (nil).
	trouble func(error)
	failing bool
}

// update changes the contents and saves them.
func (l *ledger) update(change func(*host.Contents)) {
	l.mu.Lock()
	defer l.mu.Unlock()
	change(&l.contents)
	err := l.record.Save(l.contents)
	if (err != nil) != l.failing {
		l.failing = err != nil
		l.trouble(err)
	}
}
