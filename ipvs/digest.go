package ipvs

import (
	"bytes"
	"encoding/hex"
	"hash/maphash"
	"net/netip"
	"strconv"

	"golang.org/x/sys/unix"
)

// Digest is a fingerprint of each service. Fingerprints compare only with those
// of the same Conn.
type Digest map[ServiceKey]uint64

// The lines of /proc/net/ip_vs: three of heading, then
//
//	TCP  C000020A:0050 wlc persistent 300 FFFFFFFF
//	  -> 0A000001:0050      Masq    1      0          0
//	TCP  [2001:0db8:0000:0000:0000:0000:0000:000a]:0050 rr
//	FWM  00000003 rr ops
//
// of which the last two columns of a destination count connections.
var destinationLine = []byte("  -> ")

// counterColumns are the connection counters at the end of a destination's line.
const counterColumns = 2

// digestProc computes the digest of the file's text.
func digestProc(d Digest, b []byte, seed maphash.Seed) Digest {
	if d == nil {
		d = make(Digest)
	}
	clear(d)
	var (
		sum     uint64
		key     ServiceKey
		current bool
	)
	end := func() {
		if !current {
			return
		}
		d[key] += sum
		if key.FWMark != 0 { // the line does not tell the family
			other := key
			other.IPv6 = true
			d[other] += sum
		}
	}
	for len(b) > 0 {
		line := b
		if i := bytes.IndexByte(b, '\n'); i >= 0 {
			line, b = b[:i], b[i+1:]
		} else {
			b = nil
		}
		switch {
		case !bytes.HasPrefix(line, destinationLine):
			end()
			if key, current = serviceLine(line); current {
				sum = maphash.Bytes(seed, line)
			}
		case current:
			// Of whatever order: it is the kernel's.
			sum += maphash.Bytes(seed, withoutCounters(line))
		}
	}
	end()
	return d
}

// withoutCounters cuts the counters off a destination's line.
func withoutCounters(line []byte) []byte {
	n := len(line)
	for range counterColumns {
		for n > 0 && line[n-1] == ' ' {
			n--
		}
		for n > 0 && line[n-1] != ' ' {
			n--
		}
	}
	return line[:n]
}

// serviceLine tells which service a line begins; false where it begins none.
func serviceLine(line []byte) (k ServiceKey, ok bool) {
	proto, rest, _ := bytes.Cut(line, []byte("  "))
	id, _, _ := bytes.Cut(rest, []byte(" "))
	switch string(proto) {
	case "FWM":
		mark, err := strconv.ParseUint(string(id), 16, 32)
		return ServiceKey{FWMark: uint32(mark)}, err == nil && mark != 0
	case "TCP":
		k.Protocol = unix.IPPROTO_TCP
	case "UDP":
		k.Protocol = unix.IPPROTO_UDP
	case "SCTP":
		k.Protocol = unix.IPPROTO_SCTP
	default:
		return ServiceKey{}, false
	}
	i := bytes.LastIndexByte(id, ':')
	if i < 0 {
		return ServiceKey{}, false
	}
	port, err := strconv.ParseUint(string(id[i+1:]), 16, 16)
	if err != nil {
		return ServiceKey{}, false
	}
	k.Port = uint16(port)
	k.Addr, ok = procAddr(id[:i])
	k.IPv6 = k.Addr.Is6()
	return k, ok
}

// procAddr reads an address as the kernel writes it here: all of its digits.
func procAddr(b []byte) (netip.Addr, bool) {
	if n := len(b); n > 2 && b[0] == '[' && b[n-1] == ']' {
		return procIPv6(b[1 : n-1])
	}
	var a [4]byte
	if len(b) != hex.EncodedLen(len(a)) {
		return netip.Addr{}, false
	}
	_, err := hex.Decode(a[:], b)
	return netip.AddrFrom4(a), err == nil
}

// procIPv6 reads eight groups of four digits.
func procIPv6(b []byte) (netip.Addr, bool) {
	const groups, width = 8, 4
	var a [16]byte
	if len(b) != groups*(width+1)-1 {
		return netip.Addr{}, false
	}
	for i := range groups {
		group := b[i*(width+1):]
		if i > 0 && b[i*(width+1)-1] != ':' {
			return netip.Addr{}, false
		}
		if _, err := hex.Decode(a[2*i:2*i+2], group[:width]); err != nil {
			return netip.Addr{}, false
		}
	}
	return netip.AddrFrom16(a), true
}
