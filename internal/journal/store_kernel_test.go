//go:build kernel

package journal

import (
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// mounted is, in the process that has mounts of its own, where to mount.
const mounted = "TANDEM_TEST_MOUNTED"

// TestStoreOnABadDisk fills a disk, makes room on it, makes it read-only and back:
// each is told once, nothing waits, and what was written is whole. It runs in a
// process with mounts of its own, which go with it.
func TestStoreOnABadDisk(t *testing.T) {
	if os.Getenv(mounted) == "" {
		c := exec.Command(os.Args[0], "-test.run=^TestStoreOnABadDisk$", "-test.v")
		c.Env = append(os.Environ(), mounted+"="+t.TempDir())
		c.SysProcAttr = &syscall.SysProcAttr{Unshareflags: unix.CLONE_NEWNS}
		if out, err := c.CombinedOutput(); err != nil {
			t.Fatalf("%v\n%s", err, out)
		}
		return
	}
	dir := os.Getenv(mounted)
	mount := func(flags uintptr, options string) {
		t.Helper()
		if err := unix.Mount("tmpfs", dir, "tmpfs", flags, options); err != nil {
			t.Fatal(err)
		}
	}
	mount(0, "size=64k")
	k := open(t, dir, 1<<20)
	k.store.rest = 0
	until := func(what string, done func() bool) {
		t.Helper()
		for deadline := time.Now().Add(time.Minute); !done(); {
			if time.Now().After(deadline) {
				t.Fatalf("%s: told %q", what, k.heard())
			}
			began := time.Now()
			k.add(10)
			if d := time.Since(began); d > 10*time.Second {
				t.Errorf("%s: ten events took %v", what, d)
			}
			settled(t, k.store)
		}
	}
	last := func(word string) func() bool {
		return func() bool {
			h := k.heard()
			return len(h) > 0 && strings.Contains(h[len(h)-1], word)
		}
	}
	until("full", last("no space left"))
	if n := total(t, dir); n == 0 || n > 64<<10 {
		t.Errorf("%d bytes on a full disk", n)
	}
	mount(unix.MS_REMOUNT, "size=4m")
	until("room again", last("well again"))
	// A file that is open for writing keeps the disk from being made read-only.
	k.end()
	mount(unix.MS_REMOUNT|unix.MS_RDONLY, "size=4m")
	before := len(k.Events(0))
	k = open(t, dir, 1<<20)
	k.store.rest = 0
	if got := len(k.Events(0)); got == 0 || before == 0 {
		t.Errorf("a read-only disk was not read: %d events of %d", got, before)
	}
	until("read-only", last("read-only"))
	mount(unix.MS_REMOUNT, "size=4m")
	until("writable again", last("well again"))
	if h := k.heard(); len(h) != 2 {
		t.Errorf("told %d times: %q", len(h), h)
	}
	newest := k.Events(0)
	k.end()
	again := open(t, dir, 1<<20)
	got := again.Events(0)
	if len(got) == 0 || got[len(got)-1].Seq != newest[len(newest)-1].Seq {
		t.Errorf("%d events are left of %d", len(got), len(newest))
	}
	for i, e := range got[1:] {
		if e.Seq <= got[i].Seq {
			t.Fatalf("event %d comes behind %d", e.Seq, got[i].Seq)
		}
	}
}

// heard is what was told.
func (k *kept) heard() []string {
	k.mu.Lock()
	defer k.mu.Unlock()
	return append([]string(nil), k.told...)
}
