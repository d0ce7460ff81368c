package host

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/tandem-ha/tandem/ipvs"
	"github.com/tandem-ha/tandem/vrrp"
)

func openRecord(t *testing.T, dir string) *Record {
	t.Helper()
	r, err := OpenRecord(dir)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = r.Close() })
	return r
}

func testContents() Contents {
	return Contents{
		Addresses: []Address{
			{Prefix: netip.MustParsePrefix("192.0.2.10/24"), Interface: "v0", Label: "v0:1", Broadcast: netip.MustParseAddr("192.0.2.255")},
			{Prefix: netip.MustParsePrefix("2001:db8::1/128"), Interface: "v1", Flags: 2, Deprecated: true},
		},
		Routes:  []Route{fullRoute(), {Destination: netip.MustParsePrefix("::/0"), NextHops: []NextHop{{Weight: 3}}}},
		Rules:   ruleOptions(),
		Links:   []VirtualLink{{Name: "vrrp.51", Parent: "v0", Kind: Macvlan, Mode: Private, MAC: VirtualMAC(51, false), IPv4: true}},
		Sysctls: []SavedSysctl{{"net/ipv4/conf/v0/arp_ignore", "0", "1"}},
		Services: []ipvs.ServiceKey{
			{Protocol: 6, Addr: netip.MustParseAddr("192.0.2.10"), Port: 80},
			{FWMark: 7, IPv6: true},
		},
		Instances: map[string]InstanceRecord{"VI_1": {State: vrrp.Master}, "VI 2": {State: vrrp.Backup, Hold: true}},
	}
}

func TestRecordOutlivesTheRun(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "run", "tandem")
	r := openRecord(t, dir)
	if c, err := r.Load(); err != nil || !cmp.Equal(c, Contents{}) {
		t.Errorf("a new record holds %v, %v", c, err)
	}
	if err := r.Save(testContents()); err != nil {
		t.Fatal(err)
	}
	got, err := openRecord(t, dir).Load()
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(testContents(), got, compareNetip); diff != "" {
		t.Errorf("contents (-saved +loaded):\n%s", diff)
	}
}

func TestRecordIsReplacedWholeAndOnlyWhereItDiffers(t *testing.T) {
	dir := t.TempDir()
	r := openRecord(t, dir)
	path := filepath.Join(dir, recordFile)
	save := func(c Contents) os.FileInfo {
		t.Helper()
		if err := r.Save(c); err != nil {
			t.Fatal(err)
		}
		info, err := os.Stat(path)
		if err != nil {
			t.Fatal(err)
		}
		return info
	}
	first := save(testContents())
	if again := save(testContents()); !os.SameFile(first, again) {
		t.Error("an unchanged record was written again")
	}
	old, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer old.Close()
	if next := save(Contents{}); os.SameFile(first, next) {
		t.Error("the record was written over in place")
	}
	// Who reads the old file still sees all of it.
	var b bytes.Buffer
	if _, err := b.ReadFrom(old); err != nil || !strings.Contains(b.String(), "VI_1") {
		t.Errorf("the old record reads %q, %v", b.String(), err)
	}
	// What a crash in the middle of a save left is taken over, and not left lying.
	if err := os.WriteFile(filepath.Join(dir, "."+recordFile+".new"), []byte(`{"version":1,"addr`), 0o600); err != nil {
		t.Fatal(err)
	}
	save(testContents())
	if c, err := openRecord(t, dir).Load(); err != nil || len(c.Addresses) != 2 {
		t.Errorf("after a save that was cut off: %v, %v", c, err)
	}
	entries, err := os.ReadDir(dir)
	if err != nil || len(entries) != 2 {
		t.Errorf("the folder holds %v, %v", entries, err)
	}
}

func TestRecordToleratesDamage(t *testing.T) {
	for name, content := range map[string]string{
		"empty":             "",
		"cut off":           `{"version":1,"addresses":[{"prefix":"192.0.2`,
		"of another form":   `[1,2,3]`,
		"of another age":    `{"version":99,"addresses":[]}`,
		"with a bad prefix": `{"version":1,"addresses":[{"prefix":"banana","interface":"v0"}]}`,
		"binary":            "\x00\xff\x00",
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			if err := os.WriteFile(filepath.Join(dir, recordFile), []byte(content), 0o600); err != nil {
				t.Fatal(err)
			}
			r := openRecord(t, dir)
			c, err := r.Load()
			if err == nil || !strings.Contains(err.Error(), dir) {
				t.Errorf("error %v does not name the file", err)
			}
			if !cmp.Equal(c, Contents{}) {
				t.Errorf("contents of a damaged record: %v", c)
			}
			if err := r.Save(testContents()); err != nil {
				t.Fatal(err)
			}
			if _, err := openRecord(t, dir).Load(); err != nil {
				t.Errorf("after a save: %v", err)
			}
		})
	}
}

