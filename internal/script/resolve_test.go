package script

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/tandem-ha/tandem/config"
)

func command(args ...string) config.Command {
	return config.Command{Args: args, User: config.User{Name: "root"}}
}

func TestResolveFindsTheFile(t *testing.T) {
	dirs := []string{filepath.Dir(write(t, "other", "")), filepath.Dir(write(t, "check", "")), filepath.Dir(write(t, "check", ""))}
	if err := os.Chmod(filepath.Join(dirs[1], "check"), 0o644); err != nil {
		t.Fatal(err)
	}
	t.Setenv("PATH", "relative:"+strings.Join(dirs, ":"))
	s, err := Resolve(command("check", "a", "b"), config.User{}, false)
	if want := []string{filepath.Join(dirs[2], "check"), "a", "b"}; err != nil || !slices.Equal(s.Args, want) {
		t.Errorf("%v, error %v; want %v", s.Args, err, want)
	}

	t.Setenv("PATH", dirs[0]+":"+dirs[1])
	if _, err := Resolve(command("check"), config.User{}, false); !errors.Is(err, ErrNotExecutable) {
		t.Errorf("error %v for what is in PATH and not executable", err)
	}
	if _, err := Resolve(command("checker"), config.User{}, false); !errors.Is(err, ErrNotFound) || !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("error %v for what is not in PATH", err)
	}

	t.Chdir(dirs[2])
	s, err = Resolve(command("./check"), config.User{}, false)
	if want := []string{filepath.Join(dirs[2], "check")}; err != nil || !slices.Equal(s.Args, want) {
		t.Errorf("%v, error %v; want %v", s.Args, err, want)
	}
}

func TestResolveNamesWhatIsWrong(t *testing.T) {
	path := write(t, "check", "")
	plain := filepath.Join(filepath.Dir(path), "plain")
	loop := filepath.Join(filepath.Dir(path), "loop")
	if err := errors.Join(os.WriteFile(plain, nil, 0o644), os.Symlink(loop, loop)); err != nil {
		t.Fatal(err)
	}
	missing := filepath.Join(filepath.Dir(path), "missing")
	for name, tc := range map[string]struct {
		cmd     config.Command
		reason  error
		element string
		text    string
	}{
		"empty":          {config.Command{}, ErrNotFound, "", "empty"},
		"missing file":   {command(missing), ErrNotFound, missing, "does not exist"},
		"missing folder": {command(missing + "/check"), ErrNotFound, missing, missing + " does not exist"},
		"through a file": {command(plain + "/check"), ErrNotFound, plain + "/check", "not a directory"},
		"folder":         {command(filepath.Dir(path)), ErrNotExecutable, filepath.Dir(path), "not a regular file"},
		"not executable": {command(plain), ErrNotExecutable, plain, "mode 0644"},
		"loop":           {command(loop), ErrNotFound, loop, "symbolic links"},
		"unknown user":   {config.Command{Args: []string{path}, User: config.User{Name: "no-such-user"}}, ErrUser, "", "no-such-user"},
		"unknown group":  {config.Command{Args: []string{path}, User: config.User{Name: "root", Group: "no-such-group"}}, ErrUser, "", "no-such-group"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := Resolve(tc.cmd, config.User{}, false)
			fault, ok := errors.AsType[*Fault](err)
			if !ok || fault.Reason != tc.reason || fault.Element != tc.element || !strings.Contains(err.Error(), tc.text) {
				t.Errorf("error %v (%#v)", err, fault)
			}
		})
	}
}

func TestResolveUser(t *testing.T) {
	path := write(t, "check", "")
	nobody := config.User{Name: "nobody"}
	own := [2]int{-1, -1}
	if os.Geteuid() != 0 {
		own = [2]int{0, 0}
	}
	for name, tc := range map[string]struct {
		user, def config.User
		want      [2]int
	}{
		"named":         {nobody, config.User{Name: "root"}, [2]int{65534, 65534}},
		"default":       {config.User{}, nobody, [2]int{65534, 65534}},
		"group":         {config.User{Name: "nobody", Group: "root"}, config.User{}, [2]int{65534, 0}},
		"ours is no -1": {config.User{Name: "root"}, nobody, own},
	} {
		t.Run(name, func(t *testing.T) {
			s, err := Resolve(config.Command{Args: []string{path}, User: tc.user}, tc.def, false)
			if got := [2]int{s.UID, s.GID}; err != nil || got != tc.want {
				t.Errorf("%v, error %v; want %v", got, err, tc.want)
			}
		})
	}
}

