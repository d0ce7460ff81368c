package dump

import (
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
)

// The names of the files.
const (
	StatsFile  = "keepalived.stats"
	DataFile   = "keepalived.data"
	ParentFile = "keepalived_parent.data"
	CheckFile  = "keepalived_check.data"
	JSONFile   = "keepalived.json"
)

// JSONMode is the mode of the JSON file, whatever the umask.
const JSONMode fs.FileMode = 0o600

// Folder is where the files go: TMPDIR, as getenv has it, where that is the
// absolute path of a folder, else /tmp.
func Folder(getenv func(string) string) string {
	if dir := getenv("TMPDIR"); filepath.IsAbs(dir) {
		if info, err := os.Stat(dir); err == nil && info.IsDir() {
			return dir
		}
	}
	return "/tmp"
}

// Write gives the file dir/name the content and mode in one step: a reader
// sees the old file or the new one. A symbolic link in its place is replaced,
// never followed.
func Write(dir, name string, mode fs.FileMode, content []byte) error {
	f, err := os.CreateTemp(dir, name+".*")
	if err != nil {
		return fmt.Errorf("write %s: %w", filepath.Join(dir, name), err)
	}
	err = fill(f, mode, content)
	if err == nil {
		err = os.Rename(f.Name(), filepath.Join(dir, name))
	}
	if err != nil {
		os.Remove(f.Name())
		return fmt.Errorf("write %s: %w", filepath.Join(dir, name), err)
	}
	return nil
}

// fill writes and closes f.
func fill(f *os.File, mode fs.FileMode, content []byte) error {
	if _, err := f.Write(content); err != nil {
		f.Close()
		return err
	}
	// Chmod is not subject to the umask; the caller has applied it.
	if err := f.Chmod(mode); err != nil {
		f.Close()
		return err
	}
	return f.Close()
}
