package track

import (
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// FileConfig is one track_file.
type FileConfig struct {
	Name, Path string
	// Init makes the file at the start with InitValue where it is missing;
	// Overwrite writes it also where it is there.
	Init, Overwrite bool
	InitValue       int64
}

// Prepare makes the file where the configuration says so, as keepalived does: a new
// file, with the mode that the umask leaves, which takes the place of whatever has the
// name and is whole when it does. It belongs to the start of a process: a reload makes
// none.
func (c FileConfig) Prepare() error {
	if !c.Init {
		return nil
	}
	if _, err := os.Stat(c.Path); err == nil && !c.Overwrite {
		return nil
	}
	if err := c.make(); err != nil {
		return fmt.Errorf("track_file %s: %w", c.Name, err)
	}
	return nil
}

func (c FileConfig) make() error {
	f, err := os.OpenFile(c.Path+".new", os.O_CREATE|os.O_WRONLY|os.O_TRUNC|unix.O_NOFOLLOW, 0o666)
	if err != nil {
		return err
	}
	_, err = fmt.Fprintf(f, "%d\n", c.InitValue)
	if err = errors.Join(err, f.Close()); err == nil {
		err = os.Rename(f.Name(), c.Path)
	}
	if err != nil {
		_ = os.Remove(f.Name())
	}
	return err
}

// FileResult says that a file's number was read.
type FileResult struct {
	Name  string
	Value int64
	// Err is why the file could not be read; its number is 0 then, apart from
	// one that is too great, which leaves the number as it was.
	Err error
	// Changed is false where only Err is news.
	Changed bool
}

// FileState is what is known of one file.
type FileState struct {
	Name, Path string
	Value      int64
	// Since is when the number last changed; Err why it cannot be read.
	Since time.Time
	Err   string
}

// Files follows tracked files. Its methods are safe for use by several goroutines.
type Files struct {
	handler func(FileResult)
	settle  chan struct{}

	mu    sync.Mutex
	files []*file
	// notify is nil where the kernel gives none, and once Run has ended: all
	// files are looked at every pollDelay then.
	notify *notify
}

// file is one file that is followed.
type file struct {
	FileConfig
	// places are the paths whose change may be one of the file: its own, and,
	// where that is a symbolic link, what it leads to.
	places []string
	// silent is whether the kernel tells nothing of changes where the file is.
	silent bool
	value  int64
	read   bool
	// settles is when its number is 0 if there is still nothing in it; zero where
	// there was something.
	settles time.Time
	since   time.Time
	err     string
}

// pollDelay is the time between two looks at files whose folder cannot be watched, or
// where the kernel tells nothing of changes.
const pollDelay = time.Second

// emptyDelay is how long a file has to be empty before its number is 0: who writes
// it in place makes it empty first.
const emptyDelay = 100 * time.Millisecond

// NewFiles returns a Files that follows what Apply names. The handler gets each
// change, first from Apply itself and then from Run's goroutine, in order for each
// file; it must not block, and must not call Files. What becomes of the files is
// recorded from Apply on, also before Run.
func NewFiles(handler func(FileResult)) *Files {
	f := &Files{handler: handler, settle: make(chan struct{}, 1)}
	// Without it they are polled.
	f.notify, _ = newNotify()
	return f
}

// Apply makes these the files that are followed, and reads those that are new at
// once: their numbers are known when it returns.
func (f *Files) Apply(configs []FileConfig) {
	f.mu.Lock()
	defer f.mu.Unlock()
	old := map[string]*file{}
	for _, e := range f.files {
		old[e.Name] = e
	}
	f.files = nil
	for _, c := range configs {
		e := old[c.Name]
		if e == nil || e.Path != c.Path {
			e = &file{}
		}
		e.FileConfig = c
		f.files = append(f.files, e)
	}
	f.watch()
	for _, e := range f.files {
		if !e.read {
			f.look(e, time.Now())
		}
	}
}

// Status returns the files in the order of Apply.
func (f *Files) Status() []FileState {
	f.mu.Lock()
	defer f.mu.Unlock()
	out := make([]FileState, 0, len(f.files))
	for _, e := range f.files {
		out = append(out, FileState{Name: e.Name, Path: e.Path, Value: e.value, Since: e.since, Err: e.err})
	}
	return out
}

// Run follows the files until ctx is done, and returns ctx's error.
func (f *Files) Run(ctx context.Context) error {
	f.mu.Lock()
	n := f.notify
	f.mu.Unlock()
	changes := make(chan change)
	var reading sync.WaitGroup
	if n != nil {
		reading.Go(func() { n.read(ctx, changes) })
	}
	timer := time.NewTicker(pollDelay)
	defer timer.Stop()
	for ctx.Err() == nil {
		select {
		case <-ctx.Done():
		case c := <-changes:
			f.changed(c)
		case <-timer.C:
			f.poll()
		case <-f.settle:
			f.settled()
		}
	}
	f.mu.Lock()
	f.notify = nil
	f.mu.Unlock()
	if n != nil {
		n.close()
	}
	reading.Wait()
	return ctx.Err()
}

// watch makes the kernel tell of each folder that matters. The lock is held.
func (f *Files) watch() {
	if f.notify == nil {
		return
	}
	needed := map[string]bool{}
	for _, e := range f.files {
		e.places = []string{filepath.Clean(e.Path)}
		if real, err := filepath.EvalSymlinks(e.Path); err == nil && real != e.places[0] {
			e.places = append(e.places, real)
		}
		e.silent = slices.ContainsFunc(e.places, silent)
		for _, p := range e.places {
			needed[filepath.Dir(p)] = true
		}
	}
	f.notify.set(needed)
}

// changed looks at the files that a change in a folder may concern.
func (f *Files) changed(c change) {
	f.mu.Lock()
	defer f.mu.Unlock()
	var concerned []*file
	for _, e := range f.files {
		if c.concerns(e.places) && !e.begins(c) {
			concerned = append(concerned, e)
		}
	}
	// A link may lead elsewhere now.
	f.watchAndLook(concerned)
}

// watchAndLook looks at files whose folders may not be watched yet: what changed
// before there was a watch is found after.
func (f *Files) watchAndLook(list []*file) {
	if len(list) == 0 {
		return
	}
	f.watch()
	for _, e := range list {
		f.look(e, time.Now())
	}
}

// concerns is whether the change may be one of a file with these places. A link on
// the way to the file may have any name.
func (c change) concerns(places []string) bool {
	return c.lost || slices.ContainsFunc(places, func(p string) bool {
		return filepath.Dir(p) == c.folder && (len(places) > 1 || filepath.Base(p) == c.name)
	})
}

// begins is whether the change is a file that has just been made: its number comes
// when the one who writes it closes it.
func (c FileConfig) begins(ch change) bool {
	if ch.mask&unix.IN_CREATE == 0 {
		return false
	}
	info, err := os.Lstat(c.Path)
	if err != nil || !info.Mode().IsRegular() {
		return false
	}
	stat, ok := info.Sys().(*syscall.Stat_t)
	return !ok || stat.Nlink == 1
}

// poll looks at the files of folders that cannot be watched, and tries to, and at
// those of which the kernel does not tell.
func (f *Files) poll() {
	f.mu.Lock()
	defer f.mu.Unlock()
	var unseen []*file
	for _, e := range f.files {
		if f.notify == nil || e.silent || !f.notify.has(filepath.Dir(e.Path)) {
			unseen = append(unseen, e)
		}
	}
	f.watchAndLook(unseen)
}

// settled looks at the files that had emptyDelay to be written.
func (f *Files) settled() {
	f.mu.Lock()
	defer f.mu.Unlock()
	now := time.Now()
	for _, e := range f.files {
		if e.settles.IsZero() || now.Before(e.settles) {
			continue
		}
		value, _, err := readNumber(e.Path)
		f.learn(e, value, err, now)
	}
}

// look reads a file and tells what is new. The lock is held.
func (f *Files) look(e *file, now time.Time) {
	value, empty, err := readNumber(e.Path)
	if empty && e.read && e.value != 0 {
		// Somebody may be about to write it anew: no change before it has lasted.
		e.settles = now.Add(emptyDelay)
		time.AfterFunc(emptyDelay, func() {
			select {
			case f.settle <- struct{}{}:
			default:
			}
		})
		return
	}
	f.learn(e, value, err, now)
}

// learn takes over what was read, and tells what of it is new. The lock is held.
func (f *Files) learn(e *file, value int64, err error, now time.Time) {
	e.settles = time.Time{}
	r := FileResult{Name: e.Name, Value: value, Err: err}
	if errors.Is(err, errTooGreat) {
		r.Value = e.value
	}
	text := ""
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		text = err.Error()
	}
	r.Changed = !e.read || e.value != r.Value
	news := r.Changed || text != e.err && text != ""
	e.err = text
	if r.Changed {
		e.value, e.since, e.read = r.Value, now, true
	}
	if news {
		f.handler(r)
	}
}

