package agent

import (
	"path/filepath"
	"time"

	"github.com/tandem-ha/tandem/config"
	"github.com/tandem-ha/tandem/internal/journal"
)

const (
	// journalFolder is where events are kept in the state folder.
	journalFolder = "journal"
	// defaultJournalSize is what they may take there, in MiB.
	defaultJournalSize = 8
)

// openJournal begins the journal with what earlier processes kept. That it cannot
// be read, or not be kept on, is told and changes nothing else.
func (a *Agent) openJournal(cfg *config.Config, sinks ...journal.Sink) {
	store, earlier, err := journal.OpenStore(filepath.Join(a.opts.StateDir, journalFolder), journalBytes(cfg), journalSize, a.storeTrouble)
	a.store = store
	a.journal = journal.New(journalSize, time.Now, append(sinks, store.Sink)...)
	a.journal.Resume(earlier, store.Last())
	if err != nil {
		a.journal.Add(journal.Event{Kind: "journal", Level: journal.Warning, Text: "events of before this start may be missing: " + err.Error()})
	}
}

// journalBytes is what the files of the journal may take.
func journalBytes(cfg *config.Config) int64 {
	size := cfg.Tandem.Journal.Size
	if size == 0 {
		size = defaultJournalSize
	}
	return int64(size) << 20
}

func (a *Agent) storeTrouble(err error) {
	e := journal.Event{Kind: "journal", Level: journal.Notice, Text: "events are being kept for the next start again"}
	if err != nil {
		e.Level, e.Text = journal.Warning, "events are not kept for the next start: "+err.Error()
	}
	a.journal.Add(e)
}
