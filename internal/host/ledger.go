package host

import "sync"

// Ledger is the run folder's record while the agent runs: its parts are written
// by different goroutines, each before the batch that the part describes.
type Ledger struct {
	mu       sync.Mutex
	record   *Record
	contents Contents
	trouble  func(error)
	failing  bool
}

// NewLedger returns the ledger of a record that has contents. trouble, which must not
// block, is told when saving fails, and with nil when it works again.
func NewLedger(record *Record, contents Contents, trouble func(error)) *Ledger {
	return &Ledger{record: record, contents: contents, trouble: trouble}
}

// Contents is what the record has, or would have if it could be saved.
func (l *Ledger) Contents() Contents {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.contents
}

// Update changes the contents and saves them.
func (l *Ledger) Update(change func(*Contents)) {
	l.mu.Lock()
	defer l.mu.Unlock()
	change(&l.contents)
	err := l.record.Save(l.contents)
	if (err != nil) != l.failing {
		l.failing = err != nil
		l.trouble(err)
	}
}
