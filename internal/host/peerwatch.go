package host

import (
	"errors"
	"fmt"
	"net"
	"net/netip"

	"github.com/mdlayher/packet"
	"golang.org/x/net/bpf"
	"golang.org/x/sys/unix"
)

// PeerWatch hears the gratuitous ARPs and the unsolicited Neighbour
// Advertisements of other nodes on one link. The kernel's filter lets nothing
// else through, and nothing at all until Listen.
type PeerWatch struct {
	index int
	mac   MAC
	ears  []*ear
}

// ear is the socket of one protocol: one for all of them would have the kernel
// copy every packet that the host sends.
type ear struct {
	gathered
	wanted []bpf.Instruction
	parse  func(frame []byte) (addr netip.Addr, mac MAC, ok bool)
}

// WatchPeers opens the sockets, in the network namespace of the calling thread.
// What Listen lets through gathers in them until Receive; after Arm, the poller's
// Wait calls ready once when there is something. The watch is bound to the link's
// index and passes over the link's MAC, unless that is shared, so it is to be
// opened anew where either changes.
func WatchPeers(link Link, p *Poller, ready func()) (*PeerWatch, error) {
	if len(link.MAC) != 6 {
		return nil, fmt.Errorf("watch peers on %s: hardware address of %d bytes, only Ethernet's 6 are supported", link.Name, len(link.MAC))
	}
	w := &PeerWatch{index: link.Index}
	if !link.Shared {
		// Of a shared one our own frames do not come in, so that nothing has to
		// be passed over.
		w.mac = MAC(link.MAC)
	}
	for protocol, e := range map[int]*ear{
		unix.ETH_P_ARP:  {wanted: arpFilter(w.mac), parse: parseGratuitous},
		unix.ETH_P_IPV6: {wanted: advertisementFilter(w.mac), parse: parseAdvertisement},
	} {
		if err := e.open(link.Index, protocol, p, ready); err != nil {
			return nil, errors.Join(fmt.Errorf("watch peers on %s: %w", link.Name, err), w.Close())
		}
		w.ears = append(w.ears, e)
	}
	return w, nil
}

// deaf lets nothing through.
func deaf() []bpf.Instruction { return []bpf.Instruction{bpf.RetConstant{Val: 0}} }

// open opens the socket, which hears nothing yet.
func (e *ear) open(index, protocol int, p *Poller, ready func()) error {
	program, err := bpf.Assemble(deaf())
	if err != nil {
		return fmt.Errorf("assemble filter: %w", err)
	}
	// The filter is there before the socket is bound: nothing slips by.
	conn, err := packet.Listen(&net.Interface{Index: index}, packet.Raw, protocol, &packet.Config{Filter: program})
	if err != nil {
		return fmt.Errorf("open packet socket: %w", err)
	}
	fd, err := detach(conn)
	if err != nil {
		return fmt.Errorf("packet socket: %w", err)
	}
	// A peer with hundreds of addresses announces them all at once.
	if unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_RCVBUFFORCE, advertBuffer) != nil {
		_ = unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_RCVBUF, advertBuffer)
	}
	return e.gather(fd, p, ready)
}

// Listen says whether announcements are let through. While they are not, they cost
// this host and their sender nothing.
func (w *PeerWatch) Listen(on bool) error {
	var errs []error
	for _, e := range w.ears {
		filter := deaf()
		if on {
			filter = e.wanted
		}
		errs = append(errs, e.use(func() error { return attachFilter(e.fd, filter) }))
	}
	return errors.Join(errs...)
}

// Arm has the poller's Wait call ready, once for each protocol, as soon as there is
// something to receive.
func (w *PeerWatch) Arm() error {
	var errs []error
	for _, e := range w.ears {
		errs = append(errs, e.Arm())
	}
	return errors.Join(errs...)
}

// Receive takes in what has gathered, at most InboxSize frames of each protocol,
// and passes it to handler. It does not wait, and says how many frames there were
// of the protocol that had most: fewer than InboxSize means that there were no more.
func (w *PeerWatch) Receive(in *Inbox, handler func(Announced)) int {
	most := 0
	for _, e := range w.ears {
		// ENETDOWN is told once each time that the link goes down. A link that is
		// gone never speaks again.
		n, _ := e.read(in)
		for i := range n {
			addr, mac, ok := e.parse(in.packet(i))
			if ok && mac != w.mac {
				handler(Announced{Interface: w.index, Addr: addr, MAC: mac})
			}
		}
		most = max(most, n)
	}
	return most
}

// Close closes the sockets.
func (w *PeerWatch) Close() error {
	var errs []error
	for _, e := range w.ears {
		errs = append(errs, e.Close())
	}
	return errors.Join(errs...)
}
