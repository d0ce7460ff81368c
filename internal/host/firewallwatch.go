package host

import (
	"errors"
	"fmt"
	"os"
	"syscall"

	"golang.org/x/sys/unix"

	"github.com/tandem-ha/tandem/ipvs/nlmsg"
)

// FirewallWatch hears of changes of a table of nftables.
type FirewallWatch struct {
	file *os.File
	done chan struct{}
}

// WatchFirewall calls handler after each transaction that changed something in
// the tables of this name, our own ones included, in the network namespace of the
// calling thread, and where the kernel had to drop notifications. handler runs on
// a goroutine of the watch.
func WatchFirewall(table string, handler func()) (*FirewallWatch, error) {
	fd, err := unix.Socket(unix.AF_NETLINK, unix.SOCK_RAW|unix.SOCK_CLOEXEC|unix.SOCK_NONBLOCK, unix.NETLINK_NETFILTER)
	if err != nil {
		return nil, fmt.Errorf("open netfilter socket: %w", err)
	}
	err = unix.Bind(fd, &unix.SockaddrNetlink{Family: unix.AF_NETLINK})
	if err == nil {
		err = unix.SetsockoptInt(fd, unix.SOL_NETLINK, unix.NETLINK_ADD_MEMBERSHIP, unix.NFNLGRP_NFTABLES)
	}
	if err != nil {
		_ = unix.Close(fd)
		return nil, fmt.Errorf("hear changes of nftables: %w", err)
	}
	w := &FirewallWatch{file: os.NewFile(uintptr(fd), "nftables"), done: make(chan struct{})}
	raw, err := w.file.SyscallConn()
	if err != nil {
		return nil, errors.Join(err, w.file.Close())
	}
	go w.run(raw, table, handler)
	return w, nil
}

// Close ends the watch and waits until handler has returned.
func (w *FirewallWatch) Close() error {
	err := w.file.Close()
	<-w.done
	return err
}

func (w *FirewallWatch) run(raw syscall.RawConn, table string, handler func()) {
	defer close(w.done)
	b := make([]byte, 64<<10)
	touched := false
	for {
		n, err := 0, error(nil)
		if raw.Read(func(fd uintptr) bool {
			n, err = unix.Read(int(fd), b)
			return !errors.Is(err, unix.EAGAIN)
		}) != nil {
			return
		}
		switch {
		case errors.Is(err, unix.EINTR):
			continue
		case errors.Is(err, unix.ENOBUFS):
			handler()
			continue
		case err != nil:
			return
		}
		for m, rest, ok := nlmsg.Next(b[:n]); ok; m, rest, ok = nlmsg.Next(rest) {
			switch {
			case m.Type == unix.NFNL_SUBSYS_NFTABLES<<8|unix.NFT_MSG_NEWGEN:
				// The generation is told behind what makes it.
				if touched {
					handler()
				}
				touched = false
			case m.Type>>8 == unix.NFNL_SUBSYS_NFTABLES && tableOf(m) == table:
				touched = true
			}
		}
	}
}

// tableOf is the name of the table that a message of nftables is about: each kind
// of them has it as its first attribute, behind struct nfgenmsg.
func tableOf(m nlmsg.Message) string {
	const header, name = 4, 1
	if len(m.Data) < header {
		return ""
	}
	for typ, value, rest, ok := nlmsg.NextAttr(m.Data[header:]); ok; typ, value, rest, ok = nlmsg.NextAttr(rest) {
		if typ == name {
			return nlmsg.String(value)
		}
	}
	return ""
}
