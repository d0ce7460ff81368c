package host

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"time"

	"github.com/hashicorp/go-hclog"
	"golang.org/x/net/bpf"
	"golang.org/x/sys/unix"

	"github.com/tandem-ha/tandem/ipvs/nlmsg"
)

// Monitor tells of the host's links and addresses and of all that happens to
// them, and of what happens to our routes and rules, as the kernel reports it.
type Monitor struct {
	log   hclog.Logger
	table *linkTable
	// opened, where set, is told of each socket; tests disturb it.
	opened func(*rtnl)
}

// monitorGroups are the notifications that a Monitor hears.
var monitorGroups = [...]int{
	unix.RTNLGRP_LINK, unix.RTNLGRP_IPV4_IFADDR, unix.RTNLGRP_IPV6_IFADDR,
	unix.RTNLGRP_IPV4_ROUTE, unix.RTNLGRP_IPV6_ROUTE, unix.RTNLGRP_IPV4_RULE, unix.RTNLGRP_IPV6_RULE,
}

// monitorFilter keeps the routes of others out, in the kernel: a router with all
// of the Internet's is told of hundreds each second.
func monitorFilter() []bpf.Instruction {
	const typ, protocol = 4, unix.NLMSG_HDRLEN + 5 // of struct nlmsghdr and struct rtmsg
	// The type is in the host's order, which a filter reads as the network's.
	ordered := func(v uint16) uint32 {
		return uint32(binary.BigEndian.Uint16(binary.NativeEndian.AppendUint16(nil, v)))
	}
	return []bpf.Instruction{
		bpf.LoadAbsolute{Off: typ, Size: 2},
		bpf.JumpIf{Cond: bpf.JumpEqual, Val: ordered(unix.RTM_NEWROUTE), SkipTrue: 1},
		bpf.JumpIf{Cond: bpf.JumpEqual, Val: ordered(unix.RTM_DELROUTE), SkipFalse: 2},
		bpf.LoadAbsolute{Off: protocol, Size: 1},
		bpf.JumpIf{Cond: bpf.JumpEqual, Val: Protocol, SkipFalse: 1},
		bpf.RetConstant{Val: 1 << 30},
		bpf.RetConstant{Val: 0},
	}
}

// NewMonitor returns a monitor that has not started.
func NewMonitor(log hclog.Logger) *Monitor {
	return &Monitor{log: log, table: newLinkTable()}
}

// reopenDelay is the pause before a monitor whose socket failed tries again.
const reopenDelay = 200 * time.Millisecond

// settleTime is how long notifications of addresses wait for others, so that a
// thousand addresses that come in a row are told in a few pieces; those of links
// are told at once.
const settleTime = 2 * time.Millisecond

// gatherLimit bounds how many datagrams are taken in before their events are told.
const gatherLimit = 1024

// Run passes events to handler, one at a time and in order, until the context
// ends: first all that exists, then Synced, then what changes. Notifications
// that arrive together are told as their sum. Where the kernel had to drop some,
// everything is listed again, the difference is told, and another Synced. An
// error other than the context's means that the first listing failed.
//
// The sockets belong to the network namespace of the thread that Run is on.
func (m *Monitor) Run(ctx context.Context, handler func(Event)) error {
	first := true
	for {
		err := m.session(ctx, handler, &first)
		if ctx.Err() != nil {
			return ctx.Err()
		}
		if first && !errors.Is(err, unix.ENOBUFS) {
			return err
		}
		if errors.Is(err, unix.ENOBUFS) {
			m.log.Warn("the kernel dropped link and address notifications, listing all again")
			continue
		}
		m.log.Warn("the kernel's link and address notifications failed, starting again", "error", err)
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(reopenDelay):
		}
	}
}

