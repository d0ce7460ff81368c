package ipvs

import (
	"errors"
	"fmt"

	"golang.org/x/sys/unix"

	"github.com/tandem-ha/tandem/ipvs/nlmsg"
)

// appendDestinationKey appends the DEST attribute with what identifies it. The
// family is always sent: without it the kernel takes the service's, and an IPv6
// server of an IPv4 service would become an IPv4 address of its first bytes.
func appendDestinationKey(b []byte, k DestinationKey) []byte {
	b, start := beginNest(b, attrDest)
	return nlmsg.EndAttr(appendDestinationKeyAttrs(b, k), start)
}

func appendDestinationKeyAttrs(b []byte, k DestinationKey) []byte {
	b = nlmsg.AppendUint16(b, destAF, family(!k.Addr.Is4()))
	b = appendAddr(b, destAddr, k.Addr)
	return appendBE16(b, destPort, k.Port)
}

// appendDestination appends the DEST attribute with all settings.
func appendDestination(b []byte, d Destination) []byte {
	b, start := beginNest(b, attrDest)
	b = appendDestinationKeyAttrs(b, d.DestinationKey)
	b = nlmsg.AppendUint32(b, destForward, uint32(d.Forward)&destForwardMask)
	b = nlmsg.AppendUint32(b, destWeight, d.Weight)
	b = nlmsg.AppendUint32(b, destUpper, d.UpperThreshold)
	b = nlmsg.AppendUint32(b, destLower, d.LowerThreshold)
	b = nlmsg.AppendUint8(b, destTunnelType, d.TunnelType)
	b = appendBE16(b, destTunnelPort, d.TunnelPort)
	b = nlmsg.AppendUint16(b, destTunnelFlags, d.TunnelFlags)
	return nlmsg.EndAttr(b, start)
}

// parseDestination decodes the content of a DEST attribute of a service of the
// given family, which an old kernel does not repeat for the destination.
func parseDestination(b []byte, ipv6 bool) (Destination, DestinationStats, error) {
	var (
		d     Destination
		stats DestinationStats
		r     reader
		addr  []byte
		old   []byte
		wide  []byte
		af    = family(ipv6)
	)
	err := eachAttr(b, func(typ uint16, v []byte) error {
		switch typ {
		case destAddr:
			addr = v
		case destPort:
			d.Port = r.be16(v)
		case destForward:
			d.Forward = Forward(r.u32(v) & destForwardMask)
		case destWeight:
			d.Weight = r.u32(v)
		case destUpper:
			d.UpperThreshold = r.u32(v)
		case destLower:
			d.LowerThreshold = r.u32(v)
		case destActive:
			stats.Active = r.u32(v)
		case destInactive:
			stats.Inactive = r.u32(v)
		case destPersistent:
			stats.Persistent = r.u32(v)
		case destStats:
			old = v
		case destStats64:
			wide = v
		case destAF:
			af = r.u16(v)
		case destTunnelType:
			d.TunnelType = r.u8(v)
		case destTunnelPort:
			d.TunnelPort = r.be16(v)
		case destTunnelFlags:
			d.TunnelFlags = r.u16(v)
		}
		return r.err
	})
	switch {
	case err != nil:
	case af != unix.AF_INET && af != unix.AF_INET6:
		err = fmt.Errorf("address family %d", af)
	case addr == nil:
		err = errors.New("no address")
	default:
		d.Addr = r.addr(addr, af)
		err = r.err
	}
	if err == nil {
		stats.Stats, err = parseEitherStats(old, wide)
	}
	if err != nil {
		return Destination{}, DestinationStats{}, fmt.Errorf("decode destination: %w", err)
	}
	return d, stats, nil
}
