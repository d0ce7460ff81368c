package desired

import (
	"net/netip"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/tandem-ha/tandem/config"
	"github.com/tandem-ha/tandem/internal/host"
)

func TestAwaits(t *testing.T) {
	cfg := &config.Config{}
	if Awaits(cfg, "VI_1") || Awaits(cfg, "") {
		t.Error("without a sync daemon")
	}
	cfg.Global.LVS.Sync = &config.SyncDaemon{Instance: "VI_1"}
	if !Awaits(cfg, "VI_1") || Awaits(cfg, "VI_2") {
		t.Error("of the daemon's instance alone")
	}
}

// TCP to services and from servers that translate alone; not what this host
// answers itself, nor what another instance serves.
func TestUnsynced(t *testing.T) {
	at := netip.MustParseAddrPort
	server := func(addr, method string) *config.RealServer {
		a := at(addr)
		return &config.RealServer{Addr: a.Addr(), Port: a.Port(), Forwarding: config.Forwarding{Method: method}}
	}
	service := func(addr, protocol string, servers ...*config.RealServer) *config.VirtualServer {
		a := at(addr)
		return &config.VirtualServer{Addr: a.Addr(), Port: a.Port(), IPv6: a.Addr().Is6(), Protocol: protocol, RealServers: servers}
	}
	marked := func(mark uint32, ipv6 bool, servers ...*config.RealServer) *config.VirtualServer {
		return &config.VirtualServer{FWMark: mark, IPv6: ipv6, RealServers: servers}
	}
	following := service("192.0.2.5:80", "TCP", server("10.0.0.5:80", "NAT"))
	following.FollowInstance = "VI_2"
	ours := service("192.0.2.6:80", "TCP", server("10.0.0.6:80", "DR"))
	ours.FollowInstance = "VI_1"
	sorry := service("192.0.2.7:80", "TCP", server("10.0.0.7:80", "NAT"))
	sorry.Sorry = &config.SorryServer{Addr: netip.MustParseAddr("127.0.0.1"), Port: 80, Forwarding: config.Forwarding{Method: "DR"}}
	translated := service("192.0.2.8:80", "TCP")
	translated.Sorry = &config.SorryServer{Addr: netip.MustParseAddr("127.0.0.1"), Port: 8080, Forwarding: config.Forwarding{Method: "NAT"}}
	got := Unsynced([]*config.VirtualServer{
		service("192.0.2.1:80", "TCP", server("10.0.0.1:8080", "NAT"), server("10.0.0.2:8080", "DR")),
		service("192.0.2.2:80", "TCP", server("10.0.0.1:8080", "NAT"), server("10.0.0.3:0", "NAT")),
		service("192.0.2.1:53", "UDP", server("10.0.0.1:53", "NAT")),
		service("192.0.2.1:99", "SCTP", server("10.0.0.1:99", "NAT")),
		service("[2001:db8::1]:0", "TCP", server("[2001:db8::11]:0", "TUN")),
		service("192.0.2.3:80", "TCP", server("10.0.0.1:80", "DR"), server("10.9.0.1:80", "DR")),
		service("192.0.2.4:80", "TCP", server("10.9.0.1:80", "NAT")),
		following, ours, sorry, translated,
		marked(7, false, server("10.0.0.9:80", "NAT")), marked(7, true), marked(7, false),
	}, func(instance string) bool { return instance == "VI_1" }, func(a netip.Addr) bool { return a == netip.MustParseAddr("10.9.0.1") })
	want := host.UnsyncedRules{
		Services: []netip.AddrPort{
			at("192.0.2.1:80"), at("192.0.2.2:80"), at("[2001:db8::1]:0"), at("192.0.2.4:80"), at("192.0.2.6:80"), at("192.0.2.8:80"),
		},
		Marks:   []host.FamilyMark{{Mark: 7}, {Mark: 7, IPv6: true}},
		Servers: []netip.AddrPort{at("10.0.0.1:8080"), at("10.9.0.1:80"), at("10.0.0.7:80"), at("127.0.0.1:8080"), at("10.0.0.9:80")},
	}
	if diff := cmp.Diff(want, got, cmpopts.EquateComparable(netip.AddrPort{})); diff != "" {
		t.Error(diff)
	}
}
