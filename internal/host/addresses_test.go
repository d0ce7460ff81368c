package host

import (
	"net/netip"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"golang.org/x/sys/unix"

	"github.com/tandem-ha/tandem/ipvs/nlmsg"
)

var compareNetip = cmpopts.EquateComparable(netip.Addr{}, netip.Prefix{})

func vip(prefix string) Address {
	return Address{Prefix: netip.MustParsePrefix(prefix), Interface: "v0"}
}

// testAddressTable is what any AddressTable does: the fake of hosttest here, the
// kernel in TestKernelAddressTable. The host has link v0 with 192.0.2.1/24 on
// it, which is not ours; lose removes an address behind the table's back.
func testAddressTable(t *testing.T, table AddressTable, lose func(prefix string)) {
	t.Helper()
	apply := func(changes ...AddressChange) {
		t.Helper()
		if err := table.Apply(changes); err != nil {
			t.Errorf("apply %v: %v", changes, err)
		}
	}
	owned := func(want ...Address) {
		t.Helper()
		have, err := table.Owned()
		if err != nil {
			t.Fatal(err)
		}
		if d := DiffAddresses(have, want); len(d) != 0 {
			t.Errorf("to go from owned to expected: %v", d)
		}
	}
	present := func(n int, want ...Address) {
		t.Helper()
		if have, err := table.Present(want); err != nil || len(have) != n {
			t.Errorf("present: %v, %v; want %d", have, err, n)
		}
	}
	one, two, six := vip("192.0.2.10/32"), vip("192.0.2.11/24"), vip("2001:db8::1/64")
	six.Flags = unix.IFA_F_NODAD

	owned()
	present(1, vip("192.0.2.1/24"))
	apply()
	apply(AddressChange{AddAddress, one}, AddressChange{AddAddress, two}, AddressChange{AddAddress, six})
	owned(one, two, six)
	present(3, one, two, six)
	present(0, vip("192.0.2.10/24"), vip("192.0.2.12/32"))
	// What is there already, and what is gone already, are no errors.
	apply(AddressChange{AddAddress, one}, AddressChange{RemoveAddress, vip("192.0.2.99/32")},
		AddressChange{RemoveAddress, Address{Prefix: one.Prefix, Interface: "nosuch"}})
	owned(one, two, six)
	lose("192.0.2.10/32")
	owned(two, six)
	apply(AddressChange{RemoveAddress, one})
	apply(DiffAddresses([]Address{two, six}, []Address{one})...)
	owned(one)
	if err := table.Apply([]AddressChange{{AddAddress, Address{Prefix: one.Prefix, Interface: "nosuch"}}, {RemoveAddress, one}}); err == nil {
		t.Error("an addition to an interface that does not exist succeeded")
	}
	owned()
	present(1, vip("192.0.2.1/24"))
}

func TestDiffAddresses(t *testing.T) {
	labelled := vip("192.0.2.10/32")
	labelled.Label = "v0:1"
	sameLabel := vip("192.0.2.10/32")
	sameLabel.Label = "v0"
	kernel6 := vip("2001:db8::1/128")
	kernel6.Flags, kernel6.Deprecated = unix.IFA_F_NODAD, true
	asked6 := kernel6
	asked6.Scope = unix.RT_SCOPE_LINK // the kernel works the scope of IPv6 out
	other6 := kernel6
	other6.Deprecated = false
	peer := vip("192.0.2.20/32")
	peer.Peer = netip.MustParsePrefix("10.0.0.1/24")
	selfPeer := vip("192.0.2.21/32")
	selfPeer.Peer = netip.MustParsePrefix("192.0.2.21/24")
	elsewhere := vip("192.0.2.10/32")
	elsewhere.Interface = "v1"

	tests := []struct {
		name       string
		have, want []Address
		out        []string
	}{
		{name: "nothing"},
		{"equal", []Address{vip("192.0.2.10/32"), kernel6}, []Address{asked6, sameLabel}, nil},
		{"come and go", []Address{vip("192.0.2.10/32"), vip("192.0.2.11/32")}, []Address{vip("192.0.2.13/32"), vip("192.0.2.11/32"), vip("192.0.2.12/32")},
			[]string{"remove 192.0.2.10/32 on v0", "add 192.0.2.13/32 on v0", "add 192.0.2.12/32 on v0"}},
		{"other label", []Address{vip("192.0.2.10/32")}, []Address{labelled},
			[]string{"remove 192.0.2.10/32 on v0", "add 192.0.2.10/32 on v0"}},
		{"no longer deprecated", []Address{kernel6}, []Address{other6},
			[]string{"remove 2001:db8::1/128 on v0", "add 2001:db8::1/128 on v0"}},
		{"other prefix length", []Address{vip("192.0.2.10/24")}, []Address{vip("192.0.2.10/32")},
			[]string{"remove 192.0.2.10/24 on v0", "add 192.0.2.10/32 on v0"}},
		{"other interface", []Address{vip("192.0.2.10/32")}, []Address{elsewhere},
			[]string{"remove 192.0.2.10/32 on v0", "add 192.0.2.10/32 on v1"}},
		{"peer", []Address{peer}, []Address{peer, selfPeer}, []string{"add 192.0.2.21/32 on v0"}},
		{"a peer that is the address itself", []Address{vip("192.0.2.21/24")}, []Address{selfPeer}, nil},
		{"twice", []Address{vip("192.0.2.9/32"), vip("192.0.2.9/32")}, []Address{vip("192.0.2.10/32"), labelled, vip("192.0.2.10/32")},
			[]string{"remove 192.0.2.9/32 on v0", "add 192.0.2.10/32 on v0"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			var got []string
			for _, c := range DiffAddresses(tt.have, tt.want) {
				got = append(got, c.String())
			}
			if diff := cmp.Diff(tt.out, got); diff != "" {
				t.Errorf("changes (-want +got):\n%s", diff)
			}
		})
	}
}

