package ipvs

import (
	"fmt"
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// Service flags (IP_VS_SVC_F_*).
const (
	FlagPersistent uint32 = 0x01
	FlagOnePacket  uint32 = 0x04
	FlagSched1     uint32 = 0x08 // sh and mh: fallback
	FlagSched2     uint32 = 0x10 // sh and mh: hash the port too
	FlagSched3     uint32 = 0x20
)

// Op is what a Change does.
type Op uint8

// The operations, in no order.
const (
	AddService Op = iota + 1
	EditService
	DeleteService
	AddDestination
	EditDestination
	DeleteDestination
)

var opNames = [...]string{
	AddService: "add-service", EditService: "edit-service", DeleteService: "delete-service",
	AddDestination: "add-destination", EditDestination: "edit-destination", DeleteDestination: "delete-destination",
}

// String is the operation's name: add-service, edit-destination, ...
func (o Op) String() string {
	if int(o) < len(opNames) && opNames[o] != "" {
		return opNames[o]
	}
	return fmt.Sprintf("op %d", uint8(o))
}

// MarshalText is the operation's name.
func (o Op) MarshalText() ([]byte, error) { return []byte(o.String()), nil }

// UnmarshalText reads what MarshalText writes.
func (o *Op) UnmarshalText(b []byte) error {
	i := slices.Index(opNames[:], string(b))
	if i <= 0 {
		return fmt.Errorf("unknown operation %q", b)
	}
	*o = Op(i)
	return nil
}

// Change is one message to the kernel.
type Change struct {
	Op Op `json:"op"`
	// Service is the service that changes, or of a destination's change the one
	// it belongs to; deleting a service and every change of a destination need
	// its key alone.
	Service Service `json:"service"`
	// Destination is the one that changes; to delete it its key suffices.
	Destination Destination `json:"destination,omitzero"`
	// WasService and WasDestination are the settings before an edit.
	WasService     Service     `json:"was_service,omitzero"`
	WasDestination Destination `json:"was_destination,omitzero"`
}

// String is a line for people: "add service tcp 192.0.2.10:80 wlc", "set weight
// of 10.0.0.1:80 in tcp 192.0.2.10:80 from 1 to 0".
func (c Change) String() string {
	service := c.Service.ServiceKey
	dest := c.Destination.DestinationKey
	switch c.Op {
	case AddService:
		return "add service " + c.Service.String()
	case EditService:
		return describeEdit(service.String(), serviceEdits(c.WasService, c.Service))
	case DeleteService:
		return "remove service " + service.String()
	case AddDestination:
		return fmt.Sprintf("add destination %v to %v", c.Destination, service)
	case EditDestination:
		return describeEdit(fmt.Sprintf("%v in %v", dest, service), destinationEdits(c.WasDestination, c.Destination))
	case DeleteDestination:
		return fmt.Sprintf("remove destination %v from %v", dest, service)
	}
	return c.Op.String()
}

// edit is one setting that changes.
type edit struct{ what, from, to string }

func describeEdit(of string, edits []edit) string {
	switch len(edits) {
	case 0:
		return "set " + of + " again"
	case 1:
		e := edits[0]
		return fmt.Sprintf("set %s of %s from %s to %s", e.what, of, e.from, e.to)
	}
	parts := make([]string, len(edits))
	for i, e := range edits {
		parts[i] = fmt.Sprintf("%s from %s to %s", e.what, e.from, e.to)
	}
	return "set of " + of + ": " + strings.Join(parts, ", ")
}

type editList []edit

func (l *editList) add(what string, from, to any) {
	if from != to {
		*l = append(*l, edit{what, fmt.Sprint(from), fmt.Sprint(to)})
	}
}

func orNone(s string) string {
	if s == "" {
		return "none"
	}
	return s
}

func serviceEdits(was, is Service) []edit {
	var l editList
	l.add("scheduler", was.Scheduler, is.Scheduler)
	l.add("flags", flagNames(was.Flags), flagNames(is.Flags))
	l.add("persistence timeout", was.Timeout, is.Timeout)
	l.add("netmask", was.Netmask, is.Netmask)
	l.add("persistence engine", orNone(was.Engine), orNone(is.Engine))
	return l
}

func destinationEdits(was, is Destination) []edit {
	var l editList
	l.add("weight", was.Weight, is.Weight)
	l.add("forwarding", was.Forward, is.Forward)
	l.add("upper threshold", was.UpperThreshold, is.UpperThreshold)
	l.add("lower threshold", was.LowerThreshold, is.LowerThreshold)
	l.add("tunnel type", tunnelName(was.TunnelType), tunnelName(is.TunnelType))
	l.add("tunnel port", was.TunnelPort, is.TunnelPort)
	l.add("tunnel flags", was.TunnelFlags, is.TunnelFlags)
	return l
}

// flagNames names service flags: "persistent,ops".
func flagNames(f uint32) string {
	var names []string
	for _, n := range []struct {
		bit  uint32
		name string
	}{
		{FlagPersistent, "persistent"}, {FlagOnePacket, "ops"},
		{FlagSched1, "flag-1"}, {FlagSched2, "flag-2"}, {FlagSched3, "flag-3"},
	} {
		if f&n.bit != 0 {
			names = append(names, n.name)
			f &^= n.bit
		}
	}
	if f != 0 {
		names = append(names, fmt.Sprintf("%#x", f))
	}
	return orNone(strings.Join(names, ","))
}

func tunnelName(t uint8) string {
	switch t {
	case 0:
		return "ipip"
	case 1:
		return "gue"
	case 2:
		return "gre"
	}
	return strconv.Itoa(int(t))
}

// String is the method's name: nat, local, tunnel, route.
func (f Forward) String() string {
	switch f {
	case NAT:
		return "nat"
	case Local:
		return "local"
	case Tunnel:
		return "tunnel"
	case Route:
		return "route"
	}
	return fmt.Sprintf("method %d", uint32(f))
}

// String names the service: "tcp 192.0.2.10:80", "fwmark 3", "fwmark 3 (IPv6)".
func (k ServiceKey) String() string {
	if k.FWMark != 0 {
		if k.IPv6 {
			return fmt.Sprintf("fwmark %d (IPv6)", k.FWMark)
		}
		return fmt.Sprintf("fwmark %d", k.FWMark)
	}
	return protocolName(k.Protocol) + " " + netip.AddrPortFrom(k.Addr, k.Port).String()
}

func protocolName(p uint16) string {
	switch p {
	case unix.IPPROTO_TCP:
		return "tcp"
	case unix.IPPROTO_UDP:
		return "udp"
	case unix.IPPROTO_SCTP:
		return "sctp"
	}
	return fmt.Sprintf("protocol %d", p)
}

// String names the destination: "10.0.0.1:80", "[2001:db8::1]:80".
func (k DestinationKey) String() string {
	return netip.AddrPortFrom(k.Addr, k.Port).String()
}

// String is the service with its scheduler and the settings that are not the
// usual ones.
func (s Service) String() string {
	var b strings.Builder
	fmt.Fprintf(&b, "%v %s", s.ServiceKey, s.Scheduler)
	if f := s.Flags &^ FlagPersistent; f != 0 {
		fmt.Fprintf(&b, " %s", flagNames(f))
	}
	if s.Flags&FlagPersistent != 0 {
		fmt.Fprintf(&b, " persistent %d/%d", s.Timeout/time.Second, s.Netmask)
	}
	if s.Engine != "" {
		fmt.Fprintf(&b, " engine %s", s.Engine)
	}
	return b.String()
}

// String is the destination with its forwarding and weight, and the settings
// that are not the usual ones.
func (d Destination) String() string {
	var b strings.Builder
	fmt.Fprintf(&b, "%v %v weight %d", d.DestinationKey, d.Forward, d.Weight)
	if d.Forward == Tunnel && (d.TunnelType != 0 || d.TunnelPort != 0 || d.TunnelFlags != 0) {
		fmt.Fprintf(&b, " %s port %d flags %d", tunnelName(d.TunnelType), d.TunnelPort, d.TunnelFlags)
	}
	if d.UpperThreshold != 0 || d.LowerThreshold != 0 {
		fmt.Fprintf(&b, " thresholds %d/%d", d.UpperThreshold, d.LowerThreshold)
	}
	return b.String()
}
