package track

import (
	"encoding/binary"
	"slices"
	"testing"

	"golang.org/x/sys/unix"
)

// event is a message of the connector, as cn_proc.h has it.
func event(what uint32, words ...int32) []byte {
	e := binary.NativeEndian
	b := e.AppendUint32(nil, cnIdxProc)
	b = e.AppendUint32(b, cnValProc)
	b = append(b, make([]byte, cnMsgSize-8)...)
	b = e.AppendUint32(b, what)
	b = append(b, make([]byte, eventHeader-4)...)
	for _, w := range words {
		b = e.AppendUint32(b, uint32(w))
	}
	return append(b, make([]byte, 24-4*len(words))...)
}

func TestReadProcEvent(t *testing.T) {
	for name, tc := range map[string]struct {
		message []byte
		want    procEvent
		ok      bool
	}{
		"acknowledged":     {event(0, 0), procEvent{kind: procAck}, true},
		"refused":          {event(0, int32(unix.EPERM)), procEvent{}, false},
		"fork":             {event(eventFork, 10, 10, 20, 20), procEvent{kind: procFork, parent: 10, pid: 20}, true},
		"a thread begins":  {event(eventFork, 10, 10, 21, 20), procEvent{kind: procOther}, true},
		"exec":             {event(eventExec, 20, 20), procEvent{kind: procExec, pid: 20}, true},
		"another name":     {event(eventComm, 20, 20), procEvent{kind: procExec, pid: 20}, true},
		"exit":             {event(eventExit, 20, 20, 0, 17), procEvent{kind: procExit, pid: 20}, true},
		"a thread ends":    {event(eventExit, 21, 20, 0, 17), procEvent{kind: procOther}, true},
		"something else":   {event(0x40, 20, 20), procEvent{kind: procOther}, true},
		"too short":        {event(0, 0)[:30], procEvent{}, false},
		"another index":    {append([]byte{9, 9, 9, 9}, event(eventExec, 20, 20)[4:]...), procEvent{}, false},
		"another value":    {slices.Concat(event(eventExec, 20, 20)[:4], []byte{9, 9, 9, 9}, event(eventExec, 20, 20)[8:]), procEvent{}, false},
		"of somebody else": {make([]byte, 80), procEvent{}, false},
	} {
		if e, ok := readProcEvent(tc.message); e != tc.want || ok != tc.ok {
			t.Errorf("%s: %+v, %v; want %+v", name, e, ok, tc.want)
		}
	}
}

func FuzzReadProcEvent(f *testing.F) {
	f.Add(event(eventFork, 10, 10, 20, 20))
	f.Fuzz(func(_ *testing.T, b []byte) { readProcEvent(b) })
}
