//go:build kernel

package integration

import (
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/tandem-ha/tandem/integration/lab"
)

// machine is a Debian root in which packages are installed, on a host of a lab.
type machine struct {
	t    *testing.T
	host *lab.Host
	root string
	log  string
}

// newMachine puts a layer of its own over the Debian root that packaging/root
// made, so that each test begins with a fresh one.
func newMachine(t *testing.T, l *lab.Lab, h *lab.Host, conf string) *machine {
	t.Helper()
	base := os.Getenv("TANDEM_DEBIAN_ROOT")
	if base == "" {
		t.Fatal("TANDEM_DEBIAN_ROOT names no Debian root: run make test-package")
	}
	m := &machine{t: t, host: h, root: filepath.Join(l.Dir, "root"), log: filepath.Join(l.Dir, "machine.log")}
	layer := filepath.Join(l.Dir, "layer")
	must(t, os.MkdirAll(m.root, 0o755))
	must(t, os.MkdirAll(layer, 0o755))
	// An overlay upon an overlay, as a container's root is, takes no upper layer.
	must(t, syscall.Mount("layer", layer, "tmpfs", 0, "mode=0755"))
	t.Cleanup(func() { must(t, syscall.Unmount(layer, syscall.MNT_DETACH)) })
	upper, work := filepath.Join(layer, "upper"), filepath.Join(layer, "work")
	must(t, os.Mkdir(upper, 0o755))
	must(t, os.Mkdir(work, 0o755))
	must(t, syscall.Mount("overlay", m.root, "overlay", 0, "lowerdir="+base+",upperdir="+upper+",workdir="+work))
	t.Cleanup(func() { must(t, syscall.Unmount(m.root, syscall.MNT_DETACH)) })
	for _, dir := range []string{"proc", "sys", "dev"} {
		at := filepath.Join(m.root, dir)
		must(t, syscall.Mount("/"+dir, at, "", syscall.MS_BIND|syscall.MS_REC, ""))
		must(t, syscall.Mount("", at, "", syscall.MS_SLAVE|syscall.MS_REC, ""))
		t.Cleanup(func() { must(t, syscall.Unmount(at, syscall.MNT_DETACH)) })
	}
	must(t, os.WriteFile(filepath.Join(m.root, "etc/keepalived/keepalived.conf"), []byte(conf), 0o644))
	t.Cleanup(func() {
		if text, err := os.ReadFile(m.log); t.Failed() && err == nil {
			t.Logf("the machine's log:\n%s", tail(string(text), 80))
		}
	})
	return m
}

// run runs a command in the machine.
func (m *machine) run(args ...string) string {
	m.t.Helper()
	out, err := m.host.Run(append([]string{"chroot", m.root}, args...)...)
	if err != nil {
		m.t.Fatalf("%s: %v\n%s", strings.Join(args, " "), err, out)
	}
	return out
}

// start starts a program as its service does, but for the log.
func (m *machine) start(program string) *lab.Process {
	m.t.Helper()
	p, err := m.host.Start(m.log, nil, "chroot", m.root, program, "-n", "-l", "-D")
	must(m.t, err)
	return p
}

// install installs a package of dist.
func (m *machine) install(name string) {
	m.t.Helper()
	m.copyPackage(name)
	m.run("dpkg", "-i", "/tmp/"+name+".deb")
}

// copyPackage puts a package of dist into the machine.
func (m *machine) copyPackage(name string) {
	m.t.Helper()
	found, err := filepath.Glob("../dist/" + name + "_*.deb")
	if err != nil || len(found) != 1 {
		m.t.Fatalf("%d packages %s in dist, want one: run make dist (%v)", len(found), name, err)
	}
	b, err := os.ReadFile(found[0])
	must(m.t, err)
	must(m.t, os.WriteFile(filepath.Join(m.root, "tmp", name+".deb"), b, 0o644))
}

// stop ends a program as its service does.
func (m *machine) stop(p *lab.Process) {
	m.t.Helper()
	must(m.t, p.Signal(syscall.SIGTERM))
	if _, err := p.Wait(within(m.t, 2*slack)); err != nil {
		m.t.Fatal(err)
	}
}

