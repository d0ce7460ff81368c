package agent

import (
	"errors"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/tandem-ha/tandem/config"
	"github.com/tandem-ha/tandem/internal/host"
	"github.com/tandem-ha/tandem/internal/host/hosttest"
	"github.com/tandem-ha/tandem/internal/journal"
)

// carried is a host with eth0 and what vmacs does to it.
type carried struct {
	t       *testing.T
	dir     string
	links   *hosttest.Links
	addrs   *hosttest.Addresses
	sysctls *hosttest.Sysctls
	record  *host.Record
	vmacs   *vmacs
	last    carriersReport
}

func newCarried(t *testing.T) *carried {
	c := &carried{
		t: t, dir: t.TempDir(),
		links: hosttest.NewLinks(host.VirtualLink{Name: "lo"}, host.VirtualLink{Name: "eth0", Kind: "veth"}),
		addrs: hosttest.NewAddresses("eth0", "vrrp.51", "vrrp6.51"),
		sysctls: hosttest.NewSysctls(map[string]string{
			"net/ipv4/conf/all/rp_filter": "1", "net/ipv4/conf/default/rp_filter": "0", "net/ipv4/conf/eth0/rp_filter": "2",
			"net/ipv4/conf/eth0/arp_ignore": "0", "net/ipv4/conf/eth0/arp_filter": "0", "net/ipv4/igmp_link_local_mcast_reports": "1",
		}),
	}
	c.begin()
	return c
}

// begin is a process's start: all that it knows of before is the record.
func (c *carried) begin() {
	c.t.Helper()
	record, err := host.OpenRecord(c.dir)
	if err != nil {
		c.t.Fatal(err)
	}
	left, err := record.Load()
	if err != nil {
		c.t.Fatal(err)
	}
	c.t.Cleanup(func() { _ = record.Close() })
	l := host.NewLedger(record, left, func(err error) { c.t.Errorf("ledger: %v", err) })
	c.record = record
	c.vmacs = newVMACs(c.links, c.addrs, newSettings(c.sysctls, l), l, journal.New(100, time.Now))
	c.vmacs.report = func(r carriersReport) { c.last = r }
	c.vmacs.event(host.LinkChanged{Link: host.Link{Name: "eth0", Index: 3, Up: true, Addresses: []netip.Prefix{netip.MustParsePrefix("fe80::1/64")}}})
}

// place carries out a configuration as the agent does.
func (c *carried) place(instances ...*config.Instance) {
	c.t.Helper()
	cfg := &config.Config{Global: config.Global{VMACPrefix: "vrrp", VMACAddressPrefix: "vrrp"}, Instances: instances}
	p, err := c.vmacs.place(cfg)
	if err != nil {
		c.t.Fatal(err)
	}
	c.vmacs.provide(p)
	c.vmacs.settle()
}

func vmacConf(name string, vrid int, ipv6 bool) *config.Instance {
	in := conf(name, 100)
	in.VRID, in.IPv6, in.VMAC = vrid, ipv6, &config.VMAC{}
	return in
}

// expect asserts what links there are, and settings.
func (c *carried) expect(links string, settings ...string) {
	c.t.Helper()
	var names []string
	for _, l := range c.links.All() {
		names = append(names, l.Name)
	}
	slices.Sort(names)
	if got := strings.Join(names, " "); got != links {
		c.t.Errorf("links %q, want %q", got, links)
	}
	have := c.sysctls.All()
	for _, s := range settings {
		name, value, _ := strings.Cut(s, "=")
		if have["net/ipv4/conf/"+name] != value {
			c.t.Errorf("%s is %s, want %s", name, have["net/ipv4/conf/"+name], value)
		}
	}
}

const asBefore = "all/rp_filter=1 default/rp_filter=0 eth0/rp_filter=2 eth0/arp_ignore=0 eth0/arp_filter=0"
const forVMACs = "all/rp_filter=0 default/rp_filter=1 eth0/rp_filter=2 eth0/arp_ignore=1 eth0/arp_filter=1"

