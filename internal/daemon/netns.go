package daemon

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"strings"

	"golang.org/x/sys/unix"
)

// namespaceFolder is where ip-netns(8) keeps the named network namespaces.
const namespaceFolder = "/run/netns"

// EnterNamespace makes the whole process live in the network namespace of that
// name (as ip-netns(8) names them). Threads of a running program cannot all be
// moved, so where the process is not there yet it executes itself again with
// the same arguments from a thread that is: then EnterNamespace does not
// return.
func EnterNamespace(name string) error {
	if name == "" || strings.ContainsRune(name, '/') || name == "." || name == ".." {
		return fmt.Errorf("network namespace %q: not a name", name)
	}
	f, err := os.Open(filepath.Join(namespaceFolder, name))
	if errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("network namespace %q does not exist: make it with ip netns add %s", name, name)
	}
	if err != nil {
		return fmt.Errorf("network namespace %q: %w", name, err)
	}
	defer f.Close()
	there, err := sameNamespace(f)
	if err != nil {
		return fmt.Errorf("network namespace %q: %w", name, err)
	}
	if there {
		return nil
	}
	self, err := os.Executable()
	if err != nil {
		return fmt.Errorf("network namespace %q: %w", name, err)
	}
	// Without an unlock: a thread that has changed its namespace and failed to
	// execute must not run anything else.
	runtime.LockOSThread()
	if err := unix.Setns(int(f.Fd()), unix.CLONE_NEWNET); err != nil {
		return fmt.Errorf("network namespace %q: %w", name, err)
	}
	return fmt.Errorf("network namespace %q: execute again: %w", name, unix.Exec(self, os.Args, os.Environ()))
}

// sameNamespace reports whether f is the namespace that the process is in.
func sameNamespace(f *os.File) (bool, error) {
	want, err := f.Stat()
	if err != nil {
		return false, err
	}
	have, err := os.Stat("/proc/self/ns/net")
	if err != nil {
		return false, err
	}
	return os.SameFile(want, have), nil
}
