package main

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"golang.org/x/sys/unix"
)

// rewriteFile puts the content after in the place of before, so that a reader
// sees one or the other and never a part. Owner and mode stay, and a symbolic
// link goes on to lead to the file. A file that is no longer as it was read is
// left alone.
func rewriteFile(path string, before, after []byte) error {
	real, err := filepath.EvalSymlinks(path)
	if err != nil {
		return fmt.Errorf("write %s: %w", path, err)
	}
	var st unix.Stat_t
	if err := unix.Stat(real, &st); err != nil {
		return fmt.Errorf("write %s: %w", path, err)
	}
	if st.Mode&unix.S_IFMT != unix.S_IFREG {
		return fmt.Errorf("write %s: it is no regular file", path)
	}
	f, err := os.CreateTemp(filepath.Dir(real), "."+filepath.Base(real)+".*")
	if err != nil {
		return fmt.Errorf("write %s: %w", path, err)
	}
	err = fill(f, &st, after)
	if err == nil {
		var now []byte
		if now, err = os.ReadFile(real); err == nil && !bytes.Equal(now, before) {
			err = errors.New("it has been changed meanwhile")
		}
	}
	if err == nil {
		err = os.Rename(f.Name(), real)
	}
	if err != nil {
		return fmt.Errorf("write %s: %w", path, errors.Join(err, os.Remove(f.Name())))
	}
	return nil
}

// fill gives f its owner, its mode and its content, and closes it. The mode
// comes after the owner, which clears some of its bits.
func fill(f *os.File, st *unix.Stat_t, data []byte) error {
	err := f.Chown(int(st.Uid), int(st.Gid))
	if err == nil {
		err = unix.Fchmod(int(f.Fd()), st.Mode&0o7777)
	}
	if err == nil {
		_, err = f.Write(data)
	}
	if err == nil {
		err = f.Sync()
	}
	return errors.Join(err, f.Close())
}