var errTooGreat = errors.New("ignoring")

// readNumber is the number in a file, and whether there is nothing in it; of one
// that cannot be read the number is 0.
func readNumber(path string) (n int64, empty bool, err error) {
	// A pipe would wait for somebody who writes.
	f, err := os.OpenFile(path, os.O_RDONLY|unix.O_NONBLOCK, 0)
	if err != nil {
		return 0, false, err
	}
	defer f.Close()
	b := make([]byte, numberBytes)
	size, err := io.ReadFull(f, b)
	if err != nil && !errors.Is(err, io.EOF) && !errors.Is(err, io.ErrUnexpectedEOF) {
		return 0, false, err
	}
	v, ok := number(b[:size])
	if !ok {
		return 0, false, fmt.Errorf("invalid number %s read from %s - %w", strings.TrimSpace(string(b[:size])), path, errTooGreat)
	}
	return v, size == 0, nil
}

// change is something that happened in a folder.
type change struct {
	folder, name string
	mask         uint32
	// lost is set where the kernel had to drop some.
	lost bool
}

// notify is an inotify instance that watches folders.
type notify struct {
	file *os.File

	mu      sync.Mutex
	folders map[string]int32
	byWatch map[int32]string
}

const watchMask = unix.IN_CLOSE_WRITE | unix.IN_CREATE | unix.IN_MOVED_TO | unix.IN_MOVED_FROM | unix.IN_DELETE | unix.IN_ATTRIB |
	unix.IN_DELETE_SELF | unix.IN_MOVE_SELF | unix.IN_ONLYDIR

