package script

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/user"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
)

// maxLinks is the number of symbolic links that a path may hold; it is Linux's.
const maxLinks = 40

// element is one step on the way to a file: a directory, a symbolic link, or
// the file itself at the end.
type element struct {
	path     string
	mode     fs.FileMode
	uid, gid int
}

// walk returns every element that the kernel passes on the way to path, which
// is absolute, symbolic links and what they lead through among them.
func walk(path string) ([]element, error) {
	root, err := lstat("/")
	if err != nil {
		return nil, err
	}
	elements := []element{root}
	at, rest, links := "/", split(path), 0
	for len(rest) > 0 {
		name := rest[0]
		rest = rest[1:]
		if name == ".." {
			at = filepath.Dir(at)
			continue
		}
		e, err := lstat(filepath.Join(at, name))
		if err != nil {
			return elements, err
		}
		elements = append(elements, e)
		if e.mode&fs.ModeSymlink == 0 {
			at = e.path
			continue
		}
		if links++; links > maxLinks {
			return elements, &fs.PathError{Op: "follow", Path: path, Err: syscall.ELOOP}
		}
		target, err := os.Readlink(e.path)
		if err != nil {
			return elements, err
		}
		if filepath.IsAbs(target) {
			at = "/"
		}
		rest = append(split(target), rest...)
	}
	return elements, nil
}

func split(path string) []string {
	return slices.DeleteFunc(strings.Split(path, "/"), func(s string) bool { return s == "" || s == "." })
}

func lstat(path string) (element, error) {
	info, err := os.Lstat(path)
	if err != nil {
		return element{}, err
	}
	st, ok := info.Sys().(*syscall.Stat_t)
	if !ok {
		return element{}, &fs.PathError{Op: "lstat", Path: path, Err: errors.ErrUnsupported}
	}
	return element{path: path, mode: info.Mode(), uid: int(st.Uid), gid: int(st.Gid)}, nil
}

// executable walks to path and says whether id can execute it.
func executable(path string, id identity) ([]element, *Fault) {
	elements, err := walk(path)
	if err != nil {
		return nil, unreachable(path, err)
	}
	for i, e := range elements {
		last := i == len(elements)-1
		switch {
		case e.mode&fs.ModeSymlink != 0:
			continue
		case last && !e.mode.IsRegular():
			return nil, &Fault{Reason: ErrNotExecutable, Script: path, Element: e.path, Detail: "not a regular file"}
		case mayExecute(e, id):
			continue
		case last:
			return nil, &Fault{
				Reason: ErrNotExecutable, Script: path, Element: e.path,
				Detail: fmt.Sprintf("%s cannot execute it (%s)", id.name, describe(e)),
				Fix:    "chmod +x " + e.path + " or choose another user",
			}
		}
		return nil, &Fault{
			Reason: ErrNotExecutable, Script: path, Element: e.path,
			Detail: fmt.Sprintf("%s cannot enter the folder %s (%s)", id.name, e.path, describe(e)),
			Fix:    "chmod a+x " + e.path + " or choose another user",
		}
	}
	return elements, nil
}

// unreachable turns what ended a walk into a Fault.
func unreachable(path string, err error) *Fault {
	f := &Fault{Reason: ErrNotFound, Script: path, Element: path, Detail: err.Error()}
	if pe, ok := errors.AsType[*fs.PathError](err); ok {
		f.Element = pe.Path
		f.Detail = pe.Path + ": " + pe.Err.Error()
	}
	switch {
	case errors.Is(err, fs.ErrPermission):
		f.Reason = ErrNotExecutable
	case errors.Is(err, fs.ErrNotExist):
		f.Detail = f.Element + " does not exist"
		if f.Element == path {
			f.Detail = "it does not exist"
		}
	}
	return f
}

// mayExecute says whether the mode of e lets id execute it, or enter it.
func mayExecute(e element, id identity) bool {
	perm := e.mode.Perm()
	switch {
	case id.uid == 0:
		return e.mode.IsDir() || perm&0o111 != 0
	case e.uid == id.uid:
		return perm&0o100 != 0
	case e.gid == id.gid || slices.Contains(id.groups, e.gid):
		return perm&0o010 != 0
	}
	return perm&0o001 != 0
}

// insecure returns the first element through which somebody other than root
// could change what root executes, nil if there is none. A script that does not
// run as root, and is not set-uid root, is nobody's way to become root.
func insecure(elements []element, id identity) *Fault {
	file := elements[len(elements)-1]
	setuidRoot := file.mode&fs.ModeSetuid != 0 && file.uid == 0
	if id.uid != 0 && !setuidRoot {
		return nil
	}
	for _, e := range elements {
		if detail, fix := writable(e); detail != "" {
			return &Fault{
				Reason: ErrInsecure, Element: e.path,
				Detail: fmt.Sprintf("it runs as root, and %s (%s) %s", e.path, describe(e), detail),
				Fix:    fix,
			}
		}
	}
	return nil
}

// writable says how somebody other than root may change e, and what ends that.
func writable(e element) (detail, fix string) {
	link := e.mode&fs.ModeSymlink != 0
	perm := e.mode.Perm()
	switch {
	case e.uid != 0 && link:
		return "does not belong to root", "chown -h root " + e.path
	case e.uid != 0:
		return "does not belong to root", "chown root " + e.path
	// What stands in a sticky folder can be replaced by its owner alone, and
	// the owner of the next element is looked at next.
	case link || e.mode.IsDir() && e.mode&fs.ModeSticky != 0:
		return "", ""
	case perm&0o002 != 0:
		return "can be written by everybody", "chmod o-w " + e.path
	case perm&0o020 != 0 && e.gid != 0:
		return "can be written by its group", "chmod g-w " + e.path
	}
	return "", ""
}

// describe gives the mode and the owner of e, as in "mode 0775, owner bob:staff".
func describe(e element) string {
	owner, group := strconv.Itoa(e.uid), strconv.Itoa(e.gid)
	if u, err := user.LookupId(owner); err == nil {
		owner = u.Username
	}
	if g, err := user.LookupGroupId(group); err == nil {
		group = g.Name
	}
	mode := uint32(e.mode.Perm())
	for bit, flag := range map[fs.FileMode]uint32{fs.ModeSetuid: 0o4000, fs.ModeSetgid: 0o2000, fs.ModeSticky: 0o1000} {
		if e.mode&bit != 0 {
			mode |= flag
		}
	}
	return fmt.Sprintf("mode %04o, owner %s:%s", mode, owner, group)
}
