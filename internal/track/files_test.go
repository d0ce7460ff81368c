package track

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
)

// follow starts a Files over real files, and returns a function that waits for the
// next result.
func follow(t *testing.T, configs ...FileConfig) (*Files, func(what string, want int64)) {
	t.Helper()
	results := make(chan FileResult, 100)
	f := NewFiles(func(r FileResult) {
		if r.Changed {
			results <- r
		}
	})
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- f.Run(ctx) }()
	t.Cleanup(func() {
		cancel()
		<-done
	})
	f.Apply(configs)
	return f, func(what string, want int64) {
		t.Helper()
		for deadline := time.After(time.Minute); ; {
			select {
			case r := <-results:
				if r.Value == want {
					return
				}
				t.Fatalf("%s: %d, want %d (%v)", what, r.Value, want, r.Err)
			case <-deadline:
				t.Fatalf("%s: nothing, want %d; %+v", what, want, f.Status())
			}
		}
	}
}

// write writes a file in place without making it empty first: who is kept from
// running between the two for longer than emptyDelay has written a 0.
func write(t *testing.T, path, content string) {
	t.Helper()
	f, err := os.OpenFile(path, os.O_CREATE|os.O_WRONLY, 0o600)
	check(t, err)
	_, err = f.WriteString(content)
	check(t, err)
	check(t, f.Truncate(int64(len(content))))
	check(t, f.Close())
}

func check(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func TestFilesFollowWhatBecomesOfAFile(t *testing.T) {
	path := filepath.Join(t.TempDir(), "load")
	_, expect := follow(t, FileConfig{Name: "f", Path: path})
	expect("missing", 0)
	write(t, path, "7\n")
	expect("created", 7)
	write(t, path, "-3")
	expect("written anew", -3)
	write(t, path+".new", "12")
	check(t, os.Rename(path+".new", path))
	expect("replaced", 12)
	check(t, os.Rename(path, path+".old"))
	expect("moved away", 0)
	check(t, os.Rename(path+".old", path))
	expect("moved back", 12)
	check(t, os.Remove(path))
	expect("deleted", 0)
	check(t, os.Mkdir(path, 0o700))
	check(t, os.Remove(path))
	write(t, path, "5")
	expect("created once more", 5)
	// A number that is too great leaves the last one.
	write(t, path, "99999999999")
	write(t, path, "6")
	expect("after one that is too great", 6)
}

// TestFilesWaitForWhoEmptiesAFile: a file that is made empty to be written anew keeps
// its number for emptyDelay, and is 0 when nothing has come by then.
func TestFilesWaitForWhoEmptiesAFile(t *testing.T) {
	path := filepath.Join(t.TempDir(), "load")
	write(t, path, "7")
	var got []int64
	f := NewFiles(func(r FileResult) { got = append(got, r.Value) })
	defer f.notify.close()
	f.Apply([]FileConfig{{Name: "f", Path: path}})
	e, now := f.files[0], time.Now()
	check(t, os.Truncate(path, 0))
	f.look(e, now)
	write(t, path, "8")
	f.look(e, now)
	check(t, os.Truncate(path, 0))
	f.look(e, now.Add(-emptyDelay))
	f.settled()
	if want := []int64{7, 8, 0}; !slices.Equal(got, want) {
		t.Errorf("numbers %v, want %v", got, want)
	}
}

// TestFilesSeeNoHalfOfANumber: a file that is being written counts when it is
// closed.
func TestFilesSeeNoHalfOfANumber(t *testing.T) {
	path := filepath.Join(t.TempDir(), "load")
	_, expect := follow(t, FileConfig{Name: "f", Path: path})
	expect("missing", 0)
	for range 50 {
		f, err := os.Create(path)
		check(t, err)
		_, err = f.WriteString("1")
		check(t, err)
		_, err = f.WriteString("23")
		check(t, err)
		check(t, f.Close())
		expect("written in two pieces", 123)
		check(t, os.Remove(path))
		expect("deleted", 0)
	}
}

// TestFilesFollowLinks: a link that is turned to another file, as configuration
// volumes do, counts, and so does a change of what it leads to.
func TestFilesFollowLinks(t *testing.T) {
	dir := t.TempDir()
	for name, n := range map[string]string{"one": "1", "two": "2"} {
		check(t, os.Mkdir(filepath.Join(dir, name), 0o700))
		write(t, filepath.Join(dir, name, "load"), n)
	}
	check(t, os.Symlink("one", filepath.Join(dir, "..data")))
	check(t, os.Symlink("..data/load", filepath.Join(dir, "load")))
	_, expect := follow(t, FileConfig{Name: "f", Path: filepath.Join(dir, "load")})
	expect("through two links", 1)
	write(t, filepath.Join(dir, "one", "load"), "10")
	expect("what it leads to changed", 10)
	check(t, os.Symlink("two", filepath.Join(dir, "..new")))
	check(t, os.Rename(filepath.Join(dir, "..new"), filepath.Join(dir, "..data")))
	expect("turned to another", 2)
	write(t, filepath.Join(dir, "two", "load"), "20")
	expect("what it leads to now changed", 20)
}

// TestFilesChangedWhileTheyAreFound: a change that comes right after a link has been
// turned to a folder that nobody has watched before is not missed.
func TestFilesChangedWhileTheyAreFound(t *testing.T) {
	dir := t.TempDir()
	check(t, os.Mkdir(filepath.Join(dir, "two"), 0o700))
	write(t, filepath.Join(dir, "two", "load"), "2")
	write(t, filepath.Join(dir, "one"), "1")
	link := filepath.Join(dir, "load")
	check(t, os.Symlink("one", link))
	results := make(chan int64, 100)
	f := NewFiles(func(r FileResult) {
		if r.Value == 2 {
			_ = os.WriteFile(filepath.Join(dir, "two", "load"), []byte("20"), 0o600)
		}
		results <- r.Value
	})
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- f.Run(ctx) }()
	defer func() { cancel(); <-done }()
	f.Apply([]FileConfig{{Name: "f", Path: link}})
	// The kernel tells of this once, as the new link comes from another folder.
	aside := filepath.Join(t.TempDir(), "new")
	check(t, os.Symlink(filepath.Join(dir, "two", "load"), aside))
	check(t, os.Rename(aside, link))
	for deadline := time.After(time.Minute); ; {
		select {
		case n := <-results:
			if n == 20 {
				return
			}
		case <-deadline:
			t.Fatalf("what was written last is not seen: %+v", f.Status())
		}
	}
}