func TestResolveDefaultUser(t *testing.T) {
	path := write(t, "check", "")
	want, err := named(config.User{Name: DefaultUser})
	exists := err == nil
	for _, security := range []bool{false, true} {
		s, err := Resolve(config.Command{Args: []string{path}}, config.User{}, security)
		switch {
		case exists && os.Geteuid() != want.uid:
			if err != nil || s.UID != want.uid {
				t.Errorf("security %v: user %d, error %v; want %d", security, s.UID, err, want.uid)
			}
		case !exists && security:
			if !errors.Is(err, ErrUser) || !strings.Contains(err.Error(), DefaultUser) {
				t.Errorf("error %v where there is no default user", err)
			}
		default:
			if err != nil || s.UID != -1 || s.GID != -1 {
				t.Errorf("security %v: user %d, group %d, error %v", security, s.UID, s.GID, err)
			}
		}
	}
}

func TestMayExecute(t *testing.T) {
	root := identity{uid: 0}
	bob := identity{uid: 1000, gid: 1000, groups: []int{1000, 50}}
	for name, tc := range map[string]struct {
		e    element
		id   identity
		want bool
	}{
		"root, any bit":            {element{mode: 0o010, uid: 9}, root, true},
		"root, no bit":             {element{mode: 0o666}, root, false},
		"root, folder without":     {element{mode: fs.ModeDir}, root, true},
		"owner":                    {element{mode: 0o100, uid: 1000}, bob, true},
		"owner has less":           {element{mode: 0o011, uid: 1000, gid: 1000}, bob, false},
		"group":                    {element{mode: 0o010, gid: 1000}, bob, true},
		"supplementary group":      {element{mode: 0o010, gid: 50}, bob, true},
		"group has less":           {element{mode: 0o101, gid: 50}, bob, false},
		"others":                   {element{mode: 0o001}, bob, true},
		"others have none":         {element{mode: 0o770}, bob, false},
		"folder that others enter": {element{mode: fs.ModeDir | 0o711}, bob, true},
	} {
		if got := mayExecute(tc.e, tc.id); got != tc.want {
			t.Errorf("%s: %v", name, got)
		}
	}
}

func TestInsecure(t *testing.T) {
	dir := func(mode fs.FileMode, uid, gid int) element {
		return element{path: "/opt", mode: fs.ModeDir | mode, uid: uid, gid: gid}
	}
	file := element{path: "/opt/check", mode: 0o755}
	root, bob := identity{uid: 0}, identity{uid: 1000}
	for name, tc := range map[string]struct {
		id       identity
		elements []element
		element  string
		fix      string
	}{
		"sound":                  {root, []element{dir(0o755, 0, 0), file}, "", ""},
		"written by root group":  {root, []element{dir(0o775, 0, 0), file}, "", ""},
		"sticky folder":          {root, []element{dir(0o777|fs.ModeSticky, 0, 0), file}, "", ""},
		"folder of another":      {root, []element{dir(0o755, 1000, 0), file}, "/opt", "chown root /opt"},
		"sticky, of another":     {root, []element{dir(0o777|fs.ModeSticky, 1000, 0), file}, "/opt", "chown root /opt"},
		"folder for a group":     {root, []element{dir(0o775, 0, 50), file}, "/opt", "chmod g-w /opt"},
		"folder for everybody":   {root, []element{dir(0o757, 0, 0), file}, "/opt", "chmod o-w /opt"},
		"file of another":        {root, []element{dir(0o755, 0, 0), {path: "/opt/check", mode: 0o755, uid: 1000}}, "/opt/check", "chown root /opt/check"},
		"sticky file":            {root, []element{dir(0o755, 0, 0), {path: "/opt/check", mode: 0o757 | fs.ModeSticky}}, "/opt/check", "chmod o-w /opt/check"},
		"link":                   {root, []element{{path: "/l", mode: fs.ModeSymlink | 0o777}, file}, "", ""},
		"link of another":        {root, []element{{path: "/l", mode: fs.ModeSymlink | 0o777, uid: 1000}, file}, "/l", "chown -h root /l"},
		"not as root":            {bob, []element{dir(0o777, 1000, 0), file}, "", ""},
		"set-uid root":           {bob, []element{dir(0o777, 0, 0), {path: "/opt/check", mode: 0o755 | fs.ModeSetuid}}, "/opt", "chmod o-w /opt"},
		"set-uid somebody":       {bob, []element{dir(0o777, 0, 0), {path: "/opt/check", mode: 0o755 | fs.ModeSetuid, uid: 9}}, "", ""},
		"first of several fault": {root, []element{dir(0o755, 1000, 0), {path: "/opt/check", mode: 0o777}}, "/opt", "chown root /opt"},
	} {
		t.Run(name, func(t *testing.T) {
			fault := insecure(tc.elements, tc.id)
			if fault == nil {
				fault = &Fault{}
			}
			if fault.Element != tc.element || fault.Fix != tc.fix {
				t.Errorf("%q, %q; want %q, %q", fault.Element, fault.Fix, tc.element, tc.fix)
			}
		})
	}
}