// What the encoder asks for is what the decoder, which reads the kernel's
// answers, understands.
func TestAddressCodecRoundTrip(t *testing.T) {
	brd := vip("192.0.2.12/24")
	brd.Broadcast, brd.Label, brd.Scope = netip.MustParseAddr("192.0.2.255"), "v0:1", unix.RT_SCOPE_LINK
	peer := vip("192.0.2.15/32")
	peer.Peer = netip.MustParsePrefix("10.9.9.9/24")
	v6 := vip("2001:db8::1/128")
	v6.Flags, v6.Deprecated = unix.IFA_F_NODAD|unix.IFA_F_NOPREFIXROUTE, true
	for _, a := range []Address{vip("192.0.2.10/32"), brd, peer, v6, vip("fe80::1/64")} {
		b := appendAddress(nil, AddAddress, unix.NLM_F_ACK, 7, 3, a)
		m, rest, ok := nlmsg.Next(b)
		if !ok || len(rest) != 0 || m.Type != unix.RTM_NEWADDR || m.Seq != 7 {
			t.Fatalf("%s: message %+v, rest %d, %v", a.Prefix, m, len(rest), ok)
		}
		if want := uint16(unix.NLM_F_REQUEST | unix.NLM_F_ACK | unix.NLM_F_CREATE | unix.NLM_F_EXCL); m.Flags != want {
			t.Errorf("%s: flags %#x, want %#x", a.Prefix, m.Flags, want)
		}
		k, ok := parseAddress(m.Data)
		if !ok || k.index != 3 || k.protocol != Protocol || k.flags != a.Flags {
			t.Errorf("%s: index %d, protocol %d, flags %#x, %v", a.Prefix, k.index, k.protocol, k.flags, ok)
		}
		k.Interface = "v0"
		if diff := cmp.Diff(a, k.Address, compareNetip); diff != "" {
			t.Errorf("%s (-asked +read):\n%s", a.Prefix, diff)
		}
		// A removal must find the address whatever its label.
		b = appendAddress(nil, RemoveAddress, 0, 8, 3, a)
		m, _, _ = nlmsg.Next(b)
		if k, _ := parseAddress(m.Data); m.Type != unix.RTM_DELADDR || k.Label != "" || k.Prefix != a.Prefix {
			t.Errorf("%s: removal %+v of type %d", a.Prefix, k, m.Type)
		}
	}
}

func FuzzNetlinkMessages(f *testing.F) {
	f.Add(appendAddress(nil, AddAddress, 0, 1, 2, vip("192.0.2.10/32")))
	f.Add(appendAddress(nil, AddAddress, 0, 1, 2, vip("2001:db8::1/64")))
	f.Add([]byte{20, 0, 0, 0, 2, 0, 0, 3, 1, 0, 0, 0, 0, 0, 0, 0, 0xed, 0xff, 0xff, 0xff})
	f.Fuzz(func(t *testing.T, b []byte) {
		for m, rest, ok := nlmsg.Next(b); ok; m, rest, ok = nlmsg.Next(rest) {
			if k, ok := parseAddress(m.Data); ok && !k.Prefix.IsValid() {
				t.Errorf("accepted address %v", k)
			}
			_ = m.Err()
			_, _, _ = parseLinkName(m)
		}
	})
}
