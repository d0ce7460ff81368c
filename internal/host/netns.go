package host

import (
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strings"

	"golang.org/x/sys/unix"
)

// namespaceFolder is where ip-netns(8) keeps the named network namespaces.
const namespaceFolder = "/run/netns"

// InNamespace calls open on a thread that is in the network namespace of that
// name, as ip-netns(8) has them, or in the one that the first process of the host
// is in, where name is empty. What open opens belongs to that namespace and stays
// there, whoever uses it later. Goroutines that open starts are not in it.
func InNamespace(name string, open func() error) error {
	path := "/proc/1/ns/net"
	if name != "" {
		if strings.ContainsRune(name, '/') || name == ".." {
			return fmt.Errorf("network namespace %q: not a name", name)
		}
		path = filepath.Join(namespaceFolder, name)
	}
	there, err := os.Open(path)
	if err != nil {
		return fmt.Errorf("network namespace %q: %w", name, err)
	}
	defer func() { _ = there.Close() }()
	done := make(chan error, 1)
	go func() { done <- inside(name, there, open) }()
	return <-done
}

// inside is for a goroutine of its own. Where its thread cannot go back, it stays
// locked to it, and the thread ends with the goroutine.
func inside(name string, there *os.File, open func() error) error {
	runtime.LockOSThread()
	back, err := os.Open("/proc/thread-self/ns/net")
	if err != nil {
		runtime.UnlockOSThread()
		return fmt.Errorf("network namespace of this thread: %w", err)
	}
	defer func() { _ = back.Close() }()
	if err := unix.Setns(int(there.Fd()), unix.CLONE_NEWNET); err != nil {
		runtime.UnlockOSThread()
		return fmt.Errorf("enter network namespace %q: %w", name, err)
	}
	err = open()
	if unix.Setns(int(back.Fd()), unix.CLONE_NEWNET) == nil {
		runtime.UnlockOSThread()
	}
	return err
}
