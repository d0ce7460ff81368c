package ipvs

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
)

// errTruncated says that an attribute is longer than the bytes that are left,
// or too short for its type.
var errTruncated = errors.New("truncated netlink attribute")

const (
	attrHeader   = 4
	attrTypeMask = 0x3fff // without NLA_F_NESTED and NLA_F_NET_BYTEORDER
)

func align4(n int) int { return (n + 3) &^ 3 }

// appendAttr appends one attribute with its padding.
func appendAttr(b []byte, typ uint16, payload ...byte) []byte {
	b = binary.NativeEndian.AppendUint16(b, uint16(attrHeader+len(payload)))
	b = binary.NativeEndian.AppendUint16(b, typ)
	b = append(b, payload...)
	for i := len(payload); i < align4(len(payload)); i++ {
		b = append(b, 0)
	}
	return b
}

func appendU8(b []byte, typ uint16, v uint8) []byte { return appendAttr(b, typ, v) }

func appendU16(b []byte, typ, v uint16) []byte {
	var p [2]byte
	binary.NativeEndian.PutUint16(p[:], v)
	return appendAttr(b, typ, p[:]...)
}

func appendBE16(b []byte, typ, v uint16) []byte {
	return appendAttr(b, typ, byte(v>>8), byte(v))
}

func appendU32(b []byte, typ uint16, v uint32) []byte {
	var p [4]byte
	binary.NativeEndian.PutUint32(p[:], v)
	return appendAttr(b, typ, p[:]...)
}

// appendString appends a string with the final zero that the kernel's
// NLA_NUL_STRING wants.
func appendString(b []byte, typ uint16, s string) []byte {
	b = binary.NativeEndian.AppendUint16(b, uint16(attrHeader+len(s)+1))
	b = binary.NativeEndian.AppendUint16(b, typ)
	b = append(b, s...)
	for i := len(s); i < align4(len(s)+1); i++ {
		b = append(b, 0)
	}
	return b
}

// openNest begins a nested attribute; closeNest, given what openNest returned
// as its start, writes the length.
func openNest(b []byte, typ uint16) (out []byte, start int) {
	start = len(b)
	return appendAttr(b, typ), start
}

func closeNest(b []byte, start int) []byte {
	binary.NativeEndian.PutUint16(b[start:], uint16(len(b)-start))
	return b
}

// eachAttr calls visit for every attribute in b. The value is a part of b.
func eachAttr(b []byte, visit func(typ uint16, value []byte) error) error {
	for len(b) >= attrHeader {
		n := int(binary.NativeEndian.Uint16(b))
		typ := binary.NativeEndian.Uint16(b[2:]) & attrTypeMask
		if n < attrHeader || n > len(b) {
			return fmt.Errorf("attribute %d of length %d in %d bytes: %w", typ, n, len(b), errTruncated)
		}
		if err := visit(typ, b[attrHeader:n]); err != nil {
			return err
		}
		if n = align4(n); n > len(b) {
			return nil
		}
		b = b[n:]
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

// text decodes a string up to its first zero byte.
func text(v []byte) string {
	if i := bytes.IndexByte(v, 0); i >= 0 {
		v = v[:i]
	}
	return string(v)
}
