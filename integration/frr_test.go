//go:build kernel

package integration

import (
	"fmt"
	"net/netip"
	"os"
	"os/user"
	"path/filepath"
	"slices"
	"strconv"
	"testing"
	"time"

	"github.com/tandem-ha/tandem/integration/lab"
)

// frr is FRR's vrrpd on a host, with its zebra: a third implementation of VRRPv3.
// Debian's service is not used; both run as its user.
type frr struct {
	t     *testing.T
	host  *lab.Host
	dir   string
	procs []*lab.Process
}

const (
	frrInterval = 200 * time.Millisecond
	frrVRID     = 51
)

// frrVIPs are the addresses of the router of each family.
var frrVIPs = map[bool][]netip.Prefix{
	false: {netip.MustParsePrefix("192.0.2.100/24")},
	true:  {netip.MustParsePrefix("fe80::100/64"), netip.MustParsePrefix("2001:db8::100/64")},
}

// newFRR prepares the host: FRR wants the macvlans and their addresses to be there,
// and brings the links up and down as the state says.
func newFRR(t *testing.T, h *lab.Host, priority int) *frr {
	t.Helper()
	f := &frr{t: t, host: h, dir: t.TempDir()}
	for _, ipv6 := range []bool{false, true} {
		name, family := "vm4", 1
		if ipv6 {
			name, family = "vm6", 2
		}
		lines := []string{fmt.Sprintf("link add link %s name %s address 00:00:5e:00:%02x:%02x type macvlan mode bridge", lab.NIC, name, family, frrVRID)}
		for _, p := range frrVIPs[ipv6] {
			lines = append(lines, fmt.Sprintf("addr add %s dev %s", p, name))
		}
		must(t, h.IP(append(lines, "link set "+name+" up")...))
	}
	conf := fmt.Sprintf("interface %s\n vrrp %d version 3\n vrrp %d priority %d\n vrrp %d advertisement-interval %d\n",
		lab.NIC, frrVRID, frrVRID, priority, frrVRID, frrInterval.Milliseconds())
	for ipv6, list := range frrVIPs {
		for _, p := range list {
			word := "ip"
			if ipv6 {
				word = "ipv6"
			}
			conf += fmt.Sprintf(" vrrp %d %s %s\n", frrVRID, word, p.Addr())
		}
	}
	must(t, os.WriteFile(filepath.Join(f.dir, "vrrpd.conf"), []byte(conf), 0o644))
	must(t, os.WriteFile(filepath.Join(f.dir, "zebra.conf"), nil, 0o644))
	who, err := user.Lookup("frr")
	must(t, err)
	uid, err := strconv.Atoi(who.Uid)
	must(t, err)
	gid, err := strconv.Atoi(who.Gid)
	must(t, err)
	must(t, os.Chown(f.dir, uid, gid))
	// The folder above is the test's alone, as made.
	must(t, os.Chmod(filepath.Dir(f.dir), 0o755))
	t.Cleanup(func() {
		if log, err := os.ReadFile(filepath.Join(f.dir, "vrrpd.log")); t.Failed() && err == nil {
			t.Logf("vrrpd's log:\n%s", tail(string(log), 40))
		}
	})
	return f
}

func (f *frr) start() {
	f.t.Helper()
	for _, name := range []string{"zebra", "vrrpd"} {
		p, err := f.host.Start(filepath.Join(f.dir, name+".log"), nil, "/usr/lib/frr/"+name,
			"-f", filepath.Join(f.dir, name+".conf"), "-z", filepath.Join(f.dir, "zserv.api"), "-i", filepath.Join(f.dir, name+".pid"),
			"--vty_socket", f.dir, "-P", "0", "--log", "stdout")
		must(f.t, err)
		f.procs = append(f.procs, p)
		if name == "zebra" {
			eventually(f.t, slack, "zebra's socket", func() error {
				_, err := os.Stat(filepath.Join(f.dir, "zserv.api"))
				return err
			})
		}
	}
}

// priority changes the router's priority while it runs.
func (f *frr) priority(n int) {
	f.t.Helper()
	_, err := f.host.Run("vtysh", "--vty_socket", f.dir, "-c", "configure terminal", "-c", "interface "+lab.NIC, "-c", fmt.Sprintf("vrrp %d priority %d", frrVRID, n))
	must(f.t, err)
}

// TestPairFRR elects tandem with FRR's vrrpd, for IPv4 and IPv6 at once: tandem the
// better one and the worse one, failover both ways, with plain addresses and with
// VMACs, where the adverts of each come from what is the other's own address too.
func TestPairFRR(t *testing.T) {
	t.Parallel()
	for _, lines := range []string{"", "use_vmac"} {
		t.Run(map[string]string{"": "plain", "use_vmac": "vmac"}[lines], func(t *testing.T) {
			t.Parallel()
			l := newLab(t, "lb1", "lb2")
			h1, h2 := l.Host("lb1"), l.Host("lb2")
			conf := ""
			for ipv6, list := range frrVIPs {
				conf += fmt.Sprintf("vrrp_instance VI_%v {\n interface %s\n virtual_router_id %d\n priority 150\n version 3\n advert_int %g\n %s\n virtual_ipaddress {\n",
					ipv6, lab.NIC, frrVRID, frrInterval.Seconds(), lines)
				for _, p := range list {
					conf += fmt.Sprintf("  %s\n", p)
				}
				conf += " }\n}\n"
			}
			node := agent(t, h1, "tandem", conf)
			peer := newFRR(t, h2, 100)
			var vips []netip.Addr
			for _, list := range frrVIPs {
				for _, p := range list {
					vips = append(vips, p.Addr())
				}
			}
			// leads waits until for some adverts one node alone sends them, in both
			// families, and tandem has the addresses if that is it. Where the machine
			// keeps vrrpd from running, the other node is right to take over for a while.
			leads := func(step string, priority uint8) {
				t.Helper()
				ctx := within(t, 12*frrInterval+2*slack)
				ours := func(six bool) func(lab.Advert) bool {
					return func(a lab.Advert) bool { return a.Source.Is6() == six && a.Priority == priority }
				}
				other := func(a lab.Advert) bool { return a.Priority != priority }
				for alone := false; !alone; {
					began := time.Now()
					for _, six := range []bool{false, true} {
						if _, err := l.Capture.WaitAdvert(ctx, 5, ours(six)); err != nil {
							t.Fatalf("%s: %v; beside it %v", step, err, slices.DeleteFunc(l.Capture.Adverts(began), ours(six)))
						}
					}
					alone = !slices.ContainsFunc(l.Capture.Adverts(began), other)
				}
				if err := h1.Addresses.Wait(within(t, slack), priority == 150, vips...); err != nil {
					t.Errorf("%s: %v", step, err)
				}
			}
			start(t, node)
			peer.start()
			leads("tandem is the better one", 150)
			must(t, h1.Cut())
			leads("tandem is cut off", 100)
			must(t, h1.Mend())
			leads("tandem is back", 150)
			must(t, node.Stop(slack))
			leads("tandem has stopped", 100)
			start(t, node)
			leads("tandem is there again", 150)

			peer.priority(200)
			leads("FRR is the better one", 200)
			must(t, h2.Cut())
			leads("FRR is cut off", 150)
			must(t, h2.Mend())
			leads("FRR is back", 200)
			peer.procs[1].Kill()
			leads("FRR has died", 150)
			must(t, node.Stop(slack))
		})
	}
}
