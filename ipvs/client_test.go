package ipvs

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"net/netip"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/vishvananda/netlink/nl"
	"golang.org/x/sys/unix"

	"github.com/tandem-ha/tandem/ipvs/nlmsg"
)

// scriptLink is a kernel at the level of messages: answer is given each message
// and returns what to say to it.
type scriptLink struct {
	answer  func(m nlmsg.Message) [][]byte
	sends   [][]nlmsg.Message
	pending [][]byte
	sendErr error
	recvErr error
	silent  bool // keeps what it would say to itself
}

func (l *scriptLink) send(b []byte) error {
	if l.sendErr != nil {
		return l.sendErr
	}
	var sent []nlmsg.Message
	for {
		m, rest, ok := nlmsg.Next(slices.Clone(b))
		if !ok {
			break
		}
		sent = append(sent, m)
		l.pending = append(l.pending, l.answer(m)...)
		b = rest
	}
	l.sends = append(l.sends, sent)
	return nil
}

func (l *scriptLink) receive(b []byte, _ time.Duration) (int, error) {
	switch {
	case l.recvErr != nil:
		return 0, l.recvErr
	case l.silent || len(l.pending) == 0:
		return 0, os.ErrDeadlineExceeded
	}
	n := copy(b, l.pending[0])
	l.pending = l.pending[1:]
	return n, nil
}

func (l *scriptLink) close() {}

// say is a message to the sender of m.
func say(m nlmsg.Message, typ, flags uint16, payload ...byte) []byte {
	b := binary.NativeEndian.AppendUint32(nil, uint32(unix.SizeofNlMsghdr+len(payload)))
	b = binary.NativeEndian.AppendUint16(b, typ)
	b = binary.NativeEndian.AppendUint16(b, flags)
	b = binary.NativeEndian.AppendUint32(b, m.Seq)
	b = binary.NativeEndian.AppendUint32(b, 4711)
	return append(b, payload...)
}

func ack(m nlmsg.Message, errno unix.Errno) []byte {
	p := binary.NativeEndian.AppendUint32(nil, uint32(-int32(errno)))
	return say(m, unix.NLMSG_ERROR, 0, append(p, make([]byte, unix.SizeofNlMsghdr)...)...)
}

// withFamily answers the look-up of the family with a number, or ENOENT where
// it is 0, and a message to that family with what kernel says.
func withFamily(family *uint16, kernel func(m nlmsg.Message) [][]byte) *scriptLink {
	return &scriptLink{answer: func(m nlmsg.Message) [][]byte {
		switch m.Type {
		case nl.GENL_ID_CTRL:
			if *family == 0 {
				return [][]byte{ack(m, unix.ENOENT)}
			}
			attrs := nlmsg.AppendUint16(nil, nl.GENL_CTRL_ATTR_FAMILY_ID, *family)
			return [][]byte{say(m, nl.GENL_ID_CTRL, 0, append([]byte{1, 2, 0, 0}, attrs...)...), ack(m, 0)}
		case *family:
			return kernel(m)
		}
		return [][]byte{ack(m, unix.ENOENT)}
	}}
}

func clientOf(l link) *Client { return &Client{sock: newSocket(l, time.Second)} }

func info(m nlmsg.Message) [][]byte {
	p := append([]byte{cmdGetInfo, 1, 0, 0}, nlmsg.AppendUint32(nil, infoVersion, 0x010201)...)
	return [][]byte{say(m, m.Type, 0, p...), ack(m, 0)}
}

func TestClientWaitsForTheModule(t *testing.T) {
	var family uint16
	c := clientOf(withFamily(&family, info))
	ctx := context.Background()
	for range 2 {
		if _, err := c.Info(ctx); !errors.Is(err, ErrNoKernelSupport) || !strings.Contains(err.Error(), "modprobe ip_vs") {
			t.Fatalf("without the module: %v", err)
		}
		if err := c.Apply(ctx, []Change{{Op: AddService}}); !errors.Is(err, ErrNoKernelSupport) {
			t.Fatalf("without the module: %v", err)
		}
	}
	for _, family = range []uint16{30, 31} { // loaded, and loaded anew
		if i, err := c.Info(ctx); err != nil || i.Version != [3]uint8{1, 2, 1} {
			t.Fatalf("with the module as family %d: %+v, %v", family, i, err)
		}
	}
	family = 0
	if _, err := c.Info(ctx); !errors.Is(err, ErrNoKernelSupport) {
		t.Fatalf("after the module went: %v", err)
	}
}

