package host

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"sync"
	"time"
)

const holdsFile = "holds"

// Holds is the state folder's list of instances that are held back by an
// operator's order (vrrp.Switchover). It outlives a boot. It is safe for use by
// several goroutines.
type Holds struct {
	dir     string
	damaged error
	mu      sync.Mutex
	since   map[string]time.Time
}

// OpenHolds makes the folder where it is missing and reads the holds in it. Where
// that cannot be done, or a file cannot be understood, nothing is held; see Damaged.
func OpenHolds(dir string) *Holds {
	h := &Holds{dir: dir, since: map[string]time.Time{}}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		h.damaged = fmt.Errorf("open holds: %w", err)
		return h
	}
	path := filepath.Join(dir, holdsFile)
	b, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return h
	}
	if err != nil {
		h.damaged = fmt.Errorf("open holds: %w", err)
		return h
	}
	var since map[string]time.Time
	if err := json.Unmarshal(b, &since); err != nil {
		h.damaged = fmt.Errorf("holds in %s are damaged: %w", path, err)
		return h
	}
	maps.Copy(h.since, since)
	return h
}

// Damaged says why the holds could not be read when they were opened.
func (h *Holds) Damaged() error { return h.damaged }

// Add holds an instance from a moment on. One that is held already keeps its
// moment.
func (h *Holds) Add(instance string, since time.Time) error {
	h.mu.Lock()
	defer h.mu.Unlock()
	if _, held := h.since[instance]; held {
		return nil
	}
	h.since[instance] = since.Round(0)
	return h.save()
}

// Remove ends the hold of an instance; where there is none it does nothing.
func (h *Holds) Remove(instance string) error {
	h.mu.Lock()
	defer h.mu.Unlock()
	if _, held := h.since[instance]; !held {
		return nil
	}
	delete(h.since, instance)
	return h.save()
}

// Has says whether an instance is held.
func (h *Holds) Has(instance string) bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	_, held := h.since[instance]
	return held
}

// All returns the held instances with the moments since which they are.
func (h *Holds) All() map[string]time.Time {
	h.mu.Lock()
	defer h.mu.Unlock()
	return maps.Clone(h.since)
}

func (h *Holds) save() error {
	b, err := json.Marshal(h.since)
	if err != nil {
		return fmt.Errorf("save holds: %w", err)
	}
	return replaceFileDurably(h.dir, holdsFile, append(b, '\n'))
}
