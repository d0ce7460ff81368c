//go:build kernel

package integration

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/tandem-ha/tandem/integration/lab"
)

// watched writes down what goes from a host until the test ends; the function
// returned gives it.
func watched(t *testing.T, h *lab.Host, dir string) func() []string {
	t.Helper()
	file := filepath.Join(dir, "monitor")
	p, err := h.Start(file, nil, "ip", "monitor", "address", "route", "rule")
	must(t, err)
	t.Cleanup(p.Kill)
	// It listens once it tells of something.
	mark := 0
	seen := func() string {
		b, err := os.ReadFile(file)
		must(t, err)
		return string(b)
	}
	eventually(t, slack, "ip monitor", func() error {
		mark++
		must(t, h.IP(fmt.Sprintf("rule add preference 30000 to 10.254.0.%d table 77", mark), fmt.Sprintf("rule del preference 30000 to 10.254.0.%d table 77", mark)))
		if !strings.Contains(seen(), "Deleted") {
			return fmt.Errorf("%q", seen())
		}
		return nil
	})
	return func() []string {
		var out []string
		for line := range strings.Lines(seen()) {
			if strings.Contains(line, "Deleted") && !strings.Contains(line, "lookup 77") {
				out = append(out, strings.TrimSpace(line))
			}
		}
		return out
	}
}

// TestPairHoldingCrash kills a master that holds all kinds of things. Started
// again at once, it goes on with them untouched; with other things to hold, those
// that it held go and the others come; with nothing to hold, nothing is left.
func TestPairHoldingCrash(t *testing.T) {
	t.Parallel()
	// It is to be there again before its peer has missed it.
	p := newHoldingPair(t, mode{version: 3, advert: time.Second}, "tandem", "keepalived", "no_accept")
	bare := holding(t, p.lb1.Host)
	p.lead()
	before := holding(t, p.lb1.Host)
	gone := watched(t, p.lb1.Host, p.lb1.Dir)

	p.lb1.Kill()
	start(t, p.lb1)
	isIn(t, p.lb1, "VI_1", "MASTER", slack)
	p.settle(p.lb1)
	if lost := gone(); len(lost) > 0 {
		t.Errorf("killed and started again, and these went:\n%s", strings.Join(lost, "\n"))
	}
	if err := difference(before, holding(t, p.lb1.Host)); err != nil {
		t.Errorf("killed and started again: %v", err)
	}

	p.lb1.Kill()
	less := fixed[:strings.Index(fixed, "static_routes")] + p.mode.conf(p.lb1.Host, p.lb2.Host, 150,
		"virtual_routes {", "  10.180.0.0/16 via 192.0.2.9 dev "+lab.NIC, "}")
	must(t, p.lb1.Write(less))
	start(t, p.lb1)
	isIn(t, p.lb1, "VI_1", "MASTER", slack)
	eventually(t, slack, "started with less to hold", func() error {
		text := strings.Join(holding(t, p.lb1.Host), "\n")
		for _, want := range []string{"10.180.0.0/16 via", "10.5.0.1/24", "192.0.2.100/24"} {
			if !strings.Contains(text, want) {
				return fmt.Errorf("no %s in\n%s", want, text)
			}
		}
		if strings.Contains(text, "10.80.0.0/16") || strings.Contains(text, "proto keepalived metric") || strings.Contains(text, "10.2.2.4") {
			return fmt.Errorf("left over:\n%s", text)
		}
		rules, err := p.lb1.Host.Run("nft", "list", "tables")
		if err != nil || strings.TrimSpace(rules) != "" {
			return fmt.Errorf("packet filter: %q (%v)", rules, err)
		}
		return nil
	})

	p.lb1.Kill()
	must(t, p.lb1.Write("global_defs {\n  router_id nothing\n}\n"))
	start(t, p.lb1)
	eventually(t, slack, "started with nothing to hold", func() error { return difference(bare, holding(t, p.lb1.Host)) })
}

