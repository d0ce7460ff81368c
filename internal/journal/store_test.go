package journal

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// kept is a journal with a store, as a process has it.
type kept struct {
	t     *testing.T
	store *Store
	*Journal
	end func()

	mu   sync.Mutex
	told []string
}

// open starts one over a folder.
func open(t *testing.T, dir string, size int64) *kept {
	t.Helper()
	k := &kept{t: t}
	store, events, err := OpenStore(dir, size, 1000, func(err error) {
		k.mu.Lock()
		defer k.mu.Unlock()
		if err == nil {
			err = errors.New("well again")
		}
		k.told = append(k.told, err.Error())
	})
	if err != nil {
		t.Errorf("open: %v", err)
	}
	k.store = store
	k.Journal = New(1000, time.Now, store.Sink)
	k.Resume(events, store.Last())
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() { defer close(done); store.Run(ctx) }()
	k.end = sync.OnceFunc(func() { cancel(); <-done })
	t.Cleanup(k.end)
	return k
}

func (k *kept) add(n int) {
	for range n {
		k.Add(Event{Kind: "state", Level: Notice, Subject: "VI_1", Text: "(VI_1) Entering MASTER STATE",
			Cause: "no advert for 3.61 s, last from 192.0.2.2 priority 150", By: "root",
			Data: StateChange{Kind: Instance, Name: "VI_1", From: Backup, To: Master, Priority: 100}})
	}
}

func numbers(events []Event) string {
	var out []string
	for _, e := range events {
		out = append(out, fmt.Sprint(e.Seq))
	}
	return strings.Join(out, " ")
}

// What a process kept the next one knows, to the letter, and numbers on.
func TestStoreOutlivesTheProcess(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "journal")
	a := open(t, dir, 1<<20)
	a.add(3)
	a.end()
	b := open(t, dir, 1<<20)
	b.add(2)
	b.end()
	if files, _ := os.ReadDir(dir); len(files) != 1 {
		t.Errorf("%d files for five events", len(files))
	}
	c := open(t, dir, 1<<20)
	if got := numbers(c.Events(0)); got != "1 2 3 4 5" {
		t.Errorf("events %s", got)
	}
	c.add(1)
	if got := numbers(c.Events(5)); got != "6" {
		t.Errorf("the next one has the number %s", got)
	}
	for i, e := range c.Events(0)[:5] {
		want := b.Events(0)[i]
		x, _ := json.Marshal(e)
		y, _ := json.Marshal(want)
		if d := cmp.Diff(string(y), string(x)); d != "" {
			t.Errorf("event %d (-want +got):\n%s", e.Seq, d)
		}
	}
}

// A last line that a crash tore is passed over, and so is any that is damaged;
// what comes later is readable.
func TestStoreToleratesTornLines(t *testing.T) {
	dir := t.TempDir()
	a := open(t, dir, 1<<20)
	a.add(3)
	a.end()
	files, err := filepath.Glob(filepath.Join(dir, "*"+segmentSuffix))
	if err != nil || len(files) != 1 {
		t.Fatal(files, err)
	}
	b, err := os.ReadFile(files[0])
	if err != nil {
		t.Fatal(err)
	}
	for cut := 1; cut < len(b); cut += 7 {
		damaged := append([]byte(nil), b[:len(b)-cut]...)
		damaged[len(damaged)/3] ^= 0x55
		if err := os.WriteFile(files[0], damaged, 0o600); err != nil {
			t.Fatal(err)
		}
		k := open(t, dir, 1<<20)
		before := len(k.Events(0))
		k.add(1)
		k.end()
		again := open(t, dir, 1<<20)
		if got := len(again.Events(0)); got != before+1 {
			t.Fatalf("cut by %d: %d events and one more are %d", cut, before, got)
		}
		again.end()
		for _, f := range files {
			if err := os.Remove(f); err != nil {
				t.Fatal(err)
			}
		}
	}
}

