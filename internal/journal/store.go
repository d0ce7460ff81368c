package journal

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"
)

// The store's limits.
const (
	// segments is how many files the size is spread over; the oldest goes when
	// there is one too many.
	segments = 8
	// leastSegment is the least size of one, in bytes.
	leastSegment = 4 << 10
	// maxQueue is how many events may wait for the disk.
	maxQueue = 4096
	// retryPace is how long a disk that refused is left alone.
	retryPace = 10 * time.Second
	// maxSegment bounds what is read of one, in bytes, whoever wrote it.
	maxSegment = 256 << 20
)

// segmentSuffix ends the name of a segment, which begins with the number of its
// first event.
const segmentSuffix = ".events"

// Store keeps events in files, so that a later process knows of them. Nothing
// waits for it: what the disk does not take is left out, told once, and tried
// again later with newer events.
type Store struct {
	dir string
	// told is called, on the store's goroutine, when the disk refuses, and with
	// nil when it takes events again.
	told func(error)

	mu    sync.Mutex
	queue []Event
	size  int64
	wake  chan struct{}

	// The goroutine's own.
	file    *os.File
	good    int64 // how much of the file is whole lines
	failing bool
	retryAt time.Time
	// rest is retryPace.
	rest time.Duration
	// last is the newest segment of an earlier process, which is gone on with
	// behind its whole lines; empty where there is none.
	last   string
	lastAt int64
}

// OpenStore reads the last events that the folder has, at most so many, oldest
// first, and returns a store that adds to them: size bytes in all. The error says
// what could not be read; the store can be used all the same.
func OpenStore(dir string, size int64, last int, told func(error)) (*Store, []Event, error) {
	s := &Store{dir: dir, told: told, size: size, rest: retryPace, wake: make(chan struct{}, 1)}
	err := os.MkdirAll(dir, 0o755)
	names, listed := s.segments()
	var events []Event
	errs := []error{err, listed}
	for i, name := range slices.Backward(names) {
		if len(events) >= last {
			break
		}
		more, whole, err := readSegment(filepath.Join(dir, name))
		if err == nil && i == len(names)-1 {
			s.last, s.lastAt = name, whole
		}
		errs = append(errs, err)
		events = append(more, events...)
	}
	if over := len(events) - last; over > 0 {
		events = events[over:]
	}
	if err := errors.Join(errs...); err != nil {
		return s, events, fmt.Errorf("journal: %w", err)
	}
	return s, events, nil
}

// Last is the highest number that an event of an earlier process may have, as far
// as the names of the files tell, 0 for none.
func (s *Store) Last() uint64 {
	names, err := s.segments()
	if err != nil || len(names) == 0 {
		return 0
	}
	n, _ := strconv.ParseUint(strings.TrimSuffix(names[len(names)-1], segmentSuffix), 10, 64)
	return n
}

// segments lists the store's files, oldest first.
func (s *Store) segments() ([]string, error) {
	entries, err := os.ReadDir(s.dir)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	var out []string
	for _, e := range entries {
		if number, ok := strings.CutSuffix(e.Name(), segmentSuffix); ok && len(number) == 20 {
			if _, err := strconv.ParseUint(number, 10, 64); err == nil {
				out = append(out, e.Name())
			}
		}
	}
	return out, err
}

// readSegment reads the events of a file, and how many bytes of it are whole
// lines. A line that is torn, as the last one before a crash may be, or damaged is
// passed over.
func readSegment(path string) (events []Event, whole int64, err error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, 0, err
	}
	defer f.Close()
	lines := bufio.NewReader(io.LimitReader(f, maxSegment))
	for {
		line, err := lines.ReadBytes('\n')
		if errors.Is(err, io.EOF) {
			return events, whole, nil
		}
		if err != nil {
			return events, whole, fmt.Errorf("read %s: %w", path, err)
		}
		whole += int64(len(line))
		if e, ok := parse(line); ok {
			events = append(events, e)
		}
	}
}

// parse reads an event; its Data stays as it was written.
func parse(line []byte) (Event, bool) {
	var e struct {
		Event
		Data json.RawMessage `json:"data"`
	}
	if err := json.Unmarshal(line, &e); err != nil || e.Seq == 0 || e.Time.IsZero() {
		return Event{}, false
	}
	if e.Data != nil {
		e.Event.Data = json.RawMessage(bytes.Clone(e.Data))
	}
	return e.Event, true
}

// Resize changes the bound of all files together, in bytes.
func (s *Store) Resize(size int64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.size = size
}

