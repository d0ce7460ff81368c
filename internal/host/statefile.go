package host

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
)

// StateFile is a file of the state folder that holds one JSON value and outlives
// a boot.
type StateFile struct {
	dir, name string
}

// NewStateFile names a file; nothing is opened yet.
func NewStateFile(dir, name string) StateFile { return StateFile{dir, name} }

// Load reads the value into v. A missing file leaves v as it is. The error of one
// that cannot be read or understood names it.
func (f StateFile) Load(v any) error {
	path := filepath.Join(f.dir, f.name)
	b, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("load state: %w", err)
	}
	if err := json.Unmarshal(b, v); err != nil {
		return fmt.Errorf("load state: %s is damaged: %w", path, err)
	}
	return nil
}

// Save replaces the value so that a reader, also one after a power cut, sees the
// old one or the new. It makes the folder where it is missing.
func (f StateFile) Save(v any) error {
	b, err := json.MarshalIndent(v, "", "  ")
	if err != nil {
		return fmt.Errorf("save state: %w", err)
	}
	if err := os.MkdirAll(f.dir, 0o755); err != nil {
		return fmt.Errorf("save state: %w", err)
	}
	return replaceFileDurably(f.dir, f.name, append(b, '\n'))
}
