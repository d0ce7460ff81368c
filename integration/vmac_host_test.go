//go:build kernel

package integration

import (
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"syscall"

	"github.com/google/go-cmp/cmp"

	"encoding/json"
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/tandem-ha/tandem/integration/lab"
)

// macvlans are the names of a host's macvlans.
func macvlans(t testing.TB, h *lab.Host) []string {
	t.Helper()
	return slices.Sorted(maps.Keys(details(t, h)))
}

// details is what ip -d shows of a host's macvlans, but for numbers that differ
// from host to host.
func details(t testing.TB, h *lab.Host) map[string]string {
	t.Helper()
	out, err := h.Run("ip", "-j", "-d", "link", "show", "type", "macvlan")
	must(t, err)
	var links []map[string]any
	if strings.TrimSpace(out) != "" {
		must(t, json.Unmarshal([]byte(out), &links))
	}
	found := map[string]string{}
	for _, l := range links {
		delete(l, "ifindex")
		b, err := json.Marshal(l)
		must(t, err)
		name, _ := l["ifname"].(string)
		found[name] = string(b)
	}
	return found
}

// twin is a host with eth0 and eth1, an agent on it and nobody else there.
type twin struct {
	t    *testing.T
	host *lab.Host
	node *lab.Agent
}

func newTwin(t *testing.T, name, conf string) *twin {
	t.Helper()
	h := newLab(t, "lb1").Host("lb1")
	must(t, h.IP("link add eth1 type veth peer name far1", "link set far1 addrgenmode none up", "link set eth1 addrgenmode none up", "addr add 198.51.100.1/24 dev eth1",
		// The same on both, so that what is copied from it is the same.
		"addr flush dev eth0 scope link", "addr add fe80::1/64 dev eth0 nodad", "addr add fe80::2/64 dev eth1 nodad"))
	must(t, h.Sysctl("net/ipv4/conf/all/rp_filter", "1", "net/ipv4/conf/eth1/rp_filter", "2"))
	return &twin{t: t, host: h, node: agent(t, h, name, conf)}
}

// picture is the host's macvlans, its addresses by interface, and the settings that
// VMACs change.
func (w *twin) picture() map[string]string {
	w.t.Helper()
	out := details(w.t, w.host)
	text, err := w.host.Run("ip", "-j", "addr")
	must(w.t, err)
	var links []struct {
		Name  string           `json:"ifname"`
		Addrs []map[string]any `json:"addr_info"`
	}
	must(w.t, json.Unmarshal([]byte(text), &links))
	for _, l := range links {
		var list []string
		for _, a := range l.Addrs {
			// tandem marks its own.
			delete(a, "protocol")
			b, err := json.Marshal(a)
			must(w.t, err)
			list = append(list, string(b))
		}
		slices.Sort(list)
		if len(list) > 0 {
			out["addresses of "+l.Name] = strings.Join(list, "\n")
		}
	}
	text, err = w.host.Run("sh", "-c", "cd /proc/sys/net && grep -s . ipv4/conf/*/rp_filter ipv4/conf/*/arp_* ipv4/conf/*/accept_local ipv6/conf/*/disable_ipv6")
	must(w.t, err)
	for line := range strings.Lines(text) {
		name, value, _ := strings.Cut(strings.TrimSpace(line), ":")
		out[name] = value
	}
	return out
}

// alike waits until both hosts look the same, apart from what is named.
func alike(t *testing.T, step string, kept, ours *twin, but ...string) {
	t.Helper()
	eventually(t, 2*slack, step, func() error {
		want, got := kept.picture(), ours.picture()
		for _, m := range []map[string]string{want, got} {
			maps.DeleteFunc(m, func(name, _ string) bool {
				return slices.ContainsFunc(but, func(b string) bool { return strings.Contains(name, b) })
			})
		}
		if diff := cmp.Diff(want, got); diff != "" {
			return fmt.Errorf("(-keepalived +tandem):\n%s", diff)
		}
		return nil
	})
}

func vmacInstance(name string, vrid int, body string) string {
	return fmt.Sprintf("vrrp_instance %s {\n state MASTER\n priority 255\n virtual_router_id %d\n%s\n}\n", name, vrid, body)
}

