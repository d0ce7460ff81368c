//go:build kernel

package integration

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/tandem-ha/tandem/integration/lab"
)

// booted is a machine whose first process is systemd.
type booted struct {
	*machine
	init int
}

// boot starts systemd as the first process of namespaces of its own, with the
// host's network, and waits until it serves.
func (m *machine) boot() *booted {
	m.t.Helper()
	script := `set -e
mount --make-rprivate /
mount -t proc proc "$1/proc"
mount -t tmpfs tmpfs "$1/run"
exec chroot "$1" /usr/bin/env -i PATH=/usr/sbin:/usr/bin:/sbin:/bin container=other /lib/systemd/systemd --system --unit=idle.target --log-target=console --log-level=warning
`
	units := filepath.Join(m.root, "etc/systemd/system")
	// Nothing of a machine's start but systemd itself: a target without anything.
	must(m.t, os.WriteFile(filepath.Join(units, "idle.target"), []byte("[Unit]\nDescription=nothing\nDefaultDependencies=no\nAllowIsolate=yes\n"), 0o644))
	for _, unit := range []string{"basic.target", "sysinit.target", "network-online.target", "shutdown.target"} {
		must(m.t, os.WriteFile(filepath.Join(units, unit), []byte("[Unit]\nDescription=empty\nDefaultDependencies=no\n"), 0o644))
	}
	p, err := m.host.Start(m.log, nil, "unshare", "--mount", "--pid", "--cgroup", "--ipc", "--uts", "--fork", "--kill-child", "sh", "-c", script, "sh", m.root)
	must(m.t, err)
	m.t.Cleanup(p.Kill)
	b := &booted{machine: m}
	eventually(m.t, 2*slack, "systemd", func() error {
		children, err := os.ReadFile(fmt.Sprintf("/proc/%d/task/%d/children", p.PID(), p.PID()))
		if err != nil {
			return err
		}
		if b.init, err = strconv.Atoi(strings.TrimSpace(string(children))); err != nil {
			return err
		}
		_, err = b.try("systemctl", "show", "--property=Version")
		return err
	})
	return b
}

// try runs a command beside systemd.
func (b *booted) try(args ...string) (string, error) {
	return b.host.Run(append([]string{"nsenter", "--target", strconv.Itoa(b.init), "--mount", "--pid", "--cgroup", "--ipc", "--uts", "--root", "--wd=/"}, args...)...)
}

func (b *booted) do(args ...string) string {
	b.t.Helper()
	out, err := b.try(args...)
	if err != nil {
		status, _ := b.try("systemctl", "status", "--no-pager", "--lines=0", "keepalived", "tandem")
		b.t.Fatalf("%s: %v\n%s\n%s", strings.Join(args, " "), err, out, status)
	}
	return strings.TrimSpace(out)
}

// property is one of the service tandem.
func (b *booted) property(name string) string {
	b.t.Helper()
	return b.do("systemctl", "show", "--value", "--property="+name, "tandem")
}

// replaced waits until another process is the service's main one.
func (b *booted) replaced(was string) string {
	b.t.Helper()
	now := was
	eventually(b.t, 3*slack, "another main process", func() error {
		now = b.property("MainPID")
		if now == was || now == "0" || b.property("ActiveState") != "active" {
			return errors.New("it is " + now)
		}
		return nil
	})
	return now
}

// TestPackageService runs the packages' services under systemd: the one excludes
// keepalived's; it is ready when it says so; a crash, and a process that hangs, are
// followed by a new one without a failover; an upgrade as well; it reloads; and
// it runs without root by the drop-in that is installed for that.
func TestPackageService(t *testing.T) {
	md := mode{version: 3, advert: time.Second}
	l := newLab(t, "lb1", "lb2", "client")
	h1, h2 := l.Host("lb1"), l.Host("lb2")
	m := newMachine(t, l, h1, md.conf(h1, h2, 150))
	b := m.boot()
	vip := md.vip(0).Addr()
	b.do("systemctl", "start", "keepalived")
	if err := h1.Addresses.Wait(within(t, md.masterDown(150)+slack), true, vip); err != nil {
		t.Fatal(err)
	}
	peer := agent(t, h2, "keepalived", md.conf(h2, h1, 100))
	start(t, peer)
	if _, err := l.Capture.WaitAdvert(within(t, slack), 3, func(a lab.Advert) bool { return a.Source == h1.IPv4() }); err != nil {
		t.Fatal(err)
	}
	m.copyPackage("tandem")
	b.do("dpkg", "-i", "/tmp/tandem.deb")
	b.do("systemctl", "start", "tandem")
	if state, _ := b.try("systemctl", "is-active", "keepalived"); strings.TrimSpace(state) == "active" {
		t.Error("keepalived's service runs beside tandem's")
	}
	holds := func(what string) {
		t.Helper()
		if err := h1.Addresses.Wait(within(t, md.masterDown(150)+slack), true, vip); err != nil {
			t.Fatalf("%s: %v", what, err)
		}
		if err := h2.Addresses.Wait(within(t, slack), false, vip); err != nil {
			t.Fatalf("%s: the peer: %v", what, err)
		}
	}
	holds("tandem")
	if got := b.property("StatusText"); got != "Running" {
		t.Errorf("the service says %q", got)
	}
	b.do("systemctl", "reload", "tandem")
	conf := filepath.Join(m.root, "etc/keepalived/keepalived.conf")
	must(t, os.WriteFile(conf, []byte("vrrp_instance VI_1 {\n  virtual_router_id\n}\n"), 0o644))
	if out, err := b.try("systemctl", "reload", "tandem"); err == nil {
		t.Errorf("a reload of what cannot run is a success: %s", out)
	}
	must(t, os.WriteFile(conf, []byte(md.conf(h1, h2, 150)), 0o644))
	b.do("systemctl", "reload", "tandem")

	began := time.Now()
	first := b.property("MainPID")
	b.do("systemctl", "kill", "--kill-who=main", "--signal=KILL", "tandem")
	second := b.replaced(first)
	b.do("dpkg", "-i", "/tmp/tandem.deb")
	third := b.replaced(second)
	holds("after a crash and an upgrade")
	for _, e := range h2.Addresses.Events(began) {
		t.Errorf("a crash or an upgrade let the peer take over: %+v", e)
	}
	// A process that is stopped sends no advert: the peer takes over, the
	// watchdog puts another one in its place, and that takes back.
	b.do("systemctl", "kill", "--kill-who=main", "--signal=STOP", "tandem")
	b.replaced(third)
	holds("after the watchdog")

	b.do("install", "-D", "-m", "644", "/usr/share/doc/tandem/systemd/unprivileged.conf", "/etc/systemd/system/tandem.service.d/unprivileged.conf")
	b.do("systemctl", "daemon-reload")
	b.do("systemctl", "restart", "tandem")
	holds("without root")
	state := b.do("cat", "/proc/"+b.property("MainPID")+"/status")
	for _, line := range []string{"CapEff:\t0000000000003000", "CapBnd:\t0000000000003000", "NoNewPrivs:\t1"} {
		if !strings.Contains(state, line) {
			t.Errorf("without root there is no %q in\n%s", line, state)
		}
	}
	if strings.Contains(state, "Uid:\t0") {
		t.Error("the service is root")
	}
	b.do("systemctl", "stop", "tandem")
	if err := h2.Addresses.Wait(within(t, slack), true, vip); err != nil {
		t.Fatal(err)
	}
}