// TestPackage installs tandem beside a keepalived that runs, goes over to it with
// the same file, and back, and at last puts it under keepalived's name. At no
// moment is the virtual address away for longer than a failover takes.
func TestPackage(t *testing.T) {
	md := mode{version: 3, advert: 200 * time.Millisecond}
	l := newLab(t, "lb1", "lb2", "client")
	h1, h2, client := l.Host("lb1"), l.Host("lb2"), l.Host("client")
	m := newMachine(t, l, h1, md.conf(h1, h2, 150))
	for _, h := range []*lab.Host{h1, h2} {
		must(t, h.ServeUDP(echoPort))
	}
	vip := md.vip(0).Addr()
	active := func(what string) {
		t.Helper()
		if err := h1.Addresses.Wait(within(t, md.masterDown(100)+slack), true, vip); err != nil {
			t.Fatalf("%s: %v", what, err)
		}
		if err := h2.Addresses.Wait(within(t, slack), false, vip); err != nil {
			t.Fatalf("%s: the peer: %v", what, err)
		}
	}
	running := m.start("/usr/sbin/keepalived")
	active("keepalived")
	peer := agent(t, h2, "keepalived", md.conf(h2, h1, 100))
	start(t, peer)
	if _, err := l.Capture.WaitAdvert(within(t, slack), 5, func(a lab.Advert) bool { return a.Source == h1.IPv4() }); err != nil {
		t.Fatal(err)
	}

	probe, err := client.Probe(netip.AddrPortFrom(vip, echoPort), 2*time.Millisecond)
	must(t, err)
	m.install("tandem")
	if !running.Running() {
		t.Fatal("the installation of tandem ended keepalived")
	}
	m.run("tandem", "check")
	for _, next := range []string{"/usr/sbin/tandem", "/usr/sbin/keepalived"} {
		m.stop(running)
		running = m.start(next)
		active(next)
	}
	m.stop(running)
	m.install("tandem-keepalived")
	if version, err := exec.Command("chroot", m.root, "/usr/sbin/keepalived", "--version").CombinedOutput(); err != nil || !strings.Contains(string(version), "tandem") {
		t.Fatalf("/usr/sbin/keepalived is %s (%v), want tandem", version, err)
	}
	if text := m.run("dpkg-query", "-W", "-f", "${Status} ${Conffiles}", "keepalived"); strings.Contains(text, "install ok installed") {
		t.Errorf("keepalived's own package is still there: %s", text)
	}
	running = m.start("/usr/sbin/keepalived")
	active("tandem as keepalived")
	result, err := probe.Stop()
	must(t, err)
	t.Log(result)
	// The peer waits its skew at a stop; a failover takes the master down interval.
	for _, g := range result.Gaps {
		if g.Lasted > md.masterDown(100)+time.Second {
			t.Errorf("%d datagrams lost in %v, longer than a failover", g.Lost, g.Lasted)
		}
	}
	// The program is replaced while it is master: the process that is started
	// anew is master again, and the peer never.
	began := time.Now()
	running.Kill()
	running = m.start("/usr/sbin/tandem")
	if _, err := l.Capture.WaitAdvert(within(t, slack), 5, func(a lab.Advert) bool { return a.Source == h1.IPv4() && a.At.After(began) }); err != nil {
		t.Fatal(err)
	}
	for _, e := range h2.Addresses.Events(began) {
		t.Errorf("the replacement of the program let the peer take over: %+v", e)
	}
	m.stop(running)
	for _, left := range []string{"tandem-keepalived", "tandem"} {
		m.run("dpkg", "--purge", left)
	}
	if text := m.run("sh", "-c", "find / -xdev -name '*tandem*' -not -path '/proc/*' -not -path '/tmp/*' -not -path '/var/lib/dpkg/*' -not -path '/run/*' -not -path '/var/log/*' -not -path '/var/cache/*'"); strings.TrimSpace(text) != "" {
		t.Errorf("left behind after the purge:\n%s", text)
	}
	if _, err := os.Stat(filepath.Join(m.root, "etc/keepalived/keepalived.conf")); err != nil {
		t.Errorf("the configuration went with the packages: %v", err)
	}
}
