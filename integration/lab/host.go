package lab

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/netip"
	"os"
	"os/exec"
	"runtime"
	"slices"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/vishvananda/netlink"
	"github.com/vishvananda/netns"
	"golang.org/x/sys/unix"
)

// Host is one host of a lab: a network namespace with one interface.
type Host struct {
	// Name is the host's name in its lab, Number its number from 1.
	Name   string
	Number int
	// Addresses follows what addresses the host has.
	Addresses *Watch

	lab     *Lab
	ns      namespace
	port    string
	mu      sync.Mutex
	closers []io.Closer
	echoes  []*echo
	procs   []*Process
}

func (l *Lab) newHost(name string, number int) (*Host, error) {
	ns, err := newNamespace(l.prefix + name)
	h := &Host{Name: name, Number: number, lab: l, ns: ns, port: "p-" + name}
	if err != nil {
		return nil, err
	}
	l.hosts[name] = h // from here on Close removes it
	// Without duplicate address detection an address serves as soon as it is there.
	err = h.Sysctl(
		"net/ipv6/conf/default/accept_dad", "0",
		"net/ipv6/conf/all/accept_dad", "0",
		"net/ipv6/conf/default/router_solicitations", "0")
	if err != nil {
		return nil, err
	}
	if _, err := command("ip", "link", "add", NIC, "netns", ns.name, "type", "veth", "peer", "name", h.port, "netns", l.bridge.name); err != nil {
		return nil, err
	}
	if err := l.bridge.batch("link set " + h.port + " master br0 up"); err != nil {
		return nil, err
	}
	if err := ns.batch(
		"link set lo up",
		"link set "+NIC+" up",
		fmt.Sprintf("addr add %s/24 dev %s", h.IPv4(), NIC),
		fmt.Sprintf("addr add %s/64 dev %s nodad", h.IPv6(), NIC),
		// What the tests put between 10.9.0.0 and 10.9.255.255 is on this segment.
		"route add 10.9.0.0/16 dev "+NIC); err != nil {
		return nil, err
	}
	h.Addresses, err = newWatch(ns)
	return h, err
}

// ready waits until both ends of the host's link pass packets and the kernel has given
// it a link-local address, all of which it does in its own time, in a work queue.
func (h *Host) ready(ctx context.Context) error {
	for {
		missing, err := h.missing()
		if err != nil || missing == "" {
			return err
		}
		if err := Poll(ctx, 2*time.Millisecond); err != nil {
			return fmt.Errorf("host %s: %s: %w", h.Name, missing, err)
		}
	}
}

// missing is what the host still waits for.
func (h *Host) missing() (string, error) {
	for _, end := range []struct {
		in   namespace
		name string
	}{{h.ns, NIC}, {h.lab.bridge, h.port}} {
		link, err := end.in.nl.LinkByName(end.name)
		if err != nil {
			return "", fmt.Errorf("link %s: %w", end.name, err)
		}
		if link.Attrs().OperState != netlink.OperUp {
			return end.name + " is not up", nil
		}
		if end.name != NIC {
			continue
		}
		list, err := end.in.nl.AddrList(link, netlink.FAMILY_V6)
		if err != nil {
			return "", fmt.Errorf("addresses of %s: %w", end.name, err)
		}
		if !slices.ContainsFunc(list, func(a netlink.Addr) bool { return a.IP.IsLinkLocalUnicast() && a.Flags&unix.IFA_F_TENTATIVE == 0 }) {
			return "it has no link-local address", nil
		}
	}
	return "", nil
}

// IPv4 is the host's own address.
func (h *Host) IPv4() netip.Addr { return netip.AddrFrom4([4]byte{192, 0, 2, byte(h.Number)}) }

// IPv6 is the host's own global address.
func (h *Host) IPv6() netip.Addr {
	a := netip.MustParseAddr("2001:db8::").As16()
	a[15] = byte(h.Number)
	return netip.AddrFrom16(a)
}

// LinkLocal is the address that the kernel gave the interface by itself.
func (h *Host) LinkLocal() (netip.Addr, error) {
	var found netip.Addr
	err := h.In(func() error {
		nic, err := net.InterfaceByName(NIC)
		if err != nil {
			return err
		}
		addrs, err := nic.Addrs()
		if err != nil {
			return err
		}
		for _, a := range addrs {
			if p, err := netip.ParsePrefix(a.String()); err == nil && p.Addr().IsLinkLocalUnicast() && p.Addr().Is6() {
				found = p.Addr()
			}
		}
		return nil
	})
	if err == nil && !found.IsValid() {
		err = fmt.Errorf("%s has no link-local address", h.Name)
	}
	return found, err
}

