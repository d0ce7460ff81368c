package host

import (
	"encoding"
	"errors"
	"fmt"
	"net/netip"
	"slices"

	"golang.org/x/sys/unix"
)

// MAC is an Ethernet address; the zero value is none.
type MAC [6]byte

var (
	_ encoding.TextMarshaler   = MAC{}
	_ encoding.TextUnmarshaler = (*MAC)(nil)
)

// String is "00:00:5e:00:01:33".
func (m MAC) String() string {
	return fmt.Sprintf("%02x:%02x:%02x:%02x:%02x:%02x", m[0], m[1], m[2], m[3], m[4], m[5])
}

// MarshalText is String.
func (m MAC) MarshalText() ([]byte, error) { return []byte(m.String()), nil }

// UnmarshalText reads what MarshalText writes.
func (m *MAC) UnmarshalText(b []byte) error {
	n, err := fmt.Sscanf(string(b), "%02x:%02x:%02x:%02x:%02x:%02x", &m[0], &m[1], &m[2], &m[3], &m[4], &m[5])
	if err != nil || n != len(m) || len(b) != len("00:00:00:00:00:00") {
		return fmt.Errorf("hardware address %q is not six bytes in hexadecimal", b)
	}
	return nil
}

// VirtualMAC is the address of a virtual router (RFC 9568 7.3).
func VirtualMAC(vrid uint8, ipv6 bool) MAC {
	family := byte(1)
	if ipv6 {
		family = 2
	}
	return MAC{0x00, 0x00, 0x5e, 0x00, family, vrid}
}

// LinkKind is what a link is to the kernel, "macvlan" or "veth".
type LinkKind string

// The kinds of links that tandem makes.
const (
	Macvlan LinkKind = "macvlan"
	Ipvlan  LinkKind = "ipvlan"
)

// LinkMode is what a macvlan or ipvlan does between links of one parent.
type LinkMode string

// The modes: no traffic between them, traffic in the host, traffic by way of
// the switch.
const (
	Private LinkMode = "private"
	Bridge  LinkMode = "bridge"
	VEPA    LinkMode = "vepa"
)

// VirtualLink is a link that tandem puts upon another: the VMAC of an instance,
// or its ipvlan. It is comparable.
type VirtualLink struct {
	Name string `json:"name"`
	// Parent is the link that frames leave by.
	Parent string   `json:"parent"`
	Kind   LinkKind `json:"kind"`
	// Mode is Private for a VMAC; for an ipvlan, which works on layer 2, all of
	// one parent have the same.
	Mode LinkMode `json:"mode"`
	// MAC is a macvlan's own; an ipvlan has its parent's.
	MAC MAC `json:"mac,omitzero"`
	// Group is the interface group of ip-link(8).
	Group uint32 `json:"group,omitempty"`
	// VRF is the one that the parent is in, if it is.
	VRF string `json:"vrf,omitempty"`
	// IPv4 and IPv6 are the families of the addresses that are to be on it.
	IPv4 bool `json:"ipv4,omitempty"`
	IPv6 bool `json:"ipv6,omitempty"`
}

// LinkState is a link as it is on the host, whatever its kind. IPv4 and IPv6 are
// not filled in.
type LinkState struct {
	VirtualLink
	Index int
	// Up is IFF_UP: the link is meant to work, whether it can or not.
	Up bool
}

// LinkChange is one step of a batch.
type LinkChange struct {
	Op   Op          `json:"op"`
	Link VirtualLink `json:"link"`
}

// String is a line for people: "add macvlan vrrp.51 (00:00:5e:00:01:33) on eth0".
func (c LinkChange) String() string {
	mac := ""
	if c.Link.MAC != (MAC{}) {
		mac = fmt.Sprintf(" (%s)", c.Link.MAC)
	}
	return fmt.Sprintf("%s %s %s%s on %s", c.Op, c.Link.Kind, c.Link.Name, mac, c.Link.Parent)
}

// same says whether a link on the host is the wanted one; what does not show on
// it does not count.
func (l VirtualLink) same(want VirtualLink) bool {
	l.IPv4, l.IPv6 = want.IPv4, want.IPv6
	if want.Kind == Ipvlan {
		l.MAC = want.MAC
	}
	return l == want
}

// shapeable says whether a link that is not in the record may yet be made into
// the wanted one: it is a private macvlan upon the same parent, as a crash would
// have left it, of which only the address or the group differs.
func (l VirtualLink) shapeable(want VirtualLink) bool {
	l.MAC, l.Group, l.VRF = want.MAC, want.Group, want.VRF
	return want.Kind == Macvlan && l.same(want)
}