func TestRecordSaysWhereItCannotBeWritten(t *testing.T) {
	dir := t.TempDir()
	r := openRecord(t, dir)
	if err := os.RemoveAll(dir); err != nil {
		t.Fatal(err)
	}
	if err := r.Save(testContents()); err == nil || !strings.Contains(err.Error(), dir) {
		t.Errorf("saved into a folder that is gone: %v", err)
	}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	if err := r.Save(testContents()); err != nil {
		t.Errorf("the folder is back: %v", err)
	}
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := OpenRecord(filepath.Join(file, "run")); err == nil {
		t.Error("a record was opened below a file")
	}
}

func TestStamps(t *testing.T) {
	dir := t.TempDir()
	long := strings.Repeat("ä", 100)
	names := []string{"VI_1", "VI 2", "", long, long + "x", "zero\x00byte"}
	r := openRecord(t, dir)
	for _, n := range names {
		if at := r.LastAdvert(n, time.Now()); !at.IsZero() {
			t.Errorf("%q: a new record knows of an advert at %v", n, at)
		}
		r.Stamp(n).Mark(time.Now())
	}
	if again := r.Stamp("VI_1"); again != r.Stamp(names[0]) {
		t.Error("an instance has two slots")
	}
	r.Stamp("VI 2").Clear()
	write(t, r)
	marked := time.Now()

	r = openRecord(t, dir)
	for _, n := range names {
		now := time.Now()
		at := r.LastAdvert(n, now)
		if n == "VI 2" {
			if !at.IsZero() {
				t.Errorf("a cleared stamp reads %v", at)
			}
			continue
		}
		if at.IsZero() || at.After(now) || marked.Sub(at) > 5*time.Second {
			t.Errorf("%q: last advert at %v, marked at %v", n, at, marked)
		}
	}
	// New instances get slots of their own beside the old ones.
	r.Stamp("new").Mark(time.Now())
	write(t, r)
	r = openRecord(t, dir)
	if r.LastAdvert("new", time.Now()).IsZero() || r.LastAdvert("VI_1", time.Now()).IsZero() {
		t.Error("a later instance took the place of an earlier one")
	}
}

func TestStampsAgeWithTheBoot(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, stampsFile)
	r := openRecord(t, dir)
	r.Stamp("VI_1").Mark(time.Now())
	write(t, r)
	good, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	edit := func(fn func(b []byte) []byte) []byte { return fn(bytes.Clone(good)) }
	for name, content := range map[string][]byte{
		"another boot":        edit(func(b []byte) []byte { b[len(stampMagic)]++; return b }),
		"another version":     edit(func(b []byte) []byte { b[14]++; return b }),
		"cut off":             good[:len(good)-1],
		"only half a header":  good[:20],
		"empty":               {},
		"a name changed":      edit(func(b []byte) []byte { b[stampHeader+13]++; return b }),
		"a moment to come":    edit(func(b []byte) []byte { binary.NativeEndian.PutUint64(b[stampHeader:], 1<<62); return b }),
		"a moment before all": edit(func(b []byte) []byte { binary.NativeEndian.PutUint64(b[stampHeader:], 1<<63); return b }),
		"far too much":        append(edit(func(b []byte) []byte { return b }), make([]byte, stampSlot*(maxStamps+1))...),
	} {
		t.Run(name, func(t *testing.T) {
			if err := os.WriteFile(path, content, 0o600); err != nil {
				t.Fatal(err)
			}
			r := openRecord(t, dir)
			if at := r.LastAdvert("VI_1", time.Now()); !at.IsZero() {
				t.Errorf("last advert at %v", at)
			}
			r.Stamp("VI_1").Mark(time.Now())
			write(t, r)
			if openRecord(t, dir).LastAdvert("VI_1", time.Now()).IsZero() {
				t.Error("the file is of no use afterwards")
			}
		})
	}
}

