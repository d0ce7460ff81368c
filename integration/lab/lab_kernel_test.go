//go:build kernel

package lab

import (
	"context"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
)

func namespaces(t *testing.T) string {
	t.Helper()
	out, err := command("ip", "netns", "list")
	if err != nil {
		t.Fatal(err)
	}
	return out
}

func TestLab(t *testing.T) {
	r := NewRegistry()
	l, err := r.New(t.Name(), "one", "two")
	if err != nil {
		t.Fatal(err)
	}
	one, two := l.Host("one"), l.Host("two")
	if err := two.ServeUDP(9000); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	defer cancel()
	for _, to := range []netip.Addr{two.IPv4(), two.IPv6()} {
		p, err := one.Probe(netip.AddrPortFrom(to, 9000), time.Millisecond)
		if err != nil {
			t.Fatal(err)
		}
		if err := p.Wait(ctx, "two", 100); err != nil {
			t.Error(err)
		}
		if got, err := p.Stop(); err != nil || got.Lost != 0 || got.By["two"] != got.Sent {
			t.Errorf("a probe of %s: %v, %v", to, got, err)
		}
	}

	// A cut is noticed by the one who counts.
	p, err := one.Probe(netip.AddrPortFrom(two.IPv4(), 9000), time.Millisecond)
	if err != nil {
		t.Fatal(err)
	}
	if err := p.Wait(ctx, "two", 100); err != nil {
		t.Error(err)
	}
	if err := two.Cut(); err != nil {
		t.Fatal(err)
	}
	for was := p.Sent(); p.Sent() < was+50; {
		if err := Poll(ctx, time.Millisecond); err != nil {
			t.Fatal(err)
		}
	}
	if err := two.Mend(); err != nil {
		t.Fatal(err)
	}
	if got, err := p.Stop(); err != nil || got.Lost < 30 {
		t.Errorf("50 datagrams into a cut: %v, %v", got, err)
	}

	watched(ctx, t, one)
	closed(ctx, t, r, l)
}

// watched gives a host an address and takes it again.
func watched(ctx context.Context, t *testing.T, one *Host) {
	t.Helper()
	vip := netip.MustParseAddr("192.0.2.77")
	if err := one.IP("addr add 192.0.2.77/24 dev " + NIC); err != nil {
		t.Fatal(err)
	}
	if err := one.Addresses.Wait(ctx, true, vip); err != nil {
		t.Error(err)
	}
	if err := one.IP("addr del 192.0.2.77/24 dev " + NIC); err != nil {
		t.Fatal(err)
	}
	if err := one.Addresses.Wait(ctx, false, vip); err != nil {
		t.Error(err)
	}
}

// closed closes a registry while programs run in its lab: nothing is left.
func closed(ctx context.Context, t *testing.T, r *Registry, l *Lab) {
	t.Helper()
	one := l.Host("one")
	sleeper, err := one.Start(l.Dir+"/log", nil, "sleep", "1000")
	if err != nil {
		t.Fatal(err)
	}
	// What a program leaves running in the background ends with the lab, too.
	if _, err := one.Run("sh", "-c", "sleep 1001 >/dev/null 2>&1 & echo $! >"+l.Dir+"/pid"); err != nil {
		t.Fatal(err)
	}
	b, err := os.ReadFile(l.Dir + "/pid")
	if err != nil {
		t.Fatal(err)
	}
	orphan, err := strconv.Atoi(strings.TrimSpace(string(b)))
	if err != nil {
		t.Fatal(err)
	}
	r.Close()
	if sleeper.Running() {
		t.Error("a process outlived its lab")
	}
	for syscall.Kill(orphan, 0) == nil && !zombie(orphan) {
		if err := Poll(ctx, 10*time.Millisecond); err != nil {
			t.Fatal("a process in the background outlived its lab")
		}
	}
	if left := namespaces(t); strings.Contains(left, l.prefix) {
		t.Errorf("left behind: %s", left)
	}
	for _, dir := range []string{l.Dir, l.Fast} {
		if _, err := os.Stat(dir); !os.IsNotExist(err) {
			t.Errorf("its files are left: %v", err)
		}
	}
	if _, err := r.New("late"); err == nil {
		t.Error("a closed registry made a lab")
	}
}

// zombie is whether a process has ended and nobody has asked how.
func zombie(pid int) bool {
	b, err := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/stat")
	return err != nil || strings.Contains(string(b), ") Z ")
}

// TestSweep removes what a process left that has gone, and nothing else.
func TestSweep(t *testing.T) {
	gone := exec.Command("true")
	if err := gone.Run(); err != nil {
		t.Fatal(err)
	}
	left := "tandem-" + strconv.Itoa(gone.Process.Pid) + "-1-left"
	alive := "tandem-" + strconv.Itoa(os.Getpid()) + "-9-alive"
	for _, name := range []string{left, alive} {
		if _, err := command("ip", "netns", "add", name); err != nil {
			t.Fatal(err)
		}
	}
	defer removeNamespace(alive)
	files := filepath.Join(os.TempDir(), left)
	if err := os.MkdirAll(filepath.Join(files, "lb1"), 0o755); err != nil {
		t.Fatal(err)
	}
	sweep()
	if _, err := os.Stat(files); !os.IsNotExist(err) {
		t.Errorf("files are left: %v", err)
	}
	if now := namespaces(t); strings.Contains(now, left) || !strings.Contains(now, alive) {
		t.Errorf("after the sweep:\n%s", now)
	}
}
