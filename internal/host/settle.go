package host

import (
	"encoding/binary"
	"errors"
	"net/netip"
	"time"

	"golang.org/x/sys/unix"

	"github.com/tandem-ha/tandem/ipvs/nlmsg"
)

// The kernel acknowledges an IPv6 address before the host answers for it: a
// work queue inserts the address's local route some time later, and until then
// packets for it are dropped. Whoever announces an address at once would draw
// packets that nobody takes.
const (
	// On an idle host it takes a millisecond. settleLimit bounds the wait for an
	// address of an interface that is down, which cannot be reached before it is up;
	// busyLimit for another: where network namespaces come and go, as containers
	// do, the work queue waits for them now and then, for a second and more.
	settleLimit = 200 * time.Millisecond
	busyLimit   = 3 * time.Second
	settlePause = time.Millisecond
)

// settle waits until the IPv6 addresses among those added can be reached. One
// that is to pass duplicate address detection first is not waited for, nor is
// any longer than these limits: the announcements are repeated.
func (a *Addresses) settle(changes []AddressChange, index map[string]int) error {
	began := time.Now()
	for _, c := range changes {
		if c.Op != AddAddress || !c.Address.Prefix.Addr().Is6() || c.Address.Flags&unix.IFA_F_NODAD == 0 {
			continue
		}
		link, ok := index[c.Address.Interface]
		for ok {
			local, err := a.local(c.Address.Prefix.Addr(), link)
			if err != nil {
				return err
			}
			waited := time.Since(began)
			if local || waited >= busyLimit {
				break
			}
			if waited >= settleLimit {
				if up, err := a.batch.conn.running(link); err != nil || !up {
					break
				}
			}
			time.Sleep(settlePause)
		}
	}
	return nil
}

// local asks whether packets for an address are taken by this host.
func (a *Addresses) local(addr netip.Addr, link int) (bool, error) {
	seq := a.batch.conn.next()
	b := nlmsg.Begin(a.batch.conn.out[:0], unix.RTM_GETROUTE, unix.NLM_F_REQUEST, seq)
	b = append(b, unix.AF_INET6, 128, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0) // struct rtmsg
	b = nlmsg.AppendAttr(b, unix.RTA_DST, addr.AsSlice())
	// The link says which, of link-local addresses, and which table where it is in a VRF.
	b = nlmsg.AppendAttr(b, unix.RTA_OIF, binary.NativeEndian.AppendUint32(nil, uint32(link)))
	b = nlmsg.End(b, 0)
	a.batch.conn.out = b[:0]
	if err := a.batch.conn.send(b); err != nil {
		return false, err
	}
	if err := a.batch.conn.deadline(answerTime); err != nil {
		return false, err
	}
	for {
		in, err := a.batch.conn.receive()
		if err != nil {
			return false, err
		}
		for m, rest, ok := nlmsg.Next(in); ok; m, rest, ok = nlmsg.Next(rest) {
			switch {
			case m.Seq != seq:
			case m.Type == unix.NLMSG_ERROR:
				err := m.Err()
				if errors.Is(err, unix.ENETUNREACH) || errors.Is(err, unix.EHOSTUNREACH) {
					return false, nil
				}
				return false, err
			case m.Type == unix.RTM_NEWROUTE && len(m.Data) >= unix.SizeofRtMsg:
				return m.Data[7] == unix.RTN_LOCAL, nil
			}
		}
	}
}