func write(t *testing.T, r *Record) {
	t.Helper()
	if err := r.WriteStamps(); err != nil {
		t.Fatal(err)
	}
}

// What could not be written is written when it can be, with all that was marked
// meanwhile.
func TestStampsAreWrittenAgain(t *testing.T) {
	dir := t.TempDir()
	r := openRecord(t, dir)
	for _, n := range []string{"VI_1", "VI_2", "VI_3"} {
		r.Stamp(n)
	}
	write(t, r)
	good := r.stamps.file
	closed, err := os.Create(filepath.Join(t.TempDir(), "closed"))
	if err != nil {
		t.Fatal(err)
	}
	if err := closed.Close(); err != nil {
		t.Fatal(err)
	}
	r.stamps.file = closed
	r.Stamp("VI_3").Mark(time.Now())
	if err := r.WriteStamps(); err == nil {
		t.Fatal("written to a closed file")
	}
	r.stamps.file = good
	r.Stamp("VI_1").Mark(time.Now())
	write(t, r)
	r = openRecord(t, dir)
	for n, want := range map[string]bool{"VI_1": true, "VI_2": false, "VI_3": true} {
		if at := r.LastAdvert(n, time.Now()); at.IsZero() == want {
			t.Errorf("%s: last advert at %v", n, at)
		}
	}
}

func TestStampsDoNotAllocate(t *testing.T) {
	r := openRecord(t, t.TempDir())
	s := r.Stamp("VI_1")
	mark := func() {
		s.Mark(time.Now())
		if err := r.WriteStamps(); err != nil {
			t.Error(err)
		}
	}
	if n := testing.AllocsPerRun(100, mark); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

// An advert interval of 250 instances: each marked, all written at once.
func BenchmarkStamps(b *testing.B) {
	r, err := OpenRecord(b.TempDir())
	if err != nil {
		b.Fatal(err)
	}
	defer r.Close()
	var list []Stamp
	for i := range 250 {
		list = append(list, r.Stamp(fmt.Sprint("VI_", i)))
	}
	b.ReportAllocs()
	for b.Loop() {
		for _, s := range list {
			s.Mark(time.Now())
		}
		if err := r.WriteStamps(); err != nil {
			b.Fatal(err)
		}
	}
}

func TestHolds(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "state")
	open := func() *Moments { return OpenKept(dir).Holds }
	since := time.Date(2026, 11, 23, 6, 0, 0, 5, time.UTC)
	h := open()
	for _, name := range []string{"VI_1", "VI 2"} {
		if err := h.Add(name, since); err != nil {
			t.Fatal(err)
		}
	}
	if err := h.Add("VI_1", since.Add(time.Hour)); err != nil {
		t.Fatal(err)
	}
	if err := h.Remove("VI 2"); err != nil {
		t.Fatal(err)
	}
	if err := h.Remove("nobody"); err != nil {
		t.Fatal(err)
	}
	h = open()
	if diff := cmp.Diff(map[string]time.Time{"VI_1": since}, h.All()); diff != "" || !h.Has("VI_1") || h.Has("VI 2") {
		t.Errorf("holds (-want +got):\n%s", diff)
	}
	if err := OpenKept(dir).Damaged(); err != nil {
		t.Error(err)
	}

	if err := os.WriteFile(filepath.Join(dir, "holds"), []byte(`{"VI_1":`), 0o600); err != nil {
		t.Fatal(err)
	}
	h = open()
	if err := OpenKept(dir).Damaged(); len(h.All()) != 0 || err == nil {
		t.Errorf("damaged holds: %v, %v", h.All(), err)
	}
	if err := h.Add("VI_3", since); err != nil {
		t.Fatal(err)
	}
	if h = open(); !h.Has("VI_3") || h.damaged != nil {
		t.Errorf("after the damage: %v, %v", h.All(), h.damaged)
	}
	until := OpenKept(dir).Damped
	if until.Has("VI_3") {
		t.Error("a hold damps")
	}
	for i := range 2 {
		if err := until.Set("VI_3", since.Add(time.Duration(i)*time.Hour)); err != nil {
			t.Fatal(err)
		}
	}
	if at := OpenKept(dir).Damped.At("VI_3"); !at.Equal(since.Add(time.Hour)) {
		t.Errorf("damped until %v", at)
	}
}
