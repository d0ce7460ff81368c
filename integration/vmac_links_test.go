//go:build kernel

package integration

import (
	"fmt"
	"net/netip"
	"os"
	"strings"
	"testing"
)

// TestPairInterfaces has interfaces come, go, be renamed and come back under a
// running tandem, with and without dynamic_interfaces, for an instance with a VMAC
// and a plain one: FAULT and back, and nothing left on what is gone.
func TestPairInterfaces(t *testing.T) {
	t.Parallel()
	for _, dynamic := range []bool{true, false} {
		t.Run(map[bool]string{true: "dynamic", false: "static"}[dynamic], func(t *testing.T) {
			t.Parallel()
			h := newLab(t, "lb1").Host("lb1")
			global := ""
			if dynamic {
				global = "global_defs {\n dynamic_interfaces\n}\n"
			}
			node := agent(t, h, "tandem", global+vmacInstance("A", 51, " interface eth7\n use_vmac\n virtual_ipaddress {\n  198.51.100.51\n }")+
				vmacInstance("B", 52, " interface eth7\n virtual_ipaddress {\n  198.51.100.52\n }"))
			vips := []netip.Addr{netip.MustParseAddr("198.51.100.51"), netip.MustParseAddr("198.51.100.52")}
			appear := func() {
				must(t, h.IP("link add eth7 type veth peer name far7", "link set far7 addrgenmode none up", "link set eth7 up", "addr add 198.51.100.1/24 dev eth7"))
			}
			serves := func(step string, yes bool) {
				t.Helper()
				if err := h.Addresses.Wait(within(t, slack), yes, vips...); err != nil {
					t.Fatalf("%s: %v", step, err)
				}
				want := []string(nil)
				if yes {
					want = []string{"vrrp.51"}
				}
				eventually(t, slack, step, func() error {
					if got := macvlans(t, h); fmt.Sprint(got) != fmt.Sprint(want) {
						return fmt.Errorf("VMACs %v, want %v", got, want)
					}
					return nil
				})
			}
			if !dynamic {
				appear()
			}
			start(t, node)
			if dynamic {
				eventually(t, slack, "FAULT at the start", func() error {
					if n := strings.Count(node.Log(), "Entering FAULT STATE"); n != 2 {
						return fmt.Errorf("%d instances say so", n)
					}
					return nil
				})
				appear()
			}
			serves("the interface is there", true)

			must(t, h.IP("link set eth7 down", "link set eth7 name eth8", "link set eth8 up"))
			serves("the interface has another name", false)
			must(t, h.IP("link set eth8 down", "link set eth8 name eth7", "link set eth7 up", "addr replace 198.51.100.1/24 dev eth7"))
			serves("the interface has its name back", true)

			must(t, h.IP("link del eth7"))
			serves("the interface is deleted", false)
			appear()
			serves("there is a new interface of the name", true)

			faults := strings.Count(node.Log(), "Entering FAULT STATE")
			must(t, h.IP("link del vrrp.51"))
			eventually(t, slack, "the VMAC that was deleted", func() error {
				if strings.Count(node.Log(), "Success creating VMAC interface vrrp.51") < 4 {
					return fmt.Errorf("is not made again")
				}
				return nil
			})
			serves("the VMAC is there again", true)
			if n := strings.Count(node.Log(), "Entering FAULT STATE"); n != faults {
				t.Errorf("a VMAC that was deleted and made again put %d instances into FAULT", n-faults)
			}
			must(t, node.Stop(slack))
			serves("the end", false)
		})
	}
}

// TestPairNamespace starts tandem outside of the host's network namespace and has it
// go there by -s or net_namespace: links, addresses, settings, rules of the packet
// filter and adverts are all in there, with a keepalived as the peer, and nothing of
// it is outside.
func TestPairNamespace(t *testing.T) {
	t.Parallel()
	for _, way := range []string{"-s", "net_namespace"} {
		t.Run(way, func(t *testing.T) {
			t.Parallel()
			m := mode{name: "namespace", version: 3, advert: modes[4].advert}
			p := newPair(t, m, "tandem", "keepalived", "use_vmac", "no_accept")
			before := outside(t)
			if way == "-s" {
				p.lb1.Extra = []string{"-s", p.lb1.Host.Namespace()}
			} else {
				conf := m.conf(p.lb1.Host, p.lb2.Host, 150, "use_vmac", "no_accept")
				must(t, p.lb1.Write("net_namespace "+p.lb1.Host.Namespace()+"\n"+conf))
			}
			must(t, p.lb1.StartOutside())
			p.holds(p.lb1, m.masterDown(150)+slack)
			start(t, p.lb2)
			p.settle(p.lb1)
			p.steady(p.lb1)
			if got := macvlans(t, p.lb1.Host); len(got) != 1 {
				t.Errorf("VMACs in the namespace: %v", got)
			}
			rules, err := p.lb1.Host.Run("nft", "list", "ruleset")
			must(t, err)
			if !strings.Contains(rules, "vrrp.51") {
				t.Errorf("the packet filter's rules in the namespace:\n%s", rules)
			}
			if now := outside(t); now != before {
				t.Errorf("outside it is\n%s\nand was\n%s", now, before)
			}
			must(t, p.lb1.Host.Cut())
			p.holds(p.lb2, m.masterDown(100)+slack)
			must(t, p.lb1.Host.Mend())
			p.holds(p.lb1, m.masterDown(150)+slack)
			must(t, p.lb1.Stop(slack))
			p.holds(p.lb2, m.masterDown(100)+slack)
		})
	}
}

// outside is what a tandem that is not where it should be would change here.
func outside(t *testing.T) string {
	t.Helper()
	var b strings.Builder
	for _, name := range []string{"all/rp_filter", "default/rp_filter", "all/arp_ignore", "lo/arp_ignore"} {
		text, err := os.ReadFile("/proc/sys/net/ipv4/conf/" + name)
		must(t, err)
		fmt.Fprintf(&b, "%s %s", name, text)
	}
	if _, err := os.Stat("/proc/sys/net/ipv4/conf/vrrp.51"); err == nil {
		b.WriteString("vrrp.51")
	}
	return b.String()
}
