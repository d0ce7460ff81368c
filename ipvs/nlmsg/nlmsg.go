// Package nlmsg is the format of netlink messages (netlink(7)): headers and attributes,
// appended to byte slices and cut off them without a copy. It knows no family and has
// no socket: what messages mean is in ipvs and internal/host, and so is who sends them.
package nlmsg

import (
	"bytes"
	"encoding/binary"
	"fmt"

	"golang.org/x/sys/unix"
)

// Message is one message of a datagram; Data follows the header and is part of the
// datagram.
type Message struct {
	Type, Flags uint16
	Seq         uint32
	Data        []byte
}

// Next cuts the first message off b; ok is false at the end, or where what is left is
// no message.
func Next(b []byte) (m Message, rest []byte, ok bool) {
	if len(b) < unix.NLMSG_HDRLEN {
		return Message{}, nil, false
	}
	n := int(binary.NativeEndian.Uint32(b))
	if n < unix.NLMSG_HDRLEN || n > len(b) {
		return Message{}, nil, false
	}
	m = Message{
		Type:  binary.NativeEndian.Uint16(b[4:]),
		Flags: binary.NativeEndian.Uint16(b[6:]),
		Seq:   binary.NativeEndian.Uint32(b[8:]),
		Data:  b[unix.NLMSG_HDRLEN:n],
	}
	return m, b[min(Align(n), len(b)):], true
}

// Err is the outcome in a message of type NLMSG_ERROR or NLMSG_DONE: nil where all is
// well, or a unix.Errno, with the kernel's own words where it gave any.
func (m Message) Err() error {
	if len(m.Data) < 4 {
		return unix.EBADMSG
	}
	code := int32(binary.NativeEndian.Uint32(m.Data))
	if code == 0 {
		return nil
	}
	errno := unix.Errno(-code)
	if m.Flags&unix.NLM_F_ACK_TLVS == 0 || m.Flags&unix.NLM_F_CAPPED == 0 {
		return errno
	}
	// struct nlmsgerr is the code and the request's header; attributes follow.
	attrs := m.Data[min(4+unix.NLMSG_HDRLEN, len(m.Data)):]
	for typ, value, rest, ok := NextAttr(attrs); ok; typ, value, rest, ok = NextAttr(rest) {
		if typ == unix.NLMSGERR_ATTR_MSG {
			if s := String(value); s != "" {
				return fmt.Errorf("%w (%s)", errno, s)
			}
		}
	}
	return errno
}

// Begin appends a header whose length End fills in.
func Begin(b []byte, typ, flags uint16, seq uint32) []byte {
	b = append(b, 0, 0, 0, 0)
	b = binary.NativeEndian.AppendUint16(b, typ)
	b = binary.NativeEndian.AppendUint16(b, flags)
	b = binary.NativeEndian.AppendUint32(b, seq)
	return append(b, 0, 0, 0, 0)
}

// End completes the message that begins at start.
func End(b []byte, start int) []byte {
	binary.NativeEndian.PutUint32(b[start:], uint32(len(b)-start))
	return pad(b)
}

// NextAttr cuts the first attribute off b; its type comes without the flags
// NLA_F_NESTED and NLA_F_NET_BYTEORDER. ok is false at the end, or where what is left
// is no attribute.
func NextAttr(b []byte) (typ uint16, value, rest []byte, ok bool) {
	if len(b) < unix.SizeofNlAttr {
		return 0, nil, nil, false
	}
	n := int(binary.NativeEndian.Uint16(b))
	if n < unix.SizeofNlAttr || n > len(b) {
		return 0, nil, nil, false
	}
	typ = binary.NativeEndian.Uint16(b[2:]) &^ (unix.NLA_F_NESTED | unix.NLA_F_NET_BYTEORDER)
	return typ, b[unix.SizeofNlAttr:n], b[min(Align(n), len(b)):], true
}

// AppendAttr appends one attribute.
func AppendAttr(b []byte, typ uint16, value []byte) []byte {
	return pad(append(beginAttr(b, typ, len(value)), value...))
}

// AppendUint8 appends an attribute of one byte.
func AppendUint8(b []byte, typ uint16, v uint8) []byte {
	return pad(append(beginAttr(b, typ, 1), v))
}

// AppendUint16 appends an attribute of two bytes, in the order of this host.
func AppendUint16(b []byte, typ, v uint16) []byte {
	return pad(binary.NativeEndian.AppendUint16(beginAttr(b, typ, 2), v))
}

// AppendUint32 appends an attribute of four bytes, in the order of this host.
func AppendUint32(b []byte, typ uint16, v uint32) []byte {
	return binary.NativeEndian.AppendUint32(beginAttr(b, typ, 4), v)
}

// AppendString appends a string with the final zero that the kernel's NLA_NUL_STRING
// wants.
func AppendString(b []byte, typ uint16, s string) []byte {
	return pad(append(append(beginAttr(b, typ, len(s)+1), s...), 0))
}

// BeginNested appends the header of an attribute that holds others, with the flag
// NLA_F_NESTED; EndAttr, given its start, completes it.
func BeginNested(b []byte, typ uint16) (longer []byte, start int) {
	return beginAttr(b, typ|unix.NLA_F_NESTED, 0), len(b)
}

// EndAttr completes the attribute that begins at start.
func EndAttr(b []byte, start int) []byte {
	binary.NativeEndian.PutUint16(b[start:], uint16(len(b)-start))
	return b
}

// String is an attribute's text, up to its first zero byte.
func String(value []byte) string {
	if i := bytes.IndexByte(value, 0); i >= 0 {
		value = value[:i]
	}
	return string(value)
}

// beginAttr appends the header of an attribute with a value of n bytes.
func beginAttr(b []byte, typ uint16, n int) []byte {
	b = binary.NativeEndian.AppendUint16(b, uint16(unix.SizeofNlAttr+n))
	return binary.NativeEndian.AppendUint16(b, typ)
}

// Align is n bytes with the padding that follows them: a multiple of four.
func Align(n int) int {
	return (n + unix.NLMSG_ALIGNTO - 1) &^ (unix.NLMSG_ALIGNTO - 1)
}

func pad(b []byte) []byte {
	for len(b)%unix.NLMSG_ALIGNTO != 0 {
		b = append(b, 0)
	}
	return b
}