// TestFilesInFoldersThatComeAndGo: what cannot be watched is looked at.
func TestFilesInFoldersThatComeAndGo(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "later")
	path := filepath.Join(dir, "load")
	_, expect := follow(t, FileConfig{Name: "f", Path: path})
	expect("no folder", 0)
	check(t, os.Mkdir(dir, 0o700))
	write(t, path, "4")
	expect("folder made", 4)
	check(t, os.RemoveAll(dir))
	expect("folder removed", 0)
	check(t, os.Mkdir(dir, 0o700))
	write(t, path, "9")
	expect("folder made again", 9)
	write(t, path, "8")
	expect("and watched again", 8)
}

// TestFilesOfTheKernel follows a file that changes without being written: the same
// number is in another one.
func TestFilesOfTheKernel(t *testing.T) {
	child := exec.Command("sleep", "60")
	check(t, child.Start())
	end := func() { _ = child.Process.Kill(); _ = child.Wait() }
	t.Cleanup(end)
	folder := fmt.Sprintf("/proc/%d/", child.Process.Pid)
	other := fmt.Sprintf("%stask/%d/oom_score_adj", folder, child.Process.Pid)
	write(t, other, "500")
	link := filepath.Join(t.TempDir(), "link")
	check(t, os.Symlink(folder+"oom_score_adj", link))
	for _, path := range []string{folder + "oom_score_adj", link} {
		write(t, other, "600")
		_, expect := follow(t, FileConfig{Name: "f", Path: path})
		expect("at the start", 600)
		write(t, other, "700")
		expect("changed", 700)
	}
	_, expect := follow(t, FileConfig{Name: "f", Path: folder + "oom_score_adj"})
	expect("at the start", 700)
	end()
	expect("gone", 0)
}

func TestFilesThatAreNoneOfUse(t *testing.T) {
	dir := t.TempDir()
	f, expect := follow(t, FileConfig{Name: "f", Path: dir})
	expect("a folder", 0)
	if s := f.Status()[0]; !strings.Contains(s.Err, "directory") {
		t.Errorf("%+v", s)
	}
}

func TestFilesKeepTheirNumberOverAReload(t *testing.T) {
	dir := t.TempDir()
	a, b := FileConfig{Name: "a", Path: dir + "/a"}, FileConfig{Name: "b", Path: dir + "/b"}
	write(t, a.Path, "1")
	write(t, b.Path, "2")
	f, expect := follow(t, a)
	expect("a", 1)
	f.Apply([]FileConfig{a, b})
	expect("b", 2)
	f.Apply([]FileConfig{b})
	write(t, a.Path, "10")
	write(t, b.Path, "20")
	expect("only b", 20)
}

func TestPrepare(t *testing.T) {
	path := filepath.Join(t.TempDir(), "load")
	read := func() string {
		b, err := os.ReadFile(path)
		if err != nil {
			return err.Error()
		}
		return string(b)
	}
	check(t, FileConfig{Path: path}.Prepare())
	if _, err := os.Stat(path); err == nil {
		t.Error("made without being asked for")
	}
	check(t, FileConfig{Path: path, Init: true, InitValue: 5}.Prepare())
	if read() != "5\n" {
		t.Errorf("made with %q", read())
	}
	check(t, FileConfig{Path: path, Init: true, InitValue: 6}.Prepare())
	if read() != "5\n" {
		t.Errorf("overwritten with %q", read())
	}
	check(t, FileConfig{Path: path, Init: true, InitValue: -7, Overwrite: true}.Prepare())
	if read() != "-7\n" {
		t.Errorf("not overwritten: %q", read())
	}
	// What leads elsewhere is replaced, and so is the mode.
	elsewhere := path + "-elsewhere"
	check(t, os.WriteFile(elsewhere, []byte("old\n"), 0o640))
	check(t, os.Remove(path))
	check(t, os.Symlink(elsewhere, path))
	check(t, FileConfig{Path: path, Init: true, InitValue: 8, Overwrite: true}.Prepare())
	if info, err := os.Lstat(path); err != nil || !info.Mode().IsRegular() || info.Mode().Perm()&0o111 != 0 || read() != "8\n" {
		t.Errorf("in the place of a link: %v, %v, %q", info, err, read())
	}
	if b, err := os.ReadFile(elsewhere); err != nil || string(b) != "old\n" {
		t.Errorf("written through a link: %q, %v", b, err)
	}
	if left, err := filepath.Glob(path + ".*"); err != nil || len(left) > 0 {
		t.Errorf("left behind: %q, %v", left, err)
	}
	if err := (FileConfig{Name: "f", Path: path + "/below", Init: true}).Prepare(); err == nil || !strings.Contains(err.Error(), "track_file f") {
		t.Errorf("below a file: %v", err)
	}
}
