package dump

import (
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/tandem-ha/tandem/config"
)

// The names of the files that no setting changes.
const (
	StatsFile = "keepalived.stats"
	JSONFile  = "keepalived.json"
)

// Part is one of keepalived's processes, which each write a data file.
type Part string

// The parts; that of VRRP has no name.
const (
	VRRP   Part = ""
	Parent Part = "_parent"
	Check  Part = "_check"
	BFD    Part = "_bfd"
)

// DataFile is the path of a part's data file: keepalived.data in folder, unless
// state_dump_file and data_use_instance say otherwise.
func DataFile(folder string, c *config.Config, part Part) string {
	stem, ext, name := "keepalived", ".data", ""
	if c != nil {
		dir, file := filepath.Split(c.Global.Files.StateDump)
		switch {
		case filepath.IsAbs(dir):
			folder = dir
		case dir != "":
			folder = filepath.Join(folder, dir)
		}
		if file != "" {
			ext = filepath.Ext(file)
			stem = strings.TrimSuffix(file, ext)
		}
		if c.Global.Files.DumpInstance {
			names := slices.DeleteFunc([]string{c.Process.NetNamespace, c.Process.Instance}, func(n string) bool { return n == "" })
			name = strings.Join(names, "_")
		}
	}
	if name != "" {
		name = "." + name
	}
	return filepath.Join(folder, stem+string(part)+name+ext)
}

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

// Write gives the file the content and mode in one step: a reader sees the old
// file or the new one. A symbolic link in its place is replaced, never followed.
func Write(path string, mode fs.FileMode, content []byte) error {
	f, err := os.CreateTemp(filepath.Dir(path), filepath.Base(path)+".*")
	if err != nil {
		return fmt.Errorf("write %s: %w", path, err)
	}
	err = fill(f, mode, content)
	if err == nil {
		err = os.Rename(f.Name(), path)
	}
	if err != nil {
		os.Remove(f.Name())
		return fmt.Errorf("write %s: %w", path, err)
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
