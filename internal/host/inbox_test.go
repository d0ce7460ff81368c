package host

import (
	"encoding/binary"
	"net/netip"
	"testing"

	"golang.org/x/sys/unix"
)

func packet4(edit func(b []byte)) []byte {
	src, dst := netip.MustParseAddr("192.0.2.1"), netip.MustParseAddr("224.0.0.18")
	b := append(appendHeader4(nil, protocolVRRP, src, dst, 254, 8), 0x31, 51, 100, 1, 0, 100, 0xab, 0xcd)
	if edit != nil {
		edit(b)
	}
	return b
}

func TestReadIPv4(t *testing.T) {
	withOptions := func() []byte {
		b := packet4(nil)
		b = append(b[:20:20], append([]byte{1, 1, 1, 0}, b[20:]...)...)
		b[0] = 0x46
		binary.BigEndian.PutUint16(b[2:], uint16(len(b)))
		return b
	}
	tests := []struct {
		name    string
		packet  []byte
		payload int
		ok      bool
	}{
		{"advert", packet4(nil), 8, true},
		{"with options", withOptions(), 8, true},
		{"with Ethernet padding", append(packet4(nil), make([]byte, 18)...), 8, true},
		{"header only", packet4(func(b []byte) { b[3] = 20 })[:20], 0, true},
		{"no bytes", nil, 0, false},
		{"cut off header", packet4(nil)[:19], 0, false},
		{"header length below 20", packet4(func(b []byte) { b[0] = 0x44 }), 0, false},
		{"header longer than the packet", packet4(func(b []byte) { b[0] = 0x4f }), 0, false},
		{"total length below the header's", packet4(func(b []byte) { b[3] = 19 }), 0, false},
		{"total length beyond the packet", packet4(func(b []byte) { b[2] = 9 }), 8, true},
		{"another version", packet4(func(b []byte) { b[0] = 0x65 }), 0, false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			var r Received
			if ok := r.read4(tt.packet, nil); ok != tt.ok {
				t.Fatalf("accepted %v, want %v", ok, tt.ok)
			}
			if !tt.ok {
				return
			}
			if len(r.Payload) != tt.payload || r.Meta.TTL != 254 || r.Meta.Source.String() != "192.0.2.1" ||
				r.Meta.Destination.String() != "224.0.0.18" {
				t.Errorf("read %+v, want %d bytes of payload", r, tt.payload)
			}
		})
	}
}

// What the sender's control messages say can be read back by the receiver.
func TestControlMessages(t *testing.T) {
	src := netip.MustParseAddr("fe80::1")
	control := appendControl6(nil, src, 7, 255)
	var r Received
	from := unix.RawSockaddrInet6{Addr: netip.MustParseAddr("fe80::2").As16()}
	if !r.read6(&from, []byte("advert"), control) {
		t.Fatal("refused")
	}
	if r.Meta.Source.String() != "fe80::2" || r.Meta.Destination != src || r.Meta.TTL != 255 || r.Interface != 7 || string(r.Payload) != "advert" {
		t.Errorf("read %+v", r)
	}
	// Without them the packet cannot be judged.
	if r := (Received{}); r.read6(&from, nil, nil) {
		t.Error("accepted a packet whose destination is not known")
	}
}

func FuzzRead(f *testing.F) {
	f.Add(packet4(nil), appendControl6(nil, netip.MustParseAddr("fe80::1"), 7, 255))
	f.Add([]byte{0x4f}, []byte{1, 2, 3})
	f.Fuzz(func(t *testing.T, packet, control []byte) {
		var four, six Received
		if four.read4(packet, control) && len(four.Payload) > len(packet) {
			t.Errorf("%d bytes of payload in a packet of %d", len(four.Payload), len(packet))
		}
		six.read6(&unix.RawSockaddrInet6{}, packet, control)
	})
}

func TestAdvertKeyCheck(t *testing.T) {
	group4, group6 := netip.MustParseAddr("224.0.0.18"), netip.MustParseAddr("ff02::12")
	for _, tt := range []struct {
		key AdvertKey
		ok  bool
	}{
		{AdvertKey{Interface: "v0", Index: 3, IPv6: false, Group: group4}, true},
		{AdvertKey{Interface: "v0", Index: 3, IPv6: true, Group: group6}, true},
		{AdvertKey{Interface: "v0", Index: 3}, true},
		{AdvertKey{IPv6: true}, true},
		{AdvertKey{VRF: "red", VRFIndex: 5}, true},
		{AdvertKey{VRF: "red"}, false},
		{AdvertKey{VRFIndex: 5}, false},
		{AdvertKey{VRF: "red", VRFIndex: 5, Interface: "v0", Index: 3}, false},
		{AdvertKey{VRF: "red", VRFIndex: 5, Group: group4}, false},
		{AdvertKey{Interface: "v0", Index: 3, IPv6: true, Group: group4}, false},
		{AdvertKey{Interface: "v0", Index: 3, IPv6: false, Group: group6}, false},
		{AdvertKey{Interface: "v0", Index: 3, IPv6: false, Group: netip.MustParseAddr("192.0.2.1")}, false},
		{AdvertKey{Group: group4}, false},
		{AdvertKey{Interface: "v0"}, false},
		{AdvertKey{Index: 3}, false},
	} {
		if err := tt.key.check(); (err == nil) != tt.ok {
			t.Errorf("%+v (%s): %v", tt.key, tt.key, err)
		}
	}
}
