package host

import (
	"errors"
	"fmt"
	"sync"

	"golang.org/x/sys/unix"

	"github.com/tandem-ha/tandem/ipvs/nlmsg"
)

// LinkTable is what *VirtualLinks does; hosttest has one in memory.
type LinkTable interface {
	Apply(changes []LinkChange) error
	List() ([]LinkState, error)
	Close() error
}

var _ LinkTable = (*VirtualLinks)(nil)

// VirtualLinks makes macvlans and ipvlans and deletes them, through one rtnetlink
// socket. It is safe for use by several goroutines.
type VirtualLinks struct {
	mu      sync.Mutex
	conn    *rtnl
	sysctls SysctlTable
}

// LinkError is one change that could not be made.
type LinkError struct {
	Change LinkChange
	Err    error
}

// Error names the change and the reason.
func (e *LinkError) Error() string { return fmt.Sprintf("%s: %v", e.Change, e.Err) }

// Unwrap returns the reason.
func (e *LinkError) Unwrap() error { return e.Err }

// NewVirtualLinks opens the socket, in the network namespace of the calling
// thread. Apply sets what the links' own sysctls must be through the other table.
func NewVirtualLinks(sysctls SysctlTable) (*VirtualLinks, error) {
	conn, err := dialRTNL()
	if err != nil {
		return nil, err
	}
	return &VirtualLinks{conn: conn, sysctls: sysctls}, nil
}

// Close closes the socket; links stay as they are.
func (v *VirtualLinks) Close() error { return v.conn.close() }

// List returns all links of the host.
func (v *VirtualLinks) List() ([]LinkState, error) {
	v.mu.Lock()
	defer v.mu.Unlock()
	return v.list()
}

func (v *VirtualLinks) list() ([]LinkState, error) {
	var found []kernelLink
	err := v.conn.list("links", func() error {
		found = nil
		return v.conn.dump(unix.RTM_GETLINK, make([]byte, unix.SizeofIfInfomsg), func(m nlmsg.Message) {
			if k, ok := parseLink(m); ok {
				found = append(found, k)
			}
		})
	})
	if err != nil {
		return nil, err
	}
	links := make(map[int]kernelLink, len(found))
	for _, k := range found {
		links[k.Index] = k
	}
	out := make([]LinkState, 0, len(found))
	for _, k := range found {
		k.Parent = links[k.parent].Name
		if master := links[k.master]; master.Kind == "vrf" {
			k.VRF = master.Name
		}
		out = append(out, k.LinkState)
	}
	return out, nil
}

// Apply carries out the changes: first the removals, then the additions. An
// addition makes the link where it is missing, gives it the settings that a VMAC
// needs (the sysctls of its families, no IPv6 address of the kernel's own for a
// macvlan) and sets it up; a link that is there and is the wanted one is as good as made. One
// that is gone already is as good as removed. Each other failure is a *LinkError
// in the joined error; the changes after it are carried out all the same.
func (v *VirtualLinks) Apply(changes []LinkChange) error {
	if len(changes) == 0 {
		return nil
	}
	v.mu.Lock()
	defer v.mu.Unlock()
	have, err := v.list()
	if err != nil {
		return err
	}
	index := make(map[string]int, len(have))
	at := make(map[string]LinkState, len(have))
	for _, h := range have {
		index[h.Name], at[h.Name] = h.Index, h
	}
	var errs []error
	var gone, fresh, wanted []LinkChange
	for _, c := range changes {
		if c.Op == Remove {
			gone = append(gone, c)
			delete(at, c.Link.Name)
		}
	}
	for _, c := range changes {
		if c.Op == Remove {
			continue
		}
		h, there := at[c.Link.Name]
		switch {
		case there && !h.same(c.Link.carried(have)):
			errs = append(errs, &LinkError{c, ErrForeignLink})
			continue
		case !there:
			fresh = append(fresh, c)
		}
		wanted = append(wanted, c)
	}
	errs = append(errs, v.remove(gone, index), v.create(fresh, index), v.configure(wanted))
	return errors.Join(errs...)
}

func (v *VirtualLinks) remove(changes []LinkChange, index map[string]int) error {
	return v.run(changes, func(b []byte, seq uint32, c LinkChange) ([]byte, error) {
		i, ok := index[c.Link.Name]
		if !ok {
			return b, errNothing
		}
		return appendDelLink(b, seq, i), nil
	}, unix.ENODEV)
}

func (v *VirtualLinks) create(changes []LinkChange, index map[string]int) error {
	return v.run(changes, func(b []byte, seq uint32, c LinkChange) ([]byte, error) {
		parent, ok := index[c.Link.Parent]
		if !ok {
			return b, fmt.Errorf("parent %s: %w", c.Link.Parent, errNoInterface)
		}
		return appendNewLink(b, seq, c.Link, parent), nil
	}, 0)
}

// configure gives the links that are there now their settings, and sets them up
// last, so that no address or answer of the kernel's own slips out before.
func (v *VirtualLinks) configure(changes []LinkChange) error {
	if len(changes) == 0 {
		return nil
	}
	have, err := v.list()
	if err != nil {
		return err
	}
	index := make(map[string]int, len(have))
	states := make(map[string]LinkState, len(have))
	for _, h := range have {
		index[h.Name], states[h.Name] = h.Index, h
	}
	var there []LinkChange
	var sysctls []Sysctl
	for _, c := range changes {
		if _, ok := index[c.Link.Name]; ok { // else its creation failed, which was said
			there = append(there, c)
			sysctls = append(sysctls, c.Link.sysctls()...)
		}
	}
	return errors.Join(
		v.run(there, func(b []byte, seq uint32, c LinkChange) ([]byte, error) {
			if c.Link.Kind != Macvlan {
				return b, errNothing // its own address is the source of its adverts
			}
			return appendNoLinkLocal(b, seq, index[c.Link.Name]), nil
		}, unix.EAFNOSUPPORT),
		v.run(there, func(b []byte, seq uint32, c LinkChange) ([]byte, error) {
			if c.Link.VRF == states[c.Link.Name].VRF {
				return b, errNothing
			}
			master, ok := index[c.Link.VRF]
			if !ok && c.Link.VRF != "" {
				return b, fmt.Errorf("VRF %s: %w", c.Link.VRF, errNoInterface)
			}
			return appendMaster(b, seq, index[c.Link.Name], master), nil
		}, 0),
		v.sysctls.Write(sysctls),
		v.run(there, func(b []byte, seq uint32, c LinkChange) ([]byte, error) {
			return appendLinkUp(b, seq, index[c.Link.Name]), nil
		}, 0),
	)
}

// run sends one request a change; an answer of harmless is no error.
func (v *VirtualLinks) run(changes []LinkChange, encode func([]byte, uint32, LinkChange) ([]byte, error), harmless unix.Errno) error {
	b := batch[LinkChange]{conn: v.conn}
	return b.run(changes, codec[LinkChange]{
		encode:   encode,
		harmless: func(_ LinkChange, err error) bool { return harmless != 0 && errors.Is(err, harmless) },
		failed:   func(c LinkChange, err error) error { return &LinkError{c, err} },
	})
}
