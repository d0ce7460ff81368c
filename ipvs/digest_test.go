package ipvs

import (
	"hash/maphash"
	"net/netip"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/sys/unix"
)

// procText is as Linux 6.1 writes it.
const procText = `IP Virtual Server version 1.2.1 (size=4096)
Prot LocalAddress:Port Scheduler Flags
  -> RemoteAddress:Port Forward Weight ActiveConn InActConn
UDP  C000020C:0035 rr ops  
  -> 0A000001:0035      Masq    1      0          0         
TCP  [2001:0db8:0000:0000:0000:0000:0000:0010]:01BB rr 
TCP  C000020E:0050 wlc  
  -> [2001:0db8:0000:0000:0000:0000:0000:0001]:0050      Tunnel  1      0          0         
  -> 0A000006:0050      Tunnel  1      3          14        
TCP  C000020A:01BB wlc  persistent 75000 FFFFFF00
  -> 0A000002:01BB      Route   2147483647 0          0         
SCTP  C000020D:0050 wlc  
FWM  00000003 rr 
  -> [2001:0db8:0001:0000:0000:0000:0000:0001]:0000      Route   1      0          0         
FWM  00000003 rr 
  -> 0A000001:0000      Route   1      0          0         
`

func TestDigestKnowsTheServices(t *testing.T) {
	key := func(proto uint16, s string) ServiceKey {
		a := netip.MustParseAddrPort(s)
		return ServiceKey{IPv6: a.Addr().Is6(), Protocol: proto, Addr: a.Addr(), Port: a.Port()}
	}
	want := map[ServiceKey]bool{
		key(unix.IPPROTO_UDP, "192.0.2.12:53"):      true,
		key(unix.IPPROTO_TCP, "[2001:db8::10]:443"): true,
		key(unix.IPPROTO_TCP, "192.0.2.14:80"):      true,
		key(unix.IPPROTO_TCP, "192.0.2.10:443"):     true,
		key(unix.IPPROTO_SCTP, "192.0.2.13:80"):     true,
		{FWMark: 3}:                                 true,
		{FWMark: 3, IPv6: true}:                     true,
	}
	got := make(map[ServiceKey]bool)
	for k := range digestProc(nil, []byte(procText), maphash.MakeSeed()) {
		got[k] = true
	}
	if diff := cmp.Diff(want, got, cmpAddr); diff != "" {
		t.Errorf("services (-want +got):\n%s", diff)
	}
}

func TestDigestChangesWithTheTable(t *testing.T) {
	seed := maphash.MakeSeed()
	before := digestProc(nil, []byte(procText), seed)
	for _, tc := range []struct {
		name, old, new string
		changes        int // services, a mark counting twice
	}{
		{"connection counters", "1      3          14        ", "1      300000     1         ", 0},
		{"counters that fill their columns", "1      3          14        ", "1      30000000001 140000000000", 0},
		{"a weight", "Tunnel  1      3 ", "Tunnel  2      3 ", 1},
		{"a weight of ten digits", "2147483647 0 ", "2147483646 0 ", 1},
		{"a forwarding method", "0A000001:0035      Masq ", "0A000001:0035      Route", 1},
		{"a scheduler", "01BB wlc", "01BB wrr", 1},
		{"a persistence timeout", "75000", "75001", 1},
		{"a destination of a mark", "0A000001:0000", "0A000002:0000", 2},
		{"a destination moved to the next service", "  -> 0A000002:01BB      Route   2147483647 0          0         \nSCTP  C000020D:0050 wlc  \n",
			"SCTP  C000020D:0050 wlc  \n  -> 0A000002:01BB      Route   2147483647 0          0         \n", 2},
		{"a service", "SCTP  C000020D:0050 wlc  \n", "", 1},
	} {
		t.Run(tc.name, func(t *testing.T) {
			text := strings.Replace(procText, tc.old, tc.new, 1)
			if text == procText {
				t.Fatal("nothing replaced")
			}
			after := digestProc(nil, []byte(text), seed)
			changes := 0
			for k, sum := range before {
				if after[k] != sum {
					changes++
				}
			}
			if changes != tc.changes {
				t.Errorf("%d services differ, want %d", changes, tc.changes)
			}
		})
	}
}

func BenchmarkDigest(b *testing.B) {
	text := []byte(strings.Repeat(procText, 1000))
	seed := maphash.MakeSeed()
	b.SetBytes(int64(len(text)))
	var d Digest
	for b.Loop() {
		d = digestProc(d, text, seed)
	}
}

// The table is read each second: that allocates nothing.
func TestDigestAllocatesNothing(t *testing.T) {
	text, seed := []byte(procText), maphash.MakeSeed()
	d := digestProc(nil, text, seed)
	if n := testing.AllocsPerRun(100, func() { d = digestProc(d, text, seed) }); n > 0 {
		t.Errorf("%v allocations", n)
	}
}

// What is told of a service beforehand is what its lines give.
func TestFingerprintIsThatOfTheLines(t *testing.T) {
	seed := maphash.MakeSeed()
	digest := digestProc(nil, []byte(procText), seed)
	service := func(protocol uint16, at, scheduler string, flags uint32, ds ...Destination) Entry {
		a := netip.MustParseAddrPort(at)
		k := ServiceKey{IPv6: a.Addr().Is6(), Protocol: protocol, Addr: a.Addr(), Port: a.Port()}
		return Entry{Service: Service{ServiceKey: k, Scheduler: scheduler, Flags: flags}, Destinations: ds}
	}
	destination := func(at string, f Forward, weight uint32) Destination {
		a := netip.MustParseAddrPort(at)
		return Destination{DestinationKey: DestinationKey{Addr: a.Addr(), Port: a.Port()}, Forward: f, Weight: weight}
	}
	for _, e := range []Entry{
		service(unix.IPPROTO_UDP, "192.0.2.12:53", "rr", FlagOnePacket, destination("10.0.0.1:53", NAT, 1)),
		service(unix.IPPROTO_TCP, "[2001:db8::10]:443", "rr", 0),
		service(unix.IPPROTO_SCTP, "192.0.2.13:80", "wlc", 0),
		// In whatever order.
		service(unix.IPPROTO_TCP, "192.0.2.14:80", "wlc", 0, destination("10.0.0.6:80", Tunnel, 1), destination("[2001:db8::1]:80", Tunnel, 1)),
	} {
		if sum, ok := fingerprint(e, seed); !ok || sum != digest[e.ServiceKey] {
			t.Errorf("%v: %x, %v, want %x", e.ServiceKey, sum, ok, digest[e.ServiceKey])
		}
		for i := range e.Destinations {
			e.Destinations[i].Weight++
			if sum, _ := fingerprint(e, seed); sum == digest[e.ServiceKey] {
				t.Errorf("%v: another weight does not show", e.ServiceKey)
			}
		}
	}
	for _, e := range []Entry{
		service(unix.IPPROTO_TCP, "192.0.2.10:443", "wlc", FlagPersistent, destination("10.0.0.2:443", Route, 2147483647)),
		{Service: Service{ServiceKey: ServiceKey{FWMark: 3}, Scheduler: "rr"}},
	} {
		if _, ok := fingerprint(e, seed); ok {
			t.Errorf("%v: what the file tells is not known", e.ServiceKey)
		}
	}
}