func TestVMACsComeWithTheirSettingsAndGo(t *testing.T) {
	c := newCarried(t)
	c.place(vmacConf("A", 51, false))
	c.expect("vrrp.51", strings.Fields(forVMACs)...)
	c.place(vmacConf("D", 51, true))
	c.expect("vrrp6.51", strings.Fields(asBefore)...)
	if on := c.addrs.All(); len(on) != 1 || on[0].Interface != "vrrp6.51" || on[0].Prefix != netip.MustParsePrefix("fe80::1/64") || !on[0].Deprecated {
		t.Errorf("addresses %v, want the base's link-local one", on)
	}
	c.place(vmacConf("A", 51, false), vmacConf("D", 51, true))
	c.expect("vrrp.51 vrrp6.51", strings.Fields(forVMACs)...)
	c.place()
	c.expect("", strings.Fields(asBefore)...)
}

// A process that is killed leaves everything; the next one knows from the record
// what is its own and what was before, whatever its configuration wants.
func TestVMACsOfACrashedRun(t *testing.T) {
	c := newCarried(t)
	c.place(vmacConf("A", 51, false), vmacConf("B", 52, false))
	c.begin()
	c.place(vmacConf("B", 52, false))
	c.expect("vrrp.52", strings.Fields(forVMACs)...)
	c.begin()
	c.place()
	c.expect("", strings.Fields(asBefore)...)
	c.place(vmacConf("A", 51, false))
	c.begin()
	if err := c.vmacs.stop(); err != nil {
		t.Fatal(err)
	}
	c.expect("", strings.Fields(asBefore)...)
}

func TestADeletedVMACIsMadeAgain(t *testing.T) {
	c := newCarried(t)
	c.place(vmacConf("A", 51, false))
	c.links.Lose(c.links.All()[0])
	c.vmacs.event(host.LinkGone{Name: "vrrp.51", Index: 4})
	select {
	case <-c.vmacs.wake:
	default:
		t.Fatal("nobody was woken")
	}
	c.vmacs.remake()
	c.expect("vrrp.51")
	if len(c.last.failed) > 0 {
		t.Errorf("failed: %v", c.last.failed)
	}
}

// An address whose link is missing is put on after the link.
func TestACarriedAddressBringsItsLink(t *testing.T) {
	c := newCarried(t)
	c.place(vmacConf("A", 51, false))
	c.links.Lose(c.links.All()[0])
	c.addrs.RemoveInterface("vrrp.51")
	c.vmacs.report = func(carriersReport) { c.addrs = hosttest.NewAddresses("vrrp.51") }
	table := &swapped{c}
	a := host.Address{Prefix: netip.MustParsePrefix(vip), Interface: "vrrp.51"}
	if err := (carriedAddresses{table, c.vmacs}).Apply([]host.AddressChange{{Op: host.AddAddress, Address: a}}); err != nil {
		t.Fatal(err)
	}
	c.expect("vrrp.51")
	if len(c.addrs.All()) != 1 {
		t.Errorf("addresses %v", c.addrs.All())
	}
	elsewhere := host.Address{Prefix: netip.MustParsePrefix(vip), Interface: "eth7"}
	if err := (carriedAddresses{table, c.vmacs}).Apply([]host.AddressChange{{Op: host.AddAddress, Address: elsewhere}}); err == nil {
		t.Error("an address on a link of nobody's is no error")
	}
}

// swapped is the table that the test has at the moment.
type swapped struct{ *carried }

func (s *swapped) Apply(changes []host.AddressChange) error { return s.addrs.Apply(changes) }
func (s *swapped) Owned() ([]host.Address, error)           { return s.addrs.Owned() }
func (s *swapped) Close() error                             { return nil }
func (s *swapped) Present(want []host.Address) ([]host.Address, error) {
	return s.addrs.Present(want)
}

// What cannot be made is told, once, and tried again.
func TestAVMACThatCannotBeMade(t *testing.T) {
	c := newCarried(t)
	c.links.Refuse(func(host.LinkChange) error { return errors.New("no such thing") })
	c.place(vmacConf("A", 51, false))
	if c.last.failed["vrrp.51"] == nil {
		t.Fatalf("report %+v", c.last)
	}
	c.links.Refuse(func(host.LinkChange) error { return nil })
	c.vmacs.remake()
	if c.last.failed["vrrp.51"] != nil || c.last.there["vrrp.51"] == 0 {
		t.Fatalf("report %+v", c.last)
	}
	missing := vmacConf("B", 52, false)
	missing.Interface = "eth9"
	missing.Addresses[0].Interface = "eth9"
	c.place(vmacConf("A", 51, false), missing)
	if err := c.last.failed["vrrp.52"]; err == nil || !strings.Contains(err.Error(), "eth9 missing") {
		t.Errorf("upon a link that is not there: %v", err)
	}
}
