package ipvs

import (
	"errors"
	"fmt"
	"hash/maphash"
	"io"
	"io/fs"
	"os"
	"runtime"

	"golang.org/x/sys/unix"
)

const (
	procPath      = "/proc/thread-self/net/ip_vs"
	namespacePath = "/proc/thread-self/ns/net"
)

// procFile is /proc/net/ip_vs of one network namespace, kept open and read
// again from its start. The file exists only while IPVS is loaded, so the
// namespace is kept too.
type procFile struct {
	namespace *os.File
	file      *os.File // nil while there is none
	seed      maphash.Seed
	buf       []byte
}

// openProcFile opens the file of the calling thread's namespace, if there is
// one. The caller keeps to its thread.
func openProcFile() (*procFile, error) {
	ns, err := os.Open(namespacePath)
	if err != nil {
		return nil, fmt.Errorf("open network namespace: %w", err)
	}
	p := &procFile{namespace: ns, seed: maphash.MakeSeed(), buf: make([]byte, 0, 16<<10)}
	if p.file, err = os.Open(procPath); err != nil && !errors.Is(err, fs.ErrNotExist) && !errors.Is(err, fs.ErrPermission) {
		return nil, errors.Join(fmt.Errorf("open IPVS table: %w", err), ns.Close())
	}
	return p, nil
}

func (p *procFile) close() error {
	var err error
	if p.file != nil {
		err = p.file.Close()
	}
	return errors.Join(err, p.namespace.Close())
}

// digest reads the file. Where it cannot be had it is errors.ErrUnsupported.
func (p *procFile) digest(into Digest) (Digest, error) {
	if p.file == nil {
		if err := p.reopen(); err != nil {
			return nil, fmt.Errorf("open %s: %w (%w)", procPath, errors.ErrUnsupported, err)
		}
	}
	if err := p.read(); err != nil {
		// The module was unloaded; the next file, if any, is another.
		err = errors.Join(err, p.file.Close())
		p.file = nil
		return nil, fmt.Errorf("read %s: %w (%w)", procPath, errors.ErrUnsupported, err)
	}
	return digestProc(into, p.buf, p.seed), nil
}

func (p *procFile) read() error {
	p.buf = p.buf[:0]
	for {
		if len(p.buf) == cap(p.buf) {
			p.buf = append(p.buf, make([]byte, max(cap(p.buf), 4096))...)[:len(p.buf)]
		}
		n, err := p.file.ReadAt(p.buf[len(p.buf):cap(p.buf)], int64(len(p.buf)))
		p.buf = p.buf[:len(p.buf)+n]
		switch {
		case errors.Is(err, io.EOF):
			return nil
		case err != nil:
			return err
		}
	}
}

// reopen opens the file from a thread that has entered the namespace, and ends
// with it.
func (p *procFile) reopen() error {
	result := make(chan error)
	go func() {
		runtime.LockOSThread() // never unlocked: the thread must not be used again
		err := unix.Setns(int(p.namespace.Fd()), unix.CLONE_NEWNET)
		if err == nil {
			p.file, err = os.Open(procPath)
		}
		if err != nil {
			p.file = nil
		}
		result <- err
	}()
	return <-result
}
