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
	file  *os.File
	mu    sync.Mutex
	slots map[string]*Stamp
	// found are the moments that an earlier run left.
	found map[string]int64
}

// Stamp is one instance's slot in the run folder: the moment of the last advert
// that it sent as master. Marking it is one small system call without an
// allocation, so it can be done with each advert.
type Stamp struct {
	file   *os.File
	offset int64
	mu     sync.Mutex
	b      [8]byte
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
	s := &stamps{file: f, slots: map[string]*Stamp{}, found: map[string]int64{}}
	if s.read(boot) {
		return s, nil
	}
	clear(s.slots)
	clear(s.found)
	header := make([]byte, stampHeader)
	copy(header, stampMagic)
	copy(header[len(stampMagic):], boot)
	err = f.Truncate(0)
	if err == nil {
		_, err = f.WriteAt(header, 0)
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
	if string(b[:len(stampMagic)]) != stampMagic || cString(b[len(stampMagic):stampHeader]) != boot {
		return false
	}
	for offset := stampHeader; offset < len(b); offset += stampSlot {
		slot := b[offset : offset+stampSlot]
		name := cString(slot[12:])
		if binary.NativeEndian.Uint32(slot[8:]) != crc32.ChecksumIEEE([]byte(name)) {
			return false
		}
		s.slots[name] = &Stamp{file: s.file, offset: int64(offset)}
		if at := int64(binary.NativeEndian.Uint64(slot)); at > 0 {
			s.found[name] = at
		}
	}
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
func (r *Record) Stamp(instance string) *Stamp {
	name := stampKey(instance)
	s := r.stamps
	s.mu.Lock()
	defer s.mu.Unlock()
	if slot, ok := s.slots[name]; ok {
		return slot
	}
	slot := &Stamp{file: s.file, offset: int64(stampHeader + len(s.slots)*stampSlot)}
	s.slots[name] = slot
	b := make([]byte, stampSlot)
	binary.NativeEndian.PutUint32(b[8:], crc32.ChecksumIEEE([]byte(name)))
	copy(b[12:], name)
	// A failure shows at the first Mark, which fails too.
	_, _ = s.file.WriteAt(b, slot.offset)
	return slot
}

// Mark says that an advert was sent as master just now.
func (s *Stamp) Mark() error { return s.write(bootTime()) }

// Clear says that the instance is master no longer.
func (s *Stamp) Clear() error { return s.write(0) }

func (s *Stamp) write(at int64) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	binary.NativeEndian.PutUint64(s.b[:], uint64(at))
	if _, err := s.file.WriteAt(s.b[:], s.offset); err != nil {
		return fmt.Errorf("write stamp: %w", err)
	}
	return nil
}

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