// session runs on one socket until it fails, or has lost something: a socket
// that overflowed may be in the middle of a listing, so the next one is new.
func (m *Monitor) session(ctx context.Context, handler func(Event), first *bool) error {
	conn, err := dialRTNL()
	if err != nil {
		return err
	}
	defer conn.close()
	if err := conn.hear(monitorFilter(), monitorGroups[:]...); err != nil {
		return err
	}
	if m.opened != nil {
		m.opened(conn)
	}
	stop := context.AfterFunc(ctx, func() { _ = conn.file.SetReadDeadline(time.Unix(1, 0)) })
	defer stop()

	if err := m.list(ctx, conn); err != nil {
		return err
	}
	*first = false
	m.table.flush(handler)
	handler(Synced{})
	for {
		if err := m.gather(ctx, conn); err != nil {
			return err
		}
		m.table.flush(handler)
	}
}

// gather waits for a notification and takes in those that come with it.
func (m *Monitor) gather(ctx context.Context, conn *rtnl) error {
	b, err := conn.receive()
	settled := false
	for n := 0; ; n++ {
		switch {
		case err != nil:
			return err
		case b != nil:
			m.take(b)
		case settled || m.table.urgent:
			return nil
		default:
			settled = true
			select {
			case <-ctx.Done():
				return ctx.Err()
			case <-time.After(settleTime):
			}
		}
		if n == gatherLimit {
			return nil
		}
		b, err = conn.poll()
	}
}

// take updates the table from one datagram.
func (m *Monitor) take(b []byte) {
	for msg, rest, ok := nlmsg.Next(b); ok; msg, rest, ok = nlmsg.Next(rest) {
		m.update(msg)
	}
}

func (m *Monitor) update(msg nlmsg.Message) {
	if err := m.table.update(msg); err != nil {
		m.log.Warn("netlink message passed over", "error", err)
	}
}

// list reads all links and addresses. Notifications that arrive meanwhile are
// on the same socket, so all is taken in in the kernel's order.
func (m *Monitor) list(ctx context.Context, conn *rtnl) error {
	const attempts = 10
	for range attempts {
		m.table.begin()
		err := m.dump(ctx, conn, unix.RTM_GETLINK, unix.SizeofIfInfomsg)
		if err == nil {
			err = m.dump(ctx, conn, unix.RTM_GETADDR, unix.SizeofIfAddrmsg)
		}
		if errors.Is(err, unix.EINTR) {
			continue // the tables changed under the listing
		}
		if err != nil {
			return fmt.Errorf("list links and addresses: %w", err)
		}
		m.table.sweep()
		return arm(ctx, conn, 0)
	}
	return fmt.Errorf("list links and addresses: changed %d times meanwhile", attempts)
}

// arm bounds the receives that follow. The context's end sets a bound too, which
// must not be lost.
func arm(ctx context.Context, conn *rtnl, d time.Duration) error {
	if err := conn.deadline(d); err != nil {
		return err
	}
	return ctx.Err()
}

func (m *Monitor) dump(ctx context.Context, conn *rtnl, typ uint16, header int) error {
	seq := conn.next()
	b := nlmsg.Begin(nil, typ, unix.NLM_F_REQUEST|unix.NLM_F_DUMP, seq)
	if err := conn.send(nlmsg.End(append(b, make([]byte, header)...), 0)); err != nil {
		return err
	}
	interrupted := false
	for {
		if err := arm(ctx, conn, answerTime); err != nil {
			return err
		}
		in, err := conn.receive()
		if err != nil {
			return err
		}
		for msg, rest, ok := nlmsg.Next(in); ok; msg, rest, ok = nlmsg.Next(rest) {
			if msg.Seq != seq {
				m.update(msg)
				continue
			}
			interrupted = interrupted || msg.Flags&unix.NLM_F_DUMP_INTR != 0
			switch msg.Type {
			case unix.NLMSG_ERROR:
				return msg.Err()
			case unix.NLMSG_DONE:
				if interrupted {
					return unix.EINTR
				}
				return nil
			default:
				m.update(msg)
			}
		}
	}
}
