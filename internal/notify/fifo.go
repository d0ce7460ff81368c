package notify

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strconv"
	"sync"
	"syscall"
	"time"

	"github.com/hashicorp/go-hclog"
	"golang.org/x/sys/unix"

	"github.com/tandem-ha/tandem/health"
)

const (
	// fifoMode is what a FIFO is made with, less the umask.
	fifoMode = 0o644
	// fifoQueue is how many lines wait for a reader whose FIFO is full.
	fifoQueue = 1024
	// readerPause is how long a reader's script that has ended stays down at
	// first; each time it ends soon the pause doubles, up to readerPauseLimit.
	readerPause      = time.Second
	readerPauseLimit = time.Minute
)

// FIFOConfig is one named pipe, its names resolved.
type FIFOConfig struct {
	Path string
	// UID and GID own the pipe where it has to be made; -1 is our own.
	UID, GID int
	// Reader is the script that reads the pipe, the path as its last argument;
	// nil is none.
	Reader *health.Script
}

// FIFO writes lines into a named pipe. Nobody who writes ever waits: a line that
// the pipe has no room for is kept, and of more than a thousand the oldest is
// dropped, counted and logged.
type FIFO struct {
	conf FIFOConfig
	file *os.File
	made bool
	log  hclog.Logger

	mu      sync.Mutex
	kick    chan struct{}
	idle    chan struct{} // closed while nothing waits
	lines   []string
	busy    bool
	closed  bool
	written uint64
	dropped uint64
	// untold are the lines dropped since the last one that got through.
	untold uint64

	end     context.CancelFunc
	running sync.WaitGroup
	reading sync.WaitGroup
}