func TestClientSaysWhoMayUseIPVS(t *testing.T) {
	family := uint16(30)
	c := clientOf(withFamily(&family, func(m nlmsg.Message) [][]byte { return [][]byte{ack(m, unix.EPERM)} }))
	_, err := c.Table(context.Background())
	if !errors.Is(err, unix.EPERM) || !strings.Contains(err.Error(), "root") {
		t.Errorf("dump: %v", err)
	}
	err = c.Apply(context.Background(), []Change{{Op: AddService, Service: Service{ServiceKey: ServiceKey{FWMark: 1}, Scheduler: "rr"}}})
	if !errors.Is(err, unix.EPERM) || !strings.Contains(err.Error(), "root") || !strings.Contains(err.Error(), "fwmark 1") {
		t.Errorf("change: %v", err)
	}
}

// A daemon that ends before it has begun is stopped without a word.
func TestClientStopsADaemonThatHasNotBegun(t *testing.T) {
	family, running := uint16(30), true
	c := clientOf(withFamily(&family, func(m nlmsg.Message) [][]byte {
		if running {
			running = false
			return nil // EINTR, which the kernel does not answer with
		}
		return [][]byte{ack(m, unix.ESRCH)}
	}))
	if err := c.StopDaemon(t.Context(), DaemonBackup); err != nil || running {
		t.Errorf("stopped: %t, %v", !running, err)
	}
	if err := c.StopDaemon(t.Context(), DaemonBackup); err != nil {
		t.Errorf("once more: %v", err)
	}
	c = clientOf(withFamily(&family, func(m nlmsg.Message) [][]byte { return [][]byte{ack(m, unix.EPERM)} }))
	if err := c.StopDaemon(t.Context(), DaemonMaster); !errors.Is(err, unix.EPERM) || !strings.Contains(err.Error(), "root") {
		t.Errorf("refused: %v", err)
	}
}