// TestPairVMACHost has keepalived and tandem each master of the same instances on
// hosts that are alike, and does the same to both: what ip -d link, ip addr and the
// settings say must be the same, at rest and after a reload, a link deleted under
// the agent, a base that goes and comes back, a crash and a start; and after the
// stop everything is as before.
func TestPairVMACHost(t *testing.T) {
	t.Parallel()
	first := vmacInstance("A", 51, ` interface eth0
 use_vmac
 virtual_ipaddress {
  192.0.2.100/24
  192.0.2.101 dev eth0
  198.51.100.102 dev eth1
  198.51.100.103 dev eth1 use_vmac
 }
 virtual_ipaddress_excluded {
  192.0.2.104
 }`) + vmacInstance("B", 52, ` interface eth0
 use_vmac_addr
 virtual_ipaddress {
  192.0.2.110
  198.51.100.111 dev eth1
 }`) + vmacInstance("C", 53, ` interface eth1
 use_vmac mine 02:11:22:33:44
 vmac_xmit_base
 virtual_ipaddress {
  198.51.100.120
 }`) + vmacInstance("D", 51, ` interface eth0
 use_vmac
 version 3
 virtual_ipaddress {
  fe80::99
  2001:db8::99/64
 }`)
	second := vmacInstance("A", 51, ` interface eth0
 use_vmac
 virtual_ipaddress {
  192.0.2.100/24
 }`) + vmacInstance("D", 51, ` interface eth0
 use_vmac
 version 3
 virtual_ipaddress {
  fe80::99
 }`) + vmacInstance("E", 55, ` interface eth1
 use_vmac
 virtual_ipaddress {
  198.51.100.130
 }`)
	kept, ours := newTwin(t, "keepalived", first), newTwin(t, "tandem", first)
	before := ours.picture()
	both := func(do func(w *twin)) {
		for _, w := range []*twin{kept, ours} {
			do(w)
		}
	}
	both(func(w *twin) { start(t, w.node) })
	for _, w := range []*twin{kept, ours} {
		must(t, w.host.Addresses.Wait(within(t, slack), true, netip.MustParseAddr("198.51.100.120"), netip.MustParseAddr("2001:db8::99"), netip.MustParseAddr("192.0.2.104")))
	}
	// The filter of a VMAC of IPv6 does not matter, since it has no IPv4; newer
	// versions of keepalived have it answer no ARP, as tandem does.
	const plain = "ipv4/conf/vrrp6.51/"
	alike(t, "at rest", kept, ours, plain)

	// keepalived 2.2.7 now and then dies of such a reload, so it starts anew.
	must(t, kept.node.Stop(slack))
	must(t, kept.node.Write(second))
	start(t, kept.node)
	must(t, ours.node.Write(second))
	must(t, ours.node.Signal(syscall.SIGHUP))
	for _, w := range []*twin{kept, ours} {
		must(t, w.host.Addresses.Wait(within(t, slack), true, netip.MustParseAddr("198.51.100.130")))
	}
	alike(t, "after a reload that adds one and removes others", kept, ours, plain)

	both(func(w *twin) { must(t, w.host.IP("link del vrrp.51")) })
	alike(t, "after one was deleted", kept, ours, plain)

	both(func(w *twin) {
		w.node.Kill()
		// keepalived takes the number in it for itself.
		for _, name := range []string{"pid", "vrrp.pid"} {
			must(t, os.Remove(filepath.Join(w.node.Dir, name)))
		}
		start(t, w.node)
	})
	alike(t, "after a crash and a new start", kept, ours, plain)

	third := strings.Replace(second, " use_vmac\n", " use_vmac renamed\n", 1)
	// Named anew, the other would be vrrp.51.
	third = strings.Replace(third, " use_vmac\n version 3", " use_vmac vrrp6.51\n version 3", 1)
	left := strings.Count(ours.node.Log(), "sent 0 priority")
	must(t, kept.node.Stop(slack))
	must(t, kept.node.Write(third))
	start(t, kept.node)
	must(t, ours.node.Write(third))
	must(t, ours.node.Signal(syscall.SIGHUP))
	eventually(t, slack, "the link under its new name", func() error {
		if got := macvlans(t, ours.host); !slices.Contains(got, "renamed") {
			return fmt.Errorf("VMACs %v", got)
		}
		return nil
	})
	alike(t, "after a reload that renames one", kept, ours, plain)
	if n := strings.Count(ours.node.Log(), "sent 0 priority"); n != left {
		t.Errorf("a reload that renames a VMAC made %d instances leave", n-left)
	}

	both(func(w *twin) { must(t, w.node.Stop(slack)) })
	if diff := cmp.Diff(before, ours.picture()); diff != "" {
		t.Errorf("put back at the end (-before +after):\n%s", diff)
	}
}
