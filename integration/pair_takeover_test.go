//go:build kernel

package integration

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/tandem-ha/tandem/integration/lab"
)

// own puts lines of tandem's own settings behind @tandem, so that a keepalived
// reads the same file.
func own(lines ...string) []string {
	for i := range lines {
		lines[i] = "@tandem " + lines[i]
	}
	return lines
}

// TestPairIsolatedNode cuts the backup off the network without its link going down:
// it must not claim the address that its peer serves, and follows it again once it is
// back. While the gateway answers it takes over as ever.
func TestPairIsolatedNode(t *testing.T) {
	t.Parallel()
	for _, peer := range []string{"tandem", "keepalived"} {
		t.Run(peer, func(t *testing.T) {
			t.Parallel()
			p := newPair(t, quick, peer, "tandem")
			gateway := own("takeover_requires {", "  ping "+p.client.IPv4().String(), "  interval 0.2", "  timeout 0.3", "}")
			must(t, p.lb1.Write(quick.conf(p.lb1.Host, p.lb2.Host, 150, gateway...)))
			must(t, p.lb2.Write(quick.conf(p.lb2.Host, p.lb1.Host, 100, gateway...)))
			p.lead()

			cut := time.Now()
			must(t, p.lb2.Host.Part())
			isIn(t, p.lb2, "VI_1", "BACKUP (may not take over)", slack)
			// The master, which is heard by nobody now, shows how long the backup has
			// waited: five of its master down intervals.
			n := int(5*quick.masterDown(100)/quick.advert) + 1
			if _, err := p.lab.Capture.WaitAdvert(within(t, 5*quick.masterDown(100)+slack), n, func(lab.Advert) bool { return true }); err != nil {
				t.Fatal(err)
			}
			if ev := p.lb2.Host.Addresses.Events(cut); len(ev) > 0 {
				t.Fatalf("the isolated node moved addresses: %+v", ev)
			}
			if s := instance(t, p.lb2, "VI_1"); !strings.Contains(s.Ineligible, "ping "+p.client.IPv4().String()+" does not answer") {
				t.Errorf("not eligible because %q", s.Ineligible)
			}
			must(t, p.lb2.Host.Rejoin())
			isIn(t, p.lb2, "VI_1", "BACKUP", slack)
			p.steady(p.lb1)

			must(t, p.lb1.Signal(syscall.SIGKILL))
			must(t, p.lb1.Host.Part())
			if err := p.lb2.Host.Addresses.Wait(within(t, quick.masterDown(100)+slack), true, p.vips()...); err != nil {
				t.Fatalf("the gateway answers, and the backup does not take over: %v", err)
			}
		})
	}
}

// TestPairConditionLost has a master lose its gateway while its peer still has it:
// with master offer the peer takes over, and no packet is answered by nobody.
func TestPairConditionLost(t *testing.T) {
	t.Parallel()
	p := newPair(t, quick, "tandem", "tandem")
	h := p.lb1.Host
	must(t, h.IP("link add up0 type veth peer name up1", "link set up0 up", "link set up1 up", "address add 198.51.100.1/24 dev up0"))
	must(t, p.lb1.Write(quick.conf(h, p.lb2.Host, 150, own("takeover_requires {", "  ping 198.51.100.1", "  interval 0.2", "  timeout 0.3", "  master offer", "}")...)))
	p.lead()
	must(t, h.IP("address del 198.51.100.1/24 dev up0"))
	t.Logf("gateway lost: taken over after %v", p.holds(p.lb2, 10*quick.advert+slack))
	isIn(t, p.lb1, "VI_1", "BACKUP (may not take over)", slack)
	p.settle(p.lb2)
	must(t, h.IP("address add 198.51.100.1/24 dev up0"))
	t.Logf("gateway back: taken back after %v", p.holds(p.lb1, quick.masterDown(150)+slack))
}