// The files together stay within the size; the oldest events go, a part at a time.
func TestStoreIsBounded(t *testing.T) {
	dir := t.TempDir()
	const size = 64 << 10
	k := open(t, dir, size)
	for range 40 {
		k.add(50)
		settled(t, k.store)
		if n := total(t, dir); n > size {
			t.Fatalf("%d bytes, more than %d", n, size)
		}
	}
	k.end()
	again := open(t, dir, size)
	got := again.Events(0)
	if len(got) < 100 || got[len(got)-1].Seq != 2000 {
		t.Errorf("%d events are left, the last is %d", len(got), got[len(got)-1].Seq)
	}
	for i, e := range got[1:] {
		if e.Seq != got[i].Seq+1 {
			t.Fatalf("a gap between %d and %d", got[i].Seq, e.Seq)
		}
	}
	if n := total(t, dir); n < size/2 {
		t.Errorf("only %d bytes of %d are used", n, size)
	}
}

// settled waits until nothing is queued.
func settled(t *testing.T, s *Store) {
	t.Helper()
	for deadline := time.Now().Add(time.Minute); ; time.Sleep(time.Millisecond) {
		s.mu.Lock()
		n := len(s.queue)
		s.mu.Unlock()
		if n == 0 {
			return
		}
		if time.Now().After(deadline) {
			t.Fatalf("%d events are still queued", n)
		}
	}
}

func total(t *testing.T, dir string) int64 {
	t.Helper()
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	var n int64
	for _, e := range entries {
		if info, err := e.Info(); err == nil {
			n += info.Size()
		}
	}
	return n
}

// A folder that cannot be is no hindrance: it is told, once, and events go on.
func TestStoreWithoutAFolder(t *testing.T) {
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	var mu sync.Mutex
	var told []error
	s, events, err := OpenStore(filepath.Join(file, "journal"), 1<<20, 10, func(err error) {
		mu.Lock()
		defer mu.Unlock()
		told = append(told, err)
	})
	if err == nil || len(events) != 0 {
		t.Fatalf("opened: %v, %v", events, err)
	}
	j := New(10, time.Now, s.Sink)
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() { defer close(done); s.Run(ctx) }()
	for range 100 {
		j.Add(Event{Text: "x"})
		settled(t, s)
	}
	cancel()
	<-done
	if len(told) != 1 || told[0] == nil {
		t.Errorf("told %v", told)
	}
	if len(j.Events(90)) != 10 {
		t.Error("the journal itself lost events")
	}
}

// Files that somebody else put there are left alone.
func TestStoreLeavesOthersFiles(t *testing.T) {
	dir := t.TempDir()
	for _, name := range []string{"README", "1.events", "0000000000000000000x.events", "00000000000000000001.events.old"} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte("mine"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	k := open(t, dir, 8*leastSegment)
	k.add(1000)
	k.end()
	for _, name := range []string{"README", "1.events", "0000000000000000000x.events", "00000000000000000001.events.old"} {
		if b, err := os.ReadFile(filepath.Join(dir, name)); string(b) != "mine" {
			t.Errorf("%s: %q, %v", name, b, err)
		}
	}
}

func FuzzParse(f *testing.F) {
	f.Add([]byte(`{"seq":1,"time":"2026-01-02T03:04:05Z","kind":"state","level":"notice","text":"x","data":{"a":1}}`))
	f.Add([]byte(`{"seq":1,"time":"2026-01-02T03:04:05Z","data":null}`))
	f.Fuzz(func(t *testing.T, b []byte) {
		e, ok := parse(b)
		if !ok {
			return
		}
		line, err := json.Marshal(e)
		if err != nil {
			t.Fatalf("%q cannot be written again: %v", b, err)
		}
		if again, ok := parse(line); !ok || again.Seq != e.Seq || again.Text != strings.ToValidUTF8(e.Text, "\ufffd") {
			t.Fatalf("%q becomes %q", b, line)
		}
	})
}