// carrier is the link that one upon parent will be on: the kernel puts a macvlan
// upon a macvlan, and an ipvlan upon an ipvlan, beside it.
func carrier(have []LinkState, kind LinkKind, parent string) string {
	for range have {
		i := slices.IndexFunc(have, func(h LinkState) bool { return h.Name == parent && h.Kind == kind && h.Parent != "" })
		if i < 0 {
			break
		}
		parent = have[i].Parent
	}
	return parent
}

// carried is the link with the parent that the kernel will tell of.
func (l VirtualLink) carried(have []LinkState) VirtualLink {
	l.Parent = carrier(have, l.Kind, l.Parent)
	return l
}

// Bases are the links that a link is made upon: the configured parent, and the one
// that the kernel puts it upon where that is another.
func Bases(link VirtualLink, have []LinkState) []string {
	base := carrier(have, link.Kind, link.Parent)
	if base == link.Parent {
		return []string{base}
	}
	return []string{link.Parent, base}
}

// ErrForeignLink is why a link cannot be made: its name belongs to another.
var ErrForeignLink = errors.New("a link of this name exists and is not ours")

// DiffLinks says how to turn have, which is all links of the host, into one that
// has want: first what goes, then what comes. ours is the record of what was
// made. A link that is as it is wanted but is not in the record, or is down, is
// adopted: its Add gives it its settings and sets it up. One that is not wanted
// goes where it is in ours, and is as it is there. One of a wanted name that is
// neither ours nor a private macvlan on the same parent is left alone: its Add
// will fail with ErrForeignLink.
func DiffLinks(have []LinkState, want, ours []VirtualLink) []LinkChange {
	wanted := make(map[string]VirtualLink, len(want))
	for _, w := range want {
		wanted[w.Name] = w.carried(have)
	}
	var out []LinkChange
	right := make(map[string]bool, len(want))
	for _, h := range have {
		made := slices.ContainsFunc(ours, func(o VirtualLink) bool { return o.Name == h.Name && h.same(o.carried(have)) })
		w, ok := wanted[h.Name]
		if ok && h.same(w) {
			right[h.Name] = made && h.Up
			continue
		}
		if made || ok && h.shapeable(w) {
			out = append(out, LinkChange{Remove, h.VirtualLink})
		}
	}
	for _, w := range want {
		if !right[w.Name] {
			right[w.Name] = true
			out = append(out, LinkChange{Add, w})
		}
	}
	return out
}

// NameVMAC chooses the name of a VMAC or ipvlan, whose other fields are as they
// will be. A configured name is in link, which it stays unless it belongs to a
// link of another kind or to another instance. Without one, a link on the host that is the same is
// adopted by its name; else it is prefix.VRID, then for IPv6 prefix6.VRID, then
// prefix1.VRID and so on, the first that no link of the host has. Names in taken
// are those of other instances.
func NameVMAC(link VirtualLink, prefix string, vrid uint8, host []LinkState, taken []string) string {
	used := make(map[string]bool, len(host)+len(taken))
	for _, name := range taken {
		used[name] = true
	}
	if link.Name != "" && !used[link.Name] {
		i := slices.IndexFunc(host, func(h LinkState) bool { return h.Name == link.Name })
		if i < 0 || host[i].Kind == link.Kind && host[i].Mode == link.Mode {
			return link.Name
		}
	}
	for _, h := range host {
		wanted := link.carried(host)
		wanted.Name = h.Name
		if !used[h.Name] && h.same(wanted) {
			return h.Name
		}
	}
	for _, h := range host {
		used[h.Name] = true
	}
	candidate := func(infix string) string { return fmt.Sprintf("%s%s.%d", prefix, infix, vrid) }
	if name := candidate(""); !used[name] {
		return name
	}
	if name := candidate("6"); link.IPv6 && !link.IPv4 && !used[name] {
		return name
	}
	for i := 1; ; i++ {
		if name := candidate(fmt.Sprint(i)); !used[name] {
			return name
		}
	}
}

// LinkLocal is the IPv6 link-local address that a VMAC gets: its base's own, not
// preferred, so that it serves for adverts alone. ok is false where the base has
// none.
func LinkLocal(base Link, vmac string, ours func(netip.Addr) bool) (a Address, ok bool) {
	source := SourceAddress(base, true, ours)
	if !source.IsValid() {
		return Address{}, false
	}
	return Address{
		Prefix: netip.PrefixFrom(source, 64), Interface: vmac, Flags: unix.IFA_F_NODAD, Deprecated: true,
	}, true
}