// TestPairFlapping has a tracked script fail and recover until the node is damped: it
// leaves the address to a keepalived peer of lower priority, also after a restart, and
// takes it back by order.
func TestPairFlapping(t *testing.T) {
	t.Parallel()
	p := newPair(t, quick, "tandem", "keepalived")
	healthy := filepath.Join(p.lb1.Dir, "healthy")
	must(t, os.WriteFile(healthy, nil, 0o644))
	script := writeScript(t, p.lb1, "check", "exec test -e "+healthy+"\n")
	head := fmt.Sprintf("global_defs {\n  script_user root\n}\nvrrp_script app {\n  script %q\n  interval 1\n  fall 1\n  rise 1\n}\n", script)
	must(t, p.lb1.Write(head+quick.conf(p.lb1.Host, p.lb2.Host, 150, append(own("flap_damping 2 600 600"), "track_script {", "  app", "}")...)))
	p.lead()
	for range 2 {
		p.settle(p.lb1)
		must(t, os.Remove(healthy))
		p.holds(p.lb2, quick.masterDown(100)+slack)
		must(t, os.WriteFile(healthy, nil, 0o644))
		if s := instance(t, p.lb1, "VI_1"); s.DampedUntil.IsZero() {
			p.holds(p.lb1, quick.masterDown(150)+slack)
		}
	}
	isIn(t, p.lb1, "VI_1", "BACKUP (damped)", slack)
	until := instance(t, p.lb1, "VI_1").DampedUntil
	must(t, p.lb1.Stop(slack))
	start(t, p.lb1)
	isIn(t, p.lb1, "VI_1", "BACKUP (damped)", slack)
	if again := instance(t, p.lb1, "VI_1").DampedUntil; again.Sub(until).Abs() > time.Second {
		t.Errorf("damped until %v, and after a restart until %v", until, again)
	}
	p.settle(p.lb2)
	p.steady(p.lb2)
	if _, err := p.lb1.Ask("resume", "VI_1"); err != nil {
		t.Fatal(err)
	}
	t.Logf("resumed: taken back after %v", p.holds(p.lb1, quick.masterDown(150)+slack))
}

// TestPairPeersFromFile changes the file of the peers while both run: adverts follow,
// and the node's own address, which is in it too, is left out.
func TestPairPeersFromFile(t *testing.T) {
	t.Parallel()
	p := newPair(t, quick, "tandem", "tandem")
	list := filepath.Join(p.lb1.Dir, "peers")
	both := fmt.Sprintf("%s # lb1\n%s # lb2\n", p.lb1.Host.IPv4(), p.lb2.Host.IPv4())
	must(t, os.WriteFile(list, []byte(both), 0o644))
	from := own("unicast_peers_from {", "  file "+list, "}")
	must(t, p.lb1.Write(quick.conf(p.lb1.Host, p.lb2.Host, 150, from...)))
	must(t, p.lb2.Write(quick.conf(p.lb2.Host, p.lb1.Host, 100, from...)))
	p.lead()
	for _, a := range p.lab.Capture.Adverts(time.Time{}) {
		if a.Destination != p.lb1.Host.IPv4() && a.Destination != p.lb2.Host.IPv4() || a.Destination == a.Source {
			t.Fatalf("an advert from %s to %s", a.Source, a.Destination)
		}
	}
	// Without its peer, each node is alone.
	must(t, os.WriteFile(list, []byte(p.lb1.Host.IPv4().String()+"\n"), 0o644))
	if err := p.lb2.Host.Addresses.Wait(within(t, quick.masterDown(100)+slack), true, p.vips()...); err != nil {
		t.Fatalf("the backup is nobody's peer, and is not master: %v", err)
	}
	must(t, os.WriteFile(list, []byte(both), 0o644))
	t.Logf("peers again: the worse master left after %v", p.holds(p.lb1, 10*quick.advert+slack))
	if s := instance(t, p.lb1, "VI_1"); len(s.Peers) != 1 || s.Peers[0] != p.lb2.Host.IPv4() {
		t.Errorf("the peers are %v", s.Peers)
	}
	p.settle(p.lb1)
}
