//go:build kernel

package integration

import (
	"encoding/json"
	"errors"
	"fmt"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/tandem-ha/tandem/integration/lab"
)

// parent is what the VMACs of a pair are upon, made from the hosts' interface.
type parent struct {
	name  string
	lines []string
}

// elect elects a pair of tandem and keepalived upon other links than plain ones: the
// links that both make must look alike, and the pair must work.
func (w parent) elect(t *testing.T, extra func(h *lab.Host) string) {
	t.Helper()
	m := mode{name: w.name, version: 3, advert: time.Second}
	p := newPair(t, m, "tandem", "keepalived")
	for _, n := range []*lab.Agent{p.lb1, p.lb2} {
		var lines []string
		for _, l := range w.lines {
			lines = append(lines, strings.ReplaceAll(l, "OWN", n.Host.IPv4().String()+"/24"))
		}
		must(t, n.Host.IP(lines...))
		priority := map[bool]int{true: 150, false: 100}[n == p.lb1]
		conf := m.conf(n.Host, p.other(n).Host, priority, extra(n.Host))
		must(t, n.Write(strings.ReplaceAll(conf, "interface "+lab.NIC, "interface "+w.name)))
	}
	start(t, p.lb1)
	p.holds(p.lb1, m.masterDown(150)+slack)
	start(t, p.lb2)
	made := func(n *lab.Agent) string {
		out, err := n.Host.Run("ip", "-j", "-d", "link", "show")
		must(t, err)
		var links []struct {
			Name   string `json:"ifname"`
			Parent string `json:"link"`
			Master string `json:"master"`
			Info   struct {
				Kind string         `json:"info_kind"`
				Data map[string]any `json:"info_data"`
			} `json:"linkinfo"`
		}
		must(t, json.Unmarshal([]byte(out), &links))
		text := ""
		for _, l := range links {
			if strings.HasPrefix(l.Name, "vrrp") {
				text += fmt.Sprintf("%s on %s in %q: %s %v %v\n", l.Name, l.Parent, l.Master, l.Info.Kind, l.Info.Data["mode"], l.Info.Data["flags"])
			}
		}
		return text
	}
	eventually(t, slack, "the links of both alike", func() error {
		if ours, theirs := made(p.lb1), made(p.lb2); ours != theirs || ours == "" {
			return fmt.Errorf("tandem has\n%s\nand keepalived\n%s", ours, theirs)
		}
		return nil
	})
	must(t, p.lb1.Host.Part())
	if err := p.lb2.Host.Addresses.Wait(within(t, m.masterDown(100)+slack), true, p.vips()...); err != nil {
		t.Fatalf("keepalived, alone: %v", err)
	}
	must(t, p.lb1.Host.Rejoin())
	p.holds(p.lb1, m.masterDown(150)+slack)
	must(t, p.lb1.Stop(slack))
	p.holds(p.lb2, m.masterDown(100)+slack)
	must(t, p.lb2.Stop(slack))
	if left := made(p.lb1); left != "" {
		t.Errorf("left behind: %s", left)
	}
}

func useVMAC(*lab.Host) string { return "use_vmac" }

// TestPairVMACUponMacvlan has VMACs upon a macvlan, beside which the kernel puts them.
func TestPairVMACUponMacvlan(t *testing.T) {
	t.Parallel()
	parent{"mv0", []string{
		"link add link eth0 name mv0 type macvlan mode bridge", "link set mv0 up",
		"addr flush dev eth0 scope global", "addr add OWN dev mv0",
	}}.elect(t, useVMAC)
}

// TestVMParents has VMACs in a VRF and upon a bond, which not every kernel has.
func TestVMParents(t *testing.T) {
	t.Parallel()
	for _, w := range []parent{
		{"eth0", []string{"link add red type vrf table 10", "link set red up", "link set eth0 master red"}},
		{"bond0", []string{
			"link add bond0 type bond mode active-backup miimon 100", "link set eth0 down", "link set eth0 master bond0",
			"link set bond0 up", "addr flush dev eth0", "addr add OWN dev bond0",
		}},
	} {
		t.Run(w.name, func(t *testing.T) { w.elect(t, useVMAC) })
	}
}

// TestVMIpvlan has each node with an ipvlan and an address of its own on it, from
// which its adverts come.
func TestVMIpvlan(t *testing.T) {
	t.Parallel()
	parent{"eth0", nil}.elect(t, func(h *lab.Host) string {
		return fmt.Sprintf("use_ipvlan vrrp.51 192.0.2.%d/24", 200+h.Number)
	})
}

// TestVMIpvlanModes asks for two modes on one link, of which the kernel has one: the
// ipvlans are made, with the mode of the last, and are left alone from then on.
func TestVMIpvlanModes(t *testing.T) {
	t.Parallel()
	l := newLab(t, "lb1")
	h := l.Host("lb1")
	instance := func(vrid int, mode string) string {
		return fmt.Sprintf("vrrp_instance VI_%d {\n  interface eth0\n  virtual_router_id %d\n  priority 255\n  use_ipvlan 192.0.2.2%d/24 %s\n  virtual_ipaddress {\n    10.9.0.%d/32\n  }\n}\n", vrid, vrid, vrid-50, mode, vrid)
	}
	a := agent(t, h, "tandem", instance(51, "bridge")+instance(52, "vepa"))
	start(t, a)
	// The kernel tells of a new link's state in its own time.
	state := regexp.MustCompile(`<[^>]*>| state \w+`)
	links := func() string {
		out, err := h.Run("ip", "-d", "-o", "link", "show", "type", "ipvlan")
		must(t, err)
		return state.ReplaceAllString(out, "")
	}
	eventually(t, patience, "both masters", func() error {
		out, err := h.Run("ip", "addr")
		if err == nil && (!strings.Contains(out, "10.9.0.51/32") || !strings.Contains(out, "10.9.0.52/32")) {
			err = errors.New(out)
		}
		return err
	})
	first := links()
	if strings.Count(first, "ipvlan") != 2 || strings.Count(first, "vepa") != 2 {
		t.Errorf("links:\n%s", first)
	}
	// What is not as it should be is made anew within milliseconds.
	time.Sleep(time.Second)
	if again := links(); again != first {
		t.Errorf("links\n%swere made anew:\n%s", first, again)
	}
}
