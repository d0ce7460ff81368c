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

// Kept is what the state folder keeps of instances. It outlives a boot.
type Kept struct {
	// Holds are the instances that are held back by an operator's order
	// (vrrp.Switchover), with the moments since which they are.
	Holds *Moments
	// Damped are those that stand back after having lost their mastership too often
	// (vrrp.Damping), with the moments until which they do.
	Damped *Moments
}

// OpenKept makes the folder where it is missing and reads what is kept in it.
func OpenKept(dir string) Kept {
	return Kept{Holds: openMoments(dir, "holds"), Damped: openMoments(dir, "damped")}
}

// Damaged says what could not be read when it was opened.
func (k Kept) Damaged() error { return errors.Join(k.Holds.damaged, k.Damped.damaged) }

// Moments is a file of moments by instance. It is safe for use by several
// goroutines.
type Moments struct {
	dir, file string
	damaged   error
	mu        sync.Mutex
	at        map[string]time.Time
}

// openMoments reads a file. Where that cannot be done, or the file cannot be
// understood, there is nothing in it; see Kept.Damaged.
func openMoments(dir, file string) *Moments {
	m := &Moments{dir: dir, file: file, at: map[string]time.Time{}}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		m.damaged = fmt.Errorf("open %s: %w", file, err)
		return m
	}
	path := filepath.Join(dir, file)
	b, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return m
	}
	if err != nil {
		m.damaged = fmt.Errorf("open %s: %w", file, err)
		return m
	}
	var at map[string]time.Time
	if err := json.Unmarshal(b, &at); err != nil {
		m.damaged = fmt.Errorf("%s is damaged: %w", path, err)
		return m
	}
	maps.Copy(m.at, at)
	return m
}

// Add keeps a moment for an instance that has none.
func (m *Moments) Add(instance string, at time.Time) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if _, there := m.at[instance]; there {
		return nil
	}
	return m.set(instance, at)
}

// Set keeps a moment for an instance in the place of what it had.
func (m *Moments) Set(instance string, at time.Time) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.set(instance, at)
}

func (m *Moments) set(instance string, at time.Time) error {
	m.at[instance] = at.Round(0)
	return m.save()
}

// Remove forgets the moment of an instance; where there is none it does nothing.
func (m *Moments) Remove(instance string) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if _, there := m.at[instance]; !there {
		return nil
	}
	delete(m.at, instance)
	return m.save()
}

// At is the moment of an instance, zero where it has none.
func (m *Moments) At(instance string) time.Time {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.at[instance]
}

// Has says whether an instance has a moment.
func (m *Moments) Has(instance string) bool { return !m.At(instance).IsZero() }

// All returns all moments by instance.
func (m *Moments) All() map[string]time.Time {
	m.mu.Lock()
	defer m.mu.Unlock()
	return maps.Clone(m.at)
}

func (m *Moments) save() error {
	b, err := json.Marshal(m.at)
	if err != nil {
		return fmt.Errorf("save %s: %w", m.file, err)
	}
	return replaceFileDurably(m.dir, m.file, append(b, '\n'))
}