// Sink takes an event to be written. It never waits: what finds the queue full is
// left out.
func (s *Store) Sink(e Event) {
	s.mu.Lock()
	if len(s.queue) < maxQueue {
		s.queue = append(s.queue, e)
	}
	s.mu.Unlock()
	select {
	case s.wake <- struct{}{}:
	default:
	}
}

// Run writes until ctx is done, and then what is still queued.
func (s *Store) Run(ctx context.Context) {
	for {
		select {
		case <-s.wake:
			s.write(time.Now())
		case <-ctx.Done():
			s.write(time.Now())
			s.close()
			return
		}
	}
}

// write writes what is queued. After a failure it is left out until the disk has
// had its rest.
func (s *Store) write(now time.Time) {
	s.mu.Lock()
	queue, size := s.queue, s.size
	s.queue = nil
	s.mu.Unlock()
	if len(queue) == 0 || s.failing && now.Before(s.retryAt) {
		return
	}
	err := s.add(queue, size)
	if err != nil {
		s.close()
		s.retryAt = now.Add(s.rest)
	}
	if (err != nil) != s.failing {
		s.failing = err != nil
		s.told(err)
	}
}

// add appends events to the segment at hand, or to a new one.
func (s *Store) add(events []Event, size int64) error {
	limit := max(size/segments, leastSegment)
	var b bytes.Buffer
	for _, e := range events {
		line, err := json.Marshal(e)
		if err != nil {
			return fmt.Errorf("journal: write event %d: %w", e.Seq, err)
		}
		if s.file == nil || s.good+int64(b.Len()+len(line)) > limit && s.good+int64(b.Len()) > 0 {
			if err := s.flush(&b); err != nil {
				return err
			}
			if err := s.begin(e.Seq, limit); err != nil {
				return err
			}
		}
		b.Write(line)
		b.WriteByte('\n')
	}
	return s.flush(&b)
}

// flush writes whole lines, or leaves none of them behind.
func (s *Store) flush(b *bytes.Buffer) error {
	if b.Len() == 0 {
		return nil
	}
	n, err := s.file.WriteAt(b.Bytes(), s.good)
	if err != nil {
		// The part that was written is torn; should it stay, reading passes over it.
		return errors.Join(fmt.Errorf("journal: %w", err), s.file.Truncate(s.good))
	}
	s.good += int64(n)
	b.Reset()
	return nil
}

// begin starts a segment with the event of that number, and removes what is then
// one too many.
func (s *Store) begin(seq uint64, limit int64) error {
	s.close()
	if s.goOn(limit) {
		return nil
	}
	if err := os.MkdirAll(s.dir, 0o755); err != nil {
		return fmt.Errorf("journal: %w", err)
	}
	if err := s.prune(limit); err != nil {
		return err
	}
	name := filepath.Join(s.dir, fmt.Sprintf("%020d%s", seq, segmentSuffix))
	f, err := os.OpenFile(name, os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o640)
	if err != nil {
		return fmt.Errorf("journal: %w", err)
	}
	s.file, s.good = f, 0
	return nil
}

// goOn takes up the newest segment of an earlier process, once, where it has room.
func (s *Store) goOn(limit int64) bool {
	name := s.last
	s.last = ""
	if name == "" || s.lastAt > limit/2 {
		return false
	}
	f, err := os.OpenFile(filepath.Join(s.dir, name), os.O_WRONLY, 0)
	if err != nil {
		return false
	}
	if err := f.Truncate(s.lastAt); err != nil {
		_ = f.Close()
		return false
	}
	s.file, s.good = f, s.lastAt
	return true
}

// prune removes the oldest segments until there is room for another full one.
func (s *Store) prune(limit int64) error {
	names, err := s.segments()
	if err != nil {
		return fmt.Errorf("journal: %w", err)
	}
	sizes := make([]int64, len(names))
	var total int64
	for i, name := range names {
		if info, err := os.Stat(filepath.Join(s.dir, name)); err == nil {
			sizes[i] = info.Size()
			total += info.Size()
		}
	}
	for i, name := range names {
		if total <= (segments-1)*limit {
			break
		}
		if err := os.Remove(filepath.Join(s.dir, name)); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return fmt.Errorf("journal: %w", err)
		}
		total -= sizes[i]
	}
	return nil
}

// close ends the segment at hand. What it holds is with the kernel; that a disk
// failed at the last moment changes nothing here.
func (s *Store) close() {
	if s.file != nil {
		_ = s.file.Sync()
		_ = s.file.Close()
		s.file = nil
	}
}