// The path of a link is as secure as the link, where it leads and all between.
func TestWalkFollowsLinks(t *testing.T) {
	path := write(t, "check", "")
	dir := filepath.Dir(path)
	real := filepath.Join(dir, "real")
	if err := errors.Join(
		os.Mkdir(real, 0o755),
		os.WriteFile(filepath.Join(real, "script"), nil, 0o755),
		os.Symlink("real", filepath.Join(dir, "relative")),
		os.Symlink(dir+"/relative/../real", filepath.Join(dir, "absolute")),
	); err != nil {
		t.Fatal(err)
	}
	elements, err := walk(filepath.Join(dir, "absolute", "script"))
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, e := range elements {
		if rel, ok := strings.CutPrefix(e.path, dir+"/"); ok {
			got = append(got, rel)
		}
	}
	if want := []string{"absolute", "relative", "real", "real", "real/script"}; !slices.Equal(got, want) {
		t.Errorf("passed %v, want %v", got, want)
	}
	if elements[0].path != "/" {
		t.Errorf("began at %s", elements[0].path)
	}
}

func TestResolveSecurity(t *testing.T) {
	path := write(t, "check", "")
	if err := os.Chmod(path, 0o777); err != nil {
		t.Fatal(err)
	}
	if _, err := Resolve(command(path), config.User{}, false); err != nil {
		t.Errorf("refused without script security: %v", err)
	}
	_, err := Resolve(command(path), config.User{}, true)
	if !errors.Is(err, ErrInsecure) {
		t.Fatalf("error %v", err)
	}
	if os.Geteuid() != 0 {
		return
	}
	want := "script " + path + ": it runs as root, and " + path + " (mode 0777, owner root:root) can be written by everybody; chmod o-w " + path
	if err.Error() != want {
		t.Errorf("%v\nwant %s", err, want)
	}
	if err := os.Chmod(path, 0o755); err != nil {
		t.Fatal(err)
	}
	if _, err := Resolve(command(path), config.User{}, true); err != nil {
		t.Errorf("a script that only root can change: %v", err)
	}
}

func TestEnvironment(t *testing.T) {
	var e Environment
	if !e.Interface("lo") {
		t.Error("lo does not exist")
	}
	for _, name := range []string{"", "no-such-if", "a-name-longer-than-any-interface"} {
		if e.Interface(name) {
			t.Errorf("%q exists", name)
		}
	}
	if err := e.Script(command(write(t, "check", "")), false); err != nil {
		t.Error(err)
	}
	if err := e.Script(command("/nonexistent"), false); !errors.Is(err, ErrNotFound) {
		t.Errorf("error %v", err)
	}
	e.DefaultUser.Name = "no-such-user"
	if err := e.Script(config.Command{Args: []string{"/bin/true"}}, false); !errors.Is(err, ErrUser) {
		t.Errorf("error %v for an unknown default user", err)
	}
}
