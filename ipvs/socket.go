package ipvs

import (
	"context"
	"errors"
	"fmt"
	"os"
	"time"

	"golang.org/x/sys/unix"

	"github.com/tandem-ha/tandem/ipvs/nlmsg"
)

const (
	messageHeader = unix.SizeofNlMsghdr + 4 // with genlmsghdr
	receiveBuffer = 64 << 10
	// pollSlice bounds how long a wait for the kernel overlooks a context that
	// is done.
	pollSlice = 100 * time.Millisecond
)

// errInterrupted says that the table changed while it was dumped.
var errInterrupted = errors.New("dump was interrupted by a change")

// link carries datagrams to the kernel and back.
type link interface {
	send(b []byte) error
	// receive waits for the next datagram: not at all with a wait of zero, and
	// with os.ErrDeadlineExceeded where none came.
	receive(b []byte, wait time.Duration) (int, error)
	close()
}

// socket exchanges messages over a link. It is not safe for concurrent use.
type socket struct {
	link    link
	seq     uint32
	timeout time.Duration
	in, out []byte
	// dirty says that answers to an exchange that was given up may follow. A
	// dump that is not read to its end would block the next one.
	dirty bool
}

func newSocket(l link, timeout time.Duration) *socket {
	return &socket{link: l, timeout: timeout, in: make([]byte, receiveBuffer)}
}

// start appends the headers of a message to s.out and returns its place and
// sequence number; finish writes its length when the attributes have followed.
func (s *socket) start(typ, flags uint16, cmd, version uint8) (at int, seq uint32) {
	at = len(s.out)
	s.seq++
	b := nlmsg.Begin(s.out, typ, unix.NLM_F_REQUEST|flags, s.seq)
	s.out = append(b, cmd, version, 0, 0)
	return at, s.seq
}

func (s *socket) finish(at int) { s.out = nlmsg.End(s.out, at) }

// send hands s.out to the kernel as one datagram.
func (s *socket) send(ctx context.Context) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	if s.dirty {
		if err := s.drain(); err != nil {
			return err
		}
	}
	s.dirty = true
	return s.link.send(s.out)
}

// drain reads away what an exchange that was given up has left.
func (s *socket) drain() error {
	for {
		_, err := s.link.receive(s.in, 0)
		switch {
		case errors.Is(err, os.ErrDeadlineExceeded):
			s.dirty = false
			return nil
		case err != nil && !errors.Is(err, unix.ENOBUFS):
			return err
		}
	}
}

// receive returns the next datagram of the kernel, a part of s.in.
func (s *socket) receive(ctx context.Context) ([]byte, error) {
	deadline := time.Now().Add(s.timeout)
	for {
		n, err := s.link.receive(s.in, pollSlice)
		switch {
		case err == nil:
			return s.in[:n], nil
		case !errors.Is(err, os.ErrDeadlineExceeded):
			return nil, err
		case ctx.Err() != nil:
			return nil, ctx.Err()
		case !time.Now().Before(deadline):
			return nil, fmt.Errorf("no answer from the kernel within %v: %w", s.timeout, err)
		}
	}
}

// answers reads messages until handle says that the exchange is over.
func (s *socket) answers(ctx context.Context, handle func(nlmsg.Message) (done bool, err error)) error {
	for {
		b, err := s.receive(ctx)
		if err != nil {
			return err
		}
		for {
			m, rest, ok := nlmsg.Next(b)
			if !ok {
				break
			}
			if done, err := handle(m); done || err != nil {
				return err
			}
			b = rest
		}
	}
}

// request is one message and its answer, each part of which visit is given
// without its headers; visit is nil for a message that is answered by an
// acknowledgement alone. An error of the kernel is its syscall.Errno.
func (s *socket) request(ctx context.Context, typ, flags uint16, cmd, version uint8, attrs func([]byte) []byte, visit func([]byte) error) error {
	s.out = s.out[:0]
	if flags&unix.NLM_F_DUMP == 0 {
		flags |= unix.NLM_F_ACK
	}
	at, seq := s.start(typ, flags, cmd, version)
	if attrs != nil {
		s.out = attrs(s.out)
	}
	s.finish(at)
	if err := s.send(ctx); err != nil {
		return err
	}
	var broken, interrupted error
	err := s.answers(ctx, func(m nlmsg.Message) (bool, error) {
		if m.Seq != seq {
			return false, nil
		}
		if m.Flags&unix.NLM_F_DUMP_INTR != 0 {
			interrupted = errInterrupted
		}
		switch m.Type {
		case unix.NLMSG_ERROR, unix.NLMSG_DONE:
			s.dirty = false
			return true, m.Err()
		case unix.NLMSG_NOOP:
		default:
			if broken == nil && visit != nil && len(m.Data) >= 4 {
				broken = visit(m.Data[4:])
			}
		}
		return false, nil
	})
	return errors.Join(err, broken, interrupted)
}

// batch sends n messages at once. Only the last asks for an acknowledgement;
// the kernel answers each that fails with its own sequence number, in order, so
// failed is told which one it was. The error is of the exchange itself: then it
// is not known what the kernel did.
func (s *socket) batch(ctx context.Context, typ uint16, n int, build func(i int, b []byte) []byte, cmd func(i int) uint8, failed func(i int, err error)) error {
	s.out = s.out[:0]
	first := s.seq + 1
	for i := range n {
		var flags uint16
		if i == n-1 {
			flags = unix.NLM_F_ACK
		}
		at, _ := s.start(typ, flags, cmd(i), familyVersion)
		s.out = build(i, s.out)
		s.finish(at)
	}
	if err := s.send(ctx); err != nil {
		return err
	}
	return s.answers(ctx, func(m nlmsg.Message) (bool, error) {
		i := int(m.Seq - first)
		if m.Type != unix.NLMSG_ERROR || i < 0 || i >= n {
			return false, nil
		}
		if err := m.Err(); err != nil {
			failed(i, err)
		}
		if i == n-1 {
			s.dirty = false
		}
		return i == n-1, nil
	})
}