// openFIFO makes the pipe where there is none, opens it, and starts its reader.
// A path at which something else stands, or a pipe of another user's, is an
// error, since whoever owns it could read or forge what is told.
func openFIFO(conf FIFOConfig, exec Exec, log hclog.Logger) (*FIFO, error) {
	f := &FIFO{conf: conf, log: log, kick: make(chan struct{}, 1), idle: make(chan struct{})}
	close(f.idle)
	if err := f.open(); err != nil {
		return nil, fmt.Errorf("notify FIFO %s: %w", conf.Path, err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	f.end = cancel
	f.running.Go(f.write)
	if conf.Reader != nil {
		f.reading.Go(func() { f.read(ctx, exec) })
	}
	return f, nil
}

// open makes and opens the pipe.
func (f *FIFO) open() error {
	path := f.conf.Path
	err := unix.Mkfifo(path, fifoMode)
	switch {
	case err == nil:
		f.made = true
		if f.conf.UID >= 0 || f.conf.GID >= 0 {
			if err := os.Lchown(path, f.conf.UID, f.conf.GID); err != nil {
				return errors.Join(err, os.Remove(path))
			}
		}
	case !errors.Is(err, fs.ErrExist):
		return &fs.PathError{Op: "make", Path: path, Err: err}
	}
	// A pipe that is open for reading as well can always be opened for writing.
	file, err := os.OpenFile(path, os.O_RDWR|unix.O_NONBLOCK|unix.O_NOFOLLOW, 0)
	if err != nil {
		return err
	}
	if err := f.mine(file); err != nil {
		return errors.Join(err, file.Close())
	}
	f.file = file
	return nil
}

// mine says why the open file is not the pipe that was asked for, or nil.
func (f *FIFO) mine(file *os.File) error {
	info, err := file.Stat()
	if err != nil {
		return err
	}
	if info.Mode()&fs.ModeNamedPipe == 0 {
		return errors.New("something else stands there, which is no pipe")
	}
	st, ok := info.Sys().(*syscall.Stat_t)
	if !ok {
		return errors.ErrUnsupported
	}
	if owner := int(st.Uid); owner != os.Geteuid() && owner != f.conf.UID {
		return errors.New("it belongs to user " + strconv.Itoa(owner))
	}
	return nil
}

// Write adds a line to those that are to be written. It does not wait.
func (f *FIFO) Write(line string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.closed {
		return
	}
	if len(f.lines) == 0 && !f.busy {
		f.idle = make(chan struct{})
	}
	if len(f.lines) >= fifoQueue {
		f.lines = f.lines[1:]
		f.dropped++
		if f.untold++; f.untold == 1 {
			f.log.Warn("nobody reads a notify FIFO, dropping the oldest lines", "fifo", f.conf.Path, "waiting", fifoQueue)
		}
	}
	f.lines = append(f.lines, line)
	select {
	case f.kick <- struct{}{}:
	default:
	}
}

// write writes what waits until the pipe is closed.
func (f *FIFO) write() {
	for range f.kick {
		for {
			line, ok := f.next()
			if !ok {
				break
			}
			// Waits for room in the pipe; a line is shorter than what the kernel
			// writes whole or not at all (pipe(7), PIPE_BUF).
			_, err := f.file.WriteString(line)
			f.wrote(err)
		}
	}
}

// next takes the oldest line.
func (f *FIFO) next() (string, bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if len(f.lines) == 0 {
		return "", false
	}
	line := f.lines[0]
	f.lines = f.lines[1:]
	f.busy = true
	return line, true
}

// wrote counts a line that was written, or could not be because the pipe was
// closed meanwhile.
func (f *FIFO) wrote(err error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.busy = false
	if err != nil {
		f.dropped++
	} else {
		f.written++
		if f.untold > 0 {
			f.log.Warn("a notify FIFO is read again", "fifo", f.conf.Path, "dropped", f.untold)
			f.untold = 0
		}
	}
	if len(f.lines) == 0 {
		close(f.idle)
	}
}

// FIFOStatus says how a pipe does.
type FIFOStatus struct {
	Path string `json:"path"`
	// Written and Dropped count lines, Waiting those that the pipe has no room
	// for yet.
	Written uint64 `json:"written"`
	Dropped uint64 `json:"dropped"`
	Waiting int    `json:"waiting"`
}

// Status is the pipe's status now.
func (f *FIFO) Status() FIFOStatus {
	f.mu.Lock()
	defer f.mu.Unlock()
	return FIFOStatus{Path: f.conf.Path, Written: f.written, Dropped: f.dropped, Waiting: len(f.lines)}
}

// Close writes what waits, closes the pipe, removes it where it was made here,
// and ends the reader, which has as long as ctx to read the rest.
func (f *FIFO) Close(ctx context.Context) error {
	f.mu.Lock()
	f.closed = true
	idle := f.idle
	f.mu.Unlock()
	select {
	case <-idle:
	case <-ctx.Done():
	}
	err := f.file.Close()
	f.mu.Lock()
	f.lines = nil
	f.mu.Unlock()
	close(f.kick)
	f.running.Wait()
	if f.made {
		err = errors.Join(err, os.Remove(f.conf.Path))
	}
	// Without a writer the reader comes to the end of the pipe by itself.
	gone := make(chan struct{})
	go func() { f.reading.Wait(); close(gone) }()
	select {
	case <-gone:
	case <-ctx.Done():
	}
	f.end()
	<-gone
	return err
}

// read keeps the reader's script running.
func (f *FIFO) read(ctx context.Context, exec Exec) {
	script := *f.conf.Reader
	script.Args = append(script.Args[:len(script.Args):len(script.Args)], f.conf.Path)
	pause := readerPause
	for {
		began := time.Now()
		status, err := exec(ctx, script, nil)
		if f.ending() || ctx.Err() != nil {
			return
		}
		ended := "it ended with status " + strconv.Itoa(status)
		if err != nil {
			ended = err.Error()
		}
		if time.Since(began) > readerPauseLimit {
			pause = readerPause
		}
		f.log.Warn("the script of a notify FIFO has ended, starting it again", "fifo", f.conf.Path, "cause", ended, "in", pause)
		t := time.NewTimer(pause)
		select {
		case <-t.C:
		case <-ctx.Done():
			t.Stop()
			return
		}
		if f.ending() {
			return
		}
		pause = min(2*pause, readerPauseLimit)
	}
}

func (f *FIFO) ending() bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.closed
}