// TestPairNoAccept has a master drop what is for its virtual addresses: they are
// found by ARP and Neighbour Discovery and packets go through them, and that is
// all, under keepalived as under tandem.
func TestPairNoAccept(t *testing.T) {
	t.Parallel()
	for _, name := range []string{"keepalived", "tandem"} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			other := map[string]string{"keepalived": "tandem", "tandem": "keepalived"}[name]
			const six = "2001:db8::200"
			p := newPair(t, quick, name, other, "no_accept", "virtual_ipaddress_excluded {", "  "+six+"/64", "}")
			lb1, lb2 := p.lb1.Host, p.lb2.Host
			// A network behind lb1, with lb2 in it.
			must(t, lb1.IP("link add in0 type veth peer name in1 netns "+lb2.Namespace(), "link set in0 up", "addr add 198.51.100.1/24 dev in0"))
			must(t, lb2.IP("link set in1 up", "addr add 198.51.100.2/24 dev in1"))
			must(t, lb1.Sysctl("net/ipv4/ip_forward", "1"))
			vip := quick.vip(0).Addr().String()
			must(t, p.client.IP("route add 198.51.100.0/24 via "+vip))
			p.lead()

			connects := func(h *lab.Host, limit time.Duration, addr string) error {
				c, err := h.Dial(within(t, limit), netip.AddrPortFrom(netip.MustParseAddr(addr), 80))
				if err == nil {
					err = c.Close()
				}
				return err
			}
			// A server on every address, to which no virtual one leads.
			must(t, second(lb1.Serve("lb1", netip.AddrPortFrom(netip.IPv6Unspecified(), 80))))
			reaches := func(limit time.Duration, addr string) error {
				_, err := p.client.Run("ping", "-n", "-c", "1", "-i", "0.2", "-w", fmt.Sprint(limit.Seconds()), addr)
				return err
			}
			for _, addr := range []string{lb1.IPv4().String(), lb1.IPv6().String(), "198.51.100.2"} {
				if err := reaches(slack, addr); err != nil {
					t.Errorf("%s, which is no virtual address, is not reached: %v", addr, err)
				}
			}
			for _, addr := range []string{lb1.IPv4().String(), lb1.IPv6().String()} {
				if err := connects(p.client, slack, addr); err != nil {
					t.Errorf("no connection to %s, which is no virtual address: %v", addr, err)
				}
			}
			for _, addr := range []string{vip, six} {
				if reaches(time.Second, addr) == nil {
					t.Errorf("%s answers in spite of no_accept", addr)
				}
				// Not refused either: nothing is said at all.
				err := connects(p.client, time.Second, addr)
				if timeout, ok := errors.AsType[net.Error](err); !ok || !timeout.Timeout() {
					t.Errorf("a connection to %s in spite of no_accept: %v", addr, err)
				}
				neighbour, err := p.client.Run("ip", "neigh", "show", addr)
				must(t, err)
				if !strings.Contains(neighbour, "lladdr") {
					t.Errorf("%s is not found on the link: %q", addr, neighbour)
				}
			}
			if name == "tandem" {
				must(t, second(lb1.Run("nft", "delete", "table", "ip", "keepalived")))
				eventually(t, slack, "the table that somebody deleted", func() error { return second(lb1.Run("nft", "list", "table", "ip", "keepalived")) })
			}
			must(t, p.lb1.Stop(slack))
			if n := strings.Count(p.lb1.Log(), "packet filter's table was changed by somebody else"); name == "tandem" && n != 1 {
				t.Errorf("told %d times of one change by somebody else", n)
			}
			if rules, err := lb1.Run("nft", "list", "tables"); err != nil || strings.TrimSpace(rules) != "" {
				t.Errorf("the packet filter has %q after the end (%v)", rules, err)
			}
		})
	}
}

// second is the error of a function that returns more.
func second[T any](_ T, err error) error { return err }
