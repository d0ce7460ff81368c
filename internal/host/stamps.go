package host

import (
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"hash/fnv"
	"io"
	"os"
	"strings"
	"sync"
	"time"

	"golang.org/x/sys/unix"

	"github.com/tandem-ha/tandem/ipvs/nlmsg"
)

// The stamps file is a header and slots of one size, in this machine's byte
// order:
//
//	header  16 bytes of magic and version, 48 bytes of boot id
//	slot    8 bytes moment on the boot-time clock in nanoseconds, 0 for none;
//	        4 bytes CRC-32 of the name; 116 bytes name
//
// A stamp of another boot is of another clock and counts for nothing: the file
// is begun anew then, as it is where it is damaged.
const (
	stampMagic  = "tandem stamps 1\n"
	stampHeader = 64
	stampSlot   = 128
	stampName   = stampSlot - 12
	// maxStamps bounds the file that is believed.
	maxStamps = 1 << 16
)

// stamps is the open stamps file.
type stamps struct {
	file *os.File
	// found are the moments that an earlier run left.
	found map[string]int64

	mu    sync.Mutex
	slots map[string]Stamp
	// image is what the file is to hold; outside dirty it does already.
	image []byte
	// clock and boot are one moment, on the runtime's clock and on that which
	// counts from boot.
	clock time.Time
	boot  int64
	dirty span

	// writing makes writes one at a time; scratch is what is being written.
	writing sync.Mutex
	scratch []byte
}

// span is the part of a file from one offset to below another.
type span struct{ from, to int }

// with is the smallest span that holds both.
func (s span) with(o span) span {
	switch {
	case s.from == s.to:
		return o
	case o.from == o.to:
		return s
	}
	return span{min(s.from, o.from), max(s.to, o.to)}
}

// Stamp is one instance's slot in the run folder: the moment of the last advert
// that it sent as master. Marking it is a store to memory, so it can be done with
// each advert; Record.WriteStamps puts what was marked into the file.
type Stamp struct {
	stamps *stamps
	offset int
}

// openStamps opens the file, and begins it anew where it has nothing to say.
func openStamps(path string) (*stamps, error) {
	boot, err := bootID()
	if err != nil {
		return nil, err
	}
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o644)
	if err != nil {
		return nil, err
	}
	s := &stamps{file: f, slots: map[string]Stamp{}, found: map[string]int64{}}
	s.setClock()
	if s.read(boot) {
		return s, nil
	}
	clear(s.slots)
	clear(s.found)
	s.image = make([]byte, stampHeader)
	copy(s.image, stampMagic)
	copy(s.image[len(stampMagic):], boot)
	err = f.Truncate(0)
	if err == nil {
		_, err = f.WriteAt(s.image, 0)
	}
	if err != nil {
		return nil, errors.Join(fmt.Errorf("begin stamps: %w", err), f.Close())
	}
	return s, nil
}

// read takes in the slots of this boot; false means that the file has none.
func (s *stamps) read(boot string) bool {
	const most = stampHeader + maxStamps*stampSlot
	b, err := io.ReadAll(io.LimitReader(s.file, most+1))
	if err != nil || len(b) < stampHeader || len(b) > most || (len(b)-stampHeader)%stampSlot != 0 {
		return false
	}
	if string(b[:len(stampMagic)]) != stampMagic || nlmsg.String(b[len(stampMagic):stampHeader]) != boot {
		return false
	}
	for offset := stampHeader; offset < len(b); offset += stampSlot {
		slot := b[offset : offset+stampSlot]
		name := nlmsg.String(slot[12:])
		if binary.NativeEndian.Uint32(slot[8:]) != crc32.ChecksumIEEE([]byte(name)) {
			return false
		}
		s.slots[name] = Stamp{stamps: s, offset: offset}
		if at := int64(binary.NativeEndian.Uint64(slot)); at > 0 {
			s.found[name] = at
		}
	}
	s.image = b
	return true
}

