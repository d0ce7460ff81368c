package control

import (
	"errors"
	"fmt"
	"os"
	"os/user"
	"slices"
	"strconv"

	"github.com/tandem-ha/tandem/config"
)

// access is what a route needs of who asks.
type access uint8

const (
	// reading changes nothing.
	reading access = iota
	// commanding changes what the agent does.
	commanding
)

func (a access) String() string {
	if a == commanding {
		return "command"
	}
	return "read"
}

// policy is who may do what, with the groups as numbers. It is pure.
type policy struct {
	// own is the agent's user, which may do everything, as root (user 0) may.
	own, root uint32
	// readers and commanders are groups; nil where the configuration has none.
	readers, commanders []uint32
	// names are those of certificates.
	readNames, commandNames []string
}

// newPolicy resolves the groups of a configuration. A group that does not exist
// has no members; the error names it.
func newPolicy(api config.API) (policy, error) {
	p := policy{own: uint32(os.Geteuid()), readNames: api.Read, commandNames: api.Command}
	var errs []error
	resolve := func(names []string) []uint32 {
		var out []uint32
		for _, name := range names {
			gid, err := groupID(name)
			if err != nil {
				errs = append(errs, err)
				continue
			}
			out = append(out, uint32(gid))
		}
		if names != nil && out == nil {
			out = []uint32{}
		}
		return out
	}
	p.readers, p.commanders = resolve(api.SocketRead), resolve(api.SocketCommand)
	return p, errors.Join(errs...)
}

// groupID is the number of a group that is given by name or number.
func groupID(name string) (int, error) {
	if n, err := strconv.ParseUint(name, 10, 32); err == nil {
		return int(n), nil
	}
	g, err := user.LookupGroup(name)
	if err != nil {
		return 0, fmt.Errorf("api: %w", err)
	}
	n, err := strconv.Atoi(g.Gid)
	if err != nil {
		return 0, fmt.Errorf("api: group %s: %w", name, err)
	}
	return n, nil
}

// check says why who asks may not have what is needed, nil where they may.
func (p policy) check(c Caller, need access) error {
	allowed := p.process(c, need)
	if c.Remote != "" {
		allowed = p.certificate(c, need)
	}
	if !allowed {
		return forbidden{fmt.Errorf("%s may not %s; see socket_read, socket_command, read and command in the block api", c, need)}
	}
	return nil
}

func (p policy) certificate(c Caller, need access) bool {
	if slices.Contains(p.commandNames, c.Name) {
		return true
	}
	return need == reading && (len(p.readNames) == 0 || slices.Contains(p.readNames, c.Name))
}

func (p policy) process(c Caller, need access) bool {
	member := func(groups []uint32) bool {
		return slices.ContainsFunc(c.Groups, func(g uint32) bool { return slices.Contains(groups, g) })
	}
	switch {
	case c.UID == p.root, c.UID == p.own, member(p.commanders):
		return true
	case need == commanding:
		return p.commanders == nil && p.readers == nil
	default:
		return p.readers == nil || member(p.readers)
	}
}
