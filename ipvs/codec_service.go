package ipvs

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math/bits"
	"net/netip"
	"time"

	"golang.org/x/sys/unix"

	"github.com/tandem-ha/tandem/ipvs/nlmsg"
)

// family is the kernel's number of an address family.
func family(ipv6 bool) uint16 {
	if ipv6 {
		return unix.AF_INET6
	}
	return unix.AF_INET
}

// appendAddr appends an address as the 16 bytes of union nf_inet_addr, the
// form in which the kernel itself sends addresses of both families.
func appendAddr(b []byte, typ uint16, a netip.Addr) []byte {
	var p [16]byte
	if a.Is4() {
		v4 := a.As4()
		copy(p[:], v4[:])
	} else {
		p = a.As16()
	}
	return nlmsg.AppendAttr(b, typ, p[:])
}

func (r *reader) addr(v []byte, af uint16) netip.Addr {
	if af == unix.AF_INET6 {
		return netip.AddrFrom16([16]byte(r.take(v, 16)))
	}
	return netip.AddrFrom4([4]byte(r.take(v, 4)))
}

// appendServiceKey appends the SERVICE attribute with what identifies it.
func appendServiceKey(b []byte, k ServiceKey) []byte {
	b, start := beginNest(b, attrService)
	return nlmsg.EndAttr(appendKeyAttrs(b, k), start)
}

func appendKeyAttrs(b []byte, k ServiceKey) []byte {
	b = nlmsg.AppendUint16(b, svcAF, family(k.IPv6))
	if k.FWMark != 0 {
		return nlmsg.AppendUint32(b, svcFWMark, k.FWMark)
	}
	b = nlmsg.AppendUint16(b, svcProtocol, k.Protocol)
	b = appendAddr(b, svcAddr, k.Addr)
	return appendBE16(b, svcPort, k.Port)
}

// appendService appends the SERVICE attribute with all settings. Absent, the
// engine's name makes the kernel clear the engine.
func appendService(b []byte, s Service) []byte {
	b, start := beginNest(b, attrService)
	b = appendKeyAttrs(b, s.ServiceKey)
	b = nlmsg.AppendString(b, svcScheduler, s.Scheduler)
	if s.Engine != "" {
		b = nlmsg.AppendString(b, svcEngine, s.Engine)
	}
	var flags [8]byte
	binary.NativeEndian.PutUint32(flags[:], s.Flags&^serviceHashed)
	binary.NativeEndian.PutUint32(flags[4:], everyServiceFlag)
	b = nlmsg.AppendAttr(b, svcFlags, flags[:])
	b = nlmsg.AppendUint32(b, svcTimeout, uint32(s.Timeout/time.Second))
	b = appendNetmask(b, s)
	return nlmsg.EndAttr(b, start)
}

// appendNetmask appends the mask of an IPv4 service in network order; of an
// IPv6 service the kernel wants the prefix length as a number of its own order.
func appendNetmask(b []byte, s Service) []byte {
	if s.IPv6 {
		return nlmsg.AppendUint32(b, svcNetmask, uint32(s.Netmask))
	}
	var p [4]byte
	binary.BigEndian.PutUint32(p[:], ^uint32(0)<<(32-min(max(s.Netmask, 0), 32)))
	return nlmsg.AppendAttr(b, svcNetmask, p[:])
}

// notPrefix is the Netmask of a service whose mask is no prefix, which only
// others set: it differs from every mask that can be wanted.
const notPrefix = -1

func (r *reader) netmask(v []byte, ipv6 bool) int {
	if ipv6 {
		return int(r.u32(v))
	}
	mask := binary.BigEndian.Uint32(r.take(v, 4))
	n := bits.LeadingZeros32(^mask)
	if mask<<n != 0 {
		return notPrefix
	}
	return n
}

// parseService decodes the content of a SERVICE attribute.
func parseService(b []byte) (Service, Stats, error) {
	var (
		s     Service
		stats Stats
		r     reader
		af    uint16
		addr  []byte
		mask  []byte
		old   []byte
		wide  []byte
	)
	err := eachAttr(b, func(typ uint16, v []byte) error {
		switch typ {
		case svcAF:
			af = r.u16(v)
		case svcProtocol:
			s.Protocol = r.u16(v)
		case svcAddr:
			addr = v
		case svcPort:
			s.Port = r.be16(v)
		case svcFWMark:
			s.FWMark = r.u32(v)
		case svcScheduler:
			s.Scheduler = nlmsg.String(v)
		case svcFlags:
			s.Flags = r.u32(v) &^ serviceHashed
		case svcTimeout:
			s.Timeout = time.Duration(r.u32(v)) * time.Second
		case svcNetmask:
			mask = v
		case svcEngine:
			s.Engine = nlmsg.String(v)
		case svcStats:
			old = v
		case svcStats64:
			wide = v
		}
		return r.err
	})
	if err != nil {
		return Service{}, Stats{}, fmt.Errorf("decode service: %w", err)
	}
	if af != unix.AF_INET && af != unix.AF_INET6 {
		return Service{}, Stats{}, fmt.Errorf("decode service: address family %d", af)
	}
	s.IPv6 = af == unix.AF_INET6
	switch {
	case s.FWMark != 0:
		s.Protocol, s.Port = 0, 0
	case addr == nil:
		return Service{}, Stats{}, errors.New("decode service: neither address nor mark")
	default:
		s.Addr = r.addr(addr, af)
	}
	if mask != nil {
		s.Netmask = r.netmask(mask, s.IPv6)
	}
	if r.err != nil {
		return Service{}, Stats{}, fmt.Errorf("decode service: %w", r.err)
	}
	if stats, err = parseEitherStats(old, wide); err != nil {
		return Service{}, Stats{}, fmt.Errorf("decode service %v: %w", s.ServiceKey, err)
	}
	return s, stats, nil
}