func newNotify() (*notify, error) {
	fd, err := unix.InotifyInit1(unix.IN_CLOEXEC | unix.IN_NONBLOCK)
	if err != nil {
		return nil, fmt.Errorf("inotify: %w", err)
	}
	return &notify{file: os.NewFile(uintptr(fd), "inotify"), folders: map[string]int32{}, byWatch: map[int32]string{}}, nil
}

// set makes these the folders that are watched, as far as they can be.
func (n *notify) set(needed map[string]bool) {
	n.mu.Lock()
	defer n.mu.Unlock()
	conn, err := n.file.SyscallConn()
	if err != nil {
		return
	}
	// The descriptor is open as long as the function runs.
	_ = conn.Control(func(fd uintptr) {
		for folder, w := range maps.Clone(n.folders) {
			if !needed[folder] {
				delete(n.folders, folder)
				delete(n.byWatch, w)
				_, _ = unix.InotifyRmWatch(int(fd), uint32(w))
			}
		}
		for folder := range needed {
			if _, there := n.folders[folder]; there {
				continue
			}
			w, err := unix.InotifyAddWatch(int(fd), folder, watchMask)
			if err != nil {
				continue
			}
			n.folders[folder], n.byWatch[int32(w)] = int32(w), folder
		}
	})
}

func (n *notify) has(folder string) bool {
	n.mu.Lock()
	defer n.mu.Unlock()
	_, ok := n.folders[folder]
	return ok
}

// read passes changes on until the context or the file ends.
func (n *notify) read(ctx context.Context, out chan<- change) {
	b := make([]byte, 64<<10)
	for {
		size, err := n.file.Read(b)
		if err != nil {
			return
		}
		for rest := b[:size]; len(rest) >= unix.SizeofInotifyEvent; {
			var c change
			c, rest = n.next(rest)
			if c.folder == "" && !c.lost {
				continue
			}
			select {
			case out <- c:
			case <-ctx.Done():
				return
			}
		}
	}
}

// next takes one event off the front.
func (n *notify) next(b []byte) (change, []byte) {
	w := int32(nativeUint32(b))
	mask, size := nativeUint32(b[4:]), int(nativeUint32(b[12:]))
	end := min(unix.SizeofInotifyEvent+size, len(b))
	name, _, _ := strings.Cut(string(b[unix.SizeofInotifyEvent:end]), "\x00")
	n.mu.Lock()
	defer n.mu.Unlock()
	c := change{folder: n.byWatch[w], name: name, mask: mask}
	if mask&(unix.IN_Q_OVERFLOW|unix.IN_DELETE_SELF|unix.IN_MOVE_SELF|unix.IN_IGNORED) != 0 {
		// The folder is no longer what it was called: it is found again by name.
		c.lost = true
		delete(n.folders, c.folder)
		delete(n.byWatch, w)
	}
	return c, b[end:]
}

func (n *notify) close() { _ = n.file.Close() }