func TestClientGivesUpOnASilentKernel(t *testing.T) {
	family := uint16(30)
	l := withFamily(&family, info)
	c := clientOf(l)
	c.sock.timeout = 20 * time.Millisecond
	l.silent = true
	if _, err := c.Info(context.Background()); !errors.Is(err, os.ErrDeadlineExceeded) {
		t.Fatalf("silent kernel: %v", err)
	}
	// What it says after all belongs to no later question.
	l.silent, c.sock.timeout = false, time.Minute
	if i, err := c.Info(context.Background()); err != nil || i.Version != [3]uint8{1, 2, 1} {
		t.Errorf("afterwards: %+v, %v", i, err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if _, err := c.Info(ctx); !errors.Is(err, context.Canceled) {
		t.Errorf("cancelled: %v", err)
	}
}

func TestClientRepeatsADumpThatWasInterrupted(t *testing.T) {
	family := uint16(30)
	interruptions := 0
	service := Service{ServiceKey: ServiceKey{FWMark: 3}, Scheduler: "rr", Netmask: 32}
	c := clientOf(withFamily(&family, func(m nlmsg.Message) [][]byte {
		done := say(m, unix.NLMSG_DONE, 0, 0, 0, 0, 0)
		if m.Data[0] != cmdGetService {
			return [][]byte{done}
		}
		var flags uint16 = unix.NLM_F_MULTI
		if interruptions > 0 {
			interruptions--
			flags |= unix.NLM_F_DUMP_INTR
		}
		return [][]byte{say(m, m.Type, flags, append([]byte{cmdNewService, 1, 0, 0}, appendService(nil, service)...)...), done}
	}))
	interruptions = dumpTries - 1
	got, err := c.Table(context.Background())
	if err != nil || len(got) != 1 || got[service.ServiceKey].Service != service {
		t.Errorf("table: %v, %v", got, err)
	}
	interruptions = dumpTries
	if _, err := c.Table(context.Background()); !errors.Is(err, errInterrupted) {
		t.Errorf("always interrupted: %v", err)
	}
}

func manyDestinations(n int) []Change {
	s := Service{ServiceKey: ServiceKey{FWMark: 3}, Scheduler: "rr", Netmask: 32}
	out := make([]Change, n)
	for i := range out {
		a := netip.AddrFrom4([4]byte{10, 0, byte(i >> 8), byte(i)})
		out[i] = Change{Op: AddDestination, Service: s, Destination: Destination{DestinationKey: DestinationKey{Addr: a, Port: 80}}}
	}
	return out
}

func TestApplySendsInBatches(t *testing.T) {
	family := uint16(30)
	changes := manyDestinations(2*batchSize + 50)
	refuse := map[string]bool{"10.0.0.5": true, "10.0.0.99": true, "10.0.0.100": true, "10.0.0.249": true}
	l := withFamily(&family, nil)
	l.answer = withFamily(&family, func(m nlmsg.Message) [][]byte {
		v, err := findAttr(m.Data[4:], attrDest)
		if err != nil {
			t.Fatal(err)
		}
		d, _, err := parseDestination(v, false)
		if err != nil {
			t.Fatal(err)
		}
		switch {
		case refuse[d.Addr.String()]:
			return [][]byte{ack(m, unix.EINVAL)}
		case m.Flags&unix.NLM_F_ACK != 0:
			return [][]byte{ack(m, 0)}
		}
		return nil
	}).answer
	err := clientOf(l).Apply(context.Background(), changes)

	var sizes []int
	for _, sent := range l.sends[1:] { // after the look-up
		sizes = append(sizes, len(sent))
		for i, m := range sent {
			if last := i == len(sent)-1; last != (m.Flags&unix.NLM_F_ACK != 0) {
				t.Errorf("message %d of %d asks for an acknowledgement: %v", i, len(sent), !last)
			}
		}
	}
	if !slices.Equal(sizes, []int{batchSize, batchSize, 50}) {
		t.Errorf("batches of %v", sizes)
	}
	var refused *ApplyError
	if !errors.As(err, &refused) {
		t.Fatalf("error: %v", err)
	}
	for _, f := range refused.Failures {
		a := f.Change.Destination.Addr.String()
		if !refuse[a] || !errors.Is(f.Err, unix.EINVAL) {
			t.Errorf("refused: %v", f)
		}
		delete(refuse, a)
	}
	if len(refuse) > 0 {
		t.Errorf("not named in the error: %v", refuse)
	}
}

func TestApplyDoesNotTakeABrokenExchangeForARefusal(t *testing.T) {
	family := uint16(30)
	l := withFamily(&family, func(m nlmsg.Message) [][]byte { return [][]byte{ack(m, unix.EINVAL)} })
	c := clientOf(l)
	if err := c.Apply(context.Background(), manyDestinations(1)); err == nil {
		t.Fatal("no error")
	}
	var refused *ApplyError
	l.recvErr = unix.ENOBUFS
	if err := c.Apply(context.Background(), manyDestinations(3)); !errors.Is(err, unix.ENOBUFS) || errors.As(err, &refused) {
		t.Errorf("answers lost: %v", err)
	}
	l.recvErr, l.sendErr = nil, unix.ENOMEM
	if err := c.Apply(context.Background(), manyDestinations(3)); !errors.Is(err, unix.ENOMEM) || errors.As(err, &refused) {
		t.Errorf("not sent: %v", err)
	}
}

func TestApplyErrorFitsAScreen(t *testing.T) {
	var f failures
	for _, c := range manyDestinations(1000) {
		f.add(c, unix.EINVAL)
	}
	err := f.err()
	if n := len(err.Error()); n > 4096 || !strings.HasSuffix(err.Error(), fmt.Sprintf("and %d more", 1000-shownFailures)) {
		t.Errorf("%d bytes: %v", n, err)
	}
}

func BenchmarkAppendBatch(b *testing.B) {
	changes := manyDestinations(batchSize)
	s := newSocket(&scriptLink{answer: func(m nlmsg.Message) [][]byte {
		if m.Flags&unix.NLM_F_ACK != 0 {
			return [][]byte{ack(m, 0)}
		}
		return nil
	}}, time.Second)
	c := &Client{sock: s, family: 30}
	for b.Loop() {
		if err := c.Apply(context.Background(), changes); err != nil {
			b.Fatal(err)
		}
	}
}
