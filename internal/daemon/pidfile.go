package daemon

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

// pidFileMode is the mode of a pid file, whatever the umask: anybody may know.
const pidFileMode = 0o644

// RunningError says that another process holds a pid file.
type RunningError struct {
	Path string
	// PID is what the file says, zero where it says nothing.
	PID int
}

// Error is keepalived's line, which people look for, with the details.
func (e *RunningError) Error() string {
	if e.PID == 0 {
		return fmt.Sprintf("daemon is already running: %s is locked", e.Path)
	}
	return fmt.Sprintf("daemon is already running: process %d holds %s", e.PID, e.Path)
}

// pidFile is a pid file that this process holds: open, locked with an open
// file description lock as keepalived's are, so that neither of the two starts
// beside the other.
type pidFile struct {
	path string
	file *os.File
}

// lockPIDFile opens the file at path, creates it if need be, and locks it. The
// error is a *RunningError where another process has it locked.
func lockPIDFile(path string) (*pidFile, error) {
	// A holder that ends removes its file, so that what was locked here may no
	// longer be what the path names; then the next turn makes a new one.
	const turns = 10
	for range turns {
		f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE|unix.O_NOFOLLOW, pidFileMode)
		if err != nil {
			return nil, fmt.Errorf("pid file: %w", err)
		}
		if err := lock(f); err != nil {
			defer f.Close()
			if errors.Is(err, unix.EAGAIN) || errors.Is(err, unix.EACCES) {
				return nil, &RunningError{Path: path, PID: readPID(f)}
			}
			return nil, fmt.Errorf("pid file %s: lock: %w", path, err)
		}
		same, err := names(path, f)
		if err != nil {
			f.Close()
			return nil, fmt.Errorf("pid file: %w", err)
		}
		if same {
			return &pidFile{path: path, file: f}, nil
		}
		f.Close()
	}
	return nil, fmt.Errorf("pid file %s: it is removed as often as it is made", path)
}

// lock takes the write lock on the whole file, which ends with the file.
func lock(f *os.File) error {
	l := unix.Flock_t{Type: unix.F_WRLCK, Whence: io.SeekStart}
	return unix.FcntlFlock(f.Fd(), unix.F_OFD_SETLK, &l)
}

// names reports whether path names the open file f.
func names(path string, f *os.File) (bool, error) {
	mine, err := f.Stat()
	if err != nil {
		return false, err
	}
	there, err := os.Lstat(path)
	if errors.Is(err, fs.ErrNotExist) {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	return os.SameFile(mine, there), nil
}

// readPID is the process id in f, zero if there is none.
func readPID(f *os.File) int {
	var b [32]byte
	n, _ := f.ReadAt(b[:], 0)
	pid, err := strconv.Atoi(strings.TrimSpace(string(b[:n])))
	if err != nil {
		return 0
	}
	return pid
}

// Write makes pid the file's whole content, in the form of keepalived's.
func (p *pidFile) Write(pid int) error {
	if err := p.file.Chmod(pidFileMode); err != nil {
		return fmt.Errorf("pid file: %w", err)
	}
	if err := p.file.Truncate(0); err != nil {
		return fmt.Errorf("pid file: %w", err)
	}
	if _, err := p.file.WriteAt([]byte(strconv.Itoa(pid)+"\n"), 0); err != nil {
		return fmt.Errorf("pid file: %w", err)
	}
	return nil
}

// Remove removes the file, if it is still the one that was locked, and lets
// the lock go.
func (p *pidFile) Remove() error {
	defer p.file.Close()
	same, err := names(p.path, p.file)
	if err != nil {
		return fmt.Errorf("pid file: %w", err)
	}
	if !same {
		return nil
	}
	if err := os.Remove(p.path); err != nil {
		return fmt.Errorf("pid file: %w", err)
	}
	return nil
}

// PIDFiles are the pid files of one daemon.
type PIDFiles []*pidFile

// LockPIDFiles locks the files at all the paths, or none, and writes pid into
// them. A path that is given twice is one file.
func LockPIDFiles(pid int, paths ...string) (PIDFiles, error) {
	var files PIDFiles
	seen := make(map[string]bool, len(paths))
	for _, path := range paths {
		path = filepath.Clean(path)
		if seen[path] {
			continue
		}
		seen[path] = true
		f, err := lockPIDFile(path)
		if err != nil {
			return nil, errors.Join(err, files.Remove())
		}
		files = append(files, f)
	}
	for _, f := range files {
		if err := f.Write(pid); err != nil {
			return nil, errors.Join(err, files.Remove())
		}
	}
	return files, nil
}

// Remove removes all the files.
func (files PIDFiles) Remove() error {
	var errs []error
	for _, f := range files {
		errs = append(errs, f.Remove())
	}
	return errors.Join(errs...)
}