// Namespace is the name that ip netns knows the host by.
func (h *Host) Namespace() string { return h.ns.name }

// In runs f on a thread that is in the host's namespace: sockets that f opens
// are the host's, and stay so afterwards.
func (h *Host) In(f func() error) error {
	done := make(chan error, 1)
	go func() {
		runtime.LockOSThread()
		own, err := netns.Get()
		if err != nil {
			done <- err
			return
		}
		defer func() { _ = own.Close() }()
		if err := netns.Set(h.ns.fd); err != nil {
			done <- fmt.Errorf("enter %s: %w", h.ns.name, err)
			return
		}
		err = f()
		// A thread that cannot go back stays locked, and ends with the goroutine.
		if netns.Set(own) == nil {
			runtime.UnlockOSThread()
		}
		done <- err
	}()
	return <-done
}

// Run runs a command on the host and returns what it wrote to standard output.
func (h *Host) Run(args ...string) (string, error) {
	return command("ip", append([]string{"netns", "exec", h.ns.name}, args...)...)
}

// Input runs a command on the host with something to read.
func (h *Host) Input(stdin string, args ...string) error {
	c := exec.Command("ip", append([]string{"netns", "exec", h.ns.name}, args...)...)
	c.Stdin = strings.NewReader(stdin)
	if out, err := c.CombinedOutput(); err != nil {
		return fmt.Errorf("%s: %w: %s", strings.Join(args, " "), err, strings.TrimSpace(string(out)))
	}
	return nil
}

// IP runs lines of the ip command's batch language on the host.
func (h *Host) IP(lines ...string) error { return h.ns.batch(lines...) }

// Sysctl sets values below /proc/sys: name, value, name, value, ...
func (h *Host) Sysctl(pairs ...string) error {
	return h.In(func() error {
		for i := 0; i+1 < len(pairs); i += 2 {
			if err := os.WriteFile("/proc/sys/"+pairs[i], []byte(pairs[i+1]), 0); err != nil {
				return err
			}
		}
		return nil
	})
}

// Cut takes the carrier from the host's interface, as a pulled cable does.
func (h *Host) Cut() error { return h.setPort(h.lab.bridge, h.port, false) }

// Mend undoes Cut.
func (h *Host) Mend() error { return h.setPort(h.lab.bridge, h.port, true) }

func (h *Host) setPort(n namespace, name string, up bool) error {
	link, err := n.nl.LinkByName(name)
	if err != nil {
		return fmt.Errorf("link %s: %w", name, err)
	}
	if up {
		return n.nl.LinkSetUp(link)
	}
	return n.nl.LinkSetDown(link)
}

// Part takes the host off the bridge and leaves it its carrier, as a failing
// switch does: the host notices nothing but silence.
func (h *Host) Part() error { return h.lab.bridge.batch("link set " + h.port + " nomaster") }

// Rejoin undoes Part.
func (h *Host) Rejoin() error { return h.lab.bridge.batch("link set " + h.port + " master br0") }

// owns makes the host close c at its end.
func (h *Host) owns(c io.Closer) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.closers = append(h.closers, c)
}

func (h *Host) close() {
	h.mu.Lock()
	closers, procs := h.closers, h.procs
	h.closers, h.procs = nil, nil
	h.mu.Unlock()
	for _, p := range procs {
		p.Kill()
	}
	for _, c := range closers {
		_ = c.Close()
	}
	if h.Addresses != nil {
		h.Addresses.close()
	}
	h.ns.remove()
}

// control is a net.ListenConfig's hook that lets a host listen again at once on a
// port that it had.
func control(_, _ string, c syscall.RawConn) error {
	var err error
	if e := c.Control(func(fd uintptr) {
		err = unix.SetsockoptInt(int(fd), unix.SOL_SOCKET, unix.SO_REUSEADDR, 1)
	}); e != nil {
		return e
	}
	return err
}

// Neighbour is another host of the same lab.
func (h *Host) Neighbour(name string) *Host { return h.lab.Host(name) }
