package ipvs

import (
	"fmt"
	"hash/maphash"
	"net/netip"

	"golang.org/x/sys/unix"
)

// fingerprint is what digestProc gives for a service that is as e says; false where
// the file tells what an entry does not: a mark's family, a timeout in ticks.
func fingerprint(e Entry, seed maphash.Seed) (sum uint64, ok bool) {
	protocol := map[uint16]string{unix.IPPROTO_TCP: "TCP", unix.IPPROTO_UDP: "UDP", unix.IPPROTO_SCTP: "SCTP"}[e.Protocol]
	if e.FWMark != 0 || e.Flags&FlagPersistent != 0 || protocol == "" {
		return 0, false
	}
	b := appendProcAddr(append(append(make([]byte, 0, 96), protocol...), "  "...), e.Addr, e.Port)
	b = append(append(append(b, ' '), e.Scheduler...), ' ')
	if !e.IPv6 {
		if e.Flags&FlagOnePacket != 0 {
			b = append(b, "ops "...)
		}
		b = append(b, ' ')
	}
	sum = maphash.Bytes(seed, b)
	for _, d := range e.Destinations {
		if int(d.Forward) >= len(procForwards) {
			return 0, false
		}
		b = appendProcAddr(append(b[:0], destinationLine...), d.Addr, d.Port)
		b = fmt.Appendf(b, "      %-7s %-6d ", procForwards[d.Forward], int32(d.Weight))
		sum += maphash.Bytes(seed, b)
	}
	return sum, true
}

// procForwards are the forwarding methods as the file names them.
var procForwards = [...]string{NAT: "Masq", Local: "Local", Tunnel: "Tunnel", Route: "Route"}

// appendProcAddr appends an address and a port as the kernel writes them there.
func appendProcAddr(b []byte, a netip.Addr, port uint16) []byte {
	if a.Is4() {
		b = fmt.Appendf(b, "%X", a.As4())
	} else {
		b = append(append(append(b, '['), a.StringExpanded()...), ']')
	}
	return fmt.Appendf(b, ":%04X", port)
}