// LastAdvert says when an earlier run on this boot last sent an advert of the
// instance as master; the zero time where none did, or it gave up. now is the
// present moment, to which the answer is related.
func (r *Record) LastAdvert(instance string, now time.Time) time.Time {
	at, ok := r.stamps.found[stampKey(instance)]
	boot := bootTime()
	if !ok || at > boot {
		return time.Time{}
	}
	return now.Add(-time.Duration(boot - at))
}

// Stamp returns the slot of an instance, made where it has none. What an earlier
// run left in it stays until the first Mark or Clear.
func (r *Record) Stamp(instance string) Stamp {
	name := stampKey(instance)
	s := r.stamps
	s.mu.Lock()
	defer s.mu.Unlock()
	if slot, ok := s.slots[name]; ok {
		return slot
	}
	slot := Stamp{stamps: s, offset: len(s.image)}
	s.slots[name] = slot
	s.image = append(s.image, make([]byte, stampSlot)...)
	b := s.image[slot.offset:]
	binary.NativeEndian.PutUint32(b[8:], crc32.ChecksumIEEE([]byte(name)))
	copy(b[12:], name)
	s.dirty = s.dirty.with(span{slot.offset, len(s.image)})
	return slot
}

// Mark says that an advert was sent as master at a moment.
func (s Stamp) Mark(now time.Time) {
	s.stamps.mu.Lock()
	defer s.stamps.mu.Unlock()
	s.put(s.stamps.boot + int64(now.Sub(s.stamps.clock)))
}

// Clear says that the instance is master no longer.
func (s Stamp) Clear() {
	s.stamps.mu.Lock()
	defer s.stamps.mu.Unlock()
	s.put(0)
}

func (s Stamp) put(at int64) {
	binary.NativeEndian.PutUint64(s.stamps.image[s.offset:], uint64(at))
	s.stamps.dirty = s.stamps.dirty.with(span{s.offset, s.offset + 8})
}

// WriteStamps puts into the file, in one system call, what was marked and cleared
// since the last time; what cannot be written is tried again at the next call.
func (r *Record) WriteStamps() error {
	s := r.stamps
	s.writing.Lock()
	defer s.writing.Unlock()
	// Whoever marks does not wait for the disk.
	s.mu.Lock()
	s.setClock()
	part := s.dirty
	s.dirty = span{}
	s.scratch = append(s.scratch[:0], s.image[part.from:part.to]...)
	s.mu.Unlock()
	if len(s.scratch) == 0 {
		return nil
	}
	if _, err := s.file.WriteAt(s.scratch, int64(part.from)); err != nil {
		s.mu.Lock()
		s.dirty = s.dirty.with(part)
		s.mu.Unlock()
		return fmt.Errorf("write stamps: %w", err)
	}
	return nil
}

// setClock relates the two clocks anew: they part where the host is suspended.
func (s *stamps) setClock() { s.clock, s.boot = time.Now(), bootTime() }

// stampKey is the name as a slot holds it: one that is too long, or has a zero
// byte in it, is replaced by its beginning and its sum.
func stampKey(name string) string {
	if len(name) < stampName && !strings.ContainsRune(name, 0) {
		return name
	}
	h := fnv.New64a()
	h.Write([]byte(name))
	return fmt.Sprintf("%s#%016x", strings.ReplaceAll(name[:min(len(name), 80)], "\x00", ""), h.Sum64())
}

// bootTime is the clock that counts from boot, suspended time included. It is
// the same for every process and starts anew with each boot.
func bootTime() int64 {
	var ts unix.Timespec
	// It cannot fail: the clock exists since Linux 2.6.39.
	_ = unix.ClockGettime(unix.CLOCK_BOOTTIME, &ts)
	return ts.Nano()
}

func bootID() (string, error) {
	b, err := os.ReadFile("/proc/sys/kernel/random/boot_id")
	if err != nil {
		return "", fmt.Errorf("read boot id: %w", err)
	}
	return strings.TrimSpace(string(b)), nil
}

func (s *stamps) close() error { return s.file.Close() }
