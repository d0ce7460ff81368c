package ipvs

import (
	"cmp"
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"time"
)

// String is the table as `ipvsadm -Sn` writes it, services and destinations in
// order, so that `ipvsadm -R` reads it. Thresholds, which ipvsadm reads and does
// not write, are given too, and a mark above 2147483647 is not negative.
func (t Table) String() string {
	var b strings.Builder
	for _, k := range t.Keys() {
		b.WriteString(t[k].String())
	}
	return b.String()
}

// String is the service and its destinations as Table.String writes them.
func (e Entry) String() string {
	var b strings.Builder
	k := e.ServiceKey.save()
	fmt.Fprintf(&b, "-A %s -s %s%s\n", k, e.Scheduler, e.Service.saveOptions())
	for _, d := range sortedDestinations(e.Destinations) {
		fmt.Fprintf(&b, "-a %s %s\n", k, d.save())
	}
	return b.String()
}

func sortedDestinations(in []Destination) []Destination {
	return slices.SortedFunc(slices.Values(in), func(a, b Destination) int {
		return cmp.Or(a.Addr.Compare(b.Addr), cmp.Compare(a.Port, b.Port))
	})
}

func (k ServiceKey) save() string {
	if k.FWMark != 0 {
		if k.IPv6 {
			return fmt.Sprintf("-f %d -6", k.FWMark)
		}
		return fmt.Sprintf("-f %d", k.FWMark)
	}
	option := map[string]string{"tcp": "-t", "udp": "-u", "sctp": "--sctp-service"}[protocolName(k.Protocol)]
	return option + " " + netip.AddrPortFrom(k.Addr, k.Port).String()
}

func (s Service) saveOptions() string {
	var b strings.Builder
	if s.Flags&FlagPersistent != 0 {
		fmt.Fprintf(&b, " -p %d", s.Timeout/time.Second)
		if s.Netmask != s.fullMask() {
			fmt.Fprintf(&b, " -M %s", s.maskText())
		}
		if s.Engine != "" {
			fmt.Fprintf(&b, " --pe %s", s.Engine)
		}
	}
	if s.Flags&FlagOnePacket != 0 {
		b.WriteString(" -o")
	}
	if names := s.schedulerFlags(); len(names) > 0 {
		fmt.Fprintf(&b, " -b %s", strings.Join(names, ","))
	}
	return b.String()
}

func (s Service) fullMask() int {
	if s.IPv6 {
		return 128
	}
	return 32
}

func (s Service) maskText() string {
	if s.IPv6 {
		return fmt.Sprint(s.Netmask)
	}
	m := ^uint32(0) << (32 - min(max(s.Netmask, 0), 32))
	return netip.AddrFrom4([4]byte{byte(m >> 24), byte(m >> 16), byte(m >> 8), byte(m)}).String()
}

func (s Service) schedulerFlags() []string {
	names := [...]string{"flag-1", "flag-2", "flag-3"}
	switch s.Scheduler {
	case "sh":
		names[0], names[1] = "sh-fallback", "sh-port"
	case "mh":
		names[0], names[1] = "mh-fallback", "mh-port"
	}
	var out []string
	for i, f := range [...]uint32{FlagSched1, FlagSched2, FlagSched3} {
		if s.Flags&f != 0 {
			out = append(out, names[i])
		}
	}
	return out
}

func (d Destination) save() string {
	method := map[Forward]string{NAT: "-m", Local: "-l", Tunnel: "-i", Route: "-g"}[d.Forward]
	s := fmt.Sprintf("-r %v %s -w %d", d.DestinationKey, method, d.Weight)
	if d.UpperThreshold != 0 || d.LowerThreshold != 0 {
		s += fmt.Sprintf(" -x %d -y %d", d.UpperThreshold, d.LowerThreshold)
	}
	if d.Forward != Tunnel {
		return s
	}
	s += " --tun-type " + tunnelName(d.TunnelType)
	switch d.TunnelType {
	case 1:
		s += fmt.Sprintf(" --tun-port %d", d.TunnelPort)
		fallthrough
	case 2:
		s += " " + map[uint16]string{0: "--tun-nocsum", 1: "--tun-csum", 2: "--tun-remcsum"}[d.TunnelFlags]
	}
	return s
}
