package host

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"golang.org/x/sys/unix"
)

// replaceFile writes data under name in dir so that a reader, also one after a
// crash of this process, sees the old content or the new, never a part.
func replaceFile(dir, name string, data []byte) error {
	return writeFile(dir, name, data, func(*os.File) error { return nil })
}

// replaceFileDurably is replaceFile for what must outlive a power cut, too.
func replaceFileDurably(dir, name string, data []byte) error {
	if err := writeFile(dir, name, data, (*os.File).Sync); err != nil {
		return err
	}
	d, err := os.Open(dir)
	if err != nil {
		return fmt.Errorf("sync folder: %w", err)
	}
	return errors.Join(d.Sync(), d.Close())
}

func writeFile(dir, name string, data []byte, settle func(*os.File) error) error {
	// One name, so that crashes leave at most one file behind, and the next write
	// takes it over.
	f, err := os.OpenFile(filepath.Join(dir, "."+name+".new"), os.O_WRONLY|os.O_CREATE|os.O_TRUNC|unix.O_NOFOLLOW, 0o600)
	if err != nil {
		return fmt.Errorf("write %s: %w", filepath.Join(dir, name), err)
	}
	_, err = f.Write(data)
	if err == nil {
		err = settle(f)
	}
	err = errors.Join(err, f.Close())
	if err == nil {
		err = os.Rename(f.Name(), filepath.Join(dir, name))
	}
	if err != nil {
		_ = os.Remove(f.Name())
		return fmt.Errorf("write %s: %w", filepath.Join(dir, name), err)
	}
	return nil
}
