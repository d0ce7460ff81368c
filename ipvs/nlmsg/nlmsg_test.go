package nlmsg

import (
	"bytes"
	"encoding/binary"
	"errors"
	"testing"

	"golang.org/x/sys/unix"
)

func TestMessagesRoundTrip(t *testing.T) {
	b := End(append(Begin(nil, 20, unix.NLM_F_REQUEST, 7), 1, 2, 3), 0)
	start := len(b)
	b = End(AppendUint32(Begin(b, 21, 0, 8), 5, 9), start)
	m, rest, ok := Next(b)
	if !ok || m.Type != 20 || m.Flags != unix.NLM_F_REQUEST || m.Seq != 7 || !bytes.Equal(m.Data, []byte{1, 2, 3}) {
		t.Fatalf("the first message is %+v, %v", m, ok)
	}
	if m, rest, ok = Next(rest); !ok || m.Type != 21 || m.Seq != 8 || len(m.Data) != 8 || len(rest) != 0 {
		t.Errorf("the second message is %+v, %v, with %d bytes behind it", m, ok, len(rest))
	}
}

func TestAttributesRoundTrip(t *testing.T) {
	b := AppendUint8(nil, 1, 0x12)
	b = AppendUint16(b, 2, 0x1234)
	b = AppendString(b, 3, "wlc")
	b = AppendString(b, 4, "wlcx")
	b, nest := BeginNested(b, 5)
	b = AppendUint32(b, 6, 0x12345678)
	b = EndAttr(b, nest)
	b = AppendAttr(b, 7, nil)
	want := []struct {
		typ   uint16
		value []byte
	}{
		{1, []byte{0x12}},
		{2, binary.NativeEndian.AppendUint16(nil, 0x1234)},
		{3, []byte("wlc\x00")},
		{4, []byte("wlcx\x00")},
		{5, AppendUint32(nil, 6, 0x12345678)},
		{7, nil},
	}
	if flags := binary.NativeEndian.Uint16(b[nest+2:]) &^ 5; flags != unix.NLA_F_NESTED {
		t.Errorf("the nested attribute has the flags %#x", flags)
	}
	for _, w := range want {
		typ, value, rest, ok := NextAttr(b)
		if !ok || typ != w.typ || !bytes.Equal(value, w.value) {
			t.Fatalf("attribute %d with %x, %v; want %d with %x", typ, value, ok, w.typ, w.value)
		}
		b = rest
	}
	if _, _, _, ok := NextAttr(b); ok || len(b) != 0 {
		t.Errorf("%x is behind the last attribute", b)
	}
	if s := String([]byte("wlc\x00junk")); s != "wlc" {
		t.Errorf("text %q, want what is before the zero", s)
	}
}

func TestErr(t *testing.T) {
	code := func(n int32) []byte { return binary.NativeEndian.AppendUint32(nil, uint32(n)) }
	words := append(append(code(-int32(unix.EINVAL)), make([]byte, unix.NLMSG_HDRLEN)...), AppendString(nil, unix.NLMSGERR_ATTR_MSG, "no such thing")...)
	for _, tc := range []struct {
		m    Message
		want error
		text string
	}{
		{Message{Data: code(0)}, nil, ""},
		{Message{Data: code(-int32(unix.EEXIST))}, unix.EEXIST, "file exists"},
		{Message{Data: words}, unix.EINVAL, "invalid argument"},
		{Message{Data: words, Flags: unix.NLM_F_CAPPED | unix.NLM_F_ACK_TLVS}, unix.EINVAL, "invalid argument (no such thing)"},
		{Message{Data: code(-int32(unix.EINVAL)), Flags: unix.NLM_F_CAPPED | unix.NLM_F_ACK_TLVS}, unix.EINVAL, "invalid argument"},
		{Message{Data: []byte{0, 0, 0}}, unix.EBADMSG, "bad message"},
	} {
		err := tc.m.Err()
		if !errors.Is(err, tc.want) || err != nil && err.Error() != tc.text {
			t.Errorf("%+v: %v, want %q", tc.m, err, tc.text)
		}
	}
}

// FuzzNext asks of any datagram that its messages and attributes lie inside of it, and
// that cutting them off comes to an end.
func FuzzNext(f *testing.F) {
	f.Add(End(AppendString(Begin(nil, 20, 0, 7), 3, "wlc"), 0))
	f.Add([]byte{17, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 9})
	f.Add([]byte{16, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 3, 0, 1, 0})
	f.Fuzz(func(t *testing.T, b []byte) {
		size := len(b)
		for m, rest, ok := Next(b); ok; m, rest, ok = Next(rest) {
			if len(m.Data)+unix.NLMSG_HDRLEN+len(rest) > size {
				t.Fatalf("a message of %d bytes and %d behind it in %d", len(m.Data), len(rest), size)
			}
			size = len(rest)
			left := len(m.Data)
			for _, value, rest, ok := NextAttr(m.Data); ok; _, value, rest, ok = NextAttr(rest) {
				if len(value)+unix.SizeofNlAttr+len(rest) > left {
					t.Fatalf("an attribute of %d bytes and %d behind it in %d", len(value), len(rest), left)
				}
				left = len(rest)
			}
			if m.Err() == nil && len(m.Data) < 4 {
				t.Fatal("a message without an outcome is taken for success")
			}
		}
	})
}
