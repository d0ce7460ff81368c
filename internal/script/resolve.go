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

	"github.com/tandem-ha/tandem/config"
	"github.com/tandem-ha/tandem/health"
)

// DefaultUser is the user that scripts run as where none is configured and a
// user of that name exists, as in keepalived.
const DefaultUser = "keepalived_script"

// The reasons why a script cannot be run; a Fault wraps one of them.
var (
	// ErrUser is an unknown user or group, or the lack of a default user.
	ErrUser = errors.New("no such user")
	// ErrNotFound is a script that does not exist. It is an fs.ErrNotExist.
	ErrNotFound = fmt.Errorf("script not found: %w", fs.ErrNotExist)
	// ErrNotExecutable is a script that its user cannot execute.
	ErrNotExecutable = errors.New("script not executable")
	// ErrInsecure is a script that runs as root and that others can change.
	ErrInsecure = errors.New("script not secure")
)

// Fault says what keeps a script from being run.
type Fault struct {
	// Reason is one of the package's Err values.
	Reason error
	// Script is the command as resolved, or as configured where it was not.
	Script string
	// Element is the element of the path that is at fault, empty for none.
	Element string
	// Detail says what is wrong and Fix what would put it right.
	Detail, Fix string
}

// Error says which script, what is wrong, and what would put it right.
func (f *Fault) Error() string {
	s := "script " + f.Script + ": " + f.Detail
	if f.Fix != "" {
		s += "; " + f.Fix
	}
	return s
}

// Unwrap returns the Reason.
func (f *Fault) Unwrap() error { return f.Reason }

// Resolve turns a command of the configuration into what Run takes: the path
// looked up in PATH where the command has no slash, and the user and group as
// numbers, -1 where they are our own. The user is the command's, else def, else
// keepalived_script where it exists, else our own; with security there is no
// falling back to our own. With security, a script that would run as root is
// refused if anyone but root could change it or an element of its path.
//
// The error is a *Fault.
func Resolve(cmd config.Command, def config.User, security bool) (health.Script, error) {
	if len(cmd.Args) == 0 || cmd.Args[0] == "" {
		return health.Script{}, &Fault{Reason: ErrNotFound, Script: `""`, Detail: "the command is empty"}
	}
	name := cmd.Args[0]
	id, fault := lookUp(cmd.User, def, security)
	if fault != nil {
		fault.Script = name
		return health.Script{}, fault
	}
	path, elements, fault := locate(name, id)
	if fault != nil {
		return health.Script{}, fault
	}
	if security {
		if fault := insecure(elements, id); fault != nil {
			fault.Script = path
			return health.Script{}, fault
		}
	}
	s := health.Script{Args: slices.Clone(cmd.Args), UID: id.uid, GID: id.gid}
	s.Args[0] = path
	if id.uid == os.Geteuid() && id.gid == os.Getegid() {
		s.UID, s.GID = -1, -1
	}
	return s, nil
}

// identity is who a script runs as.
type identity struct {
	name     string
	uid, gid int
	groups   []int
}

// lookUp finds the user and group of a command.
func lookUp(u, def config.User, security bool) (identity, *Fault) {
	if u.Name == "" {
		u = def
	}
	if u.Name == "" {
		if id, err := named(config.User{Name: DefaultUser}); err == nil {
			return id, nil
		}
		if security {
			return identity{}, &Fault{
				Reason: ErrUser,
				Detail: "the default user " + DefaultUser + " does not exist",
				Fix:    "create that user or set script_user",
			}
		}
		groups, _ := os.Getgroups()
		return identity{name: "uid " + strconv.Itoa(os.Geteuid()), uid: os.Geteuid(), gid: os.Getegid(), groups: groups}, nil
	}
	id, err := named(u)
	if err != nil {
		return identity{}, &Fault{Reason: ErrUser, Detail: err.Error(), Fix: "create it or name another"}
	}
	return id, nil
}

// named looks a user, and the group where one is given, up by name.
func named(u config.User) (identity, error) {
	entry, err := user.Lookup(u.Name)
	if err != nil {
		if _, unknown := errors.AsType[user.UnknownUserError](err); unknown {
			return identity{}, fmt.Errorf("user %s does not exist", u.Name)
		}
		return identity{}, fmt.Errorf("user %s: %w", u.Name, err)
	}
	gid := entry.Gid
	if u.Group != "" {
		group, err := user.LookupGroup(u.Group)
		if err != nil {
			if _, unknown := errors.AsType[user.UnknownGroupError](err); unknown {
				return identity{}, fmt.Errorf("group %s does not exist", u.Group)
			}
			return identity{}, fmt.Errorf("group %s: %w", u.Group, err)
		}
		gid = group.Gid
	}
	id := identity{name: "user " + u.Name}
	if id.uid, err = strconv.Atoi(entry.Uid); err != nil {
		return identity{}, fmt.Errorf("user %s: %w", u.Name, err)
	}
	if id.gid, err = strconv.Atoi(gid); err != nil {
		return identity{}, fmt.Errorf("user %s: %w", u.Name, err)
	}
	ids, err := entry.GroupIds()
	if err != nil {
		return identity{}, fmt.Errorf("groups of user %s: %w", u.Name, err)
	}
	for _, g := range ids {
		if n, err := strconv.Atoi(g); err == nil {
			id.groups = append(id.groups, n)
		}
	}
	return id, nil
}

// locate finds the file of a command and every element on the way to it.
func locate(name string, id identity) (string, []element, *Fault) {
	if strings.Contains(name, "/") {
		path, err := filepath.Abs(name)
		if err != nil {
			return "", nil, &Fault{Reason: ErrNotFound, Script: name, Detail: err.Error()}
		}
		elements, fault := executable(path, id)
		return path, elements, fault
	}
	var first *Fault
	for _, dir := range filepath.SplitList(os.Getenv("PATH")) {
		if !filepath.IsAbs(dir) {
			continue
		}
		path := filepath.Join(dir, name)
		elements, fault := executable(path, id)
		if fault == nil {
			return path, elements, nil
		}
		if first == nil && !errors.Is(fault, ErrNotFound) {
			first = fault
		}
	}
	if first != nil {
		return "", nil, first
	}
	return "", nil, &Fault{Reason: ErrNotFound, Script: name, Detail: "not found in PATH " + os.Getenv("PATH"), Fix: "give its full path"}
}
