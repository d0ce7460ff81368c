package host

import (
	"encoding/binary"
	"errors"
	"fmt"

	"golang.org/x/sys/unix"

	"github.com/tandem-ha/tandem/ipvs/nlmsg"
)

// dumpAttempts is how often a listing is begun anew because the tables changed
// under it.
const dumpAttempts = 10

// index asks for the index of the interface with this name; the error is
// unix.ENODEV where there is none.
func (c *rtnl) index(name string) (int, error) {
	info, err := c.link(0, nlmsg.AppendAttr(nil, unix.IFLA_IFNAME, append([]byte(name), 0)))
	if err != nil {
		return 0, err
	}
	return int(int32(binary.NativeEndian.Uint32(info[4:]))), nil
}

// running asks whether an interface is up and has a carrier.
func (c *rtnl) running(index int) (bool, error) {
	info, err := c.link(index, nil)
	if err != nil {
		return false, err
	}
	const running = unix.IFF_UP | unix.IFF_RUNNING
	return binary.NativeEndian.Uint32(info[8:])&running == running, nil
}

// link asks for the struct ifinfomsg of the interface with this index, or, where it
// is 0, with this attribute.
func (c *rtnl) link(index int, attr []byte) ([unix.SizeofIfInfomsg]byte, error) {
	var info [unix.SizeofIfInfomsg]byte
	binary.NativeEndian.PutUint32(info[4:], uint32(index))
	seq := c.next()
	b := nlmsg.Begin(c.out[:0], unix.RTM_GETLINK, unix.NLM_F_REQUEST, seq)
	b = append(append(b, info[:]...), attr...)
	b = nlmsg.End(b, 0)
	c.out = b[:0]
	if err := c.send(b); err != nil {
		return info, err
	}
	if err := c.deadline(answerTime); err != nil {
		return info, err
	}
	for {
		in, err := c.receive()
		if err != nil {
			return info, err
		}
		for m, rest, ok := nlmsg.Next(in); ok; m, rest, ok = nlmsg.Next(rest) {
			if m.Seq != seq {
				continue
			}
			if m.Type == unix.NLMSG_ERROR {
				return info, m.Err()
			}
			if m.Type == unix.RTM_NEWLINK && len(m.Data) >= unix.SizeofIfInfomsg {
				return [unix.SizeofIfInfomsg]byte(m.Data), nil
			}
		}
	}
}

// indexes adds to index those of the names that it does not have; names of
// interfaces that do not exist are left out.
func (c *rtnl) indexes(index map[string]int, names ...string) error {
	for _, name := range names {
		if _, done := index[name]; done || name == "" {
			continue
		}
		i, err := c.index(name)
		switch {
		case errors.Is(err, unix.ENODEV), errors.Is(err, unix.ERANGE), errors.Is(err, unix.EINVAL):
			continue
		case err != nil:
			return fmt.Errorf("look up interface %s: %w", name, err)
		}
		index[name] = i
	}
	return nil
}

// names lists the interfaces by index.
func (c *rtnl) names() (map[int]string, error) {
	names := map[int]string{}
	err := c.dump(unix.RTM_GETLINK, make([]byte, unix.SizeofIfInfomsg), func(m nlmsg.Message) {
		if index, name, ok := parseLinkName(m); ok {
			names[index] = name
		}
	})
	return names, err
}

// list is a listing of several tables that belong together: it is made anew
// where one of them changed meanwhile.
func (c *rtnl) list(what string, read func() error) error {
	for range dumpAttempts {
		err := read()
		if errors.Is(err, unix.EINTR) {
			continue
		}
		if err != nil {
			return fmt.Errorf("list %s: %w", what, err)
		}
		return nil
	}
	return fmt.Errorf("list %s: %w", what, unix.EINTR)
}

// dump makes one dump, the request being header and body, and passes each of its
// messages to visit; the error is unix.EINTR where the kernel says that the dump
// is not consistent.
func (c *rtnl) dump(typ uint16, body []byte, visit func(nlmsg.Message)) error {
	seq := c.next()
	b := nlmsg.Begin(c.out[:0], typ, unix.NLM_F_REQUEST|unix.NLM_F_DUMP, seq)
	b = nlmsg.End(append(b, body...), 0)
	c.out = b[:0]
	if err := c.send(b); err != nil {
		return err
	}
	interrupted := false
	for {
		if err := c.deadline(answerTime); err != nil {
			return err
		}
		in, err := c.receive()
		if err != nil {
			return err
		}
		for m, rest, ok := nlmsg.Next(in); ok; m, rest, ok = nlmsg.Next(rest) {
			if m.Seq != seq {
				continue
			}
			interrupted = interrupted || m.Flags&unix.NLM_F_DUMP_INTR != 0
			switch m.Type {
			case unix.NLMSG_DONE:
				if interrupted {
					return unix.EINTR
				}
				// The end may carry the error of a filter, too.
				if err := m.Err(); !errors.Is(err, unix.EBADMSG) {
					return err
				}
				return nil
			case unix.NLMSG_ERROR:
				return m.Err()
			default:
				visit(m)
			}
		}
	}
}

// parseLinkName reads index and name of an RTM_NEWLINK.
func parseLinkName(m nlmsg.Message) (index int, name string, ok bool) {
	if m.Type != unix.RTM_NEWLINK || len(m.Data) < unix.SizeofIfInfomsg {
		return 0, "", false
	}
	index = int(int32(binary.NativeEndian.Uint32(m.Data[4:])))
	for typ, value, rest, more := nlmsg.NextAttr(m.Data[unix.SizeofIfInfomsg:]); more; typ, value, rest, more = nlmsg.NextAttr(rest) {
		if typ == unix.IFLA_IFNAME {
			return index, nlmsg.String(value), true
		}
	}
	return 0, "", false
}
