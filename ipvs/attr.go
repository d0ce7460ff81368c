package ipvs

import (
	"encoding/binary"
	"errors"
	"fmt"

	"golang.org/x/sys/unix"

	"github.com/tandem-ha/tandem/ipvs/nlmsg"
)

// errTruncated says that an attribute is longer than the bytes that are left,
// or too short for its type.
var errTruncated = errors.New("truncated netlink attribute")

// appendBE16 appends a number in network order.
func appendBE16(b []byte, typ, v uint16) []byte {
	return nlmsg.AppendAttr(b, typ, []byte{byte(v >> 8), byte(v)})
}

// beginNest appends the header of an attribute that holds others, without the flag
// NLA_F_NESTED, which IPVS is older than; nlmsg.EndAttr, given its start, completes it.
func beginNest(b []byte, typ uint16) (longer []byte, start int) {
	return nlmsg.AppendAttr(b, typ, nil), len(b)
}

// eachAttr calls visit for every attribute in b. The value is a part of b.
func eachAttr(b []byte, visit func(typ uint16, value []byte) error) error {
	for len(b) >= unix.SizeofNlAttr {
		typ, value, rest, ok := nlmsg.NextAttr(b)
		if !ok {
			return fmt.Errorf("attribute in the last %d bytes: %w", len(b), errTruncated)
		}
		if err := visit(typ, value); err != nil {
			return err
		}
		b = rest
	}
	return nil
}

// findAttr returns the value of the last attribute of that type in b, or nil.
func findAttr(b []byte, typ uint16) ([]byte, error) {
	var found []byte
	err := eachAttr(b, func(t uint16, v []byte) error {
		if t == typ {
			found = v
		}
		return nil
	})
	return found, err
}

// A reader decodes attribute values and keeps the first failure, so that a
// decoder is one switch without a check for each field.
type reader struct{ err error }

func (r *reader) take(v []byte, n int) []byte {
	if len(v) < n {
		if r.err == nil {
			r.err = fmt.Errorf("value of %d bytes where %d are wanted: %w", len(v), n, errTruncated)
		}
		return make([]byte, n)
	}
	return v[:n]
}

func (r *reader) u8(v []byte) uint8   { return r.take(v, 1)[0] }
func (r *reader) u16(v []byte) uint16 { return binary.NativeEndian.Uint16(r.take(v, 2)) }
func (r *reader) be16(v []byte) uint16 {
	return binary.BigEndian.Uint16(r.take(v, 2))
}
func (r *reader) u32(v []byte) uint32 { return binary.NativeEndian.Uint32(r.take(v, 4)) }

// counter decodes a counter of either size: 32 bits in STATS, 64 in STATS64.
func (r *reader) counter(v []byte) uint64 {
	if len(v) >= 8 {
		return binary.NativeEndian.Uint64(v)
	}
	return uint64(r.u32(v))
}
