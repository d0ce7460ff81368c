package host

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"sync"

	"github.com/tandem-ha/tandem/ipvs"
	"github.com/tandem-ha/tandem/vrrp"
)

// The files of the run folder.
const (
	recordFile = "state"
	stampsFile = "stamps"
)

// recordVersion is the format of the record. A record of another version is
// treated as damaged: nothing in it is believed.
const recordVersion = 1

// Contents is what the record says: what is ours on this host, written before
// the batch that it describes, so that a later run knows it after any crash.
type Contents struct {
	// Addresses are those that are, or may be, on the interfaces through us.
	Addresses []Address `json:"addresses,omitempty"`
	// Routes and Rules are those that are, or may be, in the kernel's tables
	// through us.
	Routes []Route `json:"routes,omitempty"`
	Rules  []Rule  `json:"rules,omitempty"`
	// Firewall is what is, or may be, in the packet filter through us.
	Firewall FirewallRules `json:"firewall,omitzero"`
	// Links are those that are, or may be, on the host through us.
	Links []VirtualLink `json:"links,omitempty"`
	// Sysctls are the settings that are, or may be, changed, with what they were
	// before.
	Sysctls []SavedSysctl `json:"sysctls,omitempty"`
	// Services are those that are, or may be, in the IPVS table through us.
	Services []ipvs.ServiceKey `json:"services,omitempty"`
	// Instances is the state of each instance, by name.
	Instances map[string]InstanceRecord `json:"instances,omitempty"`
}

// InstanceRecord is one instance's part of the record.
type InstanceRecord struct {
	State vrrp.State `json:"state"`
	Hold  bool       `json:"hold,omitempty"`
}

type recordForm struct {
	Version int `json:"version"`
	Contents
}

// Record is the run folder's account of what is ours. It is safe for use by
// several goroutines.
type Record struct {
	dir    string
	mu     sync.Mutex
	last   []byte
	stamps *stamps
}

// OpenRecord makes the folder where it is missing and opens the record in it.
func OpenRecord(dir string) (*Record, error) {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return nil, fmt.Errorf("open record: %w", err)
	}
	s, err := openStamps(filepath.Join(dir, stampsFile))
	if err != nil {
		return nil, fmt.Errorf("open record: %w", err)
	}
	return &Record{dir: dir, stamps: s}, nil
}

// Load reads the record. A missing one is empty. The error of a damaged one
// says what is wrong; the contents are empty then, and the next Save puts it
// right.
func (r *Record) Load() (Contents, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	path := filepath.Join(r.dir, recordFile)
	b, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return Contents{}, nil
	}
	if err != nil {
		return Contents{}, fmt.Errorf("read record: %w", err)
	}
	var form recordForm
	if err := json.Unmarshal(b, &form); err != nil {
		return Contents{}, fmt.Errorf("record %s is damaged: %w", path, err)
	}
	if form.Version != recordVersion {
		return Contents{}, fmt.Errorf("record %s has version %d, not %d", path, form.Version, recordVersion)
	}
	r.last = b
	return form.Contents, nil
}

// Save replaces the record; where nothing changed since the last Save or Load it
// touches no file.
func (r *Record) Save(c Contents) error {
	b, err := json.Marshal(recordForm{recordVersion, c})
	if err != nil {
		return fmt.Errorf("save record: %w", err)
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if bytes.Equal(b, r.last) {
		return nil
	}
	if err := replaceFile(r.dir, recordFile, b); err != nil {
		r.last = nil
		return fmt.Errorf("save record: %w", err)
	}
	r.last = b
	return nil
}

// Close closes the stamps; the record stays.
func (r *Record) Close() error { return r.stamps.close() }
